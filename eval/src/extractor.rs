//! A network, the way from images to it, and the names of what is computed from its features.

use crate::{AlexNet, Inception, Preprocessing, Protocol, Result, Rgb8Images, Rgb8Tensor, Tap};
use candle_core::{Device, Tensor};

/// A quantity computed from two sets of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeatureMetric {
    /// Fréchet distance of Gaussians: FID where the features are those of FID.
    Frechet,
    /// Maximum mean discrepancy with a cubic kernel: KID where the features are those of FID.
    Kernel,
    /// Improved precision.
    Precision,
    /// Improved recall.
    Recall,
    /// Density.
    Density,
    /// Coverage.
    Coverage,
}

impl FeatureMetric {
    /// How features become the number.
    fn estimator(self) -> &'static str {
        match self {
            Self::Frechet => "Fréchet distance of Gaussians with unbiased covariances, in double precision",
            Self::Kernel => "unbiased squared maximum mean discrepancy over all pairs, kernel (x·y / d + 1)³",
            Self::Precision => "fraction of generated images within the balls of real ones to their 3rd neighbour",
            Self::Recall => "fraction of real images within the balls of generated ones to their 3rd neighbour",
            Self::Density => "balls of real images to their 5th neighbour around a generated one, over 5",
            Self::Coverage => "fraction of balls of real images to their 5th neighbour with a generated one",
        }
    }

    /// Name with the features of FID, and the stem of the name with others.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frechet => "fid",
            Self::Kernel => "kid",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Density => "density",
            Self::Coverage => "coverage",
        }
    }
}

enum Network {
    AlexNet(AlexNet),
    Inception { network: Box<Inception>, tap: Tap, preprocessing: Preprocessing },
}

/// Images in, feature vectors out.
pub struct Extractor(Network);

impl Extractor {
    /// The bundled AlexNet on `device`; see [`AlexNet::pooled_conv5`].
    ///
    /// # Errors
    /// The bundled file is damaged, or the device fails.
    pub fn alexnet(device: &Device) -> Result<Self> {
        Ok(Self(Network::AlexNet(AlexNet::bundled_on(device)?)))
    }

    /// Features of `tap`, with images brought to the network by `preprocessing`.
    pub fn inception(network: Inception, tap: Tap, preprocessing: Preprocessing) -> Self {
        Self(Network::Inception { network: Box::new(network), tap, preprocessing })
    }

    /// Whether the network is AlexNet, which needs no download.
    pub fn is_alexnet(&self) -> bool {
        matches!(self.0, Network::AlexNet(_))
    }

