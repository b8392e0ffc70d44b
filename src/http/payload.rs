//! What requests carry: buffers that others share, sent as often as it takes, also while more of them come, or a
//! stream that can be sent once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::error::Result;
use crate::operation::{Doorbell, Operation};
use crate::transfer::Growing;

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

pub struct Stream {
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

    /// Whether more of it comes.
    pub fn is_growing(&self) -> bool {
        matches!(&self.0, Kind::Growing { chunks, .. } if chunks.length().is_none() && !chunks.is_given_up())
    }

    /// Waits until all of it has come.  A server does not wait for long, so that the next attempt would not be the
    /// last one either.
    pub async fn settle(&self) -> Result<()> {
        match &self.0 {
            Kind::Growing { chunks, .. } => chunks.whole().await.map(drop),
            _ => Ok(()),
        }
    }

    /// Where one attempt takes it from.
    pub fn source(&self) -> Source {
        match &self.0 {
            Kind::Nothing => Source::Held(VecDeque::new()),
            Kind::Held { chunks, .. } => Source::Held(chunks.iter().cloned().collect()),
            Kind::Growing { chunks, .. } => Source::Growing(chunks.clone(), 0),
            Kind::Streamed { stream, framing, .. } => {
                Source::Untaken(stream.clone(), framing.as_ref().map(|framing| framing()))
            }
        }
    }
}

/// Where one attempt to send a payload takes it from.
pub enum Source {
    Held(VecDeque<Bytes>),
    /// With the index of the next chunk.
    Growing(Growing, usize),
    Untaken(Arc<Mutex<Option<Stream>>>, Option<Framer>),
    /// With what comes before anything more of the stream.
    Stream(Stream, Option<Framer>, VecDeque<Bytes>),
}

impl Source {
    /// The next bytes, which may be none yet; none at the end.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self {
            Source::Held(chunks) => Poll::Ready(chunks.pop_front()),
            Source::Growing(chunks, index) => {
                let chunk = ready!(chunks.poll_chunk(*index, context));
                *index += 1;
                Poll::Ready(chunk)
            }
            Source::Untaken(stream, framer) => {
                let Some(stream) = lock(stream).take() else {
                    return Poll::Ready(None);
                };
                *self = Source::Stream(stream, framer.take(), VecDeque::new());
                Poll::Ready(Some(Bytes::new()))
            }
            Source::Stream(stream, framer, framed) => {
                if let Some(bytes) = framed.pop_front() {
                    return Poll::Ready(Some(bytes));
                }
                let piece = ready!(stream.pieces.poll_recv(context));
                stream.bell.ring();
                match (piece, framer) {
                    (Some(piece), Some(framer)) => {
                        framed.extend(framer(piece));
                        Poll::Ready(framed.pop_front())
                    }
                    (piece, _) => Poll::Ready(piece),
                }
            }
        }
    }

    /// Whether its end is not that of the payload.
    pub fn is_given_up(&self) -> bool {
        matches!(self, Source::Growing(chunks, _) if chunks.is_given_up())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
