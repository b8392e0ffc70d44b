//! A cluster as one of its daemons shows it: connections that all calls of a store share, and trying again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use super::address::Address;
use super::codes;
use super::connection::{Connection, Lost};
use super::room::Space;
use super::wire::{Answer, Request};
use crate::chance;
use crate::error::{Error, Kind, Result};
use crate::log::{Level, Log};

/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// After so long without use it may have been forgotten by whatever is between us and the daemon, which would be
/// noticed only by its silence.
const MAX_IDLE_TIME: Duration = Duration::from_secs(30);

/// How many requests of one piece of work may be under way on each connection.
pub const DEPTH: usize = 4;

/// How a daemon is talked to.
#[derive(Clone)]
pub struct Settings {
    pub connect_timeout: Option<Duration>,
    /// How long the daemon may be silent.
    pub timeout: Option<Duration>,
    /// How often a request is tried again.
    pub retries: u32,
    /// The pause before the first retry; it doubles with each.
    pub pause: Duration,
    pub connections: usize,
}

pub struct Cluster {
    address: Address,
    settings: Settings,
    log: Arc<Log>,
    seats: Mutex<Vec<Arc<Seat>>>,
}

/// A place for a connection; who uses it holds it.
type Seat = OnceCell<Connection>;

impl Cluster {
    pub fn new(address: Address, settings: Settings, log: Arc<Log>) -> Self {
        Cluster { address, settings, log, seats: Mutex::default() }
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How many requests one piece of work may have under way.
    pub fn width(&self) -> usize {
        self.settings.connections * DEPTH
    }

    /// What the daemon answers, be it that it did not do what was asked.
    pub async fn call(&self, request: &Request, space: &Space) -> Result<Answer> {
        let mut pauses = (1..).zip(self.pauses());
        loop {
            let failure = match self.attempt(request, space).await {
                Ok(answer) if codes::passes(answer.result()) => {
                    Lost { error: codes::refused(answer.result()), sent: false }
                }
                Ok(answer) => return Ok(answer),
                Err(lost) => lost,
            };
            let is_final = failure.sent && !request.is_repeatable();
            let error = failure.error.context(format_args!("Sheepdog daemon at {}", self.address));
            // A daemon that was silent once, for long enough, would be silent again.
            let next = pauses.next().filter(|_| error.kind() == Kind::Unavailable && !is_final);
            let Some((retry, pause)) = next else {
                return Err(error);
            };
            self.log_retry(retry, pause, &error);
            tokio::time::sleep(pause).await;
        }
    }

    /// The pauses before retries, in their order.
    pub fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        let Settings { retries, pause, .. } = self.settings;
        (0..retries).map(move |done| jittered(pause.saturating_mul(1 << done.min(16)).min(MAX_PAUSE)))
    }

    fn log_retry(&self, retry: u32, pause: Duration, error: &Error) {
        let (retries, millis) = (self.settings.retries, pause.as_millis());
        self.log.write(
            Level::Warn,
            "sheepdog",
            format_args!("retry {retry} of {retries} in {millis} ms: {error}"),
        );
    }

    async fn attempt(&self, request: &Request, space: &Space) -> std::result::Result<Answer, Lost> {
        let seat = self.seat();
        let connection =
            seat.get_or_try_init(|| self.connect()).await.map_err(|error| Lost { error, sent: false })?;
        let room = space.room(request.answer_length()).await;
        connection.call(request, room).await
    }

    /// An idle connection, a new one while there may be more, or the one with the least to do.
    fn seat(&self) -> Arc<Seat> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let users = |seat: &Arc<Seat>| Arc::strong_count(seat) - 1;
        let is_good = |seat: &Arc<Seat>, connection: &Connection| {
            connection.is_open() && (users(seat) > 0 || connection.idle_time() < MAX_IDLE_TIME)
        };
        seats.retain(|seat| seat.get().is_none_or(|connection| is_good(seat, connection)));
        let best = seats.iter().min_by_key(|seat| users(seat));
        match best {
            Some(seat) if users(seat) == 0 || seats.len() >= self.settings.connections => seat.clone(),
            _ => {
                let seat = Arc::new(Seat::new());
                seats.push(seat.clone());
                seat
            }
        }
    }

    async fn connect(&self) -> Result<Connection> {
        let limit = self.settings.connect_timeout;
        let stream = within(limit, limit, self.dial()).await?;
        Ok(Connection::over(stream, self.settings.timeout))
    }

    /// A connection to the first address of the host that can be reached.
    async fn dial(&self) -> Result<TcpStream> {
        let (host, port) = (self.address.host(), self.address.port());
        let failed = |doing, error| Error::from_os(Kind::Unavailable, doing, &error);
        let found = lookup_host((host, port)).await.map_err(|error| failed("cannot resolve the host", error))?;
        let addresses: Vec<SocketAddr> = found.collect();
        let limit = self.settings.connect_timeout;
        // One address that swallows packets must leave time for the others.
        let share = limit.map(|limit| limit / addresses.len().max(1) as u32);
        let mut failure = Error::new(Kind::Unavailable, "the host has no address");
        for address in addresses {
            let reaching = async {
                let tcp = TcpStream::connect(address).await?;
                tcp.set_nodelay(true).map(|()| tcp)
            };
            let reached = async { reaching.await.map_err(|error| failed("cannot connect", error)) };
            match within(share, limit, reached).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Runs all of `work`, some at a time; the first failure ends the rest.
    pub async fn each<F>(&self, work: impl Iterator<Item = F>) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let mut running = JoinSet::new();
        for one in work {
            if running.len() >= self.width() {
                ended(running.join_next().await)?;
            }
            running.spawn(one);
        }
        while !running.is_empty() {
            ended(running.join_next().await)?;
        }
        Ok(())
    }
}

/// Waits for a connection, not longer than `share` of the whole limit.
async fn within<T>(
    share: Option<Duration>,
    limit: Option<Duration>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(share) = share else {
        return work.await;
    };
    tokio::time::timeout(share, work).await.unwrap_or_else(|_| {
        let seconds = limit.unwrap_or(share).as_secs_f64();
        let message = format!("no connection within {seconds} s (see sheepdog_store_connect_timeout)");
        Err(Error::new(Kind::Timeout, message))
    })
}

fn ended(result: Option<std::result::Result<Result<()>, tokio::task::JoinError>>) -> Result<()> {
    match result {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(match error.try_into_panic() {
            Ok(panic) => Error::from_panic(panic.as_ref()),
            Err(error) => Error::new(Kind::Bug, format!("a request was given up: {error}")),
        }),
    }
}

/// Between half of `pause` and all of it, so that clients that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause / 2 + (pause / 2).mul_f64(f64::from(chance()) / f64::from(u32::MAX))
}

/// A number that nobody can foresee.
pub fn chance() -> u32 {
    (chance::number() >> 32) as u32
}
