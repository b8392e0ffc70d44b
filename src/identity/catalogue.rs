//! Service catalogues: which services there are, and where.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::http::{Origin, Scheme, Url};
use crate::location::shorten;
use crate::log::{Level, Log};

/// Who a service's address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    Public,
    Internal,
    Admin,
}

impl Interface {
    const ALL: [(Interface, &'static str, &'static str); 3] = [
        (Interface::Public, "public", "publicURL"),
        (Interface::Internal, "internal", "internalURL"),
        (Interface::Admin, "admin", "adminURL"),
    ];

    /// By the name in catalogues of either form: `public` or `publicURL`.
    pub fn named(text: &str) -> Option<Self> {
        let found = Interface::ALL.into_iter().find(|(_, name, key)| [*name, *key].contains(&text));
        found.map(|(interface, ..)| interface)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Interface::ALL.iter().find(|(interface, ..)| interface == self);
        f.write_str(found.map_or("", |(_, name, _)| name))
    }
}

/// Which service is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The type of the catalogue: `object-store`.
    pub kind: String,
    pub interface: Interface,
    /// None is any.
    pub region: Option<String>,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {:?} with interface {:?}", self.kind, self.interface.to_string())?;
        match &self.region {
            Some(region) => write!(f, " in region {region:?}"),
            None => Ok(()),
        }
    }
}

/// One address of one service.
struct Endpoint {
    kind: String,
    interface: Interface,
    /// Catalogues have called the region by two names.
    regions: Vec<String>,
    url: String,
}

impl Endpoint {
    fn is(&self, wanted: &Service) -> bool {
        let in_region = |region: &String| self.regions.contains(region);
        self.kind == wanted.kind
            && self.interface == wanted.interface
            && wanted.region.as_ref().is_none_or(in_region)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.interface)?;
        match self.regions.first() {
            Some(region) => write!(f, " in {region}"),
            None => Ok(()),
        }
    }
}

/// All addresses of all services that a token is good for.
#[derive(Default)]
pub struct Catalogue(Vec<Endpoint>);

impl Catalogue {
    /// Reads the catalogue of a request context.
    pub fn parse(json: &str) -> Result<Self> {
        let wrong = |why: &str| {
            let message = format!("the service catalogue of the context cannot be used: {why}");
            Error::new(Kind::BadConfig, message)
        };
        let value: Value = serde_json::from_str(json).map_err(|_| wrong("it is no JSON"))?;
        let services = value.as_array().ok_or_else(|| wrong("it is no list of services"))?;
        Ok(Catalogue::from_services(services))
    }

    /// What can be understood of a list of services, in the form of Keystone's version 3, where each
    /// address says its interface, or of version 2, where one endpoint has an address per interface.
    pub fn from_services(services: &[Value]) -> Self {
        let mut endpoints = Vec::new();
        for service in services {
            let Some(kind) = service["type"].as_str() else { continue };
            for endpoint in service["endpoints"].as_array().into_iter().flatten() {
                let regions = ["region", "region_id"].iter().filter_map(|key| endpoint[key].as_str());
                let regions: Vec<String> = regions.map(str::to_owned).collect();
                let found = addresses(endpoint).map(|(interface, url)| Endpoint {
                    kind: kind.to_owned(),
                    interface,
                    regions: regions.clone(),
                    url: url.to_owned(),
                });
                endpoints.extend(found);
            }
        }
        Catalogue(endpoints)
    }

    /// The address of a service.  Where there are several, the first: what a catalogue's order means is
    /// its operator's choice.
    pub fn endpoint(&self, wanted: &Service, log: &Log) -> Result<Url> {
        let mut matching = self.0.iter().filter(|endpoint| endpoint.is(wanted));
        let first = matching.next().ok_or_else(|| self.missing(wanted))?;
        let url = first.url.trim_end_matches('/');
        if let Some(other) = matching.find(|other| other.url.trim_end_matches('/') != url) {
            let other = &other.url;
            log.write(
                Level::Debug,
                "identity",
                format_args!("{wanted} is at {url} and at {other}: used first"),
            );
        }
        parse_url(url).map_err(|reason| {
            let shown = shorten(url);
            Error::new(
                Kind::NoEndpoint,
                format!("the catalogue has {wanted} at {shown:?}, no address: {reason}"),
            )
        })
    }

