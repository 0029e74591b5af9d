// Mean and spread of an image plane that lies in one piece.
#ifndef HARNESS_OPS_SPREAD
#define HARNESS_OPS_SPREAD
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

struct Spread {
    Real mean, squares;
};

// Mean of a plane and sum of squared distances from it, with the whole block.
__device__ inline Spread spread(const Element* x, u64 plane) {
    Real sum = 0, squares = 0;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) sum += widen(x[i]);
    const Real mean = block_sum(sum) / Real(plane);
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) {
        const Real distance = widen(x[i]) - mean;
        squares += distance * distance;
    }
    return Spread{mean, block_sum(squares)};
}

struct Moments {
    Real mean, inverse_std;
};

// Mean and 1 / sqrt(variance + eps) of a plane, with the whole block.
__device__ inline Moments moments(const Element* x, u64 plane, Real eps) {
    const Spread s = spread(x, plane);
    return Moments{s.mean, Real(1) / sqrt(s.squares / Real(plane) + eps)};
}

#endif
