//! Requests that carry something, and what proves who asks.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderName};

use super::server::{Server, Then, answer, image, receive, receive_some, send};
use super::*;

/// From so many bytes on, leave is asked.
const LARGE: usize = 1 << 20;

/// What requests arrived with.
type Arrived = Arc<Mutex<Vec<Vec<u8>>>>;

/// Takes every payload and answers with the next of these, and then with the last.
fn taking(answers: &[&str]) -> (Server, Arrived) {
    let arrived = Arrived::default();
    let (taken, answers) = (arrived.clone(), answers.iter().map(|text| text.to_string()).collect::<Vec<_>>());
    let server = Server::start(move |request, wire| {
        let payload = receive(request, wire);
        let mut arrived = taken.lock().unwrap();
        let status = &answers[arrived.len().min(answers.len() - 1)];
        arrived.push(payload);
        send(wire, &answer(status, "", b""))
    });
    (server, arrived)
}

/// The same, but a refusal comes before the payload.
fn taking_streams(answers: &[&'static str]) -> (Server, Arrived) {
    let arrived = Arrived::default();
    let (taken, answers, tried) = (arrived.clone(), answers.to_vec(), AtomicUsize::new(0));
    let server = Server::start(move |request, wire| {
        let status = answers[tried.fetch_add(1, Ordering::SeqCst)];
        if status.starts_with('2') {
            let payload = receive(request, wire);
            taken.lock().unwrap().push(payload);
        }
        send(wire, &answer(status, "", b""))
    });
    (server, arrived)
}

fn chunked(data: &[u8], size: usize) -> Payload {
    Payload::held(data.chunks(size).map(Bytes::copy_from_slice).collect())
}

#[test]
fn held_payloads_arrive_as_they_are() {
    let (server, arrived) = taking(&["201 Created"]);
    let fixture = Fixture::new();
    let sizes = [0, 1, 65535, 65536, 65537, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE + 7];
    for size in sizes {
        let request = Request::put(chunked(&image(size), 70_000));
        assert_eq!(fixture.send(target(&server.url("/")), request).unwrap().0, 201);
        let payload = arrived.lock().unwrap().pop().unwrap();
        assert!(payload == image(size), "{size}");
    }
    drop(fixture);
    let requests = server.finish();
    assert!(requests.iter().all(|request| request.connection == 0), "the connection was kept");
    for (request, size) in requests.iter().zip(sizes) {
        assert_eq!(request.header("content-length"), Some(size.to_string().as_str()));
        assert_eq!(request.header("expect").is_some(), size >= LARGE);
    }
}

#[test]
fn what_is_held_is_sent_again() {
    for failures in [&["503 Busy", "429 Slow", "201 Created"][..], &["500 No", "201 Created"]] {
        let (server, arrived) = taking(failures);
        let fixture = Fixture::new();
        let request = Request::put(chunked(&image(2 * LARGE), 100_000));
        assert_eq!(fixture.send(target(&server.url("/")), request).unwrap().0, 201);
        assert!(arrived.lock().unwrap().iter().all(|payload| *payload == image(2 * LARGE)));
        assert_eq!(fixture.logged("retry"), failures.len() - 1);
        drop(fixture);
        assert_eq!(server.finish().len(), failures.len());
    }
}

#[test]
fn the_last_refusal_is_the_answer() {
    let (server, _) = taking(&["503 Busy"]);
    let fixture = Fixture::new();
    assert_eq!(fixture.send(target(&server.url("/")), Request::put(chunked(b"x", 1))).unwrap().0, 503);
    drop(fixture);
    assert_eq!(server.finish().len(), 3);
}

#[test]
fn a_connection_may_break_at_any_byte_of_a_payload() {
    for cut in [0, 1, 4999, 5000] {
        let tried = AtomicUsize::new(0);
        let server = Server::start(move |request, wire| match tried.fetch_add(1, Ordering::SeqCst) {
            0 => {
                receive_some(request, wire, cut);
                Then::Close
            }
            _ if receive(request, wire) == image(5000) => send(wire, &answer("201 Created", "", b"")),
            _ => send(wire, &answer("400 Not what it was", "", b"")),
        });
        let fixture = Fixture::new();
        let request = Request::put(chunked(&image(5000), 999));
        assert_eq!(fixture.send(target(&server.url("/")), request).unwrap().0, 201, "{cut}");
        drop(fixture);
        assert_eq!(server.finish().len(), 2);
    }
}

#[test]
fn what_might_be_done_twice_is_sent_once() {
    for (is_repeatable, expected) in [(false, 1), (true, 3)] {
        let server = Server::start(|request, wire| {
            receive(request, wire);
            Then::Close
        });
        let fixture = Fixture::new();
        let request = Request::post(chunked(b"order", 5));
        let request = if is_repeatable { request.repeatable() } else { request };
        let error = fixture.send(target(&server.url("/")), request).unwrap_err();
        assert_error(error, Kind::Unavailable, "the connection broke");
        drop(fixture);
        assert_eq!(server.finish().len(), expected);
    }
    let (server, _) = taking(&["503 Busy"]);
    let fixture = Fixture::new();
    assert_eq!(fixture.send(target(&server.url("/")), Request::post(Payload::default())).unwrap().0, 503);
    drop(fixture);
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn what_might_be_done_twice_does_not_ride_on_an_idle_connection() {
    let (server, _) = taking(&["200 OK"]);
    let fixture = Fixture::new();
    fixture.send(target(&server.url("/")), Request::get()).unwrap();
    fixture.send(target(&server.url("/")), Request::post(Payload::default())).unwrap();
    drop(fixture);
    let connections: Vec<usize> = server.finish().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[test]
fn a_server_that_does_not_want_a_payload_gets_none() {
    let server = Server::start(|request, wire| match request.method.as_str() {
        "PUT" => {
            send(wire, &answer("412 It exists", "", b"exists"));
            // Only the client's end of the connection ends this.
            assert_eq!(receive_some(request, wire, 1), b"");
            Then::Close
        }
        _ => send(wire, &answer("200 OK", "", b"")),
    });
    let fixture = Fixture::new();
    let request = Request::put(chunked(&image(LARGE), LARGE));
    assert_eq!(fixture.send(target(&server.url("/")), request).unwrap(), (412, b"exists".to_vec()));
    // The connection is of no further use.
    fixture.send(target(&server.url("/")), Request::get()).unwrap();
    drop(fixture);
    let connections: Vec<usize> = server.finish().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[test]
fn a_server_that_does_not_know_the_question_gets_the_payload() {
    let server = Server::start(|request, wire| {
        let payload = receive_some(request, wire, usize::MAX);
        let status = if payload == image(LARGE) { "201 Created" } else { "400 No" };
        send(wire, &answer(status, "", b""))
    });
    let fixture = Fixture::new();
    let request = Request::put(chunked(&image(LARGE), LARGE));
    assert_eq!(fixture.send(target(&server.url("/")), request).unwrap().0, 201);
    drop(fixture);
    server.finish();
}

/// Feeds `pieces` while the request runs; the answer, and how many pieces were taken.
fn stream(fixture: &Fixture, target: Target, length: u64, pieces: &[Vec<u8>]) -> (Result<u16>, usize) {
    stream_as(fixture, target, length, pieces, |payload| payload)
}

fn stream_as(
    fixture: &Fixture,
    target: Target,
    length: u64,
    pieces: &[Vec<u8>],
    shape: impl FnOnce(Payload) -> Payload,
) -> (Result<u16>, usize) {
    let op = Operation::default();
    let (payload, feed) = Payload::streamed(&op, length);
    let payload = shape(payload);
    let client = fixture.client.clone();
    let sending = async move { Ok(client.send(&target, Request::put(payload)).await?.status) };
    let task = fixture.runtime.start(&op, sending).unwrap();
    let taken =
        pieces.iter().take_while(|piece| feed.put(&op, Bytes::copy_from_slice(piece)).unwrap()).count();
    drop(feed);
    (task.join(&op), taken)
}

#[test]
fn a_refusal_ends_the_wait_for_room_in_a_stream() {
    let server = Server::start(|_, wire| {
        send(wire, &answer("412 It exists", "", b"exists"));
        Then::WaitForClose
    });
    let fixture = Fixture::new();
    let pieces = vec![image(1000); 20];
    // Whoever of the network's thread and this one is faster.
    for _ in 0..100 {
        let (status, taken) = stream(&fixture, target(&server.url("/")), 2 * LARGE as u64, &pieces);
        assert_eq!(status.unwrap(), 412);
        assert!(taken < 20);
    }
    drop(fixture);
    server.finish();
}

#[test]
fn a_stream_waits_for_a_slow_renewal() {
    let (server, arrived) = taking_streams(&["401 Old", "201 Created"]);
    let fixture = Fixture::new();
    let (to, pass) = with_pass(&server.url("/"));
    pass.patience.store(1200, Ordering::SeqCst);
    let pieces = vec![image(LARGE); 3];
    let (status, _) = stream(&fixture, to, 3 * LARGE as u64, &pieces);
    assert_eq!(status.unwrap(), 201);
    assert!(arrived.lock().unwrap().pop().unwrap() == pieces.concat());
    drop(fixture);
    server.finish();
}

#[test]
fn streams_are_framed_anew_for_each_attempt() {
    let (server, arrived) = taking_streams(&["401 Old", "201 Created"]);
    let fixture = Fixture::new();
    let (to, _) = with_pass(&server.url("/"));
    // Each frame tells its number; the last is empty.
    let framing: Framing = Arc::new(|| {
        let mut number = 0;
        Box::new(move |piece| {
            number += 1;
            [format!("<{number}:").into(), piece, Bytes::from_static(b">")]
        })
    });
    let (expected, pieces) = (b"<1:ab><2:cde><3:>", [b"ab".to_vec(), b"cde".to_vec(), Vec::new()]);
    let length = expected.len() as u64;
    let (status, taken) = stream_as(&fixture, to, length, &pieces, |payload| payload.framed(framing));
    assert_eq!((status.unwrap(), taken), (201, 3));
    assert_eq!(arrived.lock().unwrap().pop().unwrap(), expected);
    drop(fixture);
    server.finish();
}

#[test]
fn short_streams_ask_as_well_and_survive_an_idle_connection() {
    let tried = AtomicUsize::new(0);
    let server = Server::start(move |request, wire| match tried.fetch_add(1, Ordering::SeqCst) {
        0 => send(wire, &answer("200 OK", "", b"")),
        1 => Then::Close,
        _ => {
            let payload = receive(request, wire);
            send(wire, &answer(if payload == image(5000) { "201 Created" } else { "400 No" }, "", b""))
        }
    });
    let fixture = Fixture::new();
    fixture.send(target(&server.url("/")), Request::get()).unwrap();
    assert_eq!(stream(&fixture, target(&server.url("/")), 5000, &[image(5000)]).0.unwrap(), 201);
    drop(fixture);
    server.finish();
}

#[test]
fn a_server_that_refuses_to_be_asked_is_not_asked_again() {
    let server = Server::start(|request, wire| match request.header("expect") {
        Some(_) => {
            send(wire, &answer("417 Expectation Failed", "", b""));
            Then::Close
        }
        None => {
            let length = receive(request, wire).len();
            send(wire, &answer(if length == LARGE { "201 Created" } else { "400 No" }, "", b""))
        }
    });
    let fixture = Fixture::new();
    for _ in 0..2 {
        let request = Request::put(chunked(&image(LARGE), LARGE));
        assert_eq!(fixture.send(target(&server.url("/")), request).unwrap().0, 201);
    }
    assert_eq!(stream(&fixture, target(&server.url("/")), LARGE as u64, &[image(LARGE)]).0.unwrap(), 201);
    drop(fixture);
    let asked: Vec<bool> = server.finish().iter().map(|request| request.header("expect").is_some()).collect();
    assert_eq!(asked, [true, false, false, false]);
}

#[test]
fn leave_that_is_given_again_and_again_is_silence() {
    let server = Server::start(|request, wire| {
        receive_some(request, wire, usize::MAX);
        while send(wire, b"HTTP/1.1 100 Continue\r\n\r\n") == Then::Keep {
            std::thread::sleep(Duration::from_millis(5));
        }
        Then::Close
    });
    let fixture = Fixture::impatient();
    let error = fixture.send(target(&server.url("/")), Request::put(chunked(b"abc", 3))).unwrap_err();
    assert_error(error, Kind::Timeout, "no answer came");
    drop(fixture);
    server.finish();
}

#[test]
fn streams_are_sent_as_they_come() {
    let (server, arrived) = taking(&["201 Created"]);
    let fixture = Fixture::new();
    let pieces: Vec<Vec<u8>> = (0..30).map(|n| image(100_000 + n)).collect();
    let length = pieces.concat().len() as u64;
    let (status, taken) = stream(&fixture, target(&server.url("/")), length, &pieces);
    assert_eq!((status.unwrap(), taken), (201, 30));
    assert!(arrived.lock().unwrap().pop().unwrap() == pieces.concat());
    drop(fixture);
    server.finish();
}

#[test]
fn a_stream_that_has_begun_is_not_tried_again() {
    for cut in [1, LARGE, 2 * LARGE] {
        let server = Server::start(move |request, wire| {
            send(wire, b"HTTP/1.1 100 Continue\r\n\r\n");
            receive_some(request, wire, cut);
            Then::Close
        });
        let fixture = Fixture::new();
        let pieces = vec![image(LARGE); 20];
        let (status, _) = stream(&fixture, target(&server.url("/")), 20 * LARGE as u64, &pieces);
        assert_error(status.unwrap_err(), Kind::Unavailable, "the connection broke");
        drop(fixture);
        assert_eq!(server.finish().len(), 1, "{cut}");
    }
}

#[test]
fn a_stream_that_has_not_begun_is_tried_again() {
    let tried = AtomicUsize::new(0);
    let server = Server::start(move |request, wire| match tried.fetch_add(1, Ordering::SeqCst) {
        0 => Then::Close,
        1 => {
            send(wire, &answer("503 Busy", "", b""));
            Then::Close
        }
        _ if receive(request, wire) == image(2 * LARGE) => send(wire, &answer("201 Created", "", b"")),
        _ => send(wire, &answer("400 No", "", b"")),
    });
    let fixture = Fixture::new();
    let pieces: Vec<Vec<u8>> = image(2 * LARGE).chunks(300_000).map(<[u8]>::to_vec).collect();
    assert_eq!(stream(&fixture, target(&server.url("/")), 2 * LARGE as u64, &pieces).0.unwrap(), 201);
    drop(fixture);
    assert_eq!(server.finish().len(), 3);
}

#[test]
fn a_stream_that_ends_early_breaks_the_request_off() {
    let seen = Arc::new(Mutex::new(0));
    let noted = seen.clone();
    let server = Server::start(move |request, wire| {
        *noted.lock().unwrap() = receive(request, wire).len();
        Then::Close
    });
    let fixture = Fixture::new();
    let (status, _) = stream(&fixture, target(&server.url("/")), 100, &[image(99)]);
    assert_error(status.unwrap_err(), Kind::Unavailable, "1 bytes too early");
    drop(fixture);
    server.finish();
    assert!(*seen.lock().unwrap() < 100);
}

#[test]
fn an_answer_may_come_before_the_end_of_a_stream() {
    let server = Server::start(|request, wire| {
        send(wire, b"HTTP/1.1 100 Continue\r\n\r\n");
        receive_some(request, wire, 100_000);
        send(wire, &answer("413 Full", "", b"full"));
        // What is under way is taken off the line, or the answer would be lost with it.
        receive_some(request, wire, usize::MAX);
        Then::Close
    });
    let fixture = Fixture::new();
    let pieces = vec![image(LARGE); 200];
    let (status, taken) = stream(&fixture, target(&server.url("/")), 200 * LARGE as u64, &pieces);
    assert_eq!(status.unwrap(), 413);
    assert!(taken < 200, "the rest was not taken");
    drop(fixture);
    server.finish();
}

#[test]
fn a_server_that_takes_nothing_is_not_waited_for() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let server = Server::start(move |_, wire| {
        send(wire, b"HTTP/1.1 100 Continue\r\n\r\n");
        // Until the test is over.
        let _ = held.lock().unwrap().recv();
        Then::Close
    });
    let fixture = Fixture::impatient();
    let request = Request::put(chunked(&image(64 * LARGE), LARGE));
    let error = fixture.send(target(&server.url("/")), request).unwrap_err();
    assert_error(error, Kind::Timeout, "no answer came from the server for 0.03 s");
    drop((fixture, release));
    server.finish();
}

#[test]
fn a_slow_source_is_not_the_servers_silence() {
    let (server, arrived) = taking(&["201 Created"]);
    let fixture = Fixture::impatient();
    let op = Operation::default();
    let (payload, feed) = Payload::streamed(&op, 10);
    let (client, to) = (fixture.client.clone(), target(&server.url("/")));
    let sending = async move { Ok(client.send(&to, Request::put(payload)).await?.status) };
    let task = fixture.runtime.start(&op, sending).unwrap();
    for half in 0..2 {
        assert!(feed.put(&op, Bytes::from_static(b"12345")).unwrap(), "{half}");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(task.join(&op).unwrap(), 201);
    assert_eq!(arrived.lock().unwrap().pop().unwrap(), b"1234512345");
    drop(fixture);
    server.finish();
}

/// Shows a pass that is renewed when it is refused.
#[derive(Default)]
struct Pass {
    number: AtomicUsize,
    shown: AtomicUsize,
    /// How many milliseconds a renewal takes.
    patience: AtomicU64,
}

impl Authorizer for Pass {
    fn authorize<'a>(&'a self, _url: &'a Url, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        self.shown.fetch_add(1, Ordering::SeqCst);
        let mut pass = HeaderValue::from(self.number.load(Ordering::SeqCst));
        pass.set_sensitive(true);
        request.headers.insert(HeaderName::from_static("x-pass"), pass);
        Box::pin(async { Ok(()) })
    }

    fn renew<'a>(&'a self, refusal: &'a Response) -> BoxFuture<'a, Result<bool>> {
        let is_new = refusal.status == 401;
        self.number.fetch_add(usize::from(is_new), Ordering::SeqCst);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(self.patience.load(Ordering::SeqCst))).await;
            Ok(is_new)
        })
    }
}

