//! `gs_store`: one store, and what can be done with its images.

use std::ffi::{CString, c_char, c_int, c_void};
use std::mem::offset_of;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::copy::copy;
use crate::driver::Acls;
use crate::error::{Error, Kind, Result};
use crate::store::{Image, Store};
use crate::transfer::WriteCallback;

use super::boundary::{callback, fallible, infallible, output, string, strings};
use super::error::{gs_error, gs_status};
use super::handle::{self, User, borrow, c_string, opaque};
use super::image::gs_image;
use super::opts::{CallOptions, GS_SIZE_UNKNOWN, Purpose, gs_opts};
use super::sized::{self, SizedStruct};

/// `gs_store_info.capabilities`: images can be read.  The bits are those of
/// glance_store.capabilities.BitMasks.
pub const GS_CAN_READ: u32 = 0x01;
/// From an offset on.
pub const GS_CAN_READ_OFFSET: u32 = 0x03;
/// So many bytes.
pub const GS_CAN_READ_CHUNK: u32 = 0x05;
/// Both.
pub const GS_CAN_READ_RANDOM: u32 = 0x07;
/// Images can be added and deleted.
pub const GS_CAN_WRITE: u32 = 0x08;
/// From an offset on.
pub const GS_CAN_WRITE_OFFSET: u32 = 0x18;
/// So many bytes.
pub const GS_CAN_WRITE_CHUNK: u32 = 0x28;
/// Both.
pub const GS_CAN_WRITE_RANDOM: u32 = 0x38;
/// The driver keeps no state of one call that another could trip over.
pub const GS_DRIVER_REUSABLE: u32 = 0x40;

/// One store.  May be shared by threads; lives as long as its registry.  Since 0.1.
#[allow(non_camel_case_types)]
pub struct gs_store {
    _opaque: [u8; 0],
}

opaque! { gs_store(Body), magic 0x6773_7374, bound_to_process true }

pub struct Body {
    pub store: Arc<Store>,
    id: CString,
    driver: CString,
    description: CString,
    schemes: Texts,
    add_disabled: Option<CString>,
}

/// A NULL-terminated array of texts, and the texts themselves.
struct Texts {
    pointers: Vec<*const c_char>,
    _texts: Vec<CString>,
}

// SAFETY: nothing in it is changed, and the pointers lead to texts that it owns.
unsafe impl Send for Texts {}
// SAFETY: as above.
unsafe impl Sync for Texts {}

impl Texts {
    fn new(texts: &[&str]) -> Self {
        let texts: Vec<CString> = texts.iter().map(c_string).collect();
        let pointers = texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Texts { pointers, _texts: texts }
    }
}

impl Body {
    pub fn new(store: Arc<Store>) -> Self {
        Body {
            id: c_string(store.id()),
            driver: c_string(store.driver_name()),
            description: c_string(&store.identity().description),
            schemes: Texts::new(store.schemes()),
            add_disabled: store.add_disabled().map(c_string),
            store,
        }
    }
}

/// What a store is.  Texts and arrays live as long as it.  Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct gs_store_info {
    /// Set by you: sizeof(gs_store_info).
    pub struct_size: usize,
    /// The name given in the configuration; in single-store mode the driver's.
    pub id: *const c_char,
    /// "file" and so on.
    pub driver: *const c_char,
    /// "" when not configured.
    pub description: *const c_char,
    /// The URI schemes that the store serves, NULL-terminated.
    pub schemes: *const *const c_char,
    /// Why gs_add would fail, or NULL.
    pub add_disabled: *const c_char,
    /// `GS_CAN_*` and `GS_DRIVER_REUSABLE`.
    pub capabilities: u32,
    /// The preference among stores that hold the same image; more is preferred.
    pub weight: i32,
    /// Whether gs_registry_get(reg, NULL) gives this store.
    pub is_default: bool,
    /// Whether the calling service reserved it for itself.
    pub is_reserved: bool,
}

