//! The resolved settings of one run: every value that decides what is computed, with the official StarGAN v2
//! values as defaults (paper, section 4 and appendix B; the official code's command-line defaults).
//!
//! These are plain serde structs. Layering, source spans and error reporting live beside them in this folder.

mod drit;
mod munit;
mod precision;

pub use drit::Drit;
pub use munit::{Munit, MunitAdversarial, Padding};
pub use precision::Precision;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that decides the result of a run except the data set and the seed.
///
/// A method reads the tables that [`MethodName::tables`] names and those that all methods share.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The system that is trained.
    pub method: MethodName,
    /// MUNIT, where that is the method.
    pub munit: Munit,
    /// DRIT and MSGAN, where that is the method.
    pub drit: Drit,
    /// The generator.
    pub generator: Generator,
    /// What the generator is conditioned on.
    pub style: Style,
    /// The discriminator.
    pub discriminator: Discriminator,
    /// Loss terms and their weights.
    pub loss: Loss,
    /// Which halves of an iteration are run and whom they train.
    pub phases: Phases,
    /// Adam and the update schedule.
    pub optimizer: Optimizer,
    /// Exponential moving average of the weights.
    pub ema: Ema,
    /// Weight initialisation.
    pub init: Init,
    /// Length, sizes and cadence of training.
    pub train: Train,
    /// Augmentation of training images.
    pub augment: Augment,
    /// Metrics and their sample counts.
    pub evaluation: Evaluation,
    /// Sample sheets written while training and at the end.
    pub sample: Sample,
    /// How images are loaded. Does not change results, hence not part of a run's identity.
    pub loader: Loader,
}

/// A system that can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodName {
    /// StarGAN v2 and what its parts can be put together to: the ablation, StarGAN.
    #[default]
    StarganV2,
    /// MUNIT (Huang et al. 2018), one model per pair of domains.
    Munit,
    /// DRIT (Lee et al. 2018) and, with mode seeking, MSGAN (Mao et al. 2019), one model per pair of domains.
    Drit,
}

impl MethodName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::StarganV2, Self::Munit, Self::Drit];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::StarganV2 => "stargan_v2",
            Self::Munit => "munit",
            Self::Drit => "drit",
        }
    }

    /// The tables of settings that this method alone reads.
    pub fn tables(self) -> &'static [&'static str] {
        match self {
            Self::StarganV2 => &["generator", "style", "discriminator", "loss", "phases", "init"],
            Self::Munit => &["munit"],
            Self::Drit => &["drit"],
        }
    }

    /// The tables of settings that other methods alone read.
    pub fn tables_of_others(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().filter(move |other| *other != self).flat_map(Self::tables).copied()
    }

    /// How its training batches are drawn.
    pub fn draws(self, sampling: Sampling) -> Draws {
        match self {
            Self::StarganV2 => Draws::Mixed(sampling),
            Self::Munit | Self::Drit => Draws::EveryDomain,
        }
    }
}

/// What a training batch is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draws {
    /// Images of all domains mixed, with references.
    Mixed(Sampling),
    /// A batch of every domain, without references: the images of each domain in shuffled passes of its own. (MUNIT's code
    /// begins both domains' passes anew when the shorter ends; DRIT's goes through the larger domain and draws from the
    /// smaller at random.)
    EveryDomain,
}

/// How the images of a batch that mixes domains are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Every domain equally often, images with replacement (StarGAN v2).
    Balanced,
    /// All images equally often, in shuffled passes over the whole split (StarGAN). References stay balanced.
    Shuffled,
}

/// Where the target domains of an iteration come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// The domains of the reference images, which are drawn independently of the sources (StarGAN v2).
    References,
    /// The domains of the source images in another order (StarGAN).
    ShuffledSources,
}

/// Network family of the generator or the discriminator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// StarGAN (Choi et al. 2018, tables 4 and 5).
    Stargan,
    /// StarGAN v2 (Choi et al. 2020, appendix A).
    StarganV2,
}

/// How the generator receives its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conditioning {
    /// The condition is tiled over the image and concatenated to the input channels.
    Concat,
    /// The condition scales and shifts normalised features of the decoder (AdaIN).
    Adain,
}

