//! Whole images: they come back as they went in, and the cluster holds what it should.

use super::*;
use crate::operation::Cancel;

#[test]
fn images_of_every_size_come_back() {
    for (config, unit) in [(small(), MIB), (Config::default(), 4 * MIB)] {
        let server = Server::start(config);
        let driver = driver_at(server.port(), settings());
        for size in [0, 1, unit - 1, unit, unit + 1, 2 * unit, 3 * unit + 7] {
            for known in [true, false] {
                let (data, id) = (image(size), format!("image-{size}-{known}"));
                let promised = known.then_some(size as u64);
                let location =
                    driver.add(&Operation::default(), &id, promised, pieces_of(&data, 333_333)).unwrap();
                assert_eq!(Driver::size(&driver, &Operation::default(), &location).unwrap(), size as u64);
                assert!(driver.get(&location).unwrap() == data, "{id}");
                let vid = server.cluster().vid_of(&id).unwrap();
                let listing = server.cluster().listing();
                let line = listing.lines().find(|line| line.contains(&id)).unwrap();
                assert!(line.contains(&format!("{vid:06x}")) && line.contains("tag=\"\""), "{line}");
                driver.delete(&Operation::default(), &location).unwrap();
                assert_error(driver.get(&location).unwrap_err(), Kind::NotFound, &id);
            }
        }
        assert_eq!(server.cluster().listing(), "");
    }
}

#[test]
fn zeros_and_holes_are_not_stored() {
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    let mut data = image(6 * MIB + 100);
    data[MIB..2 * MIB].fill(0);
    data[3 * MIB + 500_000..5 * MIB].fill(0);
    let location = driver.add_bytes("zeros", &data);
    let listing = server.cluster().listing();
    assert_eq!(listing.matches("object ").count(), 5, "{listing}");
    assert!(driver.get(&location).unwrap() == data);

    let pieces = vec![
        Piece::Hole(3 * MIB as u64 + 5),
        Piece::Data(bytes::Bytes::from_static(b"data")),
        Piece::Hole(MIB as u64),
        Piece::Data(bytes::Bytes::from_static(b"more")),
        Piece::Hole(7),
    ];
    let location = driver.add(&Operation::default(), "holes", None, pieces).unwrap();
    let mut expected = vec![0; 4 * MIB + 20];
    expected[3 * MIB + 5..][..4].copy_from_slice(b"data");
    expected[4 * MIB + 9..][..4].copy_from_slice(b"more");
    assert!(driver.get(&location).unwrap() == expected);
    let op = Operation::default();
    let mut download =
        Driver::open(&driver, &op, &location, Part::default(), &Pool::new(&op, MIB, 0)).unwrap();
    let Some(Piece::Hole(length)) = download.next(&op).unwrap() else { panic!("no hole") };
    assert_eq!(length, 3 * MIB as u64, "objects that are not there are one hole");
}

#[test]
fn parts_and_random_reads_are_those_of_the_image() {
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    let mut data = image(5 * MIB + 3);
    data[2 * MIB..3 * MIB].fill(0);
    let location = driver.add_bytes("parts", &data);
    let op = Operation::default();
    let reader = driver.reader(&op, &location).unwrap();
    assert_eq!(reader.size(), data.len() as u64);
    for offset in [0, 1, MIB - 1, MIB, 2 * MIB - 1, 3 * MIB - 1, data.len() - 1, data.len(), data.len() + 5] {
        for length in [1, 2, MIB, 2 * MIB + 2, data.len()] {
            let start = offset.min(data.len());
            let expected = &data[start..(offset + length).min(data.len()).max(start)];
            let part = Part { offset: offset as u64, length: Some(length as u64) };
            assert!(driver.get_part(&op, &location, part).unwrap() == expected, "{length} at {offset}");
            let mut buffer = vec![0xEE; length];
            let count = reader.pread(&op, &mut buffer, offset as u64).unwrap();
            assert!(buffer[..count] == *expected, "pread of {length} at {offset}");
        }
    }
}

