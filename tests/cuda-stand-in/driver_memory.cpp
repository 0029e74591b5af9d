// The driver's memory: allocation, pools, page-locked host memory, copies.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "driver.h"
#include "memory.h"
#include "report.h"
#include "stream.h"

using namespace stand_in;

namespace {

char pool_handle;
uint64_t release_threshold = 0;

// Copies from ordinary host memory up to this size leave through a buffer of the driver's; larger ones are waited for.
constexpr size_t staged = 64 << 10;

char* device(CUdeviceptr address) { return reinterpret_cast<char*>(address); }

CUresult give(CUdeviceptr* address, size_t bytes, bool pooled, const char* call) {
    REQUIRE_CONTEXT(call);
    if (bytes == 0) {
        note("%s: no memory of no bytes", call);
        return CUDA_ERROR_INVALID_VALUE;
    }
    char* data = allocate(bytes, pooled);
    if (!data) {
        // Frees may still be under way.
        drain_all();
        data = allocate(bytes, pooled);
    }
    if (!data) {
        note("%s: no %zu bytes are left", call, bytes);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    trace("%s of %zu bytes at %p", call, bytes, static_cast<void*>(data));
    *address = CUdeviceptr(data);
    return CUDA_SUCCESS;
}

CUresult to_device(CUdeviceptr to, const void* from, size_t bytes, CUstream handle, const char* call) {
    REQUIRE_CONTEXT(call);
    if (bytes == 0) return CUDA_SUCCESS;
    require(device(to), bytes, call, "the target");
    count(CopiesToDevice);
    count(BytesToDevice, bytes);
    trace("%s of %zu bytes", call, bytes);
    Stream* stream = stream_of(handle);
    if (is_pinned(from, bytes)) {
        submit(stream, [=] { memcpy(device(to), from, bytes); });
    } else if (bytes <= staged) {
        const auto* source = static_cast<const char*>(from);
        submit(stream, [to, copy = std::vector<char>(source, source + bytes)] {
            memcpy(device(to), copy.data(), copy.size());
        });
    } else {
        count_synchronisation("cuMemcpyHtoDAsync from pageable memory");
        submit(stream, [=] { memcpy(device(to), from, bytes); });
        drain(stream);
    }
    return CUDA_SUCCESS;
}

CUresult to_host(void* to, CUdeviceptr from, size_t bytes, CUstream handle, const char* call) {
    REQUIRE_CONTEXT(call);
    if (bytes == 0) return CUDA_SUCCESS;
    require(device(from), bytes, call, "the source");
    count(CopiesToHost);
    count(BytesToHost, bytes);
    trace("%s of %zu bytes", call, bytes);
    Stream* stream = stream_of(handle);
    submit(stream, [=] { memcpy(to, device(from), bytes); });
    if (!is_pinned(to, bytes)) {
        count_synchronisation("cuMemcpyDtoHAsync to pageable memory");
        drain(stream);
    }
    return CUDA_SUCCESS;
}

CUresult on_device(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream handle, const char* call) {
    REQUIRE_CONTEXT(call);
    if (bytes == 0) return CUDA_SUCCESS;
    require(device(to), bytes, call, "the target");
    require(device(from), bytes, call, "the source");
    if (to < from + bytes && from < to + bytes) fault("%s: source and target overlap", call);
    count(CopiesOnDevice);
    submit(stream_of(handle), [=] { memcpy(device(to), device(from), bytes); });
    return CUDA_SUCCESS;
}

// Calls without a stream wait for everything before and after.
template <typename F>
CUresult alone(const char* call, F run) {
    drain_all();
    const CUresult result = run();
    drain_all();
    count_synchronisation(call);
    return result;
}

}  // namespace

STAND_IN_API CUresult cuMemAllocAsync(CUdeviceptr* address, size_t bytes, CUstream) {
    Locked locked;
    return give(address, bytes, true, "cuMemAllocAsync");
}

STAND_IN_API CUresult cuMemAllocFromPoolAsync(CUdeviceptr* address, size_t bytes, CUmemoryPool, CUstream) {
    Locked locked;
    return give(address, bytes, true, "cuMemAllocFromPoolAsync");
}

STAND_IN_API CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes) {
    Locked locked;
    return give(address, bytes, false, "cuMemAlloc");
}

STAND_IN_API CUresult cuMemAllocManaged(CUdeviceptr*, size_t, unsigned) {
    note("cuMemAllocManaged is not supported");
    return CUDA_ERROR_NOT_SUPPORTED;
}

STAND_IN_API CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
    Locked locked;
    trace("cuMemFreeAsync of %p", static_cast<void*>(device(address)));
    submit(stream_of(stream), [=] { release(device(address), "cuMemFreeAsync"); });
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuMemFree_v2(CUdeviceptr address) {
    Locked locked;
    if (address == 0) return CUDA_SUCCESS;
    return alone("cuMemFree", [&] {
        release(device(address), "cuMemFree");
        return CUDA_SUCCESS;
    });
}

