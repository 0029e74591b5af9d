//! LPIPS of pairs of images.

use super::MeasureError;
use harness_eval::{Bootstrap, Estimate, ImageSet, Lpips, Protocol, Rgb8Images, SignedImages};
use harness_ops::resize::{Filter, Rgb8, resize};
use image::RgbImage;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

/// Pairs that go through the network together.
const AT_A_TIME: usize = 16;

/// The distances of some pairs.
#[derive(Debug, Clone)]
pub struct LpipsReport {
    /// Name and distance of every pair.
    pub pairs: Vec<(String, f64)>,
    /// Their mean, with the interval over pairs.
    pub mean: Estimate,
    /// What the numbers are values of.
    pub protocol: Protocol,
}

/// A pair by the positions of its images in their sets.
pub struct Pair {
    /// Name of both, without extension.
    pub name: String,
    first: usize,
    second: usize,
}

impl Pair {
    /// The first image of either set.
    pub fn of_first(name: String) -> Self {
        Self { name, first: 0, second: 0 }
    }
}

/// Images of two sets that have the same name, extensions aside.
///
/// # Errors
/// An image without a partner, or several with one name in one set.
pub fn pairs_by_name(
    (first_name, first): (&str, &dyn ImageSet),
    (second_name, second): (&str, &dyn ImageSet),
) -> Result<Vec<Pair>, MeasureError> {
    let names = |input: &str, images: &dyn ImageSet| {
        let mut names = BTreeMap::new();
        for index in 0..images.len() {
            let name = Path::new(&images.name(index)).with_extension("").to_string_lossy().into_owned();
            if names.insert(name.clone(), index).is_some() {
                let problem = format!("two images are called `{name}`; rename one of them");
                return Err(MeasureError::Input { input: input.to_owned(), problem });
            }
        }
        Ok(names)
    };
    let (firsts, seconds) = (names(first_name, first)?, names(second_name, second)?);
    for (input, here, other, there) in
        [(first_name, &firsts, second_name, &seconds), (second_name, &seconds, first_name, &firsts)]
    {
        let alone: Vec<&String> = here.keys().filter(|name| !there.contains_key(*name)).collect();
        if let Some(example) = alone.first() {
            let problem = format!(
                "{} of {} images have no partner of the same name in {other}, for example `{example}`",
                alone.len(),
                here.len()
            );
            return Err(MeasureError::Input { input: input.to_owned(), problem });
        }
    }
    let pair = |(name, first): (String, usize)| Pair { second: seconds[&name], name, first };
    Ok(firsts.into_iter().map(pair).collect())
}

/// Measures pairs of images (with an interval of their mean, if there is a `bootstrap`), resized to `side`×`side` with Pillow's bilinear filter, or at their own sizes.
///
/// # Errors
/// An image cannot be decoded, the images of a pair differ in size, or are too small.
pub fn lpips_of_pairs(
    lpips: &Lpips,
    first: &dyn ImageSet,
    second: &dyn ImageSet,
    pairs: &[Pair],
    side: Option<usize>,
    bootstrap: Option<&Bootstrap>,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<LpipsReport, MeasureError> {
    let mut distances = Vec::with_capacity(pairs.len());
    for (batch, some) in pairs.chunks(AT_A_TIME).enumerate() {
        if progress(batch * AT_A_TIME, pairs.len()).is_break() {
            return Err(harness_eval::Error::Stopped.into());
        }
        let load = |pair: &Pair| {
            let images = [prepared(first, pair.first, side)?, prepared(second, pair.second, side)?];
            let [a, b] = images.each_ref().map(RgbImage::dimensions);
            if a != b {
                let problem = format!(
                    "is {} x {} pixels, {} is {} x {}; give both a size with --resize",
                    a.0,
                    a.1,
                    second.name(pair.second),
                    b.0,
                    b.1
                );
                return Err(MeasureError::Input { input: first.name(pair.first), problem });
            }
            Ok(images)
        };
        let loaded = some.par_iter().map(load).collect::<Result<Vec<_>, MeasureError>>()?;
        for alike in loaded.chunk_by(|a, b| a[0].dimensions() == b[0].dimensions()) {
            let of = |k: usize| -> harness_eval::Result<SignedImages> {
                let images: Vec<RgbImage> = alike.iter().map(|pair| pair[k].clone()).collect();
                Ok(Rgb8Images::from_images(&images)?.to_signed())
            };
            let (a, b) = (lpips.features(&of(0)?)?, lpips.features(&of(1)?)?);
            distances.extend(a.iter().zip(&b).map(|(a, b)| lpips.distance(a, b)));
        }
    }
    let _ = progress(pairs.len(), pairs.len());
    let mean = match bootstrap {
        Some(bootstrap) => bootstrap.mean(&distances, None)?,
        None => Estimate { uncertainty: None, ..Bootstrap::default().mean(&distances, None)? },
    };
    let resize = side.map_or("native".into(), |side| format!("bilinear{side}"));
    Ok(LpipsReport {
        mean,
        pairs: pairs.iter().map(|pair| pair.name.clone()).zip(distances).collect(),
        protocol: lpips.protocol(resize),
    })
}

/// Image `index`, resized if asked for.
fn prepared(images: &dyn ImageSet, index: usize, side: Option<usize>) -> Result<RgbImage, MeasureError> {
    let image = images.image(index)?;
    let Some(side) = side else { return Ok(image) };
    let source = Rgb8 { width: image.width() as usize, height: image.height() as usize, pixels: image.as_raw() };
    let pixels = resize(source, side, side, Filter::Bilinear)
        .map_err(|error| MeasureError::Input { input: images.name(index), problem: error.to_string() })?;
    Ok(RgbImage::from_raw(side as u32, side as u32, pixels).expect("invariant: three bytes per pixel"))
}
