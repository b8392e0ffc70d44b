//! An open image.

use std::ffi::{c_char, c_int, c_void};
use std::ops::Range;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::cluster::Cluster;
use super::library::{LinkedImage, Rbd, Watcher};
use super::list::{list, text_of};
use super::uses::{Use, Uses};
use super::{Handle, Result, c_text, check};

/// How long an image stays open at least.  After librbd has told that it is open a thread of librbd's uses it for a
/// moment more, and nothing tells when that is over: who closes it at once frees what that thread locks.
const SETTLING: Duration = Duration::from_millis(50);

/// An image that is open until it is closed, or else dropped; both wait for its requests.
pub struct Image {
    cluster: Arc<Cluster>,
    handle: Handle,
    opened: Instant,
    uses: Arc<Uses>,
}

// SAFETY: librbd locks its handles itself; they may be used from any thread.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

/// An image that shares data with a snapshot.
pub struct Child {
    pub pool: String,
    pub image: String,
}

impl Image {
    pub(super) fn new(cluster: Arc<Cluster>, handle: Handle) -> Self {
        Image { cluster, handle, opened: Instant::now(), uses: Arc::default() }
    }

    pub(super) fn rbd(&self) -> &'static Rbd {
        &self.cluster.library.rbd
    }

    /// The handle, which stays open as long as the use.
    pub(super) fn begin_use(&self) -> Result<(Handle, Use)> {
        Ok((self.handle, self.uses.begin()?))
    }

    /// Runs one call on the handle.
    fn call(&self, call: impl FnOnce(&Rbd, Handle) -> c_int) -> Result<usize> {
        let (handle, _in_use) = self.begin_use()?;
        check(call(self.rbd(), handle))
    }

    fn call_named(
        &self,
        function: unsafe extern "C" fn(Handle, *const c_char) -> c_int,
        name: &str,
    ) -> Result<()> {
        let name = c_text(name)?;
        // SAFETY: the image is open, the name a C string.
        self.call(|_, handle| unsafe { function(handle, name.as_ptr()) }).map(|_| ())
    }

    /// Waits for all requests and closes the image; nothing can be done with it afterwards.
    pub fn close(&self) {
        if self.cluster.is_own() && self.uses.close() {
            thread::sleep(SETTLING.saturating_sub(self.opened.elapsed()));
            // SAFETY: the image is open, nobody uses it, and nobody will.  What the call may still fail
            // at, such as ending a watch, is the cluster's to notice.
            unsafe { (self.rbd().rbd_close)(self.handle) };
        }
    }

    /// What no other image of the pool has, whatever its name is or was; none for images of the first format.
    pub fn id(&self) -> Result<Option<String>> {
        let mut text: [c_char; 256] = [0; 256];
        // SAFETY: the image is open, the buffer that long.
        let found =
            self.call(|rbd, handle| unsafe { (rbd.rbd_get_id)(handle, text.as_mut_ptr(), text.len()) });
        match found {
            // SAFETY: librbd ended the text within the buffer, or would have failed.
            Ok(_) => Ok(Some(unsafe { text_of(text.as_ptr()) })),
            Err(Errno::EINVAL) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    pub fn size(&self) -> Result<u64> {
        let mut size = 0;
        // SAFETY: the image is open; `size` takes the answer.
        self.call(|rbd, handle| unsafe { (rbd.rbd_get_size)(handle, &mut size) })?;
        Ok(size)
    }

    pub fn resize(&self, size: u64) -> Result<()> {
        // SAFETY: the image is open.
        self.call(|rbd, handle| unsafe { (rbd.rbd_resize)(handle, size) }).map(|_| ())
    }

    /// Returns when all that was written is kept.
    pub fn flush(&self) -> Result<()> {
        // SAFETY: the image is open.
        self.call(|rbd, handle| unsafe { (rbd.rbd_flush)(handle) }).map(|_| ())
    }

    pub fn create_snapshot(&self, name: &str) -> Result<()> {
        self.call_named(self.rbd().rbd_snap_create, name)
    }

    pub fn has_snapshot(&self, name: &str) -> Result<bool> {
        let (name, mut is_protected) = (c_text(name)?, 0);
        // SAFETY: the image is open, the name a C string; `is_protected` takes the answer.
        let found = self.call(|rbd, handle| unsafe {
            (rbd.rbd_snap_is_protected)(handle, name.as_ptr(), &mut is_protected)
        });
        match found {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// EBUSY when it is protected.
    pub fn remove_snapshot(&self, name: &str) -> Result<()> {
        self.call_named(self.rbd().rbd_snap_remove, name)
    }

    /// EBUSY when it is protected already.
    pub fn protect_snapshot(&self, name: &str) -> Result<()> {
        self.call_named(self.rbd().rbd_snap_protect, name)
    }

    /// EINVAL when it is not protected, EBUSY when other images need it.
    pub fn unprotect_snapshot(&self, name: &str) -> Result<()> {
        self.call_named(self.rbd().rbd_snap_unprotect, name)
    }

    pub fn set_metadata(&self, key: &str, value: &str) -> Result<()> {
        let (key, value) = (c_text(key)?, c_text(value)?);
        // SAFETY: the image is open, key and value are C strings.
        self.call(|rbd, handle| unsafe { (rbd.rbd_metadata_set)(handle, key.as_ptr(), value.as_ptr()) })
            .map(|_| ())
    }

    /// What a short value of the image's metadata is, where there is one.
    pub fn metadata(&self, key: &str) -> Result<Option<String>> {
        let key = c_text(key)?;
        let mut text: [c_char; 256] = [0; 256];
        let mut room = text.len();
        // SAFETY: the image is open, the key a C string, the buffer that long.
        let found = self.call(|rbd, handle| unsafe {
            (rbd.rbd_metadata_get)(handle, key.as_ptr(), text.as_mut_ptr(), &mut room)
        });
        match found {
            // SAFETY: librbd ended the text within the buffer, or would have failed.
            Ok(_) => Ok(Some(unsafe { text_of(text.as_ptr()) })),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    pub fn remove_metadata(&self, key: &str) -> Result<()> {
        self.call_named(self.rbd().rbd_metadata_remove, key)
    }

    /// The addresses of those that have the image open for writing.
    pub fn watchers(&self) -> Result<Vec<String>> {
        let empty = || Watcher { address: null_mut(), id: 0, cookie: 0 };
        // SAFETY: the array is that long, as the list functions of librbd demand.
        let fill = |rbd: &Rbd, handle, list, count| unsafe { (rbd.rbd_watchers_list)(handle, list, count) };
        let list = list(empty, |list, count| self.call(|rbd, handle| fill(rbd, handle, list, count)))?;
        // SAFETY: librbd filled these in.
        let names = list.iter().map(|watcher| unsafe { text_of(watcher.address) }).collect();
        self.forget(list, self.rbd().rbd_watchers_list_cleanup);
        Ok(names)
    }

    /// The images that share data with the snapshot; ENOTSUP where librbd may crash over them.
    pub fn children(&self, snapshot: &str) -> Result<Vec<Child>> {
        if !self.cluster.library.lists_children() {
            return Err(Errno::ENOTSUP);
        }
        self.call_named(self.rbd().rbd_snap_set, snapshot)?;
        let empty = || LinkedImage {
            pool_id: 0,
            pool_name: null_mut(),
            pool_namespace: null_mut(),
            image_id: null_mut(),
            image_name: null_mut(),
            in_trash: false,
        };
        // SAFETY: the array is that long, as the list functions of librbd demand.
        let fill = |rbd: &Rbd, handle, list, count| unsafe { (rbd.rbd_list_children3)(handle, list, count) };
        let list = list(empty, |list, count| self.call(|rbd, handle| fill(rbd, handle, list, count)));
        // SAFETY: the image is open; null is the image itself instead of a snapshot.
        self.call(|rbd, handle| unsafe { (rbd.rbd_snap_set)(handle, null()) })?;
        let list = list?;
        // SAFETY: librbd filled these in.
        let name = |child: &LinkedImage| unsafe {
            Child { pool: text_of(child.pool_name), image: text_of(child.image_name) }
        };
        let children = list.iter().map(name).collect();
        self.forget(list, self.rbd().rbd_linked_image_spec_list_cleanup);
        Ok(children)
    }

    /// Gives the texts of a list back.
    fn forget<T>(&self, mut list: Vec<T>, cleanup: unsafe extern "C" fn(*mut T, usize)) {
        // SAFETY: librbd filled in that many.
        unsafe { cleanup(list.as_mut_ptr(), list.len()) };
    }

    /// Where in a range of the image, or in what it shares with others, there may be data; in order.  The
    /// grain is an object's size.
    pub fn extents(&self, range: Range<u64>) -> Result<Vec<Range<u64>>> {
        unsafe extern "C" fn collect(offset: u64, length: usize, exists: c_int, with: *mut c_void) -> c_int {
            // SAFETY: the list that the call below gave along, which nobody else uses meanwhile.
            let extents = unsafe { &mut *with.cast::<Vec<Range<u64>>>() };
            if exists != 0 {
                extents.push(offset..offset.saturating_add(length as u64));
            }
            0
        }
        let mut extents: Vec<Range<u64>> = Vec::new();
        let with = (&raw mut extents).cast::<c_void>();
        let length = range.end - range.start;
        // SAFETY: the image is open; null is its beginning; the callback gets the list, while the call lasts.
        self.call(|rbd, handle| unsafe {
            (rbd.rbd_diff_iterate2)(handle, null(), range.start, length, 1, 1, collect, with)
        })?;
        extents.sort_by_key(|extent| extent.start);
        Ok(extents)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.close();
    }
}
