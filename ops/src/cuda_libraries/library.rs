//! Which libraries there are, and what they are called.

use std::fmt;

/// A library of NVIDIA's that operations on a GPU go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// The driver's. It comes with the driver and never with a toolkit.
    Driver,
    /// Matrix products, the part that cuBLAS and cuDNN build on.
    CublasLt,
    /// Matrix products.
    Cublas,
    /// Random numbers: candle opens it with every device.
    Curand,
    /// The compiler of our kernels.
    Nvrtc,
    /// Convolutions.
    Cudnn,
}

impl Library {
    /// All of them, each after those that it builds on.
    pub const ALL: [Self; 6] = [Self::Driver, Self::CublasLt, Self::Cublas, Self::Curand, Self::Nvrtc, Self::Cudnn];

    /// The name without `lib` and `.so`, for example `cublas`.
    pub fn stem(self) -> &'static str {
        match self {
            Self::Driver => "cuda",
            Self::CublasLt => "cublasLt",
            Self::Cublas => "cublas",
            Self::Curand => "curand",
            Self::Nvrtc => "nvrtc",
            Self::Cudnn => "cudnn",
        }
    }

    /// File names that will do, best first. Functions and numbers that the operations use are the same in CUDA 12 and 13.
    pub fn files(self) -> &'static [&'static str] {
        match self {
            Self::Driver => &["libcuda.so.1"],
            Self::CublasLt => &["libcublasLt.so.13", "libcublasLt.so.12"],
            Self::Cublas => &["libcublas.so.13", "libcublas.so.12"],
            Self::Curand => &["libcurand.so.10"],
            Self::Nvrtc => &["libnvrtc.so.13", "libnvrtc.so.12"],
            Self::Cudnn => &["libcudnn.so.9"],
        }
    }

    /// Folders below `nvidia` in which Python wheels keep it; the first is that of CUDA 13.
    pub(super) fn wheel_folders(self) -> &'static [&'static str] {
        match self {
            Self::Driver => &[],
            Self::CublasLt | Self::Cublas => &["cu13/lib", "cublas/lib"],
            Self::Curand => &["cu13/lib", "curand/lib"],
            Self::Nvrtc => &["cu13/lib", "cuda_nvrtc/lib"],
            Self::Cudnn => &["cudnn/lib"],
        }
    }

    /// How to get it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Driver => {
                "install NVIDIA's driver (580 or newer); in a container, start it with the GPU passed through"
            }
            Self::CublasLt | Self::Cublas => "pip install 'nvidia-cublas>=13,<14'",
            Self::Curand => "pip install 'nvidia-curand>=10.4,<11'",
            // What a later one writes, drivers of CUDA 13.0 refuse.
            Self::Nvrtc => "pip install 'nvidia-cuda-nvrtc==13.0.*'",
            Self::Cudnn => "pip install 'nvidia-cudnn-cu13>=9,<10'",
        }
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Driver => "the CUDA driver",
            Self::CublasLt => "cuBLASLt",
            Self::Cublas => "cuBLAS",
            Self::Curand => "cuRAND",
            Self::Nvrtc => "NVRTC",
            Self::Cudnn => "cuDNN",
        })
    }
}
