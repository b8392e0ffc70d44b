//! An object that is made: nobody else's is replaced, and what became of it is known in the end.

use std::sync::Arc;

use http::header::{HeaderName, HeaderValue, IF_NONE_MATCH};
use http::HeaderMap;
use serde_json::Map;

use super::errors::{Asked, Failure};
use super::multipart::{self, StoredPart, UploadId};
use super::parts::{DataChecks, Sealed, is_damaged, seal};
use super::service::{Head, MAKER, Service};
use super::signer::header;
use crate::chance;
use crate::claim::Claim;
use crate::driver::Stored;
use crate::error::{Error, Kind, Result};
use crate::http::{Payload, Request};
use crate::location::Location;

/// An object to be made.
pub struct Object {
    pub service: Arc<Service>,
    pub key: String,
    pub checks: DataChecks,
    location: Location,
    /// The name of whoever makes it, by which it is known to be its own.
    maker: String,
    /// Headers that it is made with: storage class, encryption, access list, maker.
    pub attributes: HeaderMap,
    _claim: Claim,
}

impl Object {
    pub fn new(
        service: Arc<Service>,
        key: &str,
        attributes: &HeaderMap,
        checks: DataChecks,
        location: Location,
        claim: Claim,
    ) -> Result<Self> {
        let maker = chance::name();
        let mut attributes = attributes.clone();
        attributes.insert(HeaderName::from_static(MAKER), header(&maker)?);
        Ok(Object { service, key: key.to_owned(), checks, location, maker, attributes, _claim: claim })
    }

    pub fn stored(&self) -> Stored {
        Stored { location: self.location.clone(), metadata: Map::new() }
    }

    /// Makes the object at once; without data it is empty.
    pub async fn put(&self, sealed: Option<Sealed>) -> Result<()> {
        let sealed = match sealed {
            Some(sealed) => sealed,
            None => seal(&self.service, &self.checks, Vec::new(), Some(EMPTY_MD5)).await?,
        };
        let mut request = Request::put(sealed.payload.clone());
        request.headers = self.attributes.clone();
        request.headers.extend(sealed.headers.clone());
        self.settle(|is_conditional| self.send(conditional(&request, is_conditional), &sealed)).await
    }

    /// Makes the object out of another one, at the server.
    pub async fn copy(&self, source: &HeaderMap) -> Result<()> {
        let mut request = Request::put(Payload::default());
        request.headers = self.attributes.clone();
        request.headers.extend(source.clone());
        request.headers.insert("x-amz-metadata-directive", HeaderValue::from_static("REPLACE"));
        self.settle(|is_conditional| {
            let request = conditional(&request, is_conditional);
            async { self.service.ask_xml(request, Some(&self.key), &[], "a copy").await.map(drop) }
        })
        .await
    }

    async fn send(&self, request: Request, sealed: &Sealed) -> Asked<()> {
        let mut retries = self.service.retries();
        loop {
            let asked = self.service.ask(request.clone(), Some(&self.key), &[]).await;
            match asked.and_then(|response| Ok(self.checks.check(&response.headers, sealed.md5).map(drop)?)) {
                Err(Failure::Refused(refusal)) if is_damaged(&Failure::Refused(refusal.clone())) => {
                    self.service.rest(&mut retries, Failure::Refused(refusal)).await?;
                }
                asked => return asked,
            }
        }
    }

    /// Makes the object out of its parts.
    pub async fn complete(&self, id: &UploadId, parts: &[StoredPart]) -> Result<()> {
        self.settle(|is_conditional| {
            multipart::complete(&self.service, &self.key, id, parts, is_conditional)
        })
        .await
    }

    /// Makes the object under the condition that there is none, as far as the server knows conditions, and
    /// finds out what became of it where the answer does not tell.
    async fn settle<R>(&self, make: impl Fn(bool) -> R) -> Result<()>
    where
        R: Future<Output = Asked<()>>,
    {
        // Not every server keeps the condition.
        self.check_absent().await?;
        let mut rivals = self.service.retries();
        let mut is_conditional = true;
        let mut refusals = 0;
        loop {
            let Err(failure) = make(is_conditional).await else {
                return Ok(());
            };
            let may_be_there = matches!(failure.status(), 404 | 409 | 412 | 501) || failure.is_ambiguous();
            let head = if may_be_there { self.look(&failure).await? } else { None };
            match head {
                // An attempt whose answer was lost has made it.
                Some(head) if self.is_own(&head) => return Ok(()),
                Some(_) if matches!(failure.status(), 409 | 412 | 501) => return Err(self.duplicate()),
                // A server that does not know the condition says so, or takes it for one of something else; or the
                // other object has gone again.
                None if is_conditional && matches!(failure.status(), 412 | 501) => {
                    refusals += 1;
                    is_conditional = failure.status() == 412 && refusals == 1;
                }
                None if failure.is_rivalry() => self.service.rest(&mut rivals, failure).await?,
                _ => return Err(failure.into()),
            }
        }
    }

    /// What there is after a failure, which remains the reason where nobody can tell.
    async fn look(&self, failure: &Failure) -> Result<Option<Head>> {
        self.service.head(&self.key).await.map_err(|blind| {
            failure.error().context(format_args!("what became of it is not known ({})", blind.error()))
        })
    }

    fn is_own(&self, head: &Head) -> bool {
        head.maker.as_deref() == Some(self.maker.as_str())
    }

    /// Leaves nothing: neither the upload, if there is one, nor the object, if it `may_be_there` by now.
    pub async fn withdraw(&self, upload: Option<UploadId>, may_be_there: bool) -> Result<()> {
        let aborted = match upload {
            Some(id) => multipart::abort(&self.service, &self.key, &id).await,
            None => Ok(()),
        };
        let removed = if may_be_there { self.remove_own().await } else { Ok(()) };
        aborted.and(removed)
    }

    /// Removes the object if this has made it, with its versions where the bucket keeps these: there are several
    /// after attempts without an answer, at a server that keeps no condition.
    async fn remove_own(&self) -> Result<()> {
        for _ in 0..MAX_VERSIONS {
            let made = self.service.head(&self.key).await?.filter(|head| self.is_own(head));
            let Some(head) = made else {
                return Ok(());
            };
            match self.service.delete(&self.key, head.version.as_deref()).await {
                Ok(()) if head.version.is_some() => {}
                // Who may delete objects may not always delete versions; then it is not seen at least.
                Err(failure) if failure.status() == 403 && head.version.is_some() => {
                    return Ok(self.service.delete(&self.key, None).await?);
                }
                deleted => return Ok(deleted?),
            }
        }
        Err(Error::new(Kind::Failed, format!("the object {:?} has ever more versions of its own", self.key)))
    }

    /// The image must have the size that it was sent with.
    pub async fn check_size(&self, size: u64) -> Result<()> {
        let stored = self.service.head(&self.key).await?.map(|head| head.size()).transpose()?;
        if stored == Some(size) {
            return Ok(());
        }
        let message = format!("the server has stored other data than was sent: {size} bytes became {stored:?}");
        Err(Error::new(Kind::Failed, message))
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

/// The same request, which is only for an object that is not there yet.
fn conditional(request: &Request, is_conditional: bool) -> Request {
    let mut request = request.clone();
    if is_conditional {
        request.headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
    }
    request
}

/// More than attempts can have made.
const MAX_VERSIONS: usize = 16;

/// The MD5 of nothing.
const EMPTY_MD5: [u8; 16] =
    [0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e];
