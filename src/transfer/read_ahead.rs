//! Random reads over anything that can fetch ranges: a small cache of blocks, and read-ahead where the
//! access is sequential, for any number of threads and any number of streams among them.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;

use super::runtime::{Runtime, Task};
use crate::error::{Error, Kind, Result};
use crate::operation::{Doorbell, Operation};

/// What the cache holds and fetches at least.
const BLOCK: u64 = 64 << 10;

/// The most that one fetch is for.
const MAX_FETCH: u64 = 2 << 20;

/// The most that is read ahead of one stream.
const MAX_AHEAD: u64 = 8 << 20;

/// The fewest blocks that a cache has.
const MIN_BLOCKS: usize = 16;

/// Something whose bytes can be fetched from anywhere.
pub trait Fetch: Send + Sync + 'static {
    /// Brings the blocks that `landing` wants, in their order.
    fn fetch(&self, landing: &mut Landing) -> impl Future<Output = Result<()>> + Send;
}

/// An image opened for random reads.
pub struct ReadAhead<F> {
    source: Arc<F>,
    runtime: Arc<Runtime>,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    size: u64,
    /// How many blocks there may be, those on their way included.
    capacity: usize,
}

#[derive(Default)]
struct State {
    blocks: HashMap<u64, Block>,
    /// How many reads under way need a block: it must not give way before they have it.
    pinned: HashMap<u64, usize>,
    /// Fetches under way.
    flights: HashMap<u64, Task<()>>,
    /// Counts uses of the cache: it dates blocks and names fetches.
    clock: u64,
    waiting: Vec<Waiter>,
}

/// A read that waits.
struct Waiter {
    /// For that block to land; none: for room.
    block: Option<u64>,
    bell: Weak<Doorbell>,
}

struct Block {
    content: Content,
    used: u64,
}

enum Content {
    Here(Bytes),
    Coming(Arc<Flight>),
}

/// A fetch, as those see it who wait for its blocks.
#[derive(Default)]
struct Flight {
    failure: OnceLock<Error>,
}

/// What a read needs to begin.
struct Plan<'a> {
    /// Fetches to start.
    runs: Vec<Landing>,
    /// Fetches that bring what is needed.
    awaited: Vec<Arc<Flight>>,
    /// Held until the blocks are copied.
    _pins: Pins<'a>,
}

/// A read's hold of the blocks that it needs.  It gets all of them at once or waits for room, so reads
/// never starve each other.
struct Pins<'a> {
    shared: &'a Shared,
    needed: RangeInclusive<u64>,
}

/// What became of the blocks that a read needs.
enum Found {
    All(Vec<Bytes>),
    /// Some did not land, though no fetch failed that the read knows of.
    Gone,
}

impl<F: Fetch> ReadAhead<F> {
    /// `memory` is the most that the blocks take together.
    pub fn new(runtime: Arc<Runtime>, source: F, size: u64, memory: u64) -> Self {
        let capacity = usize::try_from(memory / BLOCK).unwrap_or(usize::MAX).max(MIN_BLOCKS);
        let shared = Shared { state: Mutex::default(), size, capacity };
        ReadAhead { source: Arc::new(source), runtime, shared: Arc::new(shared) }
    }

    pub fn size(&self) -> u64 {
        self.shared.size
    }

