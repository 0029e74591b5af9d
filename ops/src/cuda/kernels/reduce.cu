// Sums and normalisations: one block per sum or plane.
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

struct Spread {
    Real mean, squares;
};

// Mean of a plane and sum of squared distances from it, with the whole block.
__device__ inline Spread spread(const Real* x, u64 plane) {
    Real sum = 0, squares = 0;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) sum += x[i];
    const Real mean = block_sum(sum) / Real(plane);
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) squares += (x[i] - mean) * (x[i] - mean);
    return Spread{mean, block_sum(squares)};
}

struct Moments {
    Real mean, inverse_std;
};

// Mean and 1 / sqrt(variance + eps) of a plane, with the whole block.
__device__ inline Moments moments(const Real* x, u64 plane, Real eps) {
    const Spread s = spread(x, plane);
    return Moments{s.mean, Real(1) / sqrt(s.squares / Real(plane) + eps)};
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

// Mean of each plane and sum of squared distances from it, in pairs; one block per plane.
KERNEL plane_spreads(const Real* x, Real* y, u64 plane) {
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
    const Real* x, const Real* spreads, const Real* gamma, const Real* beta, Real* y, u64 channels, u64 plane,
    double eps, u64 by_variance
) {
    const u64 block = blockIdx.x, channel = block % channels;
    const Sample s = join(spreads + 2 * (block - channel), channels, plane, Real(eps), by_variance);
    const Real scale = gamma[channel] * s.inverse, shift = beta[channel];
    x += block * plane;
    y += block * plane;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) y[i] = (x[i] - s.mean) * scale + shift;
}

// The sums of g and of g times the normalised x over each plane, in pairs; one block per plane.
KERNEL layer_norm_projections(
    const Real* x, const Real* spreads, const Real* g, Real* y, u64 channels, u64 plane, double eps, u64 by_variance
) {
    const u64 block = blockIdx.x, channel = block % channels;
    const Sample s = join(spreads + 2 * (block - channel), channels, plane, Real(eps), by_variance);
    x += block * plane;
    g += block * plane;
    Real sum = 0, projection = 0;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) {
        sum += g[i];
        projection += g[i] * (x[i] - s.mean);
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
    const Real* x, const Real* spreads, const Real* sums, const Real* gamma, const Real* g, Real* out, u64 channels,
    u64 plane, double eps, u64 by_variance
) {
    const u64 block = blockIdx.x, planes = gridDim.x, channel = block % channels;
    const Sample s = join(spreads + 2 * (block - channel), channels, plane, Real(eps), by_variance);
    const Real* own = sums + 2 * (block - channel);
    Real sum = 0, projection = 0;
    for (u64 c = threadIdx.x; c < channels; c += blockDim.x) {
        sum += own[2 * c] * gamma[c];
        projection += own[2 * c + 1] * gamma[c];
    }
    sum = block_sum(sum);
    projection = block_sum(projection);
    const Real elements = Real(channels * plane), slope = projection * s.share;
    const Real scale = gamma[channel] * s.inverse, constant = sum / elements * s.inverse;
    Real* dx = out + block * plane;
    x += block * plane;
    g += block * plane;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) dx[i] = g[i] * scale - constant - (x[i] - s.mean) * slope;
    if (block >= channels) return;
    Real dgamma = 0, dbeta = 0;
    for (u64 p = block + threadIdx.x * channels; p < planes; p += blockDim.x * channels) {
        dbeta += sums[2 * p];
        dgamma += sums[2 * p + 1];
    }
    dgamma = block_sum(dgamma);
    dbeta = block_sum(dbeta);
    if (threadIdx.x == 0) {
        out[planes * plane + block] = dgamma;
        out[planes * plane + channels + block] = dbeta;
    }
}
