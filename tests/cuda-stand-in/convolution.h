// Convolutions of planes on the host.
#pragma once
#include <cstddef>

#include "number.h"

namespace stand_in {

// Four lengths, and how many elements apart neighbours lie: batch, channels, height, width.
struct Layout {
    size_t length[4], stride[4];

    size_t at(size_t n, size_t c, size_t y, size_t x) const {
        return n * stride[0] + c * stride[1] + y * stride[2] + x * stride[3];
    }
    // Elements from the first to the last, both included.
    size_t extent() const {
        size_t last = 0;
        for (int i = 0; i < 4; i++) last += (length[i] - 1) * stride[i];
        return last + 1;
    }
};

struct Convolution {
    Element element;
    // The filter's lengths are outputs, inputs per group, height, width.
    Layout x, w, y;
    size_t padding[2], stride[2], dilation[2], groups;
    // Operands are rounded to ten bits of mantissa.
    bool tf32;
};

// Each is alpha times the result plus beta times what was there, which is not read where beta is zero. Sums are of double
// precision.
void convolve(const Convolution& c, double alpha, const void* x, const void* w, double beta, void* y);
void convolve_backward_data(const Convolution& c, double alpha, const void* w, const void* dy, double beta, void* dx);
void convolve_backward_filter(const Convolution& c, double alpha, const void* x, const void* dy, double beta, void* dw);

}  // namespace stand_in
