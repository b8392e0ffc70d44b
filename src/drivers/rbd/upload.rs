//! An image on its way into a pool.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nix::errno::Errno;
use serde_json::Map;

use super::backend::Backend;
use super::errors::{Purpose, failed};
use super::location::{Place, SNAPSHOT, Within};
use super::marks::NEWBORN_SIZE;
use super::staging::Staged;
use super::writes::Writes;
use crate::ceph::{Cluster, Image, NewImage};
use crate::driver::{Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::{Packer, Piece, Pool, Sink, data_runs};

/// The grain in which zeros are left out.
const GRAIN: usize = 64 << 10;

/// The most that one write is for.
const MAX_WRITE: usize = 4 << 20;

/// The most that all writes under way are for: enough for a slow cluster, and little enough for the processor's cache
/// to be of use.
const MAX_UNDER_WAY: usize = 32 << 20;

/// What an image of unknown size begins with, and how much it grows at most at a time.  To grow it stops for the
/// writes under way, while what it has too much of costs little in the end.
const FIRST_SIZE: u64 = 1 << 30;
const MAX_GROWTH: u64 = 8 << 30;

/// The image that is being written, unless it has been given up.
type Slot = Arc<Mutex<Option<Staged>>>;

pub struct RbdUpload {
    backend: Arc<Backend>,
    /// Taken by one step at a time: one that hangs in the cluster comes before the cleanup, however long.
    staged: Slot,
    image: Arc<Image>,
    image_id: String,
    fsid: String,
    writes: Writes,
    /// What is written is held until then, so it must hold no more than its length.
    packer: Packer,
    /// Writes end at multiples of this, a power of two.
    unit: usize,
    /// How large the image is by now, and whether it has to grow.
    size: u64,
    is_growing: bool,
    /// How far the pieces have come.
    position: u64,
    /// Data that lies before that and is not being written yet.
    pending: Vec<Bytes>,
    pending_length: usize,
}

impl RbdUpload {
    pub fn begin(
        backend: &Arc<Backend>,
        op: &Operation,
        image_id: &str,
        size: Option<u64>,
        pool: &Pool,
    ) -> Result<Self> {
        let (id, initial_size) = (image_id.to_owned(), size.unwrap_or(FIRST_SIZE));
        backend.settings.check_size(initial_size)?;
        let make = move |backend: &Arc<Backend>| {
            let pool = backend.own_pool()?;
            let image = new_image(backend, pool.cluster());
            Staged::begin(pool, &id, |pool, name| pool.create(name, NEWBORN_SIZE, &image))?.sized(initial_size)
        };
        Self::stage(backend, op, image_id, pool, size.is_none(), make)
    }

    /// Begins an image that shares the data of another in the same cluster, a location of the store `from`, and tells its
    /// size; none where it cannot.
    pub fn begin_clone(
        backend: &Arc<Backend>,
        op: &Operation,
        image_id: &str,
        from: Arc<Backend>,
        source: Place,
        pool: &Pool,
    ) -> Result<Option<(Self, u64)>> {
        let Some(within) = source.within.clone() else {
            return Ok(None);
        };
        let id = image_id.to_owned();
        let make = move |backend: &Arc<Backend>| {
            let pool = backend.own_pool()?;
            let parent = backend.pool_in(&within, &from)?;
            let found = parent.open(&source.image, Some(&within.snapshot));
            drop(found.map_err(|errno| failed("open", &source.image, Purpose::Reading, errno))?);
            let image = new_image(backend, pool.cluster());
            Staged::begin(pool, &id, |pool, name| {
                pool.clone_from(&parent, &source.image, &within.snapshot, name, &image)
            })
        };
        let mut upload = match Self::stage(backend, op, image_id, pool, false, make) {
            // The snapshot is not protected, or the parent is not ours to have children.
            Err(error) if [Errno::EINVAL as i32, Errno::EPERM as i32].contains(&error.errno()) => {
                return Ok(None);
            }
            begun => begun?,
        };
        upload.position = upload.size;
        let size = upload.size;
        Ok(Some((upload, size)))
    }

    /// Begins with the image that `make` makes, which may have to grow.
    fn stage(
        backend: &Arc<Backend>,
        op: &Operation,
        image_id: &str,
        pool: &Pool,
        is_growing: bool,
        make: impl FnOnce(&Arc<Backend>) -> Result<Staged> + Send + 'static,
    ) -> Result<Self> {
        let slot = Slot::default();
        let staged = slot.clone();
        let begun = backend.settle(op, move |backend| {
            let mut staged = lock(&staged);
            let made = staged.insert(make(backend)?);
            Ok((made.image().clone(), made.size()?, made.fsid()))
        });
        let (image, size, fsid) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                // Who was stopped may have made it all the same.
                let _ = give_up(backend, &op.cleanup(), &slot);
                return Err(error);
            }
        };
        let memory = usize::try_from(pool.memory()).unwrap_or(usize::MAX);
        let largest = (1 << backend.settings.order).min(MAX_WRITE).min(memory / 2).max(1);
        let unit: usize = 1 << largest.ilog2();
        Ok(RbdUpload {
            backend: backend.clone(),
            staged: slot,
            image,
            image_id: image_id.to_owned(),
            fsid,
            writes: Writes::new(backend.runtime.clone(), image_id, memory.saturating_sub(unit).min(MAX_UNDER_WAY)),
            packer: Packer::new(pool),
            unit,
            size,
            is_growing,
            position: 0,
            pending: Vec::new(),
            pending_length: 0,
        })
    }

    /// Runs one step after all earlier ones.
    fn step<T: Send + 'static>(
        &self,
        op: &Operation,
        step: impl FnOnce(&Staged) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let staged = self.staged.clone();
        self.backend.settle(op, move |_| match lock(&staged).as_ref() {
            Some(staged) => step(staged),
            None => Err(Error::new(Kind::Bug, "an upload goes on that was given up")),
        })
    }

    /// Removes the image by a new connection: the cluster takes nothing from the one that it was written by.
    fn abandon(&self, op: &Operation) -> Result<()> {
        let (backend, slot, image) = (self.backend.clone(), self.staged.clone(), self.image.clone());
        let runtime = &self.backend.runtime;
        // That waits for writes which may never end.
        runtime.spawn(op, move || {
            image.close();
            Ok(())
        })?;
        let discard = move || match lock(&slot).take() {
            Some(staged) => staged.discard_from(&backend.own_pool()?),
            None => Ok(()),
        };
        runtime.spawn(op, discard)?.join(op)
    }

    /// Goes on with the small pieces that were copied together.
    fn unpack(&mut self, op: &Operation) -> Result<()> {
        self.packer.finish().map_or(Ok(()), |data| self.put_data(op, &data))
    }

    fn put_data(&mut self, op: &Operation, data: &Bytes) -> Result<()> {
        if !self.backend.settings.thin {
            return self.put_run(op, data.clone());
        }
        let start = self.position;
        for run in data_runs(data, start, GRAIN) {
            self.skip_to(op, start + run.start as u64)?;
            self.put_run(op, data.slice(run))?;
        }
        self.skip_to(op, start + data.len() as u64)
    }

    /// What lies between is a hole, as all is that was never written.
    fn skip_to(&mut self, op: &Operation, position: u64) -> Result<()> {
        if position > self.position {
            self.flush(op)?;
            self.position = position;
        }
        Ok(())
    }

    fn put_run(&mut self, op: &Operation, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            let room = self.unit - (self.position % self.unit as u64) as usize;
            let part = data.split_to(room.min(data.len()));
            self.position += part.len() as u64;
            self.pending_length += part.len();
            self.pending.push(part);
            if self.position.is_multiple_of(self.unit as u64) {
                self.flush(op)?;
            }
        }
        Ok(())
    }

    /// Starts to write what is pending.
    fn flush(&mut self, op: &Operation) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.is_growing && self.position > self.size {
            self.grow(op)?;
        }
        let start = self.position - self.pending_length as u64;
        self.pending_length = 0;
        self.writes.start(op, &self.image, start, std::mem::take(&mut self.pending))
    }

    /// Doubles the image until all of `position` lies in it.
    fn grow(&mut self, op: &Operation) -> Result<()> {
        let largest = self.backend.settings.largest_image();
        self.backend.settings.check_size(self.position)?;
        while self.size < self.position {
            self.size = self.size.saturating_add(self.size.min(MAX_GROWTH)).min(largest);
        }
        self.resize(op, self.size)
    }

    fn resize(&self, op: &Operation, size: u64) -> Result<()> {
        let (image, id) = (self.image.clone(), self.image_id.clone());
        self.step(op, move |_| {
            image.resize(size).map_err(|errno| failed("resize", &id, Purpose::Writing, errno))
        })
    }
}

