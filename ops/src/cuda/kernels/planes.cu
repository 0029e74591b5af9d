// Maps of image planes: one thread per output pixel. Images lie in memory as planes of height x width x inner elements:
// inner is 1 where channels are planes (NCHW), or the number of channels where they lie together at each pixel (NHWC).
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// Where output element i lies: which of the inner elements, column, row and plane.
struct Place {
    u32 inner, column, row, plane;
    __device__ Place(u64 i, u64 rows, u64 columns, u64 width) {
        // Fewer than 2^32 elements: dividing shorter numbers is several times faster.
        const u32 at = (u32)i, pixel = at / (u32)width, line = pixel / (u32)columns;
        inner = at % (u32)width;
        column = pixel % (u32)columns;
        row = line % (u32)rows;
        plane = line / (u32)rows;
    }
};

// Sixteen bytes of neighbouring channels, or one element.
template <class U> struct Unit;
template <> struct Unit<Element> {
    Real value;
    __device__ Unit() : value(0) {}
    __device__ void add(const Element* x) { value += widen(*x); }
    __device__ void store(Element* y, Real factor) const { narrow(*y, factor * value); }
};
template <> struct Unit<Pack> {
    Real values[LANES];
    __device__ Unit() {
#pragma unroll
        for (u32 k = 0; k < LANES; k++) values[k] = Real(0);
    }
    __device__ void add(const Pack* x) {
        Pack pack;
        pack.words = x->words;
#pragma unroll
        for (u32 k = 0; k < LANES; k++) values[k] += widen(pack.lanes[k]);
    }
    __device__ void store(Pack* y, Real factor) const {
        Pack pack;
#pragma unroll
        for (u32 k = 0; k < LANES; k++) narrow(pack.lanes[k], factor * values[k]);
        y->words = pack.words;
    }
};

template <class U>
__device__ inline void sum_pool_units(const U* x, U* y, u64 n, u64 rows, u64 columns, u64 inner, Real factor) {
    FOR_EACH(i, n) {
        const Place p(i, rows, columns, inner);
        const u64 line = 2 * columns * inner;
        const U* window = x + (((u64)p.plane * rows + p.row) * 2 * line + 2 * p.column * inner + p.inner);
        Unit<U> sum;
        sum.add(window);
        sum.add(window + inner);
        sum.add(window + line);
        sum.add(window + line + inner);
        sum.store(y + i, factor);
    }
}

template <class U>
__device__ inline void repeat_units(const U* x, U* y, u64 n, u64 rows, u64 columns, u64 inner, Real factor) {
    FOR_EACH(i, n) {
        const Place p(i, rows, columns, inner);
        Unit<U> value;
        value.add(x + (((u64)p.plane * (rows / 2) + p.row / 2) * (columns / 2) + p.column / 2) * inner + p.inner);
        value.store(y + i, factor);
    }
}

// factor times the sum over 2x2 windows; n output elements, in planes of rows x columns.
KERNEL sum_pool(const Element* x, Element* y, u64 n, u64 rows, u64 columns, u64 inner, double factor) {
    if (inner % LANES == 0 && in_packs(x) && in_packs(y)) {
        sum_pool_units((const Pack*)x, (Pack*)y, n / LANES, rows, columns, inner / LANES, Real(factor));
    } else {
        sum_pool_units(x, y, n, rows, columns, inner, Real(factor));
    }
}

// factor times each pixel, repeated 2x2; n output elements, in planes of rows x columns.
KERNEL repeat(const Element* x, Element* y, u64 n, u64 rows, u64 columns, u64 inner, double factor) {
    if (inner % LANES == 0 && in_packs(x) && in_packs(y)) {
        repeat_units((const Pack*)x, (Pack*)y, n / LANES, rows, columns, inner / LANES, Real(factor));
    } else {
        repeat_units(x, y, n, rows, columns, inner, Real(factor));
    }
}

// Pixels i of an axis that output pixel o of a 3x3 pooling with stride 2 and padding 1 averages: first to end - 1.
struct Window {
    u64 first, end;
    __device__ Window(u64 o, u64 input) : first(o == 0 ? 0 : 2 * o - 1), end(2 * o + 2 < input ? 2 * o + 2 : input) {}
    __device__ u64 length() const { return end - first; }
};

// Means over 3x3 windows; n output elements, planes of height x width to rows x columns.
KERNEL pool3(const Element* x, Element* y, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 inner) {
    FOR_EACH(i, n) {
        const Place p(i, rows, columns, inner);
        const Window vertical(p.row, height), horizontal(p.column, width);
        const Element* plane = x + (u64)p.plane * height * width * inner + p.inner;
        Real sum = 0;
        for (u64 row = vertical.first; row < vertical.end; row++)
            for (u64 column = horizontal.first; column < horizontal.end; column++)
                sum += widen(plane[(row * width + column) * inner]);
        narrow(y[i], sum * (Real(1) / Real(vertical.length() * horizontal.length())));
    }
}

// The adjoint; n elements of the planes of height x width. A pixel lies in the windows p / 2 and (p + 1) / 2.
KERNEL pool3_adjoint(const Element* y, Element* x, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 inner) {
    FOR_EACH(i, n) {
        const Place p(i, height, width, inner);
        const Element* plane = y + (u64)p.plane * rows * columns * inner + p.inner;
        Real sum = 0;
        for (u64 oy = p.row / 2; oy <= (p.row + 1) / 2 && oy < rows; oy++)
            for (u64 ox = p.column / 2; ox <= (p.column + 1) / 2 && ox < columns; ox++)
                sum += widen(plane[(oy * columns + ox) * inner]) *
                       (Real(1) / Real(Window(oy, height).length() * Window(ox, width).length()));
        narrow(x[i], sum);
    }
}

