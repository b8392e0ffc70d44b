//! Random reads of an image.

use std::sync::Arc;

use bytes::Bytes;

use super::room::Space;
use super::vdi::Vdi;
use crate::error::{Error, Kind, Result};
use crate::transfer::{Fetch, Landing};

/// An image, wherever its bytes are.
pub struct RandomAccess {
    pub vdi: Arc<Vdi>,
    /// Of all its objects.
    pub owners: Vec<u32>,
}

impl Fetch for RandomAccess {
    async fn fetch(&self, landing: &mut Landing) -> Result<()> {
        while let (Some(wanted), Some(block)) = (landing.wanted(), landing.next_length()) {
            let (index, offset) = self.vdi.header.object_at(wanted.start);
            let object_left = self.vdi.header.object_size() - u64::from(offset);
            let length = object_left.min(wanted.end - wanted.start);
            let owner = self.owners.get(index as usize).copied().unwrap_or_default();
            if owner == 0 {
                land_zeros(landing, length);
                continue;
            }
            // Blocks have one length, but for the image's last.
            let blocks = self.vdi.read(owner, index, offset, length as u32, &Space::Own(block)).await?;
            if blocks.is_empty() {
                return Err(Error::new(Kind::Bug, "a read has brought nothing"));
            }
            blocks.into_iter().for_each(|block| landing.land(block));
        }
        Ok(())
    }
}

fn land_zeros(landing: &mut Landing, mut left: u64) {
    while let Some(block) = landing.next_length().filter(|block| *block as u64 <= left && left > 0) {
        landing.land(Bytes::from(vec![0; block]));
        left -= block as u64;
    }
}
