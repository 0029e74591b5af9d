// What all kernels share. ELEMENT, the element type in memory, is float, double or bf16; each is a compilation of its own.
//
// Arguments of every kernel: inputs, outputs, lengths, factors. Results do not depend on the order in which blocks run.
#ifndef HARNESS_OPS_COMMON
#define HARNESS_OPS_COMMON

typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned short u16;

// The upper half of a float.
struct bf16 {
    u16 bits;
};

// What elements are computed in.
template <class T> struct Arithmetic {
    typedef T Type;
};
template <> struct Arithmetic<bf16> {
    typedef float Type;
};

typedef ELEMENT Element;
typedef Arithmetic<Element>::Type Real;

#define KERNEL extern "C" __global__ void

// The indices below n that fall to this thread.
#define FOR_EACH(i, n) \
    for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < (n); i += gridDim.x * (u64)blockDim.x)

__device__ inline float widen(float x) { return x; }
__device__ inline double widen(double x) { return x; }
__device__ inline float widen(bf16 x) { return __uint_as_float((u32)x.bits << 16); }

__device__ inline void narrow(float& y, float x) { y = x; }
__device__ inline void narrow(double& y, double x) { y = x; }
// To the nearest, ties to even; NaN stays NaN.
__device__ inline void narrow(bf16& y, float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    const u32 bits = __float_as_uint(x);
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    y.bits = (u16)(nan ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
#endif
}

// As it would be in memory.
__device__ inline Real rounded(Real x) {
    Element y;
    narrow(y, x);
    return widen(y);
}

// Sixteen bytes, which memory gives and takes at once.
#define LANES (16 / (u32)sizeof(Element))
union Pack {
    uint4 words;
    Element lanes[LANES];
};

__device__ inline bool in_packs(const void* pointer) { return (u64)pointer % 16 == 0; }

__device__ inline Pack load_pack(const Element* x, u64 i) {
    Pack pack;
    pack.words = ((const uint4*)x)[i];
    return pack;
}

__device__ inline void store_pack(Element* y, u64 i, const Pack& pack) { ((uint4*)y)[i] = pack.words; }

__device__ inline bool sign_bit(float x) { return __float_as_int(x) < 0; }
__device__ inline bool sign_bit(double x) { return __double_as_longlong(x) < 0; }

// 1 for a clear sign bit, slope otherwise.
__device__ inline Real select_by_sign(Real x, Real slope) { return sign_bit(x) ? slope : Real(1); }

__device__ inline Real warp_sum(Real value) {
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
    return value;
}

// Sum over all threads of the block, in all of them, always in the same order. The block has a multiple of 32 threads,
// and every one takes part.
__device__ inline Real block_sum(Real value) {
    __shared__ Real warps[32];
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    value = warp_sum(value);
    // The values of an earlier sum may still be read.
    __syncthreads();
    if (lane == 0) warps[warp] = value;
    __syncthreads();
    return warp_sum(lane < blockDim.x / 32 ? warps[lane] : Real(0));
}

#endif
