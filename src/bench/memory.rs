//! Memory of this process: on the host as Linux reports it, on a GPU as its driver does.

use candle_core::{Device, Result};
use harness_ops::device::{self, DeviceMemory};
use std::fs;

/// Watches the memory in use from its start on.
pub(super) struct Meter<'a> {
    device: &'a Device,
    device_start: Option<DeviceMemory>,
    host_start: Option<u64>,
    host_was_reset: bool,
}

/// What a [`Meter`] saw, in bytes.
pub(super) struct MemorySeen {
    /// At the start; `None` of the processor.
    pub device_start: Option<DeviceMemory>,
    /// At the end, with the peaks since the start.
    pub device_end: Option<DeviceMemory>,
    /// Resident set at the start.
    pub host_start: Option<u64>,
    /// Resident set at the end.
    pub host_end: Option<u64>,
    /// Largest resident set since the start, or of the process as a whole.
    pub host_peak: Option<u64>,
    /// Whether it is since the start.
    pub host_was_reset: bool,
}

impl<'a> Meter<'a> {
    /// # Errors
    /// The device fails.
    pub(super) fn start(device: &'a Device) -> Result<Self> {
        device.synchronize()?;
        device::reset_peak_memory(device)?;
        let device_start = device::memory(device)?;
        Ok(Self { device, device_start, host_start: resident(), host_was_reset: reset_peak() })
    }

    /// # Errors
    /// The device fails.
    pub(super) fn stop(self) -> Result<MemorySeen> {
        let Self { device, device_start, host_start, host_was_reset } = self;
        let device_end = device::memory(device)?;
        let (host_end, host_peak) = (resident(), peak());
        Ok(MemorySeen { device_start, device_end, host_start, host_end, host_peak, host_was_reset })
    }
}

/// Resident set now, in bytes; `None` where the system does not tell.
fn resident() -> Option<u64> {
    field("VmRSS")
}

/// Largest resident set since [`reset_peak`], or since the process started where that failed, in bytes.
fn peak() -> Option<u64> {
    field("VmHWM")
}

/// Lets the kernel forget the largest resident set so far. `false` where it does not allow that.
fn reset_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// A size from the kernel's description of this process, which gives it in KiB.
fn field(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_peak_remembers_what_was_freed() {
        const SIZE: usize = 64 << 20;
        assert!(resident().unwrap() > 1 << 20);
        let buffer = std::hint::black_box(vec![1u8; SIZE]);
        assert!(resident().unwrap() >= SIZE as u64);
        drop(buffer);
        assert!(peak().unwrap() >= SIZE as u64);
    }
}
