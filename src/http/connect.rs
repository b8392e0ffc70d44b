//! Making connections: name, address, proxy, TLS; with whatever the policy forbids refused before a
//! packet is sent.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};

use super::connection::{Asked, Connection};
use super::error::{lost, malformed, tunnel_refused, wire, within};
use super::outgoing::Outgoing;
use super::payload::Payload;
use super::policy::Policy;
use super::proxy::Proxies;
use super::tls::Tls;
use super::url::{Credentials, Origin, Scheme, Url};
use crate::error::{Error, Kind, Result};
use crate::secret::Secret;

pub struct Connector {
    pub tls: Tls,
    pub proxies: Proxies,
    pub policy: Policy,
    /// How long making one connection may take, name, proxy and TLS included.
    pub connect_timeout: Option<Duration>,
    /// How long a server may be silent.
    pub read_timeout: Option<Duration>,
}

impl Connector {
    /// The proxy that is to be sent the requests to `origin` themselves.
    pub fn plain_proxy(&self, origin: &Origin) -> Option<&Url> {
        self.proxies.proxy_for(origin).filter(|_| origin.scheme == Scheme::Http)
    }

    /// A new connection over which `origin` can be asked.
    pub async fn connect(&self, origin: &Origin) -> Result<Connection> {
        within(self.connect_timeout, |limit| slow(origin, limit), async {
            let tcp = match self.proxies.proxy_for(origin) {
                Some(proxy) => self.by_proxy(proxy, origin).await?,
                None => self.direct(origin).await?,
            };
            match origin.scheme {
                Scheme::Http => Connection::over(tcp, self.read_timeout).await,
                Scheme::Https => {
                    let tls = self.tls.connect(&origin.host, tcp).await?;
                    Connection::over(tls, self.read_timeout).await
                }
            }
        })
        .await
    }

    async fn direct(&self, origin: &Origin) -> Result<TcpStream> {
        self.dial(origin, |address| self.policy.check_address(&origin.host, address.ip())).await
    }

    /// A connection to the first address of `origin` that may be and can be reached.
    async fn dial(&self, origin: &Origin, check: impl Fn(&SocketAddr) -> Result<()>) -> Result<TcpStream> {
        let found = lookup_host((origin.host.as_str(), origin.port)).await;
        let found =
            found.map_err(|error| lost(format_args!("cannot resolve the host {:?}", origin.host), &error))?;
        let addresses: Vec<SocketAddr> = found.collect();
        // One address that swallows packets must leave time for the others.
        let share = self.connect_timeout.map(|limit| limit / addresses.len().max(1) as u32);
        let mut failure = Error::new(Kind::Unavailable, format!("the host {:?} has no address", origin.host));
        for address in addresses {
            let reached = match check(&address) {
                Ok(()) => reach(address, origin, share).await,
                Err(error) => Err(error),
            };
            match reached {
                Ok(tcp) => return Ok(tcp),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// A connection to the proxy or, for TLS, through it.  The proxy is the configuration's choice, so
    /// the policy does not ask for its address.
    async fn by_proxy(&self, proxy: &Url, origin: &Origin) -> Result<TcpStream> {
        let tcp = self.dial(proxy.origin(), |_| Ok(())).await.map_err(|error| error.context("the proxy"))?;
        if origin.scheme == Scheme::Http {
            return Ok(tcp);
        }
        let mut connection = Connection::over(tcp, self.read_timeout).await?;
        let Asked::Answered(answer) = connection.ask(tunnel(proxy, origin)?).await? else {
            return Err(no_tunnel());
        };
        if !answer.status().is_success() {
            return Err(tunnel_refused(answer.status().as_u16()));
        }
        let tunnel = hyper::upgrade::on(answer).await.map_err(|error| wire(&error))?;
        let parts = tunnel.downcast::<TokioIo<TcpStream>>().map_err(|_| no_tunnel())?;
        if parts.read_buf.is_empty() { Ok(parts.io.into_inner()) } else { Err(no_tunnel()) }
    }
}

/// The request to a proxy for a connection to `origin`.
fn tunnel(proxy: &Url, origin: &Origin) -> Result<Request<Outgoing>> {
    let target = authority(origin);
    let mut request = Request::connect(target.as_str()).header(HOST, target.as_str());
    if let Some(credentials) = proxy.credentials() {
        request = request.header(PROXY_AUTHORIZATION, basic(credentials)?);
    }
    request
        .body(Outgoing::new(&Payload::default(), false))
        .map_err(|error| Error::new(Kind::BadUri, format!("{target:?}: {error}")))
}

fn no_tunnel() -> Error {
    malformed(format_args!("what the proxy opens is no tunnel"))
}

async fn reach(address: SocketAddr, origin: &Origin, limit: Option<Duration>) -> Result<TcpStream> {
    let connecting = async {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        Ok(tcp)
    };
    let failed = |error| lost(format_args!("cannot connect to {} at {address}", shown(origin)), &error);
    within(limit, |limit| slow(origin, limit), async { connecting.await.map_err(failed) }).await
}

fn slow(origin: &Origin, limit: Duration) -> Error {
    let message = format!("no connection to {} within {} s", shown(origin), limit.as_secs_f64());
    Error::new(Kind::Unavailable, message)
}

fn shown(origin: &Origin) -> String {
    format!("{:?}", authority(origin))
}

/// Host and port, always both.
fn authority(origin: &Origin) -> String {
    let Origin { host, port, .. } = origin;
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The header that shows credentials.
pub fn basic(credentials: &Credentials) -> Result<HeaderValue> {
    let encoded = Secret::new(STANDARD.encode(&*credentials.decoded()));
    let mut value = HeaderValue::from_str(Secret::new(format!("Basic {}", encoded.expose())).expose())
        .map_err(|_| Error::new(Kind::BadUri, "the credentials cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}
