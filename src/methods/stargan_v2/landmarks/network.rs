//! The landmark network: one hourglass of pre-activation blocks (Bulat & Tzimiropoulos 2017) with coordinate channels
//! (Liu et al. 2018), as trained for adaptive wing loss (Wang et al. 2019). Names are those of the official state dict.

use super::blocks::{BatchNorm, ConvBlock, Convolution, CoordConv, Level, Source, halved, hourglass};
use super::masks::{FaceMasks, masks};
use crate::methods::Result;
use candle_core::{DType, Device, Tensor};
use harness_ops::{ConvGeometry, Declaration, Error, Init, Parameters, interpolate_bilinear};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Height and width of the images the network sees; others are resized.
pub const INPUT_SIZE: usize = 256;

/// Height and width of the heat maps.
pub const HEATMAP_SIZE: usize = 64;

/// Landmarks, in the numbering of the WFLW data set. The network's last channel is a face outline and not one of them.
pub const LANDMARKS: usize = 98;

/// Channels inside the hourglass.
const WIDTH: usize = 256;

/// Levels of the hourglass.
const DEPTH: usize = 4;

/// The face landmark network with fixed weights: 6,333,603 parameters.
#[derive(Debug)]
pub struct LandmarkNetwork {
    parameters: Parameters,
    content: String,
    layers: Layers,
}

/// What the network is made of.
#[derive(Debug)]
struct Layers {
    conv1: CoordConv,
    bn1: BatchNorm,
    conv2: ConvBlock,
    conv3: ConvBlock,
    conv4: ConvBlock,
    coordconv: CoordConv,
    levels: Vec<Level>,
    bottleneck: ConvBlock,
    top: ConvBlock,
    conv_last: Convolution,
    bn_end: BatchNorm,
    logits: Convolution,
}

impl LandmarkNetwork {
    /// Names and shapes of all its tensors, running statistics included; names are those of the official state dict,
    /// which has a counter `num_batches_tracked` in every batch norm beside. The initial distributions are for networks
    /// that are only timed.
    pub fn declarations() -> &'static [Declaration] {
        static DECLARATIONS: LazyLock<Vec<Declaration>> = LazyLock::new(|| {
            let mut declarations = Vec::new();
            let layers = Layers::new(&mut |name, shape| {
                declarations.push(Declaration {
                    name: name.to_owned(),
                    shape: shape.to_vec(),
                    init: init(name, shape),
                });
                Ok(Tensor::zeros(shape, DType::F32, &Device::Cpu)?)
            });
            layers.expect("invariant: a network of zeros of the shapes it asks for can be made on the processor");
            declarations
        });
        &DECLARATIONS
    }

    /// The network with the weights of `state` (keys of the official `state_dict`; others are ignored, as the published
    /// file holds a larger network), converted to `dtype` (f32 or f64) on `device`.
    ///
    /// # Errors
    /// A missing or misshapen tensor, by key.
    pub fn new(state: &HashMap<String, Tensor>, dtype: DType, device: &Device) -> Result<Self> {
        let value = |Declaration { name, .. }: &Declaration| {
            let value = state.get(name).ok_or_else(|| Error::MissingTensor { name: name.clone() })?;
            Ok(value.to_dtype(dtype)?.to_device(device)?.force_contiguous()?)
        };
        Self::from_parameters(Parameters::from_tensors(Self::declarations(), dtype, device, value)?)
    }

    /// A network that finds nothing: with random weights.
    ///
    /// # Errors
    /// An unsupported type or device.
    pub fn random(seed: u64, dtype: DType, device: &Device) -> Result<Self> {
        Self::from_parameters(Parameters::init(Self::declarations(), "fan", seed, dtype, device)?)
    }

    /// The network with these weights, declared as [`LandmarkNetwork::declarations`] says.
    ///
    /// # Errors
    /// A missing or misshapen tensor, by key.
    pub fn from_parameters(parameters: Parameters) -> Result<Self> {
        let layers = Layers::new(&mut |name, shape| {
            let leaf = parameters.get(name).ok_or_else(|| Error::MissingTensor { name: name.to_owned() })?;
            match leaf.dims() == shape {
                true => Ok(leaf.value().clone()),
                false => Err(Error::TensorShape {
                    name: name.to_owned(),
                    expected: shape.to_vec(),
                    found: leaf.dims().to_vec(),
                }),
            }
        })?;
        let content = content(&parameters)?;
        Ok(Self { parameters, content, layers })
    }

    /// All its tensors.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Number of scalars, without running statistics: 6,333,603.
    pub fn count(&self) -> usize {
        let trained = self.parameters.iter().filter(|(name, _)| !name.contains(".running_"));
        trained.map(|(_, leaf)| leaf.elem_count()).sum()
    }

    /// Hex BLAKE3 of names and values: what tells two sets of weights apart.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// Raw heat maps of the landmarks: images N×3×H×W in [-1, 1] → N×98×64×64. Trained to be 0 to 1, not limited to it.
    ///
    /// # Errors
    /// Images of another rank, channel count or element type than the network's.
    pub fn heatmaps(&self, images: &Tensor) -> Result<Tensor> {
        let resized = interpolate_bilinear(images, [INPUT_SIZE, INPUT_SIZE], false)?;
        Ok(self.forward(&resized.affine(0.5, 0.5)?)?.narrow(1, 0, LANDMARKS)?)
    }

    /// The network alone: N×3×256×256 in [0, 1] → N×99×64×64, the last channel being the face outline.
    pub(super) fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.layers.forward(images)
    }

    /// The masks of images N×3×H×W in [-1, 1].
    ///
    /// # Errors
    /// Those of [`LandmarkNetwork::heatmaps`].
    pub fn masks(&self, images: &Tensor) -> Result<FaceMasks> {
        masks(&self.heatmaps(images)?)
    }
}

