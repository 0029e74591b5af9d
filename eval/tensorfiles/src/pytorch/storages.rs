//! Storages: what the pickle says about them, where their bytes are, and how tensors lie in them.

use super::Dtype;
use super::nodes::Layout;
use crate::archive::Budget;
use crate::{Cause, Result};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// A storage, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct StorageView {
    index: usize,
    /// In elements.
    part: Range<u64>,
}

#[derive(Debug)]
struct Storage<'a> {
    key: &'a str,
    dtype: Dtype,
    elements: u64,
    bytes: Option<Cow<'a, [u8]>>,
}

/// The storages that a pickle names.
#[derive(Debug, Default)]
pub(super) struct Storages<'a> {
    all: Vec<Storage<'a>>,
    by_key: HashMap<&'a str, usize>,
    big_endian: bool,
}

impl<'a> Storages<'a> {
    /// The storage `key` of `elements` elements, which may be named more than once; `part` of it, in elements.
    ///
    /// # Errors
    /// It was named before with another type or length, or `part` is not in it.
    pub(super) fn declare(
        &mut self,
        key: &'a str,
        dtype: Dtype,
        elements: u64,
        part: Option<(u64, u64)>,
    ) -> Result<StorageView> {
        let index = *self.by_key.entry(key).or_insert(self.all.len());
        if index == self.all.len() {
            self.all.push(Storage { key, dtype, elements, bytes: None });
        }
        let known = &self.all[index];
        let wrong = |problem: &str| Cause::Storage { key: key.into(), problem: problem.into() };
        if (known.dtype, known.elements) != (dtype, elements) {
            return Err(wrong("is named twice, with different types or lengths").into());
        }
        let (start, len) = part.unwrap_or((0, elements));
        match start.checked_add(len) {
            Some(end) if end <= elements => Ok(StorageView { index, part: start..end }),
            _ => Err(wrong("a part of it reaches over its end").into()),
        }
    }

