//! Moving bytes: from a [`Source`] through the [`Pump`] (size check, hashes, verify, progress) into a
//! [`Sink`], in pooled buffers that everybody shares and nobody copies.

mod buffers;
mod callbacks;
mod chunk_reader;
mod descriptor;
mod growing;
mod hash_core;
mod packer;
mod part_digests;
mod parts;
mod pump;
mod queue;
mod read_ahead;
mod runtime;
mod workers;
mod zeroes;

pub use buffers::{Buffer, Piece, Pool, for_zeroes, is_zero};
pub use callbacks::{CallbackInput, CallbackSink, WriteCallback};
pub use chunk_reader::{ChunkReader, Input};
pub use descriptor::{DescriptorInput, DescriptorSink, Extent, extent_at, kernel_copy};
#[cfg(test)]
pub use growing::Grower;
pub use growing::Growing;
pub use hash_core::{Digests, HashCore};
pub use packer::Packer;
pub use part_digests::PartDigests;
pub use parts::{Early, HeldPart, PartPlan, PartUploader, StorePart, longest_part, parts_that_fit};
pub use pump::{Progress, Pump};
pub use queue::{AbandonOnDrop, Queue};
pub use read_ahead::{Fetch, Landing, ReadAhead};
pub use runtime::{Runtime, Task, Worker};
pub use zeroes::data_runs;

use crate::error::Result;
use crate::operation::Operation;

/// Where the bytes of an image come from, in order.
pub trait Source {
    /// The next piece, none at the end.  Pieces are never empty.
    fn next(&mut self, op: &Operation) -> Result<Option<Piece>>;
}

/// Where the bytes of an image go to, in order.
pub trait Sink {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()>;
}

/// Where the bytes of an image go that is only looked at.
pub struct Discard;

impl Sink for Discard {
    fn put(&mut self, _op: &Operation, _piece: Piece) -> Result<()> {
        Ok(())
    }
}
