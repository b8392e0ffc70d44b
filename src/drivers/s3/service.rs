//! A bucket and who asks for it: every request of the driver goes through here, to the endpoint and with
//! the signature that the server turns out to want.

use std::sync::Arc;

use http::Method;
use http::header::ETAG;

use super::checksum::Checksum;
use super::errors::{Asked, Failure, LONGEST_ANSWER, Refusal, not_understood, text_of};
use super::signer::Signer;
use super::whereabouts::{Place, Whereabouts};
use super::xml::Element;
use crate::error::Result;
use crate::http::{Client, Image, Request, Response, Retries, Target};
use crate::log::Level;

/// Carries the name of the upload that made an object, so that its maker knows it again.
pub const MAKER: &str = "x-amz-meta-glance-store-upload";

/// How often a request is sent to another place or signed for another region.
const MAX_MOVES: usize = 3;

pub type Query<'a> = &'a [(&'a str, &'a str)];

pub struct Service {
    pub client: Arc<Client>,
    pub signer: Arc<Signer>,
    pub whereabouts: Arc<Whereabouts>,
    pub bucket: String,
}

/// What `HEAD` tells of an object.
pub struct Head {
    size: Option<u64>,
    pub etag: Option<String>,
    pub maker: Option<String>,
    /// In buckets that keep versions.
    pub version: Option<String>,
    pub checksum: Option<Checksum>,
}

impl Head {
    pub fn size(&self) -> Result<u64> {
        self.size.ok_or_else(|| not_understood("HEAD", "it tells no size"))
    }
}

impl Service {
    /// Where an object is, or without a key the bucket.
    pub fn target(&self, key: Option<&str>, query: Query<'_>) -> Result<Target> {
        let endpoint = self.whereabouts.endpoint();
        let url = match key {
            Some(key) => endpoint.object_url(&self.bucket, key, query)?,
            None => endpoint.bucket_url(&self.bucket, query)?,
        };
        Ok(Target { url, authorizer: Some(self.signer.clone()) })
    }

    /// Sends a request until it comes to the right place; any answer but success is a failure.
    pub async fn ask(&self, request: Request, key: Option<&str>, query: Query<'_>) -> Asked<Response> {
        let request = request.unredirected();
        let mut moves = 0;
        loop {
            let asked = self.whereabouts.place();
            let response = self.client.send(&self.target(key, query)?, request.clone()).await?;
            if (200..300).contains(&response.status) {
                return Ok(response);
            }
            let refusal = Refusal::read(response).await;
            if moves == MAX_MOVES || !request.payload.is_whole() {
                return Err(refusal.into());
            }
            moves += 1;
            let has_learnt = self.whereabouts.learn(&refusal, &asked, &self.bucket);
            if !has_learnt && !self.inquire(&request, &refusal, &asked).await {
                return Err(refusal.into());
            }
        }
    }

    /// The same, with the XML of the answer; an error in it is a failure as well.
    pub async fn ask_xml(
        &self,
        request: Request,
        key: Option<&str>,
        query: Query<'_>,
        what: &str,
    ) -> Asked<Element> {
        let response = self.ask(request, key, query).await?;
        let body = response.body.read_all(LONGEST_ANSWER).await?;
        let root = Element::parse(&body).map_err(|reason| not_understood(what, &reason))?;
        match Refusal::within(&root) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(root),
        }
    }

    /// Answers to `HEAD` cannot say what is wrong; asks again in a way that can.
    async fn inquire(&self, request: &Request, refusal: &Refusal, asked: &Place) -> bool {
        if request.method != Method::HEAD || !matches!(refusal.status, 301 | 400) {
            return false;
        }
        let Ok(target) = self.target(None, &[("location", "")]) else {
            return false;
        };
        match self.client.send(&target, Request::get().unredirected()).await {
            Ok(response) if response.status >= 300 => {
                self.whereabouts.learn(&Refusal::read(response).await, asked, &self.bucket)
            }
            _ => false,
        }
    }

    /// What the object of a key is; none where there is none.
    pub async fn head(&self, key: &str) -> Asked<Option<Head>> {
        match self.ask(Request::head(), Some(key), &[]).await {
            Ok(response) => {
                let told = |name| text_of(&response.headers, name);
                Ok(Some(Head {
                    size: response.length,
                    etag: told(ETAG.as_str()),
                    maker: told(MAKER),
                    version: told("x-amz-version-id"),
                    checksum: Checksum::of(&response.headers),
                }))
            }
            Err(failure) if failure.status() == 404 => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Deletes an object, or just a version of it.
    pub async fn delete(&self, key: &str, version: Option<&str>) -> Asked<()> {
        let query: Vec<_> = version.map(|version| ("versionId", version)).into_iter().collect();
        let response = self.ask(Request::delete(), Some(key), &query).await?;
        response.body.discard().await;
        Ok(())
    }

    /// The object of a key, to be read.
    pub fn image(&self, key: &str) -> Result<Image> {
        Ok(Image::new(self.client.clone(), self.target(Some(key), &[])?))
    }

    /// Whether signatures cover what is sent.
    pub fn signs_payloads(&self) -> bool {
        self.signer.signs_payload(self.whereabouts.endpoint().scheme())
    }

    pub fn warn(&self, what: std::fmt::Arguments<'_>) {
        self.client.log().write(Level::Warn, "s3", what);
    }

    pub fn retries(&self) -> Retries {
        Retries::new(self.client.retry_policy())
    }

    /// Rests before a failed request is sent once more; the failure itself when that makes no sense.
    pub async fn rest(&self, retries: &mut Retries, failure: Failure) -> Asked<()> {
        let error = failure.error();
        let pause = if error.is_retryable() { retries.next(failure.asked_pause()) } else { None };
        let Some(pause) = pause else {
            return Err(failure);
        };
        retries.rest(pause, &error, self.client.log()).await;
        Ok(())
    }
}
