//! What can go wrong between us and a server, as errors of the library.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// How much of an error's body a message shows.
const SHOWN_BODY: usize = 1 << 10;

/// The server, or the network before it, cannot be reached or broke off: trying again may help.
pub fn lost(doing: impl fmt::Display, error: &io::Error) -> Error {
    Error::from_os(Kind::Unavailable, doing, error)
}

/// The server said nothing for too long.
pub fn silence(what: &str, limit: Duration) -> Error {
    Error::new(Kind::Timeout, format!("{what} from the server for {} s", limit.as_secs_f64()))
}

/// The connection failed in the middle of a request or its answer.
pub fn wire(error: &hyper::Error) -> Error {
    let mut reasons = error.to_string();
    let mut os_error = None;
    let mut source = error.source();
    while let Some(inner) = source {
        reasons = format!("{reasons}: {inner}");
        os_error = os_error.or_else(|| inner.downcast_ref::<io::Error>());
        source = inner.source();
    }
    let is_invalid =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput);
    if error.is_parse() || os_error.is_some_and(is_invalid) {
        return malformed(format_args!("{reasons}"));
    }
    let errno = os_error.and_then(io::Error::raw_os_error).unwrap_or_default();
    Error::new(Kind::Unavailable, format!("the connection broke: {reasons}")).with_errno(errno)
}

/// The server does what the protocol does not allow: trying again would not help.
pub fn malformed(what: fmt::Arguments<'_>) -> Error {
    Error::new(Kind::Failed, format!("the server breaks the protocol: {what}"))
}

/// The image is not what it was when its transfer began.
pub fn changed(how: fmt::Arguments<'_>) -> Error {
    Error::new(Kind::Failed, format!("the image changed on the server while it was read: {how}"))
}

/// A transfer, or a fetch of random reads, has used up its time.
pub fn over_total(prefix: &str, limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    let message = format!("the transfer took longer than {seconds} s (see {prefix}_total_timeout)");
    Error::new(Kind::Timeout, message)
}

/// Waits for `work`, but not longer than `limit`.
pub async fn within<T>(
    limit: Option<Duration>,
    timed_out: impl FnOnce(Duration) -> Error,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match limit {
        None => work.await,
        Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(timed_out(limit))),
    }
}

/// The answer of a server that did not do what was asked.
pub fn refused(status: u16, body: &[u8]) -> Error {
    let (kind, meaning) = match status {
        401 => (Kind::NotAuthenticated, "it wants other credentials"),
        403 => (Kind::Forbidden, "it does not allow that"),
        404 => (Kind::NotFound, "it has no such image"),
        410 => (Kind::NotFound, "it has the image no more"),
        407 => (Kind::Failed, "the proxy wants other credentials"),
        // Also what a server says that closes an idle connection just as the request comes.
        408 => (Kind::Unavailable, "it has waited too long for a request"),
        413 => (Kind::StorageFull, "it takes no more"),
        429 | 498 => (Kind::Unavailable, "it has too many requests"),
        499 => (Kind::Unavailable, "it has waited too long for the rest of the request"),
        507 => (Kind::StorageFull, "it has no room"),
        500.. => (Kind::Unavailable, "it has a failure of its own"),
        _ => (Kind::Failed, "it refuses the request"),
    };
    // A page says to people what the status says already.
    let line = if is_page(body) { String::new() } else { readable(body) };
    let said = if line.is_empty() { String::new() } else { format!(": {line}") };
    Error::new(kind, format!("the server answered {status}, {meaning}{said}")).with_http_status(status)
}

/// The answer of a proxy that did not open the tunnel that it was asked for.  It says nothing about
/// the image, whatever its status means for one.
pub fn tunnel_refused(status: u16) -> Error {
    let (kind, meaning) = match status {
        403 => (Kind::Forbidden, ", it does not allow that"),
        407 => (Kind::Failed, ", it wants other credentials"),
        408 | 429 | 500.. => (Kind::Unavailable, ""),
        _ => (Kind::Failed, ""),
    };
    Error::new(kind, format!("the proxy opens no tunnel: it answered {status}{meaning}"))
}

fn is_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    ["<!doctype html", "<html"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes())))
}

/// A text from outside as one line: blanks for white space, escapes for control characters, cut to
/// what a message can show.
fn readable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BODY)]);
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
        }
    }
    let end = (0..=SHOWN_BODY.min(line.len())).rev().find(|end| line.is_char_boundary(*end));
    line.truncate(end.unwrap_or_default());
    line
}

/// How much of an error's body is worth reading.
pub const READ_BODY: usize = SHOWN_BODY;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_kind() {
        for (status, kind, retryable) in [
            (400, Kind::Failed, false),
            (401, Kind::NotAuthenticated, false),
            (403, Kind::Forbidden, false),
            (404, Kind::NotFound, false),
            (405, Kind::Failed, false),
            (407, Kind::Failed, false),
            (408, Kind::Unavailable, true),
            (410, Kind::NotFound, false),
            (416, Kind::Failed, false),
            (429, Kind::Unavailable, true),
            (500, Kind::Unavailable, true),
            (503, Kind::Unavailable, true),
            (599, Kind::Unavailable, true),
        ] {
            let error = refused(status, b"");
            assert_eq!((error.kind(), error.http_status()), (kind, status));
            assert_eq!(error.is_retryable(), retryable, "{status}");
        }
        assert_eq!(refused(401, b"").exception(), "NotAuthenticated");
        let plain = refused(403, b"").message().to_owned();
        for page in ["<html><body>no</body></html>", "\r\n<!DOCTYPE html>\n<title>no</title>"] {
            assert_eq!(refused(403, page.as_bytes()).message(), plain);
        }
        assert_eq!(refused(403, b"quota").message(), format!("{plain}: quota"));
    }

    #[test]
    fn a_body_becomes_one_short_line() {
        assert_eq!(
            readable(b"  <h1>no\r\n\tsuch</h1> \x1b[31mimage\0 \xff"),
            "<h1>no such</h1> \\u{1b}[31mimage\\u{0} \u{FFFD}"
        );
        let long = "é".repeat(5000);
        assert!((SHOWN_BODY - 4..=SHOWN_BODY).contains(&readable(long.as_bytes()).len()));
        assert!(readable(&[1; 5000]).len() <= SHOWN_BODY);
        assert_eq!(readable(b" \n "), "");
    }
}
