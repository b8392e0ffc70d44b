//! An image on its way out of a pool: several reads at a time, handed on in order.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use nix::errno::Errno;

use super::backend::{Backend, OpenImage};
use super::errors::{Purpose, failed};
use super::layout::{Layout, Stretch};
use super::location::Place;
use crate::ceph;
use crate::driver::{Download, Part};
use crate::error::Result;
use crate::operation::Operation;
use crate::transfer::{Buffer, Piece, Pool, Source, data_runs};

/// The most that one read is for; they end at multiples of it.  Of larger ones librados holds on to much more memory
/// than is under way.
const MAX_READ: u64 = 2 << 20;

/// The grain in which zeros are told.
const GRAIN: usize = 64 << 10;

/// The most that all reads under way are for: librados needs as much once more.
const MAX_UNDER_WAY: u64 = 16 << 20;

pub struct RbdDownload {
    backend: Arc<Backend>,
    place: Place,
    image: Arc<OpenImage>,
    layout: Layout,
    pool: Pool,
    range: Range<u64>,
    /// How far reads have been started.
    position: u64,
    /// What has been started and not handed on.
    steps: VecDeque<Step>,
    /// How many bytes of buffers those have.
    held: u64,
    ready: VecDeque<Piece>,
    /// Whether what was read may be an image that is going away.
    is_doubtful: bool,
}

enum Step {
    Hole(u64),
    /// Of that many bytes from a position on.
    Read { slot: Arc<Slot>, start: u64, length: u64 },
}

/// Where a read leaves what it got.
type Slot = Mutex<Option<(ceph::Result<usize>, Vec<Buffer>)>>;

impl RbdDownload {
    pub fn open(backend: &Arc<Backend>, op: &Operation, place: Place, part: Part, pool: &Pool) -> Result<Self> {
        let named = place.clone();
        let (image, size) = backend.run(op, move |backend| {
            let image = backend.open(&named)?;
            let size = image.size().map_err(|errno| failed("measure", &named.image, Purpose::Reading, errno))?;
            Ok((image, size))
        })?;
        let (image, range) = (Arc::new(image), part.of(size));
        Ok(RbdDownload {
            backend: backend.clone(),
            place,
            layout: Layout::new(image.clone(), backend.runtime.clone(), range.clone()),
            image,
            pool: pool.clone(),
            position: range.start,
            range,
            steps: VecDeque::new(),
            held: 0,
            ready: VecDeque::new(),
            is_doubtful: false,
        })
    }

    /// Starts as many reads as half the memory is enough for: who takes the pieces needs buffers as well.
    fn read_ahead(&mut self, op: &Operation) -> Result<()> {
        let most = (self.pool.memory() / 2).min(MAX_UNDER_WAY);
        while self.position < self.range.end && (self.steps.is_empty() || self.held < most) {
            match self.layout.at(op, self.position)? {
                Stretch::Hole { end } => {
                    self.steps.push_back(Step::Hole(end - self.position));
                    self.position = end;
                }
                Stretch::Data { end } => {
                    let read_end = (self.position / MAX_READ + 1) * MAX_READ;
                    if !self.start_read(op, end.min(read_end))? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Starts to read up to `end` or as far as buffers are free; false when none is.
    fn start_read(&mut self, op: &Operation, end: u64) -> Result<bool> {
        let wanted = end - self.position;
        let size = self.pool.buffer_size() as u64;
        let mut buffers: Vec<Buffer> =
            (0..wanted.div_ceil(size)).map_while(|_| self.pool.take_free()).collect();
        if buffers.is_empty() && self.steps.is_empty() {
            buffers.push(self.pool.take(op)?);
        }
        let memory = buffers.len() as u64 * size;
        let length = wanted.min(memory);
        if length == 0 {
            return Ok(false);
        }
        let (slot, bell) = (Arc::new(Slot::default()), op.bell().clone());
        let filled = slot.clone();
        let done = move |result, buffers| {
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some((result, buffers));
            bell.ring();
        };
        self.image
            .read(self.position, length as usize, buffers, done)
            .map_err(|errno| self.backend.failed_read(&self.place, errno))?;
        self.steps.push_back(Step::Read { slot, start: self.position, length });
        self.position += length;
        self.held += memory;
        Ok(true)
    }

    /// Hands on what a read got, whose buffers may hold more than was read.
    fn land(&mut self, result: ceph::Result<usize>, buffers: Vec<Buffer>, start: u64, length: u64) -> Result<()> {
        self.held -= buffers.len() as u64 * self.pool.buffer_size() as u64;
        // Less than all would be an image that shrinks.
        let read = result.and_then(|count| if count as u64 == length { Ok(()) } else { Err(Errno::EIO) });
        read.map_err(|errno| self.backend.failed_read(&self.place, errno))?;
        let end = start + length;
        let mut position = start;
        for buffer in buffers {
            let step = (end - position).min(buffer.len() as u64);
            self.land_buffer(position, &buffer.freeze(step as usize));
            position += step;
        }
        Ok(())
    }

    /// Zeros are told as holes: the layout knows of whole objects only.
    fn land_buffer(&mut self, position: u64, bytes: &Bytes) {
        let mut done = 0;
        for run in data_runs(bytes, position, GRAIN) {
            self.land_hole(run.start - done);
            done = run.end;
            self.ready.push_back(Piece::Data(bytes.slice(run)));
        }
        self.land_hole(bytes.len() - done);
    }

    fn land_hole(&mut self, length: usize) {
        if length > 0 {
            self.is_doubtful = true;
            self.ready.push_back(Piece::Hole(length as u64));
        }
    }

    /// Zeros may be those of an image, or what is read of one that has been deleted.
    fn confirm(&mut self, op: &Operation) -> Result<()> {
        if std::mem::take(&mut self.is_doubtful) {
            let (place, image) = (self.place.clone(), self.image.clone());
            self.backend.run(op, move |backend| backend.confirm(&place, &image))?;
        }
        Ok(())
    }
}

impl Source for RbdDownload {
    fn next(&mut self, op: &Operation) -> Result<Option<Piece>> {
        loop {
            self.read_ahead(op)?;
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            match self.steps.pop_front() {
                None => {
                    self.confirm(op)?;
                    return Ok(None);
                }
                Some(Step::Hole(length)) => {
                    self.is_doubtful = true;
                    return Ok(Some(Piece::Hole(length)));
                }
                Some(Step::Read { slot, start, length }) => {
                    let (result, buffers) =
                        op.wait(|| slot.lock().unwrap_or_else(PoisonError::into_inner).take())?;
                    self.land(result, buffers, start, length)?;
                }
            }
        }
    }
}

impl Download for RbdDownload {
    fn length(&self) -> Option<u64> {
        Some(self.range.end - self.range.start)
    }

    fn file(&self) -> Option<(&File, Range<u64>)> {
        None
    }
}
