//! Who uses something that must not be closed before the last of them is through.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use super::Result;

#[derive(Default)]
pub struct Uses {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    count: usize,
    closed: bool,
}

/// One use, until it is dropped.
pub struct Use(Arc<Uses>);

impl Uses {
    /// Begins a use; fails once it is closed.
    pub fn begin(self: &Arc<Self>) -> Result<Use> {
        let mut state = self.lock();
        if state.closed {
            return Err(Errno::EBADF);
        }
        state.count += 1;
        Ok(Use(self.clone()))
    }

    /// Lets no other use begin and waits for the end of all; false when that was done before.
    pub fn close(&self) -> bool {
        let mut state = self.lock();
        let is_first = !state.closed;
        state.closed = true;
        while state.count > 0 {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        is_first
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.lock().count -= 1;
        self.0.ended.notify_all();
    }
}
