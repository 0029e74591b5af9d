//! A domain of a data set as images to measure.

use super::tensors::resized_to_square;
use super::{DataSet, Split};
use harness_eval::{DecodedTogether, Error, ImageBatches, ImageSet, Result};
use image::RgbImage;
use std::sync::Arc;

/// Some images of one domain and split.
pub struct DomainImages {
    data: Arc<DataSet>,
    split: Split,
    domain: usize,
    indices: Vec<usize>,
    image_size: Option<usize>,
    fingerprint: String,
}

impl DomainImages {
    /// The images of `domain` with the given indices, resized to `image_size`×`image_size` as for training, or at their
    /// own sizes.
    pub fn new(
        data: Arc<DataSet>,
        split: Split,
        domain: usize,
        indices: Vec<usize>,
        image_size: Option<usize>,
    ) -> Self {
        let mut hasher = blake3::Hasher::new();
        indices.iter().for_each(|&index| {
            hasher.update(&(index as u64).to_le_bytes());
        });
        let size = image_size.map_or("native".into(), |size| size.to_string());
        let (content, chosen) = (data.fingerprint(), hasher.finalize().to_hex());
        let fingerprint = format!("data {content} {split} domain {domain} size {size} images {chosen}");
        Self { data, split, domain, indices, image_size, fingerprint }
    }
}

impl ImageSet for DomainImages {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn fingerprint(&self) -> Result<String> {
        Ok(self.fingerprint.clone())
    }

    fn name(&self, index: usize) -> String {
        self.data.name(self.split, self.domain, self.indices[index])
    }

    fn image(&self, index: usize) -> Result<RgbImage> {
        let failed = |error: super::DataError| Error::Image { name: self.name(index), problem: error.to_string() };
        let image = self.data.shared_image(self.split, self.domain, self.indices[index]).map_err(failed)?;
        let Some(size) = self.image_size else { return Ok((*image).clone()) };
        resized_to_square(&image, size).map_err(failed)
    }

    fn batches(&self, size: usize) -> Box<dyn ImageBatches + '_> {
        Box::new(DecodedTogether::new(self, size))
    }
}
