//! One store: what every driver has in common, done once.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::capabilities::Capabilities;
use crate::checks::Checks;
use crate::driver::{Acls, Download, Opened, Part, Reader, Registration, Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::location::{Location, StorageUri, shorten};
use crate::log::{Level, Log};
use crate::operation::{Cancel, Context, Operation};
use crate::transfer::{
    CallbackInput, CallbackSink, ChunkReader, DescriptorInput, DescriptorSink, Digests, Discard, HashCore,
    Input, PartDigests, Piece, Pool, Progress, Pump, Runtime, Sink, Source, WriteCallback, kernel_copy,
};

/// Told how many bytes are done and, where known, how many there are; false stops the call.
pub type OnProgress<'a> = Box<dyn FnMut(u64, Option<u64>) -> bool + 'a>;

/// Sees every byte once, in order; false rejects the image.
pub type OnVerify<'a> = Box<dyn FnMut(&[u8]) -> bool + 'a>;

/// What a caller wants of one call.
#[derive(Default)]
pub struct Call<'a> {
    pub op: Operation,
    pub checks: Checks,
    pub part: Part,
    /// Whether holes are told of instead of sent as zeros.
    pub sparse: bool,
    pub progress: Option<OnProgress<'a>>,
    pub verify: Option<OnVerify<'a>>,
}

/// An image that was stored.
pub struct Image {
    pub location: Location,
    pub store_id: String,
    pub size: u64,
    /// Empty when it was not computed, as the two below.
    pub checksum: String,
    pub multihash: String,
    pub hash_name: &'static str,
    pub metadata: Map<String, Value>,
}

/// What a store is, apart from its driver.
pub struct Identity {
    pub id: String,
    pub description: String,
    pub weight: i32,
    pub is_default: bool,
    pub is_reserved: bool,
    /// Whether image metadata names the store: in multi-store mode.
    pub is_named_in_metadata: bool,
}

/// An open store.
pub struct Store {
    identity: Identity,
    registration: &'static Registration,
    opened: Opened,
    /// The most memory that one call uses for image data, in bytes.
    transfer_memory: u64,
    runtime: Arc<Runtime>,
    log: Arc<Log>,
}

impl Store {
    pub fn new(
        identity: Identity,
        registration: &'static Registration,
        opened: Opened,
        transfer_memory: u64,
        runtime: Arc<Runtime>,
        log: Arc<Log>,
    ) -> Self {
        Store { identity, registration, opened, transfer_memory, runtime, log }
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn id(&self) -> &str {
        &self.identity.id
    }

    pub fn driver_name(&self) -> &'static str {
        self.registration.name
    }