// SAFETY: #[repr(C)], begins with its size, everything else may be zero.
unsafe impl SizedStruct for gs_store_info {
    const NAME: &'static str = "gs_store_info";
    const FIRST_SIZE: usize = offset_of!(gs_store_info, is_reserved) + size_of::<bool>();
}

/// Fills in `*info`.  NULL, or an `info` of a smaller `struct_size`, is left alone; what it has beyond
/// this version's members becomes zero.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_store_get_info(store: *const gs_store, info: *mut gs_store_info) {
    // SAFETY: the header's rules for pointers.
    infallible((), || unsafe {
        let (body, info) = (borrow(store, "store")?, output(info, "info")?);
        let identity = body.store.identity();
        let filled = gs_store_info {
            struct_size: 0,
            id: body.id.as_ptr(),
            driver: body.driver.as_ptr(),
            description: body.description.as_ptr(),
            schemes: body.schemes.pointers.as_ptr(),
            add_disabled: body.add_disabled.as_ref().map_or(std::ptr::null(), |reason| reason.as_ptr()),
            capabilities: body.store.capabilities().bits(),
            weight: identity.weight,
            is_default: identity.is_default,
            is_reserved: identity.is_reserved,
        };
        sized::write(info, filled);
        Ok(())
    })
}

/// Fills up to `len` bytes of `buf`.  Returns how many, 0 at the end of the image, or -errno to abort.
/// Fewer than `len` is fine.  Runs on the thread that called gs_add.  Since 0.1.
#[allow(non_camel_case_types)]
pub type gs_read_fn = Option<unsafe extern "C" fn(user: *mut c_void, buf: *mut u8, len: usize) -> i64>;

/// Takes all `len` bytes, which belong at `offset` of the image; offsets only grow, without gaps.
/// Returns 0, or -errno to abort.  With `GS_SPARSE`, `data` is NULL for `len` zero bytes that the store
/// does not hold.  Runs on the thread that called gs_get.  Since 0.1.
#[allow(non_camel_case_types)]
pub type gs_write_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, data: *const u8, len: usize, offset: u64) -> c_int>;

/// # Safety
/// `store` follows the header's rules.
unsafe fn store_of(store: *mut gs_store, name: &str) -> Result<Arc<Store>> {
    // SAFETY: the caller's promise.  The clone keeps the store alive should the registry be freed.
    unsafe { borrow(store.cast_const(), name) }.map(|body| body.store.clone())
}

/// # Safety
/// `fd` stays open during `'a`.
unsafe fn descriptor<'a>(fd: c_int) -> Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(Error::new(Kind::Invalid, format!("fd {fd} is not a file descriptor")));
    }
    // SAFETY: not -1, and the caller's promise.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

fn known(size: u64) -> Option<u64> {
    Some(size).filter(|size| *size != GS_SIZE_UNKNOWN)
}

/// # Safety
/// `out` can be written to.
unsafe fn give(image: Image, out: *mut *mut gs_image) {
    // SAFETY: the caller's promise.
    unsafe { out.write(handle::into_raw(image.into())) }
}

/// Stores an image that `read` supplies, `size` bytes of it or `GS_SIZE_UNKNOWN`.  All or nothing: the
/// image has its name only once it is complete, checked and safe on disk; after any failure nothing of
/// it remains.  `opts` is nullable.  Free `*out` with `gs_image_free`.
///
/// `GS_DUPLICATE`, `GS_SIZE_MISMATCH`, `GS_VERIFY_FAILED`, `GS_UNKNOWN_HASH` before anything is read,
/// `GS_STORAGE_FULL`, `GS_WRITE_DENIED`, `GS_ADD_DISABLED`, `GS_CALLBACK`, `GS_CANCELLED`, `GS_TIMEOUT`;
/// `GS_INVALID` also for an id that the store cannot hold.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_add(
    store: *mut gs_store,
    image_id: *const c_char,
    size: u64,
    read: gs_read_fn,
    user: *mut c_void,
    opts: *const gs_opts,
    out: *mut *mut gs_image,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let store = store_of(store, "store")?;
            let image_id = string(image_id, "image_id")?;
            let (read, out) = (callback(read, "read")?, output(out, "out")?);
            let call = CallOptions::read(opts, Purpose::Store)?.store_call()?;
            let mut fill = |buffer: &mut [u8]| read(user, buffer.as_mut_ptr(), buffer.len());
            give(store.add(image_id, known(size), &mut fill, call)?, out);
            Ok(())
        })
    }
}

