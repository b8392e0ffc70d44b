//! An image, or a part of it, on its way: over one connection or several, and on from where a
//! connection broke.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use super::error::{over_total, within};
use super::image::{Image, Opened, nothing_came};
use super::retry::Retries;
use crate::error::{Error, Kind, Result};
use crate::log::Level;
use crate::operation::{Doorbell, Operation};
use crate::transfer::{Piece, Pool, Runtime, Source, Task};

/// How many full buffers of a single connection may wait for the caller.
const DEPTH: usize = 4;

/// The longest range that is asked for at once when several are under way.
const MAX_SEGMENT: u64 = 16 << 20;

/// How long a buffer may wait to become full.
const MAX_DELAY: Duration = Duration::from_millis(100);

/// After so much progress, a connection that breaks is the first to break.
const PROGRESS: u64 = 1 << 20;

/// How a download is done.
#[derive(Clone, Copy)]
pub struct Manner {
    /// How many connections one download may use.
    pub connections: usize,
    /// A connection that brings so many bytes per second is not what holds a download up: more of them
    /// would only crowd the processor's cache.
    pub fast: u64,
    /// How long it may take in all.
    pub limit: Option<Duration>,
}

pub struct Download {
    image: Arc<Image>,
    runtime: Arc<Runtime>,
    pool: Pool,
    manner: Manner,
    deadline: Option<Instant>,
    length: Option<u64>,
    /// Up to where the caller has everything.
    delivered: u64,
    /// Where the next segment begins.
    position: u64,
    /// Where the last segment ends, where that is known.
    end: Option<u64>,
    /// How long segments are, once there are several.
    segment: u64,
    /// How many connections are used now: one, until that is found slow.
    connections: usize,
    pace: Pace,
    /// What `open` has begun.
    first: Option<Opened>,
    under_way: VecDeque<Segment>,
}

/// How long the caller has waited for how much.
#[derive(Default)]
struct Pace {
    bytes: u64,
    waited: Duration,
}

/// A part of the image that one connection brings.
struct Segment {
    pieces: Receiver<Piece>,
    /// It may be brought forward while the segment is under way.
    end: Arc<AtomicU64>,
    task: Task<()>,
}

impl Download {
    /// Asks for `length` bytes from `offset` on, or for all; the answer's head has come then.
    pub fn open(
        runtime: &Arc<Runtime>,
        op: &Operation,
        image: Image,
        offset: u64,
        length: Option<u64>,
        manner: Manner,
        pool: &Pool,
    ) -> Result<Self> {
        let image = Arc::new(image);
        // A range that begins where no number goes on has no end to ask for.
        let end = length.map(|length| offset.saturating_add(length)).filter(|end| *end > offset);
        let deadline = manner.limit.and_then(|limit| Instant::now().checked_add(limit));
        let (asked, limit) = (image.clone(), manner.limit);
        let prefix = image.client().prefix();
        let opening = async move { within_total(prefix, limit, deadline, asked.open(offset, end)).await };
        let first = runtime.run(op, opening)?;
        let end = match image.size() {
            Some(size) => Some(end.unwrap_or(size).min(size).max(offset)),
            None => end,
        };
        let can_split = first.has_ranges && image.size().is_some() && image.is_recognisable();
        // Half of the memory is for what waits behind the bytes that the caller is to get next.
        let share = pool.memory() / (2 * manner.connections.max(1) as u64);
        let buffer = pool.buffer_size() as u64;
        Ok(Download {
            length: image.size().and(end).map(|end| end - offset),
            image,
            runtime: runtime.clone(),
            pool: pool.clone(),
            manner: Manner { connections: if can_split { manner.connections } else { 1 }, ..manner },
            deadline,
            delivered: offset,
            position: offset,
            end,
            segment: share.min(MAX_SEGMENT) / buffer * buffer,
            connections: 1,
            pace: Pace::default(),
            first: Some(first),
            under_way: VecDeque::new(),
        })
    }

    /// How many bytes will come, where the server told.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Begins the next segment; false when there is none.
    fn start(&mut self, op: &Operation) -> Result<bool> {
        let is_done = self.first.is_none() && self.end.is_none_or(|end| self.position >= end);
        if is_done || self.under_way.len() >= self.connections {
            return Ok(false);
        }
        let until = self.end.unwrap_or(u64::MAX);
        let (end, depth) = match self.connections {
            1 => (until, DEPTH),
            _ => (
                until.min(self.position + self.segment),
                (self.segment / self.pool.buffer_size() as u64) as usize,
            ),
        };
        let (sender, pieces) = channel(depth);
        let shared_end = Arc::new(AtomicU64::new(end));
        let bringer = Bringer {
            image: self.image.clone(),
            pool: self.pool.clone(),
            pieces: sender,
            bell: op.bell().clone(),
            start: self.position,
            position: self.position,
            end: shared_end.clone(),
        };
        let (first, limit, deadline) = (self.first.take(), self.manner.limit, self.deadline);
        let prefix = self.image.client().prefix();
        let task = self
            .runtime
            .start(op, async move { within_total(prefix, limit, deadline, bringer.bring(first)).await })?;
        self.under_way.push_back(Segment { pieces, end: shared_end, task });
        self.position = end;
        Ok(true)
    }

