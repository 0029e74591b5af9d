//! How blocks share the rows of channels of an image whose channels lie together.

use candle_core::cuda_backend::cudarc::driver::LaunchConfig;
use candle_core::{Result, bail};

/// Threads of each block; the kernels' `THREADS`.
const THREADS: usize = 256;

/// Blocks beyond which a launch is not cut further: several for each multiprocessor of a large GPU.
const ENOUGH_BLOCKS: usize = 1 << 10;

/// Rows that each thread should have at least.
const LEAST_ROWS: usize = 8;

/// Parts that the rows of one sample are cut into at most.
const MOST_PARTS: usize = 1 << 10;

/// `samples` images of `rows` pixels with `channels` each, cut into parts of the rows. Sizes alone decide, so that sums come
/// out alike on every device.
pub(super) struct RowSplit {
    samples: usize,
    /// Channels that a thread treats together.
    lanes: usize,
    tiles: usize,
    /// Parts of the rows of each sample.
    pub parts: usize,
}

impl RowSplit {
    pub(super) fn new<T>(samples: usize, rows: usize, channels: usize) -> Self {
        let pack = 16 / size_of::<T>().max(1);
        let lanes = if channels.is_multiple_of(pack) { pack } else { 1 };
        let units = (channels / lanes).max(1);
        let tiles = units.div_ceil(THREADS);
        let at_once = THREADS / units.min(THREADS);
        let most = (rows / (at_once * LEAST_ROWS)).clamp(1, MOST_PARTS);
        let parts = (ENOUGH_BLOCKS / (samples * tiles)).clamp(1, most);
        Self { samples, lanes, tiles, parts }
    }

    /// The kernels' flag: channels in packs of sixteen bytes.
    pub(super) fn packed(&self) -> u64 {
        u64::from(self.lanes > 1)
    }

    /// A block for each part of each sample and each tile of channels.
    ///
    /// # Errors
    /// More blocks than a grid can have.
    pub(super) fn grid(&self) -> Result<LaunchConfig> {
        match (i32::try_from(self.samples * self.parts), u16::try_from(self.tiles)) {
            (Ok(across), Ok(down)) => Ok(LaunchConfig {
                grid_dim: (across as u32, u32::from(down), 1),
                block_dim: (THREADS as u32, 1, 1),
                shared_mem_bytes: 0,
            }),
            _ => bail!("{} x {} blocks do not make a grid", self.samples * self.parts, self.tiles),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        // 64 channels of f32 at 256 x 256, batch 8: sixteen packs, sixteen rows at a time.
        let split = RowSplit::new::<f32>(8, 65_536, 64);
        assert_eq!((split.packed(), split.tiles, split.parts), (1, 1, 128));
        // Three channels are no packs.
        let split = RowSplit::new::<f32>(1, 4, 3);
        assert_eq!((split.packed(), split.tiles, split.parts), (0, 1, 1));
        assert_eq!(RowSplit::new::<f64>(1, 10, 1000).tiles, 2);
    }
}
