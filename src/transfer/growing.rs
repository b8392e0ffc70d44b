//! The chunks of a part, which may be sent while it is filled: they stay until the part is stored, so that it can
//! be sent again.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::error::{Error, Kind, Result};

/// Chunks that more may follow, for everybody who sends or keeps them.
#[derive(Clone, Default)]
pub struct Growing(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    chunks: Vec<Bytes>,
    /// Whether all are there, once no more come.
    end: Option<bool>,
    waiting: Vec<Waker>,
}

impl State {
    fn wait(&mut self, context: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            self.waiting.push(context.waker().clone());
        }
    }
}

impl Growing {
    /// The chunk at `index`, waiting for it; none: no more come.
    pub fn poll_chunk(&self, index: usize, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.lock();
        if let Some(chunk) = state.chunks.get(index) {
            return Poll::Ready(Some(chunk.clone()));
        }
        if state.end.is_some() {
            return Poll::Ready(None);
        }
        state.wait(context);
        Poll::Pending
    }

    /// How many bytes they are together, once all are there.
    pub fn length(&self) -> Option<u64> {
        let state = self.lock();
        state.end.filter(|is_whole| *is_whole)?;
        Some(state.chunks.iter().map(|chunk| chunk.len() as u64).sum())
    }

    /// Whether some will never be there.
    pub fn is_given_up(&self) -> bool {
        self.lock().end == Some(false)
    }

    /// All chunks, once they are there.
    pub async fn whole(&self) -> Result<Vec<Bytes>> {
        poll_fn(|context| {
            let mut state = self.lock();
            match state.end {
                Some(true) => Poll::Ready(Ok(state.chunks.clone())),
                Some(false) => {
                    Poll::Ready(Err(Error::new(Kind::Cancelled, "a part was not filled to its end")))
                }
                None => {
                    state.wait(context);
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who fills a part.  Letting go of it before its end tells everybody that no more chunks come.
#[derive(Default)]
pub struct Grower(Growing);

impl Grower {
    pub fn growing(&self) -> &Growing {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().chunks.is_empty()
    }

    pub fn push(&self, chunk: Bytes) {
        self.change(|state| state.chunks.push(chunk));
    }

    /// All chunks are there.
    pub fn end(self) {
        self.change(|state| state.end = Some(true));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock();
        change(&mut state);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Grower {
    fn drop(&mut self) {
        self.change(|state| {
            state.end.get_or_insert(false);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    fn chunk(growing: &Growing, index: usize) -> Poll<Option<Bytes>> {
        growing.poll_chunk(index, &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn chunks_are_there_as_they_come_and_stay() {
        let grower = Grower::default();
        let growing = grower.growing().clone();
        assert!(grower.is_empty());
        assert_eq!(chunk(&growing, 0), Poll::Pending);
        grower.push(Bytes::from_static(b"one"));
        for _ in 0..2 {
            assert_eq!(chunk(&growing, 0), Poll::Ready(Some(Bytes::from_static(b"one"))));
        }
        assert_eq!(chunk(&growing, 1), Poll::Pending);
        grower.end();
        assert_eq!(chunk(&growing, 1), Poll::Ready(None));
    }

    #[test]
    fn whoever_waits_for_the_whole_gets_it_or_an_error() {
        let runtime = Builder::new_current_thread().build().unwrap();
        for is_ended in [true, false] {
            let grower = Grower::default();
            let growing = grower.growing().clone();
            let waiting = runtime.spawn(async move { growing.whole().await });
            runtime.block_on(tokio::task::yield_now());
            grower.push(Bytes::from_static(b"one"));
            grower.push(Bytes::from_static(b"two"));
            if is_ended {
                grower.end()
            } else {
                drop(grower)
            }
            let whole = runtime.block_on(waiting).unwrap();
            assert_eq!(whole.map(|chunks| chunks.concat()).ok(), is_ended.then(|| b"onetwo".to_vec()));
        }
    }
}
