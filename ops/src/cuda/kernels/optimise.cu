// Updates of parameters in place.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// One parameter's part of a step of Adam; laid out as `Update` of the host.
struct Update {
    const Real* gradient;
    u64 offset, len;
    double step, root_correction;
};

// Row y of the grid updates one parameter. Second moments come after the count first ones.
KERNEL adam(
    const Update* updates, Real* parameters, Real* moments, u64 count, double beta1, double beta2, double eps,
    double weight_decay
) {
    const Update update = updates[blockIdx.y];
    const Real keep1 = Real(beta1), take1 = Real(1.0 - beta1), keep2 = Real(beta2), take2 = Real(1.0 - beta2);
    Real* parameter = parameters + update.offset;
    Real* first = moments + update.offset;
    Real* second = moments + count + update.offset;
    FOR_EACH(i, update.len) {
        const Real g = update.gradient[i] + Real(weight_decay) * parameter[i];
        const Real m = keep1 * first[i] + take1 * g;
        const Real v = keep2 * second[i] + take2 * (g * g);
        first[i] = m;
        second[i] = v;
        parameter[i] -= Real(update.step) * m / (sqrt(v) * Real(update.root_correction) + Real(eps));
    }
}

// average = decay average + (1 - decay) current, in place.
KERNEL ema(const Real* current, Real* average, u64 n, double decay) {
    FOR_EACH(i, n) average[i] = Real(decay) * average[i] + Real(1.0 - decay) * current[i];
}
