//! Results of kernels that have several.

use crate::Result;
use crate::graph::Variable;
use candle_core::Tensor;

/// The gradients that lie one after the other in `packed`, each shaped like its variable.
pub(super) fn unpack(packed: &Tensor, like: [&Variable; 3]) -> Result<Vec<Option<Variable>>> {
    let mut start = 0;
    let mut part = |like: &Variable| {
        let part = packed.narrow(0, start, like.elem_count())?.reshape(like.dims())?;
        start += like.elem_count();
        Ok(Some(Variable::constant(part)))
    };
    like.into_iter().map(&mut part).collect()
}
