//! The stream of PyTorch before 1.6: pickles of a magic number, the protocol's version, facts about the writing machine,
//! the objects, and the keys of the storages; then, for every key, the number of elements and the elements.

use super::FREE_BYTES;
use super::machine::Machine;
use super::nodes::{Id, Node, Nodes};
use super::object::Object;
use super::storages::Storages;
use crate::archive::Budget;
use crate::{Cause, Error, Result};
use std::borrow::Cow;

/// `torch.serialization.MAGIC_NUMBER`
pub(super) const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
/// `torch.serialization.PROTOCOL_VERSION`
pub(super) const VERSION: i128 = 1001;

pub(super) fn read(bytes: &[u8]) -> Result<Object> {
    let mut budget = Budget::of_file(bytes.len(), FREE_BYTES);
    let mut storages = Storages::default();
    let (nodes, magic, at) = pickle(bytes, 0, &mut storages, &mut budget)?;
    if !matches!(nodes.get(magic), Node::Int(MAGIC)) {
        return Err(Cause::Format("is a pickle, but was not made by torch.save".into()).into());
    }
    let (nodes, version, at) = pickle(bytes, at, &mut storages, &mut budget)?;
    if !matches!(nodes.get(version), Node::Int(VERSION)) {
        return Err(Cause::Format(format!("has another version of the format than {VERSION}")).into());
    }
    // Storages are little-endian whatever the machine was.
    let (_, _, at) = pickle(bytes, at, &mut storages, &mut budget)?;
    let (nodes, root, objects_end) = pickle(bytes, at, &mut storages, &mut budget)?;
    let (key_nodes, keys, at) = pickle(bytes, objects_end, &mut storages, &mut budget)?;
    let keys = key_nodes.sequence(keys).ok_or_else(|| Cause::Pickle("the keys of the storages are no list".into()))?;

    let mut rest = bytes.get(at..).unwrap_or_default();
    for key in keys {
        let place = (bytes.len() - rest.len()) as u64;
        let key = key_nodes.str(*key).ok_or_else(|| Cause::Pickle("the key of a storage is no text".into()))?;
        let content = storage(&mut rest, key, &storages).map_err(|error| error.at(place))?;
        storages.fill(key, Cow::Borrowed(content)).map_err(|error| error.at(place))?;
    }
    nodes.object(root, &storages, &mut budget)
}

fn pickle<'a>(
    bytes: &'a [u8],
    at: usize,
    storages: &mut Storages<'a>,
    budget: &mut Budget,
) -> Result<(Nodes<'a>, Id, usize)> {
    let mut machine = Machine::new(bytes, at, storages, budget);
    let (value, end) = machine.run()?;
    Ok((machine.nodes, value, end))
}

/// The storage at the beginning of `rest`, which is moved behind it.
fn storage<'a>(rest: &mut &'a [u8], key: &str, storages: &Storages) -> Result<&'a [u8]> {
    let wrong = |problem: String| Error::from(Cause::Storage { key: key.into(), problem });
    let dtype = storages.dtype_of(key).ok_or_else(|| wrong("the pickle does not name it".into()))?;
    let (count, behind) = rest.split_first_chunk::<8>().ok_or(Cause::Truncated { what: "the length of a storage" })?;
    let count = i64::from_le_bytes(*count);
    let count = u64::try_from(count).map_err(|_| wrong(format!("has {count} elements")))?;
    let len = count.checked_mul(dtype.size() as u64).and_then(|len| usize::try_from(len).ok());
    let split = len.and_then(|len| behind.split_at_checked(len));
    let (content, behind) = split.ok_or_else(|| {
        wrong(format!("has {count} elements of {} bytes, and {} bytes are left", dtype.size(), behind.len()))
    })?;
    *rest = behind;
    Ok(content)
}
