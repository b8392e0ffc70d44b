//! The digests that one call computes, and those that the image must turn out to have.

use crate::error::{Error, Kind, Result};
use crate::hash::{Algorithm, Hex, algorithm};
use crate::transfer::Digests;

/// The digest that glance calls an image's checksum.
const CHECKSUM: &str = "md5";

/// What a caller asks for, as text.
#[derive(Default)]
pub struct Wanted<'a> {
    pub checksum: bool,
    pub hash_name: Option<&'a str>,
    pub expect_checksum: Option<&'a str>,
    pub expect_multihash: Option<&'a str>,
}

/// What was asked for, understood.
#[derive(Default)]
pub struct Checks {
    checksum: Option<&'static Algorithm>,
    multihash: Option<&'static Algorithm>,
    expected: Vec<Expected>,
}

struct Expected {
    what: &'static str,
    algorithm: &'static Algorithm,
    digest: Hex,
}

impl Checks {
    pub fn new(wanted: &Wanted<'_>) -> Result<Self> {
        let multihash = wanted.hash_name.map(algorithm).transpose()?;
        let checksum = algorithm(CHECKSUM)?;
        let mut expected = Vec::new();
        if let Some(text) = wanted.expect_checksum {
            expected.push(Expected::new("expect_checksum", checksum, text)?);
        }
        match (wanted.expect_multihash, multihash) {
            (Some(text), Some(algorithm)) => {
                expected.push(Expected::new("expect_multihash", algorithm, text)?)
            }
            (Some(_), None) => {
                return Err(Error::new(Kind::Invalid, "expect_multihash needs the hash's name in hash_name"));
            }
            (None, _) => {}
        }
        Ok(Checks { checksum: wanted.checksum.then_some(checksum), multihash, expected })
    }

    /// Whether an image must have a digest that was named.
    pub fn expects_any(&self) -> bool {
        !self.expected.is_empty()
    }

    /// All digests to compute.
    pub fn algorithms(&self) -> Vec<&'static Algorithm> {
        let expected = self.expected.iter().map(|expected| expected.algorithm);
        self.checksum.into_iter().chain(self.multihash).chain(expected).collect()
    }

    /// Fails unless the image has every digest that it must have.
    pub fn verify(&self, digests: &Digests) -> Result<()> {
        self.expected.iter().try_for_each(|expected| expected.verify(digests))
    }

    /// The image's MD5, empty when it was not asked for.
    pub fn checksum<'d>(&self, digests: &'d Digests) -> &'d str {
        digest_of(self.checksum, digests)
    }

    /// The image's digest of the asked-for kind, empty when none was.
    pub fn multihash<'d>(&self, digests: &'d Digests) -> &'d str {
        digest_of(self.multihash, digests)
    }

    /// The name of that kind, empty when none was asked for.
    pub fn hash_name(&self) -> &'static str {
        self.multihash.map_or("", |algorithm| algorithm.name)
    }
}

fn digest_of<'d>(algorithm: Option<&Algorithm>, digests: &'d Digests) -> &'d str {
    algorithm.and_then(|algorithm| digests.get(algorithm.name)).map_or("", Hex::as_str)
}

impl Expected {
    fn new(what: &'static str, algorithm: &'static Algorithm, text: &str) -> Result<Self> {
        Ok(Expected { what, algorithm, digest: Hex::expected(what, text, algorithm.size)? })
    }

    fn verify(&self, digests: &Digests) -> Result<()> {
        match digests.get(self.algorithm.name) {
            Some(found) if *found == self.digest => Ok(()),
            found => Err(Error::new(
                Kind::VerifyFailed,
                format!(
                    "the {} of the data is {}, but {} says {}",
                    self.algorithm.name,
                    found.map_or("unknown", Hex::as_str),
                    self.what,
                    self.digest
                ),
            )),
        }
    }
}
