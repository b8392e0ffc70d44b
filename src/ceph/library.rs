//! The shared libraries and the functions of theirs that are used: those that every version from 14 on has,
//! and those without which something is only done less well.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Mutex;

use libc::{iovec, ssize_t, time_t, timeval};

use super::Handle;
use crate::shared_object::SharedObject;

/// Of a completion: that it is done, with what was given along.
pub type Completed = unsafe extern "C" fn(completion: Handle, with: *mut c_void);

/// Of the differences of an image: offset, length, whether there is data, and what was given along.
pub type Differs =
    unsafe extern "C" fn(offset: u64, length: usize, exists: c_int, with: *mut c_void) -> c_int;

/// `rbd_image_watcher_t`.
#[repr(C)]
pub struct Watcher {
    pub address: *mut c_char,
    pub id: i64,
    pub cookie: u64,
}

/// `rbd_linked_image_spec_t`.
#[repr(C)]
pub struct LinkedImage {
    pub pool_id: i64,
    pub pool_name: *mut c_char,
    pub pool_namespace: *mut c_char,
    pub image_id: *mut c_char,
    pub image_name: *mut c_char,
    pub in_trash: bool,
}

/// `rbd_trash_image_info_t`.
#[repr(C)]
pub struct Trashed {
    pub id: *mut c_char,
    pub name: *mut c_char,
    pub source: c_int,
    pub deletion_time: time_t,
    pub deferment_end_time: time_t,
}

/// Declares the table: each name with the type that the library's header gives it.
macro_rules! functions {
    (
        $table:ident of $file:literal in the package $package:literal
        needed { $($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)* }
        optional { $($extra:ident: fn($($extra_argument:ty),*) $(-> $extra_result:ty)?;)* }
    ) => {
        #[allow(non_snake_case, reason = "some are functions of C++")]
        pub struct $table {
            $(pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            $(pub $extra: Option<unsafe extern "C" fn($($extra_argument),*) $(-> $extra_result)?>,)*
        }

        impl $table {
            const FILE: &'static str = $file;
            const PACKAGE: &'static str = $package;

            fn load(file: &str) -> Result<Self, String> {
                let object = SharedObject::open(file).map_err(|reason| cannot_be_loaded(file, &reason, Self::PACKAGE))?;
                Ok($table {
                    // SAFETY: the types are those of the headers of librados and librbd.
                    $($name: unsafe { object.function(concat!(stringify!($name), "\0")) }
                        .ok_or_else(|| lacks(file, stringify!($name), Self::PACKAGE))?,)*
                    // SAFETY: as above.
                    $($extra: unsafe { object.function(concat!(stringify!($extra), "\0")) },)*
                })
            }
        }
    };
}

functions! { Rados of "librados.so.2" in the package "librados2"
    needed {
        rados_create: fn(*mut Handle, *const c_char) -> c_int;
        rados_conf_read_file: fn(Handle, *const c_char) -> c_int;
        rados_conf_set: fn(Handle, *const c_char, *const c_char) -> c_int;
        rados_conf_get: fn(Handle, *const c_char, *mut c_char, usize) -> c_int;
        rados_connect: fn(Handle) -> c_int;
        rados_shutdown: fn(Handle);
        rados_cluster_fsid: fn(Handle, *mut c_char, usize) -> c_int;
        rados_ioctx_create: fn(Handle, *const c_char, *mut Handle) -> c_int;
        rados_ioctx_destroy: fn(Handle);
        rados_lock_exclusive: fn(Handle, *const c_char, *const c_char, *const c_char, *const c_char, *mut timeval, u8) -> c_int;
        rados_unlock: fn(Handle, *const c_char, *const c_char, *const c_char) -> c_int;
    }
    optional {
        rados_set_pool_full_try: fn(Handle);
        _Z19ceph_version_to_strv: fn() -> *const c_char;
        rados_set_osdmap_full_try: fn(Handle);
        // The second has the name of before Ceph 16.
        rados_blocklist_add: fn(Handle, *mut c_char, u32) -> c_int;
        rados_blacklist_add: fn(Handle, *mut c_char, u32) -> c_int;
        rados_wait_for_latest_osdmap: fn(Handle) -> c_int;
    }
}

functions! { Rbd of "librbd.so.1" in the package "librbd1"
    needed {
        rbd_image_options_create: fn(*mut Handle);
        rbd_image_options_destroy: fn(Handle);
        rbd_image_options_set_uint64: fn(Handle, c_int, u64) -> c_int;
        rbd_create4: fn(Handle, *const c_char, u64, Handle) -> c_int;
        rbd_clone3: fn(Handle, *const c_char, *const c_char, Handle, *const c_char, Handle) -> c_int;
        rbd_remove: fn(Handle, *const c_char) -> c_int;
        rbd_trash_move: fn(Handle, *const c_char, u64) -> c_int;
        rbd_trash_list: fn(Handle, *mut Trashed, *mut usize) -> c_int;
        rbd_trash_list_cleanup: fn(*mut Trashed, usize);
        rbd_trash_remove: fn(Handle, *const c_char, bool) -> c_int;
        rbd_open: fn(Handle, *const c_char, *mut Handle, *const c_char) -> c_int;
        rbd_open_read_only: fn(Handle, *const c_char, *mut Handle, *const c_char) -> c_int;
        rbd_open_by_id: fn(Handle, *const c_char, *mut Handle, *const c_char) -> c_int;
        rbd_open_by_id_read_only: fn(Handle, *const c_char, *mut Handle, *const c_char) -> c_int;
        rbd_close: fn(Handle) -> c_int;
        rbd_get_id: fn(Handle, *mut c_char, usize) -> c_int;
        rbd_get_size: fn(Handle, *mut u64) -> c_int;
        rbd_resize: fn(Handle, u64) -> c_int;
        rbd_flush: fn(Handle) -> c_int;
        rbd_snap_create: fn(Handle, *const c_char) -> c_int;
        rbd_snap_remove: fn(Handle, *const c_char) -> c_int;
        rbd_snap_protect: fn(Handle, *const c_char) -> c_int;
        rbd_snap_unprotect: fn(Handle, *const c_char) -> c_int;
        rbd_snap_is_protected: fn(Handle, *const c_char, *mut c_int) -> c_int;
        rbd_snap_set: fn(Handle, *const c_char) -> c_int;
        rbd_metadata_set: fn(Handle, *const c_char, *const c_char) -> c_int;
        rbd_metadata_get: fn(Handle, *const c_char, *mut c_char, *mut usize) -> c_int;
        rbd_metadata_remove: fn(Handle, *const c_char) -> c_int;
        rbd_watchers_list: fn(Handle, *mut Watcher, *mut usize) -> c_int;
        rbd_watchers_list_cleanup: fn(*mut Watcher, usize);
        rbd_list_children3: fn(Handle, *mut LinkedImage, *mut usize) -> c_int;
        rbd_linked_image_spec_list_cleanup: fn(*mut LinkedImage, usize);
        rbd_diff_iterate2: fn(Handle, *const c_char, u64, u64, u8, u8, Differs, *mut c_void) -> c_int;
        rbd_aio_create_completion: fn(*mut c_void, Completed, *mut Handle) -> c_int;
        rbd_aio_get_return_value: fn(Handle) -> ssize_t;
        rbd_aio_release: fn(Handle);
        rbd_aio_readv: fn(Handle, *const iovec, c_int, u64, Handle) -> c_int;
        rbd_aio_writev: fn(Handle, *const iovec, c_int, u64, Handle) -> c_int;
    }
    optional {}
}

fn cannot_be_loaded(file: &str, reason: &str, package: &str) -> String {
    format!(
        "{file} cannot be loaded ({reason}): install the package {package}, as Debian and the RPM distributions call it"
    )
}

fn lacks(file: &str, function: &str, package: &str) -> String {
    format!("{file} lacks the function {function}: install a newer package {package}, of Ceph 14 or later")
}

/// Both libraries.  Once loaded they stay: threads of theirs may still run.
pub struct Library {
    pub(super) rados: Rados,
    pub(super) rbd: Rbd,
}

static LOADED: Mutex<Option<&'static Library>> = Mutex::new(None);

impl Library {
    /// The libraries, or why there are none.  What was not there may have been installed by the next call.
    pub fn get() -> Result<&'static Self, String> {
        let mut loaded = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(library) = *loaded {
            return Ok(library);
        }
        let library: &'static Library =
            Box::leak(Box::new(Library { rados: Rados::load(Rados::FILE)?, rbd: Rbd::load(Rbd::FILE)? }));
        *loaded = Some(library);
        Ok(library)
    }
}

