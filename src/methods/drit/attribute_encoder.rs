//! Attribute encoder E^a in both forms (official code: `E_attr_concat` and `E_attr`).

use super::DOMAINS;
use crate::experiment::settings::InitScheme;
use crate::methods::Result;
use crate::methods::layers::{Conv2d, Linear};
use harness_ops::{
    Declaration, Resample, Variable, Weights, add, affine, avg_pool2, exp, leaky_relu, mul, relu, reshape, sum_to,
};

/// Slope of leaky ReLUs in the residual form.
const SLOPE: f64 = 0.2;

/// Attributes of N images.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// The attribute, or the mean of its distribution; N×latent_dim.
    pub mean: Variable,
    /// Logarithm of the variance, N×latent_dim, where attributes are distributions.
    pub log_variance: Option<Variable>,
}

impl Attribute {
    /// Mean + deviation · `draw` with a `draw` from N(0, 1), N×latent_dim; the mean where there is no deviation.
    pub fn sample(&self, draw: &Variable) -> Result<Variable> {
        match &self.log_variance {
            Some(log_variance) => add(&self.mean, &mul(&exp(&affine(log_variance, 0.5, 0.0)?)?, draw)?),
            None => Ok(self.mean.clone()),
        }
    }
}

/// Encoders of both domains, which share nothing.
#[derive(Debug, Clone)]
pub enum AttributeEncoder {
    /// Residual blocks and a distribution, for the generator that concatenates.
    Variational(Box<[Variational; 2]>),
    /// Strided convolutions and a point, for the feature-wise generator.
    Deterministic(Box<[Deterministic; 2]>),
}

impl AttributeEncoder {
    /// The form that goes with the generator's; `base_channels` after the first convolution (official: 64).
    pub fn new(concat: bool, base_channels: usize, latent_dim: usize) -> Self {
        if concat {
            Self::Variational(Box::new(DOMAINS.map(|domain| Variational::new(domain, base_channels, latent_dim))))
        } else {
            Self::Deterministic(Box::new(DOMAINS.map(|domain| Deterministic::new(domain, base_channels, latent_dim))))
        }
    }

    /// All parameters.
    pub fn declarations(&self, scheme: InitScheme) -> Vec<Declaration> {
        let mut out = Vec::new();
        match self {
            Self::Variational(domains) => domains.iter().for_each(|branch| branch.declare(scheme, &mut out)),
            Self::Deterministic(domains) => {
                domains.iter().flat_map(|branch| &branch.convolutions).for_each(|conv| conv.declare(scheme, &mut out));
            }
        }
        out
    }

    /// `x` N×3×S×S in [-1, 1] of `domain` (0 or 1).
    pub fn forward(&self, w: &Weights, domain: usize, x: &Variable) -> Result<Attribute> {
        match self {
            Self::Variational(domains) => domains[domain].forward(w, x),
            Self::Deterministic(domains) => domains[domain].forward(w, x),
        }
    }
}

/// `E_attr_concat` of one domain.
#[derive(Debug, Clone)]
pub struct Variational {
    first: Conv2d,
    blocks: [BasicBlock; 3],
    mean: Linear,
    log_variance: Linear,
}

impl Variational {
    fn new(domain: &str, base_channels: usize, latent_dim: usize) -> Self {
        let conv = |place: usize| format!("conv_{domain}.{place}");
        let block = |n: usize| BasicBlock::new(&conv(n + 1), [n * base_channels, (n + 1) * base_channels]);
        let features = [4 * base_channels, latent_dim];
        Self {
            first: Conv2d::new(conv(1), [3, base_channels], 4, 1).stride(2).reflect(),
            blocks: [1, 2, 3].map(block),
            mean: Linear::new(format!("fc_{domain}.0"), features),
            log_variance: Linear::new(format!("fcVar_{domain}.0"), features),
        }
    }

