//! The network and its masks against the official code's numbers.

use super::{FaceMasks, LandmarkNetwork};
use crate::methods::golden::{self, Described};
use candle_core::{DType, Device, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

/// A `fan*` case.
#[derive(Debug, serde::Deserialize)]
struct FanCase {
    outputs: BTreeMap<String, Described>,
    state_dict: BTreeMap<String, Vec<usize>>,
}

fn state_by_rule(case: &FanCase, dtype: DType) -> HashMap<String, Tensor> {
    let value =
        |(key, shape): (&String, &Vec<usize>)| (key.clone(), golden::parameter(&format!("fan.{key}"), shape, dtype));
    case.state_dict.iter().map(value).collect()
}

fn check(case: &FanCase, name: &str, dtype: DType, tolerance: f64) {
    let started = Instant::now();
    let network = LandmarkNetwork::new(&state_by_rule(case, dtype), dtype, &Device::Cpu).unwrap();
    let x = golden::input("x_real", &[1, 3, 256, 256], dtype);
    let raw = network.forward(&x.affine(0.5, 0.5).unwrap()).unwrap();
    let FaceMasks { all_parts, eyes_and_nose } = network.masks(&x).unwrap();
    let outputs = [("fan(x*0.5+0.5)", raw), ("get_heatmap(x)[0]", all_parts), ("get_heatmap(x)[1]", eyes_and_nose)];
    assert!(case.outputs.keys().eq(outputs.iter().map(|(output, _)| output)), "{name}: outputs");
    for (output, tensor) in outputs {
        case.outputs[output].check(&format!("{name} {output}"), &tensor, tolerance, tolerance);
    }
    println!("{name} {dtype:?}: {:.1} s", started.elapsed().as_secs_f64());
}

#[test]
fn golden_fan() {
    for (name, case) in golden::cases::<FanCase>("fan") {
        check(&case, &name, DType::F32, 1e-4);
        check(&case, &name, DType::F64, 1e-9);
    }
}
