//! Requests: asked over kept connections, tried again when that may help, followed where they lead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, LOCATION,
    PROXY_AUTHORIZATION, USER_AGENT,
};
use http::{Method, StatusCode};
use hyper::body::Body as _;

use super::body::Body;
use super::connect::{Connector, basic};
use super::connection::Asked;
use super::idle::Idle;
use super::outgoing::Outgoing;
use super::policy::Policy;
use super::request::{Request, Target};
use super::response::{Response, content_length};
use super::retry::{Retries, RetryPolicy, retry_after};
use super::sent::Sent;
use super::url::{Scheme, Url};
use crate::error::{Error, Kind, Result};
use crate::log::{Level, Log};

/// How a client behaves.
pub struct Settings {
    pub connector: Connector,
    pub retry: RetryPolicy,
    /// How many answers in a row may be redirects before that is an error.
    pub max_redirects: u32,
    /// Whether a redirect may lead from https to http.
    pub allow_downgrade: bool,
    /// What the names of the options begin with that these settings come from.
    pub prefix: &'static str,
}

impl Settings {
    /// The same for what the configuration itself names, rather than a location: that may be reached wherever
    /// it is.
    pub fn unrestricted(mut self) -> Self {
        self.connector.policy = Policy::new(self.prefix);
        self
    }
}

/// A client: what all requests of one store share.
#[derive(Clone)]
pub struct Client {
    settings: Arc<Settings>,
    retry: RetryPolicy,
    idle: Arc<Idle>,
    /// Whether some server was found that refuses to be asked whether it wants a payload.
    asks_no_leave: Arc<AtomicBool>,
    log: Arc<Log>,
}

/// From so many bytes on, a server is asked whether it wants a payload before that is sent.
const WORTH_ASKING: u64 = 1 << 20;

/// How many times a refused request is tried with another authorization.
const MAX_RENEWALS: usize = 2;

/// An attempt that had no answer.
struct Failure {
    error: Error,
    /// Whether the server may have seen the request.
    was_sent: bool,
}

impl Client {
    pub fn new(settings: Settings, log: Arc<Log>) -> Self {
        let retry = settings.retry;
        Client {
            settings: Arc::new(settings),
            retry,
            idle: Arc::default(),
            asks_no_leave: Arc::default(),
            log,
        }
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn prefix(&self) -> &'static str {
        self.settings.prefix
    }

    pub fn retry_policy(&self) -> RetryPolicy {
        self.retry
    }

    /// The same client, which tries everything again so often at least.
    pub fn persistent(&self, retries: u32) -> Self {
        let retry = RetryPolicy { retries: self.retry.retries.max(retries), ..self.retry };
        Client { retry, ..self.clone() }
    }

    /// Sends a request, follows redirects and tries again where that may help.  The answer may still be
    /// one that refuses the request.
    pub async fn send(&self, target: &Target, mut request: Request) -> Result<Response> {
        let mut target = target.clone();
        for _ in 0..self.settings.max_redirects {
            let response = self.send_patiently(&target, &request).await?;
            let Some(location) = redirect_of(&request, &response) else {
                return Ok(response);
            };
            let next = target.at(self.follow(&target.url, location)?);
            self.log.write(Level::Debug, "http", format_args!("redirected to {}", next.url));
            if next.url.origin() != target.url.origin() {
                drop_secrets(&mut request.headers);
            }
            target = next;
            response.body.discard().await;
        }
        let limit = self.settings.max_redirects;
        Err(Error::new(Kind::TooManyRedirects, format!("{limit} answers in a row were redirects")))
    }

    fn follow(&self, url: &Url, location: &str) -> Result<Url> {
        let next = url.join(location).map_err(|reason| {
            Error::new(Kind::BadUri, format!("the redirect from {url} cannot be followed: {reason}"))
        })?;
        let is_downgrade = (url.origin().scheme, next.origin().scheme) == (Scheme::Https, Scheme::Http);
        if is_downgrade && !self.settings.allow_downgrade {
            let message = format!(
                "the redirect from {url} leads to plain http, which only http_allow_downgrade of an http store allows"
            );
            return Err(Error::new(Kind::Forbidden, message));
        }
        Ok(next)
    }

    async fn send_patiently(&self, target: &Target, request: &Request) -> Result<Response> {
        let mut retries = Retries::new(self.retry);
        let mut renewals = 0;
        loop {
            let is_early = request.payload.is_growing();
            let attempt = self.attempt(target, request, renewals).await;
            if is_early && is_impatience(&attempt) && request.is_retried() && request.may_repeat() {
                let url = &target.url;
                self.log.write(
                    Level::Info,
                    "http",
                    format_args!("{url} is sent again once all of it is there"),
                );
                request.payload.settle().await?;
                continue;
            }
            let (pause, error) = match attempt {
                Ok(response) if renewals < MAX_RENEWALS && renew(target, request, &response).await? => {
                    renewals += 1;
                    response.body.discard().await;
                    continue;
                }
                Ok(response)
                    if is_passing(response.status) && request.is_retried() && request.may_repeat() =>
                {
                    match retries.next(retry_after(&response.headers, SystemTime::now())) {
                        Some(pause) => (pause, target.explain(response).await),
                        None => return Ok(response),
                    }
                }
                Ok(response) => return Ok(response),
                Err(Failure { error, was_sent }) => {
                    let may_repeat = error.is_retryable()
                        && request.is_retried()
                        && request.payload.is_whole()
                        && (request.is_idempotent() || !was_sent);
                    match if may_repeat { retries.next(None) } else { None } {
                        Some(pause) => (pause, error),
                        None => return Err(error),
                    }
                }
            };
            retries.rest(pause, &error, &self.log).await;
            request.payload.settle().await?;
        }
    }

