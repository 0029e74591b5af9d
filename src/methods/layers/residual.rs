//! The pre-activation residual blocks of StarGAN v2 (appendix A).

use super::{AdaIn, Conv2d, FRAC_1_SQRT_2, InstanceNorm};
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use harness_ops::{Declaration, Resample, Variable, Weights, avg_pool2, residual_add, upsample_nearest2};

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

impl ResBlk {
    /// `channels` = [in, out]. The 1×1 shortcut exists only where they differ.
    pub fn new(name: &str, channels: [usize; 2], normalize: bool, downsample: bool) -> Self {
        let [ci, co] = channels;
        let norm = |index: usize| InstanceNorm::new(format!("{name}.norm{index}"), ci).leaky_relu(SLOPE);
        // The leaky ReLU before a convolution belongs to the normalisation where there is one.
        let activated = |conv: Conv2d| if normalize { conv } else { conv.after_leaky_relu(SLOPE) };
        let resample = if downsample { Resample::AvgPool2 } else { Resample::None };
        Self {
            norms: normalize.then(|| [norm(1), norm(2)]),
            conv1: activated(Conv2d::new(format!("{name}.conv1"), [ci, ci], 3, 1)).resample(resample),
            conv2: activated(Conv2d::new(format!("{name}.conv2"), [ci, co], 3, 1)),
            conv1x1: (ci != co)
                .then(|| Conv2d::new(format!("{name}.conv1x1"), channels, 1, 0).no_bias().resample(resample)),
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
    pub fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        let residual = match &self.norms {
            Some([norm1, norm2]) => {
                let hidden = self.conv1.forward(w, &norm1.forward(w, x)?)?;
                self.conv2.forward(w, &norm2.forward(w, &hidden)?)?
            }
            None => self.conv2.forward(w, &self.conv1.forward(w, x)?)?,
        };
        let shortcut = match &self.conv1x1 {
            Some(conv) => conv.forward(w, x)?,
            None if self.downsample => avg_pool2(x)?,
            None => x.clone(),
        };
        residual_add(&shortcut, &residual, FRAC_1_SQRT_2)
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
    shortcut: bool,
}

impl AdainResBlk {
    /// `channels` = [in, out]. The 1×1 convolution of the shortcut exists only where they differ. In a generator with
    /// high-pass skips the block has no `shortcut`; as in the official code the convolution is declared all the same.
    pub fn new(name: &str, channels: [usize; 2], style_dim: usize, upsample: bool, shortcut: bool) -> Self {
        let [ci, co] = channels;
        let resample = if upsample { Resample::Upsample2 } else { Resample::None };
        Self {
            conv1: Conv2d::new(format!("{name}.conv1"), [ci, co], 3, 1).resample(resample),
            conv2: Conv2d::new(format!("{name}.conv2"), [co, co], 3, 1),
            norm1: AdaIn::new(&format!("{name}.norm1"), style_dim, ci, SLOPE),
            norm2: AdaIn::new(&format!("{name}.norm2"), style_dim, co, SLOPE),
            conv1x1: (ci != co)
                .then(|| Conv2d::new(format!("{name}.conv1x1"), channels, 1, 0).no_bias().resample(resample)),
            upsample,
            shortcut,
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
    pub fn forward(&self, w: &Weights, x: &Variable, style: &Variable) -> Result<Variable> {
        let residual = self.conv1.forward(w, &self.norm1.forward(w, x, style)?)?;
        let residual = self.conv2.forward(w, &self.norm2.forward(w, &residual, style)?)?;
        if !self.shortcut {
            return Ok(residual);
        }
        let shortcut = match &self.conv1x1 {
            Some(conv) => conv.forward(w, x)?,
            None if self.upsample => upsample_nearest2(x)?,
            None => x.clone(),
        };
        residual_add(&shortcut, &residual, FRAC_1_SQRT_2)
    }
}
