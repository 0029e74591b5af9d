//! Loops over slices, a register at a time, and sums.

use super::Vector;

/// Independent partial sums: an addition takes several cycles, and one can begin in each.
const PARTS: usize = 4;

/// The partial sums of one reduction.
pub(crate) type Sums<V> = [V; PARTS];

/// Partial sums of zero.
#[inline(always)]
pub(crate) unsafe fn zeros<V: Vector>() -> Sums<V> {
    unsafe { [V::splat(V::Scalar::default()); PARTS] }
}

/// `count` scalars, 1 to all lanes; the other lanes are 0.
#[inline(always)]
pub(crate) unsafe fn load_part<V: Vector>(from: *const V::Scalar, count: usize) -> V {
    unsafe { if count == V::LANES { V::load(from) } else { V::load_first(from, count) } }
}

/// Writes the first `count` lanes, 1 to all.
#[inline(always)]
pub(crate) unsafe fn store_part<V: Vector>(value: V, to: *mut V::Scalar, count: usize) {
    unsafe { if count == V::LANES { value.store(to) } else { value.store_first(to, count) } }
}

/// The first `count` lanes; the others are 0.
#[inline(always)]
pub(crate) unsafe fn keep_first<V: Vector>(value: V, count: usize) -> V {
    if count == V::LANES {
        return value;
    }
    let mut lanes = [V::Scalar::default(); 16];
    unsafe {
        value.store(lanes.as_mut_ptr());
        V::load_first(lanes.as_ptr(), count)
    }
}

/// Cuts `len` scalars into registers, of which the last may be a part: `visit` gets each one's place and count.
#[inline(always)]
pub(crate) unsafe fn each<V: Vector>(len: usize, mut visit: impl FnMut(usize, usize)) {
    let mut place = 0;
    while place + V::LANES <= len {
        visit(place, V::LANES);
        place += V::LANES;
    }
    if place < len {
        visit(place, len - place);
    }
}

/// As [`each`], with a partial sum that `visit` may add to: neighbouring registers get different ones.
#[inline(always)]
pub(crate) unsafe fn fold<V: Vector, S: Copy>(len: usize, sums: &mut [S; PARTS], visit: impl Fn(&mut S, usize, usize)) {
    let mut place = 0;
    while place + PARTS * V::LANES <= len {
        for (part, sum) in sums.iter_mut().enumerate() {
            visit(sum, place + part * V::LANES, V::LANES);
        }
        place += PARTS * V::LANES;
    }
    let mut part = 0;
    while place < len {
        let count = V::LANES.min(len - place);
        visit(&mut sums[part], place, count);
        (place, part) = (place + V::LANES, part + 1);
    }
}

/// The sum of all lanes of all parts.
#[inline(always)]
pub(crate) unsafe fn total<V: Vector>(sums: Sums<V>) -> V::Scalar {
    unsafe {
        let [a, b, c, d] = sums;
        let mut sum = a.add(b).add(c.add(d));
        let mut added = 1;
        while added < V::LANES {
            let [even, odd] = sum.unzip(sum);
            sum = even.add(odd);
            added *= 2;
        }
        let mut first = V::Scalar::default();
        sum.store_first(&mut first, 1);
        first
    }
}

/// The sum of scalars, added to `sums`.
///
/// # Safety
/// The processor must have the instruction set of `V`.
#[inline(always)]
pub(crate) unsafe fn add_up<V: Vector>(x: &[V::Scalar], sums: &mut Sums<V>) {
    unsafe { fold::<V, V>(x.len(), sums, |sum, place, count| *sum = sum.add(load_part(x.as_ptr().add(place), count))) }
}

/// The mean of scalars and the sum of their squared distances from it.
///
/// # Safety
/// The processor must have the instruction set of `V`.
#[inline(always)]
pub(crate) unsafe fn moments<V: Vector>(x: &[V::Scalar]) -> (V::Scalar, V::Scalar) {
    use crate::element::Element;
    unsafe {
        let mut sums = zeros::<V>();
        add_up(x, &mut sums);
        let mean = total(sums) / V::Scalar::of(x.len() as f64);
        // A second pass: the difference of the mean square and the squared mean would cancel digits.
        let (middle, mut squares) = (V::splat(mean), zeros::<V>());
        fold::<V, V>(x.len(), &mut squares, |sum, place, count| {
            let centred = load_part::<V>(x.as_ptr().add(place), count).sub(keep_first(middle, count));
            *sum = sum.add_product(centred, centred);
        });
        (mean, total(squares))
    }
}
