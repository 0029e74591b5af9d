//! The systems that can be trained. Training, evaluation and sampling see them only through [`Method`].

mod build;
pub mod discriminator;
pub mod domains;
pub mod drit;
#[cfg(test)]
mod golden;
pub mod layers;
pub mod losses;
pub mod multi_scale;
pub mod munit;
pub mod objective;
#[cfg(all(test, feature = "cuda"))]
pub(crate) mod on_cuda;
pub mod pairs;
pub mod schedule;
pub mod stargan;
pub mod stargan_v2;
mod trained;
mod truncation;

use candle_core::{Device, Tensor};
use harness_ops::device::upload;
use std::collections::HashMap;

pub use build::{BuildError, Frozen, build, build_with};
pub use truncation::{MEAN_CODE_DRAWS, MeanCodes};

/// Errors of networks and training steps.
pub type Result<T> = std::result::Result<T, harness_ops::Error>;

/// What selects one output among the possible translations of an image.
#[derive(Debug, Clone, Copy)]
pub enum Guidance<'a> {
    /// The target domain alone; one output per source.
    Label,
    /// Latent codes, N×latent_dim, N(0, 1).
    Latent(&'a Tensor),
    /// Reference images of the target domain, N×3×S×S in [-1, 1].
    Reference(&'a Tensor),
    /// Codes as [`Method::codes`] gives them, N×code length, possibly mixed or truncated.
    Code(&'a Tensor),
}

impl<'a> Guidance<'a> {
    /// The codes or images it consists of, one row per output.
    pub fn tensor(&self) -> Option<&'a Tensor> {
        match self {
            Guidance::Label => None,
            Guidance::Latent(rows) | Guidance::Reference(rows) | Guidance::Code(rows) => Some(rows),
        }
    }

    /// The same kind with other rows; a label has none.
    pub fn with<'b>(&self, rows: Option<&'b Tensor>) -> Guidance<'b> {
        match (self, rows) {
            (Guidance::Latent(_), Some(rows)) => Guidance::Latent(rows),
            (Guidance::Reference(_), Some(rows)) => Guidance::Reference(rows),
            (Guidance::Code(_), Some(rows)) => Guidance::Code(rows),
            _ => Guidance::Label,
        }
    }
}

/// The kinds of [`Guidance`] that a method can be trained for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// [`Guidance::Label`].
    Label,
    /// [`Guidance::Latent`].
    Latent,
    /// [`Guidance::Reference`].
    Reference,
}

impl Mode {
    /// The name used in records: `label`, `latent` or `reference`.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Label => "label",
            Mode::Latent => "latent",
            Mode::Reference => "reference",
        }
    }
}

/// Training images of one iteration.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Source images, N×3×S×S in [-1, 1].
    pub x_src: Tensor,
    /// Their domains, N. For methods of two domains, in order: first all of domain 0, then as many of domain 1, ….
    pub y_src: Vec<u32>,
    /// Reference images; methods of two domains have none.
    pub references: Option<References>,
}

/// Reference images of one iteration, drawn independently of the sources.
#[derive(Debug, Clone)]
pub struct References {
    /// N×3×S×S in [-1, 1].
    pub x: Tensor,
    /// Second images of the same domains, N×3×S×S in [-1, 1].
    pub x2: Tensor,
    /// Domains of both, N: the target domains.
    pub y: Vec<u32>,
}

impl Batch {
    /// The reference images.
    ///
    /// # Errors
    /// There are none.
    pub fn references(&self) -> Result<&References> {
        self.references.as_ref().ok_or_else(|| harness_ops::Error::Operands {
            operation: "train",
            problem: "a batch with reference images is needed, found one without".into(),
        })
    }

    /// The same on another device, which nothing here waits for.
    ///
    /// # Errors
    /// The device fails.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let moved = |references: &References| {
            let References { x, x2, y } = references;
            Result::Ok(References { x: upload(x, device)?, x2: upload(x2, device)?, y: y.clone() })
        };
        let references = self.references.as_ref().map(moved).transpose()?;
        Ok(Self { x_src: upload(&self.x_src, device)?, y_src: self.y_src.clone(), references })
    }
}

/// A scalar of a training step, still on the device.
pub type Losses = Vec<(String, Tensor)>;

/// From target domains (N) and guidance to the translations of N source images, N×3×S×S, not clamped.
pub type Translator<'a> = Box<dyn Fn(&[u32], Guidance) -> Result<Tensor> + 'a>;

/// A system that translates images between domains and can be trained.
pub trait Method: Send {
    /// The kinds of guidance it has been trained for, in reporting order.
    fn modes(&self) -> Vec<Mode>;

    /// Length of the latent code, for [`Guidance::Latent`].
    fn latent_dim(&self) -> usize;

    /// One full training iteration. `iteration` counts from 0; all random draws depend on it and the seed alone.
    /// Returns scalars to log; the caller reads them only when it logs.
    fn step(&mut self, iteration: u64, batch: &Batch) -> Result<Losses>;

    /// Whether it must know the domain of a source to translate it.
    fn needs_source_domain(&self) -> bool {
        false
    }

    /// Translates `x` (N×3×S×S in [-1, 1]) from domains `y_src` to domains `y_trg` (N each) with the averaged weights
    /// where there are any. Returns N×3×S×S, not clamped. No gradients are recorded.
    fn translate(&self, x: &Tensor, y_src: &[u32], y_trg: &[u32], guidance: Guidance) -> Result<Tensor>;

    /// Translations of the images `x` (as in [`Method::translate`]), whose source is looked at once however many are
    /// asked for.
    fn translator<'a>(&'a self, x: &Tensor, y_src: &[u32]) -> Result<Translator<'a>> {
        let (x, y_src) = (x.clone(), y_src.to_vec());
        Ok(Box::new(move |y_trg, guidance| self.translate(&x, &y_src, y_trg, guidance)))
    }

    /// What `guidance` comes down to, as codes N×length that [`Guidance::Code`] takes back for the same target domains:
    /// style codes of StarGAN v2. `None` if the system has no such code between guidance and image. Averaged weights
    /// where there are any; no gradients are recorded.
    fn codes(&self, y_trg: &[u32], guidance: Guidance) -> Result<Option<Tensor>> {
        let _ = (y_trg, guidance);
        Ok(None)
    }

    /// The image the cycle loss compares with `x`: `translated` (output of [`Method::translate`]) taken back to `y_src`.
    fn reconstruct(&self, x: &Tensor, translated: &Tensor, y_src: &[u32], y_trg: &[u32]) -> Result<Tensor>;

    /// Everything a resumed run needs: networks, averages and optimiser moments, by name.
    fn state(&self) -> Result<HashMap<String, Tensor>>;

    /// Restores what [`Method::state`] gave. Errors name a missing or misshapen tensor.
    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()>;

    /// Networks that are used as they are, never trained, and the hashes of their weights' content.
    fn frozen(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Networks and their parameter counts, in reporting order.
    fn parameter_counts(&self) -> Vec<(String, usize)>;
}
