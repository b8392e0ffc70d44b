//! File descriptors of the caller, of any kind: reading them, writing them, and copying to them inside
//! the kernel, without ever blocking past a cancel and without raising a signal.

mod input;
mod kernel_copy;
mod signals;
mod sink;

pub use input::DescriptorInput;
pub use kernel_copy::kernel_copy;
pub use sink::DescriptorSink;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{Whence, isatty, lseek};

use crate::error::{Error, Kind, Result};

/// What a descriptor leads to, as far as moving bytes differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DescriptorKind {
    Regular,
    /// A disk, /dev/null and the like: never makes a writer wait for somebody to read.
    Device,
    Pipe,
    Socket,
    Terminal,
}

/// What `fd` is.
struct Descriptor {
    kind: DescriptorKind,
    flags: OFlag,
}

impl Descriptor {
    /// Whether what is written lands where the offset says.
    fn is_seekable(&self) -> bool {
        self.kind == DescriptorKind::Regular && !self.flags.contains(OFlag::O_APPEND)
    }
}

/// Finds out what `fd` is, and that it is open for reading (`OFlag::O_RDONLY`) or writing.
fn inspect(fd: BorrowedFd<'_>, wanted: OFlag) -> Result<Descriptor> {
    let stat = fstat(fd).map_err(|errno| unusable(errno.into()))?;
    let flags = fcntl(fd, FcntlArg::F_GETFL).map_err(|errno| unusable(errno.into()))?;
    let flags = OFlag::from_bits_retain(flags);
    let mode = flags & OFlag::O_ACCMODE;
    if mode != wanted && mode != OFlag::O_RDWR {
        let purpose = if wanted == OFlag::O_RDONLY { "reading" } else { "writing" };
        return Err(Error::new(Kind::Invalid, format!("the file descriptor is not open for {purpose}"))
            .with_errno(Errno::EBADF as i32));
    }
    let kind = match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => DescriptorKind::Regular,
        SFlag::S_IFIFO => DescriptorKind::Pipe,
        SFlag::S_IFSOCK => DescriptorKind::Socket,
        SFlag::S_IFDIR => {
            return Err(Error::new(Kind::Invalid, "the file descriptor is a directory")
                .with_errno(Errno::EISDIR as i32));
        }
        SFlag::S_IFCHR if isatty(fd).unwrap_or(false) => DescriptorKind::Terminal,
        _ => DescriptorKind::Device,
    };
    Ok(Descriptor { kind, flags })
}

fn unusable(error: io::Error) -> Error {
    Error::from_os(Kind::Invalid, "the file descriptor cannot be used", &error)
}

/// A stretch of a file from one position on, up to the named end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Data(u64),
    Hole(u64),
}

/// What lies at `position` of a file that should end at `end`.  Moves the file's offset.  File systems
/// that cannot tell have data everywhere; so has a file that was cut, for its reader to find out.
pub fn extent_at(file: impl AsFd, position: u64, end: u64) -> Extent {
    match seek(&file, position, Whence::SeekData) {
        Err(Errno::ENXIO) if reaches(&file, end) => Extent::Hole(end),
        Ok(data) if data > position => Extent::Hole(data.min(end)),
        Ok(_) => match seek(&file, position, Whence::SeekHole) {
            Ok(hole) if hole > position => Extent::Data(hole.min(end)),
            _ => Extent::Data(end),
        },
        Err(_) => Extent::Data(end),
    }
}

fn reaches(file: &impl AsFd, end: u64) -> bool {
    fstat(file).is_ok_and(|stat| stat.st_size.cast_unsigned() >= end)
}

fn seek(file: impl AsFd, position: u64, whence: Whence) -> nix::Result<u64> {
    let position = i64::try_from(position).map_err(|_| Errno::EOVERFLOW)?;
    lseek(file, position, whence).map(i64::cast_unsigned)
}

/// Writing to the caller's descriptor failed.
fn target_error(errno: Errno) -> Error {
    Error::from_os(Kind::Failed, "cannot write to the target descriptor", &errno.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn what_lies_behind_a_cut_is_no_hole() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; 4096], 0).unwrap();
        file.set_len(1 << 20).unwrap();
        assert_eq!(extent_at(&file, 4096, 1 << 20), Extent::Hole(1 << 20));
        file.set_len(4096).unwrap();
        assert_eq!(extent_at(&file, 4096, 1 << 20), Extent::Data(1 << 20));
    }
}
