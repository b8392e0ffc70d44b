//! Multipart uploads as the server keeps them: begun, completed, aborted until nothing is left, and found
//! again when they were forgotten.

use std::time::Duration;

use http::header::{HeaderValue, IF_NONE_MATCH};

use super::errors::{Asked, not_understood};
use super::object::Object;
use super::service::{Query, Service};
use super::signer::header;
use super::time::parse_iso;
use super::xml::{Element, escape};
use crate::error::{Error, Kind, Result};
use crate::http::{Payload, Request};

/// How often an abort is repeated: parts that were under way may still land after the first.
const MAX_ABORTS: u32 = 12;

/// Pages of a listing that are read at most, of a thousand entries each.
const MAX_PAGES: usize = 100;

/// An upload on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadId(pub String);

/// A part that the server has.
pub struct StoredPart {
    pub number: u64,
    pub etag: String,
    /// In base64, where parts are sent with it.
    pub crc32: Option<String>,
}

impl StoredPart {
    /// A part that cannot be named in the end by its ETag is of no use.
    pub fn new(number: u64, etag: String, crc32: Option<String>) -> Result<Self> {
        if etag.is_empty() {
            return Err(not_understood(&format!("part {number}"), "no ETag"));
        }
        Ok(StoredPart { number, etag, crc32 })
    }
}

/// Begins an upload.
pub async fn create(object: &Object) -> Result<UploadId> {
    let (service, key) = (&*object.service, object.key.as_str());
    let mut request = Request::post(Payload::default()).unretried();
    request.headers = object.attributes.clone();
    if object.checks.crc32 {
        request.headers.insert("x-amz-checksum-algorithm", HeaderValue::from_static("CRC32"));
    }
    let mut retries = service.retries();
    let mut may_have_two = false;
    loop {
        let failure = match begin(service, key, request.clone()).await {
            Ok(id) => {
                if may_have_two {
                    abort_empty(service, key, Some(&id)).await;
                }
                return Ok(id);
            }
            Err(failure) => failure,
        };
        // The answer was lost, but an upload may have begun.
        may_have_two |= failure.is_ambiguous();
        if let Err(failure) = service.rest(&mut retries, failure).await {
            if may_have_two {
                abort_empty(service, key, None).await;
            }
            return Err(failure.into());
        }
    }
}

async fn begin(service: &Service, key: &str, request: Request) -> Asked<UploadId> {
    const WHAT: &str = "the begin of an upload";
    let root = service.ask_xml(request, Some(key), &[("uploads", "")], WHAT).await?;
    let id = root.text_of("UploadId").ok_or_else(|| not_understood(WHAT, "no UploadId"))?;
    Ok(UploadId(id.to_owned()))
}

/// Makes the object out of its parts, unless there is one already.
pub async fn complete(
    service: &Service,
    key: &str,
    id: &UploadId,
    parts: &[StoredPart],
    is_conditional: bool,
) -> Asked<()> {
    let mut request = Request::post(Payload::held(vec![manifest(parts).into()])).repeatable();
    if is_conditional {
        request = request.with(IF_NONE_MATCH, header("*")?);
    }
    let query = [("uploadId", id.0.as_str())];
    let mut retries = service.retries();
    loop {
        let asked = service.ask_xml(request.clone(), Some(key), &query, "the end of an upload").await;
        match asked {
            Ok(_) => return Ok(()),
            // An error that came after the status could not be tried again further below.
            Err(failure) if failure.status() == 200 => service.rest(&mut retries, failure).await?,
            Err(failure) => return Err(failure),
        }
    }
}

fn manifest(parts: &[StoredPart]) -> String {
    let part = |part: &StoredPart| {
        let crc = part.crc32.as_ref().map(|crc| format!("<ChecksumCRC32>{}</ChecksumCRC32>", escape(crc)));
        let (number, etag, crc) = (part.number, escape(&part.etag), crc.unwrap_or_default());
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{crc}</Part>")
    };
    let parts: String = parts.iter().map(part).collect();
    let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
    format!("<CompleteMultipartUpload xmlns=\"{namespace}\">{parts}</CompleteMultipartUpload>")
}

