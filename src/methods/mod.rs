//! The systems that can be trained. Training, evaluation and sampling see them only through [`Method`].

pub mod discriminator;
pub mod domains;
#[cfg(test)]
mod golden;
pub mod layers;
pub mod losses;
pub mod stargan;
pub mod stargan_v2;
mod trained;

use crate::experiment::settings::RunSpec;
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;

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
}

/// The kinds of [`Guidance`].
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

/// Training images of one iteration (protocol: two independent balanced draws from the training split).
#[derive(Debug, Clone)]
pub struct Batch {
    /// Source images, N×3×S×S in [-1, 1].
    pub x_src: Tensor,
    /// Their domains, N.
    pub y_src: Vec<u32>,
    /// Reference images, N×3×S×S in [-1, 1].
    pub x_ref: Tensor,
    /// Second reference images of the same domains, N×3×S×S in [-1, 1].
    pub x_ref2: Tensor,
    /// Domains of both references, N: the target domains.
    pub y_ref: Vec<u32>,
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

    /// Translates `x` (N×3×S×S in [-1, 1]) from domains `y_src` to domains `y_trg` (N each) with the averaged weights
    /// where there are any. Returns N×3×S×S, not clamped. No gradients are recorded.
    fn translate(&self, x: &Tensor, y_src: &[u32], y_trg: &[u32], guidance: Guidance) -> Result<Tensor>;

    /// Translations of the images `x` (as in [`Method::translate`]), whose source is looked at once however many are
    /// asked for.
    fn translator<'a>(&'a self, x: &Tensor, y_src: &[u32]) -> Result<Translator<'a>> {
        let (x, y_src) = (x.clone(), y_src.to_vec());
        Ok(Box::new(move |y_trg, guidance| self.translate(&x, &y_src, y_trg, guidance)))
    }

    /// The image the cycle loss compares with `x`: `translated` (output of [`Method::translate`]) taken back to `y_src`.
    fn reconstruct(&self, x: &Tensor, translated: &Tensor, y_src: &[u32], y_trg: &[u32]) -> Result<Tensor>;

    /// Everything a resumed run needs: networks, averages and optimiser moments, by name.
    fn state(&self) -> Result<HashMap<String, Tensor>>;

    /// Restores what [`Method::state`] gave. Errors name a missing or misshapen tensor.
    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()>;

    /// Networks and their parameter counts, in reporting order.
    fn parameter_counts(&self) -> Vec<(String, usize)>;
}

/// The system `spec` describes, with fresh weights, for `domains` domains.
pub fn build(spec: &RunSpec, domains: usize, device: &Device) -> Result<Box<dyn Method>> {
    Ok(Box::new(stargan_v2::StarganV2::new(spec, domains, DType::F32, device)?))
}
