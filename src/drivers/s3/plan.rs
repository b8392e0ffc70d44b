//! How an image is stored: at once or in parts, and how long these are.

use crate::error::{Error, Kind, Result};
use crate::transfer::{PartPlan, Pool, longest_part, parts_that_fit};

pub const MIB: u64 = 1 << 20;

/// S3 takes no more parts.
pub const MAX_PARTS: u64 = 10_000;

/// S3 takes no longer part, and no longer object at once.
const MAX_PART: u64 = 5 << 30;

/// S3 takes no shorter part but the last.
pub const MIN_PART: u64 = 5 * MIB;

/// Parts are multiples of what digests are computed of.
const BLOCK: u64 = 64;

/// After so many parts of an image of unknown size they grow, after each of these steps to the double.
const FIRST_STEP: u64 = 4000;
const NEXT_STEPS: u64 = 500;

/// What the configuration says of sizes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// From how many bytes on an image is stored in parts.
    pub large: u64,
    pub part: u64,
    pub threads: usize,
}

/// How one image is stored.
#[derive(Clone)]
pub struct Plan {
    pool: Pool,
    threads: usize,
    part: u64,
    /// The longest that parts become.
    longest: u64,
    /// Whether it is stored at once; not known yet where the size is not.
    pub is_single: Option<bool>,
    /// The size of an image whose parts the memory cannot hold.
    pub streamed_size: Option<u64>,
    /// How many bytes the parts can hold in all.
    pub reach: u64,
}

impl Plan {
    /// The plan for an image of `size`, of which `pool` holds what is on its way.
    pub fn new(sizes: Sizes, size: Option<u64>, pool: &Pool) -> Result<Self> {
        let longest = longest_part(pool, 1).min(MAX_PART) / BLOCK * BLOCK;
        let Sizes { large, part, threads } = sizes;
        let plan = |part: u64, is_single| Plan {
            pool: pool.clone(),
            threads,
            part,
            longest,
            is_single,
            streamed_size: None,
            reach: (1..=MAX_PARTS).map(|number| length_of(number, part, longest)).sum(),
        };
        let Some(size) = size else {
            check_memory(longest, pool)?;
            return Ok(plan(part.min(longest), if large == 0 { Some(false) } else { None }));
        };
        if size == 0 || (size < large && size <= longest) {
            return Ok(Plan { reach: size, ..plan(size.next_multiple_of(BLOCK).max(BLOCK), Some(true)) });
        }
        let least = size.div_ceil(MAX_PARTS).next_multiple_of(BLOCK).max(MIN_PART);
        if least > MAX_PART {
            let message = format!("the image would need parts of {least} bytes, and S3 takes 5 GiB at most");
            return Err(Error::new(Kind::StorageFull, message));
        }
        let is_streamed = least > longest;
        let part = if is_streamed { part.clamp(least, MAX_PART) } else { part.clamp(least, longest) };
        let streamed_size = is_streamed.then_some(size);
        Ok(Plan { longest: part, reach: part * MAX_PARTS, streamed_size, ..plan(part, Some(false)) })
    }

    /// From how many bytes on an image of unknown size is stored in parts.
    pub fn first_part(&self) -> u64 {
        length_of(1, self.part, self.longest)
    }
}

impl PartPlan for Plan {
    fn length(&self, number: u64) -> u64 {
        length_of(number, self.part, self.longest)
    }

    fn side_by_side(&self, number: u64) -> usize {
        let held = parts_that_fit(&self.pool, self.length(number));
        // One of them is being filled.
        usize::try_from(held.saturating_sub(1)).unwrap_or(usize::MAX).min(self.threads)
    }
}

fn length_of(number: u64, part: u64, longest: u64) -> u64 {
    let doublings = match number.checked_sub(FIRST_STEP + 1) {
        Some(past) => 1 + past / NEXT_STEPS,
        None => 0,
    };
    part.saturating_mul(1 << doublings.min(32)).min(longest).max(part)
}

