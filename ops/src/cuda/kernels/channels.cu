// Sums and instance normalisation where the channels of a pixel lie together (NHWC). An image, or a matrix, is rows of
// channels; a block treats a part of the rows, and up to 256 units of neighbouring channels.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// Threads of each block.
#define THREADS 256u

// L neighbouring channels as numbers.
template <u32 L> struct Lanes {
    Real at[L];
    __device__ Lanes() {
#pragma unroll
        for (u32 k = 0; k < L; k++) at[k] = Real(0);
    }
    // Channels of unit i.
    __device__ Lanes(const Element* x, u64 i) {
        if constexpr (L == 1) {
            at[0] = widen(x[i]);
        } else {
            const Pack pack = load_pack(x, i);
#pragma unroll
            for (u32 k = 0; k < L; k++) at[k] = widen(pack.lanes[k]);
        }
    }
    __device__ void store(Element* y, u64 i) const {
        if constexpr (L == 1) {
            narrow(y[i], at[0]);
        } else {
            Pack pack;
#pragma unroll
            for (u32 k = 0; k < L; k++) narrow(pack.lanes[k], at[k]);
            store_pack(y, i, pack);
        }
    }
};

// What falls to a thread: one unit of channels, and the rows first, first + step, ... below end of sample `sample`.
struct Share {
    u64 sample, part, first, end;
    u32 units, unit, step, within, row;
    bool active;
    __device__ Share(u64 all_units, u64 rows, u64 parts) {
        sample = blockIdx.x / parts;
        part = blockIdx.x % parts;
        const u32 before = blockIdx.y * THREADS, left = (u32)all_units - before;
        units = left < THREADS ? left : THREADS;
        step = THREADS / units;
        within = threadIdx.x % units;
        unit = before + within;
        row = threadIdx.x / units;
        active = row < step;
        first = rows * part / parts + row;
        end = active ? rows * (part + 1) / parts : 0;
    }
};

// Adds up K x L numbers of every thread over the rows of the block and writes them to the place of (channel, part):
// out[((sample * channels + channel) * parts + part) * K + k].
template <u32 K, u32 L>
__device__ inline void write_sums(const Share& s, const Lanes<L>* own, Real* out, u64 channels, u64 parts) {
    __shared__ Real shared[THREADS * K * L];
#pragma unroll
    for (u32 k = 0; k < K; k++)
#pragma unroll
        for (u32 l = 0; l < L; l++) shared[(threadIdx.x * K + k) * L + l] = own[k].at[l];
    __syncthreads();
    const u32 width = K * L;
    for (u32 t = threadIdx.x; t < s.units * width; t += THREADS) {
        const u32 unit = t / width, k = t % width / L, l = t % L;
        Real total = 0;
        for (u32 row = 0; row < s.step; row++) total += shared[((row * s.units + unit) * K + k) * L + l];
        const u64 channel = (u64)(s.unit - s.within + unit) * L + l;
        out[((s.sample * channels + channel) * parts + s.part) * K + k] = total;
    }
}

template <u32 L> __device__ inline void sum_columns(const Element* x, Real* y, u64 rows, u64 channels, u64 parts) {
    const Share s(channels / L, rows, parts);
    Lanes<L> total[1];
    for (u64 row = s.first; row < s.end; row += s.step) {
        const Lanes<L> value(x, row * (channels / L) + s.unit);
#pragma unroll
        for (u32 l = 0; l < L; l++) total[0].at[l] += value.at[l];
    }
    write_sums<1, L>(s, total, y, channels, parts);
}

// Sums of the columns of rows x channels over parts of the rows: y is channels x parts.
KERNEL column_sums(const Element* x, Real* y, u64 rows, u64 channels, u64 parts, u64 packed) {
    if (packed) sum_columns<LANES>(x, y, rows, channels, parts);
    else sum_columns<1>(x, y, rows, channels, parts);
}

template <u32 L> __device__ inline void sum_moments(const Element* x, Real* y, u64 plane, u64 channels, u64 parts) {
    const Share s(channels / L, plane, parts);
    const u64 units = channels / L;
    x += s.sample * plane * channels;
    // Distances from a value of the same channel: squares of distances from 0 would cancel where the mean is large.
    Lanes<L> sums[2];
    if (s.active) {
        const Lanes<L> origin(x, s.unit);
        for (u64 row = s.first; row < s.end; row += s.step) {
            const Lanes<L> value(x, row * units + s.unit);
#pragma unroll
            for (u32 l = 0; l < L; l++) {
                const Real distance = value.at[l] - origin.at[l];
                sums[0].at[l] += distance;
                sums[1].at[l] += distance * distance;
            }
        }
    }
    write_sums<2, L>(s, sums, y, channels, parts);
}

