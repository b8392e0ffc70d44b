//! A bounded queue between the caller's thread and one worker, in either direction.
//!
//! The caller's side waits in its operation, so that cancel and deadline reach it; the worker's side
//! waits here, until the caller closes the queue.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::operation::{Doorbell, Operation};

pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    bell: Arc<Doorbell>,
    depth: usize,
}

struct State<T> {
    items: VecDeque<T>,
    /// Nothing more will be put in.
    ended: bool,
    /// Nobody will take anything out.
    abandoned: bool,
}

impl<T> Queue<T> {
    pub fn new(op: &Operation, depth: usize) -> Arc<Self> {
        Arc::new(Queue {
            state: Mutex::new(State {
                items: VecDeque::with_capacity(depth),
                ended: false,
                abandoned: false,
            }),
            changed: Condvar::new(),
            bell: op.bell().clone(),
            depth,
        })
    }

    /// Caller: puts `item` in, waiting for room.  An abandoned queue swallows it: the worker that
    /// abandoned it has its reason ready.
    pub fn push(&self, op: &Operation, item: T) -> Result<()> {
        let mut item = Some(item);
        op.wait(|| {
            let mut state = self.lock();
            if state.items.len() >= self.depth && !state.abandoned {
                return None;
            }
            if !state.abandoned {
                state.items.extend(item.take());
            }
            Some(())
        })?;
        self.changed.notify_all();
        Ok(())
    }

    /// Caller: takes the next item, waiting for it; none after the end.
    pub fn pop(&self, op: &Operation) -> Result<Option<T>> {
        let item = op.wait(|| {
            let mut state = self.lock();
            match state.items.pop_front() {
                Some(item) => Some(Some(item)),
                None => state.ended.then_some(None),
            }
        })?;
        self.changed.notify_all();
        Ok(item)
    }

    /// Worker: puts `item` in, waiting for room; false when nobody wants it any more.
    pub fn send(&self, item: T) -> bool {
        let mut state = self.lock();
        while state.items.len() >= self.depth && !state.abandoned {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let wanted = !state.abandoned;
        if wanted {
            state.items.push_back(item);
        }
        drop(state);
        self.bell.ring();
        wanted
    }

    /// Worker: takes the next item, waiting for it; none after the end.
    pub fn receive(&self) -> Option<T> {
        let mut state = self.lock();
        while state.items.is_empty() && !state.ended {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let item = state.items.pop_front();
        drop(state);
        self.bell.ring();
        item
    }

    /// The side that puts in has no more; what is in stays.
    pub fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
        self.bell.ring();
    }

    /// Either side gives up: what is in is dropped, and no wait goes on.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        state.ended = true;
        state.items.clear();
        drop(state);
        self.changed.notify_all();
        self.bell.ring();
    }

    pub fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One side's hold of a queue: abandons it when that side goes without having ended it, so that whoever
/// fails, is cancelled or panics frees the other.  What is in a queue that ended stays to be taken.
pub struct AbandonOnDrop<T>(pub Arc<Queue<T>>);

impl<T> Deref for AbandonOnDrop<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Queue<T> {
        &self.0
    }
}

impl<T> Drop for AbandonOnDrop<T> {
    fn drop(&mut self) {
        if !self.0.lock().ended {
            self.0.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn items_cross_in_order_both_ways() {
        let op = Operation::default();
        let (down, up) = (Queue::new(&op, 2), Queue::new(&op, 2));
        let (requests, replies) = (down.clone(), up.clone());
        let worker = thread::spawn(move || {
            while let Some(n) = requests.receive() {
                assert!(replies.send(n * 2));
            }
            replies.end();
        });
        let mut got = Vec::new();
        for n in 0..100 {
            down.push(&op, n).unwrap();
            got.extend(up.pop(&op).unwrap());
        }
        down.end();
        assert_eq!(up.pop(&op).unwrap(), None);
        assert_eq!(got, (0..100).map(|n| n * 2).collect::<Vec<_>>());
        worker.join().unwrap();
    }

    #[test]
    fn an_abandoned_queue_frees_a_waiting_worker() {
        let op = Operation::default();
        let queue = Queue::new(&op, 1);
        let full = queue.clone();
        let worker = thread::spawn(move || full.send(1) && full.send(2));
        queue.abandon();
        assert!(!worker.join().unwrap());
        assert_eq!(queue.pop(&op).unwrap(), None);
    }

    #[test]
    fn what_a_worker_sent_before_its_end_can_still_be_taken() {
        let op = Operation::default();
        for ends in [true, false] {
            let holder = AbandonOnDrop(Queue::new(&op, 2));
            let queue = holder.0.clone();
            assert!(queue.send(1));
            if ends {
                queue.end();
            }
            drop(holder);
            assert_eq!(queue.pop(&op).unwrap(), ends.then_some(1));
            assert_eq!(queue.is_abandoned(), !ends);
        }
    }

    #[test]
    fn an_abandoned_queue_swallows_what_the_caller_puts_in() {
        let op = Operation::default();
        let queue = Queue::new(&op, 1);
        queue.abandon();
        for n in 0..3 {
            queue.push(&op, n).unwrap();
        }
        assert_eq!(queue.receive(), None);
    }
}
