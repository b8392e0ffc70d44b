//! The framing of the daemon's protocol: requests and answers, byte for byte.

use bytes::Bytes;

use super::codes::{self, SUCCESS};
use super::inode::MAX_VID;
use crate::error::{Error, Kind, Result};

/// The length of the header of every request and every answer.
pub const HEADER: usize = 48;

/// How much of an answer's header tells whether it is one.
pub const COMMON: usize = 16;

/// Names and tags are padded with NULs to this length.
pub const NAME: usize = 256;

/// For objects, since daemons of some releases leave out leading zeros from version 2 on.
const OBJECT_VERSION: u8 = 1;
const VDI_VERSION: u8 = 2;

/// The payload goes with the request.
const WRITE: u16 = 0x01;

const CREATE_AND_WRITE_OBJECT: u8 = 0x01;
const READ_OBJECT: u8 = 0x02;
const WRITE_OBJECT: u8 = 0x03;
const REMOVE_OBJECT: u8 = 0x04;
const NEW_VDI: u8 = 0x11;
const GET_VDI_INFO: u8 = 0x14;
const READ_VDIS: u8 = 0x15;
const DELETE_VDI: u8 = 0x17;
const GET_CLUSTER_DEFAULT: u8 = 0x18;

/// A request, all but its id.
#[derive(Clone)]
pub struct Request {
    header: [u8; HEADER],
    payload: Vec<Bytes>,
    is_repeatable: bool,
}

