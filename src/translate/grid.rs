//! Every source with every guide.

use super::guides::Guide;
use super::inputs::Picture;
use super::{Model, TranslateError};
use crate::data::images_to_tensor;
use crate::methods::Translator;
use harness_eval::SignedImages;
use image::RgbImage;

/// Sources of one forward pass, looked at.
pub(super) struct Encoded<'a> {
    /// Position of the first of them among all sources.
    pub first: usize,
    count: usize,
    translator: Translator<'a>,
}

impl<'a> Encoded<'a> {
    /// The sources from position `first` on that go through the networks together.
    pub fn new(model: &'a Model, first: usize, sources: &[Picture]) -> Result<Self, TranslateError> {
        let images: Vec<RgbImage> = sources.iter().map(|source| source.pixels.clone()).collect();
        let x = images_to_tensor(&images, model.image_size)?.to_device(&model.device)?;
        let domains: Vec<u32> = sources.iter().map(|source| source.domain).collect();
        Ok(Self { first, count: sources.len(), translator: model.method.translator(&x, &domains)? })
    }

    /// All `sources`, in as few passes as memory allows.
    pub fn all(model: &'a Model, sources: &[Picture]) -> Result<Vec<Self>, TranslateError> {
        let chunk = model.chunk();
        let chunks = sources.chunks(chunk).enumerate();
        chunks.map(|(index, part)| Self::new(model, index * chunk, part)).collect()
    }

    /// Their outputs with `guide` as the 8-bit pixels that the official code saves.
    pub fn outputs(&self, guide: &Guide) -> Result<Vec<RgbImage>, TranslateError> {
        let targets = vec![guide.domain; self.count];
        let y = guide.condition.guide(self.count, |guidance| Ok((self.translator)(&targets, guidance)?))?;
        let images = SignedImages::from_tensor(&y).map_err(|error| TranslateError::Outputs(error.into()))?.quantize();
        Ok((0..images.len()).map(|index| images.rgb_image(index)).collect())
    }
}

/// Translates every source with every guide, and gives each output with the positions of both.
pub(super) fn translate_all(
    model: &Model,
    sources: &[Picture],
    guides: &[Guide],
    each: &mut dyn FnMut(usize, usize, RgbImage) -> Result<(), TranslateError>,
) -> Result<(), TranslateError> {
    let chunk = model.chunk();
    for (index, part) in sources.chunks(chunk).enumerate() {
        let encoded = Encoded::new(model, index * chunk, part)?;
        for (row, guide) in guides.iter().enumerate() {
            for (place, output) in encoded.outputs(guide)?.into_iter().enumerate() {
                each(encoded.first + place, row, output)?;
            }
        }
    }
    Ok(())
}
