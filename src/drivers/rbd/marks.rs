//! The mark of an image that is not whole: one that is being added or removed, or was, by who was killed.

use crate::ceph::{self, Image};

/// The key of the image's metadata.
const MARK: &str = "glance_store.unfinished";

const ADDING: &str = "adding";
const REMOVING: &str = "removing";

pub fn mark_as_adding(image: &Image) -> ceph::Result<()> {
    image.set_metadata(MARK, ADDING)
}

/// Also of an image that is being added: who adds it must know by that that it is lost.
pub fn mark_as_removing(image: &Image) -> ceph::Result<()> {
    image.set_metadata(MARK, REMOVING)
}

pub fn unmark(image: &Image) -> ceph::Result<()> {
    image.remove_metadata(MARK)
}

pub fn is_marked(image: &Image) -> ceph::Result<bool> {
    Ok(image.metadata(MARK)?.is_some())
}

pub fn is_marked_as_adding(image: &Image) -> ceph::Result<bool> {
    Ok(image.metadata(MARK)?.as_deref() == Some(ADDING))
}
