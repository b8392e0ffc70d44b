//! The driver against a cluster in memory, which does as it is told, and against what a real daemon said.

mod deletions;
mod faults;
mod full;
mod images;
mod leftovers;
mod recorded;
#[path = "../../../../ctests/servers/sheepdog-server/server/mod.rs"]
// The program that other tests talk to uses more of it.
#[allow(dead_code, unused_imports)]
mod server;
mod strangers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::error::{Error, Kind};
use crate::transfer::Piece;
use server::{Action, Config, Request, Server};

const MIB: usize = 1 << 20;

/// Objects of 1 MiB, so that small images have several.
fn small() -> Config {
    Config { shift: 20, ..Config::default() }
}

/// Patience for a busy machine, and no pauses.
fn settings() -> Settings {
    let patience = Some(Duration::from_secs(20));
    Settings { connect_timeout: patience, timeout: patience, retries: 0, pause: Duration::ZERO, connections: 2 }
}

fn driver_at(port: u16, settings: Settings) -> SheepdogDriver {
    let address = Address::new("127.0.0.1", port).unwrap();
    let log = Arc::new(Log::new(0, Box::new(|_, _, _| {})));
    SheepdogDriver {
        cluster: Arc::new(Cluster::new(address, settings.clone(), log.clone())),
        settings,
        chunk_size: 64 << 20,
        copies: 0,
        cache_memory: 4 << 20,
        runtime: Runtime::shared(),
        log,
    }
}

impl SheepdogDriver {
    fn location(&self, id: &str) -> Location {
        location::location_of(self.address(), id)
    }

    /// Adds as the library does: with what follows a failure.
    fn add(&self, op: &Operation, id: &str, size: Option<u64>, pieces: Vec<Piece>) -> Result<Location> {
        self.add_with(op, id, size, pieces, &Pool::new(op, MIB, 16 * MIB as u64))
    }

    fn add_with(
        &self,
        op: &Operation,
        id: &str,
        size: Option<u64>,
        pieces: Vec<Piece>,
        pool: &Pool,
    ) -> Result<Location> {
        let mut upload = self.begin(op, id, size, pool)?;
        let put = pieces.into_iter().try_for_each(|piece| upload.put(op, piece));
        let stored = put.and_then(|()| upload.prepare(op)).and_then(|()| {
            op.check()?;
            upload.publish(&op.cleanup())
        });
        if stored.is_err() {
            // A server that takes nothing any more keeps what it has.
            let _ = upload.abort(&op.cleanup());
        }
        stored.map(|stored| stored.location)
    }

    fn add_bytes(&self, id: &str, bytes: &[u8]) -> Location {
        self.add(&Operation::default(), id, Some(bytes.len() as u64), pieces_of(bytes, 700_000)).unwrap()
    }

    fn get_part(&self, op: &Operation, location: &Location, part: Part) -> Result<Vec<u8>> {
        let pool = Pool::new(op, 100_000, 1_000_000);
        let mut download = Driver::open(self, op, location, part, &pool)?;
        let mut bytes = Vec::new();
        while let Some(piece) = download.next(op)? {
            match piece {
                Piece::Data(data) => bytes.extend_from_slice(&data),
                Piece::Hole(length) => bytes.resize(bytes.len() + length as usize, 0),
            }
        }
        assert_eq!(download.length(), Some(bytes.len() as u64));
        Ok(bytes)
    }

    fn get(&self, location: &Location) -> Result<Vec<u8>> {
        self.get_part(&Operation::default(), location, Part::default())
    }
}

fn pieces_of(bytes: &[u8], length: usize) -> Vec<Piece> {
    bytes.chunks(length).map(|piece| Piece::Data(bytes::Bytes::copy_from_slice(piece))).collect()
}

/// Bytes that differ wherever a mistake would put others: what they repeat is no part of any object.
fn image(size: usize) -> Vec<u8> {
    const PERIOD: u32 = 65_521;
    let period: Vec<u8> = (1..=PERIOD).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut bytes = period.repeat(size / period.len() + 1);
    bytes.truncate(size);
    bytes
}

/// Does with the request of that number, from 0 on, what `action` says, and answers all others.
fn on(number: usize, action: impl Fn() -> Action + Send + Sync + 'static) -> Script {
    from_to(number, number + 1, action)
}

/// The same with all from the first number on to before the other.
fn from_to(first: usize, end: usize, action: impl Fn() -> Action + Send + Sync + 'static) -> Script {
    let counted = AtomicUsize::new(0);
    Box::new(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        number if (first..end).contains(&number) => action(),
        _ => Action::Answer,
    })
}

/// What the cluster is to do with a request.
type Deed = fn() -> Action;

type Script = Box<dyn Fn(&Request) -> Action + Send + Sync>;

/// Checks kind and words of an error, and that it is one line.
#[track_caller]
fn assert_error(error: Error, kind: Kind, words: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(words), "{words:?} is not in {error}");
    assert!(!error.message().contains('\n'), "{error}");
}

/// Whoever breaks off is noticed by the next to send or by the one who waits.
#[track_caller]
fn assert_broken_off(error: Error) {
    let words = ["closed the connection", "the connection broke", "cannot send"];
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(words.iter().any(|words| error.message().contains(words)), "{error}");
}
