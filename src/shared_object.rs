//! Shared libraries of others, loaded when they are needed and never unloaded.

use std::ffi::{CStr, CString, c_void};
use std::mem::{size_of, transmute_copy};

/// A library that is loaded.
pub struct SharedObject {
    handle: *mut c_void,
}

impl SharedObject {
    /// Finds the library as the dynamic linker does; or why it cannot be loaded.
    pub fn open(file: &str) -> Result<Self, String> {
        let name = CString::new(file).map_err(|_| "a file name with a NUL byte".to_owned())?;
        // SAFETY: the name is a C string.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() { Err(last_error()) } else { Ok(SharedObject { handle }) }
    }

    /// The function of that name, which ends in a NUL byte.
    ///
    /// # Safety
    ///
    /// `F` must be the type of a pointer to that function.
    pub unsafe fn function<F: Copy>(&self, name: &str) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let name = CStr::from_bytes_with_nul(name.as_bytes()).ok()?;
        // SAFETY: the handle is open, the name a C string.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        // SAFETY: a function pointer of the caller's type, as the caller promises, and not null.
        (!address.is_null()).then(|| unsafe { transmute_copy(&address) })
    }
}

/// What the dynamic linker complained about last.
fn last_error() -> String {
    // SAFETY: asks for a C string that stays until this thread's next call of the dynamic linker.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "no reason given".to_owned();
    }
    // SAFETY: it is not null, and copied before the next call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
