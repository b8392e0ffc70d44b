//! Signs the requests of a store, with the region and the time that its server wants.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::chunks::framing;
use super::credentials::{Credentials, Keys};
use super::errors::Refusal;
use super::signing::{CHUNKED, UNSIGNED, Unsigned, access_key, authorization};
use super::time::Timestamp;
use super::whereabouts::Whereabouts;
use crate::error::{Error, Kind, Result};
use crate::hash::Hex;
use crate::http::{Authorizer, BoxFuture, Request, Response, Scheme, Url};
use crate::secret::Secret;

const PAYLOAD_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const TIME: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Servers accept a quarter of an hour; from this on the clock is set right.
const TOLERATED_SKEW: i64 = 300;

/// Whether signatures cover what requests carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadSigning {
    /// Where nothing else protects it.
    OverPlainHttp,
    Always,
    Never,
}

/// The server's clock, as seconds that it is ahead of ours.
#[derive(Default)]
pub struct Clock(AtomicI64);

impl Clock {
    fn now(&self) -> SystemTime {
        let ahead = self.0.load(Ordering::Relaxed);
        let offset = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let there = if ahead < 0 { now.checked_sub(offset) } else { now.checked_add(offset) };
        there.unwrap_or(now)
    }

    /// Takes over the server's time if it is far from the one that a refused request was signed with.
    fn adjust(&self, date: &str, signed: &str) -> bool {
        let (Ok(there), Some(signed)) = (httpdate::parse_http_date(date), Timestamp::parse(signed)) else {
            return false;
        };
        let is_far = seconds_between(signed, there).abs() > TOLERATED_SKEW;
        if is_far {
            self.0.store(seconds_between(SystemTime::now(), there), Ordering::Relaxed);
        }
        is_far
    }
}

fn seconds_between(from: SystemTime, to: SystemTime) -> i64 {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match to.duration_since(from) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    }
}

/// Signs for one user.
pub struct Signer {
    pub credentials: Credentials,
    pub whereabouts: Arc<Whereabouts>,
    pub clock: Arc<Clock>,
    pub payload_signing: PayloadSigning,
    /// Whether the server is asked for a checksum of what it sends.
    pub asks_checksum: bool,
}

impl Signer {
    /// The server's time.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Whether what a request carries to a server that is spoken to by `scheme` is signed.
    pub fn signs_payload(&self, scheme: Scheme) -> bool {
        match self.payload_signing {
            PayloadSigning::OverPlainHttp => scheme == Scheme::Http,
            PayloadSigning::Always => true,
            PayloadSigning::Never => false,
        }
    }

    fn sign(&self, url: &Url, request: &mut Request) -> Result<()> {
        if matches!(request.method, Method::GET | Method::HEAD) && self.asks_checksum {
            request.headers.insert("x-amz-checksum-mode", HeaderValue::from_static("ENABLED"));
        }
        let payload_hash = self.payload_hash(url, request);
        let time = Timestamp::of(self.clock.now());
        request.headers.insert(PAYLOAD_HASH, header(&payload_hash)?);
        request.headers.insert(TIME, header(time.as_str())?);
        let keys = self.credentials.now();
        if let Some(token) = &keys.token {
            request.headers.insert(TOKEN, secret_header(token.expose())?);
        }
        let unsigned = Unsigned {
            method: request.method.as_str(),
            url,
            headers: &request.headers,
            payload_hash: &payload_hash,
        };
        let (proof, signature) = authorization(&unsigned, &keys, &self.whereabouts.region(), &time);
        request.headers.insert(AUTHORIZATION, secret_header(&proof)?);
        if payload_hash == CHUNKED {
            request.payload = std::mem::take(&mut request.payload).framed(framing(signature));
        }
        Ok(())
    }

