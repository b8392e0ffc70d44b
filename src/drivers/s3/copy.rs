//! A copy within one server: it makes the object out of the other one, and no byte comes here.

use std::sync::Arc;

use http::HeaderMap;
use http::header::HeaderName;
use tokio::task::JoinSet;

use super::begin::Begin;
use super::endpoint::encoded;
use super::multipart::{StoredPart, UploadId};
use super::object::Object;
use super::plan::{MAX_PARTS, MIB};
use super::service::{Head, Service};
use super::signer::header;
use crate::driver::{Stored, Upload};
use crate::error::{Error, Kind, Result};
use crate::http::{Payload, Request};
use crate::operation::Operation;
use crate::transfer::{Piece, Runtime, Sink};

/// Servers copy no more at once.
const MAX_COPY: u64 = 5 << 30;

/// How long parts are, and how many are copied side by side.
const PART: u64 = 512 * MIB;
const SIDE_BY_SIDE: usize = 4;

const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const SOURCE_IS: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");

pub struct S3Copy {
    runtime: Arc<Runtime>,
    object: Arc<Object>,
    source: Arc<Source>,
    begin: Begin,
    /// Of a copy in parts.
    parts: Option<(UploadId, Vec<StoredPart>)>,
    is_published: bool,
}

/// The object that is copied, as it was when the copy began.
pub struct Source {
    pub service: Arc<Service>,
    pub key: String,
    pub size: u64,
    pub head: Head,
}

impl Source {
    fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        let path = format!("{}/{}", encoded(&self.service.bucket), encoded(&self.key));
        headers.insert(SOURCE, header(&path)?);
        if let Some(etag) = &self.head.etag {
            headers.insert(SOURCE_IS, header(etag)?);
        }
        Ok(headers)
    }

    /// Not every server keeps the condition that the source is what it was.
    async fn check_unchanged(&self) -> Result<()> {
        let now = self.service.head(&self.key).await?;
        if now.is_some_and(|now| now.etag == self.head.etag && now.size().ok() == Some(self.size)) {
            return Ok(());
        }
        Err(Error::new(Kind::Failed, format!("the object {:?} changed while it was copied", self.key)))
    }
}

impl S3Copy {
    pub fn new(runtime: &Arc<Runtime>, object: Object, source: Source) -> Self {
        let (runtime, object, source) = (runtime.clone(), Arc::new(object), Arc::new(source));
        S3Copy { runtime, object, source, begin: Begin::default(), parts: None, is_published: false }
    }
}

impl Sink for S3Copy {
    fn put(&mut self, _op: &Operation, _piece: Piece) -> Result<()> {
        Err(Error::new(Kind::Bug, "a copy within a server takes no data"))
    }
}

impl Upload for S3Copy {
    fn prepare(&mut self, op: &Operation) -> Result<()> {
        if self.source.size <= MAX_COPY {
            return Ok(());
        }
        let id = self.begin.run(&self.runtime, op, &self.object)?;
        let (object, source, upload) = (self.object.clone(), self.source.clone(), id.clone());
        let parts = self.runtime.run(op, async move { copy_parts(&object, &upload, &source).await })?;
        self.parts = Some((id, parts));
        Ok(())
    }

    fn publish(&mut self, op: &Operation) -> Result<Stored> {
        // However long a server takes: what it answers decides whether there is an image.
        let op = Operation::new(None, None, op.context().clone());
        self.is_published = true;
        let (object, parts, source) = (self.object.clone(), self.parts.take(), self.source.clone());
        self.runtime.run(&op, async move {
            match parts {
                Some((id, parts)) => object.complete(&id, &parts).await?,
                None => object.copy(&source.headers()?).await?,
            }
            source.check_unchanged().await
        })?;
        Ok(self.object.stored())
    }

    fn abort(&mut self, op: &Operation) -> Result<()> {
        let (object, upload, is_published) = (self.object.clone(), self.begin.settle(op), self.is_published);
        self.runtime.run(op, async move { object.withdraw(upload, is_published).await })
    }
}

async fn copy_parts(object: &Arc<Object>, id: &UploadId, source: &Source) -> Result<Vec<StoredPart>> {
    let size = source.size;
    let length = PART.max(size.div_ceil(MAX_PARTS));
    let mut waiting = (0..size.div_ceil(length)).map(|index| (index + 1, index * length));
    let mut under_way = JoinSet::new();
    let mut parts = Vec::new();
    loop {
        while under_way.len() < SIDE_BY_SIDE
            && let Some((number, start)) = waiting.next()
        {
            let (object, id, mut headers) = (object.clone(), id.clone(), source.headers()?);
            let range = format!("bytes={start}-{}", (start + length).min(size) - 1);
            headers.insert("x-amz-copy-source-range", header(&range)?);
            under_way.spawn(async move { copy_part(&object, &id, number, headers).await });
        }
        match under_way.join_next().await {
            Some(Ok(part)) => parts.push(part?),
            Some(Err(error)) => return Err(Error::new(Kind::Bug, format!("a copy of a part ended: {error}"))),
            None => break,
        }
    }
    parts.sort_by_key(|part: &StoredPart| part.number);
    Ok(parts)
}

async fn copy_part(object: &Object, id: &UploadId, number: u64, headers: HeaderMap) -> Result<StoredPart> {
    let text = number.to_string();
    let query = [("partNumber", text.as_str()), ("uploadId", id.0.as_str())];
    let mut request = Request::put(Payload::default());
    request.headers = headers;
    let copied = object.service.ask_xml(request, Some(&object.key), &query, "the copy of a part").await;
    let copied = copied.map_err(|failure| Error::from(failure).context(format!("part {number}")))?;
    let etag = copied.text_of("ETag").unwrap_or_default().to_owned();
    StoredPart::new(number, etag, copied.text_of("ChecksumCRC32").map(str::to_owned))
}
