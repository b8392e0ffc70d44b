//! Getting an image, as glance_store's `ImageIterator` did: in order, with several reads under way.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::room::Space;
use super::vdi::Vdi;
use crate::driver::Download;
use crate::error::Result;
use crate::operation::Operation;
use crate::transfer::{Piece, Pool, Runtime, Source, Task};

pub struct SheepdogDownload {
    runtime: Arc<Runtime>,
    vdi: Arc<Vdi>,
    pool: Pool,
    /// The owners of the objects from that number on.
    owners: Vec<u32>,
    first_object: u32,
    range: Range<u64>,
    /// Up to where reads were begun.
    position: u64,
    under_way: VecDeque<Step>,
}

/// A part of the image, in its order.
enum Step {
    Hole(u64),
    Read(Task<Vec<Bytes>>),
}

impl SheepdogDownload {
    /// `owners` are those of the objects that hold `range`.
    pub fn new(
        runtime: Arc<Runtime>,
        vdi: Arc<Vdi>,
        owners: Vec<u32>,
        range: Range<u64>,
        pool: &Pool,
    ) -> Self {
        let first_object = vdi.header.objects_of(&range).start;
        let (pool, position) = (pool.clone(), range.start);
        SheepdogDownload {
            runtime,
            vdi,
            pool,
            owners,
            first_object,
            range,
            position,
            under_way: VecDeque::new(),
        }
    }

    /// How many reads may be under way: half of the buffers are for what waits behind the bytes that the
    /// caller is to get next.
    fn width(&self) -> usize {
        let buffers = self.pool.memory() / (2 * self.pool.buffer_size() as u64);
        usize::try_from(buffers).unwrap_or(usize::MAX).clamp(1, self.vdi.cluster.width())
    }

    fn begin_step(&mut self, op: &Operation) -> Result<()> {
        let (index, offset) = self.vdi.header.object_at(self.position);
        let object_left = self.vdi.header.object_size() - u64::from(offset);
        let left = object_left.min(self.range.end - self.position);
        let owner = self.owners.get((index - self.first_object) as usize).copied().unwrap_or_default();
        if owner == 0 {
            self.position += left;
            match self.under_way.back_mut() {
                Some(Step::Hole(length)) => *length += left,
                _ => self.under_way.push_back(Step::Hole(left)),
            }
            return Ok(());
        }
        let length = left.min(self.pool.buffer_size() as u64);
        let (vdi, space) = (self.vdi.clone(), Space::Pooled(self.pool.clone()));
        let task = self
            .runtime
            .start(op, async move { vdi.read(owner, index, offset, length as u32, &space).await })?;
        self.position += length;
        self.under_way.push_back(Step::Read(task));
        Ok(())
    }
}

impl Source for SheepdogDownload {
    fn next(&mut self, op: &Operation) -> Result<Option<Piece>> {
        while self.position < self.range.end && self.under_way.len() < self.width() {
            self.begin_step(op)?;
        }
        match self.under_way.pop_front() {
            None => Ok(None),
            Some(Step::Hole(length)) => Ok(Some(Piece::Hole(length))),
            // Whatever fails here ends the download.
            Some(Step::Read(task)) => Ok(task.join(op)?.into_iter().next().map(Piece::Data)),
        }
    }
}

impl Download for SheepdogDownload {
    fn length(&self) -> Option<u64> {
        Some(self.range.end - self.range.start)
    }

    fn file(&self) -> Option<(&File, Range<u64>)> {
        None
    }
}
