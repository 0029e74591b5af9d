//! Serde structs from [`Node`]s, with the place of whatever does not fit.

use super::error::{Collector, ConfigError};
use super::node::{Node, Value};
use super::source::Location;
use super::suggest;
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use std::fmt;

/// Makes a `T` of a table. Every key that does not fit is reported, removed from `node`, and left at its default, so
/// that one pass finds all errors. `prefix` is the dotted path of `node` as the messages shall show it, or empty.
pub(crate) fn decode<T: DeserializeOwned + Default>(node: &mut Node, prefix: &str, errors: &mut Collector) -> T {
    loop {
        match T::deserialize(&*node) {
            Ok(value) => return value,
            Err(Error(inner)) => {
                let pruned = prune(node, &inner.path);
                errors.push(inner.report(prefix, node));
                if !pruned {
                    return T::default();
                }
            }
        }
    }
}

/// Removes what the path leads to. An array element takes its array with it: a shorter list would be another value.
fn prune(node: &mut Node, path: &[String]) -> bool {
    let Value::Table(entries) = &mut node.value else { return false };
    let Some((first, rest)) = path.split_first() else { return false };
    let Some(index) = entries.iter().position(|(name, _)| name == first) else { return false };
    if rest.is_empty() || !prune(&mut entries[index].1, rest) {
        entries.remove(index);
    }
    true
}

/// Why a node does not fit its type. Boxed, since serde returns it from every call.
#[derive(Debug)]
pub(crate) struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    at: Option<Location>,
    /// Keys from the decoded table to the offender; elements of arrays count as their array.
    path: Vec<String>,
}

#[derive(Debug)]
enum Kind {
    UnknownField { name: String, known: &'static [&'static str] },
    UnknownVariant { name: String, known: &'static [&'static str] },
    Mismatch { found: String, expected: String },
    Other(String),
}

impl Inner {
    fn report(self, prefix: &str, root: &Node) -> ConfigError {
        let at = self.at.unwrap_or_else(|| root.at.clone());
        let path = join(prefix, &self.path.join("."));
        match self.kind {
            Kind::UnknownField { name, known } => {
                let place = self.path.split_last().map_or(String::new(), |(_, parents)| parents.join("."));
                suggest::unknown_key(at, &name, &join(prefix, &place), known)
            }
            Kind::UnknownVariant { name, known } => {
                let allowed: Vec<String> = known.iter().map(|value| format!("{value:?}")).collect();
                let hint = suggest::nearest(&name, known.iter().copied())
                    .map_or(String::new(), |near| format!("; did you mean {near:?}?"));
                ConfigError::at(at, format!("{name:?} is no value of `{path}`{hint}"))
                    .help(format!("allowed: {}", allowed.join(", ")))
            }
            Kind::Mismatch { found, expected } => {
                ConfigError::at(at, format!("`{path}` must be {expected}, found {found}"))
            }
            Kind::Other(message) => ConfigError::at(at, format!("`{path}`: {message}")),
        }
    }
}

/// Joins two dotted paths, either of which may be empty.
pub(crate) fn join(prefix: &str, path: &str) -> String {
    match (prefix, path) {
        ("", only) | (only, "") => only.to_string(),
        (prefix, path) => format!("{prefix}.{path}"),
    }
}

impl Error {
    fn new(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, at: None, path: Vec::new() }))
    }

    fn mismatch(found: impl Into<String>, expected: &str) -> Self {
        Self::new(Kind::Mismatch { found: found.into(), expected: expected.to_string() })
    }

    /// Sets the place unless one closer to the cause is known.
    fn or_at(mut self, at: &Location) -> Self {
        self.0.at.get_or_insert_with(|| at.clone());
        self
    }

    fn under(mut self, key: &str) -> Self {
        self.0.path.insert(0, key.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.kind)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Other(message.to_string()))
    }

    fn invalid_type(found: de::Unexpected, expected: &dyn de::Expected) -> Self {
        Self::mismatch(describe_found(found), &describe_expected(expected))
    }

    fn invalid_value(found: de::Unexpected, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownVariant { name: name.to_string(), known })
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownField { name: name.to_string(), known })
    }
}

fn describe_found(found: de::Unexpected) -> String {
    match found {
        de::Unexpected::Bool(value) => value.to_string(),
        de::Unexpected::Signed(value) => value.to_string(),
        de::Unexpected::Float(value) => format!("{value:?}"),
        de::Unexpected::Str(value) => format!("{value:?}"),
        de::Unexpected::Seq => "an array".into(),
        de::Unexpected::Map => "a table".into(),
        other => other.to_string(),
    }
}

/// Serde names Rust types; the reader of a TOML file thinks in TOML's.
fn describe_expected(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "u64" | "usize" | "u32" => "a whole number, 0 or more".into(),
        "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "path string" => "a string".into(),
        "a sequence" => "an array".into(),
        text if text.starts_with("struct ") => "a table".into(),
        text => text.into(),
    }
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(value) => visitor.visit_borrowed_str(value),
            Value::Datetime(_) => Err(Error::mismatch(self.describe(), &describe_expected(&visitor))),
            Value::Array(elements) => visitor.visit_seq(Elements { rest: elements.iter() }),
            Value::Table(entries) => visitor.visit_map(Entries { rest: entries.iter(), current: None }),
        }
        .map_err(|error| error.or_at(&self.at))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if !self.is_table() {
            return Err(Error::mismatch(self.describe(), "a table").or_at(&self.at));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.value {
            Value::String(name) => visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(name.as_str())),
            _ => {
                let known: Vec<String> = variants.iter().map(|value| format!("{value:?}")).collect();
                Err(Error::mismatch(self.describe(), &format!("one of {}", known.join(", "))))
            }
        }
        .map_err(|error| error.or_at(&self.at))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Elements<'de> {
    rest: std::slice::Iter<'de, Node>,
}

impl<'de> de::SeqAccess<'de> for Elements<'de> {
    type Error = Error;

    fn next_element_seed<S: de::DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(node) = self.rest.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|error| error.or_at(&node.at))
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, (String, Node)>,
    current: Option<&'de (String, Node)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<S: de::DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.current = self.rest.next();
        let Some((name, node)) = self.current else { return Ok(None) };
        seed.deserialize(name.as_str().into_deserializer())
            .map(Some)
            .map_err(|error: Error| error.or_at(&node.key_at).under(name))
    }

    fn next_value_seed<S: de::DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (name, node) = self.current.ok_or_else(|| de::Error::custom("a value without a key"))?;
        seed.deserialize(node).map_err(|error| error.or_at(&node.at).under(name))
    }
}
