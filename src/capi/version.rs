//! Which library this is, and what it can do.

use std::ffi::{CStr, c_char, c_void};

use once_cell::sync::Lazy;

use crate::drivers;
use crate::hash::{ALGORITHMS, algorithm};

use super::boundary::{infallible, string};
use super::handle::c_string;

/// `GS_VERSION_NUMBER` of the loaded library: major << 16 | minor << 8 | patch.  Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn gs_version_number() -> u32 {
    infallible(0, || Ok(version_number(env!("CARGO_PKG_VERSION"))))
}

fn version_number(version: &str) -> u32 {
    version.split('.').fold(0, |number, part| number << 8 | part.parse().unwrap_or(0))
}

/// The version of the loaded library, such as "0.1.0".  Lives for ever.  Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn gs_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    infallible(std::ptr::null(), || Ok(VERSION.as_ptr()))
}

/// Whether this build has a feature: "driver:NAME", "hash:NAME" or "tls".  Unknown features, and NULL, are
/// false.  A driver may still lack a system library at run time (`GS_DRIVER_UNAVAILABLE`).  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_has(feature: *const c_char) -> bool {
    infallible(false, || {
        // SAFETY: the header's rules for pointers.
        let feature = unsafe { string(feature, "feature") }?;
        Ok(match feature.split_once(':') {
            Some(("driver", name)) => drivers::DRIVERS.iter().any(|driver| driver.name == name),
            Some(("hash", name)) => algorithm(name).is_ok(),
            _ => feature == "tls",
        })
    })
}

/// A NULL-terminated array of texts, never changed.
struct Names(Vec<*const c_char>);

// SAFETY: the texts behind the pointers are never changed nor freed.
unsafe impl Send for Names {}
// SAFETY: as above.
unsafe impl Sync for Names {}

static HASH_NAMES: Lazy<Names> = Lazy::new(|| {
    let names = ALGORITHMS.iter().map(|algorithm| c_string(algorithm.name).into_raw().cast_const());
    Names(names.chain([std::ptr::null::<c_void>().cast()]).collect())
});

/// The names that `gs_opts.hash_name` may have, NULL-terminated and sorted.  Lives for ever.  Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn gs_hash_names() -> *const *const c_char {
    infallible(std::ptr::null(), || Ok(HASH_NAMES.0.as_ptr()))
}
