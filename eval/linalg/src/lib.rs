//! Symmetric eigendecompositions and matrix products in double precision on plain row-major slices.
//!
//! The crate exists to keep the generic code of the eigensolver in one place that is compiled once and rarely edited.
//! Everything runs on the calling thread with a fixed order of summation, so results do not depend on the number of
//! processors.

mod eigen;
mod error;
mod product;

pub use eigen::{Eigen, symmetric_eigen, symmetric_eigenvalues};
pub use error::{Error, Result};
pub use product::{Side, add_gram, product};
