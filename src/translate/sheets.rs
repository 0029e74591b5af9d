//! Layouts of still pictures.

use super::alphas::alphas;
use super::frames::{between, pictures};
use super::grid::translate_all;
use super::guides::{Guide, transitions};
use super::inputs::Picture;
use super::output::Still;
use super::{Model, TranslateError};
use harness_reports::records::Mosaic;
use image::RgbImage;

/// Where the tiles of a sheet lie. With references, as the official code's `reference.jpg`: a white tile and the sources,
/// then a row for each reference with its outputs. Otherwise a row for each source with its outputs.
pub(super) struct Layout<'a> {
    sources: &'a [Picture],
    guides: &'a [Guide],
    by_reference: bool,
}

impl<'a> Layout<'a> {
    /// The layout of all outputs of `sources` with `guides`.
    pub fn new(sources: &'a [Picture], guides: &'a [Guide]) -> Self {
        Self { sources, guides, by_reference: guides.iter().any(|guide| guide.reference.is_some()) }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        match self.by_reference {
            true => (1 + self.sources.len(), 1 + self.guides.len()),
            false => (1 + self.guides.len(), self.sources.len()),
        }
    }

    /// Why the sheet is too large for a format, if it is.
    pub fn too_large(&self, format: Still, side: usize) -> Option<String> {
        let (columns, rows) = self.size();
        format.too_large(columns, rows, side as u32)
    }

    /// The sheet without outputs.
    pub fn begin(&self, side: usize) -> Mosaic {
        let (columns, rows) = self.size();
        let mut sheet = Mosaic::new(columns, rows, side as u32);
        for (index, source) in self.sources.iter().enumerate() {
            let (column, row) = if self.by_reference { (1 + index, 0) } else { (0, index) };
            sheet.place(column, row, &source.pixels);
        }
        for (index, guide) in self.guides.iter().enumerate() {
            if let Some(reference) = &guide.reference {
                sheet.place(0, 1 + index, &reference.pixels);
            }
        }
        sheet
    }

    /// Puts an output in its place.
    pub fn place(&self, sheet: &mut Mosaic, source: usize, guide: usize, output: &RgbImage) {
        match self.by_reference {
            true => sheet.place(1 + source, 1 + guide, output),
            false => sheet.place(1 + guide, source, output),
        }
    }
}

/// The different frames between guides as a picture: for each transition and source a row of the source, the first
/// reference if there is one, the outputs on the way, and the second reference. `Err` within: why it would be too large.
pub(super) fn strip(
    model: &Model,
    format: Still,
    sources: &[Picture],
    guides: &[Guide],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Result<RgbImage, String>, TranslateError> {
    let (transitions, alphas) = (transitions(guides), alphas());
    let references = usize::from(guides.iter().any(|guide| guide.reference.is_some()));
    let first = 1 + references;
    let (columns, rows) = (first + alphas.len() + references, transitions.len() * sources.len());
    let side = model.image_size as u32;
    if let Some(problem) = format.too_large(columns, rows, side) {
        return Ok(Err(problem));
    }
    let mut picture = Mosaic::new(columns, rows, side);
    let (mut done, total) = (0, sources.len() * pictures(transitions.len()));
    for (index, pair) in transitions.iter().enumerate() {
        let row = |source: usize| index * sources.len() + source;
        for (place, source) in sources.iter().enumerate() {
            picture.place(0, row(place), &source.pixels);
            if let [Some(from), Some(to)] = pair.map(|guide| guide.reference.as_ref()) {
                picture.place(1, row(place), &from.pixels);
                picture.place(columns - 1, row(place), &to.pixels);
            }
        }
        let on_the_way = alphas.iter().map(|&(alpha, _)| between(*pair, alpha)).collect::<Result<Vec<_>, _>>()?;
        translate_all(model, sources, &on_the_way, &mut |source, step, output| {
            picture.place(first + step, row(source), &output);
            done += 1;
            progress(done, total);
            Ok(())
        })?;
    }
    Ok(Ok(picture.into_picture()))
}
