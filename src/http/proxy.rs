//! Proxies: which requests go by one, as the configuration or, where it says so, the environment has it.

use super::policy::matches;
use super::url::{Origin, Scheme, Url};

/// The proxies of a client.
#[derive(Default)]
pub struct Proxies {
    by_scheme: Vec<(Scheme, Url)>,
    /// Hosts that are reached directly.
    exempt: Vec<String>,
}

impl Proxies {
    /// Adds the proxy for the requests of one scheme.
    pub fn add(&mut self, scheme: &str, proxy: &str) -> Result<(), String> {
        let scheme = Scheme::named(scheme).ok_or_else(|| format!("{scheme:?} is neither http nor https"))?;
        let (by, rest) = proxy.split_once("://").unwrap_or(("http", proxy));
        if !by.eq_ignore_ascii_case("http") {
            return Err(format!("the proxy for {} must be an http proxy, written host:port", scheme.name()));
        }
        let proxy = Url::parse(Scheme::Http, rest)
            .map_err(|reason| format!("the proxy for {} is wrong: {reason}", scheme.name()))?;
        self.by_scheme.push((scheme, proxy));
        Ok(())
    }

    /// The proxies that the environment names by the usual variables.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let any = |names: &[&str]| {
            let set = names.iter().filter_map(|name| Some((*name, variable(name)?)));
            set.map(|(name, value)| (name.to_owned(), value)).find(|(_, value)| !value.is_empty())
        };
        let mut proxies = Proxies::default();
        // A web server sets HTTP_PROXY from the request's "Proxy" header: only the lower case is trusted.
        for (scheme, names) in [("http", &["http_proxy"][..]), ("https", &["https_proxy", "HTTPS_PROXY"])] {
            if let Some((name, value)) = any(names) {
                proxies
                    .add(scheme, &value)
                    .map_err(|reason| format!("{name} of the environment: {reason}"))?;
            }
        }
        if let Some((_, hosts)) = any(&["no_proxy", "NO_PROXY"]) {
            proxies.exempt = hosts.split(',').map(|host| host.trim().to_owned()).collect();
        }
        Ok(proxies)
    }

    /// The proxy that requests to `origin` go by.
    pub fn proxy_for(&self, origin: &Origin) -> Option<&Url> {
        if self.exempt.iter().any(|name| is_exempt(name, &origin.host)) {
            return None;
        }
        self.by_scheme.iter().find(|(scheme, _)| *scheme == origin.scheme).map(|(_, proxy)| proxy)
    }
}

/// `no_proxy` means a domain with all below it, with or without a leading dot.
fn is_exempt(name: &str, host: &str) -> bool {
    let domain = name.trim_start_matches('*').trim_start_matches('.');
    match name {
        "*" => true,
        _ if domain.is_empty() => false,
        _ => matches(domain, host) || matches(&format!(".{domain}"), host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy_of(proxies: &Proxies, scheme: Scheme, host: &str) -> Option<String> {
        let origin = Origin { scheme, host: host.into(), port: 1 };
        proxies.proxy_for(&origin).map(Url::to_uri)
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let mut proxies = Proxies::default();
        proxies.add("http", "10.0.0.1:3128").unwrap();
        proxies.add("https", "http://user:key@proxy.example:1080").unwrap();
        assert_eq!(proxy_of(&proxies, Scheme::Http, "h").unwrap(), "http://10.0.0.1:3128");
        assert_eq!(proxy_of(&proxies, Scheme::Https, "h").unwrap(), "http://user:key@proxy.example:1080");
    }

    #[test]
    fn what_is_no_http_proxy_is_refused_without_its_secrets() {
        for (scheme, proxy) in [
            ("ftp", "h:1"),
            ("http", "socks5://h:1"),
            ("http", "https://u:secret@h"),
            ("http", ""),
            ("https", "u:secret@h:x"),
        ] {
            let reason = Proxies::default().add(scheme, proxy).unwrap_err();
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn the_environment_counts_as_everywhere() {
        let variables = |name: &str| match name {
            "http_proxy" => Some("http://p:1".to_owned()),
            "HTTP_PROXY" => Some("http://evil:1".to_owned()),
            "HTTPS_PROXY" => Some("p:2".to_owned()),
            "no_proxy" => Some("localhost, .inner.example,example.org".to_owned()),
            _ => None,
        };
        let proxies = Proxies::from_environment(variables).unwrap();
        assert_eq!(proxy_of(&proxies, Scheme::Http, "h").unwrap(), "http://p:1");
        assert_eq!(proxy_of(&proxies, Scheme::Https, "h").unwrap(), "http://p:2");
        for host in ["localhost", "a.inner.example", "example.org", "www.example.org"] {
            assert_eq!(proxy_of(&proxies, Scheme::Http, host), None, "{host}");
        }
        let only_upper =
            Proxies::from_environment(|name| (name == "HTTP_PROXY").then(|| "evil:1".to_owned())).unwrap();
        assert_eq!(proxy_of(&only_upper, Scheme::Http, "h"), None);
        let none =
            Proxies::from_environment(|name| Some(if name == "no_proxy" { "*" } else { "p:1" }.to_owned()))
                .unwrap();
        assert_eq!(proxy_of(&none, Scheme::Http, "h"), None);
    }
}
