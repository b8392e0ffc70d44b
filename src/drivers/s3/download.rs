//! Images on their way out of a bucket.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use super::checksum::Checked;
use super::head_of;
use super::service::Service;
use crate::driver::{Download, Part};
use crate::error::Result;
use crate::http::{self, Manner};
use crate::operation::Operation;
use crate::transfer::{Piece, Pool, Runtime, Source};

/// Begins to fetch an object, or a part of it.
pub fn open(
    runtime: &Arc<Runtime>,
    op: &Operation,
    service: Arc<Service>,
    key: String,
    part: Part,
    manner: Manner,
    pool: &Pool,
) -> Result<Box<dyn Download>> {
    let is_checked = service.signer.asks_checksum && part.is_whole();
    let (image, head) = runtime.run(op, async move {
        let head = head_of(&service, &key).await?;
        Ok((service.image(&key)?, head))
    })?;
    let size = head.size()?;
    let range = part.of(size);
    if range.is_empty() {
        return Ok(Box::new(Nothing));
    }
    let length = Some(range.end - range.start).filter(|_| range.end < size);
    let download = http::Download::open(runtime, op, image, range.start, length, manner, pool)?;
    match head.checksum.filter(|_| is_checked) {
        Some(checksum) => Ok(Box::new(Checked::new(download, checksum))),
        None => Ok(Box::new(download)),
    }
}

/// What is downloaded of a range that has nothing in it: no server is asked for that.
struct Nothing;

impl Source for Nothing {
    fn next(&mut self, _op: &Operation) -> Result<Option<Piece>> {
        Ok(None)
    }
}

impl Download for Nothing {
    fn length(&self) -> Option<u64> {
        Some(0)
    }

    fn file(&self) -> Option<(&File, Range<u64>)> {
        None
    }
}
