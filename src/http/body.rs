//! The body of a response, checked against its length while it is read.

use std::sync::Arc;

use super::connection::Connection;
use super::error::{cut, malformed};
use super::head::Framing;
use super::idle::Seat;
use crate::error::{Error, Result};

/// The longest line that announces a chunk, its extensions included, or that trails the last one.
const MAX_LINE: usize = 4 << 10;

/// How many lines may trail the last chunk.
const MAX_TRAILERS: usize = 64;

/// A body on its way.  Read to its end, it gives the connection back for the next request; dropped
/// earlier, it closes the connection.
pub struct Body {
    connection: Option<Connection>,
    state: State,
    /// Where the connection goes afterwards; none when it cannot be used again.
    seat: Option<Arc<Seat>>,
    received: u64,
}

enum State {
    /// That many bytes are to come.
    Length(u64),
    /// That many bytes of the present chunk are to come, then its line end.
    InChunk(u64),
    /// The line that announces a chunk is to come.
    BeforeChunk,
    UntilClose,
    Ended,
}

impl Body {
    pub fn new(connection: Connection, framing: Framing, seat: Option<Arc<Seat>>) -> Self {
        let state = match framing {
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::BeforeChunk,
            Framing::UntilClose => State::UntilClose,
        };
        let mut body = Body { connection: Some(connection), state, seat, received: 0 };
        if matches!(body.state, State::Length(0)) {
            body.end();
        }
        body
    }

    pub fn empty() -> Self {
        Body { connection: None, state: State::Ended, seat: None, received: 0 }
    }

    /// Fills the beginning of `buffer`; 0 at the end of the body.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some(connection) = &mut self.connection else {
            return Ok(0);
        };
        if let State::BeforeChunk = self.state {
            self.state = next_chunk(connection).await?;
        }
        let left = match self.state {
            State::Length(left) | State::InChunk(left) => left,
            State::UntilClose => u64::MAX,
            State::BeforeChunk | State::Ended => 0,
        };
        if left == 0 {
            self.end();
            return Ok(0);
        }
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = connection.read(&mut buffer[..room]).await?;
        if count == 0 && room > 0 {
            return self.closed();
        }
        self.received += count as u64;
        match &mut self.state {
            State::Length(left) | State::InChunk(left) => *left -= count as u64,
            _ => {}
        }
        match self.state {
            State::Length(0) => self.end(),
            State::InChunk(0) => self.end_chunk().await?,
            _ => {}
        }
        Ok(count)
    }

    async fn end_chunk(&mut self) -> Result<()> {
        if let Some(connection) = &mut self.connection
            && !connection.read_line(MAX_LINE).await?.is_empty()
        {
            return Err(malformed(format_args!("a chunk is longer than announced")));
        }
        self.state = State::BeforeChunk;
        Ok(())
    }

    fn closed(&mut self) -> Result<usize> {
        match self.state {
            State::UntilClose => {
                self.end();
                Ok(0)
            }
            State::Length(left) => Err(self.short(format_args!("with {left} bytes to come"))),
            _ => Err(self.short(format_args!("in the middle of a chunked body"))),
        }
    }

    fn short(&self, how: std::fmt::Arguments<'_>) -> Error {
        cut(format_args!("after {} bytes of the body, {how}", self.received))
    }

    fn end(&mut self) {
        let is_clean = !matches!(self.state, State::UntilClose);
        self.state = State::Ended;
        if let (Some(connection), Some(seat)) =
            (self.connection.take(), self.seat.take().filter(|_| is_clean))
        {
            seat.put(connection);
        }
    }

    /// At most `limit` bytes from the front.
    pub async fn read_some(&mut self, limit: usize) -> Vec<u8> {
        let mut bytes = vec![0; limit];
        let mut filled = 0;
        while filled < limit {
            match self.read(&mut bytes[filled..]).await {
                // What an error's body says is a courtesy; that it broke off changes nothing.
                Ok(0) | Err(_) => break,
                Ok(count) => filled += count,
            }
        }
        bytes.truncate(filled);
        bytes
    }

    /// Reads the rest away, if that is cheaper than a new connection.
    pub async fn discard(mut self) {
        self.read_some(MAX_LINE).await;
    }
}

/// Reads the line that announces a chunk and, after the last chunk, the trailers.
async fn next_chunk(connection: &mut Connection) -> Result<State> {
    let line = connection.read_line(MAX_LINE).await?;
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let size =
        str::from_utf8(digits).ok().filter(|_| is_hex).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    match size {
        None => Err(malformed(format_args!("the size of a chunk is not a number"))),
        Some(0) => skip_trailers(connection).await,
        Some(size) => Ok(State::InChunk(size)),
    }
}

async fn skip_trailers(connection: &mut Connection) -> Result<State> {
    for _ in 0..MAX_TRAILERS {
        if connection.read_line(MAX_LINE).await?.is_empty() {
            return Ok(State::Ended);
        }
    }
    Err(malformed(format_args!("more than {MAX_TRAILERS} lines follow the last chunk")))
}
