//! What a settings struct looks like from outside: its keys and the types of their values, traced through serde.

use super::settings::{Dataset, Settings};
use serde::de::value::Error;
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use std::sync::LazyLock;

/// The type of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Bool,
    /// A whole number, 0 or more.
    Unsigned,
    Number,
    String,
    /// One of these strings.
    Choice(&'static [&'static str]),
    Array(Box<Shape>),
    Table(Vec<(&'static str, Shape)>),
}

/// The shape of [`Settings`].
pub(crate) static SETTINGS: LazyLock<Shape> = LazyLock::new(shape_of::<Settings>);

/// The shape of [`Dataset`].
pub(crate) static DATASET: LazyLock<Shape> = LazyLock::new(shape_of::<Dataset>);

impl Shape {
    /// The entries of a table.
    pub(crate) fn fields(&self) -> &[(&'static str, Shape)] {
        match self {
            Shape::Table(fields) => fields,
            _ => &[],
        }
    }

    /// The keys of a table.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.fields().iter().map(|(name, _)| *name)
    }

    /// Whether a table has this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys().any(|name| name == key)
    }
}

/// Traces `T`'s implementation of `Deserialize`.
pub(crate) fn shape_of<T: DeserializeOwned>() -> Shape {
    let mut shape = Shape::Table(Vec::new());
    let traced = T::deserialize(Tracer(&mut shape));
    debug_assert!(traced.is_ok(), "settings consist of types that the tracer knows");
    shape
}

/// Answers each request with a made-up value and notes what was asked for.
struct Tracer<'a>(&'a mut Shape);

impl<'de> de::Deserializer<'de> for Tracer<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("a type without a shape"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Bool;
        visitor.visit_bool(false)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Unsigned;
        visitor.visit_u64(0)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Number;
        visitor.visit_f64(0.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::String;
        visitor.visit_str("")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut element = Shape::String;
        let value = visitor.visit_seq(OneElement(Some(&mut element)));
        *self.0 = Shape::Array(Box::new(element));
        value
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = Shape::Choice(variants);
        let first = variants.first().copied().unwrap_or_default();
        visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(first))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut shapes = Vec::new();
        let value = visitor.visit_map(Fields { rest: fields.iter(), shapes: &mut shapes });
        *self.0 = Shape::Table(shapes);
        value
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct map
        identifier ignored_any
    }
}

struct OneElement<'a>(Option<&'a mut Shape>);

impl<'de> de::SeqAccess<'de> for OneElement<'_> {
    type Error = Error;

    fn next_element_seed<S: de::DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.0.take().map(|shape| seed.deserialize(Tracer(shape))).transpose()
    }
}

struct Fields<'a> {
    rest: std::slice::Iter<'static, &'static str>,
    shapes: &'a mut Vec<(&'static str, Shape)>,
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<S: de::DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(name) = self.rest.next() else { return Ok(None) };
        self.shapes.push((*name, Shape::Bool));
        seed.deserialize(IntoDeserializer::<Error>::into_deserializer(*name)).map(Some)
    }

    fn next_value_seed<S: de::DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (_, shape) = self.shapes.last_mut().ok_or_else(|| de::Error::custom("a value without a key"))?;
        seed.deserialize(Tracer(shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_traced_to_the_leaves() {
        let loss = &SETTINGS.fields().iter().find(|(name, _)| *name == "loss").expect("a table of losses").1;
        let kind = |key: &str| loss.fields().iter().find(|(name, _)| *name == key).map(|(_, shape)| shape.clone());
        assert_eq!(kind("adversarial"), Some(Shape::Choice(&["wgan", "bce", "hinge"])));
        assert_eq!(kind("lambda_ds"), Some(Shape::Number));
        assert_eq!(kind("ds_iterations"), Some(Shape::Unsigned));
        assert_eq!(kind("diversity"), Some(Shape::Bool));
    }

    #[test]
    fn optional_fields_are_traced_too() {
        let kind = |key: &str| DATASET.fields().iter().find(|(name, _)| *name == key).map(|(_, shape)| shape.clone());
        assert_eq!(kind("root"), Some(Shape::String));
        assert_eq!(kind("domains"), Some(Shape::Array(Box::new(Shape::String))));
        assert_eq!(kind("seed"), Some(Shape::Unsigned));
    }
}
