#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>

#include "report.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace stand_in {

namespace {

constexpr size_t stack_bytes = 64 << 10;
constexpr uint64_t canary = 0x5ca1ab1e0ddba11dull;

char* new_stack() {
    void* stack =
        mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) fault("no memory for the stack of a thread");
    memcpy(stack, &canary, sizeof canary);
    return static_cast<char*>(stack);
}

}  // namespace

void fiber_check(const Fiber& fiber) {
    if (memcmp(fiber.stack, &canary, sizeof canary) != 0) {
        fault("a kernel needs more than %zu bytes of stack per thread", stack_bytes);
    }
}

#if defined(__x86_64__)

// Saves what a called function must keep, and goes on where the other stack was left.
asm(R"(
    .pushsection .text
    .type stand_in_switch_stacks, @function
stand_in_switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size stand_in_switch_stacks, . - stand_in_switch_stacks
    .popsection
)");
extern "C" void stand_in_switch_stacks(void** from, void* to) __attribute__((visibility("hidden")));

Fiber fiber_new(void (*body)()) {
    Fiber fiber;
    fiber.stack = new_stack();
    // Stacks begin at different distances from a page, or they would all want the same lines of the caches.
    static size_t made = 0;
    const size_t distance = made++ % 61 * 64;
    // Six registers and the address to return to, which finds the stack as after a call.
    auto* top = reinterpret_cast<uintptr_t*>(fiber.stack + stack_bytes - distance) - 1;
    *top = 0;
    *--top = uintptr_t(body);
    top -= 6;
    memset(top, 0, 6 * sizeof *top);
    fiber.place = top;
    return fiber;
}

void fiber_switch(Fiber& from, Fiber& to) { stand_in_switch_stacks(&from.place, to.place); }

#else

Fiber fiber_new(void (*body)()) {
    Fiber fiber;
    fiber.stack = new_stack();
    auto* context = new ucontext_t;
    getcontext(context);
    context->uc_stack.ss_sp = fiber.stack;
    context->uc_stack.ss_size = stack_bytes;
    context->uc_link = nullptr;
    makecontext(context, body, 0);
    fiber.place = context;
    return fiber;
}

void fiber_switch(Fiber& from, Fiber& to) {
    if (!from.place) from.place = new ucontext_t;
    swapcontext(static_cast<ucontext_t*>(from.place), static_cast<ucontext_t*>(to.place));
}

#endif

}  // namespace stand_in
