// Between 8-bit images and what networks take and give.
//
// A module of its own (cuda/images.rs), compiled once and without contraction of products and sums into one rounding, so
// that every pixel is what the processor's code gives, to the bit. Types are explicit: ELEMENT has no part in it.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

typedef unsigned int Index;

// The pixel that saving as PNG would store, (x + 1) / 2 cut to [0, 1], in 255 steps; flag becomes 1 where a value is not
// finite. Whichever thread writes it, it writes the same.
KERNEL quantise(const float* x, unsigned char* y, unsigned int* flag, u64 n) {
    FOR_EACH(i, n) {
        const float value = x[i];
        if (!(fabsf(value) <= 3.402823466e+38f)) flag[0] = 1;
        const float unit = (value + 1.0f) / 2.0f;
        // NaN fails both comparisons and becomes 0.
        const float cut = unit > 0.0f ? (unit < 1.0f ? unit : 1.0f) : 0.0f;
        y[i] = (unsigned char)(int)(cut * 255.0f + 0.5f);
    }
}

// What a table of 256 values for each channel has for every pixel.
KERNEL look_up(const unsigned char* x, const float* table, float* y, u64 n, u64 channels, u64 plane) {
    FOR_EACH(i, n) y[i] = table[(Index)i / (Index)plane % (Index)channels * 256 + x[i]];
}

// (x, cut to [low, high], less the channel's shift) over its scale; coefficients: shift and scale of every channel.
KERNEL scale_channels(
    const float* x, const float* coefficients, float* y, u64 n, u64 channels, u64 plane, float low, float high
) {
    FOR_EACH(i, n) {
        const Index channel = (Index)i / (Index)plane % (Index)channels;
        const float value = x[i], raised = value < low ? low : value, cut = raised > high ? high : raised;
        y[i] = (cut - coefficients[2 * channel]) / coefficients[2 * channel + 1];
    }
}

// One pass of a resize: along an axis of `input` positions, `inner` elements apart, to `output` positions. Output position
// o mixes counts[o] input positions from firsts[o] on, but none behind the last, with the weights from most * o on.
struct Mixed {
    Index first, count, weights, from;
    __device__ Mixed(
        Index i, const unsigned int* firsts, const unsigned int* counts, Index input, Index output, Index inner, Index most
    ) {
        const Index o = i / inner % output;
        first = firsts[o];
        count = counts[o];
        weights = o * most;
        from = i / (inner * output) * (inner * input) + i % inner;
    }
    __device__ Index at(Index k, Index input, Index inner) const {
        const Index position = first + k;
        return from + (position < input ? position : input - 1) * inner;
    }
};

// Bytes, with weights of 22 bits behind the point, rounded and cut to bytes.
KERNEL resample_bytes(
    const unsigned char* x, const unsigned int* firsts, const unsigned int* counts, const int* weights, unsigned char* y,
    u64 n, u64 input, u64 output, u64 inner, u64 most
) {
    FOR_EACH(i, n) {
        const Mixed mixed((Index)i, firsts, counts, input, output, inner, most);
        int sum = 1 << 21;
        for (Index k = 0; k < mixed.count; k++) sum += (int)x[mixed.at(k, input, inner)] * weights[mixed.weights + k];
        const int level = sum >> 22;
        y[i] = (unsigned char)(level < 0 ? 0 : level > 255 ? 255 : level);
    }
}

// Floats, summed in double precision and rounded to floats.
KERNEL resample_floats(
    const float* x, const unsigned int* firsts, const unsigned int* counts, const double* weights, float* y, u64 n,
    u64 input, u64 output, u64 inner, u64 most
) {
    FOR_EACH(i, n) {
        const Mixed mixed((Index)i, firsts, counts, input, output, inner, most);
        double sum = 0.0;
        for (Index k = 0; k < mixed.count; k++)
            sum += (double)x[mixed.at(k, input, inner)] * weights[mixed.weights + k];
        y[i] = (float)sum;
    }
}

// Floats, summed in single precision.
KERNEL resample_singles(
    const float* x, const unsigned int* firsts, const unsigned int* counts, const float* weights, float* y, u64 n,
    u64 input, u64 output, u64 inner, u64 most
) {
    FOR_EACH(i, n) {
        const Mixed mixed((Index)i, firsts, counts, input, output, inner, most);
        float sum = 0.0f;
        for (Index k = 0; k < mixed.count; k++) sum += x[mixed.at(k, input, inner)] * weights[mixed.weights + k];
        y[i] = sum;
    }
}

// The mean of each of n planes, summed in double precision and in the order of its pixels.
KERNEL spatial_means(const float* x, float* y, u64 n, u64 plane) {
    FOR_EACH(i, n) {
        const float* pixels = x + i * plane;
        double sum = 0.0;
        for (u64 j = 0; j < plane; j++) sum += (double)pixels[j];
        y[i] = (float)(sum / (double)plane);
    }
}

// What the channels of each of n positions are multiplied with to be of unit length; eps inside or outside the root.
KERNEL unit_scales(const float* x, float* y, u64 n, u64 channels, u64 plane, float eps, u64 inside) {
    FOR_EACH(i, n) {
        const float* position = x + i / plane * channels * plane + i % plane;
        float sum = 0.0f;
        for (u64 channel = 0; channel < channels; channel++) {
            const float value = position[channel * plane];
            sum += value * value;
        }
        y[i] = inside ? 1.0f / sqrtf(sum + eps) : 1.0f / (sqrtf(sum) + eps);
    }
}

// Sum over all threads of the block, of which there are a power of two and at most 256, in thread 0.
__device__ inline double total_of_block(double value) {
    __shared__ double totals[256];
    totals[threadIdx.x] = value;
    __syncthreads();
    for (unsigned int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) totals[threadIdx.x] += totals[threadIdx.x + half];
        __syncthreads();
    }
    return totals[0];
}

// For each of some sources with `members` images each, the weighted squared distances of all pairs of its images, scaled
// to unit length, summed over pairs, channels and positions. Image j of source s has place j * sources + s. The channels
// are cut into parts: block (part, source) writes its sum, over divisor, to y[source * parts + part].
//
// Sum over i < j of (d_i - d_j)^2 = n sum of d^2 - (sum of d)^2, with the differences d from the first image.
KERNEL pair_distances(
    const float* x, const float* scales, const float* weights, double* y, u64 sources, u64 members, u64 channels, u64 plane,
    double divisor
) {
    const u64 part = blockIdx.x, parts = gridDim.x, source = blockIdx.y, image = channels * plane;
    const u64 start = channels * part / parts * plane, end = channels * (part + 1) / parts * plane;
    double total = 0.0;
    for (u64 e = start + threadIdx.x; e < end; e += blockDim.x) {
        const u64 position = e % plane;
        const float first = x[source * image + e] * scales[source * plane + position];
        double differences = 0.0, squares = 0.0;
        for (u64 j = 1; j < members; j++) {
            const u64 place = j * sources + source;
            const float value = x[place * image + e] * scales[place * plane + position];
            const double difference = (double)value - (double)first;
            differences += difference;
            squares += difference * difference;
        }
        total += (double)weights[e / plane] * ((double)members * squares - differences * differences);
    }
    total = total_of_block(total);
    if (threadIdx.x == 0) y[source * parts + part] = total / divisor;
}
