//! Test support: reference numbers of the official implementations and the rule that makes tensors from names.
//! The format is described beside the numbers.

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Numbers in [-1, 1) made from a name: FNV-1a seed, splitmix64 stream.
pub fn unit(name: &str, n: usize) -> Vec<f64> {
    let seed = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (1..=n as u64)
        .map(|i| {
            let mut z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            (z >> 40) as f64 / (1u64 << 23) as f64 - 1.0
        })
        .collect()
}

/// Where the numbers are compared: the processor, or the GPU that `HARNESS_TEST_DEVICE` names (as `cuda:0`; with one test at a
/// time, `--test-threads=1`).
pub fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let open = || match std::env::var("HARNESS_TEST_DEVICE") {
        Ok(name) if name != "cpu" => {
            let ordinal = name.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse().ok());
            let ordinal = ordinal.unwrap_or_else(|| panic!("HARNESS_TEST_DEVICE={name}: write cpu or cuda:N"));
            gpu(ordinal)
        }
        _ => Device::Cpu,
    };
    DEVICE.get_or_init(open).clone()
}

#[cfg(feature = "cuda")]
fn gpu(ordinal: usize) -> Device {
    harness_ops::cuda_libraries::open(ordinal).unwrap_or_else(|error| panic!("cuda:{ordinal}: {error}"))
}

#[cfg(not(feature = "cuda"))]
fn gpu(ordinal: usize) -> Device {
    panic!("cuda:{ordinal}: these tests were built without CUDA")
}

fn tensor(values: Vec<f64>, shape: &[usize], dtype: DType) -> Tensor {
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap().to_device(&device()).unwrap()
}

/// The value of the parameter `name` (with its network's prefix).
pub fn parameter(name: &str, shape: &[usize], dtype: DType) -> Tensor {
    let n: usize = shape.iter().product();
    let scale = |u: f64| {
        if name.ends_with("running_var") {
            1.0 + 0.25 * u
        } else if shape.len() >= 2 {
            u * (6.0 / (n / shape[0]) as f64).sqrt()
        } else if name.ends_with("weight") {
            1.0 + 0.1 * u
        } else {
            0.1 * u
        }
    };
    let values: Vec<f64> = unit(name, n).into_iter().map(scale).collect();
    tensor(values, shape, dtype)
}

/// The input `name` of the given shape.
pub fn input(name: &str, shape: &[usize], dtype: DType) -> Tensor {
    let values = unit(&format!("input.{name}"), shape.iter().product());
    tensor(values, shape, dtype)
}

/// What is known of a reference tensor.
#[derive(Debug, Deserialize)]
pub struct Described {
    pub n: usize,
    pub l2: f64,
    pub at: Vec<usize>,
    pub values: Vec<f64>,
}

impl Described {
    /// How far a tensor lies off: its L2 norm relative to the reference's, and its worst sample relative to the reference's
    /// root mean square.
    pub fn deviation(&self, name: &str, tensor: &Tensor) -> [f64; 2] {
        let values = tensor.flatten_all().unwrap().to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
        let values = values.to_vec1::<f64>().unwrap();
        assert_eq!(values.len(), self.n, "{name}: element count");
        let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
        let rms = self.l2 / (self.n as f64).sqrt();
        let samples = self.at.iter().zip(&self.values).map(|(&at, &reference)| (values[at] - reference).abs() / rms);
        [(norm - self.l2).abs() / self.l2, samples.fold(0.0, f64::max)]
    }

    /// Checks both deviations.
    pub fn check(&self, name: &str, tensor: &Tensor, l2: f64, samples: f64) {
        let [off_l2, off_samples] = self.deviation(name, tensor);
        assert!(off_l2 <= l2, "{name}: L2 norm is off by {off_l2:e}");
        assert!(off_samples <= samples, "{name}: a sample is off by {off_samples:e} of the root mean square");
    }
}

/// One half-step at the initial weights.
#[derive(Debug, Deserialize)]
pub struct Gradients {
    pub gradients: BTreeMap<String, Described>,
    #[serde(flatten)]
    pub scalars: BTreeMap<String, f64>,
}

/// Norms after all iterations.
#[derive(Debug, Deserialize)]
pub struct After {
    pub weights_l2: BTreeMap<String, f64>,
    pub ema_l2: BTreeMap<String, f64>,
}

/// A `step_*` case.
#[derive(Debug, Deserialize)]
pub struct StepCase {
    pub img_size: usize,
    pub num_domains: usize,
    pub base_channels: usize,
    pub max_channels: usize,
    pub batch: usize,
    pub lambda_ds: f64,
    #[serde(default)]
    pub w_hpf: f64,
    /// With high-pass skips: by how much the last bias of the landmark network is below the rule's, so that its masks are
    /// neither empty nor full.
    #[serde(default)]
    pub landmark_bias_lowered_by: f64,
    /// With high-pass skips: the masks of the sources.
    #[serde(default)]
    pub masks: BTreeMap<String, Described>,
    pub parameters: BTreeMap<String, usize>,
    pub gradients_at_initial_weights: BTreeMap<String, Gradients>,
    pub iterations: Vec<BTreeMap<String, BTreeMap<String, f64>>>,
    pub after: After,
}

/// A `forward_*` case.
#[derive(Debug, Deserialize)]
pub struct ForwardCase {
    pub img_size: usize,
    pub num_domains: usize,
    pub w_hpf: f64,
    pub base_channels: usize,
    pub max_channels: usize,
    pub batch: usize,
    pub parameters: BTreeMap<String, usize>,
    pub outputs: BTreeMap<String, Described>,
    pub state_dict: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
}

/// All cases whose name starts with `prefix` in `HARNESS_GOLDEN_DIR` (default: `golden` of the shared folder).
pub fn cases<T: serde::de::DeserializeOwned>(prefix: &str) -> Vec<(String, T)> {
    let shared = std::env::var_os("HARNESS_SHARED_DIR").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let folder = std::env::var_os("HARNESS_GOLDEN_DIR").map_or_else(|| shared.join("golden"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no reference numbers at {}", folder.display());
        return Vec::new();
    };
    let mut cases = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name.starts_with(prefix) && path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut file: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
            let case = file.remove(&name).unwrap_or_else(|| panic!("{name}: no entry of the same name"));
            cases.push((name, serde_json::from_value(case).unwrap()));
        }
    }
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}
