use super::*;
use crate::error::{Error, Kind};
use crate::hash::Hex;
use crate::transfer::HashCore;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

const BUFFER: usize = 1 << 10;

/// After so long, what should have been told is taken to be forgotten.
const FORGOTTEN: Duration = Duration::from_secs(20);

/// Keeps parts, and may fail one.
#[derive(Default)]
struct Shelf {
    parts: Mutex<Vec<(u64, Vec<u8>)>>,
    failing: Option<u64>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl StorePart for Shelf {
    type Receipt = (u64, String);

    async fn store(&self, part: HeldPart) -> Result<(u64, String)> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        let md5 = Hex::encode(&part.md5().await?).to_string();
        // Lets the others go first.
        tokio::time::sleep(Duration::from_millis(7 - part.number % 7)).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.failing == Some(part.number) {
            return Err(Error::new(Kind::Unavailable, "the shelf broke"));
        }
        let bytes = part.chunks.whole().await?.concat();
        assert!(part.length.is_none_or(|length| length == bytes.len() as u64));
        self.parts.lock().unwrap().push((part.number, bytes));
        Ok((part.number, md5))
    }
}

struct Plan {
    length: u64,
    side_by_side: usize,
    early: Option<Early>,
}

impl Plan {
    fn late(length: usize, side_by_side: usize) -> Self {
        Plan { length: length as u64, side_by_side, early: None }
    }
}

impl PartPlan for Plan {
    fn length(&self, _number: u64) -> u64 {
        self.length
    }

    fn side_by_side(&self, _number: u64) -> usize {
        self.side_by_side
    }

    fn early(&self) -> Option<Early> {
        self.early
    }
}

/// Hands out `image` in pieces of these lengths, one after the other, in buffers of the pool; runs of
/// zeros as holes where `sparse`.
fn upload(shelf: Shelf, plan: Plan, image: &[u8], steps: &[usize], sparse: bool) -> Result<Arc<Shelf>> {
    let op = Operation::new(None, Some(Duration::from_secs(20)), Arc::default());
    let pool = Pool::new(&op, BUFFER, 32 * BUFFER as u64);
    let held = pool.share(26 * BUFFER as u64);
    let shelf = Arc::new(shelf);
    let runtime = Runtime::shared();
    let mut uploader = PartUploader::new(&runtime, shelf.clone(), Arc::new(plan), &held);
    let hashes = HashCore::start(&runtime, &op, &[], Some(uploader.digests().clone()))?;
    let (mut rest, mut steps) = (image, steps.iter().cycle());
    while !rest.is_empty() {
        let count = rest.len().min(*steps.next().unwrap());
        let (data, others) = rest.split_at(count);
        rest = others;
        if sparse && data.iter().all(|byte| *byte == 0) {
            hashes.update(&op, &Piece::Hole(count as u64))?;
            uploader.put(&op, Piece::Hole(count as u64))?;
            continue;
        }
        let mut buffer = pool.take(&op)?;
        buffer[..count].copy_from_slice(data);
        let piece = Piece::Data(buffer.freeze(count));
        hashes.update(&op, &piece)?;
        uploader.put(&op, piece)?;
    }
    hashes.finish(&op)?;
    let receipts = uploader.finish(&op)?;
    let mut parts = shelf.parts.lock().unwrap();
    parts.sort();
    for ((number, md5), (part, bytes)) in receipts.iter().zip(parts.iter()) {
        use md5::Digest;
        assert_eq!((number, md5.as_str()), (part, Hex::encode(&md5::Md5::digest(bytes)).as_str()));
    }
    assert_eq!(receipts.len(), parts.len());
    drop(parts);
    Ok(shelf)
}

fn image(size: usize) -> Vec<u8> {
    (0..size as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 1).collect()
}

