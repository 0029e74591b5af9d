// Sums and instance normalisation: one block per sum or plane.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// A x B x C to the sums over A and C, over divisor. Each sum is cut into splits parts of a block each: y is B x splits.
KERNEL sum_to(const Real* x, Real* y, u64 a, u64 b, u64 c, u64 splits, double divisor) {
    const u64 i = blockIdx.x / splits, split = blockIdx.x % splits, n = a * c;
    const u64 end = n * (split + 1) / splits;
    Real total = 0;
    for (u64 j = n * split / splits + threadIdx.x; j < end; j += blockDim.x) {
        const u64 outer = a == 1 ? 0 : j / c;
        total += x[(outer * b + i) * c + (j - outer * c)];
    }
    total = block_sum(total);
    if (threadIdx.x == 0) y[blockIdx.x] = total / Real(divisor);
}

// The sums of |a - b| over gridDim.x parts of n elements.
KERNEL distance(const Real* a, const Real* b, Real* y, u64 n) {
    const u64 end = n * (blockIdx.x + 1) / gridDim.x;
    Real total = 0;
    for (u64 i = n * blockIdx.x / gridDim.x + threadIdx.x; i < end; i += blockDim.x) {
        const Real difference = a[i] - b[i];
        total += difference * select_by_sign(difference, Real(-1));
    }
    total = block_sum(total);
    if (threadIdx.x == 0) y[blockIdx.x] = total;
}

struct Moments {
    Real mean, inverse_std;
};

// Mean and 1 / sqrt(variance + eps) of a plane, with the whole block.
__device__ inline Moments moments(const Real* x, u64 plane, Real eps) {
    Real sum = 0, squares = 0;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) sum += x[i];
    const Real mean = block_sum(sum) / Real(plane);
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) squares += (x[i] - mean) * (x[i] - mean);
    return Moments{mean, Real(1) / sqrt(block_sum(squares) / Real(plane) + eps)};
}

// Instance normalisation and leaky ReLU; one block per plane.
KERNEL normalise(
    const Real* x, const Real* gamma, const Real* beta, Real* y, u64 plane, double slope, double eps
) {
    const u64 block = blockIdx.x;
    x += block * plane;
    y += block * plane;
    const Moments m = moments(x, plane, Real(eps));
    const Real scale = (Real(1) + gamma[block]) * m.inverse_std, shift = beta[block];
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) {
        const Real value = (x[i] - m.mean) * scale + shift;
        y[i] = value * select_by_sign(value, Real(slope));
    }
}

// Gradients of x, gamma and beta, one after the other; one block per plane.
KERNEL normalise_gradient(
    const Real* x, const Real* gamma, const Real* beta, const Real* g, Real* out, u64 plane, double slope, double eps
) {
    const u64 block = blockIdx.x, planes = gridDim.x;
    Real* dx = out + block * plane;
    x += block * plane;
    g += block * plane;
    const Moments m = moments(x, plane, Real(eps));
    const Real scale = (Real(1) + gamma[block]) * m.inverse_std, shift = beta[block];
    Real sum = 0, projection = 0;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) {
        const Real centred = x[i] - m.mean;
        const Real before = g[i] * select_by_sign(centred * scale + shift, Real(slope));
        sum += before;
        projection += before * centred;
    }
    sum = block_sum(sum);
    projection = block_sum(projection) * m.inverse_std;
    if (threadIdx.x == 0) {
        out[planes * plane + block] = projection;
        out[planes * plane + planes + block] = sum;
    }
    const Real mean_g = sum / Real(plane), mean_p = projection / Real(plane) * m.inverse_std;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) {
        const Real centred = x[i] - m.mean;
        const Real before = g[i] * select_by_sign(centred * scale + shift, Real(slope));
        dx[i] = scale * (before - mean_g - centred * mean_p);
    }
}
