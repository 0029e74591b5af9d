//! The network and its taps.

use super::Preprocessing;
use super::blocks::{Block, Chain, HALVING, block_a, block_b, block_c, block_d, block_e, stem_64, stem_192};
use super::device_input::DeviceInputs;
use super::preprocessing::INPUT_SIDE;
use crate::maps::{even_groups, over_groups, spatial_mean};
use crate::weights::{BatchNormalization, TensorSpec, Weights, WeightsBytes, tensors_taken};
use crate::{Error, Result, Rgb8Images, Rgb8Tensor};
use candle_core::{Device, Tensor};
use harness_ops::images::spatial_means;
use harness_ops::pool2d;
use std::ops::Range;
use std::path::Path;

/// Images that go through the network together on the processor: enough to transform and read the weights (95 MB) seldom,
/// few enough for the caches (about 15 MB an image).
const IMAGES_AT_A_TIME: usize = 4;

/// On another device, which needs many images at a time to be busy: the first maps and what is computed from them are some
/// 20 MB an image.
const IMAGES_AT_A_TIME_ON_DEVICE: usize = 128;

/// Which of the two networks called Inception. They differ in how they pool and in their weights, and their features
/// cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// The TensorFlow network of 2015-12-05 on which FID is defined, as pytorch-fid rebuilds it.
    Fid2015,
    /// torchvision's `inception_v3` without its `transform_input`, as the official StarGAN v2 code uses it.
    Torchvision,
}

impl Architecture {
    /// The name that the metadata of a weights file gives it: `inception-2015` or `inception-v3`.
    pub fn network(self) -> &'static str {
        match self {
            Architecture::Fid2015 => "inception-2015",
            Architecture::Torchvision => "inception-v3",
        }
    }

    /// What messages call it.
    fn description(self) -> &'static str {
        match self {
            Architecture::Fid2015 => "the FID Inception network",
            Architecture::Torchvision => "torchvision's Inception v3",
        }
    }
}

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

    /// The tap with features of this length.
    pub fn of_dimension(dimension: usize) -> Option<Self> {
        [Tap::Dim64, Tap::Dim192, Tap::Dim768, Tap::Dim2048].into_iter().find(|tap| tap.dimension() == dimension)
    }
}

/// Inception v3 up to its last pooling.
pub struct Inception {
    file: String,
    hash: String,
    architecture: Architecture,
    /// Whether the file says so.
    is_named: bool,
    device: Device,
    taps: Vec<Tap>,
    stem_64: Chain,
    stem_192: Option<Chain>,
    /// Mixed_5b to Mixed_6e.
    middle: Vec<Block>,
    /// Mixed_7a to Mixed_7c.
    end: Vec<Block>,
    /// Recipes for other devices than the processor.
    inputs: DeviceInputs,
}

impl Inception {
    /// Loads the network onto the processor, see [`Inception::load_on`].
    ///
    /// # Errors
    /// As [`Inception::load_on`].
    pub fn load(path: &Path, architecture: Architecture) -> Result<Self> {
        Self::load_on(path, architecture, &Device::Cpu)
    }

    /// Loads a safetensors file with torchvision's names, which pytorch-fid shares, with batch normalisation as parameters
    /// (`NAME.conv.weight`, `NAME.bn.*`) or folded (`NAME.weight`, `NAME.bias`). Other tensors, such as the classifier,
    /// are ignored. The network runs on `device`.
    ///
    /// A file may end after a tap; [`Inception::taps`] says which are complete. Where the file's metadata names its network
    /// under `network`, it must be the one that is asked for ([`Architecture::network`]).
    ///
    /// # Errors
    /// The file cannot be read, is no complete safetensors file, names another network, lacks a tensor among those between
    /// two taps, or has one of another shape. The message names the file and the tensors.
    pub fn load_on(path: &Path, architecture: Architecture, device: &Device) -> Result<Self> {
        let bytes = WeightsBytes::read(path)?;
        let named = bytes.network()?;
        let is_named = named.is_some();
        if let Some(found) = named.filter(|found| found != architecture.network()) {
            return Err(Error::WeightsNetwork { file: bytes.file, found, wanted: architecture.network() });
        }
        let mut weights = bytes.open(architecture.description(), device)?;
        let hash = weights.hash()?;
        Ok(Self { is_named, ..Self::build(&mut weights, architecture, bytes.file.clone(), hash)? })
    }

