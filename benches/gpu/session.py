"""One call of scripts/gpu: its options, the programs it runs within their time, and what it writes down."""
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# What scripts/cuda-build packs all programs into.
ARCHIVE = "harness-cuda.tar.xz"

# Most of a program's output that goes to the log.
LOGGED_BYTES = 20_000


class Failed(Exception):
    """A part that should have worked and did not; the message is one line."""


class Skipped(Exception):
    """A part that lacks what it needs; the message says what."""


class Done:
    """A program that has ended."""

    def __init__(self, command, code, out, err, seconds):
        self.command, self.code, self.out, self.err, self.seconds = command, code, out, err, seconds

    def json(self):
        try:
            return json.loads(self.out)
        except json.JSONDecodeError as error:
            raise Failed(f"{shown(self.command)} printed no JSON: {error}") from None


def shown(command):
    return shlex.join(str(part) for part in command)


def last_line(text):
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"


class Session:
    """Options and results. Everything that is written lies under `out`: `results.json` after every part, `log.txt`, and
    what parts add; few files, since few can be carried home."""

    def __init__(self, args):
        self.args = args
        self.device, self.quick = args.device, args.quick
        self.on_gpu = self.device.startswith("cuda")
        self.deadline = time.monotonic() + args.limit
        self.out = Path(args.out).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.own_work = args.work is None
        self.work = Path(tempfile.mkdtemp(prefix="harness-gpu-")) if self.own_work else Path(args.work).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        # What drivers compile they keep; not every such machine has a home to keep it in.
        kept = {"CUDA_CACHE_PATH": str(self.work / "cuda-cache"), "CUDA_CACHE_MAXSIZE": str(1 << 30)}
        self.environment = {**kept, **os.environ, "NO_COLOR": "1", "CARGO_TERM_COLOR": "never"}
        self.programs = self._unpacked()
        harness = Path(args.harness).resolve() if args.harness else self.programs and self.programs / "harness"
        self.harness = harness if harness and harness.exists() else None
        precisions = ["f32", "tf32", "bf16"] if self.on_gpu else ["f32"]
        self.precisions = args.precisions.split(",") if args.precisions else precisions
        self.part_deadline, self.part_commands = self.deadline, []
        self.results = {"about": self._about(), "parts": {}}

    def close(self):
        if self.own_work:
            shutil.rmtree(self.work, ignore_errors=True)

    def _unpacked(self):
        """The folder of the carried programs: what scripts/cuda-build made, or its archive unpacked; None without any."""
        if not self.args.carry:
            return None
        carried = Path(self.args.carry).resolve()
        archive = carried / ARCHIVE
        if not archive.exists():
            return carried if carried.is_dir() else None
        programs = self.work / "programs"
        with tarfile.open(archive) as packed:
            packed.extractall(programs)
        return programs

    def carried_programs(self, ending):
        """The carried programs whose names end so."""
        return sorted(self.programs.glob(f"*{ending}")) if self.programs else []

    def _about(self):
        about = {
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "command": shown(sys.argv),
            "device": self.device,
            "quick": self.quick,
            "commit": self.args.commit or self._quietly(["git", "-C", ROOT, "describe", "--always", "--dirty"]),
            "harness": self._quietly([self.harness, "--version"]) if self.harness else None,
        }
        if self.on_gpu:
            query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader"]
            about["gpus"] = (self._quietly(query) or "").splitlines()
            versions = "import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())"
            about["torch, CUDA, cuDNN"] = self._quietly([self.args.python, "-c", versions])
        return about

    def _quietly(self, command):
        """Standard output of a command, None if it cannot be had."""
        try:
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def left(self):
        """Seconds that the part under way may still take."""
        return min(self.deadline, self.part_deadline) - time.monotonic()

    def run(self, command, check=True, cwd=ROOT, **environment):
        """Runs a program to its end, or to the end of the part's time. With `check`, a failure is the part's."""
        command = [str(part) for part in command]
        self.part_commands.append(shown(command))
        left = self.left()
        if left <= 1:
            raise Failed(f"no time left for {shown(command)}")
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**self.environment, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise Failed(f"cannot start {command[0]}: {error}") from None
        try:
            out, err = process.communicate(timeout=left)
            ended = True
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            ended = False
        done = Done(command, process.returncode, out, err, time.monotonic() - started)
        self._log(done, ended)
        if not ended:
            raise Failed(f"out of time after {done.seconds:.0f} s: {shown(command)}")
        if check and done.code != 0:
            raise Failed(f"exit code {done.code}: {last_line(done.err or done.out)} ({shown(command)})")
        return done

    def run_harness(self, *options, check=True, **environment):
        if self.harness is None:
            raise Failed("no harness binary: give --carry DIR of scripts/cuda-build, or --harness FILE")
        return self.run([self.harness, *options], check, **environment)

    def run_python(self, script, *options, check=True, **environment):
        return self.run([self.args.python, ROOT / "benches/pytorch" / script, *options], check, **environment)

    def needs_torch(self):
        if self._quietly([self.args.python, "-c", "import torch"]) is None:
            raise Skipped(f"{self.args.python} has no torch; name another Python with --python")

    def _log(self, done, ended):
        with open(self.out / "log.txt", "a") as log:
            state = f"exit code {done.code}" if ended else "out of time"
            log.write(f"$ {shown(done.command)}\n# {state}, {done.seconds:.1f} s\n")
            for text in (done.out, done.err):
                if len(text) > LOGGED_BYTES:
                    text = f"... {len(text) - LOGGED_BYTES} bytes left out\n" + text[-LOGGED_BYTES:]
                log.write(text if not text or text.endswith("\n") else text + "\n")

    def part(self, name, work, limit):
        """Runs a part within its time and writes down what came of it. Returns whether it did not fail."""
        print(f"== {name}", file=sys.stderr, flush=True)
        started = time.monotonic()
        self.part_deadline, self.part_commands = started + limit, []
        result = {}
        try:
            # Parts fill `result` as they go, so that what was measured before a failure is kept.
            work(self, result)
            status, reason = "done", None
        except Skipped as skipped:
            status, reason = "skipped", str(skipped)
        except Failed as failed:
            status, reason = "failed", str(failed)
        seconds = time.monotonic() - started
        self.results["parts"][name] = {
            "status": status,
            "reason": reason,
            "seconds": round(seconds, 1),
            "commands": self.part_commands,
            "result": result,
        }
        self.write()
        why = f": {reason}" if reason else ""
        print(f"   {status} in {seconds:.0f} s{why}", file=sys.stderr, flush=True)
        return status != "failed"

    def write(self):
        """Writes the results, whole or not at all."""
        temporary = self.out / ".results.json.new"
        temporary.write_text(json.dumps(self.results, indent=1) + "\n")
        temporary.replace(self.out / "results.json")
