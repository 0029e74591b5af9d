//! Shape checks and small helpers that rules share.

use crate::graph::Variable;
use crate::{Error, Result};

/// The four lengths of an N×C×H×W variable.
///
/// # Errors
/// Another rank.
pub(crate) fn dims4(operation: &'static str, x: &Variable) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(x.dims()).map_err(|_| Error::Operands {
        operation,
        problem: format!("four axes (N, C, H, W) are needed, found shape {:?}", x.dims()),
    })
}

/// The two lengths of a matrix.
///
/// # Errors
/// Another rank.
pub(crate) fn dims2(operation: &'static str, x: &Variable) -> Result<[usize; 2]> {
    <[usize; 2]>::try_from(x.dims())
        .map_err(|_| Error::Operands { operation, problem: format!("a matrix is needed, found shape {:?}", x.dims()) })
}

/// Checks that both operands have the same shape.
///
/// # Errors
/// Different shapes.
pub(crate) fn same_shape(operation: &'static str, a: &Variable, b: &Variable) -> Result<()> {
    if a.dims() == b.dims() {
        return Ok(());
    }
    Err(Error::Operands {
        operation,
        problem: format!("both operands must have one shape, found {:?} and {:?}", a.dims(), b.dims()),
    })
}

/// A gradient that is computed only if it is needed.
pub(crate) fn when(needed: bool, gradient: impl FnOnce() -> Result<Variable>) -> Result<Option<Variable>> {
    if needed { gradient().map(Some) } else { Ok(None) }
}
