//! `shapes` as a data set.

use super::{Factors, Shape, render};
use crate::data::dataset::{Fingerprint, ImageSource, Opened, choose_domains};
use crate::data::{DataError, Split};
use crate::experiment::settings::Dataset;
use image::RgbImage;

/// Part of the fingerprint: to be raised whenever the same numbers give other pixels.
const VERSION: &str = "shapes v1";

/// Draws images when they are asked for.
pub(in crate::data) struct ShapesSource {
    seed: u64,
    size: usize,
    shapes: Vec<Shape>,
}

impl ShapesSource {
    /// Opens the set described by `spec`, drawn at `size` pixels. The fingerprint does not depend on the size.
    pub fn open(spec: &Dataset, size: usize) -> Result<Opened, DataError> {
        if size == 0 {
            let (value, problem) = (size.to_string(), "images need at least 1 pixel");
            return Err(DataError::Setting { key: "image_size", value, problem });
        }
        for (key, count) in [("train_per_domain", spec.train_per_domain), ("val_per_domain", spec.val_per_domain)] {
            if count == 0 {
                let problem = "every domain needs at least one image in each split";
                return Err(DataError::Setting { key, value: count.to_string(), problem });
            }
        }
        let available = Shape::ALL.map(|shape| shape.name().to_string());
        let domains = choose_domains(spec.domains.as_deref(), &available, "`shapes`")?;
        let shapes: Vec<Shape> = domains.iter().filter_map(|name| Shape::from_name(name)).collect();
        let mut fingerprint = Fingerprint::new(VERSION, &domains);
        for number in [spec.seed, spec.train_per_domain as u64, spec.val_per_domain as u64] {
            fingerprint.number(number);
        }
        Ok(Opened {
            counts: [vec![spec.train_per_domain; shapes.len()], vec![spec.val_per_domain; shapes.len()]],
            fingerprint: fingerprint.finish(),
            warnings: Vec::new(),
            skipped: Vec::new(),
            source: Box::new(ShapesSource { seed: spec.seed, size, shapes }),
            domains,
        })
    }

    fn draw(&self, split: Split, domain: usize, index: usize) -> Factors {
        Factors::draw(self.seed, split, self.shapes[domain], index)
    }
}

impl ImageSource for ShapesSource {
    fn name(&self, split: Split, domain: usize, index: usize) -> String {
        format!("{split}/{}/{index:05}.png", self.shapes[domain].name())
    }

    fn load(&self, split: Split, domain: usize, index: usize) -> Result<RgbImage, DataError> {
        Ok(render(&self.draw(split, domain, index), self.size))
    }

    fn factors(&self, split: Split, domain: usize, index: usize) -> Option<Factors> {
        Some(self.draw(split, domain, index))
    }
}
