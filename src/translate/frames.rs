//! Frames of a video between guides, in the layout of the official code (`core/utils.py`, `video_ref`, `video_latent`).

use super::alphas::{CLOSING, alphas, window_top};
use super::grid::Encoded;
use super::guides::{Guide, transitions};
use super::inputs::Picture;
use super::{Model, TranslateError};
use image::{RgbImage, imageops};

/// Black columns between the references and the sources.
const MARGIN: u32 = 32;

/// Width and height of a frame. Where guides have pictures, a column with the two references of the transition is at
/// the left, wider by a margin; then each source stands over its output.
pub(super) fn frame_size(side: u32, sources: usize, with_references: bool) -> (u32, u32) {
    let left = if with_references { side + MARGIN } else { 0 };
    (left + side * sources as u32, 2 * side)
}

/// Different pictures in a video of so many transitions.
pub(super) fn pictures(transitions: usize) -> usize {
    alphas().len() * transitions
}

/// The guide at `alpha` of the way between two of one domain.
///
/// # Errors
/// There is nothing between them.
pub(super) fn between([from, to]: [&Guide; 2], alpha: f64) -> Result<Guide, TranslateError> {
    let condition = from.condition.towards(&to.condition, alpha)?.ok_or_else(|| {
        let problem = "the model takes references as they are, without codes that could be mixed; use --latents";
        TranslateError::usage("--interpolate", problem)
    })?;
    Ok(Guide { domain: from.domain, reference: None, latent: None, condition })
}

/// Gives the different frames in order, each with how often it is shown.
///
/// # Errors
/// The networks fail, there is nothing between two guides, or `each` fails.
pub(super) fn video(
    model: &Model,
    sources: &[Picture],
    guides: &[Guide],
    each: &mut dyn FnMut(RgbImage, usize) -> Result<(), TranslateError>,
) -> Result<(), TranslateError> {
    let side = model.image_size as u32;
    let with_references = guides.iter().any(|guide| guide.reference.is_some());
    let (width, height) = frame_size(side, sources.len(), with_references);
    let left = i64::from(width - side * sources.len() as u32);
    let column = |source: usize| left + i64::from(side) * source as i64;
    let encoded = Encoded::all(model, sources)?;
    let (transitions, alphas) = (transitions(guides), alphas());
    for (index, pair) in transitions.iter().enumerate() {
        for (step, &(alpha, shown)) in alphas.iter().enumerate() {
            let guide = between(*pair, alpha)?;
            let mut frame = RgbImage::new(width, height);
            if let [Some(from), Some(to)] = pair.map(|guide| guide.reference.as_ref()) {
                let top = i64::from(window_top(side, alpha));
                imageops::replace(&mut frame, &from.pixels, 0, top);
                imageops::replace(&mut frame, &to.pixels, 0, top + i64::from(side));
            }
            for (place, source) in sources.iter().enumerate() {
                imageops::replace(&mut frame, &source.pixels, column(place), 0);
            }
            for part in &encoded {
                for (place, output) in part.outputs(&guide)?.iter().enumerate() {
                    imageops::replace(&mut frame, output, column(part.first + place), i64::from(side));
                }
            }
            let is_last = index + 1 == transitions.len() && step + 1 == alphas.len();
            each(frame, if is_last { shown + CLOSING } else { shown })?;
        }
    }
    Ok(())
}
