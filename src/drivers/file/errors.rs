//! What errno of a file system call means for an image.

use std::path::Path;

use nix::errno::Errno;

use crate::error::{Error, Kind};

/// Reading, looking up or deleting failed.
pub fn read_error(doing: &str, path: &Path, errno: Errno) -> Error {
    let kind = match errno {
        Errno::ENOENT => Kind::NotFound,
        Errno::EACCES | Errno::EPERM | Errno::EROFS | Errno::EXDEV | Errno::ELOOP => Kind::Forbidden,
        Errno::ENAMETOOLONG => Kind::BadUri,
        Errno::ETIMEDOUT => Kind::Timeout,
        // Another host or program holds a lease on the file.
        Errno::EAGAIN => Kind::Unavailable,
        _ => Kind::Failed,
    };
    let what = match errno {
        Errno::ENOENT => format!("image {path:?} not found"),
        Errno::EXDEV | Errno::ELOOP => {
            format!("cannot {doing} {path:?}: a link leads out of the data directory")
        }
        _ => format!("cannot {doing} {path:?}"),
    };
    Error::from_os(kind, what, &errno.into())
}

/// Storing failed.
pub fn write_error(doing: &str, path: &Path, errno: Errno) -> Error {
    let kind = match errno {
        Errno::ENOSPC | Errno::EFBIG | Errno::EDQUOT => Kind::StorageFull,
        Errno::EACCES | Errno::EPERM | Errno::EROFS => Kind::WriteDenied,
        Errno::EEXIST => Kind::Duplicate,
        Errno::ETIMEDOUT => Kind::Timeout,
        _ => Kind::Failed,
    };
    Error::from_os(kind, format!("cannot {doing} {path:?}"), &errno.into())
}

/// The error number of a standard library call.
pub fn errno_of(error: &std::io::Error) -> Errno {
    // A write that makes no progress has no number of its own.
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
