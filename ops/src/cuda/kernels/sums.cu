// Sums, in two steps: parts by a block each, then the parts of each sum in their order.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// A x B x C to sums over A and C, each cut into `parts` parts of a block each: y is B x parts.
KERNEL sum_to(const Element* x, Real* y, u64 a, u64 b, u64 c, u64 parts) {
    const u64 i = blockIdx.x / parts, part = blockIdx.x % parts, n = a * c;
    const u64 end = n * (part + 1) / parts;
    Real total = 0;
    for (u64 j = n * part / parts + threadIdx.x; j < end; j += blockDim.x) {
        const u64 outer = a == 1 ? 0 : j / c;
        total += widen(x[(outer * b + i) * c + (j - outer * c)]);
    }
    total = block_sum(total);
    if (threadIdx.x == 0) y[blockIdx.x] = total;
}

// The sums of |a - b| over gridDim.x parts of n elements.
KERNEL distance(const Element* a, const Element* b, Real* y, u64 n) {
    const u64 end = n * (blockIdx.x + 1) / gridDim.x;
    Real total = 0;
    for (u64 i = n * blockIdx.x / gridDim.x + threadIdx.x; i < end; i += blockDim.x) {
        const Real difference = widen(a[i]) - widen(b[i]);
        total += difference * select_by_sign(difference, Real(-1));
    }
    total = block_sum(total);
    if (threadIdx.x == 0) y[blockIdx.x] = total;
}

// The sum of each row of parts, over divisor; one warp per row.
KERNEL finish_sums(const Real* x, Element* y, u64 parts, double divisor) {
    Real total = 0;
    for (u64 i = threadIdx.x; i < parts; i += blockDim.x) total += x[blockIdx.x * parts + i];
    total = block_sum(total);
    if (threadIdx.x == 0) narrow(y[blockIdx.x], total / Real(divisor));
}
