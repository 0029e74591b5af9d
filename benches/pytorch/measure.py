"""Resident memory of this process and summaries of repeated timings: the same figures, by the same names, as
`harness bench train` prints."""
import statistics
import time


def _status(field):
    """A size in bytes from /proc/self/status; None where there is no such file."""
    try:
        with open("/proc/self/status") as lines:
            for line in lines:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def resident_memory():
    """Resident set now, in bytes."""
    return _status("VmRSS")


def peak_memory():
    """Largest resident set since `reset_peak_memory`, or since the process started where that failed, in bytes."""
    return _status("VmHWM")


def reset_peak_memory():
    """Lets the kernel forget the largest resident set. Returns whether it did."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        return True
    except OSError:
        return False


def timed(work):
    """Seconds that `work()` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def tenth(seconds):
    """Means of the first and of the last tenth (at least one value each): what drifts differs between them."""
    count = max(1, len(seconds) // 10)
    return statistics.fmean(seconds[:count]), statistics.fmean(seconds[-count:])


def shortest_ms(work, repeats, at_least_seconds):
    """Shortest time of `work()` in milliseconds after one warm-up, over `repeats` runs or as many as fill
    `at_least_seconds`, whichever is more: other work on the machine only ever adds to a time."""
    work()
    shortest, spent, runs = float("inf"), 0.0, 0
    while runs < repeats or spent < at_least_seconds:
        seconds = timed(work)
        shortest, spent, runs = min(shortest, seconds), spent + seconds, runs + 1
    return 1e3 * shortest
