//! `swift` URIs as locations: where an image is, and who may fetch it there.

use std::fmt::Write;

use zeroize::Zeroizing;

use super::account::Address;
use super::layout;
use crate::error::{Error, Kind, Result};
use crate::http::Scheme;
use crate::location::{Location, StorageUri, shorten};
use crate::secret::Secret;

pub const SCHEMES: &[&str] = &["swift+https", "swift", "swift+http", CONFIG_SCHEME];

pub const CONFIG_SCHEME: &str = "swift+config";

/// A location of this driver, taken apart.
pub struct SwiftLocation {
    pub via: Via,
    pub container: String,
    pub object: String,
}

/// What leads to the container.
pub enum Via {
    /// An account that the configuration has under this name.
    Reference(String),
    /// Where tokens are to be had, with what to ask for them.
    Credentials { address: Address, user: String, key: Secret },
    /// An address alone: of the configured account's tokens or, with many tenants, of a storage account.
    Address(Address),
}

/// The location of a URI, in the form that is built here.
pub fn locate(uri: &StorageUri) -> Result<Location> {
    let location = SwiftLocation::parse(uri)?;
    Ok(Location::new(uri.scheme(), location.to_uri(uri.scheme())))
}

/// A location of this driver, taken apart again.
pub fn parts_of(location: &Location) -> Result<SwiftLocation> {
    SwiftLocation::parse(&StorageUri::parse(location.uri())?)
}

impl SwiftLocation {
    fn parse(uri: &StorageUri) -> Result<Self> {
        Self::split(uri.scheme(), uri.rest()).map_err(|reason| uri.bad(reason))
    }

    fn split(scheme: &str, rest: &str) -> std::result::Result<Self, &'static str> {
        if rest.contains("://") {
            return Err("a second \"://\" is none of an address: write swift+http or swift+https in front");
        }
        let (userinfo, rest) = split_userinfo(scheme, rest)?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (path, object) = path.trim_start_matches('/').rsplit_once('/').ok_or("it must end in /container/object")?;
        let (below, container) = path.rsplit_once('/').map_or(("", path), |(below, container)| (below, container));
        if !is_name(container) || !is_name(object) {
            return Err("container and object need names that are no steps of a path");
        }
        let via = via(scheme, userinfo, host, below)?;
        Ok(SwiftLocation { via, container: container.to_owned(), object: object.to_owned() })
    }

    /// The URI.  What was written in another way is written here as the next release reads it.
    fn to_uri(&self, scheme: &str) -> String {
        let SwiftLocation { via, container, object } = self;
        let before = match via {
            Via::Reference(name) => name.clone(),
            Via::Credentials { address, user, key } => {
                format!("{}:{}@{}", quoted(user), quoted(key.expose()), address.text)
            }
            Via::Address(address) => address.text.clone(),
        };
        format!("{scheme}://{before}/{container}/{object}")
    }
}

fn via(scheme: &str, userinfo: Option<&str>, host: &str, below: &str) -> std::result::Result<Via, &'static str> {
    if scheme == CONFIG_SCHEME {
        return match (userinfo, host.is_empty(), below.is_empty()) {
            (None, false, true) => Ok(Via::Reference(host.to_owned())),
            _ => Err("it must be swift+config://account/container/object"),
        };
    }
    let plain = if scheme == "swift+http" { Scheme::Http } else { Scheme::Https };
    let address = Address::new(plain, &if below.is_empty() { host.to_owned() } else { format!("{host}/{below}") });
    address.url()?;
    match userinfo {
        None => Ok(Via::Address(address)),
        Some(userinfo) => {
            let (user, key) = user_and_key(userinfo)?;
            Ok(Via::Credentials { address, user, key })
        }
    }
}

