//! An image on its way out of a pool: several reads at a time, handed on in order.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::backend::{Backend, OpenImage};
use super::errors::{Purpose, failed};
use super::layout::{Layout, Stretch};
use super::location::Place;
use crate::driver::{Download, Part};
use crate::error::Result;
use crate::operation::Operation;
use crate::transfer::{Buffer, Piece, Pool, Source, is_zero};

/// The most that one read is for; they end at multiples of it.
const MAX_READ: u64 = 4 << 20;

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
    Read(Arc<Slot>, u64),
}

/// Where a read leaves what it got.
type Slot = Mutex<Option<(crate::ceph::Result<usize>, Vec<Buffer>)>>;

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
        while self.position < self.range.end && (self.steps.is_empty() || self.held < self.pool.memory() / 2) {
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
            .map_err(|errno| failed("read", &self.place.image, Purpose::Reading, errno))?;
        self.steps.push_back(Step::Read(slot, length));
        self.position += length;
        self.held += memory;
        Ok(true)
    }

    /// Hands on what a read got, whose buffers may hold more than was read.
    fn land(&mut self, result: crate::ceph::Result<usize>, buffers: Vec<Buffer>, length: u64) -> Result<()> {
        self.held -= buffers.len() as u64 * self.pool.buffer_size() as u64;
        // Less than all would be an image that shrinks.
        let read = result.and_then(|count| if count as u64 == length { Ok(()) } else { Err(nix::errno::Errno::EIO) });
        read.map_err(|errno| failed("read", &self.place.image, Purpose::Reading, errno))?;
        let mut left = length as usize;
        for buffer in buffers {
            let step = buffer.len().min(left);
            left -= step;
            self.is_doubtful |= is_zero(&buffer[..step]);
            self.ready.push_back(Piece::Data(buffer.freeze(step)));
        }
        Ok(())
    }

    /// Zeros may be those of an image, or what is read of one that has been deleted.
    fn confirm(&mut self, op: &Operation) -> Result<()> {
        if std::mem::take(&mut self.is_doubtful) {
            let place = self.place.clone();
            self.backend.run(op, move |backend| backend.confirm(&place))?;
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
                Some(Step::Read(slot, length)) => {
                    let (result, buffers) =
                        op.wait(|| slot.lock().unwrap_or_else(PoisonError::into_inner).take())?;
                    self.land(result, buffers, length)?;
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
