//! What S3 servers answer when they refuse, as errors of the library.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::xml::Element;
use crate::error::{Error, Kind};
use crate::http::{Response, retry_after};

/// How much of an answer is read: the longest are listings of a thousand uploads or parts.
pub const LONGEST_ANSWER: usize = 4 << 20;

/// How much of an error is worth reading.
const LONGEST_ERROR: usize = 64 << 10;

/// How much of what a server says is shown.
const SHOWN: usize = 500;

/// A server's refusal.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    pub status: u16,
    /// What the server calls it, where it says: HEAD has no room for that.
    pub code: String,
    pub message: String,
    pub request_id: String,
    /// The region that the bucket is in, where the server says so.
    pub region: Option<String>,
    /// The host that the bucket is to be asked for at, where the server says so.
    pub host: Option<String>,
    /// How long the server wants to be left alone, where it says so.
    pub pause: Option<Duration>,
}

/// Why a request came to nothing.
#[derive(Debug)]
pub enum Failure {
    Refused(Box<Refusal>),
    Broke(Error),
}

/// What became of a request.
pub type Asked<T> = std::result::Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Broke(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(Box::new(refusal))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error()
    }
}

impl Failure {
    pub fn error(&self) -> Error {
        match self {
            Failure::Refused(refusal) => refusal.error(),
            Failure::Broke(error) => error.clone(),
        }
    }

    pub fn asked_pause(&self) -> Option<Duration> {
        match self {
            Failure::Refused(refusal) => refusal.pause,
            Failure::Broke(_) => None,
        }
    }

    /// Whether somebody else is at the same object, so that nobody has it yet.
    pub fn is_rivalry(&self) -> bool {
        RIVALRY.iter().any(|code| self.is(code))
    }

    pub fn status(&self) -> u16 {
        match self {
            Failure::Refused(refusal) => refusal.status,
            Failure::Broke(_) => 0,
        }
    }

    pub fn is(&self, code: &str) -> bool {
        matches!(self, Failure::Refused(refusal) if refusal.code == code)
    }

    /// Whether the server may have done what it was asked for all the same.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Failure::Refused(refusal) => refusal.status >= 500 && refusal.code != "SlowDown",
            // Also when there is an answer that cannot be understood.
            Failure::Broke(error) => {
                error.http_status() == 0 && (error.is_retryable() || error.kind() == Kind::Failed)
            }
        }
    }
}

/// What a request is refused with while another one makes or removes the same object.
const RIVALRY: [&str; 2] = ["ConditionalRequestConflict", "OperationAborted"];

/// Codes that mean something else than their status does.
const CODES: &[(&str, Kind)] = &[
    ("RequestTimeout", Kind::Unavailable),
    ("SlowDown", Kind::Unavailable),
    ("InternalError", Kind::Unavailable),
    ("ServiceUnavailable", Kind::Unavailable),
    (RIVALRY[0], Kind::Unavailable),
    (RIVALRY[1], Kind::Unavailable),
    ("BadDigest", Kind::Unavailable),
    ("XAmzContentSHA256Mismatch", Kind::Unavailable),
    ("XAmzContentChecksumMismatch", Kind::Unavailable),
    ("ExpiredToken", Kind::NotAuthenticated),
    ("InvalidToken", Kind::NotAuthenticated),
    ("QuotaExceeded", Kind::StorageFull),
    ("EntityTooLarge", Kind::StorageFull),
    ("InvalidBucketName", Kind::BadConfig),
    ("AuthorizationHeaderMalformed", Kind::BadConfig),
    ("IllegalLocationConstraintException", Kind::BadConfig),
    ("InvalidLocationConstraint", Kind::BadConfig),
    ("NoSuchUpload", Kind::Failed),
    ("InvalidObjectState", Kind::Failed),
];

/// What somebody who meets a code should know.
const ADVICE: &[(&str, &str)] = &[
    ("InvalidAccessKeyId", "the server does not know the access key"),
    ("SignatureDoesNotMatch", "the secret key is not the one that belongs to the access key"),
    ("RequestTimeTooSkewed", "the clocks of server and client differ too much"),
    ("NoSuchUpload", "somebody else has aborted or completed the upload"),
    ("AuthorizationHeaderMalformed", "see s3_store_region_name"),
    ("InvalidLocationConstraint", "see s3_store_region_name"),
    ("IllegalLocationConstraintException", "see s3_store_region_name"),
];

