//! Small pieces, copied together: each holds a whole buffer, so that a sink which keeps many of them would keep
//! many times their length, and a source might wait for the very buffers that the sink waits with.

use bytes::Bytes;

use super::buffers::{Buffer, Pool};
use crate::error::Result;
use crate::operation::Operation;

/// How much of its buffer a piece fills at least that is passed on as it is.
pub const DENSE: f64 = 15.0 / 16.0;

pub struct Packer {
    pool: Pool,
    /// What was copied together, and how many bytes that is.
    loose: Option<(Buffer, usize)>,
}

impl Packer {
    pub fn new(pool: &Pool) -> Self {
        Packer { pool: pool.clone(), loose: None }
    }

    /// Takes a piece, and returns what is to be passed on by now, in order.
    pub fn put(&mut self, op: &Operation, data: Bytes) -> Result<Vec<Bytes>> {
        if self.loose.is_none() && data.len() as f64 >= self.pool.buffer_size() as f64 * DENSE {
            return Ok(vec![data]);
        }
        self.copy(op, &data)
    }

    /// The same for bytes that are in no buffer of the pool.
    pub fn copy(&mut self, op: &Operation, mut data: &[u8]) -> Result<Vec<Bytes>> {
        let mut packed = Vec::new();
        while !data.is_empty() {
            let (mut buffer, filled) = match self.loose.take() {
                Some(loose) => loose,
                None => (self.pool.take(op)?, 0),
            };
            let count = data.len().min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&data[..count]);
            data = &data[count..];
            let is_full = filled + count == buffer.len();
            self.loose = Some((buffer, filled + count));
            if is_full {
                packed.extend(self.finish());
            }
        }
        Ok(packed)
    }

    /// What was copied together and not passed on.
    pub fn finish(&mut self) -> Option<Bytes> {
        self.loose.take().map(|(buffer, filled)| buffer.freeze(filled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn small_pieces_hold_no_more_than_their_length() {
        let op = Operation::new(None, Some(Duration::from_secs(20)), Default::default());
        let pool = Pool::new(&op, 100, 600);
        let mut packer = Packer::new(&pool);
        let mut packed: Vec<Bytes> = Vec::new();
        let mut given = Vec::new();
        // More pieces than there are buffers, and nothing is let go of.
        for (number, length) in [100, 94, 95, 3, 99, 1, 1, 1, 93, 100].into_iter().enumerate() {
            let piece = vec![number as u8; length];
            given.extend_from_slice(&piece);
            packed.extend(packer.put(&op, piece.into()).unwrap());
        }
        packed.extend(packer.finish());
        let lengths: Vec<usize> = packed.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [100, 94, 95, 100, 100, 98]);
        assert_eq!(packed.concat(), given);
        assert!(packer.finish().is_none());
    }

    #[test]
    fn full_pieces_are_not_copied() {
        let op = Operation::default();
        let pool = Pool::new(&op, 100, 400);
        let piece = Bytes::from(vec![1; 94]);
        let packed = Packer::new(&pool).put(&op, piece.clone()).unwrap();
        assert_eq!(packed.iter().map(|bytes| bytes.as_ptr()).collect::<Vec<_>>(), [piece.as_ptr()]);
    }
}
