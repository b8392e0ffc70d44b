//! The chunk reader: makes full, pooled buffers out of whatever an input hands over.

use super::Source;
use super::buffers::{Piece, Pool};
use crate::error::Result;
use crate::operation::Operation;

/// What an input had at its present position.
pub enum Portion {
    /// So many bytes were put at the front of the buffer; at least one.
    Data(usize),
    /// So many zero bytes are not stored and were skipped; at least one.
    Hole(u64),
    End,
}

/// Bytes of a caller, in whatever portions they come.
pub trait Input {
    fn read(&mut self, op: &Operation, buffer: &mut [u8]) -> Result<Portion>;
}

/// Reads an input into pooled buffers, full ones but for the last and before a hole.
pub struct ChunkReader<I> {
    input: I,
    pool: Pool,
    /// How much of the promised size is left, where one was promised.
    left: Option<u64>,
    /// What came after the bytes that were handed out last.
    after: Option<Portion>,
}

impl<I: Input> ChunkReader<I> {
    /// With a promised size it asks for that and one byte more, never further: enough to tell that a
    /// source is too long, and the end of one that never ends.
    pub fn new(input: I, pool: Pool, promised: Option<u64>) -> Self {
        ChunkReader { input, pool, left: promised, after: None }
    }

    fn read_chunk(&mut self, op: &Operation) -> Result<Option<Piece>> {
        let mut buffer = self.pool.take(op)?;
        let wanted = self.left.map_or(u64::MAX, |left| left.saturating_add(1));
        let room = usize::try_from(wanted).unwrap_or(usize::MAX).min(buffer.len());
        let mut filled = 0;
        while filled < room {
            op.check()?;
            match self.input.read(op, &mut buffer[filled..room])? {
                Portion::Data(count) => filled += count,
                other => {
                    self.after = Some(other);
                    break;
                }
            }
        }
        if filled > 0 {
            return Ok(Some(Piece::Data(buffer.freeze(filled))));
        }
        match self.after.take() {
            Some(Portion::Hole(len)) => Ok(Some(Piece::Hole(len))),
            _ => {
                self.after = Some(Portion::End);
                Ok(None)
            }
        }
    }
}

impl<I: Input> Source for ChunkReader<I> {
    fn next(&mut self, op: &Operation) -> Result<Option<Piece>> {
        let piece = match self.after.take() {
            Some(Portion::Hole(len)) => Some(Piece::Hole(len)),
            Some(Portion::End) => {
                self.after = Some(Portion::End);
                None
            }
            _ => self.read_chunk(op)?,
        };
        if let (Some(left), Some(piece)) = (&mut self.left, &piece) {
            *left = left.saturating_sub(piece.len());
        }
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a script of answers and notes the room that each read was offered.
    struct Script {
        answers: std::vec::IntoIter<Portion>,
        offered: Vec<usize>,
    }

    impl Input for &mut Script {
        fn read(&mut self, _op: &Operation, buffer: &mut [u8]) -> Result<Portion> {
            self.offered.push(buffer.len());
            Ok(match self.answers.next().unwrap_or(Portion::End) {
                Portion::Data(count) => {
                    buffer[..count].fill(b'x');
                    Portion::Data(count)
                }
                other => other,
            })
        }
    }

    fn play(answers: Vec<Portion>, promised: Option<u64>) -> (Vec<(bool, u64)>, Vec<usize>) {
        let op = Operation::default();
        let mut script = Script { answers: answers.into_iter(), offered: Vec::new() };
        let mut reader = ChunkReader::new(&mut script, Pool::new(&op, 10, 100), promised);
        let mut pieces = Vec::new();
        while let Some(piece) = reader.next(&op).unwrap() {
            pieces.push((matches!(piece, Piece::Data(_)), piece.len()));
        }
        assert!(reader.next(&op).unwrap().is_none(), "the end is the end");
        (pieces, script.offered)
    }

    #[test]
    fn short_reads_make_full_chunks() {
        let (pieces, offered) =
            play(vec![Portion::Data(4), Portion::Data(6), Portion::Data(1), Portion::Data(2)], None);
        assert_eq!(pieces, [(true, 10), (true, 3)]);
        assert_eq!(offered, [10, 6, 10, 9, 7]);
    }

    #[test]
    fn holes_keep_their_place() {
        let (pieces, _) = play(
            vec![Portion::Hole(5), Portion::Data(3), Portion::Hole(7), Portion::Hole(1), Portion::Data(1)],
            None,
        );
        assert_eq!(pieces, [(false, 5), (true, 3), (false, 7), (false, 1), (true, 1)]);
    }

    #[test]
    fn a_promised_size_is_exceeded_by_one_byte_at_most() {
        let (_, offered) = play(vec![Portion::Data(10), Portion::Data(2)], Some(12));
        assert_eq!(offered, [10, 3, 1]);
    }

    #[test]
    fn the_end_is_asked_for_once() {
        let (pieces, offered) = play(vec![], Some(0));
        assert!(pieces.is_empty());
        assert_eq!(offered, [1]);
    }
}
