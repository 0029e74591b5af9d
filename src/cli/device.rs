//! `--device`.

use crate::error::Error;
use candle_core::Device;

/// `--device`.
#[derive(Debug, clap::Args)]
pub struct DeviceArg {
    /// Where to compute: auto, cpu or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}

/// What `--device` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// The first GPU, or the processor where none can be used.
    Auto,
    Cpu,
    /// A GPU by its number.
    Cuda(usize),
}

impl DeviceArg {
    /// The device and its name in records. `auto` is the first GPU of a build with CUDA, else the processor, with a note on
    /// standard error if the build has CUDA.
    pub fn open(&self) -> Result<(Device, String), Error> {
        match self.wish()? {
            Wish::Cpu => Ok((Device::Cpu, "cpu".into())),
            Wish::Auto => Ok(first_gpu().unwrap_or((Device::Cpu, "cpu".into()))),
            Wish::Cuda(ordinal) => {
                let device = gpu(ordinal).map_err(|problem| self.wrong(problem))?;
                Ok((device, format!("cuda:{ordinal}")))
            }
        }
    }

    /// Whether it is one of the names that devices have.
    pub fn check(&self) -> Result<(), Error> {
        self.wish().map(|_| ())
    }

    fn wish(&self) -> Result<Wish, Error> {
        match self.device.as_str() {
            "auto" => Ok(Wish::Auto),
            "cpu" => Ok(Wish::Cpu),
            "cuda" => Ok(Wish::Cuda(0)),
            other => {
                let ordinal = other.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse().ok());
                ordinal.map(Wish::Cuda).ok_or_else(|| self.wrong("unknown device; write auto, cpu or cuda:N".into()))
            }
        }
    }

    fn wrong(&self, problem: String) -> Error {
        Error::Usage { option: format!("--device {}", self.device), problem }
    }
}

#[cfg(feature = "cuda")]
fn gpu(ordinal: usize) -> Result<Device, String> {
    harness_ops::cuda_libraries::open(ordinal).map_err(|error| format!("{error}; `harness doctor` says more"))
}

#[cfg(not(feature = "cuda"))]
fn gpu(_ordinal: usize) -> Result<Device, String> {
    Err("this binary was built without CUDA; use --device cpu".into())
}

#[cfg(feature = "cuda")]
fn first_gpu() -> Option<(Device, String)> {
    static SAID: std::sync::Once = std::sync::Once::new();
    match harness_ops::cuda_libraries::open(0) {
        Ok(device) => Some((device, "cuda:0".into())),
        Err(error) => {
            SAID.call_once(|| eprintln!("note: computing on the processor: {error} (`harness doctor` says more)"));
            None
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn first_gpu() -> Option<(Device, String)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let argument = |name: &str| DeviceArg { device: name.into() };
        assert_eq!(argument("cpu").open().unwrap().1, "cpu");
        assert_eq!(argument("auto").wish().unwrap(), Wish::Auto);
        assert_eq!(argument("cuda").wish().unwrap(), Wish::Cuda(0));
        assert_eq!(argument("cuda:3").wish().unwrap(), Wish::Cuda(3));
        for bad in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            for error in [argument(bad).open().unwrap_err(), argument(bad).check().unwrap_err()] {
                assert!(error.to_string().contains("auto, cpu or cuda:N"), "{bad}");
            }
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_cuda_auto_is_the_processor_and_a_gpu_an_error() {
        let open = |name: &str| DeviceArg { device: name.into() }.open();
        assert_eq!(open("auto").unwrap().1, "cpu");
        assert!(open("cuda:0").unwrap_err().to_string().contains("without CUDA"));
    }

    #[cfg(feature = "cuda")]
    #[test]
    fn a_gpu_that_is_not_there_is_an_error_and_auto_always_opens_something() {
        let open = |name: &str| DeviceArg { device: name.into() }.open();
        assert!(open("auto").is_ok());
        assert!(open("cuda:4096").unwrap_err().to_string().contains("harness doctor"));
    }
}
