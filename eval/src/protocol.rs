//! What a number is the value of.

use serde::{Deserialize, Serialize};

/// Everything that decides the value of a metric besides the images. Two numbers are comparable only if their
/// protocols are equal; the id, its `Display`, is stored with each number.
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
    /// First eight digits of the BLAKE3 hash of the weights file.
    pub weights: String,
}

impl Protocol {
    /// A protocol with the weights of the given hash.
    pub fn new(metric: &str, procedure: &str, resize: String, range: &str, weights_hash: &str) -> Self {
        Self {
            metric: metric.into(),
            procedure: procedure.into(),
            resize,
            range: range.into(),
            weights: weights_hash.chars().take(8).collect(),
        }
    }

    /// `fd_alexnet` on images of `side` pixels: the Fréchet distance of AlexNet's conv5 features averaged over space
    /// ([`crate::AlexNet::pooled_conv5`]). A cheap metric of this project that needs no download; it is not FID, and its
    /// values cannot be compared with FID.
    pub fn fd_alexnet(network: &crate::AlexNet, side: usize) -> Self {
        Self::new("fd_alexnet", "conv5-mean", format!("native{side}"), "u8", network.weights_hash())
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}/{}/{}", self.metric, self.procedure, self.resize, self.range, self.weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_protocols_apart() {
        let alexnet = crate::AlexNet::bundled().unwrap();
        let lpips = crate::Lpips::bundled(crate::Normalization::StarganV2).unwrap();
        assert_eq!(Protocol::fd_alexnet(&alexnet, 64).to_string(), "fd_alexnet/conv5-mean/native64/u8/2c6ac526");
        assert_eq!(
            lpips.diversity_protocol(64, 32).to_string(),
            "lpips-alex-v0.1/stargan-v2-batch32/native64/signed-unclamped/2c6ac526"
        );
        assert_ne!(lpips.diversity_protocol(64, 8), lpips.diversity_protocol(64, 32));
    }
}
