//! Secrets: the type that holds them and the redaction that keeps them out of every text.

use std::borrow::Cow;

use zeroize::Zeroizing;

/// A password, key or token.  It has no Debug or Display and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What stands in a text for a secret.
pub const HIDDEN: &str = "***";

/// Schemes whose user information, if any, follows RFC 3986: it ends before the first `/`.
const STRICT_AUTHORITY: &[&str] =
    &["file", "filesystem", "http", "https", "rbd", "cinder", "sheepdog", "vsphere"];

/// `uri` with its user information and query values hidden.  Any string is accepted; where it cannot
/// be told what is secret, more is hidden rather than less.
pub fn redact_uri(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return redact_opaque(uri);
    };
    let bare_scheme = scheme.trim().to_ascii_lowercase();
    // Keys that the S3 and Swift drivers of glance_store wrote into URIs can hold `/`, `?` and `#`:
    // there the last `@` of the whole text ends the secret.
    let strict = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let ends_early = strict.contains('@') || is_host_and_port(strict);
    let authority =
        if STRICT_AUTHORITY.contains(&bare_scheme.as_str()) && ends_early { strict } else { rest };
    let (shown, tail) = match authority.rfind('@') {
        Some(at) => (format!("{scheme}://{HIDDEN}@"), &rest[at + 1..]),
        None => (format!("{scheme}://"), rest),
    };
    shown + &redact_query(tail)
}

/// Else it is the beginning of user information with a `/`, `?` or `#` that was not escaped.
fn is_host_and_port(authority: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    authority.starts_with('[') || authority.split_once(':').is_none_or(|(_, port)| is_port(port))
}

/// A text without `://`: everything up to the last `@` may be a secret.
fn redact_opaque(text: &str) -> String {
    match text.rfind('@') {
        Some(at) => format!("{HIDDEN}@{}", redact_query(&text[at + 1..])),
        None => redact_query(text),
    }
}

/// Signed URLs carry their authority in the query, so all of it goes.
fn redact_query(rest: &str) -> String {
    match rest.split_once('?') {
        Some((path, query)) if !query.is_empty() => format!("{path}?{HIDDEN}"),
        _ => rest.to_owned(),
    }
}

/// `text` with every URI inside it redacted, for messages and log lines.
pub fn redact_text(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(separator) = rest.find("://") {
        let start = scheme_start(rest, separator);
        let end = separator + uri_length(&rest[separator..]);
        safe.push_str(&rest[..start]);
        safe.push_str(&redact_uri(&rest[start..end]));
        rest = &rest[end..];
    }
    safe.push_str(rest);
    Cow::Owned(safe)
}

fn scheme_start(text: &str, separator: usize) -> usize {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text[..separator]
        .rfind(|c| !is_scheme(c))
        .map_or(0, |before| before + text[before..].chars().next().map_or(1, char::len_utf8))
}

/// How far the URI that begins with `text` reaches in running text: to white space or a quote.
fn uri_length(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_lose_their_user_information_and_query() {
        for (uri, safe) in [
            ("http://host/path", "http://host/path"),
            ("http://u:p@host/path", "http://***@host/path"),
            ("http://u:p@q@host/a@b", "http://***@host/a@b"),
            ("HTTPS://u:p@host:8080", "HTTPS://***@host:8080"),
            ("http://host/a@b?X-Signature=1&c=2#f", "http://host/a@b?***"),
            ("http://host/a?", "http://host/a?"),
            ("https://user:pre/secret@host/path", "https://***@host/path"),
            ("https://user:pre#secret@host/path", "https://***@host/path"),
            ("https://mirror.example:8443/a@b/image", "https://mirror.example:8443/a@b/image"),
            ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
            ("s3://key:se/cr?e#t@host/bucket/id", "s3://***@host/bucket/id"),
            ("swift+https://acc%3Auser:key@auth/v1/c/o", "swift+https://***@auth/v1/c/o"),
            ("swift+config://ref1/c/o", "swift+config://ref1/c/o"),
            ("file:///images/a@b", "file:///images/a@b"),
            ("file://user:secret@host/path", "file://***@host/path"),
            ("user:secret@host", "***@host"),
            ("no secrets here", "no secrets here"),
            ("", ""),
            ("://@", "://***@"),
            ("é://ü:ß@ö?ä", "é://***@ö?***"),
        ] {
            assert_eq!(redact_uri(uri), safe);
        }
    }

    #[test]
    fn texts_lose_the_secrets_of_every_uri_in_them() {
        for (text, safe) in [
            ("plain", "plain"),
            (
                "get \"s3://a:b@h/c\" failed: https://u:p@k/?t=1 refused",
                "get \"s3://***@h/c\" failed: https://***@k/?*** refused",
            ),
            ("x=http://a:b@c", "x=http://***@c"),
            ("ü://", "ü://"),
            ("://://u@", "://***@"),
        ] {
            assert_eq!(redact_text(text), safe);
        }
    }
}
