//! Sample sheets: what the networks make of the same few validation images, latent codes and references, always.
//!
//! Layouts after the official code's debug images (protocol, section 8). The latent codes depend on the seed alone,
//! so sheets of different iterations and of different variants show the same cells.

use crate::data::{self, DataError, DataSet, Split};
use crate::experiment::settings::RunSpec;
use crate::methods::{Guidance, Method, Mode};
use candle_core::{DType, Device, Tensor};
use harness_ops::random::Key;
use harness_reports::records::{Sheet, SheetCell, SheetRecord};
use image::{Rgb, RgbImage, imageops};

/// Why sample sheets could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// Images could not be loaded or converted.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A network failed.
    #[error(transparent)]
    Network(#[from] harness_ops::Error),
    /// candle failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// The fixed inputs of a run's sample sheets.
#[derive(Debug)]
pub struct Sampler {
    seed: u64,
    size: usize,
    latents: usize,
    /// Images per forward pass.
    chunk: usize,
    /// Source images, N×3×S×S in [-1, 1].
    sources: Tensor,
    /// Their domains.
    source_domains: Vec<u32>,
    /// Reference images of every domain, each R×3×S×S in [-1, 1].
    references: Vec<Tensor>,
}

/// A tile: what it is, and its picture unless it is blank.
type Tile = (SheetCell, Option<RgbImage>);

/// What selects the outputs of N sources.
enum Condition {
    Label,
    Latent(Tensor),
    Reference(Tensor),
}

impl Sampler {
    /// Loads the first validation images of every domain as sources and the ones after them as references (from the
    /// beginning again where a domain has too few).
    pub fn new(spec: &RunSpec, dataset: &DataSet, device: &Device) -> Result<Self, SampleError> {
        let (settings, size) = (&spec.settings.sample, spec.settings.train.image_size);
        let load = |domain: usize, first: usize, count: usize| -> Result<Tensor, SampleError> {
            let available = dataset.len(Split::Val, domain).max(1);
            let indices: Vec<usize> = (first..first + count).map(|index| index % available).collect();
            Ok(data::load(dataset, Split::Val, domain, &indices, size)?.to_device(device)?)
        };
        let domains = dataset.domains().len();
        let (mut sources, mut source_domains, mut references) = (Vec::new(), Vec::new(), Vec::new());
        for domain in 0..domains {
            let available = dataset.len(Split::Val, domain);
            let count = settings.sources_per_domain.clamp(1, available.max(1));
            sources.push(load(domain, 0, count)?);
            source_domains.extend(std::iter::repeat_n(domain as u32, count));
            references.push(load(domain, count, settings.references_per_domain.max(1))?);
        }
        Ok(Self {
            seed: spec.seed,
            size,
            latents: settings.latents.max(1),
            chunk: spec.settings.evaluation.batch_size.max(1),
            sources: Tensor::cat(&sources, 0)?,
            source_domains,
            references,
        })
    }

    /// The sheets of every mode the method has, and the cycle.
    pub fn sheets(&self, method: &dyn Method, iteration: u64) -> Result<Vec<Sheet>, SampleError> {
        let mut sheets = Vec::new();
        for mode in method.modes() {
            let rows = match mode {
                Mode::Label => self.label(method)?,
                Mode::Latent => self.latent(method)?,
                Mode::Reference => self.reference(method)?,
            };
            sheets.push(self.compose(mode.name(), iteration, rows));
        }
        sheets.push(self.compose("cycle_consistency", iteration, self.cycle(method)?));
        Ok(sheets)
    }

    /// Sources, then one row per target domain.
    fn label(&self, method: &dyn Method) -> Result<Vec<Vec<Tile>>, SampleError> {
        let mut rows = vec![self.source_row()?];
        for domain in 0..self.references.len() {
            rows.push(self.outputs(method, domain, None, &Condition::Label)?);
        }
        Ok(rows)
    }

    /// Sources, then for each target domain one row per latent code, shared by all sources and domains.
    fn latent(&self, method: &dyn Method) -> Result<Vec<Vec<Tile>>, SampleError> {
        let mut rows = vec![self.source_row()?];
        for domain in 0..self.references.len() {
            for index in 0..self.latents {
                let codes = Condition::Latent(self.codes(method, index)?);
                rows.push(self.outputs(method, domain, Some(index), &codes)?);
            }
        }
        Ok(rows)
    }

    /// A blank tile and the sources, then one row per reference: the reference and its outputs.
    fn reference(&self, method: &dyn Method) -> Result<Vec<Vec<Tile>>, SampleError> {
        let mut first = vec![blank()];
        first.extend(self.source_row()?);
        let mut rows = vec![first];
        for (domain, references) in self.references.iter().enumerate() {
            for (index, picture) in data::tensor_to_images(references)?.into_iter().enumerate() {
                let cell = SheetCell {
                    kind: "reference".into(),
                    domain: Some(domain),
                    index: Some(index),
                    ..SheetCell::default()
                };
                let repeated = references.narrow(0, index, 1)?.repeat((self.source_domains.len(), 1, 1, 1))?;
                let mut row = vec![(cell, Some(picture))];
                row.extend(self.outputs(method, domain, Some(index), &Condition::Reference(repeated))?);
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Source, reference, translation, reconstruction, every source taken to the domain after its own. The row of
    /// references is left out where the method has none.
    fn cycle(&self, method: &dyn Method) -> Result<Vec<Vec<Tile>>, SampleError> {
        let domains = self.references.len();
        let targets: Vec<u32> = self.source_domains.iter().map(|own| (own + 1) % domains as u32).collect();
        let modes = method.modes();
        let mut rows = vec![self.source_row()?];
        let mut index = None;
        let condition = if modes.contains(&Mode::Reference) {
            let pick = |target: &u32| self.references[*target as usize].narrow(0, 0, 1);
            let picked = Tensor::cat(&targets.iter().map(pick).collect::<candle_core::Result<Vec<_>>>()?, 0)?;
            index = Some(0);
            rows.push(self.row("reference", &targets, index, &picked)?);
            Condition::Reference(picked)
        } else if modes.contains(&Mode::Latent) {
            index = Some(0);
            Condition::Latent(self.codes(method, 0)?)
        } else {
            Condition::Label
        };
        let translated = self.translate(method, &targets, &condition)?;
        rows.push(self.row("translation", &targets, index, &translated)?);
        let mut parts = Vec::new();
        for (start, count) in self.chunks() {
            let range = start..start + count;
            let (x, y) = (self.sources.narrow(0, start, count)?, translated.narrow(0, start, count)?);
            parts.push(method.reconstruct(&x, &y, &self.source_domains[range.clone()], &targets[range])?);
        }
        rows.push(self.row("reconstruction", &self.source_domains, None, &Tensor::cat(&parts, 0)?)?);
        Ok(rows)
    }

    /// Latent code `index`, repeated for every source.
    fn codes(&self, method: &dyn Method, index: usize) -> Result<Tensor, SampleError> {
        let shape = (1, method.latent_dim());
        let code =
            Key::new(self.seed, "sample/latent").normal(index as u64, shape, DType::F32, self.sources.device())?;
        Ok(code.repeat((self.source_domains.len(), 1))?)
    }

    fn source_row(&self) -> Result<Vec<Tile>, SampleError> {
        self.row("source", &self.source_domains, None, &self.sources)
    }

    fn outputs(
        &self,
        method: &dyn Method,
        domain: usize,
        index: Option<usize>,
        condition: &Condition,
    ) -> Result<Vec<Tile>, SampleError> {
        let targets = vec![domain as u32; self.source_domains.len()];
        let translated = self.translate(method, &targets, condition)?;
        self.row("translation", &targets, index, &translated)
    }

    /// One tile per source.
    fn row(
        &self,
        kind: &str,
        domains: &[u32],
        index: Option<usize>,
        images: &Tensor,
    ) -> Result<Vec<Tile>, SampleError> {
        let pictures = data::tensor_to_images(images)?;
        let tiles = pictures.into_iter().zip(domains).enumerate().map(|(source, (picture, domain))| {
            let domain = Some(*domain as usize);
            (SheetCell { kind: kind.to_owned(), domain, source: Some(source), index }, Some(picture))
        });
        Ok(tiles.collect())
    }

    fn translate(&self, method: &dyn Method, targets: &[u32], condition: &Condition) -> Result<Tensor, SampleError> {
        let mut parts = Vec::new();
        for (start, count) in self.chunks() {
            let range = start..start + count;
            let x = self.sources.narrow(0, start, count)?;
            let part = match condition {
                Condition::Label => None,
                Condition::Latent(all) | Condition::Reference(all) => Some(all.narrow(0, start, count)?),
            };
            let guidance = match (condition, &part) {
                (Condition::Latent(_), Some(codes)) => Guidance::Latent(codes),
                (Condition::Reference(_), Some(references)) => Guidance::Reference(references),
                _ => Guidance::Label,
            };
            parts.push(method.translate(&x, &self.source_domains[range.clone()], &targets[range], guidance)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// Beginnings and lengths of the forward passes over all sources.
    fn chunks(&self) -> Vec<(usize, usize)> {
        let all = self.source_domains.len();
        (0..all).step_by(self.chunk).map(|start| (start, self.chunk.min(all - start))).collect()
    }

    fn compose(&self, name: &str, iteration: u64, rows: Vec<Vec<Tile>>) -> Sheet {
        let side = self.size as u32;
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let mut picture = RgbImage::from_pixel(columns * side, rows.len() as u32 * side, Rgb([255; 3]));
        let mut cells = Vec::with_capacity(rows.len());
        for (y, row) in rows.into_iter().enumerate() {
            let mut line = Vec::with_capacity(row.len());
            for (x, (cell, tile)) in row.into_iter().enumerate() {
                if let Some(tile) = tile {
                    imageops::replace(&mut picture, &tile, x as i64 * i64::from(side), y as i64 * i64::from(side));
                }
                line.push(cell);
            }
            cells.push(line);
        }
        Sheet { record: SheetRecord { name: name.to_owned(), iteration, tile: side, cells }, image: picture }
    }
}

fn blank() -> Tile {
    (SheetCell { kind: "blank".into(), ..SheetCell::default() }, None)
}
