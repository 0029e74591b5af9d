// Kernels of resampled convolutions. A 3x3 convolution and the pooling behind it are one 4x4 convolution with stride 2; a
// 3x3 convolution of an up-sampled image is the adjoint of one.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// Element (a, b, row, column) of A x B x size x size weights: A rows of B in memory (OIHW), or B innermost (OHWI).
__device__ inline u32 weight_at(u32 a, u32 b, u32 row, u32 column, u32 inputs, u32 size, bool channels_last) {
    return channels_last ? ((a * size + row) * size + column) * inputs + b
                         : ((a * inputs + b) * size + row) * size + column;
}

// The four numbers that belong to element i of A x B x size x size weights.
struct Where {
    u32 a, b, row, column;
    // Fewer than 2^32 elements: dividing shorter numbers is several times faster.
    __device__ Where(u32 i, u32 inputs, u32 size, bool channels_last) {
        if (channels_last) {
            b = i % inputs;
            column = i / inputs % size;
            row = i / (inputs * size) % size;
            a = i / (inputs * size * size);
        } else {
            column = i % size;
            row = i / size % size;
            b = i / (size * size) % inputs;
            a = i / (size * size * inputs);
        }
    }
};

// A x B x 4 x 4 from 3x3 weights w: factor times each spread over 2x2 places. With mirrored, w is B x A and turned by 180
// degrees.
KERNEL spread_weights(
    const Element* w, Element* k, u64 n, u64 outputs, u64 inputs, u64 channels_last, u64 mirrored, double factor
) {
    const u32 a_count = (u32)outputs, b_count = (u32)inputs;
    const bool last = channels_last != 0;
    FOR_EACH(i, n) {
        const Where p((u32)i, b_count, 4, last);
        Real total = 0;
        for (u32 row = p.row > 0 ? p.row - 1 : 0; row <= p.row && row < 3; row++)
            for (u32 column = p.column > 0 ? p.column - 1 : 0; column <= p.column && column < 3; column++)
                total += widen(
                    mirrored ? w[weight_at(p.b, p.a, 2 - row, 2 - column, a_count, 3, last)]
                             : w[weight_at(p.a, p.b, row, column, b_count, 3, last)]
                );
        narrow(k[i], Real(factor) * total);
    }
}

// The adjoint: n elements of 3x3 weights from the A x B x 4 x 4 of k.
KERNEL gather_weights(
    const Element* k, Element* w, u64 n, u64 outputs, u64 inputs, u64 channels_last, u64 mirrored, double factor
) {
    const u32 a_count = (u32)outputs, b_count = (u32)inputs;
    const bool last = channels_last != 0;
    FOR_EACH(i, n) {
        const Where p((u32)i, mirrored ? a_count : b_count, 3, last);
        const u32 a = mirrored ? p.b : p.a, b = mirrored ? p.a : p.b;
        const u32 top = mirrored ? 2 - p.row : p.row, left = mirrored ? 2 - p.column : p.column;
        Real total = 0;
        for (u32 row = top; row < top + 2; row++)
            for (u32 column = left; column < left + 2; column++)
                total += widen(k[weight_at(a, b, row, column, b_count, 4, last)]);
        narrow(w[i], Real(factor) * total);
    }
}