/// Weights that keep the size of activations: He's for convolutions, none for batch norms.
fn init(name: &str, shape: &[usize]) -> Init {
    match shape {
        [_, input @ ..] if !input.is_empty() => {
            Init::Normal { std: (2.0 / input.iter().product::<usize>() as f64).sqrt() }
        }
        _ if name.ends_with(".weight") || name.ends_with(".running_var") => Init::Constant(1.0),
        _ => Init::Constant(0.0),
    }
}

/// Hex BLAKE3 of names and values in 64 bits, in declaration order.
fn content(parameters: &Parameters) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for (name, leaf) in parameters.iter() {
        let values = leaf.value().flatten_all()?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let bytes: Vec<u8> = values.into_iter().flat_map(f64::to_le_bytes).collect();
        hasher.update(name.as_bytes()).update(&[0]).update(&bytes);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

impl Layers {
    /// The network with the weights that `tensor` gives for each name and shape.
    fn new(tensor: &mut Source) -> Result<Self> {
        let mut levels = Vec::with_capacity(DEPTH);
        for level in (1..=DEPTH).rev() {
            levels.push(Level {
                skip: ConvBlock::new(tensor, &format!("m0.b1_{level}"), [WIDTH, WIDTH])?,
                down: ConvBlock::new(tensor, &format!("m0.b2_{level}"), [WIDTH, WIDTH])?,
                up: ConvBlock::new(tensor, &format!("m0.b3_{level}"), [WIDTH, WIDTH])?,
            });
        }
        Ok(Self {
            conv1: CoordConv::new(tensor, "conv1", [3, 64], 7, ConvGeometry::new(2, 3), INPUT_SIZE)?,
            bn1: BatchNorm::new(tensor, "bn1", 64)?,
            conv2: ConvBlock::new(tensor, "conv2", [64, 128])?,
            conv3: ConvBlock::new(tensor, "conv3", [128, 128])?,
            conv4: ConvBlock::new(tensor, "conv4", [128, WIDTH])?,
            coordconv: CoordConv::new(
                tensor,
                "m0.coordconv",
                [WIDTH, WIDTH],
                1,
                ConvGeometry::new(1, 0),
                HEATMAP_SIZE,
            )?,
            levels,
            bottleneck: ConvBlock::new(tensor, "m0.b2_plus_1", [WIDTH, WIDTH])?,
            top: ConvBlock::new(tensor, "top_m_0", [WIDTH, WIDTH])?,
            conv_last: Convolution::pointwise(tensor, "conv_last0", [WIDTH, WIDTH])?,
            bn_end: BatchNorm::new(tensor, "bn_end0", WIDTH)?,
            logits: Convolution::pointwise(tensor, "l0", [WIDTH, LANDMARKS + 1])?,
        })
    }

    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let x = self.bn1.relu(&self.conv1.forward(images)?)?;
        let x = halved(&self.conv2.forward(&x)?)?;
        let x = self.conv4.forward(&self.conv3.forward(&x)?)?;
        let x = hourglass(&self.levels, &self.bottleneck, &self.coordconv.forward(&x)?)?;
        let x = self.conv_last.forward(&self.top.forward(&x)?)?;
        self.logits.forward(&self.bn_end.relu(&x)?)
    }
}
