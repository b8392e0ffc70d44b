//! Numbers that no other thread, process or machine comes upon.

use std::hash::{BuildHasher, RandomState};

/// The system seeds the first state of a thread, and the others follow from that: also in a forked process, which
/// would have the same numbers as its parent if its own id were not in them.
pub fn number() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// A name of hexadecimal digits.
pub fn name() -> String {
    format!("{:016x}{:016x}", number(), number())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_comes_twice() {
        let thread = || std::thread::spawn(|| (0..1000).map(|_| name()).collect::<Vec<_>>());
        let threads: Vec<_> = (0..4).map(|_| thread()).collect();
        let names: HashSet<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(names.len(), 4000);
        assert!(
            names.iter().all(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
        );
    }
}
