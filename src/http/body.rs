//! The body of an answer, while it comes.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::connection::Connection;
use super::error::{malformed, silence, wire};
use super::idle::Seat;
use crate::error::Result;

/// How much is worth reading away to keep a connection.
const WORTH_READING: usize = 4 << 10;

/// How long what is only nice to have may take.
const COURTESY: Duration = Duration::from_secs(1);

/// A body on its way.  Read to its end, it gives the connection back for the next request; dropped
/// earlier, it closes the connection.
pub struct Body {
    /// With the place that the connection has between requests.
    source: Option<(Incoming, Connection, Arc<Seat>)>,
    /// What has come but was not read yet.
    frame: Bytes,
    patience: Patience,
}

/// How long the server has been silent.  One timer serves the whole body: setting one for every frame
/// would wake the network thread each time.
#[derive(Default)]
struct Patience(Option<Pin<Box<Sleep>>>);

impl Patience {
    async fn wait<T>(&mut self, limit: Option<Duration>, coming: impl Future<Output = T>) -> Result<T> {
        let Some(limit) = limit else {
            return Ok(coming.await);
        };
        let mut coming = pin!(coming);
        let mut since = None;
        poll_fn(|context| {
            if let Poll::Ready(value) = coming.as_mut().poll(context) {
                return Poll::Ready(Ok(value));
            }
            let since = *since.get_or_insert_with(Instant::now);
            let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(since + limit)));
            while timer.as_mut().poll(context).is_ready() {
                if since.elapsed() >= limit {
                    return Poll::Ready(Err(silence("no data came", limit)));
                }
                // It was set for an earlier frame.
                timer.as_mut().reset(since + limit);
            }
            Poll::Pending
        })
        .await
    }
}

impl Body {
    pub fn new(incoming: Incoming, connection: Connection, seat: Arc<Seat>) -> Self {
        let is_empty = incoming.is_end_stream();
        let mut body = Body {
            source: Some((incoming, connection, seat)),
            frame: Bytes::new(),
            patience: Patience::default(),
        };
        if is_empty {
            body.end();
        }
        body
    }

    pub fn empty() -> Self {
        Body { source: None, frame: Bytes::new(), patience: Patience::default() }
    }

    /// Fills the beginning of `buffer`; 0 at the end of the body.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.frame.is_empty() {
            let Some((incoming, connection, _)) = &mut self.source else {
                return Ok(0);
            };
            let frame = self.patience.wait(connection.patience(), incoming.frame()).await?;
            match frame {
                // Trailers are no data.
                Some(Ok(frame)) => {
                    self.frame = frame.into_data().unwrap_or_default();
                    if incoming.is_end_stream() {
                        self.end();
                    }
                }
                Some(Err(error)) => return Err(wire(&error)),
                None => self.end(),
            }
        }
        let count = self.frame.len().min(buffer.len());
        self.frame.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }

    fn end(&mut self) {
        if let Some((_, connection, seat)) = self.source.take() {
            seat.put(connection);
        }
    }

    /// At most `limit` bytes from the front: those that come soon.
    pub async fn read_some(&mut self, limit: usize) -> Vec<u8> {
        let mut bytes = vec![0; limit];
        let mut filled = 0;
        let reading = async {
            while filled < limit {
                match self.read(&mut bytes[filled..]).await {
                    // What an error's body says is a courtesy; that it broke off changes nothing.
                    Ok(0) | Err(_) => break,
                    Ok(count) => filled += count,
                }
            }
        };
        // Nor does it that it is late.
        let _ = timeout(COURTESY, reading).await;
        bytes.truncate(filled);
        bytes
    }

    /// All of it, which must not be more than `limit` bytes.
    pub async fn read_all(mut self, limit: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; (limit + 1).min(64 << 10)];
        loop {
            match self.read(&mut buffer).await? {
                0 => return Ok(bytes),
                count if bytes.len() + count > limit => {
                    return Err(malformed(format_args!("its answer has more than {limit} bytes")));
                }
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Reads the rest away, if that is cheaper than a new connection.
    pub async fn discard(mut self) {
        self.read_some(WORTH_READING).await;
    }
}
