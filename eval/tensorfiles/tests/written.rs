//! Files that are written here.

#![allow(clippy::unwrap_used)]

mod common;

use common::fixture;
use harness_tensorfiles::pytorch::{Container, Dtype, Object, Tensor, read, read_bytes, write_bytes};

const CONTAINERS: [Container; 2] = [Container::Zip, Container::Legacy];

/// What PyTorch wrote, read and written again, is the same.
#[test]
fn files_of_pytorch_survive() {
    let files = ["nested.zip.pt", "state.legacy.pt", "adam.zip.pt", "views.zip.pt", "kinds.legacy.pt"];
    for file in files {
        let object = read(&fixture(file)).unwrap();
        for container in CONTAINERS {
            assert_eq!(read_bytes(&write_bytes(&object, container).unwrap()).unwrap(), object, "{file}");
        }
    }
}

/// `fixtures/check_written.py` loads `written.zip.pt` and `written.legacy.pt` with PyTorch and looks at what is in them.
/// With `WRITE_FIXTURES` in the environment they are written anew, to be checked by it again.
#[test]
fn the_bytes_are_those_that_pytorch_has_loaded() {
    let text = |text: &str| Object::Str(text.into());
    let floats = |shape: &[usize], values: &[f32]| {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Object::Tensor(Tensor { dtype: Dtype::F32, shape: shape.to_vec(), data })
    };
    let counter = Object::Tensor(Tensor { dtype: Dtype::I64, shape: vec![], data: 7i64.to_le_bytes().to_vec() });
    let network = vec![
        (text("weight"), floats(&[2, 3], &[0.0, 0.25, 0.5, 0.75, 1.0, 1.25])),
        (text("bias"), floats(&[2], &[-1.0, 0.5])),
        (text("batches"), counter),
        (text("empty"), floats(&[0, 3], &[])),
    ];
    let moments = vec![(text("step"), Object::Int(100_000)), (text("exp_avg"), floats(&[1], &[0.5]))];
    let group = vec![
        (text("lr"), Object::Float(1e-4)),
        (text("betas"), Object::Tuple(vec![Object::Float(0.0), Object::Float(0.99)])),
        (text("amsgrad"), Object::Bool(false)),
        (text("maximize"), Object::None),
        (text("params"), Object::List(vec![Object::Int(0), Object::Int(-1), Object::Int(1 << 40)])),
    ];
    let optimiser = vec![
        (text("state"), Object::Dict(vec![(Object::Int(0), Object::Dict(moments))])),
        (text("param_groups"), Object::List(vec![Object::Dict(group)])),
    ];
    let object =
        Object::Dict(vec![(text("network"), Object::Dict(network)), (text("optimiser"), Object::Dict(optimiser))]);
    for (container, name) in CONTAINERS.into_iter().zip(["written.zip.pt", "written.legacy.pt"]) {
        let bytes = write_bytes(&object, container).unwrap();
        if std::env::var_os("WRITE_FIXTURES").is_some() {
            std::fs::write(fixture(name), &bytes).unwrap();
        }
        assert!(bytes == std::fs::read(fixture(name)).unwrap(), "{name} would be written in another way now");
        assert_eq!(read_bytes(&bytes).unwrap(), object);
    }
}

#[test]
fn members_of_the_archive_are_aligned() {
    let tensor = Object::Tensor(common::tensor(1000));
    let bytes = write_bytes(&Object::List(vec![tensor.clone(), tensor]), Container::Zip).unwrap();
    let content: Vec<u8> = (0..1000u16).flat_map(u16::to_le_bytes).collect();
    let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&content)).collect();
    assert_eq!(found.iter().map(|at| at % 64).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let wrong = Object::Tensor(Tensor { dtype: Dtype::F32, shape: vec![2, 3], data: vec![0; 20] });
    let message = write_bytes(&wrong, Container::Zip).unwrap_err().to_string();
    assert_eq!(message, "a tensor of shape [2, 3] of 4-byte elements has 20 bytes");
    let huge = Object::Tensor(Tensor { dtype: Dtype::F32, shape: vec![usize::MAX, 2], data: vec![0; 4] });
    write_bytes(&huge, Container::Legacy).unwrap_err();
    let deep = (0..70).fold(Object::None, |inner, _| Object::List(vec![inner]));
    assert_eq!(write_bytes(&deep, Container::Legacy).unwrap_err().to_string(), "nested deeper than 64 levels");
}
