//! Where a snapshot has no data, as far as that was looked up: there its zeros are its own, whatever becomes of it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How much of the image one look is for.
const WINDOW: u64 = 1 << 30;

/// Of so many looks the findings are kept, which are some KiB each.
const MAX_WINDOWS: usize = 256;

#[derive(Default)]
pub struct Holes {
    /// The extents with data, in order, of each window that was looked at.
    windows: Mutex<HashMap<u64, Vec<Range<u64>>>>,
}

impl Holes {
    /// What is to be looked at to know more of `position`; none where that was done.
    pub fn unknown_at(&self, position: u64) -> Option<Range<u64>> {
        let number = position / WINDOW;
        let is_known = self.lock().contains_key(&number);
        (!is_known).then(|| number * WINDOW..(number + 1).saturating_mul(WINDOW))
    }

    /// Takes down what was found where `unknown_at` said.
    pub fn learn(&self, window: Range<u64>, extents: Vec<Range<u64>>) {
        let mut windows = self.lock();
        if windows.len() >= MAX_WINDOWS {
            windows.clear();
        }
        windows.insert(window.start / WINDOW, extents);
    }

    /// Whether all of a range is known to have no data.
    pub fn cover(&self, range: &Range<u64>) -> bool {
        let windows = self.lock();
        let touches = |extent: &Range<u64>| extent.start < range.end && range.start < extent.end;
        let is_hole = |extents: &Vec<Range<u64>>| !extents.iter().any(touches);
        (range.start / WINDOW..range.end.div_ceil(WINDOW)).all(|number| windows.get(&number).is_some_and(is_hole))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Vec<Range<u64>>>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn only_what_was_looked_at_is_known() {
        let holes = Holes::default();
        assert!(!holes.cover(&(0..1)));
        let window = holes.unknown_at(5).unwrap();
        assert_eq!(window, 0..WINDOW);
        holes.learn(window, vec![MIB..2 * MIB, 4 * MIB..5 * MIB]);
        assert_eq!(holes.unknown_at(WINDOW - 1), None);
        assert_eq!(holes.unknown_at(WINDOW), Some(WINDOW..2 * WINDOW));
        for (range, is_covered) in [
            (0..MIB, true),
            (0..MIB + 1, false),
            (MIB - 1..MIB, true),
            (MIB..MIB + 1, false),
            (2 * MIB - 1..3 * MIB, false),
            (2 * MIB..4 * MIB, true),
            (5 * MIB..WINDOW, true),
            (5 * MIB..WINDOW + 1, false),
            (WINDOW..WINDOW + 1, false),
        ] {
            assert_eq!(holes.cover(&range), is_covered, "{range:?}");
        }
        holes.learn(WINDOW..2 * WINDOW, Vec::new());
        assert!(holes.cover(&(5 * MIB..2 * WINDOW)));
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let holes = Holes::default();
        for number in 0..10_000 {
            let window = holes.unknown_at(number * WINDOW).unwrap();
            holes.learn(window.clone(), Vec::new());
            assert!(holes.cover(&window));
            assert!(holes.lock().len() <= MAX_WINDOWS);
        }
    }
}
