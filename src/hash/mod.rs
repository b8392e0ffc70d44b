//! The digests that images can be checked with, by the names that Python's hashlib and so
//! glance_store give them.  Only digests of a fixed length: `shake_*` has none to compare.

mod hex;
mod md5;
mod parted_md5;

pub use hex::Hex;
pub use parted_md5::PartedMd5;

use digest::typenum::Unsigned;
use digest::{DynDigest, OutputSizeUser};

use crate::error::{Error, Kind, Result};
use crate::libcrypto::Sha512;

/// One digest algorithm.
pub struct Algorithm {
    pub name: &'static str,
    /// Length of the digest in bytes.
    pub size: usize,
    hasher: fn() -> Hasher,
}

impl Algorithm {
    pub fn hasher(&self) -> Hasher {
        (self.hasher)()
    }
}

/// A digest being computed.
pub struct Hasher(Computing);

enum Computing {
    Plain(Box<dyn DynDigest + Send>),
    Sha512(Box<Sha512>),
}

impl Hasher {
    fn plain<D: DynDigest + Default + Send + 'static>() -> Self {
        Hasher(Computing::Plain(Box::<D>::default()))
    }

    /// The digest that every image is stored with: as fast as the host can.
    fn sha512() -> Self {
        Sha512::new()
            .map_or_else(Hasher::plain::<sha2::Sha512>, |sha512| Hasher(Computing::Sha512(Box::new(sha512))))
    }

    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            Computing::Plain(digest) => digest.update(data),
            Computing::Sha512(sha512) => sha512.update(data),
        }
    }

    pub fn finish(self) -> Hex {
        match self.0 {
            Computing::Plain(digest) => Hex::encode(&digest.finalize()),
            Computing::Sha512(sha512) => Hex::encode(&sha512.finish()),
        }
    }
}

const fn named<D>(name: &'static str) -> Algorithm
where
    D: DynDigest + OutputSizeUser + Default + Send + 'static,
{
    Algorithm { name, size: D::OutputSize::USIZE, hasher: Hasher::plain::<D> }
}

/// Every algorithm, by name.
pub static ALGORITHMS: &[Algorithm] = &[
    named::<blake2::Blake2b512>("blake2b"),
    named::<blake2::Blake2s256>("blake2s"),
    named::<md5::Md5>("md5"),
    named::<ripemd::Ripemd160>("ripemd160"),
    named::<sha1::Sha1>("sha1"),
    named::<sha2::Sha224>("sha224"),
    named::<sha2::Sha256>("sha256"),
    named::<sha2::Sha384>("sha384"),
    named::<sha3::Sha3_224>("sha3_224"),
    named::<sha3::Sha3_256>("sha3_256"),
    named::<sha3::Sha3_384>("sha3_384"),
    named::<sha3::Sha3_512>("sha3_512"),
    Algorithm { name: "sha512", size: 64, hasher: Hasher::sha512 },
    named::<sha2::Sha512_224>("sha512_224"),
    named::<sha2::Sha512_256>("sha512_256"),
    named::<sm3::Sm3>("sm3"),
];

/// The algorithm called `name`, compared exactly as glance_store does.
pub fn algorithm(name: &str) -> Result<&'static Algorithm> {
    ALGORITHMS.iter().find(|a| a.name == name).ok_or_else(|| {
        let known: Vec<&str> = ALGORITHMS.iter().map(|a| a.name).collect();
        Error::new(Kind::UnknownHash, format!("unknown hash name {name:?}; known are {}", known.join(" ")))
    })
}

#[cfg(test)]
mod tests;
