//! The landmark network: one hourglass of pre-activation blocks (Bulat & Tzimiropoulos 2017) with coordinate channels
//! (Liu et al. 2018), as trained for adaptive wing loss (Wang et al. 2019). Names are those of the official state dict.

use super::masks::{FaceMasks, masks};
use crate::methods::Result;
use candle_core::{DType, Device, Tensor};
use harness_ops::{
    ConvGeometry, Error, Variable, avg_pool2, conv2d, interpolate_bilinear, scale_shift_relu, upsample_nearest2,
};
use std::collections::HashMap;

/// Height and width of the images the network sees; others are resized.
pub const INPUT_SIZE: usize = 256;

/// Height and width of the heat maps.
pub const HEATMAP_SIZE: usize = 64;

/// Landmarks, in the numbering of the WFLW data set. The network's last channel is a face outline and not one of them.
pub const LANDMARKS: usize = 98;

/// Added to running variances, as in PyTorch's `BatchNorm2d`.
const BATCH_NORM_EPS: f64 = 1e-5;

/// Channels inside the hourglass.
const WIDTH: usize = 256;

/// Levels of the hourglass.
const DEPTH: usize = 4;

/// Channels that a coordinate convolution adds: row, column, radius.
const COORDINATES: usize = 3;

/// The face landmark network with fixed weights: 6,333,603 parameters.
#[derive(Debug)]
pub struct LandmarkNetwork {
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
    /// The network with the weights of `state` (keys of the official `state_dict`; others are ignored, as the published
    /// file holds a larger network), converted to `dtype` (f32 or f64) on `device`.
    ///
    /// # Errors
    /// A missing or misshapen tensor, by key.
    pub fn new(state: &HashMap<String, Tensor>, dtype: DType, device: &Device) -> Result<Self> {
        Self::from_tensors(&mut |name, shape| {
            let value = state.get(name).ok_or_else(|| Error::MissingTensor { name: name.to_string() })?;
            if value.dims() != shape {
                return Err(Error::TensorShape {
                    name: name.to_string(),
                    expected: shape.to_vec(),
                    found: value.dims().to_vec(),
                });
            }
            Ok(value.to_dtype(dtype)?.to_device(device)?.force_contiguous()?)
        })
    }

    /// The network with the weights that `tensor` gives for each name and shape.
    pub(super) fn from_tensors(tensor: &mut Source) -> Result<Self> {
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

    /// The network alone: N×3×256×256 in [0, 1] → N×99×64×64, the last channel being the face outline.
    pub(super) fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let x = self.bn1.relu(&self.conv1.forward(images)?)?;
        let x = halved(&self.conv2.forward(&x)?)?;
        let x = self.conv4.forward(&self.conv3.forward(&x)?)?;
        let x = hourglass(&self.levels, &self.bottleneck, &self.coordconv.forward(&x)?)?;
        let x = self.conv_last.forward(&self.top.forward(&x)?)?;
        self.logits.forward(&self.bn_end.relu(&x)?)
    }

    /// Raw heat maps of the landmarks: images N×3×H×W in [-1, 1] → N×98×64×64. Trained to be 0 to 1, not limited to it.
    ///
    /// # Errors
    /// Images of another rank, channel count or element type than the network's.
    pub fn heatmaps(&self, images: &Tensor) -> Result<Tensor> {
        let resized = interpolate_bilinear(images, [INPUT_SIZE, INPUT_SIZE], false)?;
        Ok(self.forward(&resized.affine(0.5, 0.5)?)?.narrow(1, 0, LANDMARKS)?)
    }

    /// The masks of images N×3×H×W in [-1, 1].
    ///
    /// # Errors
    /// Those of [`LandmarkNetwork::heatmaps`].
    pub fn masks(&self, images: &Tensor) -> Result<FaceMasks> {
        masks(&self.heatmaps(images)?)
    }
}

/// Gives the tensor of a name and shape.
pub(super) type Source<'a> = dyn FnMut(&str, &[usize]) -> Result<Tensor> + 'a;

/// The one place where this network convolves.
fn convolve(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, geometry: ConvGeometry) -> Result<Tensor> {
    let [x, weight] = [x, weight].map(|tensor| Variable::constant(tensor.clone()));
    let bias = bias.map(|bias| Variable::constant(bias.clone()));
    Ok(conv2d(&x, &weight, bias.as_ref(), geometry)?.value().clone())
}

fn halved(x: &Tensor) -> Result<Tensor> {
    Ok(avg_pool2(&Variable::constant(x.clone()))?.value().clone())
}

fn doubled(x: &Tensor) -> Result<Tensor> {
    Ok(upsample_nearest2(&Variable::constant(x.clone()))?.value().clone())
}

#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    bias: Option<Tensor>,
    geometry: ConvGeometry,
}

impl Convolution {
    fn with_bias(
        tensor: &mut Source,
        name: &str,
        [input, output]: [usize; 2],
        kernel: usize,
        geometry: ConvGeometry,
    ) -> Result<Self> {
        let weight = tensor(&format!("{name}.weight"), &[output, input, kernel, kernel])?;
        Ok(Self { weight, bias: Some(tensor(&format!("{name}.bias"), &[output])?), geometry })
    }

    fn pointwise(tensor: &mut Source, name: &str, channels: [usize; 2]) -> Result<Self> {
        Self::with_bias(tensor, name, channels, 1, ConvGeometry::new(1, 0))
    }

    /// Keeps height and width; no bias. `kernel` is odd.
    fn same(tensor: &mut Source, name: &str, [input, output]: [usize; 2], kernel: usize) -> Result<Self> {
        let weight = tensor(&format!("{name}.weight"), &[output, input, kernel, kernel])?;
        Ok(Self { weight, bias: None, geometry: ConvGeometry::new(1, kernel / 2) })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        convolve(x, &self.weight, self.bias.as_ref(), self.geometry)
    }
}

