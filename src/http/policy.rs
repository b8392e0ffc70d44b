//! Which hosts and addresses may be reached, for services that take URIs from their users.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::url::Origin;
use crate::error::{Error, Kind, Result};

/// A range of addresses: those that begin with the first `bits` of `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: u128,
    bits: u32,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u32) -> Network {
    Network { base: Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().to_bits(), bits: 96 + bits }
}

const fn v6(first: u16, bits: u32) -> Network {
    Network { base: (first as u128) << 112, bits }
}

/// Ranges that have a name.  "This host" (0.0.0.0, ::) leads to the loopback interface.
const NAMED: &[(&str, &[Network])] = &[
    ("loopback", &[v4(127, 0, 0, 0, 8), v4(0, 0, 0, 0, 8), Network { base: 0, bits: 127 }]),
    ("link-local", &[v4(169, 254, 0, 0, 16), v6(0xfe80, 10)]),
    (
        "private",
        &[
            v4(10, 0, 0, 0, 8),
            v4(172, 16, 0, 0, 12),
            v4(192, 168, 0, 0, 16),
            v4(100, 64, 0, 0, 10),
            v6(0xfc00, 7),
            v6(0xfec0, 10),
        ],
    ),
    ("multicast", &[v4(224, 0, 0, 0, 4), v4(255, 255, 255, 255, 32), v6(0xff00, 8)]),
];

/// IPv4 addresses that NAT64 gateways, translators and 6to4 reach through an IPv6 address, by the place
/// of the IPv4 address in it.
const EMBEDDED: &[(Network, u32)] = &[
    (Network { base: 0x0064_ff9b << 96, bits: 96 }, 0),
    (Network { base: 0x0064_ff9b_0001 << 80, bits: 48 }, 0),
    (Network { base: 0xffff << 48, bits: 96 }, 0),
    (Network { base: 0x2002 << 112, bits: 16 }, 80),
];

impl Network {
    /// The ranges that a word, an address or an address with a prefix length means.
    pub fn parse(text: &str) -> std::result::Result<Vec<Network>, String> {
        if let Some((_, networks)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(networks.to_vec());
        }
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        let wrong = || {
            format!("{text:?} is neither one of {} nor an address range such as 10.0.0.0/8", names.join(", "))
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (base, longest, offset) = match address {
            IpAddr::V4(address) => (address.to_ipv6_mapped().to_bits(), 32, 96),
            IpAddr::V6(address) => (address.to_bits(), 128, 0),
        };
        let bits = bits.map_or(Ok(longest), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > longest {
            return Err(format!("the prefix length of {text:?} must be 0 to {longest}"));
        }
        Ok(vec![Network { base, bits: offset + bits }])
    }

    fn holds(self, address: u128) -> bool {
        let unimportant = 128 - self.bits;
        self.bits == 0 || (address ^ self.base) >> unimportant == 0
    }
}

/// What locations may reach.
pub struct Policy {
    /// What the names of the options begin with that say this.
    prefix: &'static str,
    /// None may be reached but these; empty: all.  `.example.org` is every host below that domain.
    pub allowed_hosts: Vec<String>,
    pub denied_networks: Vec<Network>,
}

impl Policy {
    /// Everything may be reached.
    pub fn new(prefix: &'static str) -> Self {
        Policy { prefix, allowed_hosts: Vec::new(), denied_networks: Vec::new() }
    }

    /// Adds a host that may be reached.
    pub fn allow(&mut self, name: &str) -> std::result::Result<(), String> {
        if !means_host(name) {
            return Err(format!(
                "{name:?} means no host: write mirror.example.org, *.example.org or an address, without scheme, port and final dot"
            ));
        }
        self.allowed_hosts.push(name.to_owned());
        Ok(())
    }

    pub fn check_host(&self, origin: &Origin) -> Result<()> {
        let host = origin.host.as_str();
        if !self.allowed_hosts.is_empty() && !self.allowed_hosts.iter().any(|allowed| matches(allowed, host))
        {
            let message = format!("the host {host:?} is not one of {}_allowed_hosts", self.prefix);
            return Err(Error::new(Kind::Forbidden, message));
        }
        match host.trim_end_matches('.').parse() {
            Ok(address) => self.check_address(host, address),
            // A proxy may take for an address what is none here.
            Err(_) if ends_in_number(host) && !self.denied_networks.is_empty() => {
                let message = format!(
                    "the host {host:?} is no address that {}_denied_addresses can check (write IPv4 addresses as four decimal numbers)",
                    self.prefix
                );
                Err(Error::new(Kind::Forbidden, message))
            }
            Err(_) => Ok(()),
        }
    }

    pub fn check_address(&self, host: &str, address: IpAddr) -> Result<()> {
        let bits = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        };
        let embedded = EMBEDDED.iter().filter(|(network, _)| network.holds(bits)).map(|(_, shift)| {
            // Keeping the last 32 bits is the point.
            Ipv4Addr::from_bits((bits >> shift) as u32).to_ipv6_mapped().to_bits()
        });
        let mut meant = std::iter::once(bits).chain(embedded);
        if meant.any(|bits| self.denied_networks.iter().any(|network| network.holds(bits))) {
            let message = format!("the address {address} of {host:?} is in {}_denied_addresses", self.prefix);
            return Err(Error::new(Kind::Forbidden, message));
        }
        Ok(())
    }
}

/// Whether a name of the configuration can mean a host.
fn means_host(name: &str) -> bool {
    let domain = name.strip_prefix('*').filter(|domain| domain.starts_with('.')).unwrap_or(name);
    let host = domain.strip_prefix('.').unwrap_or(domain);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '~');
    let is_name = host.split('.').all(|label| !label.is_empty() && label.chars().all(is_plain));
    let address = name.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(name);
    is_name || address.parse::<Ipv6Addr>().is_ok()
}

