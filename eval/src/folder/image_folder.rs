//! A folder of images.

use super::batches::Batches;
use super::listing::{OtherFiles, list_files, relative_name};
use super::{FolderError, Listing};
use crate::decode::ImageFormat;
use rayon::prelude::*;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What becomes of a file that cannot be decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnUndecodable {
    /// It is an error, as reference implementations fail on it too.
    #[default]
    Fail,
    /// It is left out, and counted.
    Skip,
}

/// How a folder is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FolderOptions {
    /// Whether images in folders below count. Reference implementations do not look there.
    pub recursive: bool,
    /// What becomes of a file that cannot be decoded.
    pub on_undecodable: OnUndecodable,
}

/// The images of a folder, sorted by path. Files that are images by their extension ([`ImageFormat::EXTENSIONS`], in
/// any case) belong to it; hidden files do not.
#[derive(Debug, Clone)]
pub struct ImageFolder {
    root: PathBuf,
    files: Vec<PathBuf>,
    others: OtherFiles,
    on_undecodable: OnUndecodable,
}

impl ImageFolder {
    /// Lists the images of `root`; none is read.
    ///
    /// # Errors
    /// Not a folder, one that cannot be read, or one without images.
    pub fn open(root: &Path, options: &FolderOptions) -> Result<Self, FolderError> {
        let Listing { files, others } = list_files(root, options.recursive, &ImageFormat::has_extension)?;
        if files.is_empty() {
            let advice = match options.recursive {
                true => "put images there or name another folder",
                false => "put images there, name another folder, or read the folders below it too (recursively)",
            };
            return Err(FolderError::Empty { path: root.into(), others, advice });
        }
        Ok(Self { root: root.into(), files, others, on_undecodable: options.on_undecodable })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Images, at least one.
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Path of image `index`.
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    pub fn path(&self, index: usize) -> &Path {
        &self.files[index]
    }

    /// Path of image `index` below the folder, with slashes on every system.
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    pub fn name(&self, index: usize) -> String {
        relative_name(&self.files[index], &self.root)
    }

    /// Files that are no images by their names.
    pub fn others(&self) -> &OtherFiles {
        &self.others
    }

    pub(super) fn on_undecodable(&self) -> OnUndecodable {
        self.on_undecodable
    }

    /// Hexadecimal BLAKE3 hash of the names and contents of all images, in order. It says nothing about the decoder
    /// ([`crate::decode::DECODER_VERSION`]) and does not depend on where the folder is.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn fingerprint(&self) -> Result<String, FolderError> {
        let hashes: Vec<blake3::Hash> = self.files.par_iter().map(|path| hash_file(path)).collect::<Result<_, _>>()?;
        let mut fingerprint = blake3::Hasher::new();
        fingerprint.update(b"harness image folder v1\0");
        for (index, hash) in hashes.iter().enumerate() {
            let name = self.name(index);
            fingerprint.update(&(name.len() as u64).to_le_bytes());
            fingerprint.update(name.as_bytes());
            fingerprint.update(hash.as_bytes());
        }
        Ok(fingerprint.finalize().to_hex().to_string())
    }

    /// The images in order, in batches of `batch` (at least 1, the last may be smaller), decoded on all threads and
    /// one batch ahead: no more than two batches of images are in memory besides those handed out.
    pub fn batches(&self, batch: usize) -> Batches<'_> {
        Batches::new(self, batch)
    }
}

fn hash_file(path: &Path) -> Result<blake3::Hash, FolderError> {
    let mut hasher = blake3::Hasher::new();
    File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ())).map_err(FolderError::unreadable(path))?;
    Ok(hasher.finalize())
}