    /// Whether some address of that kind of service is at this server.
    pub fn leads_to(&self, kind: &str, origin: &Origin) -> bool {
        let is_there = |url: &str| parse_url(url).is_ok_and(|url| url.origin() == origin);
        self.0.iter().any(|endpoint| endpoint.kind == kind && is_there(&endpoint.url))
    }

    fn missing(&self, wanted: &Service) -> Error {
        let alike: BTreeSet<String> =
            self.0.iter().filter(|endpoint| endpoint.kind == wanted.kind).map(Endpoint::to_string).collect();
        let kinds = || self.0.iter().map(|endpoint| endpoint.kind.clone()).collect();
        let there = if alike.is_empty() { kinds() } else { alike };
        let there = match Vec::from_iter(there).join(", ") {
            none if none.is_empty() => {
                "it is empty: is the project of the credentials the right one?".to_owned()
            }
            some => format!("it has {}", shorten(&some)),
        };
        Error::new(Kind::NoEndpoint, format!("the service catalogue has no {wanted}; {there}"))
    }
}

/// The addresses of an endpoint of either form.
fn addresses(endpoint: &Value) -> impl Iterator<Item = (Interface, &str)> {
    let own = endpoint["interface"].as_str().and_then(Interface::named);
    let own = own.and_then(|interface| Some((interface, endpoint["url"].as_str()?)));
    let keyed = Interface::ALL
        .into_iter()
        .filter_map(|(interface, _, key)| Some((interface, endpoint[key].as_str()?)));
    own.into_iter().chain(keyed)
}

