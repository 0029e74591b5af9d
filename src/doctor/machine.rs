//! The processor, its memory, and signs of a GPU, as Linux tells them. Other systems tell less.

use super::Processor;

/// The processor and its memory.
pub(super) fn processor() -> Processor {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    Processor {
        model: value(&cpu, "model name").map(str::to_owned),
        instructions: harness_ops::instruction_set(),
        threads: rayon::current_num_threads(),
        memory_bytes: kibibytes(&memory, "MemTotal"),
        available_bytes: kibibytes(&memory, "MemAvailable"),
    }
}

/// Release of NVIDIA's kernel module, if it is loaded.
pub(super) fn driver_release() -> Option<String> {
    std::fs::read_to_string("/proc/driver/nvidia/version").ok().map(|text| release(&text))
}

fn release(text: &str) -> String {
    let is_release = |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let words = text.lines().next().unwrap_or_default().split_whitespace();
    words.into_iter().find(is_release).unwrap_or("of unknown release").to_owned()
}

/// The first `key : value` of a file of the kernel.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let pair = text.lines().filter_map(|line| line.split_once(':')).find(|(found, _)| found.trim() == key);
    pair.map(|(_, value)| value.trim())
}

fn kibibytes(text: &str, key: &str) -> Option<u64> {
    value(text, key)?.strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|number| number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let cpu = "processor\t: 0\nmodel name\t: A processor: fast\nflags\t: fpu\nmodel name\t: second\n";
        assert_eq!(value(cpu, "model name"), Some("A processor: fast"));
        assert_eq!(kibibytes("MemTotal:       16 kB\nMemFree: 4 kB\n", "MemTotal"), Some(16384));
        assert_eq!(kibibytes("MemTotal: much\n", "MemTotal"), None);
    }

    #[test]
    fn finds_the_release_of_the_driver() {
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder)\nGCC version:\n";
        assert_eq!(release(open), "580.95.05");
        assert_eq!(release("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12\n"), "535.183.01");
        assert_eq!(release(""), "of unknown release");
    }
}
