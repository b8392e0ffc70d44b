//! Ceph's own client libraries, librados and librbd, found when a store needs them.
//!
//! Besides the ABI this is the only place with `unsafe`: a table of typed symbols, and the types
//! that keep what those demand (what is open stays open while it is used, buffers live until a request is
//! done).  Everything here blocks, but for requests that tell when they are done; nobody calls it on a
//! thread that must not wait, or whose signals are not blocked: librados starts threads, which inherit that.

mod cluster;
mod image;
mod library;
mod list;
mod lock;
mod pool;
mod request;
mod trash;
mod uses;

pub use cluster::{Access, Cluster, Refused};
pub use image::Image;
pub use library::Library;
pub use pool::{ImagePool, NewImage};

use std::ffi::{CString, c_int, c_void};

use nix::errno::Errno;

/// What the libraries answer: error numbers of the operating system.
pub type Result<T> = std::result::Result<T, Errno>;

/// What the libraries call `rados_t`, `rados_ioctx_t`, `rbd_image_t` and so on.
type Handle = *mut c_void;

fn check(answer: c_int) -> Result<usize> {
    usize::try_from(answer).map_err(|_| Errno::from_raw(answer.wrapping_neg()))
}

/// A text for the libraries; none has a NUL byte in it.
fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Errno::EINVAL)
}
