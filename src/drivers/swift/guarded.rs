//! Transfers, and what ends with them.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use crate::driver::{Download, Reader, Stored, Upload};
use crate::error::Result;
use crate::operation::Operation;
use crate::transfer::{PartDigests, Piece, Sink, Source};

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
