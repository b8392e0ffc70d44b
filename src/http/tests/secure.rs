//! TLS: who is trusted, who is not, and that it is not given up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::server::{Server, Then, Wire, answer, image, proper, send};
use super::*;

/// An authority that signs certificates for the servers of a test.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    fn server(&self, params: CertificateParams) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        config(certificate.der().clone(), &key, rustls::ALL_VERSIONS)
    }

    fn trusted(&self) -> Fixture {
        trusting(&self.pem)
    }
}

fn localhost() -> CertificateParams {
    CertificateParams::new(vec!["localhost".to_owned()]).unwrap()
}

fn config(
    certificate: rustls::pki_types::CertificateDer<'static>,
    key: &KeyPair,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.unwrap())
}

fn trusting(pem: &str) -> Fixture {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    with_trust(Trust::from_file(file.path().to_str().unwrap()).unwrap())
}

fn with_trust(trust: Trust) -> Fixture {
    let mut settings = settings();
    settings.connector.tls = Tls::new(trust).unwrap();
    Fixture::with(settings)
}

fn answers(_: &super::server::Request, wire: &mut dyn Wire) -> Then {
    send(wire, &answer("200 OK", "", b"secret image"))
}

fn assert_untrusted(fixture: &Fixture, url: &str, words: &str) {
    let error = fixture.get(url).unwrap_err();
    assert!(!error.is_retryable());
    assert_error(error, Kind::Unavailable, words);
    assert_eq!(fixture.logged("retry"), 0);
}

#[test]
fn servers_of_a_trusted_authority_are_trusted() {
    let authority = Authority::new();
    let data = image(100_000);
    let served = data.clone();
    let server = Server::start_tls(authority.server(localhost()), move |request, wire| {
        send(wire, &proper(request, &served, TAG))
    });
    let fixture = authority.trusted();
    assert!(fixture.get(&server.url_by_name("/")).unwrap() == data);
    assert_eq!(fixture.size(&server.url_by_name("/")).unwrap(), 100_000);
    drop(fixture);
    assert_eq!(server.connections(), 1, "the connection is kept");
    server.finish();
}

#[test]
fn both_versions_of_tls_are_spoken() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let key = KeyPair::generate().unwrap();
        let certificate = localhost().self_signed(&key).unwrap();
        let server = Server::start_tls(config(certificate.der().clone(), &key, &[version]), answers);
        let fixture = trusting(&certificate.pem());
        assert_eq!(fixture.get(&server.url_by_name("/")).unwrap(), b"secret image");
        drop(fixture);
        server.finish();
    }
}

#[test]
fn bad_certificates_are_refused_unless_that_is_asked_for() {
    let authority = Authority::new();
    let mut expired = localhost();
    (expired.not_before, expired.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    let elsewhere = CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
    let stranger = Authority::new();
    for (config, words) in [
        (authority.server(expired), "expired"),
        (authority.server(elsewhere), "not valid for name"),
        (stranger.server(localhost()), "invalid peer certificate"),
    ] {
        let server = Server::start_tls(config, answers);
        assert_untrusted(&authority.trusted(), &server.url_by_name("/"), words);
        assert!(server.requests().is_empty());
        let credulous = with_trust(Trust::Anyone);
        assert_eq!(credulous.get(&server.url_by_name("/")).unwrap(), b"secret image");
        drop(credulous);
        server.finish();
    }
}

#[test]
fn the_system_trusts_no_certificate_of_a_test() {
    let server = Server::start_tls(Authority::new().server(localhost()), answers);
    let fixture = Fixture::new();
    let error = fixture.get(&server.url_by_name("/")).unwrap_err();
    // A system without any certificates says so.
    assert!(matches!(error.kind(), Kind::Unavailable | Kind::BadConfig), "{error}");
    assert!(server.requests().is_empty());
    drop(fixture);
    server.finish();
}

#[test]
fn a_self_signed_certificate_may_be_its_own_authority_but_not_expire() {
    for (year, is_good) in [(4096, true), (2002, false)] {
        let mut params = localhost();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(year, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let server =
            Server::start_tls(config(certificate.der().clone(), &key, rustls::ALL_VERSIONS), answers);
        let fixture = trusting(&certificate.pem());
        if is_good {
            assert_eq!(fixture.get(&server.url_by_name("/")).unwrap(), b"secret image");
            assert_untrusted(&fixture, &server.url("/"), "not valid for name");
        } else {
            assert_untrusted(&fixture, &server.url_by_name("/"), "expired");
        }
        assert_untrusted(&Authority::new().trusted(), &server.url_by_name("/"), "certificate");
        drop(fixture);
        server.finish();
    }
}

#[test]
fn a_handshake_that_fails_is_one_clear_error() {
    let authority = Authority::new();
    // Plain HTTP where TLS is wanted: the hello looks like a request that never ends its line.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut wire, _) = listener.accept().unwrap();
        wire.read_exact(&mut [0]).unwrap();
        wire.write_all(b"HTTP/1.1 400 Speak plainly\r\n\r\n").unwrap();
    });
    assert_untrusted(
        &authority.trusted(),
        &format!("https://localhost:{port}/"),
        "no TLS connection to \"localhost\"",
    );
    server.join().unwrap();
}

