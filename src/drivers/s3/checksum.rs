//! The checksum that a server keeps of an object, and images that are compared with it while they come.

use std::fs::File;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::errors::text_of;
use crate::driver::Download;
use crate::error::{Error, Kind, Result};
use crate::operation::Operation;
use crate::transfer::{Piece, Source, for_zeroes};

/// The checksum of a whole object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    algorithm: Algorithm,
    base64: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha1,
    Crc32,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha1 => "SHA-1",
            Algorithm::Crc32 => "CRC-32",
        }
    }
}

/// The headers that tell checksums, the strongest first.
const HEADERS: [(&str, Algorithm, usize); 3] = [
    ("x-amz-checksum-sha256", Algorithm::Sha256, 32),
    ("x-amz-checksum-sha1", Algorithm::Sha1, 20),
    ("x-amz-checksum-crc32", Algorithm::Crc32, 4),
];

impl Checksum {
    /// What an answer tells of the whole object.  What is computed from the checksums of its parts, and so tells
    /// nothing of its bytes, has the number of these at its end.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let is_composite = text_of(headers, "x-amz-checksum-type").is_some_and(|kind| kind != "FULL_OBJECT");
        HEADERS.iter().filter(|_| !is_composite).find_map(|(name, algorithm, length)| {
            let base64 = text_of(headers, name)?;
            let is_whole = BASE64.decode(&base64).is_ok_and(|digest| digest.len() == *length);
            is_whole.then_some(Checksum { algorithm: *algorithm, base64 })
        })
    }
}

enum Hasher {
    Sha256(Sha256),
    Sha1(Sha1),
    Crc32(crc32fast::Hasher),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            Algorithm::Sha1 => Hasher::Sha1(Sha1::new()),
            Algorithm::Crc32 => Hasher::Crc32(crc32fast::Hasher::new()),
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Hasher::Sha256(sha256) => sha256.update(data),
            Hasher::Sha1(sha1) => sha1.update(data),
            Hasher::Crc32(crc32) => crc32.update(data),
        }
    }

    fn base64(self) -> String {
        match self {
            Hasher::Sha256(sha256) => BASE64.encode(sha256.finalize()),
            Hasher::Sha1(sha1) => BASE64.encode(sha1.finalize()),
            Hasher::Crc32(crc32) => BASE64.encode(crc32.finalize().to_be_bytes()),
        }
    }
}

/// A download of a whole object; its end is an error where the bytes were others than the server has.
pub struct Checked<D> {
    download: D,
    expected: Checksum,
    /// None after the end.
    hasher: Option<Hasher>,
}

impl<D: Download> Checked<D> {
    pub fn new(download: D, expected: Checksum) -> Self {
        let hasher = Some(Hasher::new(expected.algorithm));
        Checked { download, expected, hasher }
    }

    fn check(&mut self) -> Result<()> {
        let Some(found) = self.hasher.take().map(Hasher::base64) else {
            return Ok(());
        };
        let Checksum { algorithm, base64 } = &self.expected;
        if found == *base64 {
            return Ok(());
        }
        let name = algorithm.name();
        let message = format!("other bytes came than the server stored: their {name} is {found}, not {base64}");
        Err(Error::new(Kind::Failed, message).with_retryable(true))
    }
}

impl<D: Download> Source for Checked<D> {
    fn next(&mut self, op: &Operation) -> Result<Option<Piece>> {
        let piece = self.download.next(op)?;
        match (&piece, &mut self.hasher) {
            (Some(Piece::Data(data)), Some(hasher)) => hasher.update(data),
            (Some(Piece::Hole(length)), Some(hasher)) => for_zeroes(*length, |zeroes| {
                hasher.update(zeroes);
                Ok(())
            })?,
            (None, _) => self.check()?,
            _ => {}
        }
        Ok(piece)
    }
}

impl<D: Download> Download for Checked<D> {
    fn length(&self) -> Option<u64> {
        self.download.length()
    }

