//! What one iteration computes on: images, and draws by purpose.

use crate::methods::Result;
use candle_core::{DType, Device, Tensor};
use harness_ops::random::Key;
use harness_ops::{Error, Variable, reshape};

/// Images of both domains in the networks' number type, each M×3×S×S in [-1, 1].
#[derive(Debug)]
pub(super) struct Images {
    /// First halves of the batch, whose contents and attributes are encoded.
    pub encoded: [Variable; 2],
    /// Second halves, the real images beside translations with random attributes.
    pub random: [Variable; 2],
}

impl Images {
    /// Batches of both domains in halves (official code: one image each).
    ///
    /// # Errors
    /// An odd number of images.
    pub(super) fn new(batches: [&Tensor; 2], dtype: DType, device: &Device) -> Result<Self> {
        let halves = |batch: &Tensor| -> Result<[Variable; 2]> {
            let batch = batch.to_device(device)?.to_dtype(dtype)?;
            let (n, half) = (batch.dim(0)?, batch.dim(0)? / 2);
            if n != 2 * half || half == 0 {
                let problem = format!("an even number of images is needed, found {n}");
                return Err(Error::Operands { operation: "train", problem });
            }
            let part =
                |start| -> Result<Variable> { Ok(Variable::constant(batch.narrow(0, start, half)?.contiguous()?)) };
            Ok([part(0)?, part(half)?])
        };
        let ([encoded_a, random_a], [encoded_b, random_b]) = (halves(batches[0])?, halves(batches[1])?);
        Ok(Self { encoded: [encoded_a, encoded_b], random: [random_a, random_b] })
    }
}

/// What is drawn from N(0, 1) in an iteration. Numbers are domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draw {
    /// Noise on the contents of images.
    Noise(usize),
    /// Deviations of the attributes of images from their means.
    Attribute(usize),
    /// The attributes of random translations, first and second.
    Latent(usize),
    /// Noise on the contents of translations, by the domain that they are images of.
    CycleNoise(usize),
    /// Deviations of the attributes of translations.
    CycleAttribute(usize),
}

/// A draw of the given shape; the same again for the same purpose.
pub(super) type Draws<'a> = &'a dyn Fn(Draw, &[usize]) -> Result<Variable>;

/// Where the draws of one pair's model come from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub seed: u64,
    /// The pair's name: models of different pairs draw differently.
    pub pair: String,
    pub dtype: DType,
    pub device: Device,
}

impl Source {
    /// The draw of `iteration` for one purpose.
    pub(super) fn draw(&self, iteration: u64, draw: Draw, shape: &[usize]) -> Result<Variable> {
        let key = Key::new(self.seed, &format!("{} {draw:?}", self.pair));
        // Rows are made by different threads: of noise on a content, every channel.
        let rows: usize = shape.iter().take(2).product();
        let values =
            key.normal(iteration, (rows, shape.iter().skip(2).product::<usize>()), self.dtype, &self.device)?;
        reshape(&Variable::constant(values), shape)
    }

    /// One row of N(0, 1) draws per image, N×`len`, that depends on the seed and the image alone: an evaluation gives a
    /// reference the same attribute whatever batch it comes in.
    pub(super) fn draw_for(&self, images: &Tensor, len: usize) -> Result<Variable> {
        let key = Key::new(self.seed, &format!("{} reference", self.pair));
        let rows = images.flatten_from(1)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        let mut values = Vec::with_capacity(rows.len() * len);
        for row in &rows {
            let mut hasher = blake3::Hasher::new();
            row.iter().for_each(|value| {
                hasher.update(&value.to_le_bytes());
            });
            let hash = hasher.finalize();
            let number = hash.as_bytes().iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte));
            let mut stream = key.stream(number, 0);
            values.extend((0..len).map(|_| stream.normal()));
        }
        let values = Tensor::from_vec(values, (rows.len(), len), &Device::Cpu)?;
        Ok(Variable::constant(values.to_dtype(self.dtype)?.to_device(&self.device)?))
    }
}
