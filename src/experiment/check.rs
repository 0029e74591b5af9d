//! What values may be: ranges of single values, found in any table; and which values go together, found once the
//! layers of a run are laid over each other.

mod drit;
mod munit;

use super::decode::join;
use super::error::{Collector, ConfigError};
use super::node::Node;
use super::settings::{
    Architecture, Conditioning, DataSource, Dataset, DiscriminatorHead, GradientPenalty, MethodName, Precision,
    Settings, StyleSource, Targets, Train,
};
use serde::Serialize;

/// Channels of a layer: far above any use.
const MOST_CHANNELS: usize = 16_384;

/// Image sizes the networks are defined for (protocol: StarGAN v2 derives all widths and depths from a power of two;
/// below 16 nothing is left of the 16×16 bottleneck).
const IMAGE_SIZES: std::ops::RangeInclusive<usize> = 16..=1024;

/// The smallest images that the high-pass skips of StarGAN v2's generator do anything to: they act on features of 32, 64
/// and 128 pixels.
const SMALLEST_WITH_SKIPS: usize = 32;

/// A value out of its range.
pub(crate) struct Finding {
    path: &'static str,
    expected: String,
}

/// Reports findings at the places of their values in `node`, the table at the dotted path `place`. The built-in
/// defaults being in range, every finding is about a value that `node` holds.
pub(crate) fn report(findings: Vec<Finding>, node: &Node, place: &str, errors: &mut Collector) {
    for Finding { path, expected } in findings {
        let value = node.lookup(path).unwrap_or(node);
        let message = format!("`{}` must be {expected}, found {}", join(place, path), value.describe());
        errors.push(ConfigError::at(value.at.clone(), message));
    }
}

#[derive(Default)]
struct Ranges(Vec<Finding>);

impl Ranges {
    fn require(&mut self, path: &'static str, holds: bool, expected: impl Into<String>) {
        if !holds {
            self.0.push(Finding { path, expected: expected.into() });
        }
    }

    fn at_least(&mut self, path: &'static str, value: impl TryInto<u64>, least: u64) {
        // A count too large for 64 bits is at least anything.
        let holds = value.try_into().map_or(true, |value| value >= least);
        self.require(path, holds, format!("at least {least}"));
    }

    /// For sizes that memory is taken for: far above any use, so that a slip of the keyboard is an error here and not a
    /// failed allocation later.
    fn between(&mut self, path: &'static str, value: usize, least: usize, most: usize) {
        self.require(path, (least..=most).contains(&value), format!("from {least} to {most}"));
    }

    fn weight(&mut self, path: &'static str, value: f64) {
        self.require(path, value.is_finite() && value >= 0.0, "finite and not negative");
    }

    fn positive(&mut self, path: &'static str, value: f64) {
        self.require(path, value.is_finite() && value > 0.0, "finite and greater than 0");
    }

    fn probability(&mut self, path: &'static str, value: f64) {
        self.require(path, (0.0..=1.0).contains(&value), "a probability, from 0 to 1");
    }

    fn decay(&mut self, path: &'static str, value: f64) {
        self.require(path, (0.0..1.0).contains(&value), "at least 0 and less than 1");
    }
}

