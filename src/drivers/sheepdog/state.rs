//! What tells an image from a VDI that is not one yet, or no more.
//!
//! The name of a VDI is there before its bytes are, and no VDI can be renamed.  So a VDI that is being
//! filled or deleted says so in its tag, which `dog vdi list` shows: until that is gone, nobody here reads it.
//! Before it can have a tag it is born with a size that no image has.

use super::cluster::chance;
use super::inode::{Header, MAX_OBJECTS};
use crate::error::{Error, Kind, Result};

/// Followed by how many objects there may be.
const MARK: &str = "glance-store: incomplete, objects: ";

/// Odd sizes in this range, the last MiB of a TiB, are of VDIs that were just created.  Images are not of
/// odd size.
const BIRTH_SIZES: std::ops::Range<u64> = (1 << 40) - (1 << 20)..1 << 40;

#[derive(Debug, PartialEq, Eq)]
pub enum State {
    Complete,
    /// It may own the first so many objects, though nothing points to them.
    Incomplete { objects: u32 },
}

/// A size that tells its creator which VDI is his, should the answer be lost.
pub fn birth_size() -> u64 {
    let range = BIRTH_SIZES.end - BIRTH_SIZES.start;
    (BIRTH_SIZES.start + u64::from(chance()) % range) | 1
}

/// The tag of a VDI that may own the first `objects` objects.
pub fn mark(objects: u32) -> String {
    format!("{MARK}{objects}")
}

pub fn state_of(header: &Header) -> Result<State> {
    let tag = std::str::from_utf8(&header.tag).unwrap_or_default();
    if let Some(objects) = tag.strip_prefix(MARK) {
        let objects = objects.parse().ok().filter(|objects| u64::from(*objects) <= MAX_OBJECTS);
        return objects.map(|objects| State::Incomplete { objects }).ok_or_else(|| impossible(tag));
    }
    if tag.is_empty() && is_birth_size(header.size) {
        return Ok(State::Incomplete { objects: 0 });
    }
    Ok(State::Complete)
}

fn impossible(tag: &str) -> Error {
    let message = format!(
        "the tag {tag:?} of the VDI names no number of objects up to {MAX_OBJECTS}: it was not written here;          remove the VDI with \"dog vdi delete\""
    );
    Error::new(Kind::Failed, message)
}

pub fn is_birth_size(size: u64) -> bool {
    BIRTH_SIZES.contains(&size) && size % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(tag: &[u8], size: u64) -> Header {
        let mut bytes = vec![0; 4664];
        bytes[256..256 + tag.len()].copy_from_slice(tag);
        bytes[536..544].copy_from_slice(&size.to_le_bytes());
        bytes[555] = 22;
        Header::parse(&bytes, 0).unwrap()
    }

    #[test]
    fn the_state_is_in_the_tag_or_in_the_size() {
        let incomplete = |objects| State::Incomplete { objects };
        for (tag, size, state) in [
            (mark(0), 0, incomplete(0)),
            (mark(1 << 20), 5, incomplete(1 << 20)),
            (String::new(), 0, State::Complete),
            (String::new(), (1 << 40) - 1, incomplete(0)),
            (String::new(), (1 << 40) - 512, State::Complete),
            (String::new(), (1 << 40) + 1, State::Complete),
            ("s1".to_owned(), (1 << 40) - 1, State::Complete),
        ] {
            assert_eq!(state_of(&header(tag.as_bytes(), size)).unwrap(), state, "{tag:?} {size}");
        }
        assert_eq!(state_of(&header(b"\xFF", 1)).unwrap(), State::Complete);
        for objects in ["", "many", "-1", "1048577", "4294967295", "4294967296"] {
            let error = state_of(&header(format!("{MARK}{objects}").as_bytes(), 0)).unwrap_err();
            assert!(error.message().contains(&format!("objects: {objects}\" of the VDI")), "{error}");
        }
        assert!((0..1000).all(|_| is_birth_size(birth_size())));
    }
}
