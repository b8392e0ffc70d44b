//! How an image is laid out: in one object, or in segments of which sizes and names.

use crate::transfer::{Early, PartPlan, Pool, longest_part, parts_that_fit};

/// How many segments glance_store deletes: it reads one page of the container's listing.
const DELETABLE: u64 = 10_000;

/// So long are segments at least, where the memory has room for that: each costs servers a number of requests
/// among themselves, whatever its length.
const WORTH_A_REQUEST: u64 = 24 << 20;

/// How many segments of an image of unknown size keep one size before it doubles.
const STEP: u64 = DELETABLE / 4;

/// How an image is cut into segments.
pub struct Plan {
    size: Option<u64>,
    first: u64,
    /// What segments of an image of unknown size grow to.
    largest: u64,
    /// How many may be held beside one that is filled.
    held: usize,
    /// How many may be sent at the same time.
    parallel: usize,
    /// The memory for those that are held.  A quarter is left to the one that is filled, which is on its way by then:
    /// when that is full, it waits until another is stored.
    room: Pool,
}

impl Plan {
    /// For an image of `size` bytes, or of unknown size: segments of `chunk` bytes at most, `parallel` of
    /// them at a time.  Those that are held fit the share of `pool`.
    pub fn new(chunk: u64, parallel: usize, size: Option<u64>, pool: &Pool) -> Self {
        let needed = size.unwrap_or(0).div_ceil(DELETABLE).max(WORTH_A_REQUEST).min(chunk);
        let room = pool.share(pool.memory() / 4 * 3);
        let fitting = |held: usize| longest_part(&room, held as u64).max(pool.buffer_size() as u64).min(chunk);
        // Fewer at a time and longer ones, rather than short ones or more than can be deleted.
        let held = (1..=parallel).rev().find(|held| fitting(*held) >= needed).unwrap_or(1);
        let first = fitting(held);
        let largest = if size.is_some() { first } else { fitting(1) };
        Plan { size, first, largest, held, parallel, room }
    }
}

impl PartPlan for Plan {
    fn length(&self, number: u64) -> u64 {
        let doublings = u32::try_from(number.saturating_sub(1) / STEP).unwrap_or(u32::MAX);
        self.first.saturating_mul(2u64.saturating_pow(doublings)).min(self.largest)
    }

    fn side_by_side(&self, number: u64) -> usize {
        let held = parts_that_fit(&self.room, self.length(number));
        usize::try_from(held).unwrap_or(usize::MAX).min(self.held)
    }

    fn early(&self) -> Option<Early> {
        Some(Early { at_a_time: self.parallel, size: self.size })
    }
}

/// An image that is one part.
pub struct Whole;

impl PartPlan for Whole {
    fn length(&self, _number: u64) -> u64 {
        u64::MAX
    }

    fn side_by_side(&self, _number: u64) -> usize {
        1
    }
}

/// The last number that five digits write; what comes behind is written so that it sorts behind.
const LAST_SHORT: u64 = 99_998;

/// The name of a segment.  Names in their order make up the image.
pub fn segment_name(image_id: &str, number: u64) -> String {
    match number {
        0..=LAST_SHORT => format!("{image_id}-{number:05}"),
        _ => format!("{image_id}-{}-{number:08}", LAST_SHORT + 1),
    }
}

/// The number of a segment, by its name.
pub fn segment_number(image_id: &str, name: &str) -> Option<u64> {
    let number = name.strip_prefix(image_id)?.strip_prefix('-')?;
    number.rsplit('-').next()?.parse().ok().filter(|number| segment_name(image_id, *number) == name)
}

/// The name of what says that somebody removes an image's leftovers: before its first segment, and gone like one
/// if it is left over itself.
pub fn notice_name(image_id: &str) -> String {
    segment_name(image_id, 0)
}

/// The name of a list of some of an image's segments.
pub fn sublist_name(image_id: &str, number: u64) -> String {
    format!("{image_id}-slo-{number:05}")
}

/// What the names of all segments of an image begin with.
pub fn segment_prefix(image_id: &str) -> String {
    format!("{image_id}-")
}

/// Whether `name` is that of a segment of the image: it may also be an image whose id begins like it.
pub fn is_segment_of(image_id: &str, name: &str) -> bool {
    let number = name.strip_prefix(image_id).and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(is_number)
}

/// Whether an id would be taken for a segment of another image.
pub fn is_like_segment(image_id: &str) -> bool {
    // The segments of an image whose id ends like a list's name would be called like lists.
    let is_like_list = image_id.strip_suffix("-slo").is_some_and(|id| !id.is_empty());
    is_like_list || image_id.match_indices('-').any(|(at, _)| at > 0 && is_number(&image_id[at + 1..]))
}

