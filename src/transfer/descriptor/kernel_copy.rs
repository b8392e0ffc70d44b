//! Copying from a file to a descriptor inside the kernel.

use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::copy_file_range;
use nix::poll::PollFlags;
use nix::sys::sendfile::sendfile64;
use nix::unistd::Whence;

use super::sink::{DescriptorSink, KernelTarget};
use super::{Extent, extent_at, seek, target_error};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::{Progress, Runtime};

/// How much the kernel copies between two looks at cancel, deadline and progress.
const SLICE: u64 = 16 << 20;

/// Copies `range` of `file` to `sink`.  False, with nothing copied, where the kernel cannot.
pub fn kernel_copy(
    runtime: &Runtime,
    op: &Operation,
    file: &File,
    range: Range<u64>,
    sink: &DescriptorSink<'_>,
    progress: &mut Progress<'_>,
) -> Result<bool> {
    match sink.kernel_target(op) {
        Some(KernelTarget::File(target)) => {
            FileCopy::new(runtime, op, file, range, sink, target)?.run(progress)
        }
        Some(KernelTarget::Stream(target)) => copy_to_stream(op, file, range, sink, target, progress),
        None => Ok(false),
    }
}

/// What the system calls say where they do not work between two descriptors.
fn is_unsupported(errno: Errno) -> bool {
    use Errno::{EBADF, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, ETXTBSY, EXDEV};
    matches!(errno, EBADF | EINVAL | ENOSYS | EOPNOTSUPP | EPERM | ETXTBSY | EXDEV)
}

/// A copy from file to file.
struct FileCopy<'a> {
    runtime: &'a Runtime,
    op: &'a Operation,
    file: &'a File,
    range: Range<u64>,
    sink: &'a DescriptorSink<'a>,
    target: BorrowedFd<'a>,
    /// Where in the target the range begins.
    base: u64,
}

impl<'a> FileCopy<'a> {
    fn new(
        runtime: &'a Runtime,
        op: &'a Operation,
        file: &'a File,
        range: Range<u64>,
        sink: &'a DescriptorSink<'a>,
        target: BorrowedFd<'a>,
    ) -> Result<Self> {
        let base = seek(target, 0, Whence::SeekCur).map_err(target_error)?;
        Ok(FileCopy { runtime, op, file, range, sink, target, base })
    }

    fn run(&self, progress: &mut Progress<'_>) -> Result<bool> {
        if !self.is_possible()? {
            return Ok(false);
        }
        let mut position = self.range.start;
        while position < self.range.end {
            position = match self.extent(position) {
                Extent::Hole(until) => {
                    self.sink.skip(until - position)?;
                    until
                }
                Extent::Data(until) => self.copy_slice(position..until.min(position + SLICE))?,
            };
            progress.report(position - self.range.start)?;
        }
        Ok(true)
    }

    fn extent(&self, position: u64) -> Extent {
        match self.sink.keeps_holes() {
            true => extent_at(self.file, position, self.range.end),
            false => Extent::Data(self.range.end),
        }
    }

    /// Tries it with one byte of data, which the copy writes again.
    fn is_possible(&self) -> Result<bool> {
        let first = match self.extent(self.range.start) {
            Extent::Hole(until) => until,
            Extent::Data(_) => self.range.start,
        };
        if first >= self.range.end {
            return Ok(true);
        }
        match self.copy_once(first..first + 1)? {
            // Some file systems answer so instead of refusing.
            Ok(0) => Ok(false),
            Ok(_) => Ok(true),
            Err(errno) if is_unsupported(errno) => Ok(false),
            Err(errno) => Err(target_error(errno)),
        }
    }

    /// Copies the beginning of `slice`; tells how far.
    fn copy_slice(&self, slice: Range<u64>) -> Result<u64> {
        loop {
            match self.copy_once(slice.clone())? {
                Ok(0) => return Err(image_ended(slice.start)),
                Ok(count) => {
                    let position = slice.start + count as u64;
                    seek(self.target, self.target_position(position), Whence::SeekSet)
                        .map_err(target_error)?;
                    return Ok(position);
                }
                Err(Errno::EINTR) => self.op.check()?,
                Err(errno) => return Err(target_error(errno)),
            }
        }
    }

    fn target_position(&self, position: u64) -> u64 {
        self.base + (position - self.range.start)
    }

    /// One system call.  It names both positions, and a call that is given up waits for it where the
    /// kernel does not hang, so that nothing is written to the caller's file behind its back.
    fn copy_once(&self, slice: Range<u64>) -> Result<nix::Result<usize>> {
        let len = (slice.end - slice.start) as usize;
        let (from, to) = (slice.start.cast_signed(), self.target_position(slice.start).cast_signed());
        let copy = move |source: BorrowedFd<'_>, target: BorrowedFd<'_>| {
            let (mut from, mut to) = (from, to);
            copy_file_range(source, Some(&mut from), target, Some(&mut to), len)
        };
        if !self.op.is_limited() {
            return Ok(self.sink.quiet().run(|| copy(self.file.as_fd(), self.target)));
        }
        let (source, target) = (duplicate(self.file.as_fd())?, duplicate(self.target)?);
        let worker = self.runtime.spawn(self.op, move || Ok(copy(source.as_fd(), target.as_fd())))?;
        worker.settle(self.op)
    }
}

fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    fd.try_clone_to_owned()
        .map_err(|error| Error::from_os(Kind::Failed, "cannot duplicate a file descriptor", &error))
}

fn copy_to_stream(
    op: &Operation,
    file: &File,
    range: Range<u64>,
    sink: &DescriptorSink<'_>,
    target: BorrowedFd<'_>,
    progress: &mut Progress<'_>,
) -> Result<bool> {
    let mut position = range.start;
    while position < range.end {
        op.check()?;
        let len = (range.end - position).min(SLICE) as usize;
        let mut offset = position.cast_signed();
        match sink.quiet().run(|| sendfile64(target, file, Some(&mut offset), len)) {
            Ok(0) => return Err(image_ended(position)),
            Ok(count) => position += count as u64,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => op.wait_fd(target, PollFlags::POLLOUT)?,
            Err(errno) if is_unsupported(errno) && position == range.start => return Ok(false),
            Err(errno) => return Err(target_error(errno)),
        }
        progress.report(position - range.start)?;
    }
    Ok(true)
}

fn image_ended(position: u64) -> Error {
    Error::new(Kind::Failed, format!("the image ended at byte {position} while it was read"))
}
