//! Trying again: how often, and after how long.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::error::{Error, Result};
use crate::log::{Level, Log};

/// The longest pause between two attempts.  A server that asks for a longer one is not waited for.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// How often, and after how long, a request is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// How many times after the first.
    pub retries: u32,
    /// The pause before the first retry; it doubles with each.
    pub pause: Duration,
}

/// The retries of one request.
pub struct Retries {
    policy: RetryPolicy,
    done: u32,
}

impl Retries {
    pub fn new(policy: RetryPolicy) -> Self {
        Retries { policy, done: 0 }
    }

    /// All is as if nothing had failed yet.
    pub fn reset(&mut self) {
        self.done = 0;
    }

    /// How long to rest before the next attempt, where the server may have said when to come back; none
    /// when there is no next one.
    pub fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let RetryPolicy { retries, pause } = self.policy;
        let pause = jittered(pause.saturating_mul(1 << self.done.min(16)).min(MAX_PAUSE));
        let pause = asked.map_or(pause, |asked| asked.max(pause));
        if self.done >= retries || pause > MAX_PAUSE {
            return None;
        }
        self.done += 1;
        Some(pause)
    }

    pub async fn rest(&self, pause: Duration, error: &Error, log: &Log) {
        let (done, all, millis) = (self.done, self.policy.retries, pause.as_millis());
        log.write(Level::Warn, "http", format_args!("retry {done} of {all} in {millis} ms: {error}"));
        tokio::time::sleep(pause).await;
    }

    /// Waits for the time of the next attempt; the error itself when there is none.
    pub async fn pause(&mut self, error: Error, log: &Log) -> Result<()> {
        let pause = if error.is_retryable() { self.next(None) } else { None };
        let Some(pause) = pause else {
            return Err(error);
        };
        self.rest(pause, &error, log).await;
        Ok(())
    }
}

/// Between half of `pause` and all of it, so that clients that failed together do not come back
/// together.
fn jittered(pause: Duration) -> Duration {
    // A new RandomState is seeded by the system.
    let chance = (RandomState::new().hash_one(0) >> 32) as u32;
    pause / 2 + (pause / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// What `Retry-After` says: seconds or a date.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::time::UNIX_EPOCH;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_767);
        for (text, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            let asked = retry_after(&headers, now);
            assert_eq!(asked.map(|asked| asked.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn the_jitter_keeps_at_least_half_of_a_pause() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_millis(100));
            assert!((50..=100).contains(&pause.as_millis()), "{pause:?}");
        }
    }
}