#[test]
fn parts_have_their_length_and_together_are_the_image() {
    let length = 4 * BUFFER + 64;
    for size in [0, 1, length - 1, length, length + 1, 2 * length, 7 * length + 5] {
        for steps in [&[BUFFER][..], &[1], &[BUFFER, 7, 1000], &[BUFFER - 1, BUFFER]] {
            let data = image(size);
            let plan = Plan::late(length, 3);
            let shelf = upload(Shelf::default(), plan, &data, steps, false).unwrap();
            assert!(shelf.most.load(Ordering::SeqCst) <= 3);
            let parts = shelf.parts.lock().unwrap();
            let lengths: Vec<usize> = parts.iter().map(|(_, bytes)| bytes.len()).collect();
            let expected: Vec<usize> = data.chunks(length).map(<[u8]>::len).collect();
            assert_eq!(lengths, expected, "{size} {steps:?}");
            let stored: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            assert!(stored == data, "{size} {steps:?}");
        }
    }
}

#[test]
fn parts_are_stored_side_by_side() {
    let plan = Plan::late(BUFFER, 4);
    let shelf = upload(Shelf::default(), plan, &image(12 * BUFFER), &[BUFFER], false).unwrap();
    assert_eq!(shelf.most.load(Ordering::SeqCst), 4);
}

#[test]
fn holes_are_zeros_and_need_no_memory() {
    for hole in [1, 10, BUFFER - 1, BUFFER, 100 * BUFFER] {
        let mut data = Vec::new();
        for _ in 0..5 {
            data.extend(image(100));
            data.extend(vec![0; hole]);
        }
        let plan = Plan::late(8 * BUFFER, 1);
        let shelf = upload(Shelf::default(), plan, &data, &[100.min(hole)], true).unwrap();
        let parts = shelf.parts.lock().unwrap();
        let stored: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        assert!(stored == data, "{hole}");
    }
}

#[test]
fn a_part_that_fails_ends_the_upload() {
    for failing in [1, 2, 9] {
        let shelf = Shelf { failing: Some(failing), ..Shelf::default() };
        let plan = Plan::late(BUFFER, 3);
        let error = upload(shelf, plan, &image(9 * BUFFER), &[BUFFER], false).err().unwrap();
        assert_eq!(error.message(), "the shelf broke");
    }
}

#[test]
fn as_many_parts_fit_as_their_buffers() {
    let op = Operation::default();
    let pool = Pool::new(&op, BUFFER, 64 * BUFFER as u64);
    for count in 1..=8 {
        let length = longest_part(&pool, count);
        assert!(parts_that_fit(&pool, length) >= count, "{count} of {length}");
        assert!(parts_that_fit(&pool, length + 2 * BUFFER as u64) < count.max(2), "{count}");
    }
    assert_eq!(longest_part(&pool, 64), 0);
    assert_eq!(parts_that_fit(&pool.share(0), 1), 0);
}

#[test]
fn parts_that_are_stored_while_they_are_filled_are_the_image() {
    let length = 4 * BUFFER + 64;
    for size in [0, 1, length - 1, length, length + 1, 2 * length, 7 * length + 5] {
        for (at_a_time, side_by_side) in [(1, 0), (1, 1), (2, 1), (3, 1), (4, 3), (2, 3)] {
            for known in [Some(size as u64), None] {
                for steps in [&[BUFFER][..], &[BUFFER, 7, 1000]] {
                    let data = image(size);
                    let early = Some(Early { at_a_time, size: known });
                    let plan = Plan { length: length as u64, side_by_side, early };
                    let shelf = upload(Shelf::default(), plan, &data, steps, false).unwrap();
                    let case = format!("{size} {at_a_time} {side_by_side} {known:?} {steps:?}");
                    assert!(shelf.most.load(Ordering::SeqCst) <= at_a_time, "{case}");
                    let parts = shelf.parts.lock().unwrap();
                    assert!(parts.iter().all(|(_, bytes)| !bytes.is_empty()), "{case}");
                    let stored: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
                    assert!(stored == data, "{case}");
                }
            }
        }
    }
}

/// Tells when it is given a part, and keeps it until that is whole.
struct Herald(Mutex<mpsc::Sender<(u64, Option<u64>)>>);