/// The generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generator {
    /// Network family.
    pub arch: Architecture,
    /// How the condition enters. `stargan` takes `concat`, `stargan_v2` takes `adain`.
    pub conditioning: Conditioning,
    /// Channels after the first convolution. Unset: official (64 for `stargan`, 2^14 / image size for `stargan_v2`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_channels: Option<usize>,
    /// Upper bound of the channel count of `stargan_v2`.
    pub max_channels: usize,
    /// Residual blocks in the bottleneck of `stargan`.
    pub residual_blocks: usize,
    /// Divisor of the high-pass filter through which `stargan_v2` passes details of the source's face on, where a face
    /// landmark network finds its parts: the official code has 1 for CelebA-HQ, and 0, no such skips, for everything that
    /// is no face. A property of the data set, which its table may set for all variants: `stargan` and other methods have
    /// no such skips, and a resolved specification of theirs says 0.
    pub w_hpf: f64,
    /// Weights (safetensors) of the landmark network, where `w_hpf` is not 0. Unset: those that
    /// `harness weights import wing.ckpt` put in place. Where they lie is no part of a run's identity; a run goes on with
    /// those that it began with, or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landmark_weights: Option<PathBuf>,
}

impl Default for Generator {
    fn default() -> Self {
        Self {
            arch: Architecture::StarganV2,
            conditioning: Conditioning::Adain,
            base_channels: None,
            max_channels: 512,
            residual_blocks: 6,
            w_hpf: 0.0,
            landmark_weights: None,
        }
    }
}

/// What carries the target domain, and the variation within it, into the generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StyleSource {
    /// The domain label alone: one output per source image and domain (configurations A–C).
    Label,
    /// The domain label and a latent code, concatenated (configuration D).
    LabelAndLatent,
    /// A style code from the mapping network or the style encoder (configurations E, F).
    StyleCode,
}

/// What the generator is conditioned on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Style {
    /// Where the condition comes from.
    pub source: StyleSource,
    /// Length of the latent code z.
    pub latent_dim: usize,
    /// Length of the style code s.
    pub style_dim: usize,
    /// Width of the mapping network's hidden layers.
    pub hidden_dim: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { source: StyleSource::StyleCode, latent_dim: 16, style_dim: 64, hidden_dim: 512 }
    }
}

/// What the discriminator puts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscriminatorHead {
    /// One real/fake output and a domain classifier (StarGAN).
    Acgan,
    /// One real/fake output per domain; the image's domain selects its branch (StarGAN v2).
    MultiTask,
}

/// The discriminator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Discriminator {
    /// Network family.
    pub arch: Architecture,
    /// What it puts out.
    pub head: DiscriminatorHead,
    /// Channels after the first convolution. Unset: official (64 for `stargan`, 2^14 / image size for `stargan_v2`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_channels: Option<usize>,
    /// Upper bound of the channel count (`stargan` doubles up to 2048 in the official code).
    pub max_channels: usize,
    /// Strided convolutions of `stargan`; the image size must be at least 2^layers.
    pub layers: usize,
}

impl Default for Discriminator {
    fn default() -> Self {
        Self {
            arch: Architecture::StarganV2,
            head: DiscriminatorHead::MultiTask,
            base_channels: None,
            max_channels: 512,
            layers: 6,
        }
    }
}

/// Adversarial loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adversarial {
    /// Critic difference (WGAN).
    Wgan,
    /// Non-saturating cross-entropy (StarGAN v2, equation 1).
    Bce,
    /// Hinge loss (Lim & Ye 2017; Miyato et al. 2018).
    Hinge,
}

/// Gradient penalty of the discriminator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GradientPenalty {
    /// None.
    None,
    /// (‖∇D(x̂)‖₂ − 1)² on random interpolates (Gulrajani et al. 2017), weight `lambda_gp`.
    WganGp,
    /// γ/2 ‖∇D(x)‖² on real images (Mescheder et al. 2018), weight `r1_gamma`.
    R1,
}