#[test]
fn a_server_that_never_shakes_hands_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut settings = settings();
    settings.connector.connect_timeout = Some(Duration::from_millis(30));
    settings.retry.retries = 0;
    let fixture = Fixture::with(settings);
    let error = fixture.get(&format!("https://127.0.0.1:{port}/")).unwrap_err();
    assert_error(error, Kind::Unavailable, "within 0.03 s");
}

#[test]
fn files_that_hold_no_certificates_are_told_apart() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for (text, words) in [
        ("", "no certificate"),
        ("not PEM at all", "no certificate"),
        ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "bad"),
    ] {
        std::fs::write(path, text).unwrap();
        let reason = Trust::from_file(path).and_then(Tls::new).err().unwrap();
        assert!(reason.contains(words), "{reason}");
    }
    assert!(Trust::from_file("/nonexistent").err().unwrap().contains("cannot be read"));
}

/// A proxy that opens one tunnel, to `target` whatever it is asked for; it comes to what it was asked.
fn tunnel_to(target: u16) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy = std::thread::spawn(move || {
        let mut client = BufReader::new(listener.accept().unwrap().0);
        let mut lines = String::new();
        while !lines.ends_with("\r\n\r\n") {
            client.read_line(&mut lines).unwrap();
        }
        let (mut answers, mut requests) = (client.get_ref().try_clone().unwrap(), client.into_inner());
        answers.write_all(b"HTTP/1.1 200 Go\r\n\r\n").unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", target)).unwrap();
        let mut back = server.try_clone().unwrap();
        let backwards = std::thread::spawn(move || std::io::copy(&mut back, &mut answers));
        let _ = std::io::copy(&mut requests, &mut server);
        server.shutdown(Shutdown::Write).unwrap();
        let _ = backwards.join().unwrap();
        lines
    });
    (port, proxy)
}

#[test]
fn tls_goes_through_the_tunnel_of_a_proxy() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server(localhost()), answers);
    let (port, proxy) = tunnel_to(server.port());
    let mut settings = settings();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &authority.pem).unwrap();
    settings.connector.tls = Tls::new(Trust::from_file(file.path().to_str().unwrap()).unwrap()).unwrap();
    settings.connector.proxies.add("https", &format!("127.0.0.1:{port}")).unwrap();
    let fixture = Fixture::with(settings);
    assert_eq!(fixture.get("https://localhost/image").unwrap(), b"secret image");
    drop(fixture);
    assert!(proxy.join().unwrap().starts_with("CONNECT localhost:443 HTTP/1.1\r\n"));
    assert_eq!(server.finish()[0].target, "/image");
}

#[test]
fn a_redirect_leaves_tls_only_when_that_is_allowed() {
    let authority = Authority::new();
    let plain = Server::answering(answer("200 OK", "", b"x"));
    let moved = answer("302 Moved", &format!("Location: {}\r\n", plain.url("/?sig=secret")), b"");
    let server = Server::start_tls(authority.server(localhost()), move |_, wire| send(wire, &moved));
    let fixture = authority.trusted();
    assert_error(fixture.get(&server.url_by_name("/")).unwrap_err(), Kind::Forbidden, "http_allow_downgrade");
    assert_eq!(plain.connections(), 0);
    let mut settings = settings();
    settings.connector.tls = Tls::new(Trust::Anyone).unwrap();
    settings.allow_downgrade = true;
    let lenient = Fixture::with(settings);
    assert_eq!(lenient.get(&server.url_by_name("/")).unwrap(), b"x");
    drop((fixture, lenient));
    server.finish();
    plain.finish();
}