/// Settings out of range.
pub(crate) fn settings(s: &Settings) -> Vec<Finding> {
    let mut ranges = Ranges::default();
    let r = &mut ranges;
    r.between("generator.base_channels", s.generator.base_channels.unwrap_or(1), 1, MOST_CHANNELS);
    r.between("generator.max_channels", s.generator.max_channels, 1, MOST_CHANNELS);
    r.between("generator.residual_blocks", s.generator.residual_blocks, 0, 64);
    r.weight("generator.w_hpf", s.generator.w_hpf);
    r.between("style.latent_dim", s.style.latent_dim, 1, 16_384);
    r.between("style.style_dim", s.style.style_dim, 1, 16_384);
    r.between("style.hidden_dim", s.style.hidden_dim, 1, 16_384);
    r.between("discriminator.base_channels", s.discriminator.base_channels.unwrap_or(1), 1, MOST_CHANNELS);
    r.between("discriminator.max_channels", s.discriminator.max_channels, 1, MOST_CHANNELS);
    r.at_least("discriminator.layers", s.discriminator.layers, 1);

    r.weight("loss.r1_gamma", s.loss.r1_gamma);
    r.weight("loss.lambda_gp", s.loss.lambda_gp);
    r.weight("loss.lambda_cls", s.loss.lambda_cls);
    r.weight("loss.lambda_cyc", s.loss.lambda_cyc);
    r.weight("loss.lambda_latent", s.loss.lambda_latent);
    r.weight("loss.lambda_sty", s.loss.lambda_sty);
    r.weight("loss.lambda_ds", s.loss.lambda_ds);
    r.at_least("loss.ds_iterations", s.loss.ds_iterations, 1);

    r.positive("optimizer.lr", s.optimizer.lr);
    r.positive("optimizer.mapping_lr", s.optimizer.mapping_lr);
    r.decay("optimizer.beta1", s.optimizer.beta1);
    r.decay("optimizer.beta2", s.optimizer.beta2);
    r.positive("optimizer.eps", s.optimizer.eps);
    r.weight("optimizer.weight_decay", s.optimizer.weight_decay);
    r.at_least("optimizer.n_critic", s.optimizer.n_critic, 1);
    r.at_least("optimizer.step_every", s.optimizer.step_every, 1);
    r.positive("optimizer.step_factor", s.optimizer.step_factor);
    r.decay("ema.decay", s.ema.decay);

    drit::ranges(&s.drit, r);
    munit::ranges(&s.munit, r);

    let size = s.train.image_size;
    let expected = format!("a power of two from {} to {}", IMAGE_SIZES.start(), IMAGE_SIZES.end());
    r.require("train.image_size", size.is_power_of_two() && IMAGE_SIZES.contains(&size), expected);
    r.between("train.batch_size", s.train.batch_size, 1, 4096);
    r.at_least("train.gradient_accumulation", s.train.gradient_accumulation, 1);
    r.at_least("train.iterations", s.train.iterations, 1);
    r.at_least("train.log_every", s.train.log_every, 1);
    r.at_least("train.sample_every", s.train.sample_every, 1);
    r.at_least("train.checkpoint_every", s.train.checkpoint_every, 1);
    r.at_least("train.evaluate_every", s.train.evaluate_every, 1);

    r.probability("augment.crop_probability", s.augment.crop_probability);
    let area = s.augment.crop_min_area;
    r.require("augment.crop_min_area", area > 0.0 && area <= 1.0, "greater than 0 and at most 1");
    r.positive("augment.crop_min_aspect", s.augment.crop_min_aspect);
    r.positive("augment.crop_max_aspect", s.augment.crop_max_aspect);
    r.probability("augment.flip_probability", s.augment.flip_probability);

    r.between("evaluation.outputs", s.evaluation.outputs, 1, 4096);
    r.between("evaluation.batch_size", s.evaluation.batch_size, 1, 4096);
    r.at_least("evaluation.max_sources", s.evaluation.max_sources.unwrap_or(1), 1);
    // A covariance takes two.
    r.at_least("evaluation.max_reals", s.evaluation.max_reals.unwrap_or(2), 2);
    r.require("evaluation.metrics", all_differ(&s.evaluation.metrics), "a list without repeats");
    r.require("evaluation.protocols", all_differ(&s.evaluation.protocols), "a list without repeats");
    r.between("evaluation.bootstrap", s.evaluation.bootstrap, 0, 1_000_000);
    r.between("sample.sources_per_domain", s.sample.sources_per_domain, 1, 64);
    r.between("sample.latents", s.sample.latents, 1, 64);
    r.between("sample.references_per_domain", s.sample.references_per_domain, 1, 64);
    r.between("loader.workers", s.loader.workers, 1, 256);
    r.between("loader.prefetch", s.loader.prefetch, 1, 1024);
    ranges.0
}

fn all_differ<T: PartialEq>(list: &[T]) -> bool {
    list.iter().enumerate().all(|(i, item)| !list[..i].contains(item))
}

/// Fields of a data set out of range.
pub(crate) fn dataset(d: &Dataset) -> Vec<Finding> {
    let mut ranges = Ranges::default();
    let r = &mut ranges;
    r.require("root", d.root.as_ref().is_none_or(|root| !root.as_os_str().is_empty()), "the path of a folder");
    r.require("train", !d.train.is_empty(), "the name of a folder");
    r.require("val", !d.val.is_empty(), "the name of a folder");
    let distinct = |names: &[String]| all_differ(names) && names.iter().all(|name| !name.is_empty());
    let domains = d.domains.as_deref();
    r.require("domains", domains.is_none_or(|n| n.len() >= 2 && distinct(n)), "two or more different domain names");
    r.at_least("train_per_domain", d.train_per_domain, 1);
    r.at_least("val_per_domain", d.val_per_domain, 1);
    ranges.0
}

/// Values that do not go together.
pub(crate) struct Conflict {
    /// The values, the one to blame first; data-set fields begin with `dataset.`.
    pub(crate) paths: Vec<&'static str>,
    pub(crate) message: String,
    pub(crate) help: String,
}

