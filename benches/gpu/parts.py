"""What scripts/gpu measures, part by part. Each part takes the session and a dictionary for its results."""
import json
import re

from session import ROOT, Failed, Skipped, last_line
from trainings import ablation, follow

# What test programs that were carried are called.
TEST_PROGRAM = "-tests"

# Of these only the tests are run that have one of the words in their names: reference numbers of the official codes, whole
# iterations beside the processor's.
CHOSEN_TESTS = {"harness-tests": ["golden", "cuda"]}

# What a test prints that has found no GPU.
NO_GPU = "skipped: no CUDA device"


def doctor(session, result):
    """What the machine has."""
    done = session.run_harness("doctor", "--device", session.device, "--format", "json", check=False)
    if done.code == 2:
        raise Failed(f"this binary knows no `doctor`: {last_line(done.err)}")
    result["doctor"] = done.json()
    if done.code != 0:
        raise Failed(last_line(done.err or done.out))


def tests(session, result):
    """The carried test programs."""
    programs = session.carried_programs(TEST_PROGRAM)
    if not programs:
        raise Skipped("no test programs: scripts/cuda-build --tests makes them for --carry")
    environment = {"HARNESS_TEST_DEVICE": session.device}
    if (ROOT / "shared").is_dir():
        environment["HARNESS_SHARED_DIR"] = str(ROOT / "shared")
    problems = []
    for program in programs:
        name = program.name
        options = [*CHOSEN_TESTS.get(name, []), "--test-threads=1", "--nocapture"]
        done = session.run([program, *options], check=False, **environment)
        counts = re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed", done.out, re.M)
        passed, failed = (sum(int(count[i]) for count in counts) for i in (0, 1))
        without_gpu = (done.out + done.err).count(NO_GPU)
        skipped = sorted(set(re.findall(r"^.*skipped\b.*$", done.out + done.err, re.M)))
        names = re.findall(r"^    (\S+)$", done.out.split("\nfailures:")[-1], re.M) if failed else []
        result[name] = {
            "passed": passed,
            "failed": failed,
            "without_gpu": without_gpu,
            "skipped": skipped,
            "failures": sorted(set(names)),
            "seconds": round(done.seconds, 1),
        }
        if done.code != 0 or failed:
            problems.append(f"{name}: {failed} failed: {', '.join(sorted(set(names))) or last_line(done.err)}")
        elif passed == 0:
            problems.append(f"{name}: no test was run")
        if session.on_gpu and without_gpu:
            problems.append(f"{name}: {without_gpu} tests found no GPU")
    if problems:
        raise Failed("; ".join(problems))


def sizes(session):
    """Options of whole iterations on both sides."""
    if session.quick:
        return ["--image-size", 32, "--batch", 1, "--base-channels", 8, "--max-channels", 16, "--domains", 3]
    return ["--image-size", session.args.image_size, "--batch", session.args.batch, "--domains", 3]


def precision(name):
    """The option that sets it."""
    return ["--precision", name]


def iterations(session, measured):
    return ["--warmup", 1, "--iterations", 2] if session.quick else ["--warmup", 5, "--iterations", measured]


def train(session, result):
    """Whole iterations of ours in every precision."""
    for name in session.precisions:
        options = [*sizes(session), *iterations(session, 20), *precision(name), "--format", "json"]
        done = session.run_harness("bench", "train", "--variant", "F", "--device", session.device, *options)
        result[name] = done.json()


def official(session, result):
    """Whole iterations of the official code in PyTorch."""
    if not session.args.official:
        raise Skipped("no official code: give --official FOLDER, a checkout of clovaai/stargan-v2")
    session.needs_torch()
    problems = []
    for mode in session.args.modes.split(","):
        options = [*sizes(session), *iterations(session, 20), "--mode", mode, "--format", "json"]
        try:
            done = session.run_python("train.py", session.args.official, "--device", session.device, *options)
            result[mode] = done.json()
        except Failed as failed:
            # Another form may work.
            problems.append(f"{mode}: {failed}")
    if problems:
        raise Failed("; ".join(problems))


def operations(session, result):
    """Single operations of both sides, and their ratios."""
    try:
        session.needs_torch()
        peer = None
    except Skipped as skipped:
        peer = str(skipped)
    small = ["--image-size", 32, "--batch", 1, "--narrow", 16, "--seconds", 0]
    usual = ["--image-size", session.args.image_size, "--batch", session.args.batch, "--seconds", 0.05]
    for name in session.precisions:
        options = [*(small if session.quick else usual), *precision(name), "--format", "json"]
        ours = session.run_harness("bench", "operations", "--device", session.device, *options)
        rows = [{**row, "ours": row.pop("milliseconds")} for row in ours.json()["operations"]]
        result[name] = {"operations": rows}
        if peer is None:
            file = session.work / f"operations-{name}.json"
            file.write_text(ours.out)
            seconds = 0 if session.quick else 0.05
            options = ["--device", session.device, "--precision", name, "--seconds", seconds]
            theirs = session.run_python("peer_operations.py", file, *options).json()
            result[name]["peer"] = {key: value for key, value in theirs.items() if key != "operations"}
            for row, other in zip(rows, theirs["operations"], strict=True):
                row["pytorch"] = other["milliseconds"]
                row["ratio"] = other["milliseconds"] / row["ours"]
    if peer is not None:
        result["note"] = f"ours alone: {peer}"


def evaluation(session, result):
    """Throughput of an evaluation."""
    known = session.run_harness("bench", "--help").out
    if not re.search(r"^\s+evaluate\b", known, re.M):
        raise Skipped("this binary knows no `bench evaluate`")
    options = ["--sources", session.args.sources]
    if session.quick:
        options = ["--sources", 2, "--outputs", 2, "--tasks", 1, "--image-size", 32, "--photograph-size", 48]
        options += ["--base-channels", 8, "--max-channels", 16]
    done = session.run_harness("bench", "evaluate", "--device", session.device, *options, "--format", "json")
    result["evaluation"] = done.json()


def memory(session, result):
    """Whether memory grows while iterations go on."""
    for name in session.precisions[-1:]:
        options = [*sizes(session), *iterations(session, 60), *precision(name), "--format", "json"]
        done = session.run_harness("bench", "train", "--variant", "F", "--device", session.device, *options)
        figures = done.json()
        result[name] = figures
        grown = (figures["memory_end_bytes"] or 0) - (figures["memory_start_bytes"] or 0)
        if session.on_gpu and grown > 0.02 * figures["peak_memory_bytes"]:
            raise Failed(f"{name}: {grown} bytes more in use after {figures['iterations']} iterations")


# Names, functions, and the seconds that each may take.
PARTS = {
    "doctor": (doctor, 60),
    "tests": (tests, 150),
    "train": (train, 120),
    "official": (official, 270),
    "operations": (operations, 180),
    "evaluation": (evaluation, 120),
    "memory": (memory, 60),
    "follow": (follow, 240),
    "ablation": (ablation, 460),
}

# Those that are run if none are named: what fits into one call.
USUAL = ["doctor", "tests", "train", "official", "operations", "evaluation", "memory"]


def load(path):
    """Results of an earlier call."""
    with open(path) as file:
        return json.load(file)