    /// Keys and lengths in bytes of those that were declared, in order.
    pub(super) fn declared(&self) -> impl Iterator<Item = (&'a str, Option<u64>)> + '_ {
        self.all.iter().map(|storage| (storage.key, storage.elements.checked_mul(storage.dtype.size() as u64)))
    }

    /// Type of the elements of the storage `key`.
    pub(super) fn dtype_of(&self, key: &str) -> Option<Dtype> {
        self.by_key.get(key).map(|index| self.all[*index].dtype)
    }

    /// Gives the storage `key` its content.
    ///
    /// # Errors
    /// The pickle says that it is longer or shorter, or does not name it.
    pub(super) fn fill(&mut self, key: &str, bytes: Cow<'a, [u8]>) -> Result<()> {
        let wrong = |problem: String| Cause::Storage { key: key.into(), problem };
        let index = self.by_key.get(key).ok_or_else(|| wrong("the pickle does not name it".into()))?;
        let storage = &mut self.all[*index];
        let size = storage.dtype.size() as u64;
        if storage.elements.checked_mul(size) != Some(bytes.len() as u64) {
            let (found, elements) = (bytes.len(), storage.elements);
            return Err(wrong(format!("holds {found} bytes, the pickle says {elements} elements of {size}")).into());
        }
        storage.bytes = Some(bytes);
        Ok(())
    }

    /// Says that elements have their most significant byte first.
    pub(super) fn set_big_endian(&mut self) {
        self.big_endian = true;
    }

    pub(super) fn dtype(&self, view: &StorageView) -> Dtype {
        self.all[view.index].dtype
    }

    /// A tensor in a storage.
    ///
    /// # Errors
    /// It reaches over the storage's end, or its description is wrong.
    pub(super) fn layout(storage: StorageView, offset: u64, shape: Vec<u64>, strides: Vec<u64>) -> Result<Layout> {
        const DIMENSIONS: usize = 64;
        let wrong = |problem: String| Cause::Tensor { shape: shape.clone(), problem };
        if shape.len() != strides.len() || shape.len() > DIMENSIONS {
            return Err(Cause::Tensor {
                shape: shape.iter().copied().take(DIMENSIONS).collect(),
                problem: format!("has {} strides for {} dimensions", strides.len(), shape.len()),
            }
            .into());
        }
        let elements = shape.iter().try_fold(1u64, |product, length| product.checked_mul(*length));
        // An empty tensor touches nothing.
        let empty = shape.contains(&0);
        let spans = shape.iter().zip(&strides).map(|(length, stride)| length.saturating_sub(1).checked_mul(*stride));
        let end = spans.fold(offset.checked_add(1), |sum, span| sum?.checked_add(span?));
        let held = storage.part.end - storage.part.start;
        if !empty && (elements.is_none() || end.is_none_or(|end| end > held)) {
            let text = format!("at offset {offset} with strides {strides:?} reaches over the end of its storage");
            return Err(wrong(format!("{text}, which has {held} elements")).into());
        }
        let narrow =
            |values: &[u64]| values.iter().map(|value| usize::try_from(*value).ok()).collect::<Option<Vec<_>>>();
        let (Some(shape), Some(strides)) = (narrow(&shape), narrow(&strides)) else {
            return Err(wrong("is larger than the memory".into()).into());
        };
        let offset = if empty { 0 } else { offset as usize };
        Ok(Layout { storage, offset, shape, strides })
    }

    /// The elements of a tensor, row-major, little-endian.
    pub(super) fn gather(&self, layout: &Layout, budget: &mut Budget) -> Result<Vec<u8>> {
        let storage = &self.all[layout.storage.index];
        let missing = || Cause::Storage { key: storage.key.into(), problem: "is not in the file".into() };
        let bytes = storage.bytes.as_deref().ok_or_else(missing)?;
        let size = storage.dtype.size();
        // Expanded tensors hold more elements than their storage; the product of the shape fits 64 bits (see `layout`).
        let elements = match layout.shape.contains(&0) {
            true => 0,
            false => layout.shape.iter().product::<usize>(),
        };
        budget.spend(elements.saturating_mul(size).saturating_add(8 * layout.shape.len()))?;
        let first = (layout.storage.part.start as usize + layout.offset) * size;
        let mut data = Vec::with_capacity(elements * size);
        if elements > 0 {
            let dimensions = merged(&layout.shape, &layout.strides);
            push_elements(&mut data, &bytes[first..], &dimensions, size);
        }
        if self.big_endian && size > 1 {
            data.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(data)
    }
}

/// Length and stride of every dimension, without those of length 1, and with neighbours that lie without a gap as one.
fn merged(shape: &[usize], strides: &[usize]) -> Vec<(usize, usize)> {
    let mut dimensions: Vec<(usize, usize)> = Vec::new();
    for (&length, &stride) in shape.iter().zip(strides).filter(|(length, _)| **length != 1) {
        match dimensions.last_mut() {
            Some((outer, step)) if *step == stride.saturating_mul(length) => {
                (*outer, *step) = (*outer * length, stride);
            }
            _ => dimensions.push((length, stride)),
        }
    }
    dimensions
}

fn push_elements(data: &mut Vec<u8>, bytes: &[u8], dimensions: &[(usize, usize)], size: usize) {
    match *dimensions {
        [] => data.extend_from_slice(&bytes[..size]),
        [(length, 1)] => data.extend_from_slice(&bytes[..length * size]),
        [(length, stride), ref inner @ ..] => {
            for index in 0..length {
                push_elements(data, &bytes[index * stride * size..], inner, size);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(shape: &[u64], strides: &[u64], offset: u64) -> Result<Vec<u8>> {
        let mut storages = Storages::default();
        let view = storages.declare("0", Dtype::I16, 6, None)?;
        storages.fill("0", Cow::Owned((0..6u16).flat_map(u16::to_le_bytes).collect()))?;
        let layout = Storages::layout(view, offset, shape.to_vec(), strides.to_vec())?;
        let data = storages.gather(&layout, &mut Budget::of_file(0, 1 << 20))?;
        Ok(data.chunks_exact(2).map(|element| element[0]).collect())
    }

    /// Shape, strides, offset, elements.
    type Case<'a> = (&'a [u64], &'a [u64], u64, &'a [u8]);

    #[test]
    fn strides_are_resolved() {
        let cases: [Case; 8] = [
            (&[2, 3], &[3, 1], 0, &[0, 1, 2, 3, 4, 5]),
            (&[3, 2], &[1, 3], 0, &[0, 3, 1, 4, 2, 5]),
            (&[2, 2], &[3, 2], 0, &[0, 2, 3, 5]),
            (&[2, 2, 1], &[0, 1, 99], 4, &[4, 5, 4, 5]),
            (&[], &[], 5, &[5]),
            (&[0, 3], &[3, 1], 77, &[]),
            (&[3], &[0], 2, &[2, 2, 2]),
            (&[2, 1, 3], &[3, 7, 1], 0, &[0, 1, 2, 3, 4, 5]),
        ];
        for (shape, strides, offset, expected) in cases {
            assert_eq!(gather(shape, strides, offset).unwrap(), expected, "{shape:?} {strides:?}");
        }
    }

    #[test]
    fn tensors_stay_in_their_storage() {
        let cases: [(&[u64], &[u64], u64); 5] = [
            (&[7], &[1], 0),
            (&[2, 3], &[3, 1], 1),
            (&[u64::MAX, u64::MAX], &[u64::MAX, 1], 0),
            (&[u64::MAX, 2], &[0, 1], 0),
            (&[1], &[1], u64::MAX),
        ];
        for (shape, strides, offset) in cases {
            let message = gather(shape, strides, offset).unwrap_err().to_string();
            assert!(message.contains("reaches over the end of its storage"), "{message}");
        }
        let message = gather(&[1 << 40], &[0], 0).unwrap_err().to_string();
        assert!(message.starts_with("expands to more than"), "{message}");
        assert!(gather(&[2], &[1, 1], 0).unwrap_err().to_string().contains("has 2 strides for 1 dimensions"));
    }

    #[test]
    fn a_storage_is_what_it_was() {
        let mut storages = Storages::default();
        storages.declare("a", Dtype::F32, 2, Some((1, 1))).unwrap();
        for (dtype, elements, part) in [(Dtype::F64, 2, None), (Dtype::F32, 3, None), (Dtype::F32, 2, Some((1, 2)))] {
            storages.declare("a", dtype, elements, part).unwrap_err();
        }
        let message = storages.fill("a", Cow::Borrowed(&[0; 7])).unwrap_err().to_string();
        assert_eq!(message, "storage `a`: holds 7 bytes, the pickle says 2 elements of 4");
        storages.fill("b", Cow::Borrowed(&[])).unwrap_err();
    }
}
