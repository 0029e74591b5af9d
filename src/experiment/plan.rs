//! From an [`Experiment`] and the user's options to the list of runs.

use super::check;
use super::decode::decode;
use super::error::{Collector, ConfigError, ConfigErrors};
use super::layers::{Layer, Overrides, lay, layers, parse_sets};
use super::load::{check_selection, known_variant, runnable};
use super::model::{Experiment, Named, ProfileEntry};
use super::settings::{Architecture, Dataset, MethodName, RunSpec, Settings};
use super::source::argument;
use super::suggest;

/// Seed of the official code, where no seed is given.
const DEFAULT_SEED: u64 = 777;

/// What the user chooses on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// Profile to lay over the variants.
    pub profile: Option<String>,
    /// Variants to run; empty means those the file names.
    pub only: Vec<String>,
    /// `key=value` settings, over everything else: `train.iterations=50`, `dataset.root=PATH`, `seeds=[1,2]`.
    pub sets: Vec<String>,
    /// Options of their own that stand for settings, over `sets`.
    pub flags: Vec<Flag>,
}

/// An option that stands for a setting, so that what is wrong with it is said of the option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// As typed, for example `--image-size 64`.
    pub option: String,
    /// What it means, for example `train.image_size=64`.
    pub set: String,
}

/// The runs of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The experiment's name: the folder of its runs.
    pub experiment: String,
    /// Heading of reports; the name if the file gives none.
    pub title: String,
    /// What the experiment is about.
    pub description: String,
    /// Keys of the published tables it is compared with.
    pub tables: Vec<String>,
    /// The chosen profile.
    pub profile: Option<String>,
    /// The variants, in the order of the rows.
    pub variants: Vec<VariantInfo>,
    /// The runs, by data set, then seed, then variant.
    pub runs: Vec<RunSpec>,
}

/// A variant as reports show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantInfo {
    /// Its key, for example `F`.
    pub key: String,
    /// Its row label, for example `+ Diversity regularization`; the key if the file gives none.
    pub label: String,
    /// What it is.
    pub description: String,
    /// The variant it builds on.
    pub extends: Option<String>,
}

/// What [`PlanOptions`] mean for an experiment: names looked up, lists chosen.
pub(crate) struct Choice<'a> {
    pub(crate) profile: Option<&'a ProfileEntry>,
    pub(crate) overrides: Overrides,
    variants: Vec<String>,
    datasets: Vec<String>,
    seeds: Vec<u64>,
}

/// One variant on one data set, fully resolved, and the layers it came from.
pub(crate) struct Resolved {
    pub(crate) settings: Settings,
    pub(crate) dataset: Dataset,
    pub(crate) layers: Vec<Layer>,
}

impl Experiment {
    /// The runs that the options choose, each with all its settings.
    ///
    /// # Errors
    /// Unknown names, `--set` options that do not fit, and values that do not go together, each with the place where
    /// the value was written, whichever layer that is in.
    pub fn plan(&self, options: &PlanOptions) -> Result<Plan, ConfigErrors> {
        let choice = self.choose(options)?;
        let mut errors = Collector::default();
        let variants: Vec<VariantInfo> = choice.variants.iter().map(|key| self.variant_info(key)).collect();
        let mut runs = Vec::new();
        for dataset in &choice.datasets {
            let resolve = |info: &VariantInfo| self.resolve(&choice, &info.key, dataset, &mut errors);
            let resolved: Vec<Resolved> = variants.iter().map(resolve).collect();
            for &seed in &choice.seeds {
                let specs = variants.iter().zip(&resolved).map(|(info, resolved)| RunSpec {
                    experiment: self.header.name.clone(),
                    variant: info.key.clone(),
                    label: info.label.clone(),
                    dataset_name: dataset.clone(),
                    profile: options.profile.clone(),
                    dataset: resolved.dataset.clone(),
                    seed,
                    settings: resolved.settings.clone(),
                });
                runs.extend(specs);
            }
        }
        errors.finish(Plan {
            experiment: self.header.name.clone(),
            title: self.header.title.clone().unwrap_or_else(|| self.header.name.clone()),
            description: self.header.description.clone().unwrap_or_default(),
            tables: self.header.tables.clone(),
            profile: options.profile.clone(),
            variants,
            runs,
        })
    }

    fn variant_info(&self, key: &str) -> VariantInfo {
        let entry = self.variant(key);
        VariantInfo {
            key: key.to_string(),
            label: entry.and_then(|v| v.label.clone()).unwrap_or_else(|| key.to_string()),
            description: entry.and_then(|v| v.description.clone()).unwrap_or_default(),
            extends: entry.and_then(|v| v.extends.as_ref()).map(|(base, _)| base.clone()),
        }
    }

