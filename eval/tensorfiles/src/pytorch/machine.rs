//! Runs a pickle without executing anything: a stack, a memo, and the few names in [`Global`].

use super::globals::Global;
use super::nodes::{Id, Node, Nodes};
use super::opcodes as op;
use super::storages::Storages;
use crate::archive::Budget;
use crate::{Cause, Error, Result};
use std::collections::HashMap;

/// One pickle at a time, out of a stream of them.
pub(super) struct Machine<'a, 'b> {
    bytes: &'a [u8],
    at: usize,
    pub(super) nodes: Nodes<'a>,
    pub(super) storages: &'b mut Storages<'a>,
    pub(super) budget: &'b mut Budget,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

fn damaged(problem: &str) -> Error {
    Cause::Pickle(problem.into()).into()
}

impl<'a, 'b> Machine<'a, 'b> {
    /// For the pickle that begins at byte `at` of `bytes`.
    pub(super) fn new(bytes: &'a [u8], at: usize, storages: &'b mut Storages<'a>, budget: &'b mut Budget) -> Self {
        let (stack, marks, memo) = Default::default();
        Self { bytes, at, nodes: Nodes::default(), storages, budget, stack, marks, memo }
    }

    /// Runs to the pickle's end: its value, and the place behind it.
    pub(super) fn run(&mut self) -> Result<(Id, usize)> {
        loop {
            let at = self.at;
            match self.step() {
                Ok(None) => {}
                Ok(Some(value)) => return Ok((value, self.at)),
                Err(error) => return Err(error.at(at as u64)),
            }
        }
    }

