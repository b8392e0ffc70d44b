//! Public structs, which begin with their size and grow only at their end.

use std::mem::MaybeUninit;
use std::ptr;

use crate::error::{Error, Kind, Result};

/// No struct of this ABI is ever larger: a greater size is a variable that was not initialised.
const LARGEST: usize = 4096;

/// A `#[repr(C)]` struct whose first member is `struct_size`.
///
/// # Safety
/// The type is `#[repr(C)]`, begins with a `usize`, and may be all-zero.
pub unsafe trait SizedStruct: Copy {
    const NAME: &'static str;

    /// The size of the members of version 0.1: no caller was ever compiled with fewer.  Never changed.
    const FIRST_SIZE: usize;
}

/// Whether a caller's struct can have that size.
fn is_plausible<T: SizedStruct>(size: usize) -> bool {
    (T::FIRST_SIZE..=LARGEST).contains(&size)
}

/// A copy of a caller's struct; members that it does not have yet are zero.
///
/// # Safety
/// `pointer` points to a struct of the size that its first member says.
pub unsafe fn read<T: SizedStruct>(pointer: *const T) -> Result<T> {
    // SAFETY: every such struct begins with its size.
    let size = unsafe { pointer.cast::<usize>().read_unaligned() };
    if !is_plausible::<T>(size) {
        let (name, own) = (T::NAME, size_of::<T>());
        return Err(Error::new(
            Kind::Invalid,
            format!(
                "{name}.struct_size is {size}, but must be sizeof({name}), such as {own}: use its _INIT macro"
            ),
        ));
    }
    // SAFETY: the struct has that many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size) };
    if bytes.get(size_of::<T>()..).is_some_and(|tail| tail.iter().any(|byte| *byte != 0)) {
        let name = T::NAME;
        return Err(Error::new(
            Kind::Invalid,
            format!("{name} has a member set that this version of the library does not know"),
        ));
    }
    let known = size.min(size_of::<T>());
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both have that many bytes, and an all-zero T is a T, by the trait's promise.
    unsafe {
        ptr::copy_nonoverlapping(bytes.as_ptr(), value.as_mut_ptr().cast(), known);
        Ok(value.assume_init())
    }
}

/// Fills in a caller's struct: members that it does not have are left out, and what it has beyond
/// `value` becomes zero.  One of a wrong size is left alone.
///
/// # Safety
/// As for [`read`], and the struct may be written to.
pub unsafe fn write<T: SizedStruct>(pointer: *mut T, mut value: T) {
    // SAFETY: as in `read`.
    let size = unsafe { pointer.cast::<usize>().read_unaligned() };
    if !is_plausible::<T>(size) {
        return;
    }
    let known = size.min(size_of::<T>());
    // SAFETY: the struct has `size` bytes, and both begin with their size.
    unsafe {
        ptr::from_mut(&mut value).cast::<usize>().write(size);
        ptr::copy_nonoverlapping(ptr::from_ref(&value).cast::<u8>(), pointer.cast(), known);
        ptr::write_bytes(pointer.cast::<u8>().add(known), 0, size - known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct as callers of the first version have it, of today, and of a later one.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Sized<const MEMBERS: usize> {
        struct_size: usize,
        members: [u64; MEMBERS],
    }

    // SAFETY: #[repr(C)], begins with its size, everything may be zero.
    unsafe impl<const MEMBERS: usize> SizedStruct for Sized<MEMBERS> {
        const NAME: &'static str = "sized";
        const FIRST_SIZE: usize = size_of::<Sized<1>>();
    }

    fn of_size<const MEMBERS: usize>(members: [u64; MEMBERS]) -> Sized<MEMBERS> {
        Sized { struct_size: size_of::<Sized<MEMBERS>>(), members }
    }

    fn read_as<const MEMBERS: usize>(theirs: &Sized<MEMBERS>) -> Result<[u64; 2]> {
        // SAFETY: as large as it says.
        unsafe { read(ptr::from_ref(theirs).cast::<Sized<2>>()) }.map(|ours| ours.members)
    }

    fn written_to<const MEMBERS: usize>(mut theirs: Sized<MEMBERS>) -> Sized<MEMBERS> {
        // SAFETY: as large as it says.
        unsafe { write(ptr::from_mut(&mut theirs).cast::<Sized<2>>(), of_size([1, 2])) };
        theirs
    }

    #[test]
    fn structs_of_older_and_newer_callers_are_read() {
        assert_eq!(read_as(&of_size([7])).unwrap(), [7, 0]);
        assert_eq!(read_as(&of_size([7, 8])).unwrap(), [7, 8]);
        assert_eq!(read_as(&of_size([7, 8, 0])).unwrap(), [7, 8]);
        assert_eq!(read_as(&of_size([7, 8, 9])).unwrap_err().kind(), Kind::Invalid);
        for size in [0, 15, LARGEST + 1, usize::MAX] {
            let theirs = Sized { struct_size: size, members: [7, 8] };
            assert_eq!(read_as(&theirs).unwrap_err().kind(), Kind::Invalid, "{size}");
        }
    }

    #[test]
    fn structs_of_older_and_newer_callers_are_filled_in() {
        assert_eq!(written_to(of_size([9])), of_size([1]));
        assert_eq!(written_to(of_size([9, 9])), of_size([1, 2]));
        assert_eq!(written_to(of_size([9, 9, 9])), of_size([1, 2, 0]));
        let wrong = Sized { struct_size: 15, members: [9, 9] };
        assert_eq!(written_to(wrong), wrong);
    }
}
