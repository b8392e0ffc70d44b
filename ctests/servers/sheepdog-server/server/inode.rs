//! An inode: its header, and the table of the owners of its objects.

use std::collections::BTreeMap;

pub const HEADER: usize = 4664;
const TABLE_END: usize = HEADER + 4 * (1 << 20);

#[derive(Clone)]
pub struct Inode {
    header: Vec<u8>,
    /// Without those that are 0.
    pub owners: BTreeMap<u32, u32>,
}

impl Inode {
    pub fn new(vid: u32, name: &[u8]) -> Self {
        let mut inode = Inode { header: vec![0; HEADER], owners: BTreeMap::new() };
        inode.put(0, name);
        inode.put(560, &vid.to_le_bytes());
        inode
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        self.header[at..at + N].try_into().unwrap()
    }

    pub fn text(&self, at: usize) -> Vec<u8> {
        self.header[at..at + 256].iter().copied().take_while(|byte| *byte != 0).collect()
    }

    pub fn name(&self) -> Vec<u8> {
        self.text(0)
    }

    pub fn tag(&self) -> Vec<u8> {
        self.text(256)
    }

    pub fn size(&self) -> u64 {
        u64::from_le_bytes(self.get(536))
    }

    pub fn is_snapshot(&self) -> bool {
        self.get::<8>(520) != [0; 8]
    }

    /// The name and the size go; the inode stays.
    pub fn unlink(&mut self) {
        self.header[..256].fill(0);
        self.put(536, &[0; 8]);
    }

    pub fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        (offset..offset + length).map(|at| self.byte(at)).collect()
    }

    fn byte(&self, at: usize) -> u8 {
        match at {
            0..HEADER => self.header[at],
            HEADER..TABLE_END => {
                let (index, byte) = ((at - HEADER) / 4, (at - HEADER) % 4);
                self.owners.get(&(index as u32)).map_or(0, |owner| owner.to_le_bytes()[byte])
            }
            _ => 0,
        }
    }

    /// Writes; returns the owners that were there before, of the objects whose owner has changed.
    pub fn write(&mut self, offset: usize, data: &[u8]) -> Vec<(u32, u32)> {
        let mut lost = Vec::new();
        let in_header = HEADER.saturating_sub(offset).min(data.len());
        self.put(offset.min(HEADER), &data[..in_header]);
        let start = offset.max(HEADER) - HEADER;
        for (step, four) in data[in_header..].chunks_exact(4).enumerate() {
            let (index, owner) = ((start / 4 + step) as u32, u32::from_le_bytes(four.try_into().unwrap()));
            let before = match owner {
                0 => self.owners.remove(&index),
                _ => self.owners.insert(index, owner),
            };
            lost.extend(before.filter(|before| *before != owner).map(|before| (index, before)));
        }
        lost
    }
}
