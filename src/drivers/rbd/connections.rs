//! Connections to clusters, one for all stores of this process that reach a cluster in the same way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nix::errno::Errno;
use once_cell::sync::OnceCell;

use super::errors;
use crate::ceph::{Access, Cluster, Library, Refused};
use crate::error::{Error, Kind, Result};
use crate::operation::{Doorbell, Operation};
use crate::transfer::Runtime;

/// A connection as it is needed: made by the first call, kept for all others, ended with the last store.
pub struct Connection {
    access: Access,
    /// A forked child has none of the threads that serve its parent's.
    pid: u32,
    attempt: Mutex<Arc<Attempt>>,
    configured_fsid: OnceCell<Option<String>>,
}

/// One try to connect, for all calls that come while it lasts.
#[derive(Default)]
struct Attempt {
    is_begun: AtomicBool,
    outcome: OnceCell<Result<Arc<Cluster>>>,
    /// The calls that wait for it.
    waiting: Mutex<Vec<Arc<Doorbell>>>,
}

impl Attempt {
    fn waiting(&self) -> MutexGuard<'_, Vec<Arc<Doorbell>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells those who wait for an attempt of its end, whatever that is.
struct Dialling(Arc<Attempt>);

impl Drop for Dialling {
    fn drop(&mut self) {
        let given_up = || Err(Error::new(Kind::Failed, "the attempt to connect to Ceph was given up"));
        let _ = self.0.outcome.get_or_init(given_up);
        self.0.waiting().drain(..).for_each(|bell| bell.ring());
    }
}

/// Those that are in use.
static SHARED: Mutex<Vec<Weak<Connection>>> = Mutex::new(Vec::new());

impl Connection {
    pub fn shared(access: Access) -> Arc<Self> {
        let pid = std::process::id();
        let fresh = || {
            let (attempt, configured_fsid) = (Mutex::default(), OnceCell::new());
            Arc::new(Connection { access: access.clone(), pid, attempt, configured_fsid })
        };
        // Held for some instructions only: where it is taken, perhaps for ever by a thread that a fork left
        // behind, a connection of one's own does as well.
        let Ok(mut shared) = SHARED.try_lock() else {
            return fresh();
        };
        shared.retain(|connection| connection.strong_count() > 0);
        // The last reference to one of them may be among these: it must not end while the list is held.
        let in_use: Vec<_> = shared.iter().filter_map(Weak::upgrade).collect();
        let found = in_use.iter().find(|one| one.access == access && one.pid == pid).cloned();
        let connection = found.unwrap_or_else(|| {
            let connection = fresh();
            shared.push(Arc::downgrade(&connection));
            connection
        });
        drop(shared);
        connection
    }

    /// Waits on the caller's thread until there is a connection, which is made first if need be: by one
    /// thread for all calls, however many wait for a cluster that does not answer.
    pub fn wait(self: &Arc<Self>, op: &Operation, runtime: &Runtime) -> Result<()> {
        let attempt = self.lock().clone();
        if attempt.outcome.get().is_none() {
            attempt.waiting().push(op.bell().clone());
            if !attempt.is_begun.swap(true, Ordering::SeqCst) {
                let (connection, dialling) = (self.clone(), Dialling(attempt.clone()));
                runtime.spawn(op, move || {
                    let _ = dialling.0.outcome.get_or_init(|| connection.connect());
                    Ok(())
                })?;
            }
        }
        let waited = op.wait(|| attempt.outcome.get().map(|_| ()));
        // Who gives up takes its doorbell along, which holds a descriptor.
        attempt.waiting().retain(|bell| !Arc::ptr_eq(bell, op.bell()));
        waited?;
        self.cluster().map(|_| ())
    }

    /// The cluster; where the connection was lost since it was waited for, it is made anew.  Blocks.
    pub fn cluster(&self) -> Result<Arc<Cluster>> {
        let attempt = self.lock().clone();
        let cluster = attempt.outcome.get_or_init(|| self.connect()).clone();
        if cluster.is_err() {
            self.forget(&attempt);
        }
        cluster
    }

    /// Whether the connection was lost, after which there must be a new one.
    pub fn notice(&self, error: &Error) -> bool {
        let is_lost = error.errno() == Errno::ESHUTDOWN as i32;
        if is_lost {
            let attempt = self.lock().clone();
            self.forget(&attempt);
        }
        is_lost
    }

    /// The fsid of the cluster, where that is known by now.
    pub fn fsid(&self) -> Option<String> {
        let attempt = self.lock().clone();
        let cluster = attempt.outcome.get()?.as_ref().ok()?;
        Some(cluster.fsid().to_owned())
    }

    /// What the cluster's configuration says of its fsid, if anything.  Blocks, but for no network.
    pub fn configured_fsid(&self) -> Option<String> {
        let read = || Cluster::configured_fsid(Library::get().ok()?, &self.access);
        self.configured_fsid.get_or_init(read).clone()
    }

    fn connect(&self) -> Result<Arc<Cluster>> {
        let library = Library::get().map_err(|reason| Error::new(Kind::DriverUnavailable, reason))?;
        Cluster::connect(library, &self.access).map_err(|refused| match refused {
            Refused::Configuration(errno) => errors::unreadable(&self.access, errno),
            Refused::Monitors(errno) => errors::no_monitors(&self.access, errno),
            Refused::Connection(errno) => errors::unreachable(&self.access, errno),
        })
    }

    /// The next call tries anew.
    fn forget(&self, attempt: &Arc<Attempt>) {
        let mut current = self.lock();
        if Arc::ptr_eq(&current, attempt) {
            *current = Arc::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Attempt>> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(user: &str) -> Access {
        Access { conf: Some("/nonexistent/ceph.conf".into()), user: Some(user.into()), timeout: Some(1) }
    }

    #[test]
    fn the_same_cluster_and_user_share_a_connection() {
        let first = Connection::shared(access("one"));
        assert!(Arc::ptr_eq(&first, &Connection::shared(access("one"))));
        assert!(!Arc::ptr_eq(&first, &Connection::shared(access("two"))));
        assert_eq!(first.fsid(), None);
    }
}
