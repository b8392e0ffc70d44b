//! `gs_reader`: an image opened for random reads.

use std::ffi::c_char;

use crate::error::{Error, Kind};
use crate::store::ImageReader;

use super::boundary::{fallible, infallible, null, output, string};
use super::error::{gs_error, gs_status};
use super::handle::{self, borrow, opaque};
use super::opts::{CallOptions, Purpose, gs_opts};
use super::store::gs_store;

/// An image opened for random reads.  May be shared by threads, and outlives its registry's
/// pointer.  Since 0.1.
#[allow(non_camel_case_types)]
pub struct gs_reader {
    _opaque: [u8; 0],
}

opaque! { gs_reader(ImageReader), magic 0x6773_7264, bound_to_process true }

/// Opens an image for random reads; free the reader with `gs_reader_free`.  Of `opts` (nullable) it
/// uses cancel, context and timeout_ms; the timeout is for this call alone, the cancel stops every later
/// `gs_reader_pread` as well, so do not free it before the reader.
///
/// `GS_NOT_FOUND`, `GS_FORBIDDEN`, `GS_NOT_SUPPORTED` when the store cannot read at random, and the
/// errors of `gs_location_parse`.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_reader_open(
    store: *mut gs_store,
    uri: *const c_char,
    opts: *const gs_opts,
    out: *mut *mut gs_reader,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let store = borrow(store.cast_const(), "store")?.store.clone();
            let (uri, out) = (string(uri, "uri")?, output(out, "out")?);
            let opts = CallOptions::read(opts, Purpose::Other)?;
            out.write(handle::into_raw(store.reader(uri, &opts.operation(), opts.cancel())?));
            Ok(())
        })
    }
}

/// The size of the image in bytes when it was opened; 0 for NULL.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_reader_size(reader: *const gs_reader) -> u64 {
    // SAFETY: the header's rules for pointers.
    infallible(0, || unsafe { borrow(reader, "reader") }.map(ImageReader::size))
}

/// Reads as pread(2) does, in any order and from any number of threads: `*out_len` is less than `len`
/// only at the end of the image, and 0 past it.  `buf` is ignored when `len` is 0.
///
/// `GS_CANCELLED`, and what the backend answers.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_reader_pread(
    reader: *mut gs_reader,
    buf: *mut u8,
    len: usize,
    offset: u64,
    out_len: *mut usize,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let reader = borrow(reader.cast_const(), "reader")?;
            let out_len = output(out_len, "out_len")?;
            let read = match len {
                0 => 0,
                _ if buf.is_null() => return Err(null("buf")),
                _ if len > isize::MAX as usize => {
                    return Err(Error::new(Kind::Invalid, format!("len {len} is more than memory can hold")));
                }
                _ => reader.pread(std::slice::from_raw_parts_mut(buf, len), offset)?,
            };
            out_len.write(read);
            Ok(())
        })
    }
}

/// Closes a reader.  `reader` is nullable.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_reader_free(reader: *mut gs_reader) {
    // SAFETY: the header's rules for pointers.
    unsafe { handle::free(reader) }
}
