//! StarGAN's generator (Choi et al. 2018, table 4; names of the official state dict).

use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::layers::{Conv2d, ConvTranspose2d, InstanceNorm, cat_tiled};
use harness_ops::{Declaration, Variable, Weights, add, cast, tanh};

/// Sizes of the generator.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorConfig {
    /// Length of the condition that is tiled over the image.
    pub condition_dim: usize,
    /// Channels after the first convolution; official: 64.
    pub base_channels: usize,
    /// Residual blocks in the bottleneck; official: 6.
    pub residual_blocks: usize,
}

/// Convolution and normalisation, with ReLU except at the end of a residual block.
#[derive(Debug, Clone)]
struct Normalized<C> {
    conv: C,
    norm: InstanceNorm,
}

/// Two strided convolutions, residual blocks, two transposed convolutions; tanh at the end.
#[derive(Debug, Clone)]
pub struct Generator {
    encode: Vec<Normalized<Conv2d>>,
    residual: Vec<[Normalized<Conv2d>; 2]>,
    decode: Vec<Normalized<ConvTranspose2d>>,
    to_rgb: Conv2d,
}

impl Generator {
    /// The network for `config`. Image sides must be divisible by 4.
    pub fn new(config: GeneratorConfig) -> Self {
        let GeneratorConfig { condition_dim, base_channels, residual_blocks } = config;
        // Positions in the official Sequential: convolution, norm and ReLU are three entries, a residual block is one.
        let encode = |i: usize, channels: [usize; 2], kernel, padding, stride| Normalized {
            conv: Conv2d::new(format!("main.{}", 3 * i), channels, kernel, padding).stride(stride).no_bias(),
            norm: InstanceNorm::new(format!("main.{}", 3 * i + 1), channels[1]).leaky_relu(0.0),
        };
        let wide = 4 * base_channels;
        let residual = |i: usize| {
            let [first, second] = [0, 3].map(|position| {
                let name = |offset: usize| format!("main.{}.main.{}", 9 + i, position + offset);
                Normalized {
                    conv: Conv2d::new(name(0), [wide, wide], 3, 1).no_bias(),
                    norm: InstanceNorm::new(name(1), wide),
                }
            });
            [Normalized { norm: first.norm.leaky_relu(0.0), ..first }, second]
        };
        let first = 9 + residual_blocks;
        let decode = |i: usize, channels: [usize; 2]| Normalized {
            conv: ConvTranspose2d::new(format!("main.{}", first + 3 * i), channels, 4, 2, 1),
            norm: InstanceNorm::new(format!("main.{}", first + 3 * i + 1), channels[1]).leaky_relu(0.0),
        };
        Self {
            encode: vec![
                encode(0, [3 + condition_dim, base_channels], 7, 3, 1),
                encode(1, [base_channels, 2 * base_channels], 4, 1, 2),
                encode(2, [2 * base_channels, wide], 4, 1, 2),
            ],
            residual: (0..residual_blocks).map(residual).collect(),
            decode: vec![decode(0, [wide, 2 * base_channels]), decode(1, [2 * base_channels, base_channels])],
            to_rgb: Conv2d::new(format!("main.{}", first + 6), [base_channels, 3], 7, 3).no_bias(),
        }
    }

    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        for layer in self.encode.iter().chain(self.residual.iter().flatten()) {
            layer.conv.declare(scheme, &mut out);
            layer.norm.declare(&mut out);
        }
        for layer in &self.decode {
            layer.conv.declare(scheme, &mut out);
            layer.norm.declare(&mut out);
        }
        self.to_rgb.declare(scheme, &mut out);
        out
    }

    /// `x` N×3×S×S in [-1, 1], `condition` N×condition_dim → N×3×S×S in (-1, 1).
    pub fn forward(&self, w: &Weights, x: &Variable, condition: &Variable) -> Result<Variable> {
        let mut h = cast(&cat_tiled(x, condition)?, w.dtype())?;
        for layer in &self.encode {
            h = layer.norm.forward(w, &layer.conv.forward(w, &h)?)?;
        }
        for [first, second] in &self.residual {
            let inner = first.norm.forward(w, &first.conv.forward(w, &h)?)?;
            h = add(&h, &second.norm.forward(w, &second.conv.forward(w, &inner)?)?)?;
        }
        for layer in &self.decode {
            h = layer.norm.forward(w, &layer.conv.forward(w, &h)?)?;
        }
        tanh(&self.to_rgb.forward(w, &h)?)
    }
}
