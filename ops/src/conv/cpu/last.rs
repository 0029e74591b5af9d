//! The last step of a product on its way to memory.

use crate::element::Element;
use crate::simd::Vector;

/// A bias per row is added, and results are multiplied by the slope where the mask, laid out like the results, is
/// negative: the derivative of a leaky ReLU.
#[derive(Clone, Copy)]
pub(super) struct Last<'a, T> {
    pub bias: Option<&'a [T]>,
    pub mask: Option<(&'a [T], T)>,
}

impl<T: Element> Last<'_, T> {
    /// Writes `len` results of row `row` to the place `offset` of `out`.
    ///
    /// # Safety
    /// The values and the place must be there.
    #[inline(always)]
    pub unsafe fn store<V: Vector<Scalar = T>>(
        &self,
        values: *const T,
        row: usize,
        len: usize,
        out: *mut T,
        offset: usize,
    ) {
        unsafe {
            let bias = V::splat(self.bias.map_or(T::default(), |bias| bias[row]));
            for at in (0..len).step_by(V::LANES) {
                let count = V::LANES.min(len - at);
                let mut value = V::load_first(values.add(at), count).add(bias);
                if let Some((mask, slope)) = self.mask {
                    let sign = V::load_first(mask.as_ptr().add(offset + at), count);
                    value = value.multiply_lanes(sign.select_by_sign(V::splat(slope)));
                }
                value.store_first(out.add(at), count);
            }
        }
    }
}
