//! Convolution in networks that are only applied.

use super::cpu::Pass;
use super::differentiable::{Forward, sizes};
use super::executed_flop;
use super::geometry::{Conv2dConfig, ConvGeometry};
use crate::launch::launch;
use crate::{Error, Result, flop};
use candle_core::Tensor;

/// max(0, `x` ∗ `weight` + `bias`): `x` N×Ci×H×W, `weight` Co×Ci×Kh×Kw, `bias` Co → N×Co×H'×W'. NaN stays NaN. What an
/// image gives is the same to the bit whatever batch it comes in (on the processor, with finite weights). Records no
/// gradient.
///
/// # Errors
/// Shapes that do not fit, empty operands, or operands of different types or devices.
pub fn conv2d_relu(x: &Tensor, weight: &Tensor, bias: &Tensor, geometry: ConvGeometry) -> Result<Tensor> {
    let config = Conv2dConfig { batch_independent: true, ..geometry.into() };
    let (n, ci, h, w) = x.dims4()?;
    let (co, weight_ci, kh, kw) = weight.dims4()?;
    let empty = x.elem_count() == 0 || weight.elem_count() == 0;
    let output = geometry.output([h, w], [kh, kw]).filter(|_| !empty && ci == weight_ci && bias.dims() == [co]);
    let Some([oh, ow]) = output else {
        let problem = format!(
            "input {:?} does not fit weight {:?}, bias {:?} with stride {} and padding {:?}",
            x.dims(),
            weight.dims(),
            bias.dims(),
            geometry.stride,
            geometry.padding
        );
        return Err(Error::Operands { operation: "conv2d_relu", problem });
    };
    let out = [n, co, oh, ow];
    let sizes = sizes([n, ci, h, w], out, [kh, kw], config);
    flop::count(sizes.plain_flop(), executed_flop(x.device(), &sizes, Pass::Forward));
    launch(&Forward { sizes, input_slope: None, relu: true }, &[x, weight, bias], &out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Variable, conv2d};
    use candle_core::{DType, Device};

    /// Against the convolution with gradients, on every route: Winograd's and both kinds of products.
    #[test]
    fn is_the_convolution_cut_off_at_zero() {
        let cases =
            [([3, 3], ConvGeometry::new(1, 1)), ([3, 3], ConvGeometry::new(1, 0)), ([1, 5], ConvGeometry::new(2, 2))];
        for (kernel, geometry) in cases {
            let normal = |step, shape: &[usize]| {
                crate::random::Key::new(7, "conv2d_relu").normal(step, shape, DType::F64, &Device::Cpu).unwrap()
            };
            let (x, bias) = (normal(0, &[2, 3, 13, 12]), normal(1, &[9]));
            let weight = normal(2, &[9, 3, kernel[0], kernel[1]]);
            let found = conv2d_relu(&x, &weight, &bias, geometry).unwrap();
            let [x, weight, bias] = [x, weight, bias].map(Variable::constant);
            let sum = conv2d(&x, &weight, Some(&bias), geometry).unwrap();
            assert_eq!(found.dims(), sum.dims());
            let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let mut zeros = 0;
            for (found, sum) in values(&found).into_iter().zip(values(sum.value())) {
                assert!((found - sum.max(0.0)).abs() < 1e-12, "{found} {sum}");
                zeros += usize::from(sum < 0.0);
            }
            assert!(zeros > 100);
        }
    }

    #[test]
    fn names_what_is_wrong() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let error = conv2d_relu(&zeros(&[1, 3, 2, 2]), &zeros(&[4, 3, 3, 3]), &zeros(&[4]), ConvGeometry::new(1, 0));
        assert_eq!(
            error.unwrap_err().to_string(),
            "conv2d_relu: input [1, 3, 2, 2] does not fit weight [4, 3, 3, 3], bias [4] with stride 1 and padding [0, 0]"
        );
    }
}
