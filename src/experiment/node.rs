//! A TOML value that remembers where it was written.

use super::source::{Location, Source};
use std::ops::Range;
use std::sync::Arc;
use toml_edit::{Item, TableLike, Value as TomlValue};

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The value.
    pub(crate) value: Value,
    /// Place of the value.
    pub(crate) at: Location,
    /// Place of the key in front of it; of the value itself for array elements and roots.
    pub(crate) key_at: Location,
}

/// A TOML value. Tables keep the order of the file.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    /// Dates and times; no setting takes one.
    Datetime(String),
    Array(Vec<Node>),
    Table(Vec<(String, Node)>),
}

impl Node {
    /// An empty table that stands at `at`.
    pub(crate) fn empty(at: &Location) -> Self {
        Self { value: Value::Table(Vec::new()), at: at.clone(), key_at: at.clone() }
    }

    /// An empty table in its place.
    pub(crate) fn emptied(&self) -> Self {
        Self { value: Value::Table(Vec::new()), at: self.at.clone(), key_at: self.key_at.clone() }
    }

    /// A document or any other parsed table.
    pub(crate) fn from_document(source: &Arc<Source>, table: &toml_edit::Table) -> Self {
        let at = Location::whole(source);
        Self { value: table_value(source, table), at: at.clone(), key_at: at }
    }

    /// Its entries, if it is a table.
    pub(crate) fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// Its elements, if it is an array.
    pub(crate) fn elements(&self) -> &[Node] {
        match &self.value {
            Value::Array(elements) => elements,
            _ => &[],
        }
    }

    pub(crate) fn is_table(&self) -> bool {
        matches!(self.value, Value::Table(_))
    }

    /// The entry of a table.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The value at a dotted path of plain keys, such as `loss.lambda_ds`.
    pub(crate) fn lookup(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// Adds an entry, or merges into the one of that name. Does nothing if this is not a table.
    pub(crate) fn insert(&mut self, key: &str, node: Node) {
        if let Value::Table(entries) = &mut self.value {
            match entries.iter_mut().find(|(name, _)| name == key) {
                Some((_, old)) => old.merge(node),
                None => entries.push((key.to_string(), node)),
            }
        }
    }

    /// Lays `over` on top: tables are merged entry by entry, anything else is replaced together with its place.
    pub(crate) fn merge(&mut self, over: Node) {
        if self.is_table() && over.is_table() {
            let Value::Table(entries) = over.value else { return };
            for (key, node) in entries {
                self.insert(&key, node);
            }
        } else {
            *self = over;
        }
    }

    /// What it is, for messages: `a table`, `"text"`, `12`.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Bool(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => format!("{value:?}"),
            Value::String(value) => format!("{value:?}"),
            Value::Datetime(value) => format!("the date or time {value}"),
            Value::Array(_) => "an array".into(),
            Value::Table(_) => "a table".into(),
        }
    }
}

fn table_value(source: &Arc<Source>, table: &dyn TableLike) -> Value {
    let entry = |(name, item): (&str, &Item)| {
        let key_span = table.key(name).and_then(toml_edit::Key::span);
        item_node(source, item, key_span).map(|node| (name.to_string(), node))
    };
    Value::Table(table.iter().filter_map(entry).collect())
}

fn item_node(source: &Arc<Source>, item: &Item, key_span: Option<Range<usize>>) -> Option<Node> {
    let value = match item {
        Item::None => return None,
        Item::Value(value) => return Some(value_node(source, value, key_span)),
        Item::Table(table) => table_value(source, table),
        Item::ArrayOfTables(tables) => Value::Array(
            tables.iter().map(|table| node(source, table_value(source, table), table.span(), None)).collect(),
        ),
    };
    Some(node(source, value, item.span(), key_span))
}

fn value_node(source: &Arc<Source>, toml: &TomlValue, key_span: Option<Range<usize>>) -> Node {
    let value = match toml {
        TomlValue::String(value) => Value::String(value.value().clone()),
        TomlValue::Integer(value) => Value::Integer(*value.value()),
        TomlValue::Float(value) => Value::Float(*value.value()),
        TomlValue::Boolean(value) => Value::Bool(*value.value()),
        TomlValue::Datetime(value) => Value::Datetime(value.value().to_string()),
        TomlValue::Array(values) => Value::Array(values.iter().map(|v| value_node(source, v, None)).collect()),
        TomlValue::InlineTable(table) => table_value(source, table),
    };
    node(source, value, toml.span(), key_span)
}

/// Tables made by dotted keys have no place of their own; the key's place stands for them, and the reverse.
fn node(source: &Arc<Source>, value: Value, span: Option<Range<usize>>, key_span: Option<Range<usize>>) -> Node {
    let at = span.clone().or_else(|| key_span.clone()).unwrap_or(0..0);
    let key_at = key_span.or(span).unwrap_or(0..0);
    Node { value, at: Location::new(source, at), key_at: Location::new(source, key_at) }
}
