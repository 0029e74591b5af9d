//! Which algorithm computes what.

use super::clipped;
use super::correlate::{Correlation, Panels, Target};
use super::last::Last;
use super::parallel::Shared;
use super::patches::{Patches, Pooled, Taps};
use super::phases::{Axis, Join, transposed};
use super::planes::{Activation, Images, Planes};
use super::reduce::{Columns, Places, reduce};
use super::tiles::Tiles;
use super::weights::{Filters, pack};
use super::winograd;
use crate::conv::geometry::{ConvGeometry, Resample, Sizes};
use crate::element::Element;
use crate::kernel::written;
use crate::simd::lanes;

/// y = act(x) ∗ w (+ bias), with `s.resample` around it. x: n·ci·input, w: co·ci·kernel, y: n·co·output; act is the
/// leaky ReLU with this slope. With `relu`, one is applied to the result.
pub fn forward<T: Element>(s: &Sizes, x: &[T], w: &[T], bias: Option<&[T]>, slope: Option<f64>, relu: bool) -> Vec<T> {
    require(s, Some(x), Some(w), None);
    assert!(bias.is_none_or(|bias| bias.len() == s.co), "invariant: one bias per output channel");
    let images = source(s, x, slope);
    let last = Last { bias, mask: None, relu };
    match s.resample {
        Resample::None if clipping_pays(s) => clipped::convolve(s, images, w, bias, relu),
        Resample::None if winograd_pays(s) => {
            let filters = Filters::by_output(w, s.co, s.ci, 9);
            winograd::convolve(Tiles::padded(images, s.geometry.padding[0]), filters, false, last)
        }
        Resample::None => {
            let planes = Planes::prepare(images, s.geometry.padding, s.geometry.stride, covered(s));
            let taps = taps(s, &planes);
            convolve(s, Taps::of(&planes, &taps, s.output), w, last)
        }
        // Pooling the input with stride 1 and convolving with stride 2 gives the same: both are linear filters.
        Resample::AvgPool2 => convolve(s, Pooled { tiles: Tiles::of(images), factor: T::of(0.25) }, w, last),
        // Repeated pixels are pixels with zeros between, box-filtered; the filter commutes with the convolution.
        Resample::Upsample2 => {
            let filters = Filters::by_output(w, s.co, s.ci, 9);
            transposed(images, filters, fine_axes(s.input, true), Join::Box(T::ONE), last)
        }
    }
}

/// The derivative in act(x), times the derivative of the leaky ReLU at x when `mask` is (x, slope).
pub fn input_gradient<T: Element>(s: &Sizes, dy: &[T], w: &[T], mask: Option<(&[T], f64)>) -> Vec<T> {
    require(s, mask.map(|(x, _)| x), Some(w), Some(dy));
    let last = Last { bias: None, mask: mask.map(|(x, slope)| (x, T::of(slope))), relu: false };
    let images = Images::plain(dy, s.n, s.co, s.output);
    let filters = Filters::by_input(w, s.co, s.ci, s.kernel[0] * s.kernel[1]);
    match s.resample {
        // Zeros around the derivatives make up for those that the image was padded with less.
        Resample::None if winograd_pays(s) => {
            winograd::convolve(Tiles::padded(images, 2 - s.geometry.padding[0]), filters, true, last)
        }
        Resample::None => {
            let axes = [0, 1].map(|axis| Axis {
                step: s.geometry.stride,
                kernel: s.kernel[axis],
                shift: s.geometry.padding[axis] as isize,
                mirrored: false,
                fine: s.input[axis],
            });
            transposed(images, filters, axes, Join::Interleave, last)
        }
        Resample::AvgPool2 => transposed(images, filters, fine_axes(s.output, false), Join::Box(T::of(0.25)), last),
        Resample::Upsample2 => {
            let patches = Pooled { tiles: Tiles::of(images), factor: T::ONE };
            let packed = pack(filters, 9, &[(0..9).rev().collect()]);
            let weights = Panels::packed(&packed[0], 9 * s.co);
            let plane = s.input_plane();
            // SAFETY: the correlation writes its whole target.
            unsafe {
                written(s.n * s.ci * plane, |out| {
                    let target = Target { out: Shared::unwritten(out), plane, last };
                    Correlation { patches, weights, m: s.ci, target }.run();
                })
            }
        }
    }
}