#[derive(Default)]
struct Conflicts(Vec<Conflict>);

impl Conflicts {
    fn add(&mut self, holds: bool, paths: &[&'static str], message: String, help: impl Into<String>) {
        if !holds {
            self.0.push(Conflict { paths: paths.to_vec(), message, help: help.into() });
        }
    }
}

/// The name of an enum value in the file.
fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value).map_or(String::new(), |value| value.to_string())
}

/// Settings of one run that do not go together.
pub(crate) fn conflicts(s: &Settings, d: &Dataset) -> Vec<Conflict> {
    let mut found = Conflicts::default();
    if s.method == MethodName::StarganV2 {
        networks(s, &mut found);
        losses(s, &mut found);
        targets(s, &mut found);
    }
    if s.method == MethodName::Munit {
        munit::conflicts(s, &mut found);
    }
    if s.method == MethodName::Drit {
        drit::conflicts(s, &mut found);
    }
    let (low, high) = (s.augment.crop_min_aspect, s.augment.crop_max_aspect);
    found.add(
        low <= high,
        &["augment.crop_min_aspect", "augment.crop_max_aspect"],
        format!("`augment.crop_min_aspect` is {low}, more than `augment.crop_max_aspect`, {high}"),
        "the smallest aspect ratio comes first",
    );
    let (parts, batch) = (s.train.gradient_accumulation, s.train.batch_size);
    found.add(
        parts <= batch,
        &["train.gradient_accumulation", "train.batch_size"],
        format!(
            "`train.gradient_accumulation` is {parts}: a batch of {batch} images cannot be cut into that many parts"
        ),
        format!("set train.gradient_accumulation to {batch} or less"),
    );
    found.add(
        s.method == MethodName::StarganV2 || s.train.precision != Precision::Bf16,
        &["train.precision", "method"],
        "`train.precision` is `bf16`, which only StarGAN's and StarGAN v2's networks are computed in".into(),
        "use `f32` or `tf32` for this method",
    );
    start(s, &mut found);
    data(d, &mut found);
    found.0
}

fn start(s: &Settings, found: &mut Conflicts) {
    for (path, is_set) in [
        ("train.start_iteration", s.train.start_iteration.is_some()),
        ("train.start_content", s.train.start_content.is_some()),
    ] {
        found.add(
            !is_set || s.train.start_from.is_some(),
            &[path],
            format!("`{path}` has no effect without `train.start_from`"),
            "leave it out, or say with train.start_from what the run begins with",
        );
    }
}

fn networks(s: &Settings, found: &mut Conflicts) {
    let (arch, conditioning) = (s.generator.arch, s.generator.conditioning);
    let fitting = match arch {
        Architecture::Stargan => Conditioning::Concat,
        Architecture::StarganV2 => Conditioning::Adain,
    };
    found.add(
        conditioning == fitting,
        &["generator.conditioning", "generator.arch"],
        format!("the generator {} cannot be conditioned by {}", name(&arch), name(&conditioning)),
        format!("set generator.conditioning = {}, or another generator.arch", name(&fitting)),
    );
    let (size, layers) = (s.train.image_size, s.discriminator.layers);
    let w_hpf = s.generator.w_hpf;
    found.add(
        arch != Architecture::StarganV2 || w_hpf == 0.0 || size >= SMALLEST_WITH_SKIPS,
        &["generator.w_hpf", "train.image_size"],
        format!("`generator.w_hpf` is {w_hpf}, and high-pass skips act on 32 pixels and more, not on images of {size}"),
        format!("set generator.w_hpf = 0, or train.image_size to {SMALLEST_WITH_SKIPS} or more"),
    );
    let halvings = size.checked_ilog2().unwrap_or(0) as usize;
    found.add(
        s.discriminator.arch != Architecture::Stargan || layers <= halvings,
        &["discriminator.layers", "train.image_size", "discriminator.arch"],
        format!("a discriminator of {layers} strided layers needs images of at least 2^{layers} pixels, not {size}"),
        format!("set discriminator.layers to {halvings} or less, or enlarge train.image_size"),
    );
}