/// What stands before the `@`, and what behind.
///
/// glance_store writes a `/` of a key as it is: such a key is told from a host by what stands before the `/`.
fn split_userinfo<'a>(scheme: &str, rest: &'a str) -> std::result::Result<(Option<&'a str>, &'a str), &'static str> {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match authority.matches('@').count() {
        0 if scheme != CONFIG_SCHEME && !is_host(authority) => match rest.split_once('@') {
            Some((userinfo, behind)) => Ok((Some(userinfo), behind)),
            None => Ok((None, rest)),
        },
        0 => Ok((None, rest)),
        1 => Ok(rest.split_once('@').map_or((None, rest), |(userinfo, behind)| (Some(userinfo), behind))),
        _ => Err("more than one \"@\": write those of a user or key as %40"),
    }
}

/// Whether it is a host, perhaps with a port, rather than the beginning of user and key.
fn is_host(authority: &str) -> bool {
    let (_, port) = authority.rsplit_once(']').unwrap_or(("", authority));
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    !authority.contains('%') && port.split_once(':').is_none_or(|(_, port)| digits(port))
}

/// The last colon separates; where all are escaped, the last of these.
fn user_and_key(userinfo: &str) -> std::result::Result<(String, Secret), &'static str> {
    let (user, key) = match userinfo.rsplit_once(':') {
        Some((user, key)) => (unquoted(user)?, unquoted(key)?),
        None => {
            let plain = unquoted(userinfo)?;
            let parts = plain.expose().rsplit_once(':').map(|(user, key)| (Secret::new(user), Secret::new(key)));
            parts.ok_or("the credentials must be user:key or project:user:key")?
        }
    };
    if user.expose().is_empty() || key.expose().is_empty() {
        return Err("the credentials need both a user and a key");
    }
    Ok((user.expose().to_owned(), key))
}

fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
}

/// A text with everything escaped that has a meaning in a URI.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(quoted, "%{byte:02X}");
        }
    }
    quoted
}

/// A text without escapes; what is none stays.
pub fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&unescaped(text)).into_owned()
}

fn unquoted(text: &str) -> std::result::Result<Secret, &'static str> {
    str::from_utf8(&unescaped(text)).map(Secret::new).map_err(|_| "the credentials are not UTF-8 text")
}

fn unescaped(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let escaped = digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    bytes
}

/// Where a new image is: in an account that the configuration names.
pub fn by_reference(reference: &str, container: &str, object: &str) -> Location {
    built(CONFIG_SCHEME, Via::Reference(reference.to_owned()), container, object)
}

/// Where a new image is: with the address and, unless others are used, the credentials in the URI.
pub fn by_address(address: &Address, login: Option<(&str, &Secret)>, container: &str, object: &str) -> Location {
    let scheme = match address.scheme {
        Scheme::Http => "swift+http",
        Scheme::Https => "swift+https",
    };
    let address = address.clone();
    let via = match login {
        Some((user, key)) => Via::Credentials { address, user: user.to_owned(), key: key.clone() },
        None => Via::Address(address),
    };
    built(scheme, via, container, object)
}

fn built(scheme: &str, via: Via, container: &str, object: &str) -> Location {
    let location = SwiftLocation { via, container: container.to_owned(), object: object.to_owned() };
    Location::new(scheme, location.to_uri(scheme))
}

/// Refuses ids whose location would not lead back to them.
pub fn check_image_id(image_id: &str) -> Result<()> {
    let bad = |reason: &str| {
        let shown = shorten(image_id);
        Err(Error::new(Kind::Invalid, format!("the image id {shown:?} cannot be used: {reason}")))
    };
    if !is_name(image_id) {
        return bad("it is empty or a step of a path");
    }
    if image_id.contains(['/', '?', '#']) || image_id.contains("://") {
        return bad("its location would not lead back to it");
    }
    if image_id.contains(char::is_control) {
        return bad("it has a control character");
    }
    if layout::is_like_segment(image_id) {
        return bad("it ends like a segment of another image");
    }
    // Swift's limit is 1024 bytes, and segments add to the name.
    if image_id.len() > 1000 {
        return bad("it is longer than 1000 bytes");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
