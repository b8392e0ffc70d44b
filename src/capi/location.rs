//! `gs_location`: a storage URI, parsed and owned.

use std::ffi::{CStr, CString, c_char};
use std::mem::offset_of;

use crate::location::Location;
use crate::secret::redact_uri;

use super::boundary::{fallible, infallible, output, string};
use super::error::{gs_error, gs_status};
use super::handle::{self, borrow, c_string, opaque};
use super::registry::gs_registry;
use super::sized::{self, SizedStruct};
use super::store::gs_store;

/// A storage URI, parsed and owned.  May be shared by threads, and outlives its registry.
/// Since 0.1.
#[allow(non_camel_case_types)]
pub struct gs_location {
    _opaque: [u8; 0],
}

opaque! { gs_location(Body), magic 0x6773_6c6f, bound_to_process false }

pub struct Body {
    uri: CString,
    safe_uri: CString,
    scheme: CString,
    store_id: CString,
}

impl Body {
    fn new(location: &Location, store_id: &str) -> Self {
        Body {
            uri: c_string(location.uri()),
            safe_uri: c_string(location.safe_uri()),
            scheme: c_string(location.scheme()),
            store_id: c_string(store_id),
        }
    }
}

/// What a location is.  The texts live as long as it; none is NULL.  Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct gs_location_info {
    /// Set by you: sizeof(gs_location_info).
    pub struct_size: usize,
    /// The canonical form, for internal use only: it may hold credentials.
    pub uri: *const c_char,
    /// The same with every secret replaced by "***".
    pub safe_uri: *const c_char,
    /// The scheme that was given, in lower case.
    pub scheme: *const c_char,
    /// The store that the location belongs to.
    pub store_id: *const c_char,
}

// SAFETY: #[repr(C)], begins with its size, pointers may be NULL.
unsafe impl SizedStruct for gs_location_info {
    const NAME: &'static str = "gs_location_info";
    const FIRST_SIZE: usize = offset_of!(gs_location_info, store_id) + size_of::<*const c_char>();
}

/// Checks and normalises a storage URI without any I/O: nothing says that an image is there.  `store`
/// is nullable: then `gs_registry_resolve` finds it.  Free the location with `gs_location_free`.
///
/// Errors are those of `gs_registry_resolve`.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_location_parse(
    reg: *const gs_registry,
    store: *const gs_store,
    uri: *const c_char,
    out: *mut *mut gs_location,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let (reg, uri, out) = (borrow(reg, "reg")?, string(uri, "uri")?, output(out, "out")?);
            let stores = reg.registry.stores();
            let store = match store.is_null() {
                true => &stores[reg.registry.resolve(uri)?],
                false => &borrow(store, "store")?.store,
            };
            let location = store.locate(uri)?;
            out.write(handle::into_raw(Body::new(&location, store.id())));
            Ok(())
        })
    }
}

/// Fills in `*info`.  NULL, or an `info` of a smaller `struct_size`, is left alone; what it has beyond
/// this version's members becomes zero.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_location_get_info(loc: *const gs_location, info: *mut gs_location_info) {
    // SAFETY: the header's rules for pointers.
    infallible((), || unsafe {
        let (body, info) = (borrow(loc, "loc")?, output(info, "info")?);
        let filled = gs_location_info {
            struct_size: 0,
            uri: body.uri.as_ptr(),
            safe_uri: body.safe_uri.as_ptr(),
            scheme: body.scheme.as_ptr(),
            store_id: body.store_id.as_ptr(),
        };
        sized::write(info, filled);
        Ok(())
    })
}

/// Frees a location.  `loc` is nullable.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_location_free(loc: *mut gs_location) {
    // SAFETY: the header's rules for pointers.
    unsafe { handle::free(loc) }
}

/// Makes any text safe to print: user information and query values of a URI become "***".  As
/// snprintf(3): writes at most `len` bytes to `buf`, the last of them NUL, and returns the length of the
/// whole result without its NUL.  NULL is the empty text.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_uri_redact(uri: *const c_char, buf: *mut c_char, len: usize) -> usize {
    infallible(0, || {
        // SAFETY: the header's rules for pointers.
        let text = if uri.is_null() { c"" } else { unsafe { CStr::from_ptr(uri) } };
        let safe = redact_uri(&text.to_string_lossy());
        if len > 0 && !buf.is_null() {
            let shown = safe.floor_char_boundary(len - 1);
            // SAFETY: `buf` has `len` bytes, by the header's rules.
            unsafe {
                std::ptr::copy_nonoverlapping(safe.as_ptr(), buf.cast(), shown);
                buf.add(shown).write(0);
            }
        }
        Ok(safe.len())
    })
}
