//! Images that are stored in segments, several at a time, and a manifest that makes them one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::access::Trust;
use super::delete::remove_all;
use super::destination::Destination;
use super::layout::{Plan, is_segment_of, segment_name, segment_prefix};
use super::manifest::{self, Manifest, Member};
use super::storage::Listed;
use super::together::each;
use crate::driver::{Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::hash::Hex;
use crate::location::Location;
use crate::operation::Operation;
use crate::transfer::{HeldPart, PartDigests, PartUploader, Piece, Pool, Runtime, Sink, StorePart};

/// How many segments are removed at a time.
const REMOVALS: usize = 8;

pub struct SegmentedUpload {
    runtime: Arc<Runtime>,
    destination: Arc<Destination>,
    location: Location,
    manifest: Manifest,
    segments: Arc<Segments>,
    /// None once all segments are stored, or none shall be any more.
    uploader: Option<PartUploader<Segments>>,
    /// What a list of segments has to name.
    members: Vec<Member>,
    /// Ends with the upload.
    _trust: Option<Trust>,
}

/// The segments of one image.
struct Segments {
    destination: Arc<Destination>,
    /// By number, those that were begun, and whether the server has said that it has stored them.
    begun: Mutex<BTreeMap<u64, bool>>,
}

impl Segments {
    fn note(&self, number: u64, is_stored: bool) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(number, is_stored);
    }

    fn begun(&self) -> Vec<(u64, bool)> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.iter().map(|(number, is_stored)| (*number, *is_stored)).collect()
    }
}

impl StorePart for Segments {
    type Receipt = Listed;

    async fn store(&self, part: HeldPart) -> Result<Listed> {
        let name = segment_name(&self.destination.image_id, part.number);
        self.note(part.number, false);
        let hash = part.md5().await?;
        let hash = Hex::encode(&hash).to_string();
        let HeldPart { number, length, chunks, .. } = part;
        self.destination.put_checked(&name, chunks, &hash).await?;
        self.note(number, true);
        Ok(Listed { name, size: length, hash })
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
        trust: Option<Trust>,
    ) -> Self {
        let destination = Arc::new(destination);
        let segments = Arc::new(Segments { destination: destination.clone(), begun: Mutex::default() });
        let uploader = PartUploader::new(&runtime, segments.clone(), Arc::new(plan), pool);
        SegmentedUpload {
            runtime,
            destination,
            location,
            manifest,
            segments,
            uploader: Some(uploader),
            members: Vec::new(),
            _trust: trust,
        }
    }
}

/// Removes the segments that a killed add of the image has left behind, and makes sure that no other object
/// would become a part of it.  None: there is no such container.
pub async fn clear_way(destination: &Destination, manifest: Manifest) -> Result<Option<()>> {
    let Destination { storage, container, image_id, .. } = destination;
    let Some(found) = storage.list(container, &segment_prefix(image_id)).await? else {
        return Ok(None);
    };
    let (left, others): (Vec<Listed>, Vec<Listed>) =
        found.into_iter().partition(|listed| is_segment_of(image_id, &listed.name));
    if let (Manifest::Dynamic, Some(other)) = (manifest, others.first()) {
        let message = format!(
            "the object {container}/{} would become a part of the image, as its name begins like those of the image's segments: set swift_store_manifest to slo",
            other.name
        );
        return Err(Error::new(Kind::Duplicate, message));
    }
    remove_all(storage, container, left.into_iter().map(|listed| listed.name).collect()).await?;
    Ok(Some(()))
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
        self.members = self
            .runtime
            .run(op, async move { manifest::prepare(manifest, &destination, &stored).await })?;
        Ok(())
    }

    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        let (destination, manifest) = (self.destination.clone(), self.manifest);
        let members = std::mem::take(&mut self.members);
        self.runtime.run(op, async move { manifest::publish(manifest, &destination, &members).await })?;
        Ok(Stored { location: self.location.clone(), metadata: Default::default() })
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        // Ends the uploads that are under way.
        self.uploader = None;
        let (destination, manifest, begun) = (self.destination.clone(), self.manifest, self.segments.begun());
        self.runtime.run(op, async move {
            let removed = remove(destination.clone(), begun).await;
            match manifest {
                Manifest::Dynamic => removed,
                Manifest::Static => removed.and(manifest::remove_sublists(&destination).await),
            }?;
            destination.leave().await
        })
    }
}

/// Removes what this add has stored, or may have: nothing that another add of the image has.
async fn remove(destination: Arc<Destination>, begun: Vec<(u64, bool)>) -> Result<()> {
    let image_id = destination.image_id.clone();
    let image = destination.storage.look_at(&destination.container, &image_id).await?;
    let is_own = image.as_ref().is_some_and(|image| destination.is_own(image));
    if is_own {
        destination.storage.delete(&destination.container, &image_id).await?;
    }
    let is_alone = image.is_none() || is_own;
    each(REMOVALS, begun, |(number, is_stored)| {
        let (destination, name) = (destination.clone(), segment_name(&image_id, number));
        async move {
            match is_stored && is_alone {
                true => destination.storage.delete(&destination.container, &name).await.map(drop),
                false => destination.remove_own(&name).await,
            }
        }
    })
    .await
}