/// As gs_add, from a file descriptor's present position to its end: a file of any kind, a pipe, a
/// socket.  Holes of a file are not read, and stay holes where the store provisions thinly.  Afterwards
/// the descriptor stands behind what was read; it stays yours.
///
/// As gs_add; `GS_INVALID` also for a directory and for a descriptor that is not open for reading.
/// Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_add_fd(
    store: *mut gs_store,
    image_id: *const c_char,
    size: u64,
    fd: c_int,
    opts: *const gs_opts,
    out: *mut *mut gs_image,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers; the descriptor stays open during the call.
    unsafe {
        fallible(err, || {
            let store = store_of(store, "store")?;
            let image_id = string(image_id, "image_id")?;
            let (fd, out) = (descriptor(fd)?, output(out, "out")?);
            let call = CallOptions::read(opts, Purpose::Store)?.store_call()?;
            give(store.add_fd(image_id, known(size), fd, call)?, out);
            Ok(())
        })
    }
}

/// Stores the image at `uri` of the store `from` as `image_id` in the store `to`, inside the library.
/// As gs_add otherwise.
///
/// The errors of gs_get for the source and of gs_add for the target.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_copy(
    to: *mut gs_store,
    image_id: *const c_char,
    from: *mut gs_store,
    uri: *const c_char,
    opts: *const gs_opts,
    out: *mut *mut gs_image,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let (to, from) = (store_of(to, "to")?, store_of(from, "from")?);
            let (image_id, uri) = (string(image_id, "image_id")?, string(uri, "uri")?);
            let out = output(out, "out")?;
            let call = CallOptions::read(opts, Purpose::Store)?.store_call()?;
            give(copy(&to, image_id, &from, uri, call)?, out);
            Ok(())
        })
    }
}

/// Hands an image, or the part of it that `opts` (nullable) names, to `write`.  What lies past the end
/// of the image is not delivered and no error.  A digest that `opts` expects is checked after the last
/// byte was delivered: throw away what you got unless the call succeeds.
///
/// `GS_NOT_FOUND`, `GS_FORBIDDEN`, `GS_VERIFY_FAILED`, `GS_CALLBACK`, `GS_CANCELLED`, `GS_TIMEOUT`,
/// `GS_NOT_SUPPORTED` when the store cannot read a part, `GS_UNKNOWN_SCHEME` and `GS_BAD_URI`.
/// Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_get(
    store: *mut gs_store,
    uri: *const c_char,
    write: gs_write_fn,
    user: *mut c_void,
    opts: *const gs_opts,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let store = store_of(store, "store")?;
            let uri = string(uri, "uri")?;
            let (write, user) = (callback(write, "write")?, User(user));
            let call = CallOptions::read(opts, Purpose::Fetch)?.fetch_call()?;
            let mut take = |data: Option<&[u8]>, len: usize, offset: u64| {
                let data = data.map_or(std::ptr::null(), <[u8]>::as_ptr);
                write(user.0, data, len, offset)
            };
            let take: WriteCallback<'_> = &mut take;
            store.get(uri, take, call)
        })
    }
}

