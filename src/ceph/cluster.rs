//! A connection to a cluster.

use std::ffi::{CStr, c_char};
use std::ptr::{null, null_mut};
use std::sync::Arc;

use nix::errno::Errno;

use super::library::Library;
use super::pool::ImagePool;
use super::{Handle, Result, c_text, check};

/// What a connection is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The configuration file; none: where librados looks by itself.
    pub conf: Option<String>,
    /// Without `client.`; none: librados' own, `admin`.
    pub user: Option<String>,
    /// Seconds that the cluster may take for anything, 0 for ever; none: what the configuration says.
    pub timeout: Option<u64>,
}

/// Why there is no connection.
pub enum Refused {
    /// The configuration cannot be read.
    Configuration(Errno),
    /// No monitor was found, and the configuration names none.
    Monitors(Errno),
    Connection(Errno),
}

/// A connection; it ends with the last reference, and then blocks.
pub struct Cluster {
    pub(super) library: &'static Library,
    handle: Handle,
    fsid: String,
    pid: u32,
}

// SAFETY: librados locks its handles itself; they may be used from any thread.
unsafe impl Send for Cluster {}
// SAFETY: as above.
unsafe impl Sync for Cluster {}

/// The options that a timeout sets, as glance_store does.
const TIMEOUTS: &[&str] = &["rados_osd_op_timeout", "rados_mon_op_timeout", "client_mount_timeout"];

/// What suits a library that streams images.  A version that does not know one of these does without it.
const SETTINGS: &[(&str, &str)] = &[
    // Its copies only take time: nothing here is read or written twice.
    ("rbd_cache", "false"),
    // Nor does it need copies of its own: what is being written stays as it is until librbd gives it back.
    ("rbd_disable_zero_copy_writes", "false"),
    // The standard error is the host's; what the log file of the configuration gets is not.
    ("log_to_stderr", "false"),
    ("err_to_stderr", "false"),
];

impl Cluster {
    pub fn connect(library: &'static Library, access: &Access) -> std::result::Result<Arc<Self>, Refused> {
        let mut cluster = Self::prepare(library, access).map_err(Refused::Configuration)?;
        cluster.dial().map_err(|errno| match errno {
            Errno::ENOENT if cluster.configured("mon_host").is_none_or(|hosts| hosts.is_empty()) => {
                Refused::Monitors(errno)
            }
            _ => Refused::Connection(errno),
        })?;
        Ok(Arc::new(cluster))
    }

    /// What the configuration says of the cluster's identifier, if anything.
    pub fn configured_fsid(library: &'static Library, access: &Access) -> Option<String> {
        let fsid = Self::prepare(library, access).ok()?.configured("fsid")?;
        // That of zeros is the default.
        fsid.bytes().any(|byte| !matches!(byte, b'0' | b'-')).then_some(fsid)
    }

    fn prepare(library: &'static Library, access: &Access) -> Result<Self> {
        let user = access.user.as_deref().map(c_text).transpose()?;
        let conf = access.conf.as_deref().map(c_text).transpose()?;
        let (user, conf) = (
            user.as_ref().map_or(null(), |user| user.as_ptr()),
            conf.as_ref().map_or(null(), |conf| conf.as_ptr()),
        );
        let mut handle = null_mut();
        // SAFETY: `handle` takes the new cluster; the user is a C string or null.
        check(unsafe { (library.rados.rados_create)(&mut handle, user) })?;
        let cluster = Cluster { library, handle, fsid: String::new(), pid: std::process::id() };
        // SAFETY: the handle is open; the path is a C string or null.
        check(unsafe { (library.rados.rados_conf_read_file)(handle, conf) })?;
        for (name, value) in SETTINGS {
            match cluster.set(name, value) {
                Err(Errno::ENOENT) => {}
                set => set?,
            }
        }
        for name in TIMEOUTS {
            access.timeout.map_or(Ok(()), |seconds| cluster.set(name, &seconds.to_string()))?;
        }
        Ok(cluster)
    }

    fn dial(&mut self) -> Result<()> {
        let rados = &self.library.rados;
        // SAFETY: the handle is open and not connected.
        check(unsafe { (rados.rados_connect)(self.handle) })?;
        let mut text: [c_char; 64] = [0; 64];
        // SAFETY: the buffer is that long.
        check(unsafe { (rados.rados_cluster_fsid)(self.handle, text.as_mut_ptr(), text.len()) })?;
        // SAFETY: librados ended the text within the buffer, or would have failed.
        self.fsid = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
        Ok(())
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        let (name, value) = (c_text(name)?, c_text(value)?);
        // SAFETY: the handle is open, the texts are C strings.
        check(unsafe { (self.library.rados.rados_conf_set)(self.handle, name.as_ptr(), value.as_ptr()) })?;
        Ok(())
    }

    /// The cluster's own identifier.
    pub fn fsid(&self) -> &str {
        &self.fsid
    }

    /// What the configuration says about `name`, where there is such an option.
    pub fn configured(&self, name: &str) -> Option<String> {
        let name = c_text(name).ok()?;
        let mut text: [c_char; 1024] = [0; 1024];
        // SAFETY: the handle is open, the name a C string, the buffer that long.
        let answer = unsafe {
            (self.library.rados.rados_conf_get)(self.handle, name.as_ptr(), text.as_mut_ptr(), text.len())
        };
        check(answer).ok()?;
        // SAFETY: librados ended the text within the buffer, or would have failed.
        Some(unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned())
    }

    /// Sees to it that nothing comes any more from a client that lost its connection, whatever it has sent.
    pub fn lock_out(&self, client: &str) -> Result<()> {
        let rados = &self.library.rados;
        let (Some(lock_out), Some(wait)) =
            (rados.rados_blocklist_add.or(rados.rados_blacklist_add), rados.rados_wait_for_latest_osdmap)
        else {
            return Err(Errno::EOPNOTSUPP);
        };
        let client = c_text(client)?;
        // SAFETY: the cluster is connected, the client is a C string and only read; 0 is the usual hour.
        check(unsafe { lock_out(self.handle, client.as_ptr().cast_mut(), 0) })?;
        // What is sent from here on tells the OSDs of it.
        // SAFETY: the cluster is connected.
        check(unsafe { wait(self.handle) })?;
        Ok(())
    }

    /// The pool of that name; ENOENT when there is none.
    pub fn pool(self: &Arc<Self>, name: &str) -> Result<ImagePool> {
        let name = c_text(name)?;
        let mut handle = null_mut();
        // SAFETY: the cluster is connected; `handle` takes the new context, the name is a C string.
        check(unsafe { (self.library.rados.rados_ioctx_create)(self.handle, name.as_ptr(), &mut handle) })?;
        Ok(ImagePool::new(self.clone(), handle))
    }

    /// Whether this process made it: a forked child has none of the threads that serve it.
    pub(super) fn is_own(&self) -> bool {
        self.pid == std::process::id()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.is_own() {
            // SAFETY: the handle is open, and what was made from it holds a reference to this.
            unsafe { (self.library.rados.rados_shutdown)(self.handle) };
        }
    }
}
