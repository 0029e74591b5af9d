// Operations that treat every element alike.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// y[i] = f(x[i]), sixteen bytes at a time where the buffers allow it.
template <class F> __device__ inline void map_one(const Element* x, Element* y, u64 n, F f) {
    u64 packs = in_packs(x) && in_packs(y) ? n / LANES : 0;
    FOR_EACH(i, packs) {
        const Pack a = load_pack(x, i);
        Pack out;
#pragma unroll
        for (u32 k = 0; k < LANES; k++) narrow(out.lanes[k], f(widen(a.lanes[k])));
        store_pack(y, i, out);
    }
    const u64 done = packs * LANES;
    FOR_EACH(i, n - done) narrow(y[done + i], f(widen(x[done + i])));
}

// y[i] = f(a[i], b[i]).
template <class F> __device__ inline void map_two(const Element* a, const Element* b, Element* y, u64 n, F f) {
    u64 packs = in_packs(a) && in_packs(b) && in_packs(y) ? n / LANES : 0;
    FOR_EACH(i, packs) {
        const Pack p = load_pack(a, i), q = load_pack(b, i);
        Pack out;
#pragma unroll
        for (u32 k = 0; k < LANES; k++) narrow(out.lanes[k], f(widen(p.lanes[k]), widen(q.lanes[k])));
        store_pack(y, i, out);
    }
    const u64 done = packs * LANES;
    FOR_EACH(i, n - done) narrow(y[done + i], f(widen(a[done + i]), widen(b[done + i])));
}

KERNEL leaky_relu(const Element* x, Element* y, u64 n, double slope) {
    const Real s = Real(slope);
    map_one(x, y, n, [=](Real a) { return a * select_by_sign(a, s); });
}

KERNEL leaky_relu_gradient(const Element* x, const Element* g, Element* y, u64 n, double slope) {
    const Real s = Real(slope);
    map_two(x, g, y, n, [=](Real a, Real b) { return b * select_by_sign(a, s); });
}

KERNEL weighted_sum(const Element* a, const Element* b, Element* y, u64 n, double scale, double sign) {
    const Real factor = Real(scale), other = Real(sign);
    map_two(a, b, y, n, [=](Real p, Real q) { return factor * (p + other * q); });
}

KERNEL product(const Element* a, const Element* b, Element* y, u64 n) {
    map_two(a, b, y, n, [](Real p, Real q) { return p * q; });
}

KERNEL affine(const Element* x, Element* y, u64 n, double scale, double shift) {
    const Real factor = Real(scale), constant = Real(shift);
    map_one(x, y, n, [=](Real a) { return factor * a + constant; });
}

// Smooth functions in double precision, whatever the type.
KERNEL exponential(const Element* x, Element* y, u64 n) {
    FOR_EACH(i, n) narrow(y[i], Real(exp(double(widen(x[i])))));
}

KERNEL logarithm(const Element* x, Element* y, u64 n) {
    FOR_EACH(i, n) narrow(y[i], Real(log(double(widen(x[i])))));
}

KERNEL power(const Element* x, Element* y, u64 n, double exponent) {
    FOR_EACH(i, n) narrow(y[i], Real(pow(double(widen(x[i])), exponent)));
}

KERNEL hyperbolic_tangent(const Element* x, Element* y, u64 n) {
    FOR_EACH(i, n) narrow(y[i], Real(tanh(double(widen(x[i])))));
}

KERNEL sigmoid(const Element* x, Element* y, u64 n) {
    FOR_EACH(i, n) narrow(y[i], Real(1.0 / (1.0 + exp(-double(widen(x[i]))))));
}

KERNEL softplus(const Element* x, Element* y, u64 n) {
    FOR_EACH(i, n) {
        const double value = double(widen(x[i]));
        narrow(y[i], Real(fmax(value, 0.0) + log1p(exp(-fabs(value)))));
    }
}

// g / n, of one g, with the sign of a - b; 0 where they are equal.
KERNEL distance_gradient(const Element* a, const Element* b, const Element* g, Element* y, u64 n) {
    const Real share = widen(g[0]) / Real(n);
    map_two(a, b, y, n, [=](Real p, Real q) { return p > q ? share : p < q ? -share : Real(0); });
}

// max(0, scale x + shift) with one scale and shift for each of the channels. NaN is not below zero and passes.
KERNEL scale_shift_relu(
    const Element* x, const Element* scale, const Element* shift, Element* y, u64 n, u64 channels, u64 plane
) {
    FOR_EACH(i, n) {
        const u64 channel = i / plane % channels;
        const Real value = widen(scale[channel]) * widen(x[i]) + widen(shift[channel]);
        narrow(y[i], value < Real(0) ? Real(0) : value);
    }
}

// y += bias, one for each of the channels, in place; plane elements of a channel follow each other.
KERNEL add_bias(const Element* bias, Element* y, u64 n, u64 channels, u64 plane) {
    if (plane == 1 && channels % LANES == 0 && in_packs(bias) && in_packs(y)) {
        const u32 wide = (u32)(channels / LANES);
        FOR_EACH(i, n / LANES) {
            const Pack b = load_pack(bias, i % wide);
            Pack out = load_pack(y, i);
    #pragma unroll
        for (u32 k = 0; k < LANES; k++) narrow(out.lanes[k], widen(out.lanes[k]) + widen(b.lanes[k]));
            store_pack(y, i, out);
        }
        return;
    }
    FOR_EACH(i, n) narrow(y[i], widen(y[i]) + widen(bias[i / plane % channels]));
}

// Between types: 32 bits to 16 and back.
KERNEL widen_bf16(const bf16* x, float* y, u64 n) {
    FOR_EACH(i, n) y[i] = widen(x[i]);
}

KERNEL narrow_f32(const float* x, bf16* y, u64 n) {
    FOR_EACH(i, n) narrow(y[i], x[i]);
}
