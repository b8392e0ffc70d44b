//! Images that are stored in one object.

use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;

use super::destination::Destination;
use super::layout::Whole;
use crate::driver::{Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::hash::Hex;
use crate::http::{Feed, Payload, Request};
use crate::location::Location;
use crate::operation::Operation;
use crate::transfer::{
    HeldPart, PartDigests, PartUploader, Piece, Pool, Runtime, Sink, StorePart, Task, for_zeroes,
};

/// An image that is held in memory until all of it is there and right, and is sent as often as it takes.
pub struct HeldUpload {
    runtime: Arc<Runtime>,
    destination: Arc<Destination>,
    location: Location,
    keeper: PartUploader<Keep>,
    /// The image and its hash, once it is prepared.
    whole: Option<(Vec<Bytes>, [u8; 16])>,
}

/// Stores nothing: the image is wanted in one piece.
struct Keep;

impl StorePart for Keep {
    type Receipt = Vec<Bytes>;

    async fn store(&self, part: HeldPart) -> Result<Vec<Bytes>> {
        part.chunks.whole().await
    }
}

impl HeldUpload {
    pub fn begin(runtime: Arc<Runtime>, destination: Destination, location: Location, pool: &Pool) -> Self {
        let keeper = PartUploader::new(&runtime, Arc::new(Keep), Arc::new(Whole), pool);
        HeldUpload { runtime, destination: Arc::new(destination), location, keeper, whole: None }
    }
}

impl Sink for HeldUpload {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        self.keeper.put(op, piece)
    }
}

impl Upload for HeldUpload {
    fn part_digests(&self) -> Option<Arc<PartDigests>> {
        Some(self.keeper.digests().clone())
    }

    fn prepare(&mut self, op: &Operation) -> Result<()> {
        let parts = self.keeper.finish(op)?;
        let digests = self.keeper.digests().clone();
        let md5 = self.runtime.run(op, async move { digests.wait(1).await })?;
        self.whole = Some((parts.concat(), md5));
        Ok(())
    }

    /// Swift shows the image as soon as it is stored.
    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        let whole = self.whole.take();
        let (chunks, md5) = whole.ok_or_else(|| Error::new(Kind::Bug, "an image is published unprepared"))?;
        // However long it takes to send it: the server's answer decides whether there is an image.
        let op = Operation::new(None, None, op.context().clone());
        let destination = self.destination.clone();
        self.runtime.run(&op, async move {
            destination.put_checked(&destination.image_id, Payload::held(chunks), ready(Ok(md5))).await
        })?;
        Ok(Stored { location: self.location.clone(), metadata: Default::default() })
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        remove(&self.runtime, op, &self.destination)
    }
}

/// An image that is sent as it comes.  Its last piece is kept back until the image is known to be right:
/// the server drops an object that breaks off before its end.
pub struct StreamedUpload {
    runtime: Arc<Runtime>,
    destination: Arc<Destination>,
    location: Location,
    digests: Arc<PartDigests>,
    /// None once the request has failed.
    request: Option<(Feed, Task<String>)>,
    last: Option<Bytes>,
}

impl StreamedUpload {
    pub fn begin(
        runtime: Arc<Runtime>,
        op: &Operation,
        destination: Destination,
        location: Location,
        size: u64,
    ) -> Result<Self> {
        let destination = Arc::new(destination);
        let (payload, feed) = Payload::streamed(op, size);
        let to = destination.clone();
        let task = runtime.start(op, async move { to.put(&to.image_id, "", Request::put(payload)).await })?;
        let (digests, request) = (PartDigests::of_whole(), Some((feed, task)));
        Ok(StreamedUpload { runtime, destination, location, digests, request, last: None })
    }

    fn send(&mut self, op: &Operation, data: Bytes) -> Result<()> {
        let Some(before) = self.last.replace(data) else {
            return Ok(());
        };
        self.feed(op, before)
    }

    fn feed(&mut self, op: &Operation, data: Bytes) -> Result<()> {
        let Some((feed, task)) = &self.request else {
            return Err(ended());
        };
        if feed.put(op, data)? {
            return Ok(());
        }
        let answer = task.join(op);
        self.request = None;
        answer.and(Err(ended()))
    }
}

fn ended() -> Error {
    Error::new(Kind::Failed, "the server answered before it had the whole image")
}

impl Sink for StreamedUpload {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        match piece {
            Piece::Data(data) => self.send(op, data),
            Piece::Hole(length) => for_zeroes(length, |zeroes| self.send(op, Bytes::from_static(zeroes))),
        }
    }
}

impl Upload for StreamedUpload {
    fn part_digests(&self) -> Option<Arc<PartDigests>> {
        Some(self.digests.clone())
    }

    fn prepare(&mut self, _op: &Operation) -> Result<()> {
        Ok(())
    }

    /// Sends what was kept back.
    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        if let Some(last) = self.last.take() {
            self.feed(op, last)?;
        }
        let (feed, task) = self.request.take().ok_or_else(ended)?;
        drop(feed);
        let stored = task.join(op)?;
        let digests = self.digests.clone();
        let md5 = Hex::encode(&self.runtime.run(op, async move { digests.wait(1).await })?);
        if !stored.is_empty() && stored != md5.as_str() {
            return Err(self.destination.corrupt(&self.destination.image_id, &stored, md5.as_str()));
        }
        Ok(Stored { location: self.location.clone(), metadata: Default::default() })
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        self.request = None;
        self.last = None;
        remove(&self.runtime, op, &self.destination)
    }
}

/// Removes an image that this add has stored, or may have.
fn remove(runtime: &Runtime, op: &Operation, destination: &Arc<Destination>) -> Result<()> {
    let destination = destination.clone();
    runtime.run(op, async move {
        let remove = |destination: Arc<Destination>| async move {
            destination.remove_own(&destination.image_id).await
        };
        destination.clean_up(remove).await
    })
}
