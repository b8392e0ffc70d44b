//! The MD5 of a whole and, in the same pass, of the parts that it is stored in.

use super::md5::{INITIAL_STATE, compress, output};

const BLOCK: usize = 64;

/// Two chains over the same blocks: parts are whole numbers of these, but for the last.
pub struct PartedMd5 {
    /// Of the whole and of the part.
    states: [[u32; 4]; 2],
    length: u64,
    part_length: u64,
    /// The beginning of a block.
    tail: [u8; BLOCK],
    filled: usize,
}

impl Default for PartedMd5 {
    fn default() -> Self {
        PartedMd5 { states: [INITIAL_STATE; 2], length: 0, part_length: 0, tail: [0; BLOCK], filled: 0 }
    }
}

impl PartedMd5 {
    /// More of the part.
    pub fn update(&mut self, mut data: &[u8]) {
        self.length = self.length.wrapping_add(data.len() as u64);
        self.part_length += data.len() as u64;
        if self.filled > 0 {
            let count = data.len().min(BLOCK - self.filled);
            self.tail[self.filled..self.filled + count].copy_from_slice(&data[..count]);
            self.filled += count;
            data = &data[count..];
            if self.filled < BLOCK {
                return;
            }
            compress(&mut self.states, &[self.tail]);
        }
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        compress(&mut self.states, blocks);
        self.tail[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    /// The digest of a part that is a whole number of blocks; the next begins.
    pub fn end_part(&mut self) -> [u8; 16] {
        let digest = self.close(1, self.part_length);
        self.states[1] = INITIAL_STATE;
        self.part_length = 0;
        digest
    }

    /// The digests of the whole and of the last part, however long that is.
    pub fn finish(self) -> ([u8; 16], [u8; 16]) {
        (self.close(0, self.length), self.close(1, self.part_length))
    }

    /// One chain's digest: RFC 1321, sections 3.1, 3.2 and 3.5.
    fn close(&self, chain: usize, length: u64) -> [u8; 16] {
        let mut padded = [[0; BLOCK]; 2];
        padded[0][..self.filled].copy_from_slice(&self.tail[..self.filled]);
        padded[0][self.filled] = 0x80;
        let blocks = if self.filled < BLOCK - 8 { 1 } else { 2 };
        padded[blocks - 1][BLOCK - 8..].copy_from_slice(&length.wrapping_mul(8).to_le_bytes());
        let mut state = [self.states[chain]];
        compress(&mut state, &padded[..blocks]);
        output(&state[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(data: &[u8]) -> [u8; 16] {
        use md5::Digest;
        md5::Md5::digest(data).into()
    }

    fn image(size: usize) -> Vec<u8> {
        (0..size as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    #[test]
    fn every_length_of_whole_and_part_agrees_with_the_crate() {
        for part in [64, 128, 640] {
            for size in 0..700 {
                let data = image(size);
                let mut md5 = PartedMd5::default();
                let (full, last) = data.split_at(size / part * part);
                for part in full.chunks(part) {
                    // In uneven pieces.
                    part.chunks(37).for_each(|piece| md5.update(piece));
                    assert_eq!(md5.end_part(), reference(part));
                }
                md5.update(last);
                assert_eq!(md5.finish(), (reference(&data), reference(last)), "{size} in {part}");
            }
        }
    }

    #[test]
    fn megabytes_agree_with_the_crate() {
        let data = image(5 << 20);
        let mut md5 = PartedMd5::default();
        for part in data.chunks(1 << 20) {
            md5.update(part);
            assert_eq!(md5.end_part(), reference(part));
        }
        assert_eq!(md5.finish(), (reference(&data), reference(b"")));
    }
}
