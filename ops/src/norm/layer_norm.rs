//! Layer normalisation as MUNIT's decoder uses it (Huang et al. 2018).

use crate::graph::Variable;
use crate::shapes::dims4;
use crate::{Error, Result, add, affine, expand_from, mul, power, reshape, sqr, sub, sum_per_sample};

/// Added to the standard deviation, not to the variance, as in MUNIT's code.
pub const LAYER_NORM_EPS: f64 = 1e-5;

/// `gamma` · (x − mean) / (deviation + eps) + `beta` with mean and unbiased standard deviation of each sample over all
/// of C×H×W. `x` N×C×H×W, `gamma` and `beta` C. Differentiable to any order.
///
/// # Errors
/// Shapes that do not fit, or a single element per sample, which has no deviation.
pub fn layer_norm(x: &Variable, gamma: &Variable, beta: &Variable) -> Result<Variable> {
    let [n, c, h, w] = dims4("layer_norm", x)?;
    let elements = c * h * w;
    if gamma.dims() != [c] || beta.dims() != [c] || elements < 2 {
        let problem = format!(
            "x is {:?}, so gamma and beta must be [{c}], found {:?} and {:?}",
            x.dims(),
            gamma.dims(),
            beta.dims()
        );
        return Err(Error::Operands { operation: "layer_norm", problem });
    }
    let per_sample = |s: &Variable| reshape(&expand_from(s, [1, n, elements])?, x.dims());
    let per_channel = |s: &Variable| reshape(&expand_from(s, [n, c, h * w])?, x.dims());
    let mean = affine(&sum_per_sample(x)?, 1.0 / elements as f64, 0.0)?;
    let centred = sub(x, &per_sample(&mean)?)?;
    let variance = affine(&sum_per_sample(&sqr(&centred)?)?, 1.0 / (elements - 1) as f64, 0.0)?;
    let inverse = power(&affine(&power(&variance, 0.5)?, 1.0, LAYER_NORM_EPS)?, -1.0)?;
    let normalised = mul(&centred, &per_sample(&inverse)?)?;
    add(&mul(&normalised, &per_channel(gamma)?)?, &per_channel(beta)?)
}
