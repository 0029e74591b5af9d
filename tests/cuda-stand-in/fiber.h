// Stacks that can be left and gone back to.
#pragma once

namespace stand_in {

struct Fiber {
    // Where it was left.
    void* place = nullptr;
    char* stack = nullptr;
};

// A fiber that will run `body`, which must never return.
Fiber fiber_new(void (*body)());

// Leaves `from` for `to`; returns when someone switches back to `from`.
void fiber_switch(Fiber& from, Fiber& to);

// Faults where the fiber has used up its stack.
void fiber_check(const Fiber& fiber);

}  // namespace stand_in
