//! The masks in operations of the device that the heat maps lie on, so that a training step does not wait for them to come
//! to the host and go back. They are those of `masks.rs` up to rounding; there is what the steps mean.

use super::masks::{MASK_SIZE, PARTS, PLANE, RANGE_EPS, THRESHOLD};
use crate::methods::Result;
use candle_core::Tensor;

/// Both masks of one image, each 1×1×256×256, given the enlarged maps of the landmarks in [`PARTS`], 1×K×256×256.
pub(super) fn add_up(maps: &Tensor) -> Result<[Tensor; 2]> {
    let (_, count, _, _) = maps.dims4()?;
    let maps = maps.reshape((count, PLANE))?;
    let maps = maps.lt(THRESHOLD)?.where_cond(&maps.zeros_like()?, &maps)?;
    let normalised = normalise(&maps)?.reshape((count, MASK_SIZE, MASK_SIZE))?;
    // What only the first mask has, and what both have.
    let zero = maps.get(0)?.zeros_like()?.reshape((MASK_SIZE, MASK_SIZE))?;
    let mut sums = [zero.clone(), zero.clone()];
    let mut first = 0;
    for part in &PARTS {
        let len = part.landmarks.1 - part.landmarks.0;
        let planes = normalised.narrow(0, first, len)?;
        first += len;
        let sum = &mut sums[usize::from(part.in_second)];
        for &(up, exponent) in part.copies {
            // To move the sum of planes is to move each.
            *sum = (&*sum + moved_up(&power(&planes, exponent)?.sum(0)?, up)?)?;
        }
    }
    let [first, second] = sums;
    let all = (first + &second)?;
    let all = all.ne(&all)?.where_cond(&zero, &all)?.clamp(0.0, 1.0)?;
    // Devices differ in what limits make of NaN; it has to stay.
    let second = second.ne(&second)?.where_cond(&second, &second.clamp(0.0, 1.0)?)?;
    let shape = (1, 1, MASK_SIZE, MASK_SIZE);
    Ok([all.reshape(shape)?, second.reshape(shape)?])
}

/// Maps K×P from their smallest to their largest value; NaN all over where they hold any.
fn normalise(maps: &Tensor) -> Result<Tensor> {
    let (min, max) = (maps.min_keepdim(1)?, maps.max_keepdim(1)?);
    let holds_nan = maps.ne(maps)?.to_dtype(maps.dtype())?.max_keepdim(1)?;
    // Devices differ in what extremes make of NaN. 0 / 1 is 0, 0 / 0 is NaN.
    let poison = (holds_nan.zeros_like()? / (1.0 - holds_nan)?)?;
    let range = ((max - &min)? + RANGE_EPS)?;
    Ok(maps.broadcast_sub(&min)?.broadcast_div(&range)?.broadcast_add(&poison)?)
}

/// `x` to the power of `exponent`, which is positive.
fn power(x: &Tensor, exponent: i32) -> Result<Tensor> {
    let mut product = x.clone();
    for _ in 1..exponent {
        product = (product * x)?;
    }
    Ok(product)
}

/// Rows of a plane moved up by `rows`, around the edge.
fn moved_up(plane: &Tensor, rows: isize) -> Result<Tensor> {
    let rows = rows.rem_euclid(MASK_SIZE as isize) as usize;
    if rows == 0 {
        return Ok(plane.clone());
    }
    Ok(Tensor::cat(&[plane.narrow(0, rows, MASK_SIZE - rows)?, plane.narrow(0, 0, rows)?], 0)?)
}
