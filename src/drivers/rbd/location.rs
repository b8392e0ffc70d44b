//! `rbd://` URIs: `rbd://image`, or `rbd://fsid/pool/image/snapshot` with every part percent-encoded.

use crate::error::{Error, Kind, Result};
use crate::location::{Location, StorageUri};

pub const SCHEMES: &[&str] = &["rbd"];

/// The snapshot that makes an image unchangeable.
pub const SNAPSHOT: &str = "snap";

/// What a location names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// None: the image is in the store's own pool, and means its present state.
    pub within: Option<Within>,
    pub image: String,
}

/// Where an image is, and which state of it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Within {
    pub fsid: String,
    pub pool: String,
    pub snapshot: String,
}

impl Place {
    pub fn parse(uri: &StorageUri) -> Result<Self> {
        if uri.written_scheme() != SCHEMES[0] {
            return Err(uri.bad("the scheme must be written \"rbd\""));
        }
        let parts: Vec<&str> = uri.rest().split('/').collect();
        if parts.contains(&"") {
            return Err(uri.bad("a part of it is empty"));
        }
        if uri.rest().contains('\0') {
            return Err(uri.bad("no name in it can hold a NUL byte"));
        }
        let decoded = |part: &str| decode(part).map_err(|reason| uri.bad(reason));
        match parts[..] {
            [image] => Ok(Place { within: None, image: image.to_owned() }),
            [fsid, pool, image, snapshot] => Ok(Place {
                within: Some(Within {
                    fsid: decoded(fsid)?,
                    pool: decoded(pool)?,
                    snapshot: decoded(snapshot)?,
                }),
                image: decoded(image)?,
            }),
            _ => Err(uri.bad("it must be rbd://image or rbd://fsid/pool/image/snapshot")),
        }
    }

    pub fn of(location: &Location) -> Result<Self> {
        Self::parse(&StorageUri::parse(location.uri())?)
    }

    /// The snapshot that is meant, if any.
    pub fn snapshot(&self) -> Option<&str> {
        self.within.as_ref().map(|within| within.snapshot.as_str())
    }

    pub fn to_location(&self) -> Location {
        let rest = match &self.within {
            None => self.image.clone(),
            Some(Within { fsid, pool, snapshot }) => {
                [fsid, pool, &self.image, snapshot].map(|part| encode(part)).join("/")
            }
        };
        Location::new(SCHEMES[0], format!("{}://{rest}", SCHEMES[0]))
    }
}

/// Every byte but those that RFC 3986 calls unreserved is escaped, as glance_store does.
fn encode(text: &str) -> String {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte);
    text.bytes()
        .map(|byte| if is_unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What is no escape stays as it is.
fn decode(text: &str) -> std::result::Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = rest.get(1..3).filter(|_| *first == b'%').and_then(hex);
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &rest[3..] } else { after };
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => Err("no name in it can hold a NUL byte"),
        Ok(text) => Ok(text),
        Err(_) => Err("a part of it is not UTF-8"),
    }
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u8::from_str_radix(digits, 16).ok()
}

/// Refuses the identifier that no image can have.
pub fn check_image_id(image_id: &str) -> Result<()> {
    match image_id.is_empty() {
        true => Err(Error::new(Kind::Invalid, "the image id is empty")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Place> {
        Place::parse(&StorageUri::parse(text)?)
    }

    #[test]
    fn uris_of_the_reference_have_its_canonical_form() {
        for (text, canonical) in [
            ("rbd://im", "rbd://im"),
            ("rbd://a%2Fb", "rbd://a%2Fb"),
            ("rbd://f/p/i/s", "rbd://f/p/i/s"),
            ("rbd://f%20/p%2Fq/i%41/s", "rbd://f%20/p%2Fq/iA/s"),
            ("rbd://f/p/i @ä/s", "rbd://f/p/i%20%40%C3%A4/s"),
            ("rbd://f/p/100%/s%4", "rbd://f/p/100%25/s%254"),
            ("rbd://f/p/%+1/s", "rbd://f/p/%25%2B1/s"),
        ] {
            let place = parse(text).unwrap();
            let location = place.to_location();
            assert_eq!(location.uri(), canonical, "{text:?}");
            assert_eq!(Place::of(&location).unwrap(), place, "{text:?}");
        }
    }

    #[test]
    fn a_short_uri_is_taken_literally() {
        assert_eq!(parse("rbd://a%2Fb").unwrap(), Place { within: None, image: "a%2Fb".into() });
        assert_eq!(parse("rbd://f/p/a%2Fb/s").unwrap().image, "a/b");
    }

    #[test]
    fn other_uris_are_refused() {
        for text in [
            "rbd://",
            "rbd:///a",
            "rbd://a/b",
            "rbd://a/b/c",
            "rbd://a/b/c/d/e",
            "rbd://a/b/c/",
            "RBD://a",
            "rbd:x",
            "rbd://f/p/%FF/s",
            "rbd://f/p/a%00/s",
            "rbd://a\0b",
        ] {
            assert_eq!(parse(text).unwrap_err().kind(), Kind::BadUri, "{text:?}");
        }
    }

    #[test]
    fn ids_that_cannot_be_images_are_refused() {
        for id in ["a", "a/b", "a@b", "ä ö", "%", "a\nb", &"x".repeat(500)] {
            check_image_id(id).unwrap();
        }
        assert_eq!(check_image_id("").unwrap_err().kind(), Kind::Invalid);
    }
}
