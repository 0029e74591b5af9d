//! What guides the outputs.

use super::inputs::Picture;
use super::{Model, TranslateError};
use crate::data::images_to_tensor;
use crate::methods::{Guidance, MEAN_CODE_DRAWS, MeanCodes};
use candle_core::{DType, Tensor};
use harness_ops::random::Key;
use image::RgbImage;

/// What all sources are translated with once: a row of a sheet.
#[derive(Debug, Clone)]
pub(super) struct Guide {
    /// The domain the outputs are to be of.
    pub domain: u32,
    /// The reference it comes from.
    pub reference: Option<Picture>,
    /// The number of the latent code it comes from, from 1.
    pub latent: Option<usize>,
    pub condition: Condition,
}

impl Guide {
    /// What tells it from others of its domain: the name of the reference, `z1` of a latent code, nothing of a label.
    pub fn name(&self) -> String {
        let of_latent = self.latent.map_or_else(String::new, |number| format!("z{number}"));
        self.reference.as_ref().map_or(of_latent, |reference| reference.name.clone())
    }
}

/// What the networks are given, beside the domain, for one output.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Label,
    /// 1 x latent_dim.
    Latent(Tensor),
    /// 1 x 3 x S x S.
    Reference(Tensor),
    /// 1 x code length.
    Code(Tensor),
}

/// How latent codes are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws {
    pub count: usize,
    pub seed: u64,
    pub psi: Option<f64>,
}

impl Condition {
    /// Calls `work` with the guidance for `n` images.
    pub fn guide<T>(
        &self,
        n: usize,
        work: impl FnOnce(Guidance) -> Result<T, TranslateError>,
    ) -> Result<T, TranslateError> {
        let repeated =
            |row: &Tensor| row.broadcast_as([&[n], &row.dims()[1..]].concat()).and_then(|rows| rows.contiguous());
        match self {
            Self::Label => work(Guidance::Label),
            Self::Latent(z) => work(Guidance::Latent(&repeated(z)?)),
            Self::Reference(x) => work(Guidance::Reference(&repeated(x)?)),
            Self::Code(s) => work(Guidance::Code(&repeated(s)?)),
        }
    }

    /// The condition between this one and `next`: (1 - alpha) of this and alpha of that. `None` where there is nothing
    /// between them.
    pub fn towards(&self, next: &Self, alpha: f64) -> Result<Option<Self>, TranslateError> {
        let mix = |a: &Tensor, b: &Tensor| (a * (1.0 - alpha))? + (b * alpha)?;
        Ok(match (self, next) {
            (Self::Latent(a), Self::Latent(b)) => Some(Self::Latent(mix(a, b)?)),
            (Self::Code(a), Self::Code(b)) => Some(Self::Code(mix(a, b)?)),
            _ => None,
        })
    }
}

/// One guide per domain.
pub(super) fn labels(domains: &[u32]) -> Vec<Guide> {
    let guide = |&domain| Guide { domain, reference: None, latent: None, condition: Condition::Label };
    domains.iter().map(guide).collect()
}

/// The same latent codes for each of `domains`, as codes where the model has them.
///
/// # Errors
/// Truncation of a model that has no codes, or a failure of the networks.
pub(super) fn latents(model: &Model, domains: &[u32], draws: &Draws) -> Result<Vec<Guide>, TranslateError> {
    let method = model.method.as_ref();
    let means = match draws.psi {
        Some(psi) if psi != 1.0 => {
            let means = MeanCodes::new(method, model.domains.len(), draws.seed, MEAN_CODE_DRAWS)?;
            Some((means.ok_or_else(|| no_codes(psi))?, psi))
        }
        _ => None,
    };
    let key = Key::new(draws.seed, "translate/latent");
    let shape = (1, method.latent_dim());
    let mut guides = Vec::with_capacity(domains.len() * draws.count);
    for &domain in domains {
        for index in 0..draws.count {
            let z = key.normal(index as u64, shape, DType::F32, &model.device)?;
            let condition = match method.codes(&[domain], Guidance::Latent(&z))? {
                Some(code) => Condition::Code(match &means {
                    Some((means, psi)) => means.truncate(&code, &[domain], *psi)?,
                    None => code,
                }),
                None => match draws.psi {
                    Some(psi) => return Err(no_codes(psi)),
                    None => Condition::Latent(z),
                },
            };
            guides.push(Guide { domain, reference: None, latent: Some(index + 1), condition });
        }
    }
    Ok(guides)
}

fn no_codes(psi: f64) -> TranslateError {
    TranslateError::usage(format!("--psi {psi}"), "the model has no style codes to truncate; leave it out")
}

/// One guide per reference, as codes where the model has them.
///
/// # Errors
/// A failure of the networks.
pub(super) fn references(model: &Model, pictures: &[Picture]) -> Result<Vec<Guide>, TranslateError> {
    let mut guides = Vec::with_capacity(pictures.len());
    for chunk in pictures.chunks(model.chunk()) {
        let images: Vec<RgbImage> = chunk.iter().map(|picture| picture.pixels.clone()).collect();
        let x = images_to_tensor(&images, model.image_size)?.to_device(&model.device)?;
        let domains: Vec<u32> = chunk.iter().map(|picture| picture.domain).collect();
        let codes = model.method.codes(&domains, Guidance::Reference(&x))?;
        for (index, picture) in chunk.iter().enumerate() {
            let condition = match &codes {
                Some(codes) => Condition::Code(codes.narrow(0, index, 1)?),
                None => Condition::Reference(x.narrow(0, index, 1)?),
            };
            guides.push(Guide { domain: picture.domain, reference: Some(picture.clone()), latent: None, condition });
        }
    }
    Ok(guides)
}

/// Neighbouring guides of one domain, between which a video goes.
pub(super) fn transitions(guides: &[Guide]) -> Vec<[&Guide; 2]> {
    let pairs = guides.iter().zip(guides.iter().skip(1));
    pairs.filter(|(a, b)| a.domain == b.domain).map(|(a, b)| [a, b]).collect()
}
