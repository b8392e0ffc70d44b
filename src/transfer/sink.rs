//! Where a get puts the bytes: the caller's callback or the caller's descriptor.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use nix::poll::PollFlags;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::fstat;
use nix::unistd::{Whence, ftruncate, write};

use super::Sink;
use super::buffers::{Piece, for_zeroes};
use super::chunk_reader::callback_error;
use super::descriptor::{DescriptorKind, inspect, seek};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;

/// A caller's write callback: data (none for a hole), its length and its offset in the image; 0 or
/// -errno.
pub type WriteCallback<'a> = &'a mut dyn FnMut(Option<&[u8]>, u64, u64) -> i32;

/// Where the bytes of an image go that is only looked at.
pub struct Discard;

impl Sink for Discard {
    fn put(&mut self, _: &Operation, _: Piece) -> Result<()> {
        Ok(())
    }
}

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

    fn call(&mut self, data: Option<&[u8]>, len: u64) -> Result<()> {
        match (self.write)(data, len, self.offset) {
            0 => {
                self.offset += len;
                Ok(())
            }
            failed => Err(callback_error("write", failed.into())),
        }
    }
}

impl Sink for CallbackSink<'_> {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        match piece {
            Piece::Data(data) => self.call(Some(&data), data.len() as u64),
            Piece::Hole(len) if self.sparse => self.call(None, len),
            Piece::Hole(len) => for_zeroes(len, |zeroes| {
                op.check()?;
                self.call(Some(zeroes), zeroes.len() as u64)
            }),
        }
    }
}

/// Writes every piece to a descriptor of the caller, from its present position on.
pub struct DescriptorSink<'fd> {
    fd: BorrowedFd<'fd>,
    kind: DescriptorKind,
    flags: OFlag,
    /// The same pipe through a file description of its own, which does not block.
    unblocked: Option<File>,
    sparse: bool,
}

impl<'fd> DescriptorSink<'fd> {
    /// Holes stay holes when `sparse` and the descriptor is a file that can have them.
    pub fn new(fd: BorrowedFd<'fd>, sparse: bool) -> Result<Self> {
        let (kind, flags) = inspect(fd, OFlag::O_WRONLY)?;
        let unblocked = if kind == DescriptorKind::Pipe { reopen_unblocked(fd) } else { None };
        let sparse = sparse && kind == DescriptorKind::Regular && !flags.contains(OFlag::O_APPEND);
        Ok(DescriptorSink { fd, kind, flags, unblocked, sparse })
    }

    pub fn keeps_holes(&self) -> bool {
        self.sparse
    }

    /// Where the kernel may copy to by itself without making the call deaf to a cancel.
    pub fn kernel_target(&self, op: &Operation) -> Option<BorrowedFd<'_>> {
        match self.kind {
            DescriptorKind::Regular => Some(self.fd),
            DescriptorKind::Pipe => self.unblocked.as_ref().map(|pipe| pipe.as_fd()),
            DescriptorKind::Socket if self.flags.contains(OFlag::O_NONBLOCK) || !op.is_limited() => {
                Some(self.fd)
            }
            _ => None,
        }
    }

    /// Leaves a hole of `len` bytes at the present position and goes on behind it.
    pub fn skip(&self, len: u64) -> Result<()> {
        let failed = |errno: Errno| target_error(errno);
        let position = seek(self.fd, 0, Whence::SeekCur).map_err(failed)?;
        let size = fstat(self.fd).map_err(failed)?.st_size.cast_unsigned();
        let end = position.checked_add(len).ok_or(Errno::EFBIG).map_err(failed)?;
        let signed_end = i64::try_from(end).map_err(|_| failed(Errno::EFBIG))?;
        if position < size {
            self.clear(position, end.min(size) - position)?;
        }
        if end > size {
            without_signals(|| ftruncate(self.fd, signed_end)).map_err(failed)?;
        }
        seek(self.fd, end, Whence::SeekSet).map_err(failed)?;
        Ok(())
    }

    /// Makes what the file already holds here read as zeros.
    fn clear(&self, position: u64, len: u64) -> Result<()> {
        let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        match fallocate(self.fd, punch, position.cast_signed(), len.cast_signed()) {
            Ok(()) => Ok(()),
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => for_zeroes(len, |zeroes| self.write_regular(zeroes)),
            Err(errno) => Err(target_error(errno)),
        }
    }

    fn write(&self, op: &Operation, data: &[u8]) -> Result<()> {
        match self.kind {
            DescriptorKind::Regular => self.write_regular(data),
            _ => self.write_stream(op, data),
        }
    }

    fn write_regular(&self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            match without_signals(|| write(self.fd, data)) {
                Ok(count) => data = &data[count..],
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(target_error(errno)),
            }
        }
        Ok(())
    }

    fn write_stream(&self, op: &Operation, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            op.wait_fd(self.fd, PollFlags::POLLOUT)?;
            match self.write_ready(data) {
                Ok(count) => data = &data[count..],
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(errno) => return Err(target_error(errno)),
            }
        }
        Ok(())
    }

    /// Writes to a stream that poll(2) found ready, as much as goes without blocking.
    fn write_ready(&self, data: &[u8]) -> nix::Result<usize> {
        if self.kind == DescriptorKind::Socket {
            return send(self.fd.as_raw_fd(), data, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
        }
        match &self.unblocked {
            Some(pipe) => without_signals(|| write(pipe, data)),
            // A ready pipe has room for that much.
            None => without_signals(|| write(self.fd, &data[..data.len().min(nix::libc::PIPE_BUF)])),
        }
    }
}

impl Sink for DescriptorSink<'_> {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        match piece {
            Piece::Data(data) => self.write(op, &data),
            Piece::Hole(len) if self.sparse => self.skip(len),
            Piece::Hole(len) => for_zeroes(len, |zeroes| {
                op.check()?;
                self.write(op, zeroes)
            }),
        }
    }
}

/// A pipe's own O_NONBLOCK belongs to everyone who holds it, so a description of our own gets it.
/// None where /proc is missing or nobody reads the pipe.
fn reopen_unblocked(fd: BorrowedFd<'_>) -> Option<File> {
    OpenOptions::new()
        .write(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(format!("/proc/self/fd/{}", fd.as_raw_fd()))
        .ok()
}

/// Runs a write of the caller's thread so that a closed pipe or a file size limit is an error and not
/// a signal that ends the process.
pub fn without_signals<T>(write: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    let signals = SigSet::from_iter([Signal::SIGPIPE, Signal::SIGXFSZ]);
    // Before anything is written: without it a signal could not be taken away.
    let pending = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let before = SigSet::thread_get_mask()?;
    signals.thread_block()?;
    let result = write();
    // Also after a success: a write that was cut short by the other end counts what it wrote and raises
    // the signal all the same.
    while matches!(pending.read_signal(), Ok(Some(_))) {}
    before.thread_set_mask()?;
    result
}

/// A write to the caller's descriptor failed.
pub fn target_error(errno: Errno) -> Error {
    Error::from_os(Kind::Failed, "cannot write to the target descriptor", &errno.into())
}
