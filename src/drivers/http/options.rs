//! The options of the http driver: glance_store's three, and our own.

use std::time::Duration;

use crate::config::{OptionKind, OptionSpec, Options};
use crate::error::Result;
use crate::http::{Connector, Manner, Network, Policy, Proxies, RetryPolicy, Settings, Tls, Trust};

const CA_FILE: &str = "https_ca_certificates_file";
const INSECURE: &str = "https_insecure";
const PROXIES: &str = "http_proxy_information";
const USE_ENVIRONMENT_PROXY: &str = "http_use_environment_proxy";
const CONNECT_TIMEOUT: &str = "http_connect_timeout";
const READ_TIMEOUT: &str = "http_read_timeout";
const TOTAL_TIMEOUT: &str = "http_total_timeout";
const RETRIES: &str = "http_retries";
const MAX_REDIRECTS: &str = "http_max_redirects";
const ALLOW_DOWNGRADE: &str = "http_allow_downgrade";
const CONNECTIONS: &str = "http_connections";
const ALLOWED_HOSTS: &str = "http_allowed_hosts";
const DENIED_ADDRESSES: &str = "http_denied_addresses";

const SECONDS: OptionKind = OptionKind::Int { min: Some(0), max: Some(MAX_SECONDS) };

/// Thirty years are for ever, and fit into every clock.
const MAX_SECONDS: i64 = 1_000_000_000;

/// Two gigabits per second: what is slower, more connections may speed up.
const FAST: u64 = 250_000_000;

pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec::new(
        CA_FILE,
        OptionKind::Str,
        "A PEM file with the certificates that servers are trusted by, instead of the system's",
    ),
    OptionSpec::new(
        INSECURE,
        OptionKind::Bool,
        "Whether any server certificate is accepted; without effect beside https_ca_certificates_file",
    )
    .with_default("false"),
    OptionSpec::new(
        PROXIES,
        OptionKind::Dict,
        "The proxies as scheme:proxy, separated by commas, such as http:10.0.0.1:3128, https:10.0.0.1:3128",
    )
    .secret(),
    OptionSpec::new(
        USE_ENVIRONMENT_PROXY,
        OptionKind::Bool,
        "Whether http_proxy, https_proxy and no_proxy of the environment count, where http_proxy_information is not set",
    )
    .with_default("false"),
    OptionSpec::new(CONNECT_TIMEOUT, SECONDS, "Seconds that making a connection may take; 0 is for ever")
        .with_default("10"),
    OptionSpec::new(READ_TIMEOUT, SECONDS, "Seconds that a server may be silent; 0 is for ever")
        .with_default("60"),
    OptionSpec::new(TOTAL_TIMEOUT, SECONDS, "Seconds that one transfer may take in all; 0 is for ever")
        .with_default("86400"),
    OptionSpec::new(
        RETRIES,
        OptionKind::Int { min: Some(0), max: Some(100) },
        "How often a request is tried again that failed for a reason that may pass",
    )
    .with_default("4"),
    OptionSpec::new(
        MAX_REDIRECTS,
        OptionKind::Int { min: Some(1), max: Some(50) },
        "How many answers in a row may be redirects before that is an error: 5 follows four of them",
    )
    .with_default("5"),
    OptionSpec::new(ALLOW_DOWNGRADE, OptionKind::Bool, "Whether a redirect may lead from https to http")
        .with_default("false"),
    OptionSpec::new(
        CONNECTIONS,
        OptionKind::Int { min: Some(1), max: Some(64) },
        "How many connections a slow download uses at most, each for another range, where the server serves ranges",
    )
    .with_default("4"),
    OptionSpec::new(
        ALLOWED_HOSTS,
        OptionKind::List,
        "The hosts that locations and redirects may lead to, *.example.org for all below a domain; none set is all",
    ),
    OptionSpec::new(
        DENIED_ADDRESSES,
        OptionKind::List,
        "Addresses that locations and redirects may not lead to: loopback, link-local, private, multicast, 192.0.2.0/24",
    ),
];

/// The client's settings.  Fails where the configuration asks for what cannot be.
pub fn settings(options: &Options) -> Result<Settings> {
    let connector = Connector {
        tls: tls(options)?,
        proxies: proxies(options)?,
        policy: policy(options)?,
        connect_timeout: seconds(options, CONNECT_TIMEOUT),
        read_timeout: seconds(options, READ_TIMEOUT),
    };
    Ok(Settings {
        connector,
        retry: RetryPolicy { retries: number(options, RETRIES), pause: Duration::from_millis(200) },
        max_redirects: number(options, MAX_REDIRECTS),
        allow_downgrade: options.bool(ALLOW_DOWNGRADE),
    })
}

