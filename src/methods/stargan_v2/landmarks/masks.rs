//! Heat maps of landmarks → masks of face parts (`preprocess` of the official code's `wing.py`).
//!
//! The official code gives no reasons; the last column is how its results read.
//!
//! | step | what | why |
//! |---|---|---|
//! | 1 | values below 0.1 become 0 | the network's floor around a peak is not zero |
//! | 2 | each map from its minimum to its maximum becomes 0…1 | peaks of unsure landmarks are lower |
//! | 3, 5, 6 | maps roll up or down, by part | landmarks trace outlines, masks cover what lies beside them |
//! | 3, 6 | powers, by part | a higher power narrows the spot around a peak |
//! | 4 | some maps are dropped | ends of the face outline; corners of brows and mouth |
//! | 7 | the second mask has no face outline, brows or mouth | finer skips keep only eyes and nose of the source |
//! | 8 | sums over the maps, limited to 0…1 | spots of neighbouring landmarks overlap |
//!
//! Step 8 sets NaN (of an overflowing network) to 0 in the first mask. The official code means to do the same in the
//! second one but looks for NaN in the first, already cleaned; the second keeps its NaN here too.

use super::device_masks;
use super::network::LANDMARKS;
use crate::methods::Result;
use candle_core::{DType, Device, Tensor};
use harness_ops::{Error, interpolate_bilinear};
use rayon::prelude::*;

/// Height and width of the masks.
pub const MASK_SIZE: usize = 256;

/// Pixels of a mask.
pub(super) const PLANE: usize = MASK_SIZE * MASK_SIZE;

/// Heat values below are noise.
pub(super) const THRESHOLD: f64 = 0.1;

/// Added to the range of a map when it is normalised.
pub(super) const RANGE_EPS: f64 = 1e-6;

/// Where the generator's high-pass skips act. Both N×1×256×256 in [0, 1], 1 where the source's detail is kept.
#[derive(Debug, Clone)]
pub struct FaceMasks {
    /// Face outline, brows, eyes, nose and mouth: for the skip at 32×32.
    pub all_parts: Tensor,
    /// Eyes and nose: for the skips at 64×64 and 128×128. The only one that may hold NaN.
    pub eyes_and_nose: Tensor,
}

impl FaceMasks {
    /// Those of `len` images from `start` on.
    ///
    /// # Errors
    /// There are not as many.
    pub fn rows(&self, start: usize, len: usize) -> Result<Self> {
        let rows = |mask: &Tensor| mask.narrow(0, start, len);
        Ok(Self { all_parts: rows(&self.all_parts)?, eyes_and_nose: rows(&self.eyes_and_nose)? })
    }
}

/// Landmarks first..end, whose maps are treated alike.
pub(super) struct Part {
    pub(super) landmarks: (usize, usize),
    /// Each copy of a map is moved up by so many rows, around the edge, and raised to a power; they are added.
    pub(super) copies: &'static [(isize, i32)],
    pub(super) in_second: bool,
}

const fn part(first: usize, end: usize, copies: &'static [(isize, i32)], in_second: bool) -> Part {
    Part { landmarks: (first, end), copies, in_second }
}

/// All landmarks that step 4 leaves, in order: the official code's groups less what it drops.
pub(super) const PARTS: [Part; 11] = [
    // Chin.
    part(8, 25, &[(0, 3)], false),
    // Brows without their outer corners (33 and 46).
    part(34, 46, &[(-7, 2)], false),
    part(47, 51, &[(-7, 2)], false),
    // Ridge of the nose.
    part(51, 52, &[(0, 1)], true),
    part(52, 55, &[(4, 1)], true),
    // Nostrils.
    part(55, 60, &[(8, 4)], true),
    // Outlines of the eyes, and what is under them.
    part(60, 76, &[(-8, 3), (-24, 1)], true),
    // Lips without the corners of the mouth (76 and 82): upper, lower, inner.
    part(77, 82, &[(-8, 4)], false),
    part(83, 88, &[(8, 4)], false),
    part(88, 96, &[(-2, 3)], false),
    // Pupils.
    part(96, 98, &[(0, 1)], true),
];

