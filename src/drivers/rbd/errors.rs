//! What error numbers of Ceph mean for an image.

use nix::errno::Errno;

use crate::ceph::Access;
use crate::error::{Error, Kind};
use crate::location::shorten;

/// What the image was wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Reading,
    Writing,
}

/// Doing that with an image failed.
pub fn failed(doing: &str, image: &str, purpose: Purpose, errno: Errno) -> Error {
    let image = shorten(image);
    let (kind, why) = match errno {
        Errno::ENOENT => (Kind::NotFound, "it does not exist"),
        Errno::EEXIST => (Kind::Duplicate, "there is one already"),
        Errno::ENOSPC => (Kind::StorageFull, "the pool is full"),
        Errno::EDQUOT => (Kind::StorageFull, "the pool's quota is used up"),
        Errno::EBUSY => (Kind::InUse, "somebody else uses it"),
        Errno::ESTALE => (Kind::InUse, "somebody else has changed it meanwhile"),
        Errno::EACCES | Errno::EPERM if purpose == Purpose::Writing => (Kind::WriteDenied, "the Ceph user may not"),
        // What librbd says of an image whose exclusive lock it does not get.
        Errno::EROFS => (Kind::InUse, "another client has locked it for writing"),
        Errno::EACCES | Errno::EPERM => (Kind::Forbidden, "the Ceph user may not"),
        Errno::ETIMEDOUT => (Kind::Unavailable, "the cluster does not answer"),
        Errno::ESHUTDOWN => (Kind::Unavailable, "the cluster has locked this client out"),
        Errno::ENOTCONN => (Kind::Unavailable, "the connection is lost"),
        Errno::ENAMETOOLONG => (Kind::Invalid, "its name is too long"),
        _ => (Kind::Failed, "the cluster refuses"),
    };
    Error::from_os(kind, format!("cannot {doing} RBD image {image:?}: {why}"), &errno.into())
}

/// The pool cannot be used; `configured` is whether it is the store's own.
pub fn no_pool(pool: &str, configured: bool, errno: Errno) -> Error {
    let kind = match errno {
        Errno::ENOENT if configured => Kind::BadConfig,
        Errno::ENOENT => Kind::NotFound,
        Errno::EACCES | Errno::EPERM => Kind::Forbidden,
        Errno::ETIMEDOUT | Errno::ESHUTDOWN | Errno::ENOTCONN => Kind::Unavailable,
        _ => Kind::Failed,
    };
    let advice = if configured { ": create it, or correct rbd_store_pool" } else { "" };
    let what = format!("cannot use the Ceph pool {:?}{advice}", shorten(pool));
    Error::from_os(kind, what, &errno.into())
}

/// The configuration cannot be read.
pub fn unreadable(access: &Access, errno: Errno) -> Error {
    let what = match &access.conf {
        Some(path) => format!("cannot read rbd_store_ceph_conf = {path:?}"),
        None => "librados finds no usable ceph.conf: set rbd_store_ceph_conf".to_owned(),
    };
    Error::from_os(Kind::BadConfig, what, &errno.into())
}

/// There is no monitor to ask.
pub fn no_monitors(access: &Access, errno: Errno) -> Error {
    let conf = access.conf.as_deref().unwrap_or("the ceph.conf of this host");
    let what = format!("cannot connect to Ceph with {conf}: it names no monitor, set mon_host there");
    Error::from_os(Kind::BadConfig, what, &errno.into())
}

/// The cluster cannot be reached.
pub fn unreachable(access: &Access, errno: Errno) -> Error {
    let user = access.user.as_deref().unwrap_or("admin");
    let conf = access.conf.as_deref().unwrap_or("the ceph.conf of this host");
    let (kind, why) = match errno {
        Errno::EACCES | Errno::EPERM => (Kind::NotAuthenticated, "the cluster refuses its key"),
        Errno::ENOENT => (Kind::NotAuthenticated, "there is no such user, or no keyring for it here"),
        Errno::EOPNOTSUPP => (Kind::NotAuthenticated, "there is no way to authenticate"),
        Errno::ETIMEDOUT => (Kind::Unavailable, "no monitor answers (see rados_connect_timeout)"),
        Errno::EINVAL => (Kind::BadConfig, "monitors or keyring of the configuration are of no use"),
        _ => (Kind::Unavailable, "the cluster cannot be reached"),
    };
    let what = format!("cannot connect to Ceph as client.{user} with {conf}: {why}");
    Error::from_os(kind, what, &errno.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_kind_that_programs_act_on() {
        use Purpose::{Reading, Writing};
        for (errno, purpose, kind) in [
            (Errno::ENOENT, Reading, Kind::NotFound),
            (Errno::EEXIST, Writing, Kind::Duplicate),
            (Errno::ENOSPC, Writing, Kind::StorageFull),
            (Errno::EDQUOT, Writing, Kind::StorageFull),
            (Errno::EBUSY, Writing, Kind::InUse),
            (Errno::ESTALE, Writing, Kind::InUse),
            (Errno::EPERM, Reading, Kind::Forbidden),
            (Errno::EPERM, Writing, Kind::WriteDenied),
            (Errno::EROFS, Writing, Kind::InUse),
            (Errno::ETIMEDOUT, Reading, Kind::Unavailable),
            (Errno::ESHUTDOWN, Reading, Kind::Unavailable),
            (Errno::ENAMETOOLONG, Writing, Kind::Invalid),
            (Errno::EIO, Reading, Kind::Failed),
        ] {
            let error = failed("open", "im", purpose, errno);
            assert_eq!((error.kind(), error.errno()), (kind, errno as i32), "{error}");
            assert!(error.message().starts_with("cannot open RBD image \"im\": "), "{error}");
        }
    }
}
