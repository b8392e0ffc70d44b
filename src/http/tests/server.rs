//! A web server that does what its script says, however wrong.  A thread per connection, no clocks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// After so long, a client that should have closed is taken to have forgotten.
const FORGOTTEN: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct Request {
    /// The number of its connection, and its own on that.
    pub connection: usize,
    pub method: String,
    pub target: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// First byte and, where it is named, the byte after the last of `Range`.
    pub fn range(&self) -> Option<(usize, Option<usize>)> {
        let (start, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((start.parse().ok()?, last.parse().ok().map(|last: usize| last + 1)))
    }
}

/// What the script does with the connection after an answer.
#[derive(PartialEq, Eq)]
pub enum Then {
    Keep,
    Close,
    /// Says nothing more until the client has closed.
    WaitForClose,
}

/// What an answer is written to.
pub trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

/// A connection of which some bytes have been read ahead.
struct Line<W: Wire>(BufReader<W>);

impl<W: Wire> Read for Line<W> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<W: Wire> Write for Line<W> {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.get_mut().write(data)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.get_mut().flush()
    }
}

type Script = dyn Fn(&Request, &mut dyn Wire) -> Then + Send + Sync;

pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    tls: Option<Arc<ServerConfig>>,
    requests: Mutex<Vec<Request>>,
    serving: Mutex<Vec<JoinHandle<()>>>,
    stopped: AtomicBool,
}

impl Server {
    pub fn start(script: impl Fn(&Request, &mut dyn Wire) -> Then + Send + Sync + 'static) -> Self {
        Self::launch(None, Box::new(script))
    }

    pub fn start_tls(
        tls: Arc<ServerConfig>,
        script: impl Fn(&Request, &mut dyn Wire) -> Then + Send + Sync + 'static,
    ) -> Self {
        Self::launch(Some(tls), Box::new(script))
    }

    /// Answers every request with this text.
    pub fn answering(text: impl Into<Vec<u8>>) -> Self {
        let text = text.into();
        Self::start(move |_, wire| send(wire, &text))
    }

    fn launch(tls: Option<Arc<ServerConfig>>, script: Box<Script>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let shared = Arc::new(Shared {
            script,
            tls,
            requests: Mutex::default(),
            serving: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let address = listener.local_addr().unwrap();
        let (accepted, scheme) = (shared.clone(), if shared.tls.is_some() { "https" } else { "http" });
        let accepting = thread::spawn(move || accepted.accept(&listener));
        Server { address, scheme, shared, accepting: Some(accepting) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The same by name, as certificates have it.
    pub fn url_by_name(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port())
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub fn targets(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.target).collect()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.shared.serving.lock().unwrap().len()
    }

    /// Ends; fails when a client still holds a connection, or when the script has failed.
    pub fn finish(mut self) -> Vec<Request> {
        self.stop();
        let serving = std::mem::take(&mut *self.shared.serving.lock().unwrap());
        for connection in serving {
            connection.join().expect("a connection was left open, or the script failed");
        }
        self.requests()
    }

    fn stop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for number in 0.. {
            let (tcp, _) = listener.accept().unwrap();
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let shared = self.clone();
            self.serving.lock().unwrap().push(thread::spawn(move || shared.serve(number, tcp)));
        }
    }

    fn serve(&self, number: usize, tcp: TcpStream) {
        tcp.set_read_timeout(Some(FORGOTTEN)).unwrap();
        tcp.set_nodelay(true).unwrap();
        match &self.tls {
            None => self.talk(number, tcp),
            Some(config) => {
                let session = ServerConnection::new(config.clone()).unwrap();
                self.talk(number, StreamOwned::new(session, tcp));
            }
        }
    }

    fn talk(&self, number: usize, wire: impl Wire) {
        let mut line = Line(BufReader::new(wire));
        while let Some(request) = read_request(number, &mut line.0) {
            self.requests.lock().unwrap().push(request.clone());
            match (self.script)(&request, &mut line) {
                Then::Keep => {}
                Then::Close => return,
                Then::WaitForClose => return wait_for_close(&mut line),
            }
        }
    }
}

/// The next request; none when the client has closed, be it in the middle or during the handshake.
fn read_request(connection: usize, reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the client forgot to close")
            }
            Err(_) => return None,
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut words = lines.first()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some(Request { connection, method, target, headers })
}

fn wait_for_close(reader: &mut impl Read) {
    match reader.read(&mut [0]) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the client forgot to close"),
        _ => {}
    }
}

/// The payload of a request, which is told to come where it asks; shorter when the client breaks off.
pub fn receive(request: &Request, wire: &mut dyn Wire) -> Vec<u8> {
    if request.header("expect").is_some() {
        send(wire, b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    receive_some(request, wire, usize::MAX)
}

/// The same without an answer to the question whether it may come, and at most `most` bytes.
pub fn receive_some(request: &Request, wire: &mut dyn Wire, most: usize) -> Vec<u8> {
    if request.header("transfer-encoding") == Some("chunked") {
        return receive_chunks(wire, most);
    }
    let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut payload = Vec::new();
    // It may break off.
    let _ = wire.take(length.min(most) as u64).read_to_end(&mut payload);
    payload
}

/// A payload in chunks, at most `most` bytes: those that came before it broke off, or its last chunk.
fn receive_chunks(wire: &mut dyn Wire, most: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    while payload.len() < most {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n") && wire.read(&mut byte).is_ok_and(|count| count == 1) {
            head.push(byte[0]);
        }
        let text = String::from_utf8(head).unwrap();
        let Ok(length) = usize::from_str_radix(text.trim_end(), 16) else {
            return payload;
        };
        let mut chunk = Vec::new();
        // It may break off.
        let _ = wire.take(length as u64 + 2).read_to_end(&mut chunk);
        payload.extend_from_slice(&chunk[..chunk.len().min(length)]);
        if length == 0 {
            return payload;
        }
    }
    payload
}

/// Sends an answer as it is.  The client may have gone.
pub fn send(wire: &mut dyn Wire, text: &[u8]) -> Then {
    match wire.write_all(text).and_then(|()| wire.flush()) {
        Ok(()) => Then::Keep,
        Err(_) => Then::Close,
    }
}

/// A complete answer.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What a proper server answers to a request for `data`; `validators` are header lines.
pub fn proper(request: &Request, data: &[u8], validators: &str) -> Vec<u8> {
    let size = data.len();
    let validators = format!("Accept-Ranges: bytes\r\n{validators}");
    let full = answer("200 OK", &validators, data);
    let whole = match request.method.as_str() {
        "HEAD" => full[..full.len() - size].to_vec(),
        _ => full,
    };
    let is_current =
        request.header("if-range").is_none_or(|wanted| validators.contains(&format!(" {wanted}\r\n")));
    match request.range().filter(|_| is_current) {
        None => whole,
        Some((start, _)) if start >= size => {
            answer("416 No", &format!("Content-Range: bytes */{size}\r\n{validators}"), b"")
        }
        Some((start, end)) => {
            let end = end.unwrap_or(size).min(size);
            let range = format!("Content-Range: bytes {start}-{}/{size}\r\n{validators}", end - 1);
            answer("206 Partial", &range, &data[start..end])
        }
    }
}

/// Bytes that differ at every position that matters.
pub fn image(size: usize) -> Vec<u8> {
    (0..size as u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).take(size).collect()
}