impl Library {
    /// Whether the children of a snapshot can be listed.  Before 16.2.8 librbd uses what it has freed when it may not
    /// open one of them; librados' own version number tells nothing.
    pub(super) fn lists_children(&self) -> bool {
        let Some(version) = self.rados._Z19ceph_version_to_strv else {
            return false;
        };
        // SAFETY: the function takes nothing and returns a text that is part of the library.
        let text = unsafe { CStr::from_ptr(version()) };
        parsed_version(&text.to_string_lossy()) >= [16, 2, 8]
    }
}

/// The numbers that a version begins with.
fn parsed_version(text: &str) -> [u32; 3] {
    let mut numbers =
        text.split(|separator: char| !separator.is_ascii_digit()).map_while(|number| number.parse().ok());
    std::array::from_fn(|_| numbers.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_missing_is_named_with_its_package() {
        let reason = Rbd::load("librbd-of-nowhere.so.1").err().unwrap();
        assert!(reason.starts_with("librbd-of-nowhere.so.1 cannot be loaded ("), "{reason}");
        assert!(reason.contains("librbd1"), "{reason}");
    }

    #[test]
    fn versions_are_told_apart() {
        for (text, version) in [
            ("16.2.15", [16, 2, 15]),
            ("14.2.21-1", [14, 2, 21]),
            ("18.2.7+ds", [18, 2, 7]),
            ("20", [20, 0, 0]),
            ("", [0; 3]),
        ] {
            assert_eq!(parsed_version(text), version, "{text:?}");
        }
        assert!(parsed_version("16.2.7") < [16, 2, 8] && parsed_version("16.2.8") >= [16, 2, 8]);
    }

    #[test]
    fn a_library_without_a_function_is_too_old() {
        let reason = Rados::load("libc.so.6").err().unwrap();
        assert!(reason.starts_with("libc.so.6 lacks the function rados_create"), "{reason}");
        assert!(reason.contains("librados2"), "{reason}");
    }
}
