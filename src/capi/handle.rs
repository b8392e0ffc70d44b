//! Handles: what the opaque pointers of the ABI point to.

use std::ffi::{CString, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Kind, Result};

use super::boundary::{infallible, null};

/// A type that callers know only by pointer.
pub trait Opaque {
    /// What is behind the pointer.
    type Body;

    const NAME: &'static str;

    /// Tells the kinds of handles apart, so that a pointer to the wrong one is an error.
    const MAGIC: u32;

    /// Whether the handle belongs to the process that made it: it has threads behind it.
    const BOUND_TO_PROCESS: bool;
}

/// The memory behind a pointer.
#[repr(C)]
pub struct Handle<T: Opaque> {
    magic: AtomicU32,
    pid: u32,
    body: T::Body,
}

/// What the magic becomes when a handle is freed, to catch its use afterwards where memory allows.
const FREED: u32 = 0xdead_dead;

impl<T: Opaque> Handle<T> {
    pub fn new(body: T::Body) -> Self {
        Handle { magic: AtomicU32::new(T::MAGIC), pid: std::process::id(), body }
    }

    /// The pointer that callers get to a handle which something else owns.
    pub fn lend(&self) -> *mut T {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    pub fn body(&self) -> &T::Body {
        &self.body
    }

    fn is_from_before_fork(&self) -> bool {
        T::BOUND_TO_PROCESS && self.pid != std::process::id()
    }
}

/// Gives a new handle to the caller.
pub fn into_raw<T: Opaque>(body: T::Body) -> *mut T {
    Box::into_raw(Box::new(Handle::<T>::new(body))).cast()
}

/// The handle behind `pointer`.
///
/// # Safety
/// `pointer` is NULL or any handle of this library that lives as long as `'a`.
unsafe fn handle<'a, T: Opaque>(pointer: *const T, name: &str) -> Result<&'a Handle<T>> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: every handle begins with its magic, whatever its kind.
    let magic = unsafe { &*pointer.cast::<AtomicU32>() }.load(Ordering::Relaxed);
    if magic != T::MAGIC {
        let what = if magic == FREED { "was freed before" } else { "is something else" };
        return Err(Error::new(Kind::Invalid, format!("{name} is not a {}: it {what}", T::NAME)));
    }
    // SAFETY: the magic says that it is one of these.
    let handle = unsafe { &*pointer.cast::<Handle<T>>() };
    if handle.is_from_before_fork() {
        return Err(Error::new(
            Kind::Forked,
            format!("this {} was made before fork(): open a new one in the child process", T::NAME),
        ));
    }
    Ok(handle)
}

/// What is behind `pointer`.
///
/// # Safety
/// As for [`handle`].
pub unsafe fn borrow<'a, T: Opaque + 'a>(pointer: *const T, name: &str) -> Result<&'a T::Body>
where
    T::Body: 'a,
{
    // SAFETY: the caller's promise.
    unsafe { handle(pointer, name) }.map(Handle::body)
}

/// What is behind `pointer`, if it is a handle that may be used: for signal handlers, in which not even
/// the text of an error may be made.
///
/// # Safety
/// As for [`handle`].
pub unsafe fn peek<'a, T: Opaque + 'a>(pointer: *const T) -> Option<&'a T::Body> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: as in `handle`.
    unsafe {
        let is_one = (*pointer.cast::<AtomicU32>()).load(Ordering::Relaxed) == T::MAGIC;
        let handle = is_one.then(|| &*pointer.cast::<Handle<T>>())?;
        (!handle.is_from_before_fork()).then_some(&handle.body)
    }
}

/// What is behind `pointer`, to be changed.
///
/// # Safety
/// As for [`handle`], and no other thread uses the handle meanwhile.
pub unsafe fn borrow_mut<'a, T: Opaque + 'a>(pointer: *mut T, name: &str) -> Result<&'a mut T::Body>
where
    T::Body: 'a,
{
    // SAFETY: the caller's promise; checked, it is a handle of this kind, and nobody else uses it.
    unsafe {
        handle(pointer.cast_const(), name)?;
        Ok(&mut (*pointer.cast::<Handle<T>>()).body)
    }
}

/// Frees a handle; NULL is ignored.  One from before fork() is left alone: what it holds has threads
/// that exist only in the parent.
///
/// # Safety
/// As for [`handle`]; the pointer is not used afterwards.
pub unsafe fn free<T: Opaque>(pointer: *mut T) {
    infallible((), || {
        // SAFETY: the caller's promise.
        let handle = unsafe { handle(pointer.cast_const(), "handle") }?;
        handle.magic.store(FREED, Ordering::Relaxed);
        // SAFETY: it came from `into_raw`, and its new magic keeps it from being freed twice.
        drop(unsafe { Box::from_raw(pointer.cast::<Handle<T>>()) });
        Ok(())
    })
}

/// A text that callers borrow.  NUL bytes, which a server may send, would end it early.
pub fn c_string(text: impl AsRef<str>) -> CString {
    CString::new(text.as_ref().replace('\0', "\u{FFFD}")).unwrap_or_default()
}

/// A caller's `user` pointer, which this library only hands back.
#[derive(Clone, Copy)]
pub struct User(pub *mut c_void);

// SAFETY: the pointer is never followed here; the header tells its owner which threads it comes from.
unsafe impl Send for User {}

/// Says what is behind an opaque type of the ABI.  The type itself stands beside it in full, because
/// cbindgen does not look into macros.
macro_rules! opaque {
    ($name:ident($body:ty), magic $magic:literal, bound_to_process $bound:literal) => {
        impl $crate::capi::handle::Opaque for $name {
            type Body = $body;
            const NAME: &'static str = stringify!($name);
            const MAGIC: u32 = $magic;
            const BOUND_TO_PROCESS: bool = $bound;
        }
    };
}

pub(super) use opaque;

#[cfg(test)]
mod tests {
    use super::*;

    struct One;
    struct Other;

    opaque! { One(u32), magic 0x1111_1111, bound_to_process false }
    opaque! { Other(u64), magic 0x2222_2222, bound_to_process true }

    #[test]
    fn a_handle_is_what_its_pointer_says() {
        let pointer = into_raw::<One>(7);
        // SAFETY: a live handle; the wrong kind is what the test is about.
        unsafe {
            assert_eq!(*borrow(pointer, "x").unwrap(), 7);
            let wrong = borrow(pointer.cast::<Other>(), "store").unwrap_err();
            assert_eq!(wrong.kind(), Kind::Invalid);
            assert_eq!(wrong.message(), "store is not a Other: it is something else");
            assert_eq!(borrow(std::ptr::null::<One>(), "store").unwrap_err().message(), "store is NULL");
            free(pointer);
            free(std::ptr::null_mut::<One>());
        }
    }

    #[test]
    fn borrowed_texts_never_end_early() {
        assert_eq!(c_string("a\0b").to_str().unwrap(), "a\u{FFFD}b");
    }
}
