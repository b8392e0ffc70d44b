//! A VDI and what can be done with it: `exist`, `create`, `get_size`, `read`, `write` and `resize`, as
//! glance_store's `SheepdogImage` had them, each one exchange or a few; `delete` has its own file.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::cluster::Cluster;
use super::codes::{NO_OBJ, NO_VDI, VDI_EXIST};
use super::inode::{self, Header, MAX_OBJECTS, MAX_VID, SIZE_AT, TAG_AT};
use super::room::Space;
use super::state::{self, State};
use super::wire::{Answer, Request, padded};
use crate::error::{Error, Kind, Result};

/// The most bytes of a table that one request is for.
const TABLE_STEP: u32 = 1 << 20;

/// For answers without data.
const NOWHERE: Space = Space::Own(0);

/// A VDI that was there when it was looked up.
pub struct Vdi {
    pub cluster: Arc<Cluster>,
    pub name: String,
    pub vid: u32,
    pub header: Header,
    /// Objects that were to be created when the answer was lost: the daemon may create them yet.
    doubtful: Mutex<Vec<u32>>,
}

/// How a part of an object is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// The object comes into being, its other bytes zeros.
    Create,
    Overwrite,
}

/// Which VDI has that name now, snapshots apart.
pub async fn exist(cluster: &Cluster, name: &str) -> Result<Option<u32>> {
    let answer = cluster.call(&Request::get_vdi_info(name), &NOWHERE).await?;
    match answer.result() {
        NO_VDI => Ok(None),
        _ => answer.success()?.vid().map(Some),
    }
}

impl Vdi {
    /// The VDI of that name, in whatever state.
    pub async fn find(cluster: &Arc<Cluster>, name: &str) -> Result<Arc<Self>> {
        match exist(cluster, name).await? {
            Some(vid) => Vdi::known(cluster, name, vid).await,
            None => Err(absent(cluster, name, "there is no VDI")),
        }
    }

    /// The image of that name, which must be complete.
    pub async fn open(cluster: &Arc<Cluster>, name: &str) -> Result<Arc<Self>> {
        Vdi::find(cluster, name).await?.complete()
    }

    pub fn state(&self) -> Result<State> {
        state::state_of(&self.header).map_err(|error| error.context(format_args!("VDI {:?}", self.name)))
    }

    fn complete(self: Arc<Self>) -> Result<Arc<Self>> {
        match self.state()? {
            State::Complete => Ok(self),
            State::Incomplete { .. } => Err(absent(&self.cluster, &self.name, "there is only an incomplete VDI")),
        }
    }

    async fn known(cluster: &Arc<Cluster>, name: &str, vid: u32) -> Result<Arc<Self>> {
        let header = read_header(cluster, vid).await?;
        if header.name.is_empty() {
            return Err(absent(cluster, name, "somebody has just deleted the VDI"));
        }
        if header.name != name.as_bytes() {
            let found = String::from_utf8_lossy(&header.name).into_owned();
            let message = format!("the daemon names VDI {vid:06x} for {name:?}, which is of {found:?}");
            return Err(Error::new(Kind::Failed, message));
        }
        let (cluster, name) = (cluster.clone(), name.to_owned());
        Ok(Arc::new(Vdi { cluster, name, vid, header, doubtful: Mutex::default() }))
    }

    /// A new VDI, empty and marked as incomplete.  Of several that create one name one succeeds.
    pub async fn create(cluster: &Arc<Cluster>, name: &str, copies: u8) -> Result<Arc<Self>> {
        let birth_size = state::birth_size();
        let answer = match cluster.call(&Request::new_vdi(name, birth_size, copies), &NOWHERE).await {
            Ok(answer) => answer,
            Err(lost) => {
                undo_birth(cluster, name, |vdi| vdi.header.size == birth_size).await;
                return Err(lost);
            }
        };
        if answer.result() == VDI_EXIST {
            return Err(Vdi::taken(cluster, name, answer).await);
        }
        let vid = answer.success()?.vid()?;
        let made = async {
            write_header(cluster, vid, TAG_AT, padded(&state::mark(0))).await?;
            write_header(cluster, vid, SIZE_AT, size_bytes(0)).await?;
            Vdi::known(cluster, name, vid).await
        };
        match made.await {
            Ok(vdi) => Ok(vdi),
            Err(error) => {
                undo_birth(cluster, name, |vdi| vdi.vid == vid).await;
                Err(error)
            }
        }
    }

    /// Why the name cannot be had.
    async fn taken(cluster: &Arc<Cluster>, name: &str, answer: Answer) -> Error {
        let found = Vdi::find(cluster, name).await;
        let state = found.and_then(|vdi| vdi.state()).unwrap_or(State::Complete);
        let error = match answer.success() {
            Err(error) => error.context(format_args!("VDI {name:?} at {}", cluster.address())),
            Ok(_) => absent(cluster, name, "it is gone again"),
        };
        match state {
            State::Complete => error,
            State::Incomplete { .. } => error.context(
                "somebody is adding the image, or was killed while adding it: delete the image then",
            ),
        }
    }

    pub fn get_size(&self) -> u64 {
        self.header.size
    }

    /// Sets the size; what the VDI's objects hold stays.
    pub async fn resize(&self, size: u64) -> Result<()> {
        write_header(&self.cluster, self.vid, SIZE_AT, size_bytes(size)).await
    }

    /// Marks the VDI as incomplete: it may own the first `objects` objects.
    pub async fn mark(&self, objects: u32) -> Result<()> {
        write_header(&self.cluster, self.vid, TAG_AT, padded(&state::mark(objects))).await
    }

    /// Makes a complete image of it, at once.
    pub async fn unmark(&self) -> Result<()> {
        write_header(&self.cluster, self.vid, TAG_AT, padded("")).await
    }

