//! The zip archive: `NAME/data.pkl` with the objects, `NAME/data/KEY` with every storage.

use super::FREE_BYTES;
use super::machine::Machine;
use super::object::Object;
use super::storages::Storages;
use crate::archive::{Archive, Budget};
use crate::{Cause, Result};

const PICKLE: &str = "data.pkl";

pub(super) fn read(bytes: &[u8]) -> Result<Object> {
    let mut archive = Archive::open(bytes)?;
    let mut budget = Budget::of_file(bytes.len(), FREE_BYTES);
    let folder = folder(&archive)?;
    let pickle = archive.member(&format!("{folder}{PICKLE}"), &mut budget)?;
    let mut storages = Storages::default();
    match &*optional(&mut archive, &format!("{folder}byteorder"), &mut budget)? {
        b"" | b"little" => {}
        b"big" => storages.set_big_endian(),
        _ => return Err(Cause::Format("its byte order is neither `little` nor `big`".into()).into()),
    }
    let in_pickle = |error: crate::Error| error.within(&format!("{folder}{PICKLE}"));
    let mut machine = Machine::new(&pickle, 0, &mut storages, &mut budget);
    let (root, _) = machine.run().map_err(in_pickle)?;
    let nodes = machine.nodes;

    let declared: Vec<(String, Option<u64>)> =
        storages.declared().map(|(key, bytes)| (key.to_owned(), bytes)).collect();
    for (key, _) in declared {
        let name = format!("{folder}data/{key}");
        let content = archive.member(&name, &mut budget)?;
        storages.fill(&key, content).map_err(|error| error.within(&name))?;
    }
    nodes.object(root, &storages, &mut budget).map_err(in_pickle)
}

/// What stands before `data.pkl`.
fn folder(archive: &Archive) -> Result<String> {
    let folder = |name: &str| match name.strip_suffix(PICKLE)? {
        folder if folder.is_empty() || folder.ends_with('/') => Some(folder.to_owned()),
        _ => None,
    };
    let outermost = archive.names().filter_map(|name| folder(&name)).min_by_key(String::len);
    outermost.ok_or_else(|| {
        Cause::Format(format!("is a zip archive without {PICKLE}, so it was not made by torch.save")).into()
    })
}

/// A member, or nothing where there is none.
fn optional<'a>(archive: &mut Archive<'a>, name: &str, budget: &mut Budget) -> Result<std::borrow::Cow<'a, [u8]>> {
    match archive.contains(name) {
        true => archive.member(name, budget),
        false => Ok(Default::default()),
    }
}
