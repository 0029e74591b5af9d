//! What can be asked for, and what is said of it.

use serde::Serialize;
use std::path::PathBuf;

/// What guides the outputs.
#[derive(Debug, Clone)]
pub enum Guiding {
    /// The target domain alone.
    Labels,
    /// Latent codes.
    Latents {
        /// How many.
        count: usize,
        /// How far from the mean code of their domain they are taken: 1 as they are, 0 the mean. `None`: as they are, of
        /// models without codes too.
        psi: Option<f64>,
        /// Seed of the draws.
        seed: u64,
    },
    /// Reference images: files, and folders at all depths.
    References(Vec<PathBuf>),
}

/// What is to be translated, how, and where to.
#[derive(Debug, Clone)]
pub struct Request {
    /// Images to translate: files, and folders at all depths.
    pub sources: Vec<PathBuf>,
    /// The domain of all sources; by their folders if unset. Only for models that must know it.
    pub source_domain: Option<String>,
    /// What guides the outputs.
    pub guiding: Guiding,
    /// Target domains, by name or index. None: those that references are sorted into, or all.
    pub domains: Vec<String>,
    /// Make frames between neighbouring guides of one domain.
    pub interpolate: bool,
    /// Sources, and references, at most.
    pub max_images: usize,
    /// A picture, a film, or a folder for one file per output.
    pub output: PathBuf,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One output.
    Image,
    /// All sources, guides and outputs.
    Sheet,
    /// The frames of a film as tiles.
    Strip,
    /// A film.
    Film,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub kind: Kind,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames of a film.
    pub frames: Option<usize>,
    /// Images that were translated.
    pub sources: Vec<PathBuf>,
    /// Names of the target domains.
    pub domains: Vec<String>,
    /// References that guided.
    pub references: Vec<PathBuf>,
    /// Numbers of the latent codes that guided, from 1.
    pub latents: Vec<usize>,
}

/// What came of a request.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Files, in the order they were written.
    pub written: Vec<Written>,
    /// What the user should know.
    pub warnings: Vec<String>,
}
