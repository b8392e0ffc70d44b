//! An upload in parts: each is held in shared buffers until it is stored, so that it can be sent again,
//! and several are stored side by side, some of them while they are filled.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use super::buffers::{Piece, Pool, for_zeroes};
use super::growing::{Grower, Growing};
use super::packer::{DENSE, Packer};
use super::part_digests::PartDigests;
use super::runtime::{Runtime, Task};
use crate::error::Result;
use crate::operation::Operation;

/// A part of an image, held until it is stored.
pub struct HeldPart {
    /// From 1 on.
    pub number: u64,
    /// None: not known before its end.
    pub length: Option<u64>,
    pub chunks: Growing,
    digests: Arc<PartDigests>,
}

impl HeldPart {
    /// The digest of the part, waiting for it where it is still computed.
    pub async fn md5(&self) -> Result<[u8; 16]> {
        self.digests.wait(self.number).await
    }
}

/// Stores parts.  Several are under way at a time, in any order.
pub trait StorePart: Send + Sync + 'static {
    type Receipt: Send + 'static;

    fn store(&self, part: HeldPart) -> impl Future<Output = Result<Self::Receipt>> + Send;
}

/// How long parts are, and how many may be under way.
pub trait PartPlan: Send + Sync {
    /// The length of a part by its number, from 1 on, which is rounded down to a multiple of 64; the last one
    /// may be shorter.
    fn length(&self, number: u64) -> u64;

    /// How many may be under way, and held, beside that one while it is filled; 0 where it can only be filled by
    /// itself.
    fn side_by_side(&self, number: u64) -> usize;

    /// How parts are stored while they are filled; none: each is filled before.
    fn early(&self) -> Option<Early> {
        None
    }
}

/// Parts that are stored while they are filled.
#[derive(Clone, Copy, Debug)]
pub struct Early {
    /// How many may be under way, with those that are filled.
    pub at_a_time: usize,
    /// The size of the image; none: not known.
    pub size: Option<u64>,
}

/// Cuts what it is given into parts and stores these.
pub struct PartUploader<S: StorePart> {
    store: Arc<S>,
    plan: Arc<dyn PartPlan>,
    digests: Arc<PartDigests>,
    runtime: Arc<Runtime>,
    buffer_size: u64,
    packer: Packer,
    early: Option<Early>,
    part: Filling,
    /// The part behind that one, once it is under way.
    next: Option<Filling>,
    /// With their places among the receipts.
    under_way: Vec<(usize, Task<S::Receipt>)>,
    receipts: Vec<Option<S::Receipt>>,
}

/// A part that is being filled, or will be.
struct Filling {
    number: u64,
    room: u64,
    /// Where it lies in the image.
    offset: u64,
    chunks: Grower,
    /// Its place among the receipts, once it is under way.
    place: Option<usize>,
}

impl Filling {
    fn new(number: u64, offset: u64, digests: &PartDigests) -> Self {
        Filling { number, room: digests.length(number), offset, chunks: Grower::default(), place: None }
    }

    /// The empty part behind it.
    fn next(&self, digests: &PartDigests) -> Self {
        Filling::new(self.number + 1, self.offset + digests.length(self.number), digests)
    }

    /// How long it gets, where that is known while it is filled.
    fn length(&self, early: Option<Early>, digests: &PartDigests) -> Option<u64> {
        let left = early?.size?.saturating_sub(self.offset);
        Some(left.min(digests.length(self.number)))
    }
}

/// How many parts of `length` bytes can be held at a time in the memory that `pool` has for it; one of
/// them is being filled.
pub fn parts_that_fit(pool: &Pool, length: u64) -> u64 {
    // The buffers at both ends of a part may be shared with its neighbours, and each may have some air.
    let buffers = (length as f64 / (pool.buffer_size() as f64 * DENSE)).ceil() as u64 + 1;
    pool.memory() / buffers.saturating_mul(pool.buffer_size() as u64).max(1)
}

/// The length of the longest parts of which `count` can be held at a time.
pub fn longest_part(pool: &Pool, count: u64) -> u64 {
    let buffers = (pool.memory() / count.max(1) / pool.buffer_size() as u64).saturating_sub(1);
    (buffers as f64 * pool.buffer_size() as f64 * DENSE) as u64
}

impl<S: StorePart> PartUploader<S> {
    pub fn new(runtime: &Arc<Runtime>, store: Arc<S>, plan: Arc<dyn PartPlan>, pool: &Pool) -> Self {
        let digests = PartDigests::new(plan.clone());
        PartUploader {
            store,
            early: plan.early(),
            part: Filling::new(1, 0, &digests),
            next: None,
            plan,
            digests,
            runtime: runtime.clone(),
            buffer_size: pool.buffer_size() as u64,
            packer: Packer::new(pool),
            under_way: Vec::new(),
            receipts: Vec::new(),
        }
    }

    /// Where the parts expect their digests from the hash core.
    pub fn digests(&self) -> &Arc<PartDigests> {
        &self.digests
    }