/// Loss terms and their weights; a weight of 0 removes a term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loss {
    /// Adversarial loss.
    pub adversarial: Adversarial,
    /// Gradient penalty of the discriminator.
    pub gradient_penalty: GradientPenalty,
    /// γ of the R1 penalty.
    pub r1_gamma: f64,
    /// Weight of the WGAN-GP penalty.
    pub lambda_gp: f64,
    /// Domain classification (needs `discriminator.head = "acgan"`).
    pub lambda_cls: f64,
    /// Cycle consistency.
    pub lambda_cyc: f64,
    /// Latent reconstruction ‖z − E(G(x, z, y))‖₁ (needs `style.source = "label_and_latent"`).
    pub lambda_latent: f64,
    /// Style reconstruction (needs `style.source = "style_code"`).
    pub lambda_sty: f64,
    /// Whether the diversity-sensitive loss is on (needs a latent or a style code). Apart from its weight, because the
    /// switch belongs to a variant and the weight to a data set (1 for CelebA-HQ, 2 for AFHQ): a data set may set the
    /// weight without switching the term on. In a resolved specification `lambda_ds` is 0 where this is off.
    pub diversity: bool,
    /// Weight of the diversity-sensitive loss at the first iteration.
    pub lambda_ds: f64,
    /// Iteration at which the diversity weight has fallen linearly to 0.
    pub ds_iterations: u64,
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            adversarial: Adversarial::Bce,
            gradient_penalty: GradientPenalty::R1,
            r1_gamma: 1.0,
            lambda_gp: 10.0,
            lambda_cls: 0.0,
            lambda_cyc: 1.0,
            lambda_latent: 0.0,
            lambda_sty: 1.0,
            diversity: true,
            lambda_ds: 1.0,
            ds_iterations: 100_000,
        }
    }
}

/// Which halves of an iteration are run and whom they train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Phases {
    /// Also train with styles encoded from reference images (needs `style.source = "style_code"`).
    pub reference: bool,
    /// Let the reference half of the generator step update the style encoder too. The official code does not.
    pub reference_trains_style_encoder: bool,
}

impl Default for Phases {
    fn default() -> Self {
        Self { reference: true, reference_trains_style_encoder: false }
    }
}

/// Learning-rate schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LrSchedule {
    /// Constant.
    Constant,
    /// Constant for the first half of training, then linear to 0 (StarGAN's paper; DRIT).
    LinearSecondHalf,
    /// What StarGAN's code does instead: in the second half, every 1,000 iterations, the learning rate loses its first
    /// value divided by the number of iterations in that half, 0.1 % of it in all.
    StarganCode,
    /// Times `step_factor` every `step_every` iterations (MUNIT).
    Step,
}

/// Adam with L2 in the gradient, and the update schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// Learning rate of generator, discriminator and style encoder.
    pub lr: f64,
    /// Learning rate of the mapping network.
    pub mapping_lr: f64,
    /// First-moment decay.
    pub beta1: f64,
    /// Second-moment decay.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// L2 penalty, added to the gradient as PyTorch's `Adam(weight_decay=)` does.
    pub weight_decay: f64,
    /// Discriminator updates per generator update.
    pub n_critic: u64,
    /// Learning-rate schedule.
    pub schedule: LrSchedule,
    /// Iterations between two steps of the schedule `step`.
    pub step_every: u64,
    /// Factor of a step of the schedule `step`.
    pub step_factor: f64,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            lr: 1e-4,
            mapping_lr: 1e-6,
            beta1: 0.0,
            beta2: 0.99,
            eps: 1e-8,
            weight_decay: 1e-4,
            n_critic: 1,
            schedule: LrSchedule::Constant,
            step_every: 100_000,
            step_factor: 0.5,
        }
    }
}

/// Exponential moving average of generator, mapping network and style encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ema {
    /// Keep and evaluate averaged weights.
    pub enabled: bool,
    /// Weight of the old average. The average starts at the initial weights.
    pub decay: f64,
}

impl Default for Ema {
    fn default() -> Self {
        Self { enabled: true, decay: 0.999 }
    }
}

/// Distribution of initial weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitScheme {
    /// N(0, 2 / fan_in), biases 0 (StarGAN v2).
    He,
    /// N(0, 0.02²), biases 0 (DCGAN; MUNIT's discriminators).
    Normal,
    /// PyTorch's default for convolutions and linear layers: U(±1/√fan_in), biases too (StarGAN).
    Pytorch,
}

/// Weight initialisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Init {
    /// Distribution of initial weights.
    pub scheme: InitScheme,
}

impl Default for Init {
    fn default() -> Self {
        Self { scheme: InitScheme::He }
    }
}

