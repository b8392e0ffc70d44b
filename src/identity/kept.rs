//! A value that many tasks share and one of them makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::error::Result;

pub struct Kept<T> {
    last: Mutex<Option<Result<Arc<T>>>>,
    /// How often one was made, or failed to be.
    made: AtomicU64,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept { last: Mutex::new(None), made: AtomicU64::new(0) }
    }
}

impl<T> Kept<T> {
    /// The value that is there, if it `is_good`, else one that `make` makes.  Those who come meanwhile wait
    /// for that one, or its failure, and do not try on their own; if its maker gives up, the next of them
    /// takes over.
    pub async fn get(
        &self,
        is_good: impl Fn(&T) -> bool,
        make: impl Future<Output = Result<T>>,
    ) -> Result<Arc<T>> {
        let made_before = self.made.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        let is_new = self.made.load(Ordering::SeqCst) != made_before;
        match &*last {
            Some(result) if is_new => return result.clone(),
            Some(Ok(value)) if is_good(value) => return Ok(value.clone()),
            _ => {}
        }
        let result = make.await.map(Arc::new);
        *last = Some(result.clone());
        self.made.fetch_add(1, Ordering::SeqCst);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Kind};
    use std::future::pending;
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::oneshot;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn a_value_is_kept_while_it_is_good() {
        run(async {
            let kept = Kept::default();
            assert_eq!(*kept.get(|_| true, async { Ok(1) }).await.unwrap(), 1);
            assert_eq!(*kept.get(|_| true, async { Ok(2) }).await.unwrap(), 1);
            assert_eq!(*kept.get(|_| false, async { Ok(3) }).await.unwrap(), 3);
        });
    }

    /// Starts `count` tasks, of which the first is in the middle of making and all others wait.
    async fn flock(
        kept: &Arc<Kept<u32>>,
        count: usize,
        outcome: oneshot::Receiver<Result<u32>>,
        made: &Arc<AtomicUsize>,
    ) -> Vec<tokio::task::JoinHandle<Result<Arc<u32>>>> {
        let outcome = Arc::new(Mutex::new(Some(outcome)));
        let mut tasks = Vec::new();
        for _ in 0..count {
            let (kept, outcome, made) = (kept.clone(), outcome.clone(), made.clone());
            tasks.push(tokio::spawn(async move {
                let make = async {
                    made.fetch_add(1, Ordering::SeqCst);
                    match outcome.lock().await.take() {
                        Some(outcome) => outcome.await.unwrap(),
                        None => Ok(77),
                    }
                };
                kept.get(|_| false, make).await
            }));
        }
        tokio::task::yield_now().await;
        tasks
    }

    #[test]
    fn who_waits_gets_what_the_first_one_made() {
        for outcome in [Ok(5), Err(Error::new(Kind::NotAuthenticated, "wrong"))] {
            run(async {
                let (kept, made) = (Arc::new(Kept::default()), Arc::new(AtomicUsize::new(0)));
                let (finish, finished) = oneshot::channel();
                let tasks = flock(&kept, 100, finished, &made).await;
                finish.send(outcome.clone()).unwrap();
                for task in tasks {
                    let result = task.await.unwrap();
                    assert_eq!(
                        result.map(|value| *value).map_err(|error| error.kind()),
                        outcome.clone().map_err(|error| error.kind())
                    );
                }
                assert_eq!(made.load(Ordering::SeqCst), 1);
                // A failure is not for ever.
                assert_eq!(*kept.get(|_| false, async { Ok(6) }).await.unwrap(), 6);
            });
        }
    }

    #[test]
    fn who_gives_up_leaves_the_work_to_the_next() {
        run(async {
            let (kept, made) = (Arc::new(Kept::default()), Arc::new(AtomicUsize::new(0)));
            let (_never, finished) = oneshot::channel();
            let mut tasks = flock(&kept, 3, finished, &made).await;
            tasks.remove(0).abort();
            for task in tasks {
                assert_eq!(*task.await.unwrap().unwrap(), 77);
            }
            assert_eq!(made.load(Ordering::SeqCst), 2);
        });
    }

    #[test]
    fn an_abandoned_attempt_changes_nothing() {
        run(async {
            let kept = Kept::default();
            kept.get(|_| true, async { Ok(1) }).await.unwrap();
            let attempt = kept.get(|_| false, pending());
            assert!(tokio::time::timeout(std::time::Duration::ZERO, attempt).await.is_err());
            assert_eq!(*kept.get(|_| true, async { Ok(2) }).await.unwrap(), 1);
        });
    }
}
