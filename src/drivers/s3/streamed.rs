//! Parts that the memory cannot hold: each is sent as it comes, one after the other, and so once at most.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, HeaderName, HeaderValue};

use super::chunks::{CHUNK, encoded_length};
use super::errors::Asked;
use super::multipart::{StoredPart, UploadId};
use super::parts::{DataChecks, query};
use super::plan::MIB;
use super::service::Service;
use super::signer::{header, payload_hash_header};
use super::signing::CHUNKED;
use crate::error::{Error, Kind, Result};
use crate::http::{Feed, Payload, Request};
use crate::operation::Operation;
use crate::transfer::{PartDigests, Piece, Runtime, Task, for_zeroes};

/// Sends an image of known size.
pub struct StreamedParts {
    runtime: Arc<Runtime>,
    target: Arc<Target>,
    /// How many bytes no part has begun for yet.
    left: u64,
    under_way: Option<Sending>,
    stored: Vec<StoredPart>,
}

/// Where the parts go.
struct Target {
    service: Arc<Service>,
    key: String,
    checks: DataChecks,
    digests: Arc<PartDigests>,
}

/// The part that is sent.
struct Sending {
    number: u64,
    room: u64,
    /// None when nobody takes any more.
    feed: Option<Feed>,
    /// What does not make a chunk yet, where chunks are signed.
    chunk: Option<BytesMut>,
    /// The head of the answer.
    task: Task<HeaderMap>,
}

impl StreamedParts {
    pub fn new(
        runtime: &Arc<Runtime>,
        service: Arc<Service>,
        key: &str,
        checks: DataChecks,
        digests: Arc<PartDigests>,
        size: u64,
    ) -> Self {
        let target = Arc::new(Target { service, key: key.to_owned(), checks, digests });
        StreamedParts { runtime: runtime.clone(), target, left: size, under_way: None, stored: Vec::new() }
    }

    pub fn digests(&self) -> &Arc<PartDigests> {
        &self.target.digests
    }

    pub fn put(&mut self, op: &Operation, id: &UploadId, piece: Piece) -> Result<()> {
        match piece {
            Piece::Data(data) => self.send(op, id, data),
            Piece::Hole(length) => {
                for_zeroes(length, |zeroes| self.send(op, id, Bytes::from_static(zeroes)))
            }
        }
    }

    /// What became of the parts, in their order.
    pub fn finish(mut self, op: &Operation) -> Result<Vec<StoredPart>> {
        self.end_part(op)?;
        Ok(self.stored)
    }

    fn send(&mut self, op: &Operation, id: &UploadId, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            if self.under_way.as_ref().is_none_or(|part| part.room == 0) {
                self.end_part(op)?;
                self.under_way = Some(self.begin_part(op, id)?);
            }
            if let Some(part) = &mut self.under_way {
                let fitting = usize::try_from(part.room).unwrap_or(usize::MAX).min(data.len());
                part.put(op, data.split_to(fitting))?;
            }
        }
        Ok(())
    }

    fn begin_part(&mut self, op: &Operation, id: &UploadId) -> Result<Sending> {
        let number = self.stored.len() as u64 + 1;
        let room = self.target.digests.length(number).min(self.left);
        if room == 0 {
            return Err(Error::new(Kind::Bug, "the image is longer than it was said to be"));
        }
        self.left -= room;
        let (target, id) = (self.target.clone(), id.clone());
        let is_signed = target.service.signs_payloads();
        let length = if is_signed { encoded_length(room) } else { room };
        let (payload, feed) = Payload::streamed(op, length);
        let task = self.runtime.start(op, async move {
            let stored = target.store(number, &id, payload, is_signed.then_some(room)).await;
            stored.map_err(|failure| {
                let needs_memory = is_signed && failure.status() == 501;
                let error = Error::from(failure).context(format_args!("part {number}"));
                if needs_memory { error.context(unsigned_advice(room)) } else { error }
            })
        })?;
        let chunk = is_signed.then(BytesMut::new);
        Ok(Sending { number, room, feed: Some(feed), chunk, task })
    }

    /// Waits for the answer to the part that has all of its bytes.
    fn end_part(&mut self, op: &Operation) -> Result<()> {
        let Some(part) = self.under_way.take() else {
            return Ok(());
        };
        let (number, answer) = (part.number, part.task.join(op)?);
        let Target { checks, digests, .. } = &*self.target;
        let md5 = match checks.want_md5() {
            // All of the part has come here, so its digest does come.
            true => {
                let digests = digests.clone();
                Some(self.runtime.run(op, async move { digests.wait(number).await })?)
            }
            false => None,
        };
        let stored = checks.check(&answer, md5).and_then(|etag| StoredPart::new(number, etag, None));
        self.stored.push(stored.map_err(|error| error.context(format_args!("part {number}")))?);
        Ok(())
    }
}

/// Servers that do not know the secret themselves can only check a request's own signature.
fn unsigned_advice(part: u64) -> String {
    format!(
        "the server takes no data that is signed as it comes: set transfer_memory so that it holds parts of {} MiB, or s3_store_payload_signing = never",
        part.div_ceil(MIB)
    )
}

impl Sending {
    fn put(&mut self, op: &Operation, mut data: Bytes) -> Result<()> {
        self.room -= data.len() as u64;
        let Some(mut chunk) = self.chunk.take() else {
            self.feed(op, data)?;
            return self.end(op, None);
        };
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(CHUNK - chunk.len()));
            chunk.extend_from_slice(&piece);
            if chunk.len() == CHUNK {
                self.feed(op, chunk.split().freeze())?;
            }
        }
        self.end(op, Some(chunk))
    }

    /// Ends the payload when all of it was put.
    fn end(&mut self, op: &Operation, chunk: Option<BytesMut>) -> Result<()> {
        if self.room > 0 {
            self.chunk = chunk;
            return Ok(());
        }
        if let Some(rest) = chunk {
            if !rest.is_empty() {
                self.feed(op, rest.freeze())?;
            }
            // The last chunk is an empty one.
            self.feed(op, Bytes::new())?;
        }
        self.feed = None;
        Ok(())
    }

    fn feed(&mut self, op: &Operation, data: Bytes) -> Result<()> {
        if let Some(feed) = &self.feed
            && feed.put(op, data)?
        {
            return Ok(());
        }
        let answer = self.task.join(op);
        let ended = format!("the server answered before it had all of part {}", self.number);
        answer.and(Err(Error::new(Kind::Failed, ended)))
    }
}

impl Target {
    /// Sends a part and returns the head of the answer, which may come before all of it was sent; one whose chunks are signed has `signed` bytes without what is around these.
    async fn store(&self, number: u64, id: &UploadId, payload: Payload, signed: Option<u64>) -> Asked<HeaderMap> {
        let mut request = Request::put(payload);
        if let Some(length) = signed {
            request.headers.extend([
                payload_hash_header(CHUNKED)?,
                (CONTENT_ENCODING, HeaderValue::from_static("aws-chunked")),
                (HeaderName::from_static("x-amz-decoded-content-length"), header(&length.to_string())?),
            ]);
        }
        let text = number.to_string();
        let response = self.service.ask(request, Some(&self.key), &query(&text, id)).await?;
        let headers = response.headers.clone();
        response.body.discard().await;
        Ok(headers)
    }
}
