//! Tiles with labels around them.

use crate::ReportError;
use crate::plots::{Color, measure, text_image};
use image::imageops::FilterType;
use image::{Rgb, RgbImage};

const WHITE: Rgb<u8> = Rgb([255; 3]);
const EMPTY: Rgb<u8> = Rgb([238; 3]);
const INK: Color = Color(34, 34, 34);
const GREY: Color = Color(90, 90, 90);
/// Small tiles are enlarged by a whole factor to at least nearly this side, so that they can be seen.
const VISIBLE: u32 = 128;
const PADDING: u32 = 12;
/// White between tiles that belong together.
const HAIRLINE: u32 = 2;

/// A row of tiles.
#[derive(Debug, Clone)]
pub struct GridRow {
    /// Label at the left.
    pub label: String,
    /// Tiles; `None` leaves the place empty (white), an absent sample is a grey tile.
    pub tiles: Vec<Option<Tile>>,
    /// Whether some space sets it off from the row above.
    pub apart: bool,
}

/// What stands in a place of a grid.
#[derive(Debug, Clone)]
pub enum Tile {
    /// A picture.
    Picture(RgbImage),
    /// A sample that was not saved.
    Absent,
}

/// A head over some columns.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// First line, bold.
    pub title: String,
    /// Further text, wrapped.
    pub detail: String,
    /// Columns it stands over.
    pub span: usize,
    /// Whether it follows the head before without space.
    pub joined: bool,
}

/// Tiles in rows and columns with heads and labels.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    /// Heads; they cover all columns.
    pub heads: Vec<Head>,
    /// Rows, all as long as the heads' spans together.
    pub rows: Vec<GridRow>,
    /// Remarks below the tiles.
    pub notes: Vec<String>,
}

/// Side in pixels at which tiles of `side` pixels are shown.
pub(crate) fn shown_side(side: u32) -> u32 {
    side * (VISIBLE / side.max(1)).max(1)
}