    /// What was computed beforehand, beside the network; else of little that is at hand.
    fn payload_hash(&self, url: &Url, request: &Request) -> String {
        let known = request.headers.get(PAYLOAD_HASH).and_then(|hash| hash.to_str().ok());
        match (known, request.payload.chunks()) {
            (Some(hash), _) => hash.to_owned(),
            (None, Some(chunks)) if chunks.is_empty() || self.signs_payload(url.origin().scheme) => {
                sha256(chunks)
            }
            _ => UNSIGNED.to_owned(),
        }
    }
}

impl Authorizer for Signer {
    fn authorize<'a>(&'a self, url: &'a Url, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.sign(url, request) })
    }

    fn renew<'a>(&'a self, refusal: &'a Response) -> BoxFuture<'a, Result<bool>> {
        // What was learnt since the request was sent, from the refusal of another one, is new to it as well.
        let sent = &refusal.sent.headers;
        let is_about_time = matches!(refusal.status, 400 | 403);
        let times = is_about_time.then(|| Some((text_in(&refusal.headers, &DATE)?, text_in(sent, &TIME)?)));
        let is_adjusted = times.flatten().is_some_and(|(date, signed)| self.clock.adjust(date, signed));
        let is_about_keys = matches!(refusal.status, 400 | 401 | 403);
        let renewed = self.credentials.renew(|keys| is_signed_by(sent, keys));
        Box::pin(async move { Ok(is_adjusted || (is_about_keys && renewed.await)) })
    }

    fn explain<'a>(&'a self, refusal: Response) -> BoxFuture<'a, Error> {
        Box::pin(async move { Refusal::read(refusal).await.error() })
    }
}

/// Whether a request that was sent with these headers has been signed by these keys.
fn is_signed_by(sent: &HeaderMap, keys: &Keys) -> bool {
    let signer = text_in(sent, &AUTHORIZATION).and_then(access_key);
    let token = keys.token.as_ref().map(Secret::expose);
    signer == Some(keys.access.expose()) && text_in(sent, &TOKEN) == token
}

fn text_in<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The SHA-256 of all chunks together, in hex.
pub fn sha256(chunks: &[Bytes]) -> String {
    let mut digest = Sha256::new();
    chunks.iter().for_each(|chunk| digest.update(chunk));
    Hex::encode(&digest.finalize()).to_string()
}

/// The header that tells a payload's digest to the signer.
pub fn payload_hash_header(hash: &str) -> Result<(HeaderName, HeaderValue)> {
    Ok((PAYLOAD_HASH, header(hash)?))
}

pub fn header(value: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value)
        .map_err(|_| Error::new(Kind::Invalid, format!("{value:?} cannot be sent in a header")))
}

