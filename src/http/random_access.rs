//! Random reads of an image, each of their fetches within the store's time limit.

use std::time::Duration;

use super::error::{over_total, within};
use super::image::Image;
use crate::error::Result;
use crate::transfer::{Fetch, Landing};

pub struct RandomAccess {
    pub image: Image,
    /// How long one fetch may take, however little is asked of it.
    pub limit: Option<Duration>,
}

impl Fetch for RandomAccess {
    async fn fetch(&self, landing: &mut Landing) -> Result<()> {
        let prefix = self.image.client().prefix();
        within(self.limit, |limit| over_total(prefix, limit), self.image.fetch(landing)).await
    }
}