impl Request {
    fn new(version: u8, opcode: u8, flags: u16, length: u32) -> Self {
        let mut request = Request { header: [0; HEADER], payload: Vec::new(), is_repeatable: true };
        request.header[..2].copy_from_slice(&[version, opcode]);
        request.put(2, &flags.to_le_bytes());
        request.put(12, &length.to_le_bytes());
        request
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn on_object(opcode: u8, flags: u16, oid: u64, offset: u32, length: u32) -> Self {
        let mut request = Request::new(OBJECT_VERSION, opcode, flags, length);
        request.put(16, &oid.to_le_bytes());
        request.put(40, &offset.to_le_bytes());
        request
    }

    fn with_data(mut self, copies: u8, data: Vec<Bytes>) -> Self {
        self.header[32] = copies;
        self.payload = data;
        self
    }

    /// `data` must fit into an object, so that its length fits into the header.
    pub fn write_object(oid: u64, offset: u32, copies: u8, data: Vec<Bytes>) -> Self {
        Request::on_object(WRITE_OBJECT, WRITE, oid, offset, length_of(&data)).with_data(copies, data)
    }

    /// The object's other bytes become zeros, those that an object of that number had before as well.
    pub fn create_object(oid: u64, offset: u32, copies: u8, data: Vec<Bytes>) -> Self {
        Request::on_object(CREATE_AND_WRITE_OBJECT, WRITE, oid, offset, length_of(&data))
            .with_data(copies, data)
    }

    pub fn read_object(oid: u64, offset: u32, length: u32) -> Self {
        Request::on_object(READ_OBJECT, 0, oid, offset, length)
    }

    pub fn remove_object(oid: u64) -> Self {
        Request::on_object(REMOVE_OBJECT, 0, oid, 0, 0)
    }

    /// Not to be repeated: the answer to the second would be that the name exists.
    pub fn new_vdi(name: &str, size: u64, copies: u8) -> Self {
        let mut request = Request::new(VDI_VERSION, NEW_VDI, WRITE, NAME as u32);
        request.put(16, &size.to_le_bytes());
        request.header[28] = copies;
        request.payload = vec![padded(name)];
        request.once()
    }

    /// Asks for the working VDI of a name, no snapshot.
    pub fn get_vdi_info(name: &str) -> Self {
        Request::new(VDI_VERSION, GET_VDI_INFO, WRITE, 2 * NAME as u32).with_name_and_tag(name)
    }

    /// Asks which VDIs are in use: for a bit of each there can be.
    pub fn read_vdis() -> Self {
        Request::new(VDI_VERSION, READ_VDIS, 0, (MAX_VID + 1) / 8)
    }

    pub fn delete_vdi(name: &str) -> Self {
        Request::new(VDI_VERSION, DELETE_VDI, WRITE, 2 * NAME as u32).with_name_and_tag(name)
    }

    pub fn get_cluster_default() -> Self {
        Request::new(VDI_VERSION, GET_CLUSTER_DEFAULT, 0, 0)
    }

    fn with_name_and_tag(mut self, name: &str) -> Self {
        self.payload = vec![padded(name), padded("")];
        self
    }

    /// The same, not to be sent again when its answer was lost.
    pub fn once(mut self) -> Self {
        self.is_repeatable = false;
        self
    }

    pub fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    /// The header as it goes out.
    pub fn header(&self, id: u32) -> [u8; HEADER] {
        let mut header = self.header;
        header[8..12].copy_from_slice(&id.to_le_bytes());
        header
    }

    pub fn payload(&self) -> &[Bytes] {
        &self.payload
    }

    pub fn opcode(&self) -> u8 {
        self.header[1]
    }

    /// How many bytes come with the answer, if it is no error.
    pub fn answer_length(&self) -> usize {
        if self.payload.is_empty() { number(&self.header, 12) as usize } else { 0 }
    }
}

#[cfg(test)]
impl Request {
    /// Any request, be it none that a daemon knows.
    pub fn raw(header: [u8; HEADER], payload: Vec<u8>) -> Self {
        let payload = if payload.is_empty() { Vec::new() } else { vec![payload.into()] };
        Request { header, payload, is_repeatable: true }
    }
}

/// Requests are never larger than an object, whose size is a 32-bit number.
fn length_of(data: &[Bytes]) -> u32 {
    data.iter().map(|part| part.len() as u32).sum()
}

/// A name or a tag as the daemon keeps it; the end of one that is too long is lost.
pub fn padded(text: &str) -> Bytes {
    let mut bytes = vec![0; NAME];
    bytes.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
    bytes.into()
}

fn number(header: &[u8], at: usize) -> u32 {
    header[at..].iter().take(4).rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The beginning of an answer.
pub struct Beginning {
    pub opcode: u8,
    pub id: u32,
    pub length: usize,
}

impl Beginning {
    pub fn of(header: &[u8; HEADER]) -> Self {
        Beginning { opcode: header[1], id: number(header, 8), length: number(header, 12) as usize }
    }
}

/// An answer, with the data that came.
pub struct Answer {
    header: [u8; HEADER],
    pub data: Vec<Bytes>,
}

impl Answer {
    pub fn new(header: [u8; HEADER], data: Vec<Bytes>) -> Self {
        Answer { header, data }
    }

    pub fn result(&self) -> u32 {
        result_of(&self.header)
    }

    /// The answer of a daemon that did what was asked.
    pub fn success(self) -> Result<Self> {
        match self.result() {
            SUCCESS => Ok(self),
            result => Err(codes::refused(result)),
        }
    }

    /// The VDI that the answer names.
    pub fn vid(&self) -> Result<u32> {
        let vid = number(&self.header, 24);
        match vid {
            1..=MAX_VID => Ok(vid),
            _ => Err(Error::new(Kind::Failed, format!("the daemon names a VDI that cannot be: {vid:#x}"))),
        }
    }
}

pub fn result_of(header: &[u8; HEADER]) -> u32 {
    number(header, 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two requests that the specification spells out.
    #[test]
    fn requests_are_what_daemons_have_answered() {
        let mut expected = vec![2, 0x11, 1, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x10];
        expected.resize(HEADER, 0);
        let request = Request::new_vdi("a", 1 << 20, 0);
        assert_eq!(request.header(7)[..], expected);
        assert_eq!(request.payload()[0][..2], [b'a', 0]);
        assert_eq!(request.payload()[0].len(), 256);

        let mut expected = vec![1, 2, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0x38, 0x12, 0, 0];
        expected.extend([0, 0, 0, 0, 0x25, 0x2B, 0x7C, 0x80]);
        expected.resize(HEADER, 0);
        assert_eq!(Request::read_object(0x807C_2B25_0000_0000, 0, 4664).header(8)[..], expected);
    }

    #[test]
    fn vids_that_cannot_be_are_refused() {
        for (vid, fits) in [(0u32, false), (1, true), (0xFF_FFFF, true), (0x100_0000, false), (u32::MAX, false)] {
            let mut header = [0; HEADER];
            header[24..28].copy_from_slice(&vid.to_le_bytes());
            assert_eq!(Answer::new(header, Vec::new()).vid().is_ok(), fits, "{vid:#x}");
        }
    }
}