/// The masks of heat maps N×98×h×w, which are first enlarged to 256×256 (corners aligned). Computed in f64; the masks
/// have the element type of the heat maps.
///
/// # Errors
/// Heat maps of another rank or number of landmarks.
pub(super) fn masks(heatmaps: &Tensor) -> Result<FaceMasks> {
    let (n, channels, _, _) = heatmaps.dims4()?;
    if channels != LANDMARKS {
        return Err(Error::Operands {
            operation: "face masks",
            problem: format!("heat maps of {LANDMARKS} landmarks are needed, found {:?}", heatmaps.dims()),
        });
    }
    let kept: Vec<u32> = PARTS.iter().flat_map(|part| part.landmarks.0 as u32..part.landmarks.1 as u32).collect();
    let kept = Tensor::new(kept, heatmaps.device())?;
    let (mut first, mut second) = (Vec::with_capacity(n), Vec::with_capacity(n));
    // One image at a time: enlarged maps in f64 take 30 MB each.
    for image in 0..n {
        let maps = heatmaps.narrow(0, image, 1)?.index_select(&kept, 1)?.to_dtype(DType::F64)?;
        let maps = interpolate_bilinear(&maps, [MASK_SIZE, MASK_SIZE], true)?;
        let masks = if maps.device().is_cpu() { on_processor(&maps)? } else { device_masks::add_up(&maps)? };
        let [all_parts, eyes_and_nose] = masks;
        first.push(all_parts);
        second.push(eyes_and_nose);
    }
    let mask = |images: Vec<Tensor>| -> Result<Tensor> { Ok(Tensor::cat(&images, 0)?.to_dtype(heatmaps.dtype())?) };
    Ok(FaceMasks { all_parts: mask(first)?, eyes_and_nose: mask(second)? })
}

/// Both masks of one image, each 1×1×256×256, given the enlarged maps of the landmarks in [`PARTS`], 1×K×256×256.
pub(super) fn on_processor(maps: &Tensor) -> Result<[Tensor; 2]> {
    let [first, second] = add_up(&maps.flatten_all()?.to_vec1()?);
    let mask = |values| -> Result<Tensor> { Ok(Tensor::from_vec(values, (1, 1, MASK_SIZE, MASK_SIZE), &Device::Cpu)?) };
    Ok([mask(first)?, mask(second)?])
}

/// The two masks of one image, given the enlarged maps of the landmarks in [`PARTS`].
fn add_up(maps: &[f64]) -> [Vec<f64>; 2] {
    let ranges: Vec<Range> = maps.par_chunks(PLANE).map(Range::of).collect();
    let rows: Vec<[Vec<f64>; 2]> = (0..MASK_SIZE)
        .into_par_iter()
        .map(|row| {
            // What only the first mask has, and what both have.
            let mut sums = [vec![0.0; MASK_SIZE], vec![0.0; MASK_SIZE]];
            let mut planes = maps.chunks_exact(PLANE).zip(&ranges);
            for part in &PARTS {
                let sum = &mut sums[usize::from(part.in_second)];
                for (plane, range) in planes.by_ref().take(part.landmarks.1 - part.landmarks.0) {
                    for &(up, power) in part.copies {
                        let from = (row as isize + up).rem_euclid(MASK_SIZE as isize) as usize;
                        for (sum, &value) in sum.iter_mut().zip(&plane[from * MASK_SIZE..][..MASK_SIZE]) {
                            *sum += range.normalise(truncate(value)).powi(power);
                        }
                    }
                }
            }
            let [mut first, mut second] = sums;
            for (first, second) in first.iter_mut().zip(&mut second) {
                let all = *first + *second;
                *first = if all.is_nan() { 0.0 } else { all.clamp(0.0, 1.0) };
                // `clamp` keeps NaN.
                *second = second.clamp(0.0, 1.0);
            }
            [first, second]
        })
        .collect();
    let (first, second): (Vec<_>, Vec<_>) = rows.into_iter().map(|[first, second]| (first, second)).unzip();
    [first.concat(), second.concat()]
}

/// Step 1; NaN is not below the threshold and stays.
fn truncate(value: f64) -> f64 {
    if value < THRESHOLD { 0.0 } else { value }
}

/// Smallest and largest value of a map after step 1, NaN if it holds any.
struct Range {
    min: f64,
    max: f64,
}

impl Range {
    fn of(map: &[f64]) -> Self {
        map.iter().map(|&value| truncate(value)).fold(
            Self { min: f64::INFINITY, max: f64::NEG_INFINITY },
            |Self { min, max }, value| Self {
                min: if value < min || value.is_nan() { value } else { min },
                max: if value > max || value.is_nan() { value } else { max },
            },
        )
    }

    /// Step 2.
    fn normalise(&self, value: f64) -> f64 {
        (value - self.min) / (self.max - self.min + RANGE_EPS)
    }
}
