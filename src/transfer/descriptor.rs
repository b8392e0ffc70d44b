//! File descriptors of the caller, of any kind: what they are, where their data lies, and reading
//! them without ever blocking past a cancel.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::sys::stat::{SFlag, fstat};
use nix::sys::uio::pread;
use nix::unistd::{Whence, lseek, read};

use super::chunk_reader::{Input, Read};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;

/// What a descriptor leads to, as far as moving bytes differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescriptorKind {
    Regular,
    Pipe,
    Socket,
    Other,
}

/// Finds out what `fd` is, and that it is open for reading (`OFlag::O_RDONLY`) or writing.
pub fn inspect(fd: BorrowedFd<'_>, wanted: OFlag) -> Result<(DescriptorKind, OFlag)> {
    let stat = fstat(fd).map_err(|errno| bad_descriptor(errno.into()))?;
    let flags = fcntl(fd, FcntlArg::F_GETFL).map_err(|errno| bad_descriptor(errno.into()))?;
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
        _ => DescriptorKind::Other,
    };
    Ok((kind, flags))
}

fn bad_descriptor(error: io::Error) -> Error {
    Error::from_os(Kind::Invalid, "the file descriptor cannot be used", &error)
}

/// A stretch of a file from one position on, up to the named end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Data(u64),
    Hole(u64),
}

/// What lies at `position` of a file that ends at `end`.  Moves the file's offset.  File systems that
/// cannot tell have data everywhere.
pub fn extent_at(file: impl AsFd, position: u64, end: u64) -> Extent {
    match seek(&file, position, Whence::SeekData) {
        Err(Errno::ENXIO) => Extent::Hole(end),
        Ok(data) if data > position => Extent::Hole(data.min(end)),
        Ok(_) => match seek(&file, position, Whence::SeekHole) {
            Ok(hole) if hole > position => Extent::Data(hole.min(end)),
            _ => Extent::Data(end),
        },
        Err(_) => Extent::Data(end),
    }
}

pub fn seek(file: impl AsFd, position: u64, whence: Whence) -> nix::Result<u64> {
    let position = i64::try_from(position).map_err(|_| Errno::EOVERFLOW)?;
    lseek(file, position, whence).map(i64::cast_unsigned)
}

/// A caller's descriptor, read from its present position to its end.
pub enum DescriptorInput<'fd> {
    Regular(RegularInput<'fd>),
    Stream(BorrowedFd<'fd>),
}

/// A regular file, whose holes are skipped unread.  The descriptor's offset follows at the end.
pub struct RegularInput<'fd> {
    fd: BorrowedFd<'fd>,
    position: u64,
    data_until: u64,
}

impl<'fd> DescriptorInput<'fd> {
    pub fn new(fd: BorrowedFd<'fd>) -> Result<Self> {
        let (kind, _) = inspect(fd, OFlag::O_RDONLY)?;
        if kind != DescriptorKind::Regular {
            return Ok(DescriptorInput::Stream(fd));
        }
        let position = seek(fd, 0, Whence::SeekCur).map_err(|errno| bad_descriptor(errno.into()))?;
        Ok(DescriptorInput::Regular(RegularInput { fd, position, data_until: position }))
    }
}

impl Input for DescriptorInput<'_> {
    fn read(&mut self, op: &Operation, buffer: &mut [u8]) -> Result<Read> {
        match self {
            DescriptorInput::Regular(file) => file.read(buffer),
            DescriptorInput::Stream(fd) => read_stream(op, *fd, buffer),
        }
    }
}

impl RegularInput<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Read> {
        if self.position >= self.data_until {
            let end = fstat(self.fd).map_err(|errno| source_error(errno.into()))?.st_size.cast_unsigned();
            if self.position >= end {
                return Ok(Read::End);
            }
            match extent_at(self.fd, self.position, end) {
                Extent::Data(until) => self.data_until = until,
                Extent::Hole(until) => {
                    let len = until - self.position;
                    self.position = until;
                    return Ok(Read::Hole(len));
                }
            }
        }
        let within = usize::try_from(self.data_until - self.position).unwrap_or(usize::MAX);
        let room = buffer.len().min(within);
        let count = loop {
            match pread(self.fd, &mut buffer[..room], self.position.cast_signed()) {
                Err(Errno::EINTR) => {}
                other => break other.map_err(|errno| source_error(errno.into()))?,
            }
        };
        self.position += count as u64;
        // Nothing where data was: the file has just been truncated.
        Ok(if count == 0 { Read::End } else { Read::Data(count) })
    }
}

impl Drop for RegularInput<'_> {
    fn drop(&mut self) {
        // Fails only for a descriptor that has just been read, so never.
        let _ = seek(self.fd, self.position, Whence::SeekSet);
    }
}

fn read_stream(op: &Operation, fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Read> {
    loop {
        op.wait_fd(fd, PollFlags::POLLIN)?;
        match read(fd, buffer) {
            Ok(0) => return Ok(Read::End),
            Ok(count) => return Ok(Read::Data(count)),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(source_error(errno.into())),
        }
    }
}

fn source_error(error: io::Error) -> Error {
    Error::from_os(Kind::Failed, "cannot read from the source descriptor", &error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::{ChunkReader, Piece, Pool, Source};
    use std::fs::File;
    use std::io::{Seek, SeekFrom, Write};
    use std::os::unix::fs::FileExt;

    fn pieces(fd: BorrowedFd<'_>) -> Vec<(bool, u64)> {
        let op = Operation::default();
        let input = DescriptorInput::new(fd).unwrap();
        let mut reader = ChunkReader::new(input, Pool::new(&op, 1 << 20, 8 << 20), None);
        let mut pieces = Vec::new();
        while let Some(piece) = reader.next(&op).unwrap() {
            pieces.push((matches!(piece, Piece::Data(_)), piece.len()));
        }
        pieces
    }

    #[test]
    fn holes_of_a_file_are_found_and_the_offset_follows() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; 4096], 1 << 20).unwrap();
        file.set_len(3 << 20).unwrap();
        file.seek(SeekFrom::Start(4096)).unwrap();
        let found = pieces(file.as_fd());
        assert_eq!(found.iter().map(|(_, len)| len).sum::<u64>(), (3 << 20) - 4096);
        assert!(found.iter().any(|(data, len)| !data && *len >= 1 << 19), "{found:?}");
        assert_eq!(file.stream_position().unwrap(), 3 << 20);
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let feed = std::thread::spawn(move || writer.write_all(&[7; 100_000]).unwrap());
        assert_eq!(pieces(reader.as_fd()), [(true, 100_000)]);
        feed.join().unwrap();
    }

    #[test]
    fn directories_and_write_only_descriptors_are_refused() {
        let directory = File::open("/").unwrap();
        assert_eq!(DescriptorInput::new(directory.as_fd()).err().unwrap().kind(), Kind::Invalid);
        let write_only = File::options().write(true).open("/dev/null").unwrap();
        assert_eq!(DescriptorInput::new(write_only.as_fd()).err().unwrap().kind(), Kind::Invalid);
    }
}
