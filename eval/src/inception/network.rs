//! The network and its taps.

use super::Preprocessing;
use super::blocks::{Block, Chain, block_a, block_b, block_c, block_d, block_e, stem_64, stem_192};
use crate::maps::{Maps, groups};
use crate::pooling::{Window, max_pool};
use crate::weights::WeightsBytes;
use crate::{Error, Protocol, Result, UnitImages};
use rayon::prelude::*;
use std::path::Path;

/// Images that go through the network together: enough to read the weights (95 MB) seldom, few enough for memory (about
/// 15 MB an image).
const IMAGES_AT_A_TIME: usize = 8;

/// A place in the network whose channels, averaged over space, are a feature vector (pytorch-fid's `--dims`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tap {
    /// After the first pooling.
    Dim64,
    /// After the second pooling.
    Dim192,
    /// After Mixed_6e, before the auxiliary classifier.
    Dim768,
    /// The last pooling: the features of FID.
    Dim2048,
}

impl Tap {
    /// Length of the feature vector.
    pub fn dimension(self) -> usize {
        match self {
            Tap::Dim64 => 64,
            Tap::Dim192 => 192,
            Tap::Dim768 => 768,
            Tap::Dim2048 => 2048,
        }
    }

    /// Name of the Fréchet distance of these features: `fid` for the last, `fid_{dimension}` for the others, which are
    /// not FID.
    pub fn metric(self) -> String {
        match self {
            Tap::Dim2048 => "fid".into(),
            _ => format!("fid_{}", self.dimension()),
        }
    }
}

/// The TensorFlow network of 2015-12-05 on which FID is defined, as pytorch-fid rebuilds it.
pub struct Inception {
    file: String,
    hash: String,
    taps: Vec<Tap>,
    stem_64: Chain,
    stem_192: Option<Chain>,
    /// Mixed_5b to Mixed_6e.
    middle: Vec<Block>,
    /// Mixed_7a to Mixed_7c.
    end: Vec<Block>,
}

impl Inception {
    /// Loads a safetensors file with pytorch-fid's names, with batch normalisation as parameters (`NAME.conv.weight`,
    /// `NAME.bn.*`) or folded (`NAME.weight`, `NAME.bias`). Other tensors, such as the classifier, are ignored.
    ///
    /// A file may end after a tap; [`Inception::taps`] says which are complete.
    ///
    /// # Errors
    /// The file cannot be read, is no complete safetensors file, lacks a tensor among those between two taps, or has
    /// one of another shape. The message names the file and the tensors.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = WeightsBytes::read(path)?;
        let mut weights = bytes.open("the FID Inception network")?;
        let weights = &mut weights;
        let mut taps = vec![Tap::Dim64];
        let stem_64 = stem_64(weights)?;
        weights.end_required()?;

        let stem_192 = Some(stem_192(weights)?);
        let stem_192 = if weights.end_group()? { stem_192 } else { None };

        let mut middle = vec![
            block_a(weights, "Mixed_5b", 192, 32)?,
            block_a(weights, "Mixed_5c", 256, 64)?,
            block_a(weights, "Mixed_5d", 288, 64)?,
            block_b(weights, "Mixed_6a", 288)?,
        ];
        for (name, width) in [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)] {
            middle.push(block_c(weights, name, width)?);
        }
        let has_middle = weights.end_group()?;

        let end = vec![
            block_d(weights, "Mixed_7a")?,
            block_e(weights, "Mixed_7b", 1280, false)?,
            block_e(weights, "Mixed_7c", 2048, true)?,
        ];
        let has_end = weights.end_group()?;

        // A later part without an earlier one is of no use.
        let complete = [(Tap::Dim192, stem_192.is_some()), (Tap::Dim768, has_middle), (Tap::Dim2048, has_end)];
        taps.extend(complete.iter().take_while(|(_, present)| *present).map(|(tap, _)| *tap));
        let hash = bytes.hash();
        Ok(Self { file: bytes.file, hash, taps, stem_64, stem_192, middle, end })
    }

    /// The taps that the weights file supports, in order.
    pub fn taps(&self) -> &[Tap] {
        &self.taps
    }

    /// The deepest of them.
    pub fn deepest_tap(&self) -> Tap {
        *self.taps.last().expect("invariant: loading requires the first tap")
    }

    /// Hex BLAKE3 of the weights file.
    pub fn weights_hash(&self) -> &str {
        &self.hash
    }

    /// What stands beside a Fréchet distance of images of `side` 8-bit pixels.
    pub fn protocol(&self, tap: Tap, preprocessing: Preprocessing, side: usize) -> Protocol {
        let resize = format!("native{side}-{}", preprocessing.resize());
        Protocol::new(&tap.metric(), preprocessing.id(), resize, "u8", &self.hash)
    }

    /// Feature vectors at `tap`, N×dimension row-major.
    ///
    /// # Errors
    /// The weights file does not support the tap.
    pub fn features(&self, images: &UnitImages, preprocessing: Preprocessing, tap: Tap) -> Result<Vec<f32>> {
        if !self.taps.contains(&tap) {
            return Err(Error::TapUnsupported {
                file: self.file.clone(),
                wanted: tap.dimension(),
                supported: self.taps.iter().map(|tap| tap.dimension()).collect(),
            });
        }
        let rows: Vec<Vec<f32>> = groups(images.len(), IMAGES_AT_A_TIME)
            .into_par_iter()
            .map(|group| {
                let mut input = Maps { count: group.len(), channels: 3, height: 0, width: 0, data: Vec::new() };
                for index in group {
                    let image = preprocessing.apply(images.image(index), images.height(), images.width());
                    (input.height, input.width) = (image.height, image.width);
                    input.data.extend(image.data);
                }
                Ok(self.until(tap, input)?.spatial_mean())
            })
            .collect::<Result<_>>()?;
        Ok(rows.concat())
    }

    fn until(&self, tap: Tap, input: Maps) -> Result<Maps> {
        let mut x = max_pool(&self.stem_64.forward(input)?, Window::HALVING);
        if tap >= Tap::Dim192 {
            let stem = self.stem_192.as_ref().expect("invariant: the tap is supported (checked by the caller)");
            x = max_pool(&stem.forward(x)?, Window::HALVING);
        }
        if tap >= Tap::Dim768 {
            x = self.middle.iter().try_fold(x, |x, block| block.forward(&x))?;
        }
        if tap >= Tap::Dim2048 {
            x = self.end.iter().try_fold(x, |x, block| block.forward(&x))?;
        }
        Ok(x)
    }
}
