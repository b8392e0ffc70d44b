//! Images that are stored in segments, several at a time, and a manifest that makes them one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::destination::Destination;
use super::layout::{Plan, segment_name};
use super::leftovers;
use super::manifest::{self, Contents, Manifest};
use super::storage::Listed;
use super::together::{AT_A_TIME, each};
use crate::driver::{Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::http::Payload;
use crate::location::Location;
use crate::operation::Operation;
use crate::transfer::{HeldPart, PartDigests, PartUploader, Piece, Pool, Runtime, Sink, StorePart};

pub struct SegmentedUpload {
    runtime: Arc<Runtime>,
    destination: Arc<Destination>,
    location: Location,
    manifest: Manifest,
    segments: Arc<Segments>,
    /// None once all segments are stored, or none shall be any more.
    uploader: Option<PartUploader<Segments>>,
    /// Once it is prepared.
    contents: Option<Contents>,
}

/// The segments of one image.
struct Segments {
    destination: Arc<Destination>,
    /// The highest number of a segment that may have been stored.
    begun: AtomicU64,
}

impl StorePart for Segments {
    type Receipt = Listed;

    async fn store(&self, part: HeldPart) -> Result<Listed> {
        let name = segment_name(&self.destination.image_id, part.number);
        self.begun.fetch_max(part.number, Ordering::SeqCst);
        let payload = Payload::growing(part.chunks.clone(), part.length);
        let hash = self.destination.put_checked(&name, payload, part.md5()).await?;
        let length = part.chunks.whole().await?.iter().map(|chunk| chunk.len() as u64).sum();
        Ok(self.destination.listed(name, length, hash))
    }
}

impl SegmentedUpload {
    pub fn begin(
        runtime: Arc<Runtime>,
        destination: Destination,
        location: Location,
        manifest: Manifest,
        plan: Plan,
        pool: &Pool,
    ) -> Self {
        let destination = Arc::new(destination);
        let segments = Arc::new(Segments { destination: destination.clone(), begun: AtomicU64::new(0) });
        let uploader = PartUploader::new(&runtime, segments.clone(), Arc::new(plan), pool);
        SegmentedUpload {
            runtime,
            destination,
            location,
            manifest,
            segments,
            uploader: Some(uploader),
            contents: None,
        }
    }
}

/// Removes the segments that a killed add of the image has left behind, and makes sure that no other object
/// would become a part of it.  None: there is no such container.
pub async fn clear_way(destination: &Destination, manifest: Manifest) -> Result<Option<()>> {
    let Destination { storage, container, image_id, .. } = destination;
    let Some(found) = leftovers::find(storage, container, image_id).await? else {
        return Ok(None);
    };
    if manifest == Manifest::Dynamic {
        check_others(destination, &found.others).await?;
    }
    match leftovers::clear(storage, container, image_id, found.left).await? {
        true => Ok(Some(())),
        // Another add has just come to its end.
        false => Err(destination.duplicate(image_id)),
    }
}

/// Fails where objects are in the way that are there, and not only in a listing that lags.
async fn check_others(destination: &Destination, others: &[String]) -> Result<()> {
    let Destination { storage, container, .. } = destination;
    for other in others {
        if storage.look_at(container, other).await?.is_some() {
            let message = format!(
                "the object {container}/{other} would become a part of the image, as its name begins like those of the image's segments: set swift_store_manifest to slo"
            );
            return Err(Error::new(Kind::Duplicate, message));
        }
    }
    Ok(())
}

impl Sink for SegmentedUpload {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        self.uploader.as_mut().map_or(Ok(()), |uploader| uploader.put(op, piece))
    }
}

impl Upload for SegmentedUpload {
    fn part_digests(&self) -> Option<Arc<PartDigests>> {
        self.uploader.as_ref().map(|uploader| uploader.digests().clone())
    }

    fn prepare(&mut self, op: &Operation) -> Result<()> {
        let Some(mut uploader) = self.uploader.take() else {
            return Ok(());
        };
        let stored = uploader.finish(op)?;
        let (destination, manifest) = (self.destination.clone(), self.manifest);
        let prepare = async move { manifest::prepare(manifest, &destination, stored).await };
        self.contents = Some(self.runtime.run(op, prepare)?);
        Ok(())
    }

    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        let contents = self.contents.take();
        let contents = contents.ok_or_else(|| Error::new(Kind::Bug, "an image is published unprepared"))?;
        let (destination, manifest) = (self.destination.clone(), self.manifest);
        self.runtime.run(op, async move { manifest::publish(manifest, &destination, &contents).await })?;
        Ok(Stored { location: self.location.clone(), metadata: Default::default() })
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        self.uploader = None;
        let (destination, manifest, segments) = (self.destination.clone(), self.manifest, self.segments.clone());
        // One may begin until this runs, on the same thread.
        let begun = move || segments.begun.load(Ordering::SeqCst);
        self.runtime.run(op, async move {
            destination.clean_up(|destination| remove(destination, manifest, begun())).await
        })
    }
}

/// Removes what this add has stored, or may have, and nothing that another add of the image has: both may
/// have written the same names at the same time.
async fn remove(destination: Arc<Destination>, manifest: Manifest, begun: u64) -> Result<()> {
    let Destination { storage, container, image_id, .. } = &*destination;
    // Another add's image consists of that one's segments alone: those of this one would only lengthen it.
    if storage.look_at(container, image_id).await?.is_some_and(|image| destination.is_own(&image)) {
        storage.delete(container, image_id).await?;
    }
    if manifest == Manifest::Static {
        manifest::remove_sublists(&destination).await?;
    }
    each(AT_A_TIME, (1..=begun).collect(), |number| {
        let (destination, name) = (destination.clone(), segment_name(image_id, number));
        async move { destination.remove_own(&name).await }
    })
    .await
}
