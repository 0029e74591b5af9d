// The interfaces of NVIDIA's libraries that the checks use, and shorthands for them.
#pragma once
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

extern "C" {
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void** context, int device);
int cuCtxSetCurrent(void* context);
int cuMemAllocAsync(unsigned long long* address, size_t bytes, void* stream);
int cuMemFreeAsync(unsigned long long address, void* stream);
int cuMemHostAlloc(void** data, size_t bytes, unsigned flags);
int cuMemFreeHost(void* data);
int cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from, size_t bytes, void* stream);
int cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, size_t bytes, void* stream);
int cuMemGetInfo_v2(size_t* left, size_t* all);
int cuStreamCreate(void** stream, unsigned flags);
int cuStreamSynchronize(void* stream);
int cuStreamWaitEvent(void* stream, void* event, unsigned flags);
int cuEventCreate(void** event, unsigned flags);
int cuEventRecord(void* event, void* stream);
int cuModuleLoadData(void** module, const void* image);
int cuModuleGetFunction(void** function, void* module, const char* name);
int cuLaunchKernel(
    void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
    void* stream, void** arguments, void** extra
);
unsigned long long harness_stand_in_count(const char* name);

int nvrtcCreateProgram(void** program, const char* source, const char* name, int, const char* const*, const char* const*);
int nvrtcCompileProgram(void* program, int count, const char* const* options);
int nvrtcGetPTXSize(void* program, size_t* bytes);
int nvrtcGetPTX(void* program, char* ptx);
int nvrtcGetProgramLogSize(void* program, size_t* bytes);
int nvrtcGetProgramLog(void* program, char* log);

int cublasCreate_v2(void** handle);
int cublasSetMathMode(void* handle, int mode);
int cublasSgemm_v2(
    void*, int, int, int m, int n, int k, const float* alpha, const float* a, int lda, const float* b, int ldb,
    const float* beta, float* c, int ldc
);
int cublasGemmEx(
    void*, int, int, int m, int n, int k, const void* alpha, const void* a, int, int lda, const void* b, int, int ldb,
    const void* beta, void* c, int, int ldc, int compute, int algorithm
);

int cudnnCreate(void** handle);
int cudnnCreateTensorDescriptor(void**);
int cudnnCreateFilterDescriptor(void**);
int cudnnCreateConvolutionDescriptor(void**);
int cudnnSetTensor4dDescriptor(void*, int format, int type, int n, int c, int h, int w);
int cudnnSetFilter4dDescriptor(void*, int type, int format, int k, int c, int h, int w);
int cudnnSetConvolution2dDescriptor(void*, int, int, int, int, int, int, int mode, int type);
int cudnnSetConvolutionMathType(void*, int math);
int cudnnGetConvolutionForwardWorkspaceSize(void*, void* x, void* w, void* c, void* y, int algorithm, size_t* bytes);
int cudnnConvolutionForward(
    void*, const void* alpha, void* xd, const void* x, void* wd, const void* w, void* c, int algorithm, void* space,
    size_t bytes, const void* beta, void* yd, void* y
);
int cudnnConvolutionBackwardData(
    void*, const void* alpha, void* wd, const void* w, void* yd, const void* y, void* c, int algorithm, void* space,
    size_t bytes, const void* beta, void* xd, void* x
);
int cudnnConvolutionBackwardFilter(
    void*, const void* alpha, void* xd, const void* x, void* yd, const void* y, void* c, int algorithm, void* space,
    size_t bytes, const void* beta, void* wd, void* w
);
}

// Ends the program where a call does not answer as it should.
inline void expect(bool holds, const std::string& what) {
    if (holds) return;
    printf("not so: %s\n", what.c_str());
    exit(1);
}
#define OK(call) expect((call) == 0, #call)

using Address = unsigned long long;

inline Address device_memory(size_t bytes) {
    Address address;
    OK(cuMemAllocAsync(&address, bytes, nullptr));
    return address;
}

template <typename T>
Address to_device(const std::vector<T>& values) {
    const Address address = device_memory(values.size() * sizeof(T));
    OK(cuMemcpyHtoDAsync_v2(address, values.data(), values.size() * sizeof(T), nullptr));
    return address;
}

template <typename T>
std::vector<T> from_device(Address address, size_t count) {
    std::vector<T> values(count);
    OK(cuMemcpyDtoHAsync_v2(values.data(), address, count * sizeof(T), nullptr));
    return values;
}

// The kernel `name` of `source`, which begins with what all the kernels here share.
inline void* kernel(const std::string& source, const char* name) {
    void *program, *module, *function;
    OK(nvrtcCreateProgram(&program, source.c_str(), "planted.cu", 0, nullptr, nullptr));
    const char* const options[] = {"--std=c++17", "--gpu-architecture=compute_75"};
    if (nvrtcCompileProgram(program, 2, options) != 0) {
        size_t bytes;
        nvrtcGetProgramLogSize(program, &bytes);
        std::string log(bytes, ' ');
        nvrtcGetProgramLog(program, log.data());
        printf("refused: %s\n", log.c_str());
        exit(1);
    }
    size_t bytes;
    OK(nvrtcGetPTXSize(program, &bytes));
    std::string ptx(bytes, ' ');
    OK(nvrtcGetPTX(program, ptx.data()));
    OK(cuModuleLoadData(&module, ptx.c_str()));
    OK(cuModuleGetFunction(&function, module, name));
    return function;
}

template <typename... A>
void launch(void* function, unsigned blocks, unsigned threads, A... values) {
    void* arguments[] = {&values...};
    OK(cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, nullptr, arguments, nullptr));
}

inline void begin() {
    void* context;
    OK(cuInit(0));
    OK(cuDevicePrimaryCtxRetain(&context, 0));
    OK(cuCtxSetCurrent(context));
}