/// The derivative in w; act(x) is the leaky ReLU with this slope.
pub fn weight_gradient<T: Element>(s: &Sizes, x: &[T], dy: &[T], slope: Option<f64>) -> Vec<T> {
    require(s, Some(x), None, Some(dy));
    let images = source(s, x, slope);
    let derivatives = Images::plain(dy, s.n, s.co, s.output);
    if winograd_pays_for_weights(s) {
        return winograd::weight_gradient(Tiles::padded(images, s.geometry.padding[0]), derivatives);
    }
    let area = s.kernel[0] * s.kernel[1];
    let forwards: Vec<usize> = (0..area).collect();
    let backwards: Vec<usize> = (0..area).rev().collect();
    let by_input = |taps| Places { channel: area, other: s.ci * area, taps };
    let by_output = |taps| Places { channel: s.ci * area, other: area, taps };
    match s.resample {
        // With stride 1, the derivatives can be what meets the taps and the image the other factor.
        Resample::None if swapping_pays::<T>(s) => {
            let margin = [0, 1].map(|axis| s.kernel[axis] - 1 - s.geometry.padding[axis]);
            let covered = [0, 1].map(|axis| s.input[axis] + s.kernel[axis] - 1);
            let planes = Planes::prepare(derivatives, margin, 1, covered);
            let taps = taps(s, &planes);
            sums(s, Taps::of(&planes, &taps, s.input), images, by_output(&backwards))
        }
        Resample::None => {
            let planes = Planes::prepare(images, s.geometry.padding, s.geometry.stride, covered(s));
            let taps = taps(s, &planes);
            sums(s, Taps::of(&planes, &taps, s.output), derivatives, by_input(&forwards))
        }
        Resample::AvgPool2 => {
            let patches = Pooled { tiles: Tiles::of(images), factor: T::of(0.25) };
            sums(s, patches, derivatives, by_input(&forwards))
        }
        Resample::Upsample2 => {
            let patches = Pooled { tiles: Tiles::of(derivatives), factor: T::ONE };
            sums(s, patches, images, by_output(&backwards))
        }
    }
}

/// The three maps of the family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Forward,
    InputGradient,
    WeightGradient,
}

/// Floating-point operations that the algorithm chosen for `pass` spends on products.
pub fn executed_flop(s: &Sizes, pass: Pass) -> u64 {
    if pass == Pass::Forward && clipping_pays(s) {
        return 2 * (s.n * s.co * s.ci * clipped::taps_on_image(s)) as u64;
    }
    let winograd = match pass {
        Pass::Forward | Pass::InputGradient => winograd_pays(s),
        Pass::WeightGradient => winograd_pays_for_weights(s),
    };
    match s.resample {
        Resample::AvgPool2 | Resample::Upsample2 => s.plain_flop() / 4,
        Resample::None if winograd => {
            let result = if pass == Pass::InputGradient { s.input } else { s.output };
            let tiles: usize = result.iter().map(|side| side.div_ceil(2)).product();
            2 * (s.n * s.co * s.ci * tiles * 16) as u64
        }
        Resample::None => s.plain_flop(),
    }
}

/// Kernels go through operands by pointers: nothing may be shorter than the sizes say.
fn require<T>(s: &Sizes, x: Option<&[T]>, w: Option<&[T]>, dy: Option<&[T]>) {
    let output = match s.resample {
        Resample::None => s.geometry.output(s.input, s.kernel).unwrap_or_default(),
        Resample::AvgPool2 => s.input.map(|side| side / 2),
        Resample::Upsample2 => s.input.map(|side| 2 * side),
    };
    let even = s.resample != Resample::AvgPool2 || s.input.iter().all(|side| side % 2 == 0);
    let standard = s.resample == Resample::None || (s.kernel == [3, 3] && s.geometry == ConvGeometry::new(1, 1));
    assert!(s.output == output && even && standard, "invariant: the sizes of a convolution go together: {s:?}");
    let has = |values: Option<&[T]>, len: usize| values.is_none_or(|values| values.len() == len);
    let complete =
        has(x, s.n * s.ci * s.input_plane()) && has(w, s.co * s.patch()) && has(dy, s.n * s.co * s.output_plane());
    assert!(complete, "invariant: operands have the sizes of the convolution: {s:?}");
}

/// Pixels from which on Winograd's algorithm saves more products than the transform of the kernels costs.
const WINOGRAD_PIXELS: usize = 96;

/// The same where one image decides: a single one gains already, and the images of a batch share the transform.
const WINOGRAD_IMAGE_PIXELS: usize = 49;

