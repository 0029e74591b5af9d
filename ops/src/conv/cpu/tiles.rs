//! Tiles of 4×4 pixels of padded images, two pixels apart in both directions, straight from the images: Winograd's
//! algorithm and convolutions of pooled images both start from linear combinations of their rows and columns.

use super::last::Last;
use super::planes::Images;
use crate::element::Element;
use crate::simd::Vector;
use std::ops::Range;

/// One tile for every 2×2 pixels of the result: n × rows × columns.
#[derive(Clone, Copy)]
pub(super) struct Tiles<'a, T> {
    pub images: Images<'a, T>,
    /// Rows and columns of zeros before the image.
    padding: usize,
    /// Height and width of the result.
    output: [usize; 2],
    pub rows: usize,
    pub columns: usize,
}

/// Neighbouring tiles.
struct Run {
    /// Of the first tile, counted from the first one of all runs.
    lane: usize,
    image: usize,
    row: usize,
    column: usize,
    len: usize,
}

impl<'a, T: Element> Tiles<'a, T> {
    /// For a result of the images' size: one row and column of zeros on every side.
    pub fn of(images: Images<'a, T>) -> Self {
        Self::padded(images, 1)
    }

    /// With so many rows and columns of zeros, 0 to 2, on every side. Without any, images must have at least 3×3 pixels.
    pub fn padded(images: Images<'a, T>, padding: usize) -> Self {
        let output = images.size.map(|side| side + 2 * padding - 2);
        let [rows, columns] = output.map(|side| side.div_ceil(2));
        Self { images, padding, output, rows, columns }
    }

    /// Pixels of a plane of the result.
    pub fn output_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    pub fn count(&self) -> usize {
        self.images.n * self.rows * self.columns
    }

    /// The runs of some tiles, none across a multiple of `width`.
    fn runs(&self, tiles: Range<usize>, width: usize) -> Vec<Run> {
        let mut runs = Vec::with_capacity(tiles.len().div_ceil(self.columns.min(width)) + 1);
        let mut tile = tiles.start;
        while tile < tiles.end {
            let (line, column) = (tile / self.columns, tile % self.columns);
            let lane = tile - tiles.start;
            let len = (self.columns - column).min(tiles.end - tile).min(width - lane % width);
            runs.push(Run { lane, image: line / self.rows, row: line % self.rows, column, len });
            tile += len;
        }
        runs
    }
}

/// The part of a run of pixels that lies in one register: where lane 0 would be, and the lanes that are there.
type Piece<V> = (isize, <V as Vector>::Mask);

/// For two registers of pixels each, the pieces of a register of tiles.
struct Pieces<V: Vector> {
    values: Vec<Piece<V>>,
    /// Pieces of one register.
    each: usize,
}

impl<V: Vector> Pieces<V> {
    /// Pixels from `first` on, row and column, of planes of `size`, for some tiles: two of each tile's row for every
    /// pair.
    #[inline(always)]
    unsafe fn of<T: Element>(
        tiles: &Tiles<T>,
        range: Range<usize>,
        size: [usize; 2],
        channels: usize,
        firsts: impl Iterator<Item = [isize; 2]> + Clone,
    ) -> Self {
        let [height, width] = size.map(|side| side as isize);
        let half = V::LANES / 2;
        let runs = tiles.runs(range, half);
        let low = runs.partition_point(|run| run.lane < half);
        let each = low.max(runs.len() - low);
        let mut values = Vec::with_capacity(2 * each * firsts.clone().count());
        for [first_row, first_column] in firsts {
            for runs in [&runs[..low], &runs[low..]] {
                for i in 0..each {
                    // SAFETY: the caller has the registers.
                    let mut piece = (0, unsafe { V::mask(0, 0) });
                    if let Some(run) = runs.get(i) {
                        let lane = 2 * (run.lane % half) as isize;
                        let row = 2 * run.row as isize + first_row;
                        let column = 2 * run.column as isize + first_column;
                        let start = (-column).max(0);
                        let end = (width - column).min(2 * run.len as isize);
                        if (0..height).contains(&row) && start < end {
                            let image = (run.image * channels) as isize * height * width;
                            // SAFETY: as above.
                            let mask = unsafe { V::mask((lane + start) as usize, (lane + end) as usize) };
                            piece = (image + row * width + column - lane, mask);
                        }
                    }
                    values.push(piece);
                }
            }
        }
        Self { values, each }
    }

