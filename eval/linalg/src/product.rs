//! Matrix products.

use crate::{Error, Result};
use gemm::{Parallelism, gemm};
use rayon::prelude::*;

/// Rows of a product that one task computes: a constant, so that the number of threads decides nothing.
const BAND: usize = 128;

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
    let a_shape = if side == Side::Plain { (m, k) } else { (k, m) };
    check("product", &[(a_shape, a.len()), ((k, n), b.len())])?;
    if m * n * k == 0 {
        return Ok(out);
    }
    let left = if side == Side::Plain { View::rows(a, k) } else { View::columns(a, m) };
    out.par_chunks_mut(BAND * n).enumerate().for_each(|(band, out)| {
        let rows = out.len() / n;
        accumulate(left.from(band * BAND), View::rows(b, n), out, n, (rows, k, n));
    });
    Ok(out)
}

/// A Bᵀ, m×n, of `a` (m×k) and `b` (n×k): the scalar products of their rows; all row-major. On the calling thread.
///
/// # Errors
/// A slice does not hold a matrix of its shape.
pub fn cross_products(a: &[f64], b: &[f64], m: usize, k: usize, n: usize) -> Result<Vec<f64>> {
    let mut out = vec![0.0; m * n];
    check("cross_products", &[((m, k), a.len()), ((n, k), b.len())])?;
    if m * n * k > 0 {
        accumulate(View::rows(a, k), View::columns(b, k), &mut out, n, (m, k, n));
    }
    Ok(out)
}

/// Adds XᵀX to the symmetric `gram` (columns×columns), where `x` is rows×columns; all row-major. Only the lower triangle
/// of `gram` is read; all of it is written.
///
/// # Errors
/// A slice does not hold a matrix of its shape.
pub fn add_gram(x: &[f64], rows: usize, columns: usize, gram: &mut [f64]) -> Result<()> {
    check("add_gram", &[((rows, columns), x.len()), ((columns, columns), gram.len())])?;
    if rows * columns == 0 {
        return Ok(());
    }
    let left = View::columns(x, columns);
    gram.par_chunks_mut(BAND * columns).enumerate().for_each(|(band, out)| {
        let height = out.len() / columns;
        // Columns up to the diagonal block; the others are mirrored below.
        let width = band * BAND + height;
        accumulate(left.from(band * BAND), View::rows(x, columns), out, columns, (height, rows, width));
    });
    for i in 0..columns {
        for j in 0..i {
            gram[j * columns + i] = gram[i * columns + j];
        }
    }
    Ok(())
}

/// F A Fᵀ, rank×rank and symmetric, of F (rank×n) and the symmetric `a` (n×n); all row-major.
///
/// `order`, if given, permutes the columns of F into a trapezoid, as [`crate::Factor`] has it: row k is 0 in the columns
/// `order[..k]`. That saves half of the work.
///
/// # Errors
/// A slice does not hold a matrix of its shape, or `order` is no permutation of the columns.
pub fn congruence(f: &[f64], a: &[f64], rank: usize, n: usize, order: Option<&[usize]>) -> Result<Vec<f64>> {
    check("congruence", &[((rank, n), f.len()), ((n, n), a.len())])?;
    let mut core = vec![0.0; rank * rank];
    if rank * n == 0 {
        return Ok(core);
    }
    let Some(order) = order else {
        multiply_congruence(f, a, rank, n, |_| 0, &mut core);
        return Ok(core);
    };
    let mut seen = vec![false; n];
    order.iter().filter(|&&column| column < n).for_each(|&column| seen[column] = true);
    if order.len() != n || seen.contains(&false) {
        return Err(Error::Order { n });
    }
    let permuted = |row: &[f64]| order.iter().map(|&column| row[column]).collect::<Vec<f64>>();
    let f: Vec<f64> = f.chunks_exact(n).flat_map(permuted).collect();
    let a: Vec<f64> = order.iter().flat_map(|&row| permuted(&a[row * n..][..n])).collect();
    multiply_congruence(&f, &a, rank, n, |row| row, &mut core);
    Ok(core)
}

/// `zeros(k)`: columns in which the rows of F from k on are 0.
fn multiply_congruence(f: &[f64], a: &[f64], rank: usize, n: usize, zeros: fn(usize) -> usize, core: &mut [f64]) {
    let mut projected = vec![0.0; rank * n];
    projected.par_chunks_mut(BAND * n).enumerate().for_each(|(band, out)| {
        let (first, rows) = (band * BAND, out.len() / n);
        let skipped = zeros(first);
        let left = View { values: &f[first * n + skipped..], row: n, column: 1 };
        accumulate(left, View::rows(a, n).from(skipped), out, n, (rows, n - skipped, n));
    });
    core.par_chunks_mut(BAND * rank).enumerate().for_each(|(band, out)| {
        let (first, rows) = (band * BAND, out.len() / rank);
        let skipped = zeros(first);
        // On and above the diagonal block, where the rows of F are 0 in as many columns at least.
        let left = View { values: &projected[first * n + skipped..], row: n, column: 1 };
        let right = View { values: &f[first * n + skipped..], row: 1, column: n };
        accumulate(left, right, &mut out[first..], rank, (rows, n - skipped, rank - first));
    });
    for i in 0..rank {
        for j in 0..i {
            core[i * rank + j] = core[j * rank + i];
        }
    }
}

