//! What the landmark network is built of: convolutions that see where they are, pre-activation blocks, the hourglass.

use crate::methods::Result;
use candle_core::{Device, Tensor};
use harness_ops::{ConvGeometry, Variable, avg_pool2, conv2d, scale_shift_relu, upsample_nearest2};

/// Added to running variances, as in PyTorch's `BatchNorm2d`.
const BATCH_NORM_EPS: f64 = 1e-5;

/// Channels that a coordinate convolution adds: row, column, radius.
const COORDINATES: usize = 3;

/// Gives the tensor of a name and shape.
pub(super) type Source<'a> = dyn FnMut(&str, &[usize]) -> Result<Tensor> + 'a;

/// The one place where this network convolves.
fn convolve(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, geometry: ConvGeometry) -> Result<Tensor> {
    let [x, weight] = [x, weight].map(|tensor| Variable::constant(tensor.clone()));
    let bias = bias.map(|bias| Variable::constant(bias.clone()));
    Ok(conv2d(&x, &weight, bias.as_ref(), geometry)?.value().clone())
}

pub(super) fn halved(x: &Tensor) -> Result<Tensor> {
    Ok(avg_pool2(&Variable::constant(x.clone()))?.value().clone())
}

fn doubled(x: &Tensor) -> Result<Tensor> {
    Ok(upsample_nearest2(&Variable::constant(x.clone()))?.value().clone())
}

#[derive(Debug)]
pub(super) struct Convolution {
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

    pub(super) fn pointwise(tensor: &mut Source, name: &str, channels: [usize; 2]) -> Result<Self> {
        Self::with_bias(tensor, name, channels, 1, ConvGeometry::new(1, 0))
    }

    /// Keeps height and width; no bias. `kernel` is odd.
    fn same(tensor: &mut Source, name: &str, [input, output]: [usize; 2], kernel: usize) -> Result<Self> {
        let weight = tensor(&format!("{name}.weight"), &[output, input, kernel, kernel])?;
        Ok(Self { weight, bias: None, geometry: ConvGeometry::new(1, kernel / 2) })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        convolve(x, &self.weight, self.bias.as_ref(), self.geometry)
    }
}

/// A convolution that also sees where each pixel is.
#[derive(Debug)]
pub(super) struct CoordConv {
    /// 1×3×S×S: row and column, both from −1 to 1, and the distance from the centre as part of a corner's.
    coordinates: Tensor,
    convolution: Convolution,
}

impl CoordConv {
    /// `channels` = [in, out] without the coordinates; `size` is the height and width of its input.
    pub(super) fn new(
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

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, channels, height, width) = self.coordinates.dims4()?;
        let coordinates = self.coordinates.broadcast_as((x.dim(0)?, channels, height, width))?;
        self.convolution.forward(&Tensor::cat(&[x, &coordinates], 1)?)
    }
}

/// Batch normalisation with the running statistics, as one scale and shift per channel.
#[derive(Debug)]
pub(super) struct BatchNorm {
    scale: Tensor,
    shift: Tensor,
}

impl BatchNorm {
    pub(super) fn new(tensor: &mut Source, name: &str, channels: usize) -> Result<Self> {
        let mut vector = |part: &str| tensor(&format!("{name}.{part}"), &[channels]);
        let (weight, bias) = (vector("weight")?, vector("bias")?);
        let (mean, variance) = (vector("running_mean")?, vector("running_var")?);
        let scale = (weight / (variance + BATCH_NORM_EPS)?.sqrt()?)?;
        let shift = (bias - (mean * &scale)?)?;
        Ok(Self { scale, shift })
    }

    pub(super) fn relu(&self, x: &Tensor) -> Result<Tensor> {
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
pub(super) struct ConvBlock {
    stages: [PreActivated; 3],
    /// `None` where the channels stay, and the shortcut is the input.
    shortcut: Option<PreActivated>,
}

impl ConvBlock {
    pub(super) fn new(tensor: &mut Source, name: &str, [input, output]: [usize; 2]) -> Result<Self> {
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

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
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
pub(super) struct Level {
    /// At the level's own size.
    pub(super) skip: ConvBlock,
    /// At half the size, before the next level.
    pub(super) down: ConvBlock,
    /// At half the size, after the next level.
    pub(super) up: ConvBlock,
}

/// The rest of the hourglass from the first of `levels` inwards; N×256×S×S, S divisible by two to the number of levels.
pub(super) fn hourglass(levels: &[Level], bottleneck: &ConvBlock, x: &Tensor) -> Result<Tensor> {
    let Some((level, inner)) = levels.split_first() else {
        return bottleneck.forward(x);
    };
    let low = level.down.forward(&halved(x)?)?;
    let low = level.up.forward(&hourglass(inner, bottleneck, &low)?)?;
    Ok((level.skip.forward(x)? + doubled(&low)?)?)
}
