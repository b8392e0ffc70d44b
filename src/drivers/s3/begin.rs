//! The begin of a multipart upload: whatever ends the call meanwhile, it is known in the end which upload
//! the server has.

use std::sync::Arc;

use super::multipart::{self, UploadId};
use super::object::Object;
use crate::error::Result;
use crate::operation::Operation;
use crate::transfer::{Runtime, Task};

#[derive(Default)]
pub struct Begin {
    /// Kept where a call ends before the server has answered.
    open: Option<Task<Result<UploadId>>>,
    begun: Option<UploadId>,
}

impl Begin {
    pub fn run(&mut self, runtime: &Runtime, op: &Operation, object: &Arc<Object>) -> Result<UploadId> {
        let object = object.clone();
        let create = async move { Ok(multipart::create(&object).await) };
        let open = self.open.insert(runtime.start(op, create)?);
        let begun = open.join(op)?;
        self.open = None;
        let id = begun?;
        self.begun = Some(id.clone());
        Ok(id)
    }

    /// The upload that the server has, waiting for its begin where that is open.
    pub fn settle(&mut self, op: &Operation) -> Option<UploadId> {
        let open = self.open.take().and_then(|open| open.join(op).ok()?.ok());
        self.begun.take().or(open)
    }
}
