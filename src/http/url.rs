//! `http` and `https` URLs: parsed strictly where they decide whom we talk to, and otherwise kept as
//! they were written, because signed URLs do not survive being tidied.

use std::fmt::Write;
use std::net::Ipv6Addr;

use zeroize::Zeroizing;

use crate::secret::{HIDDEN, Secret};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn named(name: &str) -> Option<Self> {
        [Scheme::Http, Scheme::Https].into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }

    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Whom a URL leads to: what credentials are bound to, and what connections are kept for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    pub scheme: Scheme,
    /// In lower case, IPv6 addresses without brackets.
    pub host: String,
    pub port: u16,
}

/// A user and a password as a URL has them, still with their escapes.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(Secret);

impl Credentials {
    /// User and password as they are sent: without escapes, joined by a colon.  They may be in any
    /// encoding.
    pub fn decoded(&self) -> Zeroizing<Vec<u8>> {
        let (user, password) = self.0.expose().split_once(':').unwrap_or((self.0.expose(), ""));
        Zeroizing::new([&unescape(user)[..], b":", &unescape(password)].concat())
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    origin: Origin,
    credentials: Option<Credentials>,
    /// Host and port as they were written.
    authority: String,
    /// Path and query as they were written.
    target: String,
}

/// Why a text is no URL that this client can follow.
pub type Reason = &'static str;

impl Url {
    /// Parses what follows `scheme://`.
    pub fn parse(scheme: Scheme, rest: &str) -> Result<Self, Reason> {
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo).filter(|text| !text.is_empty()), host_port),
            None => (None, authority),
        };
        let (host, port) = split_port(host_port)?;
        check_host(host)?;
        let port_number = match port {
            "" => scheme.default_port(),
            digits => parse_port(digits)?,
        };
        let bare_host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Url {
            origin: Origin { scheme, host: bare_host.to_ascii_lowercase(), port: port_number },
            credentials: userinfo.map(|text| Credentials(Secret::new(text))),
            authority: host_port.trim_end_matches(':').to_owned(),
            target: target.strip_suffix('?').unwrap_or(target).to_owned(),
        })
    }

    /// The URL that a `Location` header leads to.  Credentials go along only within the origin.
    pub fn join(&self, reference: &str) -> Result<Self, Reason> {
        let reference = reference.trim().split('#').next().unwrap_or_default();
        if let Some((scheme, rest)) = split_scheme(reference) {
            let scheme = Scheme::named(scheme).ok_or("it is neither http nor https")?;
            let rest = rest.strip_prefix("//").ok_or("it names no host")?;
            return Ok(Url::parse(scheme, rest)?.inherit(self));
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Ok(Url::parse(self.origin.scheme, rest)?.inherit(self));
        }
        let (path, query) = self.target.split_at(self.target.find('?').unwrap_or(self.target.len()));
        let target = match reference.as_bytes().first() {
            None => format!("{path}{query}"),
            Some(b'?') => format!("{path}{reference}"),
            Some(b'/') => without_dots(reference),
            Some(_) => {
                without_dots(&format!("{}{reference}", &path[..path.rfind('/').map_or(0, |at| at + 1)]))
            }
        };
        Ok(Url { target, ..self.clone() })
    }

    fn inherit(mut self, from: &Url) -> Self {
        if self.credentials.is_none() && self.origin == from.origin {
            self.credentials = from.credentials.clone();
        }
        self
    }

    /// Another path and query of the same server.
    pub fn with_target(&self, target: &str) -> Self {
        Url { target: target.to_owned(), ..self.clone() }
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Host and, unless it is left to the scheme, port: what the `Host` header says.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The canonical text; it may hold credentials.
    pub fn to_uri(&self) -> String {
        let userinfo = self.credentials.as_ref().map(|credentials| format!("{}@", credentials.0.expose()));
        let userinfo = userinfo.unwrap_or_default();
        format!("{}://{userinfo}{}{}", self.origin.scheme.name(), self.authority, self.target)
    }

    /// The path and query of the request line: what was written, with that escaped which no request
    /// line can hold.
    pub fn request_target(&self) -> String {
        let written = self.target.as_bytes();
        let mut target = String::with_capacity(written.len() + 1);
        if !self.target.starts_with('/') {
            target.push('/');
        }
        for (at, byte) in written.iter().enumerate() {
            let legal = match byte {
                b'%' => is_escape(&written[at..]),
                _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?[]".contains(byte),
            };
            if legal {
                target.push(char::from(*byte));
            } else {
                // Writing to a String does not fail.
                let _ = write!(target, "%{byte:02X}");
            }
        }
        target
    }
}

