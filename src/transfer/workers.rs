//! Threads for work that blocks: one for each piece of work, gone when it is done.
//!
//! Threads of our own rather than a pool's, because the workers of one call wait for each other: what a
//! pool queued for want of a thread would never begin, and the call would hang.

use std::cell::Cell;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;

/// The threads of a runtime that have not been joined.
#[derive(Default)]
pub struct Workers(Mutex<Vec<JoinHandle<()>>>);

impl Workers {
    /// Runs `work` on a thread that blocks every signal; fails when the system has none to give.
    pub fn start(&self, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let body = || {
            IS_WORKER.set(true);
            work();
        };
        let thread = with_signals_blocked(|| thread::Builder::new().name("gs-worker".into()).spawn(body))?;
        let mut threads = self.lock();
        for ended in threads.extract_if(.., |thread| thread.is_finished()) {
            // Workers catch their panics.
            let _ = ended.join();
        }
        threads.push(thread);
        Ok(())
    }

    /// Waits for the threads to end, at most that long: one that hangs in the kernel is left behind.
    pub fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        for thread in self.lock().drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }

    /// Forgets threads that this process does not have: it is a fork of the one that started them.
    pub fn forget(&self) {
        self.lock().drain(..).for_each(std::mem::forget);
    }

    /// Whether this is a worker, of whichever runtime.
    pub fn is_current_thread() -> bool {
        IS_WORKER.get()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Calls `start` with every signal blocked, so that the threads it starts inherit that.
pub fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    /// Gives the caller's thread its own mask back, also when `start` panics.
    struct Restore(SigSet);

    impl Drop for Restore {
        fn drop(&mut self) {
            // Fails only for bad arguments.
            let _ = self.0.thread_set_mask();
        }
    }

    let _restore = SigSet::thread_get_mask().map(Restore);
    let _ = SigSet::all().thread_block();
    start()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{SIGCHLD, SIGINT, SIGPIPE};
    use std::panic::catch_unwind;
    use std::sync::mpsc;

    #[test]
    fn workers_block_every_signal_and_their_starter_none() {
        let workers = Workers::default();
        let (tell, told) = mpsc::channel();
        workers.start(move || tell.send(SigSet::thread_get_mask().unwrap()).unwrap()).unwrap();
        let blocked = told.recv().unwrap();
        for signal in [SIGCHLD, SIGINT, SIGPIPE] {
            assert!(blocked.contains(signal), "{signal}");
        }
        assert!(!SigSet::thread_get_mask().unwrap().contains(SIGINT));
    }

    #[test]
    fn the_mask_comes_back_after_a_panic() {
        catch_unwind(|| with_signals_blocked(|| panic!("no thread"))).unwrap_err();
        assert!(!SigSet::thread_get_mask().unwrap().contains(SIGINT));
    }

    #[test]
    fn finishing_waits_for_work_but_not_for_ever() {
        let workers = Workers::default();
        let (release, hang) = mpsc::channel::<()>();
        workers.start(move || assert!(hang.recv().is_err())).unwrap();
        workers.finish(Duration::ZERO);
        drop(release);
        let (tell, told) = mpsc::channel();
        workers.start(move || tell.send(()).unwrap()).unwrap();
        workers.finish(Duration::from_secs(60));
        told.try_recv().unwrap();
    }
}
