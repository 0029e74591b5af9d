//! Counter-based random numbers.
//!
//! Every draw is a pure function of (seed, purpose, step, index): there is no generator state to save, so a resumed
//! run draws what an uninterrupted one would have drawn, and adding a draw somewhere shifts nothing elsewhere.
//! The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), which a
//! GPU evaluates element by element.

use candle_core::{DType, Device, Shape, Tensor};
use rayon::prelude::*;

const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Draws of one thread at least: fewer are made before another thread wakes.
const MIN_DRAWS: usize = 1 << 12;

/// One block of Philox4x32-10: four words from a 128-bit counter under a 64-bit key.
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..10 {
        let wide = [u64::from(MULTIPLIER[0]) * u64::from(c[0]), u64::from(MULTIPLIER[1]) * u64::from(c[2])];
        let (high, low) = (wide.map(|w| (w >> 32) as u32), wide.map(|w| w as u32));
        c = [high[1] ^ c[1] ^ k[0], low[1], high[0] ^ c[3] ^ k[1], low[0]];
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    c
}

/// A seed together with what its draws are for. Distinct purposes give independent streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key([u32; 2]);

impl Key {
    /// The key of `purpose` (for example `"latent"`) under `seed`.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        let hash = hasher.finalize();
        let word = |i: usize| {
            let bytes = hash.as_bytes();
            u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
        };
        Self([word(0), word(1)])
    }

    /// The sequence of draws that belongs to `index` (for example a sample of the batch) at `step`.
    pub fn stream(self, step: u64, index: u32) -> Stream {
        Stream { key: self.0, counter: [0, index, step as u32, (step >> 32) as u32], block: [0; 4], used: 4 }
    }

    /// A tensor of independent N(0, 1) draws in `dtype` for `step`; row `i` of the first dimension is stream `i`.
    pub fn normal(
        self,
        step: u64,
        shape: impl Into<Shape>,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let shape = shape.into();
        let rows = shape.dims().first().copied().unwrap_or(1);
        let row_len = shape.elem_count().checked_div(rows).unwrap_or(0);
        let mut values = vec![0.0; shape.elem_count()];
        // Rows are independent streams, so that threads can share them.
        values.par_chunks_mut(row_len.max(1)).with_min_len(MIN_DRAWS.div_ceil(row_len.max(1))).enumerate().for_each(
            |(row, values)| {
                let mut stream = self.stream(step, row as u32);
                values.iter_mut().for_each(|value| *value = stream.normal());
            },
        );
        crate::device::upload(&Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?, device)
    }
}

/// A sequence of draws.
#[derive(Debug, Clone)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Stream {
    /// 32 uniform bits.
    pub fn bits(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox4x32(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        let (high, low) = (u64::from(self.bits()) >> 5, u64::from(self.bits()) >> 6);
        ((high << 26) | low) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [low, high).
    pub fn uniform_in(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in 0..n. `n` must be positive.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n - 1)
    }

    /// `true` with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// N(0, 1) by the Box–Muller transform (one of its two values: streams stay position-independent).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A uniform permutation of 0..n (Fisher–Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution (kat_vectors, philox 4x32 10).
    #[test]
    fn philox_known_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn draws_depend_on_every_part_of_the_key() {
        let first = |seed, purpose: &str, step, index| Key::new(seed, purpose).stream(step, index).bits();
        let base = first(1, "latent", 2, 3);
        assert_eq!(base, first(1, "latent", 2, 3));
        for other in [
            first(2, "latent", 2, 3),
            first(1, "flip", 2, 3),
            first(1, "latent", 3, 3),
            first(1, "latent", 2, 4),
            first(1, "latent", 2 + (1 << 32), 3),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn moments() {
        let mut stream = Key::new(7, "test").stream(0, 0);
        let n = 100_000;
        let normals: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let mean = normals.iter().sum::<f64>() / n as f64;
        let variance = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        let uniform = (0..n).map(|_| stream.uniform()).sum::<f64>() / n as f64;
        assert!((uniform - 0.5).abs() < 0.01, "{uniform}");
    }

    #[test]
    fn permutation_is_one() {
        let mut order = Key::new(7, "order").stream(0, 0).permutation(97);
        assert_ne!(order, (0..97).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..97).collect::<Vec<_>>());
    }
}
