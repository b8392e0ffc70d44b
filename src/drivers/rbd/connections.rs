//! Connections to clusters, one for all stores of this process that reach a cluster in the same way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nix::errno::Errno;
use once_cell::sync::OnceCell;

use super::errors;
use crate::ceph::{Access, Cluster, Library, Refused};
use crate::error::{Error, Kind, Result};

/// A connection as it is needed: made by the first call, kept for all others, ended with the last store.
pub struct Connection {
    access: Access,
    /// A forked child has none of the threads that serve its parent's.
    pid: u32,
    attempt: Mutex<Arc<Attempt>>,
}

/// One try to connect, for all calls that come while it lasts.
type Attempt = OnceCell<Result<Arc<Cluster>>>;

/// Those that are in use.
static SHARED: Mutex<Vec<Weak<Connection>>> = Mutex::new(Vec::new());

impl Connection {
    pub fn shared(access: Access) -> Arc<Self> {
        let pid = std::process::id();
        let fresh = || Arc::new(Connection { access: access.clone(), pid, attempt: Mutex::default() });
        // Held for some instructions only: where it is taken, perhaps for ever by a thread that a fork left
        // behind, a connection of one's own does as well.
        let Ok(mut shared) = SHARED.try_lock() else {
            return fresh();
        };
        shared.retain(|connection| connection.strong_count() > 0);
        let mut in_use = shared.iter().filter_map(Weak::upgrade);
        if let Some(connection) = in_use.find(|one| one.access == access && one.pid == pid) {
            return connection;
        }
        let connection = fresh();
        shared.push(Arc::downgrade(&connection));
        connection
    }

    /// The cluster, connecting to it first if need be.  Blocks.
    pub fn cluster(&self) -> Result<Arc<Cluster>> {
        let attempt = self.lock().clone();
        let cluster = attempt.get_or_init(|| self.connect()).clone();
        if cluster.is_err() {
            self.forget(&attempt);
        }
        cluster
    }

    /// Whether something was wrong with the connection itself, after which there must be a new one.
    pub fn notice(&self, error: &Error) {
        if error.errno() == Errno::ESHUTDOWN as i32 {
            let attempt = self.lock().clone();
            self.forget(&attempt);
        }
    }

    /// The fsid of the cluster, where that is known by now.
    pub fn fsid(&self) -> Option<String> {
        let attempt = self.lock().clone();
        let cluster = attempt.get()?.as_ref().ok()?;
        Some(cluster.fsid().to_owned())
    }

    fn connect(&self) -> Result<Arc<Cluster>> {
        let library = Library::get().map_err(|reason| Error::new(Kind::DriverUnavailable, reason))?;
        Cluster::connect(library, &self.access).map_err(|refused| match refused {
            Refused::Configuration(errno) => errors::unreadable(&self.access, errno),
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
