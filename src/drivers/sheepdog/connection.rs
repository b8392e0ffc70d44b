//! One connection to a daemon: any number of requests under way, their answers in any order.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::AbortHandle;

use super::codes::SUCCESS;
use super::room::Room;
use super::wire::{Answer, Beginning, COMMON, HEADER, Request, result_of};
use crate::error::{Error, Kind, Result};

/// Dropped, it is closed.
pub struct Connection {
    writing: AsyncMutex<OwnedWriteHalf>,
    shared: Arc<Shared>,
    receiving: AbortHandle,
    /// How long nothing at all may go either way while answers are due.
    limit: Option<Duration>,
}

struct Shared(Mutex<State>);

struct State {
    /// When something went either way last.
    moved: Instant,
    last_id: u32,
    expected: HashMap<u32, Expected>,
    failure: Option<Error>,
}

/// An answer that is to come.
struct Expected {
    opcode: u8,
    length: usize,
    /// None: nobody waits for the answer any more.
    wanted: Option<(Room, oneshot::Sender<Result<Answer>>)>,
}

/// Why there is no answer.
pub struct Lost {
    pub error: Error,
    /// Whether the daemon may have got the request.
    pub sent: bool,
}

impl Connection {
    /// Must be called within the runtime.
    pub fn over(stream: TcpStream, limit: Option<Duration>) -> Self {
        let (reading, writing) = stream.into_split();
        let state = State { moved: Instant::now(), last_id: 0, expected: HashMap::new(), failure: None };
        let shared = Arc::new(Shared(Mutex::new(state)));
        let receiving = tokio::spawn(receive(reading, shared.clone())).abort_handle();
        Connection { writing: AsyncMutex::new(writing), shared, receiving, limit }
    }

    pub fn is_open(&self) -> bool {
        self.shared.lock().failure.is_none()
    }

    /// How long nothing has gone either way.
    pub fn idle_time(&self) -> Duration {
        self.shared.lock().moved.elapsed()
    }

    /// Sends a request and waits for its answer, whose data goes into `room`.
    pub async fn call(&self, request: &Request, room: Room) -> std::result::Result<Answer, Lost> {
        let (id, answer) = self.shared.register(request, room).map_err(|error| Lost { error, sent: false })?;
        let _expectation = Expectation { shared: &self.shared, id };
        let asking = async {
            self.send(request, id).await?;
            // The sender is dropped only with the task that receives, which this connection keeps.
            answer.await.unwrap_or_else(|_| Err(closed("the connection was closed")))
        };
        self.patiently(asking).await.map_err(|error| Lost { error, sent: true })
    }

    /// Waits for `asking` as long as anything moves.
    async fn patiently<T>(&self, asking: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(limit) = self.limit else {
            return asking.await;
        };
        let mut asking = pin!(asking);
        loop {
            let before = self.shared.lock().moved;
            if let Ok(result) = tokio::time::timeout(limit, asking.as_mut()).await {
                return result;
            }
            if self.shared.lock().moved == before {
                let error = silent(limit);
                self.shared.fail(&error);
                return Err(error);
            }
        }
    }

    async fn send(&self, request: &Request, id: u32) -> Result<()> {
        let mut writing = self.writing.lock().await;
        let header = request.header(id);
        let mut slices = vec![IoSlice::new(&header)];
        slices.extend(request.payload().iter().map(|part| IoSlice::new(part)));
        let cut = Cut(&self.shared);
        let sent = self.write_all(&mut writing, &mut slices).await;
        std::mem::forget(cut);
        sent.map_err(|error| {
            let error = broken("cannot send a request", &error);
            self.shared.fail(&error);
            error
        })
    }

    async fn write_all(
        &self,
        writing: &mut OwnedWriteHalf,
        mut slices: &mut [IoSlice<'_>],
    ) -> io::Result<()> {
        while !slices.is_empty() {
            match writing.write_vectored(slices).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => {
                    self.shared.lock().moved = Instant::now();
                    IoSlice::advance_slices(&mut slices, count);
                }
            }
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

/// While a request goes out: should that end in its middle, nothing else can follow it.
struct Cut<'a>(&'a Shared);

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.0.fail(&closed("a request was given up while it was sent"));
    }
}

/// While an answer is waited for.
struct Expectation<'a> {
    shared: &'a Shared,
    id: u32,
}