/// Channels from which on its weight gradient is worth the transforms of both images.
const WINOGRAD_CHANNELS: usize = 8;

/// Pixels of the largest maps whose positions have products of their own.
const CLIPPED_PIXELS: usize = 256;

/// Whether so few taps meet the image that leaving out the others pays for another order of image and weights. One image
/// decides, so that all batches go the same way.
pub(super) fn clipping_pays(s: &Sizes) -> bool {
    let plain = s.resample == Resample::None && s.batch_independent;
    let pixels = s.output_plane();
    if !plain || pixels > CLIPPED_PIXELS || winograd_pays(s) {
        return false;
    }
    // Channels are filled up to whole registers.
    let channels = s.ci.next_multiple_of(16);
    8 * channels * clipped::taps_on_image(s) <= 7 * s.patch() * pixels
}

/// With or without the padding that keeps an image's size; mirrored borders leave none to the convolution.
fn winograd_fits(s: &Sizes) -> bool {
    let paddings = [ConvGeometry::new(1, 0), ConvGeometry::new(1, 1)];
    s.resample == Resample::None && s.kernel == [3, 3] && paddings.contains(&s.geometry)
}

fn has_winograd_pixels(s: &Sizes) -> bool {
    if s.batch_independent {
        s.output_plane() >= WINOGRAD_IMAGE_PIXELS
    } else {
        s.n * s.output_plane() >= WINOGRAD_PIXELS
    }
}

/// Whether the convolution and its input gradient gain from it.
fn winograd_pays(s: &Sizes) -> bool {
    winograd_fits(s) && has_winograd_pixels(s)
}

/// Whether the weight gradient gains from it.
fn winograd_pays_for_weights(s: &Sizes) -> bool {
    winograd_fits(s) && s.ci.min(s.co) >= WINOGRAD_CHANNELS
}

/// Whether the weight gradient fills registers better with input than with output channels.
fn swapping_pays<T: Element>(s: &Sizes) -> bool {
    let possible = s.geometry.stride == 1 && (0..2).all(|axis| s.geometry.padding[axis] < s.kernel[axis]);
    let lanes = lanes::<T>();
    possible && s.co * s.ci.div_ceil(lanes) < s.ci * s.co.div_ceil(lanes)
}

fn source<'a, T: Element>(s: &Sizes, x: &'a [T], slope: Option<f64>) -> Images<'a, T> {
    Images { values: x, n: s.n, channels: s.ci, size: s.input, activation: Activation(slope.map(T::of)) }
}

/// Rows and columns of the padded image that the kernel meets.
fn covered(s: &Sizes) -> [usize; 2] {
    [0, 1].map(|axis| (s.output[axis] - 1) * s.geometry.stride + s.kernel[axis])
}

/// Both directions of the transposed stride-2 convolution between an image and its box-filtered double.
fn fine_axes(coarse: [usize; 2], mirrored: bool) -> [Axis; 2] {
    let shift = if mirrored { -2 } else { 0 };
    coarse.map(|coarse| Axis { step: 2, kernel: 3, shift, mirrored, fine: 2 * coarse + 1 })
}

/// Offsets of the kernel's taps.
fn taps<T: Element>(s: &Sizes, planes: &Planes<T>) -> Vec<usize> {
    let [kh, kw] = s.kernel;
    (0..kh * kw).map(|tap| planes.tap([tap / kw, tap % kw])).collect()
}

/// The convolution of what the kernel meets.
fn convolve<T: Element>(s: &Sizes, patches: impl Patches<T>, w: &[T], last: Last<T>) -> Vec<T> {
    let (plane, weights) = (s.output_plane(), Panels::row_major(w, s.patch()));
    // SAFETY: the correlation writes its whole target.
    unsafe {
        written(s.n * s.co * plane, |out| {
            let target = Target { out: Shared::unwritten(out), plane, last };
            Correlation { patches, weights, m: s.co, target }.run();
        })
    }
}

/// Weights: the sums of products of what the kernel meets with the other factor.
fn sums<T: Element>(s: &Sizes, patches: impl Patches<T>, other: Images<T>, places: Places) -> Vec<T> {
    let columns = Columns::of(other);
    // SAFETY: `reduce` writes every channel, tap and column, which are all of the weights.
    unsafe { written(s.co * s.patch(), |out| reduce(patches, &columns, places, Shared::unwritten(out))) }
}
