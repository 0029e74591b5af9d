//! The feature extractors behind Fréchet distances.

use super::EvaluateError;
use harness_eval::{AlexNet, Inception, Preprocessing, Protocol, Rgb8Images, Tap};
use std::path::Path;

enum Network {
    AlexNet(AlexNet),
    Inception(Box<Inception>, Tap),
}

/// An extractor and what its distance is called.
pub(super) struct Extractor {
    network: Network,
    /// Metric name, for example `fd_alexnet`.
    pub metric: String,
    /// What stands beside the distance.
    pub protocol: Protocol,
    /// Hex hash of the weights file.
    pub weights_hash: String,
    /// Length of a feature vector.
    pub dimension: usize,
}

impl Extractor {
    /// `fd_alexnet` for images of `side` pixels.
    pub fn alexnet(side: usize) -> Result<Self, EvaluateError> {
        let network = AlexNet::bundled()?;
        Ok(Self {
            metric: "fd_alexnet".into(),
            protocol: Protocol::fd_alexnet(&network, side),
            weights_hash: network.weights_hash().into(),
            dimension: AlexNet::POOLED_DIM,
            network: Network::AlexNet(network),
        })
    }

    /// The deepest features that the Inception weights in `path` support: `fid`, or `fid_768` and so on.
    pub fn inception(path: &Path, side: usize) -> Result<Self, EvaluateError> {
        let network = Inception::load(path)?;
        let tap = network.deepest_tap();
        Ok(Self {
            metric: tap.metric(),
            protocol: network.protocol(tap, Preprocessing::PytorchFid, side),
            weights_hash: network.weights_hash().into(),
            dimension: tap.dimension(),
            network: Network::Inception(Box::new(network), tap),
        })
    }

    /// Features of every image, N×dimension row-major.
    pub fn features(&self, images: &Rgb8Images) -> harness_eval::Result<Vec<f32>> {
        match &self.network {
            Network::AlexNet(network) => network.pooled_conv5(images),
            Network::Inception(network, tap) => network.features(&images.to_unit(), Preprocessing::PytorchFid, *tap),
        }
    }
}
