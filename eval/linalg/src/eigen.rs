//! Eigendecomposition of symmetric matrices.

use crate::{Error, Result};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{MatMut, MatRef, diag::DiagMut};

/// A = Σᵢ λᵢ vᵢ vᵢᵀ.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigen {
    /// Eigenvalues λᵢ in ascending order, n.
    pub values: Vec<f64>,
    /// Orthonormal eigenvectors, n×n row-major; row i belongs to value i.
    pub vectors: Vec<f64>,
}

/// Eigenvalues and eigenvectors of the symmetric n×n matrix `a` (row-major). Only its lower triangle is used.
///
/// # Errors
/// `a` is not n×n, has a non-finite entry, or the iteration does not converge.
pub fn symmetric_eigen(a: &[f64], n: usize) -> Result<Eigen> {
    check(a, n, "symmetric_eigen")?;
    let (mut values, mut vectors) = (vec![0.0; n], vec![0.0; n * n]);
    // The columns of a column-major matrix are the rows of a row-major one.
    decompose(a, n, &mut values, Some(MatMut::from_column_major_slice_mut(&mut vectors, n, n)))?;
    Ok(Eigen { values, vectors })
}

/// Eigenvalues of the symmetric n×n matrix `a` (row-major) in ascending order. Only its lower triangle is used.
///
/// # Errors
/// As [`symmetric_eigen`].
pub fn symmetric_eigenvalues(a: &[f64], n: usize) -> Result<Vec<f64>> {
    check(a, n, "symmetric_eigenvalues")?;
    let mut values = vec![0.0; n];
    decompose(a, n, &mut values, None)?;
    values.sort_unstable_by(f64::total_cmp);
    Ok(values)
}

pub(crate) fn check(a: &[f64], n: usize, operation: &'static str) -> Result<()> {
    if a.len() != n * n {
        return Err(Error::Shape { operation, rows: n, columns: n, found: a.len() });
    }
    match a.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Error::NonFinite { operation, row: at / n, column: at % n, value: a[at] }),
        None => Ok(()),
    }
}

fn decompose(a: &[f64], n: usize, values: &mut [f64], vectors: Option<MatMut<'_, f64>>) -> Result<()> {
    let parallelism = crate::parallelism();
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<f64>(n, wanted, parallelism, Default::default()));
    self_adjoint_evd(
        MatRef::from_row_major_slice(a, n, n),
        DiagMut::from_slice_mut(values),
        vectors,
        parallelism,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .map_err(|_| Error::NoConvergence { n })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Side, product};
    use proptest::prelude::*;

    fn symmetric(n: usize, seed: &[f64]) -> Vec<f64> {
        (0..n * n)
            .map(|at| {
                let (row, column) = (at / n, at % n);
                seed[(row.max(column) * 31 + row.min(column) * 17) % seed.len()] * (1.0 + (row + column) as f64)
            })
            .collect()
    }

    fn reconstruct(eigen: &Eigen, n: usize) -> Vec<f64> {
        let scaled: Vec<f64> = (0..n * n).map(|at| eigen.vectors[at] * eigen.values[at / n]).collect();
        product(Side::Transposed, &eigen.vectors, &scaled, n, n, n).unwrap()
    }

    #[test]
    fn two_by_two() {
        let eigen = symmetric_eigen(&[2.0, 1.0, 1.0, 2.0], 2).unwrap();
        assert!((eigen.values[0] - 1.0).abs() < 1e-14 && (eigen.values[1] - 3.0).abs() < 1e-14, "{eigen:?}");
    }

    /// The sizes straddle the point where the solver changes from QR iterations to divide and conquer.
    #[test]
    fn large_matrices_are_reconstructed() {
        for n in [1, 31, 130, 200] {
            let seed: Vec<f64> = (0..97).map(|i| ((i * 37 % 97) as f64 / 48.5) - 1.0).collect();
            let a = symmetric(n, &seed);
            let eigen = symmetric_eigen(&a, n).unwrap();
            let scale = a.iter().fold(0.0f64, |m, x| m.max(x.abs())) * n as f64;
            assert!(eigen.values.is_sorted(), "{:?}", eigen.values);
            for (found, expected) in reconstruct(&eigen, n).iter().zip(&a) {
                assert!((found - expected).abs() < 1e-13 * scale, "{found} {expected}");
            }
            for (with, without) in eigen.values.iter().zip(symmetric_eigenvalues(&a, n).unwrap()) {
                assert!((with - without).abs() < 1e-13 * scale, "{with} {without}");
            }
        }
    }

    #[test]
    fn empty() {
        assert_eq!(symmetric_eigen(&[], 0).unwrap(), Eigen { values: vec![], vectors: vec![] });
    }

    #[test]
    fn errors() {
        let shape = symmetric_eigen(&[1.0; 5], 2).unwrap_err();
        assert_eq!(shape.to_string(), "symmetric_eigen: a 2x2 matrix has 4 numbers, got 5");
        let nan = symmetric_eigenvalues(&[1.0, 0.0, f64::NAN, 1.0], 2).unwrap_err();
        assert_eq!(nan.to_string(), "symmetric_eigenvalues: entry (1, 0) is NaN, which is not finite");
        assert!(symmetric_eigen(&[f64::INFINITY], 1).is_err());
    }

    proptest! {
        #[test]
        fn vectors_are_orthonormal_and_reconstruct(n in 1usize..12, seed in prop::collection::vec(-10.0..10.0f64, 7..40)) {
            let a = symmetric(n, &seed);
            let eigen = symmetric_eigen(&a, n).unwrap();
            let identity = product(Side::Plain, &eigen.vectors, &transpose(&eigen.vectors, n), n, n, n).unwrap();
            for (at, value) in identity.iter().enumerate() {
                let expected = if at / n == at % n { 1.0 } else { 0.0 };
                prop_assert!((value - expected).abs() < 1e-12);
            }
            for (found, expected) in reconstruct(&eigen, n).iter().zip(&a) {
                prop_assert!((found - expected).abs() < 1e-10);
            }
        }
    }

    fn transpose(a: &[f64], n: usize) -> Vec<f64> {
        (0..n * n).map(|at| a[at % n * n + at / n]).collect()
    }
}
