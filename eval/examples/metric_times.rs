//! Seconds of each metric: `metric_times [ROWS] [DIMENSION] [FOLDER]` on random features, half of them 0 as after a ReLU;
//! with a folder, the features are also written there as raw 32-bit floats, `real.f32` and `fake.f32`, row-major.

use harness_eval::{
    Bootstrap, Distribution, FeatureSet, FidInfinitySettings, KernelDistance, Neighbours, fid_infinity,
    frechet_distance, frechet_estimate, kernel_distance, manifolds,
};
use harness_ops::random::Key;
use std::time::Instant;

fn features(rows: usize, dimension: usize, seed: u64, scale: f64, shift: f64) -> harness_eval::Result<FeatureSet> {
    let mut stream = Key::new(seed, "metric times").stream(0, 0);
    let values = (0..rows * dimension).map(|_| (scale * stream.normal() + shift).max(0.0) as f32).collect();
    FeatureSet::new(dimension, values)
}

fn timed<T>(name: &str, work: impl FnOnce() -> harness_eval::Result<T>) -> harness_eval::Result<T> {
    let started = Instant::now();
    let result = work()?;
    println!("{name:<28} {:8.3} s", started.elapsed().as_secs_f64());
    Ok(result)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().map_or(Ok(2000), |n| n.parse())?;
    let dimension = arguments.next().map_or(Ok(2048), |n| n.parse())?;
    let (real, fake) = (features(rows, dimension, 1, 1.0, 0.0)?, features(rows, dimension, 2, 1.1, 0.1)?);
    if let Some(folder) = arguments.next() {
        for (name, features) in [("real", &real), ("fake", &fake)] {
            let bytes: Vec<u8> = features.rows().iter().flat_map(|x| x.to_le_bytes()).collect();
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.f32")), bytes)?;
        }
    }
    let bootstrap = Bootstrap::default();
    let (reals, fakes) = (Distribution::Features(&real), Distribution::Features(&fake));
    let (a, b) = timed("moments of both", || Ok((real.moments()?, fake.moments()?)))?;
    let distance = timed("Fréchet distance", || frechet_distance(&a, &b))?;
    println!("{distance:?}");
    let full = timed("with moments and interval", || frechet_estimate(reals, fakes, &bootstrap))?;
    println!("{:?}", full.estimate);
    let kid = timed("KID", || kernel_distance(&real, &fake, KernelDistance::BLOCK, &bootstrap))?;
    println!("{:?}", kid.estimate);
    let manifolds = timed("precision to coverage", || manifolds(&real, &fake, Neighbours::default(), &bootstrap))?;
    println!("{:?} {:?}", manifolds.precision.estimate, manifolds.recall.estimate);
    println!("{:?} {:?}", manifolds.density.estimate, manifolds.coverage.estimate);
    let settings = FidInfinitySettings::default();
    let infinity = timed("FID infinity", || fid_infinity(reals, &fake, &full, settings, &bootstrap))?;
    println!("{:?} residual {}", infinity.estimate, infinity.residual);
    Ok(())
}
