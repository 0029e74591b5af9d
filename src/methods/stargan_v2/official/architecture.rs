//! What the tensors of a checkpoint say of its networks.

use super::FILTER;
use crate::experiment::settings::Settings;
use std::collections::HashMap;
use std::fmt;

/// Sizes of the networks in a checkpoint, as their tensors' shapes have them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Architecture {
    /// Side of the images in pixels, a power of two from 16 to 1024.
    pub image_size: usize,
    /// Number of domains.
    pub domains: usize,
    /// Divisor of the high-pass filter; 0 where there is none. Files written before April 2021 do not hold it; it is 1
    /// for them, the official value.
    pub w_hpf: f64,
    /// Channels of generator and style encoder.
    pub widths: Widths,
    /// Channels of the discriminator, in files that hold it.
    pub discriminator: Option<Widths>,
    /// Length of the style code.
    pub style_dim: usize,
    /// Length of the latent code.
    pub latent_dim: usize,
    /// Width of the mapping network's hidden layers.
    pub hidden_dim: usize,
}

/// Channels of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    /// After the first convolution.
    pub base: usize,
    /// At most.
    pub max: usize,
}

/// Names and shapes of the tensors of one network.
pub(super) type Shapes<'a> = HashMap<&'a str, &'a [usize]>;

/// The official number of channels after the first convolution, for images of `image_size` pixels.
fn official_base(image_size: usize) -> usize {
    (1 << 14) / image_size
}

impl Architecture {
    /// What networks with tensors of these shapes are. Only what decides the sizes is looked at here.
    ///
    /// # Errors
    /// The networks do not fit each other, or are none that StarGAN v2 has: in words.
    pub(super) fn infer(
        [generator, mapping_network, style_encoder]: [&Shapes; 3],
        discriminator: Option<&Shapes>,
        w_hpf: Option<f64>,
    ) -> Result<Self, String> {
        let encoder = Trunk::infer("style_encoder", "shared", style_encoder)?;
        let image_size = encoder.image_size;
        let domains = count(style_encoder, |k| format!("unshared.{k}.weight"));
        let style_dim = length("style_encoder", style_encoder, "unshared.0.weight", 0, 2)?;

        let of_mapping = count(mapping_network, |k| format!("unshared.{k}.0.weight"));
        if domains != of_mapping {
            return Err(format!("its style encoder has {domains} domains, its mapping network {of_mapping}"));
        }
        let hidden_dim = length("mapping_network", mapping_network, "shared.0.weight", 0, 2)?;
        let latent_dim = length("mapping_network", mapping_network, "shared.0.weight", 1, 2)?;
        let of_mapping = length("mapping_network", mapping_network, "unshared.0.6.weight", 0, 2)?;
        let of_generator = length("generator", generator, "decode.0.norm1.fc.weight", 1, 2)?;
        if [of_mapping, of_generator] != [style_dim; 2] {
            return Err(format!(
                "its style encoder makes style codes of {style_dim}, its mapping network of {of_mapping}, and its \
                 generator takes {of_generator}"
            ));
        }

        let base = length("generator", generator, "from_rgb.weight", 0, 4)?;
        if base != encoder.widths.base {
            let found = encoder.widths.base;
            return Err(format!("its generator begins with {base} channels, its style encoder with {found}"));
        }
        let w_hpf = high_pass(generator, image_size, w_hpf)?;

        let discriminator = match discriminator {
            None => None,
            Some(shapes) => {
                let trunk = Trunk::infer("discriminator", "main", shapes)?;
                if trunk.image_size != image_size {
                    let found = trunk.image_size;
                    return Err(format!(
                        "its style encoder takes images of {image_size} px, its discriminator {found}"
                    ));
                }
                let logits = length("discriminator", shapes, &format!("main.{}.weight", trunk.blocks + 4), 0, 4)?;
                if logits != domains {
                    return Err(format!("its style encoder has {domains} domains, its discriminator {logits}"));
                }
                Some(trunk.widths)
            }
        };
        let widths = encoder.widths;
        Ok(Self { image_size, domains, w_hpf, widths, discriminator, style_dim, latent_dim, hidden_dim })
    }

    /// The sizes that networks of these settings have for `domains` domains.
    pub fn of(settings: &Settings, domains: usize) -> Self {
        let image_size = settings.train.image_size;
        // A limit that no network reaches does not show in the tensors.
        let widest = |base: usize| base << image_size.ilog2().saturating_sub(2);
        let widths = |base: Option<usize>, max: usize| {
            let base = base.unwrap_or(official_base(image_size));
            Widths { base, max: max.min(widest(base)) }
        };
        let (generator, discriminator) = (&settings.generator, &settings.discriminator);
        Self {
            image_size,
            domains,
            w_hpf: generator.w_hpf,
            widths: widths(generator.base_channels, generator.max_channels),
            discriminator: Some(widths(discriminator.base_channels, discriminator.max_channels)),
            style_dim: settings.style.style_dim,
            latent_dim: settings.style.latent_dim,
            hidden_dim: settings.style.hidden_dim,
        }
    }

