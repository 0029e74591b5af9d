// Memory of the device that is not there: blocks of host memory between guard bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stand_in {

struct Allocation {
    char* data;
    size_t bytes;
    // Whether it came from the memory pool.
    bool pooled;
    // The whole of it, guards included.
    char* outer;
    size_t outer_bytes;
};

// Filled with 0xff, which is NaN in all floating-point types. Null where the device has no more.
char* allocate(size_t bytes, bool pooled);

// Faults where `data` is not an allocation's first byte, was freed already, or the guards were written to.
void release(char* data, const char* call);

// The allocation that holds `address`, or null.
const Allocation* holder(const void* address);

// Faults unless `bytes` from `address` lie in one allocation. `what` and `who` are for the message.
void require(const void* address, size_t bytes, const std::string& who, const char* what);

// Faults where bytes around the allocation were written to.
void check_guards(const Allocation& allocation, const std::string& who);
void check_all_guards(const std::string& who);

void report_leaks();

// Bytes in use, and the most that ever were since the last reset.
struct Usage {
    uint64_t now, most;
};
Usage& pool_usage();
uint64_t used_in_all();

// Page-locked host memory.
void add_pinned(void* data, size_t bytes, bool registered);
bool remove_pinned(void* data, bool registered);
bool is_pinned(const void* address, size_t bytes);

}  // namespace stand_in
