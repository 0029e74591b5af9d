//! Run folders as the trainer writes them, with made-up but plausible numbers and small drawn samples.

use harness_reports::records::{
    EvaluationRow, EventRow, FORMAT_VERSION, MetricRow, ProvenanceRecord, RunRecord, RunState, SheetCell, SheetRecord,
    StateRecord, close_tables,
};
use image::{Rgb, RgbImage};
use serde_json::json;
use std::path::{Path, PathBuf};

pub const DOMAINS: [&str; 3] = ["disc", "square", "triangle"];
/// The ablation, then the methods of Tables 2 and 3.
pub const LABELS: [(&str, &str); 10] = [
    ("A", "Baseline StarGAN"),
    ("B", "+ Multi-task discriminator"),
    ("C", "+ Tuning (e.g. R1 regularization)"),
    ("D", "+ Latent code injection"),
    ("E", "+ Replace (D) with style code"),
    ("F", "+ Diversity regularization"),
    ("munit", "MUNIT"),
    ("drit", "DRIT"),
    ("msgan", "MSGAN"),
    ("stargan_v2", "StarGAN v2"),
];
/// Places of the methods in [`LABELS`].
pub const METHODS: std::ops::Range<usize> = 6..10;
const FD: [f64; 10] = [131.4, 124.9, 88.2, 61.7, 47.3, 39.8, 71.2, 93.5, 66.0, 38.1];
#[allow(clippy::approx_constant, reason = "a made-up metric, not 1/π")]
const LPIPS: [f64; 10] = [0.0, 0.0, 0.0, 0.083, 0.221, 0.318, 0.302, 0.161, 0.288, 0.331];
const SEPARATOR: [u64; 3] = [73, 37, 11];

/// What to make. `..Run::of(place)` fills in the rest.
#[derive(Clone)]
pub struct Run {
    pub place: usize,
    pub seed: u64,
    pub dataset: String,
    pub profile: Option<String>,
    pub state: RunState,
    pub iteration: u64,
    pub iterations: u64,
    pub image_size: u64,
    pub r1_gamma: f64,
    pub workers: u64,
    pub fid: Option<f64>,
    pub lpips: Option<f64>,
    pub procedure: String,
    pub closed: bool,
    pub sheets: bool,
    /// Whether it takes reference images.
    pub references: bool,
    /// Distance of real images to real images, if it was measured.
    pub real: Option<f64>,
}

impl Run {
    pub fn of(place: usize) -> Self {
        Self {
            place,
            seed: 1,
            dataset: "shapes".into(),
            profile: Some("tiny".into()),
            state: RunState::Finished,
            iteration: 600,
            iterations: 600,
            image_size: 32,
            r1_gamma: 1.0,
            workers: 2,
            fid: None,
            lpips: None,
            procedure: "stargan-v2".into(),
            closed: true,
            sheets: true,
            references: place >= 4,
            real: None,
        }
    }

    /// A method of Tables 2 and 3 as the paper has it, with made-up numbers.
    pub fn method(place: usize, dataset: &str, fid: f64, lpips: f64) -> Self {
        Self {
            dataset: dataset.into(),
            profile: None,
            image_size: 256,
            iterations: 100_000,
            iteration: 100_000,
            fid: Some(fid),
            lpips: Some(lpips),
            sheets: false,
            ..Self::of(place)
        }
    }

