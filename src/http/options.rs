//! The options that every driver has which speaks HTTP, each under the driver's own prefix.

use std::time::Duration;

use super::client::Settings;
use super::connect::Connector;
use super::download::Manner;
use super::policy::{Network, Policy};
use super::proxy::Proxies;
use super::retry::RetryPolicy;
use super::tls::Tls;
use crate::config::Options;
use crate::error::Result;

/// Thirty years are for ever, and fit into every clock.
pub const MAX_SECONDS: i64 = 1_000_000_000;

/// Two gigabits per second: what is slower, more connections may speed up.
const FAST: u64 = 250_000_000;

/// How often one request may be redirected, where that is no option.
const MAX_REDIRECTS: u32 = 5;

/// The table of these options for a driver whose options begin with `$prefix` and an underscore.
macro_rules! client_options {
    ($prefix:literal) => {{
        use $crate::config::{OptionKind, OptionSpec};
        const SECONDS: OptionKind =
            OptionKind::Int { min: Some(0), max: Some($crate::http::MAX_SECONDS) };
        const TABLE: &[OptionSpec] = &[
            OptionSpec::new(
                concat!($prefix, "_connect_timeout"),
                SECONDS,
                "Seconds that making a connection may take; 0 is for ever",
            )
            .with_default("10"),
            OptionSpec::new(
                concat!($prefix, "_read_timeout"),
                SECONDS,
                "Seconds that a server may be silent; 0 is for ever",
            )
            .with_default("60"),
            OptionSpec::new(
                concat!($prefix, "_total_timeout"),
                SECONDS,
                "Seconds that one download may take in all; 0 is for ever",
            )
            .with_default("86400"),
            OptionSpec::new(
                concat!($prefix, "_retries"),
                OptionKind::Int { min: Some(0), max: Some(100) },
                "How often a request is tried again that failed for a reason that may pass",
            )
            .with_default("4"),
            OptionSpec::new(
                concat!($prefix, "_connections"),
                OptionKind::Int { min: Some(1), max: Some(64) },
                "How many connections a slow download uses at most, each for another range, where the server serves ranges",
            )
            .with_default("4"),
            OptionSpec::new(
                concat!($prefix, "_allowed_hosts"),
                OptionKind::List,
                "The hosts that locations and redirects may lead to, *.example.org for all below a domain; none set is all",
            ),
            OptionSpec::new(
                concat!($prefix, "_denied_addresses"),
                OptionKind::List,
                "Addresses that locations and redirects may not lead to: loopback, link-local, private, multicast, 192.0.2.0/24",
            ),
        ];
        TABLE
    }};
}

pub(crate) use client_options;

/// The values of these options for one store.
pub struct ClientOptions<'a> {
    options: &'a Options,
    prefix: &'static str,
}

impl<'a> ClientOptions<'a> {
    pub fn new(options: &'a Options, prefix: &'static str) -> Self {
        ClientOptions { options, prefix }
    }

    /// A client's settings.  Fails where the configuration asks for what cannot be.
    pub fn settings(&self, tls: Tls, proxies: Proxies) -> Result<Settings> {
        Ok(Settings {
            connector: Connector {
                tls,
                proxies,
                policy: self.policy()?,
                connect_timeout: self.seconds("connect_timeout"),
                read_timeout: self.seconds("read_timeout"),
            },
            retry: RetryPolicy { retries: self.number("retries"), pause: Duration::from_millis(200) },
            max_redirects: MAX_REDIRECTS,
            allow_downgrade: false,
            prefix: self.prefix,
        })
    }

    /// How images are downloaded.
    pub fn manner(&self) -> Manner {
        Manner {
            connections: self.number("connections") as usize,
            fast: FAST,
            limit: self.seconds("total_timeout"),
        }
    }

    /// How much of its image a reader keeps: half of what a transfer may use, in bytes.
    pub fn cache_memory(&self) -> u64 {
        self.options.int("transfer_memory").and_then(|value| u64::try_from(value).ok()).unwrap_or_default()
            << 19
    }

    fn policy(&self) -> Result<Policy> {
        let mut policy = Policy::new(self.prefix);
        let (allowed, denied) = (self.name("allowed_hosts"), self.name("denied_addresses"));
        for host in self.words(&allowed) {
            policy.allow(host).map_err(|reason| self.options.bad(&allowed, reason))?;
        }
        for range in self.words(&denied) {
            let networks = Network::parse(range).map_err(|reason| self.options.bad(&denied, reason))?;
            policy.denied_networks.extend(networks);
        }
        Ok(policy)
    }

    fn name(&self, option: &str) -> String {
        format!("{}_{option}", self.prefix)
    }

    fn words(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.options.list(name).iter().map(|word| word.trim()).filter(|word| !word.is_empty())
    }

    fn number(&self, option: &str) -> u32 {
        let value = self.options.int(&self.name(option));
        value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default()
    }

    fn seconds(&self, option: &str) -> Option<Duration> {
        Some(Duration::from_secs(self.number(option).into())).filter(|timeout| !timeout.is_zero())
    }
}
