//! What every operation of a store needs: its connection, its threads, and images that close themselves.

use std::ops::Deref;
use std::sync::Arc;

use nix::errno::Errno;

use super::connections::Connection;
use super::errors::{self, Purpose, failed};
use super::location::{Place, Within};
use super::options::Settings;
use super::marks::is_unfinished;
use crate::ceph::{Image, ImagePool};
use crate::error::{Error, Kind, Result};
use crate::location::shorten;
use crate::log::Log;
use crate::operation::Operation;
use crate::transfer::{Runtime, Worker};

pub struct Backend {
    pub settings: Settings,
    pub connection: Arc<Connection>,
    pub runtime: Arc<Runtime>,
    pub log: Arc<Log>,
}

impl Backend {
    /// Runs `work`, which blocks, on a thread of its own: librados starts threads, which are to block every
    /// signal as that does, and nothing that a cluster leaves hanging holds the caller.
    pub fn run<T: Send + 'static>(
        self: &Arc<Self>,
        op: &Operation,
        work: impl FnOnce(&Arc<Backend>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.spawn(op, work)?.join(op)
    }

    /// The same for work whose effects must not come after the call.
    pub fn settle<T: Send + 'static>(
        self: &Arc<Self>,
        op: &Operation,
        work: impl FnOnce(&Arc<Backend>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.spawn(op, work)?.settle(op)
    }

    fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        op: &Operation,
        work: impl FnOnce(&Arc<Backend>) -> Result<T> + Send + 'static,
    ) -> Result<Worker<T>> {
        self.connection.wait(op, &self.runtime)?;
        let backend = self.clone();
        self.runtime.spawn(op, move || {
            work(&backend).map_err(|error| backend.noticed(error))
        })
    }

    /// The same error, which may tell that the connection was lost.
    pub fn noticed(&self, error: Error) -> Error {
        self.connection.notice(&error);
        error
    }

    /// A read of an open image failed.
    pub fn failed_read(&self, place: &Place, errno: Errno) -> Error {
        self.noticed(failed("read", &place.image, Purpose::Reading, errno))
    }

    /// The fsid of the store's cluster, where that can be known without asking it.
    pub fn fsid(self: &Arc<Self>) -> Option<String> {
        let connection = self.connection.clone();
        // librados may start threads: see `run`.
        let read = move || Ok(connection.configured_fsid());
        self.connection.fsid().or_else(|| {
            let op = Operation::default();
            self.runtime.spawn(&op, read).ok()?.join(&op).ok()?
        })
    }

    /// The pool for new images.  Blocks.
    pub fn own_pool(&self) -> Result<ImagePool> {
        self.pool(&self.settings.pool)
    }

    /// The pool of a location.  Blocks.
    pub fn pool_of(&self, place: &Place) -> Result<ImagePool> {
        match &place.within {
            None => self.own_pool(),
            Some(within) => self.pool_in(within, self),
        }
    }

    /// The pool of a location of the store `of`, by this one's connection.  Blocks.
    pub fn pool_in(&self, within: &Within, of: &Backend) -> Result<ImagePool> {
        let pool = self.pool(&within.pool)?;
        of.check_fsid(&within.fsid, pool.cluster().fsid())?;
        Ok(pool)
    }

    fn pool(&self, name: &str) -> Result<ImagePool> {
        let cluster = self.connection.cluster()?;
        let is_own = name == self.settings.pool;
        cluster.pool(name).map_err(|errno| errors::no_pool(name, is_own, errno))
    }

    /// An image of that name in another cluster is another image.
    fn check_fsid(&self, wanted: &str, found: &str) -> Result<()> {
        if wanted == found || self.settings.former_fsids.iter().any(|former| former == wanted) {
            return Ok(());
        }
        let message = format!(
            "the location is in the Ceph cluster {wanted}, but the store is in {found} (see rbd_store_former_fsids)"
        );
        Err(Error::new(Kind::NotFound, message))
    }

    /// Opens what a location names for reading.  Blocks.
    pub fn open(self: &Arc<Self>, place: &Place) -> Result<OpenImage> {
        let pool = self.pool_of(place)?;
        let image = pool.open(&place.image, place.snapshot());
        let failed = |errno| failed("open", &place.image, Purpose::Reading, errno);
        let image = OpenImage { image: image.map_err(failed)?, runtime: self.runtime.clone() };
        // An image has its snapshot only when it is whole, or nearly so.
        if place.snapshot().is_none() && is_unfinished(&image).map_err(failed)? {
            let message = format!("RBD image {:?} is not whole: it is being added or deleted", shorten(&place.image));
            return Err(Error::new(Kind::NotFound, message));
        }
        Ok(image)
    }

    /// Fails when `image` is no longer what the location names: what is read of one that is being deleted are
    /// zeros.  Blocks.
    pub fn confirm(self: &Arc<Self>, place: &Place, image: &OpenImage) -> Result<()> {
        let id = |image: &OpenImage| image.id().map_err(|errno| failed("identify", &place.image, Purpose::Reading, errno));
        let is_there = match self.open(place) {
            // Another may have got its name.
            Ok(present) => id(&present)? == id(image)?,
            Err(error) if error.errno() == Errno::ENOENT as i32 => false,
            Err(error) => return Err(error),
        };
        match is_there {
            true => Ok(()),
            false => Err(Error::new(Kind::NotFound, "the image was deleted while it was read")),
        }
    }
}

/// An open image; it is closed on a thread that may wait for that.
pub struct OpenImage {
    image: Arc<Image>,
    runtime: Arc<Runtime>,
}

impl Deref for OpenImage {
    type Target = Image;

    fn deref(&self) -> &Image {
        &self.image
    }
}

impl Drop for OpenImage {
    fn drop(&mut self) {
        let image = self.image.clone();
        // Where the system has no thread to give, dropping the last reference closes it right here.
        let _ = self.runtime.spawn(&Operation::default(), move || {
            image.close();
            Ok(())
        });
    }
}
