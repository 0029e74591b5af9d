//! The building blocks of Inception v3 (Szegedy et al. 2016), in both forms. In torchvision's, averages over windows count
//! the padding as zeros and the last block pools by average. In the FID network, averages do not count padding, and the
//! last block pools by maximum (pytorch-fid, `FIDInceptionA`, `C`, `E_1`, `E_2`).

use super::Architecture;
use crate::Result;
use crate::convolution::{Convolution, Geometry};
use crate::weights::Weights;
use candle_core::Tensor;
use harness_ops::{Pooling, Variable, Window, cat_channels, pool2d};

/// Added to the variance in every batch normalisation.
const EPSILON: f64 = 0.001;

/// Layers applied one after another.
pub(crate) struct Chain(Vec<Convolution>);

impl Chain {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.iter().try_fold(x.clone(), |x, layer| layer.forward(&x))
    }
}

/// Name, output channels, kernel height and width, stride, padding of height and width.
type Layer<'a> = (&'a str, usize, (usize, usize), usize, (usize, usize));

const fn pointwise(name: &str, outputs: usize) -> Layer<'_> {
    (name, outputs, (1, 1), 1, (0, 0))
}

/// Stride 1, padded so that the size stays.
const fn same(name: &str, outputs: usize, kernel: (usize, usize)) -> Layer<'_> {
    (name, outputs, kernel, 1, (kernel.0 / 2, kernel.1 / 2))
}

/// 3×3 without padding.
const fn valid(name: &str, outputs: usize, stride: usize) -> Layer<'_> {
    (name, outputs, (3, 3), stride, (0, 0))
}

fn chain(weights: &mut Weights, prefix: &str, mut inputs: usize, layers: &[Layer]) -> Result<Chain> {
    let mut convolutions = Vec::with_capacity(layers.len());
    for &(name, outputs, kernel, stride, padding) in layers {
        let geometry = Geometry { inputs, outputs, kernel, stride, padding };
        convolutions.extend(weights.normalized_convolution(&format!("{prefix}{name}"), geometry, EPSILON)?);
        inputs = outputs;
    }
    Ok(Chain(convolutions))
}

/// Up to the first pooling: 64 channels of 147×147 (before the pooling).
pub(crate) fn stem_64(weights: &mut Weights) -> Result<Chain> {
    let layers = [valid("1a_3x3", 32, 2), valid("2a_3x3", 32, 1), same("2b_3x3", 64, (3, 3))];
    chain(weights, "Conv2d_", 3, &layers)
}

/// Between the first and the second pooling: 192 channels.
pub(crate) fn stem_192(weights: &mut Weights) -> Result<Chain> {
    chain(weights, "Conv2d_", 64, &[pointwise("3b_1x1", 80), valid("4a_3x3", 192, 1)])
}

/// What a block's pooling branch does before its 1×1 convolution (if it has one).
type BlockPooling = (Window, Pooling);

/// Halves the size.
pub(crate) const HALVING: BlockPooling = (Window { size: 3, stride: 2, padding: 0 }, Pooling::Max);

/// Keeps the size.
const SAME: Window = Window { size: 3, stride: 1, padding: 1 };

fn average(architecture: Architecture) -> BlockPooling {
    let pooling = match architecture {
        Architecture::Fid2015 => Pooling::Average,
        Architecture::Torchvision => Pooling::AverageWithPadding,
    };
    (SAME, pooling)
}

/// A branch of a block; where it forks, the outputs of the forks are concatenated.
struct Branch {
    trunk: Chain,
    forks: Vec<Chain>,
}

/// Branches over the same input, concatenated in order, the pooling branch last.
pub(crate) struct Block {
    branches: Vec<Branch>,
    pooling: BlockPooling,
    projection: Option<Chain>,
}

impl Block {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut parts = Vec::new();
        for branch in &self.branches {
            let trunk = branch.trunk.forward(x)?;
            if branch.forks.is_empty() {
                parts.push(trunk);
            } else {
                for fork in &branch.forks {
                    parts.push(fork.forward(&trunk)?);
                }
            }
        }
        let (window, pooling) = self.pooling;
        let pooled = pool2d(x, window, pooling)?;
        parts.push(match &self.projection {
            Some(projection) => projection.forward(&pooled)?,
            None => pooled,
        });
        let parts: Vec<Variable> = parts.into_iter().map(Variable::constant).collect();
        Ok(cat_channels(&parts.iter().collect::<Vec<_>>())?.value().clone())
    }
}

/// Builds the blocks `{name}.branch…` of one input width.
struct BlockBuilder<'a, 'b> {
    weights: &'a mut Weights<'b>,
    prefix: String,
    inputs: usize,
}

impl<'a, 'b> BlockBuilder<'a, 'b> {
    fn new(weights: &'a mut Weights<'b>, name: &str, inputs: usize) -> Self {
        Self { weights, prefix: format!("{name}.branch"), inputs }
    }

    fn branch(&mut self, layers: &[Layer]) -> Result<Branch> {
        Ok(Branch { trunk: chain(self.weights, &self.prefix, self.inputs, layers)?, forks: Vec::new() })
    }

