//! Lists and texts that librbd hands out.

use std::ffi::{CStr, c_char};

use nix::errno::Errno;

use super::Result;

/// What librbd puts into an array of its caller's, which is made larger until all fits in.
pub fn list<T>(empty: impl Fn() -> T, fill: impl Fn(*mut T, *mut usize) -> Result<usize>) -> Result<Vec<T>> {
    let mut room = 16;
    loop {
        let mut list: Vec<T> = (0..room).map(|_| empty()).collect();
        let mut count = room;
        match fill(list.as_mut_ptr(), &mut count) {
            Err(Errno::ERANGE) => room = count.max(2 * room),
            answer => {
                answer?;
                list.truncate(count);
                return Ok(list);
            }
        }
    }
}

/// A copy of a text of librbd's.
///
/// # Safety
///
/// It must be null or a C string.
pub unsafe fn text_of(text: *const c_char) -> String {
    match text.is_null() {
        true => String::new(),
        // SAFETY: a C string, as the caller promises.
        false => unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned(),
    }
}
