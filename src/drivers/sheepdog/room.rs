//! Where the data of answers goes: straight from the socket, copied by nobody.

use bytes::Bytes;

use crate::transfer::{Buffer, Pool};

/// Where the data of answers is to go.
#[derive(Clone)]
pub enum Space {
    /// Into memory of its own, in parts of at most so many bytes.
    Own(usize),
    /// Into a buffer of a call; it must not be larger than that.
    Pooled(Pool),
}

/// The place for the data of one answer.
pub enum Room {
    Own(Vec<Vec<u8>>),
    Pooled(Buffer, usize),
}

impl Space {
    /// Room for so many bytes, as soon as there is.
    pub async fn room(&self, length: usize) -> Room {
        match self {
            Space::Own(part) => {
                let starts = (0..length).step_by((*part).max(1));
                Room::Own(starts.map(|start| vec![0; (length - start).min(*part)]).collect())
            }
            Space::Pooled(pool) => Room::Pooled(pool.take_in_task().await, length),
        }
    }
}

impl Room {
    /// What to fill, in its order.
    pub fn parts(&mut self) -> Vec<&mut [u8]> {
        match self {
            Room::Own(parts) => parts.iter_mut().map(Vec::as_mut_slice).collect(),
            Room::Pooled(buffer, length) => buffer.get_mut(..*length).into_iter().collect(),
        }
    }

    /// The data, of which `length` bytes came: all or none.
    pub fn filled(self, length: usize) -> Vec<Bytes> {
        match self {
            _ if length == 0 => Vec::new(),
            Room::Own(parts) => parts.into_iter().map(Bytes::from).collect(),
            Room::Pooled(buffer, length) => vec![buffer.freeze(length)],
        }
    }
}
