//! What calling a name makes.

use super::globals::Global;
use super::machine::Machine;
use super::nodes::{Id, Node};
use super::storages::{StorageView, Storages};
use crate::{Cause, Error, Result};

impl Machine<'_, '_> {
    /// The value of `global(*arguments)`.
    pub(super) fn call(&mut self, global: Global, arguments: Id) -> Result<Id> {
        let wrong = |problem: &str| Error::from(Cause::Call { name: global.name(), problem: problem.into() });
        let arguments = match self.nodes.get(arguments) {
            Node::Tuple(arguments) => arguments.clone(),
            _ => return Err(wrong("arguments that are no tuple")),
        };
        self.budget.spend(size_of_val(&arguments[..]))?;
        match (global, &arguments[..]) {
            (Global::OrderedDict, []) => self.nodes.add(Node::Dict(Vec::new())),
            // Python 2 gave the entries as an argument.
            (Global::OrderedDict, &[entries]) => {
                let entries = self.entries(entries).ok_or_else(|| wrong("entries that are no pairs"))?;
                self.budget.spend(size_of_val(&entries[..]))?;
                self.nodes.add(Node::Dict(entries))
            }
            (Global::RebuildTensorV2, &[storage, offset, shape, strides, _, _])
            | (Global::RebuildTensorV2, &[storage, offset, shape, strides, _, _, _])
            | (Global::RebuildTensor, &[storage, offset, shape, strides]) => {
                let storage = match self.nodes.get(storage) {
                    Node::Storage(storage) => storage.clone(),
                    _ => return Err(wrong("a storage that is none")),
                };
                let offset = self.nodes.count(offset).ok_or_else(|| wrong("an offset that is no count"))?;
                let shape = self.counts(shape).ok_or_else(|| wrong("a shape that is no tuple of counts"))?;
                let strides = self.counts(strides).ok_or_else(|| wrong("strides that are no tuple of counts"))?;
                self.budget.spend(size_of_val(&shape[..]) + size_of_val(&strides[..]))?;
                let layout = Storages::layout(storage, offset, shape, strides)?;
                self.nodes.add(Node::Tensor(layout))
            }
            (Global::RebuildParameter, &[data, _, _]) | (Global::Parameter, &[data] | &[data, _]) => {
                match self.nodes.get(data) {
                    Node::Tensor(_) => Ok(data),
                    _ => Err(wrong("something that is no tensor")),
                }
            }
            (Global::Size, &[sizes]) => match self.counts(sizes) {
                Some(_) => Ok(sizes),
                None => Err(wrong("something that is no tuple of counts")),
            },
            (Global::Storage(_), _) => Err(wrong("arguments, but storages are not made by calls")),
            (_, arguments) => Err(wrong(&format!("{} arguments", arguments.len()))),
        }
    }

    /// The storage that a persistent id names: `("storage", class, key, location, elements)`, in the stream of old
    /// PyTorch followed by `None` or `(key of the part, its start, its length)`.
    pub(super) fn persistent(&mut self, id: Id) -> Result<StorageView> {
        let wrong = |problem: &str| Error::from(Cause::Pickle(format!("a persistent id {problem}")));
        let id = self.nodes.sequence(id).ok_or_else(|| wrong("is no tuple"))?;
        let (&kind, rest) = id.split_first().ok_or_else(|| wrong("is empty"))?;
        match self.nodes.str(kind) {
            Some("storage") => {}
            Some("module") => {
                let text = "the file holds a whole module with its code; save its `state_dict()` instead";
                return Err(Cause::Content(text.into()).into());
            }
            _ => return Err(wrong("is not of a storage")),
        }
        let (class, key, elements, part) = match *rest {
            [class, key, _, elements] => (class, key, elements, None),
            [class, key, _, elements, part] => (class, key, elements, Some(part)),
            _ => return Err(wrong("has too few or too many parts")),
        };
        let Node::Global(Global::Storage(dtype)) = *self.nodes.get(class) else {
            return Err(wrong("names no class of storage"));
        };
        let key = self.nodes.str(key).ok_or_else(|| wrong("has a key that is no text"))?;
        let elements = self.nodes.count(elements).ok_or_else(|| wrong("has a length that is no count"))?;
        let part = match part {
            Some(part) if !matches!(self.nodes.get(part), Node::None) => Some(match self.nodes.sequence(part) {
                Some(&[_, start, len]) => (self.nodes.count(start), self.nodes.count(len)),
                _ => (None, None),
            }),
            _ => None,
        };
        let part = match part {
            None => None,
            Some((Some(start), Some(len))) => Some((start, len)),
            Some(_) => return Err(wrong("names a part that is none")),
        };
        self.storages.declare(key, dtype, elements, part)
    }

    fn counts(&self, id: Id) -> Option<Vec<u64>> {
        self.nodes.sequence(id)?.iter().map(|item| self.nodes.count(*item)).collect()
    }

    fn entries(&self, id: Id) -> Option<Vec<(Id, Id)>> {
        let pair = |item: &Id| match self.nodes.sequence(*item)? {
            &[key, value] => Some((key, value)),
            _ => None,
        };
        self.nodes.sequence(id)?.iter().map(pair).collect()
    }
}
