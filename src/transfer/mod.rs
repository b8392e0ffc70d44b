//! Moving bytes: from a [`Source`] through the [`Pump`] (size check, hashes, verify, progress) into a
//! [`Sink`], in pooled buffers that everybody shares and nobody copies.

mod buffers;
mod chunk_reader;
mod descriptor;
mod hash_core;
mod kernel_copy;
mod pump;
mod queue;
mod runtime;
mod sink;
mod workers;

pub use buffers::{Piece, Pool, for_zeroes};
pub use chunk_reader::{CallbackInput, ChunkReader, Input};
pub use descriptor::{DescriptorInput, Extent, extent_at};
pub use hash_core::{Digests, HashCore};
pub use kernel_copy::kernel_copy;
pub use pump::{Progress, Pump};
pub use queue::{AbandonOnDrop, Queue};
pub use runtime::{Runtime, Task, Worker};
pub use sink::{CallbackSink, DescriptorSink, Discard, WriteCallback};

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
