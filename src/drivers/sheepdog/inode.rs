//! The inode of a VDI: where what lies in it, and which values can be.

use std::ops::Range;

use super::wire::NAME;
use crate::error::{Error, Kind, Result};

/// The length of an inode's header.
pub const HEADER: u32 = 4664;

/// How many objects a VDI can have: the table of their owners follows the header, 4 bytes for each.
pub const MAX_OBJECTS: u64 = 1 << 20;

pub const TAG_AT: u32 = 256;
pub const SIZE_AT: u32 = 536;
const SNAPSHOT_TIME_AT: usize = 520;
const STORE_POLICY_AT: usize = 553;
const COPIES_AT: usize = 554;
const SHIFT_AT: usize = 555;
const VID_AT: usize = 560;

/// What the daemons allow: objects of 1 MiB to 2 GiB.
const SHIFTS: std::ops::RangeInclusive<u8> = 20..=31;

pub const MAX_VID: u32 = 0xFF_FFFF;

/// The object that holds the inode of a VDI.
pub fn inode_oid(vid: u32) -> u64 {
    1 << 63 | u64::from(vid) << 32
}

/// An object with data of a VDI.
pub fn data_oid(vid: u32, index: u32) -> u64 {
    u64::from(vid) << 32 | u64::from(index)
}

/// Where in an inode the owner of an object stands.
pub fn owner_at(index: u32) -> u32 {
    HEADER + 4 * index
}

/// What the driver needs of an inode's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: Vec<u8>,
    pub tag: Vec<u8>,
    pub is_snapshot: bool,
    pub size: u64,
    pub copies: u8,
    shift: u8,
}

impl Header {
    /// The header of VDI `vid`, if it can be one.
    pub fn parse(bytes: &[u8], vid: u32) -> Result<Self> {
        let wrong = |what: String| Err(Error::new(Kind::Failed, format!("the inode of VDI {vid:06x} {what}")));
        if bytes.len() != HEADER as usize {
            return wrong(format!("has {} bytes", bytes.len()));
        }
        let found = little_endian(bytes, VID_AT, 4);
        if found != u64::from(vid) {
            return wrong(format!("says that it is of VDI {found:06x}"));
        }
        if bytes[STORE_POLICY_AT] != 0 {
            let message = format!("VDI {vid:06x} is a hyper volume, whose B-tree of objects is not supported");
            return Err(Error::new(Kind::NotSupported, message));
        }
        let shift = bytes[SHIFT_AT];
        if !SHIFTS.contains(&shift) {
            return wrong(format!("says that its objects have 2^{shift} bytes"));
        }
        let header = Header {
            name: text(bytes, 0),
            tag: text(bytes, TAG_AT as usize),
            is_snapshot: little_endian(bytes, SNAPSHOT_TIME_AT, 8) != 0,
            size: little_endian(bytes, SIZE_AT as usize, 8),
            copies: bytes[COPIES_AT],
            shift,
        };
        if header.size > header.max_size() {
            return wrong(format!("says that it has {} bytes, more than a VDI can have", header.size));
        }
        Ok(header)
    }

    /// How many bytes an object has.
    pub fn object_size(&self) -> u64 {
        1 << self.shift
    }

    /// How many bytes the VDI could have.
    pub fn max_size(&self) -> u64 {
        MAX_OBJECTS << self.shift
    }

    /// The object that holds that byte, and where in the object it is.
    pub fn object_at(&self, position: u64) -> (u32, u32) {
        ((position >> self.shift) as u32, (position % self.object_size()) as u32)
    }

    /// The objects that hold those bytes.
    pub fn objects_of(&self, bytes: &Range<u64>) -> Range<u32> {
        (bytes.start >> self.shift) as u32..bytes.end.div_ceil(self.object_size()) as u32
    }
}

/// A text that ends at the first NUL.
fn text(bytes: &[u8], at: usize) -> Vec<u8> {
    bytes[at..at + NAME].iter().copied().take_while(|byte| *byte != 0).collect()
}

fn little_endian(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The owners in a part of the table.
pub fn owners(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|four| little_endian(four, 0, 4) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Vec<u8> {
        let mut bytes = vec![0; HEADER as usize];
        bytes[..3].copy_from_slice(b"img");
        bytes[256..258].copy_from_slice(b"s1");
        bytes[536..544].copy_from_slice(&(9u64 << 20).to_le_bytes());
        bytes[554..556].copy_from_slice(&[3, 22]);
        bytes[560..564].copy_from_slice(&0x7C_2B25u32.to_le_bytes());
        bytes
    }

    #[test]
    fn numbers_and_places_are_those_of_the_format() {
        assert_eq!(inode_oid(0x7C_2B25), 0x807C_2B25_0000_0000);
        assert_eq!(data_oid(0x7C_2B25, 3), 0x007C_2B25_0000_0003);
        assert_eq!(owner_at(1), 0x123C);
        let header = Header::parse(&header(), 0x7C_2B25).unwrap();
        assert_eq!((&*header.name, &*header.tag), (&b"img"[..], &b"s1"[..]));
        assert_eq!((header.size, header.copies, header.is_snapshot), (9 << 20, 3, false));
        assert_eq!((header.object_size(), header.max_size()), (4 << 20, 4 << 40));
        assert_eq!(header.object_at((8 << 20) + 5), (2, 5));
        assert_eq!(header.objects_of(&(0..9 << 20)), 0..3);
        assert_eq!(header.objects_of(&((4 << 20) - 1..4 << 20)), 0..1);
        assert_eq!(header.objects_of(&(0..0)), 0..0);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        type Damage = fn(&mut Vec<u8>);
        let damages: [(&str, Kind, Damage); 7] = [
            ("4663 bytes", Kind::Failed, |bytes| bytes.truncate(4663)),
            ("is of VDI 7c2b24", Kind::Failed, |bytes| bytes[560] -= 1),
            ("hyper volume", Kind::NotSupported, |bytes| bytes[553] = 1),
            ("2^19 bytes", Kind::Failed, |bytes| bytes[555] = 19),
            ("2^32 bytes", Kind::Failed, |bytes| bytes[555] = 32),
            ("2^0 bytes", Kind::Failed, |bytes| bytes[555] = 0),
            ("more than a VDI", Kind::Failed, |bytes| bytes[541] = 5),
        ];
        for (words, kind, damage) in damages {
            let mut bytes = header();
            damage(&mut bytes);
            let error = Header::parse(&bytes, 0x7C_2B25).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.message().contains(words), "{error}");
        }
    }
}