#[test]
fn chunks_need_not_divide_objects() {
    let server = Server::start(Config::default());
    let mut driver = driver_at(server.port(), settings());
    let data = image(13 * MIB + 5);
    for (chunk, buffer, pieces) in [(3 * MIB, MIB, MIB), (3 * MIB, 100_000, 77_777), (5 * MIB + 1, MIB, 65_536)] {
        driver.chunk_size = chunk as u64;
        let op = Operation::default();
        let pool = Pool::new(&op, buffer, 20 * MIB as u64);
        let location = driver.add_with(&op, "chunks", None, pieces_of(&data, pieces), &pool).unwrap();
        assert!(driver.get(&location).unwrap() == data, "chunks of {chunk}");
        driver.delete(&op, &location).unwrap();
    }
}

/// Small pieces each hold a whole buffer; a little memory still suffices.
#[test]
fn an_upload_goes_on_with_the_least_of_memory() {
    let server = Server::start(Config::default());
    let driver = driver_at(server.port(), settings());
    let (op, data) = (Operation::default(), image(9 * MIB));
    let pool = Pool::new(&op, 1 << 16, 4 << 16);
    let mut upload = driver.begin(&op, "little", None, &pool.share(0)).unwrap();
    for piece in data.chunks(30_000) {
        let mut buffer = pool.take(&op).unwrap();
        buffer[..piece.len()].copy_from_slice(piece);
        upload.put(&op, Piece::Data(buffer.freeze(piece.len()))).unwrap();
    }
    upload.prepare(&op).unwrap();
    let stored = upload.publish(&op).unwrap();
    assert!(driver.get(&stored.location).unwrap() == data);
}

#[test]
fn requests_are_pipelined_and_answers_come_in_any_order() {
    let server = Server::slow(small(), Duration::from_millis(1), 3);
    let driver = driver_at(server.port(), settings());
    let data = image(24 * MIB + 1);
    let location = driver.add_bytes("order", &data);
    assert!(driver.get(&location).unwrap() == data);
    assert!(server.most_under_way() > settings().connections, "{}", server.most_under_way());
    assert_eq!(server.connections(), settings().connections);
}

#[test]
fn other_daemons_can_be_asked_by_uri() {
    let (server, other) = (Server::start(small()), Server::start(small()));
    let (driver, elsewhere) = (driver_at(server.port(), settings()), driver_at(other.port(), settings()));
    let location = elsewhere.add_bytes("there", b"bytes");
    assert_eq!(driver.get(&location).unwrap(), b"bytes");
    assert_eq!(driver.claim(&location), Some(0));
    assert!(elsewhere.claim(&location).unwrap() > 0);
}

#[test]
fn old_daemons_free_the_objects_themselves() {
    let server = Server::start(Config { counts_references: false, ..small() });
    let driver = driver_at(server.port(), settings());
    let location = driver.add_bytes("old", &image(3 * MIB));
    driver.delete(&Operation::default(), &location).unwrap();
    assert_eq!(server.cluster().listing(), "");
}

/// Later ones say that they have deleted what they have not.
#[test]
fn the_table_is_wiped_before_a_vdi_is_deleted() {
    let deletions = Arc::new(AtomicUsize::new(0));
    let counted = deletions.clone();
    let server = Server::scripted(small(), move |request| {
        counted.fetch_add(usize::from(request.opcode() == 0x17), Ordering::SeqCst);
        Action::Answer
    });
    let driver = driver_at(server.port(), settings());
    let location = driver.add_bytes("wiped", &image(2 * MIB));
    driver.delete(&Operation::default(), &location).unwrap();
    assert_eq!(deletions.load(Ordering::SeqCst), 1);
}

#[test]
fn no_more_is_under_way_than_its_memory_holds() {
    let many = Settings { connections: 8, ..settings() };
    let (op, data) = (Operation::default(), image(6 * MIB));
    let adding = Server::slow(small(), Duration::from_millis(1), 1);
    let driver = driver_at(adding.port(), many.clone());
    // Eight buffers: two for a request, and two of these under way.
    let pool = Pool::new(&op, 100_000, 800_000);
    driver.add_with(&op, "memory", None, pieces_of(&data, 100_000), &pool).unwrap();
    assert!(adding.most_under_way() <= 2, "{}", adding.most_under_way());

    let reading = Server::slow(small(), Duration::from_millis(1), 1);
    *reading.cluster() = std::mem::take(&mut *adding.cluster());
    let driver = driver_at(reading.port(), many);
    // Ten buffers, and half of them for reads.
    assert!(driver.get(&driver.location("memory")).unwrap() == data);
    assert!(reading.most_under_way() <= 5, "{}", reading.most_under_way());
}

