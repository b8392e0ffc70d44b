//! Transfers, and what ends with them.

use std::collections::HashSet;
use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::driver::{Download, Reader, Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::{PartDigests, Piece, Sink, Source};

/// The images that are being added to a store, by container and id.
pub type UnderWay = Arc<Mutex<HashSet<(String, String)>>>;

/// Whether what looks like the leftovers of an image is one that is being added.
pub fn is_under_way(under_way: &UnderWay, container: &str, image_id: &str) -> bool {
    lock(under_way).contains(&(container.to_owned(), image_id.to_owned()))
}

/// Keeps other adds of the same image out while one is under way.  Swift cannot: of two that begin in the
/// same instant it takes both, and keeps the later.
pub struct Claim {
    under_way: UnderWay,
    image: (String, String),
}

impl Claim {
    pub fn new(under_way: &UnderWay, container: &str, image_id: &str) -> Result<Self> {
        let image = (container.to_owned(), image_id.to_owned());
        if lock(under_way).insert(image.clone()) {
            return Ok(Claim { under_way: under_way.clone(), image });
        }
        let message = format!("another add of the image {image_id:?} is under way");
        Err(Error::new(Kind::Duplicate, message))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.image);
    }
}

fn lock(under_way: &UnderWay) -> MutexGuard<'_, HashSet<(String, String)>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A transfer, and guards that are dropped after it.
pub struct Guarded<T, G> {
    inner: T,
    _guards: G,
}

impl<T, G> Guarded<T, G> {
    pub fn new(inner: T, guards: G) -> Self {
        Guarded { inner, _guards: guards }
    }
}

impl<G> Sink for Guarded<Box<dyn Upload>, G> {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        self.inner.put(op, piece)
    }
}

impl<G> Upload for Guarded<Box<dyn Upload>, G> {
    fn part_digests(&self) -> Option<Arc<PartDigests>> {
        self.inner.part_digests()
    }

    fn prepare(&mut self, op: &Operation) -> Result<()> {
        self.inner.prepare(op)
    }

    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        self.inner.publish(op)
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        self.inner.abort(op)
    }
}

impl<T: Download, G> Source for Guarded<T, G> {
    fn next(&mut self, op: &Operation) -> Result<Option<Piece>> {
        self.inner.next(op)
    }
}

impl<T: Download, G> Download for Guarded<T, G> {
    fn length(&self) -> Option<u64> {
        self.inner.length()
    }

    fn file(&self) -> Option<(&File, Range<u64>)> {
        self.inner.file()
    }
}

impl<T: Reader, G: Send + Sync> Reader for Guarded<T, G> {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn pread(&self, op: &Operation, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.inner.pread(op, buffer, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_add_of_an_image_at_a_time() {
        let under_way = UnderWay::default();
        let first = Claim::new(&under_way, "c", "id").unwrap();
        assert_eq!(Claim::new(&under_way, "c", "id").err().unwrap().kind(), Kind::Duplicate);
        Claim::new(&under_way, "c", "other").unwrap();
        Claim::new(&under_way, "d", "id").unwrap();
        assert!(is_under_way(&under_way, "c", "id"));
        drop(first);
        assert!(!is_under_way(&under_way, "c", "id"));
        Claim::new(&under_way, "c", "id").unwrap();
    }
}