impl std::fmt::Display for Url {
    /// Without credentials and query.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        write!(f, "{}://{}{path}", self.origin.scheme.name(), self.authority)?;
        if query.is_empty() { Ok(()) } else { write!(f, "?{HIDDEN}") }
    }
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some((scheme, rest))
}

/// Host, with the brackets of an IPv6 address, and the port's digits, if any.
fn split_port(host_port: &str) -> Result<(&str, &str), Reason> {
    if !host_port.starts_with('[') {
        return Ok(host_port.split_once(':').unwrap_or((host_port, "")));
    }
    let end = host_port.find(']').ok_or("the IPv6 address has no closing bracket")? + 1;
    let (host, port) = host_port.split_at(end);
    match port.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if port.is_empty() => Ok((host, "")),
        None => Err("only a port may follow an IPv6 address"),
    }
}

fn check_host(host: &str) -> Result<(), Reason> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.trim_end_matches(']');
        return match address.parse::<Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("the text in brackets is not an IPv6 address"),
        };
    }
    if host.is_empty() {
        return Err("it names no host");
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    if host.chars().all(is_plain) {
        Ok(())
    } else {
        Err("the host may have letters, digits, '.', '-' and '_' (write international names as xn--...)")
    }
}

fn parse_port(digits: &str) -> Result<u16, Reason> {
    let port = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    port.filter(|port| *port > 0).ok_or("the port must be a number from 1 to 65535")
}

