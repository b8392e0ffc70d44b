//! An image on its way into a bucket: it has its name only when the last request has succeeded.

use std::sync::Arc;

use tokio::sync::watch;

use super::begin::Begin;
use super::multipart::StoredPart;
use super::object::Object;
use super::parts::{Mode, PartStore, Receipt};
use super::plan::Plan;
use super::streamed::StreamedParts;
use crate::driver::{Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::{PartDigests, PartUploader, Piece, Pool, Runtime, Sink};

pub struct S3Upload {
    runtime: Arc<Runtime>,
    object: Arc<Object>,
    plan: Plan,
    put: u64,
    mode: watch::Sender<Option<Mode>>,
    begin: Begin,
    /// None when all parts are stored, and after an abort.
    parts: Option<Parts>,
    receipts: Vec<Receipt>,
    is_published: bool,
}

/// The parts on their way.
enum Parts {
    Held(PartUploader<PartStore>),
    Streamed(StreamedParts),
}

impl S3Upload {
    pub fn new(runtime: &Arc<Runtime>, object: Object, plan: Plan, pool: &Pool) -> Self {
        let object = Arc::new(object);
        let known = if plan.is_single == Some(true) { Some(Mode::Single) } else { None };
        let (mode, receiver) = watch::channel(known);
        let parts = match plan.streamed_size {
            Some(size) => {
                let digests = PartDigests::new(Arc::new(plan.clone()));
                let (service, checks) = (object.service.clone(), object.checks);
                Parts::Streamed(StreamedParts::new(runtime, service, &object.key, checks, digests, size))
            }
            None => {
                let (service, key, checks) = (object.service.clone(), object.key.clone(), object.checks);
                let store = PartStore { service, key, checks, mode: receiver };
                Parts::Held(PartUploader::new(runtime, Arc::new(store), Arc::new(plan.clone()), pool))
            }
        };
        S3Upload {
            runtime: runtime.clone(),
            object,
            plan,
            put: 0,
            mode,
            begin: Begin::default(),
            parts: Some(parts),
            receipts: Vec::new(),
            is_published: false,
        }
    }
}

impl Sink for S3Upload {
    fn put(&mut self, op: &Operation, piece: Piece) -> Result<()> {
        self.put += piece.len();
        if self.put > self.plan.reach {
            let reach = self.plan.reach;
            return Err(Error::new(
                Kind::StorageFull,
                format!(
                    "the image has more than the {reach} bytes that 10000 parts hold: tell its size, or raise s3_store_large_object_chunk_size or transfer_memory"
                ),
            ));
        }
        let is_large = self.plan.is_single.map_or(self.put >= self.plan.first_part(), |is_single| !is_single);
        if is_large && self.mode.borrow().is_none() {
            let id = self.begin.run(&self.runtime, op, &self.object)?;
            self.mode.send_replace(Some(Mode::Parts(id)));
        }
        match (&mut self.parts, &*self.mode.borrow()) {
            (Some(Parts::Held(parts)), _) => parts.put(op, piece),
            (Some(Parts::Streamed(parts)), Some(Mode::Parts(id))) => parts.put(op, id, piece),
            _ => Ok(()),
        }
    }
}

impl Upload for S3Upload {
    fn part_digests(&self) -> Option<Arc<PartDigests>> {
        let parts = self.parts.as_ref().filter(|_| self.object.checks.want_md5())?;
        Some(match parts {
            Parts::Held(parts) => parts.digests().clone(),
            Parts::Streamed(parts) => parts.digests().clone(),
        })
    }

    fn prepare(&mut self, op: &Operation) -> Result<()> {
        if self.mode.borrow().is_none() {
            self.mode.send_replace(Some(Mode::Single));
        }
        self.receipts = match self.parts.take() {
            Some(Parts::Held(mut parts)) => parts.finish(op)?,
            Some(Parts::Streamed(parts)) => parts.finish(op)?.into_iter().map(Receipt::Stored).collect(),
            None => Vec::new(),
        };
        Ok(())
    }

    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        // However long a server takes: what it answers decides whether there is an image.
        let op = Operation::new(None, None, op.context().clone());
        let object = self.object.clone();
        let receipts = std::mem::take(&mut self.receipts);
        self.is_published = true;
        let mode = self.mode.borrow().clone();
        match mode {
            Some(Mode::Parts(id)) => {
                let stored = |receipt| if let Receipt::Stored(part) = receipt { Some(part) } else { None };
                let parts: Vec<StoredPart> = receipts.into_iter().filter_map(stored).collect();
                let streamed_size = self.plan.streamed_size;
                self.runtime.run(&op, async move {
                    object.complete(&id, &parts).await?;
                    // What is around chunks must not have been taken for data.
                    match streamed_size {
                        Some(size) => object.check_size(size).await,
                        None => Ok(()),
                    }
                })?;
            }
            _ => {
                let held = |receipt| if let Receipt::Held(sealed) = receipt { Some(sealed) } else { None };
                let sealed = receipts.into_iter().find_map(held);
                self.runtime.run(&op, async move { object.put(sealed).await })?;
            }
        }
        Ok(self.object.stored())
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        // Ends every request that is under way.
        self.parts = None;
        self.receipts.clear();
        let (object, upload, is_published) = (self.object.clone(), self.begin.settle(op), self.is_published);
        self.runtime.run(op, async move { object.withdraw(upload, is_published).await })
    }
}
