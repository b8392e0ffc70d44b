//! `s3` URIs.  They name host, bucket and key; those that glance_store wrote before 5.7 hold both keys as well,
//! with nothing escaped, so the last `@` ends them and the first `:` separates them.

use super::credentials::Keys;
use crate::error::{Error, Kind, Result};
use crate::http::{Scheme, Url};
use crate::location::{Location, StorageUri, shorten};
use crate::secret::Secret;

pub const SCHEMES: &[&str] = &["s3", "s3+http", "s3+https"];

/// Where an image is, as its URI tells.
pub struct Place {
    scheme: String,
    /// What glance_store put into its URIs.
    pub keys: Option<Keys>,
    /// Host, port and path of the service.
    pub service: String,
    pub bucket: String,
    pub key: String,
}

impl Place {
    pub fn new(scheme: &str, keys: Option<Keys>, service: &str, bucket: &str, key: &str) -> Self {
        Place {
            scheme: scheme.to_owned(),
            keys,
            service: service.to_owned(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }
    }

    pub fn parse(uri: &StorageUri) -> Result<Self> {
        let (keys, rest) = match uri.rest().rsplit_once('@') {
            Some((keys, rest)) => (Some(parse_keys(keys).map_err(|reason| uri.bad(reason))?), rest),
            None => (None, uri.rest()),
        };
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let wanted = "write s3+https://host/bucket/key";
        if path.contains("://") {
            return Err(uri.bad(&format!("it has a second \"://\": {wanted}")));
        }
        let missing = |what: &str| uri.bad(&format!("it names no {what}: {wanted}"));
        let (path, key) = path.rsplit_once('/').ok_or_else(|| missing("bucket"))?;
        let (service, bucket) = path.rsplit_once('/').ok_or_else(|| missing("bucket"))?;
        for (part, what) in [(key, "key"), (bucket, "bucket"), (service, "host")] {
            if part.is_empty() {
                return Err(missing(what));
            }
        }
        if [key, bucket].iter().any(|part| matches!(*part, "." | "..")) {
            return Err(uri.bad("its bucket or key is a step of a path, which servers may take"));
        }
        let service = service.trim_end_matches('/');
        Url::parse(Scheme::Https, service).map_err(|reason| uri.bad(reason))?;
        Ok(Place::new(uri.scheme(), keys, service, bucket, key))
    }

    /// The place that a location of this driver names.
    pub fn of(location: &Location) -> Result<Self> {
        Place::parse(&StorageUri::parse(location.uri())?)
    }

    pub fn location(&self) -> Location {
        let Place { scheme, service, bucket, key, .. } = self;
        let keys = self.keys.as_ref();
        let keys = keys.map(|keys| format!("{}:{}@", keys.access.expose(), keys.secret.expose()));
        let keys = keys.unwrap_or_default();
        Location::new(scheme, format!("{scheme}://{keys}{service}/{bucket}/{key}"))
    }

    /// How the service is spoken to, as the location has it.
    pub fn transport(&self) -> Scheme {
        if self.scheme == "s3+https" { Scheme::Https } else { Scheme::Http }
    }
}

fn parse_keys(text: &str) -> std::result::Result<Keys, &'static str> {
    match text.split_once(':') {
        Some((access, secret)) if !access.is_empty() && !secret.is_empty() => {
            Ok(Keys { access: Secret::new(access), secret: Secret::new(secret), token: None })
        }
        _ => Err("what comes before its '@' is not an access key and a secret key, separated by a colon"),
    }
}

