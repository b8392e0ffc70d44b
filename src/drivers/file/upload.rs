//! Writing an image file: on a worker, into a staged file that gets its name last.

use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, PosixFadviseAdvice, fallocate, posix_fadvise};
use serde_json::{Map, Value};

use super::errors::{errno_of, write_error};
use super::staging::StagedFile;
use crate::driver::{Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::location::Location;
use crate::log::{Level, Log};
use crate::operation::Operation;
use crate::transfer::{AbandonOnDrop, Piece, Queue, Runtime, Sink, Worker, data_runs, for_zeroes};

/// How many pieces may wait for the disk.
const DEPTH: usize = 4;

/// The grain in which zeros become holes: the block of nearly every file system.
const BLOCK: usize = 4096;

/// How often the kernel is told to start writing to the disk, so that the sync at the end is short.
const WRITE_BEHIND: u64 = 8 << 20;

/// How much of a written image stays in the page cache: a large one would push out all else there.
const CACHED: u64 = 64 << 20;

/// Whether a published name stands.
const PENDING: u8 = 0;
const PUBLISHED: u8 = 1;
const ABANDONED: u8 = 2;

/// What an image file shall look like.
pub struct Plan {
    pub directory: PathBuf,
    pub image_id: String,
    pub location: Location,
    pub metadata: Map<String, Value>,
    pub thin: bool,
    pub permissions: Option<u32>,
}

pub struct FileUpload {
    runtime: Arc<Runtime>,
    log: Arc<Log>,
    plan: Plan,
    staged: Arc<StagedFile>,
    queue: AbandonOnDrop<Piece>,
    writer: Worker<u64>,
    fate: Arc<AtomicU8>,
}

impl FileUpload {
    pub fn begin(runtime: Arc<Runtime>, log: Arc<Log>, op: &Operation, plan: Plan) -> Result<Self> {
        let (directory, path) = (plan.directory.clone(), plan.directory.join(&plan.image_id));
        let staged = Arc::new(runtime.settle(op, move || StagedFile::create(&directory, path))?);
        let queue = Queue::new(op, DEPTH);
        let (pieces, file, thin) = (queue.clone(), staged.clone(), plan.thin);
        let writer = runtime.spawn(op, move || {
            let pieces = AbandonOnDrop(pieces);
            Writer { staged: &file, thin, position: 0, flushed: 0 }.run(&pieces)
        })?;
        Ok(FileUpload {
            runtime,
            log,
            plan,
            staged,
            queue: AbandonOnDrop(queue),
            writer,
            fate: Arc::default(),
        })
    }

    /// On a worker also when nothing limits the call: extending a file past a size limit of the process
    /// raises a signal, which only workers block.
    fn finish_file(&self, op: &Operation, size: u64) -> Result<()> {
        let (staged, permissions, log) = (self.staged.clone(), self.plan.permissions, self.log.clone());
        let finishing = self.runtime.spawn(op, move || {
            let failed =
                |doing: &str, error: std::io::Error| write_error(doing, staged.path(), errno_of(&error));
            staged.file.set_len(size).map_err(|error| failed("extend", error))?;
            if let Some(mode) = permissions
                && let Err(error) = staged.file.set_permissions(Permissions::from_mode(mode))
            {
                let path = staged.path();
                log.write(
                    Level::Warn,
                    "file",
                    format_args!("cannot set the permissions of {path:?}: {error}"),
                );
            }
            staged.file.sync_all().map_err(|error| failed("sync", error))
        })?;
        finishing.join(op)
    }
}

impl Sink for FileUpload {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        self.queue.push(op, piece)?;
        // A writer that failed has abandoned its queue: hear why.
        if self.queue.is_abandoned() { self.writer.join(op).map(drop) } else { Ok(()) }
    }
}

impl Upload for FileUpload {
    fn prepare(&mut self, op: &Operation) -> Result<()> {
        self.queue.end();
        let size = self.writer.join(op)?;
        self.finish_file(op, size)
    }

