//! The counters of arithmetic. One test: the counters are of the whole process.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Tensor};
use harness_ops::flop::counted;
use harness_ops::{Conv2dConfig, ConvGeometry, Resample, Variable, conv2d, conv2d_relu, linear, sum_all};

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn operations_and_their_gradients_count_alike() {
    let (x, w) = (Variable::leaf(ones(&[2, 3, 5, 7])), Variable::leaf(ones(&[4, 3, 3, 3])));
    let plain_since = |before| counted().since(before).plain;
    // 2 images × 4 channels × (3 × 4) pixels at stride 2, each a sum of 3 × 3 × 3 products.
    let one = 2 * (2 * 4 * (3 * 4) * (3 * 3 * 3));
    let before = counted();
    let y = conv2d(&x, &w, None, ConvGeometry::new(2, 1)).unwrap();
    assert_eq!(y.dims(), [2, 4, 3, 4]);
    assert_eq!(plain_since(before), one);
    sum_all(&y).unwrap().backward().unwrap();
    assert_eq!(plain_since(before), 3 * one);

    let before = counted();
    sum_all(&conv2d(&x.detach(), &w, None, ConvGeometry::new(2, 1)).unwrap()).unwrap().backward().unwrap();
    assert_eq!(plain_since(before), 2 * one, "no gradient for an input that needs none");

    // With pooling, the definition counts at full resolution; the kernel does with a quarter.
    let before = counted();
    let pooled = Conv2dConfig { resample: Resample::AvgPool2, ..ConvGeometry::new(1, 1).into() };
    conv2d(&Variable::constant(ones(&[2, 3, 8, 8])), &w, None, pooled).unwrap();
    assert_eq!(plain_since(before), 2 * (2 * 4 * 64 * 27));
    assert_eq!(counted().since(before).executed, 2 * (2 * 4 * 16 * 27));

    // Where networks are only applied, small maps do without the products of the padding: 7 × 7 instead of 9 × 9 here.
    let before = counted();
    conv2d_relu(&ones(&[2, 16, 3, 3]), &ones(&[4, 16, 3, 3]), &ones(&[4]), ConvGeometry::new(1, 1)).unwrap();
    assert_eq!(plain_since(before), 2 * (2 * 4 * 16 * 81));
    assert_eq!(counted().since(before).executed, 2 * (2 * 4 * 16 * 49));

    let before = counted();
    let (x, w, b) = (ones(&[5, 3]), ones(&[4, 3]), ones(&[4]));
    linear(&Variable::constant(x), &Variable::constant(w), &Variable::constant(b)).unwrap();
    assert_eq!(plain_since(before), 2 * 5 * 3 * 4);
}
