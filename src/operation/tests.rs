use super::*;
use std::sync::atomic::AtomicU32;
use std::thread;

#[test]
fn a_trigger_ends_a_wait_for_good() {
    let cancel = Arc::new(Cancel::new().unwrap());
    let op = Operation::new(Some(cancel.clone()), None, Arc::default());
    op.check().unwrap();
    let trigger = thread::spawn(move || cancel.trigger());
    let error = op.wait(|| None::<()>).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    trigger.join().unwrap();
    assert_eq!(op.check().unwrap_err().kind(), Kind::Cancelled);
    assert_eq!(op.wait(|| Some(())).unwrap_err().kind(), Kind::Cancelled);
}

#[test]
fn a_spent_deadline_ends_a_wait_and_names_the_time() {
    let op = Operation::new(None, Some(Duration::from_millis(5)), Arc::default());
    let error = op.wait(|| None::<()>).unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.message().contains("5 ms"), "{error}");
    assert!(error.is_retryable());
}

#[test]
fn cleanup_has_its_own_time_and_no_cancel() {
    let cancel = Arc::new(Cancel::new().unwrap());
    cancel.trigger();
    let op = Operation::new(Some(cancel), Some(Duration::ZERO), Arc::default());
    assert!(op.check().is_err());
    op.cleanup().check().unwrap();
}

#[test]
fn within_never_extends_the_deadline() {
    let op = Operation::new(None, Some(Duration::ZERO), Arc::default());
    assert!(op.within(Duration::from_secs(60)).check().is_err());
    let free = Operation::default();
    assert!(free.within(Duration::ZERO).check().is_err());
    free.within(Duration::MAX).check().unwrap();
    free.check().unwrap();
}

#[test]
fn every_ring_is_heard() {
    let op = Operation::default();
    let count = Arc::new(AtomicU32::new(0));
    let (bell, counted) = (op.bell().clone(), count.clone());
    let worker = thread::spawn(move || {
        for _ in 0..1000 {
            counted.fetch_add(1, Ordering::SeqCst);
            bell.ring();
        }
    });
    for wanted in 1..=1000 {
        op.wait(|| (count.load(Ordering::SeqCst) >= wanted).then_some(())).unwrap();
    }
    worker.join().unwrap();
}

#[test]
fn a_descriptor_that_never_gets_ready_does_not_hold_the_call() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let op = Operation::new(None, Some(Duration::from_millis(5)), Arc::default());
    let error = op.wait_fd(reader.as_fd(), PollFlags::POLLIN).unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
}

#[test]
fn a_descriptor_whose_other_end_is_closed_is_ready() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    Operation::default().wait_fd(reader.as_fd(), PollFlags::POLLIN).unwrap();
}
