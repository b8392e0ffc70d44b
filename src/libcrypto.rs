//! SHA-512 as OpenSSL's libcrypto computes it: the whole of it in assembler for the processor at hand, a
//! quarter faster than what compilers make of it, and on most hosts loaded already.
//!
//! Only the three functions that do nothing but compute are used: unlike the rest of OpenSSL they set nothing up
//! in the process, read no configuration and leave nothing to be done at its end.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use crate::shared_object::SharedObject;

/// Of OpenSSL 3 and 1.1, whose functions are the same.
const FILES: [&str; 2] = ["libcrypto.so.3", "libcrypto.so.1.1"];

const DIGEST: usize = 64;

/// `SHA512_CTX`: eight words of state, two of length, a block of 128 bytes and two numbers.
#[repr(C)]
struct Context {
    state: [u64; 8],
    length: [u64; 2],
    block: [u8; 128],
    filled: u32,
    digest_length: u32,
}

struct Functions {
    init: unsafe extern "C" fn(*mut Context) -> c_int,
    update: unsafe extern "C" fn(*mut Context, *const c_void, usize) -> c_int,
    finish: unsafe extern "C" fn(*mut u8, *mut Context) -> c_int,
}

impl Functions {
    fn load(file: &str) -> Option<Self> {
        let object = SharedObject::open(file).ok()?;
        // SAFETY: the types are those of OpenSSL's sha.h.
        let functions = unsafe {
            Functions {
                init: object.function("SHA512_Init\0")?,
                update: object.function("SHA512_Update\0")?,
                finish: object.function("SHA512_Final\0")?,
            }
        };
        Some(functions)
    }

    /// The system's, once and for all.
    fn get() -> Option<&'static Self> {
        static FOUND: OnceLock<Option<Functions>> = OnceLock::new();
        FOUND.get_or_init(|| FILES.iter().find_map(|file| Functions::load(file))).as_ref()
    }
}

/// A digest being computed.
pub struct Sha512 {
    functions: &'static Functions,
    context: Context,
}

impl Sha512 {
    /// None: there is no OpenSSL here.
    pub fn new() -> Option<Self> {
        let functions = Functions::get()?;
        let mut context =
            Context { state: [0; 8], length: [0; 2], block: [0; 128], filled: 0, digest_length: 0 };
        // SAFETY: the context is one.
        check(unsafe { (functions.init)(&mut context) });
        Some(Sha512 { functions, context })
    }

    pub fn update(&mut self, data: &[u8]) {
        // SAFETY: the context was set up, and the data is as long as is said.
        check(unsafe { (self.functions.update)(&mut self.context, data.as_ptr().cast(), data.len()) });
    }

    pub fn finish(mut self) -> [u8; DIGEST] {
        let mut digest = [0; DIGEST];
        // SAFETY: the context was set up, and the digest has room for all of it.
        check(unsafe { (self.functions.finish)(digest.as_mut_ptr(), &mut self.context) });
        digest
    }
}

/// These functions do not fail; a digest would be wrong without telling if one did.
fn check(answer: c_int) {
    assert_eq!(answer, 1, "SHA-512 of libcrypto failed");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Random;

    #[test]
    fn it_is_what_the_crate_computes() {
        use sha2::Digest;
        let mut random = Random::new();
        for size in [0, 1, 111, 112, 127, 128, 129, 255, 256, 257, 4096, (1 << 20) + 77] {
            let data: Vec<u8> = (0..size).map(|_| random.below(256) as u8).collect();
            for step in [1, 63, 128, 1000, size.max(1)] {
                let mut hasher =
                    Sha512::new().expect("these tests need libcrypto.so.3, of the package libssl3");
                data.chunks(step).for_each(|piece| hasher.update(piece));
                assert_eq!(hasher.finish()[..], sha2::Sha512::digest(&data)[..], "{size} by {step}");
            }
        }
    }

    #[test]
    fn a_host_without_it_is_told_apart() {
        assert!(Functions::load("libcrypto-of-nowhere.so").is_none());
        assert!(Functions::load("libc.so.6").is_none(), "it lacks the functions");
    }
}
