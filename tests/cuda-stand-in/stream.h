// Streams and events. Work is done when it is called for or, with HARNESS_STAND_IN_LATE, as late as the order allows: not
// before someone waits for it. A program that waits too seldom then reads what is not there yet.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>

namespace stand_in {

using Work = std::function<void()>;

struct Stream {
    std::deque<Work> queue;
    uint64_t submitted = 0, done = 0;
    bool blocking = true;
};

struct Event {
    // Complete as soon as the stream has done this much. Null before it is recorded.
    Stream* stream = nullptr;
    uint64_t ticket = 0;
    double milliseconds = 0;
    bool timed = true;
};

// The stream that a handle means: a null one, one of the two named ones, or one of stream_create.
Stream* stream_of(void* handle);
Stream* stream_create(bool blocking);
// Faults where the handle is none.
void stream_destroy(void* handle);

void submit(Stream* stream, Work work);
void run_until(Stream* stream, uint64_t ticket);
void drain(Stream* stream);
void drain_all();

void record(Event* event, Stream* stream);
void wait(Stream* stream, const Event& event);
bool complete(const Event& event);

}  // namespace stand_in
