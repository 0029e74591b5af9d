//! A tiny writer of pickles and of the stream of old PyTorch.

#![allow(clippy::unwrap_used, dead_code)]

use harness_tensorfiles::pytorch::{Dtype, Object, Tensor};

/// A file beside the tests.
pub fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new("tests/fixtures").join(name)
}

/// `count` elements of 16 bits in a row.
pub fn tensor(count: u16) -> Tensor {
    Tensor { dtype: Dtype::I16, shape: vec![count.into()], data: (0..count).flat_map(u16::to_le_bytes).collect() }
}

/// The first three pickles of the stream.
pub const PREFIX: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";

/// The stream with this pickle for its objects, and these keys, element counts and bytes of storages.
pub fn stream(objects: &[u8], storages: &[(String, i64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = PREFIX.to_vec();
    bytes.extend(objects);
    bytes.extend(b"\x80\x02](");
    for (key, ..) in storages {
        push_text(&mut bytes, key);
    }
    bytes.extend(b"e.");
    for (_, count, data) in storages {
        bytes.extend(count.to_le_bytes());
        bytes.extend(data);
    }
    bytes
}

/// The stream with `object`.
pub fn write(object: &Object) -> Vec<u8> {
    let (mut pickle, mut storages) = (b"\x80\x02".to_vec(), Vec::new());
    push(&mut pickle, &mut storages, object);
    pickle.push(b'.');
    stream(&pickle, &storages)
}

pub fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'X');
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.bytes());
}

fn push_int(bytes: &mut Vec<u8>, value: i64) {
    bytes.extend([0x8a, 8]);
    bytes.extend(value.to_le_bytes());
}

fn push(bytes: &mut Vec<u8>, storages: &mut Vec<(String, i64, Vec<u8>)>, object: &Object) {
    match object {
        Object::None => bytes.push(b'N'),
        Object::Bool(value) => bytes.push(if *value { 0x88 } else { 0x89 }),
        Object::Int(value) => push_int(bytes, *value),
        Object::Float(value) => {
            bytes.push(b'G');
            bytes.extend(value.to_be_bytes());
        }
        Object::Str(text) => push_text(bytes, text),
        Object::Bytes(content) => {
            bytes.push(b'B');
            bytes.extend((content.len() as u32).to_le_bytes());
            bytes.extend(content);
        }
        Object::List(items) => {
            bytes.extend(b"](");
            items.iter().for_each(|item| push(bytes, storages, item));
            bytes.push(b'e');
        }
        Object::Tuple(items) => {
            bytes.push(b'(');
            items.iter().for_each(|item| push(bytes, storages, item));
            bytes.push(b't');
        }
        Object::Dict(items) => {
            bytes.extend(b"ccollections\nOrderedDict\n)R(");
            for (key, value) in items {
                push(bytes, storages, key);
                push(bytes, storages, value);
            }
            bytes.push(b'u');
        }
        Object::Tensor(tensor) => push_tensor(bytes, storages, tensor),
    }
}

fn push_tensor(bytes: &mut Vec<u8>, storages: &mut Vec<(String, i64, Vec<u8>)>, tensor: &Tensor) {
    let class = match tensor.dtype {
        Dtype::F64 => "Double",
        Dtype::F32 => "Float",
        Dtype::F16 => "Half",
        Dtype::BF16 => "BFloat16",
        Dtype::I64 => "Long",
        Dtype::I32 => "Int",
        Dtype::I16 => "Short",
        Dtype::I8 => "Char",
        Dtype::U8 => "Byte",
        Dtype::Bool => "Bool",
    };
    let (key, count) = (storages.len().to_string(), tensor.data.len() / tensor.dtype.size());
    bytes.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    push_text(bytes, "storage");
    bytes.extend(format!("ctorch\n{class}Storage\n").into_bytes());
    push_text(bytes, &key);
    push_text(bytes, "cpu");
    push_int(bytes, count as i64);
    bytes.extend(b"NtQ");
    push_int(bytes, 0);
    bytes.push(b'(');
    tensor.shape.iter().for_each(|length| push_int(bytes, *length as i64));
    bytes.extend(b"t(");
    for dimension in 0..tensor.shape.len() {
        push_int(bytes, tensor.shape[dimension + 1..].iter().product::<usize>() as i64);
    }
    bytes.extend(b"t\x89ccollections\nOrderedDict\n)RtR");
    storages.push((key, count as i64, tensor.data.clone()));
}
