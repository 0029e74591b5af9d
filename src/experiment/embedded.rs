//! The experiment files of this repository, for use without a checkout.

use super::error::ConfigErrors;
use super::load::load_with;
use super::model::Experiment;
use std::io;
use std::path::Path;

/// The embedded experiment files: name and text.
pub const EMBEDDED: [(&str, &str); 4] = [
    ("ablation.toml", include_str!("../../experiments/ablation.toml")),
    ("baselines.toml", include_str!("../../experiments/baselines.toml")),
    ("ffhq.toml", include_str!("../../experiments/ffhq.toml")),
    ("variants.toml", include_str!("../../experiments/variants.toml")),
];

/// Loads one of [`EMBEDDED`] by name, as [`super::load`] does a file.
///
/// # Errors
/// An unknown name. (That the files themselves are right is tested.)
pub fn load_embedded(name: &str) -> Result<Experiment, ConfigErrors> {
    load_with(Path::new(name), &|path| {
        let text = EMBEDDED.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| text.to_string());
        text.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no embedded file of that name"))
    })
}