    /// The tensors that [`Inception::load`] takes, in the groups between two taps: the same for both architectures. A file
    /// must hold the first group, and of every other all tensors or none.
    pub fn tensors(normalization: BatchNormalization) -> Vec<Vec<TensorSpec>> {
        tensors_taken(normalization, |weights| {
            Self::build(weights, Architecture::Fid2015, String::new(), String::new()).map(drop)
        })
    }

    fn build(weights: &mut Weights, architecture: Architecture, file: String, hash: String) -> Result<Self> {
        let mut taps = vec![Tap::Dim64];
        let stem_64 = stem_64(weights)?;
        weights.end_required()?;

        let stem_192 = Some(stem_192(weights)?);
        let stem_192 = if weights.end_group()? { stem_192 } else { None };

        let mut middle = vec![
            block_a(weights, architecture, "Mixed_5b", 192, 32)?,
            block_a(weights, architecture, "Mixed_5c", 256, 64)?,
            block_a(weights, architecture, "Mixed_5d", 288, 64)?,
            block_b(weights, "Mixed_6a", 288)?,
        ];
        for (name, width) in [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)] {
            middle.push(block_c(weights, architecture, name, width)?);
        }
        let has_middle = weights.end_group()?;

        let end = vec![
            block_d(weights, "Mixed_7a")?,
            block_e(weights, architecture, "Mixed_7b", 1280, false)?,
            block_e(weights, architecture, "Mixed_7c", 2048, true)?,
        ];
        let has_end = weights.end_group()?;

