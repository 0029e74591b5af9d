// Copies of parts of tensors.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// For each of n / width rows: width elements from x_start of a row of x_stride to y_start of a row of y_stride.
KERNEL copy_rows(
    const Element* x, Element* y, u64 n, u64 width, u64 x_stride, u64 x_start, u64 y_stride, u64 y_start
) {
    FOR_EACH(i, n) {
        const u64 row = i / width, column = i % width;
        y[row * y_stride + y_start + column] = x[row * x_stride + x_start + column];
    }
}

// Channel selected[i] of sample i; n elements of output, inner per channel.
KERNEL select_channels(const Element* x, const unsigned* selected, Element* y, u64 n, u64 channels, u64 inner) {
    FOR_EACH(i, n) {
        const u64 sample = i / inner;
        y[i] = x[(sample * channels + selected[sample]) * inner + i % inner];
    }
}

// The adjoint: zeros but for channel selected[i] of sample i; n elements of output.
KERNEL place_channels(const Element* x, const unsigned* selected, Element* y, u64 n, u64 channels, u64 inner) {
    FOR_EACH(i, n) {
        const u64 plane = i / inner, sample = plane / channels;
        if (plane % channels == selected[sample]) y[i] = x[sample * inner + i % inner];
        else narrow(y[i], Real(0));
    }
}

// B to A x B x C; n = A B C.
KERNEL expand_from(const Element* x, Element* y, u64 n, u64 b, u64 c) {
    FOR_EACH(i, n) y[i] = x[i / c % b];
}

// Each of count matrices of rows x columns, transposed: images between the orders NCHW (C x HW) and NHWC (HW x C). Blocks
// of 32 x 8 threads; one tile of 32 x 32 each.
KERNEL transpose(const Element* x, Element* y, u64 count, u64 rows, u64 columns) {
    __shared__ Element tile[32][33];
    const u64 down = (rows + 31) / 32, across = (columns + 31) / 32, tiles = count * down * across;
    const u32 lane = threadIdx.x % 32, line = threadIdx.x / 32;
    for (u64 t = blockIdx.x; t < tiles; t += gridDim.x) {
        const u64 matrix = t / (down * across), top = t / across % down * 32, left = t % across * 32;
        const Element* from = x + matrix * rows * columns;
        Element* to = y + matrix * rows * columns;
        for (u32 k = line; k < 32; k += 8)
            if (top + k < rows && left + lane < columns) tile[k][lane] = from[(top + k) * columns + left + lane];
        __syncthreads();
        for (u32 k = line; k < 32; k += 8)
            if (left + k < columns && top + lane < rows) to[(left + k) * rows + top + lane] = tile[lane][k];
        __syncthreads();
    }
}
