//! What a server answers.

use http::header::{CONTENT_LENGTH, HeaderMap};

use super::body::Body;
use super::error::{READ_BODY, malformed, refused};
use super::sent::Sent;
use super::url::Url;
use crate::error::{Error, Result};

/// What a server answered, with its body still on the way.
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    /// How long the body is, or would be if it was asked for, where the server says.
    pub length: Option<u64>,
    /// Where the answer came from, after all redirects.
    pub url: Url,
    pub sent: Sent,
    pub body: Body,
}

impl Response {
    /// The error that the answer is.
    pub async fn into_error(mut self) -> Error {
        let said = self.body.read_some(READ_BODY).await;
        refused(self.status, self.sent.repeatable(&said).as_bytes())
    }
}

/// What the answer to `HEAD` says that the body would have; said several times it must be the same.
pub fn content_length(headers: &HeaderMap) -> Result<Option<u64>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Random;
    use http::HeaderValue;

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

    #[test]
    fn mutated_lengths_are_numbers_or_errors() {
        let mut random = Random::new();
        let mut understood = 0;
        for _ in 0..20_000 {
            let mut text = b"1073741824".to_vec();
            random.mutate(&mut text, &["+", "-", "0x", "e9", ",", " ", "18446744073709551616", "\u{0661}"]);
            let Ok(value) = HeaderValue::from_bytes(&text) else {
                continue;
            };
            if let Ok(length) = content_length(&HeaderMap::from_iter([(CONTENT_LENGTH, value)])) {
                understood += 1;
                let digits = str::from_utf8(&text).unwrap().trim_start_matches('0');
                assert_eq!(length.unwrap().to_string().trim_start_matches('0'), digits);
            }
        }
        assert!((100..19_000).contains(&understood), "{understood}");
    }
}
