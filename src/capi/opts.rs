//! `gs_opts`: the options of one call.

use std::ffi::{c_char, c_int, c_void};
use std::mem::offset_of;
use std::sync::Arc;
use std::time::Duration;

use crate::checks::{Checks, Wanted};
use crate::driver::Part;
use crate::error::{Error, Kind, Result};
use crate::operation::{Cancel, Context, Operation};
use crate::secret::Secret;
use crate::store::{Call, OnProgress, OnVerify};

use super::boundary::optional_string;
use super::cancel::gs_cancel;
use super::handle::{User, borrow};
use super::sized::{self, SizedStruct};

/// The size of an image, or the total of a progress report, that is not known.
pub const GS_SIZE_UNKNOWN: u64 = u64::MAX;

/// `gs_opts.flags` of gs_get*: report holes, do not send zeros.  By callback, data is NULL for a hole;
/// into a regular file, the hole stays one.  Other descriptors get the zeros.
pub const GS_SPARSE: u32 = 1 << 0;
/// `gs_opts.flags` of gs_add*, gs_copy and gs_examine: compute no MD5; the image's checksum is "".
pub const GS_NO_CHECKSUM: u32 = 1 << 1;

/// Told how far a call is: at most some ten times a second, and once at the end.  `total` is
/// `GS_SIZE_UNKNOWN` while it is not known.  Non-zero stops the call with `GS_CANCELLED`.  Runs on the
/// thread that made the call.  Since 0.1.
#[allow(non_camel_case_types)]
pub type gs_progress_fn = Option<unsafe extern "C" fn(user: *mut c_void, done: u64, total: u64) -> c_int>;

/// Sees every byte of an image once, in order, before the image is committed.  Non-zero rejects it with
/// `GS_VERIFY_FAILED`.  Runs on the thread that made the call.  Since 0.1.
#[allow(non_camel_case_types)]
pub type gs_verify_fn = Option<unsafe extern "C" fn(user: *mut c_void, data: *const u8, len: usize) -> c_int>;

/// On whose behalf a call runs, for the drivers that ask (swift, cinder).  Every member but the size is
/// nullable.  Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct gs_context {
    /// Set by you: sizeof(gs_context).
    pub struct_size: usize,
    /// The user's id.
    pub user_id: *const c_char,
    /// The project's id.
    pub project_id: *const c_char,
    /// A token of the user for the project: a secret.
    pub auth_token: *const c_char,
    /// The service catalogue that came with the token, a JSON array.
    pub service_catalog_json: *const c_char,
    /// The request's id, to be sent along and logged.
    pub request_id: *const c_char,
}

// SAFETY: #[repr(C)], begins with its size, pointers may be NULL.
unsafe impl SizedStruct for gs_context {
    const NAME: &'static str = "gs_context";
    const FIRST_SIZE: usize = offset_of!(gs_context, request_id) + size_of::<*const c_char>();
}

/// The options of one call.  All-zero after `struct_size` means defaults.  A member that the call does
/// not use must be zero, or the call fails with `GS_INVALID`.  Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct gs_opts {
    /// Set by you: sizeof(gs_opts).
    pub struct_size: usize,
    /// Nullable: stops the call.
    pub cancel: *mut gs_cancel,
    /// Nullable: on whose behalf the call runs.
    pub context: *const gs_context,
    /// Nullable.  gs_add*, gs_copy, gs_examine, gs_get*.
    pub progress: gs_progress_fn,
    /// Handed to `progress`.
    pub progress_user: *mut c_void,
    /// Nullable.  gs_add*, gs_copy, gs_examine.
    pub verify: gs_verify_fn,
    /// Handed to `verify`.
    pub verify_user: *mut c_void,
    /// Nullable: the multihash's name, such as "sha512".  gs_add*, gs_copy, gs_examine; gs_get* only
    /// together with `expect_multihash`.
    pub hash_name: *const c_char,
    /// Nullable: the MD5, in hex, that the data must have.  gs_add*, gs_copy, gs_examine, gs_get* of a
    /// whole image.
    pub expect_checksum: *const c_char,
    /// Nullable: the digest of `hash_name`, in hex, that the data must have.  As above.
    pub expect_multihash: *const c_char,
    /// The first byte wanted.  gs_get*.
    pub offset: u64,
    /// How many bytes are wanted; 0 is all to the end.  gs_get*.
    pub length: u64,
    /// For the whole call, in milliseconds; 0 is no limit beyond the configuration's.
    pub timeout_ms: u32,
    /// `GS_SPARSE`, `GS_NO_CHECKSUM`.
    pub flags: u32,
}

