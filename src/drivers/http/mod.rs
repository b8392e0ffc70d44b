//! The `http` driver: images that web servers offer, for reading.

mod location;
mod options;

use std::sync::Arc;

use crate::capabilities::Capabilities;
use crate::driver::{Download, Driver, IO_SIZE, Opened, Part, Reader, Registration, StoreContext, Upload};
use crate::error::{Error, Kind, Result};
use crate::http::{self, Client, Image, Manner, RandomAccess};
use crate::location::{Location, StorageUri};
use crate::operation::Operation;
use crate::transfer::{Pool, ReadAhead, Runtime};

pub static REGISTRATION: Registration = Registration {
    name: "http",
    alias: "glance.store.http.Store",
    schemes: location::SCHEMES,
    options: &[options::OPTIONS, options::CLIENT_OPTIONS],
    open,
};

struct HttpDriver {
    client: Arc<Client>,
    manner: Manner,
    /// How much of its image a reader keeps.
    cache_memory: u64,
    runtime: Arc<Runtime>,
}

fn open(context: StoreContext<'_>) -> Result<Opened> {
    let StoreContext { options, runtime, log, .. } = context;
    let client = Arc::new(Client::new(options::settings(options)?, log));
    let driver = HttpDriver {
        client,
        manner: options::client(options).manner(),
        cache_memory: options::client(options).cache_memory(),
        runtime,
    };
    Ok(Opened {
        driver: Box::new(driver),
        capabilities: Capabilities::READ_RANDOM.with(Capabilities::DRIVER_REUSABLE),
        add_disabled: None,
        io_size: IO_SIZE,
    })
}

impl HttpDriver {
    fn image(&self, location: &Location) -> Result<Image> {
        Ok(Image::new(self.client.clone(), location::url_of(location)?))
    }

    /// Runs `work` within the store's time limit.
    fn run<T, F>(&self, op: &Operation, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match self.manner.limit {
            Some(limit) => self.runtime.run(&op.within(limit), work),
            None => self.runtime.run(op, work),
        }
    }
}

impl Driver for HttpDriver {
    fn locate(&self, uri: &StorageUri) -> Result<Location> {
        location::locate(uri)
    }

    fn claim(&self, _location: &Location) -> Option<usize> {
        // Any web server's images are this store's.
        Some(0)
    }

    fn size(&self, op: &Operation, location: &Location) -> Result<u64> {
        let image = self.image(location)?;
        self.run(op, async move { image.measure().await })
    }

    fn open(
        &self,
        op: &Operation,
        location: &Location,
        part: Part,
        pool: &Pool,
    ) -> Result<Box<dyn Download>> {
        let Part { offset, length } = part;
        let image = self.image(location)?;
        let download = http::Download::open(&self.runtime, op, image, offset, length, self.manner, pool)?;
        Ok(Box::new(download))
    }

    fn reader(&self, op: &Operation, location: &Location) -> Result<Box<dyn Reader>> {
        let image = self.image(location)?;
        let (image, size) = self.run(op, async move { image.probe().await.map(|size| (image, size)) })?;
        let source = RandomAccess { image, limit: self.manner.limit };
        Ok(Box::new(ReadAhead::new(self.runtime.clone(), source, size, self.cache_memory)))
    }

    fn begin(
        &self,
        _op: &Operation,
        _image_id: &str,
        _size: Option<u64>,
        _pool: &Pool,
    ) -> Result<Box<dyn Upload>> {
        Err(Error::new(Kind::AddDisabled, "an http store takes no images"))
    }

    fn delete(&self, _op: &Operation, _location: &Location) -> Result<()> {
        let error = Error::new(Kind::NotSupported, "an http store deletes no images");
        Err(error.with_exception("StoreDeleteNotSupported"))
    }
}
