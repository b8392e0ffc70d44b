//! The threads of the library.
//!
//! One runtime serves all registries of the process: it starts with the first call that needs it and
//! ends with the last registry.  Its threads are named `gs-worker` or `gs-io` and block every signal, so that no
//! handler of the host and no SIGPIPE ever runs on them.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::Poll;
use std::time::Duration;

use once_cell::sync::{Lazy, OnceCell};
use tokio::runtime::{Builder, Handle};
use tokio::task::AbortHandle;

use super::workers::{Workers, with_signals_blocked};
use crate::error::{Error, Kind, Result};
use crate::operation::{Doorbell, Operation};

/// How long the last registry waits for its threads.  Only a thread that hangs in the kernel, such as
/// on a dead NFS server, takes that long; it is left behind.
const SHUTDOWN_TIME: Duration = Duration::from_secs(5);

static SHARED: Lazy<Mutex<Weak<Runtime>>> = Lazy::new(Mutex::default);

pub struct Runtime {
    /// For work that blocks.
    workers: Workers,
    /// For networks; starts with the first call that needs it.
    tokio: OnceCell<tokio::runtime::Runtime>,
    pid: u32,
}

impl Runtime {
    /// The runtime that all registries of this process share.
    pub fn shared() -> Arc<Self> {
        let pid = std::process::id();
        let fresh = || Arc::new(Runtime { workers: Workers::default(), tokio: OnceCell::new(), pid });
        let Some(mut shared) = lock_shared() else {
            return fresh();
        };
        match shared.upgrade() {
            Some(runtime) if runtime.pid == pid => runtime,
            // None yet, or one whose threads stayed behind in the parent process.
            _ => {
                let runtime = fresh();
                *shared = Arc::downgrade(&runtime);
                runtime
            }
        }
    }

    fn tokio(&self) -> Result<&tokio::runtime::Runtime> {
        let build = || {
            let mut builder = Builder::new_multi_thread();
            with_signals_blocked(|| builder.worker_threads(1).thread_name("gs-io").enable_all().build())
        };
        self.tokio.get_or_try_init(|| match catch_unwind(build) {
            Ok(Ok(tokio)) => Ok(tokio),
            Ok(Err(error)) => Err(Error::from_os(Kind::Failed, "cannot start the network thread", &error)),
            // That is how tokio tells that the system gives it no thread.
            Err(_) => Err(Error::new(Kind::Failed, "cannot start the network thread: too many threads")),
        })
    }

    /// Runs `work`, which may block, on a thread of its own; the caller's thread is woken at its end.
    pub fn spawn<T, F>(&self, op: &Operation, work: F) -> Result<Worker<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let slot = Slot::new(op);
        let filled = slot.clone();
        self.workers
            .start(move || filled.fill(catch_unwind(AssertUnwindSafe(work))))
            .map_err(|error| Error::from_os(Kind::Failed, "cannot start a thread", &error))?;
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

    /// The same for work whose effects must not come after the call: one that is cancelled or whose time
    /// is spent still waits for it, as long as a cleanup may take.
    pub fn settle<T, F>(&self, op: &Operation, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        op.check()?;
        if op.is_limited() { self.spawn(op, work)?.settle(op) } else { work() }
    }

    /// Starts a future on the network thread.
    pub fn start<T, F>(&self, op: &Operation, future: F) -> Result<Task<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let tokio = self.tokio()?;
        let slot = Slot::new(op);
        let filled = slot.clone();
        let running = tokio.spawn(async move { filled.fill(caught(future).await) }).abort_handle();
        Ok(Task { slot, running })
    }

    /// Runs a future on the network thread and waits for it on the caller's.  When the call is cancelled
    /// or its time is spent the future is dropped, and its sockets close at once.
    pub fn run<T, F>(&self, op: &Operation, future: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        op.check()?;
        self.start(op, future)?.join(op)
    }
}

/// The lock is held for some instructions only, so whoever finds it taken again and again is the child of
/// a process that forked during these, where nobody will ever release it.
fn lock_shared() -> Option<MutexGuard<'static, Weak<Runtime>>> {
    const TRIES: usize = 1000;
    (0..TRIES).find_map(|_| match SHARED.try_lock() {
        Ok(shared) => Some(shared),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => {
            std::thread::sleep(Duration::from_millis(1));
            None
        }
    })
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.pid != std::process::id() {
            // A forked child has none of the threads that shutting down would wait for.
            self.workers.forget();
            std::mem::forget(self.tokio.take());
            return;
        }
        let (workers, tokio) = (std::mem::take(&mut self.workers), self.tokio.take());
        let shut_down = move || {
            workers.finish(SHUTDOWN_TIME);
            if let Some(tokio) = tokio {
                tokio.shutdown_timeout(SHUTDOWN_TIME);
            }
        };
        if is_own_thread() {
            // One of the runtime's own threads let go of the last registry: it cannot wait for itself.
            let _ = with_signals_blocked(|| std::thread::Builder::new().spawn(shut_down));
        } else {
            shut_down();
        }
    }
}