/// A convolution that also sees where each pixel is.
#[derive(Debug)]
struct CoordConv {
    /// 1×3×S×S: row and column, both from −1 to 1, and the distance from the centre as part of a corner's.
    coordinates: Tensor,
    convolution: Convolution,
}

impl CoordConv {
    /// `channels` = [in, out] without the coordinates; `size` is the height and width of its input.
    fn new(
        tensor: &mut Source,
        name: &str,
        [input, output]: [usize; 2],
        kernel: usize,
        geometry: ConvGeometry,
        size: usize,
    ) -> Result<Self> {
        let name = format!("{name}.conv");
        let convolution = Convolution::with_bias(tensor, &name, [input + COORDINATES, output], kernel, geometry)?;
        // In f32 for every element type, as the network was trained: rounding is part of its input.
        let at = |i: usize| i as f32 / (size - 1) as f32 * 2.0 - 1.0;
        let radius = |row: f32, column: f32| (row * row + column * column).sqrt();
        let plane = |value: &dyn Fn(f32, f32) -> f32| -> Vec<f32> {
            (0..size * size).map(|i| value(at(i / size), at(i % size))).collect()
        };
        let corner = radius(1.0, 1.0);
        let planes =
            [plane(&|row, _| row), plane(&|_, column| column), plane(&|row, column| radius(row, column) / corner)];
        let weight = &convolution.weight;
        let coordinates = Tensor::from_vec(planes.concat(), (1, COORDINATES, size, size), &Device::Cpu)?
            .to_dtype(weight.dtype())?
            .to_device(weight.device())?;
        Ok(Self { coordinates, convolution })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, channels, height, width) = self.coordinates.dims4()?;
        let coordinates = self.coordinates.broadcast_as((x.dim(0)?, channels, height, width))?;
        self.convolution.forward(&Tensor::cat(&[x, &coordinates], 1)?)
    }
}

/// Batch normalisation with the running statistics, as one scale and shift per channel.
#[derive(Debug)]
struct BatchNorm {
    scale: Tensor,
    shift: Tensor,
}

impl BatchNorm {
    fn new(tensor: &mut Source, name: &str, channels: usize) -> Result<Self> {
        let mut vector = |part: &str| tensor(&format!("{name}.{part}"), &[channels]);
        let (weight, bias) = (vector("weight")?, vector("bias")?);
        let (mean, variance) = (vector("running_mean")?, vector("running_var")?);
        let scale = (weight / (variance + BATCH_NORM_EPS)?.sqrt()?)?;
        let shift = (bias - (mean * &scale)?)?;
        Ok(Self { scale, shift })
    }

    fn relu(&self, x: &Tensor) -> Result<Tensor> {
        scale_shift_relu(x, &self.scale, &self.shift)
    }
}

/// Batch norm, ReLU, convolution.
#[derive(Debug)]
struct PreActivated {
    norm: BatchNorm,
    convolution: Convolution,
}

impl PreActivated {
    /// `names` of the batch norm and the convolution.
    fn new(tensor: &mut Source, names: [&str; 2], channels: [usize; 2], kernel: usize) -> Result<Self> {
        Ok(Self {
            norm: BatchNorm::new(tensor, names[0], channels[0])?,
            convolution: Convolution::same(tensor, names[1], channels, kernel)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.convolution.forward(&self.norm.relu(x)?)
    }
}

/// A residual block whose three 3×3 convolutions in a row give a half, a quarter and a quarter of the output channels.
#[derive(Debug)]
struct ConvBlock {
    stages: [PreActivated; 3],
    /// `None` where the channels stay, and the shortcut is the input.
    shortcut: Option<PreActivated>,
}

impl ConvBlock {
    fn new(tensor: &mut Source, name: &str, [input, output]: [usize; 2]) -> Result<Self> {
        let (half, quarter) = (output / 2, output / 4);
        let mut stage = |index: usize, channels| {
            PreActivated::new(tensor, [&format!("{name}.bn{index}"), &format!("{name}.conv{index}")], channels, 3)
        };
        let stages = [stage(1, [input, half])?, stage(2, [half, quarter])?, stage(3, [quarter, quarter])?];
        let shortcut = if input == output {
            None
        } else {
            let names = [&*format!("{name}.downsample.0"), &*format!("{name}.downsample.2")];
            Some(PreActivated::new(tensor, names, [input, output], 1)?)
        };
        Ok(Self { stages, shortcut })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let half = self.stages[0].forward(x)?;
        let quarter = self.stages[1].forward(&half)?;
        let last = self.stages[2].forward(&quarter)?;
        let residual = Tensor::cat(&[half, quarter, last], 1)?;
        Ok(match &self.shortcut {
            Some(shortcut) => (residual + shortcut.forward(x)?)?,
            None => (residual + x)?,
        })
    }
}

/// One level of the hourglass.
#[derive(Debug)]
struct Level {
    /// At the level's own size.
    skip: ConvBlock,
    /// At half the size, before the next level.
    down: ConvBlock,
    /// At half the size, after the next level.
    up: ConvBlock,
}

/// The rest of the hourglass from the first of `levels` inwards; N×256×S×S, S divisible by two to the number of levels.
fn hourglass(levels: &[Level], bottleneck: &ConvBlock, x: &Tensor) -> Result<Tensor> {
    let Some((level, inner)) = levels.split_first() else {
        return bottleneck.forward(x);
    };
    let low = level.down.forward(&halved(x)?)?;
    let low = level.up.forward(&hourglass(inner, bottleneck, &low)?)?;
    Ok((level.skip.forward(x)? + doubled(&low)?)?)
}