/// What has no length before it has come can only be sent in parts that are held.
fn check_memory(longest: u64, pool: &Pool) -> Result<()> {
    if longest >= MIN_PART {
        return Ok(());
    }
    // Generously: buffers have some air, and the way to the parts needs some of them.
    let needed = (MIN_PART / MIB) * 2 + pool.memory().div_ceil(MIB);
    let message = format!(
        "parts of {} MiB, the shortest that S3 takes, do not fit into the memory of the transfer: tell the image's size, or set transfer_memory to {needed}",
        MIN_PART / MIB
    );
    Err(Error::new(Kind::BadConfig, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;

    const SIZES: Sizes = Sizes { large: 9 * MIB, part: 6 * MIB, threads: 10 };

    fn pool(memory: u64) -> Pool {
        Pool::new(&Operation::default(), 1 << 20, memory * MIB)
    }

    #[test]
    fn small_images_are_stored_at_once() {
        for (size, is_single) in [
            (Some(0), Some(true)),
            (Some(1), Some(true)),
            (Some(9 * MIB - 1), Some(true)),
            (Some(9 * MIB), Some(false)),
            (None, None),
        ] {
            assert_eq!(Plan::new(SIZES, size, &pool(58)).unwrap().is_single, is_single, "{size:?}");
        }
        let always = Sizes { large: 0, ..SIZES };
        assert_eq!(Plan::new(always, None, &pool(58)).unwrap().is_single, Some(false));
        assert_eq!(Plan::new(always, Some(1), &pool(58)).unwrap().is_single, Some(false));
        assert_eq!(Plan::new(always, Some(0), &pool(58)).unwrap().is_single, Some(true));
        // What is too long to be held is stored in parts.
        let huge = Sizes { large: 1000 * MIB, ..SIZES };
        assert_eq!(Plan::new(huge, Some(50 * MIB), &pool(58)).unwrap().is_single, Some(true));
        assert_eq!(Plan::new(huge, Some(60 * MIB), &pool(58)).unwrap().is_single, Some(false));
    }

    #[test]
    fn parts_are_held_where_they_fit_and_streamed_elsewhere() {
        let (gib, tib) = (1024 * MIB, 1024 * 1024 * MIB);
        let big = Sizes { part: 100 * MIB, ..SIZES };
        let longest = longest_part(&pool(58), 1);
        for (sizes, memory, size, part, is_streamed) in [
            (SIZES, 58, gib, 6 * MIB, false),
            (big, 58, gib, longest, false),
            (big, 58, longest * MAX_PARTS, longest, false),
            (big, 58, longest * MAX_PARTS + 1, 100 * MIB, true),
            (SIZES, 58, longest * MAX_PARTS + 1, longest + BLOCK, true),
            (SIZES, 58, 10 * tib, (10 * tib).div_ceil(MAX_PARTS).next_multiple_of(BLOCK), true),
            (SIZES, 5, 9 * MIB, 6 * MIB, true),
            (Sizes { part: 8192 * MIB, ..SIZES }, 5, 9 * MIB, MAX_PART, true),
        ] {
            let plan = Plan::new(sizes, Some(size), &pool(memory)).unwrap();
            assert_eq!((plan.length(1), plan.length(MAX_PARTS)), (part, part), "{size}");
            assert_eq!(plan.streamed_size, is_streamed.then_some(size), "{size}");
            assert!(plan.reach >= size);
        }
        let plan = Plan::new(big, None, &pool(58)).unwrap();
        assert_eq!((plan.length(1), plan.streamed_size), (longest, None));
    }

    #[test]
    fn ten_thousand_parts_hold_every_known_size() {
        let gib = 1024 * MIB;
        for (size, length) in [
            (9 * MIB, 6 * MIB),
            (58 * gib, 6 * MIB),
            (10_000 * 6 * MIB, 6 * MIB),
            (10_000 * 6 * MIB + 1, 6 * MIB + 64),
            (500 * gib, (500 * gib).div_ceil(10_000).next_multiple_of(64)),
        ] {
            let plan = Plan::new(SIZES, Some(size), &pool(58)).unwrap();
            assert_eq!((plan.length(1), plan.length(MAX_PARTS)), (length, length), "{size}");
            assert!(plan.reach >= size);
        }
    }

    #[test]
    fn parts_of_unknown_images_grow_as_far_as_memory_allows() {
        let plan = Plan::new(SIZES, None, &pool(1000)).unwrap();
        for (number, length) in [(1, 6), (4000, 6), (4001, 12), (4500, 12), (4501, 24), (5001, 48)] {
            assert_eq!(plan.length(number), length * MIB, "{number}");
        }
        assert!(plan.length(MAX_PARTS) > 900 * MIB);
        assert!(plan.reach > 2 << 40, "{}", plan.reach);
        assert!(Plan::new(SIZES, None, &pool(58)).unwrap().reach > 250 << 30);
    }

    #[test]
    fn as_many_parts_are_under_way_as_memory_and_threads_allow() {
        let side_by_side = |memory, part, threads| {
            let sizes = Sizes { part: part * MIB, threads, ..SIZES };
            Plan::new(sizes, None, &pool(memory)).unwrap().side_by_side(1)
        };
        assert_eq!(side_by_side(58, 10, 10), 3);
        assert_eq!(side_by_side(58, 10, 2), 2);
        assert_eq!(side_by_side(500, 10, 10), 10);
        assert_eq!(side_by_side(58, 30, 10), 0);
    }

    #[test]
    fn what_does_not_fit_says_how_much_memory_it_needs() {
        let error = Plan::new(SIZES, None, &pool(5)).err().unwrap();
        assert_eq!(error.kind(), Kind::BadConfig);
        let needed: u64 = error.message().split(' ').next_back().unwrap().parse().unwrap();
        Plan::new(SIZES, None, &pool(needed - 6)).unwrap();
        let error = Plan::new(SIZES, Some(100 << 40), &pool(58)).err().unwrap();
        assert_eq!(error.kind(), Kind::StorageFull, "{error}");
    }
}