/// Keys and what proves them never stand in a message.
fn secret_header(value: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::new(Kind::BadConfig, "an S3 key or token has characters that no header can hold")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::credentials::KeySource;
    use super::super::endpoint::{Addressing, Endpoint};
    use super::*;
    use crate::http::Payload;
    use crate::tests::Random;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn signed(signer: &Signer, scheme: Scheme, mut request: Request) -> Request {
        signer.sign(&Url::parse(scheme, "h/b/k").unwrap(), &mut request).unwrap();
        request
    }

    fn signer(access: &str, token: Option<&str>, payload_signing: PayloadSigning) -> Signer {
        let endpoint = Endpoint::parse("h", Addressing::Auto).unwrap();
        let keys = Keys { access: Secret::new(access), secret: Secret::new("S"), token: token.map(Secret::new) };
        Signer {
            credentials: Credentials::of(&KeySource::Given(keys)).unwrap(),
            whereabouts: Arc::new(Whereabouts::new(endpoint, "us-east-1")),
            clock: Arc::default(),
            payload_signing,
            asks_checksum: true,
        }
    }

    #[test]
    fn payloads_are_signed_where_nothing_else_protects_them() {
        let body = || Request::put(Payload::held(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")]));
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (signing, scheme, hash) in [
            (PayloadSigning::OverPlainHttp, Scheme::Http, abc),
            (PayloadSigning::OverPlainHttp, Scheme::Https, UNSIGNED),
            (PayloadSigning::Always, Scheme::Https, abc),
            (PayloadSigning::Never, Scheme::Http, UNSIGNED),
        ] {
            let request = signed(&signer("A", None, signing), scheme, body());
            assert_eq!(request.headers[PAYLOAD_HASH], hash);
            assert_eq!(signed(&signer("A", None, signing), scheme, Request::get()).headers[PAYLOAD_HASH], EMPTY);
        }
    }

    #[test]
    fn what_proves_the_keys_is_sensitive() {
        let request = signed(&signer("A", Some("tok"), PayloadSigning::Always), Scheme::Http, Request::get());
        for name in [AUTHORIZATION, TOKEN] {
            assert!(request.headers[&name].is_sensitive(), "{name}");
        }
        let proof = request.headers[AUTHORIZATION].to_str().unwrap();
        assert!(proof.contains("x-amz-checksum-mode") && proof.contains("x-amz-security-token"), "{proof}");
        let broken = signer("A\n", None, PayloadSigning::Always);
        let error = broken.sign(&Url::parse(Scheme::Http, "h/").unwrap(), &mut Request::get()).unwrap_err();
        assert_eq!(error.kind(), Kind::BadConfig);
    }

    #[test]
    fn it_is_known_who_signed_a_request() {
        let keys = |access: &str, token: Option<&str>| Keys {
            access: Secret::new(access),
            secret: Secret::new("S"),
            token: token.map(Secret::new),
        };
        let known = [("A", None), ("A", Some("tok")), ("A", Some("kot")), ("B/us", None), ("B", None)];
        for (access, token) in known {
            let request = signed(&signer(access, token, PayloadSigning::Always), Scheme::Http, Request::get());
            let signers = known.iter().filter(|(access, token)| is_signed_by(&request.headers, &keys(access, *token)));
            assert_eq!(signers.collect::<Vec<_>>(), [&(access, token)]);
        }
        assert!(!is_signed_by(&HeaderMap::new(), &keys("A", None)));
    }

    #[test]
    fn the_clock_is_set_right_once() {
        let clock = Clock::default();
        let ours = SystemTime::now();
        let date = |ahead: i64| {
            let offset = Duration::from_secs(ahead.unsigned_abs());
            httpdate::fmt_http_date(if ahead < 0 { ours - offset } else { ours + offset })
        };
        let signed = |clock: &Clock| Timestamp::of(clock.now()).as_str().to_owned();
        let before = signed(&clock);
        for date in ["yesterday".to_owned(), date(60), date(-60)] {
            assert!(!clock.adjust(&date, &before), "{date}");
        }
        assert!(!clock.adjust(&date(7200), "today"));
        for ahead in [7200, -86_400 * 400] {
            assert!(clock.adjust(&date(ahead), &before), "{ahead}");
            assert!(clock.adjust(&date(ahead), &before), "another request that was signed before");
            assert!(!clock.adjust(&date(ahead), &signed(&clock)), "{ahead}");
            let off = seconds_between(ours, clock.now()) - ahead;
            assert!(off.abs() < 60, "{off}");
        }
    }

    #[test]
    fn mutated_dates_set_the_clock_or_do_not() {
        let mut random = Random::new();
        let mut understood = 0;
        let now = Timestamp::of(SystemTime::now()).as_str().to_owned();
        for _ in 0..20_000 {
            let mut date = b"Tue, 01 Jan 2030 00:00:00 GMT".to_vec();
            random.mutate(&mut date, &["9999", "-1", "Feb", "Sunday", "GMT", "+01:00", ":60", "\0"]);
            let clock = Clock::default();
            understood += usize::from(clock.adjust(&String::from_utf8_lossy(&date), &now));
            let _ = Timestamp::of(clock.now()).as_str();
        }
        assert!((100..19_000).contains(&understood), "{understood}");
    }
}
