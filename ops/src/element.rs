//! Element types of the CPU kernels.

use crate::simd::Registers;

/// An element type with CPU kernels: `f32` or `f64`.
pub(crate) trait Element:
    Copy
    + Send
    + Sync
    + Default
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::AddAssign
    + std::iter::Sum
    + Registers
    + 'static
{
    const ONE: Self;
    fn of(value: f64) -> Self;
    fn root(self) -> Self;
    /// 1 for a clear sign bit, `slope` otherwise, without a branch (a mispredicted branch costs twenty times more).
    fn select_by_sign(self, slope: Self) -> Self;
}

impl Element for f32 {
    const ONE: Self = 1.0;
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn select_by_sign(self, slope: Self) -> Self {
        let mask = ((self.to_bits() as i32) >> 31) as u32;
        f32::from_bits((slope.to_bits() & mask) | (1f32.to_bits() & !mask))
    }
}

impl Element for f64 {
    const ONE: Self = 1.0;
    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn select_by_sign(self, slope: Self) -> Self {
        let mask = ((self.to_bits() as i64) >> 63) as u64;
        f64::from_bits((slope.to_bits() & mask) | (1f64.to_bits() & !mask))
    }
}
