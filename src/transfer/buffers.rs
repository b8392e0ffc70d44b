//! The buffers of one call: at most `transfer_memory` of them, shared by reference between the
//! threads that read, hash and store, and used again as soon as the last of these lets go.

use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::error::Result;
use crate::operation::{Doorbell, Operation};

/// A part of an image on its way.
#[derive(Clone, Debug)]
pub enum Piece {
    Data(Bytes),
    /// That many zero bytes which the source did not store.
    Hole(u64),
}

impl Piece {
    pub fn len(&self) -> u64 {
        match self {
            Piece::Data(data) => data.len() as u64,
            Piece::Hole(len) => *len,
        }
    }
}

static ZEROES: [u8; 64 << 10] = [0; 64 << 10];

/// Calls `each` with slices of zeros that together are `len` bytes, until it fails.
pub fn for_zeroes(mut len: u64, mut each: impl FnMut(&'static [u8]) -> Result<()>) -> Result<()> {
    while len > 0 {
        let step = len.min(ZEROES.len() as u64);
        each(&ZEROES[..step as usize])?;
        len -= step;
    }
    Ok(())
}

/// Whether all bytes are zeros.
pub fn is_zero(data: &[u8]) -> bool {
    // Without early exit inside a chunk, so that it is compared in wide registers.
    data.chunks(256).all(|chunk| chunk.iter().fold(0, |bits, byte| bits | byte) == 0)
}

/// The buffers of one call.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    /// How many of the bytes whoever has this may hold.
    share: u64,
}

struct Shared {
    state: Mutex<State>,
    returned: Condvar,
    returned_to_tasks: Notify,
    bell: Arc<Doorbell>,
    size: usize,
    limit: usize,
}

#[derive(Default)]
struct State {
    free: Vec<Box<[u8]>>,
    allocated: usize,
    closed: bool,
}

impl Pool {
    /// Buffers of `size` bytes, at most `memory` bytes of them and never fewer than four: one being
    /// read, one being hashed twice, one being stored and one on its way.
    pub fn new(op: &Operation, size: usize, memory: u64) -> Self {
        let limit = usize::try_from(memory / size.max(1) as u64).unwrap_or(usize::MAX).max(4);
        Pool {
            share: (size as u64).saturating_mul(limit as u64),
            shared: Arc::new(Shared {
                state: Mutex::default(),
                returned: Condvar::new(),
                returned_to_tasks: Notify::new(),
                bell: op.bell().clone(),
                size,
                limit,
            }),
        }
    }

    /// The same buffers for one of several that use them at the same time, and hold `share` bytes of them
    /// at most.
    pub fn share(&self, share: u64) -> Pool {
        Pool { shared: self.shared.clone(), share: share.min(self.share) }
    }

    /// The size of every buffer.
    pub fn buffer_size(&self) -> usize {
        self.shared.size
    }

    /// How many bytes may be held: the share, or those of all buffers.
    pub fn memory(&self) -> u64 {
        self.share
    }

    /// A buffer, waiting on the caller's thread until one is free.
    pub fn take(&self, op: &Operation) -> Result<Buffer> {
        op.wait(|| self.try_take(&mut self.lock()))
    }

    /// A buffer, if one is free.
    pub fn take_free(&self) -> Option<Buffer> {
        self.try_take(&mut self.lock())
    }

    /// A buffer, waiting on a worker's thread until one is free; none once the pool is closed.
    pub fn take_on_worker(&self) -> Option<Buffer> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(buffer) = self.try_take(&mut state) {
                return Some(buffer);
            }
            state = self.shared.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A buffer, waiting in a task of the runtime until one is free.
    pub async fn take_in_task(&self) -> Buffer {
        loop {
            let mut returned = pin!(self.shared.returned_to_tasks.notified());
            // From here on a return is not missed.
            returned.as_mut().enable();
            if let Some(buffer) = self.try_take(&mut self.lock()) {
                return buffer;
            }
            returned.await;
        }
    }

    /// Ends every wait of a worker for a buffer.
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.returned.notify_all();
    }

    fn try_take(&self, state: &mut State) -> Option<Buffer> {
        let bytes = match state.free.pop() {
            Some(bytes) => bytes,
            None if state.allocated < self.shared.limit => {
                state.allocated += 1;
                vec![0; self.shared.size].into_boxed_slice()
            }
            None => return None,
        };
        Some(Buffer { bytes, len: self.shared.size, home: self.shared.clone() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer on loan from the pool; it goes home when it is dropped.
pub struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
    home: Arc<Shared>,
}

impl Buffer {
    /// The first `len` bytes, to be shared.
    pub fn freeze(mut self, len: usize) -> Bytes {
        self.len = len.min(self.bytes.len());
        Bytes::from_owner(self)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.home.state.lock().unwrap_or_else(PoisonError::into_inner).free.push(bytes);
        self.home.returned.notify_one();
        self.home.returned_to_tasks.notify_one();
        self.home.bell.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use std::time::Duration;

    #[test]
    fn never_more_than_the_limit_is_out() {
        let op = Operation::new(None, Some(Duration::from_millis(5)), Arc::default());
        let pool = Pool::new(&op, 1024, 5 * 1024);
        let held: Vec<Buffer> = (0..5).map(|_| pool.take(&op).unwrap()).collect();
        assert_eq!(pool.take(&op).err().unwrap().kind(), Kind::Timeout);
        drop(held);
        pool.take(&Operation::default()).unwrap();
    }

    #[test]
    fn shared_bytes_return_their_buffer_with_the_last_reference() {
        let op = Operation::default();
        let pool = Pool::new(&op, 8, 0);
        let mut held: Vec<Bytes> = Vec::new();
        for _ in 0..3 {
            held.push(pool.take(&op).unwrap().freeze(8));
        }
        let mut last = pool.take(&op).unwrap();
        last.copy_from_slice(b"abcdefgh");
        let shared = last.freeze(3);
        let copy = shared.clone();
        assert_eq!(&copy[..], b"abc");
        drop(shared);
        assert_eq!(&copy[..], b"abc");
        let release = std::thread::spawn(move || drop(copy));
        assert_eq!(pool.take(&op).unwrap().len(), 8, "a buffer comes home with its full length");
        release.join().unwrap();
    }

    #[test]
    fn closing_ends_the_wait_of_a_worker() {
        let op = Operation::default();
        let pool = Pool::new(&op, 1, 4);
        let held: Vec<Buffer> = (0..4).map(|_| pool.take_on_worker().unwrap()).collect();
        let waiting = pool.clone();
        let worker = std::thread::spawn(move || waiting.take_on_worker().is_none());
        pool.close();
        assert!(worker.join().unwrap());
        drop(held);
    }

    #[test]
    fn zeroes_come_in_slices_of_the_asked_total() {
        for len in [0, 1, 65535, 65536, 65537, 1 << 20] {
            let mut total = 0;
            for_zeroes(len, |slice| {
                assert!(slice.iter().all(|b| *b == 0));
                total += slice.len() as u64;
                Ok(())
            })
            .unwrap();
            assert_eq!(total, len);
        }
    }
}