fn is_own_thread() -> bool {
    Handle::try_current().is_ok() || Workers::is_current_thread()
}

/// Work on a thread of the runtime.  Dropping it leaves the work to itself.
pub struct Worker<T> {
    slot: Arc<Slot<T>>,
}

struct Slot<T> {
    outcome: Mutex<Outcome<T>>,
    bell: Arc<Doorbell>,
}

enum Outcome<T> {
    Pending,
    Ready(Result<T>),
    Taken,
}

impl<T> Slot<T> {
    fn new(op: &Operation) -> Arc<Self> {
        Arc::new(Slot { outcome: Mutex::new(Outcome::Pending), bell: op.bell().clone() })
    }

    fn fill(&self, result: std::thread::Result<Result<T>>) {
        let result = result.unwrap_or_else(|panic| Err(Error::from_panic(panic.as_ref())));
        *self.lock() = Outcome::Ready(result);
        self.bell.ring();
    }

    fn take(&self) -> Option<Result<T>> {
        let mut outcome = self.lock();
        match std::mem::replace(&mut *outcome, Outcome::Taken) {
            Outcome::Pending => {
                *outcome = Outcome::Pending;
                None
            }
            Outcome::Ready(result) => Some(result),
            Outcome::Taken => Some(Err(Error::new(Kind::Bug, "a result was asked for twice"))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Outcome<T>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, op: &Operation) -> Result<Result<T>> {
        op.wait(|| self.take())
    }
}

impl<T> Worker<T> {
    /// The result, waiting for it on the caller's thread.  It can be had once.
    pub fn join(&self, op: &Operation) -> Result<T> {
        self.slot.wait(op)?
    }

    /// The same, waiting for the end of the work also when the call is cancelled or its time is spent, as
    /// long as a cleanup may take.
    pub fn settle(&self, op: &Operation) -> Result<T> {
        match self.slot.wait(op) {
            Ok(result) => result,
            Err(stopped) => {
                let _ = self.slot.wait(&op.cleanup());
                Err(stopped)
            }
        }
    }
}

/// Work that waits without a thread of its own.  Dropping it ends the work where it stands, with all
/// that it holds: its sockets are closed.
pub struct Task<T> {
    slot: Arc<Slot<T>>,
    running: AbortHandle,
}

impl<T> Task<T> {
    pub fn is_finished(&self) -> bool {
        self.running.is_finished()
    }

    /// The result, waiting for it on the caller's thread.  It can be had once.
    pub fn join(&self, op: &Operation) -> Result<T> {
        self.slot.wait(op)?
    }

    /// The result, if it is there already.  It can be had once.
    pub fn try_join(&self) -> Option<Result<T>> {
        self.slot.take()
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// What `work` comes to, be it a panic.
async fn caught<T>(work: impl Future<Output = T>) -> std::thread::Result<T> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Cancel;
    use std::sync::mpsc;

    #[test]
    fn a_worker_hands_over_its_result_once() {
        let op = Operation::default();
        let worker = Runtime::shared().spawn(&op, || Ok(42)).unwrap();
        assert_eq!(worker.join(&op).unwrap(), 42);
        assert_eq!(worker.join(&op).unwrap_err().kind(), Kind::Bug);
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
    fn a_task_hands_over_its_result_or_its_panic() {
        let (op, runtime) = (Operation::default(), Runtime::shared());
        assert_eq!(runtime.run(&op, async { Ok(42) }).unwrap(), 42);
        let error = runtime.run(&op, async { broken() }).unwrap_err();
        assert_eq!(error.kind(), Kind::Bug);
        assert!(error.message().contains("broken 2"), "{error}");
    }

    fn broken() -> Result<()> {
        panic!("broken {}", 2)
    }

    #[test]
    fn a_cancelled_task_lets_go_of_what_it_holds() {
        let cancel = Arc::new(Cancel::new().unwrap());
        let op = Operation::new(Some(cancel.clone()), None, Arc::default());
        let (held, released) = mpsc::channel::<()>();
        let error = Runtime::shared()
            .run(&op, async move {
                let _held = held;
                cancel.trigger();
                std::future::pending().await
            })
            .map(|(): ()| ())
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Cancelled);
        assert!(released.recv().is_err(), "the sender is gone");
    }

    #[test]
    fn guarded_work_that_hangs_does_not_hold_a_cancelled_call() {
        let cancel = Arc::new(Cancel::new().unwrap());
        let op = Operation::new(Some(cancel.clone()), None, Arc::default());
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
    fn registries_share_one_runtime() {
        let first = Runtime::shared();
        assert!(Arc::ptr_eq(&first, &Runtime::shared()));
    }
}
