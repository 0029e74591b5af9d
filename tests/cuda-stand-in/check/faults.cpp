// Plants one fault, which its argument names. `run` knows what the stand-in has to say to each.
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <thread>

#include "api.h"

namespace {

const char* const kernels = R"(
extern "C" __global__ void offset_store(float* y, long long offset) { y[offset] = 1.0f; }

extern "C" __global__ void offset_load(const float* x, float* y, long long offset) { y[0] = x[offset]; }

extern "C" __global__ void four_at_once(const float* x, float* y, unsigned long long offset) {
    const float4 four = *(const float4*)(x + offset);
    y[0] = four.x + four.y + four.z + four.w;
}

__device__ float warp_total(float value) {
    for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xffffffffu, value, lanes);
    return value;
}

template <bool synchronised>
__device__ void block_total(const float* x, float* y) {
    __shared__ float warps[32];
    const float total = warp_total(x[threadIdx.x]);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = total;
    if (synchronised) __syncthreads();
    if (threadIdx.x == 0) {
        float sum = 0;
        for (unsigned warp = 0; warp < blockDim.x / 32; warp++) sum += warps[warp];
        y[0] = sum;
    }
}
extern "C" __global__ void right_sum(const float* x, float* y) { block_total<true>(x, y); }
extern "C" __global__ void racing_sum(const float* x, float* y) { block_total<false>(x, y); }

// The sum of two sums, which share memory: a warp that has the first one writes to what others still read.
template <bool synchronised>
__device__ void two_totals(const float* x, float* y) {
    __shared__ float warps[32];
    float both = 0;
    for (int round = 0; round < 2; round++) {
        const float total = warp_total(x[threadIdx.x] + round);
        if (synchronised) __syncthreads();
        if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = total;
        __syncthreads();
        both += warp_total(threadIdx.x % 32 < blockDim.x / 32 ? warps[threadIdx.x % 32] : 0.0f);
    }
    if (threadIdx.x == blockDim.x - 1) y[0] = both;
}
extern "C" __global__ void right_totals(const float* x, float* y) { two_totals<true>(x, y); }
extern "C" __global__ void racing_totals(const float* x, float* y) { two_totals<false>(x, y); }

extern "C" __global__ void uneven_barrier(float* y) {
    if (threadIdx.x < 32) __syncthreads();
    y[threadIdx.x] = 1.0f;
}

extern "C" __global__ void two_barriers(float* y) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    y[threadIdx.x] = 1.0f;
}

extern "C" __global__ void lost_lanes(float* y) {
    if (threadIdx.x % 32 >= 16) return;
    y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
}

extern "C" __global__ void shuffle_against_barrier(float* y) {
    if (threadIdx.x % 2 == 0)
        y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 2);
    else
        __syncthreads();
}

extern "C" __global__ void kept_in_shared(float* y) {
    __shared__ float kept[1];
    if (blockIdx.x == 0 && threadIdx.x == 0) kept[0] = 1.0f;
    __syncthreads();
    if (threadIdx.x == 0) y[blockIdx.x] = kept[0];
}

extern "C" __global__ void after_the_last_block(float* y) {
    if (threadIdx.x == 0) y[blockIdx.x] = blockIdx.x == 0 ? 1.0f : y[blockIdx.x - 1] + 1.0f;
}
)";

constexpr size_t n = 256;

// The sum of 0 to 255, as the kernel makes it.
float sum_by(const char* name) {
    std::vector<float> x(n);
    for (size_t i = 0; i < n; i++) x[i] = float(i);
    const Address data = to_device(x), sum = device_memory(sizeof(float));
    launch(kernel(kernels, name), 1, n, data, sum);
    return from_device<float>(sum, 1)[0];
}

// The last of eight blocks, each of which adds one to what the block before it made.
float chain() {
    const Address y = to_device(std::vector<float>(8, 0.0f));
    launch(kernel(kernels, "after_the_last_block"), 8, 32, y);
    return from_device<float>(y, 8)[7];
}

