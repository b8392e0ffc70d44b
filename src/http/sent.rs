//! The request that an answer is to, as far as the answer's reader needs it.

use std::borrow::Cow;

use http::header::HeaderMap;

use super::request::Request;
use crate::secret::HIDDEN;

/// How a request was sent.
pub struct Sent {
    /// With what proves who asks.
    pub headers: HeaderMap,
    /// How many times it was authorized anew.
    pub renewals: usize,
    is_confidential: bool,
}

impl Sent {
    pub fn new(request: Request, renewals: usize) -> Self {
        let is_confidential = request.is_confidential();
        Sent { headers: request.headers, renewals, is_confidential }
    }

    /// What may be repeated of the beginning of an answer: servers may say what they were told.
    pub fn repeatable<'a>(&self, said: &'a [u8]) -> Cow<'a, str> {
        if self.is_confidential {
            return Cow::Borrowed("");
        }
        let secrets = self.headers.values().filter(|value| value.is_sensitive());
        let secrets = secrets.filter_map(|value| str::from_utf8(value.as_bytes()).ok());
        secrets.filter(|secret| !secret.is_empty()).fold(String::from_utf8_lossy(said), hide)
    }
}

/// Hides a secret in a text whose end is missing, and the secret's end perhaps with it.
fn hide<'a>(text: Cow<'a, str>, secret: &str) -> Cow<'a, str> {
    let begun =
        secret.char_indices().map(|(at, _)| &secret[..at]).skip(1).filter(|part| text.ends_with(part));
    let rest = begun.last().unwrap_or_default();
    if rest.is_empty() && !text.contains(secret) {
        return text;
    }
    let kept = &text[..text.len() - rest.len()];
    Cow::Owned(kept.replace(secret, HIDDEN) + if rest.is_empty() { "" } else { HIDDEN })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    #[test]
    fn what_proves_who_asks_is_not_repeated() {
        let mut secret = HeaderValue::from_static("abcde");
        secret.set_sensitive(true);
        let request = || Request::get().with(AUTHORIZATION, secret.clone());
        let sent = Sent::new(request(), 0);
        for (said, repeated) in [
            ("fine", "fine"),
            ("the token abcde is unknown", "the token *** is unknown"),
            ("abcdeabcde", "******"),
            ("abcde abc", "*** ***"),
            ("ab", "***"),
            ("", ""),
        ] {
            assert_eq!(sent.repeatable(said.as_bytes()), repeated, "{said}");
        }
        assert_eq!(Sent::new(request().confidential(), 0).repeatable(b"fine"), "");
        let open = Request::get().with(AUTHORIZATION, HeaderValue::from_static("abcde"));
        assert_eq!(Sent::new(open, 0).repeatable(b"abcde"), "abcde");
    }
}
