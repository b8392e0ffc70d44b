//! The digests that images can be checked with, by the names that Python's hashlib and so
//! glance_store give them.  Only digests of a fixed length: `shake_*` has none to compare.

mod hex;

pub use hex::Hex;

use digest::DynDigest;

use crate::error::{Error, Kind, Result};

/// One digest algorithm.
pub struct Algorithm {
    pub name: &'static str,
    /// Length of the digest in bytes.
    pub size: usize,
    new: fn() -> Hasher,
}

impl Algorithm {
    pub fn hasher(&self) -> Hasher {
        (self.new)()
    }
}

/// A digest being computed.
pub struct Hasher(Box<dyn DynDigest + Send>);

impl Hasher {
    fn of<D: DynDigest + Default + Send + 'static>() -> Self {
        Hasher(Box::<D>::default())
    }

    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    pub fn finish(self) -> Hex {
        Hex::encode(&self.0.finalize())
    }
}

macro_rules! algorithms {
    ($($name:literal => $digest:ty,)*) => {
        /// Every algorithm, by name.
        pub static ALGORITHMS: &[Algorithm] = &[$(Algorithm {
            name: $name,
            size: <<$digest as digest::OutputSizeUser>::OutputSize as digest::typenum::Unsigned>::USIZE,
            new: Hasher::of::<$digest>,
        },)*];
    };
}

algorithms! {
    "blake2b" => blake2::Blake2b512,
    "blake2s" => blake2::Blake2s256,
    "md5" => md5::Md5,
    "ripemd160" => ripemd::Ripemd160,
    "sha1" => sha1::Sha1,
    "sha224" => sha2::Sha224,
    "sha256" => sha2::Sha256,
    "sha384" => sha2::Sha384,
    "sha3_224" => sha3::Sha3_224,
    "sha3_256" => sha3::Sha3_256,
    "sha3_384" => sha3::Sha3_384,
    "sha3_512" => sha3::Sha3_512,
    "sha512" => sha2::Sha512,
    "sha512_224" => sha2::Sha512_224,
    "sha512_256" => sha2::Sha512_256,
    "sm3" => sm3::Sm3,
}

/// The algorithm called `name`, compared exactly as glance_store does.
pub fn algorithm(name: &str) -> Result<&'static Algorithm> {
    ALGORITHMS.iter().find(|a| a.name == name).ok_or_else(|| {
        let known: Vec<&str> = ALGORITHMS.iter().map(|a| a.name).collect();
        Error::new(Kind::UnknownHash, format!("unknown hash name {name:?}; known are {}", known.join(" ")))
    })
}

#[cfg(test)]
mod tests;
