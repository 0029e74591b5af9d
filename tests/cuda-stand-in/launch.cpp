// The driver's modules, functions and launches.
#include "launch.h"

#include <dlfcn.h>

#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "block.h"
#include "illegal_access.h"
#include "memory.h"
#include "report.h"
#include "stream.h"

using namespace stand_in;

namespace {

struct Function;

struct LoadedModule {
    // Kernels compiled for the host; none for candle's, which are known by name.
    Module compiled{};
    bool is_compiled = false;
    std::set<std::string> names;
    std::map<std::string, std::unique_ptr<Function>> functions;
};

struct Function {
    std::string name;
    const LoadedModule* module;
    const Kernel* kernel;
};

std::set<Function*>& functions() {
    static auto* all = new std::set<Function*>;
    return *all;
}

// The names behind ".entry" in PTX.
std::set<std::string> entries(const char* ptx) {
    std::set<std::string> names;
    const char* const mark = ".entry ";
    for (const char* at = strstr(ptx, mark); at; at = strstr(at, mark)) {
        at += strlen(mark);
        names.insert(std::string(at, strcspn(at, "( \t\n")));
    }
    return names;
}

CUresult load_compiled(LoadedModule& module, const char* text) {
    const char* path = text + strlen(module_mark);
    const std::string file(path, strcspn(path, "\n"));
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        note("cuModuleLoadData: %s", dlerror());
        return CUDA_ERROR_FILE_NOT_FOUND;
    }
    using Entry = Module (*)(const Block*);
    const auto entry = reinterpret_cast<Entry>(dlsym(library, "stand_in_module"));
    if (!entry) return CUDA_ERROR_INVALID_IMAGE;
    module.compiled = entry(&block_interface());
    module.is_compiled = true;
    for (unsigned i = 0; i < module.compiled.count; i++) module.names.insert(module.compiled.kernels[i].name);
    return CUDA_SUCCESS;
}

// What a device would refuse.
const char* impossible(Dim3 grid, Dim3 block, unsigned shared) {
    if (!grid.x || !grid.y || !grid.z || !block.x || !block.y || !block.z) return "a grid without threads";
    if (grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535) return "a grid with too many blocks";
    if (block.x > 1024 || block.y > 1024 || block.z > 64) return "a block that is too long";
    if (uint64_t(block.x) * block.y * block.z > 1024) return "a block of more than 1024 threads";
    if (shared > 48 << 10) return "too much shared memory";
    return nullptr;
}

// The arguments of a launch, which the caller may drop at once.
struct Arguments {
    std::vector<char> bytes;
    std::vector<size_t> offsets;
    std::vector<void*> pointers;

    Arguments(const Kernel& kernel, void** given) {
        for (unsigned i = 0; i < kernel.count; i++) {
            offsets.push_back(bytes.size());
            const char* value = static_cast<const char*>(given[i]);
            bytes.insert(bytes.end(), value, value + kernel.parameters[i].bytes);
            bytes.resize((bytes.size() + 15) / 16 * 16);
            if (kernel.parameters[i].pointer) pointers.push_back(*static_cast<void* const*>(given[i]));
        }
    }
    std::vector<void*> addresses() {
        std::vector<void*> result;
        for (const size_t offset : offsets) result.push_back(bytes.data() + offset);
        return result;
    }
};

// Pointers go to memory of the device. A null one is a kernel's own affair.
void require_device_memory(const std::string& name, const Arguments& arguments) {
    for (size_t i = 0; i < arguments.pointers.size(); i++) {
        if (arguments.pointers[i] && !holder(arguments.pointers[i])) {
            fault("kernel %s: pointer %zu of its arguments, %p, is not in device memory", name.c_str(), i + 1,
                  arguments.pointers[i]);
        }
    }
}

void run(const Function& function, Dim3 grid, Dim3 block, Arguments& arguments) {
    const std::string name = "kernel " + function.name;
    require_device_memory(function.name, arguments);
    std::vector<void*> addresses = arguments.addresses();
    run_grid(function.module->compiled, *function.kernel, grid, block, addresses.data());
    if (settings().thorough) {
        check_all_guards(name);
        return;
    }
    for (const void* pointer : arguments.pointers) {
        if (const Allocation* a = pointer ? holder(pointer) : nullptr) check_guards(*a, name);
    }
}

}  // namespace

STAND_IN_API CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    Locked locked;
    REQUIRE_CONTEXT("cuModuleLoadData");
    const char* text = static_cast<const char*>(image);
    auto loaded = std::make_unique<LoadedModule>();
    if (strncmp(text, module_mark, strlen(module_mark)) == 0) {
        if (const CUresult error = load_compiled(*loaded, text)) return error;
    } else {
        loaded->names = entries(text);
    }
    if (loaded->names.empty()) {
        note("cuModuleLoadData: no kernels in the image");
        return CUDA_ERROR_INVALID_IMAGE;
    }
    *module = loaded.release();
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned, int*, void**) {
    return cuModuleLoadData(module, image);
}

