//! The MD5s of the parts that an upload is stored in.  The hash core finds them on its one pass over the
//! image, whose own MD5 they cost hardly more than; whoever stores a part waits for its digest here.

use std::sync::Arc;

use tokio::sync::watch;

use super::parts::PartPlan;
use crate::error::{Error, Kind, Result};

/// Parts are whole numbers of the blocks of MD5.
const BLOCK: u64 = 64;

/// The digests of one upload's parts.
pub struct PartDigests {
    plan: Arc<dyn PartPlan>,
    found: watch::Sender<Found>,
}

#[derive(Default)]
struct Found {
    /// In the order of the parts.
    digests: Vec<[u8; 16]>,
    /// Nothing more will come.
    is_over: bool,
}

/// A plan of one part, which is the image.
struct Whole;

impl PartPlan for Whole {
    fn length(&self, _number: u64) -> u64 {
        u64::MAX
    }

    fn side_by_side(&self, _number: u64) -> usize {
        1
    }
}

impl PartDigests {
    pub fn new(plan: Arc<dyn PartPlan>) -> Arc<Self> {
        Arc::new(PartDigests { plan, found: watch::Sender::default() })
    }

    /// For an image that is stored in one: its first part is all of it.
    pub fn of_whole() -> Arc<Self> {
        PartDigests::new(Arc::new(Whole))
    }

    /// The length of a part by its number, from 1 on.
    pub fn length(&self, number: u64) -> u64 {
        (self.plan.length(number) / BLOCK * BLOCK).max(BLOCK)
    }

    /// The digest of a part, waiting for it while it is computed.
    pub async fn wait(&self, number: u64) -> Result<[u8; 16]> {
        let mut found = self.found.subscribe();
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let known = found.wait_for(|found| found.is_over || found.digests.len() > index).await;
        let digest = known.ok().and_then(|found| found.digests.get(index).copied());
        digest.ok_or_else(|| Error::new(Kind::Bug, "the digest of a part was given up"))
    }

    /// The next part has this digest.
    pub fn add(&self, digest: [u8; 16]) {
        self.found.send_modify(|found| found.digests.push(digest));
    }

    pub fn end(&self) {
        self.found.send_modify(|found| found.is_over = true);
    }
}
