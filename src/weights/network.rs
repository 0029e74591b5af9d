//! The networks whose weights the harness uses.

use crate::methods::stargan_v2::landmarks::LandmarkNetwork;
use clap::ValueEnum;
use harness_eval::{BatchNormalization, Inception, Lpips, TensorSpec};
use harness_ops::Declaration;

/// A network that is used as its authors trained it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Network {
    /// The TensorFlow Inception of 2015-12-05 as pytorch-fid converted it: FID
    #[value(name = "inception-2015")]
    Inception2015,
    /// torchvision's inception_v3 for ImageNet: the FID of the official StarGAN v2 code
    #[value(name = "inception-v3")]
    InceptionV3,
    /// torchvision's AlexNet with the linear heads of LPIPS v0.1: LPIPS and fd_alexnet
    #[value(name = "alexnet-lpips")]
    AlexnetLpips,
    /// The face landmark network of StarGAN v2 ("FAN", wing.ckpt): masks of the high-pass skips, generator.w_hpf
    #[value(name = "face-landmarks")]
    FaceLandmarks,
}

/// The file that a network's authors publish.
#[derive(Debug, Clone, Copy)]
pub struct Official {
    /// Where.
    pub url: &'static str,
    /// Hex SHA-256 of the file.
    pub sha256: &'static str,
    /// Its size, where that is known.
    pub bytes: Option<u64>,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Inception2015, Self::InceptionV3, Self::AlexnetLpips, Self::FaceLandmarks];

    /// `inception-2015` and so on: the name of the file, and the one in its metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inception2015 => "inception-2015",
            Self::InceptionV3 => "inception-v3",
            Self::AlexnetLpips => "alexnet-lpips",
            Self::FaceLandmarks => "face-landmarks",
        }
    }

    /// The network of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.name() == name)
    }

    /// What it is for, in a few words.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Inception2015 => "FID as pytorch-fid defines it",
            Self::InceptionV3 => "FID as the official StarGAN v2 code takes it",
            Self::AlexnetLpips => "LPIPS, fd_alexnet",
            Self::FaceLandmarks => "training and translating with generator.w_hpf",
        }
    }

    /// What its publishers say about its licence. None of them attached one to the files of weights themselves.
    pub fn licence(self) -> &'static str {
        match self {
            Self::Inception2015 => {
                "none stated for the file; pytorch-fid, which publishes it, is Apache-2.0; converted from a graph of the \
                 TensorFlow authors, whose code is Apache-2.0; trained on ImageNet"
            }
            Self::InceptionV3 => {
                "none stated for the file; torchvision, which publishes it, is BSD-3-Clause; ported from TensorFlow, whose \
                 code is Apache-2.0; trained on ImageNet"
            }
            Self::AlexnetLpips => {
                "AlexNet: torchvision, which publishes it, is BSD-3-Clause; linear heads: LPIPS, BSD-2-Clause; trained on \
                 ImageNet"
            }
            Self::FaceLandmarks => {
                "none stated for the file; the official StarGAN v2 code, which publishes it, is CC BY-NC 4.0; the network is \
                 from AdaptiveWingLoss, Apache-2.0; trained on WFLW"
            }
        }
    }

    /// Whether the binary holds the weights.
    pub fn is_bundled(self) -> bool {
        self == Self::AlexnetLpips
    }

    /// The published file, for networks that are not bundled, where its hash is known: no other file is downloaded
    /// without being told which to expect.
    pub fn official(self) -> Option<Official> {
        match self {
            Self::Inception2015 => Some(Official {
                url: "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/\
                      pt_inception-2015-12-05-6726825d.pth",
                sha256: "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
                bytes: Some(95_628_359),
            }),
            Self::InceptionV3 => Some(Official {
                url: "https://download.pytorch.org/models/inception_v3_google-1a9a5a14.pth",
                sha256: "1a9a5a14f40645a370184bd54f4e8e631351e71399112b43ad0294a79da290c8",
                bytes: None,
            }),
            Self::AlexnetLpips | Self::FaceLandmarks => None,
        }
    }

    /// Where to get the published file by hand, as its hash is not known.
    pub fn by_hand(self) -> Option<&'static str> {
        (self == Self::FaceLandmarks).then_some(
            "wing.ckpt, which the official StarGAN v2 code (github.com/clovaai/stargan-v2) downloads with \
             `bash download.sh wing` from https://www.dropbox.com/s/tjxpypwpt38926e/wing.ckpt?dl=1",
        )
    }

    /// Classes of its classifier: what tells the two Inceptions apart, whose feature networks have the same tensors.
    pub(super) fn classes(self) -> Option<usize> {
        match self {
            Self::Inception2015 => Some(1008),
            Self::InceptionV3 => Some(1000),
            Self::AlexnetLpips | Self::FaceLandmarks => None,
        }
    }

    /// The tensors that it takes, in groups that belong together.
    pub(super) fn tensors(self, normalization: BatchNormalization) -> Vec<Vec<TensorSpec>> {
        match self {
            Self::Inception2015 | Self::InceptionV3 => Inception::tensors(normalization),
            Self::AlexnetLpips => Lpips::tensors(),
            Self::FaceLandmarks => {
                let spec = |declaration: &Declaration| TensorSpec {
                    key: declaration.name.clone(),
                    shape: declaration.shape.clone(),
                };
                vec![LandmarkNetwork::declarations().iter().map(spec).collect()]
            }
        }
    }
}