// SAFETY: #[repr(C)], begins with its size, everything else may be zero.
unsafe impl SizedStruct for gs_opts {
    const NAME: &'static str = "gs_opts";
    const FIRST_SIZE: usize = offset_of!(gs_opts, flags) + size_of::<u32>();
}

/// What the options are for.
#[derive(Clone, Copy, PartialEq)]
pub enum Purpose {
    /// gs_add*, gs_copy, gs_examine.
    Store,
    /// gs_get*.
    Fetch,
    /// Calls that move no image data.
    Other,
}

/// The options of a call, looked at; they point into the caller's memory.
pub struct CallOptions<'a> {
    raw: gs_opts,
    cancel: Option<Arc<Cancel>>,
    context: Arc<Context>,
    hash_name: Option<&'a str>,
    expect_checksum: Option<&'a str>,
    expect_multihash: Option<&'a str>,
}

const ALL_ZERO: gs_opts = gs_opts {
    struct_size: size_of::<gs_opts>(),
    cancel: std::ptr::null_mut(),
    context: std::ptr::null(),
    progress: None,
    progress_user: std::ptr::null_mut(),
    verify: None,
    verify_user: std::ptr::null_mut(),
    hash_name: std::ptr::null(),
    expect_checksum: std::ptr::null(),
    expect_multihash: std::ptr::null(),
    offset: 0,
    length: 0,
    timeout_ms: 0,
    flags: 0,
};

impl<'a> CallOptions<'a> {
    /// # Safety
    /// `opts` is NULL or points to options whose pointers follow the header's rules during `'a`.
    pub unsafe fn read(opts: *const gs_opts, purpose: Purpose) -> Result<Self> {
        // SAFETY: the caller's promise, for all that follows.
        unsafe {
            let raw = if opts.is_null() { ALL_ZERO } else { sized::read(opts)? };
            check_unused(&raw, purpose)?;
            Ok(CallOptions {
                cancel: match raw.cancel.is_null() {
                    true => None,
                    false => Some(borrow(raw.cancel.cast_const(), "opts.cancel")?.clone()),
                },
                context: Arc::new(read_context(raw.context)?),
                hash_name: optional_string(raw.hash_name, "opts.hash_name")?,
                expect_checksum: optional_string(raw.expect_checksum, "opts.expect_checksum")?,
                expect_multihash: optional_string(raw.expect_multihash, "opts.expect_multihash")?,
                raw,
            })
        }
    }

    pub fn cancel(&self) -> Option<Arc<Cancel>> {
        self.cancel.clone()
    }

    pub fn operation(&self) -> Operation {
        let timeout =
            Some(Duration::from_millis(self.raw.timeout_ms.into())).filter(|limit| !limit.is_zero());
        Operation::new(self.cancel.clone(), timeout, self.context.clone())
    }

