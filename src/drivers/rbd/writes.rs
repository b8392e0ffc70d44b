//! Writes under way, no more than memory allows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nix::errno::Errno;

use super::errors::{Purpose, failed};
use crate::ceph::Image;
use crate::error::{Error, Result};
use crate::operation::{Doorbell, Operation};

pub struct Writes {
    state: Arc<Mutex<State>>,
    /// The most bytes under way.
    limit: usize,
    image_id: String,
}

#[derive(Default)]
struct State {
    under_way: usize,
    failure: Option<Errno>,
}

impl Writes {
    pub fn new(image_id: &str, limit: usize) -> Self {
        Writes { state: Arc::default(), limit, image_id: image_id.to_owned() }
    }

    /// Starts a write, waiting for room; fails with what an earlier one failed with.
    pub fn start(&self, op: &Operation, image: &Image, offset: u64, data: Vec<Bytes>) -> Result<()> {
        let length = data.iter().map(Bytes::len).sum();
        op.wait(|| self.make_room(length))?.map_err(|errno| self.failed(errno))?;
        let (state, bell) = (self.state.clone(), op.bell().clone());
        let written = move |result: crate::ceph::Result<usize>, data: Vec<Bytes>| {
            drop(data);
            end(&state, length, result, &bell);
        };
        image.write(offset, data, written).map_err(|errno| {
            self.lock().under_way -= length;
            self.failed(errno)
        })
    }

    /// Waits for the end of all.
    pub fn finish(&self, op: &Operation) -> Result<()> {
        let ended = op.wait(|| {
            let state = self.lock();
            let result = state.failure.map_or(Ok(()), Err);
            (result.is_err() || state.under_way == 0).then_some(result)
        })?;
        ended.map_err(|errno| self.failed(errno))
    }

    /// One that is larger than the limit goes alone.
    fn make_room(&self, length: usize) -> Option<std::result::Result<(), Errno>> {
        let mut state = self.lock();
        if let Some(errno) = state.failure {
            return Some(Err(errno));
        }
        if state.under_way > 0 && state.under_way + length > self.limit {
            return None;
        }
        state.under_way += length;
        Some(Ok(()))
    }

    fn failed(&self, errno: Errno) -> Error {
        failed("write", &self.image_id, Purpose::Writing, errno)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On a thread of librbd.
fn end(state: &Mutex<State>, length: usize, result: crate::ceph::Result<usize>, bell: &Doorbell) {
    let mut state = lock(state);
    state.under_way -= length;
    if let Err(errno) = result {
        // The first failure is the one that counts.
        state.failure.get_or_insert(errno);
    }
    drop(state);
    bell.ring();
}
