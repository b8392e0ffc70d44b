//! `gs_cancel`: a switch that stops running calls.

use std::sync::Arc;

use crate::operation::Cancel;

use super::boundary::infallible;
use super::handle::{self, opaque, peek};

/// A switch that stops running calls.  May be shared by threads and by any number of calls; free
/// it when the last of them has returned.  Since 0.1.
#[allow(non_camel_case_types)]
pub struct gs_cancel {
    _opaque: [u8; 0],
}

opaque! { gs_cancel(Arc<Cancel>), magic 0x6773_636e, bound_to_process true }

/// A new switch, not triggered; NULL when the process has no file descriptor left for it.  Free it with
/// `gs_cancel_free`.  Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn gs_cancel_new() -> *mut gs_cancel {
    infallible(std::ptr::null_mut(), || Ok(handle::into_raw(Arc::new(Cancel::new()?))))
}

/// Stops every running and future call that was given `cancel`, for good: they clean up and return
/// `GS_CANCELLED`.  From any thread and from signal handlers: it is async-signal-safe.  In a child
/// process of the one that made it, it does nothing.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_cancel_trigger(cancel: *mut gs_cancel) {
    infallible((), || {
        // SAFETY: the header's rules for pointers.
        if let Some(cancel) = unsafe { peek(cancel.cast_const()) } {
            cancel.trigger();
        }
        Ok(())
    })
}

/// Frees a switch.  `cancel` is nullable.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_cancel_free(cancel: *mut gs_cancel) {
    // SAFETY: the header's rules for pointers.
    unsafe { handle::free(cancel) }
}
