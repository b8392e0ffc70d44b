//! One connection: requests out, answers in.  The wire is hyper's.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::timeout_at;

use super::error::{silence, wire};
use super::outgoing::{Outgoing, Traffic};
use crate::error::Result;

/// The most bytes that an answer's head may have, and that hyper reads at once.
const BUFFER_SIZE: usize = 128 << 10;

const MAX_HEADERS: usize = 128;

pub struct Connection {
    sender: SendRequest<Outgoing>,
    /// How long the server may be silent.
    patience: Option<Duration>,
    /// Whether it has answered a request before.
    is_used: bool,
    /// The payload of the last request.
    traffic: Option<Arc<Traffic>>,
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
        Ok(Connection {
            sender,
            patience,
            is_used: false,
            traffic: None,
            _wire: Wire(running.abort_handle()),
        })
    }

    pub fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// Whether it can take another request: not when an answer came before all of the last one was sent.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed() && self.traffic.as_ref().is_none_or(|traffic| traffic.is_done())
    }

    pub async fn ask(&mut self, mut request: Request<Outgoing>) -> Result<Asked> {
        let traffic = request.body().traffic().clone();
        self.traffic = Some(traffic.clone());
        let listener = traffic.clone();
        hyper::ext::on_informational(&mut request, move |answer| {
            if answer.status() == 100 {
                listener.give_leave();
            }
        });
        let sender = &mut self.sender;
        let asking = async move {
            sender.ready().await?;
            sender.send_request(request).await
        };
        match patiently(self.patience, &traffic, asking).await? {
            Ok(answer) => {
                traffic.withdraw();
                self.is_used = true;
                Ok(Asked::Answered(answer))
            }
            Err(error) if self.is_used && !error.is_parse() => Ok(Asked::Stale),
            Err(error) => Err(wire(&error)),
        }
    }
}

/// Waits for an answer for as long as the payload moves, and then for as long as the server may be silent.
async fn patiently<T>(
    patience: Option<Duration>,
    traffic: &Traffic,
    asking: impl Future<Output = T>,
) -> Result<T> {
    let Some(limit) = patience else {
        return Ok(asking.await);
    };
    let mut asking = pin!(asking);
    loop {
        let deadline = traffic.quiet_since() + limit;
        if let Ok(answer) = timeout_at(deadline, asking.as_mut()).await {
            return Ok(answer);
        }
        if traffic.quiet_since() + limit <= deadline {
            return Err(silence("no answer came", limit));
        }
    }
}
