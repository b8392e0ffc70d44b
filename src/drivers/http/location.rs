//! `http` and `https` URIs as locations.

use crate::error::Result;
use crate::http::{Scheme, Url};
use crate::location::{Location, StorageUri};

pub const SCHEMES: &[&str] = &["http", "https"];

/// The location of a URI: as it was written, but for its fragment.
pub fn locate(uri: &StorageUri) -> Result<Location> {
    let scheme = Scheme::named(uri.scheme()).ok_or_else(|| uri.bad("it is neither http nor https"))?;
    let url = Url::parse(scheme, uri.rest()).map_err(|reason| uri.bad(reason))?;
    Ok(Location::new(uri.scheme(), url.to_uri()))
}

/// The URL of a location of this driver.
pub fn url_of(location: &Location) -> Result<Url> {
    let uri = StorageUri::parse(location.uri())?;
    let scheme = Scheme::named(uri.scheme()).ok_or_else(|| uri.bad("it is neither http nor https"))?;
    Url::parse(scheme, uri.rest()).map_err(|reason| uri.bad(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_location_leads_back_to_its_url() {
        let uri = StorageUri::parse("HTTPS://u:p%40@Mirror.example:8443/a%2Fb?sig=x#part").unwrap();
        let location = locate(&uri).unwrap();
        assert_eq!(location.uri(), "https://u:p%40@Mirror.example:8443/a%2Fb?sig=x");
        assert_eq!(location.safe_uri(), "https://***@Mirror.example:8443/a%2Fb?***");
        assert_eq!(url_of(&location).unwrap().to_uri(), location.uri());
    }

    #[test]
    fn a_bad_uri_is_told_without_its_secrets() {
        let error = locate(&StorageUri::parse("http://u:secret@h:port/?sig=secret").unwrap()).err().unwrap();
        assert_eq!(error.kind(), Kind::BadUri);
        assert!(error.message().contains("the port must be a number"), "{error}");
        assert!(!error.message().contains("secret"), "{error}");
    }
}
