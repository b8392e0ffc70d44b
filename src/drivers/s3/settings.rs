//! What the options of a store come to.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::bucket::Missing;
use super::credentials::{KeySource, Keys};
use super::endpoint::{Addressing, Endpoint};
use super::options::*;
use super::parts::DataChecks;
use super::plan::{MIB, MIN_PART, Sizes};
use super::signer::PayloadSigning;
use crate::config::Options;
use crate::error::Result;
use crate::http::{ClientOptions, Proxies, Settings, Tls, Trust};

/// Where AWS signs for that names no region.
const DEFAULT_REGION: &str = "us-east-1";

/// Where images are and who asks for them.
pub struct Access {
    /// None where the configuration names no host.
    pub endpoint: Option<Endpoint>,
    pub addressing: Addressing,
    pub region: String,
    pub bucket: Option<String>,
    pub keys: KeySource,
    pub keys_in_location: bool,
    /// Whether locations with keys are asked for at their own hosts, where these may be reached.
    pub goes_elsewhere: bool,
    pub allowed_buckets: Vec<String>,
    pub payload_signing: PayloadSigning,
    pub asks_checksum: bool,
}

/// How images are added.
pub struct Adding {
    pub sizes: Sizes,
    pub missing_bucket: Missing,
    pub attributes: HeaderMap,
    pub checks: DataChecks,
    /// The age from which on unfinished uploads are forgotten ones.
    pub stale_age: Option<Duration>,
}

pub fn access(options: &Options) -> Result<Access> {
    let addressing = match options.str(ADDRESSING) {
        Some("virtual") => Addressing::Virtual,
        Some("path") => Addressing::Path,
        _ => Addressing::Auto,
    };
    let endpoint = text(options, HOST).map(|host| Endpoint::parse(host, addressing)).transpose();
    let endpoint = endpoint.map_err(|reason| options.bad(HOST, reason))?;
    let region = text(options, REGION).map(str::to_owned);
    let region = region.or_else(|| endpoint.as_ref().and_then(Endpoint::region));
    Ok(Access {
        endpoint,
        addressing,
        region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
        bucket: text(options, BUCKET).map(str::to_owned),
        keys: key_source(options),
        keys_in_location: options.bool(KEYS_IN_LOCATION),
        goes_elsewhere: !items(options, ALLOWED_HOSTS).is_empty(),
        allowed_buckets: items(options, ALLOWED_BUCKETS),
        payload_signing: match options.str(PAYLOAD_SIGNING) {
            Some("always") => PayloadSigning::Always,
            Some("never") => PayloadSigning::Never,
            _ => PayloadSigning::OverPlainHttp,
        },
        asks_checksum: is_supported(options, RESPONSE_CHECKSUM),
    })
}

fn key_source(options: &Options) -> KeySource {
    match options.str(KEY_SOURCE) {
        Some("environment") => KeySource::environment(|name| std::env::var(name).ok()),
        Some("profile") => match key_file(options) {
            Some(path) => {
                KeySource::Profile { path, name: options.str(PROFILE).unwrap_or("default").to_owned() }
            }
            None => KeySource::Missing(format!("{KEY_FILE} is not set, and the environment has no HOME")),
        },
        _ => given_keys(options),
    }
}

fn given_keys(options: &Options) -> KeySource {
    let secret = |name| options.secret(name).filter(|secret| !secret.expose().is_empty());
    match (secret(ACCESS_KEY), secret(SECRET_KEY)) {
        (Some(access), Some(secret_key)) => {
            KeySource::Given(Keys { access, secret: secret_key, token: secret(SESSION_TOKEN) })
        }
        (None, _) => KeySource::Missing(format!("{ACCESS_KEY} is not set")),
        (_, None) => KeySource::Missing(format!("{SECRET_KEY} is not set")),
    }
}

fn key_file(options: &Options) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    text(options, KEY_FILE)
        .map(PathBuf::from)
        .or_else(|| variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from))
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".aws/credentials")))
}