    /// Looks up what the options name.
    pub(crate) fn choose(&self, options: &PlanOptions) -> Result<Choice<'_>, ConfigErrors> {
        let mut errors = Collector::default();
        let overrides = parse_sets(&options.sets, &options.flags, &mut errors);
        check_selection(self, &overrides.selection, &mut errors);
        let profile = options.profile.as_ref().and_then(|name| {
            let found = self.profile(name);
            if found.is_none() {
                let at = argument("--profile", name);
                let known = self.profiles.iter().map(|p| p.key.as_str());
                errors.push(suggest::unknown_name(at, "profile", name, known));
            }
            found
        });

        let selections: Vec<_> = [Some(&overrides.selection), profile.map(|p| &p.selection), Some(&self.selection)]
            .into_iter()
            .flatten()
            .collect();
        let names = |list: &Vec<Named>| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let seeds = selections.iter().find_map(|s| s.seeds.clone()).unwrap_or_else(|| vec![DEFAULT_SEED]);
        let datasets = selections.iter().find_map(|s| s.datasets.as_ref()).map(names);
        let datasets = datasets.unwrap_or_else(|| self.only_dataset(&mut errors));
        let listed = selections.iter().find_map(|s| s.variants.as_ref()).map(names);
        let listed = listed.unwrap_or_else(|| self.variants().into_iter().map(String::from).collect());
        let variants = self.narrow(listed, &options.only, &mut errors);
        errors.finish(Choice { profile, overrides, variants, datasets, seeds })
    }

    /// Without a list of data sets: the only one there is.
    fn only_dataset(&self, errors: &mut Collector) -> Vec<String> {
        if let [only] = self.datasets.as_slice() {
            return vec![only.key.clone()];
        }
        let (message, help) = if self.datasets.is_empty() {
            ("the experiment defines no data set", "add a table [dataset.NAME]".to_string())
        } else {
            let known = self.datasets().join(", ");
            ("no data set is chosen", format!("set `datasets` in [experiment] or with --set; known: {known}"))
        };
        errors.push(ConfigError::at(self.start.clone(), message).help(help));
        Vec::new()
    }

    /// The variants that `--only` names, in the order of the rows; one that is not among the rows comes after them.
    fn narrow(&self, listed: Vec<String>, only: &[String], errors: &mut Collector) -> Vec<String> {
        if listed.is_empty() {
            errors.push(
                ConfigError::at(self.start.clone(), "the experiment defines no variant")
                    .help("add a table [variant.NAME]"),
            );
        }
        if only.is_empty() {
            return listed;
        }
        for name in only {
            let named = (name.clone(), argument("--only", name));
            if known_variant(self, &named, errors) {
                runnable(self, &named, errors);
            }
        }
        let others = self.variants().into_iter().map(String::from).filter(|v| !listed.contains(v)).collect::<Vec<_>>();
        listed.into_iter().chain(others).filter(|v| only.contains(v)).collect()
    }

    /// Lays the layers of one variant on one data set over each other and checks that they go together.
    pub(crate) fn resolve(&self, choice: &Choice, variant: &str, dataset: &str, errors: &mut Collector) -> Resolved {
        let layers = layers(self, variant, dataset, choice.profile, &choice.overrides);
        let (mut settings_node, mut dataset_node) = lay(&layers, &self.start);
        let mut settings = decode::<Settings>(&mut settings_node, "", errors);
        let data = decode::<Dataset>(&mut dataset_node, "dataset", errors);
        for conflict in check::conflicts(&settings, &data) {
            let written = conflict.paths.iter().find_map(|path| match path.strip_prefix("dataset.") {
                Some(field) => dataset_node.lookup(field),
                None => settings_node.lookup(path),
            });
            let is_data = conflict.paths.iter().all(|path| path.starts_with("dataset."));
            let at = written.map_or(&dataset_node.at, |node| &node.at).clone();
            let error = ConfigError::at(at, conflict.message).help(conflict.help);
            errors.push(if is_data { error } else { error.in_variant(variant) });
        }
        for layer in layers.iter().filter(|layer| layer.of_variant) {
            for table in settings.method.tables_of_others() {
                let Some(node) = layer.settings.get(table) else { continue };
                let method = settings.method.name();
                let message = format!("`{table}` has no effect: the method of this variant is \"{method}\"");
                let known = settings.method.tables().join(", ");
                let help = format!("leave it out, or set another `method`; tables of \"{method}\" alone: {known}");
                errors.push(ConfigError::at(node.key_at.clone(), message).help(help).in_variant(variant));
            }
        }
        if !settings.loss.diversity {
            settings.loss.lambda_ds = 0.0;
        }
        if settings.method != MethodName::StarganV2 || settings.generator.arch != Architecture::StarganV2 {
            settings.generator.w_hpf = 0.0;
        }
        Resolved { settings, dataset: data, layers }
    }
}