    /// As pread(2): fewer bytes than asked for only at the end of the image.
    pub fn pread(&self, op: &Operation, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let left = usize::try_from(self.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        // A long read goes in steps, so that it leaves room for others.
        let step = self.shared.capacity / 4 * BLOCK as usize;
        let mut position = offset;
        for part in buffer[..wanted].chunks_mut(step) {
            let read = self.read(op, part, position);
            if read.as_ref().is_err_and(|error| error.kind() == Kind::Cancelled) {
                // The switch stops every read of this reader, so nobody waits for these any more.
                self.shared.abort();
            }
            read?;
            position += part.len() as u64;
        }
        Ok(wanted)
    }

    fn read(&self, op: &Operation, part: &mut [u8], position: u64) -> Result<()> {
        let needed = position / BLOCK..=(position + part.len() as u64 - 1) / BLOCK;
        loop {
            let mut plan = op.wait(|| self.shared.plan(needed.clone(), op.bell()))?;
            for landing in plan.runs.drain(..) {
                self.start(landing)?;
            }
            let found = op.wait(|| self.shared.collect(needed.clone(), &plan.awaited, op.bell()))??;
            if let Found::All(blocks) = found {
                copy(&blocks, (position % BLOCK) as usize, part);
                return Ok(());
            }
        }
    }

    fn start(&self, mut landing: Landing) -> Result<()> {
        let (source, flight) = (self.source.clone(), landing.id);
        let task = self.runtime.start(&Operation::default(), async move {
            if let Err(error) = source.fetch(&mut landing).await {
                landing.fail(error);
            }
            Ok(())
        })?;
        let mut state = self.shared.lock();
        // One that has ended by now is not worth remembering: the next start forgets it.
        state.flights.retain(|_, task| !task.is_finished());
        state.flights.insert(flight, task);
        Ok(())
    }
}

impl<F> Drop for ReadAhead<F> {
    fn drop(&mut self) {
        self.shared.abort();
    }
}

fn copy(blocks: &[Bytes], mut skip: usize, mut part: &mut [u8]) {
    for block in blocks {
        let count = (block.len() - skip).min(part.len());
        part[..count].copy_from_slice(&block[skip..skip + count]);
        part = &mut part[count..];
        skip = 0;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes_of(&self, block: u64) -> Range<u64> {
        let start = block * BLOCK;
        start..(start + BLOCK).min(self.size)
    }

    /// What to fetch for a read of `needed` and, when it goes on where others have read, ahead of it.
    /// None while there is no room.
    fn plan(self: &Arc<Self>, needed: RangeInclusive<u64>, bell: &Arc<Doorbell>) -> Option<Plan<'_>> {
        let mut state = self.lock();
        state.clock += 1;
        let clock = state.clock;
        for block in needed.clone() {
            if let Some(block) = state.blocks.get_mut(&block) {
                block.used = clock;
            }
        }
        let (first, last) = needed.clone().into_inner();
        let window = state.window(first, self.capacity);
        let end = (last + window).min((self.size - 1) / BLOCK);
        let mut missing: Vec<u64> = (first..=end).filter(|block| !state.blocks.contains_key(block)).collect();
        if missing.first().is_some_and(|next| *next > last + window.div_ceil(2)) {
            // Enough is ahead; the next fetch is a larger one then.
            missing.clear();
        }
        let urgent = missing.iter().filter(|block| **block <= last).count();
        let room = state.make_room(missing.len(), urgent, first..=end, self.capacity);
        if room < urgent {
            state.waiting.push(Waiter { block: None, bell: Arc::downgrade(bell) });
            return None;
        }
        missing.truncate(room);
        let runs = self.launch(&mut state, &missing);
        for block in needed.clone() {
            *state.pinned.entry(block).or_default() += 1;
        }
        let awaited = needed.clone().filter_map(|block| match &state.blocks.get(&block)?.content {
            Content::Coming(flight) => Some(flight.clone()),
            Content::Here(_) => None,
        });
        Some(Plan { awaited: awaited.collect(), runs, _pins: Pins { shared: self, needed } })
    }

    /// Turns `missing` into fetches of blocks that follow each other.
    fn launch(self: &Arc<Self>, state: &mut State, missing: &[u64]) -> Vec<Landing> {
        let follows = |before: &u64, next: &u64| before + 1 == *next;
        let runs = missing.chunk_by(follows).flat_map(|run| run.chunks((MAX_FETCH / BLOCK) as usize));
        let landings = runs.filter_map(|run| {
            let blocks = *run.first()?..*run.last()? + 1;
            let flight = Arc::new(Flight::default());
            state.clock += 1;
            for block in blocks.clone() {
                let content = Content::Coming(flight.clone());
                state.blocks.insert(block, Block { content, used: state.clock });
            }
            Some(Landing { shared: self.clone(), flight, id: state.clock, blocks })
        });
        landings.collect()
    }

    /// The blocks of a read, or none while some are on their way.
    fn collect(
        &self,
        needed: RangeInclusive<u64>,
        awaited: &[Arc<Flight>],
        bell: &Arc<Doorbell>,
    ) -> Option<Result<Found>> {
        let mut state = self.lock();
        let mut blocks = Vec::new();
        let mut coming = None;
        for block in needed {
            match state.blocks.get(&block).map(|block| &block.content) {
                Some(Content::Here(bytes)) => blocks.push(bytes.clone()),
                Some(Content::Coming(_)) => coming = Some(block),
                None => {
                    let failure = awaited.iter().find_map(|flight| flight.failure.get());
                    return Some(failure.map_or(Ok(Found::Gone), |error| Err(error.clone())));
                }
            }
        }
        if coming.is_some() {
            // Blocks land in order, so the last one brings most others with it: one waking does.
            state.waiting.push(Waiter { block: coming, bell: Arc::downgrade(bell) });
            return None;
        }
        Some(Ok(Found::All(blocks)))
    }

    fn abort(&self) {
        let flights = std::mem::take(&mut self.lock().flights);
        drop(flights);
    }
}

impl State {
    /// How many blocks to read ahead of a read that begins with block `first`: twice as many as were
    /// read just before it, and none where nothing was.
    fn window(&self, first: u64, capacity: usize) -> u64 {
        let most = (MAX_AHEAD / BLOCK).min(capacity as u64 / 4);
        let before = (0..first).rev().take(most as usize).take_while(|block| self.blocks.contains_key(block));
        match before.count() as u64 {
            0 if first > 0 => 0,
            run => (2 * run).clamp(2, most),
        }
    }