/// Length, sizes and cadence of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Train {
    /// Side of the square images in pixels, a power of two.
    pub image_size: usize,
    /// Images per step; with a method of two domains, of every domain.
    pub batch_size: usize,
    /// How images are chosen. Methods of two domains go through each domain in shuffled passes, whatever is set.
    pub sampling: Sampling,
    /// Where target domains come from; for methods of more than two domains.
    pub targets: Targets,
    /// Parts in which a batch passes through the networks: their gradients add up to those of the whole batch, in a
    /// fraction of its memory. At most the batch size.
    pub gradient_accumulation: usize,
    /// Arithmetic of the networks.
    pub precision: Precision,
    /// Iterations (one discriminator update per half each).
    pub iterations: u64,
    /// What training begins with instead of random weights: a run (its folder, or a checkpoint in it) of the same method,
    /// or, for StarGAN v2, a checkpoint of the official code (one of its files, or what their names begin with, as in
    /// `expr/checkpoints/100000`). Networks, averages and Adam's moments are taken over as far as they are there. Where it
    /// lies is no part of a run's identity, what is in it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_from: Option<PathBuf>,
    /// Iterations that count as done at the beginning, for the schedules. Unset: those that `start_from` was trained for;
    /// 0 begins the schedules anew, for training on with other data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_iteration: Option<u64>,
    /// Hex BLAKE3 of what `start_from` holds. Filled in when the run is planned; where it is set, nothing else is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_content: Option<String>,
    /// Iterations between two logged losses.
    pub log_every: u64,
    /// Iterations between two sample sheets.
    pub sample_every: u64,
    /// Iterations between two checkpoints.
    pub checkpoint_every: u64,
    /// Iterations between two evaluations; the last iteration is always evaluated.
    pub evaluate_every: u64,
}

impl Default for Train {
    fn default() -> Self {
        Self {
            image_size: 256,
            batch_size: 8,
            sampling: Sampling::Balanced,
            targets: Targets::References,
            gradient_accumulation: 1,
            precision: Precision::F32,
            iterations: 100_000,
            start_from: None,
            start_iteration: None,
            start_content: None,
            log_every: 10,
            sample_every: 5_000,
            checkpoint_every: 10_000,
            evaluate_every: 50_000,
        }
    }
}

/// Augmentation of training images (official code, `get_train_loader`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Probability of a random resized crop.
    pub crop_probability: f64,
    /// Smallest share of the area a crop keeps; the largest is 1.
    pub crop_min_area: f64,
    /// Largest aspect ratio of a crop; the smallest is its stated counterpart `crop_min_aspect`.
    pub crop_max_aspect: f64,
    /// Smallest aspect ratio of a crop.
    pub crop_min_aspect: f64,
    /// Probability of a horizontal flip.
    pub flip_probability: f64,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            crop_probability: 0.5,
            crop_min_area: 0.8,
            crop_max_aspect: 1.1,
            crop_min_aspect: 0.9,
            flip_probability: 0.5,
        }
    }
}

/// Metrics and their sample counts (official evaluation; protocol of the paper's section 4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// Outputs per source image and target domain. Configurations without a code have one, whatever is set.
    pub outputs: usize,
    /// Source images per batch; part of the LPIPS protocol, which averages over batches.
    pub batch_size: usize,
    /// Source images per domain. Unset: all validation images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sources: Option<usize>,
    /// Training images per domain that stand for the real distribution. Unset: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_reals: Option<usize>,
    /// What is measured, besides `fd_alexnet`, which always is.
    pub metrics: Vec<Metric>,
    /// Recipes for `fid`, `kid` and `prdc`; each makes columns of its own.
    pub protocols: Vec<FidProtocol>,
    /// Weights (safetensors) of torchvision's Inception v3, for the protocol `stargan-v2`. Unset: those that
    /// `harness weights fetch inception-v3` put in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inception_v3_weights: Option<PathBuf>,
    /// Weights (safetensors) of the Inception network of 2015, for the protocols `pytorch-fid` and `clean-fid`. Where
    /// they end at Mixed_6e, the metric is `fid_768`, which is not FID. Unset: those that
    /// `harness weights fetch inception-2015` put in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inception_2015_weights: Option<PathBuf>,
    /// Also report the Fréchet distances of the first output alone, so that rows with one output and with ten can
    /// be compared without the effect of the sample count.
    pub single_output_control: bool,
    /// Replicates of the bootstrap behind confidence intervals; 0: no intervals.
    pub bootstrap: usize,
    /// Write the outputs of the final evaluation as PNG files in the official code's folder layout, with its JSON files.
    pub save_images: bool,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            outputs: 10,
            batch_size: 32,
            max_sources: None,
            max_reals: None,
            metrics: vec![Metric::Lpips, Metric::Fid],
            protocols: vec![FidProtocol::StarganV2],
            inception_v3_weights: None,
            inception_2015_weights: None,
            single_output_control: true,
            bootstrap: 1000,
            save_images: false,
        }
    }
}

