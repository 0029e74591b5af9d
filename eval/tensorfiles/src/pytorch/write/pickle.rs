//! A pickle of protocol 2, as `torch.save` makes it.

use super::Container;
use crate::pytorch::nodes::Nodes;
use crate::pytorch::opcodes as op;
use crate::pytorch::{Dtype, Object, Tensor};
use crate::{Cause, Result};

/// What is collected while objects are pickled.
pub(super) struct Pickler<'o> {
    bytes: Vec<u8>,
    tensors: Vec<&'o Tensor>,
    container: Container,
}

/// The pickle of `object`, and its tensors: the key of a tensor's storage is its place among them.
pub(super) fn pickle(object: &Object, container: Container) -> Result<(Vec<u8>, Vec<&Tensor>)> {
    let mut pickler = Pickler { bytes: vec![op::PROTO, 2], tensors: Vec::new(), container };
    pickler.object(object, 0)?;
    pickler.bytes.push(op::STOP);
    Ok((pickler.bytes, pickler.tensors))
}

impl<'o> Pickler<'o> {
    fn object(&mut self, object: &'o Object, depth: usize) -> Result<()> {
        if depth > Nodes::DEPTH {
            return Err(Cause::TooDeep { limit: Nodes::DEPTH }.into());
        }
        match object {
            Object::None => self.bytes.push(op::NONE),
            Object::Bool(value) => self.truth(*value),
            Object::Int(value) => self.int(*value),
            Object::Float(value) => {
                self.bytes.push(op::BINFLOAT);
                self.bytes.extend(value.to_be_bytes());
            }
            Object::Str(text) => self.text(text)?,
            Object::Bytes(bytes) => {
                self.bytes.push(op::BINBYTES);
                self.len(bytes.len())?;
                self.bytes.extend(bytes);
            }
            Object::List(items) => {
                self.bytes.extend([op::EMPTY_LIST, op::MARK]);
                items.iter().try_for_each(|item| self.object(item, depth + 1))?;
                self.bytes.push(op::APPENDS);
            }
            Object::Tuple(items) => {
                self.bytes.push(op::MARK);
                items.iter().try_for_each(|item| self.object(item, depth + 1))?;
                self.bytes.push(op::TUPLE);
            }
            Object::Dict(entries) => {
                match is_state_dict(entries) {
                    true => self.ordered_dict(),
                    false => self.bytes.push(op::EMPTY_DICT),
                }
                self.bytes.push(op::MARK);
                for (key, value) in entries {
                    self.object(key, depth + 1)?;
                    self.object(value, depth + 1)?;
                }
                self.bytes.push(op::SETITEMS);
            }
            Object::Tensor(tensor) => self.tensor(tensor)?,
        }
        Ok(())
    }

    /// `torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`
    fn tensor(&mut self, tensor: &'o Tensor) -> Result<()> {
        let elements = tensor.shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
        let size = tensor.dtype.size();
        if elements.and_then(|elements| elements.checked_mul(size)) != Some(tensor.data.len()) {
            let shape = tensor.shape.iter().map(|length| *length as u64).collect();
            let problem = format!("of {size}-byte elements has {} bytes", tensor.data.len());
            return Err(Cause::Tensor { shape, problem }.into());
        }
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.bytes.extend([op::MARK, op::MARK]);
        self.text("storage")?;
        self.global("torch", storage_class(tensor.dtype));
        self.text(&self.tensors.len().to_string())?;
        self.text("cpu")?;
        self.int((tensor.data.len() / size) as i64);
        if self.container == Container::Legacy {
            // The storage is not a part of another.
            self.bytes.push(op::NONE);
        }
        self.bytes.extend([op::TUPLE, op::BINPERSID]);
        self.int(0);
        self.counts(&tensor.shape);
        let stride = |dimension: usize| tensor.shape[dimension + 1..].iter().map(|length| *length.max(&1)).product();
        let strides: Vec<usize> = (0..tensor.shape.len()).map(stride).collect();
        self.counts(&strides);
        self.truth(false);
        self.ordered_dict();
        self.bytes.extend([op::TUPLE, op::REDUCE]);
        self.tensors.push(tensor);
        Ok(())
    }

    fn counts(&mut self, counts: &[usize]) {
        self.bytes.push(op::MARK);
        counts.iter().for_each(|count| self.int(*count as i64));
        self.bytes.push(op::TUPLE);
    }

    fn ordered_dict(&mut self) {
        self.global("collections", "OrderedDict");
        self.bytes.extend([op::EMPTY_TUPLE, op::REDUCE]);
    }

    fn global(&mut self, module: &str, name: &str) {
        self.bytes.push(op::GLOBAL);
        self.bytes.extend(format!("{module}\n{name}\n").bytes());
    }

    fn truth(&mut self, value: bool) {
        self.bytes.push(if value { op::NEWTRUE } else { op::NEWFALSE });
    }

    fn int(&mut self, value: i64) {
        if let Ok(value) = u8::try_from(value) {
            self.bytes.extend([op::BININT1, value]);
        } else if let Ok(value) = i32::try_from(value) {
            self.bytes.push(op::BININT);
            self.bytes.extend(value.to_le_bytes());
        } else {
            self.bytes.extend([op::LONG1, 8]);
            self.bytes.extend(value.to_le_bytes());
        }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.bytes.push(op::BINUNICODE);
        self.len(text.len())?;
        self.bytes.extend(text.bytes());
        Ok(())
    }

    fn len(&mut self, len: usize) -> Result<()> {
        let len = u32::try_from(len).map_err(|_| Cause::TooLarge { limit: u32::MAX as usize })?;
        self.bytes.extend(len.to_le_bytes());
        Ok(())
    }
}

/// Whether these are the entries of a state dictionary: tensors under names.
fn is_state_dict(entries: &[(Object, Object)]) -> bool {
    !entries.is_empty() && entries.iter().all(|entry| matches!(entry, (Object::Str(_), Object::Tensor(_))))
}

fn storage_class(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F64 => "DoubleStorage",
        Dtype::F32 => "FloatStorage",
        Dtype::F16 => "HalfStorage",
        Dtype::BF16 => "BFloat16Storage",
        Dtype::I64 => "LongStorage",
        Dtype::I32 => "IntStorage",
        Dtype::I16 => "ShortStorage",
        Dtype::I8 => "CharStorage",
        Dtype::U8 => "ByteStorage",
        Dtype::Bool => "BoolStorage",
    }
}
