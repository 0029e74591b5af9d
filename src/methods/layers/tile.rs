//! Vectors as constant maps beside feature maps.

use crate::methods::Result;
use harness_ops::{Error, Variable, cat_channels, expand_from, reshape};

/// `x` N×C×H×W and `vector` (N×D) at every pixel → N×(C+D)×H×W.
///
/// # Errors
/// Shapes that do not fit.
pub fn cat_tiled(x: &Variable, vector: &Variable) -> Result<Variable> {
    let &[n, _, height, width] = x.dims() else {
        let problem = format!("images are needed, found shape {:?}", x.dims());
        return Err(Error::Operands { operation: "cat_tiled", problem });
    };
    let channels = vector.elem_count() / n.max(1);
    let tiled = expand_from(vector, [1, n * channels, height * width])?;
    cat_channels(&[x, &reshape(&tiled, &[n, channels, height, width])?])
}
