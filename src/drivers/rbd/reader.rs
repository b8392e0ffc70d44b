//! Random reads of an image.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use nix::errno::Errno;
use tokio::sync::oneshot;

use super::backend::{Backend, OpenImage};
use super::errors::{Purpose, failed};
use super::holes::Holes;
use super::location::Place;
use crate::driver::Reader;
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::{Fetch, Landing, ReadAhead, is_zero};

pub struct RbdReader(ReadAhead<Ranges>);

struct Ranges {
    backend: Arc<Backend>,
    place: Place,
    image: Arc<OpenImage>,
    holes: Holes,
}

impl RbdReader {
    pub fn open(backend: &Arc<Backend>, op: &Operation, place: Place, cache_memory: u64) -> Result<Self> {
        let named = place.clone();
        let (image, size) = backend.run(op, move |backend| {
            let image = backend.open(&named)?;
            let size = image.size().map_err(|errno| failed("measure", &named.image, Purpose::Reading, errno))?;
            Ok((image, size))
        })?;
        let source = Ranges { backend: backend.clone(), place, image: Arc::new(image), holes: Holes::default() };
        Ok(RbdReader(ReadAhead::new(backend.runtime.clone(), source, size, cache_memory)))
    }
}

impl Reader for RbdReader {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn pread(&self, op: &Operation, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.0.pread(op, buffer, offset)
    }
}

impl Ranges {
    async fn read(&self, offset: u64, blocks: Vec<Box<[u8]>>) -> Result<Vec<Box<[u8]>>> {
        let failed = |errno| self.backend.failed_read(&self.place, errno);
        let length = blocks.iter().map(|block| block.len()).sum();
        let (tell, told) = oneshot::channel();
        // Nobody may want to know any more.
        let done = move |result, blocks| drop(tell.send((result, blocks)));
        self.image.read(offset, length, blocks, done).map_err(failed)?;
        let lost = |_| Error::new(Kind::Bug, "a read ended without a result");
        let (result, blocks): (crate::ceph::Result<usize>, _) = told.await.map_err(lost)?;
        match result {
            Ok(count) if count == length => Ok(blocks),
            Ok(_) => Err(failed(Errno::EIO)),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Fails when the image has been deleted; else tells what it finds around `position`.
    async fn confirm(&self, position: u64) -> Result<()> {
        let (tell, told) = oneshot::channel();
        let (backend, place, image) = (self.backend.clone(), self.place.clone(), self.image.clone());
        // Only snapshots stay as they are.
        let window = place.snapshot().and_then(|_| self.holes.unknown_at(position));
        self.backend.runtime.spawn(&Operation::default(), move || {
            let found = window.and_then(|window| Some((window.clone(), image.extents(window).ok()?)));
            // What was found is right if the image is there still.
            let _ = tell.send(backend.confirm(&place, &image).map(|()| found));
            Ok(())
        })?;
        let lost = |_| Error::new(Kind::Bug, "a look ended without a result");
        if let Some((window, extents)) = told.await.map_err(lost)?? {
            self.holes.learn(window, extents);
        }
        Ok(())
    }

    /// Whether there are zeros that may be those of the image, or what is read of one that has been deleted.
    fn are_doubtful(&self, blocks: &[Box<[u8]>], wanted: &Range<u64>) -> bool {
        let mut end = wanted.start;
        blocks.iter().any(|block| {
            let start = end;
            end += block.len() as u64;
            is_zero(block) && !self.holes.cover(&(start..end))
        })
    }
}

impl Fetch for Ranges {
    async fn fetch(&self, landing: &mut Landing) -> Result<()> {
        let Some(wanted) = landing.wanted() else {
            return Ok(());
        };
        let mut blocks = landing.lengths().map(|length| vec![0; length].into_boxed_slice()).collect();
        if !self.holes.cover(&wanted) {
            blocks = self.read(wanted.start, blocks).await?;
        }
        if self.are_doubtful(&blocks, &wanted) {
            self.confirm(wanted.start).await?;
        }
        blocks.into_iter().for_each(|block| landing.land(Bytes::from(block)));
        Ok(())
    }
}
