//! The one loop through which every transfer runs.

use std::time::{Duration, Instant};

use super::buffers::{Piece, for_zeroes};
use super::hash_core::{Digests, HashCore};
use super::{Sink, Source};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;

/// How often a progress callback is called at most, but for the last time.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// A caller's progress callback: bytes done and, where known, in all; false stops the call.
pub type ProgressCallback<'a> = &'a mut dyn FnMut(u64, Option<u64>) -> bool;

/// Tells the caller how far a transfer is.
pub struct Progress<'a> {
    callback: Option<ProgressCallback<'a>>,
    total: Option<u64>,
    reported: Instant,
}

impl<'a> Progress<'a> {
    pub fn new(callback: Option<ProgressCallback<'a>>, total: Option<u64>) -> Self {
        Progress { callback, total, reported: Instant::now() }
    }

    pub fn report(&mut self, done: u64) -> Result<()> {
        if self.callback.is_some() && self.reported.elapsed() >= REPORT_INTERVAL {
            self.reported = Instant::now();
            self.call(done)?;
        }
        Ok(())
    }

    /// The last report, whose total is known.
    pub fn finish(&mut self, done: u64) -> Result<()> {
        self.total = Some(done);
        self.call(done)
    }

    fn call(&mut self, done: u64) -> Result<()> {
        let go_on = self.callback.as_mut().is_none_or(|callback| callback(done, self.total));
        if go_on { Ok(()) } else { Err(Error::new(Kind::Cancelled, "stopped by the progress callback")) }
    }
}

/// A caller's verify callback: sees every byte once, in order; false rejects the image.
pub type Verify<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// What happens to the bytes on their way from a source to a sink.
pub struct Pump<'a> {
    /// The exact number of bytes that must come, where it is known.
    pub promised: Option<u64>,
    pub hashes: HashCore,
    pub verify: Option<Verify<'a>>,
    pub progress: Progress<'a>,
}

impl Pump<'_> {
    /// Moves everything; returns how much it was and its digests.
    pub fn run(
        mut self,
        op: &Operation,
        source: &mut dyn Source,
        sink: &mut dyn Sink,
    ) -> Result<(u64, Digests)> {
        let mut done = 0;
        while let Some(piece) = source.next(op)? {
            op.check()?;
            let after = done + piece.len();
            self.check_not_longer(after)?;
            self.hashes.update(op, &piece)?;
            self.verify(op, &piece)?;
            sink.put(op, piece)?;
            done = after;
            self.progress.report(done)?;
        }
        self.check_not_shorter(done)?;
        let digests = self.hashes.finish(op)?;
        self.progress.finish(done)?;
        Ok((done, digests))
    }

    fn verify(&mut self, op: &Operation, piece: &Piece) -> Result<()> {
        let Some(verify) = &mut self.verify else {
            return Ok(());
        };
        let mut check = |data: &[u8]| {
            op.check()?;
            if verify(data) { Ok(()) } else { Err(rejected()) }
        };
        match piece {
            Piece::Data(data) => check(data),
            Piece::Hole(len) => for_zeroes(*len, check),
        }
    }

    fn check_not_longer(&self, done: u64) -> Result<()> {
        match self.promised {
            Some(promised) if done > promised => Err(Error::new(
                Kind::SizeMismatch,
                format!("the source has more than the expected {promised} bytes: got {done} so far"),
            )),
            _ => Ok(()),
        }
    }

    fn check_not_shorter(&self, done: u64) -> Result<()> {
        match self.promised {
            Some(promised) if done < promised => Err(Error::new(
                Kind::SizeMismatch,
                format!("the source ended too early: expected {promised} bytes, got {done}"),
            )),
            _ => Ok(()),
        }
    }
}

fn rejected() -> Error {
    Error::new(Kind::VerifyFailed, "the verify callback rejected the image")
}