    /// Name of the way from images to features: `alexnet`, or that of the preprocessing.
    pub fn recipe(&self) -> &'static str {
        match &self.0 {
            Network::AlexNet(_) => "alexnet",
            Network::Inception { preprocessing, .. } => preprocessing.id(),
        }
    }

    /// What to know about the weights.
    pub fn warning(&self) -> Option<String> {
        match &self.0 {
            Network::AlexNet(_) => None,
            Network::Inception { network, .. } => network.warning(),
        }
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        match &self.0 {
            Network::AlexNet(_) => AlexNet::POOLED_DIM,
            Network::Inception { tap, .. } => tap.dimension(),
        }
    }

    /// Name of a metric of these features. Those of features that FID is not defined on say so: `fid_768` (the tap),
    /// `fd_alexnet`.
    pub fn metric(&self, metric: FeatureMetric) -> String {
        match (&self.0, metric) {
            (Network::AlexNet(_), FeatureMetric::Frechet) => "fd_alexnet".into(),
            (Network::AlexNet(_), FeatureMetric::Kernel) => "kd_alexnet".into(),
            (Network::AlexNet(_), metric) => format!("{}_alexnet", metric.name()),
            (Network::Inception { tap: Tap::Dim2048, .. }, metric) => metric.name().into(),
            (Network::Inception { tap, .. }, metric) => format!("{}_{}", metric.name(), tap.dimension()),
        }
    }

    /// What stands beside a number. `input` says what the images were before they came here, for example `native` or
    /// `native64`, where the preprocessing does not fix it.
    pub fn protocol(&self, metric: FeatureMetric, input: &str) -> Protocol {
        let (procedure, resize) = match &self.0 {
            Network::AlexNet(_) => ("conv5-mean", input.to_string()),
            Network::Inception { preprocessing: way @ Preprocessing::StarganV2 { .. }, .. } => (way.id(), way.resize()),
            Network::Inception { preprocessing: way, .. } => (way.id(), format!("{input}-{}", way.resize())),
        };
        let (network, normalization) = match &self.0 {
            Network::AlexNet(_) => ("alexnet, conv5 averaged over space".to_string(), AlexNet::NORMALIZATION),
            Network::Inception { network, tap, preprocessing } => (
                format!("{}, {}-d averaged over space", network.architecture().network(), tap.dimension()),
                preprocessing.normalization(),
            ),
        };
        Protocol::new(&self.metric(metric), procedure, resize, "u8", self.weights_hash()).described(
            network,
            normalization,
            metric.estimator(),
        )
    }

    /// Everything that decides the features of an image besides the image: for keys of caches.
    pub fn key(&self) -> String {
        let (tap, way) = match &self.0 {
            Network::AlexNet(_) => ("conv5-mean".to_string(), String::new()),
            Network::Inception { network, tap, preprocessing } => (
                format!("{} {}", network.architecture().network(), tap.dimension()),
                format!("{} {}", preprocessing.id(), preprocessing.resize()),
            ),
        };
        format!("{tap} {way} {}", self.weights_hash())
    }

    /// Hex BLAKE3 of the weights.
    pub fn weights_hash(&self) -> &str {
        match &self.0 {
            Network::AlexNet(network) => network.weights_hash(),
            Network::Inception { network, .. } => network.weights_hash(),
        }
    }

    /// Features of every image, N×dimension row-major.
    ///
    /// # Errors
    /// Images too small for AlexNet, or without pixels.
    pub fn features(&self, images: &Rgb8Images) -> Result<Vec<f32>> {
        self.features_of_each(std::slice::from_ref(images))
    }

    /// Features of images on the extractor's device, N×dimension of f32 there. Waits for nothing.
    ///
    /// # Errors
    /// As [`Extractor::features`], or there are no images, or the device fails.
    pub fn features_of_tensor(&self, images: &Rgb8Tensor) -> Result<Tensor> {
        match &self.0 {
            Network::AlexNet(network) => network.pooled_conv5_of_tensor(images),
            Network::Inception { network, tap, preprocessing } => {
                network.features_of_tensor(images, *preprocessing, *tap)
            }
        }
    }

    /// What the network takes of images on the extractor's device, N×3×299×299 of f32 for Inception: the recipe without the
    /// network, which [`Extractor::features_of_tensor`] has within.
    ///
    /// # Errors
    /// Images without pixels, or the device fails.
    pub fn input_of_tensor(&self, images: &Rgb8Tensor) -> Result<Tensor> {
        match &self.0 {
            Network::AlexNet(network) => network.input_of_tensor(images),
            Network::Inception { network, preprocessing, .. } => network.input_of_tensor(images, *preprocessing),
        }
    }

    /// Where the network runs.
    pub fn device(&self) -> &Device {
        match &self.0 {
            Network::AlexNet(network) => network.device(),
            Network::Inception { network, .. } => network.device(),
        }
    }

    /// Features of the images of several batches, each of a size of its own, in order: N×dimension row-major.
    ///
    /// # Errors
    /// As [`Extractor::features`].
    pub fn features_of_each(&self, batches: &[Rgb8Images]) -> Result<Vec<f32>> {
        match &self.0 {
            Network::AlexNet(network) => {
                let rows = batches.iter().map(|images| network.pooled_conv5(images)).collect::<Result<Vec<_>>>()?;
                Ok(rows.concat())
            }
            Network::Inception { network, tap, preprocessing } => {
                network.features_of_each(batches, *preprocessing, *tap)
            }
        }
    }
}
