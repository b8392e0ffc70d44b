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

    /// How many may be under way while that one is filled; 0 where it can only be filled by itself.
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

    /// Stores what is left and returns what became of the parts, in their order.
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
mod tests {
    use super::*;
    use crate::error::{Error, Kind};
    use crate::hash::Hex;
    use crate::transfer::HashCore;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    const BUFFER: usize = 1 << 10;

    /// Keeps parts, and may fail one.
    #[derive(Default)]
    struct Shelf {
        parts: Mutex<Vec<(u64, Vec<u8>)>>,
        failing: Option<u64>,
        under_way: AtomicUsize,
        most: AtomicUsize,
    }

    impl StorePart for Shelf {
        type Receipt = (u64, String);

        async fn store(&self, part: HeldPart) -> Result<(u64, String)> {
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(under_way, Ordering::SeqCst);
            let md5 = Hex::encode(&part.md5().await?).to_string();
            // Lets the others go first.
            tokio::time::sleep(Duration::from_millis(7 - part.number % 7)).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            if self.failing == Some(part.number) {
                return Err(Error::new(Kind::Unavailable, "the shelf broke"));
            }
            let bytes = part.chunks.whole().await?.concat();
            self.parts.lock().unwrap().push((part.number, bytes));
            Ok((part.number, md5))
        }
    }

    struct Plan {
        length: u64,
        side_by_side: usize,
    }

    impl PartPlan for Plan {
        fn length(&self, _number: u64) -> u64 {
            self.length
        }

        fn side_by_side(&self, _number: u64) -> usize {
            self.side_by_side
        }
    }

    /// Hands out `image` in pieces of these lengths, one after the other, in buffers of the pool; runs of
    /// zeros as holes where `sparse`.
    fn upload(shelf: Shelf, plan: Plan, image: &[u8], steps: &[usize], sparse: bool) -> Result<Arc<Shelf>> {
        let op = Operation::new(None, Some(Duration::from_secs(20)), Arc::default());
        let pool = Pool::new(&op, BUFFER, 32 * BUFFER as u64);
        let held = pool.share(26 * BUFFER as u64);
        let shelf = Arc::new(shelf);
        let runtime = Runtime::shared();
        let mut uploader = PartUploader::new(&runtime, shelf.clone(), Arc::new(plan), &held);
        let hashes = HashCore::start(&runtime, &op, &[], Some(uploader.digests().clone()))?;
        let (mut rest, mut steps) = (image, steps.iter().cycle());
        while !rest.is_empty() {
            let count = rest.len().min(*steps.next().unwrap());
            let (data, others) = rest.split_at(count);
            rest = others;
            if sparse && data.iter().all(|byte| *byte == 0) {
                hashes.update(&op, &Piece::Hole(count as u64))?;
                uploader.put(&op, Piece::Hole(count as u64))?;
                continue;
            }
            let mut buffer = pool.take(&op)?;
            buffer[..count].copy_from_slice(data);
            let piece = Piece::Data(buffer.freeze(count));
            hashes.update(&op, &piece)?;
            uploader.put(&op, piece)?;
        }
        hashes.finish(&op)?;
        let receipts = uploader.finish(&op)?;
        let mut parts = shelf.parts.lock().unwrap();
        parts.sort();
        for ((number, md5), (part, bytes)) in receipts.iter().zip(parts.iter()) {
            use md5::Digest;
            assert_eq!((number, md5.as_str()), (part, Hex::encode(&md5::Md5::digest(bytes)).as_str()));
        }
        assert_eq!(receipts.len(), parts.len());
        drop(parts);
        Ok(shelf)
    }

    fn image(size: usize) -> Vec<u8> {
        (0..size as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 1).collect()
    }

    #[test]
    fn parts_have_their_length_and_together_are_the_image() {
        let length = 4 * BUFFER + 64;
        for size in [0, 1, length - 1, length, length + 1, 2 * length, 7 * length + 5] {
            for steps in [&[BUFFER][..], &[1], &[BUFFER, 7, 1000], &[BUFFER - 1, BUFFER]] {
                let data = image(size);
                let plan = Plan { length: length as u64, side_by_side: 3 };
                let shelf = upload(Shelf::default(), plan, &data, steps, false).unwrap();
                assert!(shelf.most.load(Ordering::SeqCst) <= 3);
                let parts = shelf.parts.lock().unwrap();
                let lengths: Vec<usize> = parts.iter().map(|(_, bytes)| bytes.len()).collect();
                let expected: Vec<usize> = data.chunks(length).map(<[u8]>::len).collect();
                assert_eq!(lengths, expected, "{size} {steps:?}");
                let stored: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
                assert!(stored == data, "{size} {steps:?}");
            }
        }
    }

    #[test]
    fn parts_are_stored_side_by_side() {
        let plan = Plan { length: BUFFER as u64, side_by_side: 4 };
        let shelf = upload(Shelf::default(), plan, &image(12 * BUFFER), &[BUFFER], false).unwrap();
        assert_eq!(shelf.most.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn holes_are_zeros_and_need_no_memory() {
        for hole in [1, 10, BUFFER - 1, BUFFER, 100 * BUFFER] {
            let mut data = Vec::new();
            for _ in 0..5 {
                data.extend(image(100));
                data.extend(vec![0; hole]);
            }
            let plan = Plan { length: 8 * BUFFER as u64, side_by_side: 1 };
            let shelf = upload(Shelf::default(), plan, &data, &[100.min(hole)], true).unwrap();
            let parts = shelf.parts.lock().unwrap();
            let stored: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            assert!(stored == data, "{hole}");
        }
    }

    #[test]
    fn a_part_that_fails_ends_the_upload() {
        for failing in [1, 2, 9] {
            let shelf = Shelf { failing: Some(failing), ..Shelf::default() };
            let plan = Plan { length: BUFFER as u64, side_by_side: 3 };
            let error = upload(shelf, plan, &image(9 * BUFFER), &[BUFFER], false).err().unwrap();
            assert_eq!(error.message(), "the shelf broke");
        }
    }

    #[test]
    fn as_many_parts_fit_as_their_buffers() {
        let op = Operation::default();
        let pool = Pool::new(&op, BUFFER, 64 * BUFFER as u64);
        for count in 1..=8 {
            let length = longest_part(&pool, count);
            assert!(parts_that_fit(&pool, length) >= count, "{count} of {length}");
            assert!(parts_that_fit(&pool, length + 2 * BUFFER as u64) < count.max(2), "{count}");
        }
        assert_eq!(longest_part(&pool, 64), 0);
        assert_eq!(parts_that_fit(&pool.share(0), 1), 0);
    }
}
