// What the stand-in computes, against plain loops: convolutions in both formats and all element types, matrix products, what
// rounding does, and what is counted.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "api.h"

namespace {

// Numbers below one, other ones for each seed, that bf16 can hold.
std::vector<double> numbers(size_t count, unsigned seed) {
    std::vector<double> result(count);
    uint32_t state = seed * 2654435761u + 1;
    for (double& value : result) {
        state = state * 1664525u + 1013904223u;
        value = double(int(state >> 24) - 128) / 128.0;
    }
    return result;
}

uint16_t bf16_of(double value) {
    const float narrow = float(value);
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double of_bf16(uint16_t half) {
    const uint32_t bits = uint32_t(half) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// An element type as cuDNN numbers it.
struct Type {
    int cudnn;
    double tolerance;
};
const Type types[] = {{0, 1e-6}, {1, 1e-14}, {9, 4e-3}};

Address upload(const std::vector<double>& values, int type) {
    if (type == 1) return to_device(values);
    if (type == 0) return to_device(std::vector<float>(values.begin(), values.end()));
    std::vector<uint16_t> halves;
    for (const double value : values) halves.push_back(bf16_of(value));
    return to_device(halves);
}

std::vector<double> download(Address address, size_t count, int type) {
    if (type == 1) return from_device<double>(address, count);
    std::vector<double> result;
    if (type == 0) {
        for (const float value : from_device<float>(address, count)) result.push_back(value);
    } else {
        for (const uint16_t half : from_device<uint16_t>(address, count)) result.push_back(of_bf16(half));
    }
    return result;
}

void expect_close(const std::vector<double>& ours, const std::vector<double>& right, double tolerance, const char* what) {
    double scale = 1;
    for (const double value : right) scale = std::fmax(scale, std::fabs(value));
    for (size_t i = 0; i < right.size(); i++) {
        expect(std::fabs(ours[i] - right[i]) <= tolerance * scale,
               std::string(what) + "[" + std::to_string(i) + "]: " + std::to_string(ours[i]) + " for " +
                   std::to_string(right[i]));
    }
}

struct Shape {
    int n, ci, co, h, w, kh, kw, stride, padding;
};

struct Lengths {
    int n, c, h, w;
    // Where an element lies, in NHWC or NCHW.
    size_t at(int format, int i, int j, int y, int x) const {
        return size_t(format ? ((i * h + y) * w + x) * c + j : ((i * c + j) * h + y) * w + x);
    }
    size_t count() const { return size_t(n) * size_t(c) * size_t(h) * size_t(w); }
};

void convolutions(const Shape& s, int format, const Type& type) {
    const int oh = (s.h + 2 * s.padding - s.kh) / s.stride + 1, ow = (s.w + 2 * s.padding - s.kw) / s.stride + 1;
    const Lengths x{s.n, s.ci, s.h, s.w}, w{s.co, s.ci, s.kh, s.kw}, y{s.n, s.co, oh, ow};
    const std::vector<double> xs = numbers(x.count(), 1), ws = numbers(w.count(), 2), gs = numbers(y.count(), 3);
    std::vector<double> right_y(y.count()), right_x(x.count()), right_w(w.count());
    for (int n = 0; n < s.n; n++)
        for (int o = 0; o < s.co; o++)
            for (int i = 0; i < s.ci; i++)
                for (int r = 0; r < oh; r++)
                    for (int c = 0; c < ow; c++)
                        for (int ky = 0; ky < s.kh; ky++)
                            for (int kx = 0; kx < s.kw; kx++) {
                                const int iy = r * s.stride + ky - s.padding, ix = c * s.stride + kx - s.padding;
                                if (iy < 0 || ix < 0 || iy >= s.h || ix >= s.w) continue;
                                const size_t a = x.at(format, n, i, iy, ix), b = w.at(format, o, i, ky, kx);
                                const size_t d = y.at(format, n, o, r, c);
                                right_y[d] += xs[a] * ws[b];
                                right_x[a] += gs[d] * ws[b];
                                right_w[b] += gs[d] * xs[a];
                            }
    void *handle, *xd, *wd, *cd, *yd;
    OK(cudnnCreate(&handle));
    OK(cudnnCreateTensorDescriptor(&xd));
    OK(cudnnCreateTensorDescriptor(&yd));
    OK(cudnnCreateFilterDescriptor(&wd));
    OK(cudnnCreateConvolutionDescriptor(&cd));
    OK(cudnnSetTensor4dDescriptor(xd, format, type.cudnn, x.n, x.c, x.h, x.w));
    OK(cudnnSetTensor4dDescriptor(yd, format, type.cudnn, y.n, y.c, y.h, y.w));
    OK(cudnnSetFilter4dDescriptor(wd, type.cudnn, format, w.n, w.c, w.h, w.w));
    const int compute = type.cudnn == 1 ? 1 : 0;
    OK(cudnnSetConvolution2dDescriptor(cd, s.padding, s.padding, s.stride, s.stride, 1, 1, 1, compute));
    OK(cudnnSetConvolutionMathType(cd, 3));
    const size_t space_bytes = 1 << 16;
    const Address space = device_memory(space_bytes);
    const Address dx = upload(xs, type.cudnn), dw = upload(ws, type.cudnn), dg = upload(gs, type.cudnn);
    const size_t width = type.cudnn == 1 ? 8 : type.cudnn == 0 ? 4 : 2;
    // Twice the result, and half of what was there, where that is asked for.
    for (const bool adds : {false, true}) {
        const double alpha = adds ? 2.0 : 1.0, beta = adds ? 0.5 : 0.0;
        const float alpha32 = float(alpha), beta32 = float(beta);
        const void* a = compute ? static_cast<const void*>(&alpha) : &alpha32;
        const void* b = compute ? static_cast<const void*>(&beta) : &beta32;
        const auto at = [](Address address) { return reinterpret_cast<void*>(address); };
        const auto expected = [&](const std::vector<double>& right) {
            std::vector<double> result;
            for (const double value : right) result.push_back(alpha * value + beta);
            return result;
        };
        // Fresh memory is NaN: what is not to be read would show.
        const auto target = [&](size_t count) {
            return adds ? upload(std::vector<double>(count, 1.0), type.cudnn) : device_memory(count * width);
        };
        const Address out_y = target(y.count()), out_x = target(x.count()), out_w = target(w.count());
        OK(cudnnConvolutionForward(
            handle, a, xd, at(dx), wd, at(dw), cd, 1, at(space), space_bytes, b, yd, at(out_y)
        ));
        OK(cudnnConvolutionBackwardData(
            handle, a, wd, at(dw), yd, at(dg), cd, 1, at(space), space_bytes, b, xd, at(out_x)
        ));
        OK(cudnnConvolutionBackwardFilter(
            handle, a, xd, at(dx), yd, at(dg), cd, 1, at(space), space_bytes, b, wd, at(out_w)
        ));
        expect_close(download(out_y, y.count(), type.cudnn), expected(right_y), type.tolerance, "forward");
        expect_close(download(out_x, x.count(), type.cudnn), expected(right_x), type.tolerance, "backward data");
        expect_close(download(out_w, w.count(), type.cudnn), expected(right_w), type.tolerance, "backward filter");
        for (const Address made : {out_y, out_x, out_w}) OK(cuMemFreeAsync(made, nullptr));
    }
    for (const Address made : {space, dx, dw, dg}) OK(cuMemFreeAsync(made, nullptr));
}

// Column by column, as cuBLAS counts.
void products(int m, int n, int k, bool transposed_a, bool transposed_b) {
    const std::vector<double> as = numbers(size_t(m * k), 4), bs = numbers(size_t(k * n), 5);
    std::vector<double> right(size_t(m * n));
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            for (int l = 0; l < k; l++)
                right[size_t(i + j * m)] +=
                    as[size_t(transposed_a ? l + i * k : i + l * m)] * bs[size_t(transposed_b ? j + l * n : l + j * k)];
    void* handle;
    OK(cublasCreate_v2(&handle));
    const float one = 1.0f, zero = 0.0f;
    const int lda = transposed_a ? k : m, ldb = transposed_b ? n : k;
    {
        const Address a = upload(as, 0), b = upload(bs, 0), c = device_memory(right.size() * 4);
        OK(cublasSgemm_v2(
            handle, transposed_a, transposed_b, m, n, k, &one, reinterpret_cast<float*>(a), lda,
            reinterpret_cast<float*>(b), ldb, &zero, reinterpret_cast<float*>(c), m
        ));
        expect_close(download(c, right.size(), 0), right, 1e-6, "a product of floats");
    }
    const Address a = upload(as, 9), b = upload(bs, 9), c = device_memory(right.size() * 2);
    OK(cublasGemmEx(
        handle, transposed_a, transposed_b, m, n, k, &one, reinterpret_cast<void*>(a), 14, lda,
        reinterpret_cast<void*>(b), 14, ldb, &zero, reinterpret_cast<void*>(c), 14, m, 68, -1
    ));
    expect_close(download(c, right.size(), 9), right, 4e-3, "a product of bf16");
}

// One number times one, where the number needs more bits than TF32 has.
float squared_by_one(int math) {
    void* handle;
    OK(cublasCreate_v2(&handle));
    OK(cublasSetMathMode(handle, math));
    const float one = 1.0f, zero = 0.0f;
    const Address a = to_device(std::vector<float>{1.0f + 1.0f / 4096}), b = to_device(std::vector<float>{1.0f});
    const Address c = device_memory(4);
    OK(cublasSgemm_v2(
        handle, 0, 0, 1, 1, 1, &one, reinterpret_cast<float*>(a), 1, reinterpret_cast<float*>(b), 1, &zero,
        reinterpret_cast<float*>(c), 1
    ));
    return from_device<float>(c, 1)[0];
}

}  // namespace

int main() {
    begin();
    const Shape shapes[] = {
        {2, 3, 4, 5, 7, 3, 3, 1, 1}, {1, 5, 3, 8, 8, 4, 4, 2, 1}, {2, 1, 6, 6, 5, 1, 1, 1, 0},
        {1, 9, 10, 12, 9, 5, 3, 1, 2}, {3, 2, 1, 4, 4, 4, 4, 1, 0},
    };
    for (const Shape& shape : shapes)
        for (const int format : {0, 1})
            for (const Type& type : types) convolutions(shape, format, type);
    for (const bool a : {false, true})
        for (const bool b : {false, true}) {
            products(5, 3, 7, a, b);
            products(17, 33, 300, a, b);
        }
    expect(squared_by_one(0) == 1.0f + 1.0f / 4096, "floats are not rounded by default");
    expect(squared_by_one(3) == 1.0f, "TF32 has ten bits of mantissa");

    const auto waits = [] { return harness_stand_in_count("host synchronisations"); };
    const auto before = waits();
    const std::vector<float> small(16), large(1 << 16);
    to_device(small);
    expect(waits() == before, "small uploads are not waited for");
    const Address data = to_device(large);
    expect(waits() == before + 1, "large uploads of pageable memory are waited for");
    from_device<float>(data, 1);
    expect(waits() == before + 2, "downloads to pageable memory are waited for");
    void* pinned;
    OK(cuMemHostAlloc(&pinned, 1 << 18, 0));
    OK(cuMemcpyHtoDAsync_v2(data, pinned, 1 << 18, nullptr));
    OK(cuMemcpyDtoHAsync_v2(pinned, data, 1 << 18, nullptr));
    expect(waits() == before + 2, "copies of page-locked memory are not waited for");
    OK(cuStreamSynchronize(nullptr));
    expect(waits() == before + 3, "cuStreamSynchronize waits");
    puts("values: right");
}
