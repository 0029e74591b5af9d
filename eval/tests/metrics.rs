//! KID and the manifold metrics against the reference tools: a direct evaluation in NumPy (double precision), and `prdc`
//! 0.2 of PyPI, on features made from names.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::unit;
use harness_eval::{Bootstrap, FeatureSet, KernelDistance, Neighbours, kernel_distance, manifolds};

const REALS: usize = 300;
const FAKES: usize = 400;
const DIMENSION: usize = 16;

fn features() -> (FeatureSet, FeatureSet) {
    let set = |name: &str, n: usize, scale: f64, shift: f64| {
        let rows = unit(name, n * DIMENSION).into_iter().map(|u| (scale * u + shift) as f32).collect();
        FeatureSet::new(DIMENSION, rows).unwrap()
    };
    (set("metrics.real", REALS, 1.0, 0.0), set("metrics.fake", FAKES, 1.1, 0.1))
}

#[test]
fn kid() {
    let (real, fake) = features();
    let found = kernel_distance(&real, &fake, KernelDistance::BLOCK, &Bootstrap::default()).unwrap().estimate.value;
    assert!((found - 0.035_121_658_273_148_17).abs() < 1e-12, "{found}");
}

/// The counts are equal, not merely close.
#[test]
fn precision_recall_density_coverage() {
    let (real, fake) = features();
    let [reals, fakes] = [REALS, FAKES].map(|n| n as f64);
    for (k, [precision, recall, density, coverage]) in
        [(3, [252.0, 286.0, 580.0, 216.0]), (5, [318.0, 297.0, 1003.0, 271.0])]
    {
        let neighbours = Neighbours { precision_recall: k, density_coverage: k };
        let found = manifolds(&real, &fake, neighbours, &Bootstrap::default()).unwrap();
        let count = |estimate: harness_eval::Estimate, of: f64| (estimate.value * of * 1e6).round() / 1e6;
        assert_eq!(count(found.precision.estimate, fakes), precision);
        assert_eq!(count(found.recall.estimate, reals), recall);
        assert_eq!(count(found.density.estimate, fakes * k as f64), density);
        assert_eq!(count(found.coverage.estimate, reals), coverage);
    }
}
