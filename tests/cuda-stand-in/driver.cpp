// The driver's device, contexts, streams and events.
#include "driver.h"

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <map>

#include "memory.h"
#include "report.h"
#include "stream.h"

using namespace stand_in;

namespace {

bool initialised = false;
// One device has one primary context; contexts made beside it are told apart by nothing but their handle.
char primary_context;
long retained = 0;
thread_local CUcontext current_context = nullptr;

CUresult not_supported(const char* call) {
    note("%s is not supported", call);
    return CUDA_ERROR_NOT_SUPPORTED;
}

struct ErrorText {
    const char *name, *text;
};
const std::map<int, ErrorText> errors = {
    {CUDA_SUCCESS, {"CUDA_SUCCESS", "no error"}},
    {CUDA_ERROR_INVALID_VALUE, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
    {CUDA_ERROR_OUT_OF_MEMORY, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
    {CUDA_ERROR_NOT_INITIALIZED, {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"}},
    {CUDA_ERROR_INVALID_DEVICE, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}},
    {CUDA_ERROR_INVALID_IMAGE, {"CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"}},
    {CUDA_ERROR_INVALID_CONTEXT, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
    {CUDA_ERROR_FILE_NOT_FOUND, {"CUDA_ERROR_FILE_NOT_FOUND", "file not found"}},
    {CUDA_ERROR_INVALID_HANDLE, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}},
    {CUDA_ERROR_NOT_FOUND, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
    {CUDA_ERROR_NOT_READY, {"CUDA_ERROR_NOT_READY", "device not ready"}},
    {CUDA_ERROR_NOT_SUPPORTED, {"CUDA_ERROR_NOT_SUPPORTED", "operation not supported"}},
};

// Those of an H100 (SXM), as far as programs ask.
const std::map<int, int> attributes = {
    {1, 1024},         // threads per block
    {2, 1024},         // block x
    {3, 1024},         // block y
    {4, 64},           // block z
    {5, 2147483647},   // grid x
    {6, 65535},        // grid y
    {7, 65535},        // grid z
    {8, 49152},        // shared memory per block
    {9, 65536},        // constant memory
    {10, 32},          // warp
    {12, 65536},       // registers per block
    {13, 1980000},     // clock, kHz
    {16, 132},         // multiprocessors
    {18, 0},           // integrated
    {19, 1},           // maps host memory
    {31, 1},           // concurrent kernels
    {36, 2619000},     // memory clock, kHz
    {37, 5120},        // memory bus, bits
    {38, 52428800},    // L2 cache
    {39, 2048},        // threads per multiprocessor
    {40, 3},           // copy engines
    {41, 1},           // unified addressing
    {75, 9},           // compute capability
    {76, 0},
    {81, 233472},      // shared memory per multiprocessor
    {83, 0},           // managed memory
    {89, 0},
    {95, 0},           // cooperative launches
    {97, 232448},      // shared memory per block, on demand
    {115, 1},          // memory pools
};

}  // namespace

bool stand_in::without_context(const char* call) {
    if (current_context) return false;
    note("%s: this thread has no context", call);
    return true;
}

STAND_IN_API CUresult cuInit(unsigned) {
    initialised = true;
    settings();
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuDriverGetVersion(int* version) {
    *version = 13000;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuGetErrorString(CUresult error, const char** text) {
    const auto found = errors.find(error);
    *text = found == errors.end() ? nullptr : found->second.text;
    return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

STAND_IN_API CUresult cuGetErrorName(CUresult error, const char** text) {
    const auto found = errors.find(error);
    *text = found == errors.end() ? nullptr : found->second.name;
    return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

STAND_IN_API CUresult cuDeviceGetCount(int* devices) {
    *devices = 1;
    return initialised ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

STAND_IN_API CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
    *device = 0;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuDeviceGetName(char* name, int length, CUdevice) {
    snprintf(name, size_t(length), "host stand-in (no GPU)");
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuDeviceGetUuid_v2(char* uuid, CUdevice) {
    memcpy(uuid, "host stand-in\0\0", 16);
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuDeviceGetUuid(char* uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }

STAND_IN_API CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice) {
    *bytes = settings().memory;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice) {
    const auto found = attributes.find(attribute);
    *value = found == attributes.end() ? 0 : found->second;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice) {
    *major = 9;
    *minor = 0;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
    Locked locked;
    if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
    retained++;
    *context = &primary_context;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
    Locked locked;
    if (retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
    retained--;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuCtxGetCurrent(CUcontext* context) {
    *context = current_context;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuCtxSetCurrent(CUcontext context) {
    current_context = context;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuCtxGetDevice(CUdevice* device) {
    *device = 0;
    return current_context ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

STAND_IN_API CUresult cuCtxSetFlags(unsigned) { return CUDA_SUCCESS; }
STAND_IN_API CUresult cuCtxDestroy_v2(CUcontext) { return CUDA_SUCCESS; }
STAND_IN_API CUresult cuCtxCreate_v3(CUcontext*, void*, int, unsigned, CUdevice) { return not_supported("cuCtxCreate"); }
STAND_IN_API CUresult cuCtxCreate_v4(CUcontext*, void*, unsigned, CUdevice) { return not_supported("cuCtxCreate"); }
STAND_IN_API CUresult cuCtxSetLimit(int, size_t) { return CUDA_SUCCESS; }
STAND_IN_API CUresult cuCtxGetLimit(size_t* limit, int) {
    *limit = 0;
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuCtxSetCacheConfig(int) { return CUDA_SUCCESS; }
STAND_IN_API CUresult cuCtxGetCacheConfig(int* configuration) {
    *configuration = 0;
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    *least = *greatest = 0;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuCtxSynchronize() {
    Locked locked;
    REQUIRE_CONTEXT("cuCtxSynchronize");
    count_synchronisation("cuCtxSynchronize");
    drain_all();
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
    Locked locked;
    REQUIRE_CONTEXT("cuStreamCreate");
    if (flags > 1) return CUDA_ERROR_INVALID_VALUE;
    *stream = stream_create((flags & 1) == 0);
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int) {
    return cuStreamCreate(stream, flags);
}

STAND_IN_API CUresult cuStreamDestroy_v2(CUstream stream) {
    Locked locked;
    stream_destroy(stream);
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuStreamSynchronize(CUstream stream) {
    Locked locked;
    count_synchronisation("cuStreamSynchronize");
    drain(stream_of(stream));
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuStreamQuery(CUstream stream) {
    Locked locked;
    Stream* queried = stream_of(stream);
    if (queried->queue.empty()) return CUDA_SUCCESS;
    // One that asks again and again gets there.
    run_until(queried, queried->done + 1);
    return CUDA_ERROR_NOT_READY;
}

STAND_IN_API CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
    Locked locked;
    wait(stream_of(stream), *static_cast<Event*>(event));
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuStreamIsCapturing(CUstream, int* status) {
    *status = 0;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuLaunchHostFunc(CUstream stream, void (*function)(void*), void* data) {
    Locked locked;
    submit(stream_of(stream), [=] { function(data); });
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuEventCreate(CUevent* event, unsigned flags) {
    REQUIRE_CONTEXT("cuEventCreate");
    auto* made = new Event;
    made->timed = (flags & 2) == 0;
    *event = made;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuEventDestroy_v2(CUevent event) {
    Locked locked;
    auto* gone = static_cast<Event*>(event);
    // Work under way may still write its time.
    if (gone->stream) run_until(gone->stream, gone->ticket);
    delete gone;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuEventRecord(CUevent event, CUstream stream) {
    Locked locked;
    record(static_cast<Event*>(event), stream_of(stream));
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned) {
    return cuEventRecord(event, stream);
}

STAND_IN_API CUresult cuEventSynchronize(CUevent event) {
    Locked locked;
    count_synchronisation("cuEventSynchronize");
    auto* awaited = static_cast<Event*>(event);
    if (awaited->stream) run_until(awaited->stream, awaited->ticket);
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuEventQuery(CUevent event) {
    Locked locked;
    auto* queried = static_cast<Event*>(event);
    if (complete(*queried)) return CUDA_SUCCESS;
    run_until(queried->stream, queried->stream->done + 1);
    return CUDA_ERROR_NOT_READY;
}

STAND_IN_API CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
    Locked locked;
    const auto *from = static_cast<Event*>(start), *to = static_cast<Event*>(end);
    if (!from->stream || !to->stream || !from->timed || !to->timed) return CUDA_ERROR_INVALID_HANDLE;
    if (!complete(*from) || !complete(*to)) return CUDA_ERROR_NOT_READY;
    *milliseconds = float(to->milliseconds - from->milliseconds);
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
    return cuEventElapsedTime(milliseconds, start, end);
}

STAND_IN_API CUresult cuProfilerStart() { return CUDA_SUCCESS; }
STAND_IN_API CUresult cuProfilerStop() { return CUDA_SUCCESS; }

// Graphs are not modelled.
#define REFUSED(name)                                                    \
    STAND_IN_API CUresult name() { return not_supported(#name); }
REFUSED(cuStreamBeginCapture_v2)
REFUSED(cuStreamEndCapture)
REFUSED(cuStreamAttachMemAsync)
REFUSED(cuGraphClone)
REFUSED(cuGraphDestroy)
REFUSED(cuGraphExecDestroy)
REFUSED(cuGraphInstantiate)
REFUSED(cuGraphInstantiateWithFlags)
REFUSED(cuGraphLaunch)
REFUSED(cuGraphUpload)
REFUSED(cuImportExternalMemory)
REFUSED(cuDestroyExternalMemory)
REFUSED(cuExternalMemoryGetMappedBuffer)
