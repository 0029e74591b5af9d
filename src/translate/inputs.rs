//! Images in.

use super::{Model, TranslateError};
use crate::data::resized_to_square;
use harness_eval::decode::decode;
use harness_eval::{FolderOptions, ImageFolder};
use image::RgbImage;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Which inputs, for messages.
pub(super) const SOURCE: &str = "--source";
/// Which inputs, for messages.
pub(super) const REFERENCE: &str = "--reference";

/// An image file, not read yet.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The file.
    pub path: PathBuf,
    /// Its path below the folder that was named, or its name, without extension.
    pub name: String,
    /// The domain that a folder below the named one is called after.
    pub sorted_into: Option<u32>,
    /// The domain that the named folder, or the folder of a named file, is called after.
    pub from: Option<u32>,
}

impl Found {
    /// The domain its folders say it is of.
    pub fn domain(&self) -> Option<u32> {
        self.sorted_into.or(self.from)
    }
}

/// An image, as the networks see it.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// The file.
    pub path: PathBuf,
    /// See [`Found::name`].
    pub name: String,
    /// The domain it is of; 0 where that does not matter.
    pub domain: u32,
    /// Its pixels, S x S.
    pub pixels: RgbImage,
}

/// The images that `paths` name: files, and folders at all depths in the order of their paths.
///
/// # Errors
/// There is nothing at a path, or a folder has no images.
pub(super) fn find(option: &'static str, paths: &[PathBuf], model: &Model) -> Result<Vec<Found>, TranslateError> {
    let domain = |folder: &Path| {
        let name = folder.file_name()?.to_str()?;
        model.domains.iter().position(|known| known == name).map(|index| index as u32)
    };
    let mut found = Vec::new();
    for path in paths {
        let real = path.canonicalize();
        let Ok(real) = real else { return Err(TranslateError::NoInput { option, path: path.clone() }) };
        if !real.is_dir() {
            // The folder as it was named, before where a link leads.
            let from = path.parent().and_then(domain).or_else(|| real.parent().and_then(domain));
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push(Found { path: path.clone(), name, sorted_into: None, from });
            continue;
        }
        let options = FolderOptions { recursive: true, ..FolderOptions::default() };
        let folder = ImageFolder::open(path, &options).map_err(|source| TranslateError::Folder { option, source })?;
        let from = domain(path).or_else(|| domain(&real));
        for index in 0..folder.len() {
            let name = PathBuf::from(folder.name(index)).with_extension("");
            let sorted_into = name.ancestors().skip(1).find_map(domain);
            let name = name.to_string_lossy().into_owned();
            found.push(Found { path: folder.path(index).into(), name, sorted_into, from });
        }
    }
    Ok(found)
}

/// Reads and resizes images; each comes with its domain.
///
/// # Errors
/// The first file that cannot be read or is no image.
pub(super) fn load(
    option: &'static str,
    found: Vec<(Found, u32)>,
    image_size: usize,
) -> Result<Vec<Picture>, TranslateError> {
    found
        .into_par_iter()
        .map(|(Found { path, name, .. }, domain)| {
            let bytes = std::fs::read(&path);
            let bytes = bytes.map_err(|source| TranslateError::Unreadable { option, path: path.clone(), source })?;
            let decoded = decode(&bytes);
            let decoded =
                decoded.map_err(|problem| TranslateError::NotAnImage { option, path: path.clone(), problem })?;
            let pixels = resized_to_square(&decoded.image, image_size)?;
            Ok(Picture { path, name, domain, pixels })
        })
        .collect()
}
