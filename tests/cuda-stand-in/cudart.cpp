// The runtime library: kernels that were linked into a program register here when it starts. None of them can run.
#include "driver.h"
#include "report.h"

namespace {

constexpr int success = 0, not_supported = 801;

char handle;

int refuse(const char* call) {
    stand_in::note("%s: kernels that were linked in are not modelled", call);
    return not_supported;
}

}  // namespace

STAND_IN_API void** __cudaRegisterFatBinary(void*) {
    static void* binary = &handle;
    return &binary;
}
STAND_IN_API void __cudaRegisterFatBinaryEnd(void**) {}
STAND_IN_API void __cudaUnregisterFatBinary(void**) {}
STAND_IN_API void __cudaRegisterFunction() {}
STAND_IN_API void __cudaRegisterVar() {}
STAND_IN_API int __cudaGetKernel() { return refuse("__cudaGetKernel"); }
STAND_IN_API int __cudaLaunchKernel() { return refuse("__cudaLaunchKernel"); }
STAND_IN_API int __cudaLaunchKernel_ptsz() { return refuse("__cudaLaunchKernel"); }
STAND_IN_API int __cudaPushCallConfiguration() { return refuse("__cudaPushCallConfiguration"); }
STAND_IN_API int __cudaPopCallConfiguration() { return refuse("__cudaPopCallConfiguration"); }
STAND_IN_API int cudaLaunchKernel() { return refuse("cudaLaunchKernel"); }
STAND_IN_API int cudaFuncSetAttribute() { return refuse("cudaFuncSetAttribute"); }
STAND_IN_API int cudaGetDevice(int* device) {
    *device = 0;
    return success;
}
STAND_IN_API int cudaGetLastError() { return success; }
STAND_IN_API int cudaRuntimeGetVersion(int* version) {
    *version = 13000;
    return success;
}
