//! What killed adds have left behind: segments of an image that never came to its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::layout::{is_segment_of, segment_name, segment_prefix};
use super::storage::{Layout, Listed, Object, Storage};
use super::together::{AT_A_TIME, each};
use crate::error::Result;

/// The objects whose names begin like those of an image's segments.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Segments of an add that was killed.
    pub left: Vec<String>,
    /// What only has such a name.
    pub others: Vec<String>,
}

/// Looks for an image's leftovers; none: there is no such container.
pub async fn find(storage: &Storage, container: &str, image_id: &str) -> Result<Option<Found>> {
    let Some(listed) = storage.list(container, &segment_prefix(image_id)).await? else {
        return Ok(None);
    };
    let alike = listed.iter().filter(|listed| is_segment_of(image_id, &listed.name));
    let (told, silent): (Vec<&Listed>, Vec<&Listed>) = alike.partition(|listed| listed.upload_id.is_some());
    let name = |listed: &Listed| listed.name.clone();
    let mut traits = traits_of(storage, container, silent.into_iter().map(name).collect()).await?;
    traits.extend(told.into_iter().map(|listed| (name(listed), Trait { is_uploads: true, is_plain: true })));
    let names = listed.into_iter().map(|listed| listed.name).collect();
    Ok(Some(told_apart(image_id, names, &traits)))
}

/// What tells an object that is called like a segment.
#[derive(Clone, Copy)]
struct Trait {
    /// An add of this library has stored it.
    is_uploads: bool,
    is_plain: bool,
}

/// What objects say of themselves of which the listing does not tell it.
async fn traits_of(storage: &Storage, container: &str, names: Vec<String>) -> Result<HashMap<String, Trait>> {
    let traits: Arc<Mutex<HashMap<String, Trait>>> = Arc::default();
    each(AT_A_TIME, names, |name| {
        let (storage, container, traits) = (storage.clone(), container.to_owned(), traits.clone());
        async move {
            if let Some(object) = storage.look_at(&container, &name).await? {
                traits.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Trait::of(&object));
            }
            Ok(())
        }
    })
    .await?;
    let traits = std::mem::take(&mut *traits.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(traits)
}

impl Trait {
    fn of(object: &Object) -> Self {
        Trait { is_uploads: object.upload_id.is_some(), is_plain: object.layout == Layout::Plain }
    }
}

/// An image of another id may be called like a segment.  What an add of this library has stored says so of
/// itself; glance_store's segments are known by their numbers, which begin with 1 and leave none out.
fn told_apart(image_id: &str, names: Vec<String>, traits: &HashMap<String, Trait>) -> Found {
    let mut found = Found::default();
    let mut next = 1;
    for name in names {
        let is_next = name == segment_name(image_id, next);
        let is_left = match traits.get(&name) {
            Some(told) => told.is_uploads || is_next && told.is_plain,
            // It is gone already.
            None if is_segment_of(image_id, &name) => continue,
            None => false,
        };
        next += u64::from(is_next && is_left);
        if is_left { found.left.push(name) } else { found.others.push(name) }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Trait = Trait { is_uploads: true, is_plain: true };
    const THEIRS: Trait = Trait { is_uploads: false, is_plain: true };
    const MANIFEST: Trait = Trait { is_uploads: false, is_plain: false };
    const LIST: Trait = Trait { is_uploads: true, is_plain: false };

    fn told(objects: &[(&str, Option<Trait>)]) -> (Vec<String>, Vec<String>) {
        let names = objects.iter().map(|(name, _)| (*name).to_owned()).collect();
        let traits = objects.iter().filter_map(|(name, told)| Some(((*name).to_owned(), (*told)?))).collect();
        let Found { left, others } = told_apart("id", names, &traits);
        (left, others)
    }

    #[test]
    fn segments_are_told_from_images_that_are_called_like_them() {
        for (objects, left, others) in [
            (&[("id-00001", Some(THEIRS)), ("id-00002", Some(THEIRS))][..], &["id-00001", "id-00002"][..], &[][..]),
            (&[("id-00002", Some(OURS)), ("id-00007", Some(OURS))], &["id-00002", "id-00007"], &[]),
            (&[("id-slo-00001", Some(LIST))], &["id-slo-00001"], &[]),
            (&[("id-20240", Some(THEIRS))], &[], &["id-20240"]),
            (&[("id-00001", Some(MANIFEST))], &[], &["id-00001"]),
            (&[("id-00001", Some(THEIRS)), ("id-00003", Some(THEIRS))], &["id-00001"], &["id-00003"]),
            (&[("id-00001", Some(OURS)), ("id-00002", Some(THEIRS))], &["id-00001", "id-00002"], &[]),
            (&[("id-00001", None), ("id-x", None), ("id-x-00001", None)], &[], &["id-x", "id-x-00001"]),
        ] {
            let expected = (left.iter().map(|n| (*n).to_owned()).collect(), others.iter().map(|n| (*n).to_owned()).collect());
            assert_eq!(told(objects), expected, "{left:?} {others:?}");
        }
    }
}
