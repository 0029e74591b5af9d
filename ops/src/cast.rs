//! Conversion between element types.

use crate::Result;
use crate::graph::{Variable, record};
use crate::shapes::when;
use candle_core::{DType, Tensor};

/// The same numbers in `dtype`, to the nearest. The gradient comes back in the type of `x`.
///
/// # Errors
/// The device fails.
pub fn cast(x: &Variable, dtype: DType) -> Result<Variable> {
    let from = x.dtype();
    if from == dtype {
        return Ok(x.clone());
    }
    Ok(record(converted(x.value(), dtype)?, &[x], move |g, needed| Ok(vec![when(needed[0], || cast(g, from))?])))
}

/// `x` in `dtype`.
pub(crate) fn converted(x: &Tensor, dtype: DType) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if let candle_core::Device::Cuda(device) = x.device()
        && let Some(y) = crate::cuda::cast(device, x, dtype)?
    {
        return Ok(y);
    }
    Ok(x.to_dtype(dtype)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mul, sum_all};
    use candle_core::Device;

    #[test]
    fn rounds_to_the_nearest_and_brings_the_gradient_back() {
        // 1 + 2^-8 lies halfway between 1 and the next number of bf16.
        let x =
            Variable::leaf(Tensor::new(&[1.0f32, 1.0 + 1.0 / 256.0, 1.0 + 1.5 / 256.0, -3.0], &Device::Cpu).unwrap());
        let y = cast(&x, DType::BF16).unwrap();
        assert_eq!(y.dtype(), DType::BF16);
        let wide = cast(&y, DType::F32).unwrap();
        assert_eq!(wide.value().to_vec1::<f32>().unwrap(), [1.0, 1.0, 1.007_812_5, -3.0]);
        let gradient = sum_all(&mul(&wide, &wide).unwrap()).unwrap().backward().unwrap();
        assert_eq!(gradient.get(&x).unwrap().to_vec1::<f32>().unwrap(), [2.0, 2.0, 2.015_625, -6.0]);
    }
}
