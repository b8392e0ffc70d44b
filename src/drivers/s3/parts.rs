//! Sends the parts of an image.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{ETAG, HeaderName, HeaderValue};
use tokio::sync::watch;

use super::errors::{Asked, Failure, text_of};
use super::multipart::{StoredPart, UploadId};
use super::plan::MAX_PARTS;
use super::service::Service;
use super::signer::{header, payload_hash_header, sha256};
use crate::error::{Error, Kind, Result};
use crate::hash::Hex;
use crate::http::{Payload, Request};
use crate::transfer::{HeldPart, StorePart};

/// How what is sent is checked.
#[derive(Clone, Copy, Debug)]
pub struct DataChecks {
    /// Whether a CRC-32 goes along.
    pub crc32: bool,
    /// Whether an MD5 goes along.
    pub content_md5: bool,
    /// Whether the server's ETag is compared with the MD5.
    pub etag: bool,
}

/// How the image is stored, once that is known.
#[derive(Clone, Debug)]
pub enum Mode {
    Single,
    Parts(UploadId),
}

/// Stores the parts of one image.
pub struct PartStore {
    pub service: Arc<Service>,
    pub key: String,
    pub checks: DataChecks,
    /// None while it is not known whether the image has more than one part.
    pub mode: watch::Receiver<Option<Mode>>,
}

/// What became of a part.
pub enum Receipt {
    Stored(StoredPart),
    /// It is the whole image.
    Held(Sealed),
}

/// Data that is ready to be sent, with what proves it.
pub struct Sealed {
    pub payload: Payload,
    pub headers: HeaderMap,
    /// None where nobody wants it.
    pub md5: Option<[u8; 16]>,
    crc32: Option<String>,
}

impl StorePart for PartStore {
    type Receipt = Receipt;

    async fn store(&self, part: HeldPart) -> Result<Receipt> {
        if part.number > MAX_PARTS {
            return Err(Error::new(Kind::Bug, format!("part {} of {MAX_PARTS}", part.number)));
        }
        let number = part.number;
        let md5 = if self.checks.want_md5() { Some(part.md5().await?) } else { None };
        let sealed = seal(&self.service, &self.checks, part.chunks.whole().await?, md5).await?;
        let mut mode = self.mode.clone();
        let mode = mode.wait_for(Option::is_some).await.ok().and_then(|mode| mode.clone());
        match mode {
            Some(Mode::Single) => Ok(Receipt::Held(sealed)),
            Some(Mode::Parts(id)) => {
                let stored = self.send(number, &id, sealed).await;
                let stored = stored.map_err(|failure| Error::from(failure).context(format!("part {number}")));
                Ok(Receipt::Stored(stored?))
            }
            None => Err(Error::new(Kind::Cancelled, "the upload was given up")),
        }
    }
}

impl PartStore {
    async fn send(&self, number: u64, id: &UploadId, sealed: Sealed) -> Asked<StoredPart> {
        let text = number.to_string();
        let query = query(&text, id);
        let mut request = Request::put(sealed.payload.clone());
        request.headers = sealed.headers.clone();
        let mut retries = self.service.retries();
        loop {
            let asked = self.service.ask(request.clone(), Some(&self.key), &query).await;
            let checked = asked.and_then(|response| Ok((self.checks.check(&response.headers, sealed.md5)?, response)));
            match checked {
                Ok((etag, response)) => {
                    response.body.discard().await;
                    return Ok(StoredPart::new(number, etag, sealed.crc32)?);
                }
                Err(failure) if is_damaged(&failure) => self.service.rest(&mut retries, failure).await?,
                Err(failure) => return Err(failure),
            }
        }
    }
}

/// Where a part of an upload is.
pub fn query<'a>(number: &'a str, id: &'a UploadId) -> [(&'a str, &'a str); 2] {
    [("partNumber", number), ("uploadId", id.0.as_str())]
}

/// Whether data came to harm on its way, which nobody has tried to send again yet.
pub fn is_damaged(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(refusal) => refusal.status == 400,
        Failure::Broke(error) => error.http_status() == DAMAGED,
    }
}

/// What the server answers whose ETag differs.
const DAMAGED: u16 = 200;

impl DataChecks {
    /// The same for data that is not known before it is sent.
    pub fn of_streams(self) -> Self {
        DataChecks { crc32: false, content_md5: false, ..self }
    }

    /// Whether the MD5 of what is sent is of any use.
    pub fn want_md5(&self) -> bool {
        self.etag || self.content_md5
    }

    /// The ETag of what was stored; an error where it tells of other data than was sent.
    pub fn check(&self, answer: &HeaderMap, md5: Option<[u8; 16]>) -> Result<String> {
        let etag = text_of(answer, ETAG.as_str()).unwrap_or_default();
        let Some(md5) = md5.filter(|_| self.etag && tells_md5(answer, &etag)) else {
            return Ok(etag);
        };
        let digest = Hex::encode(&md5);
        if bare(&etag) == digest.as_str() {
            return Ok(etag);
        }
        let message = format!("the server has stored other data than was sent: its ETag is {etag}, the MD5 {digest}");
        Err(Error::new(Kind::Failed, message).with_http_status(DAMAGED).with_retryable(true))
    }
}