    /// Should the file system hang for longer than a cleanup may take, the name goes again as soon as it
    /// is there.
    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        let (staged, name, fate) = (self.staged.clone(), self.plan.image_id.clone(), self.fate.clone());
        self.runtime.guard(op, move || {
            if fate.load(Ordering::SeqCst) == ABANDONED {
                return Err(Error::new(Kind::Cancelled, "given up before the image had its name"));
            }
            staged.publish(&name)?;
            match fate.compare_exchange(PENDING, PUBLISHED, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => Ok(()),
                Err(_) => staged.retract(&name),
            }
        })?;
        Ok(Stored { location: self.plan.location.clone(), metadata: self.plan.metadata.clone() })
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        self.queue.abandon();
        let fate = self.fate.compare_exchange(PENDING, ABANDONED, Ordering::SeqCst, Ordering::SeqCst);
        let is_published = fate.is_err_and(|fate| fate == PUBLISHED);
        if !is_published && !self.staged.is_named() {
            return Ok(());
        }
        let (staged, name) = (self.staged.clone(), self.plan.image_id.clone());
        self.runtime.guard(op, move || if is_published { staged.retract(&name) } else { staged.discard() })
    }
}

/// The worker's side.
struct Writer<'a> {
    staged: &'a StagedFile,
    thin: bool,
    position: u64,
    /// Up to where the kernel was told to write back.
    flushed: u64,
}

impl Writer<'_> {
    /// Writes all pieces; returns how many bytes they were.
    fn run(mut self, pieces: &Queue<Piece>) -> Result<u64> {
        while let Some(piece) = pieces.receive() {
            let len = piece.len();
            match piece {
                Piece::Data(data) => self.write(&data)?,
                Piece::Hole(len) if !self.thin => self.allocate(len, pieces)?,
                Piece::Hole(_) => {}
            }
            self.position += len;
            self.write_behind();
        }
        Ok(self.position)
    }

    fn write(&self, data: &[u8]) -> Result<()> {
        if !self.thin {
            return self.write_at(data, self.position);
        }
        let offset = |index: usize| self.position + index as u64;
        data_runs(data, self.position, BLOCK)
            .try_for_each(|run| self.write_at(&data[run.clone()], offset(run.start)))
    }

    fn write_at(&self, data: &[u8], position: u64) -> Result<()> {
        self.file().write_all_at(data, position).map_err(|error| self.failed("write", errno_of(&error)))
    }

    /// The reserved form of zeros: thick provisioning promises that writing to them never fails.
    fn allocate(&self, len: u64, pieces: &Queue<Piece>) -> Result<()> {
        match fallocate(self.file(), FallocateFlags::empty(), self.position.cast_signed(), len.cast_signed())
        {
            Ok(()) => Ok(()),
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
                let mut position = self.position;
                for_zeroes(len, |zeroes| {
                    if pieces.is_abandoned() {
                        return Err(Error::new(Kind::Cancelled, "given up while writing"));
                    }
                    self.write_at(zeroes, position)?;
                    position += zeroes.len() as u64;
                    Ok(())
                })
            }
            Err(errno) => Err(self.failed("allocate", errno)),
        }
    }

    /// Starts writing what is complete to the disk and drops what has long been written from the
    /// page cache.  Only advice: nothing depends on its success.
    fn write_behind(&mut self) {
        while self.position - self.flushed >= WRITE_BEHIND {
            self.advise_written(self.flushed);
            if let Some(old) = self.flushed.checked_sub(CACHED) {
                self.advise_written(old);
            }
            self.flushed += WRITE_BEHIND;
        }
    }

    fn advise_written(&self, from: u64) {
        let advice = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
        let _ = posix_fadvise(self.file(), from.cast_signed(), WRITE_BEHIND.cast_signed(), advice);
    }

    fn file(&self) -> &File {
        &self.staged.file
    }

    fn failed(&self, doing: &str, errno: Errno) -> Error {
        write_error(doing, self.staged.path(), errno)
    }
}
