//! One array in NumPy's format (NEP 1): a magic number, a version, a header of text, the elements.

use crate::{Cause, Result};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The header ends on a multiple of this.
const ALIGNMENT: usize = 64;

/// An array whose elements have not been looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Npy<'a> {
    /// For example `<f8`.
    pub(super) descr: String,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
    pub(super) data: &'a [u8],
}

fn damaged(problem: &str) -> crate::Error {
    Cause::Format(format!("is no array of NumPy: {problem}")).into()
}

impl<'a> Npy<'a> {
    /// # Errors
    /// This is no array, or one of records.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("its magic number is missing"))?;
        let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(|| damaged("it ends in the version"))?;
        let (len, rest) = match version {
            [1, _] => rest.split_first_chunk::<2>().map(|(len, rest)| (usize::from(u16::from_le_bytes(*len)), rest)),
            [2 | 3, _] => rest.split_first_chunk::<4>().map(|(len, rest)| (u32::from_le_bytes(*len) as usize, rest)),
            [major, _] => return Err(damaged(&format!("its format has version {major}, 3 is the last known"))),
        }
        .ok_or_else(|| damaged("it ends in the header's length"))?;
        let (header, data) = rest.split_at_checked(len).ok_or_else(|| damaged("it ends in the header"))?;
        let header = std::str::from_utf8(header).map_err(|_| damaged("its header is no text"))?;
        let mut parser = Header { rest: header };
        parser.parse(data)
    }

    /// The elements as 64-bit floating-point numbers, row-major.
    ///
    /// # Errors
    /// They are of another type than floating-point numbers of 32 or 64 bits, too few or too many.
    pub(super) fn floats(&self) -> Result<Vec<f64>> {
        let values: Vec<f64> = match self.descr.as_str() {
            "<f8" => self.elements(f64::from_le_bytes)?,
            ">f8" => self.elements(f64::from_be_bytes)?,
            "<f4" => self.elements(|element| f64::from(f32::from_le_bytes(element)))?,
            ">f4" => self.elements(|element| f64::from(f32::from_be_bytes(element)))?,
            other => {
                let problem =
                    format!("has elements of type `{other}`; floating-point numbers of 32 or 64 bits are needed");
                return Err(Cause::Content(problem).into());
            }
        };
        match (self.fortran_order, &self.shape[..]) {
            (true, &[rows, columns]) => {
                let element = |at| values[at % columns * rows + at / columns];
                Ok((0..values.len()).map(element).collect())
            }
            (true, [_, _, ..]) => Err(Cause::Content("has more than two dimensions".into()).into()),
            _ => Ok(values),
        }
    }

    /// The elements, in the order in which they lie in the file.
    pub(super) fn elements<const N: usize, T>(&self, element: impl Fn([u8; N]) -> T) -> Result<Vec<T>> {
        let count = self.shape.iter().try_fold(N, |product, length| product.checked_mul(*length));
        if count != Some(self.data.len()) {
            let (shape, found) = (&self.shape, self.data.len());
            let problem = format!("holds {found} bytes, which are not those of shape {shape:?} with {N} bytes each");
            return Err(Cause::Content(problem).into());
        }
        Ok(self.data.as_chunks().0.iter().map(|bytes| element(*bytes)).collect())
    }
}

/// An array of `shape` with elements of type `descr`, row-major.
pub(super) fn encode(descr: &str, shape: &[usize], data: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut lengths = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    if shape.len() == 1 {
        lengths.push(',');
    }
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // Magic number, version, length, and a line feed at the end.
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(ALIGNMENT) - unpadded));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.into_bytes());
    bytes.extend(data);
    bytes
}

/// A dictionary as Python writes it, with text, truth values and tuples of counts.
struct Header<'h> {
    rest: &'h str,
}

