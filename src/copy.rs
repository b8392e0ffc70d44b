//! Copying an image between stores, inside the library.

use crate::driver::Part;
use crate::error::Result;
use crate::store::{Call, Image, Store};

/// Stores the image at `uri` of `from` as `image_id` in `to`.  Download and upload share the memory.
pub fn copy(to: &Store, image_id: &str, from: &Store, uri: &str, mut call: Call<'_>) -> Result<Image> {
    if let Some(image) = to.add_copy(image_id, from, uri, &mut call)? {
        return Ok(image);
    }
    let pool = to.pool(&call.op);
    let half = pool.share(pool.memory() / 2);
    let mut download = from.open(&call.op, uri, Part::default(), &half)?;
    let size = download.length();
    to.add_source(image_id, size, download.as_mut(), &half, call)
}
