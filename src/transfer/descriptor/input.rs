//! Reading a caller's descriptor.

use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::PollFlags;
use nix::sys::stat::fstat;
use nix::sys::uio::pread;
use nix::unistd::{Whence, read};

use super::{DescriptorKind, Extent, extent_at, inspect, seek, unusable};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::chunk_reader::{Input, Portion};

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
        if inspect(fd, OFlag::O_RDONLY)?.kind != DescriptorKind::Regular {
            return Ok(DescriptorInput::Stream(fd));
        }
        let position = seek(fd, 0, Whence::SeekCur).map_err(|errno| unusable(errno.into()))?;
        Ok(DescriptorInput::Regular(RegularInput { fd, position, data_until: position }))
    }
}

impl Input for DescriptorInput<'_> {
    fn read(&mut self, op: &Operation, buffer: &mut [u8]) -> Result<Portion> {
        match self {
            DescriptorInput::Regular(file) => file.read(buffer),
            DescriptorInput::Stream(fd) => read_stream(op, *fd, buffer),
        }
    }
}

impl RegularInput<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Portion> {
        if self.position >= self.data_until {
            let end = fstat(self.fd).map_err(|errno| source_error(errno.into()))?.st_size.cast_unsigned();
            if self.position >= end {
                return Ok(Portion::End);
            }
            match extent_at(self.fd, self.position, end) {
                Extent::Data(until) => self.data_until = until,
                Extent::Hole(until) => {
                    let len = until - self.position;
                    self.position = until;
                    return Ok(Portion::Hole(len));
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
        Ok(if count == 0 { Portion::End } else { Portion::Data(count) })
    }
}

impl Drop for RegularInput<'_> {
    fn drop(&mut self) {
        // Fails only for a descriptor that has just been read, so never.
        let _ = seek(self.fd, self.position, Whence::SeekSet);
    }
}

fn read_stream(op: &Operation, fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Portion> {
    loop {
        op.wait_fd(fd, PollFlags::POLLIN)?;
        match read(fd, buffer) {
            Ok(0) => return Ok(Portion::End),
            Ok(count) => return Ok(Portion::Data(count)),
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
    use std::os::fd::AsFd;
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
