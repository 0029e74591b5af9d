// Runs the threads of a block: all of them in turn on one thread of the host, each on a stack of its own as soon as it has to
// wait for others.
#pragma once
#include <string>

#include "kernel_abi.h"

namespace stand_in {

// What modules call.
const Block& block_interface();

// Runs a whole grid. Faults where threads wait for each other in ways that a GPU leaves undefined.
void run_grid(const Module& module, const Kernel& kernel, Dim3 grid, Dim3 block, void** arguments);

// The kernel, block and thread that run, or nothing.
std::string running();

}  // namespace stand_in
