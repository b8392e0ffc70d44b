//! Requests: asked over kept connections, tried again when that may help, followed where they lead.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, LOCATION,
    PROXY_AUTHORIZATION, USER_AGENT,
};
use http::{HeaderValue, Method, Request};
use http_body_util::Empty;
use hyper::body::Body as _;

use super::body::Body;
use super::connect::{Connector, basic};
use super::connection::Asked;
use super::error::{READ_BODY, malformed, refused};
use super::idle::Idle;
use super::retry::{Failure, Retries, RetryPolicy, retry_after};
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
}

/// A client: what all requests of one store share.
pub struct Client {
    settings: Settings,
    idle: Arc<Idle>,
    log: Arc<Log>,
}

/// The headers of a request beyond those that every request has.
pub type Extra = [(HeaderName, HeaderValue)];

/// What a server answered, with its body still on the way.
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
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
    pub async fn send(&self, method: &Method, url: &Url, headers: &Extra) -> Result<Response> {
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

    async fn send_patiently(&self, method: &Method, url: &Url, headers: &Extra) -> Result<Response> {
        let mut retries = Retries::new(self.settings.retry);
        loop {
            let failure = match self.exchange(method, url, headers).await {
                Ok(response) if matches!(response.status, 408 | 429 | 500 | 502..=504) => {
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
    async fn exchange(&self, method: &Method, url: &Url, headers: &Extra) -> Result<Response> {
        let Settings { connector, .. } = &self.settings;
        connector.policy.check_host(url.origin())?;
        let seat = self.idle.seat(url.origin());
        self.log.write(Level::Debug, "http", format_args!("{method} {url}"));
        loop {
            let mut connection = match seat.take() {
                Some(connection) => connection,
                None => connector.connect(url.origin()).await?,
            };
            let Asked::Answered(answer) = connection.ask(self.request(method, url, headers)?).await? else {
                continue;
            };
            let (head, incoming) = answer.into_parts();
            let length = match *method {
                Method::HEAD => content_length(&head.headers)?,
                _ => incoming.size_hint().exact(),
            };
            return Ok(Response {
                status: head.status.as_u16(),
                headers: head.headers,
                length,
                url: url.clone(),
                body: Body::new(incoming, connection, seat),
            });
        }
    }

    fn request(&self, method: &Method, url: &Url, headers: &Extra) -> Result<Request<Empty<Bytes>>> {
        let proxy = self.settings.connector.plain_proxy(url.origin());
        let target = match proxy {
            Some(_) => format!("http://{}{}", url.authority(), url.request_target()),
            None => url.request_target(),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, url.authority())
            .header(USER_AGENT, concat!("glance-store/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "*/*")
            // A compressed body would have another length than the image, and other ranges.
            .header(ACCEPT_ENCODING, "identity");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(credentials) = url.credentials() {
            request = request.header(AUTHORIZATION, basic(credentials)?);
        }
        if let Some(credentials) = proxy.and_then(Url::credentials) {
            request = request.header(PROXY_AUTHORIZATION, basic(credentials)?);
        }
        request
            .body(Empty::new())
            .map_err(|error| Error::new(Kind::BadUri, format!("{url} cannot be asked for: {error}")))
    }
}

/// What the answer to `HEAD` says that the body would have; said several times it must be the same.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return Ok(None);
    };
    let digits = first.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()).filter(|_| lengths.all(|other| other == first)) {
        Some(length) => Ok(Some(length)),
        None => Err(malformed(format_args!("its Content-Length is not one number"))),
    }
}

fn redirect_of(response: &Response) -> Option<&str> {
    match response.status {
        // A Location may hold more than ASCII; what a URL cannot have is escaped later.
        301 | 302 | 303 | 307 | 308 => str::from_utf8(response.headers.get(LOCATION)?.as_bytes()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_one_number() {
        for (values, length) in [
            (&[][..], Some(None)),
            (&["3"], Some(Some(3))),
            (&["3", "3"], Some(Some(3))),
            (&["3", "4"], None),
            (&["+3"], None),
            (&["-1"], None),
            (&["3, 4"], None),
            (&["0x10"], None),
            (&["99999999999999999999"], None),
        ] {
            let headers = values.iter().map(|value| (CONTENT_LENGTH, HeaderValue::from_static(value)));
            assert_eq!(content_length(&headers.collect()).ok(), length, "{values:?}");
        }
    }
}