fn check(operation: &'static str, slices: &[((usize, usize), usize)]) -> Result<()> {
    match slices.iter().find(|((rows, columns), found)| rows * columns != *found) {
        Some(&((rows, columns), found)) => Err(Error::Shape { operation, rows, columns, found }),
        None => Ok(()),
    }
}

/// A matrix in a slice: entry (i, j) lies at `i * row + j * column`.
#[derive(Clone, Copy)]
struct View<'a> {
    values: &'a [f64],
    row: usize,
    column: usize,
}

impl<'a> View<'a> {
    /// Of `width` columns, row-major.
    fn rows(values: &'a [f64], width: usize) -> Self {
        Self { values, row: width, column: 1 }
    }

    /// The transpose of a row-major matrix of `width` columns.
    fn columns(values: &'a [f64], width: usize) -> Self {
        Self { values, row: 1, column: width }
    }

    /// Without the first rows.
    fn from(self, first: usize) -> Self {
        Self { values: &self.values[first * self.row..], ..self }
    }

    fn holds(self, rows: usize, columns: usize) -> bool {
        (rows - 1) * self.row + (columns - 1) * self.column < self.values.len()
    }
}

/// Adds the m×n product of `a` (m×k) and `b` (k×n) to n columns of `out`, which lie `width` apart from row to row.
fn accumulate(a: View<'_>, b: View<'_>, out: &mut [f64], width: usize, (m, k, n): (usize, usize, usize)) {
    assert!(m * k * n > 0 && a.holds(m, k) && b.holds(k, n) && n <= width && (m - 1) * width + n <= out.len());
    // SAFETY: the slices hold the matrices of the shapes and strides given (asserted above); `out` is borrowed mutably,
    // so it overlaps neither factor; f64 is a type the kernel supports.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            width as isize,
            true,
            a.values.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
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
    fn products_of_rows() {
        let b = [1.0, -1.0, 0.5, 2.0, 0.0, 3.0];
        assert_eq!(cross_products(&A, &b, 2, 3, 2).unwrap(), [0.5, 11.0, 2.0, 26.0]);
    }

    /// More than one band, sides that no band divides.
    #[test]
    fn bands() {
        let (m, k, n) = (2 * BAND + 5, 7, BAND + 3);
        let values = |count: usize, salt: usize| -> Vec<f64> {
            (0..count).map(|i| ((i * 37 + salt) % 101) as f64 - 50.0).collect()
        };
        let (a, b) = (values(m * k, 1), values(k * n, 2));
        let found = product(Side::Plain, &a, &b, m, k, n).unwrap();
        let transposed: Vec<f64> = (0..k * m).map(|at| a[at % m * k + at / m]).collect();
        assert_eq!(found, product(Side::Transposed, &transposed, &b, m, k, n).unwrap());
        let b_transposed: Vec<f64> = (0..n * k).map(|at| b[at % k * n + at / k]).collect();
        assert_eq!(found, cross_products(&a, &b_transposed, m, k, n).unwrap());
        for (i, j) in [(0, 0), (m - 1, n - 1), (BAND, 3), (BAND + 1, BAND)] {
            // Integers of this size: exact in any order.
            assert_eq!(found[i * n + j], (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum::<f64>());
        }
        let mut gram = vec![1.0; n * n];
        add_gram(&b, k, n, &mut gram).unwrap();
        let expected = product(Side::Transposed, &b, &b, n, k, n).unwrap();
        assert!(gram.iter().zip(&expected).all(|(found, expected)| *found == expected + 1.0));
    }

    #[test]
    fn congruences() {
        let n = 2 * BAND + 5;
        let (rank, order) = (BAND + 40, (0..n).rev().collect::<Vec<_>>());
        let value = |i: usize, j: usize| ((i * 37 + j * 11) % 23) as f64 - 11.0;
        let a: Vec<f64> = (0..n * n).map(|at| value(at / n, at % n) + value(at % n, at / n)).collect();
        // Row k is 0 in the last k columns.
        let f: Vec<f64> =
            (0..rank * n).map(|at| if at % n + at / n < n { value(at / n, at % n) } else { 0.0 }).collect();
        let projected = product(Side::Plain, &f, &a, rank, n, n).unwrap();
        let expected = cross_products(&projected, &f, rank, n, rank).unwrap();
        assert_eq!(congruence(&f, &a, rank, n, None).unwrap(), expected);
        assert_eq!(congruence(&f, &a, rank, n, Some(&order)).unwrap(), expected);
        assert!(congruence(&[], &a, 0, n, None).unwrap().is_empty());
        for wrong in [&order[1..], &vec![0; n], &vec![n; n]] {
            let error = congruence(&f, &a, rank, n, Some(wrong)).unwrap_err().to_string();
            assert_eq!(error, format!("not an order of {n} columns"));
        }
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
