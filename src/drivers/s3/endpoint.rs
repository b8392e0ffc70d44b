//! Whom requests go to: the service's host, how it names buckets, and its region.

use std::fmt::Write;

use crate::error::{Error, Kind, Result};
use crate::http::{Scheme, Url};

/// How the URL of an object names its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// By host at AWS, which asks for that, and by path elsewhere.
    Auto,
    Virtual,
    Path,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    /// Host and port as they were written.
    authority: String,
    /// What comes before the bucket or the key, without a slash at its end.
    path: String,
    addressing: Addressing,
}

const AWS_DOMAINS: &[&str] = &[".amazonaws.com", ".amazonaws.com.cn"];

impl Endpoint {
    /// The endpoint that the configuration names; without a scheme it is spoken to in plain http.
    pub fn parse(text: &str, addressing: Addressing) -> std::result::Result<Self, String> {
        let (scheme, service) = match text.split_once("://") {
            Some((name, service)) => {
                (Scheme::named(name).ok_or("its scheme must be http or https")?, service)
            }
            None => (Scheme::Http, text),
        };
        Endpoint::new(scheme, service, addressing)
    }

    pub fn new(scheme: Scheme, service: &str, addressing: Addressing) -> std::result::Result<Self, String> {
        let service = service.trim_end_matches('/');
        if service.contains(['?', '#', '@']) {
            return Err("must be a host, with a port and a path where needed, and nothing more".into());
        }
        let url = Url::parse(scheme, service)?;
        let path = service.split_once('/').map(|(_, path)| format!("/{path}")).unwrap_or_default();
        Ok(Endpoint { scheme, authority: url.authority().to_owned(), path, addressing })
    }

    /// Host, port and path, as locations name the service.
    pub fn service(&self) -> String {
        format!("{}{}", self.authority, self.path)
    }

    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether `service`, spoken to by `scheme`, is this one; a port that goes without saying may be said.
    pub fn is(&self, scheme: Scheme, service: &str) -> bool {
        Endpoint::new(scheme, service, self.addressing)
            .is_ok_and(|other| other.path == self.path && other.host_and_port() == self.host_and_port())
    }

    fn host_and_port(&self) -> Option<(String, u16)> {
        let url = Url::parse(self.scheme, &self.authority).ok()?;
        Some((url.origin().host.clone(), url.origin().port))
    }

    fn host(&self) -> String {
        self.host_and_port().map(|(host, _)| host).unwrap_or_default()
    }

    /// The URL of a bucket, with these parameters.
    pub fn bucket_url(&self, bucket: &str, query: &[(&str, &str)]) -> Result<Url> {
        self.url(bucket, "", query)
    }

    /// The URL of an object, with these parameters.
    pub fn object_url(&self, bucket: &str, key: &str, query: &[(&str, &str)]) -> Result<Url> {
        self.url(bucket, &format!("/{}", encoded(key)), query)
    }

    fn url(&self, bucket: &str, tail: &str, query: &[(&str, &str)]) -> Result<Url> {
        let Endpoint { authority, path, .. } = self;
        let place = match self.is_virtual(bucket)? {
            true if tail.is_empty() => format!("{bucket}.{authority}{path}/"),
            true => format!("{bucket}.{authority}{path}{tail}"),
            false => format!("{authority}{path}/{}{tail}", encoded(bucket)),
        };
        let parameters = query.iter().map(|(name, value)| match value.is_empty() {
            true => encoded(name),
            false => format!("{}={}", encoded(name), encoded(value)),
        });
        let query = parameters.collect::<Vec<_>>().join("&");
        Url::parse(self.scheme, &format!("{place}?{query}"))
            .map_err(|reason| Error::new(Kind::BadUri, format!("the bucket {bucket:?} has no URL: {reason}")))
    }

    fn is_virtual(&self, bucket: &str) -> Result<bool> {
        match self.addressing {
            Addressing::Path => Ok(false),
            Addressing::Auto => Ok(self.is_aws() && is_label(bucket)),
            Addressing::Virtual if is_label(bucket) => Ok(true),
            Addressing::Virtual => {
                let message = format!(
                    "the bucket {bucket:?} cannot be a part of a host name, which s3_store_bucket_url_format = virtual asks for: 3 to 63 lower-case letters, digits and '-'"
                );
                Err(Error::new(Kind::BadConfig, message))
            }
        }
    }

    fn is_aws(&self) -> bool {
        AWS_DOMAINS.iter().any(|domain| self.host().ends_with(domain))
    }