impl Drop for Expectation<'_> {
    fn drop(&mut self) {
        if let Some(expected) = self.shared.lock().expected.get_mut(&self.id) {
            expected.wanted = None;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, request: &Request, room: Room) -> Result<(u32, oneshot::Receiver<Result<Answer>>)> {
        let mut state = self.lock();
        if let Some(error) = &state.failure {
            return Err(error.clone());
        }
        let id = (1..).map(|step| state.last_id.wrapping_add(step)).find(|id| !state.expected.contains_key(id));
        let id = id.unwrap_or_default();
        state.last_id = id;
        let (sender, receiver) = oneshot::channel();
        let (opcode, length) = (request.opcode(), request.answer_length());
        state.expected.insert(id, Expected { opcode, length, wanted: Some((room, sender)) });
        Ok((id, receiver))
    }

    /// The first failure is the one that counts; whoever waits hears of it.
    fn fail(&self, error: &Error) {
        let mut state = self.lock();
        state.failure.get_or_insert_with(|| error.clone());
        let waiting: Vec<Expected> = state.expected.drain().map(|(_, expected)| expected).collect();
        drop(state);
        for (_, sender) in waiting.into_iter().filter_map(|expected| expected.wanted) {
            // One that has gone needs no answer.
            let _ = sender.send(Err(error.clone()));
        }
    }

    /// Whoever expects the answer that begins so.
    fn claim(&self, beginning: &Beginning) -> Result<Expected> {
        let Beginning { opcode, id, .. } = *beginning;
        let expected = self.lock().expected.remove(&id);
        let expected = expected.ok_or_else(|| {
            malformed(format_args!("an answer has the id {id:#x}, which no request under way has"))
        })?;
        if expected.opcode != opcode {
            let wanted = expected.opcode;
            self.lock().expected.insert(id, expected);
            return Err(malformed(format_args!(
                "the answer to a request {wanted:#04x} says it is one to {opcode:#04x}"
            )));
        }
        Ok(expected)
    }
}

/// Hands out answers until the connection ends.
async fn receive(reading: OwnedReadHalf, shared: Arc<Shared>) {
    let mut incoming = Incoming { reading, shared };
    loop {
        if let Err(error) = incoming.answer().await {
            incoming.shared.fail(&error);
            return;
        }
    }
}

/// The receiving side.
struct Incoming {
    reading: OwnedReadHalf,
    shared: Arc<Shared>,
}

impl Incoming {
    /// Hands out the next answer.
    async fn answer(&mut self) -> Result<()> {
        let mut header = [0; HEADER];
        // What is no answer at all may be shorter than one.
        self.read_exact(&mut header[..COMMON], "before an answer").await?;
        let beginning = Beginning::of(&header);
        let mut expected = self.shared.claim(&beginning)?;
        let received = self.rest(&mut header, &beginning, &mut expected).await;
        // Whoever has gone since needs no answer.
        match (received, expected.wanted) {
            (Ok(()), Some((room, sender))) => {
                let _ = sender.send(Ok(Answer::new(header, room.filled(beginning.length))));
                Ok(())
            }
            (Err(error), Some((_, sender))) => {
                let _ = sender.send(Err(error.clone()));
                Err(error)
            }
            (received, None) => received,
        }
    }

    /// Reads the rest of an answer: into its room, or nowhere when nobody waits for it.
    async fn rest(
        &mut self,
        header: &mut [u8; HEADER],
        beginning: &Beginning,
        expected: &mut Expected,
    ) -> Result<()> {
        self.read_exact(&mut header[COMMON..], "in the middle of an answer's header").await?;
        let due = if result_of(header) == SUCCESS { expected.length } else { 0 };
        let came = beginning.length;
        if came != due {
            return Err(malformed(format_args!("an answer has {came} bytes of data where {due} were due")));
        }
        match &mut expected.wanted {
            _ if due == 0 => Ok(()),
            Some((room, _)) => {
                for part in room.parts() {
                    self.read_exact(part, IN_DATA).await?;
                }
                Ok(())
            }
            None => self.skip(due).await,
        }
    }

    async fn skip(&mut self, mut left: usize) -> Result<()> {
        let mut nowhere = vec![0; left.min(64 << 10)];
        while left > 0 {
            let step = left.min(nowhere.len());
            self.read_exact(&mut nowhere[..step], IN_DATA).await?;
            left -= step;
        }
        Ok(())
    }

    async fn read_exact(&mut self, mut bytes: &mut [u8], when: &str) -> Result<()> {
        while !bytes.is_empty() {
            let count = match self.reading.read(bytes).await {
                Ok(0) => return Err(closed(&format!("the daemon closed the connection {when}"))),
                Ok(count) => count,
                Err(error) => return Err(broken(&format!("the connection broke {when}"), &error)),
            };
            self.shared.lock().moved = Instant::now();
            bytes = &mut bytes[count..];
        }
        Ok(())
    }
}

const IN_DATA: &str = "in the middle of an answer's data";

fn closed(how: &str) -> Error {
    Error::new(Kind::Unavailable, how)
}

fn broken(doing: &str, error: &io::Error) -> Error {
    Error::from_os(Kind::Unavailable, doing, error)
}

fn silent(limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    Error::new(Kind::Timeout, format!("no answer from the daemon for {seconds} s (see sheepdog_store_timeout)"))
}

fn malformed(what: std::fmt::Arguments<'_>) -> Error {
    let message = format!("the server breaks the protocol, it may be no Sheepdog daemon: {what}");
    Error::new(Kind::Failed, message)
}
