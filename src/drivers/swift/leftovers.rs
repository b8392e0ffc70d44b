//! What killed adds have left behind: segments of an image that never came to its end.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::layout::{is_segment_of, notice_name, segment_name, segment_number, segment_prefix};
use super::storage::{Layout, Listed, Object, Storage};
use super::together::{AT_A_TIME, each, to_the_end};
use crate::chance;
use crate::error::{Kind, Result};

/// How many segments in a row, or uploads side by side, a listing is thought not to show of a killed add.
const HIDDEN: u64 = 8;

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
    let objects = look_at_all(storage, container, silent.into_iter().map(name).collect()).await?;
    let mut traits: HashMap<String, Trait> =
        objects.into_iter().map(|(name, object)| (name, Trait::of(&object))).collect();
    traits.extend(told.into_iter().map(|listed| (name(listed), Trait { is_uploads: true, is_plain: true })));
    let names = listed.into_iter().map(|listed| listed.name).collect();
    let mut found = told_apart(image_id, names, &traits);
    if !found.left.is_empty() {
        let hidden = hidden(storage, container, image_id, &found.left, HIDDEN).await?;
        found.left.extend(hidden.into_iter().filter(|(_, object)| object.upload_id.is_some()).map(|(name, _)| name));
    }
    Ok(Some(found))
}

/// The segments of an image that the listing does not show yet: among the first `reach` numbers, and as many behind
/// each segment that is there.
pub async fn hidden(
    storage: &Storage,
    container: &str,
    image_id: &str,
    listed: &[String],
    reach: u64,
) -> Result<Vec<(String, Object)>> {
    let shown = listed.iter().filter_map(|name| segment_number(image_id, name));
    let (mut known, mut found): (BTreeSet<u64>, Vec<(String, Object)>) = (shown.collect(), Vec::new());
    let mut last = BTreeSet::from_iter([0].into_iter().chain(known.iter().copied()));
    while !last.is_empty() {
        let numbers = last.iter().flat_map(|number| number + 1..=number + reach);
        let numbers: BTreeSet<u64> = numbers.filter(|number| !known.contains(number)).collect();
        known.extend(&numbers);
        let names = numbers.iter().map(|number| segment_name(image_id, *number)).collect();
        let objects = look_at_all(storage, container, names).await?;
        last = objects.keys().filter_map(|name| segment_number(image_id, name)).collect();
        found.extend(objects);
    }
    Ok(found)
}

/// Removes what killed adds have left, unless there is an image by now: false.
///
/// It may just as well be what another process is storing.  So a notice is put up before the image is looked
/// for; and who has made an image looks for a notice, and then for its segments.  Of the two at least one sees what
/// the other does, and gives way.  No listing is asked, which may show the state of before.
pub async fn clear(storage: &Storage, container: &str, image_id: &str, left: Vec<String>) -> Result<bool> {
    if left.is_empty() {
        return Ok(true);
    }
    let (storage, container, image_id) = (storage.clone(), container.to_owned(), image_id.to_owned());
    to_the_end(async move {
        let (notice, upload_id) = (notice_name(&image_id), chance::name());
        match storage.put_empty(&container, &notice, &upload_id).await {
            // Who removes what fills an account up cannot wait until there is room.
            Err(error) if error.kind() != Kind::StorageFull => return Err(error),
            _ => {}
        }
        let left = left.into_iter().filter(|name| *name != notice).collect();
        let cleared = clear_unless_image(&storage, &container, &image_id, left).await;
        // Another process may have put up its own in that place.
        let object = storage.look_at(&container, &notice).await?;
        if object.is_some_and(|object| object.upload_id.as_ref() == Some(&upload_id)) {
            storage.delete(&container, &notice).await?;
        }
        cleared
    })
    .await
}

async fn clear_unless_image(storage: &Storage, container: &str, image_id: &str, left: Vec<String>) -> Result<bool> {
    if storage.look_at(container, image_id).await?.is_some() {
        return Ok(false);
    }
    remove_all(storage, container, left).await?;
    Ok(true)
}

/// Whether somebody takes an image's segments for leftovers.
pub async fn are_being_cleared(storage: &Storage, container: &str, image_id: &str) -> Result<bool> {
    Ok(storage.look_at(container, &notice_name(image_id)).await?.is_some())
}

/// Removes objects; those that are not there are no matter.
pub async fn remove_all(storage: &Storage, container: &str, names: Vec<String>) -> Result<()> {
    each(AT_A_TIME, names, |name| {
        let (storage, container) = (storage.clone(), container.to_owned());
        async move { storage.delete(&container, &name).await.map(drop) }
    })
    .await
}

/// What tells an object that is called like a segment.
#[derive(Clone, Copy)]
struct Trait {
    /// An add of this library has stored it.
    is_uploads: bool,
    is_plain: bool,
}

/// What those objects say of themselves that are there.
async fn look_at_all(storage: &Storage, container: &str, names: Vec<String>) -> Result<HashMap<String, Object>> {
    let objects: Arc<Mutex<HashMap<String, Object>>> = Arc::default();
    each(AT_A_TIME, names, |name| {
        let (storage, container, objects) = (storage.clone(), container.to_owned(), objects.clone());
        async move {
            if let Some(object) = storage.look_at(&container, &name).await? {
                objects.lock().unwrap_or_else(PoisonError::into_inner).insert(name, object);
            }
            Ok(())
        }
    })
    .await?;
    let objects = std::mem::take(&mut *objects.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(objects)
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
