//! Servers that are no Sheepdog daemons, and VDIs that are no images.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use super::*;

/// Says `text` to whoever connects, and waits until he goes.
fn saying(text: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(text);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    port
}

#[test]
fn servers_that_are_no_daemons_are_told_so() {
    for text in [
        &b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"220 mail.example ESMTP\r\n",
        &[0; 48],
        &[0xFF; 4096],
    ] {
        let driver = driver_at(saying(text), settings());
        let error = Driver::size(&driver, &Operation::default(), &driver.location("any")).unwrap_err();
        assert_error(error, Kind::Failed, "may be no Sheepdog daemon");
    }
}

#[test]
fn nobody_listening_is_an_error_that_names_the_address() {
    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let driver = driver_at(unused, settings());
    let error = Driver::size(&driver, &Operation::default(), &driver.location("any")).unwrap_err();
    assert_error(error.clone(), Kind::Unavailable, "cannot connect");
    assert_error(error, Kind::Unavailable, &format!("127.0.0.1:{unused}"));
}

/// A daemon whose inodes are not what they should be.
fn odd(at: usize, byte: u8) -> Error {
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    let location = driver.add_bytes("odd", b"bytes");
    let vid = server.cluster().vid_of("odd").unwrap();
    server.cluster().change_inode(vid, at, byte);
    let error = driver.get(&location).unwrap_err();
    assert_eq!(Driver::size(&driver, &Operation::default(), &location).unwrap_err().kind(), error.kind());
    assert_eq!(driver.delete(&Operation::default(), &location).unwrap_err().kind(), error.kind());
    error
}

#[test]
fn inodes_that_cannot_be_are_refused() {
    assert_error(odd(553, 1), Kind::NotSupported, "hyper volume");
    assert_error(odd(555, 63), Kind::Failed, "2^63 bytes");
    assert_error(odd(543, 1), Kind::Failed, "more than a VDI can have");
    assert_error(odd(560, 0), Kind::Failed, "says that it is of VDI");
}

#[test]
fn lookups_that_lead_elsewhere_are_refused() {
    type Change = fn(&mut Vec<u8>);
    let garbage: [(Change, Kind, &str); 3] = [
        (|bytes| bytes[24..28].fill(0xFF), Kind::Failed, "cannot be: 0xffffffff"),
        (|bytes| bytes[24..28].fill(0), Kind::Failed, "cannot be: 0x0"),
        (|bytes| bytes[24] ^= 1, Kind::NotFound, "NO_OBJ"),
    ];
    for (change, kind, words) in garbage {
        let server = Server::scripted(small(), move |request| match request.opcode() {
            0x14 => Action::Change(change),
            _ => Action::Answer,
        });
        let driver = driver_at(server.port(), settings());
        let location = driver.add(&Operation::default(), "garbage", Some(1), pieces_of(b"x", 1));
        // The add itself looks its VDI up again.
        assert!(location.is_err());
        assert_error(driver.get(&driver.location("garbage")).unwrap_err(), kind, words);
    }
}

#[test]
fn a_snapshot_is_not_deleted_by_its_name() {
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    driver.add_bytes("snap", b"bytes");
    let before = server.cluster().listing();
    // As when somebody makes one between the lookup and the look at the inode.
    let racing = Server::scripted(small(), move |request| match (request.opcode(), request.u32(12)) {
        (0x02, 4664) => Action::Change(|bytes| bytes[48 + 520] = 1),
        _ => Action::Answer,
    });
    *racing.cluster() = std::mem::take(&mut *server.cluster());
    let driver = driver_at(racing.port(), settings());
    let location = driver.location("snap");
    let error = driver.delete(&Operation::default(), &location).unwrap_err();
    assert_eq!(error.exception(), "HasSnapshot");
    assert_error(error, Kind::InUse, "snapshot");
    assert_eq!(racing.cluster().listing(), before);
    assert_eq!(driver.get(&location).unwrap(), b"bytes");
}

/// As a bare DEL_VDI of another client leaves it: deleted, but still there.
#[test]
fn a_half_deleted_vdi_is_deleted_wholly() {
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    let location = driver.add_bytes("half", &image(2 * MIB));
    let cluster = driver.cluster.clone();
    let bare = async move {
        cluster.call(&wire::Request::delete_vdi("half"), &room::Space::Own(0)).await?.success().map(drop)
    };
    driver.runtime.run(&Operation::default(), bare).unwrap();
    assert!(server.cluster().vid_of("half").is_some(), "it takes more than that");
    driver.delete(&Operation::default(), &location).unwrap();
    assert_eq!(server.cluster().listing(), "");
}

#[test]
fn owners_that_cannot_be_are_refused_and_deleted() {
    let server = Server::scripted(small(), |request| match (request.opcode(), request.offset()) {
        // The highest byte of the second owner: the object would be an inode.
        (0x02, 4664) => Action::Change(|bytes| bytes[48 + 7] = 0x80),
        _ => Action::Answer,
    });
    let (driver, op) = (driver_at(server.port(), settings()), Operation::default());
    let location = driver.add_bytes("garbage", &image(3 * MIB));
    let words = "the owner of object 1 cannot be 0x80";
    assert_error(driver.get(&location).unwrap_err(), Kind::Failed, words);
    assert_error(driver.reader(&op, &location).err().unwrap(), Kind::Failed, words);
    driver.delete(&op, &location).unwrap();
    assert_eq!(server.cluster().listing(), "");
}

/// Anybody can write a tag, and a daemon can lie about it.
#[test]
fn tags_that_promise_more_objects_than_can_be_are_refused() {
    let server = Server::scripted(small(), |request| match (request.opcode(), request.u32(12)) {
        (0x02, 4664) => Action::Change(|bytes| {
            let tag = b"glance-store: incomplete, objects: 4294967295";
            bytes[48 + 256..][..tag.len()].copy_from_slice(tag);
        }),
        _ => Action::Answer,
    });
    let (driver, op) = (driver_at(server.port(), settings()), Operation::default());
    let location = driver.location("hostile");
    // The add is done before anybody reads the tag.
    driver.add(&op, "hostile", Some(1), pieces_of(b"x", 1)).unwrap();
    let before = server.cluster().listing();
    for error in [driver.get(&location).unwrap_err(), driver.delete(&op, &location).unwrap_err()] {
        assert_error(error.clone(), Kind::Failed, "VDI \"hostile\"");
        assert_error(error, Kind::Failed, "objects: 4294967295");
    }
    assert_eq!(server.cluster().listing(), before);
}
