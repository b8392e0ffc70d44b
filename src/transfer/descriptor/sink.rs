//! Writing to a caller's descriptor.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::fstat;
use nix::unistd::{Whence, ftruncate, write};

use super::signals::QuietWrites;
use super::{Descriptor, DescriptorKind, inspect, seek, target_error};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::Sink;
use crate::transfer::buffers::{Piece, for_zeroes};

/// Writes every piece to a descriptor of the caller, from its present position on.
pub struct DescriptorSink<'fd> {
    fd: BorrowedFd<'fd>,
    descriptor: Descriptor,
    /// The same pipe through a file description of its own, which does not block.
    unblocked: Option<File>,
    quiet: QuietWrites,
    sparse: bool,
}

/// Where the kernel may copy to by itself without making the call deaf to a cancel.
pub enum KernelTarget<'a> {
    /// A file, at any of its positions.
    File(BorrowedFd<'a>),
    /// A stream that does not block.
    Stream(BorrowedFd<'a>),
}

impl<'fd> DescriptorSink<'fd> {
    /// Holes stay holes when `sparse` and the descriptor is a file that can have them.
    pub fn new(fd: BorrowedFd<'fd>, sparse: bool) -> Result<Self> {
        let descriptor = inspect(fd, OFlag::O_WRONLY)?;
        let unblocked = if descriptor.kind == DescriptorKind::Pipe { reopen_unblocked(fd) } else { None };
        let quiet = QuietWrites::new()
            .map_err(|errno| Error::from_os(Kind::Failed, "cannot watch for signals", &errno.into()))?;
        let sparse = sparse && descriptor.is_seekable();
        Ok(DescriptorSink { fd, descriptor, unblocked, quiet, sparse })
    }

    pub fn keeps_holes(&self) -> bool {
        self.sparse
    }

    pub fn quiet(&self) -> &QuietWrites {
        &self.quiet
    }

    pub fn kernel_target(&self, op: &Operation) -> Option<KernelTarget<'_>> {
        let never_blocks = self.descriptor.flags.contains(OFlag::O_NONBLOCK) || !op.is_limited();
        match self.descriptor.kind {
            DescriptorKind::Regular if self.descriptor.is_seekable() => Some(KernelTarget::File(self.fd)),
            DescriptorKind::Pipe => self.unblocked.as_ref().map(|pipe| KernelTarget::Stream(pipe.as_fd())),
            DescriptorKind::Socket if never_blocks => Some(KernelTarget::Stream(self.fd)),
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
            self.quiet.run(|| ftruncate(self.fd, signed_end)).map_err(failed)?;
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
        match self.descriptor.kind {
            DescriptorKind::Regular | DescriptorKind::Device => self.write_regular(data),
            DescriptorKind::Pipe | DescriptorKind::Socket | DescriptorKind::Terminal => {
                self.write_stream(op, data)
            }
        }
    }

    fn write_regular(&self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            match self.quiet.run(|| write(self.fd, data)) {
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
        if self.descriptor.kind == DescriptorKind::Socket {
            return send(self.fd.as_raw_fd(), data, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
        }
        match &self.unblocked {
            Some(pipe) => self.quiet.run(|| write(pipe, data)),
            // A ready pipe has room for that much.
            None => self.quiet.run(|| write(self.fd, &data[..data.len().min(nix::libc::PIPE_BUF)])),
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
        .open(format!("/proc/thread-self/fd/{}", fd.as_raw_fd()))
        .ok()
}