impl Header<'_> {
    fn parse<'a>(&mut self, data: &'a [u8]) -> Result<Npy<'a>> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.found('}') {
            let key = self.text()?;
            self.expect(':')?;
            match key.as_str() {
                "descr" => descr = Some(self.text()?),
                "fortran_order" => fortran_order = Some(self.truth()?),
                "shape" => shape = Some(self.counts()?),
                _ => return Err(damaged("its header has an unknown entry")),
            }
            if !self.found(',') {
                self.expect('}')?;
                break;
            }
        }
        match (descr, fortran_order, shape, self.rest.trim().is_empty()) {
            (Some(descr), Some(fortran_order), Some(shape), true) => Ok(Npy { descr, fortran_order, shape, data }),
            _ => Err(damaged("its header is incomplete")),
        }
    }

    /// Skips `wanted`, if it comes next.
    fn found(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        match self.found(wanted) {
            true => Ok(()),
            false => Err(damaged(&format!("`{wanted}` is missing in its header"))),
        }
    }

    fn text(&mut self) -> Result<String> {
        let quote = if self.found('"') { '"' } else { '\'' };
        if quote == '\'' {
            if self.rest.trim_start().starts_with('[') {
                return Err(damaged("its elements are records"));
            }
            self.expect(quote)?;
        }
        let (text, rest) = self.rest.split_once(quote).ok_or_else(|| damaged("its header ends in a text"))?;
        self.rest = rest;
        Ok(text.to_owned())
    }

    fn truth(&mut self) -> Result<bool> {
        for (text, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.trim_start().strip_prefix(text) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(damaged("`fortran_order` is neither True nor False"))
    }

    fn counts(&mut self) -> Result<Vec<usize>> {
        const DIMENSIONS: usize = 64;
        let mut counts = Vec::new();
        self.expect('(')?;
        while !self.found(')') {
            let text = self.rest.trim_start();
            let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let count = text[..digits].parse().map_err(|_| damaged("its shape is no tuple of counts"))?;
            // Python 2 marked long integers.
            self.rest = text[digits..].strip_prefix('L').unwrap_or(&text[digits..]);
            counts.push(count);
            if counts.len() > DIMENSIONS {
                return Err(damaged("it has too many dimensions"));
            }
            if !self.found(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let of = |header: &str| {
            let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
            bytes.extend((header.len() as u32).to_le_bytes());
            bytes.extend(header.bytes());
            Npy::parse(&bytes).map(|npy| (npy.descr, npy.fortran_order, npy.shape))
        };
        let expected = ("<f8".to_owned(), true, vec![2, 3]);
        assert_eq!(of("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }  \n").unwrap(), expected);
        assert_eq!(of("{\"shape\":(2L,3L,),\"fortran_order\":True,\"descr\":\"<f8\"}").unwrap(), expected);
        assert_eq!(of("{'descr': '|b1', 'fortran_order': False, 'shape': ()}").unwrap().2, Vec::<usize>::new());
        let wrong = [
            "",
            "{}",
            "{'descr': [('a', '<f8')], 'fortran_order': True, 'shape': (2,)}",
            "{'descr': '<f8', 'fortran_order': 1, 'shape': (2,)}",
            "{'descr': '<f8', 'fortran_order': True, 'shape': (-2,)}",
            "{'descr': '<f8', 'fortran_order': True, 'shape': (99999999999999999999,)}",
            "{'descr': '<f8', 'fortran_order': True, 'shape': (2,)} + 1",
            "{'descr': '<f8', 'fortran_order': True, 'shape': (2,), 'more': ''}",
        ];
        for header in wrong {
            assert!(of(header).unwrap_err().to_string().contains("is no array of NumPy"), "{header}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = encode("<f8", &[3], [1.0f64, -2.5, 1e300].into_iter().flat_map(f64::to_le_bytes));
        assert_eq!((bytes.len() - 24) % ALIGNMENT, 0);
        let npy = Npy::parse(&bytes).unwrap();
        assert_eq!((npy.shape.clone(), npy.floats().unwrap()), (vec![3], vec![1.0, -2.5, 1e300]));
    }

    #[test]
    fn columns_become_rows() {
        let data: Vec<u8> = [1f32, 2.0, 3.0, 4.0, 5.0, 6.0].into_iter().flat_map(f32::to_be_bytes).collect();
        let npy = Npy { descr: ">f4".into(), fortran_order: true, shape: vec![2, 3], data: &data };
        assert_eq!(npy.floats().unwrap(), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        let npy = Npy { shape: vec![usize::MAX, 2], ..npy };
        assert!(npy.floats().unwrap_err().to_string().contains("holds 24 bytes"));
    }
}
