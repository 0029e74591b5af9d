// Modules and their kernels.
#pragma once
#include <map>
#include <string>

#include "driver.h"
#include "kernel_abi.h"

namespace stand_in {

// A launch, as the driver is asked for it.
struct Launch {
    const std::string& name;
    Dim3 grid, block;
    void** arguments;
};

// The kernels of candle that the stand-in has. Takes over the arguments, and submits the work; false for a kernel that it
// does not have.
bool has_candle_kernel(const std::string& name);
bool launch_candle_kernel(const Launch& launch, CUstream stream);

// First line of what NVRTC makes here; the path of the compiled module follows.
constexpr const char* module_mark = "// kernels compiled for the host: ";

}  // namespace stand_in