    fn forked(&mut self, trunk: &[Layer], forks: [Layer; 2]) -> Result<Branch> {
        let width = trunk.last().map_or(self.inputs, |layer| layer.1);
        let trunk = chain(self.weights, &self.prefix, self.inputs, trunk)?;
        let forks =
            forks.iter().map(|&fork| chain(self.weights, &self.prefix, width, &[fork])).collect::<Result<_>>()?;
        Ok(Branch { trunk, forks })
    }

    fn projection(&mut self, outputs: usize) -> Result<Option<Chain>> {
        chain(self.weights, &self.prefix, self.inputs, &[pointwise("_pool", outputs)]).map(Some)
    }
}

/// 35×35: 1×1, 5×5, double 3×3 and average pooling; 224 + `pool` channels.
pub(crate) fn block_a(
    weights: &mut Weights,
    architecture: Architecture,
    name: &str,
    inputs: usize,
    pool: usize,
) -> Result<Block> {
    let mut builder = BlockBuilder::new(weights, name, inputs);
    let branches = vec![
        builder.branch(&[pointwise("1x1", 64)])?,
        builder.branch(&[pointwise("5x5_1", 48), same("5x5_2", 64, (5, 5))])?,
        builder.branch(&[pointwise("3x3dbl_1", 64), same("3x3dbl_2", 96, (3, 3)), same("3x3dbl_3", 96, (3, 3))])?,
    ];
    Ok(Block { branches, pooling: average(architecture), projection: builder.projection(pool)? })
}

/// 35×35 to 17×17; 480 channels more.
pub(crate) fn block_b(weights: &mut Weights, name: &str, inputs: usize) -> Result<Block> {
    let mut builder = BlockBuilder::new(weights, name, inputs);
    let branches = vec![
        builder.branch(&[valid("3x3", 384, 2)])?,
        builder.branch(&[pointwise("3x3dbl_1", 64), same("3x3dbl_2", 96, (3, 3)), valid("3x3dbl_3", 96, 2)])?,
    ];
    Ok(Block { branches, pooling: HALVING, projection: None })
}

/// 17×17, 768 channels: 1×1, 7×7 and double 7×7 in factors of `width` channels, average pooling.
pub(crate) fn block_c(weights: &mut Weights, architecture: Architecture, name: &str, width: usize) -> Result<Block> {
    const ROW: (usize, usize) = (1, 7);
    const COLUMN: (usize, usize) = (7, 1);
    let mut builder = BlockBuilder::new(weights, name, 768);
    let branches = vec![
        builder.branch(&[pointwise("1x1", 192)])?,
        builder.branch(&[pointwise("7x7_1", width), same("7x7_2", width, ROW), same("7x7_3", 192, COLUMN)])?,
        builder.branch(&[
            pointwise("7x7dbl_1", width),
            same("7x7dbl_2", width, COLUMN),
            same("7x7dbl_3", width, ROW),
            same("7x7dbl_4", width, COLUMN),
            same("7x7dbl_5", 192, ROW),
        ])?,
    ];
    Ok(Block { branches, pooling: average(architecture), projection: builder.projection(192)? })
}

/// 17×17 to 8×8; 512 channels more.
pub(crate) fn block_d(weights: &mut Weights, name: &str) -> Result<Block> {
    let mut builder = BlockBuilder::new(weights, name, 768);
    let branches = vec![
        builder.branch(&[pointwise("3x3_1", 192), valid("3x3_2", 320, 2)])?,
        builder.branch(&[
            pointwise("7x7x3_1", 192),
            same("7x7x3_2", 192, (1, 7)),
            same("7x7x3_3", 192, (7, 1)),
            valid("7x7x3_4", 192, 2),
        ])?,
    ];
    Ok(Block { branches, pooling: HALVING, projection: None })
}

/// 8×8, 2048 channels; the FID network's last block (`last`) pools by maximum.
pub(crate) fn block_e(
    weights: &mut Weights,
    architecture: Architecture,
    name: &str,
    inputs: usize,
    last: bool,
) -> Result<Block> {
    const ROW: (usize, usize) = (1, 3);
    const COLUMN: (usize, usize) = (3, 1);
    let mut builder = BlockBuilder::new(weights, name, inputs);
    let branches = vec![
        builder.branch(&[pointwise("1x1", 320)])?,
        builder.forked(&[pointwise("3x3_1", 384)], [same("3x3_2a", 384, ROW), same("3x3_2b", 384, COLUMN)])?,
        builder.forked(
            &[pointwise("3x3dbl_1", 448), same("3x3dbl_2", 384, (3, 3))],
            [same("3x3dbl_3a", 384, ROW), same("3x3dbl_3b", 384, COLUMN)],
        )?,
    ];
    let pooling = match architecture {
        Architecture::Fid2015 if last => (SAME, Pooling::Max),
        _ => average(architecture),
    };
    Ok(Block { branches, pooling, projection: builder.projection(192)? })
}
