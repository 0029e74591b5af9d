//! Distances between two sets of images.

use super::MeasureError;
use super::side::{Distribution, Side};
use harness_eval::{
    Bootstrap, Distribution as Sampled, Estimate, Extractor, FeatureMetric, FeatureSet, FidInfinitySettings,
    FrechetEstimate, KernelDistance, Neighbours, Protocol, fid_infinity, frechet_estimate, kernel_distance, manifolds,
};
use serde_json::{Map, Value, json};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetMetric {
    /// Fréchet distance.
    Fid,
    /// Kernel distance.
    Kid,
    /// Improved precision and recall, density and coverage.
    Prdc,
    /// Fréchet distance extrapolated to infinitely many generated images.
    FidInfinity,
}

impl SetMetric {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fid => "fid",
            Self::Kid => "kid",
            Self::Prdc => "prdc",
            Self::FidInfinity => "fid-infinity",
        }
    }
}

/// One number.
#[derive(Debug, Clone)]
pub struct Measurement {
    /// Name, for example `fid` or `fid_768`.
    pub metric: String,
    /// Value, counts, interval.
    pub estimate: Estimate,
    /// What it is the value of.
    pub protocol: Protocol,
    /// What else is known, by name.
    pub details: Map<String, Value>,
}

/// The distances of two sets.
#[derive(Debug, Clone)]
pub struct FidReport {
    /// In the order asked for.
    pub measurements: Vec<Measurement>,
    /// Real images, if known.
    pub n_real: Option<u64>,
    /// Generated images, if known.
    pub n_fake: Option<u64>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl FidReport {
    /// The protocol of the first number.
    pub fn protocol(&self) -> Option<String> {
        self.measurements.first().map(|measurement| measurement.protocol.to_string())
    }
}

/// Measures two sets. Without a bootstrap there are no intervals, and what only intervals need is not computed.
///
/// # Errors
/// Too few images, or a metric that needs features of a set known by its statistics.
pub fn distances(
    real: &Side,
    fake: &Side,
    extractor: &Extractor,
    metrics: &[SetMetric],
    bootstrap: Option<&Bootstrap>,
    seed: u64,
) -> Result<FidReport, MeasureError> {
    let mut warnings: Vec<String> = [real, fake].into_iter().flat_map(|side| side.warnings.clone()).collect();
    let mut measurements = Vec::new();
    let mut push = |metric: FeatureMetric, suffix: &str, estimate: Estimate, details: Value| {
        let mut protocol = extractor.protocol(metric, "native");
        protocol.metric.push_str(suffix);
        let estimate = Estimate { uncertainty: estimate.uncertainty.filter(|_| bootstrap.is_some()), ..estimate };
        let details = details.as_object().cloned().unwrap_or_default();
        let metric = extractor.metric(metric) + suffix;
        measurements.push(Measurement { metric, estimate, protocol, details });
    };
    // What needs replicates although nobody asked for them.
    let replicates = Bootstrap { seed, replicates: 2, ..Bootstrap::default() };
    let bootstrap_or_few = bootstrap.unwrap_or(&replicates);
    let mut frechet: Option<FrechetEstimate> = None;
    for metric in metrics {
        match metric {
            SetMetric::Fid => {
                let (distance, estimate) = match bootstrap {
                    Some(bootstrap) => {
                        let full = frechet.insert(frechet_estimate(real.sampled(), fake.sampled(), bootstrap)?);
                        (full.distance, full.estimate)
                    }
                    None => {
                        let distance = real.sampled().gaussian()?.distance(fake.sampled().gaussian()?.as_ref())?;
                        let (n_real, n_fake) = (real.count(), fake.count());
                        (distance, Estimate { value: distance.value, n_real, n_fake, uncertainty: None })
                    }
                };
                let details = json!({
                    "mean_term": distance.mean_term,
                    "rank": distance.rank,
                    "clipped_mass": distance.clipped_mass,
                });
                warnings.extend(distance.warning());
                push(FeatureMetric::Frechet, "", estimate, details);
            }
            SetMetric::Kid => {
                let (real, fake) = (real.features_for("kid")?, fake.features_for("kid")?);
                let kid = kernel_distance(real, fake, KernelDistance::BLOCK, bootstrap_or_few)?;
                let details = json!({
                    "block_deviation": kid.block_deviation,
                    "block": kid.block,
                    "blocks": kid.blocks,
                });
                push(FeatureMetric::Kernel, "", kid.estimate, details);
            }
            SetMetric::Prdc => {
                let (real, fake) = (real.features_for("prdc")?, fake.features_for("prdc")?);
                let neighbours = Neighbours::default();
                let found = manifolds(real, fake, neighbours, bootstrap_or_few)?;
                let details = |k: usize| json!({ "neighbour": k });
                for (metric, estimate, k) in [
                    (FeatureMetric::Precision, found.precision.estimate, neighbours.precision_recall),
                    (FeatureMetric::Recall, found.recall.estimate, neighbours.precision_recall),
                    (FeatureMetric::Density, found.density.estimate, neighbours.density_coverage),
                    (FeatureMetric::Coverage, found.coverage.estimate, neighbours.density_coverage),
                ] {
                    push(metric, "", estimate, details(k));
                }
            }
            SetMetric::FidInfinity => {
                let features = fake.features_for("fid-infinity")?;
                // Its interval comes from the influences of the distance of all images.
                let full = match &frechet {
                    Some(full) => full,
                    None => frechet.insert(frechet_estimate(real.sampled(), fake.sampled(), bootstrap_or_few)?),
                };
                let settings = FidInfinitySettings { seed, ..FidInfinitySettings::default() };
                let found = fid_infinity(real.sampled(), features, full, settings, bootstrap_or_few)?;
                let details = json!({ "slope": found.slope, "residual": found.residual, "points": found.points });
                push(FeatureMetric::Frechet, "_infinity", found.estimate, details);
            }
        }
    }
    warnings.extend(extractor.warning());
    Ok(FidReport { measurements, n_real: real.count(), n_fake: fake.count(), warnings })
}

impl Side {
    /// Number of images, if known.
    fn count(&self) -> Option<u64> {
        match &self.distribution {
            Distribution::Features { features, .. } => Some(features.count() as u64),
            Distribution::Statistics { gaussian, .. } => gaussian.count(),
        }
    }

    fn sampled(&self) -> Sampled<'_> {
        match &self.distribution {
            Distribution::Features { features, .. } => Sampled::Features(features),
            Distribution::Statistics { gaussian, .. } => Sampled::Statistics(gaussian),
        }
    }

    fn features_for(&self, metric: &str) -> Result<&FeatureSet, MeasureError> {
        match &self.distribution {
            Distribution::Features { features, .. } => Ok(features),
            Distribution::Statistics { path, .. } => Err(MeasureError::Input {
                input: path.display().to_string(),
                problem: format!("holds statistics; {metric} needs the images themselves"),
            }),
        }
    }
}
