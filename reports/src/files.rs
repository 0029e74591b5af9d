//! The files of a report.

use crate::ReportError;
use crate::grids::Grid;
use crate::page::Picture;
use crate::plots::Figure;
use crate::write::write_atomically;
use image::{ImageFormat, RgbImage};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The files written so far.
pub(crate) struct Files<'a> {
    out: &'a Path,
    written: Vec<PathBuf>,
}

impl<'a> Files<'a> {
    /// Files in the folder `out`.
    pub fn new(out: &'a Path) -> Self {
        Self { out, written: Vec::new() }
    }

    /// What was written, in order.
    pub fn written(self) -> Vec<PathBuf> {
        self.written
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), ReportError> {
        let path = self.out.join(name);
        write_atomically(&path, bytes)?;
        self.written.push(path);
        Ok(())
    }

    /// Writes text.
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), ReportError> {
        self.bytes(name, text.as_bytes())
    }

    fn png(&mut self, name: &str, image: &RgbImage) -> Result<(), ReportError> {
        let mut bytes = Cursor::new(Vec::new());
        image
            .write_to(&mut bytes, ImageFormat::Png)
            .map_err(|source| ReportError::Picture { path: self.out.join(name), source })?;
        self.bytes(name, bytes.get_ref())
    }

    /// Writes SVG and PNG.
    pub fn figure(&mut self, name: &str, figure: &Figure, caption: &str) -> Result<Picture, ReportError> {
        self.text(&format!("{name}.svg"), &figure.svg()?)?;
        self.png(&format!("{name}.png"), &figure.image()?)?;
        Ok(Picture {
            file: format!("{name}.svg"),
            also: Some(format!("{name}.png")),
            caption: caption.into(),
            width: figure.width.ceil() as u32,
            height: figure.height.ceil() as u32,
        })
    }

    /// Writes PNG.
    pub fn grid(&mut self, name: &str, grid: &Grid, caption: &str) -> Result<Picture, ReportError> {
        let image = grid.render()?;
        self.png(&format!("{name}.png"), &image)?;
        let (width, height) = image.dimensions();
        Ok(Picture { file: format!("{name}.png"), also: None, caption: caption.into(), width, height })
    }
}

/// A file name that any system takes.
pub(crate) fn slug(name: &str) -> String {
    let text: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    text.trim_matches('-').to_string()
}
