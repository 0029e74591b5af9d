// What the stand-in says, counts and can be told.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

namespace stand_in {

// A fault that a GPU might or might not show: says it and ends the process.
[[noreturn]] void fault(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Why a call is answered with an error.
void note(const char* format, ...) __attribute__((format(printf, 1, 2)));

// What happens, where HARNESS_STAND_IN_TRACE asks for it.
void trace(const char* format, ...) __attribute__((format(printf, 1, 2)));

// From the environment; README.md says what each does.
struct Settings {
    bool statistics, leaks, trace, thorough, late, any_algorithm;
    uint64_t seed, memory;
};
const Settings& settings();

// What was done since the process began.
enum Count {
    Launches,
    Library,
    Synchronisations,
    Allocations,
    Frees,
    BytesToDevice,
    BytesToHost,
    CopiesToDevice,
    CopiesToHost,
    CopiesOnDevice,
    Counts
};
void count(Count what, uint64_t by = 1);
uint64_t counted(Count what);
void count_kernel(const std::string& name);

// The host waits for the device.
void count_synchronisation(const char* call);

// Held by every call: the device does one thing at a time.
std::recursive_mutex& device_lock();
struct Locked {
    std::lock_guard<std::recursive_mutex> guard{device_lock()};
};

}  // namespace stand_in
