#include "stream.h"

#include <chrono>
#include <set>

#include "report.h"

namespace stand_in {

namespace {

// Streams stay for ever: events may still name them.
std::set<Stream*>& open_streams() {
    static auto* streams = new std::set<Stream*>;
    return *streams;
}

Stream* legacy() {
    static Stream* stream = stream_create(true);
    return stream;
}

}  // namespace

Stream* stream_create(bool blocking) {
    auto* stream = new Stream;
    stream->blocking = blocking;
    open_streams().insert(stream);
    return stream;
}

Stream* stream_of(void* handle) {
    thread_local Stream* const own = stream_create(true);
    if (handle == nullptr || handle == reinterpret_cast<void*>(1)) return legacy();
    if (handle == reinterpret_cast<void*>(2)) return own;
    auto* stream = static_cast<Stream*>(handle);
    if (!open_streams().count(stream)) fault("%p is not a stream, or no longer", handle);
    return stream;
}

void stream_destroy(void* handle) {
    Stream* stream = stream_of(handle);
    drain(stream);
    open_streams().erase(stream);
}

void submit(Stream* stream, Work work) {
    // The null stream and blocking ones wait for each other.
    if (stream == legacy()) {
        for (Stream* other : open_streams()) {
            if (other != stream && other->blocking) drain(other);
        }
    } else if (stream->blocking) {
        drain(legacy());
    }
    stream->submitted++;
    stream->queue.push_back(std::move(work));
    if (!settings().late) drain(stream);
}

void run_until(Stream* stream, uint64_t ticket) {
    while (stream->done < ticket && !stream->queue.empty()) {
        Work work = std::move(stream->queue.front());
        stream->queue.pop_front();
        work();
        stream->done++;
    }
}

void drain(Stream* stream) { run_until(stream, stream->submitted); }

void drain_all() {
    for (Stream* stream : open_streams()) drain(stream);
}

void record(Event* event, Stream* stream) {
    event->stream = stream;
    event->ticket = stream->submitted + 1;
    submit(stream, [event, ticket = event->ticket, stream] {
        // It may have been recorded again since.
        if (event->stream != stream || event->ticket != ticket) return;
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        event->milliseconds = std::chrono::duration<double, std::milli>(now).count();
    });
}

void wait(Stream* stream, const Event& event) {
    if (!event.stream || event.stream == stream) return;
    submit(stream, [other = event.stream, ticket = event.ticket] { run_until(other, ticket); });
}

bool complete(const Event& event) { return !event.stream || event.stream->done >= event.ticket; }

}  // namespace stand_in