    fn domains(&self) -> &'static [&'static str] {
        match self.dataset.as_str() {
            "celeba_hq" => &["female", "male"],
            "afhq" => &["cat", "dog", "wild"],
            _ => &DOMAINS,
        }
    }

    fn has_code(&self) -> bool {
        self.place >= 3
    }

    /// Writes the folder into `parent`.
    pub fn write(&self, parent: &Path) -> PathBuf {
        let (variant, label) = LABELS[self.place];
        let mut key = vec![self.place as u64, self.seed, self.r1_gamma.to_bits(), self.image_size];
        if METHODS.contains(&self.place) {
            key.extend(self.dataset.bytes().map(u64::from));
        }
        let digits = noise(&key);
        let faces = self.dataset != "afhq";
        let method = match variant {
            "munit" => "munit",
            "drit" | "msgan" => "drit",
            _ => "stargan_v2",
        };
        let id = format!("{:08x}{}", (digits * f64::from(u32::MAX)) as u32, "0".repeat(56));
        let folder = parent.join(format!("{variant}-{}-s{}-{}", self.dataset, self.seed, &id[..8]));
        std::fs::create_dir_all(&folder).unwrap();
        let spec = json!({
            "experiment": "ablation", "variant": variant, "label": label, "dataset_name": self.dataset,
            "profile": self.profile, "seed": self.seed, "dataset": {"source": "shapes"},
            "settings": {
                "train": {"image_size": self.image_size, "iterations": self.iterations, "batch_size": 8},
                "method": method,
                "munit": {
                    "base_channels": 64, "style_dim": 8, "residual_blocks": 4, "mlp_dim": 256,
                    "discriminator_channels": 64, "discriminator_layers": 4, "discriminator_scales": 3,
                },
                "drit": {
                    "mode_seeking": variant == "msgan", "base_channels": 64, "latent_dim": 8, "d_iter": 3,
                    "discriminator_channels": 64, "discriminator_layers": 4, "discriminator_scales": 3,
                },
                "loss": {"r1_gamma": self.r1_gamma, "lambda_ds": if faces { 1.0 } else { 2.0 }},
                "loader": {"workers": self.workers},
                "evaluation": {"outputs": 10},
                "generator": {"max_channels": 64, "w_hpf": if faces { 1.0 } else { 0.0 }},
            },
        });
        json_file(
            &folder.join("run.json"),
            &RunRecord {
                format: FORMAT_VERSION,
                id,
                experiment: "ablation".into(),
                variant: variant.into(),
                label: label.into(),
                dataset: self.dataset.clone(),
                profile: self.profile.clone(),
                seed: self.seed,
                domains: self.domains().iter().map(ToString::to_string).collect(),
                data_fingerprint: "d47af1".repeat(10) + "beef",
                spec,
            },
        );
        let reason = match self.state {
            RunState::Failed => Some("loss D/latent_real is not finite <NaN> & training stopped".to_string()),
            RunState::Interrupted => Some("stopped by SIGINT".to_string()),
            _ => None,
        };
        json_file(
            &folder.join("state.json"),
            &StateRecord {
                format: FORMAT_VERSION,
                state: self.state,
                iteration: self.iteration,
                iterations: self.iterations,
                seconds: 61.0 + 17.3 * self.place as f64,
                heartbeat: format!("2026-11-20T10:{:02}:00Z", 10 + self.place),
                reason,
            },
        );
        if self.state != RunState::Planned {
            self.write_live(&folder);
        }
        if self.closed && self.state == RunState::Finished {
            close_tables(&folder).unwrap();
        }
        folder
    }

    fn write_live(&self, folder: &Path) {
        json_file(
            &folder.join("provenance.json"),
            &vec![ProvenanceRecord {
                started: format!("2026-11-20T10:{:02}:00Z", self.place),
                version: "0.1.0".into(),
                binary: "b1a2".repeat(16),
                commit: Some("aa96fac".into()),
                dirty: Some(false),
                device: "cpu".into(),
                threads: 2,
                host: "bench".into(),
                command: ["harness", "run", "experiments/ablation.toml", "--profile", "tiny"]
                    .map(String::from)
                    .to_vec(),
                from_iteration: 0,
            }],
        );
        lines(&folder.join("metrics.jsonl"), &self.metrics());
        lines(&folder.join("evaluations.jsonl"), &self.evaluations());
        let event =
            |kind: &str| EventRow { time: "2026-11-20T10:00:00Z".into(), kind: kind.into(), message: kind.into() };
        lines(&folder.join("events.jsonl"), &[event("started")]);
        if self.sheets {
            for iteration in (1..=6).map(|sixth| self.iterations * sixth / 6).filter(|i| *i <= self.iteration) {
                self.write_sheets(folder, iteration);
            }
        }
    }

    fn metrics(&self) -> Vec<MetricRow> {
        let names: &[(&str, f64, f64)] = match self.place {
            0 => &[
                ("D/adv", -40.0, -4.0),
                ("D/gp", 9.0, 0.4),
                ("D/cls", 1.1, 0.05),
                ("G/adv", 12.0, 2.0),
                ("G/cls", 1.3, 0.2),
                ("G/cyc", 0.6, 0.09),
            ],
            1 => &[("D/adv", -30.0, -3.0), ("D/gp", 7.0, 0.3), ("G/adv", 10.0, 1.0), ("G/cyc", 0.5, 0.08)],
            2 => &[
                ("D/label_real", 0.7, 0.5),
                ("D/label_fake", 0.7, 0.4),
                ("D/label_reg", 0.001, 0.2),
                ("G/label_adv", 0.7, 1.9),
                ("G/label_cyc", 0.5, 0.1),
            ],
            _ => &[
                ("D/latent_real", 0.7, 0.45),
                ("D/latent_fake", 0.7, 0.4),
                ("D/latent_reg", 0.001, 0.3),
                ("G/latent_adv", 0.7, 2.1),
                ("G/latent_sty", 0.9, 0.2),
                ("G/latent_ds", 0.01, 0.25),
                ("G/latent_cyc", 0.5, 0.11),
                ("G/lambda_ds", 1.0, 0.0),
            ],
        };
        let mut rows =
            vec![MetricRow { iteration: 0, name: "parameters/generator".into(), value: 412_345.0, seconds: 0.0 }];
        let every = (self.iterations / 120).max(1);
        for step in 1..=self.iteration / every {
            let share = (step * every) as f64 / self.iterations as f64;
            for (at, (name, start, end)) in names.iter().enumerate() {
                let decay = (-5.0 * share).exp();
                let shake = if name.contains("lambda") { 0.0 } else { 0.25 };
                let base = if name.contains("lambda") { 1.0 - share } else { end + (start - end) * decay };
                let value =
                    base * (1.0 + shake * (noise(&[self.place as u64, self.seed, step, at as u64]) - 0.5) * 2.0);
                rows.push(MetricRow { iteration: step * every, name: name.to_string(), value, seconds: share * 60.0 });
            }
        }
        rows
    }

    fn evaluations(&self) -> Vec<EvaluationRow> {
        let mut rows = Vec::new();
        for third in 1..=3 {
            let iteration = self.iterations * third / 3;
            if iteration > self.iteration {
                break;
            }
            let learnt = third as f64 / 3.0;
            let modes: &[&str] = match (self.has_code(), self.references) {
                (false, _) => &["label"],
                (true, false) => &["latent"],
                (true, true) => &["latent", "reference"],
            };
            for mode in modes {
                self.evaluate(&mut rows, iteration, mode, learnt);
            }
            self.evaluate_reals(&mut rows, iteration);
        }
        rows
    }

    /// Training against validation images, per domain.
    fn evaluate_reals(&self, rows: &mut Vec<EvaluationRow>, iteration: u64) {
        let Some(real) = self.real else { return };
        let domains = self.domains();
        let off = |place: usize| place as f64 - (domains.len() - 1) as f64 / 2.0;
        let tasks = domains.iter().enumerate().map(|(place, domain)| (*domain, real + off(place)));
        for (task, value) in tasks.chain([("mean", real)]) {
            rows.push(EvaluationRow {
                iteration,
                mode: "real".into(),
                task: task.into(),
                metric: "fid".into(),
                protocol: format!("fid/{}/native{}-bilinear299/u8/1a9a5a14", self.procedure, self.image_size),
                value: Some(value),
                missing: None,
                ci: Some([value - 0.4, value + 0.4]),
                n_real: 200,
                n_fake: 20,
                outputs: 1,
            });
        }
    }

    fn evaluate(&self, rows: &mut Vec<EvaluationRow>, iteration: u64, mode: &str, learnt: f64) {
        let jitter = |key: u64| 1.0 + 0.06 * (noise(&[self.place as u64, self.seed, iteration, key]) - 0.5);
        let worse = if mode == "reference" { 1.13 } else { 1.0 };
        let outputs = if self.has_code() { 10 } else { 1 };
        let domains = self.domains();
        let count = domains.len();
        let tasks: Vec<(usize, usize)> =
            (0..count).flat_map(|s| (0..count).filter(move |t| *t != s).map(move |t| (s, t))).collect();
        let mut add = |task: String, metric: &str, value: Option<f64>, missing: Option<&str>, outputs: u64| {
            let protocol = match metric {
                "lpips" => {
                    format!("lpips-alex-v0.1/stargan-v2-batch32/native{}/signed-unclamped/2c6ac526", self.image_size)
                }
                "fid" if value.is_some() => {
                    format!("fid/{}/native{}-bilinear299/u8/1a9a5a14", self.procedure, self.image_size)
                }
                "fid" => "fid/pytorch-fid".into(),
                _ => format!("fd_alexnet/conv5-mean/native{}/u8/2c6ac526", self.image_size),
            };
            rows.push(EvaluationRow {
                iteration,
                mode: mode.into(),
                task,
                metric: metric.into(),
                protocol,
                value,
                missing: missing.map(String::from),
                ci: None,
                n_real: 200,
                n_fake: 20 * outputs,
                outputs,
            });
        };
        let fd = FD[self.place] * worse * (1.6 - 0.6 * learnt);
        let lpips = self.lpips.unwrap_or(LPIPS[self.place] * learnt / worse);
        for (index, (s, t)) in tasks.iter().enumerate() {
            let task = format!("{}2{}", domains[*s], domains[*t]);
            add(task.clone(), "fd_alexnet", Some(fd * jitter(index as u64) * (0.8 + 0.2 * *t as f64)), None, outputs);
            if self.has_code() {
                add(task, "lpips", Some(lpips * jitter(20 + index as u64)), None, outputs);
            }
        }
        add("mean".into(), "fd_alexnet", Some(fd * jitter(90)), None, outputs);
        if self.has_code() {
            add("mean".into(), "fd_alexnet", Some(fd * 1.08 * jitter(91)), None, 1);
            add(
                "mean".into(),
                "lpips",
                Some(lpips * if self.lpips.is_some() { 1.0 } else { jitter(92) }),
                None,
                outputs,
            );
        } else {
            add("mean".into(), "lpips", None, Some("one output per source image: diversity is not defined"), 1);
        }
        match self.fid {
            Some(fid) => {
                let fid = if mode == "reference" && METHODS.contains(&self.place) { fid * 1.4 } else { fid };
                if METHODS.contains(&self.place) {
                    for (index, (s, t)) in tasks.iter().enumerate() {
                        let task = format!("{}2{}", domains[*s], domains[*t]);
                        add(task, "fid", Some(fid * jitter(index as u64) * (0.6 + 0.4 * *t as f64)), None, outputs);
                    }
                }
                add("mean".into(), "fid", Some(fid), None, outputs);
            }
            None => {
                add("mean".into(), "fid", None, Some("no Inception weights: set evaluation.inception_weights"), outputs)
            }
        }
    }

    fn write_sheets(&self, folder: &Path, iteration: u64) {
        let learnt = iteration as f64 / self.iterations as f64;
        let count = self.domains().len();
        let sources: Vec<(usize, usize)> = (0..4 * count).map(|s| (s, s / 4)).collect();
        let cell = |kind: &str, domain: usize, source: Option<usize>, index: Option<usize>| SheetCell {
            kind: kind.into(),
            domain: Some(domain),
            source,
            index,
        };
        let head: Vec<_> = sources.iter().map(|(s, d)| cell("source", *d, Some(*s), None)).collect();
        let mut cells = vec![head.clone()];
        for target in 0..count {
            for latent in 0..if self.has_code() { 3 } else { 1 } {
                let index = self.has_code().then_some(latent);
                cells.push(sources.iter().map(|(s, _)| cell("translation", target, Some(*s), index)).collect());
            }
        }
        self.sheet(folder, iteration, if self.has_code() { "latent" } else { "label" }, cells, learnt);
        if self.references {
            let mut cells = vec![vec![SheetCell { kind: "blank".into(), ..SheetCell::default() }]];
            cells[0].extend(head.clone());
            for target in 0..count {
                for index in 0..2 {
                    let mut row = vec![cell("reference", target, None, Some(index))];
                    row.extend(sources.iter().map(|(s, _)| cell("translation", target, Some(*s), Some(index))));
                    cells.push(row);
                }
            }
            self.sheet(folder, iteration, "reference", cells, learnt);
        }
        let target = |domain: usize| (domain + 1) % count;
        let row = |kind: &str, domain: &dyn Fn(usize) -> usize| {
            sources.iter().map(|(s, d)| cell(kind, domain(*d), Some(*s), None)).collect::<Vec<_>>()
        };
        let cells = vec![head, row("reference", &target), row("translation", &target), row("reconstruction", &|d| d)];
        self.sheet(folder, iteration, "cycle_consistency", cells, learnt);
    }

    fn sheet(&self, folder: &Path, iteration: u64, name: &str, cells: Vec<Vec<SheetCell>>, learnt: f64) {
        const TILE: u32 = 32;
        let columns = cells[0].len() as u32;
        let mut image = RgbImage::from_pixel(columns * TILE, cells.len() as u32 * TILE, Rgb([255; 3]));
        for (y, row) in cells.iter().enumerate() {
            for (x, cell) in row.iter().enumerate() {
                if cell.kind != "blank" {
                    let tile = self.picture(cell, learnt, TILE);
                    image::imageops::replace(&mut image, &tile, i64::from(x as u32 * TILE), i64::from(y as u32 * TILE));
                }
            }
        }
        let samples = folder.join("samples").join(format!("{iteration:06}"));
        std::fs::create_dir_all(&samples).unwrap();
        image.save(samples.join(format!("{name}.png"))).unwrap();
        json_file(
            &samples.join(format!("{name}.json")),
            &SheetRecord { name: name.into(), iteration, tile: TILE, cells },
        );
    }

    /// A disc, square or triangle whose place follows the source and whose colour follows the code.
    fn picture(&self, cell: &SheetCell, learnt: f64, side: u32) -> RgbImage {
        let source = cell.source.unwrap_or(cell.index.unwrap_or(0) + 5) as u64;
        let domain = cell.domain.unwrap_or(0);
        let (cx, cy) = (10.0 + 12.0 * noise(&[source, 1]), 10.0 + 12.0 * noise(&[source, 2]));
        let style = match cell.kind.as_str() {
            "translation" => [domain as u64 + 50, cell.index.unwrap_or(0) as u64, self.place as u64],
            _ => [domain as u64, source, 99],
        };
        let channel = |k: u64| (60.0 + 180.0 * noise(&[style[0], style[1], style[2], k])) as u8;
        let (ink, paper) = ([channel(1), channel(2), channel(3)], (200.0 + 40.0 * noise(&[source, 3])) as u8);
        let generated = cell.kind == "translation" || cell.kind == "reconstruction";
        let blur = if generated { 1.0 - 0.8 * learnt } else { 0.0 };
        RgbImage::from_fn(side, side, |x, y| {
            let (dx, dy) = (f64::from(x) - cx, f64::from(y) - cy);
            let inside = match domain {
                0 => dx.hypot(dy) < 8.0,
                1 => dx.abs().max(dy.abs()) < 7.0,
                _ => dy < 7.0 && dy > 2.0 * dx.abs() - 9.0,
            };
            let base = if inside { ink } else { [paper, paper, paper.saturating_sub(15)] };
            let grain = noise(&[u64::from(x), u64::from(y), source]) * 255.0;
            Rgb(base.map(|c| (f64::from(c) * (1.0 - blur) + grain * blur) as u8))
        })
    }
}

/// A number in 0..1 that depends on nothing but `key`.
pub fn noise(key: &[u64]) -> f64 {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for part in key {
        for shift in SEPARATOR {
            state = (state ^ part.wrapping_add(shift)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            state ^= state >> 29;
        }
    }
    (state >> 11) as f64 / (1u64 << 53) as f64
}

fn json_file<T: serde::Serialize>(path: &Path, value: &T) {
    std::fs::write(path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
}

fn lines<T: serde::Serialize>(path: &Path, rows: &[T]) {
    let text: String = rows.iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect();
    std::fs::write(path, text).unwrap();
}