fn lock(staged: &Slot) -> MutexGuard<'_, Option<Staged>> {
    staged.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the image, after whatever is done with it at this time.
fn give_up(backend: &Arc<Backend>, op: &Operation, staged: &Slot) -> Result<()> {
    let (backend, slot) = (backend.clone(), staged.clone());
    // Without waiting for a connection: where there is none, nothing was made.
    backend.clone().runtime.spawn(op, move || lock(&slot).take().map_or(Ok(()), |staged| discard(&backend, &staged)))?.join(op)
}

fn discard(backend: &Backend, staged: &Staged) -> Result<()> {
    let Err(error) = staged.discard() else {
        return Ok(());
    };
    if !backend.connection.notice(&error) {
        return Err(error);
    }
    // The cluster is there, but has locked this client out.
    staged.discard_from(&backend.own_pool()?)
}

/// As the reference makes images: with the features of the configuration, or at least what clones need.
fn new_image(backend: &Backend, cluster: &Cluster) -> NewImage {
    const LAYERING: u64 = 1;
    let features = match cluster.configured("rbd_default_features").as_deref().map(str::parse::<u64>) {
        None | Some(Ok(0)) => Some(LAYERING),
        Some(Ok(features)) => Some(features),
        // Names, which librbd itself understands.
        Some(Err(_)) => None,
    };
    NewImage { order: backend.settings.order, features }
}

