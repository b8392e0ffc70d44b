//! How an image is known that is not whole: one that is being added or removed, or was, by who was killed.

use std::thread;
use std::time::Duration;

use super::location::SNAPSHOT;
use crate::ceph::{self, Image};

/// The key of the image's metadata.
const MARK: &str = "glance_store.unfinished";

/// Followed by the address of the client that adds it.
const ADDING: &str = "adding by ";
/// Followed by the address of the client that removes it, where that is the only one that has it open.
const REMOVING: &str = "removing by ";

/// The size that an image is made with.  Nothing can be marked before it is there: until it is, it is known by that size,
/// which no other comes near by chance, and by having nothing in it.
pub const NEWBORN_SIZE: u64 = 784_637;

/// How long nobody may be seen that has an image open: who renews its watch, as when an OSD was started again, is not
/// there for a moment.
const RENEWAL: Duration = Duration::from_secs(1);

/// Marks an image that nobody else has open, and returns the mark, which is of this client only.
pub fn mark_as_adding(image: &Image) -> ceph::Result<String> {
    let mark = format!("{ADDING}{}", image.watchers()?.concat());
    image.set_metadata(MARK, &mark)?;
    Ok(mark)
}

/// Also of an image that is being added: who adds it must know by that that it is lost.
pub fn mark_as_removing(image: &Image) -> ceph::Result<()> {
    let watchers = image.watchers()?;
    let remover = if let [only] = watchers.as_slice() { only } else { "" };
    image.set_metadata(MARK, &format!("{REMOVING}{remover}"))
}

/// Gives an image the mark back that it had.
pub fn restore_mark(image: &Image, mark: Option<&str>) -> ceph::Result<()> {
    mark.map_or_else(|| unmark(image), |mark| image.set_metadata(MARK, mark))
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

/// Whether an image is marked, or has not come that far.
pub fn is_unfinished(image: &Image) -> ceph::Result<bool> {
    Ok(is_marked(image)? || is_newborn(image)?)
}

fn is_newborn(image: &Image) -> ceph::Result<bool> {
    Ok(image.size()? == NEWBORN_SIZE
        && !image.has_snapshot(SNAPSHOT)?
        && image.extents(0..NEWBORN_SIZE)?.is_empty())
}

/// The addresses of those that have an image open for writing.
pub fn users_of(image: &Image) -> ceph::Result<Vec<String>> {
    let users = image.watchers()?;
    if !users.is_empty() || !is_marked(image)? {
        return Ok(users);
    }
    thread::sleep(RENEWAL);
    image.watchers()
}

/// The address in a mark: of the client that set it.
pub fn owner_of(mark: &str) -> Option<&str> {
    let address = mark.strip_prefix(ADDING).or_else(|| mark.strip_prefix(REMOVING));
    address.filter(|address| !address.is_empty())
}
