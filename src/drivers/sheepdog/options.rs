//! The options of the sheepdog driver: glance_store's three, and our own.

use std::time::Duration;

use super::address::Address;
use super::cluster::Settings;
use crate::config::{OptionKind, OptionSpec, Options};
use crate::error::Result;

const CHUNK_SIZE: &str = "sheepdog_store_chunk_size";
const PORT: &str = "sheepdog_store_port";
const ADDRESS: &str = "sheepdog_store_address";
const CONNECT_TIMEOUT: &str = "sheepdog_store_connect_timeout";
const TIMEOUT: &str = "sheepdog_store_timeout";
const RETRIES: &str = "sheepdog_store_retries";
const CONNECTIONS: &str = "sheepdog_store_connections";
const COPIES: &str = "sheepdog_store_copies";

const SECONDS: OptionKind = OptionKind::Int { min: Some(0), max: Some(MAX_SECONDS) };

/// Thirty years are for ever, and fit into every clock.
const MAX_SECONDS: i64 = 1_000_000_000;

pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        CHUNK_SIZE,
        OptionKind::Int { min: Some(1), max: None },
        "The most MiB that one request writes; never more than an object of the cluster has",
    )
    .with_default("64"),
    OptionSpec::new(PORT, OptionKind::Int { min: Some(1), max: Some(65535) }, "The port of the daemon")
        .with_default("7000"),
    OptionSpec::new(ADDRESS, OptionKind::Str, "The host name or address of a daemon of the cluster")
        .with_default("127.0.0.1"),
    OptionSpec::new(CONNECT_TIMEOUT, SECONDS, "Seconds that making a connection may take; 0 is for ever")
        .with_default("10"),
    OptionSpec::new(TIMEOUT, SECONDS, "Seconds that the daemon may be silent; 0 is for ever")
        .with_default("60"),
    OptionSpec::new(
        RETRIES,
        OptionKind::Int { min: Some(0), max: Some(100) },
        "How often a request is tried again that failed for a reason that may pass",
    )
    .with_default("4"),
    OptionSpec::new(
        CONNECTIONS,
        OptionKind::Int { min: Some(1), max: Some(64) },
        "How many connections to the daemon the store uses at most, for all calls together",
    )
    .with_default("4"),
    OptionSpec::new(
        COPIES,
        OptionKind::Int { min: Some(0), max: Some(31) },
        "How many copies the cluster keeps of new images; 0 is what the cluster was formatted with",
    )
    .with_default("0"),
];

/// The daemon that the store talks to.
pub fn address(options: &Options) -> Result<Address> {
    let host = options.str(ADDRESS).unwrap_or_default();
    let port = u16::try_from(number(options, PORT)).unwrap_or_default();
    Address::new(host, port).map_err(|reason| options.bad(ADDRESS, reason))
}

pub fn settings(options: &Options) -> Settings {
    Settings {
        connect_timeout: seconds(options, CONNECT_TIMEOUT),
        timeout: seconds(options, TIMEOUT),
        retries: number(options, RETRIES),
        pause: Duration::from_millis(200),
        connections: number(options, CONNECTIONS) as usize,
    }
}

/// The most bytes that one request writes.
pub fn chunk_size(options: &Options) -> u64 {
    let mebibytes = options.int(CHUNK_SIZE).and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    mebibytes.max(1).saturating_mul(1 << 20)
}

pub fn copies(options: &Options) -> u8 {
    u8::try_from(number(options, COPIES)).unwrap_or_default()
}

/// How much of its image a reader keeps: half of what a transfer may use, in bytes.
pub fn cache_memory(options: &Options) -> u64 {
    u64::from(number(options, "transfer_memory")) << 19
}

fn number(options: &Options, name: &str) -> u32 {
    options.int(name).and_then(|value| u32::try_from(value).ok()).unwrap_or_default()
}

fn seconds(options: &Options, name: &str) -> Option<Duration> {
    Some(Duration::from_secs(number(options, name).into())).filter(|timeout| !timeout.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::registry_options::TRANSFER;
    use crate::config::{Config, Scope, assert_sound};
    use crate::error::Kind;

    fn options(settings: &[(&str, &str)]) -> Options {
        let mut config = Config::new();
        for (key, value) in settings {
            config.set(Some("dog"), key, value).unwrap();
        }
        config.resolve(&Scope::new(&["dog"]), &[OPTIONS, TRANSFER]).unwrap()
    }

    #[test]
    fn the_table_is_sound() {
        assert_sound(&[OPTIONS, TRANSFER]);
    }

    #[test]
    fn defaults_are_those_of_the_reference() {
        let options = options(&[]);
        assert_eq!(address(&options).unwrap().to_string(), "127.0.0.1:7000");
        assert_eq!(chunk_size(&options), 64 << 20);
        assert_eq!((copies(&options), cache_memory(&options)), (0, 32 << 20));
        let settings = settings(&options);
        assert_eq!(settings.connect_timeout, Some(Duration::from_secs(10)));
        assert_eq!(settings.timeout, Some(Duration::from_secs(60)));
        assert_eq!((settings.retries, settings.connections), (4, 4));
    }

    #[test]
    fn any_chunk_size_is_one() {
        for (value, size) in [("1", 1 << 20), ("8192", 8 << 30), ("9223372036854775807", u64::MAX)] {
            assert_eq!(chunk_size(&options(&[(CHUNK_SIZE, value)])), size);
        }
    }

    #[test]
    fn no_timeout_is_a_timeout_of_nothing() {
        let options =
            options(&[("sheepdog_store_connect_timeout", "0"), ("sheepdog_store_timeout", "0")]);
        let settings = settings(&options);
        assert_eq!((settings.connect_timeout, settings.timeout), (None, None));
    }

    #[test]
    fn an_address_that_cannot_be_fails_when_the_store_is_opened() {
        for value in ["", "a b", "host:7000", "sheepdog://host", "host/x", "[::1", "1::2::3", "u@h"] {
            let error = address(&options(&[(ADDRESS, value)])).err().unwrap();
            assert_eq!(error.kind(), Kind::BadConfig, "{error}");
            assert!(error.message().contains(ADDRESS) && error.message().contains(value), "{error}");
        }
    }
}
