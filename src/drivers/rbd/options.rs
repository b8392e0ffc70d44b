//! The options of the rbd driver: glance_store's six, and our own.

use crate::ceph::Access;
use crate::config::{OptionKind, OptionSpec, Options};
use crate::error::{Error, Kind, Result};

const CHUNK_SIZE: &str = "rbd_store_chunk_size";
const POOL: &str = "rbd_store_pool";
const USER: &str = "rbd_store_user";
const CONF: &str = "rbd_store_ceph_conf";
const TIMEOUT: &str = "rados_connect_timeout";
const THIN: &str = "rbd_thin_provisioning";
const FORMER_FSIDS: &str = "rbd_store_former_fsids";
const CLONE_COPIES: &str = "rbd_clone_copies";

pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        CHUNK_SIZE,
        // librbd makes no larger objects than 32 MiB.
        OptionKind::Int { min: Some(1), max: Some(63) },
        "The size of the objects that images consist of, in MiB; the next lower power of two counts",
    )
    .with_default("8"),
    OptionSpec::new(POOL, OptionKind::Str, "The pool for new images, and of locations that name none")
        .with_default("images"),
    OptionSpec::new(
        USER,
        OptionKind::Str,
        "The Ceph user, without \"client.\"; none set is librados' own default, admin",
    ),
    OptionSpec::new(
        CONF,
        OptionKind::Str,
        "The path of the ceph.conf; none set is where librados looks by itself, such as /etc/ceph/ceph.conf",
    )
    .with_default(""),
    OptionSpec::new(
        TIMEOUT,
        OptionKind::Int { min: None, max: Some(MAX_SECONDS) },
        "Seconds that the cluster may take to connect and for every operation, 0 for ever; negative is what ceph.conf says",
    )
    .with_default("-1"),
    OptionSpec::new(THIN, OptionKind::Bool, "Whether zeros of images are left out instead of written")
        .with_default("false"),
    OptionSpec::new(
        FORMER_FSIDS,
        OptionKind::List,
        "Clusters whose locations are served from this one as well, such as after a move",
    ),
    OptionSpec::new(
        CLONE_COPIES,
        OptionKind::Bool,
        "Whether an image that is copied inside the cluster shares the data of its source, which cannot be deleted then",
    )
    .with_default("false"),
];

/// Thirty years are for ever, and fit into every clock.
const MAX_SECONDS: i64 = 1_000_000_000;

/// What the options say.
pub struct Settings {
    pub pool: String,
    /// The binary logarithm of the size of an image's objects.
    pub order: u8,
    pub thin: bool,
    pub clone_copies: bool,
    pub former_fsids: Vec<String>,
}

impl Settings {
    /// What fits into the most objects that an object map is for.
    pub fn largest_image(&self) -> u64 {
        const MAX_OBJECTS: u64 = 256_000_000;
        MAX_OBJECTS << self.order
    }

    pub fn check_size(&self, size: u64) -> Result<()> {
        let (largest, chunk) = (self.largest_image(), (1u64 << self.order) >> 20);
        if size <= largest {
            return Ok(());
        }
        let message = format!(
            "the image has {size} bytes or more, and an RBD image of objects of {chunk} MiB {largest} at most (see {CHUNK_SIZE})"
        );
        Err(Error::new(Kind::StorageFull, message))
    }
}

pub fn settings(options: &Options) -> Settings {
    let chunk = options.int(CHUNK_SIZE).unwrap_or(8).unsigned_abs().max(1) << 20;
    Settings {
        pool: options.str(POOL).unwrap_or_default().to_owned(),
        order: chunk.ilog2() as u8,
        thin: options.bool(THIN),
        clone_copies: options.bool(CLONE_COPIES),
        former_fsids: options.list(FORMER_FSIDS).to_vec(),
    }
}

pub fn access(options: &Options) -> Access {
    let given = |name| options.str(name).filter(|text| !text.is_empty()).map(str::to_owned);
    Access {
        conf: given(CONF),
        user: given(USER),
        timeout: options.int(TIMEOUT).and_then(|seconds| u64::try_from(seconds).ok()),
    }
}

/// How much of its image a reader keeps: half of what a transfer may use, in bytes.
pub fn cache_memory(options: &Options) -> u64 {
    options.int("transfer_memory").and_then(|mib| u64::try_from(mib).ok()).unwrap_or_default() << 19
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::registry_options::TRANSFER;
    use crate::config::{Config, Scope, assert_sound};

    fn options(set: &[(&str, &str)]) -> Result<Options> {
        let mut config = Config::new();
        for (key, value) in set {
            config.set(Some("ceph"), key, value).unwrap();
        }
        config.resolve(&Scope::new(&["ceph"]), &[OPTIONS, TRANSFER])
    }

    #[test]
    fn the_table_is_sound() {
        assert_sound(&[OPTIONS, TRANSFER]);
    }

    #[test]
    fn chunks_are_objects_of_a_power_of_two() {
        for (mib, order) in [("1", 20), ("2", 21), ("3", 21), ("8", 23), ("31", 24), ("32", 25), ("63", 25)] {
            assert_eq!(settings(&options(&[(CHUNK_SIZE, mib)]).unwrap()).order, order, "{mib} MiB");
        }
        for mib in ["0", "64", "-1"] {
            assert_eq!(options(&[(CHUNK_SIZE, mib)]).err().unwrap().kind(), Kind::BadConfig, "{mib} MiB");
        }
    }

    #[test]
    fn an_image_is_as_large_as_its_objects_allow() {
        for (mib, largest) in [("1", 256_000_000 << 20), ("8", 256_000_000 << 23), ("32", 256_000_000 << 25)] {
            let settings = settings(&options(&[(CHUNK_SIZE, mib)]).unwrap());
            settings.check_size(largest).unwrap();
            for size in [largest + 1, u64::MAX] {
                let error = settings.check_size(size).unwrap_err();
                assert_eq!(error.kind(), Kind::StorageFull);
                for part in [size.to_string(), largest.to_string(), format!("{mib} MiB"), CHUNK_SIZE.to_owned()] {
                    assert!(error.message().contains(&part), "{error} without {part}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_set_is_left_to_librados() {
        let access = access(&options(&[]).unwrap());
        assert_eq!(access, Access { conf: None, user: None, timeout: None });
    }

    #[test]
    fn a_timeout_that_is_not_negative_counts() {
        for (text, timeout) in [("-1", None), ("-300", None), ("0", Some(0)), ("7", Some(7))] {
            assert_eq!(access(&options(&[(TIMEOUT, text)]).unwrap()).timeout, timeout);
        }
    }
}
