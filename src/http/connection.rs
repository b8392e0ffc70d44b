//! One connection: requests out, heads and body bytes in.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::{cut, lost, malformed, within};
use super::head::{Head, MAX_HEAD};
use super::stream::Stream;
use crate::error::{Error, Kind, Result};

/// How much is read at once where the end of what is wanted is not known.
const READ_SIZE: usize = 16 << 10;

pub struct Connection {
    stream: Stream,
    /// What was read but not yet asked for.
    buffered: BytesMut,
    /// How long the server may be silent.
    patience: Option<Duration>,
    /// Whether it has answered a request before.
    pub is_used: bool,
    /// Whether the answer to the present request has begun.
    pub is_answered: bool,
}

impl Connection {
    pub fn new(stream: Stream, patience: Option<Duration>) -> Self {
        Connection { stream, buffered: BytesMut::new(), patience, is_used: false, is_answered: false }
    }

    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// Whether another request can be sent: nothing has come that nobody asked for.
    pub fn is_quiet(&mut self) -> bool {
        self.buffered.is_empty() && self.stream.is_quiet()
    }

    /// Sends a request without body and returns the head of its answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Head> {
        self.is_answered = false;
        let silent = |limit: Duration| silence("no answer came", limit);
        within(self.patience, silent, async {
            let sending = async {
                self.stream.write_all(request).await?;
                self.stream.flush().await
            };
            sending.await.map_err(|error| lost("the connection broke while the request was sent", &error))?;
            self.read_head().await
        })
        .await
    }

    async fn read_head(&mut self) -> Result<Head> {
        let mut interim_bytes = 0;
        loop {
            let (head, length) = self.read_any_head(MAX_HEAD - interim_bytes).await?;
            self.buffered.advance(length);
            if !head.is_interim() {
                self.is_used = true;
                return Ok(head);
            }
            if head.status == 101 {
                return Err(malformed(format_args!("it switched to another protocol, unasked")));
            }
            interim_bytes += length;
        }
    }

    async fn read_any_head(&mut self, limit: usize) -> Result<(Head, usize)> {
        let mut seen = 0;
        loop {
            // A head ends with an empty line, so only what contains one is worth parsing.  The first
            // bytes are looked at in any case: not everything that answers speaks HTTP.
            let is_worth_it =
                (seen == 0 && !self.buffered.is_empty()) || has_empty_line(&self.buffered[seen..]);
            if is_worth_it && let Some(found) = Head::parse(&self.buffered)? {
                return Ok(found);
            }
            if self.buffered.len() >= limit {
                return Err(malformed(format_args!(
                    "the head of its answer is longer than {MAX_HEAD} bytes"
                )));
            }
            seen = self.buffered.len().saturating_sub(3);
            let room = READ_SIZE.min(limit - self.buffered.len());
            if self.fill(room).await? == 0 {
                let what =
                    if self.buffered.is_empty() { "without an answer" } else { "in the head of its answer" };
                return Err(cut(what));
            }
        }
    }

    /// Some bytes of a body; 0 when the server has closed.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if !self.buffered.is_empty() {
            let count = self.buffered.len().min(buffer.len());
            self.buffered.copy_to_slice(&mut buffer[..count]);
            return Ok(count);
        }
        let reading = async { self.stream.read(buffer).await.map_err(|error| broken(&error)) };
        within(self.patience, |limit| silence("no data came", limit), reading).await
    }

    /// A line of at most `limit` bytes, without its end.
    pub async fn read_line(&mut self, limit: usize) -> Result<Bytes> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.buffered[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffered.split_to(seen + at + 1).freeze();
                line.truncate(
                    line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n")).map_or(0, <[u8]>::len),
                );
                return Ok(line);
            }
            if self.buffered.len() >= limit {
                return Err(malformed(format_args!("a line between chunks is longer than {limit} bytes")));
            }
            seen = self.buffered.len();
            let filling = within(self.patience, |limit| silence("no data came", limit), async {
                self.fill(READ_SIZE).await
            });
            if filling.await? == 0 {
                return Err(cut("in the middle of a chunked body"));
            }
        }
    }

    async fn fill(&mut self, room: usize) -> Result<usize> {
        self.buffered.reserve(room);
        let mut stream = (&mut self.stream).take(room as u64);
        let count = stream.read_buf(&mut self.buffered).await.map_err(|error| broken(&error))?;
        self.is_answered |= count > 0;
        Ok(count)
    }
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

fn broken(error: &std::io::Error) -> Error {
    lost("the connection broke", error)
}

fn silence(what: &str, limit: Duration) -> Error {
    Error::new(Kind::Timeout, format!("{what} from the server for {} s", limit.as_secs_f64()))
}