/// Release 0.9 counts references, but does not tell so.
#[test]
fn daemons_in_between_are_found_out() {
    let server = Server::scripted(small(), |request| match request.opcode() {
        0x18 => Action::Refuse(0x05),
        _ => Action::Answer,
    });
    let driver = driver_at(server.port(), settings());
    let location = driver.add_bytes("between", &image(3 * MIB));
    driver.delete(&Operation::default(), &location).unwrap();
    assert_eq!(server.cluster().listing(), "");
}

#[test]
fn a_loser_of_a_race_leaves_the_winner_alone() {
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    let location = driver.add_bytes("taken", b"first");
    let before = server.cluster().listing();
    let error = driver.add(&Operation::default(), "taken", Some(6), pieces_of(b"second", 6)).err().unwrap();
    assert_error(error, Kind::Duplicate, "VDI_EXIST");
    assert_eq!(server.cluster().listing(), before);
    assert_eq!(driver.get(&location).unwrap(), b"first");
}

#[test]
fn sizes_that_cannot_be_are_refused_and_leave_nothing() {
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    let add = |size, pieces| driver.add(&Operation::default(), "size", size, pieces).err().unwrap();
    let limit = 1u64 << 40;
    assert_error(add(Some(limit + 1), Vec::new()), Kind::StorageFull, "1099511627776 at most");
    assert_error(add(Some(u64::MAX), Vec::new()), Kind::StorageFull, "at most");
    let over = vec![Piece::Hole(limit), Piece::Data(bytes::Bytes::from_static(b"x"))];
    assert_error(add(None, over), Kind::StorageFull, "1099511627777 bytes or more");
    assert_error(add(Some(limit - 1), Vec::new()), Kind::NotSupported, "just begun");
    assert_error(add(None, vec![Piece::Hole(limit - 3)]), Kind::NotSupported, "just begun");
    assert_eq!(server.cluster().listing(), "");

    let last = vec![Piece::Hole(limit - 1), Piece::Data(bytes::Bytes::from_static(b"x"))];
    let location = driver.add(&Operation::default(), "size", None, last).unwrap();
    let part = Part { offset: limit - 2, length: None };
    assert_eq!(driver.get_part(&Operation::default(), &location, part).unwrap(), b"\0x");
}

#[test]
fn a_cluster_without_room_keeps_nothing_of_the_image() {
    let server = Server::start(Config { room: 3, ..small() });
    let driver = driver_at(server.port(), settings());
    let error = driver.add(&Operation::default(), "full", None, pieces_of(&image(5 * MIB), MIB)).err().unwrap();
    assert_error(error, Kind::StorageFull, "NO_SPACE");
    assert_eq!(server.cluster().listing(), "");
}

/// With every request that a call makes, the caller may stop it.
#[test]
fn a_cancel_ends_a_call_at_every_request_and_leaves_nothing() {
    let data = image(3 * MIB + 1);
    for number in 0.. {
        let cancel = Arc::new(Cancel::new().unwrap());
        let switch = cancel.clone();
        let script = on(number, move || {
            switch.trigger();
            Action::Answer
        });
        let server = Server::scripted(small(), script);
        let driver = driver_at(server.port(), settings());
        let op = Operation::new(Some(cancel.clone()), None, Arc::default());
        let added = driver.add(&op, "cancelled", None, pieces_of(&data, MIB));
        if !cancel.is_triggered() {
            assert!(number > 10, "{number} requests");
            return;
        }
        match added {
            // From the last but one on a cancel comes too late.
            Ok(location) => assert!(driver.get(&location).unwrap() == data),
            Err(error) => {
                assert_error(error, Kind::Cancelled, "");
                assert_eq!(server.cluster().listing(), "", "cancelled at request {number}");
            }
        }
    }
}