/// As gs_get, to a file descriptor, from its present position on: a file of any kind, a pipe, a
/// socket.  Copied inside the kernel where that is possible.  A pipe or socket whose other end is gone
/// is an error with EPIPE, never a signal.  The descriptor stays yours.
///
/// As gs_get; `GS_FAILED` with errno when the descriptor cannot be written to, `GS_INVALID` for one
/// that is not open for writing.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_get_fd(
    store: *mut gs_store,
    uri: *const c_char,
    fd: c_int,
    opts: *const gs_opts,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers; the descriptor stays open during the call.
    unsafe {
        fallible(err, || {
            let store = store_of(store, "store")?;
            let (uri, fd) = (string(uri, "uri")?, descriptor(fd)?);
            let call = CallOptions::read(opts, Purpose::Fetch)?.fetch_call()?;
            store.get_fd(uri, fd, call)
        })
    }
}

/// The size of an image in bytes.  Of `opts` (nullable) it uses cancel, context and timeout_ms.
///
/// `GS_NOT_FOUND`, `GS_FORBIDDEN`, `GS_CANCELLED`, `GS_TIMEOUT`, `GS_UNKNOWN_SCHEME`, `GS_BAD_URI`.
/// Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_get_size(
    store: *mut gs_store,
    uri: *const c_char,
    opts: *const gs_opts,
    out: *mut u64,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let store = store_of(store, "store")?;
            let (uri, out) = (string(uri, "uri")?, output(out, "out")?);
            let opts = CallOptions::read(opts, Purpose::Other)?;
            out.write(store.size(uri, &opts.operation())?);
            Ok(())
        })
    }
}

/// Reads a whole image and tells its size, checksum and multihash as if it were added now; nothing is
/// stored, and the metadata is empty.  `opts` (nullable) is as for gs_add.  Free `*out` with
/// `gs_image_free`.
///
/// `GS_NOT_FOUND`, `GS_FORBIDDEN`, `GS_VERIFY_FAILED`, `GS_UNKNOWN_HASH`, `GS_CANCELLED`, `GS_TIMEOUT`,
/// `GS_NOT_SUPPORTED`, `GS_UNKNOWN_SCHEME` and `GS_BAD_URI`.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_examine(
    store: *mut gs_store,
    uri: *const c_char,
    opts: *const gs_opts,
    out: *mut *mut gs_image,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let store = store_of(store, "store")?;
            let (uri, out) = (string(uri, "uri")?, output(out, "out")?);
            let call = CallOptions::read(opts, Purpose::Store)?.store_call()?;
            give(store.examine(uri, call)?, out);
            Ok(())
        })
    }
}

/// Deletes an image.  Of `opts` (nullable) it uses cancel, context and timeout_ms.  A call that was
/// cancelled or timed out may still delete later, when the backend that hangs goes on.
///
/// `GS_NOT_FOUND`, `GS_FORBIDDEN`, `GS_IN_USE`, `GS_NOT_SUPPORTED` when the store only reads,
/// `GS_CANCELLED`, `GS_TIMEOUT`, `GS_UNKNOWN_SCHEME`, `GS_BAD_URI`.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_delete(
    store: *mut gs_store,
    uri: *const c_char,
    opts: *const gs_opts,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let store = store_of(store, "store")?;
            let uri = string(uri, "uri")?;
            let opts = CallOptions::read(opts, Purpose::Other)?;
            store.delete(uri, &opts.operation())
        })
    }
}

/// Says who may see and who may change an image: `readers` and `writers` are NULL-terminated arrays of
/// project ids, each nullable: none.  Of `opts` (nullable) it uses cancel, context and timeout_ms.
///
/// `GS_NOT_SUPPORTED` when the store keeps no access lists.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_set_acls(
    store: *mut gs_store,
    uri: *const c_char,
    is_public: bool,
    readers: *const *const c_char,
    writers: *const *const c_char,
    opts: *const gs_opts,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let store = store_of(store, "store")?;
            let uri = string(uri, "uri")?;
            let (readers, writers) = (strings(readers, "readers")?, strings(writers, "writers")?);
            let opts = CallOptions::read(opts, Purpose::Other)?;
            store.set_acls(uri, &Acls { is_public, readers, writers }, &opts.operation())
        })
    }
}