/// Five digits, glance_store's six beyond these, our own form, or a list of segments.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('-') {
        Some(("99999", tail)) => tail.len() == 8 && digits(tail),
        Some(("slo", tail)) => tail.len() == 5 && digits(tail),
        Some(_) => false,
        None => matches!(text.len(), 5 | 6) && digits(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;

    const MIB: u64 = 1 << 20;
    const UNIT: u64 = 1_024_000;

    fn pool(memory: u64) -> Pool {
        let buffer = (memory / 8).min(MIB) as usize;
        let pool = Pool::new(&Operation::default(), buffer, memory);
        pool.share(memory - 6 * buffer as u64)
    }

    fn plan(size: Option<u64>, chunk: u64, parallel: usize, memory: u64) -> Plan {
        Plan::new(chunk, parallel, size, &pool(memory))
    }

    #[test]
    fn small_chunks_are_kept_exactly() {
        for size in [None, Some(1), Some(5 * UNIT), Some(2_500_000)] {
            let plan = plan(size, UNIT, 4, 64 * MIB);
            assert_eq!((plan.length(1), plan.length(20_000), plan.side_by_side(1)), (UNIT, UNIT, 4), "{size:?}");
        }
    }

    #[test]
    fn segments_fit_the_memory_side_by_side() {
        let plan = plan(Some(10 << 30), 200 * UNIT, 4, 64 * MIB);
        let length = plan.length(1);
        assert!((WORTH_A_REQUEST..48 * MIB).contains(&length), "{length}");
        assert_eq!(plan.side_by_side(1), 1);
        let more = self::plan(Some(10 << 30), 200 * UNIT, 4, 512 * MIB);
        assert_eq!(more.side_by_side(1), 4);
    }

    #[test]
    fn large_images_have_fewer_uploads_rather_than_too_many_segments() {
        let large = plan(Some(200 << 30), 200 * UNIT, 4, 64 * MIB);
        assert!((200u64 << 30).div_ceil(large.length(1)) <= DELETABLE);
        assert!(large.side_by_side(1) < 2);
        let enormous = plan(Some(1 << 44), UNIT, 4, 64 * MIB);
        assert_eq!((enormous.length(1), enormous.side_by_side(1)), (UNIT, 4), "no segment exceeds the chunk size");
    }

    #[test]
    fn segments_of_unknown_images_grow() {
        let plan = plan(None, 200 * UNIT, 4, 256 * MIB);
        assert!(plan.length(STEP) < plan.length(STEP + 1));
        assert!(plan.side_by_side(STEP + 1) < plan.side_by_side(1));
        assert_eq!(plan.length(u64::MAX), plan.largest);
        let total: u64 = (1..=DELETABLE).map(|number| plan.length(number)).sum();
        assert!(total > 150 << 30, "{total}");
        let known = self::plan(Some(1 << 30), 200 * UNIT, 4, 64 * MIB);
        assert_eq!(known.length(u64::MAX), known.length(1));
    }

    #[test]
    fn the_smallest_memory_still_holds_a_segment() {
        for (chunk, parallel) in [(UNIT, 64), (200 * UNIT, 64), (UNIT, 1)] {
            let plan = plan(None, chunk, parallel, 8 * MIB);
            assert!((1..=chunk).contains(&plan.length(1)) && plan.side_by_side(1) <= 1, "{chunk} {parallel}");
        }
    }

    #[test]
    fn names_sort_as_their_numbers() {
        let numbers = [1, 2, 9, 10, 9_999, 10_000, 99_997, 99_998, 99_999, 100_000, 99_999_999];
        let names: Vec<String> = numbers.iter().map(|number| segment_name("id", *number)).collect();
        assert_eq!((names[0].as_str(), names[8].as_str()), ("id-00001", "id-99999-00099999"));
        assert!(names.is_sorted());
        assert!(names.iter().all(|name| is_segment_of("id", name) && is_like_segment(name)));
        assert_eq!(names.iter().map(|name| segment_number("id", name).unwrap()).collect::<Vec<_>>(), numbers);
        for name in ["id", "id-", "id-1", "id-slo-00001", "id-100000", "id-99999-00000001", "id-+0001", "idx-00001"] {
            assert_eq!(segment_number("id", name), None, "{name}");
        }
        assert!(is_segment_of("id", &notice_name("id")));
    }

    #[test]
    fn other_images_are_no_segments() {
        for name in ["id", "id-", "id-1", "id-0000a", "id-0000001", "id-446655440000", "idx-00001", "id-00001-x",
            "id-00001-00000001", "other-00001", "id-99999-1"]
        {
            assert!(!is_segment_of("id", name), "{name}");
        }
        assert!(is_segment_of("id", "id-100000"), "the hundred thousandth of glance_store");
        for id in ["550e8400-e29b-41d4-a716-446655440000", "plain", "-00001", "a-1", "slo", "-slo", "a-slow", ""] {
            assert!(!is_like_segment(id), "{id}");
        }
        for id in ["a-b-00001", "a-slo", "a-slo-slo"] {
            assert!(is_like_segment(id), "{id}");
        }
    }
}
