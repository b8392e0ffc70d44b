//! One image on a server: which bytes it has, and that they stay those of the same image.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::HeaderValue;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE};

use super::body::Body;
use super::client::Client;
use super::error::{changed, malformed};
use super::request::{Request, Target};
use super::response::Response;
use super::retry::Retries;
use super::url::Url;
use crate::error::{Error, Kind, Result};
use crate::transfer::{Fetch, Landing};

/// An image that is read by one or several requests.
pub struct Image {
    client: Arc<Client>,
    target: Target,
    /// Where redirects led to, so that not every request goes all the way.
    resolved: Mutex<Option<Url>>,
    /// What the first answer said.
    identity: OnceLock<Identity>,
}

/// What all answers about one image must agree on.
struct Identity {
    size: Option<u64>,
    validator: Option<HeaderValue>,
}

/// A body, of which what comes before the wanted position is skipped.
pub struct Opened {
    body: Body,
    /// How many bytes come before the wanted ones, from a server that does not serve ranges.
    skip: u64,
    /// How many will come then, where the server told.
    left: Option<u64>,
    /// Whether it is just the range that was asked for.
    pub is_range: bool,
    /// Whether the server says that it serves ranges.
    pub has_ranges: bool,
}

impl Image {
    pub fn new(client: Arc<Client>, target: impl Into<Target>) -> Self {
        Image { client, target: target.into(), resolved: Mutex::new(None), identity: OnceLock::new() }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The size that the first answer told.
    pub fn size(&self) -> Option<u64> {
        self.identity.get()?.size
    }

    /// Whether a further answer can be told from one about another image.
    pub fn is_recognisable(&self) -> bool {
        self.identity.get().is_some_and(|identity| identity.validator.is_some())
    }

    /// Asks for the size alone.
    pub async fn measure(&self) -> Result<u64> {
        let head = self.client.send(&self.target, Request::head()).await?;
        match (head.status, head.length) {
            (200..300, Some(length)) => return Ok(length),
            // Not every server answers HEAD, or knows the length then.  An URL signed for GET is
            // forbidden for HEAD.
            (200..300 | 400 | 403 | 405 | 501, _) => {}
            _ => return Err(self.target.explain(head).await),
        }
        self.open(0, Some(1)).await?.close().await;
        self.size().ok_or_else(unknown_size)
    }

    /// Finds out that the image can be read at random, and its size.
    pub async fn probe(&self) -> Result<u64> {
        let opened = self.open(0, Some(1)).await?;
        // Of nothing there is no range to serve.
        if !opened.is_range && self.size() != Some(0) {
            return Err(no_ranges());
        }
        opened.close().await;
        self.size().ok_or_else(unknown_size)
    }

    /// Begins to read `start..end`, or to the image's end; a server that serves no ranges goes on behind
    /// `end`.
    pub async fn open(&self, start: u64, end: Option<u64>) -> Result<Opened> {
        if end.is_some_and(|end| end <= start) {
            return Err(Error::new(Kind::Bug, format!("an empty range {start}..{end:?} was asked for")));
        }
        let mut request = Request::get();
        if start > 0 || end.is_some() {
            request = request.with(RANGE, range_header(start, end)?);
            let validator = self.identity.get().and_then(|identity| identity.validator.clone());
            request.headers.extend(validator.map(|validator| (IF_RANGE, validator)));
        }
        let response = self.ask(request).await?;
        match response.status {
            206 => self.partial(response, start, end),
            416 => self.past_the_end(response, start).await,
            200..300 => self.whole(response, start),
            _ => Err(self.target.explain(response).await),
        }
    }

    /// Asks where the last redirect led to and, when the image is not there any more, at its own URL.
    async fn ask(&self, request: Request) -> Result<Response> {
        let resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(url) = resolved {
            match self.client.send(&self.target.at(url), request.clone()).await {
                Ok(response) if response.status < 400 || response.status == 416 => {
                    return Ok(response);
                }
                // A signed URL of an object store lives for minutes only.
                _ => {}
            }
        }
        let response = self.client.send(&self.target, request).await?;
        if response.url.to_uri() != self.target.url.to_uri() && response.status < 300 {
            *self.resolved.lock().unwrap_or_else(PoisonError::into_inner) = Some(response.url.clone());
        }
        Ok(response)
    }

    fn partial(&self, response: Response, start: u64, end: Option<u64>) -> Result<Opened> {
        let Some(range) = ContentRange::of(&response) else {
            return Err(malformed(format_args!("its answer 206 has no Content-Range that tells one range")));
        };
        let (first, last) = range.bytes.unwrap_or((u64::MAX, 0));
        let wanted_end = end.unwrap_or(u64::MAX);
        let fits = first == start
            && last >= first
            && last < wanted_end
            && range.total.is_none_or(|total| last < total);
        if !fits {
            let wanted = end.map(|end| (end - 1).to_string()).unwrap_or_default();
            return Err(malformed(format_args!(
                "asked for bytes {start}-{wanted} it answered {first}-{last}"
            )));
        }
        self.agree(&response, range.total)?;
        let promised = last - first + 1;
        if response.length.is_some_and(|length| length != promised) {
            return Err(malformed(format_args!("its Content-Length and Content-Range differ")));
        }
        Ok(Opened { body: response.body, skip: 0, left: Some(promised), is_range: true, has_ranges: true })
    }

    fn whole(&self, response: Response, start: u64) -> Result<Opened> {
        // A range may leave out what If-Range has confirmed; this says that it was not confirmed.
        if start > 0 && self.is_recognisable() && validator(&response).is_none() {
            return Err(changed(format_args!("its answer has neither ETag nor Last-Modified any more")));
        }
        self.agree(&response, response.length)?;
        let skip = response.length.map_or(start, |size| size.min(start));
        let left = response.length.map(|size| size - skip);
        let accepted = response.headers.get(ACCEPT_RANGES);
        let has_ranges = accepted.is_some_and(|unit| unit.as_bytes().eq_ignore_ascii_case(b"bytes"));
        Ok(Opened { body: response.body, skip, left, is_range: false, has_ranges })
    }

    async fn past_the_end(&self, response: Response, start: u64) -> Result<Opened> {
        let told = ContentRange::of(&response).and_then(|range| range.total);
        match told {
            Some(size) if size <= start => {
                self.agree(&response, Some(size))?;
                response.body.discard().await;
                Ok(Opened::nothing())
            }
            Some(size) => Err(malformed(format_args!(
                "it refused the range from {start} on, but the image has {size} bytes"
            ))),
            None => self.past_a_hidden_end(response, start).await,
        }
    }

    /// Not every server says with its refusal how long the image is.
    async fn past_a_hidden_end(&self, refusal: Response, start: u64) -> Result<Opened> {
        let head = self.client.send(&self.target, Request::head()).await?;
        match head.length.filter(|_| (200..300).contains(&head.status)) {
            Some(size) if size <= start => {
                self.agree(&head, Some(size))?;
                refusal.body.discard().await;
                Ok(Opened::nothing())
            }
            _ => Err(self.target.explain(refusal).await),
        }
    }

    /// Checks that an answer is about the image that the first one was about.
    fn agree(&self, response: &Response, size: Option<u64>) -> Result<()> {
        let validator = validator(response);
        let identity = self.identity.get_or_init(|| Identity { size, validator: validator.clone() });
        if let (Some(before), Some(now)) = (identity.size, size)
            && before != now
        {
            return Err(changed(format_args!("its size was {before} bytes and is {now}")));
        }
        if let (Some(before), Some(now)) = (&identity.validator, &validator)
            && before != now
        {
            return Err(changed(format_args!("its version was {before:?} and is {now:?}")));
        }
        Ok(())
    }
}

impl Fetch for Image {
    async fn fetch(&self, landing: &mut Landing) -> Result<()> {
        let mut retries = Retries::new(self.client.retry_policy());
        let mut begun = Begun::default();
        while let Some(range) = landing.wanted() {
            let start = range.start + begun.filled as u64;
            let mut opened = self.open(start, Some(range.end)).await?;
            if !opened.is_range {
                return Err(no_ranges());
            }
            let landed = opened.land(landing, &mut begun).await;
            let left = landing.wanted().map_or(range.end, |left| left.start);
            let error = match landed {
                // A server may send less than it was asked for; the rest is asked for then.
                Ok(()) if left + begun.filled as u64 > start => {
                    opened.close().await;
                    continue;
                }
                Ok(()) => nothing_came(),
                Err(error) => error,
            };
            if left > range.start {
                retries.reset();
            }
            retries.pause(error, self.client.log()).await?;
        }
        Ok(())
    }
}

/// The block that lands next, as far as it has come.
#[derive(Default)]
struct Begun {
    bytes: Vec<u8>,
    filled: usize,
}

/// An answer that was to bring something brought nothing.
pub fn nothing_came() -> Error {
    Error::new(Kind::Unavailable, "the server sent none of the bytes that it was asked for")
}

fn no_ranges() -> Error {
    Error::new(Kind::NotSupported, "the server does not serve ranges of the image, which random reads need")
}

fn unknown_size() -> Error {
    Error::new(Kind::NotSupported, "the server does not tell the size of the image")
}

impl Opened {
    /// What comes after the end of an image.
    fn nothing() -> Self {
        Opened { body: Body::empty(), skip: 0, left: Some(0), is_range: false, has_ranges: true }
    }