impl Refusal {
    /// Reads the rest of an answer that refuses.
    pub async fn read(mut response: Response) -> Self {
        let body = response.body.read_some(LONGEST_ERROR).await;
        // A gateway may repeat what it was told.
        let said = response.sent.repeatable(&body);
        let mut refusal = match Element::parse(said.as_bytes()) {
            Ok(root) => Refusal::of(&root),
            // An error page of something in between.
            Err(_) => Refusal::default(),
        };
        refusal.status = response.status;
        let header = |name| text_of(&response.headers, name);
        if let Some(id) = header("x-amz-request-id").filter(|_| refusal.request_id.is_empty()) {
            refusal.request_id = id;
        }
        refusal.pause = retry_after(&response.headers, SystemTime::now());
        refusal.region = header("x-amz-bucket-region").filter(|region| is_plain(region)).or(refusal.region);
        if matches!(refusal.status, 301 | 302 | 307 | 308) {
            refusal.host = header("location").and_then(|place| host_of(&place)).or(refusal.host);
        }
        refusal
    }

    /// The refusal that an answer holds whose status said that all was well.
    pub fn within(root: &Element) -> Option<Self> {
        (root.name == "Error").then(|| Refusal { status: 200, ..Refusal::of(root) })
    }

    fn of(root: &Element) -> Self {
        // IAM and some gateways wrap their errors.
        let error = root.child("Error").unwrap_or(root);
        let text = |name: &str| error.text_of(name).map(str::to_owned);
        Refusal {
            status: 0,
            code: text("Code").unwrap_or_default(),
            message: text("Message").unwrap_or_default(),
            request_id: text("RequestId").or_else(|| root.text_of("RequestId").map(str::to_owned)).unwrap_or_default(),
            region: text("Region").filter(|region| is_plain(region)),
            host: text("Endpoint"),
            pause: None,
        }
    }

    pub fn error(&self) -> Error {
        let Refusal { status, code, message, request_id, .. } = self;
        let advice = ADVICE.iter().find(|(known, _)| known == code).map(|(_, advice)| *advice);
        let said = [message.as_str(), advice.unwrap_or_default()].map(readable);
        let said: Vec<String> = said.into_iter().filter(|text| !text.is_empty()).collect();
        let mut text = format!("the server answered {status}");
        if !code.is_empty() {
            text += &format!(" {}", readable(code));
        } else if let Some(meaning) = meaning(*status) {
            text += &format!(", {meaning}");
        }
        if !request_id.is_empty() {
            text += &format!(" (request {})", readable(request_id));
        }
        if !said.is_empty() {
            text += &format!(": {}", said.join("; "));
        }
        Error::new(self.kind(), text).with_http_status(*status)
    }

    fn kind(&self) -> Kind {
        if let Some((_, kind)) = CODES.iter().find(|(code, _)| *code == self.code) {
            return *kind;
        }
        match self.status {
            401 => Kind::NotAuthenticated,
            403 => Kind::Forbidden,
            404 => Kind::NotFound,
            413 | 507 => Kind::StorageFull,
            408 | 429 | 500 | 502..=504 => Kind::Unavailable,
            _ => Kind::Failed,
        }
    }
}

fn meaning(status: u16) -> Option<&'static str> {
    match status {
        400 => Some("it does not accept the request: region and keys may be wrong"),
        401 => Some("it wants other keys"),
        403 => Some("it does not allow that to these keys"),
        404 => Some("it has no such image"),
        413 | 507 => Some("it has no room"),
        301 | 302 | 307 | 308 => Some("the bucket is elsewhere: see s3_store_host and s3_store_region_name"),
        500.. => Some("it has a failure of its own"),
        _ => None,
    }
}

pub fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Whether a text from outside can be the name of a region.
fn is_plain(region: &str) -> bool {
    const LONGEST: usize = 64;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    region.len() <= LONGEST && region.bytes().all(is_plain)
}

