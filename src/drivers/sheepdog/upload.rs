//! Adding an image: its objects first, side by side, then the table that points to them, the size, and
//! last of all the mark goes that keeps anybody from reading it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Map;
use tokio::sync::watch;

use super::cluster::Cluster;
use super::inode::MAX_OBJECTS;
use super::list::advised;
use super::location::location_of;
use super::state::is_birth_size;
use super::vdi::{Manner, Vdi, exist};
use crate::driver::{Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::{Piece, Pool, Runtime, Sink, Task, is_zero};

/// How many objects an image is marked to have at first, if its size allows; with each mark there are twice
/// as many.
const FIRST_OBJECTS: u32 = 16;

/// How many owners one request writes.
const TABLE_STEP: usize = 16 << 10;

/// What an upload is begun with.
pub struct Plan {
    pub cluster: Arc<Cluster>,
    pub image_id: String,
    pub size: Option<u64>,
    pub copies: u8,
    /// The most that one request writes.
    pub chunk_size: u64,
}

pub struct SheepdogUpload {
    runtime: Arc<Runtime>,
    vdi: Arc<Vdi>,
    /// What was promised.
    size: Option<u64>,
    /// How many bytes one request writes.
    unit: u64,
    /// How many buffers may be held by the run that is being collected, and as many by requests under way.
    budget: usize,
    position: u64,
    run: Run,
    under_way: Vec<UnderWay>,
    /// By object, whether it was created.
    created: Vec<bool>,
    /// Of the object that was created last, whether that is done.
    creation: watch::Receiver<bool>,
    /// How many objects the mark tells of.
    marked: u32,
}

/// Data of one object that is to be written by one request.
#[derive(Default)]
struct Run {
    start: u64,
    data: Vec<Bytes>,
}

/// A request that was begun, and how many pieces it holds.
struct UnderWay {
    task: Task<Result<()>>,
    pieces: usize,
}

impl SheepdogUpload {
    /// Takes the name.  A call that is stopped meanwhile waits for what comes of that, to undo it.
    pub fn begin(runtime: &Arc<Runtime>, op: &Operation, plan: Plan, pool: &Pool) -> Result<Self> {
        let Plan { cluster, image_id, size, copies, chunk_size } = plan;
        let creating = runtime.start(op, async move { Ok(create(&cluster, &image_id, copies, size).await) })?;
        let vdi = match creating.join(op) {
            Ok(created) => created?,
            Err(stopped) => {
                let op = op.cleanup();
                let undone = match creating.join(&op) {
                    Ok(Ok(vdi)) => runtime.run(&op, async move { vdi.remove(0..0).await }),
                    _ => Ok(()),
                };
                return Err(match undone {
                    Ok(()) => stopped,
                    Err(left) => stopped.context(format_args!("a VDI without data remains, for {left}")),
                });
            }
        };
        let buffer = pool.buffer_size() as u64;
        let buffers = pool.memory() / buffer;
        let unit = chunk_size.min(vdi.header.object_size()).min((buffers / 4).max(1) * buffer);
        let budget = usize::try_from(buffers / 2).unwrap_or(usize::MAX).max(1);
        Ok(SheepdogUpload {
            runtime: runtime.clone(),
            vdi,
            size,
            unit,
            budget,
            position: 0,
            run: Run::default(),
            under_way: Vec::new(),
            created: Vec::new(),
            creation: watch::channel(true).1,
            marked: 0,
        })
    }

    fn append(&mut self, op: &Operation, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            let left = self.unit_left();
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
            let part = data.split_to(length);
            if is_zero(&part) {
                self.write_run(op)?;
            } else {
                self.collect(op, part)?;
            }
            self.position += length as u64;
            if length as u64 == left {
                self.write_run(op)?;
            }
        }
        Ok(())
    }

    /// How much of the present unit is left, the last one of an object being shorter.
    fn unit_left(&self) -> u64 {
        let (_, offset) = self.vdi.header.object_at(self.position);
        let offset = u64::from(offset);
        (self.unit - offset % self.unit).min(self.vdi.header.object_size() - offset)
    }

    fn collect(&mut self, op: &Operation, part: Bytes) -> Result<()> {
        // Small pieces may each hold a whole buffer.
        if self.run.data.len() >= self.budget {
            self.write_run(op)?;
        }
        if self.run.data.is_empty() {
            self.run.start = self.position;
        }
        self.run.data.push(part);
        Ok(())
    }

    /// Begins to write what was collected.
    fn write_run(&mut self, op: &Operation) -> Result<()> {
        if self.run.data.is_empty() {
            return Ok(());
        }
        let Run { start, data } = std::mem::take(&mut self.run);
        let pieces = data.len();
        let (index, offset) = self.vdi.header.object_at(start);
        self.reserve(op, index)?;
        let vdi = self.vdi.clone();
        if self.created.get(index as usize).copied().unwrap_or_default() {
            let mut created = self.creation.clone();
            return self.begin_request(op, pieces, async move {
                if created.wait_for(|created| *created).await.is_err() {
                    // The creation has failed, and tells why.
                    return Ok(());
                }
                vdi.write(Manner::Overwrite, index, offset, data).await
            });
        }
        let (done, creation) = watch::channel(false);
        self.creation = creation;
        self.created.resize(self.created.len().max(index as usize + 1), false);
        self.created[index as usize] = true;
        self.begin_request(op, pieces, async move {
            vdi.write(Manner::Create, index, offset, data).await?;
            done.send_replace(true);
            Ok(())
        })
    }

    /// Makes sure that the mark tells of an object before that is created.
    fn reserve(&mut self, op: &Operation, index: u32) -> Result<()> {
        if index < self.marked {
            return Ok(());
        }
        // A delete looks for all that the mark tells of, so that does not run ahead to a large size.
        let doubled = (2 * self.marked).max(FIRST_OBJECTS);
        let promised = self.size.map_or(MAX_OBJECTS as u32, |size| self.vdi.header.objects_of(&(0..size)).end);
        self.marked = doubled.min(promised).max(index + 1).min(MAX_OBJECTS as u32);
        let (vdi, marked) = (self.vdi.clone(), self.marked);
        self.begin_request(op, 0, async move { vdi.mark(marked).await })?;
        self.finish(op)
    }

    /// Begins a request that holds so many pieces.
    fn begin_request(
        &mut self,
        op: &Operation,
        pieces: usize,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        while self.is_full(pieces) {
            self.finish_one(op)?;
        }
        let task = self.runtime.start(op, async move { Ok(work.await) })?;
        self.under_way.push(UnderWay { task, pieces });
        Ok(())
    }

    fn is_full(&self, pieces: usize) -> bool {
        let held: usize = self.under_way.iter().map(|request| request.pieces).sum();
        let is_too_much = !self.under_way.is_empty() && held + pieces > self.budget;
        is_too_much || self.under_way.len() >= self.vdi.cluster.width()
    }

    /// Waits for one request to end, whichever is first.
    fn finish_one(&mut self, op: &Operation) -> Result<()> {
        let Err(failure) = self.next_ended(op)? else {
            return Ok(());
        };
        let (vdi, error) = (self.vdi.clone(), failure.clone());
        let advising = async move { Ok(advised(&vdi.cluster, &vdi.name, error).await) };
        Err(self.runtime.run(op, advising).unwrap_or(failure))
    }

    /// What came of the request that is the first to end.
    fn next_ended(&mut self, op: &Operation) -> Result<Result<()>> {
        let ended = || {
            let mut requests = self.under_way.iter().enumerate();
            requests.find_map(|(at, request)| Some((at, request.task.try_join()?)))
        };
        let (at, result) = op.wait(ended)?;
        self.under_way.swap_remove(at);
        result
    }

    /// Waits for all requests.
    fn finish(&mut self, op: &Operation) -> Result<()> {
        while !self.under_way.is_empty() {
            self.finish_one(op)?;
        }
        Ok(())
    }

    /// Points the table to the objects.
    fn write_table(&mut self, op: &Operation) -> Result<()> {
        for (first, owners) in self.table_parts() {
            let vdi = self.vdi.clone();
            self.begin_request(op, 0, async move { vdi.write_owners(first, &owners).await })?;
        }
        self.finish(op)
    }

    /// The parts of the table in which there are any objects: the first object's number, and the owners.
    fn table_parts(&self) -> Vec<(u32, Vec<u32>)> {
        let owner = |created: &bool| if *created { self.vdi.vid } else { 0 };
        let parts = self.created.chunks(TABLE_STEP).enumerate().filter_map(|(step, part)| {
            let first = part.iter().position(|created| *created)?;
            let last = part.iter().rposition(|created| *created)?;
            Some(((step * TABLE_STEP + first) as u32, part[first..=last].iter().map(owner).collect()))
        });
        parts.collect()
    }
}