    pub fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        while let Some((at, result)) = self.find_ended() {
            self.collect(at, result)?;
        }
        match piece {
            Piece::Data(data) => {
                let packed = self.packer.put(op, data)?;
                self.append_all(op, packed)
            }
            Piece::Hole(length) if length < self.buffer_size => for_zeroes(length, |zeroes| {
                let packed = self.packer.copy(op, zeroes)?;
                self.append_all(op, packed)
            }),
            Piece::Hole(length) => {
                self.pack(op)?;
                for_zeroes(length, |zeroes| self.append(op, Bytes::from_static(zeroes)))
            }
        }
    }

    /// Stores what is left and returns what became of the parts, in their order.  All of an image was put whose size
    /// is known: the request of a part that gets nothing would never end.
    pub fn finish(&mut self, op: &Operation) -> Result<Vec<S::Receipt>> {
        self.pack(op)?;
        if !self.part.chunks.is_empty() {
            self.end_part(op)?;
        }
        while !self.under_way.is_empty() {
            self.collect_next(op)?;
        }
        Ok(self.receipts.drain(..).flatten().collect())
    }

    /// Appends the small pieces that were copied together.
    fn pack(&mut self, op: &Operation) -> Result<()> {
        let packed = self.packer.finish();
        self.append_all(op, packed)
    }

    fn append_all(&mut self, op: &Operation, chunks: impl IntoIterator<Item = Bytes>) -> Result<()> {
        chunks.into_iter().try_for_each(|chunk| self.append(op, chunk))
    }

    fn append(&mut self, op: &Operation, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            let fitting = usize::try_from(self.part.room).unwrap_or(usize::MAX).min(data.len());
            self.part.room -= fitting as u64;
            self.part.chunks.push(data.split_to(fitting));
            if let Some(early) = self.early {
                self.begin_early(op, early)?;
            }
            if self.part.room == 0 {
                self.end_part(op)?;
            }
        }
        Ok(())
    }

    /// Begins to store the part that is filled, and the one behind it, which then has no time to lose when it
    /// comes to be filled: a server takes a while to be ready for a part.
    fn begin_early(&mut self, op: &Operation, early: Early) -> Result<()> {
        if self.part.place.is_none() && self.under_way.len() < early.at_a_time {
            self.part.place = Some(self.store(op, self.held(&self.part))?);
        }
        if self.next.is_none() && self.part.place.is_some() && self.under_way.len() < early.at_a_time {
            let mut next = self.part.next(&self.digests);
            if early.size.is_some_and(|size| next.offset < size) {
                next.place = Some(self.store(op, self.held(&next))?);
                self.next = Some(next);
            }
        }
        Ok(())
    }

    /// The part that is filled has all that it gets.
    fn end_part(&mut self, op: &Operation) -> Result<()> {
        if self.part.place.is_none() {
            let limit = self.early.map_or(self.plan.side_by_side(self.part.number), |early| early.at_a_time);
            while self.under_way.len() >= limit.max(1) {
                self.collect_next(op)?;
            }
            self.part.place = Some(self.store(op, self.held(&self.part))?);
        }
        let next = self.next.take().unwrap_or_else(|| self.part.next(&self.digests));
        std::mem::replace(&mut self.part, next).chunks.end();
        // Where longer parts follow, fewer of them fit beside one that is filled.
        while self.filled() > self.plan.side_by_side(self.part.number) {
            self.collect_next(op)?;
        }
        Ok(())
    }

    /// How many parts are under way beside the one that is filled.
    fn filled(&self) -> usize {
        self.under_way.iter().filter(|(place, _)| Some(*place) != self.part.place).count()
    }

    fn held(&self, part: &Filling) -> HeldPart {
        let length = part.length(self.early, &self.digests);
        HeldPart {
            number: part.number,
            length,
            chunks: part.chunks.growing().clone(),
            digests: self.digests.clone(),
        }
    }

    /// Begins to store a part; returns its place among the receipts.
    fn store(&mut self, op: &Operation, part: HeldPart) -> Result<usize> {
        let store = self.store.clone();
        let task = self.runtime.start(op, async move { store.store(part).await })?;
        let place = self.receipts.len();
        self.under_way.push((place, task));
        self.receipts.push(None);
        Ok(place)
    }

    fn find_ended(&self) -> Option<(usize, Result<S::Receipt>)> {
        self.under_way.iter().enumerate().find_map(|(at, (_, task))| Some((at, task.try_join()?)))
    }

    fn collect(&mut self, at: usize, result: Result<S::Receipt>) -> Result<()> {
        let (place, _) = self.under_way.swap_remove(at);
        self.receipts[place] = Some(result?);
        Ok(())
    }

    /// Waits for a part to end, whichever is first.
    fn collect_next(&mut self, op: &Operation) -> Result<()> {
        let (at, result) = op.wait(|| self.find_ended())?;
        self.collect(at, result)
    }
}

#[cfg(test)]
mod tests;
