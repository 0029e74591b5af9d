//! The register tile of the matrix product.

use super::Vector;

/// Size of a tile.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// At most [`Vector::ROWS`].
    pub rows: usize,
    /// Two registers wide, or one.
    pub wide: bool,
    /// The shared dimension.
    pub depth: usize,
}

/// The left operand: element (i, k) is at i·row + k·column.
#[derive(Clone, Copy)]
pub(crate) struct Operand<T> {
    pub pointer: *const T,
    pub row: usize,
    pub column: usize,
}

/// See [`Vector::multiply`].
#[inline(always)]
pub(super) unsafe fn multiply<V: Vector>(
    shape: Shape,
    a: Operand<V::Scalar>,
    b: *const V::Scalar,
    c: *mut V::Scalar,
    stride: usize,
    accumulate: bool,
) {
    macro_rules! choose {
        ($($rows:literal)*) => {
            match (shape.rows, shape.wide) {
                $(
                    ($rows, true) if $rows <= V::ROWS =>
                        unsafe { tile::<V, $rows, 2>(shape.depth, a, b, c, stride, accumulate) },
                    ($rows, false) if $rows <= V::ROWS =>
                        unsafe { tile::<V, $rows, 1>(shape.depth, a, b, c, stride, accumulate) },
                )*
                _ => debug_assert!(shape.rows == 0, "a tile of {} rows", shape.rows),
            }
        };
    }
    choose!(8 7 6 5 4 3 2 1);
}

#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize>(
    depth: usize,
    a: Operand<V::Scalar>,
    b: *const V::Scalar,
    c: *mut V::Scalar,
    stride: usize,
    accumulate: bool,
) {
    unsafe {
        let mut sums = [[V::splat(V::Scalar::default()); N]; M];
        let (mut left, mut right) = (a.pointer, b);
        for _ in 0..depth {
            let values: [V; N] = std::array::from_fn(|j| V::load(right.add(j * V::LANES)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let factor = V::splat(*left.add(i * a.row));
                for (sum, &value) in sums.iter_mut().zip(&values) {
                    *sum = sum.add_product(factor, value);
                }
            }
            left = left.wrapping_add(a.column);
            right = right.wrapping_add(N * V::LANES);
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                let to = c.add(i * stride + j * V::LANES);
                let sum = if accumulate { V::load(to).add(sum) } else { sum };
                sum.store(to);
            }
        }
    }
}