    /// Makes room for `count` blocks by dropping those that were used longest ago, but none of `kept` and
    /// none that is pinned; returns for how many there is room.  Drops nothing when there is none for the
    /// `urgent` ones.
    fn make_room(
        &mut self,
        count: usize,
        urgent: usize,
        kept: RangeInclusive<u64>,
        capacity: usize,
    ) -> usize {
        let is_free = |number: &u64, block: &Block| {
            matches!(block.content, Content::Here(_))
                && !kept.contains(number)
                && !self.pinned.contains_key(number)
        };
        let free = self.blocks.iter().filter(|(number, block)| is_free(number, block));
        let mut oldest: Vec<(u64, u64)> = free.map(|(number, block)| (block.used, *number)).collect();
        let unused = capacity.saturating_sub(self.blocks.len());
        if unused + oldest.len() < urgent {
            return 0;
        }
        oldest.sort_unstable();
        for (_, number) in oldest.iter().take(count.saturating_sub(unused)) {
            self.blocks.remove(number);
        }
        count.min(capacity.saturating_sub(self.blocks.len()))
    }

    fn unpin(&mut self, block: u64) {
        if let Some(readers) = self.pinned.get_mut(&block) {
            *readers -= 1;
            if *readers == 0 {
                self.pinned.remove(&block);
            }
        }
    }

    /// Those who wait for room.
    fn awaiting_room(&mut self) -> Vec<Waiter> {
        self.waiting.extract_if(.., |waiter| waiter.block.is_none()).collect()
    }

    /// Those who wait for that block or for room, which it can give way to.
    fn awaiting(&mut self, landed: u64) -> Vec<Waiter> {
        self.waiting.extract_if(.., |waiter| waiter.block.is_none_or(|block| block == landed)).collect()
    }
}

impl Drop for Pins<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        self.needed.clone().for_each(|block| state.unpin(block));
        let awaiting = state.awaiting_room();
        drop(state);
        ring(awaiting);
    }
}