/// A metric, or a family of metrics that come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Diversity of the outputs of a source.
    Lpips,
    /// Fréchet Inception Distance.
    Fid,
    /// Kernel Inception Distance.
    Kid,
    /// Improved precision and recall, density and coverage.
    Prdc,
}

/// A recipe from images to Inception features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FidProtocol {
    /// The official StarGAN v2 code: torchvision's ImageNet network, Pillow's bilinear resize twice.
    StarganV2,
    /// pytorch-fid: the network of 2015, bilinear resize without antialiasing.
    PytorchFid,
    /// clean-fid: the network of 2015, Pillow's bicubic resize in floating point.
    CleanFid,
}

impl FidProtocol {
    /// Name in files, on the command line and in ids of protocols.
    pub fn name(self) -> &'static str {
        match self {
            Self::StarganV2 => "stargan-v2",
            Self::PytorchFid => "pytorch-fid",
            Self::CleanFid => "clean-fid",
        }
    }
}

/// Sample sheets (official code's `debug_image` layouts).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sample {
    /// Source images per domain shown in a sheet.
    pub sources_per_domain: usize,
    /// Latent codes per target domain in a latent sheet.
    pub latents: usize,
    /// Reference images per target domain in a reference sheet.
    pub references_per_domain: usize,
}

impl Default for Sample {
    fn default() -> Self {
        Self { sources_per_domain: 4, latents: 5, references_per_domain: 3 }
    }
}

/// How images are loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loader {
    /// Decoding threads.
    pub workers: usize,
    /// Batches kept ready.
    pub prefetch: usize,
}

impl Default for Loader {
    fn default() -> Self {
        Self { workers: 2, prefetch: 4 }
    }
}

/// Where the images of a data set come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    /// A folder `root/{train,val}/DOMAIN/**.{jpg,jpeg,png}`.
    Folder,
    /// The embedded procedural data set.
    Shapes,
    /// MNIST through candle-datasets; each class a domain.
    Mnist,
    /// CIFAR-10 through candle-datasets; each class a domain.
    Cifar10,
}

/// A data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dataset {
    /// Where the images come from.
    pub source: DataSource,
    /// Folder of `folder`, `mnist` and `cifar10`, relative to the working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// Name of the training split's folder.
    pub train: String,
    /// Name of the validation split's folder.
    pub val: String,
    /// Domains to use, in this order. Unset: all, in alphabetical order (the official code's domain index).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domains: Option<Vec<String>>,
    /// `shapes`: training images per domain.
    pub train_per_domain: usize,
    /// `shapes`: validation images per domain.
    pub val_per_domain: usize,
    /// `shapes`: seed of the procedure.
    pub seed: u64,
}

impl Default for Dataset {
    fn default() -> Self {
        Self {
            source: DataSource::Folder,
            root: None,
            train: "train".into(),
            val: "val".into(),
            domains: None,
            train_per_domain: 1000,
            val_per_domain: 100,
            seed: 2020,
        }
    }
}

/// One run, fully resolved: what to compute. See design decision "identity".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// Experiment name (folder under the runs directory).
    pub experiment: String,
    /// Variant key, for example `F`.
    pub variant: String,
    /// Row label, for example `+ Diversity regularization`.
    pub label: String,
    /// Data set key.
    pub dataset_name: String,
    /// Profile key, if one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The data set.
    pub dataset: Dataset,
    /// Training seed.
    pub seed: u64,
    /// All other settings.
    pub settings: Settings,
}

impl RunSpec {
    /// A run of these settings that belongs to no experiment and is never recorded.
    pub fn unrecorded(settings: Settings, dataset: Dataset, seed: u64) -> Self {
        let none = || "none".to_owned();
        Self {
            experiment: none(),
            variant: none(),
            label: none(),
            dataset_name: none(),
            profile: None,
            dataset,
            seed,
            settings,
        }
    }
}
