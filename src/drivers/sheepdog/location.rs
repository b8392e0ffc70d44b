//! `sheepdog` URIs as locations: `sheepdog://address:port:image`, and `sheepdog://image` for an image on
//! the configured daemon.

use super::address::Address;
use crate::error::{Error, Kind, Result};
use crate::location::{Location, StorageUri, shorten};

pub const SCHEMES: &[&str] = &["sheepdog"];

/// The longest name that a VDI can have, in bytes.
const NAME_MAX: usize = 255;

/// An image of a cluster.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    pub address: Address,
    pub image: String,
}

/// The location of a URI, which always names the daemon.
pub fn locate(uri: &StorageUri, configured: &Address) -> Result<Location> {
    parse(uri, configured).map(|place| location_of(&place.address, &place.image))
}

pub fn location_of(address: &Address, image: &str) -> Location {
    Location::new("sheepdog", format!("sheepdog://{address}:{image}"))
}

/// The image of a location of this driver.
pub fn place_of(location: &Location, configured: &Address) -> Result<Place> {
    parse(&StorageUri::parse(location.uri())?, configured)
}

fn parse(uri: &StorageUri, configured: &Address) -> Result<Place> {
    let rest = uri.rest();
    let (host, behind) = match rest.find(']').filter(|_| rest.starts_with('[')) {
        Some(end) => rest.split_at(end + 1),
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let place = match behind.strip_prefix(':') {
        None if rest.starts_with('[') => Err("an address is followed by \":port:image\""),
        None => Ok(Place { address: configured.clone(), image: rest.to_owned() }),
        Some(behind) => match behind.split_once(':') {
            None => Err("it must be sheepdog://address:port:image or sheepdog://image"),
            Some((port, image)) => number(port)
                .and_then(|port| Address::new(host, port).map_err(|_| "its address is none"))
                .map(|address| Place { address, image: image.to_owned() }),
        },
    };
    let place = place.map_err(|reason| uri.bad(reason))?;
    match oddity(&place.image) {
        None => Ok(place),
        Some(reason) => Err(uri.bad(&format!("the image's name {reason}"))),
    }
}

fn number(port: &str) -> std::result::Result<u16, &'static str> {
    const REASON: &str = "the port must be a number from 1 to 65535";
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| is_number && *port > 0).ok_or(REASON)
}

/// Why no VDI can have that name, or no URI would lead to it.
fn oddity(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if name.len() > NAME_MAX {
        return Some("is longer than 255 bytes");
    }
    name.chars().any(char::is_control).then_some("holds a control character")
}

/// Refuses identifiers that the cluster would cut, or that no URI would lead back to.
pub fn check_image_id(image_id: &str) -> Result<()> {
    match oddity(image_id) {
        None => Ok(()),
        Some(reason) => {
            Err(Error::new(Kind::Invalid, format!("the image id {:?} {reason}", shorten(image_id))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured() -> Address {
        Address::new("10.0.0.1", 7001).unwrap()
    }

    fn canonical(text: &str) -> Result<String> {
        locate(&StorageUri::parse(text)?, &configured()).map(|location| location.uri().to_owned())
    }

    #[test]
    fn uris_of_the_reference_have_its_canonical_form() {
        for (text, expected) in [
            ("sheepdog://127.0.0.1:7000:img", "sheepdog://127.0.0.1:7000:img"),
            ("SHEEPDOG://127.0.0.1:7000:img", "sheepdog://127.0.0.1:7000:img"),
            ("sheepdog://Host-1.example:65535:img", "sheepdog://host-1.example:65535:img"),
            ("sheepdog://img", "sheepdog://10.0.0.1:7001:img"),
            ("sheepdog://[::1]:7000:img", "sheepdog://[::1]:7000:img"),
            ("sheepdog://[0:0::1]:7000:img", "sheepdog://[::1]:7000:img"),
            ("sheepdog://127.0.0.1:7000:a:b", "sheepdog://127.0.0.1:7000:a:b"),
            ("sheepdog://127.0.0.1:7000:a b/ü@c?d#e", "sheepdog://127.0.0.1:7000:a b/ü@c?d#e"),
        ] {
            assert_eq!(canonical(text).unwrap(), expected, "{text:?}");
            assert_eq!(canonical(expected).unwrap(), expected);
        }
        let place = place_of(&location_of(&configured(), "a:b"), &configured()).unwrap();
        assert_eq!(place, Place { address: configured(), image: "a:b".to_owned() });
    }

    #[test]
    fn uris_that_lead_nowhere_are_refused() {
        let longest = format!("sheepdog://{}", "n".repeat(255));
        assert!(canonical(&longest).is_ok());
        for text in [
            "sheepdog://",
            "sheepdog://a:b",
            "sheepdog://a:b:img",
            "sheepdog://a::img",
            "sheepdog://a:0:img",
            "sheepdog://a:+1:img",
            "sheepdog://a:65536:img",
            "sheepdog://a:7000:",
            "sheepdog://:7000:img",
            "sheepdog://::1:7000:img",
            "sheepdog://[::1]",
            "sheepdog://[::1]7000:img",
            "sheepdog://[::1]:7000",
            "sheepdog://[::1:7000:img",
            "sheepdog://[host]:7000:img",
            "sheepdog://u@h:7000:img",
            "sheepdog://h/x:7000:img",
            "sheepdog://127.0.0.1:7000:a\u{1}b",
            &format!("{longest}n"),
        ] {
            let error = canonical(text).err().unwrap_or_else(|| panic!("{text:?} is taken"));
            assert_eq!(error.kind(), Kind::BadUri, "{text:?}");
        }
    }

    #[test]
    fn ids_are_those_that_a_uri_leads_back_to() {
        for (id, fits) in [
            ("a", true),
            (&*"n".repeat(255), true),
            (&*"n".repeat(256), false),
            (&*"ü".repeat(128), false),
            ("", false),
            ("a\nb", false),
            ("a\0b", false),
        ] {
            assert_eq!(check_image_id(id).is_ok(), fits, "{id:?}");
        }
    }
}