fn ring(waiters: Vec<Waiter>) {
    waiters.into_iter().filter_map(|waiter| waiter.bell.upgrade()).for_each(|bell| bell.ring());
}

/// Where a fetch puts its blocks.
pub struct Landing {
    shared: Arc<Shared>,
    flight: Arc<Flight>,
    id: u64,
    /// Those that have not landed.
    blocks: Range<u64>,
}

impl Landing {
    /// The bytes that have not landed; none when all have.
    pub fn wanted(&self) -> Option<Range<u64>> {
        let last = self.blocks.clone().last()?;
        Some(self.shared.bytes_of(self.blocks.start).start..self.shared.bytes_of(last).end)
    }

    /// How long the blocks are that have not landed, in their order.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.blocks.clone().map(|block| {
            let bytes = self.shared.bytes_of(block);
            (bytes.end - bytes.start) as usize
        })
    }

    /// How long the next block is; none after the last.
    pub fn next_length(&self) -> Option<usize> {
        self.lengths().next()
    }

    /// Lands the next block.
    pub fn land(&mut self, bytes: Bytes) {
        if let Some(number) = self.blocks.next() {
            let mut state = self.shared.lock();
            if let Some(block) = state.blocks.get_mut(&number) {
                block.content = Content::Here(bytes);
            }
            let awaiting = state.awaiting(number);
            drop(state);
            ring(awaiting);
        }
    }

    fn fail(&mut self, error: Error) {
        // The first failure is the one that counts.
        let _ = self.flight.failure.set(error);
    }
}

