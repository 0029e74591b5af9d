//! Sample sheets: one PNG of equal square tiles without gaps, and a JSON that says what every tile is.

use image::RgbImage;
use serde::{Deserialize, Serialize};

/// What one tile of a sheet shows. Absent fields do not apply.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SheetCell {
    /// `source`, `reference`, `translation`, `reconstruction` or `blank`.
    pub kind: String,
    /// Domain index the tile belongs to (own domain of sources and references, target domain of translations).
    pub domain: Option<usize>,
    /// Index of the source image within the sheet.
    pub source: Option<usize>,
    /// Index of the latent code or reference within the target domain.
    pub index: Option<usize>,
}

/// Layout of a sheet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SheetRecord {
    /// `latent`, `reference`, `label` or `cycle_consistency`.
    pub name: String,
    /// Iterations finished.
    pub iteration: u64,
    /// Side of a tile in pixels.
    pub tile: u32,
    /// `cells[row][column]`.
    pub cells: Vec<Vec<SheetCell>>,
}

/// A sheet with its pixels.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Layout.
    pub record: SheetRecord,
    /// Pixels, `columns * tile` by `rows * tile`.
    pub image: RgbImage,
}

impl Sheet {
    /// The tile at `row` and `column`; `None` outside the sheet.
    pub fn tile(&self, row: usize, column: usize) -> Option<RgbImage> {
        self.record.cells.get(row)?.get(column)?;
        let side = self.record.tile;
        let (x, y) = (column as u32 * side, row as u32 * side);
        if x + side > self.image.width() || y + side > self.image.height() {
            return None;
        }
        Some(image::imageops::crop_imm(&self.image, x, y, side, side).to_image())
    }

    /// Tiles whose cell satisfies `wanted`, in row-major order.
    pub fn tiles<'a>(
        &'a self,
        wanted: impl Fn(&SheetCell) -> bool + 'a,
    ) -> impl Iterator<Item = (&'a SheetCell, RgbImage)> + 'a {
        let cells = &self.record.cells;
        (0..cells.len()).flat_map(move |row| (0..cells[row].len()).map(move |column| (row, column))).filter_map(
            move |(row, column)| {
                let cell = &cells[row][column];
                if wanted(cell) { Some((cell, self.tile(row, column)?)) } else { None }
            },
        )
    }
}