    /// Brings in the other connections when one has been slow over the length of a segment.
    fn speed_up(&mut self) {
        if self.connections >= self.manner.connections || self.segment == 0 || self.pace.bytes < self.segment
        {
            return;
        }
        let Pace { bytes, waited } = std::mem::take(&mut self.pace);
        let is_fast = bytes as f64 >= waited.as_secs_f64() * self.manner.fast as f64;
        let [only] = self.under_way.make_contiguous() else {
            return;
        };
        // It goes on for as long as it may have gone already, and to the end of its segment.
        let most_under_way = (DEPTH as u64 + 2) * self.pool.buffer_size() as u64;
        let split = self.delivered + self.segment.max(most_under_way);
        if !is_fast && self.end.is_some_and(|end| split < end) {
            only.end.store(split, Ordering::SeqCst);
            self.position = split;
            self.connections = self.manner.connections;
        }
    }

    /// A server that finds several connections too many, and refuses or drops them, is asked by one.
    fn go_on_alone(&mut self, error: &Error) {
        let client = self.image.client();
        client.log().write(
            Level::Warn,
            "http",
            format_args!("going on with one connection (see {}_connections): {error}", client.prefix()),
        );
        self.under_way.clear();
        self.position = self.delivered;
        self.manner.connections = 1;
        self.connections = 1;
    }
}

impl Source for Download {
    fn next(&mut self, op: &Operation) -> Result<Option<Piece>> {
        loop {
            self.speed_up();
            while self.start(op)? {}
            let Some(segment) = self.under_way.front_mut() else {
                return Ok(None);
            };
            let began = Instant::now();
            let piece = op.wait(|| match segment.pieces.try_recv() {
                Ok(piece) => Some(Some(piece)),
                Err(TryRecvError::Disconnected) => Some(None),
                Err(TryRecvError::Empty) => None,
            })?;
            if let Some(piece) = piece {
                self.delivered += piece.len();
                self.pace.bytes += piece.len();
                self.pace.waited += began.elapsed();
                return Ok(Some(piece));
            }
            match segment.task.join(op) {
                Ok(()) => drop(self.under_way.pop_front()),
                Err(error) if self.connections > 1 && error.is_retryable() => self.go_on_alone(&error),
                Err(error) => return Err(error),
            }
        }
    }
}

async fn within_total<T>(
    prefix: &str,
    limit: Option<Duration>,
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let spent = |_| over_total(prefix, limit.unwrap_or_default());
    within(left, spent, work).await
}

/// Brings one segment, in pieces.
struct Bringer {
    image: Arc<Image>,
    pool: Pool,
    pieces: Sender<Piece>,
    bell: Arc<Doorbell>,
    start: u64,
    position: u64,
    /// `u64::MAX` while nobody knows where it is.
    end: Arc<AtomicU64>,
}

impl Bringer {
    async fn bring(mut self, first: Option<Opened>) -> Result<()> {
        let mut retries = Retries::new(self.image.client().retry_policy());
        let mut opened = first;
        while self.left() > 0 {
            let mut source = match opened.take() {
                Some(opened) => opened,
                None => self.image.open(self.position, self.known_end()).await?,
            };
            let before = self.position;
            match self.pour(&mut source).await {
                Ok(()) => {
                    if source.is_at_end() {
                        self.end.fetch_min(self.position, Ordering::SeqCst);
                    }
                    self.check_rest(before)?;
                    source.close().await;
                }
                Err(error) => {
                    let error = self.check_resumable(error)?;
                    if self.position - before >= PROGRESS {
                        retries.reset();
                    }
                    retries.pause(error, self.image.client().log()).await?;
                }
            }
        }
        Ok(())
    }

    fn known_end(&self) -> Option<u64> {
        Some(self.end.load(Ordering::SeqCst)).filter(|end| *end != u64::MAX)
    }

    fn left(&self) -> u64 {
        self.end.load(Ordering::SeqCst).saturating_sub(self.position)
    }

    /// A server may send less than it was asked for; checks that the rest can be asked for then.
    fn check_rest(&self, before: u64) -> Result<()> {
        match self.left() {
            0 => Ok(()),
            _ if self.position == before => Err(nothing_came()),
            _ => {
                let short = Error::new(Kind::Unavailable, "the server sent less than it was asked for");
                self.check_resumable(short).map(drop)
            }
        }
    }

    fn check_resumable(&self, error: Error) -> Result<Error> {
        if self.position == self.start || self.image.is_recognisable() || !error.is_retryable() {
            return Ok(error);
        }
        Err(error.context(format_args!(
            "the transfer cannot go on after {} bytes, for the server gives neither ETag nor Last-Modified",
            self.position
        )))
    }

    /// Sends what one answer brings.
    async fn pour(&mut self, source: &mut Opened) -> Result<()> {
        while self.left() > 0 {
            let mut buffer = self.pool.take_in_task().await;
            let room = usize::try_from(self.left()).unwrap_or(usize::MAX).min(buffer.len());
            let (filled, result) = fill(source, &mut buffer[..room]).await;
            self.position += filled as u64;
            if filled > 0 {
                // Nobody listens only when this task is being ended.
                let _ = self.pieces.send(Piece::Data(buffer.freeze(filled))).await;
                self.bell.ring();
            }
            if !result? {
                break;
            }
        }
        Ok(())
    }
}

/// Fills a buffer, or as much of it as comes within a moment.  True: there may be more.
async fn fill(source: &mut Opened, buffer: &mut [u8]) -> (usize, Result<bool>) {
    let started = Instant::now();
    let mut filled = 0;
    while filled < buffer.len() && started.elapsed() <= MAX_DELAY {
        match source.read(&mut buffer[filled..]).await {
            Ok(0) => return (filled, Ok(false)),
            Ok(count) => filled += count,
            Err(error) => return (filled, Err(error)),
        }
    }
    (filled, Ok(true))
}
