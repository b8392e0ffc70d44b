//! The timeout of file system calls that may hang, such as on a dead NFS server, and the bound on how
//! many of them may hang at once.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::options::Limits;
use crate::error::{Kind, Result};
use crate::log::{Level, Log};
use crate::operation::{Doorbell, Operation};
use crate::transfer::Runtime;

/// Runs the calls of one store that `filesystem_store_timeout` limits.
pub struct Guard {
    runtime: Arc<Runtime>,
    log: Arc<Log>,
    limits: Limits,
    slots: Arc<Slots>,
}

/// The calls that run now, and the callers that wait for one to end.
#[derive(Default)]
struct Slots {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    busy: usize,
    waiting: Vec<Weak<Doorbell>>,
}

/// One running call; its end lets the next one in, even when its caller has long given up.
struct Slot(Arc<Slots>);

impl Guard {
    pub fn new(runtime: Arc<Runtime>, log: Arc<Log>, limits: Limits) -> Self {
        Guard { runtime, log, limits, slots: Arc::default() }
    }

    /// Runs `work` within the store's timeout, the wait for its turn included.
    pub fn run<T, F>(&self, op: &Operation, doing: &str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let Some(timeout) = self.limits.timeout else {
            return self.runtime.guard(op, work);
        };
        let op = op.within(timeout);
        let slot = self.enter(&op)?;
        let limited = self.runtime.guard(&op, move || {
            let _slot = slot;
            work()
        });
        limited.map_err(|error| match error.kind() {
            Kind::Timeout => error.context(format!("{doing} (see filesystem_store_timeout)")),
            _ => error,
        })
    }

    fn enter(&self, op: &Operation) -> Result<Slot> {
        let busy = op.wait(|| self.slots.enter(self.limits.slots, op.bell()))?;
        let Limits { slots, warn_percent, .. } = self.limits;
        if busy * 100 >= slots * warn_percent {
            self.log.write(
                Level::Warn,
                "file",
                format_args!(
                    "{busy} of {slots} guarded file system calls are busy: is the file system hanging?"
                ),
            );
        }
        Ok(Slot(self.slots.clone()))
    }
}

impl Slots {
    /// Takes a slot and tells how many are taken now; none free: the bell rings when one is.
    fn enter(&self, limit: usize, bell: &Arc<Doorbell>) -> Option<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.busy < limit {
            state.busy += 1;
            return Some(state.busy);
        }
        let own = Arc::downgrade(bell);
        state.waiting.retain(|waiting| waiting.strong_count() > 0 && !waiting.ptr_eq(&own));
        state.waiting.push(own);
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy -= 1;
        state.waiting.drain(..).filter_map(|bell| bell.upgrade()).for_each(|bell| bell.ring());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    fn guard(timeout: Duration, slots: usize, warn_percent: usize) -> (Guard, Arc<Mutex<usize>>) {
        let warnings = Arc::new(Mutex::new(0));
        let counted = warnings.clone();
        let log = Log::new(Level::Warn as i32, Box::new(move |_, _, _| *counted.lock().unwrap() += 1));
        let limits = Limits { timeout: Some(timeout), slots, warn_percent };
        (Guard::new(Runtime::shared(), Arc::new(log), limits), warnings)
    }

    #[test]
    fn a_call_that_hangs_times_out_and_keeps_its_slot() {
        let (guard, _) = guard(Duration::from_millis(20), 1, 100);
        let op = Operation::default();
        let (release, hang) = mpsc::channel::<()>();
        let hanging = guard.run(&op, "looking up", move || {
            let _ = hang.recv();
            Ok(())
        });
        let error = hanging.unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout);
        assert!(error.message().contains("filesystem_store_timeout"), "{error}");
        assert_eq!(guard.run(&op, "looking up", || Ok(())).unwrap_err().kind(), Kind::Timeout);
        drop(release);
        let patient = Guard {
            limits: Limits { timeout: Some(Duration::from_secs(60)), slots: 1, warn_percent: 100 },
            ..guard
        };
        patient.run(&op, "looking up", || Ok(())).unwrap();
    }

    #[test]
    fn a_busy_pool_is_warned_of_once_per_call_over_the_threshold() {
        let (guard, warnings) = guard(Duration::from_millis(20), 3, 66);
        let op = Operation::default();
        let (release, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        for _ in 0..2 {
            let hang = hang.clone();
            let hanging = guard.run(&op, "x", move || {
                let _ = hang.lock().map(|hang| hang.recv());
                Ok(())
            });
            hanging.unwrap_err();
        }
        assert_eq!(*warnings.lock().unwrap(), 1);
        drop(release);
    }
}