fn is_escape(text: &[u8]) -> bool {
    matches!(text, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

fn unescape(text: &str) -> Zeroizing<Vec<u8>> {
    let mut rest = text.as_bytes();
    let mut bytes = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some(byte) = rest.first() {
        let digits =
            rest.get(1..3).filter(|_| is_escape(rest)).and_then(|digits| str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*byte));
        rest = &rest[if escaped.is_some() { 3 } else { 1 }..];
    }
    bytes
}

/// A path with its `.` and `..` steps taken, its query untouched.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut steps: Vec<&str> = Vec::new();
    let mut segments = path.trim_start_matches('/').split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    steps.pop();
                }
                if is_last {
                    steps.push("");
                }
            }
            _ => steps.push(segment),
        }
    }
    format!("/{}{query}", steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        try_url(text).unwrap_or_else(|reason| panic!("{text}: {reason}"))
    }

    fn try_url(text: &str) -> Result<Url, Reason> {
        let (scheme, rest) = text.split_once("://").unwrap();
        Url::parse(Scheme::named(scheme).unwrap(), rest)
    }

    #[test]
    fn urls_stay_as_they_were_written() {
        for text in [
            "http://netloc/path/to/file.tar.gz?query=text",
            "http://127.0.0.1:8000/ubuntu.iso",
            "http://openstack.com:80/ubuntu.iso",
            "http://[1080::8:800:200C:417A]:80/ubuntu.iso",
            "https://Mirror.example/a%2Fb/%7Efoo;p=1?X=%20&sig=a+b/c==",
            "http://u:p@h/p",
            "http://u@h/p",
            "http://u:p:q@h/p",
            "http://u:p@q@h/p",
            "http://user:pa%40ss@h/ok",
            "http://h",
            "http://h?q",
        ] {
            assert_eq!(url(text).to_uri(), text);
        }
        for (text, canonical) in [
            ("http://h/p#fragment", "http://h/p"),
            ("http://h/p?", "http://h/p"),
            ("http://@h/p", "http://h/p"),
            ("http://h:/p", "http://h/p"),
        ] {
            assert_eq!(url(text).to_uri(), canonical);
        }
    }

    #[test]
    fn texts_that_lead_nowhere_are_refused() {
        for text in [
            "http://",
            "http:///p",
            "http://:80/p",
            "http://u:p@/p",
            "http://h:0/p",
            "http://h:65536/p",
            "http://h:+1/p",
            "http://h:~/p",
            "http://h:80:90/p",
            "http://h:١/p",
            "http://a b/p",
            "http://bücher.example/p",
            "http://[::1/p",
            "http://[zz]/p",
            "http://[::1]80/p",
            "http://[1080::8:800:200C:417A]:some_text/p",
            "http://h%2Fx/p",
        ] {
            assert!(try_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_origin_has_the_port_and_no_case() {
        for (text, host, port) in [
            ("http://H.example/", "h.example", 80),
            ("https://h", "h", 443),
            ("https://u:p@h:8443", "h", 8443),
            ("http://[::1]:81/", "::1", 81),
            ("http://a@b@h/", "h", 80),
        ] {
            let origin = url(text).origin;
            assert_eq!((origin.host.as_str(), origin.port), (host, port), "{text}");
        }
    }

    #[test]
    fn request_lines_keep_escapes_and_escape_what_they_cannot_hold() {
        for (text, target) in [
            ("http://h", "/"),
            ("http://h?q=1", "/?q=1"),
            ("http://h/%7Efoo/%20x%2Fy%41?a=%3D", "/%7Efoo/%20x%2Fy%41?a=%3D"),
            ("http://h/a b?c=d e", "/a%20b?c=d%20e"),
            ("http://h/é", "/%C3%A9"),
            ("http://h/%zz%4", "/%25zz%254"),
            ("http://h/a|b\"c", "/a%7Cb%22c"),
            ("http://h/a\u{1}\u{7f}", "/a%01%7F"),
            ("http://h/a;p=1", "/a;p=1"),
        ] {
            assert_eq!(url(text).request_target(), target, "{text}");
        }
    }

    #[test]
    fn credentials_end_at_the_first_colon_and_lose_their_escapes() {
        for (text, sent) in [
            ("http://u:p@h", &b"u:p"[..]),
            ("http://u@h", b"u:"),
            ("http://:p@h", b":p"),
            ("http://u:a:b@c@h", b"u:a:b@c"),
            ("http://user:pa%40ss%3a@h", b"user:pa@ss:"),
            ("http://u:%zz%4@h", b"u:%zz%4"),
            ("http://u:caf%E9@h", b"u:caf\xe9"),
        ] {
            assert_eq!(*url(text).credentials().unwrap().decoded(), sent, "{text}");
        }
        assert!(url("http://@h").credentials().is_none());
    }

    #[test]
    fn references_are_resolved_against_the_url() {
        let base = url("http://u:p@h:81/a/b?q=1");
        for (reference, expected) in [
            ("https://other/x?y", "https://other/x?y"),
            ("HTTP://other", "http://other"),
            ("//other/x", "http://other/x"),
            ("/x/y?z", "http://u:p@h:81/x/y?z"),
            ("x", "http://u:p@h:81/a/x"),
            ("./x", "http://u:p@h:81/a/x"),
            ("../x", "http://u:p@h:81/x"),
            ("../../../x/..", "http://u:p@h:81/"),
            ("/a/./b/../c", "http://u:p@h:81/a/c"),
            ("?z", "http://u:p@h:81/a/b?z"),
            ("", "http://u:p@h:81/a/b?q=1"),
            ("#f", "http://u:p@h:81/a/b?q=1"),
            (" /x ", "http://u:p@h:81/x"),
            ("x?a=../b", "http://u:p@h:81/a/x?a=../b"),
        ] {
            assert_eq!(
                base.join(reference).unwrap_or_else(|e| panic!("{e}")).to_uri(),
                expected,
                "{reference}"
            );
        }
        for reference in ["file:///etc/passwd", "ftp://h/x", "http:x", "http://", "http://h:x/", "mailto:a@b"]
        {
            assert!(base.join(reference).is_err(), "{reference}");
        }
    }

    #[test]
    fn credentials_go_along_only_within_the_origin() {
        let base = url("http://u:p@h/a");
        for (reference, expected) in [
            ("http://h/b", "http://u:p@h/b"),
            ("http://H:80/b", "http://u:p@H:80/b"),
            ("http://h:81/b", "http://h:81/b"),
            ("https://h/b", "https://h/b"),
            ("http://other/b", "http://other/b"),
            ("http://v:w@other/b", "http://v:w@other/b"),
            ("http://v:w@h/b", "http://v:w@h/b"),
        ] {
            assert_eq!(base.join(reference).unwrap_or_else(|e| panic!("{e}")).to_uri(), expected);
        }
    }

    #[test]
    fn the_printed_form_has_no_secrets() {
        assert_eq!(url("https://u:secret@h/p?sig=secret#secret").to_string(), "https://h/p?***");
    }
}