// What reaches the device of a page-locked buffer that is overwritten right after the call that copies it.
float overwritten() {
    void* buffer;
    OK(cuMemHostAlloc(&buffer, sizeof(float), 0));
    auto* value = static_cast<float*>(buffer);
    const Address target = device_memory(sizeof(float));
    *value = 1.0f;
    OK(cuMemcpyHtoDAsync_v2(target, value, sizeof(float), nullptr));
    *value = 2.0f;
    return from_device<float>(target, 1)[0];
}

// What a second stream reads of the first one's work, with or without waiting for it.
float across_streams(bool waits) {
    void *first, *second, *event, *buffer;
    OK(cuStreamCreate(&first, 1));
    OK(cuStreamCreate(&second, 1));
    OK(cuEventCreate(&event, 0));
    OK(cuMemHostAlloc(&buffer, sizeof(float), 0));
    auto* value = static_cast<float*>(buffer);
    *value = 3.0f;
    const Address target = to_device(std::vector<float>{1.0f});
    OK(cuStreamSynchronize(nullptr));
    OK(cuMemcpyHtoDAsync_v2(target, value, sizeof(float), first));
    OK(cuEventRecord(event, first));
    if (waits) OK(cuStreamWaitEvent(second, event, 0));
    float result;
    OK(cuMemcpyDtoHAsync_v2(&result, target, sizeof(float), second));
    return result;
}

void convolve(int type, int length, int algorithm, int direction) {
    void *handle, *x, *w, *c, *y;
    OK(cudnnCreate(&handle));
    OK(cudnnCreateTensorDescriptor(&x));
    OK(cudnnCreateTensorDescriptor(&y));
    OK(cudnnCreateFilterDescriptor(&w));
    OK(cudnnCreateConvolutionDescriptor(&c));
    OK(cudnnSetTensor4dDescriptor(x, 0, type, 1, 1, 4, 4));
    OK(cudnnSetTensor4dDescriptor(y, 0, type, 1, 1, 4, length));
    OK(cudnnSetFilter4dDescriptor(w, type, 0, 1, 1, 3, 3));
    OK(cudnnSetConvolution2dDescriptor(c, 1, 1, 1, 1, 1, 1, 1, type));
    const Address images = device_memory(16 * sizeof(float)), filters = device_memory(9 * sizeof(float));
    const Address results = device_memory(15 * sizeof(float)), space = device_memory(1 << 16);
    const float one = 1.0f, zero = 0.0f;
    const auto at = [](Address address) { return reinterpret_cast<void*>(address); };
    if (direction == 0) {
        OK(cudnnConvolutionForward(
            handle, &one, x, at(images), w, at(filters), c, algorithm, at(space), 1 << 16, &zero, y, at(results)
        ));
    } else {
        OK(cudnnConvolutionBackwardFilter(
            handle, &one, x, at(images), y, at(images), c, algorithm, at(space), 1 << 16, &zero, w, at(filters)
        ));
    }
}

void say(float value) { printf("%g\n", double(value)); }

