//! The `rbd` driver: images as block devices in a pool of Ceph, laid out as by glance_store.

mod backend;
mod connections;
mod download;
mod errors;
mod holes;
mod layout;
mod location;
mod marks;
mod name_lock;
mod options;
mod reader;
mod removal;
mod retirement;
mod staging;
mod upload;
mod writes;

use std::any::Any;
use std::sync::Arc;

use crate::capabilities::Capabilities;
use crate::driver::{Download, Driver, IO_SIZE, Opened, Part, Reader, Registration, StoreContext, Upload};
use crate::error::Result;
use crate::location::{Location, StorageUri};
use crate::operation::Operation;
use crate::transfer::Pool;

use backend::Backend;
use connections::Connection;
use download::RbdDownload;
use errors::{Purpose, failed};
use location::Place;
use options::Settings;
use reader::RbdReader;
use upload::RbdUpload;

pub static REGISTRATION: Registration = Registration {
    name: "rbd",
    alias: "glance.store.rbd.Store",
    schemes: location::SCHEMES,
    options: &[options::OPTIONS],
    open,
};

struct RbdDriver {
    backend: Arc<Backend>,
    /// How much of its image a reader keeps.
    cache_memory: u64,
}

fn open(context: StoreContext<'_>) -> Result<Opened> {
    let StoreContext { options, runtime, log, .. } = context;
    let backend = Backend {
        settings: options::settings(options),
        connection: Connection::shared(options::access(options)),
        runtime,
        log,
    };
    let driver = RbdDriver { backend: Arc::new(backend), cache_memory: options::cache_memory(options) };
    Ok(Opened {
        driver: Box::new(driver),
        capabilities: Capabilities::READ_RANDOM.with(Capabilities::WRITE).with(Capabilities::DRIVER_REUSABLE),
        add_disabled: None,
        io_size: IO_SIZE,
    })
}

impl RbdDriver {
    /// Whether copies of its images are to be clones.
    fn is_in_cluster_of(&self, other: &RbdDriver) -> bool {
        let (own, other) = (&self.backend.connection, &other.backend.connection);
        self.backend.settings.clone_copies
            && (Arc::ptr_eq(own, other) || own.fsid().is_some_and(|fsid| Some(fsid) == other.fsid()))
    }
}

impl Driver for RbdDriver {
    fn locate(&self, uri: &StorageUri) -> Result<Location> {
        Place::parse(uri).map(|place| place.to_location())
    }

    fn claim(&self, location: &Location) -> Option<usize> {
        let place = Place::of(location).ok()?;
        let Some(within) = place.within else {
            // Every store has images that are called by their name alone.
            return Some(0);
        };
        let Settings { pool, former_fsids, .. } = &self.backend.settings;
        let in_pool = if within.pool == *pool { within.pool.len() } else { 0 };
        let in_cluster = match self.backend.fsid() {
            Some(fsid) if fsid == within.fsid => within.fsid.len(),
            _ if former_fsids.contains(&within.fsid) => within.fsid.len(),
            // Any other store that knows is the better one.
            None => 0,
            Some(_) => return None,
        };
        Some(in_cluster + in_pool)
    }

    fn size(&self, op: &Operation, location: &Location) -> Result<u64> {
        let place = Place::of(location)?;
        self.backend.run(op, move |backend| {
            let image = backend.open(&place)?;
            image.size().map_err(|errno| failed("measure", &place.image, Purpose::Reading, errno))
        })
    }

    fn open(
        &self,
        op: &Operation,
        location: &Location,
        part: Part,
        pool: &Pool,
    ) -> Result<Box<dyn Download>> {
        Ok(Box::new(RbdDownload::open(&self.backend, op, Place::of(location)?, part, pool)?))
    }

    fn reader(&self, op: &Operation, location: &Location) -> Result<Box<dyn Reader>> {
        Ok(Box::new(RbdReader::open(&self.backend, op, Place::of(location)?, self.cache_memory)?))
    }

    fn begin(
        &self,
        op: &Operation,
        image_id: &str,
        size: Option<u64>,
        pool: &Pool,
    ) -> Result<Box<dyn Upload>> {
        location::check_image_id(image_id)?;
        Ok(Box::new(RbdUpload::begin(&self.backend, op, image_id, size, pool)?))
    }

    fn begin_copy(
        &self,
        op: &Operation,
        image_id: &str,
        from: &dyn Driver,
        location: &Location,
        pool: &Pool,
    ) -> Result<Option<(Box<dyn Upload>, u64)>> {
        let from: &dyn Any = from;
        let Some(from) = from.downcast_ref::<RbdDriver>().filter(|from| self.is_in_cluster_of(from)) else {
            return Ok(None);
        };
        location::check_image_id(image_id)?;
        let source = Place::of(location)?;
        let begun = RbdUpload::begin_clone(&self.backend, op, image_id, from.backend.clone(), source, pool)?;
        Ok(begun.map(|(upload, size)| (Box::new(upload) as Box<dyn Upload>, size)))
    }

    fn delete(&self, op: &Operation, location: &Location) -> Result<()> {
        let place = Place::of(location)?;
        // A delete may go on after a call that was given up, so that does not wait for it.
        self.backend.run(op, move |backend| removal::remove(backend, &place))
    }
}
