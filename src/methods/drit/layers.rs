//! Layers of DRIT's networks under the names of the official code's blocks.

use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::layers::{Conv2d, ConvTranspose2d, InstanceNormResBlk};
use harness_ops::{Declaration, Init, Variable, Weights, layer_norm_by_variance, relu, reshape};

/// A convolution of a mirrored image, behind which the official block has more: the convolution of `LeakyReLUConv2d` and
/// `ReLUINSConv2d`.
pub(super) fn convolution(block: &str, channels: [usize; 2], kernel: usize, stride: usize, padding: usize) -> Conv2d {
    Conv2d::new(format!("{block}.model.1"), channels, kernel, padding).stride(stride).reflect()
}

/// `INSResBlock` of `channels` channels.
pub(super) fn residual_block(block: &str, channels: usize) -> InstanceNormResBlk {
    let conv = |place| Conv2d::new(format!("{block}.model.{place}"), [channels, channels], 3, 1).reflect();
    InstanceNormResBlk::new([conv(1), conv(5)])
}

/// `ReLUINSConvTranspose2d`: a transposed convolution that doubles the image, layer normalisation (for all its name) by the
/// variance over channels and pixels with a scale and a shift per channel, ReLU.
#[derive(Debug, Clone)]
pub(super) struct Upsample {
    conv: ConvTranspose2d,
    norm: String,
    channels: usize,
}

impl Upsample {
    /// `channels` = [in, out].
    pub(super) fn new(block: &str, channels: [usize; 2]) -> Self {
        let conv = ConvTranspose2d::new(format!("{block}.model.0"), channels, 3, 2, 1).output_padding(1).bias();
        Self { conv, norm: format!("{block}.model.1"), channels: channels[1] }
    }

    /// Adds its parameters.
    pub(super) fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.conv.declare(scheme, out);
        for (field, value) in [("weight", 1.0), ("bias", 0.0)] {
            out.push(Declaration {
                name: format!("{}.{field}", self.norm),
                shape: vec![self.channels, 1, 1],
                init: Init::Constant(value),
            });
        }
    }

    /// N×Ci×H×W → N×Co×2H×2W.
    pub(super) fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        let parameter = |field| reshape(w.get(&format!("{}.{field}", self.norm))?, &[self.channels]);
        relu(&layer_norm_by_variance(&self.conv.forward(w, x)?, &parameter("weight")?, &parameter("bias")?)?)
    }
}

/// The last layer of generators: a 1×1 transposed convolution to colours.
pub(super) fn to_rgb(name: String, channels: usize) -> ConvTranspose2d {
    ConvTranspose2d::new(name, [channels, 3], 1, 1, 0).bias()
}
