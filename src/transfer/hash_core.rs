//! The digests of an image, computed beside its transfer: one thread for each, fed through a short
//! queue of shared buffers.

use std::sync::Arc;

use super::buffers::{Piece, for_zeroes};
use super::queue::{AbandonOnDrop, Queue};
use super::runtime::{Runtime, Worker};
use crate::error::{Error, Kind, Result};
use crate::hash::{Algorithm, Hex};
use crate::operation::Operation;

/// How many pieces may wait for a digest: enough to even out the threads, few enough that the data is
/// still in the processor's cache when its turn comes.
const DEPTH: usize = 4;

/// The digests that an image was found to have, in the order that was asked for.
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
    /// One lane for each of `algorithms`; one that is named twice is computed once.
    pub fn start(runtime: &Runtime, op: &Operation, algorithms: &[&'static Algorithm]) -> Result<Self> {
        let mut core = HashCore { lanes: Vec::new() };
        for algorithm in algorithms {
            if core.lanes.iter().all(|lane| lane.name != algorithm.name) {
                core.lanes.push(Lane::start(runtime, op, algorithm)?);
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
    fn start(runtime: &Runtime, op: &Operation, algorithm: &'static Algorithm) -> Result<Self> {
        let queue = Queue::new(op, DEPTH);
        let pieces = queue.clone();
        let worker = runtime.spawn(op, move || {
            let pieces = AbandonOnDrop(pieces);
            hash(algorithm, &pieces)
        })?;
        Ok(Lane { name: algorithm.name, queue, worker })
    }
}

fn hash(algorithm: &Algorithm, pieces: &Queue<Piece>) -> Result<Hex> {
    let mut hasher = algorithm.hasher();
    while let Some(piece) = pieces.receive() {
        match piece {
            Piece::Data(data) => hasher.update(&data),
            // A hole may be terabytes long: give up in the middle once nobody wants the digest.
            Piece::Hole(len) => for_zeroes(len, |zeroes| {
                hasher.update(zeroes);
                if pieces.is_abandoned() { Err(abandoned()) } else { Ok(()) }
            })?,
        }
    }
    if pieces.is_abandoned() { Err(abandoned()) } else { Ok(hasher.finish()) }
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
        let core = HashCore::start(&Runtime::shared(), &op, &algorithms).unwrap();
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
