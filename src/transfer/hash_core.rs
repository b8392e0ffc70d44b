//! The digests of an image, computed beside its transfer: one thread for each, fed through a short
//! queue of shared buffers.

use std::sync::Arc;

use super::buffers::{Piece, for_zeroes};
use super::part_digests::PartDigests;
use super::queue::{AbandonOnDrop, Queue};
use super::runtime::{Runtime, Worker};
use crate::error::{Error, Kind, Result};
use crate::hash::{Algorithm, Hex, PartedMd5};
use crate::operation::Operation;

/// How many pieces may wait for a digest: enough to even out the threads, few enough that the data is
/// still in the processor's cache when its turn comes.
const DEPTH: usize = 4;

const MD5: &str = "md5";

/// The digests that an image was found to have, in the order that was asked for.
#[derive(Default)]
pub struct Digests(Vec<(&'static str, Hex)>);

impl Digests {
    pub fn get(&self, name: &str) -> Option<&Hex> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, hex)| hex)
    }
}

/// Digests being computed.
pub struct HashCore {
    lanes: Vec<Lane>,
}

struct Lane {
    name: &'static str,
    queue: Arc<Queue<Piece>>,
    worker: Worker<Hex>,
}

impl HashCore {
    /// One lane for each of `algorithms`; one that is named twice is computed once.  The MD5s of `parts`
    /// are found on the way.
    pub fn start(
        runtime: &Runtime,
        op: &Operation,
        algorithms: &[&'static Algorithm],
        parts: Option<Arc<PartDigests>>,
    ) -> Result<Self> {
        let mut core = HashCore { lanes: Vec::new() };
        if let Some(parts) = parts {
            let parts = EndOnDrop(parts);
            core.lanes.push(Lane::start(runtime, op, MD5, move |pieces| hash_parts(&parts.0, pieces))?);
        }
        for algorithm in algorithms {
            if core.lanes.iter().all(|lane| lane.name != algorithm.name) {
                core.lanes.push(Lane::start(runtime, op, algorithm.name, |pieces| hash(algorithm, pieces))?);
            }
        }
        Ok(core)
    }

    pub fn update(&self, op: &Operation, piece: &Piece) -> Result<()> {
        for lane in &self.lanes {
            lane.queue.push(op, piece.clone())?;
        }
        Ok(())
    }

    /// The digests of all that was put in.
    pub fn finish(self, op: &Operation) -> Result<Digests> {
        for lane in &self.lanes {
            lane.queue.end();
        }
        let digests = self.lanes.iter().map(|lane| Ok((lane.name, lane.worker.join(op)?)));
        Ok(Digests(digests.collect::<Result<_>>()?))
    }
}

impl Drop for HashCore {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.queue.abandon();
        }
    }
}

impl Lane {
    fn start(
        runtime: &Runtime,
        op: &Operation,
        name: &'static str,
        work: impl FnOnce(&Queue<Piece>) -> Result<Hex> + Send + 'static,
    ) -> Result<Self> {
        let queue = Queue::new(op, DEPTH);
        let pieces = queue.clone();
        let worker = runtime.spawn(op, move || {
            let pieces = AbandonOnDrop(pieces);
            work(&pieces)
        })?;
        Ok(Lane { name, queue, worker })
    }
}

/// Whoever waits for the digest of a part must not wait for one that will never come.
struct EndOnDrop(Arc<PartDigests>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn hash(algorithm: &Algorithm, pieces: &Queue<Piece>) -> Result<Hex> {
    let mut hasher = algorithm.hasher();
    each_slice(pieces, |data| hasher.update(data))?;
    Ok(hasher.finish())
}

fn hash_parts(parts: &PartDigests, pieces: &Queue<Piece>) -> Result<Hex> {
    let mut md5 = PartedMd5::default();
    let (mut number, mut room) = (1, parts.length(1));
    each_slice(pieces, |mut data| {
        while !data.is_empty() {
            let fitting = usize::try_from(room).unwrap_or(usize::MAX).min(data.len());
            let (of_part, rest) = data.split_at(fitting);
            md5.update(of_part);
            room -= fitting as u64;
            data = rest;
            if room == 0 {
                parts.add(md5.end_part());
                number += 1;
                room = parts.length(number);
            }
        }
    })?;
    let (whole, last_part) = md5.finish();
    parts.add(last_part);
    Ok(Hex::encode(&whole))
}

/// Hands over everything that comes, in order; fails when the digest is not wanted any more.
fn each_slice(pieces: &Queue<Piece>, mut each: impl FnMut(&[u8])) -> Result<()> {
    while let Some(piece) = pieces.receive() {
        match piece {
            Piece::Data(data) => each(&data),
            // A hole may be terabytes long: give up in the middle once nobody wants the digest.
            Piece::Hole(len) => for_zeroes(len, |zeroes| {
                each(zeroes);
                if pieces.is_abandoned() { Err(abandoned()) } else { Ok(()) }
            })?,
        }
    }
    if pieces.is_abandoned() { Err(abandoned()) } else { Ok(()) }
}

fn abandoned() -> Error {
    Error::new(Kind::Cancelled, "the digest was not wanted any more")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::algorithm;
    use bytes::Bytes;

    fn digests_of(pieces: &[Piece], names: &[&str]) -> Vec<String> {
        let op = Operation::default();
        let algorithms: Vec<_> = names.iter().map(|name| algorithm(name).unwrap()).collect();
        let core = HashCore::start(&Runtime::shared(), &op, &algorithms, None).unwrap();
        for piece in pieces {
            core.update(&op, piece).unwrap();
        }
        let digests = core.finish(&op).unwrap();
        names.iter().map(|name| digests.get(name).unwrap().to_string()).collect()
    }

    #[test]
    fn pieces_and_holes_give_the_digest_of_the_whole() {
        let stars = || Piece::Data(Bytes::from_static(&[b'*'; 65536]));
        let pieces = [stars(), Piece::Hole(8 << 20), stars()];
        assert_eq!(
            digests_of(&pieces, &["md5", "sha256"]),
            [
                "6afa2d91c0ce692a83277b5b8e4bbf8c",
                "f6220e530e5c8ccf8f3f0259c022c31ab3bd7938e49ebddcfe03c0bd58f1539e"
            ]
        );
    }

    #[test]
    fn nothing_has_the_digest_of_nothing() {
        assert_eq!(digests_of(&[], &["md5", "md5"]), ["d41d8cd98f00b204e9800998ecf8427e"; 2]);
    }
}
