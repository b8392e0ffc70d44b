//! How an image goes: first its name, all at once and under the lock of that, so that nobody can take another image
//! for it; then, by its id, its data, which may take long.  What lies in between is in the trash, and marked: who is
//! killed leaves it to the next add or delete of that name.

use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use super::errors::{Purpose, failed};
use super::location::SNAPSHOT;
use super::marks::{is_marked, mark_as_removing, mark_of, owner_of, restore_mark, unmark};
use super::name_lock::NameLock;
use crate::ceph::{self, Image, ImagePool};
use crate::chance;
use crate::error::{Error, Kind, Result};
use crate::location::shorten;

/// What became of an image in the trash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Disposed {
    Removed,
    /// It has clones or snapshots of others.
    Kept,
    /// Somebody has it open, perhaps another one who removes it.
    InUse,
}

/// Takes the name from an image that nobody writes, which then is in the trash, and returns its id.  What it fails
/// at leaves the image as it was.  An image of the first format has no id, and is removed at once.
pub fn retire(pool: &ImagePool, lock: &NameLock, name: &str, snapshot: &str) -> Result<Option<String>> {
    let failed = |doing, errno| failed(doing, name, Purpose::Writing, errno);
    let image = pool.open_for_writing(name).map_err(|errno| failed("delete", errno))?;
    let Some(id) = image.id().map_err(|errno| failed("delete", errno))? else {
        let removed = remove_at_once(pool, name, &image, snapshot);
        return removed.map(|()| None).map_err(|errno| failed("delete", errno));
    };
    let mark = mark_of(&image).map_err(|errno| failed("delete", errno))?;
    if let Some(owner) = mark.as_deref().and_then(owner_of) {
        fence(pool, &image, owner);
    }
    let was_protected = match image.unprotect_snapshot(snapshot) {
        Ok(()) => true,
        // Not protected, or not there at all.
        Err(Errno::EINVAL | Errno::ENOENT) => false,
        Err(Errno::EBUSY) => return Err(in_use(name, &children_of(&image, snapshot))),
        Err(errno) => return Err(failed("unprotect the snapshot of", errno)),
    };
    let moved = mark_as_removing(&image).and_then(|()| {
        image.close();
        lock.renew()?;
        pool.move_to_trash(name)
    });
    drop(image);
    moved.map(|()| Some(id.clone())).map_err(|errno| {
        if let Ok(image) = pool.open_id_for_writing(&id) {
            let _ = restore_mark(&image, mark.as_deref());
            let _ = if was_protected { image.protect_snapshot(snapshot) } else { Ok(()) };
        }
        match errno {
            Errno::EBUSY => in_use(name, "somebody has it open"),
            errno => failed("move to the trash", errno),
        }
    })
}

fn remove_at_once(pool: &ImagePool, name: &str, image: &Image, snapshot: &str) -> ceph::Result<()> {
    match image.remove_snapshot(snapshot) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    image.close();
    pool.remove(name)
}

/// Stops the client whose mark an image has that is nobody's: it lost its watch or its lock, but may be alive, and would
/// write what stays for ever, or take the name from the next image.  Where the user may not do that it can only be
/// hoped that it is dead.
fn fence(pool: &ImagePool, image: &Image, owner: &str) {
    let is_own = |watchers: Vec<String>| watchers.iter().any(|watcher| watcher == owner);
    if !image.watchers().is_ok_and(is_own) {
        let _ = pool.cluster().lock_out(owner);
    }
}

pub fn in_use(name: &str, reason: &str) -> Error {
    let message = format!("cannot delete RBD image {:?}: {reason}", shorten(name));
    Error::from_os(Kind::InUse, message, &Errno::EBUSY.into())
}

/// Which images need the snapshot, in words.
fn children_of(image: &Image, snapshot: &str) -> String {
    const SHOWN: usize = 5;
    let children = image.children(snapshot).unwrap_or_default();
    let mut names: Vec<String> =
        children.iter().take(SHOWN).map(|child| format!("{}/{}", child.pool, child.image)).collect();
    if children.len() > SHOWN {
        names.push(format!("{} more", children.len() - SHOWN));
    }
    match names.is_empty() {
        true => format!("its snapshot {snapshot:?} is in use, as by clones"),
        false => format!("images were cloned from its snapshot {snapshot:?}: {}", names.join(", ")),
    }
}

/// Removes an image that is in the trash.
pub fn dispose(pool: &ImagePool, id: &str, snapshot: &str) -> ceph::Result<Disposed> {
    match remove_snapshot(pool, id, snapshot) {
        // Without a header: all but the rest of it is removed.
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(Errno::EBUSY) => return Ok(Disposed::InUse),
        Err(errno) => return Err(errno),
    }
    match remove_patiently(pool, id) {
        Ok(()) | Err(Errno::ENOENT) => Ok(Disposed::Removed),
        Err(Errno::ENOTEMPTY | Errno::ECHILD) => {
            // Whoever restores it has an image like others.
            match unmark(&*pool.open_id_for_writing(id)?) {
                Ok(()) | Err(Errno::ENOENT) => Ok(Disposed::Kept),
                Err(errno) => Err(errno),
            }
        }
        Err(Errno::EBUSY) => Ok(Disposed::InUse),
        Err(errno) => Err(errno),
    }
}

fn remove_snapshot(pool: &ImagePool, id: &str, snapshot: &str) -> ceph::Result<()> {
    let image = pool.open_id_for_writing(id)?;
    match image.unprotect_snapshot(snapshot) {
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    match image.remove_snapshot(snapshot) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Two that remove one image at the same moment may both find it open.
fn remove_patiently(pool: &ImagePool, id: &str) -> ceph::Result<()> {
    const TRIES: u32 = 20;
    for _ in 1..TRIES {
        match pool.remove_trashed(id) {
            Err(Errno::EBUSY) => {}
            removed => return removed,
        }
        thread::sleep(Duration::from_millis(10 + chance::number() % 200));
    }
    pool.remove_trashed(id)
}

/// Removes what others left in the trash that were killed when they removed an image of that name.  What it cannot
/// remove is for the next one.
pub fn sweep(pool: &ImagePool, name: &str) {
    for id in pool.trashed(name).unwrap_or_default() {
        if is_left(pool, &id).unwrap_or(false) {
            let _ = dispose(pool, &id, SNAPSHOT);
        }
    }
}

/// Whether nobody is left who would remove it.
fn is_left(pool: &ImagePool, id: &str) -> ceph::Result<bool> {
    match pool.open_id(id) {
        Ok(image) => Ok(is_marked(&image)? && image.watchers()?.is_empty()),
        Err(Errno::ENOENT) => Ok(true),
        Err(errno) => Err(errno),
    }
}
