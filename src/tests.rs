//! What tests of several modules share.

/// Marsaglia's xorshift: numbers that look random, the same ones in every run.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Random(0x9e37_79b9_7f4a_7c15)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// Spoils a text in one place: something of it, or one of `tokens`, is left out, put in, repeated or changed.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>, tokens: &[&str]) {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(16)).min(bytes.len());
        match self.below(6) {
            0 => drop(bytes.splice(at..end, tokens[self.below(tokens.len())].bytes())),
            1 => drop(bytes.splice(at..at, tokens[self.below(tokens.len())].bytes())),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => bytes[at..end].iter_mut().for_each(|byte| *byte ^= 1 << (at % 8)),
            _ => {
                let piece = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                drop(bytes.splice(to..to, piece));
            }
        }
    }
}