    /// The call that stores an image.
    pub fn store_call(&self) -> Result<Call<'a>> {
        let checksum = self.raw.flags & GS_NO_CHECKSUM == 0;
        if !checksum && self.expect_checksum.is_some() {
            return Err(invalid("opts.expect_checksum needs the checksum that GS_NO_CHECKSUM leaves out"));
        }
        Ok(Call { verify: self.verify(), ..self.call(checksum)? })
    }

    /// The call that fetches one.
    pub fn fetch_call(&self) -> Result<Call<'a>> {
        let length = Some(self.raw.length).filter(|length| *length > 0);
        let part = Part { offset: self.raw.offset, length };
        let call = Call { part, sparse: self.raw.flags & GS_SPARSE != 0, ..self.call(false)? };
        if self.hash_name.is_some() && self.expect_multihash.is_none() {
            return Err(invalid("opts.hash_name is used here only together with opts.expect_multihash"));
        }
        if call.checks.expects_any() && !part.is_whole() {
            return Err(invalid(
                "an expected digest is one of the whole image: leave opts.offset and opts.length 0",
            ));
        }
        Ok(call)
    }

    fn call(&self, checksum: bool) -> Result<Call<'a>> {
        let wanted = Wanted {
            checksum,
            hash_name: self.hash_name,
            expect_checksum: self.expect_checksum,
            expect_multihash: self.expect_multihash,
        };
        Ok(Call {
            checks: Checks::new(&wanted)?,
            op: self.operation(),
            progress: self.progress(),
            ..Call::default()
        })
    }

    fn progress(&self) -> Option<OnProgress<'a>> {
        let (progress, user) = (self.raw.progress?, User(self.raw.progress_user));
        Some(Box::new(move |done, total| {
            // SAFETY: a function of that type, by the header's rules.
            unsafe { progress(user.0, done, total.unwrap_or(GS_SIZE_UNKNOWN)) == 0 }
        }))
    }

    fn verify(&self) -> Option<OnVerify<'a>> {
        let (verify, user) = (self.raw.verify?, User(self.raw.verify_user));
        Some(Box::new(move |data| {
            // SAFETY: a function of that type, by the header's rules; the data lives until it returns.
            unsafe { verify(user.0, data.as_ptr(), data.len()) == 0 }
        }))
    }
}

fn invalid(message: &str) -> Error {
    Error::new(Kind::Invalid, message)
}

/// CallOptions that a call ignores hide mistakes, so it refuses them.
fn check_unused(raw: &gs_opts, purpose: Purpose) -> Result<()> {
    let allowed_flags = match purpose {
        Purpose::Store => GS_NO_CHECKSUM,
        Purpose::Fetch => GS_SPARSE,
        Purpose::Other => 0,
    };
    if raw.flags & !allowed_flags != 0 {
        let message = format!("opts.flags {:#x} has a bit that this call does not know", raw.flags);
        return Err(invalid(&message));
    }
    let moves_data = purpose != Purpose::Other;
    let unused = [
        ("progress", raw.progress.is_some() && !moves_data),
        ("progress_user", !raw.progress_user.is_null() && raw.progress.is_none()),
        ("verify_user", !raw.verify_user.is_null() && raw.verify.is_none()),
        ("hash_name", !raw.hash_name.is_null() && !moves_data),
        ("expect_checksum", !raw.expect_checksum.is_null() && !moves_data),
        ("expect_multihash", !raw.expect_multihash.is_null() && !moves_data),
        ("verify", raw.verify.is_some() && purpose != Purpose::Store),
        ("offset", raw.offset != 0 && purpose != Purpose::Fetch),
        ("length", raw.length != 0 && purpose != Purpose::Fetch),
    ];
    match unused.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(invalid(&format!("opts.{name} is set, but this call does not use it"))),
        None => Ok(()),
    }
}

/// # Safety
/// As for [`CallOptions::read`].
unsafe fn read_context(context: *const gs_context) -> Result<Context> {
    if context.is_null() {
        return Ok(Context::default());
    }
    // SAFETY: the caller's promise.
    unsafe {
        let raw = sized::read(context)?;
        let text = |text, name| optional_string(text, name).map(|text| text.map(str::to_owned));
        Ok(Context {
            user_id: text(raw.user_id, "context.user_id")?,
            project_id: text(raw.project_id, "context.project_id")?,
            auth_token: optional_string(raw.auth_token, "context.auth_token")?.map(Secret::new),
            service_catalog_json: text(raw.service_catalog_json, "context.service_catalog_json")?,
            request_id: text(raw.request_id, "context.request_id")?,
        })
    }
}
