//! Locks on objects of a pool, for those who ask for them.

use std::time::Duration;

use libc::timeval;

use super::pool::ImagePool;
use super::{Result, c_text, check};

/// `LIBRADOS_LOCK_FLAG_MUST_RENEW`.
const MUST_RENEW: u8 = 2;

impl ImagePool {
    /// Takes a lock for some time; EBUSY when it is taken.  The cookie is the name of its owner.
    pub fn lock(&self, object: &str, lock: &str, cookie: &str, duration: Duration) -> Result<()> {
        self.lock_exclusive(object, lock, cookie, duration, 0)
    }

    /// Keeps a lock for longer; fails when anybody has had it since.
    pub fn renew_lock(&self, object: &str, lock: &str, cookie: &str, duration: Duration) -> Result<()> {
        self.lock_exclusive(object, lock, cookie, duration, MUST_RENEW)
    }

    fn lock_exclusive(
        &self,
        object: &str,
        lock: &str,
        cookie: &str,
        duration: Duration,
        flags: u8,
    ) -> Result<()> {
        let (object, lock, cookie) = (c_text(object)?, c_text(lock)?, c_text(cookie)?);
        let mut duration =
            timeval { tv_sec: duration.as_secs().cast_signed(), tv_usec: duration.subsec_micros().into() };
        // SAFETY: the context is open, the texts are C strings, the duration is only read.
        check(unsafe {
            (self.cluster.library.rados.rados_lock_exclusive)(
                self.handle,
                object.as_ptr(),
                lock.as_ptr(),
                cookie.as_ptr(),
                c"".as_ptr(),
                &mut duration,
                flags,
            )
        })?;
        Ok(())
    }

    /// Gives a lock back; ENOENT when anybody has had it since.
    pub fn unlock(&self, object: &str, lock: &str, cookie: &str) -> Result<()> {
        let (object, lock, cookie) = (c_text(object)?, c_text(lock)?, c_text(cookie)?);
        let unlock = self.cluster.library.rados.rados_unlock;
        // SAFETY: the context is open, the texts are C strings.
        check(unsafe { unlock(self.handle, object.as_ptr(), lock.as_ptr(), cookie.as_ptr()) })?;
        Ok(())
    }
}