/// Host and port of an absolute URL.
fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?', '#']).next().map(str::to_owned)
}

/// A text from outside as a short line.
fn readable(text: &str) -> String {
    let line: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An answer that is no S3 answer.
pub fn not_understood(what: &str, reason: &str) -> Error {
    Error::new(Kind::Failed, format!("the server's answer to {what} cannot be understood: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal { status, ..Refusal::of(&Element::parse(body.as_bytes()).unwrap()) }
    }

    #[test]
    fn each_refusal_has_its_kind() {
        for (status, code, kind) in [
            (400, "InvalidArgument", Kind::Failed),
            (400, "RequestTimeout", Kind::Unavailable),
            (400, "BadDigest", Kind::Unavailable),
            (400, "ExpiredToken", Kind::NotAuthenticated),
            (400, "EntityTooLarge", Kind::StorageFull),
            (400, "InvalidBucketName", Kind::BadConfig),
            (400, "AuthorizationHeaderMalformed", Kind::BadConfig),
            (401, "", Kind::NotAuthenticated),
            (403, "AccessDenied", Kind::Forbidden),
            (403, "InvalidAccessKeyId", Kind::Forbidden),
            (403, "SignatureDoesNotMatch", Kind::Forbidden),
            (403, "QuotaExceeded", Kind::StorageFull),
            (404, "NoSuchKey", Kind::NotFound),
            (404, "NoSuchUpload", Kind::Failed),
            (409, "BucketAlreadyExists", Kind::Failed),
            (409, "OperationAborted", Kind::Unavailable),
            (409, "ConditionalRequestConflict", Kind::Unavailable),
            (412, "PreconditionFailed", Kind::Failed),
            (413, "", Kind::StorageFull),
            (429, "", Kind::Unavailable),
            (500, "InternalError", Kind::Unavailable),
            (501, "NotImplemented", Kind::Failed),
            (503, "SlowDown", Kind::Unavailable),
            (507, "XMinioStorageFull", Kind::StorageFull),
            (200, "InternalError", Kind::Unavailable),
            (200, "SomethingElse", Kind::Failed),
        ] {
            let error = Refusal { status, code: code.into(), ..Refusal::default() }.error();
            assert_eq!((error.kind(), error.http_status()), (kind, status), "{code}");
            assert_eq!(error.is_retryable(), kind == Kind::Unavailable, "{code}");
        }
    }

    #[test]
    fn messages_name_code_and_request() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>a\nb  c</Message><RequestId>tx1</RequestId></Error>";
        assert_eq!(
            refusal(403, body).error().message(),
            "the server answered 403 SignatureDoesNotMatch (request tx1): a b c; the secret key is not the one that belongs to the access key"
        );
        let wrapped = "<ErrorResponse><Error><Code>X</Code></Error><RequestId>r</RequestId></ErrorResponse>";
        assert_eq!(refusal(400, wrapped).error().message(), "the server answered 400 X (request r)");
        let head = Refusal { status: 403, ..Refusal::default() };
        assert_eq!(head.error().message(), "the server answered 403, it does not allow that to these keys");
        let long = format!("<Error><Code>{0}</Code><Message>{0}</Message></Error>", "x".repeat(50_000));
        assert!(refusal(400, &long).error().message().len() < 1200);
    }

    #[test]
    fn an_error_may_come_with_good_news() {
        let root = Element::parse(b"<Error><Code>InternalError</Code></Error>").unwrap();
        assert_eq!(Refusal::within(&root).unwrap().code, "InternalError");
        let root = Element::parse(b"<CompleteMultipartUploadResult/>").unwrap();
        assert!(Refusal::within(&root).is_none());
    }

    #[test]
    fn hosts_are_taken_from_urls() {
        for (url, host) in [
            ("https://b.s3.eu-west-1.amazonaws.com/k?x", Some("b.s3.eu-west-1.amazonaws.com")),
            ("http://h:80", Some("h:80")),
            ("/relative", None),
        ] {
            assert_eq!(host_of(url).as_deref(), host);
        }
    }
}
