//! The `sheepdog` driver: images as VDIs of a Sheepdog cluster, by the protocol of its daemons.

mod address;
mod cluster;
mod codes;
mod connection;
mod delete;
mod download;
mod inode;
mod list;
mod location;
mod options;
mod reader;
mod room;
mod state;
mod upload;
mod vdi;
mod wire;

use std::sync::Arc;

use crate::capabilities::Capabilities;
use crate::driver::{Download, Driver, Opened, Part, Reader, Registration, StoreContext, Upload};
use crate::error::Result;
use crate::location::{Location, StorageUri};
use crate::log::Log;
use crate::operation::Operation;
use crate::transfer::{Pool, ReadAhead, Runtime};

use address::Address;
use cluster::{Cluster, Settings};
use download::SheepdogDownload;
use reader::RandomAccess;
use upload::{Plan, SheepdogUpload};
use vdi::Vdi;

pub static REGISTRATION: Registration = Registration {
    name: "sheepdog",
    alias: "glance.store.sheepdog.Store",
    schemes: location::SCHEMES,
    options: &[options::OPTIONS],
    open,
};

/// A quarter of what an object usually has: large enough for the daemon, small enough for the processor's
/// cache.
const IO_SIZE: usize = 1 << 20;

struct SheepdogDriver {
    cluster: Arc<Cluster>,
    settings: Settings,
    chunk_size: u64,
    copies: u8,
    /// How much of its image a reader keeps.
    cache_memory: u64,
    runtime: Arc<Runtime>,
    log: Arc<Log>,
}

fn open(context: StoreContext<'_>) -> Result<Opened> {
    let StoreContext { options, runtime, log, .. } = context;
    let (address, settings) = (options::address(options)?, options::settings(options));
    let driver = SheepdogDriver {
        cluster: Arc::new(Cluster::new(address, settings.clone(), log.clone())),
        settings,
        chunk_size: options::chunk_size(options),
        copies: options::copies(options),
        cache_memory: options::cache_memory(options),
        runtime,
        log,
    };
    Ok(Opened {
        driver: Box::new(driver),
        capabilities: Capabilities::READ_RANDOM
            .with(Capabilities::WRITE)
            .with(Capabilities::DRIVER_REUSABLE),
        add_disabled: None,
        io_size: IO_SIZE,
    })
}

impl SheepdogDriver {
    fn address(&self) -> &Address {
        self.cluster.address()
    }

    /// Where the location says that the image is.
    fn place(&self, location: &Location) -> Result<(Arc<Cluster>, String)> {
        let place = location::place_of(location, self.address())?;
        let cluster = match place.address == *self.address() {
            true => self.cluster.clone(),
            // Another daemon, of this cluster or of another one.
            false => Arc::new(Cluster::new(place.address, self.settings.clone(), self.log.clone())),
        };
        Ok((cluster, place.image))
    }

    fn image(&self, op: &Operation, location: &Location) -> Result<Arc<Vdi>> {
        let (cluster, name) = self.place(location)?;
        self.runtime.run(op, async move { Vdi::open(&cluster, &name).await })
    }
}

impl Driver for SheepdogDriver {
    fn locate(&self, uri: &StorageUri) -> Result<Location> {
        location::locate(uri, self.address())
    }

    fn claim(&self, location: &Location) -> Option<usize> {
        let prefix = location::location_of(self.address(), "");
        let is_own = location.uri().starts_with(prefix.uri());
        // Any daemon can be asked, but that of the store rather by the store.
        Some(if is_own { prefix.uri().len() } else { 0 })
    }

    fn size(&self, op: &Operation, location: &Location) -> Result<u64> {
        self.image(op, location).map(|vdi| vdi.get_size())
    }

    fn open(
        &self,
        op: &Operation,
        location: &Location,
        part: Part,
        pool: &Pool,
    ) -> Result<Box<dyn Download>> {
        let vdi = self.image(op, location)?;
        let range = part.of(vdi.get_size());
        let (asked, bytes) = (vdi.clone(), range.clone());
        let owners = self.runtime.run(op, async move { asked.owners_of(&bytes).await })?;
        Ok(Box::new(SheepdogDownload::new(self.runtime.clone(), vdi, owners, range, pool)))
    }

    fn reader(&self, op: &Operation, location: &Location) -> Result<Box<dyn Reader>> {
        let vdi = self.image(op, location)?;
        let (asked, size) = (vdi.clone(), vdi.get_size());
        let owners = self.runtime.run(op, async move { asked.owners_of(&(0..size)).await })?;
        let source = RandomAccess { vdi, owners };
        Ok(Box::new(ReadAhead::new(self.runtime.clone(), source, size, self.cache_memory)))
    }

    fn begin(
        &self,
        op: &Operation,
        image_id: &str,
        size: Option<u64>,
        pool: &Pool,
    ) -> Result<Box<dyn Upload>> {
        location::check_image_id(image_id)?;
        let plan = Plan {
            cluster: self.cluster.clone(),
            image_id: image_id.to_owned(),
            size,
            copies: self.copies,
            chunk_size: self.chunk_size,
        };
        Ok(Box::new(SheepdogUpload::begin(&self.runtime, op, plan, pool)?))
    }

    fn delete(&self, op: &Operation, location: &Location) -> Result<()> {
        let (cluster, name) = self.place(location)?;
        self.runtime.run(op, async move { delete::delete(&cluster, &name).await })
    }
}

#[cfg(test)]
mod tests;