const std::map<std::string, std::function<void()>> faults = {
    {"store-behind", [] { launch(kernel(kernels, "offset_store"), 1, 1, device_memory(40), 10ll); }},
    {"store-before", [] { launch(kernel(kernels, "offset_store"), 1, 1, device_memory(40), -1ll); }},
    {"load-behind",
     [] { launch(kernel(kernels, "offset_load"), 1, 1, device_memory(48), device_memory(4), 12ll); }},
    {"load-null", [] { launch(kernel(kernels, "offset_load"), 1, 1, Address(0), device_memory(4), 0ll); }},
    {"aligned",
     [] {
         const Address x = to_device(std::vector<float>(12, 1.5f)), y = device_memory(4);
         launch(kernel(kernels, "four_at_once"), 1, 1, x, y, 4ull);
         say(from_device<float>(y, 1)[0]);
     }},
    {"misaligned",
     [] {
         const Address x = to_device(std::vector<float>(12, 1.5f)), y = device_memory(4);
         launch(kernel(kernels, "four_at_once"), 1, 1, x, y, 3ull);
     }},
    {"right-sum", [] { say(sum_by("right_sum")); }},
    {"racing-sum", [] { say(sum_by("racing_sum")); }},
    {"right-totals", [] { say(sum_by("right_totals")); }},
    {"racing-totals", [] { say(sum_by("racing_totals") - 65536); }},
    {"uneven-barrier", [] { launch(kernel(kernels, "uneven_barrier"), 1, 64, device_memory(64 * 4)); }},
    {"two-barriers", [] { launch(kernel(kernels, "two_barriers"), 1, 64, device_memory(64 * 4)); }},
    {"lost-lanes", [] { launch(kernel(kernels, "lost_lanes"), 1, 64, device_memory(64 * 4)); }},
    {"shuffle-against-barrier",
     [] { launch(kernel(kernels, "shuffle_against_barrier"), 1, 64, device_memory(64 * 4)); }},
    {"half-a-warp",
     [] {
         const Address data = to_device(std::vector<float>(48, 1.0f));
         launch(kernel(kernels, "right_sum"), 1, 48, data, device_memory(4));
     }},
    {"kept-in-shared",
     [] {
         const Address y = device_memory(2 * sizeof(float));
         launch(kernel(kernels, "kept_in_shared"), 2, 64, y);
         say(std::isnan(from_device<float>(y, 2)[1]) ? -1.0f : 1.0f);
     }},
    {"chain", [] { say(chain()); }},
    {"host-pointer",
     [] {
         static float value;
         launch(kernel(kernels, "offset_store"), 1, 1, Address(&value), 0ll);
     }},
    {"freed-twice",
     [] {
         const Address gone = device_memory(64);
         OK(cuMemFreeAsync(gone, nullptr));
         OK(cuMemFreeAsync(gone, nullptr));
     }},
    {"freed-within", [] { OK(cuMemFreeAsync(device_memory(64) + 16, nullptr)); }},
    {"used-after-free",
     [] {
         const Address gone = to_device(std::vector<float>(16, 1.0f));
         OK(cuMemFreeAsync(gone, nullptr));
         from_device<float>(gone, 16);
     }},
    {"copied-too-much", [] { from_device<float>(device_memory(60), 16); }},
    {"wide-block",
     [] {
         void* arguments[] = {nullptr};
         const int error = cuLaunchKernel(
             kernel(kernels, "uneven_barrier"), 1, 1, 1, 2048, 1, 1, 0, nullptr, arguments, nullptr
         );
         say(float(error));
     }},
    {"overwritten", [] { say(overwritten()); }},
    {"streams-apart", [] { say(across_streams(false)); }},
    {"streams-in-order", [] { say(across_streams(true)); }},
    {"short-result", [] { convolve(0, 4, 0, 0); }},
    {"wrong-descriptor", [] { convolve(0, 3, 0, 0); }},
    {"no-fixed-order", [] { convolve(0, 4, 0, 2); }},
    {"not-cuda", [] { kernel("extern \"C\" __global__ void broken(float* y) {\n    y[0] = nothing;\n}\n", "broken"); }},
    {"no-such-kernel", [] { kernel(kernels, "absent"); }},
    {"no-context",
     [] {
         std::thread([] {
             Address address;
             say(float(cuMemAllocAsync(&address, 64, nullptr)));
         }).join();
     }},
    {"full",
     [] {
         Address address;
         say(float(cuMemAllocAsync(&address, 1 << 20, nullptr)));
     }},
};

}  // namespace

int main(int count, char** arguments) {
    const auto found = faults.find(count == 2 ? arguments[1] : "");
    if (found == faults.end()) {
        fprintf(stderr, "usage: faults NAME\n");
        return 2;
    }
    begin();
    found->second();
    return 0;
}
