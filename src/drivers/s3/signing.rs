//! Signature Version 4: proves with a key that never leaves us who sends a request, and that nobody
//! changed it on its way.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::credentials::Keys;
use super::time::Timestamp;
use crate::hash::Hex;
use crate::http::Url;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "s3";
const END: &str = "aws4_request";

/// Stands for the digest of a payload that is not signed.
pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Stands for the digest of a payload that is signed chunk by chunk.
pub const CHUNKED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

/// The headers that are signed, beside the host and all that begin with `x-amz-`.
const SIGNED: &[&str] = &["content-md5", "content-type", "date", "if-none-match", "range"];

/// A request as far as its signature covers it.  The headers must be complete but for the signature.
pub struct Unsigned<'a> {
    pub method: &'a str,
    pub url: &'a Url,
    pub headers: &'a HeaderMap,
    /// The SHA-256 of the payload in hex, or what stands for it.
    pub payload_hash: &'a str,
}

/// A signature, and what goes on from it.
#[derive(Clone)]
pub struct Signature {
    key: Zeroizing<Vec<u8>>,
    time: String,
    scope: String,
    hex: String,
}

/// The value of the `Authorization` header, and the signature in it.
pub fn authorization(request: &Unsigned<'_>, keys: &Keys, region: &str, time: &Timestamp) -> (String, Signature) {
    let (canonical, signed_headers) = canonical(request);
    let scope = format!("{}/{region}/{SERVICE}/{END}", time.day());
    let digest = Hex::encode(&Sha256::digest(canonical));
    let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{digest}", time.as_str());
    let secret = Zeroizing::new(format!("AWS4{}", keys.secret.expose()));
    let parts = [time.day(), region, SERVICE, END];
    let key = parts.iter().fold(Zeroizing::new(secret.as_bytes().to_vec()), |key, part| mac(&key, part));
    let hex = Hex::encode(&mac(&key, &to_sign)).to_string();
    let access = keys.access.expose();
    let value = format!("{ALGORITHM} Credential={access}/{scope}, SignedHeaders={signed_headers}, Signature={hex}");
    (value, Signature { key, time: time.as_str().to_owned(), scope, hex })
}

/// The access key that such a header names.
pub fn access_key(authorization: &str) -> Option<&str> {
    let credential = authorization.strip_prefix(ALGORITHM)?.strip_prefix(" Credential=")?;
    // Behind it are the four parts of the scope; keys may have slashes too.
    credential.split(", ").next()?.rsplitn(5, '/').nth(4)
}

impl Signature {
    /// The signature of the chunk that follows what this one signs.
    pub fn next(&self, chunk: &[u8]) -> Signature {
        let Signature { key, time, scope, hex } = self;
        let (nothing, digest) = (Hex::encode(&Sha256::digest([])), Hex::encode(&Sha256::digest(chunk)));
        let to_sign = format!("{ALGORITHM}-PAYLOAD\n{time}\n{scope}\n{hex}\n{nothing}\n{digest}");
        Signature { hex: Hex::encode(&mac(key, &to_sign)).to_string(), ..self.clone() }
    }

    pub fn hex(&self) -> &str {
        &self.hex
    }
}

fn mac(key: &[u8], text: &str) -> Zeroizing<Vec<u8>> {
    // Keys of every length are fine.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Zeroizing::default();
    };
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

/// The canonical request, and the names of the headers in it.
fn canonical(request: &Unsigned<'_>) -> (String, String) {
    let target = request.url.request_target();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers: Vec<(&str, String)> = request
        .headers
        .keys()
        .map(|name| name.as_str())
        .filter(|name| name.starts_with("x-amz-") || SIGNED.contains(name))
        .map(|name| (name, header_value(request.headers, name)))
        .chain([("host", request.url.authority().to_owned())])
        .collect();
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let Unsigned { method, payload_hash, .. } = request;
    let query = canonical_query(query);
    (format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload_hash}"), names)
}

fn header_value(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter();
    let values = values.map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    });
    values.collect::<Vec<_>>().join(",")
}

