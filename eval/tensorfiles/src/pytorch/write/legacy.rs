//! The stream of PyTorch before 1.6, as [`crate::pytorch::legacy`] reads it.

use super::{Container, pickle, unwritable};
use crate::Result;
use crate::pytorch::Object;
use crate::pytorch::legacy::{MAGIC, VERSION};
use crate::pytorch::opcodes as op;
use std::io::Write;

/// Facts about the writing machine: the version of the protocol, the order of bytes, and the sizes of types in C.
fn facts() -> Object {
    let entries = |entries: &[(&str, Object)]| {
        Object::Dict(entries.iter().map(|(name, value)| (Object::Str((*name).into()), value.clone())).collect())
    };
    let sizes = entries(&[("short", Object::Int(2)), ("int", Object::Int(4)), ("long", Object::Int(4))]);
    let version = Object::Int(VERSION as i64);
    entries(&[("protocol_version", version), ("little_endian", Object::Bool(true)), ("type_sizes", sizes)])
}

pub(super) fn write(object: &Object, mut out: impl Write) -> Result<()> {
    let (objects, tensors) = pickle::pickle(object, Container::Legacy)?;
    let keys = Object::List((0..tensors.len()).map(|key| Object::Str(key.to_string())).collect());
    // The magic number has 80 bits.
    let mut head = vec![op::PROTO, 2, op::LONG1, 10];
    head.extend(&MAGIC.to_le_bytes()[..10]);
    head.push(op::STOP);
    for object in [&Object::Int(VERSION as i64), &facts()] {
        head.extend(pickle::pickle(object, Container::Legacy)?.0);
    }
    head.extend(objects);
    head.extend(pickle::pickle(&keys, Container::Legacy)?.0);
    out.write_all(&head).map_err(unwritable)?;
    for tensor in tensors {
        let elements = (tensor.data.len() / tensor.dtype.size()) as i64;
        out.write_all(&elements.to_le_bytes()).and_then(|()| out.write_all(&tensor.data)).map_err(unwritable)?;
    }
    out.flush().map_err(unwritable)
}