STAND_IN_API CUresult cuModuleLoad(CUmodule*, const char* path) {
    note("cuModuleLoad of %s: modules come from memory here", path);
    return CUDA_ERROR_FILE_NOT_FOUND;
}

STAND_IN_API CUresult cuModuleUnload(CUmodule module) {
    Locked locked;
    drain_all();
    auto* gone = static_cast<LoadedModule*>(module);
    for (const auto& [name, function] : gone->functions) functions().erase(function.get());
    delete gone;
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    Locked locked;
    auto* from = static_cast<LoadedModule*>(module);
    if (!from->names.count(name)) {
        note("there is no kernel %s in the module", name);
        return CUDA_ERROR_NOT_FOUND;
    }
    auto& found = from->functions[name];
    if (!found) {
        const Kernel* kernel = nullptr;
        for (unsigned i = 0; from->is_compiled && i < from->compiled.count; i++) {
            if (strcmp(from->compiled.kernels[i].name, name) == 0) kernel = &from->compiled.kernels[i];
        }
        if (!kernel && !has_candle_kernel(name)) {
            note("the stand-in does not have candle's kernel %s", name);
            return CUDA_ERROR_NOT_FOUND;
        }
        found.reset(new Function{name, from, kernel});
        functions().insert(found.get());
    }
    *function = found.get();
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuModuleGetGlobal_v2(CUdeviceptr*, size_t*, CUmodule, const char* name) {
    note("cuModuleGetGlobal of %s: variables of modules are not reachable", name);
    return CUDA_ERROR_NOT_FOUND;
}

STAND_IN_API CUresult cuLaunchKernel(
    CUfunction handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
    unsigned block_z, unsigned shared, CUstream stream, void** given, void**
) {
    Locked locked;
    REQUIRE_CONTEXT("cuLaunchKernel");
    auto* function = static_cast<Function*>(handle);
    if (!functions().count(function)) fault("cuLaunchKernel: %p is not a kernel, or its module is gone", handle);
    const Dim3 grid{grid_x, grid_y, grid_z}, block{block_x, block_y, block_z};
    if (const char* why = impossible(grid, block, shared)) {
        note(
            "kernel %s: %s: %ux%ux%u blocks of %ux%ux%u threads, %u bytes", function->name.c_str(), why, grid_x, grid_y,
            grid_z, block_x, block_y, block_z, shared
        );
        return CUDA_ERROR_INVALID_VALUE;
    }
    count_kernel(function->name);
    catch_illegal_accesses();
    if (!function->kernel) {
        return launch_candle_kernel({function->name, grid, block, given}, stream) ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
    }
    // Kernels of the project have static shared memory only.
    if (shared) fault("kernel %s: shared memory given at the launch is not modelled", function->name.c_str());
    Arguments arguments(*function->kernel, given);
    require_device_memory(function->name, arguments);
    submit(stream_of(stream), [function, grid, block, arguments]() mutable { run(*function, grid, block, arguments); });
    return CUDA_SUCCESS;
}

STAND_IN_API CUresult cuLaunchCooperativeKernel() {
    note("cuLaunchCooperativeKernel is not supported");
    return CUDA_ERROR_NOT_SUPPORTED;
}

STAND_IN_API CUresult cuFuncGetAttribute(int* value, int attribute, CUfunction) {
    // 0 is the most threads per block; of the others nothing is known.
    *value = attribute == 0 ? 1024 : 0;
    return CUDA_SUCCESS;
}
STAND_IN_API CUresult cuFuncSetAttribute(CUfunction, int, int) { return CUDA_SUCCESS; }
STAND_IN_API CUresult cuFuncSetCacheConfig(CUfunction, int) { return CUDA_SUCCESS; }

#define NOT_MODELLED(name)                                     \
    STAND_IN_API CUresult name() {                             \
        note(#name " is not supported");                       \
        return CUDA_ERROR_NOT_SUPPORTED;                       \
    }
NOT_MODELLED(cuOccupancyAvailableDynamicSMemPerBlock)
NOT_MODELLED(cuOccupancyMaxActiveBlocksPerMultiprocessor)
NOT_MODELLED(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags)
NOT_MODELLED(cuOccupancyMaxActiveClusters)
NOT_MODELLED(cuOccupancyMaxPotentialBlockSize)
NOT_MODELLED(cuOccupancyMaxPotentialBlockSizeWithFlags)
NOT_MODELLED(cuOccupancyMaxPotentialClusterSize)
