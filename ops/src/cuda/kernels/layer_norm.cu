// Layer normalisation: one block per plane.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#include "spread.cuh"
#endif

// Mean of each plane and sum of squared distances from it, in pairs; one block per plane.
KERNEL plane_spreads(const Element* x, Real* y, u64 plane) {
    const Spread s = spread(x + blockIdx.x * plane, plane);
    if (threadIdx.x == 0) {
        y[2 * blockIdx.x] = s.mean;
        y[2 * blockIdx.x + 1] = s.squares;
    }
}

// Statistics of a sample of layer normalisation: inverse is one over what it is divided by, share the part of the
// projection on x that its gradient loses.
struct Sample {
    Real mean, inverse, share;
};

// Joins the spreads of a sample's planes, with the whole block. Divided by √(biased variance + eps) with `by_variance`,
// otherwise by unbiased deviation + eps.
__device__ inline Sample join(const Real* spreads, u64 channels, u64 plane, Real eps, u64 by_variance) {
    Real sum = 0, squares = 0;
    for (u64 c = threadIdx.x; c < channels; c += blockDim.x) sum += spreads[2 * c];
    const Real mean = block_sum(sum) / Real(channels);
    for (u64 c = threadIdx.x; c < channels; c += blockDim.x) {
        const Real distance = spreads[2 * c] - mean;
        squares += spreads[2 * c + 1] + distance * distance * Real(plane);
    }
    squares = block_sum(squares);
    if (by_variance) {
        const Real elements = Real(channels * plane), variance = squares / elements + eps;
        return Sample{mean, Real(1) / sqrt(variance), Real(1) / (variance * elements)};
    }
    const Real degrees = Real(channels * plane - 1), deviation = sqrt(squares / degrees);
    const Real inverse = Real(1) / (deviation + eps);
    // The deviation of equal values has no gradient.
    return Sample{mean, inverse, deviation == Real(0) ? Real(0) : inverse / (degrees * deviation)};
}

// Layer normalisation; one block per plane.
KERNEL layer_norm(
    const Element* x, const Real* spreads, const Element* gamma, const Element* beta, Element* y, u64 channels, u64 plane,
    double eps, u64 by_variance
) {
    const u64 block = blockIdx.x, channel = block % channels;
    const Sample s = join(spreads + 2 * (block - channel), channels, plane, Real(eps), by_variance);
    const Real scale = widen(gamma[channel]) * s.inverse, shift = widen(beta[channel]);
    x += block * plane;
    y += block * plane;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) narrow(y[i], (widen(x[i]) - s.mean) * scale + shift);
}

// The sums of g and of g times the normalised x over each plane, in pairs; one block per plane.
KERNEL layer_norm_projections(
    const Element* x, const Real* spreads, const Element* g, Real* y, u64 channels, u64 plane, double eps, u64 by_variance
) {
    const u64 block = blockIdx.x, channel = block % channels;
    const Sample s = join(spreads + 2 * (block - channel), channels, plane, Real(eps), by_variance);
    x += block * plane;
    g += block * plane;
    Real sum = 0, projection = 0;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) {
        sum += widen(g[i]);
        projection += widen(g[i]) * (widen(x[i]) - s.mean);
    }
    sum = block_sum(sum);
    projection = block_sum(projection) * s.inverse;
    if (threadIdx.x == 0) {
        y[2 * block] = sum;
        y[2 * block + 1] = projection;
    }
}

// Gradients of x, gamma and beta, one after the other; one block per plane. Those of the first sample also add up the
// sums of their channel over all samples.
KERNEL layer_norm_gradient(
    const Element* x, const Real* spreads, const Real* sums, const Element* gamma, const Element* g, Element* out,
    u64 channels, u64 plane, double eps, u64 by_variance
) {
    const u64 block = blockIdx.x, planes = gridDim.x, channel = block % channels;
    const Sample s = join(spreads + 2 * (block - channel), channels, plane, Real(eps), by_variance);
    const Real* own = sums + 2 * (block - channel);
    Real sum = 0, projection = 0;
    for (u64 c = threadIdx.x; c < channels; c += blockDim.x) {
        sum += own[2 * c] * widen(gamma[c]);
        projection += own[2 * c + 1] * widen(gamma[c]);
    }
    sum = block_sum(sum);
    projection = block_sum(projection);
    const Real elements = Real(channels * plane), slope = projection * s.share;
    const Real scale = widen(gamma[channel]) * s.inverse, constant = sum / elements * s.inverse;
    Element* dx = out + block * plane;
    x += block * plane;
    g += block * plane;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x)
        narrow(dx[i], widen(g[i]) * scale - constant - (widen(x[i]) - s.mean) * slope);
    if (block >= channels) return;
    Real dgamma = 0, dbeta = 0;
    for (u64 p = block + threadIdx.x * channels; p < planes; p += blockDim.x * channels) {
        dbeta += sums[2 * p];
        dgamma += sums[2 * p + 1];
    }
    dgamma = block_sum(dgamma);
    dbeta = block_sum(dbeta);
    if (threadIdx.x == 0) {
        narrow(out[planes * plane + block], dgamma);
        narrow(out[planes * plane + channels + block], dbeta);
    }
}