impl Drop for Landing {
    /// What did not land is wanted again by whoever needs it next.
    fn drop(&mut self) {
        if self.blocks.is_empty() {
            return;
        }
        let mut state = self.shared.lock();
        for block in self.blocks.clone() {
            state.blocks.remove(&block);
        }
        self.flight.failure.get_or_init(|| Error::new(Kind::Bug, "a fetch ended before its last block"));
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        ring(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that tell their block, and which fetches brought them.
    #[derive(Default)]
    struct Recorded {
        fetched: Mutex<Vec<Range<u64>>>,
        failing: Mutex<Option<Error>>,
    }

    impl Fetch for Arc<Recorded> {
        async fn fetch(&self, landing: &mut Landing) -> Result<()> {
            let range = landing.wanted().unwrap();
            self.fetched.lock().unwrap().push(range.clone());
            assert_ne!(range.start / BLOCK, 666, "broken");
            if let Some(error) = self.failing.lock().unwrap().take() {
                return Err(error);
            }
            let mut number = range.start / BLOCK;
            while let Some(length) = landing.next_length() {
                landing.land(vec![number as u8; length].into());
                number += 1;
            }
            Ok(())
        }
    }

    fn reader(blocks: u64, memory: u64) -> (ReadAhead<Arc<Recorded>>, Arc<Recorded>) {
        let source = Arc::new(Recorded::default());
        (ReadAhead::new(Runtime::shared(), source.clone(), blocks * BLOCK - 10, memory), source)
    }

    fn read(reader: &ReadAhead<Arc<Recorded>>, offset: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0xEE; length];
        let count = reader.pread(&Operation::default(), &mut bytes, offset)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    #[test]
    fn reads_are_those_of_the_image_up_to_its_end() {
        let (reader, _) = reader(3, 64 << 20);
        assert_eq!(read(&reader, BLOCK - 2, 4).unwrap(), [0, 0, 1, 1]);
        assert_eq!(read(&reader, 3 * BLOCK - 12, 9).unwrap(), [2, 2]);
        assert_eq!(read(&reader, 3 * BLOCK - 10, 9).unwrap(), b"");
        assert_eq!(read(&reader, 0, 4 * BLOCK as usize).unwrap().len() as u64, 3 * BLOCK - 10);
    }

    #[test]
    fn sequential_reads_are_fetched_ahead_in_growing_ranges() {
        let (reader, source) = reader(512, 32 << 20);
        for step in 0..512 * 16 {
            read(&reader, step * (BLOCK / 16), 4096).unwrap();
        }
        let fetched = source.fetched.lock().unwrap().clone();
        assert!(fetched.len() < 40, "{} fetches of {fetched:?}", fetched.len());
        assert!(fetched.iter().any(|range| range.end - range.start == MAX_FETCH));
        let total: u64 = fetched.iter().map(|range| range.end - range.start).sum();
        assert_eq!(total, 512 * BLOCK - 10, "no byte was fetched twice");
    }

    #[test]
    fn scattered_reads_fetch_their_blocks_alone() {
        let (reader, source) = reader(512, 32 << 20);
        for block in [500, 100, 300, 100] {
            read(&reader, block * BLOCK + 7, 100).unwrap();
        }
        let blocks = source.fetched.lock().unwrap().clone();
        assert_eq!(blocks, [500, 100, 300].map(|block| block * BLOCK..(block + 1) * BLOCK));
    }

    #[test]
    fn the_cache_keeps_within_its_memory() {
        let (reader, _) = reader(512, 20 * BLOCK);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let reader = &reader;
                scope.spawn(move || {
                    for step in 0..200 {
                        let block = (thread * 61 + step * (1 + thread % 3)) % 509;
                        let bytes = read(reader, block * BLOCK, 3 * BLOCK as usize).unwrap();
                        assert_eq!([bytes[0], bytes[2 * BLOCK as usize]], [block as u8, (block + 2) as u8]);
                        assert!(reader.shared.lock().blocks.len() <= 20);
                    }
                });
            }
        });
    }

    /// Lets others run between any two blocks.
    struct Yielding(Arc<Recorded>);

    impl Fetch for Yielding {
        async fn fetch(&self, landing: &mut Landing) -> Result<()> {
            self.0.fetched.lock().unwrap().extend(landing.wanted());
            while let Some(length) = landing.next_length() {
                tokio::task::yield_now().await;
                landing.land(vec![0; length].into());
            }
            Ok(())
        }
    }

    #[test]
    fn reads_that_want_more_than_there_is_room_for_do_not_starve_each_other() {
        const THREADS: u64 = 8;
        const READS: u64 = 20;
        const BLOCKS: u64 = 15;
        let recorded = Arc::new(Recorded::default());
        let source = Yielding(recorded.clone());
        let reader = ReadAhead::new(Runtime::shared(), source, 100_000 * BLOCK, 64 * BLOCK);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let reader = &reader;
                scope.spawn(move || {
                    let mut buffer = vec![0; (BLOCKS * BLOCK) as usize];
                    for step in 0..READS {
                        let block = (thread * READS + step) * 97 % 99_000;
                        reader.pread(&Operation::default(), &mut buffer, block * BLOCK + 1).unwrap();
                    }
                });
            }
        });
        let fetched: u64 = recorded.fetched.lock().unwrap().iter().map(|range| range.end - range.start).sum();
        let needed = THREADS * READS * (BLOCKS + 1) * BLOCK;
        assert!(fetched < 2 * needed, "{fetched} bytes were fetched for {needed}");
        assert!(reader.shared.lock().pinned.is_empty());
    }

    #[test]
    fn a_failed_fetch_is_the_error_of_its_read_and_is_forgotten() {
        let (reader, source) = reader(512, 32 << 20);
        *source.failing.lock().unwrap() = Some(Error::new(Kind::Unavailable, "gone"));
        assert_eq!(read(&reader, 100 * BLOCK, 1).unwrap_err().message(), "gone");
        assert_eq!(read(&reader, 100 * BLOCK, 1).unwrap(), [100]);
    }

    #[test]
    fn a_fetch_that_panics_hangs_nobody() {
        let (reader, _) = reader(1000, 32 << 20);
        assert_eq!(read(&reader, 666 * BLOCK, 1).unwrap_err().kind(), Kind::Bug);
    }
}
