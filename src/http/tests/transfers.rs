//! Images on their way, and what happens to them there.

use std::collections::HashMap;
use std::sync::mpsc;

use super::server::{Request, Server, Then, answer, image, proper, send};
use super::*;
use crate::operation::{Cancel, Context};

/// How often each target was asked for.
#[derive(Default)]
struct Visits(Mutex<HashMap<String, usize>>);

impl Visits {
    /// The number of this visit, from 0.
    fn count(&self, request: &Request) -> usize {
        let mut visits = self.0.lock().unwrap();
        let count = visits.entry(request.target.clone()).or_default();
        *count += 1;
        *count - 1
    }
}

#[test]
fn parts_are_right_with_ranges_and_without() {
    let data = image(5000);
    let (ranged, plain) = (data.clone(), data.clone());
    let server = Server::start(move |request, wire| match request.target.as_str() {
        "/ranges" => send(wire, &proper(request, &ranged, TAG)),
        _ => send(wire, &answer("200 OK", "", &plain)),
    });
    let fixture = Fixture::new();
    for path in ["/ranges", "/plain"] {
        for (offset, length) in [
            (0, None),
            (0, Some(1)),
            (1, None),
            (4999, None),
            (5000, None),
            (9999, Some(1)),
            (17, Some(2000)),
            (4000, Some(9999)),
            (5, Some(u64::MAX)),
        ] {
            let end = length.map_or(5000, |length: u64| (length.saturating_add(offset)).min(5000)) as usize;
            let expected = &data[(offset as usize).min(5000)..end.max((offset as usize).min(5000))];
            let got = fixture.get_part(&server.url(path), offset, length).unwrap();
            assert!(got == expected, "{path} {offset} {length:?}: {} bytes", got.len());
        }
    }
    drop(fixture);
    server.finish();
}

