//! Copying an image between stores, inside the library.

use crate::driver::Part;
use crate::error::Result;
use crate::store::{Call, Image, Store};

/// Stores the image at `uri` of `from` as `image_id` in `to`.
pub fn copy(to: &Store, image_id: &str, from: &Store, uri: &str, call: Call<'_>) -> Result<Image> {
    let mut download = from.open(&call.op, uri, Part::default(), &to.pool(&call.op))?;
    let size = download.length();
    to.add_source(image_id, size, download.as_mut(), call)
}