/// How images are added, or why none can be.
pub fn adding(options: &Options, access: &Access) -> std::result::Result<Adding, String> {
    let missing = |name: &str| format!("{name} is not set");
    if access.endpoint.is_none() {
        return Err(missing(HOST));
    }
    if let KeySource::Missing(reason) = &access.keys {
        return Err(reason.clone());
    }
    let bucket = access.bucket.as_deref().ok_or_else(|| missing(BUCKET))?;
    if bucket.contains(['/', '@', '?', '#']) || bucket.chars().any(char::is_control) {
        return Err(format!("{BUCKET} = {bucket:?}: no bucket is called that"));
    }
    let has_token = matches!(&access.keys, KeySource::Given(keys) if keys.token.is_some());
    if access.keys_in_location && (has_token || !matches!(access.keys, KeySource::Given(_))) {
        return Err(format!("{KEYS_IN_LOCATION} needs lasting keys: a location has no place for a session token"));
    }
    if access.keys_in_location
        && let KeySource::Given(keys) = &access.keys
        && keys.access.expose().contains([':', '@'])
    {
        return Err(format!("{KEYS_IN_LOCATION}: the access key has a ':' or '@', which would end it in a location"));
    }
    let part = options.int(PART_SIZE).unwrap_or_default();
    let mib = |number: i64| number.unsigned_abs().saturating_mul(MIB);
    if part < 0 || mib(part) < MIN_PART {
        return Err(format!("{PART_SIZE} = {part}: must be at least {} MB", MIN_PART / MIB));
    }
    let threads = options.int(THREADS).unwrap_or_default();
    if threads < 1 {
        return Err(format!("{THREADS} = {threads}: must be at least 1"));
    }
    let region = text(options, REGION).map(str::to_owned);
    let region = region.or_else(|| access.endpoint.as_ref().and_then(Endpoint::region));
    Ok(Adding {
        sizes: Sizes {
            large: mib(options.int(LARGE_SIZE).unwrap_or_default()),
            part: mib(part),
            threads: usize::try_from(threads).unwrap_or(usize::MAX),
        },
        missing_bucket: match options.bool(CREATE_BUCKET) {
            true => Missing::IsCreated { region },
            false => Missing::IsAnError,
        },
        attributes: attributes(options)?,
        checks: DataChecks {
            crc32: is_supported(options, REQUEST_CHECKSUM),
            content_md5: options.bool(CONTENT_MD5),
            etag: options.bool(VERIFY_ETAG),
        },
        stale_age: Some(number(options, STALE_AGE)).filter(|age| *age > 0).map(Duration::from_secs),
    })
}

/// The headers that objects are made with.
fn attributes(options: &Options) -> std::result::Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (option, name) in [
        (ENCRYPTION, "x-amz-server-side-encryption"),
        (KMS_KEY, "x-amz-server-side-encryption-aws-kms-key-id"),
        (STORAGE_CLASS, "x-amz-storage-class"),
        (ACL, "x-amz-acl"),
    ] {
        if let Some(value) = text(options, option) {
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("{option} = {value:?}: has characters that no header can hold"))?;
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if headers.contains_key("x-amz-server-side-encryption-aws-kms-key-id")
        && !options.str(ENCRYPTION).is_some_and(|encryption| encryption.starts_with("aws:kms"))
    {
        return Err(format!("{KMS_KEY} needs {ENCRYPTION} = aws:kms"));
    }
    Ok(headers)
}

/// The client's settings.
pub fn client(options: &Options) -> Result<Settings> {
    let trust = match text(options, CA_FILE) {
        Some(path) => Trust::from_file(path).map_err(|reason| options.bad(CA_FILE, reason))?,
        None if options.bool(INSECURE) => Trust::Anyone,
        None => Trust::System,
    };
    let mut proxies = Proxies::default();
    if let Some(proxy) = text(options, PROXY) {
        for scheme in ["http", "https"] {
            proxies.add(scheme, proxy).map_err(|reason| options.bad(PROXY, reason))?;
        }
    }
    let tls = Tls::new(trust).map_err(|reason| options.bad(CA_FILE, reason))?;
    common(options).settings(tls, proxies)
}

/// What this driver's options have in common with those of others.
pub fn common(options: &Options) -> ClientOptions<'_> {
    ClientOptions::new(options, "s3_store")
}

fn is_supported(options: &Options, name: &str) -> bool {
    options.bool(INTEGRITY) && options.str(name) == Some("when_supported")
}

/// The value of a text that is not empty.
fn text<'a>(options: &'a Options, name: &str) -> Option<&'a str> {
    options.str(name).filter(|text| !text.is_empty())
}

fn items(options: &Options, name: &str) -> Vec<String> {
    options.list(name).iter().filter(|item| !item.is_empty()).cloned().collect()
}

fn number(options: &Options, name: &str) -> u64 {
    options.int(name).and_then(|value| u64::try_from(value).ok()).unwrap_or_default()
}