// The pixel of an axis that pixel o of the mirrored axis shows.
__device__ inline u64 mirrored(u64 o, u64 input, u64 padding) {
    const u64 distance = o < padding ? padding - o : o - padding;
    return distance < input ? distance : 2 * (input - 1) - distance;
}

// Reflection padding; n output elements in planes of rows x columns.
KERNEL reflect(
    const Element* x, Element* y, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 inner, u64 padding
) {
    FOR_EACH(i, n) {
        const Place p(i, rows, columns, inner);
        const u64 row = mirrored(p.row, height, padding), column = mirrored(p.column, width, padding);
        y[i] = x[(((u64)p.plane * height + row) * width + column) * inner + p.inner];
    }
}

// The pixels of the mirrored axis that show pixel p: itself, and its images before the first and behind the last pixel.
struct Images {
    u64 at[3];
    int count;
    __device__ Images(u64 p, u64 input, u64 padding) : count(0) {
        at[count++] = padding + p;
        if (p >= 1 && p <= padding) at[count++] = padding - p;
        if (p + 2 <= input && p + padding + 1 >= input) at[count++] = padding + 2 * (input - 1) - p;
    }
};

// The adjoint; n elements of the planes of height x width.
KERNEL reflect_adjoint(
    const Element* y, Element* x, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 inner, u64 padding
) {
    FOR_EACH(i, n) {
        const Place p(i, height, width, inner);
        const Images vertical(p.row, height, padding), horizontal(p.column, width, padding);
        const Element* plane = y + (u64)p.plane * rows * columns * inner + p.inner;
        Real sum = 0;
        for (int v = 0; v < vertical.count; v++)
            for (int h = 0; h < horizontal.count; h++)
                sum += widen(plane[(vertical.at[v] * columns + horizontal.at[h]) * inner]);
        narrow(x[i], sum);
    }
}

// factor times (eight times a pixel less its eight neighbours), zeros around; n elements in planes of height x width.
KERNEL high_pass(const Element* x, Element* y, u64 n, u64 height, u64 width, u64 inner, double factor) {
    FOR_EACH(i, n) {
        const Place p(i, height, width, inner);
        const u64 top = p.row > 0 ? p.row - 1 : 0, bottom = p.row + 1 < height ? p.row + 1 : p.row;
        const u64 left = p.column > 0 ? p.column - 1 : 0, right = p.column + 1 < width ? p.column + 1 : p.column;
        const Element* plane = x + (u64)p.plane * height * width * inner + p.inner;
        Real neighbours = 0;
        for (u64 r = top; r <= bottom; r++)
            for (u64 c = left; c <= right; c++)
                if (r != p.row || c != p.column) neighbours += widen(plane[(r * width + c) * inner]);
        narrow(y[i], Real(8.0 * factor) * widen(x[i]) - Real(factor) * neighbours);
    }
}

// The two pixels of an axis that one output pixel mixes.
struct Taps {
    u64 low, high;
    Real weight;
    __device__ Taps(u64 position, u64 input, u64 output, u64 align_corners) {
        const u64 last = input - 1;
        double source = 0.0;
        if (!align_corners) {
            source = fmax((double(position) + 0.5) * (double(input) / double(output)) - 0.5, 0.0);
        } else if (output > 1) {
            source = double(position) * (double(last) / double(output - 1));
        }
        low = u64(source) < last ? u64(source) : last;
        high = low + 1 < last ? low + 1 : last;
        weight = Real(source - double(low));
    }
    __device__ Real mix(Real a, Real b) const { return (Real(1) - weight) * a + weight * b; }
};

// Bilinear resampling; n output elements, planes of height x width to rows x columns.
KERNEL bilinear(
    const Element* x, Element* y, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 inner, u64 align_corners
) {
    FOR_EACH(i, n) {
        const Place p(i, rows, columns, inner);
        const Taps vertical(p.row, height, rows, align_corners);
        const Taps horizontal(p.column, width, columns, align_corners);
        const Element* plane = x + (u64)p.plane * height * width * inner + p.inner;
        const Element* low = plane + vertical.low * width * inner;
        const Element* high = plane + vertical.high * width * inner;
        const u64 near = horizontal.low * inner, far = horizontal.high * inner;
        narrow(y[i], vertical.mix(
            horizontal.mix(widen(low[near]), widen(low[far])), horizontal.mix(widen(high[near]), widen(high[far]))
        ));
    }
}

// Windows of size x size pixels, stride apart, over images with a margin of padding pixels that are not there: their
// largest pixel (kind 0; a NaN stays), their mean (1), or their mean with zeros in the margin (2).
KERNEL pool(
    const Element* x, Element* y, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 inner, u64 size, u64 stride,
    u64 padding, u64 kind
) {
    FOR_EACH(i, n) {
        const Place p(i, rows, columns, inner);
        const u64 top = p.row * stride, left = p.column * stride;
        const u64 y_start = top > padding ? top - padding : 0, x_start = left > padding ? left - padding : 0;
        u64 y_end = top + size - padding, x_end = left + size - padding;
        if (y_end > height) y_end = height;
        if (x_end > width) x_end = width;
        const Element* from = x + (u64)p.plane * height * width * inner + p.inner;
        Real value = kind == 0 ? widen(from[(y_start * width + x_start) * inner]) : Real(0);
        for (u64 row = y_start; row < y_end; row++)
            for (u64 column = x_start; column < x_end; column++) {
                const Real pixel = widen(from[(row * width + column) * inner]);
                if (kind != 0) value += pixel;
                else if (pixel > value || pixel != pixel) value = pixel;
            }
        if (kind == 1) value /= Real((y_end - y_start) * (x_end - x_start));
        if (kind == 2) value /= Real(size * size);
        narrow(y[i], value);
    }
}
