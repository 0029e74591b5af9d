// Updates of parameters in place.
#ifndef __CUDACC_RTC__
#include "common.cuh"
#endif

// One parameter's part of a step of Adam; laid out as `Entry` of the host. Either gradient may be missing, not both; they
// add up.
struct Update {
    const Element* gradient;
    const bf16* half_gradient;
    u64 offset, len;
    double step, root_correction;
};

// Row y of the grid updates one parameter. Second moments come after the count first ones. halves, if it is not null, is
// where the parameters also lie as bf16.
KERNEL adam(
    const Update* updates, Element* parameters, Element* moments, bf16* halves, u64 count, double beta1, double beta2,
    double eps, double weight_decay
) {
    const Update update = updates[blockIdx.y];
    const Real keep1 = Real(beta1), take1 = Real(1.0 - beta1), keep2 = Real(beta2), take2 = Real(1.0 - beta2);
    Element* parameter = parameters + update.offset;
    Element* first = moments + update.offset;
    Element* second = moments + count + update.offset;
    FOR_EACH(i, update.len) {
        Real g = update.gradient ? widen(update.gradient[i]) : Real(0);
        if (update.half_gradient) g += Real(widen(update.half_gradient[i]));
        const Real p = widen(parameter[i]);
        g += Real(weight_decay) * p;
        const Real m = keep1 * widen(first[i]) + take1 * g;
        const Real v = keep2 * widen(second[i]) + take2 * (g * g);
        const Real updated = p - Real(update.step) * m / (sqrt(v) * Real(update.root_correction) + Real(eps));
        narrow(first[i], m);
        narrow(second[i], v);
        narrow(parameter[i], updated);
        if (halves) narrow(halves[update.offset + i], float(updated));
    }
}

// average = decay average + (1 - decay) current, in place.
KERNEL ema(const Element* current, Element* average, u64 n, double decay) {
    const Real keep = Real(decay), take = Real(1.0 - decay);
    FOR_EACH(i, n) narrow(average[i], keep * widen(average[i]) + take * widen(current[i]));
}
