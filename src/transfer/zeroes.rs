//! Telling data from zeros.

use std::ops::Range;

use super::buffers::is_zero;

/// The runs of `data`, which lies at `position` of an image, whose blocks are not all zeros.
pub fn data_runs(data: &[u8], position: u64, block: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let into_block = (position % block as u64) as usize;
    let mut start = 0;
    std::iter::from_fn(move || {
        let block_end = |at: usize| ((at + into_block) / block * block + block - into_block).min(data.len());
        while start < data.len() && is_zero(&data[start..block_end(start)]) {
            start = block_end(start);
        }
        let run_start = start;
        while start < data.len() && !is_zero(&data[start..block_end(start)]) {
            start = block_end(start);
        }
        (run_start < start).then_some(run_start..start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 4096;

    fn runs(data: &[u8], position: u64) -> Vec<(usize, usize)> {
        data_runs(data, position, BLOCK).map(|run| (run.start, run.end)).collect()
    }

    #[test]
    fn zero_blocks_are_left_out() {
        let mut data = vec![0; 5 * BLOCK];
        assert_eq!(runs(&data, 0), []);
        data[BLOCK] = 1;
        data[3 * BLOCK - 1] = 1;
        data[5 * BLOCK - 1] = 1;
        assert_eq!(runs(&data, 0), [(BLOCK, 3 * BLOCK), (4 * BLOCK, 5 * BLOCK)]);
        assert_eq!(runs(&data, 7 * BLOCK as u64), runs(&data, 0));
    }

    #[test]
    fn blocks_are_those_of_the_image_not_of_the_piece() {
        let mut data = vec![0; 2 * BLOCK];
        data[BLOCK] = 1;
        assert_eq!(runs(&data, 100), [(BLOCK - 100, 2 * BLOCK - 100)]);
        assert_eq!(runs(&[0, 0, 1], 4095), [(1, 3)]);
        assert_eq!(runs(&[1, 0, 0], 4095), [(0, 1)]);
    }

    #[test]
    fn a_short_last_block_counts() {
        assert_eq!(runs(&[0; 10], 0), []);
        assert_eq!(runs(&[0, 1], 8192), [(0, 2)]);
        assert_eq!(runs(&[], 5), []);
    }
}
