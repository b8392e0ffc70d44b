//! The threads of the library.
//!
//! One runtime serves all registries of the process: it starts with the first call that needs it and
//! ends with the last registry.  Its threads are named `gs-worker` and block every signal, so that no
//! handler of the host and no SIGPIPE ever runs on them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use nix::sys::signal::SigSet;
use once_cell::sync::{Lazy, OnceCell};
use tokio::runtime::{Builder, Handle};

use crate::error::{Error, Kind, Result};
use crate::operation::{Doorbell, Operation};

/// How long the last registry waits for its threads.  Only a thread that hangs in the kernel, such as
/// on a dead NFS server, takes that long; it is left behind.
const SHUTDOWN_TIME: Duration = Duration::from_secs(5);

/// More threads than any host gives: a call starts up to four workers that wait for each other, so a
/// small bound could starve calls that run side by side.
const MAX_WORKERS: usize = 1 << 20;

static SHARED: Lazy<Mutex<Weak<Runtime>>> = Lazy::new(Mutex::default);

pub struct Runtime {
    tokio: OnceCell<tokio::runtime::Runtime>,
    pid: u32,
}

impl Runtime {
    /// The runtime that all registries of this process share.
    pub fn shared() -> Arc<Self> {
        let pid = std::process::id();
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.upgrade() {
            Some(runtime) if runtime.pid == pid => runtime,
            // None yet, or one whose threads stayed behind in the parent process.
            _ => {
                let runtime = Arc::new(Runtime { tokio: OnceCell::new(), pid });
                *shared = Arc::downgrade(&runtime);
                runtime
            }
        }
    }

    fn tokio(&self) -> Result<&tokio::runtime::Runtime> {
        self.tokio.get_or_try_init(|| {
            with_signals_blocked(|| {
                Builder::new_multi_thread()
                    .worker_threads(1)
                    .max_blocking_threads(MAX_WORKERS)
                    .thread_name("gs-worker")
                    .build()
            })
            .map_err(|error| Error::from_os(Kind::Failed, "cannot start the library's threads", &error))
        })
    }

    /// Runs `work`, which may block, on a thread of its own; the caller's thread is woken at its end.
    pub fn spawn<T, F>(&self, op: &Operation, work: F) -> Result<Worker<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let tokio = self.tokio()?;
        let slot = Arc::new(Slot { result: Mutex::new(None), bell: op.bell().clone() });
        let filled = slot.clone();
        let body = move || filled.fill(catch_unwind(AssertUnwindSafe(work)));
        // tokio panics when the system gives it no thread at all.
        catch_unwind(AssertUnwindSafe(|| with_signals_blocked(|| tokio.spawn_blocking(body))))
            .map_err(|_| Error::new(Kind::Failed, "cannot start a thread: the system's limit is reached"))?;
        Ok(Worker { slot })
    }

    /// Runs `work`, which may block in the kernel, so that cancel and deadline of `op` still end the
    /// call.  Without either there is nothing to guard against and `work` runs right here.
    pub fn guard<T, F>(&self, op: &Operation, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        op.check()?;
        if op.is_limited() { self.spawn(op, work)?.join(op) } else { work() }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let Some(tokio) = self.tokio.take() else {
            return;
        };
        if self.pid != std::process::id() {
            // A forked child has none of the threads that shutting down would wait for.
            std::mem::forget(tokio);
        } else if Handle::try_current().is_ok() {
            // One of the runtime's own threads frees the last registry: it cannot wait for itself.
            std::thread::spawn(move || tokio.shutdown_timeout(SHUTDOWN_TIME));
        } else {
            tokio.shutdown_timeout(SHUTDOWN_TIME);
        }
    }
}

/// A thread inherits the signal mask of the one that starts it.
fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    let mask = SigSet::thread_get_mask();
    // Both calls fail only for bad arguments, and these are not.
    let _ = SigSet::all().thread_block();
    let started = start();
    if let Ok(mask) = mask {
        let _ = mask.thread_set_mask();
    }
    started
}

/// Work on a thread of the runtime.  Dropping it leaves the work to itself.
pub struct Worker<T> {
    slot: Arc<Slot<T>>,
}

struct Slot<T> {
    result: Mutex<Option<Result<T>>>,
    bell: Arc<Doorbell>,
}

impl<T> Slot<T> {
    fn fill(&self, result: std::thread::Result<Result<T>>) {
        let result = result.unwrap_or_else(|panic| Err(Error::from_panic(panic.as_ref())));
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.bell.ring();
    }
}

impl<T> Worker<T> {
    /// The result, waiting for it on the caller's thread.  It can be had once.
    pub fn join(&self, op: &Operation) -> Result<T> {
        op.wait(|| self.slot.result.lock().unwrap_or_else(PoisonError::into_inner).take())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Cancel, Context};
    use std::sync::mpsc;

    #[test]
    fn a_worker_hands_over_its_result() {
        let op = Operation::default();
        let worker = Runtime::shared().spawn(&op, || Ok(42)).unwrap();
        assert_eq!(worker.join(&op).unwrap(), 42);
    }

    #[test]
    fn a_panic_on_a_worker_is_an_error_of_the_call() {
        let op = Operation::default();
        let worker = Runtime::shared().spawn(&op, || -> Result<()> { panic!("broken {}", 1) }).unwrap();
        let error = worker.join(&op).unwrap_err();
        assert_eq!(error.kind(), Kind::Bug);
        assert!(error.message().contains("broken 1"), "{error}");
    }

    #[test]
    fn guarded_work_that_hangs_does_not_hold_a_cancelled_call() {
        let cancel = Arc::new(Cancel::new().unwrap());
        let op = Operation::new(Some(cancel.clone()), None, Context::default());
        let (release, hang) = mpsc::channel::<()>();
        let runtime = Runtime::shared();
        let error = runtime
            .guard(&op, move || {
                cancel.trigger();
                let _ = hang.recv();
                Ok(())
            })
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Cancelled);
        drop(release);
    }

    #[test]
    fn threads_of_the_runtime_block_every_signal() {
        let op = Operation::default();
        let blocked = Runtime::shared().spawn(&op, || Ok(SigSet::thread_get_mask().ok())).unwrap();
        let blocked = blocked.join(&op).unwrap().unwrap();
        for signal in [nix::sys::signal::SIGPIPE, nix::sys::signal::SIGINT, nix::sys::signal::SIGCHLD] {
            assert!(blocked.contains(signal), "{signal}");
        }
        assert!(!SigSet::thread_get_mask().unwrap().contains(nix::sys::signal::SIGINT));
    }

    #[test]
    fn registries_share_one_runtime() {
        let first = Runtime::shared();
        assert!(Arc::ptr_eq(&first, &Runtime::shared()));
    }
}