    fn file(&self) -> Option<(&File, Range<u64>)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Random;
    use bytes::Bytes;
    use http::header::{HeaderName, HeaderValue};

    fn told(headers: &[(&'static str, &str)]) -> Option<Checksum> {
        let pairs = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        Checksum::of(&pairs.collect())
    }

    /// Those of `123456789`.
    const TOLD: [(&str, &str); 3] = [
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
    ];

    /// Pieces of an image in memory.
    struct Pieces(Vec<Piece>);

    impl Source for Pieces {
        fn next(&mut self, _op: &Operation) -> Result<Option<Piece>> {
            Ok(if self.0.is_empty() { None } else { Some(self.0.remove(0)) })
        }
    }

    impl Download for Pieces {
        fn length(&self) -> Option<u64> {
            None
        }

        fn file(&self) -> Option<(&File, Range<u64>)> {
            None
        }
    }

    fn end_of(expected: &Checksum, pieces: &[&'static [u8]]) -> Result<()> {
        let pieces = pieces.iter().map(|piece| Piece::Data(Bytes::from_static(piece))).collect();
        let mut checked = Checked::new(Pieces(pieces), expected.clone());
        while checked.next(&Operation::default())?.is_some() {}
        assert!(checked.next(&Operation::default())?.is_none());
        Ok(())
    }

    #[test]
    fn other_bytes_are_an_error_at_the_end() {
        for header in TOLD {
            let expected = told(&[header]).unwrap();
            end_of(&expected, &[b"1234", b"56789"]).unwrap();
            for pieces in [&[&b"123456788"[..]][..], &[b"12345678"], &[]] {
                let error = end_of(&expected, pieces).unwrap_err();
                assert!(error.message().contains(header.1) && error.is_retryable(), "{error}");
                assert!(error.message().contains(expected.algorithm.name()), "{error}");
            }
        }
    }

    #[test]
    fn holes_are_zeros() {
        let mut crc32 = crc32fast::Hasher::new();
        crc32.update(&[0; 100_000]);
        let expected = told(&[("x-amz-checksum-crc32", &BASE64.encode(crc32.finalize().to_be_bytes()))]).unwrap();
        let mut checked = Checked::new(Pieces(vec![Piece::Hole(100_000)]), expected);
        assert!(checked.next(&Operation::default()).unwrap().is_some());
        assert!(checked.next(&Operation::default()).unwrap().is_none());
    }

    #[test]
    fn only_what_tells_of_the_whole_object_counts() {
        let whole = ("x-amz-checksum-type", "FULL_OBJECT");
        assert_eq!(told(&TOLD).unwrap().algorithm, Algorithm::Sha256);
        assert_eq!(told(&[TOLD[2], whole]).unwrap().algorithm, Algorithm::Crc32);
        for headers in [
            &[][..],
            &[TOLD[2], ("x-amz-checksum-type", "COMPOSITE")],
            &[("x-amz-checksum-crc32", "y/Q5Jg==-2")],
            &[("x-amz-checksum-crc32", "y/Q5Jg")],
            &[("x-amz-checksum-sha256", "y/Q5Jg==")],
            &[("x-amz-checksum-crc32c", "y/Q5Jg==")],
        ] {
            assert_eq!(told(headers), None, "{headers:?}");
        }
    }

    #[test]
    fn mutated_headers_tell_a_checksum_or_none() {
        let mut random = Random::new();
        let mut understood = 0;
        for _ in 0..20_000 {
            let (name, value) = TOLD[random.below(3)];
            let mut value = value.as_bytes().to_vec();
            random.mutate(&mut value, &["=", "-2", "+", "/", "AAAA", " ", "é", ","]);
            let Ok(value) = HeaderValue::from_bytes(&value) else {
                continue;
            };
            let told = Checksum::of(&HeaderMap::from_iter([(HeaderName::from_static(name), value)]));
            understood += usize::from(told.is_some());
        }
        assert!((100..19_000).contains(&understood), "{understood}");
    }
}
