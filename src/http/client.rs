//! Requests: asked over kept connections, tried again when that may help, followed where they lead.

use std::sync::Arc;
use std::time::SystemTime;

use super::body::Body;
use super::connect::{Connector, authorization, proxy_authorization};
use super::connection::Connection;
use super::error::{READ_BODY, refused};
use super::head::{Framing, Head, Headers};
use super::idle::Idle;
use super::retry::{Failure, Retries, RetryPolicy, retry_after};
use super::url::{Scheme, Url};
use crate::error::{Error, Kind, Result};
use crate::log::{Level, Log};
use crate::secret::Secret;

/// How a client behaves.
pub struct Settings {
    pub connector: Connector,
    pub retry: RetryPolicy,
    /// How many answers in a row may be redirects before that is an error.
    pub max_redirects: u32,
    /// Whether a redirect may lead from https to http.
    pub allow_downgrade: bool,
}

/// A client: what all requests of one store share.
pub struct Client {
    settings: Settings,
    idle: Arc<Idle>,
    log: Arc<Log>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
        }
    }
}

/// What a server answered, with its body still on the way.
pub struct Response {
    pub status: u16,
    pub headers: Headers,
    /// How long the body is, or would be if it was asked for, where the server says.
    pub length: Option<u64>,
    /// Where the answer came from, after all redirects.
    pub url: Url,
    pub body: Body,
}

impl Response {
    /// The error that the answer is.
    pub async fn into_error(mut self) -> Error {
        refused(self.status, &self.body.read_some(READ_BODY).await)
    }
}

impl Client {
    pub fn new(settings: Settings, log: Arc<Log>) -> Self {
        Client { settings, idle: Arc::default(), log }
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn retry_policy(&self) -> RetryPolicy {
        self.settings.retry
    }

    /// Sends a request, follows redirects and tries again where that may help.  The answer may still be
    /// one that refuses the request.
    pub async fn send(&self, method: Method, url: &Url, headers: &[(&str, &str)]) -> Result<Response> {
        let mut url = url.clone();
        for _ in 0..self.settings.max_redirects {
            let response = self.send_patiently(method, &url, headers).await?;
            let Some(location) = redirect_of(&response) else {
                return Ok(response);
            };
            url = self.follow(&url, location)?;
            self.log.write(Level::Debug, "http", format_args!("redirected to {url}"));
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
            let message =
                format!("the redirect from {url} leads to plain http, which http_allow_downgrade forbids");
            return Err(Error::new(Kind::Forbidden, message));
        }
        Ok(next)
    }

    async fn send_patiently(&self, method: Method, url: &Url, headers: &[(&str, &str)]) -> Result<Response> {
        let mut retries = Retries::new(self.settings.retry);
        loop {
            let failure = match self.exchange(method, url, headers).await {
                Ok(response) if matches!(response.status, 429 | 500 | 502..=504) => {
                    let retry_after = retry_after(&response.headers, SystemTime::now());
                    Failure { error: response.into_error().await, retry_after }
                }
                Ok(response) => return Ok(response),
                Err(error) => error.into(),
            };
            retries.pause(failure, &self.log).await?;
        }
    }

    /// One request and its answer.
    async fn exchange(&self, method: Method, url: &Url, headers: &[(&str, &str)]) -> Result<Response> {
        let Settings { connector, .. } = &self.settings;
        connector.policy.check_host(url.origin())?;
        let seat = self.idle.seat(url.origin());
        let request = self.request(method, url, headers);
        self.log.write(Level::Debug, "http", format_args!("{} {url}", method.name()));
        let (connection, head) = loop {
            let kept = seat.take();
            let mut connection = match kept {
                Some(connection) => connection,
                None => connector.connect(url.origin()).await?,
            };
            match connection.ask(request.expose().as_bytes()).await {
                Ok(head) => break (connection, head),
                // The server closed a kept connection while the request was on its way.
                Err(error)
                    if error.kind() == Kind::Unavailable && connection.is_used && !connection.is_answered => {
                }
                Err(error) => return Err(error),
            }
        };
        let seat = Some(seat).filter(|_| head.keeps_connection());
        response(method, url, connection, head, seat)
    }

    fn request(&self, method: Method, url: &Url, headers: &[(&str, &str)]) -> Secret {
        let proxy = self.settings.connector.plain_proxy(url.origin());
        let (method, target) = (method.name(), url.request_target());
        let mut text = match proxy {
            Some(_) => format!("{method} http://{}{target} HTTP/1.1\r\n", url.authority()),
            None => format!("{method} {target} HTTP/1.1\r\n"),
        };
        text.push_str(&format!("Host: {}\r\n", url.authority()));
        text.push_str(concat!("User-Agent: glance-store/", env!("CARGO_PKG_VERSION"), "\r\n"));
        // A compressed body would have another length than the image, and other ranges.
        text.push_str("Accept: */*\r\nAccept-Encoding: identity\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let own = url.credentials().map(authorization);
        let for_proxy = proxy.and_then(Url::credentials).map(proxy_authorization);
        own.into_iter().chain(for_proxy).for_each(|line| text.push_str(&line));
        text.push_str("\r\n");
        Secret::new(text)
    }
}

fn response(
    method: Method,
    url: &Url,
    connection: Connection,
    head: Head,
    seat: Option<Arc<super::idle::Seat>>,
) -> Result<Response> {
    let framing = match method {
        Method::Get => head.framing()?,
        Method::Head => Framing::Length(0),
    };
    let length = match (method, framing) {
        (Method::Get, Framing::Length(length)) => Some(length),
        (Method::Get, _) => None,
        (Method::Head, _) => head.content_length()?,
    };
    let body = Body::new(connection, framing, seat);
    Ok(Response { status: head.status, headers: head.headers, length, url: url.clone(), body })
}

fn redirect_of(response: &Response) -> Option<&str> {
    match response.status {
        301 | 302 | 303 | 307 | 308 => response.headers.get("location"),
        _ => None,
    }
}
