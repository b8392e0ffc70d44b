//! What requests carry: buffers that others share, sent as often as it takes, also while more of them come, or a
//! stream that can be sent once.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, Sleep, sleep};

use crate::error::Result;
use crate::operation::{Doorbell, Operation};
use crate::transfer::Growing;

/// So little is handed to the connection at once that each time tells of progress, on slow lines too.
const MAX_FRAME: usize = 64 << 10;

/// How long a server is waited for that was asked whether it wants the payload.  One that does not know
/// the question says nothing.
const MAX_WAIT_FOR_LEAVE: Duration = Duration::from_secs(1);

/// How many pieces of a stream may wait to be sent.
const DEPTH: usize = 4;

/// What a request carries.
#[derive(Clone, Default)]
pub struct Payload(Kind);

/// What goes over the wire for a piece of a stream; an empty piece is the last.
pub type Framer = Box<dyn FnMut(Bytes) -> [Bytes; 3] + Send>;

/// Makes the framer of one attempt.
pub type Framing = Arc<dyn Fn() -> Framer + Send + Sync>;

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Nothing,
    Held {
        chunks: Arc<[Bytes]>,
        length: u64,
    },
    Growing {
        chunks: Growing,
        length: Option<u64>,
    },
    Streamed {
        /// Taken by the attempt that begins to send it.
        stream: Arc<Mutex<Option<Stream>>>,
        length: u64,
        framing: Option<Framing>,
    },
}

struct Stream {
    pieces: Receiver<Bytes>,
    bell: Arc<Doorbell>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Whoever waits for room learns that nobody takes anything any more.
        self.pieces.close();
        self.bell.ring();
    }
}

/// Where the caller's thread puts the pieces of a stream.
pub struct Feed {
    pieces: Sender<Bytes>,
}

impl Feed {
    /// Waits until there is room.  False: nobody takes any more, and the request has its reason ready.
    pub fn put(&self, op: &Operation, piece: Bytes) -> Result<bool> {
        let mut waiting = Some(piece);
        op.wait(|| match self.pieces.try_send(waiting.take()?) {
            Ok(()) => Some(true),
            Err(TrySendError::Closed(_)) => Some(false),
            Err(TrySendError::Full(piece)) => {
                waiting = Some(piece);
                None
            }
        })
    }
}

impl Payload {
    /// Buffers that stay where they are until the request has its answer.
    pub fn held(chunks: Vec<Bytes>) -> Self {
        let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Payload(Kind::Held { chunks: chunks.into(), length })
    }

    /// Buffers that are sent while more come; `length` bytes in all, where that is known before.  Sent again, they
    /// are so once all have come.
    pub fn growing(chunks: Growing, length: Option<u64>) -> Self {
        Payload(Kind::Growing { chunks, length })
    }

    /// `length` bytes that are sent as they are fed.  Once the first was sent, the request cannot be tried
    /// again; a feed that ends early breaks it off.
    pub fn streamed(op: &Operation, length: u64) -> (Self, Feed) {
        let (sender, pieces) = channel(DEPTH);
        let stream = Stream { pieces, bell: op.bell().clone() };
        let stream = Arc::new(Mutex::new(Some(stream)));
        (Payload(Kind::Streamed { stream, length, framing: None }), Feed { pieces: sender })
    }

    /// The same, but a stream's pieces are framed on their way; the length is that of all frames.
    pub fn framed(self, framing: Framing) -> Self {
        match self.0 {
            Kind::Streamed { stream, length, .. } => {
                Payload(Kind::Streamed { stream, length, framing: Some(framing) })
            }
            kind => Payload(kind),
        }
    }

