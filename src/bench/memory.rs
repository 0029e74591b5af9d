//! Memory of this process, as Linux reports it.

use std::fs;

/// Resident set now, in bytes; `None` where the system does not tell.
pub(super) fn resident() -> Option<u64> {
    field("VmRSS")
}

/// Largest resident set since [`reset_peak`], or since the process started where that failed, in bytes.
pub(super) fn peak() -> Option<u64> {
    field("VmHWM")
}

/// Lets the kernel forget the largest resident set so far. `false` where it does not allow that.
pub(super) fn reset_peak() -> bool {
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
