//! Public structs, which begin with their size and grow only at their end.

use std::ptr;

use crate::error::{Error, Kind, Result};

/// No struct of this ABI is ever larger: a greater size is a variable that was not initialised.
const LARGEST: usize = 4096;

/// A `#[repr(C)]` struct whose first member is `struct_size`.
///
/// # Safety
/// The type is `#[repr(C)]`, begins with a `usize`, and every member may be all-zero.
pub unsafe trait SizedStruct: Copy {
    const NAME: &'static str;
}

/// A copy of a caller's struct.
///
/// # Safety
/// `pointer` points to a struct of the size that its first member says.
pub unsafe fn read<T: SizedStruct>(pointer: *const T) -> Result<T> {
    // SAFETY: every such struct begins with its size.
    let size = unsafe { pointer.cast::<usize>().read_unaligned() };
    if !(size_of::<T>()..=LARGEST).contains(&size) {
        let (name, own) = (T::NAME, size_of::<T>());
        return Err(Error::new(
            Kind::Invalid,
            format!(
                "{name}.struct_size is {size}, but must be sizeof({name}), {own} or more: use its _INIT macro"
            ),
        ));
    }
    // SAFETY: the struct has that many bytes.
    let tail = unsafe {
        std::slice::from_raw_parts(pointer.cast::<u8>().add(size_of::<T>()), size - size_of::<T>())
    };
    if tail.iter().any(|byte| *byte != 0) {
        let name = T::NAME;
        return Err(Error::new(
            Kind::Invalid,
            format!("{name} has a member set that this version of the library does not know"),
        ));
    }
    // SAFETY: it is at least as large as T.
    Ok(unsafe { pointer.read_unaligned() })
}

/// Fills in a caller's struct: what it has beyond `value` becomes zero.  One of a wrong size is left
/// alone.
///
/// # Safety
/// As for [`read`], and the struct may be written to.
pub unsafe fn write<T: SizedStruct>(pointer: *mut T, mut value: T) {
    // SAFETY: as in `read`.
    let size = unsafe { pointer.cast::<usize>().read_unaligned() };
    if !(size_of::<T>()..=LARGEST).contains(&size) {
        return;
    }
    // SAFETY: the struct has `size` bytes, at least as many as T; both begin with their size.
    unsafe {
        ptr::from_mut(&mut value).cast::<usize>().write(size);
        pointer.write_unaligned(value);
        ptr::write_bytes(pointer.cast::<u8>().add(size_of::<T>()), 0, size - size_of::<T>());
    }
}
