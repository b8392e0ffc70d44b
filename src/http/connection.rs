//! One connection: requests out, answers in.  The wire is hyper's.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use super::error::{silence, wire, within};
use crate::error::Result;

/// The most bytes that an answer's head may have, and that hyper reads at once.
const BUFFER_SIZE: usize = 128 << 10;

const MAX_HEADERS: usize = 128;

pub struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    /// How long the server may be silent.
    patience: Option<Duration>,
    /// Whether it has answered a request before.
    is_used: bool,
    _wire: Wire,
}

/// What moves the bytes.  Dropping it closes the connection.
struct Wire(AbortHandle);

impl Drop for Wire {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What became of a request.
pub enum Asked {
    Answered(Response<Incoming>),
    /// The server had closed the connection after an earlier request: another one will do.
    Stale,
}

impl Connection {
    /// HTTP over `io`, which is connected.
    pub async fn over<T>(io: T, patience: Option<Duration>) -> Result<Self>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let handshake = Builder::new()
            .max_buf_size(BUFFER_SIZE)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(io))
            .await;
        let (sender, wire_work) = handshake.map_err(|error| wire(&error))?;
        let running = tokio::spawn(async move {
            // Whoever waits for an answer is told of the error there.
            let _ = wire_work.with_upgrades().await;
        });
        Ok(Connection { sender, patience, is_used: false, _wire: Wire(running.abort_handle()) })
    }

    pub fn patience(&self) -> Option<Duration> {
        self.patience
    }

    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub async fn ask(&mut self, request: Request<Empty<Bytes>>) -> Result<Asked> {
        let asking = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        let silent = |limit| silence("no answer came", limit);
        match within(self.patience, silent, async { Ok(asking.await) }).await? {
            Ok(answer) => {
                self.is_used = true;
                Ok(Asked::Answered(answer))
            }
            Err(error) if self.is_used && !error.is_parse() => Ok(Asked::Stale),
            Err(error) => Err(wire(&error)),
        }
    }
}
