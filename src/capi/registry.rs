//! `gs_registry`: all configured stores, opened.

use std::ffi::c_char;
use std::sync::Arc;

use crate::registry::Registry;

use super::boundary::{fallible, infallible, optional_string, output, string};
use super::config::gs_config;
use super::error::{gs_error, gs_status};
use super::handle::{self, Handle, borrow, opaque};
use super::store::{Body as StoreBody, gs_store};

/// All configured stores, opened.  May be shared by threads.  Since 0.1.
#[allow(non_camel_case_types)]
pub struct gs_registry {
    _opaque: [u8; 0],
}

opaque! { gs_registry(Body), magic 0x6773_7267, bound_to_process true }

pub struct Body {
    pub registry: Registry,
    /// Never changed, so that the pointers to its elements hold.
    stores: Vec<Handle<gs_store>>,
}

impl Body {
    fn new(registry: Registry) -> Self {
        let handle = |store: &Arc<_>| Handle::new(StoreBody::new(Arc::clone(store)));
        Body { stores: registry.stores().iter().map(handle).collect(), registry }
    }

    fn store(&self, index: usize) -> *mut gs_store {
        self.stores.get(index).map_or(std::ptr::null_mut(), |store| store.lend())
    }
}

/// Opens every configured store.  Reads and creates data directories, and removes what killed
/// processes left in them; starts no thread yet.  Free the registry with `gs_registry_free`.
///
/// A store that is misconfigured for writing opens all the same, with `gs_store_info.add_disabled`
/// saying why.  `GS_BAD_CONFIG`: an unknown driver, key or value, a value out of range, a store id that
/// is there twice, a default store that is not there; the message names file, line, group, key and the
/// nearest known name.  `GS_DRIVER_UNAVAILABLE`: a driver of glance_store that this build has not.
/// Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_registry_open(
    cfg: *const gs_config,
    out: *mut *mut gs_registry,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let (cfg, out) = (borrow(cfg, "cfg")?, output(out, "out")?);
            let registry = Registry::open(&cfg.config, &cfg.reserved, cfg.log.clone())?;
            out.write(handle::into_raw(Body::new(registry)));
            Ok(())
        })
    }
}

/// Frees a registry; its stores and their pointers go with it.  Calls that are running finish safely.
/// The last registry of a process ends the library's threads.  Not from the log callback.  `reg` is
/// nullable.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_registry_free(reg: *mut gs_registry) {
    // SAFETY: the header's rules for pointers.
    unsafe { handle::free(reg) }
}

/// How many stores there are; 0 for NULL.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_registry_count(reg: *const gs_registry) -> usize {
    // SAFETY: the header's rules for pointers.
    infallible(0, || unsafe { borrow(reg, "reg") }.map(|reg| reg.stores.len()))
}

/// The store at `index`, in the order of the configuration, reserved ones last; NULL past the end.
/// Lives as long as the registry.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_registry_at(reg: *const gs_registry, index: usize) -> *mut gs_store {
    // SAFETY: the header's rules for pointers.
    infallible(std::ptr::null_mut(), || unsafe { borrow(reg, "reg") }.map(|reg| reg.store(index)))
}

/// The store called `id`; `id` is nullable: the default store.  NULL when there is none.  Lives as long
/// as the registry.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_registry_get(reg: *const gs_registry, id: *const c_char) -> *mut gs_store {
    infallible(std::ptr::null_mut(), || {
        // SAFETY: the header's rules for pointers.
        let (reg, id) = unsafe { (borrow(reg, "reg")?, optional_string(id, "id")?) };
        Ok(reg.registry.position(id).map_or(std::ptr::null_mut(), |index| reg.store(index)))
    })
}

/// Finds the store that a storage URI belongs to, without I/O: the one that serves its scheme; among
/// several, the one whose data directory, or other home, holds it.  `*out` lives as long as the
/// registry.
///
/// `GS_UNKNOWN_SCHEME`: no store serves it.  `GS_BAD_URI`: it is no URI.  `GS_UNKNOWN_STORE`: several
/// serve its scheme, but it is in none of them.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_registry_resolve(
    reg: *const gs_registry,
    uri: *const c_char,
    out: *mut *mut gs_store,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let (reg, uri, out) = (borrow(reg, "reg")?, string(uri, "uri")?, output(out, "out")?);
            out.write(reg.store(reg.registry.resolve(uri)?));
            Ok(())
        })
    }
}