    /// The region that the host names, as AWS's do.
    pub fn region(&self) -> Option<String> {
        let host = self.host();
        let name = AWS_DOMAINS.iter().find_map(|domain| host.strip_suffix(domain))?;
        let region = name.strip_prefix("s3")?.strip_prefix(['.', '-'])?;
        let region = region.strip_prefix("fips").map_or(region, |rest| rest.trim_start_matches(['.', '-']));
        let region = region.strip_prefix("dualstack.").unwrap_or(region);
        is_region(region).then(|| region.to_owned())
    }

    /// The endpoint of the same service that serves `region`, where hosts tell their regions: neither those of
    /// private networks nor accelerated ones lead to public hosts.
    pub fn in_region(&self, region: &str) -> Option<Endpoint> {
        let host = self.host();
        let domain = AWS_DOMAINS.iter().find(|domain| host.ends_with(*domain))?;
        let name = host.strip_suffix(domain)?;
        let own = self.region();
        let kind = match &own {
            Some(own) => name.strip_suffix(own.as_str())?,
            None if name == "s3" => "s3.",
            None => return None,
        };
        // The oldest way to write it.
        let kind = if kind == "s3-" { "s3." } else { kind };
        is_region(region).then(|| Endpoint { authority: format!("{kind}{region}{domain}"), ..self.clone() })
    }

    /// The endpoint that the host of a redirect or an error names, where it is of the same service: below
    /// the present host.
    pub fn moved_to(&self, authority: &str, bucket: &str) -> Option<Endpoint> {
        let url = Url::parse(self.scheme, authority).ok()?;
        let (host, port) = self.host_and_port()?;
        let is_below = url.origin().host.ends_with(&format!(".{host}"));
        if url.origin().port != port || !is_below {
            return None;
        }
        let authority = url.authority();
        // Names of buckets come before the host.
        let authority = authority.strip_prefix(&format!("{bucket}.")).unwrap_or(authority);
        Some(Endpoint { authority: authority.to_owned(), ..self.clone() })
    }
}

/// Whether a text looks like `eu-central-1`, so that it can be a part of a host name.
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let country = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let is_lower = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    country.len() == 2
        && is_lower(&country)
        && rest.len() >= 2
        && rest[..rest.len() - 1].iter().all(is_lower)
        && rest[rest.len() - 1].bytes().all(|byte| byte.is_ascii_digit())
        && !rest[rest.len() - 1].is_empty()
}

/// Whether a bucket can be one label of a host name.
fn is_label(bucket: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|byte| is_plain(byte) || byte == b'-')
        && !bucket.starts_with('-')
        && !bucket.ends_with('-')
}