#[test]
fn images_of_unknown_length_end_where_they_end() {
    let server = Server::start(|request, wire| {
        match request.target.as_str() {
        "/chunked" => send(wire, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"),
        "/old" => {
            send(wire, b"HTTP/1.0 200 OK\r\n\r\nabcde");
            Then::Close
        }
        "/empty" => send(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        _ => send(wire, b"HTTP/1.1 204 No Content\r\n\r\n"),
    }
    });
    let fixture = Fixture::new();
    for (path, expected) in [("/chunked", "abcde"), ("/old", "abcde"), ("/empty", ""), ("/none", "")] {
        assert_eq!(fixture.get(&server.url(path)).unwrap(), expected.as_bytes(), "{path}");
    }
    assert_eq!(fixture.get_part(&server.url("/chunked"), 2, Some(2)).unwrap(), b"cd");
    for path in ["/chunked", "/old"] {
        assert_eq!(fixture.get_part(&server.url(path), 2, Some(10)).unwrap(), b"cde", "{path}");
        assert_eq!(fixture.get_part(&server.url(path), 9, Some(1)).unwrap(), b"", "{path}");
        assert_eq!(fixture.get_part(&server.url(path), 9, None).unwrap(), b"", "{path}");
    }
    assert_error(fixture.size(&server.url("/chunked")).unwrap_err(), Kind::NotSupported, "size");
    drop(fixture);
    server.finish();
}

#[test]
fn an_answer_cut_at_any_byte_is_made_whole() {
    let data = image(300);
    let visits = Visits::default();
    let served = data.clone();
    let server = Server::start(move |request, wire| {
        let full = proper(request, &served, TAG);
        let cut: usize = request.target[1..].parse().unwrap();
        if visits.count(request) > 0 || cut >= full.len() {
            return send(wire, &full);
        }
        send(wire, &full[..cut]);
        Then::Close
    });
    let fixture = Fixture::new();
    for cut in 0..380 {
        let got =
            fixture.get(&server.url(&format!("/{cut}"))).unwrap_or_else(|error| panic!("{cut}: {error}"));
        assert!(got == data, "{cut}");
    }
    assert!(fixture.logged("retry 1 of 2") >= 300);
    drop(fixture);
    server.finish();
}

#[test]
fn a_connection_that_breaks_always_is_given_up_on() {
    let data = image(300);
    let server = Server::start(move |request, wire| {
        let full = proper(request, &data, TAG);
        send(wire, &full[..full.len() - 100]);
        Then::Close
    });
    let fixture = Fixture::new();
    let error = fixture.get(&server.url("/")).unwrap_err();
    assert!(error.is_retryable());
    assert_error(error, Kind::Unavailable, "the connection broke");
    drop(fixture);
    let asked: Vec<_> = server.finish().iter().map(|request| request.range()).collect();
    assert_eq!(asked, [None, Some((200, Some(300))), Some((200, Some(300)))]);
}

#[test]
fn without_a_validator_nothing_is_patched_together() {
    let data = image(300);
    let server = Server::start(move |request, wire| {
        let full = proper(request, &data, "");
        send(wire, &full[..full.len() - 100]);
        Then::Close
    });
    let fixture = Fixture::new();
    assert_error(
        fixture.get(&server.url("/")).unwrap_err(),
        Kind::Unavailable,
        "neither ETag nor Last-Modified",
    );
    drop(fixture);
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn a_server_without_ranges_is_read_again_up_to_the_cut() {
    let data = image(5000);
    let (visits, served) = (Visits::default(), data.clone());
    let server = Server::start(move |request, wire| {
        let full = answer("200 OK", TAG, &served);
        let end = if visits.count(request) == 0 { full.len() - 1500 } else { full.len() };
        send(wire, &full[..end]);
        Then::Close
    });
    let fixture = Fixture::new();
    assert!(fixture.get(&server.url("/")).unwrap() == data);
    drop(fixture);
    assert_eq!(server.finish()[1].header("if-range"), Some("\"one\""));
}

#[test]
fn an_image_that_changes_on_the_way_is_an_error() {
    for (before, after, size, words) in [
        ("ETag: \"one\"\r\n", "ETag: \"two\"\r\n", 300, "its version was"),
        ("ETag: \"one\"\r\n", "ETag: \"one\"\r\n", 301, "its size was 300 bytes and is 301"),
        ("Last-Modified: Mon\r\n", "Last-Modified: Tue\r\n", 300, "its version was"),
    ] {
        let visits = Visits::default();
        let server = Server::start(move |request, wire| {
            if visits.count(request) > 0 {
                return send(wire, &proper(request, &image(size), after));
            }
            let full = proper(request, &image(300), before);
            send(wire, &full[..full.len() - 100]);
            Then::Close
        });
        let fixture = Fixture::new();
        assert_error(fixture.get(&server.url("/")).unwrap_err(), Kind::Failed, words);
        drop(fixture);
        server.finish();
    }
}

#[test]
fn a_whole_image_that_nothing_identifies_any_more_is_an_error() {
    let visits = Visits::default();
    let server = Server::start(move |request, wire| {
        if visits.count(request) > 0 {
            return send(wire, &answer("200 OK", "", &image(300)));
        }
        send(wire, &answer("200 OK", TAG, &image(300))[..200]);
        Then::Close
    });
    let fixture = Fixture::new();
    assert_error(
        fixture.get(&server.url("/")).unwrap_err(),
        Kind::Failed,
        "neither ETag nor Last-Modified any more",
    );
    drop(fixture);
    assert_eq!(server.finish().len(), 2);
}

#[test]
fn a_length_that_is_too_long_is_found_out() {
    let server = Server::start(|request, wire| match request.range() {
        None => {
            send(wire, format!("HTTP/1.1 200 OK\r\n{TAG}Content-Length: 100\r\n\r\n{:090}", 0).as_bytes());
            Then::Close
        }
        Some(_) => send(
            wire,
            b"HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: bytes */90\r\nETag: \"one\"\r\n\r\n",
        ),
    });
    let fixture = Fixture::new();
    assert_error(
        fixture.get(&server.url("/")).unwrap_err(),
        Kind::Failed,
        "its size was 100 bytes and is 90",
    );
    drop(fixture);
    server.finish();
}

#[test]
fn behind_an_end_that_is_not_told_there_is_nothing() {
    for (head, fine) in [("200 OK", true), ("403 No", false)] {
        let server = Server::start(move |request, wire| match request.method.as_str() {
            "HEAD" => send(wire, format!("HTTP/1.1 {head}\r\n{TAG}Content-Length: 90\r\n\r\n").as_bytes()),
            _ => send(wire, &answer("416 No", "", b"InvalidRange")),
        });
        let fixture = Fixture::new();
        for start in [90, 91, u64::MAX] {
            let result = fixture.get_part(&server.url("/"), start, None);
            assert_eq!(result.is_ok_and(|bytes| bytes.is_empty()), fine, "{head} {start}");
        }
        let error = fixture.get_part(&server.url("/"), 89, None).unwrap_err();
        assert_error(error, Kind::Failed, "416");
    }
}

#[test]
fn a_length_that_is_too_short_poisons_no_later_answer() {
    let server = Server::start(|_, wire| {
        send(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcdeHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    });
    let fixture = Fixture::new();
    for _ in 0..3 {
        assert_eq!(fixture.get(&server.url("/")).unwrap(), b"abcde");
    }
    drop(fixture);
    server.finish();
}

#[test]
fn false_ranges_are_told_at_once() {
    for (headers, words) in [
        ("Content-Range: bytes 0-9/100\r\nContent-Length: 10", "it answered 0-9"),
        ("Content-Range: bytes 11-19/100\r\nContent-Length: 9", "it answered 11-19"),
        ("Content-Range: bytes 10-25/100\r\nContent-Length: 16", "it answered 10-25"),
        ("Content-Range: bytes 10-19/15\r\nContent-Length: 10", "it answered 10-19"),
        ("Content-Range: bytes 19-10/100\r\nContent-Length: 10", "it answered 19-10"),
        ("Content-Range: bytes 10-19/100\r\nContent-Length: 16", "Content-Length and Content-Range differ"),
        ("Content-Range: items 10-19/100\r\nContent-Length: 10", "no Content-Range"),
        ("Content-Type: multipart/byteranges\r\nContent-Length: 10", "no Content-Range"),
        ("Content-Length: 10", "no Content-Range"),
    ] {
        let server = Server::answering(format!("HTTP/1.1 206 Partial\r\n{headers}\r\n\r\n{:016}", 0));
        let fixture = Fixture::new();
        let error = fixture.get_part(&server.url("/"), 10, Some(10)).unwrap_err();
        assert_error(error, Kind::Failed, words);
        drop(fixture);
        assert_eq!(server.finish().len(), 1, "{headers}");
    }
}

#[test]
fn a_chunked_range_of_another_length_is_an_error() {
    for (size, kind) in [(9, Kind::Failed), (11, Kind::Failed)] {
        let server = Server::answering(format!(
            "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/100\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{:0size$}\r\n0\r\n\r\n",
            0
        ));
        let fixture = Fixture::new();
        let got = fixture.get_part(&server.url("/"), 0, Some(10));
        // What is longer is cut to what was asked for and told to be there.
        match got {
            Ok(bytes) => assert_eq!((bytes.len(), size), (10, 11)),
            Err(error) => assert_error(error, kind, "another length"),
        }
        drop(fixture);
        server.finish();
    }
}

#[test]
fn a_range_that_comes_in_parts_is_asked_for_on() {
    let data = image(5000);
    let served = data.clone();
    let server = Server::start(move |request, wire| {
        let (start, end) = request.range().unwrap();
        let end = end.unwrap_or(5000).min(start + 700);
        let range = format!("Content-Range: bytes {start}-{}/5000\r\n{TAG}", end - 1);
        send(wire, &answer("206 Partial", &range, &served[start..end]))
    });
    let fixture = Fixture::new();
    assert!(fixture.get_part(&server.url("/"), 1, None).unwrap() == data[1..]);
    drop(fixture);
    assert_eq!(server.finish().len(), 8);
}

#[test]
fn ranges_of_an_image_of_unknown_length_are_asked_for_to_its_end() {
    let data = image(2000);
    let served = data.clone();
    let server = Server::start(move |request, wire| {
        let start = request.range().unwrap().0;
        if start >= 2000 {
            return send(wire, &proper(request, &served, TAG));
        }
        let end = (start + 700).min(2000);
        let range = format!("Content-Range: bytes {start}-{}/*\r\n{TAG}", end - 1);
        send(wire, &answer("206 Partial", &range, &served[start..end]))
    });
    let fixture = Fixture::new();
    assert!(fixture.get_part(&server.url("/"), 1, None).unwrap() == data[1..]);
    assert!(fixture.get_part(&server.url("/"), 1, Some(9999)).unwrap() == data[1..]);
    drop(fixture);
    assert_eq!(server.finish().len(), 8);
}

#[test]
fn short_ranges_that_nothing_identifies_are_not_patched_together() {
    let server = Server::answering(answer("206 Partial", "Content-Range: bytes 1-9/300\r\n", &[0; 9]));
    let fixture = Fixture::new();
    assert_error(
        fixture.get_part(&server.url("/"), 1, None).unwrap_err(),
        Kind::Unavailable,
        "neither ETag nor Last-Modified",
    );
    drop(fixture);
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn a_slow_image_is_brought_by_several_connections() {
    let data = image(200_000);
    let served = data.clone();
    let server = Server::start(move |request, wire| send(wire, &proper(request, &served, TAG)));
    let mut fixture = Fixture::new();
    // Nothing is as fast as this asks for.
    fixture.manner = Manner { connections: 4, ..fixture.manner };
    assert!(fixture.get(&server.url("/")).unwrap() == data);
    assert!(fixture.get_part(&server.url("/"), 777, Some(150_000)).unwrap() == data[777..150_777]);
    drop(fixture);
    let connections = server.connections();
    assert!((2..=8).contains(&connections), "{connections}");
    server.finish();
}

#[test]
fn a_fast_image_keeps_to_one_connection() {
    let data = image(200_000);
    let served = data.clone();
    let server = Server::start(move |request, wire| send(wire, &proper(request, &served, TAG)));
    let mut fixture = Fixture::new();
    fixture.manner = Manner { connections: 4, fast: 0, limit: None };
    assert!(fixture.get(&server.url("/")).unwrap() == data);
    drop(fixture);
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn a_server_that_finds_several_connections_too_many_is_asked_by_one() {
    let data = image(200_000);
    for refusal in [&answer("503 Busy", "Retry-After: 0\r\n", b"")[..], b""] {
        let (served, refusal) = (data.clone(), refusal.to_vec());
        let server = Server::start(move |request, wire| match request.range() {
            // What only the other connections ask for.
            Some((_, Some(end))) if end < 200_000 => {
                send(wire, &refusal);
                Then::Close
            }
            _ => send(wire, &proper(request, &served, TAG)),
        });
        let mut fixture = Fixture::new();
        fixture.manner = Manner { connections: 4, ..fixture.manner };
        assert!(fixture.get(&server.url("/")).unwrap() == data);
        assert_eq!(fixture.logged("going on with one connection"), 1);
        drop(fixture);
        server.finish();
    }
}

#[test]
fn compression_is_declined_and_never_undone() {
    let server = Server::answering(answer("200 OK", "Content-Encoding: gzip\r\n", b"\x1f\x8bnot really"));
    let fixture = Fixture::new();
    assert_eq!(fixture.get(&server.url("/")).unwrap(), b"\x1f\x8bnot really");
    drop(fixture);
    assert_eq!(server.finish()[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn cookies_are_not_kept() {
    let server = Server::answering(answer("200 OK", "Set-Cookie: a=b\r\n", b"x"));
    let fixture = Fixture::new();
    fixture.get(&server.url("/")).unwrap();
    fixture.get(&server.url("/")).unwrap();
    drop(fixture);
    assert!(server.finish().iter().all(|request| request.header("cookie").is_none()));
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for() {
    for silent_after in ["", "HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]
    {
        let server = Server::start(move |_, wire| {
            send(wire, silent_after.as_bytes());
            Then::WaitForClose
        });
        let fixture = Fixture::impatient();
        let error = fixture.get(&server.url("/")).unwrap_err();
        assert!(error.is_retryable());
        assert_error(error, Kind::Timeout, "from the server for 0.03 s");
        drop(fixture);
        server.finish();
    }
}

#[test]
fn a_transfer_ends_with_its_time() {
    let server = Server::start(|_, wire| {
        send(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
        Then::WaitForClose
    });
    let mut fixture = Fixture::new();
    fixture.manner = Manner { limit: Some(Duration::from_millis(30)), ..fixture.manner };
    assert_error(fixture.get(&server.url("/")).unwrap_err(), Kind::Timeout, "http_total_timeout");
    drop(fixture);
    server.finish();
}

#[test]
fn a_cancel_closes_the_connection() {
    for answered in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"] {
        let (asked, is_asked) = mpsc::channel();
        let asked = Mutex::new(asked);
        let server = Server::start(move |_, wire| {
            send(wire, answered.as_bytes());
            asked.lock().unwrap().send(()).unwrap();
            Then::WaitForClose
        });
        let cancel = Arc::new(Cancel::new().unwrap());
        let op = Operation::new(Some(cancel.clone()), None, Arc::new(Context::default()));
        let trigger = std::thread::spawn(move || {
            is_asked.recv().unwrap();
            cancel.trigger();
        });
        let fixture = Fixture::new();
        let error = fixture.get_within(&op, &server.url("/"), 0, None).unwrap_err();
        assert_eq!(error.kind(), Kind::Cancelled);
        trigger.join().unwrap();
        // The client lives on: it is the call that closed.
        server.finish();
        drop(fixture);
    }
}

#[test]
fn heads_without_end_are_cut_off() {
    for (line, words) in [("X: y\r\n", ""), ("x", "")] {
        let server = Server::start(move |_, wire| {
            let mut then = send(wire, b"HTTP/1.1 200 OK\r\n");
            while then == Then::Keep {
                then = send(wire, line.repeat(1000).as_bytes());
            }
            then
        });
        let fixture = Fixture::new();
        assert_error(fixture.get(&server.url("/")).unwrap_err(), Kind::Failed, words);
        drop(fixture);
        assert_eq!(server.finish().len(), 1);
    }
}

#[test]
fn what_does_not_speak_http_is_told_apart() {
    for text in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
    ] {
        let server = Server::start(move |_, wire| {
            send(wire, text.as_bytes());
            Then::Close
        });
        let fixture = Fixture::new();
        assert_error(fixture.get(&server.url("/")).unwrap_err(), Kind::Failed, "breaks the protocol");
        drop(fixture);
        assert_eq!(server.finish().len(), 1, "{text}");
    }
}
