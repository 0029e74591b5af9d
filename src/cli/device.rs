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

impl DeviceArg {
    /// The device and its name in records. `auto` is the first CUDA device of a build that has them, else the CPU.
    pub fn open(&self) -> Result<(Device, String), Error> {
        let wrong = |problem: String| Error::Usage { option: format!("--device {}", self.device), problem };
        let ordinal = match self.device.as_str() {
            "cpu" => return Ok((Device::Cpu, "cpu".into())),
            "auto" if !candle_core::utils::cuda_is_available() => return Ok((Device::Cpu, "cpu".into())),
            "auto" | "cuda" => 0,
            other => {
                let ordinal = other.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse().ok());
                ordinal.ok_or_else(|| wrong("unknown device; write auto, cpu or cuda:N".into()))?
            }
        };
        if !candle_core::utils::cuda_is_available() {
            return Err(wrong("this binary was built without CUDA; use --device cpu".into()));
        }
        let device = Device::new_cuda(ordinal).map_err(|error| wrong(error.to_string()))?;
        Ok((device, format!("cuda:{ordinal}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let open = |name: &str| DeviceArg { device: name.into() }.open();
        assert_eq!(open("cpu").unwrap().1, "cpu");
        for bad in ["gpu", "cuda:", "cuda:x", ""] {
            assert!(open(bad).unwrap_err().to_string().contains("auto, cpu or cuda:N"), "{bad}");
        }
        if !candle_core::utils::cuda_is_available() {
            assert_eq!(open("auto").unwrap().1, "cpu");
            assert!(open("cuda:0").unwrap_err().to_string().contains("without CUDA"));
        }
    }
}
