//! Random reads over servers that do wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use super::server::{Server, Then, answer, image, proper, send};
use super::*;
use crate::operation::{Cancel, Context};

fn read(reader: &ReadAhead<RandomAccess>, offset: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let count = reader.pread(&Operation::default(), &mut bytes, offset)?;
    bytes.truncate(count);
    Ok(bytes)
}

#[test]
fn threads_read_the_right_bytes_from_everywhere() {
    let data = image(3_000_000);
    let served = data.clone();
    let server = Server::start(move |request, wire| send(wire, &proper(request, &served, TAG)));
    let fixture = Fixture::new();
    let reader = fixture.reader(&server.url("/")).unwrap();
    assert_eq!(reader.size(), 3_000_000);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (reader, data) = (&reader, &data);
            scope.spawn(move || {
                for step in 0..60_usize {
                    let offset = (step * 977_777 + thread * 333_333) % 3_000_100;
                    let length = 1 + step * 5000;
                    let end = (offset + length).min(data.len());
                    let expected = &data[offset.min(end)..end];
                    assert!(read(reader, offset as u64, length).unwrap() == expected, "{offset} {length}");
                }
            });
        }
    });
    assert_eq!(read(&reader, 3_000_000, 10).unwrap(), b"");
    assert_eq!(read(&reader, u64::MAX, 10).unwrap(), b"");
    assert_eq!(read(&reader, 0, 0).unwrap(), b"");
    drop((reader, fixture));
    server.finish();
}

#[test]
fn a_random_read_ends_with_the_time_of_a_transfer() {
    let data = image(300_000);
    let first = AtomicBool::new(true);
    let server = Server::start(move |request, wire| {
        if first.swap(false, Ordering::SeqCst) {
            return send(wire, &proper(request, &data, TAG));
        }
        send(wire, &proper(request, &data, TAG)[..200]);
        Then::WaitForClose
    });
    let mut fixture = Fixture::new();
    fixture.manner = Manner { limit: Some(Duration::from_millis(200)), ..fixture.manner };
    let reader = fixture.reader(&server.url("/")).unwrap();
    assert_error(read(&reader, 200_000, 10).unwrap_err(), Kind::Timeout, "http_total_timeout");
    drop((reader, fixture));
    server.finish();
}

#[test]
fn a_server_without_ranges_is_told_when_the_image_is_opened() {
    let server = Server::answering(answer("200 OK", "", &image(300)));
    let fixture = Fixture::new();
    assert_error(
        fixture.reader(&server.url("/")).err().unwrap(),
        Kind::NotSupported,
        "does not serve ranges",
    );
    drop(fixture);
    server.finish();
    let server =
        Server::answering("HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-0/*\r\nContent-Length: 1\r\n\r\nx");
    let fixture = Fixture::new();
    assert_error(fixture.reader(&server.url("/")).err().unwrap(), Kind::NotSupported, "size");
    drop(fixture);
    server.finish();
}

#[test]
fn an_empty_image_has_nothing_to_read() {
    let server = Server::start(|request, wire| send(wire, &proper(request, b"", TAG)));
    let fixture = Fixture::new();
    let reader = fixture.reader(&server.url("/")).unwrap();
    assert_eq!(reader.size(), 0);
    assert_eq!(read(&reader, 0, 10).unwrap(), b"");
    drop((reader, fixture));
    server.finish();
}

#[test]
fn an_image_that_changes_under_its_reader_is_an_error() {
    let changed = Arc::new(AtomicBool::new(false));
    let is_changed = changed.clone();
    let server = Server::start(move |request, wire| {
        let tag = if is_changed.load(Ordering::SeqCst) { "ETag: \"two\"\r\n" } else { TAG };
        send(wire, &proper(request, &image(2_000_000), tag))
    });
    let fixture = Fixture::new();
    let reader = fixture.reader(&server.url("/")).unwrap();
    assert_eq!(read(&reader, 1_900_000, 10).unwrap(), image(2_000_000)[1_900_000..1_900_010]);
    changed.store(true, Ordering::SeqCst);
    assert_error(read(&reader, 1_000_000, 10).unwrap_err(), Kind::Failed, "changed");
    drop((reader, fixture));
    server.finish();
}

