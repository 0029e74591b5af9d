//! The rows of an evaluation: which metrics of which features, under which protocol ids.

use super::evaluator::{Absent, Evaluator, Pair};
use super::measures::Measures;
use super::real_images::RealImages;
use super::rows::Column;
use super::task::Task;
use crate::experiment::settings::{Evaluation, Metric};
use crate::methods::Mode;
use harness_eval::{Bootstrap, FeatureMetric, FeatureSet};
use harness_reports::records::EvaluationRow;
use std::sync::Arc;

impl Evaluator {
    /// The rows of the tasks of one mode. Not `steady`: see [`Evaluator::is_steady`]. `real`: features of the training images, per domain and extractor.
    pub(super) fn rows(
        &self,
        mode: Mode,
        steady: bool,
        iteration: u64,
        real: &[Vec<Arc<FeatureSet>>],
        tasks: &[(Pair, Task)],
    ) -> Vec<EvaluationRow> {
        let outputs = self.outputs(mode);
        let column = |metric: &str, protocol: String, outputs: usize| Column {
            iteration,
            mode: mode.name(),
            metric: metric.into(),
            protocol: protocol + &self.caps(metric),
            outputs: outputs as u64,
        };
        let measures = Measures {
            tasks,
            real,
            names: tasks.iter().map(|(pair, _)| self.task_name(*pair)).collect(),
            sources: tasks.iter().map(|(pair, _)| self.sources(pair.source).len() as u64).collect(),
            outputs: outputs as u64,
            bootstrap: self.bootstrap(),
        };
        let mut rows = Vec::new();
        if let Some(lpips) = &self.lpips {
            let protocol = lpips.diversity_protocol(self.image_size, self.settings.batch_size).to_string();
            rows.extend(column("lpips", protocol, outputs).rows(measures.diversity(steady)));
        }
        for (k, extractor) in self.extractors.iter().enumerate() {
            let wanted = self.wanted(k);
            let column = |metric: FeatureMetric, outputs: usize| {
                let protocol = extractor.protocol(metric, &format!("native{}", self.image_size));
                column(&extractor.metric(metric), protocol.to_string(), outputs)
            };
            for (metric, summary) in measures.of_features(k, &wanted) {
                rows.extend(column(metric, outputs).rows(summary));
            }
            if self.settings.single_output_control && outputs > 1 && wanted.contains(&FeatureMetric::Frechet) {
                let summary = measures.frechet_of_first_outputs(k);
                rows.extend(column(FeatureMetric::Frechet, 1).rows(summary));
            }
        }
        for Absent { metric, protocol, reason } in &self.missing {
            rows.extend(column(metric, protocol.clone(), outputs).rows(measures.missing(reason)));
        }
        rows
    }

    /// The Fréchet distances of validation images to training images.
    pub(super) fn rows_of_real_images(
        &self,
        train: &[Vec<Arc<FeatureSet>>],
        val: &[Vec<Arc<FeatureSet>>],
    ) -> Vec<EvaluationRow> {
        let images = RealImages { domains: self.data.domains(), train, val, bootstrap: self.bootstrap() };
        let column = |metric: &str, protocol: String| Column {
            iteration: 0,
            mode: "real",
            metric: metric.into(),
            protocol: protocol + &self.caps(metric),
            outputs: 1,
        };
        let mut rows = Vec::new();
        for (k, extractor) in self.extractors.iter().enumerate() {
            if self.wanted(k).contains(&FeatureMetric::Frechet) {
                let protocol = extractor.protocol(FeatureMetric::Frechet, &format!("native{}", self.image_size));
                let metric = extractor.metric(FeatureMetric::Frechet);
                rows.extend(column(&metric, protocol.to_string()).rows(images.frechet(k)));
            }
        }
        for Absent { metric, protocol, reason } in &self.missing {
            if [FeatureMetric::Frechet.name(), "fd_alexnet"].contains(&metric.as_str()) {
                rows.extend(column(metric, protocol.clone()).rows(images.missing(reason)));
            }
        }
        rows
    }

    /// The metrics of the features of extractor `k`. `fd_alexnet` needs no download and is always measured.
    fn wanted(&self, k: usize) -> Vec<FeatureMetric> {
        let mut wanted = feature_metrics(&self.settings);
        if k == 0 && self.extractors[k].is_alexnet() && !wanted.contains(&FeatureMetric::Frechet) {
            wanted.insert(0, FeatureMetric::Frechet);
        }
        wanted
    }

    fn bootstrap(&self) -> Option<Bootstrap> {
        let replicates = self.settings.bootstrap;
        (replicates > 0).then(|| Bootstrap { seed: self.seed, replicates, ..Bootstrap::default() })
    }

    /// What caps on the number of images add to a protocol's id: a capped metric is another metric.
    fn caps(&self, metric: &str) -> String {
        let sources = self.settings.max_sources.map(|n| format!("/sources{n}"));
        // LPIPS compares outputs with each other.
        let reals = self.settings.max_reals.filter(|_| metric != "lpips").map(|n| format!("/reals{n}"));
        sources.into_iter().chain(reals).collect()
    }
}

/// The metrics of features that the settings ask for.
pub(super) fn feature_metrics(settings: &Evaluation) -> Vec<FeatureMetric> {
    let of = |metric: &Metric| match metric {
        Metric::Lpips => &[][..],
        Metric::Fid => &[FeatureMetric::Frechet],
        Metric::Kid => &[FeatureMetric::Kernel],
        Metric::Prdc => {
            &[FeatureMetric::Precision, FeatureMetric::Recall, FeatureMetric::Density, FeatureMetric::Coverage]
        }
    };
    settings.metrics.iter().flat_map(of).copied().collect()
}
