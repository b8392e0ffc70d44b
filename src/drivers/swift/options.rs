//! The options of the swift driver: glance_store's, and our own.

use std::path::Path;
use std::time::Duration;

use nix::unistd::{AccessFlags, access};

use super::account::AuthVersion;
use super::containers::{self, Naming};
use super::manifest::Manifest;
use crate::config::{OptionKind, OptionSpec, Options};
use crate::error::Result;
use crate::http::{ClientOptions, MAX_SECONDS, Proxies, Settings, Tls, Trust, client_options};

pub const AUTH_INSECURE: &str = "swift_store_auth_insecure";
pub const CA_CERT: &str = "swift_store_cacert";
pub const REGION: &str = "swift_store_region";
pub const ENDPOINT: &str = "swift_store_endpoint";
pub const ENDPOINT_TYPE: &str = "swift_store_endpoint_type";
pub const SERVICE_TYPE: &str = "swift_store_service_type";
pub const CONTAINER: &str = "swift_store_container";
pub const LARGE_OBJECT_SIZE: &str = "swift_store_large_object_size";
pub const CHUNK_SIZE: &str = "swift_store_large_object_chunk_size";
pub const CREATE_CONTAINER: &str = "swift_store_create_container_on_put";
pub const MULTI_TENANT: &str = "swift_store_multi_tenant";
pub const CONTAINERS_SEED: &str = "swift_store_multiple_containers_seed";
pub const ADMIN_TENANTS: &str = "swift_store_admin_tenants";
pub const SSL_COMPRESSION: &str = "swift_store_ssl_compression";
pub const RETRY_GET_COUNT: &str = "swift_store_retry_get_count";
pub const EXPIRE_SOON: &str = "swift_store_expire_soon_interval";
pub const USE_TRUSTS: &str = "swift_store_use_trusts";
pub const BUFFER_ON_UPLOAD: &str = "swift_buffer_on_upload";
pub const BUFFER_DIR: &str = "swift_upload_buffer_dir";
pub const DEFAULT_REFERENCE: &str = "default_swift_reference";
pub const AUTH_VERSION: &str = "swift_store_auth_version";
pub const AUTH_ADDRESS: &str = "swift_store_auth_address";
pub const USER: &str = "swift_store_user";
pub const KEY: &str = "swift_store_key";
pub const APPLICATION_ID: &str = "swift_store_application_credential_id";
pub const APPLICATION_SECRET: &str = "swift_store_application_credential_secret";
pub const PROJECT_NAME: &str = "swift_store_project_name";
pub const PROJECT_ID: &str = "swift_store_project_id";
pub const CONFIG_FILE: &str = "swift_store_config_file";

pub const MANIFEST: &str = "swift_store_manifest";
pub const SEGMENT_UPLOADS: &str = "swift_store_segment_uploads";
/// Of the options that it has in common with others.
pub const ALLOWED_HOSTS: &str = "swift_store_allowed_hosts";

/// The unit of both sizes: neither a megabyte nor a mebibyte.
pub const UNIT: u64 = 1_024_000;

/// As many as `swift_store_retries` may be.
const MAX_RETRIES: i64 = 100;

const AT_LEAST_ONE: OptionKind = OptionKind::Int { min: Some(1), max: Some(1 << 40) };

/// What this driver's options have in common with those of others.
pub const CLIENT_OPTIONS: &[OptionSpec] = client_options!("swift_store");

pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        AUTH_INSECURE,
        OptionKind::Bool,
        "Whether any certificate is accepted, of Keystone and of Swift",
    )
    .with_default("false"),
    OptionSpec::new(
        CA_CERT,
        OptionKind::Str,
        "A PEM file with the certificates that Keystone and Swift are trusted by, instead of the system's",
    ),
    OptionSpec::new(REGION, OptionKind::Str, "The region whose endpoint is used; not set is any"),
    OptionSpec::new(
        ENDPOINT,
        OptionKind::Str,
        "The storage URL up to the container, instead of the service catalogue's",
    ),
    OptionSpec::new(
        ENDPOINT_TYPE,
        OptionKind::Choice(&["publicURL", "adminURL", "internalURL"]),
        "Which of an endpoint's URLs is used",
    )
    .with_default("publicURL"),
    OptionSpec::new(SERVICE_TYPE, OptionKind::Str, "The service's type in the service catalogue")
        .with_default("object-store"),
    OptionSpec::new(CONTAINER, OptionKind::Str, "The container of the images, or the beginning of its name")
        .with_default("glance"),
    OptionSpec::new(
        LARGE_OBJECT_SIZE,
        AT_LEAST_ONE,
        "The size, in units of 1024000 bytes, from which an image is stored in segments",
    )
    .with_default("5120"),
    OptionSpec::new(
        CHUNK_SIZE,
        AT_LEAST_ONE,
        "The most that a segment holds, in units of 1024000 bytes",
    )
    .with_default("200"),
    OptionSpec::new(
        CREATE_CONTAINER,
        OptionKind::Bool,
        "Whether a container that does not exist is created when an image is added",
    )
    .with_default("false"),
    OptionSpec::new(
        MULTI_TENANT,
        OptionKind::Bool,
        "Whether each image is stored in a container of its own in its owner's account",
    )
    .with_default("false"),
    OptionSpec::new(
        CONTAINERS_SEED,
        OptionKind::Int { min: Some(0), max: Some(32) },
        "How many characters of the image's id tell its container; 0 is one container for all",
    )
    .with_default("0"),
    OptionSpec::new(
        ADMIN_TENANTS,
        OptionKind::List,
        "The ids of the projects that may write the images of all tenants, with swift_store_multi_tenant",
    ),
    OptionSpec::new(SSL_COMPRESSION, OptionKind::Bool, "Without effect: TLS has no compression any more")
        .with_default("true"),
    OptionSpec::new(
        RETRY_GET_COUNT,
        OptionKind::Int { min: Some(0), max: None },
        "How often a broken download is resumed at least; swift_store_retries counts where it is more",
    )
    .with_default("0"),
    OptionSpec::new(
        EXPIRE_SOON,
        OptionKind::Int { min: Some(0), max: Some(MAX_SECONDS) },
        "How many seconds before its end a token is replaced by a new one",
    )
    .with_default("60"),
    OptionSpec::new(
        USE_TRUSTS,
        OptionKind::Bool,
        "Whether a trust keeps long transfers going when the user's token ends, with swift_store_multi_tenant",
    )
    .with_default("true"),
    OptionSpec::new(
        BUFFER_ON_UPLOAD,
        OptionKind::Bool,
        "Without effect but for the check of swift_upload_buffer_dir: segments are always held in memory",
    )
    .with_default("false"),
    OptionSpec::new(
        BUFFER_DIR,
        OptionKind::Str,
        "A directory that can be written to; needed with swift_buffer_on_upload, and not used",
    ),
    OptionSpec::new(
        DEFAULT_REFERENCE,
        OptionKind::Str,
        "The account of swift_store_config_file that new images go to",
    )
    .with_default("ref1"),
    OptionSpec::new(
        AUTH_VERSION,
        OptionKind::Choice(&["3", "1"]),
        "How tokens are asked for: 3 is Keystone, 1 the server's own way (TempAuth, radosgw)",
    )
    .with_default("3"),
    OptionSpec::new(AUTH_ADDRESS, OptionKind::Str, "Where tokens are to be had, without swift_store_config_file"),
    OptionSpec::new(USER, OptionKind::Str, "The user as project:user, without swift_store_config_file").secret(),
    OptionSpec::new(KEY, OptionKind::Str, "The user's password, without swift_store_config_file").secret(),
    OptionSpec::new(
        APPLICATION_ID,
        OptionKind::Str,
        "The id of an application credential, instead of swift_store_user and swift_store_key",
    )
    .secret(),
    OptionSpec::new(APPLICATION_SECRET, OptionKind::Str, "The secret of that application credential").secret(),
    OptionSpec::new(
        PROJECT_NAME,
        OptionKind::Str,
        "Without effect: an application credential belongs to one project",
    ),
    OptionSpec::new(
        PROJECT_ID,
        OptionKind::Str,
        "Without effect: an application credential belongs to one project",
    ),
    OptionSpec::new(CONFIG_FILE, OptionKind::Str, "A file with accounts, each a section of its own"),
    OptionSpec::new(
        MANIFEST,
        OptionKind::Choice(&["dlo", "slo"]),
        "How segments become one image: dlo by their names, as glance_store does, slo by a list with their hashes",
    )
    .with_default("dlo"),
    OptionSpec::new(
        SEGMENT_UPLOADS,
        OptionKind::Int { min: Some(1), max: Some(64) },
        "How many segments of an image are uploaded at the same time",
    )
    .with_default("4"),
];

/// What the options say of the way to ask for tokens.
pub fn auth_version(options: &Options) -> AuthVersion {
    version_of(options.str(AUTH_VERSION).unwrap_or_default())
}