    /// Reads a part of an object that VDI `owner` has.
    pub async fn read(
        &self,
        owner: u32,
        index: u32,
        offset: u32,
        length: u32,
        space: &Space,
    ) -> Result<Vec<Bytes>> {
        self.check_bounds(offset, length.into())?;
        let request = Request::read_object(inode::data_oid(owner, index), offset, length);
        let answer = self.cluster.call(&request, space).await?;
        if answer.result() == NO_OBJ {
            let message = format!(
                "object {index} of VDI {:?} is missing: the image was deleted, or the cluster has lost data",
                self.name
            );
            return Err(Error::new(Kind::Failed, message));
        }
        Ok(answer.success()?.data)
    }

    /// Writes a part of an object, which is the VDI's own.
    pub async fn write(&self, manner: Manner, index: u32, offset: u32, data: Vec<Bytes>) -> Result<()> {
        let (oid, copies) = (inode::data_oid(self.vid, index), self.header.copies);
        let length: u64 = data.iter().map(|part| part.len() as u64).sum();
        self.check_bounds(offset, length)?;
        let request = match manner {
            Manner::Overwrite => Request::write_object(oid, offset, copies, data),
            Manner::Create if length == self.header.object_size() => {
                Request::create_object(oid, offset, copies, data)
            }
            // A late second one would wipe what was written to the object since.
            Manner::Create => Request::create_object(oid, offset, copies, data).once(),
        };
        let answer = self.cluster.call(&request, &NOWHERE).await;
        if answer.is_err() && manner == Manner::Create {
            self.doubtful().push(index);
        }
        answer?.success().map(drop)
    }

    pub fn doubtful(&self) -> MutexGuard<'_, Vec<u32>> {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The daemon would read and write beyond the end of an object as if nothing was wrong.
    fn check_bounds(&self, offset: u32, length: u64) -> Result<()> {
        if u64::from(offset) + length <= self.header.object_size() {
            return Ok(());
        }
        Err(Error::new(Kind::Bug, format!("{length} bytes at {offset} are beyond the end of an object")))
    }

    /// The owners of the objects that hold those bytes of an image.
    pub async fn owners_of(&self, bytes: &Range<u64>) -> Result<Vec<u32>> {
        let objects = self.header.objects_of(bytes);
        let owners = self.read_owners(objects.clone()).await?;
        self.check_owners(objects.start, &owners)?;
        // Somebody may have deleted the image since it was opened, and a wiped table reads as an image of
        // zeros.  But the mark comes before that.
        Vdi::known(&self.cluster, &self.name, self.vid).await?.complete()?;
        Ok(owners)
    }

    /// What is no VDI's number would lead to inodes and whatever else the cluster holds.
    fn check_owners(&self, first: u32, owners: &[u32]) -> Result<()> {
        let Some((index, owner)) = (first..).zip(owners).find(|(_, owner)| **owner > MAX_VID) else {
            return Ok(());
        };
        let message = format!(
            "the table of VDI {:?} is damaged: the owner of object {index} cannot be {owner:#x}; \
             see \"dog vdi check\"",
            self.name
        );
        Err(Error::new(Kind::Failed, message))
    }

    /// The owners of those objects; 0 where there is none.
    pub async fn read_owners(&self, objects: Range<u32>) -> Result<Vec<u32>> {
        let end = objects.end.min(MAX_OBJECTS as u32);
        let mut found = Vec::with_capacity(objects.len());
        for start in objects.step_by(TABLE_STEP as usize / 4).take_while(|start| *start < end) {
            let length = (4 * (end - start)).min(TABLE_STEP);
            let request = Request::read_object(inode::inode_oid(self.vid), inode::owner_at(start), length);
            let answer = self.cluster.call(&request, &Space::Own(length as usize)).await?;
            found.extend(answer.success()?.data.iter().flat_map(|part| inode::owners(part)));
        }
        Ok(found)
    }

    /// Writes the owners of objects from `first` on.
    pub async fn write_owners(&self, first: u32, owners: &[u32]) -> Result<()> {
        let bytes: Vec<u8> = owners.iter().flat_map(|owner| owner.to_le_bytes()).collect();
        write_header(&self.cluster, self.vid, inode::owner_at(first), bytes.into()).await
    }
}

/// Removes the VDI that was to become an image, if it is there.  What fails now has failed for a reason that
/// is told already.
async fn undo_birth(cluster: &Arc<Cluster>, name: &str, is_own: impl Fn(&Vdi) -> bool) {
    if let Ok(vdi) = Vdi::find(cluster, name).await
        && is_own(&vdi)
    {
        let _ = vdi.remove(0..0).await;
    }
}

pub async fn read_header(cluster: &Cluster, vid: u32) -> Result<Header> {
    let request = Request::read_object(inode::inode_oid(vid), 0, inode::HEADER);
    let answer = cluster.call(&request, &Space::Own(inode::HEADER as usize)).await?;
    Header::parse(&answer.success()?.data.concat(), vid)
}

async fn write_header(cluster: &Cluster, vid: u32, at: u32, bytes: Bytes) -> Result<()> {
    // The inode has as many copies as its VDI, whatever the request says.
    let request = Request::write_object(inode::inode_oid(vid), at, 0, vec![bytes]);
    cluster.call(&request, &NOWHERE).await?.success().map(drop)
}

fn size_bytes(size: u64) -> Bytes {
    Bytes::copy_from_slice(&size.to_le_bytes())
}

fn absent(cluster: &Cluster, name: &str, what: &str) -> Error {
    Error::new(Kind::NotFound, format!("{what} {name:?} in the cluster of {}", cluster.address()))
}
