//! `gs_error`: why a call failed.

use std::ffi::{CString, c_char, c_int};

use crate::error::Error;
use crate::secret::redact_text;

use super::boundary::infallible;
use super::handle::{self, borrow, c_string, opaque};

/// The outcome of a call.  A 32-bit integer on purpose, not a C enum: values are added over time, so
/// handle those you know and treat every other non-zero one as `GS_FAILED`.  Since 0.1.
#[allow(non_camel_case_types)]
pub type gs_status = i32;

/// Success.
pub const GS_OK: gs_status = 0;
/// The backend failed and no other value says it better.
pub const GS_FAILED: gs_status = 1;
/// An argument is wrong: NULL, not UTF-8, out of range, or not meant for this call.
pub const GS_INVALID: gs_status = 2;
/// A defect of this library was caught: please report it.  The process is fine.
pub const GS_BUG: gs_status = 3;
/// `gs_cancel_trigger` was called, or the progress callback said stop.
pub const GS_CANCELLED: gs_status = 4;
/// The call's `timeout_ms` or a timeout of the configuration is spent.
pub const GS_TIMEOUT: gs_status = 5;
/// Your callback failed; `gs_error_errno` has its errno.
pub const GS_CALLBACK: gs_status = 6;
/// The handle was made before fork() and is used in the child.
pub const GS_FORKED: gs_status = 7;
/// There is no such image.
pub const GS_NOT_FOUND: gs_status = 10;
/// An image of that id exists; it was not touched.
pub const GS_DUPLICATE: gs_status = 11;
/// The backend has no room, or a quota or size limit is reached.
pub const GS_STORAGE_FULL: gs_status = 12;
/// The backend refuses to be written to.
pub const GS_WRITE_DENIED: gs_status = 13;
/// The backend refuses access, or the location is outside what the store may touch.
pub const GS_FORBIDDEN: gs_status = 14;
/// The backend does not accept the credentials.
pub const GS_NOT_AUTHENTICATED: gs_status = 15;
/// The image is in use, or has snapshots or clones.
pub const GS_IN_USE: gs_status = 16;
/// No open store serves the URI's scheme.
pub const GS_UNKNOWN_SCHEME: gs_status = 20;
/// The URI is malformed.
pub const GS_BAD_URI: gs_status = 21;
/// There is no such store, or none that the location belongs to.
pub const GS_UNKNOWN_STORE: gs_status = 22;
/// The configuration is wrong; the message names file, line, group and key.
pub const GS_BAD_CONFIG: gs_status = 23;
/// The driver is known but cannot run here, for instance because `librbd.so.1` is not installed.
pub const GS_DRIVER_UNAVAILABLE: gs_status = 24;
/// There is no hash of that name; `gs_hash_names` lists them.
pub const GS_UNKNOWN_HASH: gs_status = 25;
/// This store cannot do that.
pub const GS_NOT_SUPPORTED: gs_status = 26;
/// The store is misconfigured for writing; `gs_store_info.add_disabled` says why.
pub const GS_ADD_DISABLED: gs_status = 27;
/// The remote service cannot be reached or is overloaded; trying again may help.
pub const GS_UNAVAILABLE: gs_status = 30;
/// The remote service redirects too often.
pub const GS_TOO_MANY_REDIRECTS: gs_status = 31;
/// The service catalogue has no matching endpoint.
pub const GS_NO_ENDPOINT: gs_status = 32;
/// The source was shorter or longer than promised.
pub const GS_SIZE_MISMATCH: gs_status = 40;
/// A checksum, a multihash or the verify callback rejected the data.
pub const GS_VERIFY_FAILED: gs_status = 41;

/// Why a call failed.  Belongs to one thread at a time; free it with `gs_error_free`.  Since 0.1.
#[allow(non_camel_case_types)]
pub struct gs_error {
    _opaque: [u8; 0],
}

opaque! { gs_error(Body), magic 0x6773_6572, bound_to_process false }

/// What the accessors answer from.
pub struct Body {
    error: Error,
    message: CString,
    exception: CString,
}

impl gs_error {
    pub fn into_raw(error: Error) -> *mut gs_error {
        let (message, exception) = (c_string(one_line(&error)), c_string(error.exception()));
        handle::into_raw(Body { error, message, exception })
    }

    /// # Safety
    /// `error` is NULL or an error that is not used afterwards.
    pub unsafe fn release(error: *mut gs_error) {
        // SAFETY: the caller's promise.
        unsafe { handle::free(error) }
    }
}

/// The message as one line without secrets, whatever a server or a caller put into it.
fn one_line(error: &Error) -> String {
    /// More than any message that was meant to be read.
    const LONGEST: usize = 2000;
    let message = redact_text(error.message()).replace(|c: char| c.is_control(), " ");
    match message.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}...", &message[..cut]),
        None => message,
    }
}

/// The status that the failed call returned; `GS_OK` for NULL.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_error_status(err: *const gs_error) -> gs_status {
    // SAFETY: the header's rules for pointers.
    infallible(GS_OK, || unsafe { borrow(err, "err") }.map(|body| body.error.kind() as gs_status))
}

/// One line that says what failed, on which thing, why, and what can be done; secrets are removed.
/// Lives as long as `err`; "" for NULL.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_error_message(err: *const gs_error) -> *const c_char {
    // SAFETY: the header's rules for pointers.
    infallible(c"".as_ptr(), || unsafe { borrow(err, "err") }.map(|body| body.message.as_ptr()))
}

/// The name of the exception that glance_store raises for this: "NotFound", "StorageFull" and so on.
/// Lives as long as `err`; "" for NULL.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_error_name(err: *const gs_error) -> *const c_char {
    // SAFETY: the header's rules for pointers.
    infallible(c"".as_ptr(), || unsafe { borrow(err, "err") }.map(|body| body.exception.as_ptr()))
}

/// The errno of the operating system or of your callback; 0 for none.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_error_errno(err: *const gs_error) -> c_int {
    // SAFETY: the header's rules for pointers.
    infallible(0, || unsafe { borrow(err, "err") }.map(|body| body.error.errno()))
}

/// The HTTP status that the backend answered; 0 for none.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_error_http_status(err: *const gs_error) -> c_int {
    // SAFETY: the header's rules for pointers.
    infallible(0, || unsafe { borrow(err, "err") }.map(|body| body.error.http_status().into()))
}

/// Whether the same call may succeed later with nothing changed.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_error_retryable(err: *const gs_error) -> bool {
    // SAFETY: the header's rules for pointers.
    infallible(false, || unsafe { borrow(err, "err") }.map(|body| body.error.is_retryable()))
}

/// Frees an error.  `err` is nullable.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_error_free(err: *mut gs_error) {
    // SAFETY: the header's rules for pointers.
    unsafe { gs_error::release(err) }
}
