//! A cluster that is full says which incomplete images could be deleted.

use super::*;

const READ_VDIS: u8 = 0x15;

/// A cluster that has room for `room` objects, and in which adds of those names were killed.
fn with_killed_adds(names: &[&str], room: usize, script: Script) -> (Server, SheepdogDriver) {
    let (op, killing) = (Operation::default(), Server::start(small()));
    let killed = driver_at(killing.port(), settings());
    killed.add_bytes("complete", b"bytes");
    killed.add_bytes("deleted", b"bytes");
    killed.delete(&op, &killed.location("deleted")).unwrap();
    for name in names {
        let mut upload = killed.begin(&op, name, None, &Pool::new(&op, MIB, 16 * MIB as u64)).unwrap();
        upload.put(&op, Piece::Data(image(MIB).into())).unwrap();
        // All is written, and nothing published.
        upload.prepare(&op).unwrap();
    }
    let server = Server::scripted(small(), script);
    let config = Config { room, ..small() };
    *server.cluster() = std::mem::take(&mut *killing.cluster());
    server.cluster().config = config;
    let driver = driver_at(server.port(), settings());
    (server, driver)
}

fn add(driver: &SheepdogDriver) -> Error {
    let data = image(3 * MIB);
    driver.add(&Operation::default(), "new", None, pieces_of(&data, MIB)).err().unwrap()
}

#[test]
fn an_add_to_a_full_cluster_names_what_killed_adds_have_left() {
    for (killed, words) in [
        (&["one"][..], "incomplete images (\"one\"), and"),
        (&["one", "two", "three"], "frees room"),
        (&["one", "two", "three", "four"], " and more), and deleting"),
    ] {
        let (server, driver) = with_killed_adds(killed, killed.len() + 2, Box::new(|_| Action::Answer));
        let before = server.cluster().listing();
        let error = add(&driver);
        assert_error(error.clone(), Kind::StorageFull, words);
        assert_error(error.clone(), Kind::StorageFull, "NO_SPACE");
        let named = killed.iter().filter(|name| error.message().contains(&format!("{name:?}")));
        assert_eq!(named.count(), killed.len().min(3), "{error}");
        for other in ["complete", "deleted", "new"] {
            assert!(!error.message().contains(&format!("{other:?}")), "{error}");
        }
        assert_eq!(error.message().contains("and more"), killed.len() > 3, "{error}");
        assert_eq!(server.cluster().listing(), before);
        // The advice is good.
        for name in killed {
            driver.delete(&Operation::default(), &driver.location(name)).unwrap();
        }
        server.cluster().config.room = 4;
        let data = image(3 * MIB);
        assert!(driver.get(&driver.add_bytes("new", &data)).unwrap() == data);
    }
}

#[test]
fn a_vdi_that_finds_no_room_is_advised_as_well() {
    let refusing: Script = Box::new(|request| match request.opcode() {
        0x11 => Action::Refuse(0x15),
        _ => Action::Answer,
    });
    let (_server, driver) = with_killed_adds(&["one"], 9, refusing);
    assert_error(add(&driver), Kind::StorageFull, "incomplete images (\"one\")");
}

#[test]
fn without_a_list_there_is_the_error_alone() {
    let (_server, driver) = with_killed_adds(&[], 1, Box::new(|_| Action::Answer));
    let alone = add(&driver);
    assert_error(alone.clone(), Kind::StorageFull, "NO_SPACE");
    assert!(!alone.message().contains("incomplete"), "{alone}");
    let failures: [Deed; 4] = [
        || Action::Close,
        || Action::Refuse(0x05),
        || Action::Cut(100),
        || Action::Lie(|bytes| bytes[8] ^= 0x80),
    ];
    for failure in failures {
        let script: Script = Box::new(move |request| match request.opcode() {
            READ_VDIS => failure(),
            _ => Action::Answer,
        });
        let (server, driver) = with_killed_adds(&["one"], 2, script);
        let before = server.cluster().listing();
        let error = add(&driver);
        assert_error(error.clone(), Kind::StorageFull, "NO_SPACE");
        assert!(!error.message().contains("incomplete"), "{error}");
        assert_eq!(server.cluster().listing(), before);
    }
}

#[test]
fn failures_for_other_reasons_ask_for_no_list() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let script: Script = Box::new(move |request| match request.opcode() {
        0x01 => Action::Refuse(0x03),
        READ_VDIS => {
            counted.fetch_add(1, Ordering::SeqCst);
            Action::Answer
        }
        _ => Action::Answer,
    });
    let (_server, driver) = with_killed_adds(&["one"], 9, script);
    assert_error(add(&driver), Kind::Failed, "EIO");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
