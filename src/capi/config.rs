//! `gs_config`: settings being collected.

use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::error::{Error, Kind};
use crate::log::{Level, Log, Sink};
use crate::registry::ReservedStore;

use super::boundary::{fallible, infallible, optional_string, string};
use super::error::{gs_error, gs_status};
use super::handle::{self, User, borrow_mut, c_string, opaque};

/// Something failed.
pub const GS_LOG_ERROR: i32 = 1;
/// Something is wrong but was dealt with.
pub const GS_LOG_WARN: i32 = 2;
/// Something worth knowing happened.
pub const GS_LOG_INFO: i32 = 3;
/// What the library does, for its users.
pub const GS_LOG_DEBUG: i32 = 4;
/// What the library does, for its developers.
pub const GS_LOG_TRACE: i32 = 5;

/// Takes a log message: its `GS_LOG_*` level, the part of the library it is from, and one line with
/// secrets removed.  Called from any thread, one at a time; what the library would log while it runs is
/// dropped.  The texts live until it returns.  Since 0.1.
#[allow(non_camel_case_types)]
pub type gs_log_fn = Option<
    unsafe extern "C" fn(user: *mut c_void, level: i32, target: *const c_char, message: *const c_char),
>;

/// Frees what `user` points to.  Since 0.1.
#[allow(non_camel_case_types)]
pub type gs_free_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Settings being collected.  Belongs to one thread at a time.  Since 0.1.
#[allow(non_camel_case_types)]
pub struct gs_config {
    _opaque: [u8; 0],
}

opaque! { gs_config(Body), magic 0x6773_6366, bound_to_process false }

/// What `gs_registry_open` opens.
pub struct Body {
    pub config: Config,
    pub reserved: Vec<ReservedStore>,
    pub log: Arc<Log>,
}

/// An empty configuration; free it with `gs_config_free`.  With nothing set, a registry has one file
/// store in `/var/lib/glance/images`.  Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn gs_config_new() -> *mut gs_config {
    infallible(std::ptr::null_mut(), || {
        let log = Arc::new(Log::from_environment());
        Ok(handle::into_raw(Body { config: Config::new(), reserved: Vec::new(), log }))
    })
}

/// Reads an oslo.config file, for instance a whole `glance-api.conf`: groups that are not the
/// library's are ignored.  Several files add up, later ones win.
///
/// `GS_BAD_CONFIG`: the file cannot be read or its syntax is wrong; the message has file and line, and
/// nothing of the file was taken.  Values are checked by `gs_registry_open`.  Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_config_load(
    cfg: *mut gs_config,
    path: *const c_char,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let body = borrow_mut(cfg, "cfg")?;
            body.config.load(Path::new(string(path, "path")?))
        })
    }
}

/// Sets one key.  `group` is nullable and then "DEFAULT".  Later settings replace earlier ones, a
/// file's included.  A key that may be repeated takes one value a line.
///
/// `GS_INVALID`: an argument is NULL, empty or not UTF-8.  Values are checked by `gs_registry_open`.
/// Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_config_set(
    cfg: *mut gs_config,
    group: *const c_char,
    key: *const c_char,
    value: *const c_char,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let body = borrow_mut(cfg, "cfg")?;
            let (key, value) = (string(key, "key")?, string(value, "value")?);
            body.config.set(optional_string(group, "group")?, key, value)
        })
    }
}

/// Adds a store for the calling service's own use, as glance's `reserved_stores`: `id` is also its
/// group in the configuration, and a file store's directory is `/var/lib/glance/ID` unless that group
/// says otherwise.
///
/// `GS_INVALID`: an argument is NULL, empty or not UTF-8.  `gs_registry_open` checks the rest.
/// Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_config_reserve_store(
    cfg: *mut gs_config,
    id: *const c_char,
    driver: *const c_char,
    err: *mut *mut gs_error,
) -> gs_status {
    // SAFETY: the header's rules for pointers.
    unsafe {
        fallible(err, || {
            let body = borrow_mut(cfg, "cfg")?;
            let (id, driver) = (string(id, "id")?.trim(), string(driver, "driver")?.trim());
            if id.is_empty() || driver.is_empty() {
                return Err(Error::new(
                    Kind::Invalid,
                    "a reserved store needs an id and a driver: one is empty",
                ));
            }
            body.reserved.push(ReservedStore { id: id.to_owned(), driver: driver.to_owned() });
            Ok(())
        })
    }
}

/// Sends the log of every registry opened from `cfg` to `log`, up to `max_level` (`GS_LOG_*`; 0 is
/// none).  `log` is nullable: no log.  `free_user` is nullable; it is called once with `user`, when the
/// configuration and all its registries are gone or another log took this one's place.
///
/// Without this call the log is silent, unless the environment variable `GLANCE_STORE_LOG` has a level
/// (error, warn, info, debug, trace): then it goes to standard error.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_config_set_log(
    cfg: *mut gs_config,
    max_level: i32,
    log: gs_log_fn,
    user: *mut c_void,
    free_user: gs_free_fn,
) {
    infallible((), || {
        let callback = LogCallback { log, user: User(user), free_user };
        // SAFETY: the header's rules for pointers.
        let body = unsafe { borrow_mut(cfg, "cfg") }?;
        let level = if log.is_some() { max_level } else { 0 };
        body.log = Arc::new(Log::new(level, callback.into_sink()));
        Ok(())
    });
}

/// Frees a configuration; registries opened from it stay.  `cfg` is nullable.  Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gs_config_free(cfg: *mut gs_config) {
    // SAFETY: the header's rules for pointers.
    unsafe { handle::free(cfg) }
}

/// A caller's log.
struct LogCallback {
    log: gs_log_fn,
    user: User,
    free_user: gs_free_fn,
}

impl LogCallback {
    fn into_sink(self) -> Sink {
        Box::new(move |level, target, message| self.call(level, &c_string(target), &c_string(message)))
    }

    fn call(&self, level: Level, target: &CString, message: &CString) {
        if let Some(log) = self.log {
            // SAFETY: a function of that type, by the header's rules; the texts live until it returns.
            unsafe { log(self.user.0, level as i32, target.as_ptr(), message.as_ptr()) }
        }
    }
}

impl Drop for LogCallback {
    fn drop(&mut self) {
        if let Some(free_user) = self.free_user {
            // SAFETY: a function of that type, called once, when nothing uses `user` any more.
            unsafe { free_user(self.user.0) }
        }
    }
}
