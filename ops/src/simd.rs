//! Vector registers of the processor at hand. A [`Job`] is generic over its [`Vector`] type and compiled once for every
//! instruction set; [`run`] picks the version when the program runs.

pub(crate) mod reduce;
mod tile;
mod transpose;

use crate::element::Element;
pub(crate) use tile::{Operand, Shape};
pub(crate) use transpose::transpose;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::Level;
#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) use x86::limited;

/// The instruction set that the operations use on this processor, for people: `AVX-512`, `AVX2 and FMA`, or `portable`.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    match x86::level() {
        Level::Avx512 => return "AVX-512",
        Level::Avx2 => return "AVX2 and FMA",
        Level::Baseline => {}
    }
    "portable"
}

/// A register of scalars.
///
/// # Safety
/// All functions need a processor with the register's instruction set, and valid pointers to [`Vector::LANES`] scalars.
pub(crate) trait Vector: Copy {
    type Scalar: Element;
    /// Scalars in a register.
    const LANES: usize;
    /// Rows of the matrix product's register tile; its columns are one or two registers.
    const ROWS: usize;
    /// A choice of lanes.
    type Mask: Copy;
    unsafe fn splat(value: Self::Scalar) -> Self;
    unsafe fn load(from: *const Self::Scalar) -> Self;
    unsafe fn store(self, to: *mut Self::Scalar);
    /// self + a·b
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    /// The lanes of both in turn: the first half and the second half.
    unsafe fn zip(self, other: Self) -> [Self; 2];
    /// The even and the odd lanes of both in a row.
    unsafe fn unzip(self, other: Self) -> [Self; 2];
    /// 1 where the sign bit is clear, `slope` elsewhere.
    unsafe fn select_by_sign(self, slope: Self) -> Self;
    unsafe fn multiply_lanes(self, other: Self) -> Self;
    /// 0 instead of negative numbers; a NaN stays.
    unsafe fn relu(self) -> Self;
    /// The first `count` scalars, of at most all lanes; the other lanes are 0.
    unsafe fn load_first(from: *const Self::Scalar, count: usize) -> Self;
    /// The lanes `start`..`end`, of at most all lanes.
    unsafe fn mask(start: usize, end: usize) -> Self::Mask;
    /// The chosen scalars in their places; the other lanes are 0 and need no memory.
    unsafe fn load_masked(from: *const Self::Scalar, mask: Self::Mask) -> Self;
    /// Writes the chosen lanes to their places; the others need no memory.
    unsafe fn store_masked(self, to: *mut Self::Scalar, mask: Self::Mask);
    /// Writes the first `count` lanes.
    unsafe fn store_first(self, to: *mut Self::Scalar, count: usize);
    /// c (rows × 1 or 2 registers, row stride `stride`) ← a·b, or += when `accumulate`. b is packed: `depth` rows as
    /// wide as c. a has `rows` ≤ [`Vector::ROWS`] rows and `depth` columns.
    ///
    /// # Safety
    /// All three must lie within their allocations.
    unsafe fn multiply(
        shape: Shape,
        a: Operand<Self::Scalar>,
        b: *const Self::Scalar,
        c: *mut Self::Scalar,
        stride: usize,
        accumulate: bool,
    );
}

/// The vector types of a scalar type.
pub(crate) trait Registers: Sized {
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Scalar = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Scalar = Self>;
    type Portable: Vector<Scalar = Self>;
}

/// Work that is compiled for every instruction set. `run` must be `#[inline(always)]`, and so must be what it calls.
pub(crate) trait Job<T> {
    /// # Safety
    /// The processor must have the instruction set of `V`.
    unsafe fn run<V: Vector<Scalar = T>>(self);
}

/// Runs a job with the widest registers there are.
pub(crate) fn run<T: Element>(job: impl Job<T>) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
        unsafe fn avx512<T: Element>(job: impl Job<T>) {
            unsafe { job.run::<T::Avx512>() }
        }
        #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
        unsafe fn avx2<T: Element>(job: impl Job<T>) {
            unsafe { job.run::<T::Avx2>() }
        }
        // SAFETY: the features were detected.
        match x86::level() {
            x86::Level::Avx512 => return unsafe { avx512(job) },
            x86::Level::Avx2 => return unsafe { avx2(job) },
            x86::Level::Baseline => {}
        }
    }
    // SAFETY: portable vectors need no particular processor.
    unsafe { job.run::<T::Portable>() }
}

