//! Answers that are not the image: refusals, redirects, and those that ask for patience.

use std::net::TcpListener;

use super::server::{Server, Then, answer, image, proper, send};
use super::*;

#[test]
fn each_refusal_has_its_kind_and_says_why() {
    for (status, kind) in [
        (400, Kind::Failed),
        (401, Kind::NotAuthenticated),
        (403, Kind::Forbidden),
        (404, Kind::NotFound),
        (408, Kind::Unavailable),
        (410, Kind::NotFound),
        (418, Kind::Failed),
        (429, Kind::Unavailable),
        (500, Kind::Unavailable),
        (501, Kind::Unavailable),
        (503, Kind::Unavailable),
        (300, Kind::Failed),
        (304, Kind::Failed),
    ] {
        let body = "<p>because\nof \x07 me</p>".repeat(200);
        let text = match status {
            304 => b"HTTP/1.1 304 No\r\n\r\n".to_vec(),
            _ => answer(&format!("{status} No"), "", body.as_bytes()),
        };
        let server = Server::answering(text);
        let fixture = Fixture::new();
        let error = fixture.get(&server.url("/i?sig=secret")).unwrap_err();
        assert_eq!(error.http_status(), status);
        assert!(error.message().len() < 1200, "{error}");
        assert!(!error.message().contains("secret"), "{error}");
        let words = if status == 304 { "304" } else { "<p>because of \\u{7} me</p>" };
        assert_error(error, kind, words);
        drop(fixture);
        let expected = if matches!(status, 408 | 429 | 500 | 503) { 3 } else { 1 };
        assert_eq!(server.finish().len(), expected, "{status}");
    }
}

#[test]
fn bodies_that_nobody_needs_are_not_waited_for() {
    let server = Server::start(|request, wire| {
        match request.target.as_str() {
            "/moved" => send(wire, b"HTTP/1.1 302 Moved\r\nLocation: /there\r\nContent-Length: 9\r\n\r\nmov"),
            "/there" => return send(wire, &answer("200 OK", "", b"x")),
            _ => send(wire, b"HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\ngone"),
        };
        Then::WaitForClose
    });
    // The client's patience ends only after the server's, which fails then.
    let mut settings = settings();
    settings.connector.read_timeout = None;
    let fixture = Fixture::with(settings);
    assert_eq!(fixture.get(&server.url("/moved")).unwrap(), b"x");
    assert_error(fixture.get(&server.url("/gone")).unwrap_err(), Kind::NotFound, "image: gone");
    drop(fixture);
    server.finish();
}

#[test]
fn sizes_come_from_head_or_from_a_range() {
    let data = image(300);
    for refusal in ["", "400 No", "403 No", "405 No", "501 No"] {
        let served = data.clone();
        let server = Server::start(move |request, wire| match request.method.as_str() {
            "HEAD" if !refusal.is_empty() => {
                send(wire, format!("HTTP/1.1 {refusal}\r\nContent-Length: 5\r\n\r\n").as_bytes())
            }
            _ => send(wire, &proper(request, &served, TAG)),
        });
        let fixture = Fixture::new();
        assert_eq!(fixture.size(&server.url("/")).unwrap(), 300);
        drop(fixture);
        assert_eq!(server.finish().len(), if refusal.is_empty() { 1 } else { 2 });
    }
}

#[test]
fn a_missing_image_is_asked_for_once() {
    let server = Server::answering("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    let fixture = Fixture::new();
    assert_error(fixture.size(&server.url("/")).unwrap_err(), Kind::NotFound, "404");
    drop(fixture);
    let methods: Vec<_> = server.finish().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["HEAD"]);
}

#[test]
fn patience_is_had_as_long_as_it_is_asked_for() {
    for (header, requests) in [("Retry-After: 0\r\n", 3), ("", 3), ("Retry-After: 3600\r\n", 1)] {
        let server = Server::answering(answer("429 Slow down", header, b""));
        let fixture = Fixture::new();
        assert_error(fixture.get(&server.url("/")).unwrap_err(), Kind::Unavailable, "429");
        assert_eq!(fixture.logged("retry"), requests - 1);
        drop(fixture);
        assert_eq!(server.finish().len(), requests, "{header}");
    }
}

