//! Which container an image goes to, and that one of its own goes with it.

use std::time::Duration;

use tokio::time::sleep;

use super::storage::Storage;
use crate::error::{Error, Kind, Result};
use crate::log::Level;

/// The pauses before a container is deleted again whose listing still has what is gone.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1500)];

/// How a store names the containers of its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// One container for all images.
    One(String),
    /// Several, told apart by the first `seed` characters of the image's id.
    Several { prefix: String, seed: usize },
    /// One for each image.
    Own { prefix: String },
}

impl Naming {
    /// The container of a new image.
    pub fn container_for(&self, image_id: &str) -> String {
        match self {
            Naming::One(container) => container.clone(),
            Naming::Several { prefix, seed } => format!("{prefix}_{}", beginning(image_id, *seed)),
            Naming::Own { prefix } => format!("{prefix}_{image_id}"),
        }
    }

    /// Whether images of this store are in `container`, as far as its name tells.
    pub fn covers(&self, container: &str) -> bool {
        match self {
            Naming::One(name) => name == container,
            Naming::Several { prefix, .. } | Naming::Own { prefix } => {
                container.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('_'))
            }
        }
    }
}

/// The first `seed` characters of an id in lower case, and as many more as dashes are among these.
/// The dashes among the further ones do not count: containers of that name exist.
fn beginning(image_id: &str, seed: usize) -> String {
    let id = image_id.to_lowercase();
    let dashes = id.chars().take(seed).filter(|c| *c == '-').count();
    id.chars().take(seed + dashes).collect()
}

/// Refuses names that no container can have, or that a path does not keep.
pub fn check_name(container: &str) -> Result<()> {
    /// Swift's default limit, in bytes.
    const LONGEST: usize = 256;
    let bad = |reason: &str| {
        Err(Error::new(Kind::Invalid, format!("the container name {container:?} cannot be used: {reason}")))
    };
    match container {
        "" => bad("it is empty"),
        "." | ".." => bad("it is a step of a path"),
        _ if container.contains(['/', '?', '#']) => bad("a location cannot have its \"/\", \"?\" or \"#\""),
        _ if container.trim() != container => bad("it begins or ends with white space"),
        _ if container.contains(char::is_control) => bad("it has a control character"),
        _ if container.len() > LONGEST => bad("it is longer than 256 bytes"),
        _ => Ok(()),
    }
}

/// Deletes the container of an image that is gone, unless others keep something in it.
pub async fn leave(storage: &Storage, container: &str, image_id: &str) -> Result<()> {
    for pause in PAUSES {
        if storage.delete_container(container).await? || holds_others(storage, container, image_id).await? {
            return Ok(());
        }
        sleep(pause).await;
    }
    if !storage.delete_container(container).await? {
        let message = format_args!(
            "the container {container} stays, as its listing still has what was deleted: delete the image {image_id} once more, or the container"
        );
        storage.client().log().write(Level::Warn, "swift", message);
    }
    Ok(())
}

async fn holds_others(storage: &Storage, container: &str, image_id: &str) -> Result<bool> {
    let listed = storage.list(container, "").await?.unwrap_or_default();
    Ok(listed.iter().any(|listed| !listed.name.starts_with(image_id)))
}

/// The same after what matters is done: that it does not work is logged.
pub async fn leave_in_peace(storage: &Storage, container: &str, image_id: &str) {
    if let Err(error) = leave(storage, container, image_id).await {
        storage.client().log().write(Level::Warn, "swift", format_args!("an empty container stays: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "fdae39a1-bac5-4238-aba4-69bcc726e848";

    #[test]
    fn seeds_make_the_names_that_containers_have_already() {
        for (seed, suffix) in [
            (1, "f"),
            (2, "fd"),
            (3, "fda"),
            (8, "fdae39a1"),
            (9, "fdae39a1-b"),
            (10, "fdae39a1-ba"),
            (12, "fdae39a1-bac5"),
            (13, "fdae39a1-bac5-"),
            (14, "fdae39a1-bac5-42"),
            (17, "fdae39a1-bac5-4238-"),
            (18, "fdae39a1-bac5-4238-a"),
            (21, "fdae39a1-bac5-4238-aba4-"),
            (32, ID),
        ] {
            let naming = Naming::Several { prefix: "glance".into(), seed };
            assert_eq!(naming.container_for(ID), format!("glance_{suffix}"), "{seed}");
        }
    }

    #[test]
    fn the_container_is_in_lower_case_and_the_id_may_be_short() {
        let naming = Naming::Several { prefix: "glance".into(), seed: 3 };
        assert_eq!(naming.container_for("3A1xxxxx-"), "glance_3a1");
        assert_eq!(naming.container_for("X"), "glance_x");
        assert_eq!(naming.container_for("É-é"), "glance_é-é");
    }

    #[test]
    fn one_container_and_one_for_each() {
        assert_eq!(Naming::One("glance".into()).container_for(ID), "glance");
        assert_eq!(Naming::Own { prefix: "container".into() }.container_for("Id"), "container_Id");
    }

    #[test]
    fn a_store_knows_its_containers() {
        let one = Naming::One("glance".into());
        assert!(one.covers("glance") && !one.covers("glance_f"));
        let several = Naming::Several { prefix: "glance".into(), seed: 1 };
        assert!(several.covers("glance_f") && !several.covers("glance") && !several.covers("glances_f"));
    }

    #[test]
    fn names_that_no_container_can_have() {
        check_name("glance").unwrap();
        for name in ["", ".", "..", "a/b", "a?b", "a#b", " a", "a ", "a\nb", &"x".repeat(257)] {
            assert_eq!(check_name(name).unwrap_err().kind(), Kind::Invalid, "{name}");
        }
    }
}
