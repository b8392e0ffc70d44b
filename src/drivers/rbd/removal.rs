//! Deleting an image.

use std::sync::Arc;

use nix::errno::Errno;

use super::backend::Backend;
use super::errors::{Purpose, failed};
use super::location::{Place, SNAPSHOT};
use crate::ceph::{Image, ImagePool};
use crate::error::{Error, Kind, Result};
use crate::log::Level;

/// Removes an image with its snapshot.  One that has other snapshots, or clones that do not need the snapshot
/// itself, goes to the trash.  Blocks.
pub fn remove(backend: &Arc<Backend>, place: &Place) -> Result<()> {
    let pool = backend.pool_of(place)?;
    // A short location means the image as it was added, so with its snapshot as well.
    let snapshot = place.snapshot().unwrap_or(SNAPSHOT);
    let image = Removal { pool: &pool, name: &place.image };
    image.check_not_watched()?;
    image.remove_snapshot(snapshot)?;
    match pool.remove(&place.image) {
        Ok(()) => Ok(()),
        Err(Errno::ENOTEMPTY) => {
            image.move_to_trash()?;
            backend.log.write(
                Level::Warn,
                "rbd",
                format_args!("image {:?} has clones or other snapshots: it is in the trash until it is purged", place.image),
            );
            Ok(())
        }
        Err(Errno::EBUSY) => Err(image.in_use("somebody has it open")),
        Err(errno) => Err(image.failed("delete", errno)),
    }
}

struct Removal<'a> {
    pool: &'a ImagePool,
    name: &'a str,
}

impl Removal<'_> {
    fn failed(&self, doing: &str, errno: Errno) -> Error {
        failed(doing, self.name, Purpose::Writing, errno)
    }

    fn in_use(&self, reason: &str) -> Error {
        Error::from_os(
            Kind::InUse,
            format!("cannot delete RBD image {:?}: {reason}", self.name),
            &Errno::EBUSY.into(),
        )
    }

    /// Before anything is changed: what is open for writing cannot be removed.
    fn check_not_watched(&self) -> Result<()> {
        let image = self.pool.open(self.name, None).map_err(|errno| self.failed("delete", errno))?;
        let watchers = image.watchers().map_err(|errno| self.failed("look for users of", errno))?;
        match watchers.as_slice() {
            [] => Ok(()),
            watchers => Err(self.in_use(&format!("it is open for writing by {}", watchers.join(", ")))),
        }
    }

    fn remove_snapshot(&self, snapshot: &str) -> Result<()> {
        let image = self.pool.open_for_writing(self.name).map_err(|errno| self.failed("delete", errno))?;
        match image.unprotect_snapshot(snapshot) {
            // Not protected, or not there at all.
            Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
            Err(Errno::EBUSY) => return Err(self.in_use(&children_of(&image, snapshot))),
            Err(errno) => return Err(self.failed("unprotect the snapshot of", errno)),
        }
        match image.remove_snapshot(snapshot) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EBUSY) => {
                // As it was.
                let _ = image.protect_snapshot(snapshot);
                Err(self.in_use(&children_of(&image, snapshot)))
            }
            Err(errno) => Err(self.failed("remove the snapshot of", errno)),
        }
    }

    fn move_to_trash(&self) -> Result<()> {
        match self.pool.move_to_trash(self.name) {
            Ok(()) => Ok(()),
            Err(Errno::EBUSY) => Err(self.in_use("somebody has it open")),
            Err(errno) => Err(self.failed("move to the trash", errno)),
        }
    }
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
