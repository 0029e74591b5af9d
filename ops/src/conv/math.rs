//! How convolutions multiply.

use std::cell::Cell;

/// Arithmetic of convolutions of f32 tensors on GPUs with tensor cores. Sums are f32 in any case; processors and other types
/// know no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConvolutionMath {
    /// Exact products of f32.
    #[default]
    Exact,
    /// Operands may be rounded to TF32 (10 bits of mantissa), PyTorch's default for convolutions.
    Tf32,
}

thread_local! {
    static MATH: Cell<ConvolutionMath> = const { Cell::new(ConvolutionMath::Exact) };
}

/// Runs `f`, whose differentiable convolutions on this thread multiply as `math` says. [`crate::conv2d_relu`] is always
/// exact.
pub fn with_convolution_math<T>(math: ConvolutionMath, f: impl FnOnce() -> T) -> T {
    /// Restores the setting, also when `f` panics.
    struct Restore(ConvolutionMath);
    impl Drop for Restore {
        fn drop(&mut self) {
            MATH.set(self.0);
        }
    }
    let _restore = Restore(MATH.replace(math));
    f()
}

/// What is set for this thread.
#[cfg(any(feature = "cuda", test))]
pub(crate) fn convolution_math() -> ConvolutionMath {
    MATH.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_restored() {
        with_convolution_math(ConvolutionMath::Tf32, || {
            assert_eq!(convolution_math(), ConvolutionMath::Tf32);
            let panics = || with_convolution_math(ConvolutionMath::Exact, || panic!("on purpose"));
            assert!(std::panic::catch_unwind(panics).is_err());
            assert_eq!(convolution_math(), ConvolutionMath::Tf32);
        });
        assert_eq!(convolution_math(), ConvolutionMath::Exact);
    }
}