/// Refuses identifiers that could not be keys, or whose URI would not lead back to them.
pub fn check_image_id(image_id: &str) -> Result<()> {
    const LONGEST_KEY: usize = 1024;
    let reason = if image_id.is_empty() {
        "is empty"
    } else if image_id.len() > LONGEST_KEY {
        "is longer than 1024 bytes"
    } else if image_id == "." || image_id == ".." {
        "is a step of a path"
    } else if image_id.contains(['/', '?', '#', '@']) {
        "holds '/', '?', '#' or '@', which mean something in a URI"
    } else if image_id.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Ok(());
    };
    Err(Error::new(Kind::Invalid, format!("the image id {:?} {reason}", shorten(image_id))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Place> {
        Place::parse(&StorageUri::parse(text)?)
    }

    #[test]
    fn locations_of_the_reference_are_read_with_every_secret() {
        for (text, secret, service, bucket, key) in [
            ("s3://ak:sk@s3.amazonaws.com/bucket/key", "sk", "s3.amazonaws.com", "bucket", "key"),
            ("s3+http://ak:sk@h:9000/bucket/key", "sk", "h:9000", "bucket", "key"),
            ("s3+https://ak:sk@h/p/b/k", "sk", "h/p", "b", "k"),
            ("s3://ak:sk@auth_address/glance/k", "sk", "auth_address", "glance", "k"),
            ("s3://ak:s/k@h/b/k", "s/k", "h", "b", "k"),
            ("s3://ak:s//k@h/b/k", "s//k", "h", "b", "k"),
            ("s3://ak:/sk@h/b/k", "/sk", "h", "b", "k"),
            ("s3://ak:sk/@h/b/k", "sk/", "h", "b", "k"),
            ("s3://ak:s:k@h/b/k", "s:k", "h", "b", "k"),
            ("s3://ak:s@k@h/b/k", "s@k", "h", "b", "k"),
            ("s3://ak:s?k@h/b/k", "s?k", "h", "b", "k"),
            ("s3://ak:s#k@h/b/k", "s#k", "h", "b", "k"),
            ("s3://ak:s+k%2F%@h/b/k", "s+k%2F%", "h", "b", "k"),
            ("s3://ak:s://k@h/b/k", "s://k", "h", "b", "k"),
            ("s3://ak:sk@h/b/k%20+é", "sk", "h", "b", "k%20+é"),
        ] {
            let place = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let keys = place.keys.as_ref().unwrap();
            assert_eq!((keys.access.expose(), keys.secret.expose()), ("ak", secret), "{text}");
            assert_eq!((&*place.service, &*place.bucket, &*place.key), (service, bucket, key), "{text}");
            assert_eq!(place.location().uri(), text);
            let again = Place::of(&place.location()).unwrap();
            assert_eq!(again.location().uri(), text);
            let safe = format!("{}://***@{service}/{bucket}/{key}", text.split("://").next().unwrap());
            assert_eq!(place.location().safe_uri(), safe);
        }
    }

    #[test]
    fn our_locations_hold_no_keys() {
        for text in ["s3+https://h/bucket/id", "s3+http://h:9000/bucket/id", "s3://[::1]:80/p/q/bucket/id"] {
            let place = parse(text).unwrap();
            assert!(place.keys.is_none());
            assert_eq!(place.location().uri(), text);
        }
        assert_eq!(parse("S3+HTTPS://h/b/k?x=1#y").unwrap().location().uri(), "s3+https://h/b/k");
        assert_eq!(parse("s3://ak:sk@h//b/k").unwrap().service, "h");
    }

    #[test]
    fn uris_that_lead_nowhere_are_refused_without_their_secret() {
        for text in [
            "s3://accesskey:hidden@https://s3.amazonaws.com/bucket/key-id",
            "s3://hidden@h/b/k",
            "s3://ak:@h/b/k",
            "s3://:hidden@h/b/k",
            "s3://ak:hidden@h/b",
            "s3://ak:hidden@h",
            "s3://ak:hidden@h//b//k",
            "s3://ak:hidden@h/b/",
            "s3://ak:hidden@/b/k",
            "s3://ak:hidden@h:port/b/k",
            "s3://ak:hidden@a b/b/k",
            "s3://ak:hidden@h/b/k@x",
            "s3://ak:hidden@h/b/..",
            "s3://ak:hidden@h/b/.",
            "s3://ak:hidden@h/../k",
            "s3://",
            "s3:///b/k",
        ] {
            let error = parse(text).err().unwrap_or_else(|| panic!("{text} is fine"));
            assert_eq!(error.kind(), Kind::BadUri, "{text}");
            assert!(!error.message().contains("hidden"), "{error}");
        }
    }

    #[test]
    fn identifiers_must_lead_back_to_themselves() {
        for id in ["a", "0d7f89b2-e236-45e9-b081-561cd3102e92", "a b", "é", "100%", "a+b:c=d&e", "..."] {
            check_image_id(id).unwrap();
            let place = Place::new("s3+https", None, "h", "b", id);
            assert_eq!(Place::of(&place.location()).unwrap().key, id);
        }
        let long = "x".repeat(1025);
        for id in ["", ".", "..", "a/b", "a?b", "a#b", "a@b", "a\nb", "a\0", &long] {
            assert_eq!(check_image_id(id).unwrap_err().kind(), Kind::Invalid, "{id:?}");
        }
    }
}
