//! Errors of tensor operations.

/// Result of tensor operations.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in a tensor operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Operands do not fit together.
    #[error("{operation}: {problem}")]
    Operands {
        /// Operation, for example `conv2d`.
        operation: &'static str,
        /// What does not fit, with both shapes.
        problem: String,
    },
    /// A named tensor is missing from a state.
    #[error("tensor `{name}` is missing")]
    MissingTensor {
        /// Full name.
        name: String,
    },
    /// A named tensor has another shape than the network needs.
    #[error("tensor `{name}` has shape {found:?}, the network needs {expected:?}")]
    TensorShape {
        /// Full name.
        name: String,
        /// Shape the network needs.
        expected: Vec<usize>,
        /// Shape found.
        found: Vec<usize>,
    },
    /// candle failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
