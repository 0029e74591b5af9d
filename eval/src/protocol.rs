//! What a number is the value of.

use serde::{Deserialize, Serialize};

/// Everything that decides the value of a metric besides the images. Two numbers are comparable only if their
/// protocols are equal; the id, its `Display`, is stored with each number. The id leaves out what metric and procedure
/// imply.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Protocol {
    /// Metric, for example `lpips-alex-v0.1`, `fd_alexnet` or `fid_768`.
    pub metric: String,
    /// Whose recipe it is, for example `stargan-v2-batch32` or `pytorch-fid`.
    pub procedure: String,
    /// How images reach the extractor's size, for example `native64` or `native64-bilinear299`.
    pub resize: String,
    /// Value range at the extractor's input: `signed-unclamped`, `u8`, ….
    pub range: String,
    /// First eight digits of the hash of the weights ([`crate::weights_hash`]).
    pub weights: String,
    /// Network and layer, for example `inception-2015, 2048-d`; implied by metric and procedure.
    pub extractor: String,
    /// What becomes of the values of pixels before the network; implied by the procedure.
    pub normalization: String,
    /// How features become a number; implied by the metric.
    pub estimator: String,
    /// How files become pixels: one way for all.
    pub decoding: String,
}

/// How files become pixels, see [`crate::decode`].
const DECODING: &str = "8-bit RGB as Pillow decodes it";

impl Protocol {
    /// A protocol with the weights of the given hash.
    pub(crate) fn new(metric: &str, procedure: &str, resize: String, range: &str, weights_hash: &str) -> Self {
        Self {
            metric: metric.into(),
            procedure: procedure.into(),
            resize,
            range: range.into(),
            weights: weights_hash.chars().take(8).collect(),
            extractor: String::new(),
            normalization: String::new(),
            estimator: String::new(),
            decoding: DECODING.into(),
        }
    }

    /// The same with what its id implies.
    pub(crate) fn described(self, extractor: String, normalization: &str, estimator: &str) -> Self {
        Self { extractor, normalization: normalization.into(), estimator: estimator.into(), ..self }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}/{}", self.metric, self.procedure, self.resize, self.range, self.weights)
    }
}

#[cfg(test)]
mod tests {
    use crate::FeatureMetric;

    #[test]
    fn ids_tell_protocols_apart() {
        let alexnet = crate::Extractor::alexnet(&candle_core::Device::Cpu).unwrap();
        let lpips = crate::Lpips::bundled(crate::Normalization::StarganV2).unwrap();
        let protocol = |metric| alexnet.protocol(metric, "native64").to_string();
        assert_eq!(protocol(FeatureMetric::Frechet), "fd_alexnet/conv5-mean/native64/u8/c21f2e29");
        assert_eq!(protocol(FeatureMetric::Recall), "recall_alexnet/conv5-mean/native64/u8/c21f2e29");
        assert_eq!(
            lpips.diversity_protocol(64, 32).to_string(),
            "lpips-alex-v0.1/stargan-v2-batch32/native64/signed-unclamped/c21f2e29"
        );
        assert_ne!(lpips.diversity_protocol(64, 8), lpips.diversity_protocol(64, 32));
    }
}
