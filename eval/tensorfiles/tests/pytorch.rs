//! Files that PyTorch 1.13 wrote. `fixtures/make.py` made them; it says what is in each.

#![allow(clippy::unwrap_used)]

mod common;

use common::fixture;
use harness_tensorfiles::pytorch::{Dtype, Object, Tensor, read, strip_data_parallel_prefix};

fn floats(object: &Object, keys: &[&str]) -> (Vec<usize>, Vec<f32>) {
    match object.at(keys).unwrap() {
        Object::Tensor(tensor) => (tensor.shape.clone(), tensor.to_f32().unwrap()),
        other => panic!("{other:?}"),
    }
}

fn tensor(object: &Object, key: &str) -> Tensor {
    match object.get(key) {
        Some(Object::Tensor(tensor)) => tensor.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn state_dictionaries_of_both_containers() {
    for file in ["state.zip.pt", "state.legacy.pt", "state.deflated.pt", "module.legacy.pt"] {
        let mut tensors = read(&fixture(file)).unwrap().into_state_dict().unwrap();
        strip_data_parallel_prefix(&mut tensors);
        let names: Vec<&str> = tensors.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["weight", "bias"], "{file}");
        let (weight, bias) = (&tensors[0].1, &tensors[1].1);
        assert_eq!((weight.dtype, &weight.shape[..]), (Dtype::F32, &[2, 3][..]));
        assert_eq!(weight.to_f32().unwrap(), [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]);
        assert_eq!((bias.dtype, bias.to_f32().unwrap()), (Dtype::F64, vec![-1.0, 0.5]));
    }
}

#[test]
fn only_a_common_prefix_is_taken_off() {
    let mut names = [("module.a".to_owned(), ()), ("b".to_owned(), ())];
    strip_data_parallel_prefix(&mut names);
    assert_eq!(names[0].0, "module.a");
}

#[test]
fn nested_checkpoints() {
    let object = read(&fixture("nested.zip.pt")).unwrap();
    assert_eq!(floats(&object, &["generator", "layer.weight"]).0, [2, 3]);
    assert_eq!(object.get("iteration"), Some(&Object::Int(7)));
    assert_eq!(object.get("lr"), Some(&Object::Float(1e-4)));
    assert_eq!(object.get("name"), Some(&Object::Str("F".into())));
    assert_eq!(object.get("done"), Some(&Object::None));
    let pair = Object::Tuple(vec![Object::Int(1), Object::Int(-2)]);
    assert_eq!(object.get("flags"), Some(&Object::List(vec![Object::Bool(true), pair])));

    let message = object.at(&["generator", "other"]).unwrap_err().to_string();
    assert_eq!(message, "`generator` has no entry `other`: it is a dictionary with the entries `layer.weight`");
    let message = object.into_state_dict().unwrap_err().to_string();
    let expected = "a dictionary of tensors is needed, but the entry `generator` is a dictionary with the entries";
    assert!(message.starts_with(expected), "{message}");
}

/// One step of Adam with beta1 = 0 on the output of a linear layer: the gradients are the input (3, 4) and 1.
#[test]
fn states_of_optimisers() {
    for file in ["adam.zip.pt", "adam.legacy.pt"] {
        let object = read(&fixture(file)).unwrap();
        let Object::Dict(states) = object.get("state").unwrap() else { panic!() };
        assert_eq!(states[0].0, Object::Int(0), "{file}");
        let (shape, squares) = floats(&states[0].1, &["exp_avg_sq"]);
        assert_eq!(shape, [1, 2]);
        assert!((squares[0] - 0.09).abs() < 1e-6 && (squares[1] - 0.16).abs() < 1e-6, "{squares:?}");
        assert_eq!(floats(&states[1].1, &["exp_avg"]), (vec![1], vec![1.0]));
        assert_eq!(floats(&states[1].1, &["step"]), (vec![], vec![1.0]));
        let Object::List(groups) = object.get("param_groups").unwrap() else { panic!() };
        assert_eq!(groups[0].get("lr"), Some(&Object::Float(0.1)));
        assert_eq!(groups[0].get("betas"), Some(&Object::Tuple(vec![Object::Float(0.0), Object::Float(0.99)])));
    }
}

#[test]
fn views_of_shared_storages() {
    for file in ["views.zip.pt", "views.legacy.pt"] {
        let object = read(&fixture(file)).unwrap();
        let ints = |key: &str| {
            let tensor = tensor(&object, key);
            assert_eq!(tensor.dtype, Dtype::I64);
            let (elements, []) = tensor.data.as_chunks() else { panic!() };
            (tensor.shape, elements.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect::<Vec<_>>())
        };
        assert_eq!(ints("transposed"), (vec![4, 3], vec![0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]), "{file}");
        assert_eq!(ints("slice"), (vec![2, 2], vec![5, 6, 9, 10]));
        assert_eq!(ints("step"), (vec![3, 2], vec![0, 2, 4, 6, 8, 10]));
        assert_eq!(ints("expanded"), (vec![2, 3], vec![5, 5, 5, 6, 6, 6]));
        assert_eq!(floats(&object, &["empty"]), (vec![0, 3], vec![]));
        assert_eq!(floats(&object, &["scalar"]), (vec![], vec![2.5]));
        assert_eq!(tensor(&object, "permuted").data, [0, 2, 4, 6, 1, 3, 5, 7]);
    }
}

#[test]
fn every_type_of_element() {
    for file in ["kinds.zip.pt", "kinds.legacy.pt"] {
        let object = read(&fixture(file)).unwrap();
        for (name, dtype) in [
            ("float64", Dtype::F64),
            ("float32", Dtype::F32),
            ("float16", Dtype::F16),
            ("bfloat16", Dtype::BF16),
            ("int64", Dtype::I64),
            ("int32", Dtype::I32),
            ("int16", Dtype::I16),
            ("int8", Dtype::I8),
            ("uint8", Dtype::U8),
            ("bool", Dtype::Bool),
        ] {
            let tensor = tensor(&object, name);
            assert_eq!((tensor.dtype, &tensor.shape[..]), (dtype, &[3][..]), "{file} {name}");
            match (tensor.to_f32(), dtype) {
                (Some(values), _) => assert_eq!((values, dtype.is_float()), (vec![0.0, 1.0, 2.0], true)),
                (None, Dtype::Bool) => assert_eq!(tensor.data, [0, 1, 1]),
                (None, _) => {
                    let lowest: Vec<u8> = tensor.data.chunks(dtype.size()).map(|element| element[0]).collect();
                    assert_eq!((lowest, tensor.data.len()), (vec![0, 1, 2], 3 * dtype.size()));
                }
            }
        }
    }
}

#[test]
fn parameters_and_sizes() {
    let object = read(&fixture("parameter.protocol4.pt")).unwrap();
    assert_eq!(floats(&object, &["p"]), (vec![1], vec![1.0]));
    assert_eq!(object.get("size"), Some(&Object::Tuple(vec![Object::Int(2), Object::Int(3)])));
}

#[test]
fn nothing_is_executed() {
    for (file, place) in [("evil.zip.pt", "evil.zip/data.pkl"), ("evil.legacy.pt", "evil.legacy.pt")] {
        let error = read(&fixture(file)).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(place) && message.contains("the pickle names `posix.system`"), "{message}");
        assert!(error.offset.is_some() && error.file == Some(fixture(file)));
    }
    assert!(!std::path::Path::new("/tmp/executed").exists());
}

#[test]
fn a_missing_file_is_named() {
    let message = read(&fixture("missing.pt")).unwrap_err().to_string();
    assert!(message.contains("missing.pt: cannot be read: "), "{message}");
}
