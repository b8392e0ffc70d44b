//! Images while they are written: under their own names, so that of several adds of one id only one can begin,
//! but marked, and open, and so watched by who writes them.
//!
//! What a killed process left is marked and, once the cluster has noticed, watched by nobody.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use super::errors::{Purpose, failed};
use super::location::SNAPSHOT;
use super::marks::{is_unfinished, mark_as_adding, mark_of, unmark, users_of};
use super::name_lock::NameLock;
use super::retirement::{Disposed, dispose, retire, sweep};
use crate::ceph::{self, Image, ImagePool};
use crate::error::{Error, Kind, Result};
use crate::location::shorten;

/// An image that is not finished.
pub struct Staged {
    pool: ImagePool,
    name: String,
    image: Arc<Image>,
    /// The image's own: the name may lead to another's by now.
    id: String,
    /// Its mark, as long as nobody else has laid hands on it.
    mark: String,
}

/// Makes an image, or fails with EEXIST where there is one of that name.
type Create<'a> = &'a dyn Fn(&ImagePool, &str) -> ceph::Result<()>;

impl Staged {
    pub fn begin(
        pool: ImagePool,
        name: &str,
        create: impl Fn(&ImagePool, &str) -> ceph::Result<()>,
    ) -> Result<Self> {
        let failed = |doing, errno| failed(doing, name, Purpose::Writing, errno);
        let lock = NameLock::take(&pool, name).map_err(|errno| failed("lock", errno))?;
        let is_clean = pool.trashed(name).is_ok_and(|ids| ids.is_empty());
        if !is_clean {
            finish_move(&pool, name);
        }
        let is_first = make(&pool, &lock, name, &create)?;
        let opened = open_marked(&pool, &lock, name);
        if opened.is_err() && lock.renew().is_ok() {
            let _ = retire(&pool, &lock, name, SNAPSHOT);
        }
        drop(lock);
        if !is_clean || !is_first || opened.is_err() {
            sweep(&pool, name);
        }
        let (image, id, mark) = opened.map_err(|errno| failed("open", errno))?;
        Ok(Staged { pool, name: name.to_owned(), image, id, mark })
    }

    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    pub fn fsid(&self) -> String {
        self.pool.cluster().fsid().to_owned()
    }

    pub fn size(&self) -> Result<u64> {
        self.image.size().map_err(|errno| self.failed("measure", errno))
    }

    /// Gives an image that was just begun its size; it is removed where that fails.
    pub fn sized(self, size: u64) -> Result<Self> {
        match self.image.resize(size) {
            Ok(()) => Ok(self),
            Err(errno) => {
                let _ = self.discard();
                Err(self.failed("resize", errno))
            }
        }
    }

    /// Makes the image unchangeable.
    pub fn seal(&self) -> Result<()> {
        self.image.flush().map_err(|errno| self.failed("flush", errno))?;
        self.image.create_snapshot(SNAPSHOT).map_err(|errno| self.failed("snapshot", errno))?;
        self.image.protect_snapshot(SNAPSHOT).map_err(|errno| self.failed("protect the snapshot of", errno))
    }

    /// Makes it an image like others.
    pub fn publish(&self) -> Result<()> {
        let failed = |errno| self.failed("finish", errno);
        let lock = NameLock::take(&self.pool, &self.name).map_err(failed)?;
        match mark_of(&self.image) {
            Ok(mark) if mark.as_deref() == Some(&self.mark) => {}
            Ok(_) | Err(Errno::ENOENT) => return Err(self.lost()),
            Err(errno) => return Err(failed(errno)),
        }
        unmark(&self.image).map_err(failed)?;
        match lock.release() {
            // Who had the lock meanwhile may have found the mark.
            Err(Errno::ESTALE) if !self.has_name(&self.pool).map_err(failed)? => return Err(self.lost()),
            // It ends by itself.
            _ => self.image.close(),
        }
        Ok(())
    }

    /// Removes the image, unless another add or a delete has taken it for what a killed process left.
    pub fn discard(&self) -> Result<()> {
        self.image.close();
        self.discard_from(&self.pool)
    }

