//! A daemon that breaks off, refuses, lies and is silent: one clear error each time, and nothing is left.

use std::sync::Mutex;

use super::*;

/// With every request of an add, `action`; the cluster does the rest properly.
fn adds_that_fail(action: Deed, check: impl Fn(Error)) {
    for number in 0.. {
        let server = Server::scripted(small(), on(number, action));
        let driver = driver_at(server.port(), settings());
        let data = image(2 * MIB + 1);
        match driver.add(&Operation::default(), "fails", None, pieces_of(&data, MIB)) {
            Ok(location) => {
                // The one that fails may be the first after the add.
                let bytes = driver.get(&location).or_else(|_| driver.get(&location)).unwrap();
                assert!(number > 9 && bytes == data, "{number} requests");
                return;
            }
            Err(error) => {
                check(error);
                assert_eq!(server.cluster().listing(), "", "failed at request {number}");
            }
        }
    }
}

#[test]
fn an_add_whose_connection_is_cut_in_any_phase_leaves_nothing() {
    let cuts: [Deed; 5] = [
        || Action::Close,
        || Action::Cut(0),
        || Action::Cut(15),
        || Action::Cut(16),
        || Action::Cut(47),
    ];
    for cut in cuts {
        adds_that_fail(cut, |error| assert_broken_off(error));
    }
}

#[test]
fn an_add_that_is_refused_in_any_phase_leaves_nothing() {
    adds_that_fail(|| Action::Refuse(0x15), |error| assert_error(error, Kind::StorageFull, "NO_SPACE"));
    adds_that_fail(|| Action::Refuse(0x1A), |error| assert_error(error, Kind::WriteDenied, "READONLY"));
    adds_that_fail(|| Action::Refuse(0x8F), |error| assert_error(error, Kind::Unavailable, "AGAIN"));
    adds_that_fail(|| Action::Refuse(0x99), |error| assert_error(error, Kind::Failed, "unknown result 0x99"));
}

#[test]
fn an_add_that_is_lied_to_in_any_phase_leaves_nothing() {
    let lies: [(Deed, &str); 4] = [
        (|| Action::Lie(|bytes| bytes[8] ^= 0x80), "no request under way"),
        (|| Action::Lie(|bytes| bytes[1] ^= 1), "says it is one to"),
        (|| Action::Lie(|bytes| bytes[12..16].fill(0xFF)), "4294967295 bytes of data"),
        (|| Action::Lie(|bytes| bytes[13] ^= 1), "bytes of data where"),
    ];
    for (lie, words) in lies {
        adds_that_fail(lie, |error| {
            assert_error(error.clone(), Kind::Failed, "breaks the protocol");
            assert_error(error, Kind::Failed, words);
        });
    }
}

#[test]
fn silence_ends_a_call_after_its_time() {
    let impatient = Settings { timeout: Some(Duration::from_millis(50)), ..settings() };
    for number in [0, 1, 3, 6, 9] {
        let server = Server::scripted(small(), on(number, || Action::Ignore));
        let driver = driver_at(server.port(), impatient.clone());
        let added = driver.add(&Operation::default(), "silent", None, pieces_of(&image(2 * MIB), MIB));
        assert_error(added.err().unwrap(), Kind::Timeout, "sheepdog_store_timeout");
        assert_eq!(server.cluster().listing(), "", "silent at request {number}");
    }
}

#[test]
fn a_deadline_ends_a_call_that_the_daemon_does_not_answer() {
    let op = |millis| Operation::new(None, Some(Duration::from_millis(millis)), Arc::default());
    let server = Server::scripted(small(), from_to(0, usize::MAX, || Action::Ignore));
    let driver = driver_at(server.port(), settings());
    let location = driver.location("any");
    assert_error(Driver::size(&driver, &op(20), &location).unwrap_err(), Kind::Timeout, "20 ms");
    assert_error(driver.delete(&op(20), &location).unwrap_err(), Kind::Timeout, "20 ms");
    assert_error(driver.reader(&op(20), &location).err().unwrap(), Kind::Timeout, "20 ms");
    assert_error(driver.get_part(&op(20), &location, Part::default()).unwrap_err(), Kind::Timeout, "20 ms");
}

