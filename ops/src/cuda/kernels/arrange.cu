// Copies of parts of tensors.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// For each of n / width rows: width elements from x_start of a row of x_stride to y_start of a row of y_stride.
KERNEL copy_rows(const Real* x, Real* y, u64 n, u64 width, u64 x_stride, u64 x_start, u64 y_stride, u64 y_start) {
    FOR_EACH(i, n) {
        const u64 row = i / width, column = i % width;
        y[row * y_stride + y_start + column] = x[row * x_stride + x_start + column];
    }
}

// Channel selected[i] of sample i; n elements of output, inner per channel.
KERNEL select_channels(const Real* x, const unsigned* selected, Real* y, u64 n, u64 channels, u64 inner) {
    FOR_EACH(i, n) {
        const u64 sample = i / inner;
        y[i] = x[(sample * channels + selected[sample]) * inner + i % inner];
    }
}

// The adjoint: zeros but for channel selected[i] of sample i; n elements of output.
KERNEL place_channels(const Real* x, const unsigned* selected, Real* y, u64 n, u64 channels, u64 inner) {
    FOR_EACH(i, n) {
        const u64 plane = i / inner, sample = plane / channels;
        y[i] = plane % channels == selected[sample] ? x[sample * inner + i % inner] : Real(0);
    }
}

// B to A x B x C; n = A B C.
KERNEL expand_from(const Real* x, Real* y, u64 n, u64 b, u64 c) {
    FOR_EACH(i, n) y[i] = x[i / c % b];
}
