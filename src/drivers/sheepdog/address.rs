//! Where a daemon listens.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Host and port of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name, or an address without brackets.
    host: String,
    port: u16,
}

impl Address {
    /// Of a host name, an IPv4 address, or an IPv6 address with or without brackets.
    pub fn new(host: &str, port: u16) -> Result<Self, &'static str> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_v6 = bare.unwrap_or(host).parse::<Ipv6Addr>().is_ok();
        if bare.is_some() && !is_v6 {
            return Err("only an IPv6 address can stand in brackets");
        }
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty() || !is_v6 && !host.chars().all(is_plain) {
            return Err("must be a host name or an address, without scheme and port");
        }
        if port == 0 {
            return Err("no daemon listens on port 0");
        }
        // One spelling for each address, so that equal ones are found equal.
        let bare = bare.unwrap_or(host);
        let host = bare.parse::<IpAddr>().map_or_else(|_| bare.to_ascii_lowercase(), |ip| ip.to_string());
        Ok(Address { host, port })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

/// As URIs have it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}