impl Sink for SheepdogUpload {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        check_room(&self.vdi, self.position.saturating_add(piece.len()))?;
        match piece {
            Piece::Data(data) => self.append(op, data),
            Piece::Hole(length) => {
                self.write_run(op)?;
                self.position += length;
                Ok(())
            }
        }
    }
}

impl Upload for SheepdogUpload {
    fn prepare(&mut self, op: &Operation) -> Result<()> {
        check_size(&self.vdi, self.position)?;
        self.write_run(op)?;
        self.finish(op)?;
        self.write_table(op)?;
        let (vdi, size) = (self.vdi.clone(), self.position);
        self.begin_request(op, 0, async move { vdi.resize(size).await })?;
        self.finish(op)
    }

    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        let vdi = self.vdi.clone();
        self.runtime.run(op, async move {
            vdi.unmark().await?;
            match exist(&vdi.cluster, &vdi.name).await? {
                Some(vid) if vid == vdi.vid => Ok(()),
                _ => Err(Error::new(Kind::Failed, "somebody has deleted the image while it was added")),
            }
        })?;
        let location = location_of(self.vdi.cluster.address(), &self.vdi.name);
        Ok(Stored { location, metadata: Map::new() })
    }

    /// What is under way comes to its end first: it must not come after what it is undone by.
    fn abort(&mut self, op: &Operation) -> Result<()> {
        while !self.under_way.is_empty() && op.check().is_ok() {
            // Why the upload has failed is told already.
            let _ = self.next_ended(op);
        }
        let created = self.created.iter().enumerate().filter(|(_, created)| **created);
        let stray: Vec<u32> = created.map(|(index, _)| index as u32).collect();
        let (vdi, marked) = (self.vdi.clone(), self.marked);
        self.runtime.run(op, async move {
            // It may have been published.
            vdi.mark(marked).await?;
            vdi.remove(stray.into_iter()).await
        })
    }
}

async fn create(cluster: &Arc<Cluster>, image_id: &str, copies: u8, size: Option<u64>) -> Result<Arc<Vdi>> {
    let vdi = match Vdi::create(cluster, image_id, copies).await {
        Ok(vdi) => vdi,
        Err(error) => return Err(advised(cluster, image_id, error).await),
    };
    if let Err(error) = check_size(&vdi, size.unwrap_or_default()) {
        vdi.remove(0..0).await?;
        return Err(error);
    }
    Ok(vdi)
}

/// Whether there can be an image of that size.
fn check_size(vdi: &Vdi, size: u64) -> Result<()> {
    if is_birth_size(size) {
        let message = format!("no image can have exactly {size} bytes: a VDI of that size is one just begun");
        return Err(Error::new(Kind::NotSupported, message));
    }
    check_room(vdi, size)
}

fn check_room(vdi: &Vdi, size: u64) -> Result<()> {
    let most = vdi.header.max_size();
    if size <= most {
        return Ok(());
    }
    let message = format!("the image has {size} bytes or more, and a VDI of this cluster {most} at most");
    Err(Error::new(Kind::StorageFull, message))
}
