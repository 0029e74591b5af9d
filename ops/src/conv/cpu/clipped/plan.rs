//! Which products a convolution consists of.

use crate::conv::geometry::Sizes;
use std::ops::Range;

/// What one output position meets along one axis.
struct Meeting {
    /// Taps on the image.
    taps: Range<usize>,
    /// The pixel under the first of them.
    pixel: usize,
}

impl Meeting {
    fn of(s: &Sizes, axis: usize, position: usize) -> Self {
        let (start, padding) = (position * s.geometry.stride, s.geometry.padding[axis]);
        let end = s.kernel[axis].min((padding + s.input[axis]).saturating_sub(start));
        let first = padding.saturating_sub(start);
        if first >= end {
            return Self { taps: 0..0, pixel: 0 };
        }
        Self { taps: first..end, pixel: start + first - padding }
    }

    fn all(s: &Sizes, axis: usize) -> Vec<Self> {
        (0..s.output[axis]).map(|position| Self::of(s, axis, position)).collect()
    }
}

/// Pairs of an output position and a tap that meet the image.
pub(in super::super) fn taps_on_image(s: &Sizes) -> usize {
    let along = |axis| (0..s.output[axis]).map(|position| Meeting::of(s, axis, position).taps.len()).sum::<usize>();
    along(0) * along(1)
}

/// One product for one group of images.
pub(super) struct Step {
    /// The first output position.
    pub position: usize,
    /// Neighbouring positions that are the rows of the product; if none, its rows are images.
    pub positions: Option<usize>,
    /// Rows and columns of the kernel.
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    /// Line of the image and column of the line, its margin included, under the first tap at the first position.
    pub line: usize,
    pub column: usize,
}

/// All products for every group of images.
pub(super) struct Plan {
    /// Images in a group.
    pub images: usize,
    /// Zeros before and after every line of an image.
    pub margin: [usize; 2],
    pub steps: Vec<Step>,
    /// Rows and columns of the kernel that meet the image somewhere.
    pub kernel: [Range<usize>; 2],
}

/// Time of a product of so many rows per unit of depth: registers multiplied, or the weights' way from the cache.
fn cost(rows: usize) -> usize {
    (2 * rows).max(6)
}

/// Time of products that share out `rows` rows.
fn cost_of_all(rows: usize, tile_rows: usize) -> usize {
    let rest = rows % tile_rows;
    rows / tile_rows * cost(tile_rows) + if rest > 0 { cost(rest) } else { 0 }
}

impl Plan {
    /// For products of at most `tile_rows` rows. Rows of a product are images at one position or, where the batch is too
    /// small for that, positions of one line, for which taps beside the image meet zeros.
    pub fn of(s: &Sizes, tile_rows: usize) -> Self {
        let [lines, columns] = [Meeting::all(s, 0), Meeting::all(s, 1)];
        let kernel = [&lines, &columns].map(|all| {
            let taps = || all.iter().map(|meeting| &meeting.taps).filter(|taps| !taps.is_empty());
            taps().map(|taps| taps.start).min().unwrap_or(0)..taps().map(|taps| taps.end).max().unwrap_or(0)
        });
        let met: usize = columns.iter().map(|meeting| meeting.taps.len()).sum();
        let by_images = met * cost_of_all(s.n, tile_rows);
        let by_positions = s.n * kernel[1].len() * cost_of_all(columns.len(), tile_rows);
        let stride = s.geometry.stride;
        if by_images <= by_positions {
            let steps = lines.iter().enumerate().flat_map(|(y, line)| {
                columns.iter().enumerate().map(move |(x, column)| Step {
                    position: y * s.output[1] + x,
                    positions: None,
                    rows: line.taps.clone(),
                    columns: column.taps.clone(),
                    line: line.pixel,
                    column: column.pixel,
                })
            });
            return Self { images: tile_rows, margin: [0, 0], steps: steps.collect(), kernel };
        }
        let before = s.geometry.padding[1];
        let framed = (s.output[1] - 1) * stride + s.kernel[1];
        let margin = [before, framed.saturating_sub(before + s.input[1])];
        let steps = lines.iter().enumerate().flat_map(|(y, line)| {
            let columns = &kernel[1];
            (0..s.output[1]).step_by(tile_rows).map(move |x| Step {
                position: y * s.output[1] + x,
                positions: Some(tile_rows.min(s.output[1] - x)),
                rows: line.taps.clone(),
                columns: columns.clone(),
                line: line.pixel,
                column: x * stride + columns.start,
            })
        });
        Self { images: 1, margin, steps: steps.collect(), kernel }
    }

    /// Taps that weights are packed for.
    pub fn taps(&self) -> usize {
        self.kernel[0].len() * self.kernel[1].len()
    }

    /// Place of a tap among them.
    pub fn tap(&self, [row, column]: [usize; 2]) -> usize {
        row.saturating_sub(self.kernel[0].start) * self.kernel[1].len() + column.saturating_sub(self.kernel[1].start)
    }
}
