//! Errors of linear algebra.

/// Result of linear algebra.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in linear algebra.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A slice does not hold a matrix of the stated shape.
    #[error("{operation}: a {rows}x{columns} matrix has {} numbers, got {found}", rows * columns)]
    Shape {
        /// Operation, for example `symmetric_eigen`.
        operation: &'static str,
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        columns: usize,
        /// Length of the slice.
        found: usize,
    },
    /// A matrix holds a NaN or an infinity.
    #[error("{operation}: entry ({row}, {column}) is {value}, which is not finite")]
    NonFinite {
        /// Operation, for example `symmetric_eigen`.
        operation: &'static str,
        /// Row of the first such entry.
        row: usize,
        /// Column of the first such entry.
        column: usize,
        /// The entry.
        value: f64,
    },
    /// Numbers that are no permutation.
    #[error("not an order of {n} columns")]
    Order {
        /// Columns.
        n: usize,
    },
    /// The eigensolver reached its iteration limit.
    #[error("the eigenvalue iteration did not converge for a {n}x{n} matrix")]
    NoConvergence {
        /// Order of the matrix.
        n: usize,
    },
}