/// Whatever is cut off where: the bytes are right, or there is an error.
#[test]
fn answers_cut_at_any_byte_are_errors() {
    let data = image(MIB + 500);
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    driver.add_bytes("cut", &data);
    let mut held = std::mem::take(&mut *server.cluster());
    // Lookup, inode, table, inode again, and two objects.
    for number in 0..6 {
        for length in (0..48).chain([49, 60, 500, 4711, 100_000]) {
            let server = Server::scripted(small(), on(number, move || Action::Cut(length)));
            *server.cluster() = held;
            let driver = driver_at(server.port(), settings());
            match driver.get(&driver.location("cut")) {
                // Longer than the answer.
                Ok(bytes) => assert!(bytes == data && length > 48, "{length} bytes of answer {number}"),
                Err(error) => assert_broken_off(error),
            }
            held = std::mem::take(&mut *server.cluster());
        }
    }
}

/// A request that was lost may be done all the same, and later.
#[test]
fn an_object_that_comes_into_being_after_its_connection_broke_is_removed() {
    let lost: Mutex<Option<[u8; 48]>> = Mutex::default();
    let server = Server::scripted(small(), move |request| match request.opcode() {
        0x01 => {
            *lost.lock().unwrap() = Some(request.header);
            Action::Close
        }
        // By then all the objects that were there have been removed.
        0x17 => Action::After(Box::new(Request { header: lost.lock().unwrap().unwrap(), data: vec![1] })),
        _ => Action::Answer,
    });
    let driver = driver_at(server.port(), Settings { retries: 1, ..settings() });
    let error = driver.add(&Operation::default(), "late", None, pieces_of(b"late", 4)).err().unwrap();
    assert_broken_off(error);
    assert_eq!(server.cluster().listing(), "");
}

#[test]
fn a_name_whose_creation_lost_its_answer_is_not_taken_for_anothers() {
    let server = Server::scripted(small(), on(0, || Action::Cut(0)));
    let driver = driver_at(server.port(), Settings { retries: 2, ..settings() });
    let error = driver.add(&Operation::default(), "own", None, Vec::new()).err().unwrap();
    assert_broken_off(error);
    assert_eq!(server.cluster().listing(), "");
}

#[test]
fn what_passes_is_tried_again() {
    let patient = Settings { retries: 2, ..settings() };
    let data = image(2 * MIB + 1);
    let passing: [Deed; 4] =
        [|| Action::Refuse(0x8F), || Action::Refuse(0x0F), || Action::Refuse(0x95), || Action::Close];
    for action in passing {
        for number in 1..12 {
            let server = Server::scripted(small(), on(number, action));
            let driver = driver_at(server.port(), patient.clone());
            let added = driver.add(&Operation::default(), "again", None, pieces_of(&data, MIB));
            let location = match added {
                Ok(location) => location,
                // An object is not created twice where more is written to it.
                Err(error) => {
                    assert_broken_off(error);
                    assert_eq!(server.cluster().listing(), "");
                    continue;
                }
            };
            assert!(driver.get(&location).unwrap() == data, "request {number}");
        }
    }
    let server = Server::scripted(small(), from_to(0, usize::MAX, || Action::Refuse(0x8F)));
    let driver = driver_at(server.port(), patient);
    let error = driver.add(&Operation::default(), "busy", None, Vec::new()).err().unwrap();
    assert_error(error, Kind::Unavailable, "AGAIN");
}

#[test]
fn clusters_that_cannot_serve_say_why() {
    for (result, kind, words) in [
        (0x16, Kind::Unavailable, "not formatted"),
        (0x17, Kind::Unavailable, "waits for more nodes"),
        (0x19, Kind::Unavailable, "halted"),
        (0x11, Kind::Unavailable, "shutting down"),
        (0x14, Kind::Failed, "another version of the protocol"),
    ] {
        let server = Server::start(Config { refusal: Some(result), ..small() });
        let driver = driver_at(server.port(), settings());
        let (op, location) = (Operation::default(), driver.location("any"));
        assert_error(Driver::size(&driver, &op, &location).unwrap_err(), kind, words);
        assert_error(driver.get(&location).unwrap_err(), kind, words);
        assert_error(driver.delete(&op, &location).unwrap_err(), kind, words);
        assert_error(driver.add(&op, "any", None, Vec::new()).err().unwrap(), kind, words);
    }
}

#[test]
fn lost_objects_are_no_zeros() {
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    let location = driver.add_bytes("lost", &image(3 * MIB));
    let reader = driver.reader(&Operation::default(), &location).unwrap();
    let vid = server.cluster().vid_of("lost").unwrap();
    server.cluster().lose(vid, 1);
    assert_error(driver.get(&location).unwrap_err(), Kind::Failed, "object 1 of VDI \"lost\" is missing");
    let error = reader.pread(&Operation::default(), &mut [0; 10], MIB as u64 + 5).unwrap_err();
    assert_error(error, Kind::Failed, "lost data");
    assert_eq!(reader.pread(&Operation::default(), &mut [0; 10], 5).unwrap(), 10);
}
