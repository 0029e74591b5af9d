//! Times the operations of the training step, forward and backward, at the shapes of the 64 px networks of official
//! widths, batch 2. `benches/pytorch/operations.py` times the same in PyTorch, under the same names.
//!
//! Prints a table, or with `HARNESS_BENCH_JSON=1` one JSON object a line: operation, shape, pass, milliseconds. The time
//! is the shortest of several: other work on the machine only ever adds to it. A name, or a part of one, as argument
//! chooses operations. `RAYON_NUM_THREADS` sets the number of threads.

use candle_core::{DType, Device, Tensor};
use harness::train::in_pool;
use harness_ops::random::Key;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is measured, in the terms of the library.
mod library {
    use harness_ops as ops;

    /// An operand or a result.
    pub use ops::Variable as Value;
    /// What an operation gives.
    pub type Outcome = ops::Result<Value>;

    /// Gradients of the sum over `y`, as in an optimiser step.
    pub fn backward(y: Value) -> ops::Result<ops::Gradients> {
        let ones = y.value().ones_like()?;
        y.backward_from(ones)
    }

    pub fn conv(x: &Value, weight: &Value, bias: &Value, padding: usize) -> Outcome {
        ops::conv2d(x, weight, Some(bias), ops::ConvGeometry::new(1, padding))
    }

    fn resampled(x: &Value, weight: &Value, bias: &Value, resample: ops::Resample) -> Outcome {
        let config = ops::Conv2dConfig { resample, ..ops::ConvGeometry::new(1, 1).into() };
        ops::conv2d(x, weight, Some(bias), config)
    }

    pub fn conv_pool(x: &Value, weight: &Value, bias: &Value) -> Outcome {
        resampled(x, weight, bias, ops::Resample::AvgPool2)
    }

    pub fn upsample_conv(x: &Value, weight: &Value, bias: &Value) -> Outcome {
        resampled(x, weight, bias, ops::Resample::Upsample2)
    }

    pub fn instance_norm(x: &Value, weight: &Value, bias: &Value) -> Outcome {
        ops::instance_norm(x, weight, bias, None)
    }

    pub fn adain_leaky_relu(x: &Value, gamma: &Value, beta: &Value) -> Outcome {
        ops::adaptive_instance_norm(x, gamma, beta, Some(0.2))
    }

    pub fn leaky_relu(x: &Value) -> Outcome {
        ops::leaky_relu(x, 0.2)
    }

    pub fn residual(a: &Value, b: &Value) -> Outcome {
        ops::residual_add(a, b, std::f64::consts::FRAC_1_SQRT_2)
    }

    pub fn reflection_pad(x: &Value) -> Outcome {
        ops::reflection_pad2d(x, 1)
    }

    pub use ops::{avg_pool2, avg_pool3, l1_mean, layer_norm, softplus, upsample_nearest2};

    /// Networks of `tensors` parameters of `length` scalars each, and what one update of all of them is.
    pub struct Updates {
        parameters: ops::Parameters,
        average: ops::Parameters,
        gradients: ops::Gradients,
        optimizer: ops::Adam,
    }

    impl Updates {
        pub fn new(tensors: usize, length: usize) -> ops::Result<Self> {
            let declarations: Vec<ops::Declaration> = (0..tensors)
                .map(|index| ops::Declaration {
                    name: format!("layer{index}"),
                    shape: vec![length],
                    init: ops::Init::Uniform { bound: 1.0 },
                })
                .collect();
            let device = candle_core::Device::Cpu;
            let parameters = ops::Parameters::init(&declarations, "bench", 1, candle_core::DType::F32, &device)?;
            let mut gradients = ops::Gradients::default();
            for (_, parameter) in parameters.iter() {
                gradients.merge(ops::sum_all(&ops::sqr(parameter)?)?.backward()?)?;
            }
            let adam = ops::AdamConfig { beta1: 0.0, beta2: 0.99, eps: 1e-8, weight_decay: 1e-4 };
            Ok(Self { gradients, average: parameters.deep_copy()?, optimizer: ops::Adam::new(adam), parameters })
        }

        pub fn adam(&mut self) -> ops::Result<()> {
            self.optimizer.step(&self.parameters, &self.gradients, 1e-4)
        }

