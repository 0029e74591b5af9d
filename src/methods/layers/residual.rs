//! The pre-activation residual blocks of StarGAN v2 (appendix A).

use super::{AdaIn, Conv2d, FRAC_1_SQRT_2, InstanceNorm};
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use candle_core::Tensor;
use harness_ops::{
    Declaration, Weights, avg_pool2, avg_pool2_gradient, leaky_relu, leaky_relu_gradient, upsample_nearest2,
};

/// Slope of all leaky ReLUs of StarGAN v2.
const SLOPE: f64 = 0.2;

/// Residual block, optionally with instance normalisation and 2×2 average pooling.
#[derive(Debug, Clone)]
pub struct ResBlk {
    norms: Option<[InstanceNorm; 2]>,
    conv1: Conv2d,
    conv2: Conv2d,
    conv1x1: Option<Conv2d>,
    downsample: bool,
}

/// What the derivative of a [`ResBlk`] without normalisation depends on: the inputs of its leaky ReLUs.
#[derive(Debug)]
pub struct ResBlkTrace {
    input: Tensor,
    hidden: Tensor,
}

impl ResBlk {
    /// `channels` = [in, out]. The 1×1 shortcut exists only where they differ.
    pub fn new(name: &str, channels: [usize; 2], normalize: bool, downsample: bool) -> Self {
        let [ci, co] = channels;
        let norm = |index: usize| InstanceNorm::new(format!("{name}.norm{index}"), ci);
        Self {
            norms: normalize.then(|| [norm(1), norm(2)]),
            conv1: Conv2d::new(format!("{name}.conv1"), [ci, ci], 3, 1),
            conv2: Conv2d::new(format!("{name}.conv2"), [ci, co], 3, 1),
            conv1x1: (ci != co).then(|| Conv2d::new(format!("{name}.conv1x1"), channels, 1, 0).no_bias()),
            downsample,
        }
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.conv1.declare(scheme, out);
        self.conv2.declare(scheme, out);
        for norm in self.norms.iter().flatten() {
            norm.declare(out);
        }
        if let Some(conv) = &self.conv1x1 {
            conv.declare(scheme, out);
        }
    }

    /// N×Ci×H×W → N×Co×H×W, or H/2×W/2 when down-sampling.
    pub fn forward(&self, w: &Weights, x: &Tensor) -> Result<Tensor> {
        Ok(self.forward_traced(w, x)?.0)
    }

    /// [`ResBlk::forward`] together with what [`ResBlk::input_gradient`] needs.
    pub fn forward_traced(&self, w: &Weights, x: &Tensor) -> Result<(Tensor, ResBlkTrace)> {
        let normalized = |index: usize, x: &Tensor| match &self.norms {
            Some(norms) => norms[index].forward(w, x),
            None => Ok(x.clone()),
        };
        let hidden = self.conv1.forward(w, &leaky_relu(&normalized(0, x)?, SLOPE)?)?;
        let hidden = if self.downsample { avg_pool2(&hidden)? } else { hidden };
        let residual = self.conv2.forward(w, &leaky_relu(&normalized(1, &hidden)?, SLOPE)?)?;
        // Pooling and a 1×1 convolution commute; pooling first is four times cheaper.
        let shortcut = if self.downsample { avg_pool2(x)? } else { x.clone() };
        let shortcut = match &self.conv1x1 {
            Some(conv) => conv.forward(w, &shortcut)?,
            None => shortcut,
        };
        let y = ((shortcut + residual)? * FRAC_1_SQRT_2)?;
        Ok((y, ResBlkTrace { input: x.clone(), hidden }))
    }

    /// The derivative in the input, applied to `g` (shape of the output). Only for blocks without normalisation, which
    /// are piecewise linear.
    pub fn input_gradient(&self, w: &Weights, trace: &ResBlkTrace, g: &Tensor) -> Result<Tensor> {
        debug_assert!(self.norms.is_none(), "instance norm is not piecewise linear");
        let g = (g * FRAC_1_SQRT_2)?;
        let unpool = |g: Tensor| if self.downsample { avg_pool2_gradient(&g) } else { Ok(g) };
        let residual = self.conv2.input_gradient(w, &g, &trace.hidden)?;
        let residual = unpool(leaky_relu_gradient(&trace.hidden, &residual, SLOPE)?)?;
        let residual = self.conv1.input_gradient(w, &residual, &trace.input)?;
        let residual = leaky_relu_gradient(&trace.input, &residual, SLOPE)?;
        let shortcut = match &self.conv1x1 {
            Some(conv) => conv.input_gradient(w, &g, &g)?,
            None => g,
        };
        Ok((residual + unpool(shortcut)?)?)
    }
}

/// Residual block of the decoder: AdaIN, optionally nearest ×2 up-sampling.
#[derive(Debug, Clone)]
pub struct AdainResBlk {
    conv1: Conv2d,
    conv2: Conv2d,
    norm1: AdaIn,
    norm2: AdaIn,
    conv1x1: Option<Conv2d>,
    upsample: bool,
}

impl AdainResBlk {
    /// `channels` = [in, out]. The 1×1 shortcut exists only where they differ.
    pub fn new(name: &str, channels: [usize; 2], style_dim: usize, upsample: bool) -> Self {
        let [ci, co] = channels;
        Self {
            conv1: Conv2d::new(format!("{name}.conv1"), [ci, co], 3, 1),
            conv2: Conv2d::new(format!("{name}.conv2"), [co, co], 3, 1),
            norm1: AdaIn::new(&format!("{name}.norm1"), style_dim, ci),
            norm2: AdaIn::new(&format!("{name}.norm2"), style_dim, co),
            conv1x1: (ci != co).then(|| Conv2d::new(format!("{name}.conv1x1"), channels, 1, 0).no_bias()),
            upsample,
        }
    }

    /// Adds its parameters.
    pub fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.conv1.declare(scheme, out);
        self.conv2.declare(scheme, out);
        self.norm1.declare(scheme, out);
        self.norm2.declare(scheme, out);
        if let Some(conv) = &self.conv1x1 {
            conv.declare(scheme, out);
        }
    }

    /// `x` N×Ci×H×W, `style` N×style_dim → N×Co×H×W, or 2H×2W when up-sampling.
    pub fn forward(&self, w: &Weights, x: &Tensor, style: &Tensor) -> Result<Tensor> {
        let up = |x: Tensor| if self.upsample { upsample_nearest2(&x) } else { Ok(x) };
        let residual = up(leaky_relu(&self.norm1.forward(w, x, style)?, SLOPE)?)?;
        let residual = self.conv1.forward(w, &residual)?;
        let residual = leaky_relu(&self.norm2.forward(w, &residual, style)?, SLOPE)?;
        let residual = self.conv2.forward(w, &residual)?;
        // Up-sampling and a 1×1 convolution commute; convolving first is four times cheaper.
        let shortcut = match &self.conv1x1 {
            Some(conv) => conv.forward(w, x)?,
            None => x.clone(),
        };
        Ok(((up(shortcut)? + residual)? * FRAC_1_SQRT_2)?)
    }
}
