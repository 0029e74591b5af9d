// What all kernels share. ELEMENT, the element type, is float or double; each is a compilation of its own.
//
// Arguments of every kernel: inputs, output, lengths, factors. Results do not depend on the order in which blocks run.
#ifndef HARNESS_OPS_COMMON
#define HARNESS_OPS_COMMON

typedef unsigned long long u64;
typedef ELEMENT Real;

#define KERNEL extern "C" __global__ void

// The indices below n that fall to this thread.
#define FOR_EACH(i, n) \
    for (u64 i = blockIdx.x * (u64)blockDim.x + threadIdx.x; i < (n); i += gridDim.x * (u64)blockDim.x)

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
