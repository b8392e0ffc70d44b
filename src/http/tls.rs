//! TLS: whom to trust, and the handshake.

use std::fs;
use std::io;
use std::sync::Arc;

use once_cell::sync::OnceCell;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::lost;
use crate::error::{Error, Kind, Result};

/// Where Linux distributions and the BSDs keep the certificates that the system trusts.
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Which servers are trusted.
pub enum Trust {
    /// Those that the system trusts.
    System,
    /// Those with a certificate by one of these, or that have one of these.
    Authorities(Vec<CertificateDer<'static>>),
    /// All.
    Anyone,
}

impl Trust {
    /// The certificates of a PEM file.
    pub fn from_file(path: &str) -> std::result::Result<Self, String> {
        read_bundle(path).map(Trust::Authorities)
    }
}

fn read_bundle(path: &str) -> std::result::Result<Vec<CertificateDer<'static>>, String> {
    let text = fs::read(path).map_err(|error| format!("the file cannot be read: {error}"))?;
    let certificates: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Err(error) => Err(format!("the file is not in PEM format: {error}")),
        Ok(certificates) if certificates.is_empty() => Err("the file holds no certificate".to_owned()),
        Ok(certificates) => Ok(certificates),
    }
}

/// TLS as one client speaks it.  What it needs of the system is read with the first connection: a
/// store of plain HTTP must open where no certificates are installed.
pub struct Tls {
    trust: Trust,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    /// Fails when the authorities' certificates cannot be used.
    pub fn new(trust: Trust) -> std::result::Result<Self, String> {
        let tls = Tls { trust, config: OnceCell::new() };
        if let Trust::Authorities(_) = tls.trust {
            tls.config.get_or_try_init(|| tls.make_config())?;
        }
        Ok(tls)
    }

    /// Does the handshake with `host` over `tcp`.
    pub async fn connect(&self, host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>> {
        let config = self.config.get_or_try_init(|| self.make_config());
        let config = config.map_err(|reason| Error::new(Kind::BadConfig, reason))?.clone();
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::new(Kind::BadUri, format!("no certificate can be for the host {host:?}")))?;
        TlsConnector::from(config).connect(name, tcp).await.map_err(|error| handshake_error(host, &error))
    }

    fn make_config(&self) -> std::result::Result<Arc<ClientConfig>, String> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match &self.trust {
            Trust::System => verifier(system_roots()?, provider.clone())?,
            Trust::Authorities(certificates) => Arc::new(OwnAuthorities {
                verifier: verifier(roots(certificates)?, provider.clone())?,
                certificates: certificates.clone(),
            }),
            Trust::Anyone => Arc::new(NoVerifier(provider.clone())),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be used: {error}"))?;
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn handshake_error(host: &str, error: &io::Error) -> Error {
    let is_refusal = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    // A certificate does not get better by trying again, a broken connection may.
    lost(format_args!("no TLS connection to {host:?}"), error).with_retryable(!is_refusal)
}

fn verifier(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> std::result::Result<Arc<WebPkiServerVerifier>, String> {
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    builder.build().map_err(|error| format!("the trusted certificates cannot be used: {error}"))
}

fn roots(certificates: &[CertificateDer<'static>]) -> std::result::Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate.clone())
            .map_err(|error| format!("a certificate of the file is bad: {error}"))?;
    }
    Ok(roots)
}

fn system_roots() -> std::result::Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let bundles = SYSTEM_BUNDLES.iter().filter_map(|path| fs::read(path).ok());
    let mut certificates = bundles.map(|bundle| readable(&bundle)).filter(|found| !found.is_empty());
    roots.add_parsable_certificates(certificates.next().unwrap_or_default());
    if roots.is_empty() {
        return Err(format!(
            "the system has no trusted certificates ({}): install them or set https_ca_certificates_file",
            SYSTEM_BUNDLES.join(", ")
        ));
    }
    Ok(roots)
}

/// The certificates of a system's bundle.  It may hold some that this library cannot read; the others
/// still count.
fn readable(bundle: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(bundle).filter_map(std::result::Result::ok).collect()
}

/// Trusts what the given authorities signed and, as other TLS libraries do, a server that shows one of
/// the given certificates itself: a self-signed certificate is mostly its own authority.
#[derive(Debug)]
struct OwnAuthorities {
    verifier: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl OwnAuthorities {
    /// Whether all that is wrong with a certificate is that it may also sign others.
    fn is_only_authority(error: &rustls::Error) -> bool {
        let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(reason)) = error else {
            return false;
        };
        matches!(reason.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
    }
}

impl ServerCertVerifier for OwnAuthorities {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The validity in time was looked at before this error came up.
            Err(error)
                if Self::is_only_authority(&error)
                    && self.certificates.iter().any(|own| own == end_entity) =>
            {
                let certificate = rustls::server::ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Trusts every certificate, as `https_insecure` asks; the server must still own the one it shows.
#[derive(Debug)]
struct NoVerifier(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerifier {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_certificate_of_the_system_does_not_cost_the_others() {
        let section = |text| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        let bundle = ["AQID", "!", "BAUG"].map(section).concat();
        assert_eq!(readable(bundle.as_bytes()), [&[1, 2, 3][..], &[4, 5, 6]].map(CertificateDer::from));
        assert_eq!(readable(section("!").as_bytes()), []);
    }
}
