//! Files of `torch.save`, read and written: the zip archive, and the stream of PyTorch before 1.6.

mod calls;
mod dtype;
mod globals;
mod legacy;
mod machine;
mod nodes;
mod object;
mod opcodes;
mod read;
mod storages;
mod write;
mod zipped;

pub use dtype::Dtype;
pub use object::{Object, Tensor, strip_data_parallel_prefix};
pub use read::{read, read_bytes};
pub use write::{Container, write, write_bytes};

/// What any file may expand to, however small: expanded tensors, and zeros that were deflated.
const FREE_BYTES: usize = 64 << 20;