#[test]
fn a_failure_that_passes_is_not_seen() {
    let count = Mutex::new(0);
    let server = Server::start(move |_, wire| {
        let mut count = count.lock().unwrap();
        *count += 1;
        send(wire, &if *count < 3 { answer("502 No", "", b"") } else { answer("200 OK", "", b"x") })
    });
    let fixture = Fixture::new();
    assert_eq!(fixture.get(&server.url("/")).unwrap(), b"x");
    assert_eq!(fixture.logged("the server answered 502"), 2);
    drop(fixture);
    server.finish();
}

#[test]
fn nobody_listening_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let fixture = Fixture::new();
    let error = fixture.get(&format!("http://127.0.0.1:{port}/")).unwrap_err();
    assert_eq!(error.errno(), nix::libc::ECONNREFUSED);
    assert_error(error, Kind::Unavailable, "cannot connect to");
    assert_eq!(fixture.logged("retry"), 2);
    assert_error(fixture.get("http://nonesuch.invalid/").unwrap_err(), Kind::Unavailable, "nonesuch.invalid");
}

#[test]
fn redirects_of_every_kind_are_followed() {
    let data = image(300);
    for status in [301, 302, 303, 307, 308] {
        for location in [
            "/b/image?sig=1",
            "image?sig=1",
            "../b/image?sig=1",
            "//HOST/b/image?sig=1",
            "http://HOST/b/image?sig=1",
        ] {
            let served = data.clone();
            let server = Server::start(move |request, wire| {
                if request.target == "/b/image?sig=1" {
                    return send(wire, &proper(request, &served, TAG));
                }
                let location = location.replace("HOST", request.header("host").unwrap());
                send(
                    wire,
                    &answer(&format!("{status} Moved"), &format!("Location: {location}\r\n"), b"moved"),
                )
            });
            let fixture = Fixture::new();
            assert!(fixture.get(&server.url("/b/old")).unwrap() == data, "{status} {location}");
            assert_eq!(fixture.size(&server.url("/b/old")).unwrap(), 300);
            drop(fixture);
            server.finish();
        }
    }
}

#[test]
fn four_redirects_are_followed_and_five_are_too_many() {
    let server = Server::start(|request, wire| {
        let left: u32 = request.target[1..].parse().unwrap();
        let moved = || answer("302 Moved", &format!("Location: /{}\r\n", left - 1), b"");
        send(wire, &if left == 0 { answer("200 OK", "", b"x") } else { moved() })
    });
    let fixture = Fixture::new();
    assert_eq!(fixture.get(&server.url("/4")).unwrap(), b"x");
    assert_eq!(server.targets().len(), 5);
    let error = fixture.get(&server.url("/5")).unwrap_err();
    assert_error(error, Kind::TooManyRedirects, "5 answers in a row");
    assert_eq!(server.targets().len(), 10);
    drop(fixture);
    server.finish();
}

#[test]
fn a_loop_of_redirects_ends() {
    let server = Server::answering(answer("301 Moved", "Location: /\r\n", b""));
    let fixture = Fixture::new();
    assert_error(fixture.get(&server.url("/")).unwrap_err(), Kind::TooManyRedirects, "redirects");
    assert_error(fixture.size(&server.url("/")).unwrap_err(), Kind::TooManyRedirects, "redirects");
    drop(fixture);
    server.finish();
}