    /// The pieces of register `half` of pair `pair`; with `ONE`, there is one.
    ///
    /// # Safety
    /// The register must be there, and `ONE` only where registers have one piece.
    #[inline(always)]
    unsafe fn register<const ONE: bool>(&self, pair: usize, half: usize) -> &[Piece<V>] {
        let each = if ONE { 1 } else { self.each };
        unsafe { self.values.get_unchecked((2 * pair + half) * each..(2 * pair + half + 1) * each) }
    }
}

/// A linear map from the four rows or columns of a tile to `N`.
pub(super) trait Combination<const N: usize> {
    /// Whether results are multiplied by a factor.
    const HAS_FACTOR: bool;
    /// # Safety
    /// The processor must have the registers.
    unsafe fn of<V: Vector>(four: [V; 4]) -> [V; N];
}

/// Winograd's Bᵀ.
pub(super) struct Differences;

impl Combination<4> for Differences {
    const HAS_FACTOR: bool = false;
    #[inline(always)]
    unsafe fn of<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 4] {
        unsafe { [a.sub(c), b.add(c), c.sub(b), b.sub(d)] }
    }
}

/// Sums of neighbours.
pub(super) struct Sums;

impl Combination<3> for Sums {
    const HAS_FACTOR: bool = true;
    #[inline(always)]
    unsafe fn of<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 3] {
        unsafe { [a.add(b), b.add(c), c.add(d)] }
    }
}

/// Reads a register of tiles.
pub(super) struct Reader<'a, V: Vector, T> {
    images: Images<'a, T>,
    pieces: Pieces<V>,
}

impl<'a, T: Element, V: Vector<Scalar = T>> Reader<'a, V, T> {
    /// For at most a register of tiles.
    ///
    /// # Safety
    /// The processor must have the registers.
    #[inline(always)]
    pub unsafe fn of(tiles: &Tiles<'a, T>, range: Range<usize>) -> Self {
        let first = -(tiles.padding as isize);
        let firsts = [first, first + 2].into_iter();
        let firsts = firsts.flat_map(|column| (first..first + 4).map(move |row| [row, column]));
        // SAFETY: see above.
        let pieces = unsafe { Pieces::of(tiles, range, tiles.images.size, tiles.images.channels, firsts) };
        Self { images: tiles.images, pieces }
    }

