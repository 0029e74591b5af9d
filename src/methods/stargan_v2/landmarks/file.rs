//! Where the landmark network's weights lie, and reading them.

use super::LandmarkNetwork;
use crate::experiment::settings::Generator;
use crate::weights;
use candle_core::safetensors::Load;
use candle_core::{DType, Device};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

/// Why there is no landmark network, in one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LandmarkError {
    /// No file is named, and none lies in the folder of weights.
    #[error(
        "no face landmark weights, which generator.w_hpf = {w_hpf} needs: get wing.ckpt with the official StarGAN v2 code \
         (`bash download.sh wing`) and run `harness weights import wing.ckpt`, or set generator.w_hpf = 0"
    )]
    Missing {
        /// The setting.
        w_hpf: f64,
    },
    /// The file that is named is not there.
    #[error(
        "no face landmark weights: {} does not exist; put the file there or correct generator.landmark_weights",
        path.display()
    )]
    NotThere {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read the face landmark weights {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no face landmark weights: {problem}; make it with `harness weights import wing.ckpt`", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// The weights file: the one that is set, else the one in the folder of weights. `None` without high-pass skips, which
/// need none.
///
/// # Errors
/// It is not there.
pub fn locate(settings: &Generator) -> Result<Option<PathBuf>, LandmarkError> {
    let Generator { w_hpf, landmark_weights, .. } = settings;
    match landmark_weights {
        _ if *w_hpf == 0.0 => Ok(None),
        Some(path) if path.is_file() => Ok(Some(path.clone())),
        Some(path) => Err(LandmarkError::NotThere { path: path.clone() }),
        None => match weights::find(weights::Network::FaceLandmarks.name()) {
            Some(path) => Ok(Some(path)),
            None => Err(LandmarkError::Missing { w_hpf: *w_hpf }),
        },
    }
}

/// The network with the weights in the safetensors file `path`, in `dtype` (f32 or f64) on `device`.
///
/// # Errors
/// The file cannot be read, is damaged, or lacks a tensor, or one has another shape.
pub fn load(path: &Path, dtype: DType, device: &Device) -> Result<LandmarkNetwork, LandmarkError> {
    let unusable = |problem: String| LandmarkError::Unusable { path: path.to_owned(), problem };
    let bytes = std::fs::read(path).map_err(|source| LandmarkError::Unreadable { path: path.to_owned(), source })?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| unusable(error.to_string()))?;
    let state = tensors
        .iter()
        .map(|(name, view)| Ok((name.to_owned(), view.load(&Device::Cpu)?)))
        .collect::<candle_core::Result<_>>()
        .map_err(|error| unusable(error.to_string()))?;
    LandmarkNetwork::new(&state, dtype, device).map_err(|error| unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn settings(w_hpf: f64, path: Option<&Path>) -> Generator {
        Generator { w_hpf, landmark_weights: path.map(Path::to_owned), ..Generator::default() }
    }

    #[test]
    fn a_file_that_is_set_is_taken_or_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("landmarks.safetensors");
        assert_eq!(locate(&settings(0.0, Some(&path))).unwrap(), None);
        let message = locate(&settings(1.0, Some(&path))).unwrap_err().to_string();
        assert!(message.contains("does not exist") && message.contains("generator.landmark_weights"), "{message}");
        std::fs::write(&path, "").unwrap();
        assert_eq!(locate(&settings(1.0, Some(&path))).unwrap(), Some(path));
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("landmarks.safetensors");
        let network = LandmarkNetwork::random(5, DType::F32, &Device::Cpu).unwrap();
        let mut state: HashMap<String, _> =
            network.parameters().iter().map(|(name, leaf)| (name.to_owned(), leaf.value().clone())).collect();
        candle_core::safetensors::save(&state, &path).unwrap();
        assert_eq!(load(&path, DType::F32, &Device::Cpu).unwrap().content(), network.content());

        state.remove("l0.bias");
        candle_core::safetensors::save(&state, &path).unwrap();
        let message = load(&path, DType::F32, &Device::Cpu).unwrap_err().to_string();
        assert!(message.contains("holds no face landmark weights: tensor `l0.bias` is missing;"), "{message}");
        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(load(&path, DType::F32, &Device::Cpu), Err(LandmarkError::Unusable { .. })));
        assert!(matches!(load(folder.path(), DType::F32, &Device::Cpu), Err(LandmarkError::Unreadable { .. })));
    }
}
