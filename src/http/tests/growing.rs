//! Payloads that are sent while more of them comes.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::server::{Server, Then, answer, image, receive, receive_some, send};
use super::*;
use crate::transfer::Grower;

/// From so many bytes on, leave is asked.
const LARGE: usize = 1 << 20;

/// Begins to send what `grower` is given.
fn start(fixture: &Fixture, server: &Server, grower: &Grower, length: Option<u64>) -> Sending {
    let payload = Payload::growing(grower.growing().clone(), length);
    let (client, to) = (fixture.client.clone(), target(&server.url("/")));
    let sending = async move { Ok(client.send(&to, Request::put(payload)).await?.status) };
    let op = Operation::default();
    let task = fixture.runtime.start(&op, sending).unwrap();
    Sending { op, task }
}

struct Sending {
    op: Operation,
    task: crate::transfer::Task<u16>,
}

impl Sending {
    fn end(self) -> Result<u16> {
        self.task.join(&self.op)
    }
}

#[test]
fn the_beginning_arrives_before_the_rest_is_there() {
    for is_known in [true, false] {
        let (tell, told) = mpsc::channel();
        let tell = Mutex::new(tell);
        let server = Server::start(move |request, wire| {
            send(wire, b"HTTP/1.1 100 Continue\r\n\r\n");
            let beginning = receive_some(request, wire, 1000);
            tell.lock().unwrap().send(beginning).unwrap();
            Then::WaitForClose
        });
        let fixture = Fixture::new();
        let grower = Grower::default();
        let sending = start(&fixture, &server, &grower, is_known.then_some(3 * LARGE as u64));
        grower.push(image(1000).into());
        assert!(told.recv().unwrap() == image(1000), "{is_known}");
        drop((grower, sending, fixture));
        server.finish();
    }
}

#[test]
fn what_has_grown_arrives_as_it_is() {
    for sizes in [&[0][..], &[1], &[65535, 1, 65537], &[LARGE, 0, LARGE + 1, 7]] {
        for is_known in [true, false] {
            let arrived = Arc::new(Mutex::new(Vec::new()));
            let taken = arrived.clone();
            let server = Server::start(move |request, wire| {
                *taken.lock().unwrap() = receive(request, wire);
                send(wire, &answer("201 Created", "", b""))
            });
            let fixture = Fixture::new();
            let grower = Grower::default();
            let pieces: Vec<Vec<u8>> = sizes.iter().map(|size| image(*size)).collect();
            let whole = pieces.concat();
            let sending = start(&fixture, &server, &grower, is_known.then_some(whole.len() as u64));
            pieces.into_iter().for_each(|piece| grower.push(piece.into()));
            grower.end();
            assert_eq!(sending.end().unwrap(), 201, "{sizes:?} {is_known}");
            assert!(*arrived.lock().unwrap() == whole, "{sizes:?} {is_known}");
            drop(fixture);
            let requests = server.finish();
            let length = requests[0].header("content-length").map(str::to_owned);
            match requests[0].header("transfer-encoding") {
                Some(encoding) => assert_eq!((encoding, length, is_known), ("chunked", None, false)),
                // What ends before it is sent is as long as it is.
                None => assert_eq!(length, Some(whole.len().to_string())),
            }
        }
    }
}

#[test]
fn it_is_sent_again_once_all_of_it_is_there_which_is_no_retry() {
    let whole = image(2 * LARGE);
    for refusal in ["", "408 Slow", "411 How long", "499 Gone"] {
        let (tried, expected) = (AtomicUsize::new(0), whole.clone());
        let server = Server::start(move |request, wire| match tried.fetch_add(1, Ordering::SeqCst) {
            0 => {
                send(wire, b"HTTP/1.1 100 Continue\r\n\r\n");
                receive_some(request, wire, 1000);
                if !refusal.is_empty() {
                    send(wire, &answer(refusal, "Connection: close\r\n", b""));
                }
                Then::Close
            }
            _ if receive(request, wire) == expected => send(wire, &answer("201 Created", "", b"")),
            _ => send(wire, &answer("400 No", "", b"")),
        });
        let mut settings = settings();
        settings.retry.retries = 0;
        let fixture = Fixture::with(settings);
        let grower = Grower::default();
        let sending = start(&fixture, &server, &grower, None);
        grower.push(Bytes::copy_from_slice(&whole[..1000]));
        while fixture.logged("once all of it is there") == 0 {
            std::thread::yield_now();
        }
        grower.push(Bytes::copy_from_slice(&whole[1000..]));
        grower.end();
        assert_eq!(sending.end().unwrap(), 201, "{refusal}");
        drop(fixture);
        let requests = server.finish();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].header("transfer-encoding"), Some("chunked"));
        assert_eq!(requests[1].header("content-length"), Some(whole.len().to_string().as_str()));
    }
}

#[test]
fn what_is_refused_for_another_reason_is_a_retry() {
    let server = Server::start(|_, wire| {
        send(wire, &answer("503 Busy", "Connection: close\r\n", b""));
        Then::Close
    });
    let fixture = Fixture::new();
    let grower = Grower::default();
    let sending = start(&fixture, &server, &grower, None);
    grower.push(image(1000).into());
    while fixture.logged("retry") == 0 {
        std::thread::yield_now();
    }
    grower.end();
    assert_eq!(sending.end().unwrap(), 503);
    assert_eq!(fixture.logged("once all of it is there"), 0);
    drop(fixture);
    assert_eq!(server.finish().len(), 3);
}

#[test]
fn all_of_it_is_waited_for_before_it_is_sent_again() {
    let grower = Grower::default();
    let payload = Payload::growing(grower.growing().clone(), Some(3));
    let mut settling = pin!(payload.settle());
    let mut context = Context::from_waker(Waker::noop());
    grower.push(Bytes::from_static(b"abc"));
    assert!(settling.as_mut().poll(&mut context).is_pending());
    grower.end();
    assert!(matches!(settling.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
}

#[test]
fn what_is_given_up_breaks_the_request_off_for_good() {
    for length in [Some(5000), None] {
        let (tell, told) = mpsc::channel();
        let tell = Mutex::new(tell);
        let server = Server::start(move |request, wire| {
            send(wire, b"HTTP/1.1 100 Continue\r\n\r\n");
            let beginning = receive_some(request, wire, 1000);
            tell.lock().unwrap().send(beginning.len()).unwrap();
            // The rest, in which nothing says that it is the end.
            let mut rest = Vec::new();
            let _ = wire.read_to_end(&mut rest);
            assert!(!rest.ends_with(b"0\r\n\r\n"), "{} bytes", rest.len());
            Then::Close
        });
        let fixture = Fixture::new();
        let grower = Grower::default();
        let sending = start(&fixture, &server, &grower, length);
        grower.push(image(1000).into());
        assert_eq!(told.recv().unwrap(), 1000);
        drop(grower);
        assert_error(sending.end().unwrap_err(), Kind::Unavailable, "the connection broke");
        drop(fixture);
        assert_eq!(server.finish().len(), 1, "{length:?}");
    }
}
