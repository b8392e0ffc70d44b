//! Copying from a file to a descriptor inside the kernel.

use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::copy_file_range;
use nix::poll::PollFlags;
use nix::sys::sendfile::sendfile64;

use super::descriptor::{Extent, extent_at};
use super::pump::Progress;
use super::runtime::Runtime;
use super::sink::{DescriptorSink, target_error, without_signals};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;

/// How much the kernel copies between two looks at cancel, deadline and progress.
const SLICE: u64 = 16 << 20;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    CopyFileRange,
    Sendfile,
}

/// Copies `range` of `file` to `sink`.  False, with nothing copied, where the kernel cannot.
pub fn kernel_copy(
    runtime: &Runtime,
    op: &Operation,
    file: &File,
    range: Range<u64>,
    sink: &DescriptorSink<'_>,
    progress: &mut Progress<'_>,
) -> Result<bool> {
    let Some(target) = sink.kernel_target(op) else {
        return Ok(false);
    };
    let mut way = Some(Way::CopyFileRange);
    let mut position = range.start;
    while position < range.end {
        let extent =
            if sink.keeps_holes() { extent_at(file, position, range.end) } else { Extent::Data(range.end) };
        match extent {
            Extent::Hole(until) => {
                sink.skip(until - position)?;
                position = until;
            }
            Extent::Data(until) => {
                let slice = position..until.min(position + SLICE);
                match copy_slice(runtime, op, file, slice, target, &mut way)? {
                    Some(count) => position += count,
                    None if position == range.start => return Ok(false),
                    None => return Err(target_error(Errno::EXDEV)),
                }
            }
        }
        progress.report(position - range.start)?;
    }
    Ok(true)
}

/// Copies the beginning of `slice`; tells how much, or that no way works.
fn copy_slice(
    runtime: &Runtime,
    op: &Operation,
    file: &File,
    slice: Range<u64>,
    target: BorrowedFd<'_>,
    way: &mut Option<Way>,
) -> Result<Option<u64>> {
    while let Some(present) = *way {
        match copy_once(runtime, op, file, slice.clone(), target, present)? {
            Ok(0) => {
                return Err(Error::new(
                    Kind::Failed,
                    format!("the image ended at byte {} while it was read", slice.start),
                ));
            }
            Ok(count) => return Ok(Some(count as u64)),
            Err(Errno::EINTR) => op.check()?,
            Err(Errno::EAGAIN) => op.wait_fd(target, PollFlags::POLLOUT)?,
            Err(
                Errno::EXDEV
                | Errno::EINVAL
                | Errno::ENOSYS
                | Errno::EOPNOTSUPP
                | Errno::EBADF
                | Errno::EPERM,
            ) => {
                *way = (present == Way::CopyFileRange).then_some(Way::Sendfile);
            }
            Err(errno) => return Err(target_error(errno)),
        }
    }
    Ok(None)
}

/// One system call, on duplicates of the descriptors so that a call given up for hanging never
/// touches a descriptor that the caller has used for something else since.
fn copy_once(
    runtime: &Runtime,
    op: &Operation,
    file: &File,
    slice: Range<u64>,
    target: BorrowedFd<'_>,
    way: Way,
) -> Result<nix::Result<usize>> {
    let len = (slice.end - slice.start) as usize;
    let mut offset = slice.start.cast_signed();
    let mut copy = move |from: BorrowedFd<'_>, to: BorrowedFd<'_>| {
        without_signals(|| match way {
            Way::CopyFileRange => copy_file_range(from, Some(&mut offset), to, None, len),
            Way::Sendfile => sendfile64(to, from, Some(&mut offset), len),
        })
    };
    if !op.is_limited() {
        return Ok(copy(file.as_fd(), target));
    }
    let duplicate = |fd: BorrowedFd<'_>| {
        fd.try_clone_to_owned()
            .map_err(|error| Error::from_os(Kind::Failed, "cannot duplicate a file descriptor", &error))
    };
    let (from, to) = (duplicate(file.as_fd())?, duplicate(target)?);
    runtime.guard(op, move || Ok(copy(from.as_fd(), to.as_fd())))
}
