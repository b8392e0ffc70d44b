//! Images that are deleted while they are opened.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use super::*;

/// A cluster that holds an image, which somebody deletes as soon as anybody asks for its table; that may end
/// before the VDI is gone.
fn deleting(is_killed: bool) -> (Server, SheepdogDriver, Location) {
    let other: Arc<OnceLock<SheepdogDriver>> = Arc::default();
    let (deleter, is_deleting) = (other.clone(), AtomicBool::new(false));
    let server = Server::scripted(small(), move |request| {
        let is_for_table = request.opcode() == 0x02 && request.offset() >= 4664;
        if is_for_table && !is_deleting.swap(true, Ordering::SeqCst) {
            let driver = deleter.get().unwrap();
            let deleted = driver.delete(&Operation::default(), &driver.location("gone"));
            assert_eq!(deleted.is_err(), is_killed);
        }
        match request.opcode() {
            0x17 if is_killed => Action::Close,
            _ => Action::Answer,
        }
    });
    let _ = other.set(driver_at(server.port(), settings()));
    let driver = driver_at(server.port(), settings());
    let location = driver.add_bytes("gone", &image(2 * MIB));
    (server, driver, location)
}

#[test]
fn an_image_deleted_while_it_is_opened_does_not_read_as_zeros() {
    for (is_killed, words) in [(false, "just deleted"), (true, "only an incomplete VDI")] {
        let (_server, driver, location) = deleting(is_killed);
        assert_error(driver.get(&location).unwrap_err(), Kind::NotFound, words);
        let (_server, driver, location) = deleting(is_killed);
        let reader = driver.reader(&Operation::default(), &location);
        assert_error(reader.err().unwrap(), Kind::NotFound, words);
    }
}
