// Operations that treat every element alike.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

KERNEL leaky_relu(const Real* x, Real* y, u64 n, double slope) {
    FOR_EACH(i, n) y[i] = x[i] * select_by_sign(x[i], Real(slope));
}

KERNEL leaky_relu_gradient(const Real* x, const Real* g, Real* y, u64 n, double slope) {
    FOR_EACH(i, n) y[i] = g[i] * select_by_sign(x[i], Real(slope));
}

KERNEL weighted_sum(const Real* a, const Real* b, Real* y, u64 n, double scale, double sign) {
    FOR_EACH(i, n) y[i] = Real(scale) * (a[i] + Real(sign) * b[i]);
}

KERNEL product(const Real* a, const Real* b, Real* y, u64 n) {
    FOR_EACH(i, n) y[i] = a[i] * b[i];
}

KERNEL affine(const Real* x, Real* y, u64 n, double scale, double shift) {
    FOR_EACH(i, n) y[i] = Real(scale) * x[i] + Real(shift);
}

// Smooth functions in double precision, whatever the type.
KERNEL exponential(const Real* x, Real* y, u64 n) {
    FOR_EACH(i, n) y[i] = Real(exp(double(x[i])));
}

KERNEL logarithm(const Real* x, Real* y, u64 n) {
    FOR_EACH(i, n) y[i] = Real(log(double(x[i])));
}

KERNEL power(const Real* x, Real* y, u64 n, double exponent) {
    FOR_EACH(i, n) y[i] = Real(pow(double(x[i]), exponent));
}

KERNEL hyperbolic_tangent(const Real* x, Real* y, u64 n) {
    FOR_EACH(i, n) y[i] = Real(tanh(double(x[i])));
}

KERNEL sigmoid(const Real* x, Real* y, u64 n) {
    FOR_EACH(i, n) y[i] = Real(1.0 / (1.0 + exp(-double(x[i]))));
}

KERNEL softplus(const Real* x, Real* y, u64 n) {
    FOR_EACH(i, n) {
        const double value = double(x[i]);
        y[i] = Real(fmax(value, 0.0) + log1p(exp(-fabs(value))));
    }
}

// g / n, of one g, with the sign of a - b; 0 where they are equal.
KERNEL distance_gradient(const Real* a, const Real* b, const Real* g, Real* y, u64 n) {
    const Real share = g[0] / Real(n);
    FOR_EACH(i, n) y[i] = a[i] > b[i] ? share : a[i] < b[i] ? -share : Real(0);
}

// max(0, scale x + shift) with one scale and shift for each of the channels. NaN is not below zero and passes.
KERNEL scale_shift_relu(const Real* x, const Real* scale, const Real* shift, Real* y, u64 n, u64 channels, u64 plane) {
    FOR_EACH(i, n) {
        const u64 channel = i / plane % channels;
        const Real value = scale[channel] * x[i] + shift[channel];
        y[i] = value < Real(0) ? Real(0) : value;
    }
}

// y += bias, one for each of the channels, in place.
KERNEL add_bias(const Real* bias, Real* y, u64 n, u64 channels, u64 plane) {
    FOR_EACH(i, n) y[i] += bias[i / plane % channels];
}
