#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "report.h"

namespace stand_in {

namespace {

constexpr size_t guard = 256;
constexpr unsigned char untouched = 0xa5, fresh = 0xff;

std::map<uintptr_t, Allocation>& live() {
    static auto* allocations = new std::map<uintptr_t, Allocation>;
    return *allocations;
}

// Where freed memory began, until it is given out again.
std::set<uintptr_t>& freed() {
    static auto* addresses = new std::set<uintptr_t>;
    return *addresses;
}

uint64_t in_use = 0;
Usage pool{};

struct Pinned {
    size_t bytes;
    bool registered;
};
std::map<uintptr_t, Pinned>& pinned() {
    static auto* ranges = new std::map<uintptr_t, Pinned>;
    return *ranges;
}

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Thorough: the data ends at a page that cannot be touched, so that reads behind it are caught too.
Allocation against_a_page(size_t bytes) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE)), inner = round_up(round_up(bytes, 16) + guard, page);
    char* outer = static_cast<char*>(
        mmap(nullptr, inner + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    );
    if (outer == MAP_FAILED) return {};
    if (mprotect(outer + inner, page, PROT_NONE) != 0) fault("no guard page: mprotect failed");
    return {outer + inner - round_up(bytes, 16), bytes, false, outer, inner + page};
}

Allocation between_guards(size_t bytes) {
    const size_t outer_bytes = guard + round_up(bytes, guard) + guard;
    char* outer = static_cast<char*>(aligned_alloc(guard, outer_bytes));
    if (!outer) return {};
    return {outer + guard, bytes, false, outer, outer_bytes};
}

// The bytes before and behind the data that can be written to.
struct Guards {
    char *before, *before_end, *behind, *behind_end;
};
Guards guards_of(const Allocation& a) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE));
    char* end = a.outer + a.outer_bytes - (settings().thorough ? page : 0);
    char* start = a.data - a.outer > ptrdiff_t(guard) ? a.data - guard : a.outer;
    return {start, a.data, a.data + a.bytes, end};
}

}  // namespace

char* allocate(size_t bytes, bool pooled) {
    if (in_use + bytes > settings().memory) return nullptr;
    Allocation a = settings().thorough ? against_a_page(bytes) : between_guards(bytes);
    if (!a.data) return nullptr;
    a.pooled = pooled;
    const Guards g = guards_of(a);
    memset(g.before, untouched, size_t(g.before_end - g.before));
    memset(a.data, fresh, bytes);
    memset(g.behind, untouched, size_t(g.behind_end - g.behind));
    freed().erase(uintptr_t(a.data));
    live()[uintptr_t(a.data)] = a;
    in_use += bytes;
    if (pooled) {
        pool.now += bytes;
        if (pool.now > pool.most) pool.most = pool.now;
    }
    count(Allocations);
    return a.data;
}

void release(char* data, const char* call) {
    const auto found = live().find(uintptr_t(data));
    if (found == live().end()) {
        if (freed().count(uintptr_t(data))) fault("%s: %p was freed already", call, static_cast<void*>(data));
        if (const Allocation* inside = holder(data)) {
            fault("%s: %p lies %td bytes within an allocation", call, static_cast<void*>(data), data - inside->data);
        }
        fault("%s: %p was never allocated", call, static_cast<void*>(data));
    }
    const Allocation a = found->second;
    check_guards(a, call);
    live().erase(found);
    freed().insert(uintptr_t(data));
    in_use -= a.bytes;
    if (a.pooled) pool.now -= a.bytes;
    count(Frees);
    if (settings().thorough) {
        munmap(a.outer, a.outer_bytes);
    } else {
        free(a.outer);
    }
}

const Allocation* holder(const void* address) {
    auto next = live().upper_bound(uintptr_t(address));
    if (next == live().begin()) return nullptr;
    const Allocation& a = (--next)->second;
    return uintptr_t(address) < uintptr_t(a.data) + a.bytes ? &a : nullptr;
}

void require(const void* address, size_t bytes, const std::string& who, const char* what) {
    if (bytes == 0) return;
    const Allocation* a = holder(address);
    if (!a) fault("%s: %s at %p is not in device memory", who.c_str(), what, address);
    const size_t left = size_t(a->data + a->bytes - static_cast<const char*>(address));
    if (bytes > left) {
        fault("%s: %s has %zu bytes, but its allocation ends after %zu", who.c_str(), what, bytes, left);
    }
}

void check_guards(const Allocation& a, const std::string& who) {
    const Guards g = guards_of(a);
    for (const char* p = g.before_end; p-- > g.before;) {
        if (static_cast<unsigned char>(*p) != untouched) {
            fault("%s: written %td bytes before an allocation of %zu bytes", who.c_str(), a.data - p, a.bytes);
        }
    }
    for (const char* p = g.behind; p < g.behind_end; p++) {
        if (static_cast<unsigned char>(*p) != untouched) {
            fault("%s: written %td bytes behind an allocation of %zu bytes", who.c_str(), p - g.behind, a.bytes);
        }
    }
}

void check_all_guards(const std::string& who) {
    for (const auto& [start, a] : live()) check_guards(a, who);
}

void report_leaks() {
    uint64_t bytes = 0;
    for (const auto& [start, a] : live()) bytes += a.bytes;
    fprintf(stderr, "cuda stand-in: %zu allocations of %" PRIu64 " bytes are left\n", live().size(), bytes);
}

Usage& pool_usage() { return pool; }

uint64_t used_in_all() { return in_use; }

void add_pinned(void* data, size_t bytes, bool registered) { pinned()[uintptr_t(data)] = {bytes, registered}; }

bool remove_pinned(void* data, bool registered) {
    const auto found = pinned().find(uintptr_t(data));
    if (found == pinned().end() || found->second.registered != registered) return false;
    pinned().erase(found);
    return true;
}

bool is_pinned(const void* address, size_t bytes) {
    auto next = pinned().upper_bound(uintptr_t(address));
    if (next == pinned().begin()) return false;
    --next;
    return uintptr_t(address) + bytes <= next->first + next->second.bytes;
}

}  // namespace stand_in
