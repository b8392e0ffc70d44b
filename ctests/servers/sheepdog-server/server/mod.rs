//! A Sheepdog cluster of one daemon that lives in memory.

mod cluster;
mod inode;
mod serve;

pub use cluster::{Cluster, Config, LISTING};
pub use serve::{Action, STATISTICS, Server};

use std::io::{self, Read};

pub const HEADER: usize = 48;

const WRITE: u16 = 0x01;

/// A request as it came.
pub struct Request {
    pub header: [u8; HEADER],
    pub data: Vec<u8>,
}

impl Request {
    /// The next one; none where the client has closed instead.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut request = Request { header: [0; HEADER], data: Vec::new() };
        match from.read(&mut request.header[..1])? {
            0 => return Ok(None),
            _ => from.read_exact(&mut request.header[1..])?,
        }
        if request.flags() & WRITE != 0 {
            request.data = vec![0; request.u32(12) as usize];
            from.read_exact(&mut request.data)?;
        }
        Ok(Some(request))
    }

    pub fn version(&self) -> u8 {
        self.header[0]
    }

    pub fn opcode(&self) -> u8 {
        self.header[1]
    }

    pub fn flags(&self) -> u16 {
        u16::from_le_bytes([self.header[2], self.header[3]])
    }

    pub fn length(&self) -> usize {
        self.u32(12) as usize
    }

    pub fn oid(&self) -> u64 {
        self.u64(16)
    }

    pub fn offset(&self) -> usize {
        self.u32(40) as usize
    }

    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.header[at..at + 4].try_into().unwrap())
    }

    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.header[at..at + 8].try_into().unwrap())
    }

    /// The text that the data has at that place, up to its first NUL.
    pub fn text(&self, at: usize) -> Vec<u8> {
        self.data.iter().skip(at).take(256).copied().take_while(|byte| *byte != 0).collect()
    }
}

/// An answer: what its header has behind the common part, and its data.
#[derive(Default)]
pub struct Answer {
    pub result: u32,
    /// Offsets in the header, and bytes.
    pub fields: Vec<(usize, Vec<u8>)>,
    pub data: Vec<u8>,
}

impl Answer {
    pub fn refused(result: u32) -> Self {
        Answer { result, ..Answer::default() }
    }

    pub fn with(mut self, at: usize, bytes: impl Into<Vec<u8>>) -> Self {
        self.fields.push((at, bytes.into()));
        self
    }

    pub fn with_data(data: Vec<u8>) -> Self {
        Answer { data, ..Answer::default() }
    }

    /// As it goes out.
    pub fn to_bytes(&self, request: &Request) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(1, &[request.opcode()]);
        put(4, &1u32.to_le_bytes());
        put(8, &request.header[8..12]);
        put(12, &(self.data.len() as u32).to_le_bytes());
        put(16, &self.result.to_le_bytes());
        self.fields.iter().for_each(|(at, field)| put(*at, field));
        bytes.extend(&self.data);
        bytes
    }
}