#[test]
fn redirects_that_lead_nowhere_are_errors() {
    for (headers, kind, words) in [
        ("", Kind::Failed, "the server answered 302"),
        ("Location: file:///etc/passwd\r\n", Kind::BadUri, "neither http nor https"),
        ("Location: http://\r\n", Kind::BadUri, "names no host"),
        ("Location: http://u:secret@h:x/\r\n", Kind::BadUri, "the port"),
    ] {
        let server = Server::answering(answer("302 Moved", headers, b""));
        let fixture = Fixture::new();
        let error = fixture.get(&server.url("/?sig=secret")).unwrap_err();
        assert!(!error.message().contains("secret"), "{error}");
        assert_error(error, kind, words);
        drop(fixture);
        server.finish();
    }
}

#[test]
fn credentials_stay_with_their_origin() {
    let other = Server::answering(answer("200 OK", "", b"x"));
    let (port, elsewhere) = (other.port(), other.url("/there"));
    let first = Server::start(move |request, wire| match request.target.as_str() {
        "/start" => send(wire, &answer("302 Moved", "Location: /again\r\n", b"")),
        "/given" => {
            send(wire, &answer("302 Moved", &format!("Location: http://v:w@127.0.0.1:{port}/given\r\n"), b""))
        }
        _ => send(wire, &answer("302 Moved", &format!("Location: {elsewhere}\r\n"), b"")),
    });
    let fixture = Fixture::new();
    let with_user = |path: &str| first.url(path).replace("//", "//user:pa%40ss@");
    fixture.get(&with_user("/start")).unwrap();
    fixture.get(&with_user("/given")).unwrap();
    assert_eq!(fixture.logged("pa%40ss") + fixture.logged("pa@ss") + fixture.logged("dXNlcj"), 0);
    drop(fixture);
    let sent = |requests: Vec<super::server::Request>| -> Vec<Option<String>> {
        requests.iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
    };
    let own = Some("Basic dXNlcjpwYUBzcw==".to_owned());
    assert_eq!(sent(first.finish()), [own.clone(), own.clone(), own]);
    assert_eq!(sent(other.finish()), [None, Some("Basic djp3".to_owned())]);
}

#[test]
fn a_redirect_is_remembered_until_it_fails() {
    let data = image(300_000);
    let served = data.clone();
    let stale = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_stale = stale.clone();
    let server = Server::start(move |request, wire| match request.target.as_str() {
        "/image" if is_stale.load(std::sync::atomic::Ordering::SeqCst) => {
            send(wire, &answer("302 Moved", "Location: /signed?2\r\n", b""))
        }
        "/image" => send(wire, &answer("302 Moved", "Location: /signed?1\r\n", b"")),
        "/signed?1" if is_stale.load(std::sync::atomic::Ordering::SeqCst) => {
            send(wire, &answer("403 Expired", "", b""))
        }
        _ => send(wire, &proper(request, &served, TAG)),
    });
    let fixture = Fixture::new();
    let reader = fixture.reader(&server.url("/image")).unwrap();
    let mut byte = [0];
    for offset in [100_000, 250_000] {
        reader.pread(&Operation::default(), &mut byte, offset).unwrap();
        assert_eq!(byte[0], data[offset as usize]);
        stale.store(true, std::sync::atomic::Ordering::SeqCst);
    }
    drop((reader, fixture));
    let targets: Vec<_> = server.finish().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/image", "/signed?1", "/signed?1", "/signed?1", "/image", "/signed?2"]);
}

#[test]
fn connections_are_kept_and_renewed_when_the_server_closed_them() {
    let server = Server::start(|request, wire| {
        send(wire, &answer("200 OK", "", b"x"));
        // Closes without a word, as servers do with idle connections.
        if request.target == "/last" { Then::Close } else { Then::Keep }
    });
    let fixture = Fixture::new();
    for path in ["/a", "/b", "/last", "/c", "/d"] {
        assert_eq!(fixture.get(&server.url(path)).unwrap(), b"x", "{path}");
    }
    assert_eq!(fixture.logged("retry"), 0);
    drop(fixture);
    assert_eq!(server.connections(), 2);
    let connections: Vec<_> = server.finish().into_iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 0, 1, 1]);
}