// For each sample, channel and part of the plane: sum of distances from the channel's first pixel, and of their squares.
KERNEL channel_moments(const Element* x, Real* y, u64 plane, u64 channels, u64 parts, u64 packed) {
    if (packed) sum_moments<LANES>(x, y, plane, channels, parts);
    else sum_moments<1>(x, y, plane, channels, parts);
}

// Both sums of the pairs of one channel, with the whole warp.
struct Pair {
    Real first, second;
    __device__ Pair(const Real* pairs, u64 parts) : first(0), second(0) {
        for (u64 part = threadIdx.x % 32; part < parts; part += 32) {
            first += pairs[2 * part];
            second += pairs[2 * part + 1];
        }
        first = warp_sum(first);
        second = warp_sum(second);
    }
};

// The channels below n that fall to this warp.
#define FOR_EACH_WARP(i, n) \
    for (u64 i = (blockIdx.x * (u64)blockDim.x + threadIdx.x) / 32; i < (n); i += gridDim.x * (u64)blockDim.x / 32)

// Mean and 1 / sqrt(variance + eps) of n channels of all samples, in pairs; one warp per channel.
KERNEL finish_moments(const Element* x, const Real* sums, Real* y, u64 n, u64 plane, u64 channels, u64 parts, double eps) {
    FOR_EACH_WARP(i, n) {
        const Pair pair(sums + 2 * i * parts, parts);
        if (threadIdx.x % 32 != 0) continue;
        const Real sum = pair.first, squares = pair.second;
        const Real origin = widen(x[i / channels * plane * channels + i % channels]);
        const Real offset = sum / Real(plane), variance = squares / Real(plane) - offset * offset;
        y[2 * i] = origin + offset;
        y[2 * i + 1] = Real(1) / sqrt((variance < Real(0) ? Real(0) : variance) + Real(eps));
    }
}

// What turns a pixel of each of L channels into its normalised value.
template <u32 L> struct Scaling {
    Lanes<L> mean, inverse, scale, shift;
    __device__ Scaling(const Real* moments, const Element* gamma, const Element* beta, u64 channels, const Share& s)
        : scale(), shift(beta, s.sample * (channels / L) + s.unit) {
        const Lanes<L> gain(gamma, s.sample * (channels / L) + s.unit);
        const u64 channel = s.sample * channels + (u64)s.unit * L;
#pragma unroll
        for (u32 l = 0; l < L; l++) {
            mean.at[l] = moments[2 * (channel + l)];
            inverse.at[l] = moments[2 * (channel + l) + 1];
            scale.at[l] = (Real(1) + gain.at[l]) * inverse.at[l];
        }
    }
};

template <u32 L>
__device__ inline void normalise_units(
    const Element* x, const Real* moments, const Element* gamma, const Element* beta, Element* y, u64 plane, u64 channels,
    u64 parts, Real slope
) {
    const Share s(channels / L, plane, parts);
    if (!s.active) return;
    const u64 units = channels / L;
    const Scaling<L> scaling(moments, gamma, beta, channels, s);
    x += s.sample * plane * channels;
    y += s.sample * plane * channels;
    for (u64 row = s.first; row < s.end; row += s.step) {
        Lanes<L> value(x, row * units + s.unit);
#pragma unroll
        for (u32 l = 0; l < L; l++) {
            const Real v = (value.at[l] - scaling.mean.at[l]) * scaling.scale.at[l] + scaling.shift.at[l];
            value.at[l] = v * select_by_sign(v, slope);
        }
        value.store(y, row * units + s.unit);
    }
}

// Instance normalisation and leaky ReLU.
KERNEL normalise_channels(
    const Element* x, const Real* moments, const Element* gamma, const Element* beta, Element* y, u64 plane, u64 channels,
    u64 parts, u64 packed, double slope
) {
    if (packed) normalise_units<LANES>(x, moments, gamma, beta, y, plane, channels, parts, Real(slope));
    else normalise_units<1>(x, moments, gamma, beta, y, plane, channels, parts, Real(slope));
}

