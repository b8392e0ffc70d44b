//! Images while they are written: under their own names, so that of several adds of one id only one can begin,
//! but marked, and open, and so watched by who writes them.
//!
//! What a killed process left is marked and, once the cluster has noticed, watched by nobody.

use std::sync::Arc;

use nix::errno::Errno;

use super::errors::{Purpose, failed};
use super::location::SNAPSHOT;
use crate::ceph::{self, Image, ImagePool};
use crate::error::{Error, Kind, Result};
use crate::location::shorten;

/// The key of an image's metadata that marks it while it is written.
const MARK: &str = "glance_store.adding";

/// An image that is not finished.
pub struct Staged {
    pool: ImagePool,
    name: String,
    image: Arc<Image>,
}

impl Staged {
    /// Makes an image by `create`, which fails with EEXIST where there is one of that name.
    pub fn begin(
        pool: ImagePool,
        name: &str,
        create: impl Fn(&ImagePool, &str) -> ceph::Result<()>,
    ) -> Result<Self> {
        let failed = |doing, errno| failed(doing, name, Purpose::Writing, errno);
        match create(&pool, name) {
            Err(Errno::EEXIST) => {
                check_is_leftover(&pool, name)?;
                erase(&pool, name).map_err(|errno| failed("remove what is left of an interrupted", errno))?;
                create(&pool, name)
            }
            created => created,
        }
        .map_err(|errno| failed("create", errno))?;
        match open_marked(&pool, name) {
            Ok(image) => Ok(Staged { pool, name: name.to_owned(), image }),
            Err(errno) => {
                let _ = erase(&pool, name);
                Err(failed("open", errno))
            }
        }
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

    /// Makes the image unchangeable.
    pub fn seal(&self) -> Result<()> {
        self.image.flush().map_err(|errno| self.failed("flush", errno))?;
        self.image.create_snapshot(SNAPSHOT).map_err(|errno| self.failed("snapshot", errno))?;
        self.image.protect_snapshot(SNAPSHOT).map_err(|errno| self.failed("protect the snapshot of", errno))
    }

    /// Makes it an image like others.
    pub fn publish(&self) -> Result<()> {
        self.image.remove_metadata(MARK).map_err(|errno| self.failed("finish", errno))?;
        self.image.close();
        Ok(())
    }

    /// Removes the image.
    pub fn discard(&self) -> Result<()> {
        self.image.close();
        erase(&self.pool, &self.name).map_err(|errno| self.failed("remove", errno))
    }

    fn failed(&self, doing: &str, errno: Errno) -> Error {
        failed(doing, &self.name, Purpose::Writing, errno)
    }
}

/// Whether the image is being written, or was, by who was killed.
pub fn is_unfinished(image: &Image) -> ceph::Result<bool> {
    image.has_metadata(MARK)
}

fn open_marked(pool: &ImagePool, name: &str) -> ceph::Result<Arc<Image>> {
    let image = pool.open_for_writing(name)?;
    image.set_metadata(MARK, "")?;
    Ok(image)
}

/// Fails when the image of that name is a finished one, or somebody writes it.
fn check_is_leftover(pool: &ImagePool, name: &str) -> Result<()> {
    let look = || {
        let image = pool.open(name, None)?;
        Ok((is_unfinished(&image)?, image.watchers()?))
    };
    match look() {
        Ok((false, _)) => Err(failed("create", name, Purpose::Writing, Errno::EEXIST)),
        Ok((true, watchers)) if watchers.is_empty() => Ok(()),
        Ok((true, watchers)) => {
            let (name, who) = (shorten(name), watchers.join(", "));
            let message = format!(
                "RBD image {name:?} is being added by {who}; one that was killed is forgotten after half a minute"
            );
            Err(Error::from_os(Kind::Duplicate, message, &Errno::EEXIST.into()))
        }
        // Whoever made it has removed it by now.
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(failed("look for", name, Purpose::Writing, errno)),
    }
}

/// Removes an image with the snapshot that it may have.
fn erase(pool: &ImagePool, name: &str) -> ceph::Result<()> {
    match pool.remove(name) {
        Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::ENOTEMPTY) => {}
        removed => return removed,
    }
    let image = pool.open_for_writing(name)?;
    let unprotected = image.unprotect_snapshot(SNAPSHOT);
    if !matches!(unprotected, Err(Errno::EINVAL | Errno::ENOENT)) {
        unprotected?;
    }
    image.remove_snapshot(SNAPSHOT)?;
    image.close();
    pool.remove(name)
}