fn with_pass(url: &str) -> (Target, Arc<Pass>) {
    let pass = Arc::new(Pass::default());
    (Target { authorizer: Some(pass.clone()), ..target(url) }, pass)
}

#[test]
fn every_attempt_is_authorized_and_a_refused_one_anew() {
    let (server, arrived) = taking(&["401 Old", "503 Busy", "201 Created"]);
    let fixture = Fixture::new();
    let (target, pass) = with_pass(&server.url("/"));
    assert_eq!(fixture.send(target, Request::put(chunked(b"abc", 1))).unwrap().0, 201);
    assert_eq!(pass.shown.load(Ordering::SeqCst), 3);
    assert_eq!(*arrived.lock().unwrap(), [b"abc"; 3]);
    drop(fixture);
    let passes: Vec<_> =
        server.finish().iter().map(|request| request.header("x-pass").unwrap().to_owned()).collect();
    assert_eq!(passes, ["0", "1", "1"]);
}

#[test]
fn renewing_has_an_end() {
    let (server, _) = taking(&["401 No"]);
    let fixture = Fixture::new();
    let (target, _) = with_pass(&server.url("/"));
    assert_eq!(fixture.send(target, Request::get()).unwrap().0, 401);
    drop(fixture);
    assert_eq!(server.finish().len(), 3);
}