/// Whether an ETag is the MD5 of what was stored.  Of what a key service encrypts it is something else.
fn tells_md5(headers: &HeaderMap, etag: &str) -> bool {
    let encryption = text_of(headers, "x-amz-server-side-encryption").unwrap_or_default();
    let has_own_key = headers.contains_key("x-amz-server-side-encryption-customer-algorithm");
    let is_md5 = bare(etag).len() == 32 && bare(etag).bytes().all(|byte| byte.is_ascii_hexdigit());
    is_md5 && !encryption.starts_with("aws:kms") && !has_own_key
}

fn bare(etag: &str) -> &str {
    etag.trim_matches('"')
}

/// Makes data ready to be sent.  What takes the processor's time is done beside the network.
pub async fn seal(
    service: &Service,
    checks: &DataChecks,
    chunks: Vec<Bytes>,
    md5: Option<[u8; 16]>,
) -> Result<Sealed> {
    let wants_sha256 = service.signs_payloads();
    let wants_crc32 = checks.crc32;
    let mut headers = HeaderMap::new();
    let mut crc32 = None;
    let mut chunks = chunks;
    if wants_sha256 || wants_crc32 {
        let computed = tokio::task::spawn_blocking(move || {
            let sha256 = wants_sha256.then(|| sha256(&chunks));
            (sha256, wants_crc32.then(|| crc32_of(&chunks)), chunks)
        });
        let (sha256, crc, held) =
            computed.await.map_err(|error| Error::new(Kind::Cancelled, format!("a digest was given up: {error}")))?;
        chunks = held;
        headers.extend(sha256.map(|hash| payload_hash_header(&hash)).transpose()?);
        crc32 = crc;
    }
    if let Some(crc32) = &crc32 {
        headers.insert("x-amz-checksum-crc32", header(crc32)?);
        headers.insert("x-amz-sdk-checksum-algorithm", HeaderValue::from_static("CRC32"));
    }
    if let Some(md5) = md5.filter(|_| checks.content_md5) {
        headers.insert(HeaderName::from_static("content-md5"), header(&BASE64.encode(md5))?);
    }
    Ok(Sealed { payload: Payload::held(chunks), headers, md5, crc32 })
}

/// The CRC-32 of all chunks together as S3 writes it.
fn crc32_of(chunks: &[Bytes]) -> String {
    let mut crc32 = crc32fast::Hasher::new();
    chunks.iter().for_each(|chunk| crc32.update(chunk));
    BASE64.encode(crc32.finalize().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Random;

    #[test]
    fn checksums_are_those_of_the_standard() {
        let chunks = [Bytes::from_static(b"1234"), Bytes::from_static(b"56789")];
        assert_eq!(crc32_of(&chunks), BASE64.encode(0xcbf4_3926_u32.to_be_bytes()));
        assert_eq!(crc32_of(&[]), "AAAAAA==");
    }

    #[test]
    fn only_tags_that_are_digests_are_compared() {
        let md5 = "\"d41d8cd98f00b204e9800998ecf8427e\"";
        let headers = |encryption: &'static str| {
            HeaderMap::from_iter([(
                HeaderName::from_static("x-amz-server-side-encryption"),
                HeaderValue::from_static(encryption),
            )])
        };
        assert!(tells_md5(&HeaderMap::new(), md5) && tells_md5(&headers("AES256"), md5));
        assert!(!tells_md5(&headers("aws:kms"), md5) && !tells_md5(&headers("aws:kms:dsse"), md5));
        for etag in ["", "\"\"", "\"d41d8cd98f00b204e9800998ecf8427e-2\"", "\"0x8D\"", "\"g41d8cd98f00b204e9800998ecf8427e\""] {
            assert!(!tells_md5(&HeaderMap::new(), etag), "{etag}");
        }
    }

    #[test]
    fn mutated_tags_are_digests_or_none() {
        let mut random = Random::new();
        let mut digests = 0;
        for _ in 0..20_000 {
            let mut tag = b"\"d41d8cd98f00b204e9800998ecf8427e\"".to_vec();
            (0..=random.below(2)).for_each(|_| random.mutate(&mut tag, &["\"", "-2", "W/", "0", "é", "\\"]));
            let tag = String::from_utf8_lossy(&tag).into_owned();
            if tells_md5(&HeaderMap::new(), &tag) {
                digests += 1;
                assert_eq!(bare(&tag).len(), 32, "{tag}");
            }
        }
        assert!((100..19_000).contains(&digests), "{digests}");
    }
}