impl Sink for RbdUpload {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        let put = match piece {
            Piece::Data(data) => {
                let packed = self.packer.put(op, data)?;
                packed.iter().try_for_each(|data| self.put_data(op, data))
            }
            Piece::Hole(length) => {
                self.unpack(op).and_then(|()| self.skip_to(op, self.position + length))
            }
        };
        put.map_err(|error| self.backend.noticed(error))
    }
}

impl Upload for RbdUpload {
    fn prepare(&mut self, op: &Operation) -> Result<()> {
        let written = self.unpack(op).and_then(|()| self.flush(op)).and_then(|()| self.writes.finish(op, &self.image));
        written.map_err(|error| self.backend.noticed(error))?;
        if self.is_growing && self.size != self.position {
            self.resize(op, self.position)?;
        }
        self.step(op, |staged| staged.seal())
    }

    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        self.step(op, |staged| staged.publish())?;
        let within = Within {
            fsid: self.fsid.clone(),
            pool: self.backend.settings.pool.clone(),
            snapshot: SNAPSHOT.to_owned(),
        };
        let place = Place { within: Some(within), image: self.image_id.clone() };
        Ok(Stored { location: place.to_location(), metadata: Map::new() })
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        self.pending.clear();
        match self.writes.are_lost() {
            true => self.abandon(op),
            false => give_up(&self.backend, op, &self.staged),
        }
    }
}
