//! The names a pickle may use.

use super::Dtype;

/// What a name in a pickle stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`
    RebuildTensorV2,
    /// `torch._utils._rebuild_tensor`, of PyTorch before 0.4
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`
    RebuildParameter,
    /// `torch.nn.parameter.Parameter`, which PyTorch before 0.2 pickled as an object
    Parameter,
    /// `torch.Size`
    Size,
    /// The class of a storage, `torch.FloatStorage` and the like; `torch.storage.UntypedStorage` is one of bytes.
    Storage(Dtype),
}

const TABLE: [(&str, &str, Global); 17] = [
    ("collections", "OrderedDict", Global::OrderedDict),
    ("torch._utils", "_rebuild_tensor_v2", Global::RebuildTensorV2),
    ("torch._utils", "_rebuild_tensor", Global::RebuildTensor),
    ("torch._utils", "_rebuild_parameter", Global::RebuildParameter),
    ("torch.nn.parameter", "Parameter", Global::Parameter),
    ("torch", "Size", Global::Size),
    ("torch", "DoubleStorage", Global::Storage(Dtype::F64)),
    ("torch", "FloatStorage", Global::Storage(Dtype::F32)),
    ("torch", "HalfStorage", Global::Storage(Dtype::F16)),
    ("torch", "BFloat16Storage", Global::Storage(Dtype::BF16)),
    ("torch", "LongStorage", Global::Storage(Dtype::I64)),
    ("torch", "IntStorage", Global::Storage(Dtype::I32)),
    ("torch", "ShortStorage", Global::Storage(Dtype::I16)),
    ("torch", "CharStorage", Global::Storage(Dtype::I8)),
    ("torch", "ByteStorage", Global::Storage(Dtype::U8)),
    ("torch", "BoolStorage", Global::Storage(Dtype::Bool)),
    ("torch.storage", "UntypedStorage", Global::Storage(Dtype::U8)),
];

impl Global {
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        TABLE.iter().find(|entry| (entry.0, entry.1) == (module, name)).map(|entry| entry.2)
    }

    /// The name, for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Storage(_) => "torch.Storage",
            _ => TABLE.iter().find(|entry| entry.2 == self).map_or("", |entry| entry.1),
        }
    }
}
