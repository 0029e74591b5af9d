//! Exponential moving average of weights.

use super::Parameters;
use super::slices::slice;
use crate::kernel::{Element, blocks_per_task};
use crate::simd::{Job, Vector, run};
use crate::{Error, Result};
use candle_core::{CpuStorage, InplaceOp2, Layout, bail};
use rayon::prelude::*;

/// θ_ema ← `decay` · θ_ema + (1 − `decay`) · θ for all parameters of a network in one pass, in place.
///
/// # Errors
/// Networks with different parameters.
pub fn update_ema(average: &Parameters, current: &Parameters, decay: f64) -> Result<()> {
    if average.names() != current.names() || average.count() != current.count() {
        let missing = current.names().iter().find(|name| average.get(name).is_none());
        return Err(match missing {
            Some(name) => Error::MissingTensor { name: name.clone() },
            None => Error::Operands {
                operation: "update_ema",
                problem: format!("{} parameters and {} in the average", current.count(), average.count()),
            },
        });
    }
    Ok(average.flat().inplace_op2(current.flat(), &Lerp { decay })?)
}

struct Lerp {
    decay: f64,
}

fn lerp<T: Element>(average: &mut [T], current: &[T], decay: f64) {
    let per_task = blocks_per_task(average.len(), 1);
    average.par_chunks_mut(per_task).zip(current.par_chunks(per_task)).for_each(|(average, current)| {
        run(Piece { average, current, decay });
    });
}

/// A part of the average, and of what it follows.
struct Piece<'a, T> {
    average: &'a mut [T],
    current: &'a [T],
    decay: f64,
}

impl<T: Element> Job<T> for Piece<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Scalar = T>>(self) {
        let (keep, take) = (T::of(self.decay), T::of(1.0 - self.decay));
        for (a, &c) in self.average.iter_mut().zip(self.current) {
            *a = keep * *a + take * c;
        }
    }
}

impl InplaceOp2 for Lerp {
    fn name(&self) -> &'static str {
        "update_ema"
    }

    fn cpu_fwd(&self, s1: &mut CpuStorage, _: &Layout, s2: &CpuStorage, l2: &Layout) -> candle_core::Result<()> {
        match s1 {
            CpuStorage::F32(average) => lerp(average, slice(s2, l2)?, self.decay),
            CpuStorage::F64(average) => lerp(average, slice(s2, l2)?, self.decay),
            _ => bail!("{}: parameters must be f32 or f64", self.name()),
        }
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        average: &mut candle_core::CudaStorage,
        _: &Layout,
        current: &candle_core::CudaStorage,
        l: &Layout,
    ) -> candle_core::Result<()> {
        crate::cuda::ema(average, current, l, self.decay)
    }
}