/// An absolute address.
pub fn parse_url(text: &str) -> std::result::Result<Url, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
    Url::parse(Scheme::named(scheme).ok_or("it is neither http nor https")?, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted(kind: &str, interface: Interface, region: Option<&str>) -> Service {
        Service { kind: kind.to_owned(), interface, region: region.map(str::to_owned) }
    }

    fn find(catalogue: &Catalogue, service: &Service) -> Result<String> {
        catalogue.endpoint(service, &Log::new(0, Box::new(|_, _, _| ()))).map(|url| url.to_uri())
    }

    fn version_3() -> Catalogue {
        let url = |interface: &str, region: &str, url: &str| json!({"id": "1", "interface": interface, "region": region, "region_id": region, "url": url});
        Catalogue::from_services(&[
            json!({"type": "image", "name": "glance", "id": "2", "endpoints": [url("public", "One", "http://image/")]}),
            json!({"type": "object-store", "name": "swift", "endpoints": [
                url("admin", "One", "http://admin:8080/"),
                url("public", "One", "http://one:8080/v1/AUTH_x"),
                url("internal", "One", "http://inside:8080/v1/AUTH_x"),
                url("public", "Two", "https://two/v1/AUTH_x/"),
                url("public", "Two", "https://three/v1/AUTH_x/"),
            ]}),
            json!({"type": "broken", "endpoints": [url("public", "One", "ftp://x"), url("public", "Two", "x")]}),
            json!({"type": "empty", "endpoints": []}),
            json!({"type": "none"}),
            json!("nonsense"),
        ])
    }

    #[test]
    fn a_service_is_found_by_type_interface_and_region() {
        let catalogue = version_3();
        for (kind, interface, region, url) in [
            ("object-store", Interface::Public, None, "http://one:8080/v1/AUTH_x"),
            ("object-store", Interface::Public, Some("One"), "http://one:8080/v1/AUTH_x"),
            ("object-store", Interface::Public, Some("Two"), "https://two/v1/AUTH_x"),
            ("object-store", Interface::Internal, None, "http://inside:8080/v1/AUTH_x"),
            ("object-store", Interface::Admin, Some("One"), "http://admin:8080"),
            ("image", Interface::Public, None, "http://image"),
        ] {
            assert_eq!(find(&catalogue, &wanted(kind, interface, region)).unwrap(), url);
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        for (kind, interface, region, words) in [
            (
                "object-store",
                Interface::Public,
                Some("Three"),
                "no service \"object-store\" with interface \"public\" in region \"Three\"; it has \
                 object-store admin in One, object-store internal in One, object-store public in One, \
                 object-store public in Two",
            ),
            ("object-store", Interface::Admin, Some("Two"), "interface \"admin\" in region \"Two\""),
            ("shoe-store", Interface::Public, None, "it has broken, image, object-store"),
            ("empty", Interface::Public, None, "no service \"empty\""),
            ("broken", Interface::Public, None, "\"ftp://x\", no address: it is neither http nor https"),
            ("broken", Interface::Public, Some("Two"), "it has no scheme"),
        ] {
            let error = find(&version_3(), &wanted(kind, interface, region)).unwrap_err();
            assert_eq!(error.kind(), Kind::NoEndpoint);
            assert!(error.message().contains(words), "{error}");
        }
        let error = find(&Catalogue::default(), &wanted("image", Interface::Public, None)).unwrap_err();
        assert!(error.message().contains("it is empty"), "{error}");
    }

    #[test]
    fn the_catalogue_of_a_context_may_have_either_form() {
        let old = r#"[{"type": "object-store", "name": "swift", "endpoints_links": [], "endpoints": [
            {"region": "One", "publicURL": "http://one/", "internalURL": "http://inside", "adminURL": null},
            {"region": "Two", "publicURL": "http://two"}]},
            {"type": "toy-store", "endpoints": [{"region": "One", "publicURL": "http://toys"}]}]"#;
        let new = r#"[{"type": "object-store", "endpoints": [
            {"interface": "public", "region": "One", "url": "http://one"},
            {"interface": "internal", "region_id": "One", "url": "http://inside"},
            {"interface": "public", "region": "Two", "url": "http://two"}]},
            {"type": "toy-store", "endpoints": [{"interface": "public", "url": "http://toys"}]}]"#;
        for json in [old, new] {
            let catalogue = Catalogue::parse(json).unwrap();
            for (kind, interface, region, url) in [
                ("object-store", Interface::Public, None, "http://one"),
                ("object-store", Interface::Public, Some("Two"), "http://two"),
                ("object-store", Interface::Internal, Some("One"), "http://inside"),
                ("toy-store", Interface::Public, None, "http://toys"),
            ] {
                assert_eq!(find(&catalogue, &wanted(kind, interface, region)).unwrap(), url);
            }
            assert!(find(&catalogue, &wanted("object-store", Interface::Admin, None)).is_err());
        }
        for json in ["", "{}", "null", "[", "\"x\""] {
            let error = Catalogue::parse(json).err().unwrap();
            assert_eq!(error.kind(), Kind::BadConfig, "{error}");
        }
    }

    #[test]
    fn a_server_is_known_by_any_of_its_addresses() {
        let leads_to = |kind: &str, url: &str| version_3().leads_to(kind, parse_url(url).unwrap().origin());
        for url in
            ["http://one:8080", "http://INSIDE:8080/x", "http://admin:8080/v1", "https://three/v1/AUTH_y"]
        {
            assert!(leads_to("object-store", url), "{url}");
        }
        for url in ["https://one:8080", "http://one", "http://image", "http://two", "http://one.example:8080"]
        {
            assert!(!leads_to("object-store", url), "{url}");
        }
        assert!(leads_to("image", "http://image:80"));
        assert!(!leads_to("broken", "http://x"));
    }

    #[test]
    fn several_addresses_are_logged() {
        let (sent, lines) = std::sync::mpsc::channel();
        let log = Log::new(5, Box::new(move |_, _, line| sent.send(line.to_owned()).unwrap()));
        let catalogue = version_3();
        catalogue.endpoint(&wanted("object-store", Interface::Public, Some("One")), &log).unwrap();
        catalogue.endpoint(&wanted("object-store", Interface::Public, Some("Two")), &log).unwrap();
        drop(log);
        let lines: Vec<String> = lines.into_iter().collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("https://two/v1/AUTH_x and at https://three/v1/AUTH_x"), "{lines:?}");
    }

    #[test]
    fn interfaces_have_two_spellings() {
        for (text, interface) in [
            ("public", Some(Interface::Public)),
            ("publicURL", Some(Interface::Public)),
            ("internalURL", Some(Interface::Internal)),
            ("admin", Some(Interface::Admin)),
            ("PUBLIC", None),
            ("", None),
        ] {
            assert_eq!(Interface::named(text), interface, "{text}");
        }
    }
}
