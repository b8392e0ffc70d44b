//! Which parts of an image may hold data, looked up some way ahead of who reads them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::backend::OpenImage;
use crate::error::Result;
use crate::operation::Operation;
use crate::transfer::{Runtime, Worker};

/// How much of the image one look is for.
const WINDOW: u64 = 1 << 30;

pub struct Layout {
    image: Arc<OpenImage>,
    runtime: Arc<Runtime>,
    /// Where what is read ends.
    end: u64,
    /// Extents with data, as far as they are known.
    extents: VecDeque<Range<u64>>,
    known_to: u64,
    /// The look at what comes then.
    ahead: Option<Worker<Vec<Range<u64>>>>,
}

/// The size of the largest objects.  librbd before 16.2.8 misplaces what it finds when the look begins amid one.
const LARGEST_OBJECT: u64 = 32 << 20;

/// What begins at a position.
pub enum Stretch {
    Data { end: u64 },
    Hole { end: u64 },
}

impl Layout {
    pub fn new(image: Arc<OpenImage>, runtime: Arc<Runtime>, range: Range<u64>) -> Self {
        Layout { image, runtime, end: range.end, extents: VecDeque::new(), known_to: range.start, ahead: None }
    }

    /// What begins at `position`, which only grows and is before the end.
    pub fn at(&mut self, op: &Operation, position: u64) -> Result<Stretch> {
        while position >= self.known_to {
            self.look_on(op)?;
        }
        while self.extents.front().is_some_and(|extent| extent.end <= position) {
            self.extents.pop_front();
        }
        Ok(match self.extents.front() {
            Some(extent) if extent.start <= position => Stretch::Data { end: extent.end },
            Some(extent) => Stretch::Hole { end: extent.start },
            None => Stretch::Hole { end: self.known_to },
        })
    }

    fn look_on(&mut self, op: &Operation) -> Result<()> {
        let looking = match self.ahead.take() {
            Some(looking) => looking,
            None => self.look(op, self.known_to)?,
        };
        self.extents.extend(looking.join(op)?);
        self.known_to = self.end_of_look(self.known_to);
        if self.known_to < self.end {
            self.ahead = Some(self.look(op, self.known_to)?);
        }
        Ok(())
    }

    fn end_of_look(&self, start: u64) -> u64 {
        start.saturating_add(WINDOW).min(self.end)
    }

    fn look(&self, op: &Operation, start: u64) -> Result<Worker<Vec<Range<u64>>>> {
        let (image, range) = (self.image.clone(), start..self.end_of_look(start));
        self.runtime.spawn(op, move || {
            let from_an_object = range.start / LARGEST_OBJECT * LARGEST_OBJECT..range.end;
            // What cannot be told apart is read.
            let extents = image.extents(from_an_object).unwrap_or_else(|_| vec![range.clone()]);
            let clipped = extents.into_iter().map(|extent| extent.start.max(range.start)..extent.end.min(range.end));
            Ok(clipped.filter(|extent| extent.start < extent.end).collect())
        })
    }
}
