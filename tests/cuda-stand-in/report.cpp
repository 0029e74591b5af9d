#include "report.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "memory.h"
#include "stream.h"

namespace stand_in {

namespace {

void say(const char* kind, const char* format, va_list arguments) {
    char text[2048];
    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "cuda stand-in: %s%s\n", kind, text);
    fflush(stderr);
}

bool on(const char* name) {
    const char* value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

uint64_t number(const char* name, uint64_t otherwise) {
    const char* value = getenv(name);
    if (!value || !*value) return otherwise;
    char* end;
    const uint64_t result = strtoull(value, &end, 10);
    if (*end) fault("%s must be a whole number, not '%s'", name, value);
    return result;
}

std::atomic<uint64_t> counts[Counts];
const char* const labels[Counts] = {
    "kernel launches", "library calls that compute", "host synchronisations", "device allocations", "device frees",
    "bytes to the device", "bytes to the host", "copies to the device", "copies to the host", "copies on the device",
};

std::map<std::string, uint64_t>& by_name() {
    static auto* names = new std::map<std::string, uint64_t>;
    return *names;
}
std::map<std::string, uint64_t>& by_call() {
    static auto* calls = new std::map<std::string, uint64_t>;
    return *calls;
}

void at_exit() {
    Locked locked;
    drain_all();
    if (settings().statistics) {
        for (int i = 0; i < Counts; i++) {
            fprintf(stderr, "cuda stand-in: %llu %s\n", (unsigned long long)counts[i].load(), labels[i]);
        }
        for (const auto& [call, times] : by_call()) {
            fprintf(stderr, "cuda stand-in: %llu waits in %s\n", (unsigned long long)times, call.c_str());
        }
        for (const auto& [name, times] : by_name()) {
            fprintf(stderr, "cuda stand-in: %llu x %s\n", (unsigned long long)times, name.c_str());
        }
    }
    if (settings().leaks) report_leaks();
}

}  // namespace

void fault(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("FAULT: ", format, arguments);
    va_end(arguments);
    abort();
}

void note(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

void trace(const char* format, ...) {
    if (!settings().trace) return;
    va_list arguments;
    va_start(arguments, format);
    say("> ", format, arguments);
    va_end(arguments);
}

const Settings& settings() {
    static const Settings read = [] {
        Settings s{};
        s.statistics = on("HARNESS_STAND_IN_STATISTICS");
        s.leaks = on("HARNESS_STAND_IN_LEAKS");
        s.trace = on("HARNESS_STAND_IN_TRACE");
        s.thorough = on("HARNESS_STAND_IN_THOROUGH");
        s.late = on("HARNESS_STAND_IN_LATE");
        s.any_algorithm = on("HARNESS_STAND_IN_ANY_ALGORITHM");
        s.seed = number("HARNESS_STAND_IN_SEED", 0);
        s.memory = number("HARNESS_STAND_IN_MEMORY", uint64_t(80) << 30);
        if (s.statistics || s.leaks) atexit(at_exit);
        return s;
    }();
    return read;
}

void count(Count what, uint64_t by) { counts[what] += by; }

uint64_t counted(Count what) { return counts[what]; }

void count_kernel(const std::string& name) {
    count(Launches);
    trace("launch %s", name.c_str());
    if (settings().statistics) by_name()[name]++;
}

void count_synchronisation(const char* call) {
    count(Synchronisations);
    trace("the host waits in %s", call);
    if (settings().statistics) by_call()[call]++;
}

std::recursive_mutex& device_lock() {
    static auto* lock = new std::recursive_mutex;
    return *lock;
}

}  // namespace stand_in

// For tests that ask by name: 0 for a name that is not counted.
extern "C" __attribute__((visibility("default"))) unsigned long long harness_stand_in_count(const char* name) {
    using namespace stand_in;
    for (int i = 0; i < Counts; i++) {
        if (strcmp(labels[i], name) == 0) return counted(Count(i));
    }
    return 0;
}
