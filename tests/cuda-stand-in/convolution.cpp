#include "convolution.h"

#include <algorithm>
#include <vector>

#include "multiply.h"

namespace stand_in {

namespace {

// Elements of the matrix that holds the windows of some output pixels, at most.
constexpr size_t most_windows = 1 << 22;

template <typename T>
double operand(const Convolution& c, T value) {
    return c.tf32 ? double(tf32(float(value))) : double(value);
}

template <typename T>
void blend(T& target, double alpha, double value, double beta) {
    target = rounded<T>(alpha * value + (beta == 0.0 ? 0.0 : beta * double(target)));
}

// The sizes of one group's matrices.
struct Sizes {
    size_t outputs, inputs, taps, depth, pixels;

    explicit Sizes(const Convolution& c)
        : outputs(c.w.length[0] / c.groups), inputs(c.w.length[1]), taps(c.w.length[2] * c.w.length[3]),
          depth(inputs * taps), pixels(c.y.length[2] * c.y.length[3]) {}

    size_t step() const { return std::max<size_t>(1, std::min(pixels, most_windows / depth)); }
};

// Calls f(row of the matrix, column, input pixel) for all that lie within the image: windows of the pixels first to end of
// one image and group.
template <typename F>
void each_window(const Convolution& c, const Sizes& s, size_t n, size_t group, size_t first, size_t end, F f) {
    const size_t width = c.y.length[3];
    for (size_t channel = 0; channel < s.inputs; channel++) {
        for (size_t tap = 0; tap < s.taps; tap++) {
            const size_t down = tap / c.w.length[3] * c.dilation[0], right = tap % c.w.length[3] * c.dilation[1];
            for (size_t pixel = first; pixel < end; pixel++) {
                // Above or left of the image they wrap around, and are beyond it too.
                const size_t y = pixel / width * c.stride[0] + down - c.padding[0];
                const size_t x = pixel % width * c.stride[1] + right - c.padding[1];
                if (y >= c.x.length[2] || x >= c.x.length[3]) continue;
                f(channel * s.taps + tap, pixel - first, c.x.at(n, group * s.inputs + channel, y, x));
            }
        }
    }
}

// The filters of one group: outputs x depth, or depth x outputs.
template <typename T>
std::vector<double> filters(const Convolution& c, const Sizes& s, size_t group, const T* w, bool transposed) {
    std::vector<double> matrix(s.outputs * s.depth);
    for (size_t o = 0; o < s.outputs; o++) {
        for (size_t i = 0; i < s.depth; i++) {
            const size_t tap = i % s.taps;
            const size_t from =
                c.w.at(group * s.outputs + o, i / s.taps, tap / c.w.length[3], tap % c.w.length[3]);
            matrix[transposed ? i * s.outputs + o : o * s.depth + i] = operand(c, w[from]);
        }
    }
    return matrix;
}

size_t output_at(const Convolution& c, const Sizes& s, size_t n, size_t group, size_t o, size_t pixel) {
    return c.y.at(n, group * s.outputs + o, pixel / c.y.length[3], pixel % c.y.length[3]);
}

template <typename T>
void forward(const Convolution& c, double alpha, const T* x, const T* w, double beta, T* y) {
    const Sizes s(c);
    std::vector<double> windows, sums;
    for (size_t group = 0; group < c.groups; group++) {
        const std::vector<double> matrix = filters(c, s, group, w, false);
        for (size_t n = 0; n < c.x.length[0]; n++) {
            for (size_t first = 0; first < s.pixels; first += s.step()) {
                const size_t end = std::min(s.pixels, first + s.step()), count = end - first;
                windows.assign(s.depth * count, 0.0);
                each_window(c, s, n, group, first, end, [&](size_t row, size_t column, size_t from) {
                    windows[row * count + column] = operand(c, x[from]);
                });
                sums.assign(s.outputs * count, 0.0);
                multiply_add(s.outputs, count, s.depth, matrix.data(), windows.data(), sums.data());
                for (size_t o = 0; o < s.outputs; o++) {
                    for (size_t i = 0; i < count; i++) {
                        blend(y[output_at(c, s, n, group, o, first + i)], alpha, sums[o * count + i], beta);
                    }
                }
            }
        }
    }
}

template <typename T>
void backward_data(const Convolution& c, double alpha, const T* w, const T* dy, double beta, T* dx) {
    const Sizes s(c);
    std::vector<double> gradients, windows, sums(c.x.extent());
    for (size_t group = 0; group < c.groups; group++) {
        const std::vector<double> matrix = filters(c, s, group, w, true);
        for (size_t n = 0; n < c.x.length[0]; n++) {
            for (size_t first = 0; first < s.pixels; first += s.step()) {
                const size_t end = std::min(s.pixels, first + s.step()), count = end - first;
                gradients.resize(s.outputs * count);
                for (size_t o = 0; o < s.outputs; o++) {
                    for (size_t i = 0; i < count; i++) {
                        gradients[o * count + i] = operand(c, dy[output_at(c, s, n, group, o, first + i)]);
                    }
                }
                windows.assign(s.depth * count, 0.0);
                multiply_add(s.depth, count, s.outputs, matrix.data(), gradients.data(), windows.data());
                each_window(c, s, n, group, first, end, [&](size_t row, size_t column, size_t to) {
                    sums[to] += windows[row * count + column];
                });
            }
        }
    }
    for (size_t n = 0; n < c.x.length[0]; n++) {
        for (size_t channel = 0; channel < c.x.length[1]; channel++) {
            for (size_t row = 0; row < c.x.length[2]; row++) {
                for (size_t column = 0; column < c.x.length[3]; column++) {
                    const size_t at = c.x.at(n, channel, row, column);
                    blend(dx[at], alpha, sums[at], beta);
                }
            }
        }
    }
}

template <typename T>
void backward_filter(const Convolution& c, double alpha, const T* x, const T* dy, double beta, T* dw) {
    const Sizes s(c);
    std::vector<double> gradients, windows, sums;
    for (size_t group = 0; group < c.groups; group++) {
        sums.assign(s.outputs * s.depth, 0.0);
        for (size_t n = 0; n < c.x.length[0]; n++) {
            for (size_t first = 0; first < s.pixels; first += s.step()) {
                const size_t end = std::min(s.pixels, first + s.step()), count = end - first;
                gradients.resize(s.outputs * count);
                for (size_t o = 0; o < s.outputs; o++) {
                    for (size_t i = 0; i < count; i++) {
                        gradients[o * count + i] = operand(c, dy[output_at(c, s, n, group, o, first + i)]);
                    }
                }
                windows.assign(count * s.depth, 0.0);
                each_window(c, s, n, group, first, end, [&](size_t row, size_t column, size_t from) {
                    windows[column * s.depth + row] = operand(c, x[from]);
                });
                multiply_add(s.outputs, s.depth, count, gradients.data(), windows.data(), sums.data());
            }
        }
        for (size_t o = 0; o < s.outputs; o++) {
            for (size_t i = 0; i < s.depth; i++) {
                const size_t tap = i % s.taps;
                T& target =
                    dw[c.w.at(group * s.outputs + o, i / s.taps, tap / c.w.length[3], tap % c.w.length[3])];
                blend(target, alpha, sums[o * s.depth + i], beta);
            }
        }
    }
}

}  // namespace

void convolve(const Convolution& c, double alpha, const void* x, const void* w, double beta, void* y) {
    with_element(c.element, [&](auto type) {
        using T = decltype(type);
        forward(c, alpha, static_cast<const T*>(x), static_cast<const T*>(w), beta, static_cast<T*>(y));
    });
}

void convolve_backward_data(const Convolution& c, double alpha, const void* w, const void* dy, double beta, void* dx) {
    with_element(c.element, [&](auto type) {
        using T = decltype(type);
        backward_data(c, alpha, static_cast<const T*>(w), static_cast<const T*>(dy), beta, static_cast<T*>(dx));
    });
}

void convolve_backward_filter(const Convolution& c, double alpha, const void* x, const void* dy, double beta, void* dw) {
    with_element(c.element, [&](auto type) {
        using T = decltype(type);
        backward_filter(c, alpha, static_cast<const T*>(x), static_cast<const T*>(dy), beta, static_cast<T*>(dw));
    });
}

}  // namespace stand_in
