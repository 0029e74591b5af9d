// What the stand-in and a module of compiled kernels know of each other. Also the head of every such module, so it stands
// alone.
#pragma once

namespace stand_in {

struct Dim3 {
    unsigned x, y, z;
};

// One parameter of a kernel.
struct Parameter {
    unsigned bytes;
    bool pointer;
};

struct Kernel {
    const char* name;
    const Parameter* parameters;
    unsigned count;
    // Runs one thread; addresses of the arguments as cuLaunchKernel takes them.
    void (*thread)(void** arguments);
};

enum class Exchange { Xor, Up, Down, Index, Sync, Ballot };

// What a thread asks of its block; `line` is that of the source.
struct Block {
    void (*barrier)(int line);
    // The 64 bits that the chosen lane of the warp passed.
    unsigned long long (*exchange)(
        Exchange kind, unsigned mask, unsigned long long value, unsigned operand, unsigned width, int line
    );
};

struct Range {
    char *start, *end;
};

// A module's variables: the thread that runs, and where its __shared__ memory lies.
struct Module {
    const Kernel* kernels;
    unsigned count;
    Dim3 *thread_index, *block_index, *block_size, *grid_size;
    Range shared[2];
};

}  // namespace stand_in