template <u32 L>
__device__ inline void project_units(
    const Element* x, const Real* moments, const Element* gamma, const Element* beta, const Element* g, Real* y, u64 plane,
    u64 channels, u64 parts, Real slope
) {
    const Share s(channels / L, plane, parts);
    const u64 units = channels / L;
    Lanes<L> sums[2];
    if (s.active) {
        const Scaling<L> scaling(moments, gamma, beta, channels, s);
        x += s.sample * plane * channels;
        g += s.sample * plane * channels;
        for (u64 row = s.first; row < s.end; row += s.step) {
            const Lanes<L> value(x, row * units + s.unit), gradient(g, row * units + s.unit);
#pragma unroll
            for (u32 l = 0; l < L; l++) {
                const Real centred = value.at[l] - scaling.mean.at[l];
                const Real sign = select_by_sign(centred * scaling.scale.at[l] + scaling.shift.at[l], slope);
                const Real before = gradient.at[l] * sign;
                sums[0].at[l] += before;
                sums[1].at[l] += before * centred;
            }
        }
    }
    write_sums<2, L>(s, sums, y, channels, parts);
}

// For each sample, channel and part of the plane: sums of the gradient before the activation, and of it times the distance
// of x from its mean.
KERNEL project_channels(
    const Element* x, const Real* moments, const Element* gamma, const Element* beta, const Element* g, Real* y, u64 plane,
    u64 channels, u64 parts, u64 packed, double slope
) {
    if (packed) project_units<LANES>(x, moments, gamma, beta, g, y, plane, channels, parts, Real(slope));
    else project_units<1>(x, moments, gamma, beta, g, y, plane, channels, parts, Real(slope));
}

// Joins the parts of n channels of all samples: gradients of gamma, then of beta, and in pairs what the gradient of x loses
// at every pixel and per distance from the mean; one warp per channel.
KERNEL finish_projections(
    const Real* sums, const Real* moments, Element* gradients, Real* corrections, u64 n, u64 plane, u64 parts
) {
    FOR_EACH_WARP(i, n) {
        const Pair pair(sums + 2 * i * parts, parts);
        if (threadIdx.x % 32 != 0) continue;
        const Real inverse = moments[2 * i + 1], sum = pair.first, projection = pair.second * inverse;
        narrow(gradients[i], projection);
        narrow(gradients[n + i], sum);
        corrections[2 * i] = sum / Real(plane);
        corrections[2 * i + 1] = projection / Real(plane) * inverse;
    }
}

template <u32 L>
__device__ inline void gradient_units(
    const Element* x, const Real* moments, const Element* gamma, const Element* beta, const Element* g, const Real* corrections,
    Element* dx, u64 plane, u64 channels, u64 parts, Real slope
) {
    const Share s(channels / L, plane, parts);
    if (!s.active) return;
    const u64 units = channels / L, channel = s.sample * channels + (u64)s.unit * L;
    const Scaling<L> scaling(moments, gamma, beta, channels, s);
    Lanes<L> constant, linear;
#pragma unroll
    for (u32 l = 0; l < L; l++) {
        constant.at[l] = corrections[2 * (channel + l)];
        linear.at[l] = corrections[2 * (channel + l) + 1];
    }
    x += s.sample * plane * channels;
    g += s.sample * plane * channels;
    dx += s.sample * plane * channels;
    for (u64 row = s.first; row < s.end; row += s.step) {
        const Lanes<L> value(x, row * units + s.unit), gradient(g, row * units + s.unit);
        Lanes<L> out;
#pragma unroll
        for (u32 l = 0; l < L; l++) {
            const Real centred = value.at[l] - scaling.mean.at[l], scale = scaling.scale.at[l];
            const Real before = gradient.at[l] * select_by_sign(centred * scale + scaling.shift.at[l], slope);
            out.at[l] = scale * (before - constant.at[l] - centred * linear.at[l]);
        }
        out.store(dx, row * units + s.unit);
    }
}

// The gradient of x.
KERNEL normalise_gradient_channels(
    const Element* x, const Real* moments, const Element* gamma, const Element* beta, const Element* g, const Real* corrections,
    Element* dx, u64 plane, u64 channels, u64 parts, u64 packed, double slope
) {
    if (packed) {
        gradient_units<LANES>(x, moments, gamma, beta, g, corrections, dx, plane, channels, parts, Real(slope));
    } else {
        gradient_units<1>(x, moments, gamma, beta, g, corrections, dx, plane, channels, parts, Real(slope));
    }
}
