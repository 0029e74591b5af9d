#include "block.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <vector>

#include "fiber.h"
#include "memory.h"
#include "report.h"

namespace stand_in {

namespace {

enum class State { Unstarted, Running, AtBarrier, Released, AtExchange, Finished };

struct Thread {
    State state = State::Unstarted;
    Dim3 index{};
    Fiber* fiber = nullptr;
    // What it waits for.
    int line = 0;
    Exchange kind{};
    unsigned mask = 0, operand = 0, width = 0;
    unsigned long long value = 0;
};

// 0 to n - 1 in an order that the seed chooses: as it is for seed 0.
class Order {
  public:
    Order(uint64_t n, uint64_t seed) : n_(n), step_(1), start_(0) {
        if (seed == 0 || n < 2) return;
        start_ = seed * 0x9e3779b97f4a7c15ull % n;
        step_ = seed * 0xd1342543de82ef95ull % n;
        while (std::gcd(step_, n) != 1) step_++;
    }
    uint64_t operator[](uint64_t i) const {
        if (step_ == 1 && start_ == 0) return i;
        return uint64_t((unsigned __int128)i * step_ % n_ + start_) % n_;
    }

  private:
    uint64_t n_, step_, start_;
};

// The grid that runs. One at a time: the device's lock is held.
struct Grid {
    const Module* module = nullptr;
    const Kernel* kernel = nullptr;
    void** arguments = nullptr;
    std::vector<Thread> threads;
    Thread* current = nullptr;
    // Those from `next` to `end` have not begun; `order` says which is which.
    uint64_t next = 0, end = 0, first = 0;
    const Order* order = nullptr;
} grid;

Fiber scheduler;
// All that there ever were; those without a thread are idle.
std::vector<Fiber*> idle;

constexpr unsigned warp_size = 32;

[[noreturn]] void fault_in_kernel(const char* what) { fault("%s: %s", running().c_str(), what); }

// Runs threads that have not begun, one after the other. Where one waits, it takes the fiber along, and the scheduler goes
// on with another.
Fiber* fiber_of_call = nullptr;
void fiber_body() {
    Fiber* const own = fiber_of_call;
    for (;;) {
        while (grid.next < grid.end) {
            Thread& thread = grid.threads[grid.first + (*grid.order)[grid.next++ - grid.first]];
            thread.state = State::Running;
            thread.fiber = own;
            grid.current = &thread;
            *grid.module->thread_index = thread.index;
            grid.kernel->thread(grid.arguments);
            // The thread may have waited, and others run since.
            Thread& ended = *grid.current;
            ended.state = State::Finished;
            ended.fiber = nullptr;
        }
        fiber_check(*own);
        idle.push_back(own);
        fiber_switch(*own, scheduler);
    }
}

Fiber& idle_fiber() {
    if (idle.empty()) {
        auto* fiber = new Fiber(fiber_new(fiber_body));
        fiber_of_call = fiber;
        return *fiber;
    }
    Fiber* fiber = idle.back();
    idle.pop_back();
    fiber_of_call = fiber;
    return *fiber;
}

void go_on(Thread& thread) {
    thread.state = State::Running;
    grid.current = &thread;
    *grid.module->thread_index = thread.index;
    fiber_switch(scheduler, *thread.fiber);
}

void wait_as(State state, int line) {
    Thread& self = *grid.current;
    self.state = state;
    self.line = line;
    fiber_switch(*self.fiber, scheduler);
}

void barrier(int line) { wait_as(State::AtBarrier, line); }

unsigned long long exchange(
    Exchange kind, unsigned mask, unsigned long long value, unsigned operand, unsigned width, int line
) {
    Thread& self = *grid.current;
    self.kind = kind;
    self.mask = mask;
    self.value = value;
    self.operand = operand;
    self.width = width;
    wait_as(State::AtExchange, line);
    return self.value;
}

// The lane that `lane` reads from; its own where the one asked for lies outside its part of the warp.
unsigned source_lane(const Thread& thread, unsigned lane) {
    const unsigned first = lane / thread.width * thread.width, within = lane - first;
    switch (thread.kind) {
        case Exchange::Xor: {
            const unsigned source = lane ^ thread.operand;
            return source < first + thread.width ? source : lane;
        }
        case Exchange::Up:
            return within >= thread.operand ? lane - thread.operand : lane;
        case Exchange::Down:
            return within + thread.operand < thread.width ? lane + thread.operand : lane;
        case Exchange::Index:
            return first + thread.operand % thread.width;
        case Exchange::Sync:
        case Exchange::Ballot:
            return lane;
    }
    return lane;
}

// Lets the lanes of `mask` have each other's values. Lane 0 of the warp is thread `first`.
void exchange_values(size_t first, unsigned mask) {
    unsigned long long values[warp_size];
    unsigned ballot = 0;
    for (unsigned lane = 0; lane < warp_size; lane++) {
        // What a lane outside the mask has is undefined.
        values[lane] = ~0ull;
        if (mask >> lane & 1) {
            values[lane] = grid.threads[first + lane].value;
            ballot |= unsigned(values[lane] & 1) << lane;
        }
    }
    for (unsigned lane = 0; lane < warp_size; lane++) {
        if (!(mask >> lane & 1)) continue;
        Thread& thread = grid.threads[first + lane];
        thread.value = thread.kind == Exchange::Ballot ? ballot : values[source_lane(thread, lane)];
    }
}

// Whether lanes of the warp waited for an exchange and have gone on.
bool run_exchange(size_t first) {
    const size_t lanes = std::min<size_t>(warp_size, grid.threads.size() - first);
    size_t leader = 0;
    while (leader < lanes && grid.threads[first + leader].state != State::AtExchange) leader++;
    if (leader == lanes) return false;
    const Thread asks = grid.threads[first + leader];
    char text[256];
    for (unsigned lane = 0; lane < warp_size; lane++) {
        if (!(asks.mask >> lane & 1)) continue;
        const char* why = nullptr;
        if (lane >= lanes) {
            why = "does not exist";
        } else {
            const Thread& thread = grid.threads[first + lane];
            if (thread.state == State::Finished) why = "has finished";
            else if (thread.state == State::AtBarrier) why = "waits at __syncthreads";
            else if (thread.line != asks.line || thread.kind != asks.kind) why = "waits in another exchange";
            else if (thread.mask != asks.mask) why = "names other lanes";
        }
        if (why) {
            snprintf(text, sizeof text, "the exchange of a warp in line %d names lane %u, which %s", asks.line, lane, why);
            grid.current = &grid.threads[first + leader];
            fault_in_kernel(text);
        }
    }
    if (!(asks.mask >> leader & 1)) fault_in_kernel("a lane takes part in an exchange whose mask does not name it");
    exchange_values(first, asks.mask);
    const Order order(lanes, settings().seed);
    for (size_t i = 0; i < lanes; i++) {
        const size_t lane = order[i];
        if (asks.mask >> lane & 1) go_on(grid.threads[first + lane]);
    }
    return true;
}

// Whether the block waited at a barrier and may go on; false where all threads have finished.
bool pass_barrier() {
    const Thread *waits = nullptr, *finished = nullptr;
    for (const Thread& thread : grid.threads) {
        char text[256];
        if (thread.state == State::Finished) {
            finished = &thread;
        } else if (waits && waits->line != thread.line) {
            snprintf(
                text, sizeof text, "threads of one block wait at different barriers, in lines %d and %d", waits->line,
                thread.line
            );
            fault_in_kernel(text);
        } else {
            waits = &thread;
        }
        if (waits && finished) {
            snprintf(
                text, sizeof text, "thread %u waits at the barrier in line %d, and thread %u has finished without it",
                waits->index.x, waits->line, finished->index.x
            );
            fault_in_kernel(text);
        }
    }
    if (!waits) return false;
    for (Thread& thread : grid.threads) thread.state = State::Released;
    return true;
}

// Runs a warp until its lanes wait at a barrier or have finished.
void run_warp(size_t first) {
    const size_t lanes = std::min<size_t>(warp_size, grid.threads.size() - first);
    const Order order(lanes, settings().seed);
    if (grid.threads[first].state == State::Unstarted) {
        grid.order = &order;
        grid.first = grid.next = first;
        grid.end = first + lanes;
        while (grid.next < grid.end) fiber_switch(scheduler, idle_fiber());
    } else {
        for (size_t i = 0; i < lanes; i++) go_on(grid.threads[first + order[i]]);
    }
    while (run_exchange(first)) {
    }
}

void run_block() {
    for (const Range& range : grid.module->shared) memset(range.start, 0xff, size_t(range.end - range.start));
    for (Thread& thread : grid.threads) thread.state = State::Unstarted;
    const size_t warps = (grid.threads.size() + warp_size - 1) / warp_size;
    const Order order(warps, settings().seed);
    // Each warp runs as far as it can before the next one does anything: those that run ahead, and those that lag, find what
    // they should not if a barrier is missing.
    do {
        for (size_t i = 0; i < warps; i++) run_warp(order[i] * warp_size);
    } while (pass_barrier());
}

}  // namespace

const Block& block_interface() {
    static const Block interface{barrier, exchange};
    return interface;
}

std::string running() {
    if (!grid.kernel) return "";
    const Dim3 block = *grid.module->block_index;
    const Dim3 thread = grid.current ? grid.current->index : Dim3{};
    char text[256];
    snprintf(
        text, sizeof text, "kernel %s, block %u,%u,%u, thread %u,%u,%u", grid.kernel->name, block.x, block.y, block.z,
        thread.x, thread.y, thread.z
    );
    return text;
}

void run_grid(const Module& module, const Kernel& kernel, Dim3 blocks, Dim3 threads, void** arguments) {
    grid.module = &module;
    grid.kernel = &kernel;
    grid.arguments = arguments;
    grid.threads.assign(size_t(threads.x) * threads.y * threads.z, Thread());
    for (size_t i = 0; i < grid.threads.size(); i++) {
        grid.threads[i].index = {
            unsigned(i % threads.x), unsigned(i / threads.x % threads.y), unsigned(i / threads.x / threads.y)
        };
    }
    *module.block_size = threads;
    *module.grid_size = blocks;
    const uint64_t count = uint64_t(blocks.x) * blocks.y * blocks.z;
    const Order order(count, settings().seed);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t index = order[i];
        *module.block_index = {
            unsigned(index % blocks.x), unsigned(index / blocks.x % blocks.y), unsigned(index / blocks.x / blocks.y)
        };
        run_block();
    }
    grid.kernel = nullptr;
    grid.current = nullptr;
}

}  // namespace stand_in