impl StorePart for Herald {
    type Receipt = Vec<u8>;

    async fn store(&self, part: HeldPart) -> Result<Vec<u8>> {
        self.0.lock().unwrap().send((part.number, part.length)).unwrap();
        Ok(part.chunks.whole().await?.concat())
    }
}

#[test]
fn parts_are_begun_before_they_are_filled() {
    let (length, size) = (4 * BUFFER as u64, 10 * BUFFER as u64);
    let last = 2 * BUFFER as u64;
    for (at_a_time, known, begun) in [
        (4, Some(size), &[&[(1, Some(length)), (2, Some(length))][..], &[(3, Some(last))], &[]][..]),
        (2, Some(size), &[&[(1, Some(length)), (2, Some(length))], &[(3, Some(last))], &[]]),
        (1, Some(size), &[&[(1, Some(length))], &[(2, Some(length))], &[(3, Some(last))]]),
        (4, None, &[&[(1, None)], &[(2, None)], &[(3, None)]]),
    ] {
        let op = Operation::new(None, Some(Duration::from_secs(20)), Arc::default());
        let pool = Pool::new(&op, BUFFER, 32 * BUFFER as u64);
        let (herald, heard) = mpsc::channel();
        let plan = Plan { length, side_by_side: 0, early: Some(Early { at_a_time, size: known }) };
        let store = Arc::new(Herald(Mutex::new(herald)));
        let share = pool.share(26 * BUFFER as u64);
        let mut uploader = PartUploader::new(&Runtime::shared(), store, Arc::new(plan), &share);
        let data = image(size as usize);
        for (at, piece) in data.chunks(BUFFER).enumerate() {
            let mut buffer = pool.take(&op).unwrap();
            buffer.copy_from_slice(piece);
            uploader.put(&op, Piece::Data(buffer.freeze(BUFFER))).unwrap();
            // The first piece of each part is put, and no more.
            if at % 4 == 0 {
                let expected = begun[at / 4];
                let told: Vec<_> = expected.iter().map(|_| heard.recv_timeout(FORGOTTEN).unwrap()).collect();
                assert_eq!(told, expected, "{at_a_time} {known:?} {at}");
                assert!(heard.try_recv().is_err(), "{at_a_time} {known:?} {at}: no more are begun");
            }
        }
        assert!(uploader.finish(&op).unwrap().concat() == data);
    }
}

#[test]
fn what_waits_for_a_part_learns_that_the_upload_was_given_up() {
    let op = Operation::default();
    let pool = Pool::new(&op, BUFFER, 32 * BUFFER as u64);
    let grown = Arc::new(Mutex::new(Vec::new()));
    struct Keeper(Arc<Mutex<Vec<Growing>>>, Mutex<mpsc::Sender<()>>);
    impl StorePart for Keeper {
        type Receipt = ();

        async fn store(&self, part: HeldPart) -> Result<()> {
            self.0.lock().unwrap().push(part.chunks.clone());
            self.1.lock().unwrap().send(()).unwrap();
            part.chunks.whole().await.map(drop)
        }
    }
    let (told, heard) = mpsc::channel();
    let early = Some(Early { at_a_time: 4, size: Some(10 * BUFFER as u64) });
    let plan = Arc::new(Plan { length: 4 * BUFFER as u64, side_by_side: 1, early });
    let store = Arc::new(Keeper(grown.clone(), Mutex::new(told)));
    let mut uploader = PartUploader::new(&Runtime::shared(), store, plan, &pool.share(26 * BUFFER as u64));
    let buffer = pool.take(&op).unwrap();
    uploader.put(&op, Piece::Data(buffer.freeze(BUFFER))).unwrap();
    (0..2).for_each(|_| heard.recv_timeout(FORGOTTEN).unwrap());
    assert!(grown.lock().unwrap().iter().all(|chunks| !chunks.is_given_up()));
    drop(uploader);
    assert!(grown.lock().unwrap().iter().all(|chunks| chunks.is_given_up() && chunks.length().is_none()));
}
