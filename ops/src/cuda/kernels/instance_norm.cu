// Instance normalisation where planes lie in one piece (NCHW): one block per plane.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#include "spread.cuh"
#endif

// Instance normalisation and leaky ReLU.
KERNEL normalise(
    const Element* x, const Element* gamma, const Element* beta, Element* y, u64 plane, double slope, double eps
) {
    const u64 block = blockIdx.x;
    x += block * plane;
    y += block * plane;
    const Moments m = moments(x, plane, Real(eps));
    const Real scale = (Real(1) + widen(gamma[block])) * m.inverse_std, shift = widen(beta[block]);
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) {
        const Real value = (widen(x[i]) - m.mean) * scale + shift;
        narrow(y[i], value * select_by_sign(value, Real(slope)));
    }
}

// Gradients of x, gamma and beta, one after the other.
KERNEL normalise_gradient(
    const Element* x, const Element* gamma, const Element* beta, const Element* g, Element* out, u64 plane, double slope,
    double eps
) {
    const u64 block = blockIdx.x, planes = gridDim.x;
    Element* dx = out + block * plane;
    x += block * plane;
    g += block * plane;
    const Moments m = moments(x, plane, Real(eps));
    const Real scale = (Real(1) + widen(gamma[block])) * m.inverse_std, shift = widen(beta[block]);
    Real sum = 0, projection = 0;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) {
        const Real centred = widen(x[i]) - m.mean;
        const Real before = widen(g[i]) * select_by_sign(centred * scale + shift, Real(slope));
        sum += before;
        projection += before * centred;
    }
    sum = block_sum(sum);
    projection = block_sum(projection) * m.inverse_std;
    if (threadIdx.x == 0) {
        narrow(out[planes * plane + block], projection);
        narrow(out[planes * plane + planes + block], sum);
    }
    const Real mean_g = sum / Real(plane), mean_p = projection / Real(plane) * m.inverse_std;
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x) {
        const Real centred = widen(x[i]) - m.mean;
        const Real before = widen(g[i]) * select_by_sign(centred * scale + shift, Real(slope));
        narrow(dx[i], scale * (before - mean_g - centred * mean_p));
    }
}
