//! What a store can do, in the bit values of `glance_store.capabilities.BitMasks`.

/// A set of capabilities.  Offset and chunk bits include the access bit of their direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(u32);

impl Capabilities {
    pub const READ: Self = Capabilities(0x01);
    pub const READ_OFFSET: Self = Capabilities(0x03);
    pub const READ_CHUNK: Self = Capabilities(0x05);
    pub const READ_RANDOM: Self = Capabilities(0x07);
    pub const WRITE: Self = Capabilities(0x08);
    pub const WRITE_OFFSET: Self = Capabilities(0x18);
    pub const WRITE_CHUNK: Self = Capabilities(0x28);
    pub const WRITE_RANDOM: Self = Capabilities(0x38);
    pub const DRIVER_REUSABLE: Self = Capabilities(0x40);

    pub const fn with(self, other: Self) -> Self {
        Capabilities(self.0 | other.0)
    }

    pub const fn without(self, other: Self) -> Self {
        Capabilities(self.0 & !other.0)
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn bits(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compound_values_include_their_access_bit() {
        for read in [Capabilities::READ_OFFSET, Capabilities::READ_CHUNK, Capabilities::READ_RANDOM] {
            assert!(read.contains(Capabilities::READ));
        }
        for write in [Capabilities::WRITE_OFFSET, Capabilities::WRITE_CHUNK, Capabilities::WRITE_RANDOM] {
            assert!(write.contains(Capabilities::WRITE));
        }
        assert_eq!(Capabilities::READ_OFFSET.with(Capabilities::READ_CHUNK), Capabilities::READ_RANDOM);
    }

    #[test]
    fn clearing_the_access_bit_clears_what_needs_it() {
        let all = Capabilities::READ_RANDOM.with(Capabilities::DRIVER_REUSABLE);
        let none = all.without(Capabilities::READ);
        for read in [
            Capabilities::READ,
            Capabilities::READ_OFFSET,
            Capabilities::READ_CHUNK,
            Capabilities::READ_RANDOM,
        ] {
            assert!(!none.contains(read));
        }
        assert!(none.contains(Capabilities::DRIVER_REUSABLE));
    }
}
