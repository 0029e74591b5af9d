//! What is measured: the operations of generator and discriminator at official widths for one image size.

use serde::Serialize;

/// Channels of the official networks are at most this many.
const MOST_CHANNELS: usize = 512;

/// What a convolution is computed together with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// Nothing.
    None,
    /// Nearest-neighbour ×2 before it.
    Upsample,
    /// 2×2 average pooling behind it.
    Pool,
}

/// One operation with its sizes; `side` is that of its input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Case {
    /// Convolution with bias that keeps height and width, but for a 4×4 kernel, which is not padded.
    Conv {
        /// Channels.
        input: usize,
        /// Channels.
        output: usize,
        /// Height and width of the kernel.
        kernel: usize,
        /// Height and width of the input.
        side: usize,
        /// What goes with it.
        resampling: Resampling,
        /// Whether its input first goes through a leaky ReLU of slope 0.2.
        leaky_relu: bool,
    },
    /// Adaptive instance normalisation and leaky ReLU.
    AdainLeakyRelu {
        /// Channels.
        channels: usize,
        /// Height and width.
        side: usize,
    },
    /// Instance normalisation with scale and shift, and leaky ReLU.
    InstanceNormLeakyRelu {
        /// Channels.
        channels: usize,
        /// Height and width.
        side: usize,
    },
    /// Leaky ReLU of slope 0.2.
    LeakyRelu {
        /// Channels.
        channels: usize,
        /// Height and width.
        side: usize,
    },
    /// (a + b) / √2.
    Residual {
        /// Channels.
        channels: usize,
        /// Height and width.
        side: usize,
    },
    /// 2×2 average pooling.
    AvgPool {
        /// Channels.
        channels: usize,
        /// Height and width of the input.
        side: usize,
    },
    /// Nearest-neighbour ×2.
    Upsample {
        /// Channels.
        channels: usize,
        /// Height and width of the input.
        side: usize,
    },
    /// Mean absolute difference.
    L1 {
        /// Channels.
        channels: usize,
        /// Height and width.
        side: usize,
    },
    /// Adam with weight decay on a network.
    Adam {
        /// Tensors of the network.
        tensors: usize,
        /// Scalars of each.
        length: usize,
    },
    /// Moving average of a network.
    Ema {
        /// Tensors of the network.
        tensors: usize,
        /// Scalars of each.
        length: usize,
    },
}

impl Case {
    /// Name and shape for tables.
    pub fn name(&self) -> [String; 2] {
        match self {
            Case::Conv { input, output, kernel, side, resampling, leaky_relu } => {
                let mut name = format!("conv{kernel}x{kernel}");
                if *resampling == Resampling::Upsample {
                    name = format!("nearest2 + {name}");
                }
                if *leaky_relu {
                    name = format!("leaky relu + {name}");
                }
                if *resampling == Resampling::Pool {
                    name = format!("{name} + avgpool2");
                }
                [name, format!("{input}->{output}@{side}")]
            }
            Case::AdainLeakyRelu { channels, side } => named("adain + leaky relu", *channels, *side),
            Case::InstanceNormLeakyRelu { channels, side } => named("instance norm + leaky relu", *channels, *side),
            Case::LeakyRelu { channels, side } => named("leaky relu", *channels, *side),
            Case::Residual { channels, side } => named("residual add / sqrt2", *channels, *side),
            Case::AvgPool { channels, side } => named("avgpool2", *channels, *side),
            Case::Upsample { channels, side } => named("nearest2", *channels, *side),
            Case::L1 { channels, side } => named("l1 mean", *channels, *side),
            Case::Adam { tensors, length } => ["adam".to_owned(), format!("{tensors} x {length}")],
            Case::Ema { tensors, length } => ["moving average".to_owned(), format!("{tensors} x {length}")],
        }
    }
}

fn named(name: &str, channels: usize, side: usize) -> [String; 2] {
    [name.to_owned(), format!("{channels}@{side}")]
}

/// The distinct operations of the official networks for images of `image_size`, a power of two from 16 on. `narrow`
/// divides all widths.
pub(super) fn cases(image_size: usize, narrow: usize) -> Vec<Case> {
    let most = MOST_CHANNELS / narrow;
    let base = ((1 << 14) / image_size / narrow).min(most);
    let conv = |[input, output]: [usize; 2], kernel, side, resampling, leaky_relu| Case::Conv {
        input,
        output,
        kernel,
        side,
        resampling,
        leaky_relu,
    };
    use Resampling::{None, Pool, Upsample};
    let mut found = vec![conv([3, base], 3, image_size, None, false)];
    // Levels of the generator: its encoder down to 16 px, and the decoder the same way back.
    let (mut channels, mut side) = (base, image_size);
    while side > 16 {
        let wider = (2 * channels).min(most);
        found.push(conv([channels, channels], 3, side, Pool, false));
        found.push(conv([channels, wider], 3, side / 2, None, false));
        found.push(conv([channels, wider], 1, side / 2, None, false));
        found.push(conv([wider, channels], 3, side / 2, Upsample, false));
        found.push(conv([channels, channels], 3, side, None, false));
        found.push(conv([wider, channels], 1, side / 2, None, false));
        // Discriminator and style encoder have no normalisation between activation and convolution.
        found.push(conv([channels, channels], 3, side, Pool, true));
        (channels, side) = (wider, side / 2);
    }
    found.push(conv([channels, channels], 3, 16, None, false));
    found.push(conv([channels, channels], 3, 8, None, true));
    found.push(conv([channels, channels], 4, 4, None, true));
    found.push(conv([base, 3], 1, image_size, None, false));
    let half = image_size / 2;
    let wider = (2 * base).min(most);
    for (channels, side) in [(base, image_size), (wider, half)] {
        found.push(Case::InstanceNormLeakyRelu { channels, side });
        found.push(Case::AdainLeakyRelu { channels, side });
        found.push(Case::Residual { channels, side });
    }
    found.push(Case::LeakyRelu { channels: base, side: image_size });
    found.push(Case::AvgPool { channels: base, side: image_size });
    found.push(Case::Upsample { channels: wider, side: half });
    found.push(Case::L1 { channels: 3, side: image_size });
    // About the size of the generator for 256 px.
    let length = 300_000 / narrow;
    found.push(Case::Adam { tensors: 100, length });
    found.push(Case::Ema { tensors: 100, length });
    let mut distinct: Vec<Case> = Vec::with_capacity(found.len());
    for case in found {
        if !distinct.contains(&case) {
            distinct.push(case);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn official_widths_at_256_px() {
        let names: Vec<String> = cases(256, 1).iter().map(|case| case.name().join(" ")).collect();
        for expected in [
            "conv3x3 3->64@256",
            "conv3x3 + avgpool2 64->64@256",
            "conv3x3 64->128@128",
            "nearest2 + conv3x3 128->64@128",
            "leaky relu + conv3x3 + avgpool2 512->512@32",
            "leaky relu + conv4x4 512->512@4",
            "conv1x1 64->3@256",
            "adain + leaky relu 64@256",
            "adam 100 x 300000",
        ] {
            assert_eq!(names.iter().filter(|name| *name == expected).count(), 1, "{expected}: {names:?}");
        }
        let mut distinct = names.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len());
    }
}