    /// Lands the blocks that the answer brings; what it brings of one more stays in `begun`.
    async fn land(&mut self, landing: &mut Landing, begun: &mut Begun) -> Result<()> {
        while let Some(length) = landing.next_length() {
            begun.bytes.resize(length, 0);
            while begun.filled < length {
                match self.read(&mut begun.bytes[begun.filled..]).await? {
                    0 => return Ok(()),
                    count => begun.filled += count,
                }
            }
            landing.land(std::mem::take(begun).bytes.into());
        }
        Ok(())
    }

    /// Fills the beginning of `buffer`; 0 at the end of the answer.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.skip > 0 {
            let room = usize::try_from(self.skip).unwrap_or(usize::MAX).min(buffer.len());
            match self.body.read(&mut buffer[..room]).await? {
                0 => return Ok(0),
                count => self.skip -= count as u64,
            }
        }
        let count = self.body.read(buffer).await?;
        if let Some(left) = &mut self.left {
            let count = count as u64;
            // Of a chunked range only this tells whether all of it came, and no more.
            if count > *left || (count == 0 && *left > 0) {
                return Err(malformed(format_args!("its answer has another length than it told")));
            }
            *left -= count;
        }
        Ok(count)
    }

    /// Whether the image ends where the answer does, once all of that was read.
    pub fn is_at_end(&self) -> bool {
        !self.is_range && self.left.is_none_or(|left| left == 0)
    }

    /// Gives the connection back when what is left of the answer is little.
    pub async fn close(self) {
        self.body.discard().await;
    }
}