STAND_IN_API CUresult cuMemGetInfo_v2(size_t* left, size_t* all) {
    Locked locked;
    REQUIRE_CONTEXT("cuMemGetInfo");
    *all = settings().memory;
    *left = settings().memory - used_in_all();
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuMemHostAlloc(void** data, size_t bytes, unsigned) {
    Locked locked;
    REQUIRE_CONTEXT("cuMemHostAlloc");
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    *data = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*data) return CUDA_ERROR_OUT_OF_MEMORY;
    memset(*data, 0xff, bytes);
    add_pinned(*data, bytes, false);
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuMemAllocHost_v2(void** data, size_t bytes) { return cuMemHostAlloc(data, bytes, 0); }

STAND_IN_API CUresult cuMemFreeHost(void* data) {
    Locked locked;
    REQUIRE_CONTEXT("cuMemFreeHost");
    // The driver waits for the work that may use it.
    drain_all();
    count_synchronisation("cuMemFreeHost");
    if (!remove_pinned(data, false)) fault("cuMemFreeHost: %p was not allocated by cuMemHostAlloc, or freed", data);
    free(data);
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuMemHostRegister_v2(void* data, size_t bytes, unsigned) {
    Locked locked;
    add_pinned(data, bytes, true);
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuMemHostUnregister(void* data) {
    Locked locked;
    drain_all();
    if (!remove_pinned(data, true)) fault("cuMemHostUnregister: %p was not registered", data);
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr*, void*, unsigned) {
    note("host memory is not mapped for kernels");
    return CUDA_ERROR_NOT_SUPPORTED;
}

STAND_IN_API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
    Locked locked;
    return to_device(to, from, bytes, stream, "cuMemcpyHtoDAsync");
}

STAND_IN_API CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
    Locked locked;
    return to_host(to, from, bytes, stream, "cuMemcpyDtoHAsync");
}

STAND_IN_API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    Locked locked;
    return on_device(to, from, bytes, stream, "cuMemcpyDtoDAsync");
}

STAND_IN_API CUresult cuMemcpyPeerAsync(
    CUdeviceptr to, void*, CUdeviceptr from, void*, size_t bytes, CUstream stream
) {
    Locked locked;
    return on_device(to, from, bytes, stream, "cuMemcpyPeerAsync");
}

STAND_IN_API CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
    Locked locked;
    return alone("cuMemcpyHtoD", [&] { return to_device(to, from, bytes, nullptr, "cuMemcpyHtoD"); });
}

STAND_IN_API CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
    Locked locked;
    return alone("cuMemcpyDtoH", [&] { return to_host(to, from, bytes, nullptr, "cuMemcpyDtoH"); });
}

STAND_IN_API CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    Locked locked;
    return on_device(to, from, bytes, nullptr, "cuMemcpyDtoD");
}

STAND_IN_API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
    Locked locked;
    REQUIRE_CONTEXT("cuMemsetD8Async");
    require(device(to), bytes, "cuMemsetD8Async", "the target");
    submit(stream_of(stream), [=] { memset(device(to), value, bytes); });
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t bytes) {
    return cuMemsetD8Async(to, value, bytes, nullptr);
}

STAND_IN_API CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t words, CUstream stream) {
    Locked locked;
    require(device(to), words * sizeof value, "cuMemsetD32Async", "the target");
    submit(stream_of(stream), [=] {
        for (size_t i = 0; i < words; i++) memcpy(device(to) + i * sizeof value, &value, sizeof value);
    });
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuMemPrefetchAsync_v2() { return CUDA_ERROR_NOT_SUPPORTED; }
STAND_IN_API CUresult cuMemAdvise_v2() { return CUDA_ERROR_NOT_SUPPORTED; }

STAND_IN_API CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* pool, CUdevice) {
    *pool = &pool_handle;
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuDeviceGetMemPool(CUmemoryPool* pool, CUdevice) {
    *pool = &pool_handle;
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuDeviceSetMemPool(CUdevice, CUmemoryPool pool) {
    return pool == &pool_handle ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
STAND_IN_API CUresult cuMemPoolCreate(CUmemoryPool*, const void*) {
    note("cuMemPoolCreate: there is the device's own pool only");
    return CUDA_ERROR_NOT_SUPPORTED;
}
STAND_IN_API CUresult cuMemPoolDestroy(CUmemoryPool) { return CUDA_ERROR_NOT_SUPPORTED; }
STAND_IN_API CUresult cuMemPoolTrimTo(CUmemoryPool, size_t) { return CUDA_SUCCESS; }

// Attributes by number: 1 to 3 are about reuse, 4 is the release threshold, 5 and 6 what is reserved, now and at most, 7 and
// 8 what is used. The pool keeps nothing that is not used.
STAND_IN_API CUresult cuMemPoolSetAttribute(CUmemoryPool pool, int attribute, void* value) {
    Locked locked;
    if (pool != &pool_handle) return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
        case 1:
        case 2:
        case 3:
            return CUDA_SUCCESS;
        case 4:
            memcpy(&release_threshold, value, sizeof release_threshold);
            return CUDA_SUCCESS;
        case 6:
        case 8: {
            uint64_t most;
            memcpy(&most, value, sizeof most);
            if (most != 0) return CUDA_ERROR_INVALID_VALUE;
            pool_usage().most = pool_usage().now;
            return CUDA_SUCCESS;
        }
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

STAND_IN_API CUresult cuMemPoolGetAttribute(CUmemoryPool pool, int attribute, void* value) {
    Locked locked;
    if (pool != &pool_handle) return CUDA_ERROR_INVALID_VALUE;
    uint64_t answer;
    switch (attribute) {
        case 1:
        case 2:
        case 3: {
            const int yes = 1;
            memcpy(value, &yes, sizeof yes);
            return CUDA_SUCCESS;
        }
        case 4:
            answer = release_threshold;
            break;
        case 5:
        case 7:
            answer = pool_usage().now;
            break;
        case 6:
        case 8:
            answer = pool_usage().most;
            break;
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
    memcpy(value, &answer, sizeof answer);
    return CUDA_SUCCESS;
}
