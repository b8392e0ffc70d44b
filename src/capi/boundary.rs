//! The boundary itself: what stands between every `extern "C"` function and the safe code behind it.
//!
//! No panic crosses it, no pointer is followed before it was looked at, and a handle that came through
//! fork() is refused before it can hang.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Kind, Result};

use super::error::{gs_error, gs_status};

/// Runs the body of a fallible function and hands its error over as the ABI promises: `*err` is a new
/// object on failure and NULL on success.
///
/// # Safety
/// `err` is NULL or points to a place for a pointer.
pub unsafe fn fallible(err: *mut *mut gs_error, body: impl FnOnce() -> Result<()>) -> gs_status {
    let result = catch_unwind(AssertUnwindSafe(body));
    let result = result.unwrap_or_else(|panic| Err(Error::from_panic(panic.as_ref())));
    let (status, object) = match result {
        Ok(()) => (super::error::GS_OK, std::ptr::null_mut()),
        Err(error) => (error.kind() as gs_status, gs_error::into_raw(error)),
    };
    if err.is_null() {
        // SAFETY: `object` is NULL or was just made.
        unsafe { gs_error::release(object) };
    } else {
        // SAFETY: the caller's promise.
        unsafe { err.write(object) };
    }
    status
}

/// Runs the body of a function that cannot fail; bad arguments and defects give `otherwise`.
pub fn infallible<T>(otherwise: T, body: impl FnOnce() -> Result<T>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(_)) | Err(_) => otherwise,
    }
}

/// The text that `text` points to.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that outlives `'a`.
pub unsafe fn string<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    unsafe { optional_string(text, name) }?.ok_or_else(|| null(name))
}

/// The text that `text` points to, none for NULL.
///
/// # Safety
/// As for [`string`].
pub unsafe fn optional_string<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    match text.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(error) => Err(Error::new(
            Kind::Invalid,
            format!("{name} is not valid UTF-8 from byte {} on", error.valid_up_to()),
        )),
    }
}

/// The texts of a NULL-terminated array, none for NULL.
///
/// # Safety
/// `texts` is NULL or an array of strings as for [`string`], ended by a NULL.
pub unsafe fn strings(texts: *const *const c_char, name: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    if texts.is_null() {
        return Ok(found);
    }
    for index in 0.. {
        // SAFETY: the array goes on until its NULL, by the caller's promise.
        let text = unsafe { optional_string(*texts.add(index), name) }?;
        match text {
            Some(text) => found.push(text.to_owned()),
            None => break,
        }
    }
    Ok(found)
}

/// Refuses NULL where the result of a call shall go.
pub fn output<T>(out: *mut T, name: &str) -> Result<*mut T> {
    if out.is_null() { Err(null(name)) } else { Ok(out) }
}

/// Refuses a NULL callback.
pub fn callback<T>(function: Option<T>, name: &str) -> Result<T> {
    function.ok_or_else(|| null(name))
}

pub fn null(name: &str) -> Error {
    Error::new(Kind::Invalid, format!("{name} is NULL"))
}