    /// None: not known yet.
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Kind::Nothing => Some(0),
            Kind::Held { length, .. } | Kind::Streamed { length, .. } => Some(*length),
            Kind::Growing { chunks, length } => length.or_else(|| chunks.length()),
        }
    }

    /// The buffers, where they are at hand.
    pub fn chunks(&self) -> Option<&[Bytes]> {
        match &self.0 {
            Kind::Nothing => Some(&[]),
            Kind::Held { chunks, .. } => Some(chunks),
            Kind::Growing { .. } | Kind::Streamed { .. } => None,
        }
    }

    /// Whether it can be sent but once.
    pub fn is_streamed(&self) -> bool {
        matches!(self.0, Kind::Streamed { .. })
    }

    /// Whether all of it can be sent: of a stream, that nothing was sent yet.
    pub fn is_whole(&self) -> bool {
        match &self.0 {
            Kind::Streamed { stream, .. } => lock(stream).is_some(),
            Kind::Growing { chunks, .. } => !chunks.is_given_up(),
            _ => true,
        }
    }

    /// Waits until all of it has come.  A server does not wait for long, so that the next attempt would not be the
    /// last one either.
    pub async fn settle(&self) -> Result<()> {
        match &self.0 {
            Kind::Growing { chunks, .. } => chunks.whole().await.map(drop),
            _ => Ok(()),
        }
    }

    /// The payload for one attempt, which `asks_leave` before it sends anything.
    pub fn outgoing(&self, asks_leave: bool) -> Outgoing {
        let (source, queue) = match &self.0 {
            Kind::Nothing => (Origin::None, VecDeque::new()),
            Kind::Held { chunks, .. } => (Origin::None, chunks.iter().cloned().collect()),
            Kind::Growing { chunks, .. } => (Origin::Growing(chunks.clone(), 0), VecDeque::new()),
            Kind::Streamed { stream, framing, .. } => {
                let framer = framing.as_ref().map(|framing| framing());
                (Origin::Untaken(stream.clone(), framer), VecDeque::new())
            }
        };
        let left = self.length();
        Outgoing {
            source,
            queue,
            current: Bytes::new(),
            left,
            leave: asks_leave.then(|| Box::pin(sleep(MAX_WAIT_FOR_LEAVE))),
            traffic: Arc::new(Traffic(Mutex::new(State {
                moved: Instant::now(),
                is_ours: false,
                has_leave: !asks_leave,
                is_withdrawn: false,
                is_done: left == Some(0),
                waker: None,
            }))),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far the payload of a request is: whether it moves, and whose turn it is.
pub struct Traffic(Mutex<State>);

struct State {
    /// When the connection last took something.
    moved: Instant,
    /// It would take more, but there is nothing yet.
    is_ours: bool,
    has_leave: bool,
    /// The answer has come without leave: nothing is to be sent any more.
    is_withdrawn: bool,
    is_done: bool,
    waker: Option<Waker>,
}

impl Traffic {
    /// Since when the server has had nothing from us to wait for, and we have had nothing from it.
    pub fn quiet_since(&self) -> Instant {
        let state = lock(&self.0);
        if state.is_ours { Instant::now() } else { state.moved }
    }

    /// Whether all of the payload is on its way.
    pub fn is_done(&self) -> bool {
        lock(&self.0).is_done
    }

    /// The answer has come: a payload that was not asked for yet stays where it is, for another attempt.
    pub fn withdraw(&self) {
        lock(&self.0).is_withdrawn = true;
    }

    /// The server wants the payload.  Saying so again does not make it less silent.
    pub fn give_leave(&self) {
        let mut state = lock(&self.0);
        if state.has_leave {
            return;
        }
        state.has_leave = true;
        state.moved = Instant::now();
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// A payload on its way out.
pub struct Outgoing {
    source: Origin,
    /// What comes before anything more of the source.
    queue: VecDeque<Bytes>,
    current: Bytes,
    /// None: until the source ends.
    left: Option<u64>,
    /// How long leave to send is waited for.
    leave: Option<Pin<Box<Sleep>>>,
    traffic: Arc<Traffic>,
}

enum Origin {
    None,
    /// With the index of the next chunk.
    Growing(Growing, usize),
    Untaken(Arc<Mutex<Option<Stream>>>, Option<Framer>),
    Stream(Stream, Option<Framer>),
}

impl Outgoing {
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    fn poll_leave(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.traffic.0);
        if state.has_leave {
            return Poll::Ready(());
        }
        if state.is_withdrawn {
            return Poll::Pending;
        }
        let is_over = self.leave.as_mut().is_none_or(|leave| leave.as_mut().poll(context).is_ready());
        state.has_leave = is_over;
        state.waker = Some(context.waker().clone());
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The next bytes; none at the end of the source.
    fn poll_current(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while self.current.is_empty() {
            if let Some(chunk) = self.queue.pop_front() {
                self.current = chunk;
                continue;
            }
            match &mut self.source {
                Origin::None => return Poll::Ready(None),
                Origin::Growing(chunks, index) => {
                    let Poll::Ready(chunk) = chunks.poll_chunk(*index, context) else {
                        lock(&self.traffic.0).is_ours = true;
                        return Poll::Pending;
                    };
                    let Some(chunk) = chunk else {
                        return Poll::Ready(None);
                    };
                    self.current = chunk;
                    *index += 1;
                }
                Origin::Untaken(stream, framer) => {
                    let Some(stream) = lock(stream).take() else {
                        return Poll::Ready(None);
                    };
                    self.source = Origin::Stream(stream, framer.take());
                }
                Origin::Stream(stream, framer) => {
                    let Poll::Ready(piece) = stream.pieces.poll_recv(context) else {
                        lock(&self.traffic.0).is_ours = true;
                        return Poll::Pending;
                    };
                    stream.bell.ring();
                    match (piece, framer) {
                        (None, _) => return Poll::Ready(None),
                        (Some(piece), None) => self.current = piece,
                        (Some(piece), Some(framer)) => self.queue.extend(framer(piece)),
                    }
                }
            }
        }
        let left = self.left.and_then(|left| usize::try_from(left).ok());
        let most = left.unwrap_or(usize::MAX).min(MAX_FRAME);
        Poll::Ready(Some(self.current.split_to(self.current.len().min(most))))
    }

    /// What is left behind these bytes, or behind the end of the source, which may come too early.
    fn left_behind(&self, data: Option<&Bytes>) -> io::Result<Option<u64>> {
        let early = |message| Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        match (data, self.left, &self.source) {
            (Some(data), left, _) => Ok(left.map(|left| left - data.len() as u64)),
            (None, Some(left), _) => early(format!("the source ended {left} bytes too early")),
            (None, None, Origin::Growing(chunks, _)) if chunks.is_given_up() => {
                early("the source was given up".to_owned())
            }
            (None, None, _) => Ok(Some(0)),
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == Some(0) {
            return Poll::Ready(None);
        }
        std::task::ready!(self.poll_leave(context));
        let data = std::task::ready!(self.poll_current(context));
        self.left = match self.left_behind(data.as_ref()) {
            Ok(left) => left,
            Err(early) => return Poll::Ready(Some(Err(early))),
        };
        let mut state = lock(&self.traffic.0);
        state.moved = Instant::now();
        state.is_ours = false;
        state.is_done = self.left == Some(0);
        drop(state);
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
