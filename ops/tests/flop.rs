//! The counters of arithmetic. One test: the counters are of the whole process.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Tensor, Var};
use harness_ops::flop::{Flop, counted};
use harness_ops::{ConvGeometry, conv2d};

#[test]
fn a_convolution_and_its_gradients_count_alike() {
    let x = Var::from_tensor(&Tensor::ones((2, 3, 5, 7), DType::F32, &Device::Cpu).unwrap()).unwrap();
    let w = Var::from_tensor(&Tensor::ones((4, 3, 3, 3), DType::F32, &Device::Cpu).unwrap()).unwrap();
    // 2 images × 4 channels × (3 × 4) pixels at stride 2, each a sum of 3 × 3 × 3 products.
    let one = 2 * (2 * 4 * (3 * 4) * (3 * 3 * 3));

    let before = counted();
    let y = conv2d(x.as_tensor(), w.as_tensor(), None, ConvGeometry::new(2, 1)).unwrap();
    assert_eq!(y.dims(), [2, 4, 3, 4]);
    assert_eq!(counted().since(before), Flop { plain: one, executed: one });

    y.sum_all().unwrap().backward().unwrap();
    assert_eq!(counted().since(before), Flop { plain: 3 * one, executed: 3 * one });

    let before = counted();
    conv2d(&x.as_detached_tensor(), w.as_tensor(), None, ConvGeometry::new(2, 1))
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    assert_eq!(counted().since(before).plain, 2 * one, "no gradient for an input that needs none");
}
