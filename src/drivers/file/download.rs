//! Reading image files: in order on a worker that reads ahead, or anywhere by many threads.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::errors::{errno_of, read_error};
use crate::driver::{Download, Reader};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::{AbandonOnDrop, Extent, Piece, Pool, Queue, Runtime, Source, Worker, extent_at};

/// How many pieces are read ahead.
const DEPTH: usize = 4;

pub struct FileDownload {
    runtime: Arc<Runtime>,
    pool: Pool,
    image: Arc<OpenImage>,
    range: Range<u64>,
    ahead: Option<ReadAhead>,
}

/// An image file that is open.
pub struct OpenImage {
    pub file: File,
    pub path: PathBuf,
}

struct ReadAhead {
    queue: AbandonOnDrop<Piece>,
    worker: Worker<()>,
}

impl FileDownload {
    pub fn new(runtime: Arc<Runtime>, pool: Pool, image: OpenImage, range: Range<u64>) -> Self {
        FileDownload { runtime, pool, image: Arc::new(image), range, ahead: None }
    }

    fn start(&self, op: &Operation) -> Result<ReadAhead> {
        let queue = Queue::new(op, DEPTH);
        let (pieces, image, range, pool) =
            (queue.clone(), self.image.clone(), self.range.clone(), self.pool.clone());
        let worker = self.runtime.spawn(op, move || {
            let pieces = AbandonOnDrop(pieces);
            image.read_ahead(range, &pool, &pieces)
        })?;
        Ok(ReadAhead { queue: AbandonOnDrop(queue), worker })
    }
}

impl Source for FileDownload {
    fn next(&mut self, op: &Operation) -> Result<Option<Piece>> {
        let ahead = match self.ahead.take() {
            Some(ahead) => ahead,
            None => self.start(op)?,
        };
        let piece = ahead.queue.pop(op)?;
        if piece.is_none() {
            ahead.worker.join(op)?;
            self.range.start = self.range.end;
        }
        self.ahead = Some(ahead);
        Ok(piece)
    }
}

impl Download for FileDownload {
    fn length(&self) -> Option<u64> {
        Some(self.range.end - self.range.start)
    }

    fn file(&self) -> Option<(&File, Range<u64>)> {
        Some((&self.image.file, self.range.clone()))
    }
}

impl Drop for FileDownload {
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl OpenImage {
    pub fn size(&self) -> Result<u64> {
        let metadata = self.file.metadata().map_err(|error| self.failed(&error))?;
        Ok(metadata.len())
    }

    fn failed(&self, error: &io::Error) -> Error {
        read_error("read", &self.path, errno_of(error))
    }

    /// The worker's side: puts the data and the holes of `range` into the queue.
    fn read_ahead(&self, range: Range<u64>, pool: &Pool, pieces: &Queue<Piece>) -> Result<()> {
        // Only advice.
        let _ = posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL);
        let mut position = range.start;
        while position < range.end {
            let until = match extent_at(&self.file, position, range.end) {
                Extent::Hole(until) => {
                    if !pieces.send(Piece::Hole(until - position)) {
                        return Ok(());
                    }
                    until
                }
                Extent::Data(until) => match self.read_data(position..until, pool, pieces)? {
                    true => until,
                    false => return Ok(()),
                },
            };
            position = until;
        }
        pieces.end();
        Ok(())
    }

    /// False when nobody wants the rest.
    fn read_data(&self, range: Range<u64>, pool: &Pool, pieces: &Queue<Piece>) -> Result<bool> {
        let mut position = range.start;
        while position < range.end {
            let Some(mut buffer) = pool.take_on_worker() else {
                return Ok(false);
            };
            let room = usize::try_from(range.end - position).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.read_at(&mut buffer[..room], position)?;
            if count < room {
                let end = position + count as u64;
                let message = format!("the image {:?} was cut to {end} bytes while it was read", self.path);
                return Err(Error::new(Kind::Failed, message));
            }
            if !pieces.send(Piece::Data(buffer.freeze(count))) {
                return Ok(false);
            }
            position += count as u64;
        }
        Ok(true)
    }

    /// Fills `buffer`, or as much of it as the file has.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(filled)
    }
}

/// An image file opened for random reads.
pub struct FileReader {
    image: OpenImage,
    size: u64,
}

impl FileReader {
    pub fn new(image: OpenImage) -> Result<Self> {
        Ok(FileReader { size: image.size()?, image })
    }
}

impl Reader for FileReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn pread(&self, op: &Operation, buffer: &mut [u8], offset: u64) -> Result<usize> {
        op.check()?;
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let room = left.min(buffer.len());
        self.image.read_at(&mut buffer[..room], offset)
    }
}
