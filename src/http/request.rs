//! What a server is asked for, and with what right.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::payload::Payload;
use super::response::Response;
use super::url::Url;
use crate::error::{Error, Result};

/// A request, apart from where it goes.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    pub headers: HeaderMap,
    pub payload: Payload,
    is_idempotent: bool,
    is_retried: bool,
    is_redirected: bool,
    is_confidential: bool,
}

impl Request {
    fn new(method: Method, payload: Payload) -> Self {
        let is_idempotent = method != Method::POST;
        Request {
            method,
            headers: HeaderMap::new(),
            payload,
            is_idempotent,
            is_retried: true,
            is_redirected: true,
            is_confidential: false,
        }
    }

    pub fn get() -> Self {
        Request::new(Method::GET, Payload::default())
    }

    pub fn head() -> Self {
        Request::new(Method::HEAD, Payload::default())
    }

    pub fn delete() -> Self {
        Request::new(Method::DELETE, Payload::default())
    }

    pub fn put(payload: Payload) -> Self {
        Request::new(Method::PUT, payload)
    }

    pub fn post(payload: Payload) -> Self {
        Request::new(Method::POST, payload)
    }

    /// The same with one more header.  What proves who asks must be marked as sensitive: it goes to no
    /// other origin than the target's.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same although it is a POST, which otherwise is sent once at most: doing twice what this asks for
    /// does no harm.
    pub fn repeatable(mut self) -> Self {
        self.is_idempotent = true;
        self
    }

    /// The same for a sender who tries again by himself.
    pub fn unretried(mut self) -> Self {
        self.is_retried = false;
        self
    }

    /// The same with redirects as answers.
    pub fn unredirected(mut self) -> Self {
        self.is_redirected = false;
        self
    }

    /// The same with a payload that nobody else may see: no error and no log repeats what the server says.
    pub fn confidential(mut self) -> Self {
        self.is_confidential = true;
        self
    }

    pub fn is_confidential(&self) -> bool {
        self.is_confidential
    }

    /// Whether it is tried again where that may help.
    pub fn is_retried(&self) -> bool {
        self.is_retried
    }

    pub fn is_idempotent(&self) -> bool {
        self.is_idempotent
    }

    /// Whether it may be sent again after an answer or a failure.
    pub fn may_repeat(&self) -> bool {
        self.is_idempotent && self.payload.is_whole()
    }

    /// Whether such an answer may send it elsewhere.  Most clients make a GET of a request that 301 and
    /// 302 redirect, so for others these mean nothing that can be relied on.
    pub fn follows(&self, status: u16) -> bool {
        let is_read = matches!(self.method, Method::GET | Method::HEAD);
        self.is_redirected
            && match status {
                301..=303 => is_read,
                307 | 308 => self.may_repeat(),
                _ => false,
            }
    }
}

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Proves to a server who asks.
pub trait Authorizer: Send + Sync {
    /// Completes a request, once for each time it is sent.
    fn authorize<'a>(&'a self, url: &'a Url, request: &'a mut Request) -> BoxFuture<'a, Result<()>>;

    /// The server refused a request.  True: it is worth another try, for this has learnt something, such
    /// as that a token has expired, and will authorize it in another way.
    fn renew<'a>(&'a self, refusal: &'a Response) -> BoxFuture<'a, Result<bool>>;

    /// The error that a refusal is, for those who understand more of it than its status.
    fn explain<'a>(&'a self, refusal: Response) -> BoxFuture<'a, Error> {
        Box::pin(refusal.into_error())
    }
}

/// Where a request goes.
#[derive(Clone)]
pub struct Target {
    pub url: Url,
    pub authorizer: Option<Arc<dyn Authorizer>>,
}

impl Target {
    /// Another place.  Within the origin it is asked with the same right.
    pub fn at(&self, url: Url) -> Self {
        let authorizer = self.authorizer.clone().filter(|_| self.url.origin() == url.origin());
        Target { url, authorizer }
    }

    /// The error that a refusal is.
    pub async fn explain(&self, refusal: Response) -> Error {
        match &self.authorizer {
            Some(authorizer) => authorizer.explain(refusal).await,
            None => refusal.into_error().await,
        }
    }
}

impl From<Url> for Target {
    fn from(url: Url) -> Self {
        Target { url, authorizer: None }
    }
}
