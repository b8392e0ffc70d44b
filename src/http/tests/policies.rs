//! Whom a client may reach, and by which way.

use super::super::policy::Network;
use super::server::{Server, answer};
use super::*;

fn denying(word: &str) -> Fixture {
    let mut settings = settings();
    settings.connector.policy.denied_networks = Network::parse(word).unwrap();
    Fixture::with(settings)
}

fn by_proxy(proxy: &str) -> Fixture {
    let mut settings = settings();
    for scheme in ["http", "https"] {
        settings.connector.proxies.add(scheme, proxy).unwrap();
    }
    Fixture::with(settings)
}

#[test]
fn denied_addresses_get_no_packet() {
    let server = Server::answering(answer("200 OK", "", b"x"));
    let fixture = denying("loopback");
    let port = server.port();
    // By address and by names, one of which only the resolver knows to be an address.
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"] {
        let error = fixture.get(&format!("http://{host}:{port}/")).unwrap_err();
        assert_error(error, Kind::Forbidden, "http_denied_addresses");
    }
    assert_eq!(server.connections(), 0);
    drop(fixture);
    server.finish();
}

#[test]
fn redirects_to_denied_addresses_and_hosts_are_not_followed() {
    let inner = Server::answering(answer("200 OK", "", b"x"));
    let location = format!("Location: http://127.0.0.2:{}/\r\n", inner.port());
    let outer = Server::answering(answer("302 Moved", &location, b""));
    let fixture = denying("127.0.0.2/32");
    assert_error(fixture.get(&outer.url("/")).unwrap_err(), Kind::Forbidden, "http_denied_addresses");
    let mut settings = settings();
    settings.connector.policy.allowed_hosts = vec!["127.0.0.1".into()];
    let choosy = Fixture::with(settings);
    assert_error(choosy.get(&outer.url("/")).unwrap_err(), Kind::Forbidden, "http_allowed_hosts");
    assert_error(choosy.get(&outer.url_by_name("/")).unwrap_err(), Kind::Forbidden, "http_allowed_hosts");
    assert_eq!(inner.connections(), 0);
    drop((fixture, choosy));
    outer.finish();
}

#[test]
fn a_proxy_is_sent_the_whole_url() {
    let proxy = Server::answering(answer("200 OK", "", b"x"));
    let fixture = by_proxy(&format!("http://user:pass@127.0.0.1:{}", proxy.port()));
    assert_eq!(fixture.get("http://u:p@image.invalid:81/a%2Fb?q").unwrap(), b"x");
    drop(fixture);
    let requests = proxy.finish();
    assert_eq!(requests[0].target, "http://image.invalid:81/a%2Fb?q");
    assert_eq!(requests[0].header("host"), Some("image.invalid:81"));
    assert_eq!(requests[0].header("authorization"), Some("Basic dTpw"));
    assert_eq!(requests[0].header("proxy-authorization"), Some("Basic dXNlcjpwYXNz"));
}

#[test]
fn a_proxy_does_not_lift_the_policy() {
    let proxy = Server::answering(answer("200 OK", "", b"x"));
    let mut settings = settings();
    settings.connector.proxies.add("http", &format!("127.0.0.1:{}", proxy.port())).unwrap();
    settings.connector.policy.denied_networks = Network::parse("link-local").unwrap();
    let spellings = ["169.254.169.254", "2852039166", "169.254.43518", "0xa9fea9fe", "169.254.169.254."];
    let allowed =
        spellings.iter().chain(&["image.invalid"]).map(|host| host.trim_end_matches('.').to_owned());
    settings.connector.policy.allowed_hosts = allowed.collect();
    let fixture = Fixture::with(settings);
    assert_eq!(fixture.get("http://image.invalid/").unwrap(), b"x");
    for host in spellings {
        let error = fixture.get(&format!("http://{host}/")).unwrap_err();
        assert_error(error, Kind::Forbidden, "http_denied_addresses");
    }
    assert_error(fixture.get("http://other.invalid/").unwrap_err(), Kind::Forbidden, "http_allowed_hosts");
    drop(fixture);
    assert_eq!(proxy.finish().len(), 1);
}

#[test]
fn a_proxy_that_opens_no_tunnel_is_an_error() {
    for (text, kind, words) in [
        (answer("400 No", "", b""), Kind::Failed, "it answered 400"),
        (answer("401 Who", "", b""), Kind::Failed, "it answered 401"),
        (answer("403 No", "", b""), Kind::Forbidden, "it does not allow that"),
        (answer("404 No", "", b""), Kind::Failed, "it answered 404"),
        (answer("407 Who", "", b""), Kind::Failed, "it wants other credentials"),
        (answer("429 No", "", b""), Kind::Unavailable, "it answered 429"),
        (answer("502 No", "", b""), Kind::Unavailable, "it answered 502"),
    ] {
        let proxy = Server::answering(text);
        let fixture = by_proxy(&format!("user:pass@127.0.0.1:{}", proxy.port()));
        let error = fixture.get("https://image.invalid/").unwrap_err();
        assert_eq!(error.http_status(), 0, "no server has answered");
        assert!(error.message().contains("the proxy opens no tunnel"), "{error}");
        assert_error(error, kind, words);
        drop(fixture);
        let requests = proxy.finish();
        assert_eq!(
            (requests[0].method.as_str(), requests[0].target.as_str()),
            ("CONNECT", "image.invalid:443")
        );
        assert_eq!(requests[0].header("proxy-authorization"), Some("Basic dXNlcjpwYXNz"));
        assert_eq!(requests[0].header("authorization"), None);
    }
}
