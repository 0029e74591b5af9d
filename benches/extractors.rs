//! Times feature extraction from 8-bit images: Inception v3 as in pytorch-fid at each of its taps, AlexNet's pooled
//! features, and LPIPS features. `benches/pytorch/extractors.py` times the same in PyTorch, under the same names.
//!
//! `HARNESS_BENCH_INCEPTION` names a weights file of the FID Inception network; the Python script writes one of random
//! numbers with `--write-weights`. Without it, the network is left out.
//!
//! Prints a table, or with `HARNESS_BENCH_JSON=1` one JSON object a line: extractor, input, images per second, by the
//! shortest time of several. A part of a name as argument chooses extractors. `RAYON_NUM_THREADS` sets the number of
//! threads.

use harness::train::in_pool;
use harness_eval::{AlexNet, Architecture, Inception, Lpips, Normalization, Preprocessing, Rgb8Images, Tap};
use image::RgbImage;
use std::path::Path;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Fewest runs of each measurement, and the least time spent on it.
const LEAST: (usize, Duration) = (3, Duration::from_secs(2));

/// LPIPS of all pairs of ten outputs, per source.
const DIVERSITY: &str = "lpips of 45 pairs";

/// How results are written and which are wanted.
struct Session {
    json: bool,
    only: Option<String>,
}

impl Session {
    fn wants(&self, extractor: &str) -> bool {
        self.only.as_ref().is_none_or(|only| extractor.contains(only.as_str()))
    }

    /// Times `work` on `count` images of `side` pixels and writes a line.
    fn report(
        &self,
        extractor: &str,
        (count, side): (usize, u32),
        work: impl Fn(&Rgb8Images) -> harness_eval::Result<()>,
    ) -> Result<(), Failure> {
        let images = images(count, side)?;
        work(&images)?;
        let (mut shortest, mut spent, mut runs) = (Duration::MAX, Duration::ZERO, 0);
        while runs < LEAST.0 || spent < LEAST.1 {
            let start = Instant::now();
            work(&images)?;
            let time = start.elapsed();
            (shortest, spent, runs) = (shortest.min(time), spent + time, runs + 1);
        }
        let (input, rate) = (format!("{count} x {side} px"), count as f64 / shortest.as_secs_f64());
        if self.json {
            let line = serde_json::json!({ "extractor": extractor, "input": input, "images_per_second": rate });
            println!("{line}");
        } else {
            println!("{extractor:24} {input:16} {rate:10.2} images/s");
        }
        Ok(())
    }

    fn inception(&self, path: &Path) -> Result<(), Failure> {
        let network = Inception::load(path, Architecture::Fid2015)?;
        for &tap in network.taps() {
            let name = format!("pytorch-fid {}", tap.dimension());
            if self.wants(&name) {
                let features = |images: &Rgb8Images| network.features(images, Preprocessing::PytorchFid, tap).map(drop);
                for size in [(16, 299), (16, 256)] {
                    self.report(&name, size, features)?;
                }
            }
        }
        if self.wants("stargan-v2 2048") && network.deepest_tap() == Tap::Dim2048 {
            // The two networks differ in nothing that takes time.
            let preprocessing = Preprocessing::StarganV2 { side: 256 };
            let features = |images: &Rgb8Images| network.features(images, preprocessing, Tap::Dim2048).map(drop);
            self.report("stargan-v2 2048", (16, 256), features)?;
        }
        Ok(())
    }

    fn alexnet(&self) -> Result<(), Failure> {
        let network = AlexNet::bundled()?;
        let lpips = Lpips::bundled(Normalization::StarganV2)?;
        for size in [(256, 32), (128, 64), (64, 128), (16, 256)] {
            if self.wants("alexnet") {
                self.report("alexnet", size, |images| network.pooled_conv5(images).map(drop))?;
            }
            if self.wants("lpips") {
                self.report("lpips", size, |images| lpips.features(&images.to_signed()).map(drop))?;
            }
        }
        if self.wants(DIVERSITY) {
            let outputs = (0..10).map(|_| Ok(images(8, 256)?.to_signed())).collect::<Result<Vec<_>, Failure>>()?;
            self.report(DIVERSITY, (8, 256), |_| lpips.diversity_of_batch(&outputs).map(drop))?;
        }
        Ok(())
    }
}

/// Images with slopes and edges, all different.
fn images(count: usize, side: u32) -> harness_eval::Result<Rgb8Images> {
    let image = |salt: u32| {
        let pixel = |x: u32, y: u32| [(x * 5 + salt) as u8, (y * 3 + x * y / 16) as u8, (x * y + 7 * salt) as u8];
        RgbImage::from_fn(side, side, |x, y| image::Rgb(pixel(x, y)))
    };
    Rgb8Images::from_images(&(0..count as u32).map(image).collect::<Vec<_>>())
}

fn main() -> Result<(), Failure> {
    // `cargo bench` adds an argument of its own.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let json = std::env::var_os("HARNESS_BENCH_JSON").is_some_and(|value| value == "1");
    let session = Session { json, only };
    let weights = std::env::var_os("HARNESS_BENCH_INCEPTION");
    let all = || {
        match &weights {
            Some(path) => session.inception(Path::new(path))?,
            None => eprintln!("without Inception: set HARNESS_BENCH_INCEPTION to a weights file"),
        }
        session.alexnet()
    };
    // As evaluation runs: inside a pool.
    in_pool(rayon::current_num_threads(), all)
}
