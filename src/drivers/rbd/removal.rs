//! Deleting an image.

use std::sync::Arc;

use nix::errno::Errno;

use super::backend::Backend;
use super::errors::{Purpose, failed};
use super::location::{Place, SNAPSHOT};
use super::marks::users_of;
use super::name_lock::NameLock;
use super::retirement::{Disposed, dispose, in_use, retire, sweep};
use crate::ceph::ImagePool;
use crate::error::{Error, Kind, Result};
use crate::log::Level;

/// Removes an image with its snapshot.  One that has other snapshots, or clones that do not need the snapshot
/// itself, stays in the trash.  Blocks.
pub fn remove(backend: &Arc<Backend>, place: &Place) -> Result<()> {
    let (pool, name) = (backend.pool_of(place)?, place.image.as_str());
    // A short location means the image as it was added, so with its snapshot as well.
    let snapshot = place.snapshot().unwrap_or(SNAPSHOT);
    let retired = retire_unused(&pool, name, snapshot);
    let disposed = match &retired {
        Ok(Some(id)) => dispose(&pool, id, snapshot),
        Ok(None) | Err(_) => Ok(Disposed::Removed),
    };
    if retired.as_ref().err().is_none_or(|error| error.kind() == Kind::NotFound) {
        sweep(&pool, name);
    }
    retired?;
    let reason = match disposed.map_err(|errno| failed("delete", name, Purpose::Writing, errno))? {
        Disposed::Removed => return Ok(()),
        Disposed::Kept => "it has clones or other snapshots",
        Disposed::InUse => "somebody has it open",
    };
    let message = format_args!("image {name:?} is in the trash until it is purged: {reason}");
    backend.log.write(Level::Warn, "rbd", message);
    Ok(())
}

fn retire_unused(pool: &ImagePool, name: &str, snapshot: &str) -> Result<Option<String>> {
    let failed = |doing, errno| failed(doing, name, Purpose::Writing, errno);
    let lock = NameLock::take(pool, name).map_err(|errno| failed("lock", errno))?;
    check_not_watched(pool, name).inspect_err(|error| finish_move(pool, name, error))?;
    retire(pool, &lock, name, snapshot)
}

/// Before anything is changed: what is open for writing cannot be removed.
fn check_not_watched(pool: &ImagePool, name: &str) -> Result<()> {
    let failed = |doing, errno| failed(doing, name, Purpose::Writing, errno);
    let image = pool.open(name, None).map_err(|errno| failed("delete", errno))?;
    let users = users_of(&image).map_err(|errno| failed("look for users of", errno))?;
    match users.as_slice() {
        [] => Ok(()),
        users => Err(in_use(name, &format!("it is open for writing by {}", users.join(", ")))),
    }
}

/// Of an image that is on its way to the trash only half the name is left where somebody was killed.
fn finish_move(pool: &ImagePool, name: &str, error: &Error) {
    if error.errno() == Errno::ENOENT as i32 && pool.trashed(name).is_ok_and(|ids| !ids.is_empty()) {
        let _ = pool.move_to_trash(name);
    }
}
