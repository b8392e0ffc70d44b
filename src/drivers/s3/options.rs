//! The options of the s3 driver: glance_store's, and our own.

use crate::config::{OptionKind, OptionSpec};
use crate::http::{MAX_SECONDS, client_options};

pub const HOST: &str = "s3_store_host";
pub const REGION: &str = "s3_store_region_name";
pub const ACCESS_KEY: &str = "s3_store_access_key";
pub const SECRET_KEY: &str = "s3_store_secret_key";
pub const BUCKET: &str = "s3_store_bucket";
pub const CREATE_BUCKET: &str = "s3_store_create_bucket_on_put";
pub const ADDRESSING: &str = "s3_store_bucket_url_format";
pub const LARGE_SIZE: &str = "s3_store_large_object_size";
pub const PART_SIZE: &str = "s3_store_large_object_chunk_size";
pub const THREADS: &str = "s3_store_thread_pools";
pub const CA_FILE: &str = "s3_store_cacert";
pub const INTEGRITY: &str = "s3_store_enable_data_integrity_protection";
pub const REQUEST_CHECKSUM: &str = "s3_store_request_checksum_calculation";
pub const RESPONSE_CHECKSUM: &str = "s3_store_response_checksum_validation";

pub const SESSION_TOKEN: &str = "s3_store_session_token";
pub const KEY_SOURCE: &str = "s3_store_credentials_source";
pub const KEY_FILE: &str = "s3_store_credentials_file";
pub const PROFILE: &str = "s3_store_profile";
pub const KEYS_IN_LOCATION: &str = "s3_store_credentials_in_location";
pub const ALLOWED_HOSTS: &str = "s3_store_allowed_hosts";
pub const ALLOWED_BUCKETS: &str = "s3_store_allowed_buckets";
pub const INSECURE: &str = "s3_store_insecure";
pub const PROXY: &str = "s3_store_proxy";
pub const PAYLOAD_SIGNING: &str = "s3_store_payload_signing";
pub const CONTENT_MD5: &str = "s3_store_content_md5";
pub const VERIFY_ETAG: &str = "s3_store_verify_etag";
pub const ENCRYPTION: &str = "s3_store_server_side_encryption";
pub const KMS_KEY: &str = "s3_store_kms_key_id";
pub const STORAGE_CLASS: &str = "s3_store_storage_class";
pub const ACL: &str = "s3_store_acl";
pub const STALE_AGE: &str = "s3_store_stale_upload_age";

const CHECKSUM: OptionKind = OptionKind::Choice(&["when_required", "when_supported"]);

/// What every driver over HTTP can be told.
pub const CLIENT_OPTIONS: &[OptionSpec] = client_options!("s3_store");

pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(HOST, OptionKind::Str, "The server, with http:// or https:// in front; without either it is http"),
    OptionSpec::new(REGION, OptionKind::Str, "The region that requests are signed for and buckets are created in")
        .with_default(""),
    OptionSpec::new(ACCESS_KEY, OptionKind::Str, "The access key").secret(),
    OptionSpec::new(SECRET_KEY, OptionKind::Str, "The secret key").secret(),
    OptionSpec::new(BUCKET, OptionKind::Str, "The bucket that holds the images"),
    OptionSpec::new(CREATE_BUCKET, OptionKind::Bool, "Whether a missing bucket is created when an image is added")
        .with_default("false"),
    OptionSpec::new(
        ADDRESSING,
        OptionKind::Choice(&["auto", "virtual", "path"]),
        "Whether URLs name the bucket in their host or in their path; auto is by host at AWS and by path elsewhere",
    )
    .with_default("auto"),
    OptionSpec::new(
        LARGE_SIZE,
        OptionKind::Int { min: Some(0), max: None },
        "From how many MiB on an image is stored in parts; 0 is always",
    )
    .with_default("100"),
    OptionSpec::new(
        PART_SIZE,
        OptionKind::Int { min: None, max: None },
        "How many MiB the parts have, 5 at least; larger ones where 10000 would not hold the image",
    )
    .with_default("10"),
    OptionSpec::new(
        THREADS,
        OptionKind::Int { min: None, max: None },
        "How many parts are sent side by side at most; as many as transfer_memory holds",
    )
    .with_default("10"),
    OptionSpec::new(
        CA_FILE,
        OptionKind::Str,
        "A PEM file with the certificates that servers are trusted by, instead of the system's",
    )
    .with_default(""),
    OptionSpec::new(INTEGRITY, OptionKind::Bool, "Whether the next two options count; otherwise both are when_required")
        .with_default("false"),
    OptionSpec::new(REQUEST_CHECKSUM, CHECKSUM, "When data is sent with a CRC-32 that the server checks")
        .with_default("when_required"),
    OptionSpec::new(RESPONSE_CHECKSUM, CHECKSUM, "When whole images are compared with the checksum that the server keeps of them")
        .with_default("when_required"),
    OptionSpec::new(SESSION_TOKEN, OptionKind::Str, "The token that belongs to temporary keys").secret(),
    OptionSpec::new(
        KEY_SOURCE,
        OptionKind::Choice(&["options", "environment", "profile"]),
        "Where the keys come from: the options above, the variables AWS_ACCESS_KEY_ID and so on, or a credentials file",
    )
    .with_default("options"),
    OptionSpec::new(
        KEY_FILE,
        OptionKind::Str,
        "The credentials file; not set: AWS_SHARED_CREDENTIALS_FILE of the environment, or else ~/.aws/credentials",
    ),
    OptionSpec::new(PROFILE, OptionKind::Str, "The profile in the credentials file").with_default("default"),
    OptionSpec::new(
        KEYS_IN_LOCATION,
        OptionKind::Bool,
        "Whether new locations hold both keys in clear text, as older releases of glance_store need them",
    )
    .with_default("false"),
    OptionSpec::new(
        ALLOWED_BUCKETS,
        OptionKind::List,
        "More buckets whose images may be read and deleted with the store's own keys",
    ),
    OptionSpec::new(
        INSECURE,
        OptionKind::Bool,
        "Whether any server certificate is accepted; without effect beside s3_store_cacert",
    )
    .with_default("false"),
    OptionSpec::new(PROXY, OptionKind::Str, "The http proxy that leads to the server").secret(),
    OptionSpec::new(
        PAYLOAD_SIGNING,
        OptionKind::Choice(&["auto", "always", "never"]),
        "Whether signatures cover the data, by its SHA-256; auto is over plain http alone",
    )
    .with_default("auto"),
    OptionSpec::new(CONTENT_MD5, OptionKind::Bool, "Whether data is sent with its MD5, which the server checks")
        .with_default("false"),
    OptionSpec::new(
        VERIFY_ETAG,
        OptionKind::Bool,
        "Whether ETags that look like an MD5 are compared with that of the data",
    )
    .with_default("true"),
    OptionSpec::new(
        ENCRYPTION,
        OptionKind::Choice(&["", "AES256", "aws:kms", "aws:kms:dsse"]),
        "How the server encrypts new images: AES256 with keys of its own, aws:kms with keys of a key service",
    )
    .with_default(""),
    OptionSpec::new(KMS_KEY, OptionKind::Str, "The key service's key that new images are encrypted with")
        .with_default(""),
    OptionSpec::new(STORAGE_CLASS, OptionKind::Str, "The storage class of new images, such as STANDARD_IA")
        .with_default(""),
    OptionSpec::new(
        ACL,
        OptionKind::Choice(&[
            "",
            "private",
            "public-read",
            "public-read-write",
            "authenticated-read",
            "aws-exec-read",
            "bucket-owner-read",
            "bucket-owner-full-control",
        ]),
        "The canned access list of new images",
    )
    .with_default(""),
    OptionSpec::new(
        STALE_AGE,
        OptionKind::Int { min: Some(0), max: Some(MAX_SECONDS) },
        "An add aborts unfinished uploads of the same image that are older than so many seconds; 0 is none",
    )
    .with_default("0"),
];
