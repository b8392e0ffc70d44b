//! Storage URIs: told apart by scheme here, parsed further by the driver that serves the scheme.

use crate::error::{Error, Kind, Result};
use crate::secret::{Secret, redact_uri};

/// A storage URI as text came in: its scheme and what follows `scheme://`.
pub struct StorageUri {
    /// It may hold credentials.
    text: Secret,
    scheme: String,
    rest_at: usize,
}

impl StorageUri {
    /// The scheme is found as RFC 3986 says and compared without regard to case.  White space around
    /// the URI's end and every tab, CR and LF are dropped, as the URL parser of glance_store does.
    pub fn parse(text: &str) -> Result<Self> {
        let kept: String = text.chars().filter(|c| !matches!(c, '\t' | '\r' | '\n')).collect();
        let kept = Secret::new(kept);
        let text = kept.expose();
        let unknown = |scheme: &str| {
            let shown = shorten(&redact_uri(text));
            Error::new(Kind::UnknownScheme, format!("unknown scheme {scheme:?} in the storage URI {shown:?}"))
        };
        let (scheme, rest) = text.split_once(':').ok_or_else(|| unknown(""))?;
        if !is_scheme(scheme) {
            return Err(unknown(""));
        }
        if !rest.starts_with("//") {
            return Err(bad_uri(text, "the scheme must be followed by \"://\""));
        }
        let rest_at = scheme.len() + "://".len();
        let scheme = scheme.to_ascii_lowercase();
        Ok(StorageUri { text: kept, scheme, rest_at })
    }

    /// In lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// As it was written.
    pub fn written_scheme(&self) -> &str {
        &self.text.expose()[..self.scheme.len()]
    }

    /// What follows `scheme://`.
    pub fn rest(&self) -> &str {
        &self.text.expose()[self.rest_at..]
    }

    /// This URI cannot be used, for that reason.
    pub fn bad(&self, reason: &str) -> Error {
        bad_uri(self.text.expose(), reason)
    }
}

fn bad_uri(text: &str, reason: &str) -> Error {
    Error::new(Kind::BadUri, format!("bad storage URI {:?}: {reason}", shorten(&redact_uri(text))))
}

/// Enough of a text to recognise it in a message of one line.
pub fn shorten(text: &str) -> String {
    const SHOWN: usize = 200;
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text.to_owned(),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Where one image is: a URI in its canonical form, checked by the driver that made it.
#[derive(Clone)]
pub struct Location {
    uri: Secret,
    safe_uri: String,
    scheme: String,
}

impl Location {
    pub fn new(scheme: &str, uri: String) -> Self {
        let safe_uri = redact_uri(&uri);
        Location { uri: Secret::new(uri), safe_uri, scheme: scheme.to_owned() }
    }

    /// The canonical URI; it may hold credentials.
    pub fn uri(&self) -> &str {
        self.uri.expose()
    }

    /// The same with every secret hidden.
    pub fn safe_uri(&self) -> &str {
        &self.safe_uri
    }

    /// As the URI that was parsed had it, in lower case: `filesystem` stays what it was, though the
    /// canonical URI says `file`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_found_in_any_case() {
        for (text, scheme, rest) in [
            ("file:///a", "file", "/a"),
            ("FILE:///A", "file", "/A"),
            ("Swift+HTTPS://h/c/o", "swift+https", "h/c/o"),
            ("file:///a\nb", "file", "/ab"),
            ("x://", "x", ""),
        ] {
            let uri = StorageUri::parse(text).unwrap();
            assert_eq!((uri.scheme(), uri.rest()), (scheme, rest), "{text:?}");
        }
    }

    #[test]
    fn texts_without_a_scheme_or_an_authority_are_refused() {
        for (text, kind) in [
            ("", Kind::UnknownScheme),
            ("noscheme", Kind::UnknownScheme),
            ("/abs/path", Kind::UnknownScheme),
            ("1x://a", Kind::UnknownScheme),
            ("  file:///a", Kind::UnknownScheme),
            ("://a", Kind::UnknownScheme),
            ("file:/a", Kind::BadUri),
            ("file:a", Kind::BadUri),
        ] {
            let error = StorageUri::parse(text).err().unwrap();
            assert_eq!(error.kind(), kind, "{text:?}");
        }
    }

    #[test]
    fn messages_are_short_and_hold_no_secrets() {
        let long = format!("http:/{}", "x".repeat(1 << 20));
        assert!(StorageUri::parse(&long).err().unwrap().message().len() < 400);
        let secret = "secret".repeat(100);
        for text in [format!("file://user:{secret}@host/x"), format!("s3://key:{secret}@host/x?{secret}")] {
            let error = StorageUri::parse(&text).unwrap().bad("no path");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }
}