fn losses(s: &Settings, found: &mut Conflicts) {
    let (loss, source, head) = (&s.loss, s.style.source, s.discriminator.head);
    let acgan = head == DiscriminatorHead::Acgan;
    found.add(
        acgan || loss.lambda_cls == 0.0,
        &["loss.lambda_cls", "discriminator.head"],
        format!("`loss.lambda_cls` is {}, but the discriminator has no classifier", loss.lambda_cls),
        "set loss.lambda_cls = 0, or discriminator.head = \"acgan\"",
    );
    found.add(
        !acgan || loss.lambda_cls > 0.0,
        &["loss.lambda_cls", "discriminator.head"],
        "`discriminator.head` is \"acgan\", but nothing trains its classifier: `loss.lambda_cls` is 0".into(),
        "set loss.lambda_cls above 0 (StarGAN: 1), or discriminator.head = \"multi_task\"",
    );
    found.add(
        loss.lambda_latent == 0.0 || source == StyleSource::LabelAndLatent,
        &["loss.lambda_latent", "style.source"],
        format!("`loss.lambda_latent` is {}, but `style.source` is {}", loss.lambda_latent, name(&source)),
        "set loss.lambda_latent = 0, or style.source = \"label_and_latent\"",
    );
    found.add(
        loss.lambda_sty == 0.0 || source == StyleSource::StyleCode,
        &["loss.lambda_sty", "style.source"],
        format!("`loss.lambda_sty` is {}, but `style.source` is {}", loss.lambda_sty, name(&source)),
        "set loss.lambda_sty = 0, or style.source = \"style_code\"",
    );
    found.add(
        !loss.diversity || loss.lambda_ds == 0.0 || source != StyleSource::Label,
        &["loss.diversity", "style.source"],
        format!("`loss.diversity` is on, but with `style.source` = {} there is nothing to be diverse", name(&source)),
        "set loss.diversity = false, or style.source = \"style_code\"",
    );
    found.add(
        !s.phases.reference || source == StyleSource::StyleCode,
        &["phases.reference", "style.source"],
        format!("`phases.reference` is on, but `style.source` is {}", name(&source)),
        "set phases.reference = false, or style.source = \"style_code\"",
    );
    found.add(
        !s.phases.reference_trains_style_encoder || s.phases.reference,
        &["phases.reference_trains_style_encoder", "phases.reference"],
        "`phases.reference_trains_style_encoder` has no effect without `phases.reference`".into(),
        "set phases.reference = true, or leave it out",
    );
}

/// A network whose channels double `times` times from `channels`; `paths` are those of the two settings.
fn doubling(found: &mut Conflicts, paths: [&'static str; 2], channels: usize, times: usize, official: &str) {
    let [of_channels, of_times] = paths;
    found.add(
        channels << times <= MOST_CHANNELS,
        &paths,
        format!("{channels} channels, doubled {times} times, are more than {MOST_CHANNELS}"),
        format!("set {of_channels} or {of_times} lower (official: {official})"),
    );
}

/// What only methods that mix domains in a batch read.
fn of_pairs(s: &Settings, found: &mut Conflicts) {
    let default = Train::default();
    for (path, holds) in [
        ("train.sampling", s.train.sampling == default.sampling),
        ("train.targets", s.train.targets == default.targets),
    ] {
        found.add(
            holds,
            &[path, "method"],
            format!("`{path}` has no effect: {} trains on a batch of every domain", name(&s.method)),
            "leave it out",
        );
    }
}

fn targets(s: &Settings, found: &mut Conflicts) {
    // Both take the reference images for images of the target domains.
    let needs_references = s.phases.reference
        || (s.loss.gradient_penalty == GradientPenalty::WganGp && s.discriminator.head == DiscriminatorHead::MultiTask);
    found.add(
        s.train.targets == Targets::References || !needs_references,
        &["train.targets", "phases.reference", "discriminator.head"],
        format!("`train.targets` is {}, but training needs reference images of the targets", name(&s.train.targets)),
        "set train.targets = \"references\", or phases.reference = false and a discriminator.head of \"acgan\"",
    );
}

fn data(d: &Dataset, found: &mut Conflicts) {
    let source = name(&d.source);
    found.add(
        d.source != DataSource::Folder || d.root.is_some(),
        &["dataset.source"],
        "the data set has no `root`".into(),
        "name its folder with --set dataset.root=PATH, or as root = \"PATH\" in the file",
    );
    found.add(
        d.source != DataSource::Shapes || d.root.is_none(),
        &["dataset.root", "dataset.source"],
        format!("`root` has no effect on a data set whose source is {source}: its images are made"),
        "choose a data set of files, for example with --set 'datasets=[\"NAME\"]'",
    );
    let default = Dataset::default();
    let made = d.source == DataSource::Shapes;
    for (path, changed) in [
        ("dataset.train_per_domain", d.train_per_domain != default.train_per_domain),
        ("dataset.val_per_domain", d.val_per_domain != default.val_per_domain),
        ("dataset.seed", d.seed != default.seed),
    ] {
        found.add(
            made || !changed,
            &[path],
            format!("`{}` has no effect on a data set whose source is {source}", &path["dataset.".len()..]),
            "leave it out; it belongs to source = \"shapes\"",
        );
    }
}
