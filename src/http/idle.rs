//! Connections between two requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::url::Origin;

/// Servers close idle connections after a minute or so; finding that out costs a round trip.
const MAX_IDLE_TIME: Duration = Duration::from_secs(30);

const MAX_IDLE: usize = 32;

/// The idle connections of one client.
#[derive(Default)]
pub struct Idle {
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    origin: Origin,
    connection: Connection,
    since: Instant,
}

/// Where connections to one origin wait for the next request.
pub struct Seat {
    idle: Arc<Idle>,
    origin: Origin,
}

impl Idle {
    /// The place for connections to `origin`, be it by a proxy.
    pub fn seat(self: &Arc<Self>, origin: &Origin) -> Arc<Seat> {
        Arc::new(Seat { idle: self.clone(), origin: origin.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| one.since.elapsed() < MAX_IDLE_TIME);
        waiting
    }
}

impl Seat {
    /// The connection that was used last and is still good.
    pub fn take(&self) -> Option<Connection> {
        let mut waiting = self.idle.lock();
        while let Some(at) = waiting.iter().rposition(|one| one.origin == self.origin) {
            let connection = waiting.remove(at).connection;
            if connection.is_open() {
                return Some(connection);
            }
        }
        None
    }

    pub fn put(&self, connection: Connection) {
        if !connection.is_open() {
            return;
        }
        let mut waiting = self.idle.lock();
        if waiting.len() >= MAX_IDLE {
            waiting.remove(0);
        }
        waiting.push(Waiting { origin: self.origin.clone(), connection, since: Instant::now() });
    }
}