/// Removes an upload with all of its parts, again until the server knows it no more.
pub async fn abort(service: &Service, key: &str, id: &UploadId) -> Result<()> {
    let query = [("uploadId", id.0.as_str())];
    let mut pause = Duration::from_millis(50);
    for _ in 0..MAX_ABORTS {
        match service.ask(Request::delete(), Some(key), &query).await {
            Ok(response) => response.body.discard().await,
            Err(failure) if failure.status() == 404 => {}
            Err(failure) => return Err(failure.into()),
        }
        match count_parts(service, key, id).await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            // Who may abort uploads may not always list their parts.
            Err(failure) if failure.status() == 403 => {
                let what = format_args!("a part of {key:?} may remain, as parts cannot be listed: {}", failure.error());
                service.warn(what);
                return Ok(());
            }
            Err(failure) => return Err(failure.into()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(3));
    }
    Err(Error::new(Kind::Failed, format!("the multipart upload {:?} of {key:?} does not go away", id.0)))
}

/// How many of the first parts of an upload there are; none when there is no such upload.
async fn count_parts(service: &Service, key: &str, id: &UploadId) -> Asked<Option<usize>> {
    let query = [("max-parts", "2"), ("uploadId", id.0.as_str())];
    match service.ask_xml(Request::get(), Some(key), &query, "a listing of parts").await {
        Ok(root) => Ok(Some(root.all("Part").count())),
        Err(failure) if failure.status() == 404 => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Aborts the uploads of `key` that have begun longer than `age` ago: their makers are gone.
pub async fn abort_stale(service: &Service, key: &str, age: Duration) -> Result<()> {
    let now = service.signer.now();
    for (id, begun) in list(service, key).await? {
        let is_stale = begun.and_then(|begun| now.duration_since(begun).ok()).is_some_and(|past| past > age);
        if is_stale {
            service.warn(format_args!("aborting the forgotten multipart upload {:?} of {key:?}", id.0));
            abort(service, key, &id).await?;
        }
    }
    Ok(())
}

/// Aborts the uploads of `key` without any part but `own`: their makers never learnt of them.
async fn abort_empty(service: &Service, key: &str, own: Option<&UploadId>) {
    if let Err(error) = try_abort_empty(service, key, own).await {
        service.warn(format_args!("a multipart upload of {key:?} without any part may remain: {error}"));
    }
}

async fn try_abort_empty(service: &Service, key: &str, own: Option<&UploadId>) -> Result<()> {
    for (id, _) in list(service, key).await? {
        if Some(&id) != own && count_parts(service, key, &id).await? == Some(0) {
            abort(service, key, &id).await?;
        }
    }
    Ok(())
}

/// The uploads of just this key, each with the time of its beginning.
async fn list(service: &Service, key: &str) -> Result<Vec<(UploadId, Option<std::time::SystemTime>)>> {
    let mut found = Vec::new();
    let mut marker: Option<(String, String)> = None;
    for _ in 0..MAX_PAGES {
        let mut query = vec![("prefix", key), ("uploads", "")];
        if let Some((key, id)) = &marker {
            query.extend([("key-marker", key.as_str()), ("upload-id-marker", id.as_str())]);
        }
        let page = list_page(service, &query).await?;
        for upload in page.all("Upload").filter(|upload| upload.text_of("Key") == Some(key)) {
            let begun = upload.text_of("Initiated").and_then(parse_iso);
            found.extend(upload.text_of("UploadId").map(|id| (UploadId(id.to_owned()), begun)));
        }
        let next = |name| page.text_of(name).map(str::to_owned);
        let following = next("NextKeyMarker").zip(next("NextUploadIdMarker"));
        if page.text_of("IsTruncated") != Some("true") || following.is_none() || following == marker {
            break;
        }
        marker = following;
    }
    Ok(found)
}

async fn list_page(service: &Service, query: Query<'_>) -> Result<Element> {
    Ok(service.ask_xml(Request::get(), None, query, "a listing of uploads").await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_every_part() {
        let part = |number, crc32| StoredPart { number, etag: format!("\"e{number}\""), crc32 };
        let root = Element::parse(manifest(&[part(1, None), part(2, Some("AAAA+/==".into()))]).as_bytes());
        let root = root.unwrap();
        assert_eq!(root.name, "CompleteMultipartUpload");
        let parts: Vec<_> = root
            .all("Part")
            .map(|part| (part.text_of("PartNumber"), part.text_of("ETag"), part.text_of("ChecksumCRC32")))
            .collect();
        let expected = [
            (Some("1"), Some("\"e1\""), None),
            (Some("2"), Some("\"e2\""), Some("AAAA+/==")),
        ];
        assert_eq!(parts, expected);
    }
}
