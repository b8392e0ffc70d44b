//! The identifier of a caller's request, for the log of the server.

use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};

use crate::error::{Error, Kind, Result};
use crate::http::{Authorizer, BoxFuture, Request, Response, Url};
use crate::operation::Context;

/// What Swift makes a part of the transaction's name in its log.
const EXTRA: HeaderName = HeaderName::from_static("x-trans-id-extra");

/// An authorizer that also says for whose request it asks.
struct Traced {
    inner: Arc<dyn Authorizer>,
    request_id: HeaderValue,
}

/// The same right, for the request of the context, if that has a name.
pub fn traced(inner: Arc<dyn Authorizer>, context: &Context) -> Result<Arc<dyn Authorizer>> {
    let Some(text) = context.request_id.as_ref().filter(|text| !text.is_empty()) else {
        return Ok(inner);
    };
    let request_id = HeaderValue::from_str(text).map_err(|_| {
        let message = "the request_id of the context holds characters that no header of HTTP can have";
        Error::new(Kind::Invalid, message)
    })?;
    Ok(Arc::new(Traced { inner, request_id }))
}

impl Authorizer for Traced {
    fn authorize<'a>(&'a self, url: &'a Url, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        request.headers.insert(EXTRA, self.request_id.clone());
        self.inner.authorize(url, request)
    }

    fn renew<'a>(&'a self, refusal: &'a Response) -> BoxFuture<'a, Result<bool>> {
        self.inner.renew(refusal)
    }
}