/// As signatures want it: everything escaped but letters, digits and `-._~`.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text, Addressing::Auto).unwrap_or_else(|reason| panic!("{text}: {reason}"))
    }

    const REGIONS: &[&str] = &[
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ap-east-1",
        "ap-south-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-north-1",
        "sa-east-1",
    ];

    #[test]
    fn hosts_of_aws_name_their_region_however_they_are_written() {
        let old = REGIONS.iter().map(|region| (format!("s3-{region}.amazonaws.com"), Some(*region)));
        let new = REGIONS.iter().map(|region| (format!("s3.{region}.amazonaws.com"), Some(*region)));
        let odd = [
            ("s3.amazonaws.com", None),
            ("s3-cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("s3-cn-northwest-1.amazonaws.com.cn", Some("cn-northwest-1")),
            ("s3.dualstack.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("s3-accelerate.amazonaws.com", None),
            ("s3-external-1.amazonaws.com", None),
            ("my-object-storage.com", None),
            ("s3-my-object.jp", None),
            ("192.168.100.12", None),
            ("s3.eu-west-1.example.com", None),
        ];
        let odd = odd.map(|(host, region)| (host.to_owned(), region));
        for (host, region) in old.chain(new).chain(odd) {
            for scheme in ["", "http://", "https://"] {
                for end in ["", "/", ":80", ":80/"] {
                    let text = format!("{scheme}{host}{end}");
                    assert_eq!(endpoint(&text).region().as_deref(), region, "{text}");
                }
            }
        }
    }

    #[test]
    fn buckets_are_named_by_path_or_by_host() {
        for (host, addressing, bucket, url) in [
            ("https://h:9000", Addressing::Auto, "glance", "https://h:9000/glance/k"),
            ("https://h:9000", Addressing::Virtual, "glance", "https://glance.h:9000/k"),
            ("https://h:9000/p/q/", Addressing::Path, "glance", "https://h:9000/p/q/glance/k"),
            ("https://h/p", Addressing::Virtual, "glance", "https://glance.h/p/k"),
            ("localhost", Addressing::Auto, "glance", "http://localhost/glance/k"),
            ("127.0.0.1:9000", Addressing::Auto, "glance", "http://127.0.0.1:9000/glance/k"),
            ("https://s3.amazonaws.com", Addressing::Auto, "glance", "https://glance.s3.amazonaws.com/k"),
            ("https://s3.amazonaws.com", Addressing::Auto, "my.own", "https://s3.amazonaws.com/my.own/k"),
            ("https://s3.amazonaws.com", Addressing::Path, "glance", "https://s3.amazonaws.com/glance/k"),
        ] {
            let endpoint = Endpoint::parse(host, addressing).unwrap();
            assert_eq!(endpoint.object_url(bucket, "k", &[]).unwrap().to_uri(), url);
        }
        let endpoint = Endpoint::parse("https://h", Addressing::Virtual).unwrap();
        assert_eq!(endpoint.bucket_url("glance", &[]).unwrap().to_uri(), "https://glance.h/");
        for bucket in ["not.dns.compliant", "aa", "bucket-", "-bucket", "Bucket", "buc_ket", &"b".repeat(64)] {
            let error = endpoint.object_url(bucket, "k", &[]).err().unwrap();
            assert_eq!(error.kind(), Kind::BadConfig, "{error}");
            assert!(error.message().contains(bucket), "{error}");
        }
    }

    #[test]
    fn keys_and_parameters_are_escaped() {
        let endpoint = endpoint("http://h");
        let url = endpoint.object_url("b", "a b/ü%2F+$'()*!", &[("uploadId", "2~a/b="), ("uploads", "")]);
        let target = "/b/a%20b%2F%C3%BC%252F%2B%24%27%28%29%2A%21?uploadId=2~a%2Fb%3D&uploads";
        assert_eq!(url.unwrap().request_target(), target);
    }

    #[test]
    fn a_service_is_known_again() {
        let plain = endpoint("http://H.example:80/p");
        assert!(plain.is(Scheme::Http, "h.example/p") && plain.is(Scheme::Http, "H.example:80/p/"));
        for other in ["h.example", "h.example:81/p", "h.example/q", "g.example/p", "x.h.example/p"] {
            assert!(!plain.is(Scheme::Http, other), "{other}");
        }
        assert!(endpoint("https://h").is(Scheme::Https, "h:443"));
        assert_eq!(endpoint("https://h:9000/p/").service(), "h:9000/p");
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in ["", "ftp://h", "http://", "http://h:0", "http://u:p@h", "http://h?q", "h#f", "a b", "https:///p"] {
            assert!(Endpoint::parse(text, Addressing::Auto).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_same_service_is_moved_to() {
        let aws = endpoint("https://s3.amazonaws.com");
        assert_eq!(aws.in_region("eu-west-1").unwrap().service(), "s3.eu-west-1.amazonaws.com");
        for region in ["evil.example/", "", "eu", "eu-west-1.evil", "EU-west-1", "eu-west-"] {
            assert!(aws.in_region(region).is_none(), "{region}");
        }
        for (host, moved) in [
            ("s3-us-west-2.amazonaws.com", Some("s3.eu-west-1.amazonaws.com")),
            ("s3.us-west-2.amazonaws.com", Some("s3.eu-west-1.amazonaws.com")),
            ("s3.dualstack.us-west-2.amazonaws.com", Some("s3.dualstack.eu-west-1.amazonaws.com")),
            ("s3-fips.us-west-2.amazonaws.com", Some("s3-fips.eu-west-1.amazonaws.com")),
            ("s3-accelerate.amazonaws.com", None),
            ("bucket.vpce-1a.s3.us-west-2.vpce.amazonaws.com", None),
            ("h", None),
        ] {
            let there = endpoint(&format!("https://{host}")).in_region("eu-west-1");
            assert_eq!(there.map(|there| there.service()).as_deref(), moved, "{host}");
        }
        let own = endpoint("https://s3.example.com:9000");
        let moved = |authority: &str| own.moved_to(authority, "glance").map(|endpoint| endpoint.service());
        assert_eq!(moved("eu.s3.example.com:9000").as_deref(), Some("eu.s3.example.com:9000"));
        assert_eq!(moved("glance.eu.s3.example.com:9000").as_deref(), Some("eu.s3.example.com:9000"));
        for other in ["evil.example:9000", "eu.s3.example.com", "evils3.example.com:9000", "example.com:9000", ""] {
            assert_eq!(moved(other), None, "{other}");
        }
    }
}
