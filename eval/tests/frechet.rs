//! Fréchet distances against pytorch-fid (SciPy's `sqrtm`).

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{golden, shared_dir, unit};
use harness_eval::{Moments, frechet_distance};

#[test]
fn reference_distances() {
    let Some(shared) = shared_dir() else { return };
    let golden = golden(&shared, "eval.json");
    let cases = golden["frechet"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let (dim, samples) = (case["dim"].as_u64().unwrap() as usize, case["samples"].as_u64().unwrap() as usize);
        let moments = |letter: &str, scale: f64, shift: f64| {
            let rows: Vec<f32> = unit(&format!("frechet.{letter}.{dim}.{samples}"), dim * samples)
                .into_iter()
                .map(|u| (scale * u + shift) as f32)
                .collect();
            let mut moments = Moments::new(dim);
            rows.chunks(50 * dim).for_each(|rows| moments.push(rows).unwrap());
            moments
        };
        let started = std::time::Instant::now();
        let found = frechet_distance(&moments("a", 1.0, 0.0), &moments("b", 1.3, 0.1)).unwrap();
        let expected = case["distance"].as_f64().unwrap();
        let relative = (found.value / expected - 1.0).abs();
        eprintln!("{dim}x{samples}: {found:?}, relative {relative:e}, {:?}", started.elapsed());
        assert!(relative < 1e-6, "{dim}x{samples}: {} against {expected}", found.value);
        assert_eq!(found.rank, dim.min(samples - 1));
    }
}
