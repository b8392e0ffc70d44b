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

/// How many objects the delete of that VDI asks the cluster to remove.
fn removals(held: Held, name: &str) -> usize {
    let removals = Arc::new(AtomicUsize::new(0));
    let counted = removals.clone();
    let server = Server::scripted(small(), move |request| {
        counted.fetch_add(usize::from(request.opcode() == 0x04), Ordering::SeqCst);
        Action::Answer
    });
    *server.cluster() = held;
    let driver = driver_at(server.port(), settings());
    driver.delete(&Operation::default(), &driver.location(name)).unwrap();
    assert_eq!(server.cluster().listing(), "");
    removals.load(Ordering::SeqCst)
}

#[test]
fn what_is_left_of_a_large_image_is_deleted_by_few_requests() {
    let (op, size) = (Operation::default(), 1 << 38);
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    let mut upload = driver.begin(&op, "large", Some(size), &Pool::new(&op, MIB, 16 * MIB as u64)).unwrap();
    (0..17).try_for_each(|_| upload.put(&op, Piece::Data(image(MIB).into()))).unwrap();
    // Nothing is under way any more.
    upload.prepare(&op).unwrap();
    // The table tells of 17 objects; there may be twice as many as at first.
    assert_eq!(removals(std::mem::take(&mut *server.cluster()), "large"), 32 - 17);
}

#[test]
fn a_killed_delete_of_a_large_sparse_image_is_done_again_by_few_requests() {
    let server = Server::start(small());
    let driver = driver_at(server.port(), settings());
    let pieces = vec![Piece::Data(image(MIB).into()), Piece::Hole(1 << 34)];
    driver.add(&Operation::default(), "sparse", None, pieces).unwrap();
    let held = std::mem::take(&mut *server.cluster());
    // Look-up, inode, mark, table, wipe.
    let server = killed_at(4, held, |driver| {
        driver.delete(&Operation::default(), &driver.location("sparse")).unwrap_err();
    });
    assert!(server.cluster().listing().contains("incomplete"));
    assert_eq!(removals(std::mem::take(&mut *server.cluster()), "sparse"), 0);
}
