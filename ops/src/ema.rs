//! Exponential moving average of weights.

use crate::kernel::{CHUNK, Element, contiguous, unsupported};
use crate::{Error, Parameters, Result};
use candle_core::{CpuStorage, InplaceOp2, Layout};
use rayon::prelude::*;

/// θ_ema ← `decay` · θ_ema + (1 − `decay`) · θ for every parameter, in place.
pub fn update_ema(average: &Parameters, current: &Parameters, decay: f64) -> Result<()> {
    for (name, target) in average.iter() {
        let source = current.get(name).ok_or_else(|| Error::MissingTensor { name: name.to_string() })?;
        target.inplace_op2(source, &Lerp { decay })?;
    }
    Ok(())
}

struct Lerp {
    decay: f64,
}

fn lerp<T: Element>(average: &mut [T], current: &[T], decay: f64) {
    let (keep, take) = (T::of(decay), T::of(1.0 - decay));
    average.par_chunks_mut(CHUNK).zip(current.par_chunks(CHUNK)).for_each(|(average, current)| {
        for (a, &c) in average.iter_mut().zip(current) {
            *a = keep * *a + take * c;
        }
    });
}

impl InplaceOp2 for Lerp {
    fn name(&self) -> &'static str {
        "update_ema"
    }

    fn cpu_fwd(&self, s1: &mut CpuStorage, _l1: &Layout, s2: &CpuStorage, l2: &Layout) -> candle_core::Result<()> {
        match (s1, s2) {
            (CpuStorage::F32(a), CpuStorage::F32(c)) => lerp(a, contiguous(c, l2)?, self.decay),
            (CpuStorage::F64(a), CpuStorage::F64(c)) => lerp(a, contiguous(c, l2)?, self.decay),
            (a, c) => return Err(unsupported(self.name(), &[a, c])),
        }
        Ok(())
    }
}