#[test]
fn a_server_that_comes_back_is_read_on() {
    let (data, down) = (image(1_000_000), Arc::new(AtomicBool::new(false)));
    let (served, is_down) = (data.clone(), down.clone());
    let server = Server::start(move |request, wire| {
        if is_down.load(Ordering::SeqCst) {
            return Then::Close;
        }
        send(wire, &proper(request, &served, TAG))
    });
    let fixture = Fixture::new();
    let reader = fixture.reader(&server.url("/")).unwrap();
    assert!(read(&reader, 0, 10).unwrap() == data[..10]);
    down.store(true, Ordering::SeqCst);
    assert_error(read(&reader, 900_000, 10).unwrap_err(), Kind::Unavailable, "the connection broke");
    assert!(read(&reader, 0, 10).unwrap() == data[..10], "what was read before is still there");
    down.store(false, Ordering::SeqCst);
    assert!(read(&reader, 900_000, 10).unwrap() == data[900_000..900_010]);
    drop((reader, fixture));
    server.finish();
}

#[test]
fn ranges_that_break_off_are_asked_for_on() {
    let data = image(1_000_000);
    let served = data.clone();
    let server = Server::start(move |request, wire| {
        let full = proper(request, &served, TAG);
        // Every answer ends after a block and a half.
        send(wire, &full[..full.len().min(98_304)]);
        if full.len() > 98_304 { Then::Close } else { Then::Keep }
    });
    let fixture = Fixture::new();
    let reader = fixture.reader(&server.url("/")).unwrap();
    assert!(read(&reader, 0, 1_000_000).unwrap() == data);
    drop((reader, fixture));
    server.finish();
}

#[test]
fn ranges_that_come_in_parts_are_read_at_once() {
    let data = image(200_000);
    let served = data.clone();
    let server = Server::start(move |request, wire| {
        let (start, end) = request.range().unwrap();
        // Less than a block, and of a length that only its last chunk tells.
        let end = end.unwrap().min(start + 50_000);
        let head = format!(
            "HTTP/1.1 206 Partial\r\nContent-Range: bytes {start}-{}/200000\r\n{TAG}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            end - 1,
            end - start
        );
        send(wire, &[head.as_bytes(), &served[start..end], b"\r\n0\r\n\r\n"].concat())
    });
    let fixture = Fixture::new();
    let reader = fixture.reader(&server.url("/")).unwrap();
    assert!(read(&reader, 0, 200_000).unwrap() == data);
    assert_eq!(fixture.logged("retry"), 0);
    assert_eq!(server.connections(), 1);
    drop((reader, fixture));
    assert_eq!(server.finish().len(), 5);
}

#[test]
fn a_cancel_stops_a_read_and_closes_its_connections() {
    let (asked, is_asked) = mpsc::channel();
    let asked = Mutex::new(asked);
    let server = Server::start(move |request, wire| {
        if request.range() == Some((0, Some(1))) {
            return send(wire, &proper(request, &image(1_000_000), TAG));
        }
        asked.lock().unwrap().send(()).unwrap();
        Then::WaitForClose
    });
    let fixture = Fixture::new();
    let reader = fixture.reader(&server.url("/")).unwrap();
    let cancel = Arc::new(Cancel::new().unwrap());
    let op = Operation::new(Some(cancel.clone()), None, Arc::new(Context::default()));
    let trigger = std::thread::spawn(move || {
        is_asked.recv().unwrap();
        cancel.trigger();
    });
    let error = reader.pread(&op, &mut [0; 100], 500_000).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    trigger.join().unwrap();
    server.finish();
    drop((reader, fixture));
}