/// Rows of the register tile that [`run`] will use: the width of packed panels.
pub(crate) fn tile_rows<T: Element>() -> usize {
    #[cfg(target_arch = "x86_64")]
    match x86::level() {
        x86::Level::Avx512 => return T::Avx512::ROWS,
        x86::Level::Avx2 => return T::Avx2::ROWS,
        x86::Level::Baseline => {}
    }
    T::Portable::ROWS
}

/// Lanes of the registers that [`run`] will use.
pub(crate) fn lanes<T: Element>() -> usize {
    #[cfg(target_arch = "x86_64")]
    match x86::level() {
        x86::Level::Avx512 => return T::Avx512::LANES,
        x86::Level::Avx2 => return T::Avx2::LANES,
        x86::Level::Baseline => {}
    }
    T::Portable::LANES
}

/// Registers for any processor: the compiler maps them to what the target has.
#[derive(Clone, Copy)]
pub(crate) struct Portable<T>([T; 4]);

impl<T: Element> Vector for Portable<T> {
    type Scalar = T;
    type Mask = [bool; 4];
    const LANES: usize = 4;
    const ROWS: usize = 4;
    #[inline(always)]
    unsafe fn splat(value: T) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        Self(unsafe { from.cast::<[T; 4]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        unsafe { to.cast::<[T; 4]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
    #[inline(always)]
    unsafe fn zip(self, other: Self) -> [Self; 2] {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        [Self([a, e, b, f]), Self([c, g, d, h])]
    }
    #[inline(always)]
    unsafe fn unzip(self, other: Self) -> [Self; 2] {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        [Self([a, c, e, g]), Self([b, d, f, h])]
    }
    #[inline(always)]
    unsafe fn select_by_sign(self, slope: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].select_by_sign(slope.0[i])))
    }
    #[inline(always)]
    unsafe fn multiply_lanes(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Self(self.0.map(|x| if x < T::default() { T::default() } else { x }))
    }
    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self {
        Self(std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { T::default() }))
    }
    #[inline(always)]
    unsafe fn mask(start: usize, end: usize) -> [bool; 4] {
        std::array::from_fn(|i| start <= i && i < end)
    }
    #[inline(always)]
    unsafe fn load_masked(from: *const T, mask: [bool; 4]) -> Self {
        Self(std::array::from_fn(|i| if mask[i] { unsafe { *from.wrapping_add(i) } } else { T::default() }))
    }
    #[inline(always)]
    unsafe fn store_masked(self, to: *mut T, mask: [bool; 4]) {
        for (i, value) in self.0.into_iter().enumerate() {
            if mask[i] {
                unsafe { *to.wrapping_add(i) = value };
            }
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize) {
        for (i, value) in self.0.into_iter().enumerate().take(count) {
            unsafe { *to.add(i) = value };
        }
    }
    unsafe fn multiply(shape: Shape, a: Operand<T>, b: *const T, c: *mut T, stride: usize, accumulate: bool) {
        unsafe { tile::multiply::<Self>(shape, a, b, c, stride, accumulate) }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers for f32 {
    type Portable = Portable<f32>;
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers for f64 {
    type Portable = Portable<f64>;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Operand, Portable, Registers, Shape, Vector, tile};
    use std::arch::x86_64::*;
    use std::sync::LazyLock;

    /// Instruction sets, widest first.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) enum Level {
        Avx512,
        Avx2,
        Baseline,
    }

    #[cfg(test)]
    thread_local! {
        static WIDEST: std::cell::Cell<Level> = const { std::cell::Cell::new(Level::Avx512) };
    }

    /// Runs something with at most this instruction set on this thread.
    #[cfg(test)]
    pub(crate) fn limited<R>(level: Level, run: impl FnOnce() -> R) -> R {
        let before = WIDEST.replace(level);
        let result = run();
        WIDEST.set(before);
        result
    }

    /// The widest instruction set of this processor.
    #[inline]
    pub(super) fn level() -> Level {
        static LEVEL: LazyLock<Level> = LazyLock::new(|| {
            let common = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq");
            match (common, wide) {
                (true, true) => Level::Avx512,
                (true, false) => Level::Avx2,
                _ => Level::Baseline,
            }
        });
        #[cfg(test)]
        return (*LEVEL).max(WIDEST.get());
        #[cfg(not(test))]
        *LEVEL
    }

    macro_rules! vector {
        ($name:ident, $scalar:ty, $lanes:expr, $rows:expr, $features:literal,
         $set:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $sub:ident, $mul:ident,
         zip: $zip:expr, unzip: $unzip:expr, select: $select:expr, relu: $relu:expr, load_first: $load_first:expr, store_first: $store_first:expr,
         mask: $mask:ty, $between:expr, load_masked: $load_masked:expr, store_masked: $store_masked:expr) => {
            impl Vector for $name {
                type Scalar = $scalar;
                type Mask = $mask;
                const LANES: usize = $lanes;
                const ROWS: usize = $rows;
                #[inline(always)]
                unsafe fn splat(value: $scalar) -> Self {
                    unsafe { $set(value) }
                }
                #[inline(always)]
                unsafe fn load(from: *const $scalar) -> Self {
                    unsafe { $load(from) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $scalar) {
                    unsafe { $store(to, self) }
                }
                #[inline(always)]
                unsafe fn add_product(self, a: Self, b: Self) -> Self {
                    unsafe { $fma(a, b, self) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    unsafe { $add(self, other) }
                }
                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    unsafe { $sub(self, other) }
                }
                #[inline(always)]
                unsafe fn multiply_lanes(self, other: Self) -> Self {
                    unsafe { $mul(self, other) }
                }
                #[inline(always)]
                unsafe fn zip(self, other: Self) -> [Self; 2] {
                    unsafe { $zip(self, other) }
                }
                #[inline(always)]
                unsafe fn unzip(self, other: Self) -> [Self; 2] {
                    unsafe { $unzip(self, other) }
                }
                #[inline(always)]
                unsafe fn select_by_sign(self, slope: Self) -> Self {
                    unsafe { $select(self, slope) }
                }
                #[inline(always)]
                unsafe fn relu(self) -> Self {
                    // Where one operand is a NaN, the instruction gives the second one.
                    unsafe { $relu(self) }
                }
                #[inline(always)]
                unsafe fn load_first(from: *const $scalar, count: usize) -> Self {
                    unsafe { $load_first(from, count) }
                }
                #[inline(always)]
                unsafe fn mask(start: usize, end: usize) -> $mask {
                    $between(start, end)
                }
                #[inline(always)]
                unsafe fn load_masked(from: *const $scalar, mask: $mask) -> Self {
                    unsafe { $load_masked(from, mask) }
                }
                #[inline(always)]
                unsafe fn store_masked(self, to: *mut $scalar, mask: $mask) {
                    unsafe { $store_masked(self, to, mask) }
                }
                #[inline(always)]
                unsafe fn store_first(self, to: *mut $scalar, count: usize) {
                    unsafe { $store_first(self, to, count) }
                }
                unsafe fn multiply(
                    shape: Shape,
                    a: Operand<$scalar>,
                    b: *const $scalar,
                    c: *mut $scalar,
                    stride: usize,
                    accumulate: bool,
                ) {
                    #[target_feature(enable = $features)]
                    unsafe fn body(
                        shape: Shape,
                        a: Operand<$scalar>,
                        b: *const $scalar,
                        c: *mut $scalar,
                        stride: usize,
                        accumulate: bool,
                    ) {
                        unsafe { tile::multiply::<$name>(shape, a, b, c, stride, accumulate) }
                    }
                    unsafe { body(shape, a, b, c, stride, accumulate) }
                }
            }
        };
    }

    vector!(
        __m512, f32, 16, 8, "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma",
        _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps,
        zip: |a, b| [_mm512_permutex2var_ps(a, _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), b), _mm512_permutex2var_ps(a, _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), b)],
        unzip: |a, b| [_mm512_permutex2var_ps(a, _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), b), _mm512_permutex2var_ps(a, _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), b)],
        select: |a, slope| _mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_castps_si512(a)), _mm512_set1_ps(1.0), slope),
        relu: |x| _mm512_max_ps(_mm512_setzero_ps(), x),
        load_first: |from, count| _mm512_maskz_loadu_ps(((1u32 << count) - 1) as u16, from),
        store_first: |value, to, count| _mm512_mask_storeu_ps(to, ((1u32 << count) - 1) as u16, value),
        mask: __mmask16, |start: usize, end: usize| ((1u32 << end) - (1u32 << start)) as u16,
        load_masked: |from, mask| _mm512_maskz_loadu_ps(mask, from),
        store_masked: |value, to, mask| _mm512_mask_storeu_ps(to, mask, value)
    );
    vector!(
        __m512d, f64, 8, 8, "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma",
        _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd, _mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd,
        zip: |a, b| [_mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b), _mm512_permutex2var_pd(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b)],
        unzip: |a, b| [_mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), b), _mm512_permutex2var_pd(a, _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15), b)],
        select: |a, slope| _mm512_mask_blend_pd(_mm512_movepi64_mask(_mm512_castpd_si512(a)), _mm512_set1_pd(1.0), slope),
        relu: |x| _mm512_max_pd(_mm512_setzero_pd(), x),
        load_first: |from, count| _mm512_maskz_loadu_pd(((1u32 << count) - 1) as u8, from),
        store_first: |value, to, count| _mm512_mask_storeu_pd(to, ((1u32 << count) - 1) as u8, value),
        mask: __mmask8, |start: usize, end: usize| ((1u32 << end) - (1u32 << start)) as u8,
        load_masked: |from, mask| _mm512_maskz_loadu_pd(mask, from),
        store_masked: |value, to, mask| _mm512_mask_storeu_pd(to, mask, value)
    );
    vector!(
        __m256, f32, 8, 6, "avx2,fma",
        _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps,
        zip: |a, b| {
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            [_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31)]
        },
        unzip: |a, b| {
            let (low, high) = (_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
            [_mm256_shuffle_ps(low, high, 0b10_00_10_00), _mm256_shuffle_ps(low, high, 0b11_01_11_01)]
        },
        select: |a, slope| _mm256_blendv_ps(_mm256_set1_ps(1.0), slope, a),
        relu: |x| _mm256_max_ps(_mm256_setzero_ps(), x),
        load_first: |from, count| _mm256_maskload_ps(from, first_32(count)),
        store_first: |value, to, count| _mm256_maskstore_ps(to, first_32(count), value),
        mask: __m256i, |start: usize, end: usize| unsafe { _mm256_andnot_si256(first_32(start), first_32(end)) },
        load_masked: |from, mask| _mm256_maskload_ps(from, mask),
        store_masked: |value, to, mask| _mm256_maskstore_ps(to, mask, value)
    );
    vector!(
        __m256d, f64, 4, 6, "avx2,fma",
        _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd, _mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd,
        zip: |a, b| {
            let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            [_mm256_permute2f128_pd(low, high, 0x20), _mm256_permute2f128_pd(low, high, 0x31)]
        },
        unzip: |a, b| {
            let (low, high) = (_mm256_permute2f128_pd(a, b, 0x20), _mm256_permute2f128_pd(a, b, 0x31));
            [_mm256_unpacklo_pd(low, high), _mm256_unpackhi_pd(low, high)]
        },
        select: |a, slope| _mm256_blendv_pd(_mm256_set1_pd(1.0), slope, a),
        relu: |x| _mm256_max_pd(_mm256_setzero_pd(), x),
        load_first: |from, count| _mm256_maskload_pd(from, first_64(count)),
        store_first: |value, to, count| _mm256_maskstore_pd(to, first_64(count), value),
        mask: __m256i, |start: usize, end: usize| unsafe { _mm256_andnot_si256(first_64(start), first_64(end)) },
        load_masked: |from, mask| _mm256_maskload_pd(from, mask),
        store_masked: |value, to, mask| _mm256_maskstore_pd(to, mask, value)
    );

    /// All bits of the first `count` lanes.
    #[inline(always)]
    unsafe fn first_32(count: usize) -> __m256i {
        unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
    }

    /// All bits of the first `count` lanes.
    #[inline(always)]
    unsafe fn first_64(count: usize) -> __m256i {
        unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
    }

    impl Registers for f32 {
        type Avx512 = __m512;
        type Avx2 = __m256;
        type Portable = Portable<f32>;
    }

    impl Registers for f64 {
        type Avx512 = __m512d;
        type Avx2 = __m256d;
        type Portable = Portable<f64>;
    }
}