impl Grid {
    /// Draws the grid. Tiles are enlarged to whole multiples, by nearest neighbour.
    ///
    /// # Errors
    /// [`ReportError::Drawing`].
    pub fn render(&self) -> Result<RgbImage, ReportError> {
        let sides = self.rows.iter().flat_map(|row| &row.tiles).filter_map(|tile| match tile {
            Some(Tile::Picture(picture)) => Some(shown_side(picture.width())),
            _ => None,
        });
        let side = sides.max().unwrap_or(VISIBLE);
        // A page shows wide grids reduced; their labels are larger so that they stay legible.
        let spans = self.heads.iter().map(|head| head.span).sum::<usize>();
        let font = (f64::from(side) / 8.5).max(f64::from(side) * spans as f64 / 95.0).clamp(14.0, 32.0);
        let small = font * 0.78;
        let gap = (side / 14).max(6);
        let label_width = self.label_width(font)?;
        let left = PADDING + label_width + if label_width > 0 { 10 } else { 0 };
        let columns = self.columns(left, side, gap);
        let heads = self.wrapped_heads(&columns, side, small)?;
        let line = (font * 1.35).ceil() as u32;
        let small_line = (small * 1.3).ceil() as u32;
        let has_title = self.heads.iter().any(|head| !head.title.is_empty());
        let details = heads.iter().map(|lines| lines.len() as u32).max().unwrap_or(0);
        let has_heads = has_title || details > 0;
        let head_height = if has_title { line } else { 0 } + details * small_line + if has_heads { 4 } else { 0 };
        let mut rows = Vec::new();
        let mut y = PADDING + head_height;
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                y += if row.apart { gap } else { HAIRLINE };
            }
            rows.push(y);
            y += side;
        }
        let right = columns.last().map_or(left, |x| x + side);
        let mut notes = Vec::new();
        for note in &self.notes {
            notes.extend(wrap(note, small, f64::from(right - PADDING))?);
        }
        let notes_top = y + if notes.is_empty() { 0 } else { 8 };
        let height = notes_top + notes.len() as u32 * small_line + PADDING;
        let mut canvas = RgbImage::from_pixel(right + PADDING, height, WHITE);

        let title_font = self.title_font(&columns, side, gap, font)?;
        let mut first = 0;
        for (head, lines) in self.heads.iter().zip(&heads) {
            let (start, end) = (columns[first], columns[first + head.span - 1] + side);
            let middle = f64::from(start + end) / 2.0;
            let title = crate::plots::fit(&head.title, title_font, true, title_width(start, end, gap))?;
            centred(&mut canvas, &title, (middle, PADDING), title_font, true, INK)?;
            for (index, text) in lines.iter().enumerate() {
                let y = PADDING + if has_title { line } else { 0 } + index as u32 * small_line;
                centred(&mut canvas, text, (middle, y), small, false, GREY)?;
            }
            first += head.span;
        }
        for (row, y) in self.rows.iter().zip(&rows) {
            let text = text_image(&row.label, font, false, INK)?;
            let at = (PADDING + label_width).saturating_sub(text.width());
            stamp(&mut canvas, &text, at, y + side.saturating_sub(text.height()) / 2);
            for (tile, x) in row.tiles.iter().zip(&columns) {
                match tile {
                    Some(Tile::Picture(picture)) => {
                        let shown = image::imageops::resize(picture, side, side, FilterType::Nearest);
                        image::imageops::replace(&mut canvas, &shown, i64::from(*x), i64::from(*y));
                    }
                    Some(Tile::Absent) => {
                        let inset = RgbImage::from_pixel(side - 2, side - 2, EMPTY);
                        image::imageops::replace(&mut canvas, &inset, i64::from(*x) + 1, i64::from(*y) + 1);
                    }
                    None => {}
                }
            }
        }
        for (index, note) in notes.iter().enumerate() {
            let text = text_image(note, small, false, GREY)?;
            stamp(&mut canvas, &text, PADDING, notes_top + index as u32 * small_line);
        }
        Ok(canvas)
    }

    /// The size at which all titles fit over their columns, down to a bound below which they are cut.
    fn title_font(&self, columns: &[u32], side: u32, gap: u32, font: f64) -> Result<f64, ReportError> {
        let (mut first, mut share) = (0, 1.0f64);
        for head in &self.heads {
            let (start, end) = (columns[first], columns[first + head.span - 1] + side);
            let (width, _) = measure(&head.title, font, true)?;
            share = share.min(title_width(start, end, gap) / width.max(1.0));
            first += head.span;
        }
        Ok((font * share).max(11.0).min(font))
    }

    fn label_width(&self, font: f64) -> Result<u32, ReportError> {
        let mut width = 0.0f64;
        for row in self.rows.iter().filter(|row| !row.label.is_empty()) {
            width = width.max(measure(&row.label, font, false)?.0 + 3.0);
        }
        Ok(width.ceil() as u32)
    }

    /// Left edges of the columns.
    fn columns(&self, left: u32, side: u32, gap: u32) -> Vec<u32> {
        let mut columns = Vec::new();
        let mut x = left;
        for (index, head) in self.heads.iter().enumerate() {
            for place in 0..head.span {
                if place > 0 || (index > 0 && head.joined) {
                    x += HAIRLINE;
                } else if index > 0 {
                    x += gap;
                }
                columns.push(x);
                x += side;
            }
        }
        columns
    }

    fn wrapped_heads(&self, columns: &[u32], side: u32, small: f64) -> Result<Vec<Vec<String>>, ReportError> {
        let mut first = 0;
        let mut wrapped = Vec::new();
        for head in &self.heads {
            let width = columns[first + head.span - 1] + side - columns[first];
            wrapped.push(wrap(&head.detail, small, f64::from(width))?);
            first += head.span;
        }
        Ok(wrapped)
    }
}

/// Room of a title over columns from `start` to `end`: it may lean into the gaps beside them.
fn title_width(start: u32, end: u32, gap: u32) -> f64 {
    f64::from(end - start) + f64::from(gap) * 0.8
}

/// Breaks text at spaces into lines of at most `width`; a word that is too long is cut.
fn wrap(text: &str, size: f64, width: f64) -> Result<Vec<String>, ReportError> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let joined = lines.last().map(|line| format!("{line} {word}"));
        match joined {
            Some(joined) if measure(&joined, size, false)?.0 <= width => {
                if let Some(last) = lines.last_mut() {
                    *last = joined;
                }
            }
            _ => lines.push(crate::plots::fit(word, size, false, width)?),
        }
    }
    Ok(lines)
}

fn centred(
    canvas: &mut RgbImage,
    text: &str,
    (middle, y): (f64, u32),
    size: f64,
    bold: bool,
    color: Color,
) -> Result<(), ReportError> {
    if text.is_empty() {
        return Ok(());
    }
    let picture = text_image(text, size, bold, color)?;
    let x = (middle - f64::from(picture.width()) / 2.0).round().max(0.0) as u32;
    stamp(canvas, &picture, x, y);
    Ok(())
}

/// Lays dark text on white over the canvas.
fn stamp(canvas: &mut RgbImage, text: &RgbImage, x: u32, y: u32) {
    for (dx, dy, pixel) in text.enumerate_pixels() {
        if let Some(under) = canvas.get_pixel_mut_checked(x + dx, y + dy) {
            for channel in 0..3 {
                under.0[channel] = (u16::from(under.0[channel]) * u16::from(pixel.0[channel]) / 255) as u8;
            }
        }
    }
}
