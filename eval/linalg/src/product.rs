//! Matrix products.

use crate::{Error, Result};
use gemm::{Parallelism, gemm};

/// Whether the left factor of a product is taken as it lies or transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// m×k, row-major.
    Plain,
    /// Stored k×m row-major, used as its m×k transpose.
    Transposed,
}

/// The m×n product of `a` (m×k, see [`Side`]) and `b` (k×n); all row-major.
///
/// # Errors
/// A slice does not hold a matrix of its shape.
pub fn product(side: Side, a: &[f64], b: &[f64], m: usize, k: usize, n: usize) -> Result<Vec<f64>> {
    let mut out = vec![0.0; m * n];
    accumulate("product", side, a, b, (m, k, n), &mut out, false)?;
    Ok(out)
}

/// Adds XᵀX to `gram` (columns×columns), where `x` is rows×columns; all row-major.
///
/// # Errors
/// A slice does not hold a matrix of its shape.
pub fn add_gram(x: &[f64], rows: usize, columns: usize, gram: &mut [f64]) -> Result<()> {
    accumulate("add_gram", Side::Transposed, x, x, (columns, rows, columns), gram, true)
}

/// out = [out +] a b.
fn accumulate(
    operation: &'static str,
    side: Side,
    a: &[f64],
    b: &[f64],
    (m, k, n): (usize, usize, usize),
    out: &mut [f64],
    keep: bool,
) -> Result<()> {
    let a_shape = if side == Side::Plain { (m, k) } else { (k, m) };
    for ((rows, columns), found) in [(a_shape, a.len()), ((k, n), b.len()), ((m, n), out.len())] {
        if rows * columns != found {
            return Err(Error::Shape { operation, rows, columns, found });
        }
    }
    if m * n == 0 || k == 0 {
        return Ok(());
    }
    let (a_column, a_row) = if side == Side::Plain { (1, k as isize) } else { (m as isize, 1) };
    // SAFETY: the three slices hold exactly the matrices described by the shapes (checked above) and their row-major
    // strides; `out` is borrowed mutably, so it overlaps neither factor; f64 is a type the kernel supports.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            keep,
            a.as_ptr(),
            a_column,
            a_row,
            b.as_ptr(),
            1,
            n as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

    #[test]
    fn products() {
        let b = [1.0, -1.0, 0.5, 2.0, 0.0, 3.0];
        assert_eq!(product(Side::Plain, &A, &b, 2, 3, 2).unwrap(), [2.0, 12.0, 6.5, 24.0]);
        assert_eq!(
            product(Side::Transposed, &A, &b, 3, 2, 3).unwrap(),
            [9.0, -1.0, 12.5, 12.0, -2.0, 16.0, 15.0, -3.0, 19.5]
        );
    }

    #[test]
    fn gram_accumulates() {
        let mut gram = vec![1.0; 4];
        add_gram(&A, 3, 2, &mut gram).unwrap();
        assert_eq!(gram, [36.0, 45.0, 45.0, 57.0]);
    }

    #[test]
    fn empty_sums_are_zero() {
        assert_eq!(product(Side::Plain, &[], &[], 2, 0, 1).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn wrong_shapes() {
        let error = product(Side::Plain, &A, &A, 2, 3, 3).unwrap_err();
        assert_eq!(error.to_string(), "product: a 3x3 matrix has 9 numbers, got 6");
    }
}
