//! The head of a response: status, headers, and what they say about the body.

use httparse::{EMPTY_HEADER, Status};

use super::error::malformed;
use crate::error::Result;

/// The most bytes that a response's head may have, interim responses included.
pub const MAX_HEAD: usize = 64 << 10;

const MAX_HEADERS: usize = 128;

/// Names and values in the order in which they came.
#[derive(Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The items of a header that is a list, over all its lines.
    fn items<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.all(name).flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty())
    }

    #[cfg(test)]
    pub fn of(headers: &[(&str, &str)]) -> Self {
        Headers(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub headers: Headers,
    is_http_1_1: bool,
}

impl Head {
    /// The head that `bytes` begin with and its length; none while it is incomplete.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(malformed(format_args!("its answer has more than {MAX_HEADERS} headers")));
            }
            Err(error) => return Err(malformed(format_args!("its answer is not HTTP: {error}"))),
        };
        let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
        let headers = response.headers.iter().map(|header| (header.name.to_owned(), text(header.value)));
        let head = Head {
            status: response.code.unwrap_or_default(),
            is_http_1_1: response.version == Some(1),
            headers: Headers(headers.collect()),
        };
        Ok(Some((head, length)))
    }

    /// Whether the real response is still to come.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status)
    }

    /// How the body ends, for an answer to a request that wants one (not `HEAD`).
    pub fn framing(&self) -> Result<Framing> {
        if matches!(self.status, 204 | 304) {
            return Ok(Framing::Length(0));
        }
        let codings: Vec<&str> = self.headers.items("transfer-encoding").collect();
        match codings.as_slice() {
            [] => self.content_length().map(|length| length.map_or(Framing::UntilClose, Framing::Length)),
            [only] if only.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            _ => Err(malformed(format_args!("it sent Transfer-Encoding {:?}, unasked", codings.join(", ")))),
        }
    }

    /// What `Content-Length` says; said several times it must be the same.
    pub fn content_length(&self) -> Result<Option<u64>> {
        let mut lengths = self.headers.items("content-length");
        let Some(first) = lengths.next() else {
            return Ok(None);
        };
        let is_number = first.bytes().all(|byte| byte.is_ascii_digit());
        match first.parse().ok().filter(|_| is_number && lengths.all(|other| other == first)) {
            Some(length) => Ok(Some(length)),
            None => Err(malformed(format_args!("its Content-Length is not one number"))),
        }
    }

    /// Whether the connection can be used again after the body.
    pub fn keeps_connection(&self) -> bool {
        let closes = self.headers.items("connection").any(|option| option.eq_ignore_ascii_case("close"));
        // Two framings at once are how request smuggling begins.
        let is_ambiguous =
            self.headers.get("transfer-encoding").is_some() && self.headers.get("content-length").is_some();
        self.is_http_1_1 && !closes && !is_ambiguous
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn head(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn a_head_is_incomplete_until_its_last_byte() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: \xe9\r\n\r\n";
        for cut in 0..text.len() {
            assert!(Head::parse(&text[..cut]).unwrap().is_none(), "{cut}");
        }
        let (head, length) = Head::parse(&[&text[..], b"abc"].concat()).unwrap().unwrap();
        assert_eq!((head.status, length), (200, text.len()));
        assert_eq!(head.headers.get("CONTENT-length"), Some("3"));
        assert_eq!(head.headers.get("x"), Some("\u{FFFD}"));
    }

    #[test]
    fn the_framing_follows_the_headers() {
        for (headers, framing, keeps) in [
            ("Content-Length: 3", Some(Framing::Length(3)), true),
            ("Content-Length: 3\r\nContent-Length: 3", Some(Framing::Length(3)), true),
            ("Content-Length: 3, 3", Some(Framing::Length(3)), true),
            ("Content-Length: 3\r\nContent-Length: 4", None, true),
            ("Content-Length: -1", None, true),
            ("Content-Length: +1", None, true),
            ("Content-Length: 0x10", None, true),
            ("Content-Length: 99999999999999999999", None, true),
            ("Transfer-Encoding: Chunked", Some(Framing::Chunked), true),
            ("Transfer-Encoding: chunked\r\nContent-Length: 3", Some(Framing::Chunked), false),
            ("Transfer-Encoding: gzip, chunked", None, true),
            ("Connection: keep-alive, Close", Some(Framing::UntilClose), false),
            ("X: y", Some(Framing::UntilClose), true),
        ] {
            let head = head(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n"));
            assert_eq!(head.framing().ok(), framing, "{headers}");
            assert_eq!(head.keeps_connection(), keeps, "{headers}");
        }
        assert_eq!(
            head("HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n").framing().unwrap(),
            Framing::Length(0)
        );
        assert!(!head("HTTP/1.0 200 OK\r\n\r\n").keeps_connection());
    }

    #[test]
    fn what_is_not_http_is_refused_at_once() {
        for text in ["SSH-2.0-OpenSSH\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 2x0\r\n\r\n", "\0"] {
            assert_eq!(Head::parse(text.as_bytes()).unwrap_err().kind(), Kind::Failed, "{text:?}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert!(Head::parse(many.as_bytes()).unwrap_err().message().contains("128 headers"));
    }
}
