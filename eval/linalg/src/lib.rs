//! Symmetric eigendecompositions, semidefinite factors and matrix products in double precision on plain row-major slices.
//!
//! The crate exists to keep the generic code of the eigensolver in one place that is compiled once and rarely edited.
//! Work is shared among the threads of rayon in parts whose number is fixed, so results do not depend on the number of
//! threads or processors.

mod eigen;
mod error;
mod factor;
mod product;

pub use eigen::{Eigen, symmetric_eigen, symmetric_eigenvalues};
pub use error::{Error, Result};
pub use factor::{Factor, semidefinite_factor};
pub use product::{Side, add_gram, congruence, cross_products, product};

use faer::Par;

/// How the solvers of faer share their work: among a fixed number of parts, whatever the number of threads.
fn parallelism() -> Par {
    const PARTS: usize = 4;
    Par::rayon(PARTS)
}
