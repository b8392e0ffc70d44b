//! What can go wrong when somebody asks for a token.  No message quotes the server: what it says may hold
//! what it was told.  None of them is `NotFound` either, which would mean the image.

use super::credentials::Identity;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::location::shorten;

/// The service gave no token.
pub fn refused(identity: &Identity, status: u16) -> Error {
    let name = identity.name();
    let (kind, meaning) = match status {
        401 => {
            (Kind::NotAuthenticated, format!("does not accept {name}, wrong, unknown, disabled or expired"))
        }
        403 => (Kind::Forbidden, format!("does not allow what {name} ask for")),
        400 => {
            (Kind::Failed, format!("makes no sense of {name}: check the authentication address and version"))
        }
        300 | 404 | 405 | 410 => (Kind::Failed, wrong_address().to_owned()),
        408 | 429 | 498 | 500.. => (Kind::Unavailable, "cannot do it now".to_owned()),
        _ => (Kind::Failed, "refuses the request".to_owned()),
    };
    answered(identity.address(), kind, &meaning, status)
}

fn wrong_address() -> &'static str {
    "is none of the version that it was taken for: check the authentication address and version"
}

/// The service made no trust.
pub fn no_trust(address: &Url, status: u16) -> Error {
    let kind = if status == 403 { Kind::Forbidden } else { Kind::Failed };
    answered(address, kind, "makes no trust", status)
}

fn answered(address: &Url, kind: Kind, meaning: &str, status: u16) -> Error {
    let message = format!("the identity service at {address} {meaning} (it answered {status})");
    Error::new(kind, message).with_http_status(status)
}

/// The service answered what no such service answers.
pub fn strange(address: &Url, reason: &str) -> Error {
    let message = format!(
        "the answer of the identity service at {address} cannot be used, {reason}: check the authentication address and version"
    );
    Error::new(Kind::Failed, message)
}

/// The service sends its clients to another one.
pub fn moved(address: &Url, to: &str) -> Error {
    let to = shorten(to);
    let message = format!(
        "the identity service at {address} sends its clients on to {to:?}, which is another server: if it may have the credentials, make it their authentication address"
    );
    Error::new(Kind::Failed, message)
}