    pub fn schemes(&self) -> &'static [&'static str] {
        self.registration.schemes
    }

    pub fn capabilities(&self) -> Capabilities {
        self.opened.capabilities
    }

    /// Why the store takes no images, if so.
    pub fn add_disabled(&self) -> Option<&str> {
        match self.capabilities().contains(Capabilities::WRITE) {
            true => None,
            false => Some(self.opened.add_disabled.as_deref().unwrap_or("its driver only reads")),
        }
    }

    /// The location that `uri` names in this store, without I/O.
    pub fn locate(&self, uri: &str) -> Result<Location> {
        let uri = StorageUri::parse(uri)?;
        if !self.serves(uri.scheme()) {
            let (id, schemes) = (self.id(), self.schemes().join(", "));
            return Err(Error::new(
                Kind::UnknownScheme,
                format!("the store {id:?} serves {schemes}, not {:?}", uri.scheme()),
            ));
        }
        self.opened.driver.locate(&uri)
    }

    pub fn serves(&self, scheme: &str) -> bool {
        self.schemes().contains(&scheme)
    }

    /// How much of the location's beginning is this store's own; none: it cannot be in this store.
    pub fn claim(&self, uri: &StorageUri) -> Result<Option<usize>> {
        let location = self.opened.driver.locate(uri)?;
        Ok(self.opened.driver.claim(&location))
    }

    /// Stores what a callback reads.
    pub fn add(
        &self,
        image_id: &str,
        size: Option<u64>,
        read: &mut dyn FnMut(&mut [u8]) -> i64,
        call: Call<'_>,
    ) -> Result<Image> {
        self.add_input(image_id, size, CallbackInput { read }, call)
    }

    /// Stores what a descriptor holds from its present position on.
    pub fn add_fd(
        &self,
        image_id: &str,
        size: Option<u64>,
        fd: BorrowedFd<'_>,
        call: Call<'_>,
    ) -> Result<Image> {
        let input = DescriptorInput::new(fd).map_err(|error| self.adding(image_id, error))?;
        self.add_input(image_id, size, input, call)
    }

    fn add_input(
        &self,
        image_id: &str,
        size: Option<u64>,
        input: impl Input,
        call: Call<'_>,
    ) -> Result<Image> {
        let pool = self.pool(&call.op);
        let mut source = ChunkReader::new(input, pool.clone(), size);
        self.add_source(image_id, size, &mut source, &pool, call)
    }

    /// Stores what `source` yields out of buffers of `pool`; nothing of it remains after any failure.
    pub fn add_source(
        &self,
        image_id: &str,
        size: Option<u64>,
        source: &mut dyn Source,
        pool: &Pool,
        call: Call<'_>,
    ) -> Result<Image> {
        self.check_can_add()?;
        self.transfer(image_id, size, source, pool, call).map_err(|error| self.adding(image_id, error))
    }

    /// Stores the image that `from` has at `uri` without its bytes coming here; none where the backend cannot
    /// do that, or where something is to be learnt from them.
    pub fn add_copy(
        &self,
        image_id: &str,
        from: &Store,
        uri: &str,
        call: &mut Call<'_>,
    ) -> Result<Option<Image>> {
        if call.verify.is_some() || !call.checks.algorithms().is_empty() {
            return Ok(None);
        }
        self.check_can_add()?;
        let location = from.locate(uri)?;
        from.check_can_get(Part::default())?;
        self.transfer_copy(image_id, from, &location, call).map_err(|error| self.adding(image_id, error))
    }

    fn transfer_copy(
        &self,
        image_id: &str,
        from: &Store,
        location: &Location,
        call: &mut Call<'_>,
    ) -> Result<Option<Image>> {
        call.op.check()?;
        let (driver, source) = (&self.opened.driver, from.opened.driver.as_ref());
        let Some((upload, size)) =
            driver.begin_copy(&call.op, image_id, source, location, &self.pool(&call.op))?
        else {
            return Ok(None);
        };
        let upload = Unfinished { store: self, image_id, op: call.op.cleanup(), upload: Some(upload) };
        let progress = call.progress.as_deref_mut().map(|progress| progress as _);
        Progress::new(progress, Some(size)).finish(size)?;
        let stored = upload.commit(&call.op)?;
        Ok(Some(self.added(stored, size, &Checks::default(), &Digests::default())))
    }

    fn transfer(
        &self,
        image_id: &str,
        size: Option<u64>,
        source: &mut dyn Source,
        pool: &Pool,
        mut call: Call<'_>,
    ) -> Result<Image> {
        call.op.check()?;
        let held = pool.share(pool.memory().saturating_sub(in_flow(pool)));
        let upload = self.opened.driver.begin(&call.op, image_id, size, &held)?;
        let parts = upload.part_digests();
        let mut upload = Unfinished { store: self, image_id, op: call.op.cleanup(), upload: Some(upload) };
        let checks = std::mem::take(&mut call.checks);
        let (size, digests) = self.pump(size, &checks, parts, &mut call, source, &mut upload)?;
        checks.verify(&digests)?;
        let stored = upload.commit(&call.op)?;
        Ok(self.added(stored, size, &checks, &digests))
    }

    fn added(&self, stored: Stored, size: u64, checks: &Checks, digests: &Digests) -> Image {
        let mut metadata = stored.metadata;
        if self.identity.is_named_in_metadata {
            metadata.insert("store".into(), self.identity.id.clone().into());
        }
        self.image(stored.location, size, metadata, checks, digests)
    }

    fn image(
        &self,
        location: Location,
        size: u64,
        metadata: Map<String, Value>,
        checks: &Checks,
        digests: &Digests,
    ) -> Image {
        Image {
            location,
            store_id: self.identity.id.clone(),
            size,
            checksum: checks.checksum(digests).to_owned(),
            multihash: checks.multihash(digests).to_owned(),
            hash_name: checks.hash_name(),
            metadata,
        }
    }

    fn pump(
        &self,
        promised: Option<u64>,
        checks: &Checks,
        parts: Option<Arc<PartDigests>>,
        call: &mut Call<'_>,
        source: &mut dyn Source,
        sink: &mut dyn Sink,
    ) -> Result<(u64, Digests)> {
        let pump = Pump {
            promised,
            hashes: HashCore::start(&self.runtime, &call.op, &checks.algorithms(), parts)?,
            verify: call.verify.as_deref_mut().map(|verify| verify as _),
            progress: Progress::new(call.progress.as_deref_mut().map(|progress| progress as _), promised),
        };
        pump.run(&call.op, source, sink)
    }

    /// The buffers of one call on this store.
    pub fn pool(&self, op: &Operation) -> Pool {
        // Small enough that a few stages can work at the same time within the memory, those of both sides of
        // a copy too.
        let largest = usize::try_from(self.transfer_memory / 16).unwrap_or(usize::MAX);
        Pool::new(op, self.opened.io_size.min(largest), self.transfer_memory)
    }

    fn check_can_add(&self) -> Result<()> {
        self.add_disabled().map_or(Ok(()), |reason| {
            Err(Error::new(Kind::AddDisabled, format!("the store {:?} takes no images: {reason}", self.id())))
        })
    }

    fn check_can_get(&self, part: Part) -> Result<()> {
        let can = |needed| self.capabilities().contains(needed);
        let offset_fits = part.offset == 0 || can(Capabilities::READ_OFFSET);
        let length_fits = part.length.is_none() || can(Capabilities::READ_CHUNK);
        if can(Capabilities::READ) && offset_fits && length_fits {
            return Ok(());
        }
        let (what, exception) = match part.is_whole() {
            true => ("cannot read images", "StoreGetNotSupported"),
            false => ("cannot read a part of an image", "StoreRandomGetNotSupported"),
        };
        Err(Error::new(Kind::NotSupported, format!("the store {:?} {what}", self.id()))
            .with_exception(exception))
    }

    fn check_can_delete(&self) -> Result<()> {
        self.add_disabled().map_or(Ok(()), |reason| {
            let message = format!("the store {:?} deletes no images: {reason}", self.id());
            Err(Error::new(Kind::NotSupported, message).with_exception("StoreDeleteNotSupported"))
        })
    }

    /// Opens an image, or a part of it, to be read into the buffers of `pool`.
    pub fn open(&self, op: &Operation, uri: &str, part: Part, pool: &Pool) -> Result<Box<dyn Download>> {
        let location = self.locate(uri)?;
        self.check_can_get(part)?;
        op.check()
            .and_then(|()| self.opened.driver.open(op, &location, part, pool))
            .map_err(|error| self.at("get", &location, error))
    }

    /// Hands an image to a callback.
    pub fn get(&self, uri: &str, write: WriteCallback<'_>, mut call: Call<'_>) -> Result<()> {
        let mut download = self.open(&call.op, uri, call.part, &self.pool(&call.op))?;
        let mut sink = CallbackSink::new(write, call.part.offset, call.sparse);
        self.deliver(uri, download.as_mut(), &mut sink, &mut call)
    }

    /// Writes an image to a descriptor, from its present position on.
    pub fn get_fd(&self, uri: &str, fd: BorrowedFd<'_>, mut call: Call<'_>) -> Result<()> {
        let mut sink = DescriptorSink::new(fd, call.sparse)?;
        let mut download = self.open(&call.op, uri, call.part, &self.pool(&call.op))?;
        if !self.deliver_in_kernel(uri, download.as_ref(), &sink, &mut call)? {
            self.deliver(uri, download.as_mut(), &mut sink, &mut call)?;
        }
        Ok(())
    }

    fn deliver(
        &self,
        uri: &str,
        download: &mut dyn Download,
        sink: &mut dyn Sink,
        call: &mut Call<'_>,
    ) -> Result<()> {
        let checks = std::mem::take(&mut call.checks);
        self.pump(download.length(), &checks, None, call, download, sink)
            .and_then(|(_, digests)| checks.verify(&digests))
            .map_err(|error| self.at_uri("get", uri, error))
    }

    /// False, with nothing delivered, where the kernel cannot or somebody must see the bytes.
    fn deliver_in_kernel(
        &self,
        uri: &str,
        download: &dyn Download,
        sink: &DescriptorSink<'_>,
        call: &mut Call<'_>,
    ) -> Result<bool> {
        let Some((file, range)) = download.file().filter(|_| !call.checks.expects_any()) else {
            return Ok(false);
        };
        let total = range.end - range.start;
        let callback = call.progress.as_deref_mut().map(|progress| progress as _);
        let mut progress = Progress::new(callback, Some(total));
        kernel_copy(&self.runtime, &call.op, file, range, sink, &mut progress)
            .and_then(|copied| if copied { progress.finish(total).map(|()| true) } else { Ok(false) })
            .map_err(|error| self.at_uri("get", uri, error))
    }

    /// Reads a whole image, and tells of it what was told when it was added.
    pub fn examine(&self, uri: &str, mut call: Call<'_>) -> Result<Image> {
        let location = self.locate(uri)?;
        let mut download = self.open(&call.op, uri, Part::default(), &self.pool(&call.op))?;
        let checks = std::mem::take(&mut call.checks);
        let (size, digests) = self
            .pump(download.length(), &checks, None, &mut call, download.as_mut(), &mut Discard)
            .and_then(|(size, digests)| checks.verify(&digests).map(|()| (size, digests)))
            .map_err(|error| self.at("examine", &location, error))?;
        Ok(self.image(location, size, Map::new(), &checks, &digests))
    }

    pub fn size(&self, uri: &str, op: &Operation) -> Result<u64> {
        let location = self.locate(uri)?;
        op.check()
            .and_then(|()| self.opened.driver.size(op, &location))
            .map_err(|error| self.at("get the size of", &location, error))
    }

    pub fn delete(&self, uri: &str, op: &Operation) -> Result<()> {
        let location = self.locate(uri)?;
        self.check_can_delete()?;
        op.check()
            .and_then(|()| self.opened.driver.delete(op, &location))
            .map_err(|error| self.at("delete", &location, error))
    }

    pub fn set_acls(&self, uri: &str, acls: &Acls, op: &Operation) -> Result<()> {
        let location = self.locate(uri)?;
        op.check()
            .and_then(|()| self.opened.driver.set_acls(op, &location, acls))
            .map_err(|error| self.at("set the access lists of", &location, error))
    }

    /// Opens an image for random reads; `cancel` stops these as well.
    pub fn reader(&self, uri: &str, op: &Operation, cancel: Option<Arc<Cancel>>) -> Result<ImageReader> {
        let location = self.locate(uri)?;
        self.check_can_get(Part { offset: 1, length: Some(1) })?;
        op.check()
            .and_then(|()| self.opened.driver.reader(op, &location))
            .map(|reader| ImageReader {
                reader,
                cancel,
                context: op.context().clone(),
                safe_uri: location.safe_uri().to_owned(),
            })
            .map_err(|error| self.at("open", &location, error))
    }

    fn adding(&self, image_id: &str, error: Error) -> Error {
        error.context(format!("add image {:?} to store {:?}", shorten(image_id), self.id()))
    }

    fn at_uri(&self, doing: &str, uri: &str, error: Error) -> Error {
        match self.locate(uri) {
            Ok(location) => self.at(doing, &location, error),
            Err(_) => error,
        }
    }

    fn at(&self, doing: &str, location: &Location, error: Error) -> Error {
        let uri = shorten(location.safe_uri());
        error.context(format!("{doing} {uri:?} in store {:?}", self.id()))
    }
}