    /// The same by a pool of another connection, where the image's own was lost.
    pub fn discard_from(&self, pool: &ImagePool) -> Result<()> {
        let failed = |errno| self.failed("remove", errno);
        let lock = NameLock::take(pool, &self.name).map_err(failed)?;
        if self.has_name(pool).map_err(failed)? {
            retire(pool, &lock, &self.name, SNAPSHOT)?;
        }
        drop(lock);
        match dispose(pool, &self.id, SNAPSHOT).map_err(failed)? {
            Disposed::Removed => Ok(()),
            Disposed::Kept | Disposed::InUse => Err(failed(Errno::EBUSY)),
        }
    }

    /// Whether the name leads to this image.
    fn has_name(&self, pool: &ImagePool) -> ceph::Result<bool> {
        match pool.open(&self.name, None) {
            Ok(image) => Ok(image.id()?.as_ref() == Some(&self.id)),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    fn lost(&self) -> Error {
        let name = shorten(&self.name);
        let message = format!(
            "RBD image {name:?} was taken for what a killed process left: its add had no connection for too long"
        );
        Error::from_os(Kind::Unavailable, message, &Errno::ESTALE.into())
    }

    fn failed(&self, doing: &str, errno: Errno) -> Error {
        failed(doing, &self.name, Purpose::Writing, errno)
    }
}

/// Makes an image in the place of one that a killed process left, if so; tells whether there was nothing.
fn make(pool: &ImagePool, lock: &NameLock, name: &str, create: Create) -> Result<bool> {
    /// How long others, who know nothing of the lock, need to make an image or to remove one.
    const TRIES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(100);

    let failed = |doing, errno| failed(doing, name, Purpose::Writing, errno);
    for tried in 0..TRIES {
        match create(pool, name) {
            Ok(()) => return Ok(tried == 0),
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(failed("create", errno)),
        }
        match check_is_leftover(pool, name).and_then(|()| retire(pool, lock, name, SNAPSHOT)) {
            Ok(_) => {}
            Err(error) if error.errno() == Errno::ENOENT as i32 => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    remove_half(pool, name).map_err(|errno| failed("remove what is left of an interrupted", errno))?;
    create(pool, name).map_err(|errno| failed("create", errno)).map(|()| false)
}

/// Fails when the image of that name is a finished one, or somebody writes it.
fn check_is_leftover(pool: &ImagePool, name: &str) -> Result<()> {
    let failed = |doing, errno| failed(doing, name, Purpose::Writing, errno);
    let look = || {
        let image = pool.open(name, None)?;
        Ok((is_unfinished(&image)?, users_of(&image)?))
    };
    match look().map_err(|errno| failed("look for", errno))? {
        (false, _) => Err(failed("create", Errno::EEXIST)),
        (true, users) if users.is_empty() => Ok(()),
        (true, users) => {
            let (name, who) = (shorten(name), users.join(", "));
            let message = format!(
                "RBD image {name:?} is being added by {who}; one that was killed is forgotten after half a minute"
            );
            Err(Error::from_os(Kind::Duplicate, message, &Errno::EEXIST.into()))
        }
    }
}

fn open_marked(pool: &ImagePool, lock: &NameLock, name: &str) -> ceph::Result<(Arc<Image>, String, String)> {
    let image = pool.open_for_writing(name)?;
    let id = image.id()?.ok_or(Errno::EOPNOTSUPP)?;
    // Else it may be another's by now.
    lock.renew()?;
    let mark = mark_as_adding(&image)?;
    Ok((image, id, mark))
}

/// Brings to its end what was killed halfway to the trash.
fn finish_move(pool: &ImagePool, name: &str) {
    if let Err(Errno::ENOENT) = pool.open(name, None) {
        let _ = pool.move_to_trash(name);
    }
}

/// Removes what has a name and is no image: who made it, or moved it to the trash, was killed.
fn remove_half(pool: &ImagePool, name: &str) -> ceph::Result<()> {
    match pool.move_to_trash(name) {
        Err(Errno::ENOENT) => pool.remove(name),
        moved => moved,
    }
}
