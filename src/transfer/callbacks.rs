//! The caller's callbacks as a source and a destination of image data.

use super::Sink;
use super::buffers::{Piece, for_zeroes};
use super::chunk_reader::{Input, Portion};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;

/// A caller's read callback: fills the buffer and returns how far, 0 at the end, -errno to abort.
pub struct CallbackInput<'a> {
    pub read: &'a mut dyn FnMut(&mut [u8]) -> i64,
}

impl Input for CallbackInput<'_> {
    fn read(&mut self, _op: &Operation, buffer: &mut [u8]) -> Result<Portion> {
        match (self.read)(buffer) {
            0 => Ok(Portion::End),
            failed @ ..0 => Err(callback_error("read", failed)),
            count => match usize::try_from(count) {
                Ok(count) if count <= buffer.len() => Ok(Portion::Data(count)),
                _ => Err(Error::new(
                    Kind::Callback,
                    format!("the read callback returned {count} for a buffer of {} bytes", buffer.len()),
                )),
            },
        }
    }
}

/// A caller's write callback: data (none for a hole), its length and its offset in the image; 0 or
/// -errno.
pub type WriteCallback<'a> = &'a mut dyn FnMut(Option<&[u8]>, usize, u64) -> i32;

/// Hands every piece to a callback.
pub struct CallbackSink<'a> {
    write: WriteCallback<'a>,
    offset: u64,
    sparse: bool,
}

impl<'a> CallbackSink<'a> {
    /// The first byte has the image's `offset`.  Holes are told of when `sparse`, else sent as zeros.
    pub fn new(write: WriteCallback<'a>, offset: u64, sparse: bool) -> Self {
        CallbackSink { write, offset, sparse }
    }

    fn call(&mut self, data: Option<&[u8]>, len: usize) -> Result<()> {
        match (self.write)(data, len, self.offset) {
            0 => {
                self.offset += len as u64;
                Ok(())
            }
            failed => Err(callback_error("write", failed.into())),
        }
    }

    /// In several calls where an address is too small for the length of a hole.
    fn tell_of_hole(&mut self, mut len: u64) -> Result<()> {
        while len > 0 {
            let step = usize::try_from(len).unwrap_or(usize::MAX);
            self.call(None, step)?;
            len -= step as u64;
        }
        Ok(())
    }
}

impl Sink for CallbackSink<'_> {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        match piece {
            Piece::Data(data) => self.call(Some(&data), data.len()),
            Piece::Hole(len) if self.sparse => self.tell_of_hole(len),
            Piece::Hole(len) => for_zeroes(len, |zeroes| {
                op.check()?;
                self.call(Some(zeroes), zeroes.len())
            }),
        }
    }
}

/// A callback of the caller answered `code`, which should be -errno.
fn callback_error(which: &str, code: i64) -> Error {
    let errno = code.checked_neg().and_then(|errno| i32::try_from(errno).ok()).filter(|errno| *errno > 0);
    let reason = match errno {
        Some(errno) => std::io::Error::from_raw_os_error(errno).to_string(),
        None => "that is not -errno".to_owned(),
    };
    Error::new(Kind::Callback, format!("the {which} callback failed with {code}: {reason}"))
        .with_errno(errno.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::{ChunkReader, Pool, Source};
    use super::*;

    #[test]
    fn bad_answers_of_a_read_callback_are_its_errors() {
        let op = Operation::default();
        for (answer, errno) in [(-5, 5), (11, 0), (i64::MIN, 0), (i64::MAX, 0), (-4, 4)] {
            let mut read = |_: &mut [u8]| answer;
            let input = CallbackInput { read: &mut read };
            let mut reader = ChunkReader::new(input, Pool::new(&op, 10, 100), None);
            let error = reader.next(&op).unwrap_err();
            assert_eq!((error.kind(), error.errno()), (Kind::Callback, errno), "{error}");
        }
    }

    #[test]
    fn holes_are_told_of_or_sent_as_zeros() {
        let op = Operation::default();
        for sparse in [true, false] {
            let mut calls = Vec::new();
            let mut write = |data: Option<&[u8]>, len: usize, offset: u64| {
                calls.push((data.is_some(), len, offset));
                0
            };
            let mut sink = CallbackSink::new(&mut write, 7, sparse);
            sink.put(&op, Piece::Data(b"abc".as_slice().into())).unwrap();
            sink.put(&op, Piece::Hole(65537)).unwrap();
            let hole = [(false, 65537, 10)];
            let zeros = [(true, 65536, 10), (true, 1, 65546)];
            let expected: &[_] = if sparse { &hole } else { &zeros };
            assert_eq!(calls, [&[(true, 3, 7)], expected].concat());
        }
    }
}
