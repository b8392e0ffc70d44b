//! An image on its way into a bucket: it has its name only when the last request has succeeded.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use http::HeaderMap;
use http::header::IF_NONE_MATCH;
use serde_json::Map;
use tokio::sync::watch;

use super::errors::{Asked, Failure};
use super::multipart::{self, StoredPart, UploadId};
use super::parts::{DataChecks, Mode, PartStore, Receipt, Sealed, is_damaged, seal};
use super::plan::Plan;
use super::service::{MAKER, Service};
use super::signer::header;
use crate::driver::{Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::http::Request;
use crate::location::Location;
use crate::operation::Operation;
use crate::transfer::{PartDigests, PartUploader, Piece, Pool, Runtime, Sink, Task};

/// An object to be made.
pub struct Object {
    pub service: Arc<Service>,
    pub key: String,
    /// Headers that the object is made with: storage class, encryption, access list.
    pub attributes: HeaderMap,
    pub checks: DataChecks,
    pub location: Location,
}

pub struct S3Upload {
    runtime: Arc<Runtime>,
    object: Arc<Object>,
    /// The name of this upload, by which the object is known to be its own.
    maker: String,
    plan: Plan,
    put: u64,
    mode: watch::Sender<Option<Mode>>,
    /// The begin of a multipart upload, kept until it is known what became of it.
    begin: Option<Task<Result<UploadId>>>,
    /// None while the parts are stored, and after an abort.
    uploader: Option<PartUploader<PartStore>>,
    receipts: Vec<Receipt>,
    is_published: bool,
}

impl S3Upload {
    pub fn new(runtime: &Arc<Runtime>, mut object: Object, plan: Plan, pool: &Pool) -> Result<Self> {
        let maker = random_name();
        object.attributes.insert(MAKER, header(&maker)?);
        let object = Arc::new(object);
        let known = if plan.is_single == Some(true) { Some(Mode::Single) } else { None };
        let (mode, receiver) = watch::channel(known);
        let store = PartStore {
            service: object.service.clone(),
            key: object.key.clone(),
            checks: object.checks,
            mode: receiver,
        };
        let uploader = PartUploader::new(runtime, Arc::new(store), Arc::new(plan.clone()), pool);
        Ok(S3Upload {
            runtime: runtime.clone(),
            object,
            maker,
            plan,
            put: 0,
            mode,
            begin: None,
            uploader: Some(uploader),
            receipts: Vec::new(),
            is_published: false,
        })
    }

    fn mode(&self) -> Option<Mode> {
        self.mode.borrow().clone()
    }

    /// Decides for parts, and begins the upload of these.
    fn begin_parts(&mut self, op: &Operation) -> Result<()> {
        let object = self.object.clone();
        let mut headers = object.attributes.clone();
        if object.checks.crc32 {
            headers.insert("x-amz-checksum-algorithm", header("CRC32")?);
        }
        let begin = async move { Ok(multipart::create(&object.service, &object.key, &headers).await) };
        let begin = self.begin.insert(self.runtime.start(op, begin)?);
        // Where the call ends here the begin goes on, for the abort to learn what became of it.
        let begun = begin.join(op)?;
        self.begin = None;
        self.mode.send_replace(Some(Mode::Parts(begun?)));
        Ok(())
    }

    /// The upload that the server may know of, waiting for its begin where that was left.
    fn begun(&mut self, op: &Operation) -> Option<UploadId> {
        match (self.mode(), self.begin.take()) {
            (Some(Mode::Parts(id)), _) => Some(id),
            (_, Some(begin)) => begin.join(op).ok()?.ok(),
            _ => None,
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
            self.begin_parts(op)?;
        }
        self.uploader.as_mut().map_or(Ok(()), |uploader| uploader.put(op, piece))
    }
}

impl Upload for S3Upload {
    fn part_digests(&self) -> Option<Arc<PartDigests>> {
        self.uploader.as_ref().map(|uploader| uploader.digests().clone())
    }

    fn prepare(&mut self, op: &Operation) -> Result<()> {
        if self.mode.borrow().is_none() {
            self.mode.send_replace(Some(Mode::Single));
        }
        if let Some(uploader) = &mut self.uploader {
            self.receipts = uploader.finish(op)?;
        }
        self.uploader = None;
        Ok(())
    }

    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        // However long a server takes: what it answers decides whether there is an image.
        let op = Operation::new(None, None, op.context().clone());
        let object = self.object.clone();
        let maker = self.maker.clone();
        let receipts = std::mem::take(&mut self.receipts);
        self.is_published = true;
        match self.mode() {
            Some(Mode::Parts(id)) => {
                let stored = |receipt| if let Receipt::Stored(part) = receipt { Some(part) } else { None };
                let parts: Vec<StoredPart> = receipts.into_iter().filter_map(stored).collect();
                self.runtime.run(&op, async move { object.complete(&id, &parts, &maker).await })?;
            }
            _ => {
                let held = |receipt| if let Receipt::Held(sealed) = receipt { Some(sealed) } else { None };
                let sealed = receipts.into_iter().find_map(held);
                self.runtime.run(&op, async move { object.put(sealed, &maker).await })?;
            }
        }
        Ok(Stored { location: self.object.location.clone(), metadata: Map::new() })
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        // Ends every request that is under way.
        self.uploader = None;
        self.receipts.clear();
        let id = self.begun(op);
        let (object, maker) = (self.object.clone(), self.maker.clone());
        let is_published = self.is_published;
        self.runtime.run(op, async move {
            if let Some(id) = id {
                multipart::abort(&object.service, &object.key, &id).await?;
            }
            if is_published && object.is_made_by(&maker).await? {
                object.service.delete(&object.key).await?;
            }
            Ok(())
        })
    }
}

