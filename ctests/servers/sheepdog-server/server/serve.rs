//! Serving a cluster on a loopback port: a thread that reads and one that answers for each connection.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::{Answer, Cluster, Config, Request};

/// What becomes of a request.
pub enum Action {
    Answer,
    /// An answer with that result; nothing is done.
    Refuse(u32),
    /// Nothing is done and nothing answered.
    Ignore,
    /// The connection is closed without doing anything.
    Close,
    /// What is asked is done, then the connection closed after so many bytes of the answer.
    Cut(usize),
    /// Another request is done first.
    After(Box<Request>),
    /// The answer goes out changed.
    Change(fn(&mut Vec<u8>)),
    /// The same, and nothing more is done for the connection.
    Lie(fn(&mut Vec<u8>)),
}

/// Not Sheepdog's: tells how many requests were under way at a time at most, since that was asked last.
pub const STATISTICS: u8 = 0x71;

type Script = dyn Fn(&Request) -> Action + Send + Sync;

/// A server; it ends with this.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    cluster: Mutex<Cluster>,
    script: Box<Script>,
    /// How long every answer takes.
    delay: Duration,
    /// How many answers may change places.
    shuffled: usize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    connections: AtomicUsize,
    stopped: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

/// An answer on its way, and whether the connection ends with it.
struct Due {
    at: Instant,
    bytes: Vec<u8>,
    is_last: bool,
}

impl Server {
    pub fn start(config: Config) -> Self {
        Server::scripted(config, |_| Action::Answer)
    }

    pub fn scripted(config: Config, script: impl Fn(&Request) -> Action + Send + Sync + 'static) -> Self {
        Server::launch(config, Duration::ZERO, 1, Box::new(script))
    }

    /// Answers after `delay`, and up to `shuffled` at a time in reverse order.
    pub fn slow(config: Config, delay: Duration, shuffled: usize) -> Self {
        Server::launch(config, delay, shuffled, Box::new(|_| Action::Answer))
    }

    fn launch(config: Config, delay: Duration, shuffled: usize, script: Box<Script>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            cluster: Mutex::new(Cluster::new(config)),
            script,
            delay,
            shuffled,
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let accepting = shared.clone();
        thread::spawn(move || accepting.accept(&listener));
        Server { address, shared }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.shared.cluster.lock().unwrap()
    }

    /// How many requests were under way at a time, at most.
    pub fn most_under_way(&self) -> usize {
        self.shared.most_under_way.load(Ordering::SeqCst)
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            stream.set_nodelay(true).unwrap();
            self.streams.lock().unwrap().push(stream.try_clone().unwrap());
            self.connections.fetch_add(1, Ordering::SeqCst);
            let shared = self.clone();
            thread::spawn(move || shared.serve(stream));
        }
    }

    fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let (sender, receiver) = channel();
        let (writer, shared) = (stream.try_clone().unwrap(), self.clone());
        let writing = thread::spawn(move || shared.write(writer, &receiver));
        while let Ok(Some(request)) = Request::read(&mut stream) {
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
            match self.answer(&request) {
                None => drop(self.under_way.fetch_sub(1, Ordering::SeqCst)),
                Some((bytes, is_last)) => {
                    let _ = sender.send(Due { at: Instant::now() + self.delay, bytes, is_last });
                    if is_last {
                        break;
                    }
                }
            }
        }
        drop(sender);
        let _ = writing.join();
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }

    /// The bytes of the answer, and whether the connection ends with them.
    fn answer(&self, request: &Request) -> Option<(Vec<u8>, bool)> {
        if request.opcode() == STATISTICS {
            let most = self.most_under_way.swap(0, Ordering::SeqCst).to_string();
            return Some((Answer::with_data(most.into_bytes()).to_bytes(request), false));
        }
        let execute = || self.cluster.lock().unwrap().execute(request).to_bytes(request);
        let action = (self.script)(request);
        match action {
            Action::Answer => Some((execute(), false)),
            Action::After(ref other) => {
                self.cluster.lock().unwrap().execute(other);
                Some((execute(), false))
            }
            Action::Refuse(result) => Some((Answer::refused(result).to_bytes(request), false)),
            Action::Ignore => None,
            Action::Close => Some((Vec::new(), true)),
            Action::Cut(length) => {
                let mut bytes = execute();
                bytes.truncate(length);
                Some((bytes, true))
            }
            Action::Change(change) | Action::Lie(change) => {
                let mut bytes = execute();
                change(&mut bytes);
                Some((bytes, matches!(action, Action::Lie(_))))
            }
        }
    }

    fn write(&self, mut stream: TcpStream, answers: &Receiver<Due>) {
        while let Ok(first) = answers.recv() {
            let mut batch = vec![first];
            while batch.len() < self.shuffled
                && let Ok(next) = answers.recv_timeout(Duration::from_millis(2))
            {
                batch.push(next);
            }
            for due in batch.into_iter().rev() {
                thread::sleep(due.at.saturating_duration_since(Instant::now()));
                self.under_way.fetch_sub(1, Ordering::SeqCst);
                if stream.write_all(&due.bytes).is_err() || due.is_last {
                    return;
                }
            }
        }
    }
}
