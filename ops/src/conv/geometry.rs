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

/// What happens to the image beside a convolution that keeps its size: 3×3 with padding 1, or 1×1, at stride 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resample {
    /// Nothing.
    #[default]
    None,
    /// 2×2 average pooling after it; height and width must be even.
    AvgPool2,
    /// Nearest ×2 up-sampling before it.
    Upsample2,
}

/// A convolution with what surrounds it in a network. The kernels compute the whole in one piece, which saves passes
/// over memory, and three quarters of the multiplications where the image is resampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv2dConfig {
    /// Stride and padding.
    pub geometry: ConvGeometry,
    /// Pooling or up-sampling.
    pub resample: Resample,
    /// Slope of a leaky ReLU applied to the input first, if any.
    pub input_slope: Option<f64>,
    /// Whether the sizes of one image alone choose the algorithm. An image's result is then the same to the bit whatever
    /// batch it comes in; otherwise it may differ by rounding between small batches and large ones.
    pub batch_independent: bool,
}

impl From<ConvGeometry> for Conv2dConfig {
    fn from(geometry: ConvGeometry) -> Self {
        Self { geometry, resample: Resample::None, input_slope: None, batch_independent: false }
    }
}

impl Conv2dConfig {
    /// Output height and width; `None` when the sizes do not fit.
    pub fn output(&self, input: [usize; 2], kernel: [usize; 2]) -> Option<[usize; 2]> {
        let keeps_size = [([3, 3], ConvGeometry::new(1, 1)), ([1, 1], ConvGeometry::new(1, 0))];
        let resampled = keeps_size.contains(&(kernel, self.geometry));
        match self.resample {
            Resample::None => self.geometry.output(input, kernel),
            Resample::AvgPool2 => {
                let even = input.iter().all(|side| side % 2 == 0);
                (resampled && even).then(|| input.map(|side| side / 2))
            }
            Resample::Upsample2 => resampled.then(|| input.map(|side| side * 2)),
        }
    }
}

/// All sizes of one convolution with its resampling.
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
    /// See [`Conv2dConfig::batch_independent`].
    pub batch_independent: bool,
}

impl Sizes {
    /// Floating-point operations of the convolution, or of either of its adjoints, by its definition.
    pub fn plain_flop(&self) -> u64 {
        // The convolution works at the resolution of the larger side of a resampling.
        let pixels = self.output_plane() * if self.resample == Resample::AvgPool2 { 4 } else { 1 };
        2 * (self.n * self.co * self.patch() * pixels) as u64
    }

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
