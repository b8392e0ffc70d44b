//! Digests as lower-case hexadecimal text.

use std::fmt;
use std::fmt::Write;

use crate::error::{Error, Kind, Result};

/// A digest in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hex(String);

impl Hex {
    pub fn encode(bytes: &[u8]) -> Self {
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Hex(text)
    }

    /// A digest that a caller expects: hex in either case, of a digest of `size` bytes.
    pub fn expected(what: &str, text: &str, size: usize) -> Result<Self> {
        if text.len() == size * 2 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Hex(text.to_ascii_lowercase()));
        }
        let shown: String = text.chars().take(130).collect();
        Err(Error::new(Kind::Invalid, format!("{what} {shown:?} is not {} hexadecimal digits", size * 2)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
