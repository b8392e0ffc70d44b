//! What a killed process leaves is never read as an image, and a delete removes all of it.

use super::server::Cluster as Held;
use super::*;

/// Does `work` with a cluster that holds `held`, and hears nothing any more from that request on, as if the
/// process had been killed; then the cluster is there again.
fn killed_at(number: usize, held: Held, work: impl FnOnce(&SheepdogDriver)) -> Server {
    let server = Server::scripted(small(), from_to(number, usize::MAX, || Action::Close));
    *server.cluster() = held;
    work(&driver_at(server.port(), settings()));
    let held = std::mem::take(&mut *server.cluster());
    let revived = Server::start(small());
    *revived.cluster() = held;
    revived
}

#[test]
fn a_killed_add_leaves_no_image_and_can_be_deleted() {
    let data = image(3 * MIB + 1);
    for number in 0.. {
        let mut added = None;
        let server = killed_at(number, Held::new(small()), |driver| {
            added = driver.add(&Operation::default(), "killed", None, pieces_of(&data, MIB)).ok();
        });
        let driver = driver_at(server.port(), settings());
        let location = driver.location("killed");
        if added.is_some() {
            assert!(number > 10 && driver.get(&location).unwrap() == data, "{number} requests");
            return;
        }
        let left = server.cluster().listing();
        // The last request only makes sure of what was done before.
        let is_complete = left.contains("tag=\"\"") && left.contains("object");
        match driver.get(&location) {
            Ok(bytes) => assert!(is_complete && bytes == data, "killed at {number}: {left}"),
            Err(error) => assert_error(error, Kind::NotFound, "killed"),
        }
        if left.is_empty() {
            continue;
        }
        let again = driver.add(&Operation::default(), "killed", Some(0), Vec::new()).err().unwrap();
        assert_error(again, Kind::Duplicate, if is_complete { "VDI_EXIST" } else { "delete the image then" });
        driver.delete(&Operation::default(), &location).unwrap();
        assert_eq!(server.cluster().listing(), "", "killed at {number}: {left}");
    }
}

#[test]
fn a_killed_delete_leaves_no_image_and_can_be_done_again() {
    let data = image(3 * MIB + 1);
    for number in 0.. {
        let server = Server::start(small());
        driver_at(server.port(), settings()).add_bytes("killed", &data);
        let mut is_deleted = false;
        let held = std::mem::take(&mut *server.cluster());
        let server = killed_at(number, held, |driver| {
            is_deleted = driver.delete(&Operation::default(), &driver.location("killed")).is_ok();
        });
        let driver = driver_at(server.port(), settings());
        let location = driver.location("killed");
        match driver.get(&location) {
            Ok(bytes) => assert!(!is_deleted && bytes == data, "killed at {number}"),
            Err(error) => assert_error(error, Kind::NotFound, "killed"),
        }
        match driver.delete(&Operation::default(), &location) {
            Ok(()) => assert!(!is_deleted),
            Err(error) => assert_error(error, Kind::NotFound, "killed"),
        }
        assert_eq!(server.cluster().listing(), "", "killed at {number}");
        if is_deleted {
            assert!(number > 5, "{number} requests");
            return;
        }
    }
}
