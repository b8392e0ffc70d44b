//! Writes under way, no more than memory allows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use nix::errno::Errno;

use super::errors::{Purpose, failed};
use super::marks::is_marked;
use crate::ceph::Image;
use crate::error::{Error, Kind, Result};
use crate::operation::{Doorbell, Operation};
use crate::transfer::Runtime;

pub struct Writes {
    runtime: Arc<Runtime>,
    state: Arc<Mutex<State>>,
    /// The most bytes under way.
    limit: usize,
    image_id: String,
}

#[derive(Default)]
struct State {
    under_way: usize,
    failure: Option<Errno>,
    /// Whether the cluster is being asked if it knows this client still.
    is_asked: bool,
}

/// How long nothing may come of writes before that is asked.
const PATIENCE: Duration = Duration::from_secs(2);

impl Writes {
    pub fn new(runtime: Arc<Runtime>, image_id: &str, limit: usize) -> Self {
        Writes { state: Arc::default(), limit, image_id: image_id.to_owned(), runtime }
    }

    /// Starts a write, waiting for room; fails with what an earlier one failed with.
    pub fn start(&self, op: &Operation, image: &Arc<Image>, offset: u64, data: Vec<Bytes>) -> Result<()> {
        let length = data.iter().map(Bytes::len).sum();
        self.wait(op, image, || self.make_room(length))?.map_err(|errno| self.failed(errno))?;
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
    pub fn finish(&self, op: &Operation, image: &Arc<Image>) -> Result<()> {
        let ended = self.wait(op, image, || {
            let state = self.lock();
            let result = state.failure.map_or(Ok(()), Err);
            (result.is_err() || state.under_way == 0).then_some(result)
        })?;
        ended.map_err(|errno| self.failed(errno))
    }

    /// Whether some will never end: the cluster has locked this client out.
    pub fn are_lost(&self) -> bool {
        self.lock().failure == Some(Errno::ESHUTDOWN)
    }

    /// As the operation waits, but not for what will never come: librbd keeps what it was given without a copy, and
    /// does not tell of its end, when the cluster has locked this client out.
    fn wait<T>(&self, op: &Operation, image: &Arc<Image>, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
        loop {
            match op.within(PATIENCE).wait(&mut ready) {
                Err(error) if error.kind() == Kind::Timeout => op.check().and_then(|()| self.ask(op, image))?,
                waited => return waited,
            }
        }
    }

    /// Asks the cluster for something else of the image.
    fn ask(&self, op: &Operation, image: &Arc<Image>) -> Result<()> {
        if std::mem::replace(&mut self.lock().is_asked, true) {
            return Ok(());
        }
        let (state, image) = (self.state.clone(), image.clone());
        self.runtime.spawn(op, move || {
            let answer = is_marked(&image);
            let mut state = lock(&state);
            state.is_asked = false;
            if let Err(Errno::ESHUTDOWN) = answer {
                state.failure.get_or_insert(Errno::ESHUTDOWN);
            }
            Ok(())
        })?;
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(writes: &Writes, length: usize, result: crate::ceph::Result<usize>) {
        end(&writes.state, length, result, Operation::default().bell());
    }

    #[test]
    fn no_more_is_under_way_than_memory_allows() {
        let writes = Writes::new(Runtime::shared(), "image", 4);
        assert_eq!(writes.make_room(3), Some(Ok(())));
        assert_eq!(writes.make_room(2), None);
        assert_eq!(writes.make_room(1), Some(Ok(())));
        end_of(&writes, 3, Ok(3));
        assert_eq!(writes.make_room(3), Some(Ok(())));
        end_of(&writes, 3, Ok(3));
        end_of(&writes, 1, Ok(1));
        assert_eq!(writes.make_room(9), Some(Ok(())), "what is larger than the limit goes alone");
        assert_eq!(writes.make_room(1), None);
    }

    #[test]
    fn a_write_that_failed_fails_all_that_come_after() {
        let writes = Writes::new(Runtime::shared(), "image", 4);
        for _ in 0..3 {
            assert_eq!(writes.make_room(1), Some(Ok(())));
        }
        end_of(&writes, 1, Err(Errno::EIO));
        end_of(&writes, 1, Err(Errno::ENOSPC));
        end_of(&writes, 1, Ok(1));
        assert_eq!(writes.make_room(1), Some(Err(Errno::EIO)), "the first failure is the one that counts");
        assert!(!writes.are_lost());
    }
}
