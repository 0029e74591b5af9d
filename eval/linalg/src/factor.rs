//! Factors of positive semidefinite matrices.

use crate::{Error, Result, parallelism, product};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor as plain;
use faer::linalg::cholesky::llt_pivoting::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::{MatMut, MatRef};

/// A ≈ FᵀF.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// F, rank×n row-major.
    pub rows: Vec<f64>,
    /// Rows of F: the numerical rank of A.
    pub rank: usize,
    /// All columns, those of the pivots first: row k of F is 0 in the columns `order[..k]`.
    pub order: Vec<usize>,
    /// Frobenius norm of A - FᵀF outside the rows and columns that F reproduces. Far above rounding, it says that A is
    /// not positive semidefinite.
    pub residual: f64,
}

/// The Cholesky factor, with complete pivoting unless it is not needed, of the positive semidefinite n×n matrix `a` (row-major, symmetric), cut
/// where the largest pivot left falls below 8 n ε times the largest diagonal entry: the rounding errors of `a` itself.
///
/// `None` where a negative entry on the diagonal shows at once that `a` is not semidefinite.
///
/// # Errors
/// `a` is not n×n or has a non-finite entry.
pub fn semidefinite_factor(a: &[f64], n: usize) -> Result<Option<Factor>> {
    crate::eigen::check(a, n, "semidefinite_factor")?;
    let largest = (0..n).map(|i| a[i * n + i]).fold(0.0, f64::max);
    if largest == 0.0 || (0..n).any(|i| a[i * n + i] < 0.0) {
        let zero = a.iter().all(|&value| value == 0.0);
        return Ok(zero.then(|| Factor { rows: Vec::new(), rank: 0, order: (0..n).collect(), residual: 0.0 }));
    }
    if let Some(rows) = definite_factor(a, n, largest) {
        return Ok(Some(Factor { rows, rank: n, order: (0..n).collect(), residual: 0.0 }));
    }
    let mut lower = a.to_vec();
    let (mut permutation, mut inverse) = (vec![0usize; n], vec![0usize; n]);
    let scratch = cholesky_in_place_scratch::<usize, f64>(n, parallelism(), Default::default());
    let mut memory = MemBuffer::new(scratch);
    // Column-major: the lower triangle that the factorisation works in is the upper one of the rows.
    let outcome = cholesky_in_place(
        MatMut::from_column_major_slice_mut(&mut lower, n, n),
        &mut permutation,
        &mut inverse,
        parallelism(),
        MemStack::new(&mut memory),
        Default::default(),
    );
    let Ok((info, _)) = outcome else { return Ok(None) };
    let factor = MatRef::from_column_major_slice(&lower, n, n);
    let rounding = 8.0 * n as f64 * f64::EPSILON * largest;
    let rank = (0..info.rank).take_while(|&k| factor[(k, k)].powi(2) > rounding).count();
    let mut rows = vec![0.0; rank * n];
    for (k, row) in rows.chunks_exact_mut(n).enumerate() {
        for (i, &place) in permutation.iter().enumerate().skip(k) {
            row[place] = factor[(i, k)];
        }
    }
    let residual = residual(a, n, &rows, rank, &permutation[rank..])?;
    if !residual.is_finite() {
        return Err(Error::NoConvergence { n });
    }
    Ok(Some(Factor { rows, rank, order: permutation, residual }))
}

/// The Cholesky factor without pivoting, which takes a fraction of the time. `None` where a small pivot, relative to the
/// `largest` diagonal entry, says that an order of the columns matters.
fn definite_factor(a: &[f64], n: usize, largest: f64) -> Option<Vec<f64>> {
    const SMALL: f64 = 1e-8;
    let mut lower = a.to_vec();
    let mut memory = MemBuffer::new(plain::cholesky_in_place_scratch::<f64>(n, parallelism(), Default::default()));
    plain::cholesky_in_place(
        MatMut::from_column_major_slice_mut(&mut lower, n, n),
        Default::default(),
        parallelism(),
        MemStack::new(&mut memory),
        Default::default(),
    )
    .ok()?;
    // Columns of the lower triangle are rows of its transpose; what lies above is that of `a`.
    for k in 0..n {
        if lower[k * n + k].powi(2) <= SMALL * largest {
            return None;
        }
        lower[k * n..k * n + k].fill(0.0);
    }
    Some(lower)
}