/// A version as an account file writes it.  What glance_store knew once is Keystone's present one.
pub fn version_of(word: &str) -> AuthVersion {
    match word.trim() {
        "1" | "1.0" => AuthVersion::V1,
        _ => AuthVersion::V3,
    }
}

/// What this driver's options have in common with those of others.
pub fn client(options: &Options) -> ClientOptions<'_> {
    ClientOptions::new(options, "swift_store")
}

/// The client's settings.  Fails where the configuration asks for what cannot be.
pub fn settings(options: &Options) -> Result<Settings> {
    let trust = match options.str(CA_CERT).filter(|path| !path.is_empty()) {
        _ if options.bool(AUTH_INSECURE) => Trust::Anyone,
        Some(path) => Trust::from_file(path).map_err(|reason| options.bad(CA_CERT, reason))?,
        None => Trust::System,
    };
    let tls = Tls::new(trust).map_err(|reason| options.bad(CA_CERT, reason))?;
    client(options).settings(tls, Proxies::default())
}

/// How often what a download asks for is asked for again at least.
pub fn download_retries(options: &Options) -> u32 {
    let asked = options.int(RETRY_GET_COUNT).unwrap_or_default().min(MAX_RETRIES);
    u32::try_from(asked).unwrap_or_default()
}

/// How long before its end a token is replaced.
pub fn expire_soon(options: &Options) -> Duration {
    Duration::from_secs(u64::try_from(options.int(EXPIRE_SOON).unwrap_or(60)).unwrap_or_default())
}

/// How new images are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    pub naming: Naming,
    pub creates_container: bool,
    /// From this size on an image is stored in segments.
    pub threshold: u64,
    /// The longest segment.
    pub chunk: u64,
    pub parallel: usize,
    pub manifest: Manifest,
}

/// What the options say of new images.  Fails where they do not go together.
pub fn writing(options: &Options) -> Result<Writing> {
    let size = |name| match options.int(name).and_then(|units| u64::try_from(units).ok()) {
        Some(units) => Ok(units.saturating_mul(UNIT)),
        None => Err(options.bad(name, "needs a number of units of 1024000 bytes")),
    };
    let is_static = options.str(MANIFEST) == Some("slo");
    Ok(Writing {
        naming: naming(options)?,
        creates_container: options.bool(CREATE_CONTAINER),
        threshold: size(LARGE_OBJECT_SIZE)?,
        chunk: size(CHUNK_SIZE)?,
        parallel: usize::try_from(options.int(SEGMENT_UPLOADS).unwrap_or(1)).unwrap_or(1),
        manifest: if is_static { Manifest::Static } else { Manifest::Dynamic },
    })
}

fn naming(options: &Options) -> Result<Naming> {
    let prefix = options.str(CONTAINER).unwrap_or_default().to_owned();
    containers::check_name(&prefix).map_err(|error| options.bad(CONTAINER, error.message()))?;
    let seed = options.int(CONTAINERS_SEED).ok_or_else(|| options.bad(CONTAINERS_SEED, "needs a number"))?;
    Ok(match (options.bool(MULTI_TENANT), usize::try_from(seed).unwrap_or_default()) {
        (true, _) => Naming::Own { prefix },
        (false, 0) => Naming::One(prefix),
        (false, seed) => Naming::Several { prefix, seed },
    })
}

/// The directory for buffers is not used, but a wrong one is a mistake here as well.
pub fn check_buffering(options: &Options) -> Result<()> {
    if !options.bool(BUFFER_ON_UPLOAD) {
        return Ok(());
    }
    let Some(directory) = options.str(BUFFER_DIR).filter(|path| !path.is_empty()) else {
        return Err(options.bad(BUFFER_DIR, "must be set with swift_buffer_on_upload"));
    };
    match access(directory, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) if Path::new(directory).is_dir() => Ok(()),
        Ok(()) => Err(options.bad(BUFFER_DIR, "is no directory")),
        Err(errno) => Err(options.bad(BUFFER_DIR, format!("cannot be written to: {}", errno.desc()))),
    }
}

/// The projects that may write the images of all tenants.
pub fn admin_tenants(options: &Options) -> Vec<String> {
    options.list(ADMIN_TENANTS).iter().filter(|tenant| !tenant.is_empty()).cloned().collect()
}

/// Whether a download may take longer than a user's token lives.
pub fn resumes_downloads(options: &Options) -> bool {
    options.int(RETRY_GET_COUNT).unwrap_or_default() > 0
}
