//! Tells the code how a build for CUDA is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=HARNESS_CUDA_TRAMPOLINES");
    println!("cargo::rerun-if-env-changed=CUDARC_CUDA_VERSION");
    println!("cargo::rustc-check-cfg=cfg(cuda_trampolines)");
    let trampolines = std::env::var_os("HARNESS_CUDA_TRAMPOLINES").is_some_and(|value| !value.is_empty());
    if trampolines && std::env::var_os("CARGO_FEATURE_CUDA").is_some() {
        println!("cargo::rustc-cfg=cuda_trampolines");
    }
    // For example 13000: kernels that this toolkit made need a driver as new.
    if let Ok(version) = std::env::var("CUDARC_CUDA_VERSION") {
        println!("cargo::rustc-env=HARNESS_CUDA_VERSION={version}");
    }
}
