//! The contract between the facade and a backend.
//!
//! A driver moves bytes and maps its backend's errors, nothing else.  Capability and size checks,
//! hashes, verify, progress, cancel, deadline, cleanup order, error context and redaction are the
//! facade's, once for all drivers.  Every method is called on the caller's thread.

use std::any::Any;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::capabilities::Capabilities;
use crate::config::{OptionSpec, Options};
use crate::error::{Error, Kind, Result};
use crate::http;
use crate::location::{Location, StorageUri};
use crate::log::Log;
use crate::operation::Operation;
use crate::transfer::{Fetch, PartDigests, Pool, ReadAhead, Runtime, Sink, Source};

/// A kind of backend, as the list of drivers knows it.
pub struct Registration {
    /// The driver's name in the configuration.
    pub name: &'static str,
    /// The name of the Python class that old configurations give instead.
    pub alias: &'static str,
    pub schemes: &'static [&'static str],
    /// The tables of its options.
    pub options: &'static [&'static [OptionSpec]],
    /// Opens a store.  Only what makes reading impossible fails.  No network: nothing limits its time.
    pub open: fn(StoreContext<'_>) -> Result<Opened>,
}

/// What a store is opened with.
pub struct StoreContext<'a> {
    /// The store's identifier; in single-store mode the driver's name.
    pub id: &'a str,
    /// Whether the store is the calling service's own (`reserved_stores` of glance).
    pub is_reserved: bool,
    /// What `default_store` says in single-store mode.
    pub default_scheme: Option<&'a str>,
    pub options: &'a Options,
    pub runtime: Arc<Runtime>,
    pub log: Arc<Log>,
}

/// How many bytes most drivers like to move at a time: large enough that handing a buffer over costs nothing
/// beside filling it, small enough for the processor's cache.
pub const IO_SIZE: usize = 1 << 20;

/// A store that is open.
pub struct Opened {
    pub driver: Box<dyn Driver>,
    pub capabilities: Capabilities,
    /// Why the store cannot take images, if so.
    pub add_disabled: Option<String>,
    /// How many bytes the driver likes to move at a time.
    pub io_size: usize,
}

/// A part of an image: from `offset` to its end, or `length` bytes of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub offset: u64,
    pub length: Option<u64>,
}

impl Part {
    pub fn is_whole(&self) -> bool {
        *self == Part::default()
    }

    /// The bytes of an image of `size` that are meant: what lies past its end is not.
    pub fn of(&self, size: u64) -> Range<u64> {
        let start = self.offset.min(size);
        let end = self.length.map_or(size, |length| start.saturating_add(length).min(size));
        start..end
    }
}

/// Who may see and change an image, for the stores that keep access lists.
pub struct Acls {
    pub is_public: bool,
    pub readers: Vec<String>,
    pub writers: Vec<String>,
}

/// One open store.
pub trait Driver: Any + Send + Sync {
    /// Checks a URI of one of the driver's schemes and brings it into canonical form, without I/O.
    fn locate(&self, uri: &StorageUri) -> Result<Location>;

    /// How much of the location's beginning is this store's own, without asking the backend: among several stores of
    /// one scheme the greatest wins.  None: it cannot be in this store.
    fn claim(&self, location: &Location) -> Option<usize>;

    fn size(&self, op: &Operation, location: &Location) -> Result<u64>;

    fn open(&self, op: &Operation, location: &Location, part: Part, pool: &Pool)
    -> Result<Box<dyn Download>>;

    fn reader(&self, op: &Operation, location: &Location) -> Result<Box<dyn Reader>>;

    /// Begins an image; nothing is visible under its name before `publish`.  The pieces that it will be
    /// given come from `pool`, of which it may hold the share, and beyond that only what is on its way and will be
    /// gone without another piece.
    fn begin(
        &self,
        op: &Operation,
        image_id: &str,
        size: Option<u64>,
        pool: &Pool,
    ) -> Result<Box<dyn Upload>>;

    /// Begins an image that the backend itself makes from one of its others, which a store of any driver has
    /// at `location`; tells how large it is.  None where the bytes have to come here.
    fn begin_copy(
        &self,
        _op: &Operation,
        _image_id: &str,
        _from: &dyn Driver,
        _location: &Location,
        _pool: &Pool,
    ) -> Result<Option<(Box<dyn Upload>, u64)>> {
        Ok(None)
    }

    fn delete(&self, op: &Operation, location: &Location) -> Result<()>;

    /// Says who may see and change an image.
    fn set_acls(&self, _op: &Operation, _location: &Location, _acls: &Acls) -> Result<()> {
        Err(Error::new(Kind::NotSupported, "the store keeps no access lists"))
    }
}

/// An image on its way into a store.  After the last byte the facade calls `prepare` and `publish`; after
/// any failure, of these as well, it calls `abort`.
pub trait Upload: Sink {
    /// Where the digests of the image's parts are waited for, by an upload that sends or checks them.
    fn part_digests(&self) -> Option<Arc<PartDigests>> {
        None
    }

    /// Brings everything to where only the name is missing.  Cancel and deadline still apply.
    fn prepare(&mut self, op: &Operation) -> Result<()>;

    /// Gives the image its name.  `op` is not the caller's: a call that is cancelled now must not leave an
    /// image behind that appears later.
    fn publish(&mut self, op: &Operation) -> Result<Stored>;

    /// Removes every trace; `op` is not the caller's here either.
    fn abort(&mut self, op: &Operation) -> Result<()>;
}

/// Where an image was put.
pub struct Stored {
    pub location: Location,
    pub metadata: Map<String, Value>,
}

/// An image, or a part of one, on its way out of a store.
pub trait Download: Source {
    /// How many bytes will come, where the backend knows.
    fn length(&self) -> Option<u64>;

    /// The file and the range of it that the bytes come from, where the kernel can copy by itself.
    fn file(&self) -> Option<(&File, Range<u64>)>;
}

/// An image opened for random reads, by any number of threads.
pub trait Reader: Send + Sync {
    fn size(&self) -> u64;

    /// As pread(2): fewer bytes than asked for only at the end of the image.
    fn pread(&self, op: &Operation, buffer: &mut [u8], offset: u64) -> Result<usize>;
}

impl Download for http::Download {
    fn length(&self) -> Option<u64> {
        self.length()
    }

    fn file(&self) -> Option<(&File, Range<u64>)> {
        None
    }
}

impl<F: Fetch> Reader for ReadAhead<F> {
    fn size(&self) -> u64 {
        self.size()
    }

    fn pread(&self, op: &Operation, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.pread(op, buffer, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_clipped_at_the_end_of_the_image() {
        for (offset, length, range) in [
            (0, None, 0..19),
            (5, None, 5..19),
            (5, Some(5), 5..10),
            (17, Some(5), 17..19),
            (19, None, 19..19),
            (100, Some(1), 19..19),
            (1, Some(u64::MAX), 1..19),
        ] {
            assert_eq!(Part { offset, length }.of(19), range);
        }
    }
}
