// Maps of image planes: one thread per output pixel.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// factor times the sum over 2x2 windows; n output pixels in rows of width.
KERNEL sum_pool(const Real* x, Real* y, u64 n, u64 width, double factor) {
    FOR_EACH(i, n) {
        // Planes have even heights, so rows can be counted through all of them.
        const Real* window = x + i / width * 4 * width + i % width * 2;
        y[i] = Real(factor) * (window[0] + window[1] + window[2 * width] + window[2 * width + 1]);
    }
}

// factor times each pixel, repeated 2x2; n output pixels in rows of width.
KERNEL repeat(const Real* x, Real* y, u64 n, u64 width, double factor) {
    FOR_EACH(i, n) y[i] = Real(factor) * x[i / width / 2 * (width / 2) + i % width / 2];
}

// Pixels i of an axis that output pixel o of a 3x3 pooling with stride 2 and padding 1 averages: first to end - 1.
struct Window {
    u64 first, end;
    __device__ Window(u64 o, u64 input) : first(o == 0 ? 0 : 2 * o - 1), end(2 * o + 2 < input ? 2 * o + 2 : input) {}
    __device__ u64 length() const { return end - first; }
};

// Means over 3x3 windows; n output pixels, planes of height x width to rows x columns.
KERNEL pool3(const Real* x, Real* y, u64 n, u64 height, u64 width, u64 rows, u64 columns) {
    FOR_EACH(i, n) {
        const Window vertical(i / columns % rows, height), horizontal(i % columns, width);
        const Real* plane = x + i / (rows * columns) * height * width;
        Real sum = 0;
        for (u64 row = vertical.first; row < vertical.end; row++)
            for (u64 column = horizontal.first; column < horizontal.end; column++) sum += plane[row * width + column];
        y[i] = sum * (Real(1) / Real(vertical.length() * horizontal.length()));
    }
}

// The adjoint; n pixels of the planes of height x width. A pixel lies in the windows p / 2 and (p + 1) / 2.
KERNEL pool3_adjoint(const Real* y, Real* x, u64 n, u64 height, u64 width, u64 rows, u64 columns) {
    FOR_EACH(i, n) {
        const u64 row = i / width % height, column = i % width;
        const Real* plane = y + i / (height * width) * rows * columns;
        Real sum = 0;
        for (u64 oy = row / 2; oy <= (row + 1) / 2 && oy < rows; oy++)
            for (u64 ox = column / 2; ox <= (column + 1) / 2 && ox < columns; ox++)
                sum += plane[oy * columns + ox] *
                       (Real(1) / Real(Window(oy, height).length() * Window(ox, width).length()));
        x[i] = sum;
    }
}

// The pixel of an axis that pixel o of the mirrored axis shows.
__device__ inline u64 mirrored(u64 o, u64 input, u64 padding) {
    const u64 distance = o < padding ? padding - o : o - padding;
    return distance < input ? distance : 2 * (input - 1) - distance;
}

// Reflection padding; n output pixels in planes of rows x columns.
KERNEL reflect(const Real* x, Real* y, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 padding) {
    FOR_EACH(i, n) {
        const u64 row = mirrored(i / columns % rows, height, padding), column = mirrored(i % columns, width, padding);
        y[i] = x[(i / (rows * columns) * height + row) * width + column];
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

// The adjoint; n pixels of the planes of height x width.
KERNEL reflect_adjoint(const Real* y, Real* x, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 padding) {
    FOR_EACH(i, n) {
        const Images vertical(i / width % height, height, padding), horizontal(i % width, width, padding);
        const Real* plane = y + i / (height * width) * rows * columns;
        Real sum = 0;
        for (int v = 0; v < vertical.count; v++)
            for (int h = 0; h < horizontal.count; h++) sum += plane[vertical.at[v] * columns + horizontal.at[h]];
        x[i] = sum;
    }
}

// factor times (eight times a pixel less its eight neighbours), zeros around; n pixels in planes of height x width.
KERNEL high_pass(const Real* x, Real* y, u64 n, u64 height, u64 width, double factor) {
    FOR_EACH(i, n) {
        const u64 row = i / width % height, column = i % width;
        const u64 top = row > 0 ? row - 1 : 0, bottom = row + 1 < height ? row + 1 : row;
        const u64 left = column > 0 ? column - 1 : 0, right = column + 1 < width ? column + 1 : column;
        const Real* plane = x + i / (height * width) * height * width;
        Real neighbours = 0;
        for (u64 r = top; r <= bottom; r++)
            for (u64 c = left; c <= right; c++)
                if (r != row || c != column) neighbours += plane[r * width + c];
        y[i] = Real(8.0 * factor) * x[i] - Real(factor) * neighbours;
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

// Bilinear resampling; n output pixels, planes of height x width to rows x columns.
KERNEL bilinear(
    const Real* x, Real* y, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 align_corners
) {
    FOR_EACH(i, n) {
        const Taps vertical(i / columns % rows, height, rows, align_corners);
        const Taps horizontal(i % columns, width, columns, align_corners);
        const Real* plane = x + i / (rows * columns) * height * width;
        const Real* low = plane + vertical.low * width;
        const Real* high = plane + vertical.high * width;
        y[i] = vertical.mix(
            horizontal.mix(low[horizontal.low], low[horizontal.high]),
            horizontal.mix(high[horizontal.low], high[horizontal.high])
        );
    }
}

// Windows of size x size pixels, stride apart, over images with a margin of padding pixels that are not there: their
// largest pixel (kind 0; a NaN stays), their mean (1), or their mean with zeros in the margin (2).
KERNEL pool(
    const Real* x, Real* y, u64 n, u64 height, u64 width, u64 rows, u64 columns, u64 size, u64 stride, u64 padding,
    u64 kind
) {
    FOR_EACH(i, n) {
        const u64 plane = i / (rows * columns), top = i / columns % rows * stride, left = i % columns * stride;
        const u64 y_start = top > padding ? top - padding : 0, x_start = left > padding ? left - padding : 0;
        u64 y_end = top + size - padding, x_end = left + size - padding;
        if (y_end > height) y_end = height;
        if (x_end > width) x_end = width;
        const Real* from = x + plane * height * width;
        Real value = kind == 0 ? from[y_start * width + x_start] : Real(0);
        for (u64 row = y_start; row < y_end; row++)
            for (u64 column = x_start; column < x_end; column++) {
                const Real pixel = from[row * width + column];
                if (kind != 0) value += pixel;
                else if (pixel > value || pixel != pixel) value = pixel;
            }
        if (kind == 1) value /= Real((y_end - y_start) * (x_end - x_start));
        if (kind == 2) value /= Real(size * size);
        y[i] = value;
    }
}
