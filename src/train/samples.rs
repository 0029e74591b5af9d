//! Sample sheets: what the networks make of the same few validation images, latent codes and references, always.
//!
//! Layouts after the official code's debug images (protocol, section 8). The latent codes depend on the seed alone,
//! so sheets of different iterations and of different variants show the same cells.

use crate::data::{self, DataError, DataSet, Split};
use crate::experiment::settings::RunSpec;
use crate::methods::{Guidance, Method, Mode};
use candle_core::{DType, Device, Tensor};
use harness_ops::random::Key;
use harness_reports::records::{Mosaic, Sheet, SheetCell, SheetRecord};
use image::RgbImage;

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
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut mosaic = Mosaic::new(columns, rows.len(), side);
        let mut cells = Vec::with_capacity(rows.len());
        for (y, row) in rows.into_iter().enumerate() {
            let mut line = Vec::with_capacity(row.len());
            for (x, (cell, tile)) in row.into_iter().enumerate() {
                if let Some(tile) = tile {
                    mosaic.place(x, y, &tile);
                }
                line.push(cell);
            }
            cells.push(line);
        }
        let record = SheetRecord { name: name.to_owned(), iteration, tile: side, cells };
        Sheet { record, image: mosaic.into_picture() }
    }
}

fn blank() -> Tile {
    (SheetCell { kind: "blank".into(), ..SheetCell::default() }, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::OpenOptions;
    use crate::experiment::settings::{DataSource, Dataset, Settings};
    use crate::methods::{Batch, Losses, Result};
    use std::collections::HashMap;

    /// Paints its output in a grey that tells the target domain and what selected it.
    struct Painter(Vec<Mode>);

    impl Method for Painter {
        fn modes(&self) -> Vec<Mode> {
            self.0.clone()
        }

        fn latent_dim(&self) -> usize {
            2
        }

        fn step(&mut self, _: u64, _: &Batch) -> Result<Losses> {
            Ok(Vec::new())
        }

        fn translate(&self, x: &Tensor, y_src: &[u32], y_trg: &[u32], guidance: Guidance) -> Result<Tensor> {
            assert_eq!((x.dim(0)?, y_src.len()), (y_trg.len(), y_trg.len()));
            let shift = match guidance {
                Guidance::Label | Guidance::Code(_) => 0.0,
                Guidance::Latent(_) => 0.1,
                Guidance::Reference(images) => {
                    assert_eq!(images.dims(), x.dims());
                    0.2
                }
            };
            let grey: Vec<f64> = y_trg.iter().map(|domain| f64::from(*domain) * 0.5 - 0.5 + shift).collect();
            let grey = Tensor::from_vec(grey, (y_trg.len(), 1, 1, 1), x.device())?.to_dtype(x.dtype())?;
            Ok(grey.broadcast_as(x.shape())?.contiguous()?)
        }

        fn reconstruct(&self, x: &Tensor, _: &Tensor, _: &[u32], _: &[u32]) -> Result<Tensor> {
            Ok(x.clone())
        }

        fn state(&self) -> Result<HashMap<String, Tensor>> {
            Ok(HashMap::new())
        }

        fn load_state(&mut self, _: &HashMap<String, Tensor>) -> Result<()> {
            Ok(())
        }

        fn parameter_counts(&self) -> Vec<(String, usize)> {
            Vec::new()
        }
    }

    fn sheets(modes: Vec<Mode>) -> Vec<Sheet> {
        let mut settings = Settings::default();
        settings.train.image_size = 16;
        settings.sample.sources_per_domain = 2;
        settings.sample.latents = 3;
        settings.sample.references_per_domain = 2;
        // Smaller than a row, so that rows are translated in several passes.
        settings.evaluation.batch_size = 4;
        let dataset =
            Dataset { source: DataSource::Shapes, train_per_domain: 1, val_per_domain: 3, ..Dataset::default() };
        let open = OpenOptions { strict: true, image_size: 16, cache_dir: None };
        let data = DataSet::open(&dataset, &open).unwrap();
        let spec = RunSpec::unrecorded(settings, dataset, 7);
        Sampler::new(&spec, &data, &Device::Cpu).unwrap().sheets(&Painter(modes), 40).unwrap()
    }

    /// The kind of every cell: the first letter, in rows.
    fn kinds(sheet: &Sheet) -> Vec<String> {
        let letter = |cell: &SheetCell| cell.kind.chars().take(3).collect::<String>();
        sheet.record.cells.iter().map(|row| row.iter().map(letter).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn layouts() {
        let all = sheets(vec![Mode::Latent, Mode::Reference]);
        let names: Vec<&str> = all.iter().map(|sheet| sheet.record.name.as_str()).collect();
        assert_eq!(names, ["latent", "reference", "cycle_consistency"]);
        let row = |kind: &str| [kind; 6].join(" ");
        assert_eq!(kinds(&all[0]), [vec![row("sou")], vec![row("tra"); 9]].concat());
        let beside = |head: &str, kind: &str| format!("{head} {}", row(kind));
        assert_eq!(kinds(&all[1]), [vec![beside("bla", "sou")], vec![beside("ref", "tra"); 6]].concat());
        assert_eq!(kinds(&all[2]), [row("sou"), row("ref"), row("tra"), row("rec")]);
        assert_eq!(all[1].image.dimensions(), (7 * 16, 7 * 16));
        for sheet in &all {
            assert_eq!((sheet.record.iteration, sheet.record.tile), (40, 16));
        }

        let labels = sheets(vec![Mode::Label]);
        assert_eq!(kinds(&labels[0]), [vec![row("sou")], vec![row("tra"); 3]].concat());
        assert_eq!(kinds(&labels[1]), [row("sou"), row("tra"), row("rec")]);
    }

    #[test]
    fn tiles_show_what_their_cells_say() {
        for sheet in sheets(vec![Mode::Latent, Mode::Reference]) {
            let shift = if sheet.record.name == "latent" { 0.1 } else { 0.2 };
            for (cell, tile) in sheet.tiles(|cell| cell.kind == "translation") {
                let value = f64::from(tile.get_pixel(8, 8).0[0]) / 127.5 - 1.0;
                let expected = cell.domain.unwrap() as f64 * 0.5 - 0.5 + shift;
                assert!((value - expected).abs() < 0.01, "{}: {cell:?} is {value}", sheet.record.name);
            }
        }
        let sheets = sheets(vec![Mode::Reference]);
        let (reference, cycle) = (&sheets[0], &sheets[1]);
        assert_eq!(reference.tile(0, 0).unwrap().get_pixel(3, 3).0, [255; 3]);
        assert_eq!(reference.tile(0, 3), cycle.tile(0, 2), "the same sources");
        assert_eq!(cycle.tile(0, 2), cycle.tile(3, 2), "reconstruction is exact here");
        assert_eq!(cycle.record.cells[1][0].domain, Some(1), "a source goes to the domain after its own");
    }
}
