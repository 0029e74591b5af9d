//! Which Inception weights an evaluation uses.

use crate::experiment::settings::{Evaluation, FidProtocol, Metric};
use candle_core::Device;
use harness_eval::{Architecture, Extractor, Inception, Preprocessing, Tap};
use std::path::{Path, PathBuf};

/// Whether any metric needs an Inception network.
pub(super) fn is_measured(settings: &Evaluation) -> bool {
    settings.metrics.iter().any(|metric| [Metric::Fid, Metric::Kid, Metric::Prdc].contains(metric))
}

/// The weights file for `protocol`: the one that is set, else the one in the weights folder. The error is the reason why
/// there is none, and what to do.
pub(super) fn inception_weights(settings: &Evaluation, protocol: FidProtocol) -> Result<PathBuf, String> {
    let (key, set) = match architecture(protocol) {
        Architecture::Torchvision => ("inception_v3_weights", &settings.inception_v3_weights),
        Architecture::Fid2015 => ("inception_2015_weights", &settings.inception_2015_weights),
    };
    match set {
        Some(path) if path.exists() => Ok(path.clone()),
        Some(path) => Err(format!(
            "no Inception weights: {} does not exist; put the file there or correct evaluation.{key}",
            path.display()
        )),
        None => weights_file(protocol),
    }
}

/// The weights file for `protocol` in the weights folder. The error is what to do about there being none.
pub(crate) fn weights_file(protocol: FidProtocol) -> Result<PathBuf, String> {
    let name = architecture(protocol).network();
    crate::weights::find(name)
        .ok_or_else(|| format!("no Inception weights: get them with `harness weights fetch {name}`"))
}

/// The deepest features that the weights have, for images of `side` pixels; the inner error is the reason why there are
/// none.
pub(super) fn inception_extractor(
    settings: &Evaluation,
    protocol: FidProtocol,
    side: usize,
    device: &Device,
) -> harness_eval::Result<Result<Extractor, String>> {
    match inception_weights(settings, protocol) {
        Ok(file) => extractor(&file, protocol, side, None, device).map(Ok),
        Err(reason) => Ok(Err(reason)),
    }
}

/// The network in `file` on `device`, with the preprocessing of `protocol`. `side` is the size of the images of the experiment, which
/// only protocol `stargan-v2` asks for; without a `tap`, the features are the deepest that the file has.
pub(crate) fn extractor(
    file: &Path,
    protocol: FidProtocol,
    side: usize,
    tap: Option<Tap>,
    device: &Device,
) -> harness_eval::Result<Extractor> {
    let preprocessing = match protocol {
        FidProtocol::StarganV2 => Preprocessing::StarganV2 { side },
        FidProtocol::PytorchFid => Preprocessing::PytorchFid,
        FidProtocol::CleanFid => Preprocessing::CleanFid,
    };
    let network = Inception::load_on(file, architecture(protocol), device)?;
    let tap = tap.unwrap_or_else(|| network.deepest_tap());
    Ok(Extractor::inception(network, tap, preprocessing))
}

fn architecture(protocol: FidProtocol) -> Architecture {
    match protocol {
        FidProtocol::StarganV2 => Architecture::Torchvision,
        FidProtocol::PytorchFid | FidProtocol::CleanFid => Architecture::Fid2015,
    }
}