/// Whether old resolvers take a host, which is in lower case, for an IPv4 address: 127.1, 0x7f000001.
fn ends_in_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Whether a name of the configuration means `host`, which is in lower case.
pub fn matches(name: &str, host: &str) -> bool {
    let (name, host) = (name.to_ascii_lowercase(), host.trim_end_matches('.'));
    match name.strip_prefix('*').unwrap_or(&name) {
        domain if domain.starts_with('.') => host.ends_with(domain) && host.len() > domain.len(),
        exact => host == exact.trim_start_matches('[').trim_end_matches(']'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::url::Scheme;

    fn denied(words: &[&str], address: &str) -> bool {
        let denied_networks = words.iter().flat_map(|word| Network::parse(word).unwrap()).collect();
        let policy = Policy { denied_networks, ..Policy::new("http") };
        let result = policy.check_address("host", address.parse().unwrap());
        if let Err(error) = &result {
            assert_eq!(error.kind(), Kind::Forbidden);
            assert!(error.message().contains("http_denied_addresses"), "{error}");
        }
        result.is_err()
    }

    #[test]
    fn words_and_ranges_deny_their_addresses_in_every_notation() {
        for (word, inside, outside) in [
            (
                "loopback",
                &["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"][..],
                &["128.0.0.1", "::2"][..],
            ),
            (
                "link-local",
                &["169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.0.1"],
                &["169.253.0.1", "fec0::1"],
            ),
            (
                "private",
                &["10.0.0.1", "172.16.0.1", "172.31.9.9", "192.168.1.1", "100.64.0.1", "fd00::1"],
                &["172.32.0.1", "9.9.9.9"],
            ),
            (
                "private",
                &["64:ff9b::10.0.0.1", "2002:a00:1::", "fec0::1"],
                &["64:ff9b::8.8.8.8", "2002:808:808::"],
            ),
            (
                "private",
                &["64:ff9b:1::10.0.0.1", "::ffff:0:10.0.0.1"],
                &["64:ff9b:1::8.8.8.8", "::fffe:0:10.0.0.1"],
            ),
            ("multicast", &["224.0.0.1", "255.255.255.255", "ff02::1"], &["223.0.0.1"]),
            ("192.0.2.0/24", &["192.0.2.77", "::ffff:192.0.2.1"], &["192.0.3.1"]),
            ("192.0.2.1", &["192.0.2.1"], &["192.0.2.2"]),
            ("0.0.0.0/0", &["8.8.8.8"], &["2001:db8::1"]),
            ("::/0", &["8.8.8.8", "2001:db8::1"], &[]),
            ("2001:db8::/32", &["2001:db8:1::1"], &["2001:db9::1"]),
        ] {
            for address in inside {
                assert!(denied(&[word], address), "{word} {address}");
            }
            for address in outside {
                assert!(!denied(&[word], address), "{word} {address}");
            }
        }
        assert!(denied(&["private", "loopback"], "127.0.0.1"));
        assert!(!denied(&[], "127.0.0.1"));
    }

    #[test]
    fn words_that_mean_no_addresses_are_refused() {
        for text in
            ["", "localhost", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/", "10.0.0/8", "::/129", "Loopback"]
        {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_that_only_some_take_for_addresses_are_denied_with_addresses() {
        let careful = Policy { denied_networks: Network::parse("loopback").unwrap(), ..Policy::new("http") };
        let check = |policy: &Policy, host: &str| {
            policy.check_host(&Origin { scheme: Scheme::Http, host: host.into(), port: 80 })
        };
        for host in [
            "2130706433",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "127.0.0.0x1",
            "0177.0.0.1",
            "127.0.0.01",
            "127.0.0.1.",
            "2130706433.",
            "0x",
            "a.1",
        ] {
            assert_eq!(check(&careful, host).unwrap_err().kind(), Kind::Forbidden, "{host}");
            check(&Policy::new("http"), host).unwrap_or_else(|error| panic!("{error}"));
        }
        for host in ["192.0.2.1", "192.0.2.1.", "1.example", "0x7f.example.", "x0", "0xg", "beef"] {
            check(&careful, host).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn names_that_mean_no_host_are_refused() {
        for name in [
            "h",
            "Mirror.example",
            "*.images.example",
            ".cdn.example",
            "192.0.2.1",
            "[::1]",
            "2001:db8::1",
            "a_b",
        ] {
            assert!(means_host(name), "{name}");
        }
        for name in [
            "",
            "*",
            ".",
            "*.",
            "*h",
            "a.*",
            "host:443",
            "host.",
            "..h",
            "a..b",
            "http://h",
            "h/p",
            "[::1]:80",
            "[::1",
            "[h]",
            "*.::1",
            "192.0.2.0/24",
            "bücher.example",
            "a b",
        ] {
            assert!(Policy::new("http").allow(name).unwrap_err().contains("means no host"), "{name}");
        }
    }

    #[test]
    fn only_the_allowed_hosts_may_be_reached() {
        let policy = Policy {
            allowed_hosts: ["Mirror.example", "*.images.example", ".cdn.example", "192.0.2.1", "[::1]"]
                .map(str::to_owned)
                .to_vec(),
            ..Policy::new("http")
        };
        let allows =
            |host: &str| policy.check_host(&Origin { scheme: Scheme::Http, host: host.into(), port: 80 });
        for host in
            ["mirror.example", "mirror.example.", "a.images.example", "a.b.cdn.example", "192.0.2.1", "::1"]
        {
            allows(host).unwrap_or_else(|error| panic!("{error}"));
        }
        for host in [
            "example",
            "images.example",
            "evilmirror.example",
            "x.mirror.example",
            "192.0.2.10",
            ".cdn.example",
        ] {
            assert_eq!(allows(host).unwrap_err().kind(), Kind::Forbidden, "{host}");
        }
    }
}