    /// The channels that the official code's networks have for this size of images.
    pub fn official_widths(&self) -> Widths {
        Widths { base: official_base(self.image_size), max: 512 }
    }

    /// Settings of networks of these sizes; everything else is the official default. The discriminator of a checkpoint
    /// that has none is as wide as the style encoder.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.train.image_size = self.image_size;
        settings.generator.base_channels = Some(self.widths.base);
        settings.generator.max_channels = self.widths.max;
        settings.generator.w_hpf = self.w_hpf;
        let discriminator = self.discriminator.unwrap_or(self.widths);
        settings.discriminator.base_channels = Some(discriminator.base);
        settings.discriminator.max_channels = discriminator.max;
        settings.style.style_dim = self.style_dim;
        settings.style.latent_dim = self.latent_dim;
        settings.style.hidden_dim = self.hidden_dim;
        settings
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image_size, domains, w_hpf, widths: Widths { base, max }, .. } = self;
        let plural = if *domains == 1 { "" } else { "s" };
        write!(f, "StarGAN v2, {image_size} px, {domains} domain{plural}, w_hpf {w_hpf}, {base} to {max} channels")?;
        if *base != official_base(*image_size) {
            write!(f, " (officially from {})", official_base(*image_size))?;
        }
        write!(f, ", style codes of {}, latent codes of {}", self.style_dim, self.latent_dim)
    }
}

/// The convolutional half that style encoder and discriminator have in common.
struct Trunk {
    image_size: usize,
    blocks: usize,
    widths: Widths,
}

impl Trunk {
    /// One block for every halving from the image to 4×4.
    fn infer(network: &str, prefix: &str, shapes: &Shapes) -> Result<Self, String> {
        const BLOCKS: std::ops::RangeInclusive<usize> = 2..=8;
        let base = length(network, shapes, &format!("{prefix}.0.weight"), 0, 4)?;
        let blocks = count(shapes, |i| format!("{prefix}.{}.conv1.weight", i + 1));
        if !BLOCKS.contains(&blocks) {
            return Err(format!(
                "its `{network}` has {blocks} residual blocks under `{prefix}`; StarGAN v2 has 2 (16 px) to 8 (1024 px)"
            ));
        }
        let max = length(network, shapes, &format!("{prefix}.{}.weight", blocks + 2), 0, 4)?;
        Ok(Self { image_size: 4 << blocks, blocks, widths: Widths { base, max } })
    }
}

/// w_hpf: 0 where the bottleneck is at 16×16; where it is at 8×8, what the filter says, else 1.
fn high_pass(generator: &Shapes, image_size: usize, filter: Option<f64>) -> Result<f64, String> {
    let blocks = count(generator, |i| format!("encode.{i}.conv1.weight"));
    let without = image_size.ilog2() as usize - 2;
    match (blocks.checked_sub(without), filter) {
        (Some(0), None) => Ok(0.0),
        (Some(0), Some(_)) => {
            Err(format!("its generator has a high-pass filter (`{FILTER}`), but its bottleneck is at 16x16, not 8x8"))
        }
        (Some(1), w_hpf) => Ok(w_hpf.unwrap_or(1.0)),
        _ => Err(format!(
            "its generator has {blocks} encoder blocks; for the {image_size} px of its style encoder there are {without} \
             (w_hpf 0) or {} (w_hpf > 0)",
            without + 1
        )),
    }
}

/// How many of the names 0, 1, 2 ... are there.
fn count(shapes: &Shapes, name: impl Fn(usize) -> String) -> usize {
    (0..shapes.len()).take_while(|i| shapes.contains_key(name(*i).as_str())).count()
}

/// Length of dimension `axis` of the tensor `name`, which has `rank` dimensions.
fn length(network: &str, shapes: &Shapes, name: &str, axis: usize, rank: usize) -> Result<usize, String> {
    match shapes.get(name) {
        None => Err(format!("its `{network}` is not the one of StarGAN v2: `{name}` is missing")),
        Some(shape) if shape.len() == rank && !shape.contains(&0) => Ok(shape[axis]),
        Some(shape) => Err(format!("its `{network}.{name}` has the shape {shape:?}; {rank} dimensions are needed")),
    }
}
