//! Transposition in registers.

use super::Vector;

/// Writes the columns of a matrix of `rows` × `columns`, both at most [`Vector::LANES`], as rows of a register each:
/// rows that are missing give zeros. With a slope, the leaky ReLU is
/// applied.
///
/// # Safety
/// Both matrices, row by row, must lie within their allocations.
#[inline(always)]
pub(crate) unsafe fn transpose<V: Vector>(
    [rows, columns]: [usize; 2],
    from: *const V::Scalar,
    from_stride: usize,
    slope: Option<V::Scalar>,
    to: *mut V::Scalar,
    to_stride: usize,
) {
    unsafe {
        let mut lines = [V::splat(V::Scalar::default()); 16];
        for (row, line) in lines.iter_mut().enumerate().take(V::LANES) {
            if row < rows {
                *line = V::load_first(from.add(row * from_stride), columns);
                if let Some(slope) = slope {
                    *line = line.multiply_lanes(line.select_by_sign(V::splat(slope)));
                }
            }
        }
        // Each round of the perfect shuffle moves one bit of the row's number into the lane's number.
        let mut round = 1;
        while round < V::LANES {
            let before = lines;
            for i in 0..V::LANES / 2 {
                let [first, second] = before[i].zip(before[i + V::LANES / 2]);
                lines[2 * i] = first;
                lines[2 * i + 1] = second;
            }
            round *= 2;
        }
        for (column, line) in lines.iter().enumerate().take(V::LANES) {
            if column < columns {
                line.store(to.add(column * to_stride));
            }
        }
    }
}
