//! The name of an image, for who makes an image of that name or takes the name from one: one at a time, of all
//! processes that store images in the pool.
//!
//! What librbd does to a name takes several steps, which do not go together with those of another.

use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::ceph::{self, ImagePool};
use crate::chance;

/// Where the locks are: the object of the trash, which who takes a lock makes.  The first image that goes needs it, and
/// in a pool that is full by then nobody could make it.
const OBJECT: &str = "rbd_trash";

/// Names share this many locks, which stay with the object for ever.
const LOCKS: u32 = 16;

/// When a lock is free that belongs to who was killed.
const DURATION: Duration = Duration::from_secs(20);

/// How long others may hold it, one after another.
const PATIENCE: Duration = Duration::from_secs(60);

/// A lock that is held, as short as can be: while nothing is done whose time grows with the image.
pub struct NameLock<'a> {
    pool: &'a ImagePool,
    lock: String,
    cookie: String,
    is_held: bool,
}

impl<'a> NameLock<'a> {
    /// Waits until the lock is free.
    pub fn take(pool: &'a ImagePool, name: &str) -> ceph::Result<Self> {
        let lock = format!("glance_store.{}", crc32fast::hash(name.as_bytes()) % LOCKS);
        let cookie = chance::name();
        let (begin, mut pause) = (Instant::now(), Duration::from_millis(1));
        loop {
            match pool.lock(OBJECT, &lock, &cookie, DURATION) {
                // EEXIST: a try whose answer was lost has got it.
                Ok(()) | Err(Errno::EEXIST) => return Ok(NameLock { pool, lock, cookie, is_held: true }),
                Err(Errno::EBUSY) if begin.elapsed() < PATIENCE => {}
                Err(errno) => return Err(errno),
            }
            thread::sleep(pause + Duration::from_micros(chance::number() % 1000));
            pause = (2 * pause).min(Duration::from_millis(64));
        }
    }

    /// Fails with ESTALE when anybody else has had the lock since: this process was stopped, or cut off, for long.
    pub fn renew(&self) -> ceph::Result<()> {
        self.pool.renew_lock(OBJECT, &self.lock, &self.cookie, DURATION).map_err(|errno| match errno {
            Errno::ENOENT | Errno::EBUSY => Errno::ESTALE,
            errno => errno,
        })
    }

    /// Gives the lock back, and fails as `renew` does.
    pub fn release(mut self) -> ceph::Result<()> {
        self.is_held = false;
        self.pool.unlock(OBJECT, &self.lock, &self.cookie).map_err(|errno| match errno {
            Errno::ENOENT => Errno::ESTALE,
            errno => errno,
        })
    }
}

impl Drop for NameLock<'_> {
    fn drop(&mut self) {
        if self.is_held {
            // Else it ends by itself.
            let _ = self.pool.unlock(OBJECT, &self.lock, &self.cookie);
        }
    }
}