    /// Writes the combinations of rows and columns of all tiles of some channels: number p, row by row, of the i-th
    /// channel to i·step + p·stride. Missing tiles are zeros.
    ///
    /// # Safety
    /// `to` must have N² registers for every channel.
    #[inline(always)]
    pub unsafe fn combine<C: Combination<N>, const N: usize>(
        &self,
        channels: Range<usize>,
        factor: T,
        to: *mut T,
        [step, stride]: [usize; 2],
    ) {
        let plane = self.images.size[0] * self.images.size[1];
        for (i, channel) in channels.enumerate() {
            let from = self.images.values[channel * plane..].as_ptr();
            let to = to.wrapping_add(i * step);
            // SAFETY: see above; pieces lie within the images.
            unsafe {
                if self.pieces.each == 1 {
                    self.combine_channel::<C, N, true>(from, factor, to, stride);
                } else {
                    self.combine_channel::<C, N, false>(from, factor, to, stride);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn combine_channel<C: Combination<N>, const N: usize, const ONE: bool>(
        &self,
        from: *const T,
        factor: T,
        to: *mut T,
        stride: usize,
    ) {
        unsafe {
            let [left, right] = [self.columns::<C, N, ONE>(from, 0), self.columns::<C, N, ONE>(from, 1)];
            for (row, ([a, b], [c, d])) in left.into_iter().zip(right).enumerate() {
                for (column, mut value) in C::of([a, b, c, d]).into_iter().enumerate() {
                    if C::HAS_FACTOR {
                        value = value.multiply_lanes(V::splat(factor));
                    }
                    value.store(to.wrapping_add((row * N + column) * stride));
                }
            }
        }
    }

    /// The first or the last two columns of the combined rows.
    #[inline(always)]
    unsafe fn columns<C: Combination<N>, const N: usize, const ONE: bool>(
        &self,
        from: *const T,
        pair: usize,
    ) -> [[V; 2]; N] {
        unsafe {
            // Closures would not be compiled for the instruction set.
            let first = C::of([
                self.load::<ONE>(from, 4 * pair, 0),
                self.load::<ONE>(from, 4 * pair + 1, 0),
                self.load::<ONE>(from, 4 * pair + 2, 0),
                self.load::<ONE>(from, 4 * pair + 3, 0),
            ]);
            let second = C::of([
                self.load::<ONE>(from, 4 * pair, 1),
                self.load::<ONE>(from, 4 * pair + 1, 1),
                self.load::<ONE>(from, 4 * pair + 2, 1),
                self.load::<ONE>(from, 4 * pair + 3, 1),
            ]);
            let mut columns = [[V::splat(T::default()); 2]; N];
            for ((columns, first), second) in columns.iter_mut().zip(first).zip(second) {
                *columns = first.unzip(second);
            }
            columns
        }
    }

    #[inline(always)]
    unsafe fn load<const ONE: bool>(&self, from: *const T, pair: usize, half: usize) -> V {
        unsafe {
            let pieces = self.pieces.register::<ONE>(pair, half);
            let &(offset, mask) = pieces.get_unchecked(0);
            let mut value = V::load_masked(from.wrapping_offset(offset), mask);
            if !ONE {
                for &(offset, mask) in &pieces[1..] {
                    value = value.add(V::load_masked(from.wrapping_offset(offset), mask));
                }
            }
            self.images.activation.of_lanes(value)
        }
    }
}

/// Writes the middle 2×2 pixels of a register of tiles.
pub(super) struct Writer<V: Vector> {
    pieces: Pieces<V>,
    plane: usize,
}

impl<V: Vector> Writer<V> {
    /// For at most a register of tiles and images of `channels` channels.
    ///
    /// # Safety
    /// The processor must have the registers.
    #[inline(always)]
    pub unsafe fn of<T: Element>(tiles: &Tiles<T>, range: Range<usize>, channels: usize) -> Self {
        // SAFETY: see above.
        let pieces = unsafe { Pieces::of(tiles, range, tiles.output, channels, (0..2).map(|row| [row, 0])) };
        Self { pieces, plane: tiles.output_plane() }
    }

    /// Writes the pixels of one channel, two registers in each of both rows.
    ///
    /// # Safety
    /// The images must be there, and these pixels must be written here alone.
    #[inline(always)]
    pub unsafe fn write<T: Element>(&self, pixels: [[V; 2]; 2], channel: usize, last: &Last<T>, out: *mut T)
    where
        V: Vector<Scalar = T>,
    {
        // SAFETY: see above; pieces lie within the images.
        unsafe {
            if self.pieces.each == 1 {
                self.write_pieces::<T, true>(pixels, channel, last, out);
            } else {
                self.write_pieces::<T, false>(pixels, channel, last, out);
            }
        }
    }

    #[inline(always)]
    unsafe fn write_pieces<T: Element, const ONE: bool>(
        &self,
        pixels: [[V; 2]; 2],
        channel: usize,
        last: &Last<T>,
        out: *mut T,
    ) where
        V: Vector<Scalar = T>,
    {
        let start = (channel * self.plane) as isize;
        for (row, registers) in pixels.into_iter().enumerate() {
            for (half, value) in registers.into_iter().enumerate() {
                unsafe {
                    for &(offset, lanes) in self.pieces.register::<ONE>(row, half) {
                        last.store_masked(value, channel, out, start + offset, lanes);
                    }
                }
            }
        }
    }
}
