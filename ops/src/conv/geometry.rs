//! Sizes of a convolution.

/// Stride and zero padding of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Stride in both directions, at least 1.
    pub stride: usize,
    /// Zero rows above and below, zero columns left and right.
    pub padding: [usize; 2],
}

impl ConvGeometry {
    /// The same padding on all sides.
    pub const fn new(stride: usize, padding: usize) -> Self {
        Self { stride, padding: [padding, padding] }
    }

    /// Output height and width; `None` when the kernel does not fit into the padded input.
    pub fn output(&self, input: [usize; 2], kernel: [usize; 2]) -> Option<[usize; 2]> {
        let side = |i: usize| {
            let padded = input[i] + 2 * self.padding[i];
            (self.stride > 0 && padded >= kernel[i]).then(|| (padded - kernel[i]) / self.stride + 1)
        };
        Some([side(0)?, side(1)?])
    }
}

/// What happens to the image beside a 3×3 convolution of stride 1 and padding 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Resample {
    /// Nothing.
    #[default]
    None,
    /// The mean of 2×2 windows, stride 2, after the convolution. Height and width are even.
    AvgPool2,
    /// Every pixel twice in both directions before the convolution.
    Upsample2,
}

/// All sizes of one convolution. `input` and `output` are those of the whole map, resampling included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub n: usize,
    pub ci: usize,
    pub co: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub geometry: ConvGeometry,
    pub resample: Resample,
}

impl Sizes {
    /// Length of a patch: input channels times kernel area.
    pub fn patch(&self) -> usize {
        self.ci * self.kernel[0] * self.kernel[1]
    }

    /// Pixels of an input plane.
    pub fn input_plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Pixels of an output plane.
    pub fn output_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }
}