/// Norm of what is left of `a` in the rows and columns `places`.
fn residual(a: &[f64], n: usize, rows: &[f64], rank: usize, places: &[usize]) -> Result<f64> {
    let left = places.len();
    let mut part = Vec::with_capacity(rank * left);
    for row in rows.chunks_exact(n) {
        part.extend(places.iter().map(|&place| row[place]));
    }
    let reproduced = product(crate::Side::Transposed, &part, &part, left, rank, left)?;
    let mut sum = 0.0;
    for (i, &row) in places.iter().enumerate() {
        for (j, &column) in places.iter().enumerate() {
            sum += (a[row * n + column] - reproduced[i * left + j]).powi(2);
        }
    }
    Ok(sum.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Side, add_gram};
    use proptest::prelude::*;

    fn gram(x: &[f64], rows: usize, n: usize) -> Vec<f64> {
        let mut gram = vec![0.0; n * n];
        add_gram(x, rows, n, &mut gram).unwrap();
        gram
    }

    fn noise(n: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * i % 1009 * 7919 + i * 31) % 2003) as f64 / 1001.5 - 1.0).collect()
    }

    fn assert_reproduces(factor: &Factor, a: &[f64], n: usize) {
        let found = product(Side::Transposed, &factor.rows, &factor.rows, n, factor.rank, n).unwrap();
        let scale = a.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        for (found, expected) in found.iter().zip(a) {
            assert!((found - expected).abs() < 1e-12 * scale, "{found} {expected}");
        }
    }

    #[test]
    fn ranks() {
        for (rows, n) in [(300, 200), (20, 200), (1, 5), (150, 150)] {
            let a = gram(&noise(rows * n), rows, n);
            let factor = semidefinite_factor(&a, n).unwrap().unwrap();
            assert_eq!(factor.rank, rows.min(n));
            assert_reproduces(&factor, &a, n);
            for (k, row) in factor.rows.chunks_exact(n).enumerate() {
                assert!(row[factor.order[k]] > 0.0 && factor.order[..k].iter().all(|&column| row[column] == 0.0));
            }
            assert!(factor.residual < 1e-10, "{}", factor.residual);
        }
        let zero = semidefinite_factor(&[0.0; 9], 3).unwrap().unwrap();
        assert_eq!((zero.rank, zero.residual), (0, 0.0));
        assert_eq!(semidefinite_factor(&[], 0).unwrap().unwrap().rank, 0);
    }

    #[test]
    fn matrices_that_are_not_semidefinite() {
        assert_eq!(semidefinite_factor(&[1.0, 0.0, 0.0, -1.0], 2).unwrap(), None);
        assert_eq!(semidefinite_factor(&[0.0, 1.0, 1.0, 0.0], 2).unwrap(), None);
        let indefinite = semidefinite_factor(&[1.0, 2.0, 2.0, 1.0], 2).unwrap().unwrap();
        assert_eq!((indefinite.rank, indefinite.residual), (1, 3.0));
        assert!(semidefinite_factor(&[f64::NAN], 1).is_err());
        assert!(semidefinite_factor(&[1.0; 3], 2).is_err());
    }

    proptest! {
        #[test]
        fn grams_are_reproduced(rows in 1usize..8, n in 1usize..8, seed in prop::collection::vec(-3.0..3.0f64, 64)) {
            let a = gram(&seed[..rows * n], rows, n);
            let factor = semidefinite_factor(&a, n).unwrap().unwrap();
            prop_assert!(factor.rank <= rows.min(n));
            let found = product(Side::Transposed, &factor.rows, &factor.rows, n, factor.rank, n).unwrap();
            for (found, expected) in found.iter().zip(&a) {
                prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        }
    }
}
