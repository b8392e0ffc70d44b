//! Reads and writes of an image that go on while their caller does something else.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use bytes::Bytes;
use libc::iovec;
use nix::errno::Errno;

use super::image::Image;
use super::library::Rbd;
use super::uses::Use;
use super::{Handle, Result};
use crate::transfer::Buffer;

/// Memory for librbd to write to.
///
/// # Safety
///
/// The bytes stay in their place when the value moves.
pub unsafe trait Fixed: Send + 'static {
    fn bytes(&mut self) -> &mut [u8];
}

// SAFETY: a buffer's bytes are in a box of their own.
unsafe impl Fixed for Buffer {
    fn bytes(&mut self) -> &mut [u8] {
        self
    }
}

// SAFETY: what is in a box does not move with it.
unsafe impl Fixed for Box<[u8]> {
    fn bytes(&mut self) -> &mut [u8] {
        self
    }
}

/// Told, on a thread of librbd, what became of a request, and given its buffers back.
type Done<B> = Box<dyn FnOnce(Result<usize>, B) + Send>;

/// A request that librbd works on: all that has to live until it is done.
struct Request<B> {
    rbd: &'static Rbd,
    buffers: B,
    /// Where the buffers lie.
    vectors: Vec<iovec>,
    done: Done<B>,
    in_use: Use,
}

type Start = unsafe extern "C" fn(Handle, *const iovec, c_int, u64, Handle) -> c_int;

impl Image {
    /// Writes `data` at `offset`.  An error here means that `done` will not be called.
    pub fn write(
        &self,
        offset: u64,
        data: Vec<Bytes>,
        done: impl FnOnce(Result<usize>, Vec<Bytes>) + Send + 'static,
    ) -> Result<()> {
        // librbd does not change what it writes.
        let vector = |part: &Bytes| iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
        let vectors = data.iter().map(vector).collect();
        // SAFETY: the vectors lie in `data`, which the request keeps, and which is not moved with it: the
        // bytes that are shared lie elsewhere.
        unsafe { self.start(self.rbd().rbd_aio_writev, offset, data, vectors, Box::new(done)) }
    }

    /// Fills `buffers`, the first `length` bytes of all, from `offset` on.  An error here means that `done`
    /// will not be called.
    pub fn read<B: Fixed>(
        &self,
        offset: u64,
        length: usize,
        mut buffers: Vec<B>,
        done: impl FnOnce(Result<usize>, Vec<B>) + Send + 'static,
    ) -> Result<()> {
        let mut left = length;
        let vectors = buffers.iter_mut().map(|buffer| {
            let bytes = buffer.bytes();
            let step = bytes.len().min(left);
            left -= step;
            iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: step }
        });
        let vectors = vectors.filter(|vector| vector.iov_len > 0).collect();
        if left > 0 {
            return Err(Errno::EINVAL);
        }
        // SAFETY: the vectors lie in `buffers`, which the request keeps, whose bytes stay in their place, and
        // which nobody else can reach until it is done.
        unsafe { self.start(self.rbd().rbd_aio_readv, offset, buffers, vectors, Box::new(done)) }
    }

    /// # Safety
    ///
    /// The vectors must lie in what `buffers` keeps in its place.
    unsafe fn start<B: Send + 'static>(
        &self,
        start: Start,
        offset: u64,
        buffers: B,
        vectors: Vec<iovec>,
        done: Done<B>,
    ) -> Result<()> {
        let (image, in_use) = self.begin_use()?;
        let rbd = self.rbd();
        let count = c_int::try_from(vectors.len()).map_err(|_| Errno::EINVAL)?;
        let request = Box::into_raw(Box::new(Request { rbd, buffers, vectors, done, in_use }));
        let mut completion = null_mut();
        // SAFETY: `completion` takes the new completion; the callback gets the request it is written for.
        let mut answer =
            unsafe { (rbd.rbd_aio_create_completion)(request.cast(), completed::<B>, &mut completion) };
        if answer >= 0 {
            // SAFETY: the image is open while it is in use; the vectors and what they point to live as long
            // as the request, which the callback ends.
            answer = unsafe { start(image, (*request).vectors.as_ptr(), count, offset, completion) };
            if answer < 0 {
                // SAFETY: a request that did not start completes nothing.
                unsafe { (rbd.rbd_aio_release)(completion) };
            }
        }
        if answer < 0 {
            // SAFETY: from the box above; no callback will come that could free it as well.
            drop(unsafe { Box::from_raw(request) });
            return Err(Errno::from_raw(answer.wrapping_neg()));
        }
        Ok(())
    }
}

/// The end of a request, on a thread of librbd.
unsafe extern "C" fn completed<B>(completion: Handle, with: *mut c_void) {
    // SAFETY: the request that was given along when it started; this is its only end.
    let Request { rbd, buffers, done, in_use, .. } = *unsafe { Box::from_raw(with.cast::<Request<B>>()) };
    // SAFETY: the completion is done and nobody else has it.
    let answer = unsafe { (rbd.rbd_aio_get_return_value)(completion) };
    // SAFETY: as above.
    unsafe { (rbd.rbd_aio_release)(completion) };
    let result = usize::try_from(answer).map_err(|_| Errno::from_raw(answer.wrapping_neg() as i32));
    done(result, buffers);
    // The image can be closed from here on, not earlier.
    drop(in_use);
}