/// How images are downloaded.
pub fn manner(options: &Options) -> Manner {
    Manner {
        connections: number(options, CONNECTIONS) as usize,
        fast: FAST,
        limit: seconds(options, TOTAL_TIMEOUT),
    }
}

/// How much of its image a reader keeps: half of what a transfer may use, in bytes.
pub fn cache_memory(options: &Options) -> u64 {
    u64::from(number(options, "transfer_memory")) << 19
}

fn number(options: &Options, name: &str) -> u32 {
    options.int(name).and_then(|value| u32::try_from(value).ok()).unwrap_or_default()
}

fn seconds(options: &Options, name: &str) -> Option<Duration> {
    let seconds = options.int(name).and_then(|value| u64::try_from(value).ok()).unwrap_or_default();
    Some(Duration::from_secs(seconds)).filter(|timeout| !timeout.is_zero())
}

fn tls(options: &Options) -> Result<Tls> {
    let trust = match options.str(CA_FILE).filter(|path| !path.is_empty()) {
        Some(path) => Trust::from_file(path).map_err(|reason| options.bad(CA_FILE, reason))?,
        None if options.bool(INSECURE) => Trust::Anyone,
        None => Trust::System,
    };
    Tls::new(trust).map_err(|reason| options.bad(CA_FILE, reason))
}

fn proxies(options: &Options) -> Result<Proxies> {
    let named = options.dict(PROXIES);
    if named.is_empty() && options.bool(USE_ENVIRONMENT_PROXY) {
        let variable = |name: &str| std::env::var(name).ok();
        return Proxies::from_environment(variable)
            .map_err(|reason| options.bad(USE_ENVIRONMENT_PROXY, reason));
    }
    let mut proxies = Proxies::default();
    for (scheme, proxy) in named {
        proxies.add(scheme, proxy).map_err(|reason| options.bad(PROXIES, reason))?;
    }
    Ok(proxies)
}

fn policy(options: &Options) -> Result<Policy> {
    let given = |name| options.list(name).iter().map(|item| item.trim()).filter(|item| !item.is_empty());
    let mut policy = Policy::default();
    for host in given(ALLOWED_HOSTS) {
        policy.allow(host).map_err(|reason| options.bad(ALLOWED_HOSTS, reason))?;
    }
    for range in given(DENIED_ADDRESSES) {
        let networks = Network::parse(range).map_err(|reason| options.bad(DENIED_ADDRESSES, reason))?;
        policy.denied_networks.extend(networks);
    }
    Ok(policy)
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
            config.set(Some("web"), key, value).unwrap();
        }
        config.resolve(&Scope::new(&["web"]), &[OPTIONS, TRANSFER]).unwrap()
    }

    #[test]
    fn the_table_is_sound() {
        assert_sound(&[OPTIONS, TRANSFER]);
    }

    #[test]
    fn defaults_are_careful() {
        let options = options(&[]);
        let settings = settings(&options).unwrap();
        assert_eq!(settings.connector.connect_timeout, Some(Duration::from_secs(10)));
        assert_eq!(settings.connector.read_timeout, Some(Duration::from_secs(60)));
        assert_eq!(manner(&options).limit, Some(Duration::from_secs(86400)));
        assert_eq!((settings.retry.retries, settings.max_redirects), (4, 5));
        assert!(!settings.allow_downgrade);
        assert_eq!(cache_memory(&options), 32 << 20);
    }

    #[test]
    fn no_timeout_is_a_timeout_of_nothing() {
        let options = options(&[
            ("http_connect_timeout", "0"),
            ("http_read_timeout", "0"),
            ("http_total_timeout", "0"),
        ]);
        let connector = settings(&options).unwrap().connector;
        assert_eq!(
            (connector.connect_timeout, connector.read_timeout, manner(&options).limit),
            (None, None, None)
        );
    }

    #[test]
    fn what_cannot_be_fails_when_the_store_is_opened() {
        for (key, value, words) in [
            (CA_FILE, "/nonexistent.pem", "cannot be read"),
            (CA_FILE, "/dev/null", "holds no certificate"),
            (PROXIES, "ftp:h:1", "neither http nor https"),
            (PROXIES, "https:socks5://u:hidden@h:1", "must be an http proxy"),
            (ALLOWED_HOSTS, "mirror.example, *", "\"*\" means no host"),
            (ALLOWED_HOSTS, "mirror.example:443", "without scheme, port"),
            (DENIED_ADDRESSES, "loopback, everything", "\"everything\" is neither"),
            (DENIED_ADDRESSES, "10.0.0.0/40", "0 to 32"),
        ] {
            let error = settings(&options(&[(key, value)])).err().unwrap();
            assert_eq!(error.kind(), Kind::BadConfig, "{error}");
            assert!(error.message().contains(words) && error.message().contains(key), "{error}");
            assert!(!error.message().contains("hidden"), "{error}");
        }
    }
}
