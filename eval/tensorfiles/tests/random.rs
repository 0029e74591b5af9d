//! Random and mutated files: an error or a value, never a panic; what a small writer writes is read.

#![allow(clippy::unwrap_used)]

mod common;

use common::{fixture, write};
use harness_tensorfiles::npz::Statistics;
use harness_tensorfiles::pytorch::{self, Container, Dtype, Object, Tensor, read_bytes};
use proptest::prelude::*;

const FILES: [&str; 8] = [
    "state.zip.pt",
    "state.deflated.pt",
    "state.legacy.pt",
    "adam.zip.pt",
    "adam.legacy.pt",
    "views.legacy.pt",
    "double.npz",
    "single_fortran.npz",
];

fn tensors() -> impl Strategy<Value = Object> {
    let dtypes = prop::sample::select(vec![
        Dtype::F64,
        Dtype::F32,
        Dtype::F16,
        Dtype::BF16,
        Dtype::I64,
        Dtype::I32,
        Dtype::I16,
        Dtype::I8,
        Dtype::U8,
        Dtype::Bool,
    ]);
    (dtypes, prop::collection::vec(0usize..4, 0..4)).prop_flat_map(|(dtype, shape)| {
        let len = shape.iter().product::<usize>() * dtype.size();
        prop::collection::vec(any::<u8>(), len)
            .prop_map(move |data| Object::Tensor(Tensor { dtype, shape: shape.clone(), data }))
    })
}

fn objects() -> impl Strategy<Value = Object> {
    let leaves = prop_oneof![
        Just(Object::None),
        any::<bool>().prop_map(Object::Bool),
        any::<i64>().prop_map(Object::Int),
        (-1e300..1e300).prop_map(Object::Float),
        ".{0,12}".prop_map(Object::Str),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Object::Bytes),
        tensors(),
    ];
    leaves.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Object::List),
            prop::collection::vec(inner.clone(), 0..5).prop_map(Object::Tuple),
            prop::collection::btree_map(".{0,8}", inner, 0..5).prop_map(|items| Object::Dict(
                items.into_iter().map(|(key, value)| (Object::Str(key), value)).collect()
            )),
        ]
    })
}

fn either(bytes: &[u8]) {
    let _ = read_bytes(bytes);
    let _ = Statistics::read_bytes(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(object in objects()) {
        prop_assert_eq!(&read_bytes(&write(&object)).unwrap(), &object);
        for container in [Container::Zip, Container::Legacy] {
            let bytes = pytorch::write_bytes(&object, container).unwrap();
            prop_assert_eq!(&bytes, &pytorch::write_bytes(&object, container).unwrap());
            prop_assert_eq!(&read_bytes(&bytes).unwrap(), &object);
        }
    }

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..3) {
        let start: &[u8] = [&b""[..], common::PREFIX, b"PK\x03\x04"][kind as usize];
        either(&[start, &bytes].concat());
    }

    #[test]
    fn mutated_files(
        file in prop::sample::select(&FILES[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = std::fs::read(fixture(file)).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        either(&bytes);
    }
}