fn range_header(start: u64, end: Option<u64>) -> Result<HeaderValue> {
    // Servers refuse numbers that do not fit into their signed offsets; no image reaches so far.
    let range = match end.filter(|end| i64::try_from(*end).is_ok()) {
        Some(end) => format!("bytes={start}-{}", end - 1),
        None => format!("bytes={start}-"),
    };
    HeaderValue::try_from(range).map_err(|error| Error::new(Kind::Bug, error.to_string()))
}

/// What identifies a version of the image: a strong entity tag or the time of its last change.
fn validator(response: &Response) -> Option<HeaderValue> {
    let tag = response.headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/") && !tag.is_empty());
    tag.or_else(|| response.headers.get(LAST_MODIFIED)).cloned()
}

/// What `Content-Range` says: first and last byte, and how many there are.
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    bytes: Option<(u64, u64)>,
    total: Option<u64>,
}

impl ContentRange {
    fn of(response: &Response) -> Option<Self> {
        ContentRange::parse(response.headers.get(CONTENT_RANGE)?.to_str().ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (range, total) = rest.trim().split_once('/')?;
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let bytes = match range.split_once('-') {
            Some((first, last)) => Some((number(first)?, number(last)?)),
            None if range == "*" => None,
            None => return None,
        };
        let total = if total == "*" { None } else { Some(number(total)?) };
        unit.eq_ignore_ascii_case("bytes").then_some(ContentRange { bytes, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Random;

    #[test]
    fn content_ranges_are_parsed_strictly() {
        for (text, expected) in [
            ("bytes 0-9/100", Some((Some((0, 9)), Some(100)))),
            ("Bytes 5-5/*", Some((Some((5, 5)), None))),
            ("bytes */100", Some((None, Some(100)))),
            ("bytes 0-9", None),
            ("bytes=0-9/100", None),
            ("bytes 0-9/1e3", None),
            ("bytes -9/100", None),
            ("bytes 0-99999999999999999999/100", None),
            ("items 0-9/100", None),
            ("", None),
        ] {
            let parsed = ContentRange::parse(text).map(|range| (range.bytes, range.total));
            assert_eq!(parsed, expected, "{text}");
        }
    }

    #[test]
    fn mutated_ranges_are_ranges_or_none() {
        let mut random = Random::new();
        let mut understood = 0;
        for _ in 0..20_000 {
            let mut text = b"bytes 1000-1999/4000".to_vec();
            (0..=random.below(3)).for_each(|_| {
                random.mutate(
                    &mut text,
                    &["-", "/", "*", " ", "bytes", "18446744073709551616", "+1", "\u{0661}", ","],
                );
            });
            let text = String::from_utf8_lossy(&text).into_owned();
            understood += usize::from(ContentRange::parse(&text).is_some());
        }
        assert!((100..19_000).contains(&understood), "{understood}");
    }
}