/// The parameters in the order of their names, each with a value.
fn canonical_query(query: &str) -> String {
    let mut parameters: Vec<(&str, &str)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .collect();
    parameters.sort_unstable();
    let parameters = parameters.iter().map(|(name, value)| format!("{name}={value}"));
    parameters.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Scheme;
    use crate::secret::Secret;
    use http::header::{HeaderName, HeaderValue};
    use std::time::{Duration, UNIX_EPOCH};

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn keys() -> Keys {
        Keys {
            access: Secret::new("AKIAIOSFODNN7EXAMPLE"),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            token: None,
        }
    }

    fn signature(method: &str, target: &str, headers: &[(&str, &str)], payload_hash: &str) -> String {
        let url = format!("examplebucket.s3.amazonaws.com{target}");
        let mut map = HeaderMap::new();
        let fixed = [("x-amz-date", "20130524T000000Z"), ("x-amz-content-sha256", payload_hash)];
        for (name, value) in headers.iter().chain(&fixed) {
            map.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let url = Url::parse(Scheme::Https, &url).unwrap();
        let request = Unsigned { method, url: &url, headers: &map, payload_hash };
        let time = Timestamp::of(UNIX_EPOCH + Duration::from_secs(1_369_353_600));
        authorization(&request, &keys(), "us-east-1", &time).0
    }

    /// AWS's example of a payload in chunks, with the signature of its request.
    #[test]
    fn the_published_chunks_have_their_signatures() {
        let request = Unsigned {
            method: "PUT",
            url: &Url::parse(Scheme::Https, "h/k").unwrap(),
            headers: &HeaderMap::new(),
            payload_hash: CHUNKED,
        };
        let time = Timestamp::of(UNIX_EPOCH + Duration::from_secs(1_369_353_600));
        let (_, signature) = authorization(&request, &keys(), "us-east-1", &time);
        let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let mut signature = Signature { hex: seed.to_owned(), ..signature };
        for (length, expected) in [
            (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ] {
            signature = signature.next(&vec![b'a'; length]);
            assert_eq!(signature.hex(), expected, "{length}");
        }
    }

    /// The examples that AWS publishes for the S3 API.
    #[test]
    fn the_published_examples_have_their_signatures() {
        let put_hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        for (method, target, headers, payload, expected) in [
            (
                "GET",
                "/test.txt",
                &[("range", "bytes=0-9")][..],
                EMPTY,
                "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
                 Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                "/test%24file.text",
                &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                put_hash,
                "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, \
                 Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET",
                "/?lifecycle",
                &[],
                EMPTY,
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
                 Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "GET",
                "/?prefix=J&max-keys=2",
                &[],
                EMPTY,
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
                 Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let authorization = signature(method, target, headers, payload);
            let credential = "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
            assert_eq!(authorization, format!("{ALGORITHM} {credential}, {expected}"));
            assert_eq!(access_key(&authorization), Some("AKIAIOSFODNN7EXAMPLE"));
        }
    }

    #[test]
    fn parameters_are_sorted_and_have_values() {
        assert_eq!(canonical_query("uploads"), "uploads=");
        assert_eq!(canonical_query("partNumber=2&uploadId=a%2Fb"), "partNumber=2&uploadId=a%2Fb");
        assert_eq!(canonical_query("uploadId=x&partNumber=2&&acl"), "acl=&partNumber=2&uploadId=x");
        assert_eq!(canonical_query(""), "");
    }

    #[test]
    fn every_part_of_a_request_is_signed() {
        let base = signature("GET", "/k?a=1", &[("range", "bytes=0-9"), ("x-amz-acl", "private")], EMPTY);
        for other in [
            signature("HEAD", "/k?a=1", &[("range", "bytes=0-9"), ("x-amz-acl", "private")], EMPTY),
            signature("GET", "/l?a=1", &[("range", "bytes=0-9"), ("x-amz-acl", "private")], EMPTY),
            signature("GET", "/k?a=2", &[("range", "bytes=0-9"), ("x-amz-acl", "private")], EMPTY),
            signature("GET", "/k?a=1", &[("range", "bytes=0-8"), ("x-amz-acl", "private")], EMPTY),
            signature("GET", "/k?a=1", &[("range", "bytes=0-9"), ("x-amz-acl", "public")], EMPTY),
            signature("GET", "/k?a=1", &[("range", "bytes=0-9"), ("x-amz-acl", "private")], UNSIGNED),
        ] {
            assert_ne!(base, other);
        }
        // How a value is spaced does not matter, and what else a request has is not signed.
        let spaced = [("range", " bytes=0-9 "), ("x-amz-acl", "private"), ("accept", "*/*")];
        assert_eq!(base, signature("GET", "/k?a=1", &spaced, EMPTY));
    }
}
