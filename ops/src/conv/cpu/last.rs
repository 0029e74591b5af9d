//! The last step of a product on its way to memory.

use crate::element::Element;
use crate::simd::Vector;

/// A bias per row is added, and results are multiplied by the slope where the mask, laid out like the results, is
/// negative: the derivative of a leaky ReLU. A ReLU may come last.
#[derive(Clone, Copy)]
pub(super) struct Last<'a, T> {
    pub bias: Option<&'a [T]>,
    pub mask: Option<(&'a [T], T)>,
    pub relu: bool,
}

impl<T: Element> Last<'_, T> {
    /// Writes the chosen lanes of some results of row `row` to the place `offset` of `out`.
    ///
    /// # Safety
    /// The places of these lanes must be there.
    #[inline(always)]
    pub unsafe fn store_masked<V: Vector<Scalar = T>>(
        &self,
        value: V,
        row: usize,
        out: *mut T,
        offset: isize,
        lanes: V::Mask,
    ) {
        unsafe {
            let mut value = value;
            if let Some(bias) = self.bias {
                value = value.add(V::splat(bias[row]));
            }
            if let Some((mask, slope)) = self.mask {
                let sign = V::load_masked(mask.as_ptr().wrapping_offset(offset), lanes);
                value = value.multiply_lanes(sign.select_by_sign(V::splat(slope)));
            }
            if self.relu {
                value = value.relu();
            }
            value.store_masked(out.wrapping_offset(offset), lanes);
        }
    }

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
                if self.relu {
                    value = value.relu();
                }
                value.store_first(out.add(at), count);
            }
        }
    }
}