    fn declare(&self, scheme: InitScheme, out: &mut Vec<Declaration>) {
        self.mean.declare(scheme, out);
        self.log_variance.declare(scheme, out);
        self.first.declare(scheme, out);
        self.blocks.iter().flat_map(|block| &block.convolutions).for_each(|conv| conv.declare(scheme, out));
    }

    fn forward(&self, w: &Weights, x: &Variable) -> Result<Attribute> {
        let h = self.blocks.iter().try_fold(self.first.forward(w, x)?, |h, block| block.forward(w, &h))?;
        let features = spatial_mean(&leaky_relu(&h, SLOPE)?)?;
        let log_variance = Some(self.log_variance.forward(w, &features)?);
        Ok(Attribute { mean: self.mean.forward(w, &features)?, log_variance })
    }
}

/// `BasicBlock`: pool(conv(σ(conv(σ(x))))) + conv1×1(pool(x)) with leaky ReLUs σ.
#[derive(Debug, Clone)]
struct BasicBlock {
    /// Those of the residual, then the shortcut's.
    convolutions: [Conv2d; 3],
}

impl BasicBlock {
    fn new(name: &str, [ci, co]: [usize; 2]) -> Self {
        let conv = |place: &str, channels| {
            Conv2d::new(format!("{name}.conv.{place}"), channels, 3, 1).reflect().after_leaky_relu(SLOPE)
        };
        let shortcut = Conv2d::new(format!("{name}.shortcut.1"), [ci, co], 1, 0).resample(Resample::AvgPool2);
        Self { convolutions: [conv("2", [ci, ci]), conv("4.1", [ci, co]), shortcut] }
    }

    fn forward(&self, w: &Weights, x: &Variable) -> Result<Variable> {
        let [first, second, shortcut] = &self.convolutions;
        add(&avg_pool2(&second.forward(w, &first.forward(w, x)?)?)?, &shortcut.forward(w, x)?)
    }
}

/// `E_attr` of one domain.
#[derive(Debug, Clone)]
pub struct Deterministic {
    convolutions: [Conv2d; 6],
}

impl Deterministic {
    fn new(domain: &str, base_channels: usize, latent_dim: usize) -> Self {
        let name = |place: usize| format!("model_{}.{place}", domain.to_lowercase());
        let [c, c2, c4] = [1, 2, 4].map(|factor| factor * base_channels);
        let strided =
            |place, channels| Conv2d::new(name(place), channels, 4, 1).stride(2).reflect().after_leaky_relu(0.0);
        Self {
            convolutions: [
                Conv2d::new(name(1), [3, c], 7, 3).reflect(),
                strided(4, [c, c2]),
                strided(7, [c2, c4]),
                strided(10, [c4, c4]),
                strided(13, [c4, c4]),
                Conv2d::new(name(16), [c4, latent_dim], 1, 0),
            ],
        }
    }

    fn forward(&self, w: &Weights, x: &Variable) -> Result<Attribute> {
        let [strided @ .., last] = &self.convolutions;
        let h = relu(&strided.iter().try_fold(x.clone(), |h, conv| conv.forward(w, &h))?)?;
        let features = spatial_mean(&h)?;
        let &[n, c] = features.dims() else { return Ok(Attribute { mean: features, log_variance: None }) };
        let code = last.forward(w, &reshape(&features, &[n, c, 1, 1])?)?;
        Ok(Attribute { mean: reshape(&code, &[n, code.elem_count() / n.max(1)])?, log_variance: None })
    }
}

/// Mean over pixels: N×C×H×W → N×C (PyTorch: `AdaptiveAvgPool2d(1)`).
fn spatial_mean(x: &Variable) -> Result<Variable> {
    let &[n, c, height, width] = x.dims() else { return Ok(x.clone()) };
    let pixels = height * width;
    reshape(&affine(&sum_to(x, [1, n * c, pixels])?, 1.0 / pixels.max(1) as f64, 0.0)?, &[n, c])
}