        // A later part without an earlier one is of no use.
        let complete = [(Tap::Dim192, stem_192.is_some()), (Tap::Dim768, has_middle), (Tap::Dim2048, has_end)];
        taps.extend(complete.iter().take_while(|(_, present)| *present).map(|(tap, _)| *tap));
        let device = weights.device().clone();
        Ok(Self {
            file,
            hash,
            architecture,
            is_named: false,
            device,
            taps,
            stem_64,
            stem_192,
            middle,
            end,
            inputs: DeviceInputs::default(),
        })
    }

    /// Which of the two networks it is.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// What to know about a weights file that does not say which of the two networks it holds: their tensors have the
    /// same names and shapes.
    pub fn warning(&self) -> Option<String> {
        let (file, network) = (&self.file, self.architecture.network());
        let warning = || format!("{file} does not say which network it holds; that it is {network} is taken on trust");
        (!self.is_named).then(warning)
    }

    /// The taps that the weights file supports, in order.
    pub fn taps(&self) -> &[Tap] {
        &self.taps
    }

    /// The deepest of them.
    pub fn deepest_tap(&self) -> Tap {
        *self.taps.last().expect("invariant: loading requires the first tap")
    }

    /// Where the network runs.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// Hex BLAKE3 of the weights ([`crate::weights_hash`]).
    pub fn weights_hash(&self) -> &str {
        &self.hash
    }

    /// Feature vectors at `tap` of 8-bit images, N×dimension row-major.
    ///
    /// # Errors
    /// The weights file does not support the tap, or an image has no pixels.
    pub fn features(&self, images: &Rgb8Images, preprocessing: Preprocessing, tap: Tap) -> Result<Vec<f32>> {
        self.features_of_each(std::slice::from_ref(images), preprocessing, tap)
    }

    /// Feature vectors at `tap` of the images of several batches, each of a size of its own, in order: N×dimension
    /// row-major. Every image goes through the preprocessing at its own size, and all sizes go through the network
    /// together.
    ///
    /// # Errors
    /// As [`Inception::features`].
    pub fn features_of_each(&self, batches: &[Rgb8Images], preprocessing: Preprocessing, tap: Tap) -> Result<Vec<f32>> {
        if !self.device.is_cpu() {
            let features = |images: &Rgb8Images| {
                self.features_of_tensor(&Rgb8Tensor::from_images(images, &self.device)?, preprocessing, tap)
            };
            // All are asked for before any is read.
            let filled = batches.iter().filter(|images| !images.is_empty());
            let features = filled.map(features).collect::<Result<Vec<_>>>()?;
            let rows = features.iter().map(|rows| rows.flatten_all()?.to_vec1::<f32>());
            return Ok(rows.collect::<candle_core::Result<Vec<_>>>()?.concat());
        }
        let images: Vec<(&Rgb8Images, usize)> =
            batches.iter().flat_map(|batch| (0..batch.len()).map(move |index| (batch, index))).collect();
        self.features_of_inputs(images.len(), tap, |index, out| {
            let (batch, index) = images[index];
            preprocessing.apply(batch.image(index), batch.height(), batch.width(), out)
        })
    }

    /// Feature vectors at `tap` of 8-bit images on the network's device, N×dimension of f32 there. Waits for nothing.
    ///
    /// # Errors
    /// The weights file does not support the tap, there are no images, or the device fails.
    pub fn features_of_tensor(&self, images: &Rgb8Tensor, preprocessing: Preprocessing, tap: Tap) -> Result<Tensor> {
        self.check_tap(tap)?;
        let (count, height, width) = images.shape();
        let input = self.inputs.get(preprocessing, height, width, &self.device)?;
        let of_group = |group: Range<usize>| {
            let pixels = images.tensor().narrow(0, group.start, group.len())?;
            Ok(spatial_means(&self.until(tap, &input.apply(&pixels)?)?)?)
        };
        let groups = even_groups(count, IMAGES_AT_A_TIME_ON_DEVICE).into_iter();
        Ok(Tensor::cat(&groups.map(of_group).collect::<Result<Vec<_>>>()?, 0)?)
    }

    /// Feature vectors at `tap` of N×3×299×299 that is already what the network takes, N×dimension row-major. Values that
    /// no preprocessing gives have no protocol: this is for checks against other implementations.
    ///
    /// # Errors
    /// Another shape or type, or a tap that the weights file does not support.
    pub fn features_of_input(&self, input: &Tensor, tap: Tap) -> Result<Vec<f32>> {
        let &[count, 3, INPUT_SIDE, INPUT_SIDE] = input.dims() else {
            let (network, found) = (self.architecture.description(), input.dims().to_vec());
            return Err(Error::InputShape { network, side: INPUT_SIDE, found });
        };
        let values: Vec<f32> = input.flatten_all()?.to_vec1()?;
        self.features_of_inputs(count, tap, |index, out| {
            out.extend_from_slice(&values[index * IMAGE_LEN..][..IMAGE_LEN]);
            Ok(())
        })
    }

    /// Features of `count` images of which `prepare` appends one to the network's input.
    fn features_of_inputs(
        &self,
        count: usize,
        tap: Tap,
        prepare: impl Fn(usize, &mut Vec<f32>) -> Result<()> + Sync,
    ) -> Result<Vec<f32>> {
        self.check_tap(tap)?;
        let at_a_time = if self.device.is_cpu() { IMAGES_AT_A_TIME } else { IMAGES_AT_A_TIME_ON_DEVICE };
        over_groups(&self.device, count, at_a_time, |group| {
            let mut input = Vec::with_capacity(group.len() * IMAGE_LEN);
            let shape = (group.len(), 3, INPUT_SIDE, INPUT_SIDE);
            group.into_iter().try_for_each(|index| prepare(index, &mut input))?;
            spatial_mean(&self.until(tap, &Tensor::from_vec(input, shape, &self.device)?)?)
        })
    }

    /// The network's input for 8-bit images on its device, N×3×299×299 of f32 there.
    pub(crate) fn input_of_tensor(&self, images: &Rgb8Tensor, preprocessing: Preprocessing) -> Result<Tensor> {
        let (count, height, width) = images.shape();
        if !self.device.is_cpu() {
            return self.inputs.get(preprocessing, height, width, &self.device)?.apply(images.tensor());
        }
        let images = Rgb8Tensor::images_of(images.tensor())?;
        let values = over_groups(&self.device, count, IMAGES_AT_A_TIME, |group| {
            let mut input = Vec::with_capacity(group.len() * IMAGE_LEN);
            group
                .into_iter()
                .try_for_each(|index| preprocessing.apply(images.image(index), height, width, &mut input))?;
            Ok(input)
        })?;
        Ok(Tensor::from_vec(values, (count, 3, INPUT_SIDE, INPUT_SIDE), &self.device)?)
    }

    fn check_tap(&self, tap: Tap) -> Result<()> {
        if self.taps.contains(&tap) {
            return Ok(());
        }
        Err(Error::TapUnsupported {
            file: self.file.clone(),
            wanted: tap.dimension(),
            supported: self.taps.iter().map(|tap| tap.dimension()).collect(),
        })
    }

    fn until(&self, tap: Tap, input: &Tensor) -> Result<Tensor> {
        let (window, pooling) = HALVING;
        let mut x = pool2d(&self.stem_64.forward(input)?, window, pooling)?;
        if tap >= Tap::Dim192 {
            let stem = self.stem_192.as_ref().expect("invariant: the tap is supported (checked by the caller)");
            x = pool2d(&stem.forward(&x)?, window, pooling)?;
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

/// Numbers of one image at the network's input.
const IMAGE_LEN: usize = 3 * INPUT_SIDE * INPUT_SIDE;
