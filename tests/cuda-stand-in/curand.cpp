// cuRAND: generators can be made, and make nothing. The project draws its numbers on the host.
#include "driver.h"
#include "report.h"

namespace {

constexpr int success = 0, internal_error = 999;

int refuse(const char* call) {
    stand_in::note("%s: random numbers of the device are not modelled", call);
    return internal_error;
}

char generator;

}  // namespace

STAND_IN_API int curandCreateGenerator(void** handle, int) {
    *handle = &generator;
    return success;
}
STAND_IN_API int curandDestroyGenerator(void*) { return success; }
STAND_IN_API int curandSetPseudoRandomGeneratorSeed(void*, unsigned long long) { return success; }
STAND_IN_API int curandSetGeneratorOffset(void*, unsigned long long) { return success; }
STAND_IN_API int curandSetStream(void*, CUstream) { return success; }
STAND_IN_API int curandGetVersion(int* version) {
    *version = 10400;
    return success;
}

#define REFUSED(name) \
    STAND_IN_API int name() { return refuse(#name); }
REFUSED(curandGenerate)
REFUSED(curandGenerateLongLong)
REFUSED(curandGenerateUniform)
REFUSED(curandGenerateUniformDouble)
REFUSED(curandGenerateNormal)
REFUSED(curandGenerateNormalDouble)
REFUSED(curandGenerateLogNormal)
REFUSED(curandGenerateLogNormalDouble)
REFUSED(curandGeneratePoisson)
