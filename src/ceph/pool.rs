//! A pool with images: making, naming and removing them.

use std::ffi::{CString, c_int};
use std::ptr::{null, null_mut};
use std::sync::Arc;

use super::cluster::Cluster;
use super::image::Image;
use super::library::Rbd;
use super::{Handle, Result, c_text, check};

/// A pool of a connected cluster.
pub struct ImagePool {
    pub(super) cluster: Arc<Cluster>,
    pub(super) handle: Handle,
}

// SAFETY: librados locks its handles itself; they may be used from any thread.
unsafe impl Send for ImagePool {}
// SAFETY: as above.
unsafe impl Sync for ImagePool {}

/// How an image is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewImage {
    /// The binary logarithm of the size of its objects.
    pub order: u8,
    /// None: what the configuration says.
    pub features: Option<u64>,
}

/// Numbers of image options, as the header has them.
const OPTION_FORMAT: c_int = 0;
const OPTION_FEATURES: c_int = 1;
const OPTION_ORDER: c_int = 2;

struct ImageOptions<'a> {
    rbd: &'a Rbd,
    handle: Handle,
}

impl<'a> ImageOptions<'a> {
    fn new(rbd: &'a Rbd, image: &NewImage) -> Result<Self> {
        let mut handle = null_mut();
        // SAFETY: `handle` takes the new options.
        unsafe { (rbd.rbd_image_options_create)(&mut handle) };
        let options = ImageOptions { rbd, handle };
        options.set(OPTION_FORMAT, 2)?;
        options.set(OPTION_ORDER, image.order.into())?;
        image.features.map_or(Ok(()), |features| options.set(OPTION_FEATURES, features))?;
        Ok(options)
    }

    fn set(&self, option: c_int, value: u64) -> Result<()> {
        // SAFETY: the options are open.
        check(unsafe { (self.rbd.rbd_image_options_set_uint64)(self.handle, option, value) }).map(|_| ())
    }
}

impl Drop for ImageOptions<'_> {
    fn drop(&mut self) {
        // SAFETY: the options are open and nobody else has them.
        unsafe { (self.rbd.rbd_image_options_destroy)(self.handle) };
    }
}

impl ImagePool {
    pub(super) fn new(cluster: Arc<Cluster>, handle: Handle) -> Self {
        let rados = &cluster.library.rados;
        // The second is what the first was called until Ceph 15.
        if let Some(fail_when_full) = rados.rados_set_pool_full_try.or(rados.rados_set_osdmap_full_try) {
            // Else writing to a full pool waits until it is not.
            // SAFETY: the context is open.
            unsafe { fail_when_full(handle) };
        }
        ImagePool { cluster, handle }
    }

    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    pub(super) fn rbd(&self) -> &'static Rbd {
        &self.cluster.library.rbd
    }

    /// Makes an image; EEXIST when there is one of that name.
    pub fn create(&self, name: &str, size: u64, image: &NewImage) -> Result<()> {
        let (name, options) = (c_text(name)?, ImageOptions::new(self.rbd(), image)?);
        // SAFETY: context and options are open, the name is a C string.
        check(unsafe { (self.rbd().rbd_create4)(self.handle, name.as_ptr(), size, options.handle) })?;
        Ok(())
    }

    /// Makes an image, of the size of a snapshot of another, that shares its data until it is written.
    pub fn clone_from(
        &self,
        source: &ImagePool,
        image: &str,
        snapshot: &str,
        name: &str,
        like: &NewImage,
    ) -> Result<()> {
        let (image, snapshot, name) = (c_text(image)?, c_text(snapshot)?, c_text(name)?);
        let options = ImageOptions::new(self.rbd(), like)?;
        // SAFETY: contexts and options are open, the names are C strings.
        check(unsafe {
            (self.rbd().rbd_clone3)(
                source.handle,
                image.as_ptr(),
                snapshot.as_ptr(),
                self.handle,
                name.as_ptr(),
                options.handle,
            )
        })?;
        Ok(())
    }

    /// Removes an image; ENOTEMPTY when it has snapshots.
    pub fn remove(&self, name: &str) -> Result<()> {
        let name = c_text(name)?;
        // SAFETY: the context is open, the name a C string.
        check(unsafe { (self.rbd().rbd_remove)(self.handle, name.as_ptr()) }).map(|_| ())
    }

    /// Opens an image, or a snapshot of it, for reading; ENOENT when either is not there.
    pub fn open(&self, name: &str, snapshot: Option<&str>) -> Result<Arc<Image>> {
        self.open_by(self.rbd().rbd_open_read_only, name, snapshot)
    }

    /// Opens an image for writing, which everybody can see.
    pub fn open_for_writing(&self, name: &str) -> Result<Arc<Image>> {
        self.open_by(self.rbd().rbd_open, name, None)
    }

    /// Opens an image that may be in the trash.
    pub fn open_id(&self, id: &str) -> Result<Arc<Image>> {
        self.open_by(self.rbd().rbd_open_by_id_read_only, id, None)
    }

    /// The same for writing.
    pub fn open_id_for_writing(&self, id: &str) -> Result<Arc<Image>> {
        self.open_by(self.rbd().rbd_open_by_id, id, None)
    }

    fn open_by(&self, open: OpenImage, name: &str, snapshot: Option<&str>) -> Result<Arc<Image>> {
        let (name, snapshot) = (c_text(name)?, snapshot.map(c_text).transpose()?);
        let snapshot = snapshot.as_ref().map_or(null(), |snapshot: &CString| snapshot.as_ptr());
        let mut handle = null_mut();
        // SAFETY: the context is open; `handle` takes the image; the names are C strings or null.
        check(unsafe { open(self.handle, name.as_ptr(), &mut handle, snapshot) })?;
        Ok(Arc::new(Image::new(self.cluster.clone(), handle)))
    }
}

type OpenImage =
    unsafe extern "C" fn(Handle, *const std::ffi::c_char, *mut Handle, *const std::ffi::c_char) -> c_int;

impl Drop for ImagePool {
    fn drop(&mut self) {
        if self.cluster.is_own() {
            // SAFETY: the context is open; images that were opened by it have their own.
            unsafe { (self.cluster.library.rados.rados_ioctx_destroy)(self.handle) };
        }
    }
}
