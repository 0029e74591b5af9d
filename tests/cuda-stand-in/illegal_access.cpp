#include "illegal_access.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "block.h"
#include "memory.h"
#include "report.h"

namespace stand_in {

namespace {

struct sigaction before, before_illegal;

void handle(int signal, siginfo_t* info, void* context) {
    const std::string where = running();
    if (where.empty()) {
        // Not a kernel's doing: as if we had never been here.
        const struct sigaction& old = signal == SIGILL ? before_illegal : before;
        sigaction(signal, &old, nullptr);
        if (old.sa_flags & SA_SIGINFO) old.sa_sigaction(signal, info, context);
        return;
    }
    if (signal == SIGILL) fault("%s: an address that is not aligned to its type", where.c_str());
    const char* address = static_cast<const char*>(info->si_addr);
    // The data of a thorough allocation ends right before the page that was touched.
    const long page = sysconf(_SC_PAGESIZE);
    const char* start = address - reinterpret_cast<uintptr_t>(address) % uintptr_t(page);
    const Allocation* near = nullptr;
    for (int back = 1; back <= 16 && !near; back++) near = holder(start - back);
    if (near) {
        fault("%s: touches what lies %td bytes behind an allocation of %zu bytes", where.c_str(),
              address - (near->data + near->bytes), near->bytes);
    }
    fault("%s: touches %p, which is no memory", where.c_str(), info->si_addr);
}

}  // namespace

void catch_illegal_accesses() {
    static const bool installed = [] {
        struct sigaction ours {};
        ours.sa_sigaction = handle;
        ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigemptyset(&ours.sa_mask);
        return sigaction(SIGSEGV, &ours, &before) == 0 && sigaction(SIGILL, &ours, &before_illegal) == 0;
    }();
    if (!installed) note("illegal accesses will not be explained");
    // Handlers need a stack of their own: that of a kernel's thread is small.
    thread_local const bool has_stack = [] {
        stack_t present{};
        sigaltstack(nullptr, &present);
        if (!(present.ss_flags & SS_DISABLE) && present.ss_size >= 32 << 10) return true;
        stack_t made{};
        made.ss_size = 64 << 10;
        made.ss_sp = malloc(made.ss_size);
        return made.ss_sp && sigaltstack(&made, nullptr) == 0;
    }();
    (void)has_stack;
}

}  // namespace stand_in
