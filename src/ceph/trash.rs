//! The trash of a pool: images without a name, until they are removed.

use std::ptr::null_mut;

use super::library::Trashed;
use super::list::{list, text_of};
use super::pool::ImagePool;
use super::{Result, c_text, check};

impl ImagePool {
    /// Takes the name from an image, which from then on has only its id; ENOENT when there is none of that name.
    /// One that was begun and interrupted is brought to its end.
    pub fn move_to_trash(&self, name: &str) -> Result<()> {
        let name = c_text(name)?;
        // SAFETY: the context is open, the name a C string.
        check(unsafe { (self.rbd().rbd_trash_move)(self.handle, name.as_ptr(), 0) }).map(|_| ())
    }

    /// The ids of the images in the trash that had that name.
    pub fn trashed(&self, name: &str) -> Result<Vec<String>> {
        let empty = || Trashed {
            id: null_mut(),
            name: null_mut(),
            source: 0,
            deletion_time: 0,
            deferment_end_time: 0,
        };
        // SAFETY: the context is open, the array that long.
        let mut entries = list(empty, |list, count| {
            check(unsafe { (self.rbd().rbd_trash_list)(self.handle, list, count) })
        })?;
        // SAFETY: librbd filled these in.
        let had_name = |entry: &&Trashed| unsafe { text_of(entry.name) } == name;
        // SAFETY: as above.
        let ids = entries.iter().filter(had_name).map(|entry| unsafe { text_of(entry.id) }).collect();
        // SAFETY: librbd filled in that many, whose texts it gets back.
        unsafe { (self.rbd().rbd_trash_list_cleanup)(entries.as_mut_ptr(), entries.len()) };
        Ok(ids)
    }

    /// Removes an image that is in the trash; ENOTEMPTY when it has snapshots, EBUSY when somebody has it open
    /// for writing.
    pub fn remove_trashed(&self, id: &str) -> Result<()> {
        let id = c_text(id)?;
        // SAFETY: the context is open, the id a C string.
        check(unsafe { (self.rbd().rbd_trash_remove)(self.handle, id.as_ptr(), true) }).map(|_| ())
    }
}
