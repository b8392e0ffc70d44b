//! The mark of an image that is not whole: one that is being added or removed, or was, by who was killed.

use crate::ceph::{self, Image};

/// The key of the image's metadata.
const MARK: &str = "glance_store.unfinished";

/// Followed by the address of the client that adds it.
const ADDING: &str = "adding by ";
const REMOVING: &str = "removing";

/// Marks an image that nobody else has open, and returns the mark, which is of this client only.
pub fn mark_as_adding(image: &Image) -> ceph::Result<String> {
    let mark = format!("{ADDING}{}", image.watchers()?.concat());
    image.set_metadata(MARK, &mark)?;
    Ok(mark)
}

/// Also of an image that is being added: who adds it must know by that that it is lost.
pub fn mark_as_removing(image: &Image) -> ceph::Result<()> {
    image.set_metadata(MARK, REMOVING)
}

pub fn unmark(image: &Image) -> ceph::Result<()> {
    image.remove_metadata(MARK)
}

pub fn mark_of(image: &Image) -> ceph::Result<Option<String>> {
    image.metadata(MARK)
}

pub fn is_marked(image: &Image) -> ceph::Result<bool> {
    Ok(mark_of(image)?.is_some())
}

/// The address in the mark of an image that was being added.
pub fn adder_of(mark: &str) -> Option<&str> {
    mark.strip_prefix(ADDING).filter(|address| !address.is_empty())
}