impl Object {
    /// Makes the object at once.
    async fn put(&self, sealed: Option<Sealed>, maker: &str) -> Result<()> {
        let sealed = match sealed {
            Some(sealed) => sealed,
            None => seal(&self.service, &self.checks, Vec::new(), EMPTY_MD5).await?,
        };
        let mut request = Request::put(sealed.payload.clone());
        request.headers = self.attributes.clone();
        request.headers.extend(sealed.headers.clone());
        self.settle(maker, |is_conditional| {
            let mut request = request.clone();
            if is_conditional {
                request.headers.insert(IF_NONE_MATCH, http::HeaderValue::from_static("*"));
            }
            self.send(request, &sealed)
        })
        .await
    }

    async fn send(&self, request: Request, sealed: &Sealed) -> Asked<()> {
        let mut retries = self.service.retries();
        loop {
            let asked = self.service.ask(request.clone(), Some(&self.key), &[]).await;
            match asked.and_then(|response| Ok(self.checks.check(&response, &sealed.md5).map(drop)?)) {
                Err(Failure::Refused(refusal)) if is_damaged(&Failure::Refused(refusal.clone())) => {
                    self.service.rest(&mut retries, Failure::Refused(refusal)).await?;
                }
                asked => return asked,
            }
        }
    }

    /// Makes the object out of its parts.
    async fn complete(&self, id: &UploadId, parts: &[StoredPart], maker: &str) -> Result<()> {
        // Not every server keeps the condition of a complete.
        self.check_absent().await?;
        self.settle(maker, |is_conditional| {
            multipart::complete(&self.service, &self.key, id, parts, is_conditional)
        })
        .await
    }

    /// Makes the object under the condition that there is none, as far as the server knows conditions, and
    /// finds out what became of it where the answer does not tell.
    async fn settle<R>(&self, maker: &str, make: impl Fn(bool) -> R) -> Result<()>
    where
        R: Future<Output = Asked<()>>,
    {
        let mut made = make(true).await;
        if made.as_ref().is_err_and(|failure| failure.status() == 501) {
            self.check_absent().await?;
            made = make(false).await;
        }
        let Err(failure) = made else {
            return Ok(());
        };
        // An attempt whose answer was lost may have made it.
        if is_answer_to_a_repeat(&failure) && self.is_made_by(maker).await? {
            return Ok(());
        }
        match failure.status() {
            409 | 412 => Err(self.duplicate()),
            _ => Err(failure.into()),
        }
    }

    async fn is_made_by(&self, maker: &str) -> Result<bool> {
        let head = self.service.head(&self.key).await?;
        Ok(head.is_some_and(|head| head.maker.as_deref() == Some(maker)))
    }

    pub async fn check_absent(&self) -> Result<()> {
        match self.service.head(&self.key).await? {
            Some(_) => Err(self.duplicate()),
            None => Ok(()),
        }
    }

    fn duplicate(&self) -> Error {
        let (bucket, key) = (&self.service.bucket, &self.key);
        Error::new(Kind::Duplicate, format!("the bucket {bucket:?} has an object {key:?} already"))
    }
}

/// The MD5 of nothing.
const EMPTY_MD5: [u8; 16] =
    [0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e];

/// Whether a request may have been refused because an earlier attempt of it had succeeded, or may have
/// succeeded without an answer.
fn is_answer_to_a_repeat(failure: &Failure) -> bool {
    matches!(failure.status(), 404 | 409 | 412) || failure.is_ambiguous()
}

fn random_name() -> String {
    let number = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", number(), number())
}
