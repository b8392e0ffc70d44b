//! `gs_image`: what was stored, and where.

use std::ffi::{CString, c_char};
use std::mem::offset_of;

use serde_json::Value;

use crate::store::Image;

use super::boundary::{infallible, output};
use super::handle::{self, borrow, c_string, opaque};
use super::sized::{self, SizedStruct};

/// What was stored, and where.  Belongs to one thread at a time, and outlives its registry.
/// Since 0.1.
#[allow(non_camel_case_types)]
pub struct gs_image {
    _opaque: [u8; 0],
}

opaque! { gs_image(Body), magic 0x6773_696d, bound_to_process false }

pub struct Body {
    uri: CString,
    checksum: CString,
    multihash: CString,
    hash_name: CString,
    store_id: CString,
    metadata_json: CString,
    size: u64,
}

impl From<Image> for Body {
    fn from(image: Image) -> Self {
        Body {
            uri: c_string(image.location.uri()),
            checksum: c_string(image.checksum),
            multihash: c_string(image.multihash),
            hash_name: c_string(image.hash_name),
            store_id: c_string(image.store_id),
            metadata_json: c_string(Value::Object(image.metadata).to_string()),
            size: image.size,
        }
    }
}

/// What an image is.  The texts live as long as it; none is NULL.  Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct gs_image_info {
    /// Set by you: sizeof(gs_image_info).
    pub struct_size: usize,
    /// The storage URI to keep, for internal use only: it may hold credentials.
    pub uri: *const c_char,
    /// The MD5 in lower-case hex; "" with `GS_NO_CHECKSUM`.
    pub checksum: *const c_char,
    /// The digest of `hash_name` in lower-case hex; "" when none was asked for.
    pub multihash: *const c_char,
    /// The hash name that was asked for, or "".
    pub hash_name: *const c_char,
    /// The store that took the image.
    pub store_id: *const c_char,
    /// The location metadata, a JSON object.
    pub metadata_json: *const c_char,
    /// In bytes.
    pub size: u64,
}

// SAFETY: #[repr(C)], begins with its size, everything else may be zero.
unsafe impl SizedStruct for gs_image_info {
    const NAME: &'static str = "gs_image_info";
    const FIRST_SIZE: usize = offset_of!(gs_image_info, size) + size_of::<u64>();
}

/// Fills in `*info`.  NULL, or an `info` of a smaller `struct_size`, is left alone; what it has beyond
/// this version's members becomes zero.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_image_get_info(image: *const gs_image, info: *mut gs_image_info) {
    // SAFETY: the header's rules for pointers.
    infallible((), || unsafe {
        let (body, info) = (borrow(image, "image")?, output(info, "info")?);
        let filled = gs_image_info {
            struct_size: 0,
            uri: body.uri.as_ptr(),
            checksum: body.checksum.as_ptr(),
            multihash: body.multihash.as_ptr(),
            hash_name: body.hash_name.as_ptr(),
            store_id: body.store_id.as_ptr(),
            metadata_json: body.metadata_json.as_ptr(),
            size: body.size,
        };
        sized::write(info, filled);
        Ok(())
    })
}

/// Frees what is known of an image, not the image.  `image` is nullable.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_image_free(image: *mut gs_image) {
    // SAFETY: the header's rules for pointers.
    unsafe { handle::free(image) }
}