    /// One request, authorized, and its answer.
    async fn attempt(
        &self,
        target: &Target,
        request: &Request,
        renewals: usize,
    ) -> std::result::Result<Response, Failure> {
        let unsent = |error| Failure { error, was_sent: false };
        let sent = |error| Failure { error, was_sent: true };
        let connector = &self.settings.connector;
        let Target { url, authorizer } = target;
        connector.policy.check_host(url.origin()).map_err(unsent)?;
        let mut request = request.clone();
        if let Some(authorizer) = authorizer {
            authorizer.authorize(url, &mut request).await.map_err(unsent)?;
        }
        let seat = self.idle.seat(url.origin());
        self.log.write(Level::Debug, "http", format_args!("{} {url}", request.method));
        loop {
            let asks_leave = self.asks_leave(&request);
            // A server may close an idle connection at any time; whether it saw a request then, nobody knows,
            // and a stream that has begun is lost.
            let survives_loss = request.is_idempotent() && (asks_leave || !request.payload.is_streamed());
            let kept = if survives_loss { seat.take() } else { None };
            let mut connection = match kept {
                Some(connection) => connection,
                None => connector.connect(url.origin()).await.map_err(unsent)?,
            };
            let outgoing = self.outgoing(url, &request, asks_leave).map_err(unsent)?;
            let asked = connection.ask(outgoing).await.map_err(sent)?;
            let Asked::Answered(answer) = asked else {
                if request.payload.is_whole() {
                    continue;
                }
                let error = Error::new(Kind::Unavailable, "the connection broke while the image was sent");
                return Err(sent(error));
            };
            let (head, incoming) = answer.into_parts();
            if head.status == StatusCode::EXPECTATION_FAILED && asks_leave && request.payload.is_whole() {
                self.asks_no_leave.store(true, Ordering::Relaxed);
                continue;
            }
            let length = match request.method {
                Method::HEAD => content_length(&head.headers).map_err(sent)?,
                _ => incoming.size_hint().exact(),
            };
            return Ok(Response {
                status: head.status.as_u16(),
                headers: head.headers,
                length,
                url: url.clone(),
                sent: Sent::new(request, renewals),
                body: Body::new(incoming, connection, seat),
            });
        }
    }

    /// Whether the server is asked before the payload is sent: one that refuses costs little then, and a
    /// stream can still be sent elsewhere.
    fn asks_leave(&self, request: &Request) -> bool {
        let is_long = request.payload.length().is_none_or(|length| length >= WORTH_ASKING);
        let is_worth_it = request.payload.is_streamed() || is_long;
        is_worth_it && !self.asks_no_leave.load(Ordering::Relaxed)
    }

    fn outgoing(&self, url: &Url, request: &Request, asks_leave: bool) -> Result<http::Request<Outgoing>> {
        let proxy = self.settings.connector.plain_proxy(url.origin());
        let target = match proxy {
            Some(_) => format!("http://{}{}", url.authority(), url.request_target()),
            None => url.request_target(),
        };
        let mut head = http::Request::builder()
            .method(&request.method)
            .uri(target)
            .header(HOST, url.authority())
            .header(USER_AGENT, concat!("glance-store/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "*/*")
            // A compressed body would have another length than the image, and other ranges.
            .header(ACCEPT_ENCODING, "identity");
        let payload = Outgoing::new(&request.payload, asks_leave);
        let length = payload.size_hint().exact();
        if let Some(length) = length.filter(|_| matches!(request.method, Method::PUT | Method::POST)) {
            head = head.header(CONTENT_LENGTH, length);
        }
        if asks_leave {
            head = head.header(EXPECT, "100-continue");
        }
        if let Some(credentials) = url.credentials() {
            head = head.header(AUTHORIZATION, basic(credentials)?);
        }
        if let Some(credentials) = proxy.and_then(Url::credentials) {
            head = head.header(PROXY_AUTHORIZATION, basic(credentials)?);
        }
        if let Some(headers) = head.headers_mut() {
            headers.extend(request.headers.clone());
        }
        head.body(payload)
            .map_err(|error| Error::new(Kind::BadUri, format!("{url} cannot be asked for: {error}")))
    }
}

/// Whether a server that answers so may answer otherwise soon.  499 is what Swift says as well as 408 when it has
/// waited too long for more of a payload.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 498..=500 | 502..=504 | 507)
}

/// Whether a request may have failed only because its payload was still growing: the server has not waited for the
/// rest, or takes none whose length it is not told.
fn is_impatience(attempt: &std::result::Result<Response, Failure>) -> bool {
    match attempt {
        Ok(response) => matches!(response.status, 408 | 411 | 499),
        Err(failure) => failure.error.is_retryable(),
    }
}

/// Whether a refused request can be sent again with another authorization.
async fn renew(target: &Target, request: &Request, response: &Response) -> Result<bool> {
    let is_refusal = matches!(response.status, 301 | 307 | 400..=499);
    match &target.authorizer {
        Some(authorizer) if is_refusal && request.payload.is_whole() => authorizer.renew(response).await,
        _ => Ok(false),
    }
}

/// Removes what proves to one server who asks, before another is asked.
fn drop_secrets(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    headers.remove(COOKIE);
    let secret = headers.iter().filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name.clone());
    for name in secret.collect::<Vec<_>>() {
        headers.remove(name);
    }
}

fn redirect_of<'a>(request: &Request, response: &'a Response) -> Option<&'a str> {
    if !request.follows(response.status) {
        return None;
    }
    // A Location may hold more than ASCII; what a URL cannot have is escaped later.
    str::from_utf8(response.headers.get(LOCATION)?.as_bytes()).ok()
}
