//! The options of the http driver: glance_store's three, and our own.

use crate::config::{OptionKind, OptionSpec, Options};
use crate::error::Result;
use crate::http::{ClientOptions, Proxies, Settings, Tls, Trust, client_options};

const CA_FILE: &str = "https_ca_certificates_file";
const INSECURE: &str = "https_insecure";
const PROXIES: &str = "http_proxy_information";
const USE_ENVIRONMENT_PROXY: &str = "http_use_environment_proxy";
const MAX_REDIRECTS: &str = "http_max_redirects";
const ALLOW_DOWNGRADE: &str = "http_allow_downgrade";
pub const CLIENT_OPTIONS: &[OptionSpec] = client_options!("http");

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
    OptionSpec::new(
        MAX_REDIRECTS,
        OptionKind::Int { min: Some(1), max: Some(50) },
        "How many answers in a row may be redirects before that is an error: 5 follows four of them",
    )
    .with_default("5"),
    OptionSpec::new(ALLOW_DOWNGRADE, OptionKind::Bool, "Whether a redirect may lead from https to http")
        .with_default("false"),
];

/// The client's settings.  Fails where the configuration asks for what cannot be.
pub fn settings(options: &Options) -> Result<Settings> {
    let redirects = options.int(MAX_REDIRECTS).and_then(|most| u32::try_from(most).ok());
    Ok(Settings {
        max_redirects: redirects.unwrap_or_default(),
        allow_downgrade: options.bool(ALLOW_DOWNGRADE),
        ..client(options).settings(tls(options)?, proxies(options)?)?
    })
}

/// What this driver's options have in common with those of others.
pub fn client(options: &Options) -> ClientOptions<'_> {
    ClientOptions::new(options, "http")
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use crate::config::registry_options::TRANSFER;
    use crate::config::{Config, Scope, assert_sound};
    use crate::error::Kind;

    fn options(settings: &[(&str, &str)]) -> Options {
        let mut config = Config::new();
        for (key, value) in settings {
            config.set(Some("web"), key, value).unwrap();
        }
        config.resolve(&Scope::new(&["web"]), &[OPTIONS, CLIENT_OPTIONS, TRANSFER]).unwrap()
    }

    #[test]
    fn the_table_is_sound() {
        assert_sound(&[OPTIONS, CLIENT_OPTIONS, TRANSFER]);
    }

    #[test]
    fn defaults_are_careful() {
        let options = options(&[]);
        let settings = settings(&options).unwrap();
        assert_eq!(settings.connector.connect_timeout, Some(Duration::from_secs(10)));
        assert_eq!(settings.connector.read_timeout, Some(Duration::from_secs(60)));
        assert_eq!(client(&options).manner().limit, Some(Duration::from_secs(86400)));
        assert_eq!((settings.retry.retries, settings.max_redirects), (4, 5));
        assert!(!settings.allow_downgrade);
        assert_eq!(client(&options).cache_memory(), 32 << 20);
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
            (connector.connect_timeout, connector.read_timeout, client(&options).manner().limit),
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
            ("http_allowed_hosts", "mirror.example, *", "\"*\" means no host"),
            ("http_allowed_hosts", "mirror.example:443", "without scheme, port"),
            ("http_denied_addresses", "loopback, everything", "\"everything\" is neither"),
            ("http_denied_addresses", "10.0.0.0/40", "0 to 32"),
        ] {
            let error = settings(&options(&[(key, value)])).err().unwrap();
            assert_eq!(error.kind(), Kind::BadConfig, "{error}");
            assert!(error.message().contains(words) && error.message().contains(key), "{error}");
            assert!(!error.message().contains("hidden"), "{error}");
        }
    }
}