/// The memory that pieces need on their way from a source to an upload: one is being read, and digests may
/// be four behind.
fn in_flow(pool: &Pool) -> u64 {
    6 * pool.buffer_size() as u64
}

/// An upload that is aborted unless it comes to its end, also when something panics.
struct Unfinished<'a> {
    store: &'a Store,
    image_id: &'a str,
    /// For what the caller can no longer stop.
    op: Operation,
    upload: Option<Box<dyn Upload>>,
}

impl Unfinished<'_> {
    fn commit(mut self, op: &Operation) -> Result<Stored> {
        let Some(upload) = &mut self.upload else {
            return Err(Error::new(Kind::Bug, "an upload ended twice"));
        };
        upload.prepare(op)?;
        op.check()?;
        let stored = upload.publish(&self.op.publishing())?;
        self.upload = None;
        Ok(stored)
    }
}

impl Sink for Unfinished<'_> {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        self.upload.as_mut().map_or(Ok(()), |upload| upload.put(op, piece))
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else {
            return;
        };
        if let Err(left) = upload.abort(&self.op.cleanup()) {
            self.store.log.write(
                Level::Error,
                self.store.driver_name(),
                format_args!("image {:?}: a part may remain, cleaning up failed: {left}", self.image_id),
            );
        }
    }
}

/// An image opened for random reads.
pub struct ImageReader {
    reader: Box<dyn Reader>,
    cancel: Option<Arc<Cancel>>,
    context: Arc<Context>,
    safe_uri: String,
}

impl ImageReader {
    pub fn size(&self) -> u64 {
        self.reader.size()
    }

    /// As pread(2), by any number of threads at once.
    pub fn pread(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let op = Operation::new(self.cancel.clone(), None, self.context.clone());
        self.reader
            .pread(&op, buffer, offset)
            .map_err(|error| error.context(format!("read {:?}", self.safe_uri)))
    }
}
