//! Results of kernels that have several.

use crate::Result;
use crate::graph::Variable;
use crate::launch::image_from;
use candle_core::Tensor;

/// The gradients that lie one after the other in `packed`, each shaped like its variable. Images among them lie in memory as
/// the kernel had its `operands`; none for a kernel that wants rows.
pub(super) fn unpack(packed: &Tensor, like: [&Variable; 3], operands: &[&Tensor]) -> Result<Vec<Option<Variable>>> {
    let mut start = 0;
    let mut part = |like: &Variable| {
        let part = image_from(packed.narrow(0, start, like.elem_count())?, operands, like.dims())?;
        start += like.elem_count();
        Ok(Some(Variable::constant(part)))
    };
    like.into_iter().map(&mut part).collect()
}