        pub fn average(&self) -> ops::Result<()> {
            ops::update_ema(&self.average, &self.parameters, 0.999)
        }
    }
}

use library::{Outcome, Value};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const BATCH: usize = 2;

/// Fewest runs of each measurement, and the least time spent on it.
const LEAST: (usize, Duration) = (5, Duration::from_millis(500));

/// Which gradients a backward pass gives: its name, and the indices of the operands.
type Pass = (&'static str, &'static [usize]);

/// Passes of a convolution with bias.
const CONVOLUTION: [Pass; 2] = [("input gradient", &[0]), ("weight gradient", &[1, 2])];

/// How results are written and which are wanted.
struct Session {
    json: bool,
    only: Option<String>,
}

impl Session {
    fn wants(&self, operation: &str) -> bool {
        self.only.as_ref().is_none_or(|only| operation.contains(only.as_str()))
    }

    /// Times `work` on what `prepare` makes anew for each run, untimed, and writes a line.
    fn report<T>(
        &self,
        [operation, shape, pass]: [&str; 3],
        mut prepare: impl FnMut() -> Result<T, Failure>,
        mut work: impl FnMut(T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        work(prepare()?)?;
        let (mut shortest, mut spent, mut runs) = (Duration::MAX, Duration::ZERO, 0);
        while runs < LEAST.0 || spent < LEAST.1 {
            let prepared = prepare()?;
            let start = Instant::now();
            work(prepared)?;
            let time = start.elapsed();
            (shortest, spent, runs) = (shortest.min(time), spent + time, runs + 1);
        }
        let milliseconds = 1e3 * shortest.as_secs_f64();
        if self.json {
            let line = serde_json::json!({
                "operation": operation, "shape": shape, "pass": pass, "milliseconds": milliseconds,
            });
            println!("{line}");
        } else {
            println!("{operation:24} {shape:20} {pass:16} {milliseconds:10.3} ms");
        }
        Ok(())
    }

    /// Times an operation with all operands tracked, as in training, then each of its backward passes.
    fn differentiable(
        &self,
        operation: &str,
        shape: &str,
        operands: &[Tensor],
        passes: &[Pass],
        function: impl Fn(&[Value]) -> Outcome,
    ) -> Result<(), Failure> {
        if !self.wants(operation) {
            return Ok(());
        }
        let tracked: Vec<Value> = operands.iter().cloned().map(Value::leaf).collect();
        self.report([operation, shape, "forward"], || Ok(()), |()| Ok(function(&tracked).map(drop)?))?;
        for (pass, wanted) in passes {
            let mut values: Vec<Value> = operands.iter().cloned().map(Value::constant).collect();
            for &index in *wanted {
                values[index] = Value::leaf(operands[index].clone());
            }
            let backward = |y: Value| Ok(library::backward(y).map(drop)?);
            self.report([operation, shape, pass], || Ok(function(&values)?), backward)?;
        }
        Ok(())
    }

    fn convolutions(&self) -> Result<(), Failure> {
        let plain = |v: &[Value]| library::conv(&v[0], &v[1], &v[2], 1);
        let unpadded = |v: &[Value]| library::conv(&v[0], &v[1], &v[2], 0);
        let pooled = |v: &[Value]| library::conv_pool(&v[0], &v[1], &v[2]);
        let upsampled = |v: &[Value]| library::upsample_conv(&v[0], &v[1], &v[2]);
        let operands = |[ci, co]: [usize; 2], kernel: usize, side: usize| -> candle_core::Result<Vec<Tensor>> {
            Ok(vec![planes(ci, side)?, normal(&[co, ci, kernel, kernel])?, normal(&[co])?])
        };
        let conv = |operation: &str, shape: &str, operands: &[Tensor], function: &dyn Fn(&[Value]) -> Outcome| {
            self.differentiable(operation, shape, operands, &CONVOLUTION, function)
        };
        conv("conv3x3", "256@64", &operands([256, 256], 3, 64)?, &plain)?;
        conv("conv3x3 + avgpool2", "256@64", &operands([256, 256], 3, 64)?, &pooled)?;
        conv("conv3x3", "512@32", &operands([512, 512], 3, 32)?, &plain)?;
        conv("conv3x3 + avgpool2", "512@32", &operands([512, 512], 3, 32)?, &pooled)?;
        conv("conv3x3", "512@16", &operands([512, 512], 3, 16)?, &plain)?;
        conv("nearest2 + conv3x3", "512->256, 32->64", &operands([512, 256], 3, 32)?, &upsampled)?;
        conv("nearest2 + conv3x3", "512->512, 16->32", &operands([512, 512], 3, 16)?, &upsampled)?;
        conv("conv1x1", "256->512@32", &operands([256, 512], 1, 32)?, &unpadded)?;
        conv("conv4x4", "512@4", &operands([512, 512], 4, 4)?, &unpadded)
    }

    fn others(&self) -> Result<(), Failure> {
        const ONE: [Pass; 1] = [("backward", &[0])];
        const TWO: [Pass; 1] = [("backward", &[0, 1])];
        const THREE: [Pass; 1] = [("backward", &[0, 1, 2])];
        let x = [planes(256, 64)?];
        let affine = [planes(256, 64)?, normal(&[256])?, normal(&[256])?];
        let styled = [planes(256, 64)?, normal(&[BATCH, 256])?, normal(&[BATCH, 256])?];
        let norm = |v: &[Value]| library::instance_norm(&v[0], &v[1], &v[2]);
        self.differentiable("instance norm", "256@64", &affine, &THREE, norm)?;
        let adain = |v: &[Value]| library::adain_leaky_relu(&v[0], &v[1], &v[2]);
        self.differentiable("adain + leaky relu", "256@64", &styled, &THREE, adain)?;
        self.differentiable("leaky relu", "256@64", &x, &ONE, |v| library::leaky_relu(&v[0]))?;
        self.differentiable("avgpool2", "256@64", &x, &ONE, |v| library::avg_pool2(&v[0]))?;
        self.differentiable("avgpool3 stride 2", "256@64", &x, &ONE, |v| library::avg_pool3(&v[0]))?;
        let small = [planes(256, 32)?];
        self.differentiable("nearest2", "256, 32->64", &small, &ONE, |v| library::upsample_nearest2(&v[0]))?;
        let layer = |v: &[Value]| library::layer_norm(&v[0], &v[1], &v[2]);
        self.differentiable("layer norm", "256@64", &affine, &THREE, layer)?;
        self.differentiable("reflection pad 1", "256@64", &x, &ONE, |v| library::reflection_pad(&v[0]))?;
        let pair = [planes(256, 64)?, planes(256, 64)?];
        let add = |v: &[Value]| library::residual(&v[0], &v[1]);
        self.differentiable("residual add / sqrt2", "256@64", &pair, &TWO, add)?;
        let images = [planes(3, 64)?, planes(3, 64)?];
        self.differentiable("softplus", "3@64", &images[..1], &ONE, |v| library::softplus(&v[0]))?;
        self.differentiable("l1 mean", "3@64", &images, &TWO, |v| library::l1_mean(&v[0], &v[1]))
    }

    fn updates(&self) -> Result<(), Failure> {
        let (adam, average, shape) = ("adam with weight decay", "moving average", "100 x 300000");
        if !self.wants(adam) && !self.wants(average) {
            return Ok(());
        }
        let mut updates = library::Updates::new(100, 300_000)?;
        if self.wants(adam) {
            self.report([adam, shape, "step"], || Ok(()), |()| Ok(updates.adam()?))?;
        }
        if self.wants(average) {
            self.report([average, shape, "step"], || Ok(()), |()| Ok(updates.average()?))?;
        }
        Ok(())
    }
}

fn normal(shape: &[usize]) -> candle_core::Result<Tensor> {
    Key::new(1, "bench").normal(0, shape, DType::F32, &Device::Cpu)
}

fn planes(channels: usize, side: usize) -> candle_core::Result<Tensor> {
    normal(&[BATCH, channels, side, side])
}

fn main() -> Result<(), Failure> {
    // `cargo bench` adds an argument of its own.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let json = std::env::var_os("HARNESS_BENCH_JSON").is_some_and(|value| value == "1");
    let session = Session { json, only };
    let all = || session.convolutions().and_then(|()| session.others()).and_then(|()| session.updates());
    // As training runs: inside a pool.
    in_pool(rayon::current_num_threads(), all)
}
