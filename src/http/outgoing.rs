//! A payload on its way out, and how far it is.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::payload::{Payload, Source};

/// So little is handed to the connection at once that each time tells of progress, on slow lines too.
const MAX_FRAME: usize = 64 << 10;

/// How long a server is waited for that was asked whether it wants the payload.  One that does not know
/// the question says nothing.
const MAX_WAIT_FOR_LEAVE: Duration = Duration::from_secs(1);

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
    source: Source,
    current: Bytes,
    /// None: until the source ends.
    left: Option<u64>,
    /// How long leave to send is waited for.
    leave: Option<Pin<Box<Sleep>>>,
    traffic: Arc<Traffic>,
}

impl Outgoing {
    /// The payload for one attempt, which `asks_leave` before it sends anything.
    pub fn new(payload: &Payload, asks_leave: bool) -> Self {
        let left = payload.length();
        let state = State {
            moved: Instant::now(),
            is_ours: false,
            has_leave: !asks_leave,
            is_withdrawn: false,
            is_done: left == Some(0),
            waker: None,
        };
        Outgoing {
            source: payload.source(),
            current: Bytes::new(),
            left,
            leave: asks_leave.then(|| Box::pin(sleep(MAX_WAIT_FOR_LEAVE))),
            traffic: Arc::new(Traffic(Mutex::new(state))),
        }
    }

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
            let Poll::Ready(next) = self.source.poll_next(context) else {
                lock(&self.traffic.0).is_ours = true;
                return Poll::Pending;
            };
            let Some(bytes) = next else {
                return Poll::Ready(None);
            };
            self.current = bytes;
        }
        let left = self.left.and_then(|left| usize::try_from(left).ok());
        let most = left.unwrap_or(usize::MAX).min(MAX_FRAME);
        Poll::Ready(Some(self.current.split_to(self.current.len().min(most))))
    }

    /// What is left behind these bytes, or behind the end of the source, which may come too early.
    fn left_behind(&self, data: Option<&Bytes>) -> io::Result<Option<u64>> {
        let early = |message| Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        match (data, self.left) {
            (Some(data), left) => Ok(left.map(|left| left - data.len() as u64)),
            (None, Some(left)) => early(format!("the source ended {left} bytes too early")),
            (None, None) if self.source.is_given_up() => early("the source was given up".to_owned()),
            (None, None) => Ok(Some(0)),
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
        ready!(self.poll_leave(context));
        let data = ready!(self.poll_current(context));
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

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
