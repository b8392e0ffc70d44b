//! The same for many, several at a time.

use tokio::task::{JoinError, JoinSet};

use crate::error::{Error, Kind, Result};

/// How many small requests are under way at a time.
pub const AT_A_TIME: usize = 8;

/// Does `work` for every item, `limit` at a time and also for those behind one that fails; the first failure.
/// When as many have failed because nothing works at present, the rest is given up.
pub async fn each<T, F>(limit: usize, items: Vec<T>, work: impl Fn(T) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut running = JoinSet::new();
    let (mut outcome, mut outages) = (Ok(()), 0);
    let mut items = items.into_iter();
    loop {
        while running.len() < limit && outages < limit {
            let Some(item) = items.next() else { break };
            running.spawn(work(item));
        }
        if running.is_empty() {
            return outcome;
        }
        let result = next(&mut running).await;
        outages += usize::from(result.as_ref().is_err_and(is_outage));
        outcome = outcome.and(result);
    }
}

/// Does `work` to its end, also when nobody waits for it any more.
pub async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(broken(error)))
}

/// Whether what failed so will fail for others as well.
fn is_outage(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::Timeout | Kind::NotAuthenticated | Kind::Forbidden)
}

async fn next(running: &mut JoinSet<Result<()>>) -> Result<()> {
    running.join_next().await.map_or(Ok(()), |ended| ended.unwrap_or_else(|error| Err(broken(error))))
}

fn broken(error: JoinError) -> Error {
    match error.try_into_panic() {
        Ok(panic) => Error::from_panic(panic.as_ref()),
        Err(_) => Error::new(Kind::Cancelled, "the work was given up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;
    use crate::transfer::Runtime;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn all_is_done_although_some_fail() {
        let (done, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (doing, seen) = (done.clone(), most.clone());
        let error = Runtime::shared()
            .run(&Operation::default(), async move {
                let under_way = Arc::new(AtomicUsize::new(0));
                each(3, (0..20).collect(), |item| {
                    let (under_way, done, most) = (under_way.clone(), doing.clone(), seen.clone());
                    async move {
                        most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        under_way.fetch_sub(1, Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                        if item == 5 { Err(Error::new(Kind::Failed, "item 5")) } else { Ok(()) }
                    }
                })
                .await
            })
            .unwrap_err();
        assert_eq!(error.message(), "item 5");
        assert_eq!((done.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (20, 3));
    }

    #[test]
    fn where_nothing_works_not_all_is_tried() {
        for kind in [Kind::Unavailable, Kind::Timeout, Kind::NotAuthenticated, Kind::Forbidden] {
            let tried = Arc::new(AtomicUsize::new(0));
            let trying = tried.clone();
            let result = Runtime::shared().run(&Operation::default(), async move {
                each(3, (0..1000).collect(), |_| {
                    trying.fetch_add(1, Ordering::SeqCst);
                    async move { Err(Error::new(kind, "out")) }
                })
                .await
            });
            assert_eq!(result.unwrap_err().kind(), kind);
            assert!((3..6).contains(&tried.load(Ordering::SeqCst)), "{tried:?}");
        }
    }
}