#[test]
fn what_proves_who_asks_stays_within_the_origin() {
    let (other, _) = taking(&["200 OK"]);
    let elsewhere = other.url("/there");
    let server = Server::start(move |request, wire| match request.target.as_str() {
        "/within" => send(wire, &answer("307 Moved", "Location: /there\r\n", b"")),
        "/away" => send(wire, &answer("302 Moved", &format!("Location: {elsewhere}\r\n"), b"")),
        _ => send(wire, &answer("200 OK", "", b"")),
    });
    let fixture = Fixture::new();
    let mut secret = HeaderValue::from_static("secret");
    secret.set_sensitive(true);
    for path in ["/within", "/away"] {
        let request = Request::get().with(AUTHORIZATION, secret.clone());
        fixture.send(with_pass(&server.url(path)).0, request).unwrap();
    }
    drop(fixture);
    assert!(server.finish().iter().all(|request| {
        request.header("x-pass").is_some() && request.header("authorization") == Some("secret")
    }));
    let strangers = other.finish();
    assert_eq!(strangers.len(), 1);
    assert!(strangers[0].header("x-pass").is_none() && strangers[0].header("authorization").is_none());
}

#[test]
fn payloads_follow_only_redirects_that_keep_the_method() {
    for (status, is_followed) in [(301, false), (302, false), (303, false), (307, true), (308, true)] {
        let server = Server::start(move |request, wire| {
            let payload = receive(request, wire);
            match request.target.as_str() {
                "/there" => send(wire, &answer("201 Created", "", &payload)),
                _ => send(wire, &answer(&format!("{status} Moved"), "Location: /there\r\n", b"")),
            }
        });
        let fixture = Fixture::new();
        let sent = fixture.send(target(&server.url("/")), Request::put(chunked(b"abc", 3))).unwrap();
        assert_eq!(sent, if is_followed { (201, b"abc".to_vec()) } else { (status, Vec::new()) });
        let kept = Request::put(chunked(b"abc", 3)).unredirected();
        assert_eq!(fixture.send(target(&server.url("/")), kept).unwrap().0, status);
        drop(fixture);
        server.finish();
    }
}

#[test]
fn answers_are_read_up_to_a_limit() {
    let server = Server::answering(answer("200 OK", "", &image(1001)));
    let fixture = Fixture::new();
    let error = fixture.send(target(&server.url("/")), Request::get()).unwrap_err();
    assert_error(error, Kind::Failed, "more than 1000 bytes");
    drop(fixture);
    server.finish();
}