    /// One opcode; the value, if it was the last.
    fn step(&mut self) -> Result<Option<Id>> {
        let opcode = self.u8()?;
        match opcode {
            op::STOP => return self.pop().map(Some),
            op::PROTO => {
                let protocol = self.u8()?;
                if protocol > 5 {
                    return Err(damaged(&format!("its protocol is {protocol}, 5 is the highest known")));
                }
            }
            // The length of what follows; nothing depends on it.
            op::FRAME => drop(self.take(8)?),
            op::MARK => self.marks.push(self.stack.len()),
            op::POP => drop(self.pop()?),
            op::POP_MARK => drop(self.pop_mark()?),
            op::DUP => self.stack.push(*self.top()?),

            op::NONE => self.push(Node::None)?,
            op::NEWTRUE => self.push(Node::Bool(true))?,
            op::NEWFALSE => self.push(Node::Bool(false))?,
            op::BININT => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()))?;
            }
            op::BININT1 => {
                let value = self.u8()?;
                self.push(Node::Int(value.into()))?;
            }
            op::BININT2 => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()))?;
            }
            op::LONG1 => {
                let len = self.u8()?;
                self.long(len.into())?;
            }
            op::LONG4 => {
                let len = self.len4()?;
                self.long(len)?;
            }
            op::INT | op::LONG => self.text_int()?,
            op::BINFLOAT => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Node::Float(value))?;
            }

            op::SHORT_BINSTRING | op::SHORT_BINUNICODE => {
                let len = self.u8()?;
                self.str(len.into())?;
            }
            op::BINSTRING | op::BINUNICODE => {
                let len = self.len4()?;
                self.str(len)?;
            }
            op::BINUNICODE8 => {
                let len = self.len8()?;
                self.str(len)?;
            }
            op::SHORT_BINBYTES => {
                let len = self.u8()?;
                self.bytes_of(len.into())?;
            }
            op::BINBYTES => {
                let len = self.len4()?;
                self.bytes_of(len)?;
            }
            op::BINBYTES8 | op::BYTEARRAY8 => {
                let len = self.len8()?;
                self.bytes_of(len)?;
            }

            op::EMPTY_LIST => self.push(Node::List(Vec::new()))?,
            op::EMPTY_DICT => self.push(Node::Dict(Vec::new()))?,
            op::EMPTY_TUPLE => self.push(Node::Tuple(Vec::new()))?,
            op::TUPLE => {
                let items = self.pop_mark()?;
                self.push(Node::Tuple(items))?;
            }
            op::TUPLE1 => self.tuple(1)?,
            op::TUPLE2 => self.tuple(2)?,
            op::TUPLE3 => self.tuple(3)?,
            op::APPEND => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            op::APPENDS => {
                let items = self.pop_mark()?;
                self.append(&items)?;
            }
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            op::SETITEMS => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }

            op::BINPUT => {
                let key = self.u8()?;
                self.put(key.into())?;
            }
            op::LONG_BINPUT => {
                let key = u32::from_le_bytes(self.array()?);
                self.put(key)?;
            }
            op::MEMOIZE => self.put(self.memo.len() as u32)?,
            op::BINGET => {
                let key = self.u8()?;
                self.recall(key.into())?;
            }
            op::LONG_BINGET => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }

            op::GLOBAL => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.nodes.str(module), self.nodes.str(name)) {
                    (Some(module), Some(name)) => self.global(module, name)?,
                    _ => return Err(damaged("a name is no text")),
                }
            }
            op::REDUCE | op::NEWOBJ => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let Node::Global(global) = *self.nodes.get(callable) else {
                    return Err(damaged("it calls something that is not a name"));
                };
                let made = self.call(global, arguments)?;
                self.stack.push(made);
            }
            op::BUILD => {
                // Attributes of dictionaries (`_metadata`) and of old parameters say nothing about tensors.
                self.pop()?;
                if !matches!(self.nodes.get(*self.top()?), Node::Dict(_) | Node::Tensor(_)) {
                    return Err(damaged("it sets attributes of something that has none"));
                }
            }
            op::BINPERSID => {
                let id = self.pop()?;
                let view = self.persistent(id)?;
                self.push(Node::Storage(view))?;
            }
            opcode => return Err(Cause::ForbiddenOpcode { opcode }.into()),
        }
        Ok(None)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let bytes = self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or(Cause::Truncated { what: "a pickle" })?;
        self.at += len;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn len4(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn len8(&mut self) -> Result<usize> {
        Ok(usize::try_from(u64::from_le_bytes(self.array()?)).unwrap_or(usize::MAX))
    }

    /// Text up to the next line feed.
    fn line(&mut self) -> Result<&'a str> {
        const LONGEST: usize = 1024;
        let rest = &self.bytes[self.at..];
        let rest = &rest[..rest.len().min(LONGEST)];
        let len = rest.iter().position(|byte| *byte == b'\n').ok_or(Cause::Truncated { what: "a line of a pickle" })?;
        let line = self.take(len)?;
        self.take(1)?;
        text(line)
    }

    fn push(&mut self, node: Node<'a>) -> Result<()> {
        let id = self.nodes.add(node)?;
        self.stack.push(id);
        Ok(())
    }

    /// The value on top of the stack, above the last mark.
    fn top(&self) -> Result<&Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor..].last().ok_or_else(|| damaged("its stack is empty"))
    }

    fn pop(&mut self) -> Result<Id> {
        let top = *self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| damaged("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn long(&mut self, len: usize) -> Result<()> {
        let bytes = self.take(len)?;
        if len > 16 {
            return Err(damaged(&format!("an integer has {len} bytes")));
        }
        let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut value = [sign; 16];
        value[..len].copy_from_slice(bytes);
        self.push(Node::Int(i128::from_le_bytes(value)))
    }

    fn text_int(&mut self) -> Result<()> {
        let line = self.line()?;
        let node = match line {
            "00" => Node::Bool(false),
            "01" => Node::Bool(true),
            _ => match line.strip_suffix('L').unwrap_or(line).parse::<i64>() {
                Ok(value) => Node::Int(value.into()),
                Err(_) => return Err(damaged(&format!("`{line}` is no integer of 64 bits"))),
            },
        };
        self.push(node)
    }

    fn str(&mut self, len: usize) -> Result<()> {
        let text = text(self.take(len)?)?;
        self.push(Node::Str(text))
    }

    fn bytes_of(&mut self, len: usize) -> Result<()> {
        let bytes = self.take(len)?;
        self.push(Node::Bytes(bytes))
    }

    fn tuple(&mut self, len: usize) -> Result<()> {
        let mut items = (0..len).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
        items.reverse();
        self.push(Node::Tuple(items))
    }

    fn append(&mut self, new: &[Id]) -> Result<()> {
        match self.nodes.get_mut(*self.top()?) {
            Node::List(items) => items.extend_from_slice(new),
            _ => return Err(damaged("it appends to something that is not a list")),
        }
        Ok(())
    }

    fn set_items(&mut self, new: &[Id]) -> Result<()> {
        let (pairs, []) = new.as_chunks::<2>() else { return Err(damaged("a key has no value")) };
        match self.nodes.get_mut(*self.top()?) {
            Node::Dict(items) => items.extend(pairs.iter().map(|[key, value]| (*key, *value))),
            _ => return Err(damaged("it sets an entry of something that is not a dictionary")),
        }
        Ok(())
    }

    fn put(&mut self, key: u32) -> Result<()> {
        let top = *self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        let id = self.memo.get(&key).ok_or_else(|| damaged(&format!("the memo has no entry {key}")))?;
        self.stack.push(*id);
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        let global = Global::find(module, name);
        let global = global.ok_or_else(|| Cause::ForbiddenGlobal { name: format!("{module}.{name}") })?;
        self.push(Node::Global(global))
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| damaged("a text is not UTF-8"))
}
