//! The values of a running pickle: an arena, so that values can be shared and even contain themselves without being
//! copied, leaked or dropped recursively.

use super::globals::Global;
use super::object::{Object, Tensor};
use super::storages::{StorageView, Storages};
use crate::archive::Budget;
use crate::{Cause, Result};
use std::collections::HashSet;

/// A value's place in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(u32);

/// A value.
#[derive(Debug)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(StorageView),
    Tensor(Layout),
}

/// Where a tensor's elements lie.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) storage: StorageView,
    /// All in elements; [`Storages`] has checked that they lie in the storage.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// All values of a pickle.
#[derive(Debug, Default)]
pub(super) struct Nodes<'a>(Vec<Node<'a>>);

impl<'a> Nodes<'a> {
    /// Some 20 a tensor are needed; a value takes about 80 bytes.
    const LIMIT: usize = 1 << 22;

    /// How deep containers may be nested.
    pub(super) const DEPTH: usize = 64;

    pub(super) fn add(&mut self, node: Node<'a>) -> Result<Id> {
        if self.0.len() == Self::LIMIT {
            return Err(Cause::Pickle(format!("it makes more than {} values", Self::LIMIT)).into());
        }
        self.0.push(node);
        Ok(Id((self.0.len() - 1) as u32))
    }

    pub(super) fn get(&self, id: Id) -> &Node<'a> {
        &self.0[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Node<'a> {
        &mut self.0[id.0 as usize]
    }

    /// The elements of a tuple or list.
    pub(super) fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::Tuple(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// A number that is no less than zero.
    pub(super) fn count(&self, id: Id) -> Option<u64> {
        match self.get(id) {
            Node::Int(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(super) fn str(&self, id: Id) -> Option<&'a str> {
        match self.get(id) {
            Node::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value as an object of its own. What is shared is copied, at the cost of `budget`.
    pub(super) fn object(&self, id: Id, storages: &Storages, budget: &mut Budget) -> Result<Object> {
        self.object_at(id, storages, budget, 0)
    }

    fn object_at(&self, id: Id, storages: &Storages, budget: &mut Budget, depth: usize) -> Result<Object> {
        if depth > Self::DEPTH {
            return Err(Cause::TooDeep { limit: Self::DEPTH }.into());
        }
        let mut object = |id| self.object_at(id, storages, budget, depth + 1);
        let made = match self.get(id) {
            Node::None => Object::None,
            Node::Bool(value) => Object::Bool(*value),
            Node::Float(value) => Object::Float(*value),
            Node::Int(value) => Object::Int(
                i64::try_from(*value).map_err(|_| Cause::Pickle(format!("the integer {value} has over 64 bits")))?,
            ),
            Node::Str(text) => {
                budget.spend(text.len())?;
                Object::Str((*text).to_owned())
            }
            Node::Bytes(bytes) => {
                budget.spend(bytes.len())?;
                Object::Bytes(bytes.to_vec())
            }
            Node::List(items) => Object::List(items.iter().map(|item| object(*item)).collect::<Result<_>>()?),
            Node::Tuple(items) => Object::Tuple(items.iter().map(|item| object(*item)).collect::<Result<_>>()?),
            Node::Dict(items) => {
                let items = items.iter().map(|(key, value)| Ok((object(*key)?, object(*value)?)));
                Object::Dict(unique(items.collect::<Result<_>>()?)?)
            }
            Node::Global(global) => {
                let problem = "no arguments: the file holds the name itself, not a value".into();
                return Err(Cause::Call { name: global.name(), problem }.into());
            }
            Node::Storage(_) => return Err(Cause::Pickle("it holds a storage outside a tensor".into()).into()),
            Node::Tensor(layout) => Object::Tensor(Tensor {
                dtype: storages.dtype(&layout.storage),
                shape: layout.shape.clone(),
                data: storages.gather(layout, budget)?,
            }),
        };
        budget.spend(size_of::<Object>())?;
        Ok(made)
    }
}

/// Refuses two values under one name: there is no telling which was meant.
fn unique(items: Vec<(Object, Object)>) -> Result<Vec<(Object, Object)>> {
    let mut seen = HashSet::new();
    for (key, _) in &items {
        if let Object::Str(name) = key
            && !seen.insert(name)
        {
            return Err(Cause::Content(format!("a dictionary has two entries `{name}`")).into());
        }
    }
    Ok(items)
}
