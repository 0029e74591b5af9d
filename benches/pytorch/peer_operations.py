#!/usr/bin/env python3
"""Times in PyTorch the operations that `harness bench operations --format json` timed: reads its output, which says what
each operation is, and writes the same rows with PyTorch's times. For GPUs above all; a processor works too.

precision  f32: no TF32 anywhere; tf32: convolutions and products in TF32; bf16: tensors in bfloat16
layout     best: each pass in both layouts, and the faster one counts"""
import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent))
from official import average_towards

# Runs between two waits for a GPU, as on our side.
RUNS_ON_GPU = 8
LEAST_SAMPLES = 5
SLOPE = 0.2


def subject(case, batch, make):
    """(function, operands, operands with gradients by pass); of a step: (function, None, None)"""
    kind, size = case["kind"], {key: value for key, value in case.items() if isinstance(value, int)}
    if kind in ("adam", "ema"):
        return updates(kind, size["tensors"], size["length"], make), None, None
    if kind == "conv":
        kernel = size["kernel"]
        padding = 0 if kernel == 4 else kernel // 2
        operands = [
            make(batch, size["input"], size["side"], size["side"]),
            make(size["output"], size["input"], kernel, kernel),
            make(size["output"]),
        ]

        def conv(x, weight, bias):
            if case["resampling"] == "upsample":
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            if case["leaky_relu"]:
                x = F.leaky_relu(x, SLOPE)
            x = F.conv2d(x, weight, bias, padding=padding)
            return F.avg_pool2d(x, 2) if case["resampling"] == "pool" else x

        return conv, operands, {"input gradient": [0], "weight gradient": [1, 2]}
    channels, side = size["channels"], size["side"]
    planes = lambda: make(batch, channels, side, side)
    if kind == "adain_leaky_relu":

        def adain(x, gamma, beta):
            gamma, beta = gamma.view(batch, -1, 1, 1), beta.view(batch, -1, 1, 1)
            return F.leaky_relu((1 + gamma) * F.instance_norm(x, eps=1e-5) + beta, SLOPE)

        return adain, [planes(), make(batch, channels), make(batch, channels)], {"backward": [0, 1, 2]}
    functions = {
        "instance_norm_leaky_relu": lambda x, w, b: F.leaky_relu(F.instance_norm(x, weight=w, bias=b), SLOPE),
        "leaky_relu": lambda x: F.leaky_relu(x, SLOPE),
        "residual": lambda a, b: (a + b) / 2**0.5,
        "avg_pool": lambda x: F.avg_pool2d(x, 2),
        "upsample": lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),
        "l1": lambda a, b: (a - b).abs().mean(),
    }
    if kind == "instance_norm_leaky_relu":
        operands = [planes(), make(channels), make(channels)]
    elif kind in ("residual", "l1"):
        operands = [planes(), planes()]
    else:
        operands = [planes()]
    return functions[kind], operands, {"backward": list(range(len(operands)))}


def updates(kind, tensors, length, make):
    """One step of Adam, fused where there is a GPU, or of the average. Parameters are in float32 as they are trained."""
    values = lambda: [make(length).float() for _ in range(tensors)]
    parameters = [torch.nn.Parameter(value) for value in values()]
    if kind == "ema":
        averages = values()
        detached = [parameter.detach() for parameter in parameters]
        return lambda: average_towards(averages, detached, 1e-3)
    for parameter, gradient in zip(parameters, values()):
        parameter.grad = gradient
    fused = {"fused": True} if parameters[0].is_cuda else {}
    return torch.optim.Adam(parameters, lr=1e-4, betas=(0.0, 0.99), weight_decay=1e-4, **fused).step


def milliseconds(prepare, work, runs, least_seconds, wait):
    """Median and shortest time of `work` on what `prepare` makes anew, from an idle device until it is idle again."""
    times, spent = [], 0.0
    while len(times) <= LEAST_SAMPLES or spent < least_seconds:
        prepared = [prepare() for _ in range(runs)]
        wait()
        start = time.perf_counter()
        for run in prepared:
            work(run)
        wait()
        whole = time.perf_counter() - start
        times.append(1e3 * whole / runs)
        spent += whole
    # The first is of a cold start.
    return statistics.median(times[1:]), min(times[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours", help="the output of `harness bench operations --format json`, or - for standard input")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--layout", choices=["nchw", "nhwc", "best"], default="best")
    parser.add_argument("--seconds", type=float, default=0.1, help="least time spent on each pass")
    parser.add_argument("--threads", type=int, help="threads on a processor")
    args = parser.parse_args()
    if args.ours == "-":
        ours = json.load(sys.stdin)
    else:
        with open(args.ours) as file:
            ours = json.load(file)
    on_gpu = args.device.startswith("cuda")
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = args.precision == "tf32"
    dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
    wait = torch.cuda.synchronize if on_gpu else (lambda: None)
    runs = RUNS_ON_GPU if on_gpu else 1
    layouts = {"nchw": [torch.contiguous_format], "nhwc": [torch.channels_last]}
    layouts["best"] = layouts["nchw"] + layouts["nhwc"]

    def passes(case, layout):
        """(median, shortest) by pass."""

        # Losses are float32 in any precision.
        own = torch.float32 if case["kind"] == "l1" else dtype

        def make(*shape):
            value = torch.randn(*shape, device=args.device).to(own)
            return value.to(memory_format=layout) if len(shape) == 4 else value

        time_of = lambda prepare, work: milliseconds(prepare, work, runs, args.seconds, wait)
        function, operands, wanted = subject(case, ours["batch"], make)
        if operands is None:
            return {"step": time_of(lambda: None, lambda _: function())}
        tracked = [value.detach().requires_grad_() for value in operands]
        found = {"forward": time_of(lambda: None, lambda _: function(*tracked))}
        for name, indices in wanted.items():
            leaves = [value.detach().requires_grad_(index in indices) for index, value in enumerate(operands)]
            targets = [leaves[index] for index in indices]
            gradient = torch.ones_like(function(*leaves))
            back = lambda y: torch.autograd.grad(y, targets, gradient)
            found[name] = time_of(lambda: function(*leaves), back)
        return found

    measured, rows = {}, []
    for row in ours["operations"]:
        key = json.dumps(row["case"], sort_keys=True)
        if key not in measured:
            measured[key] = [passes(row["case"], layout) for layout in layouts[args.layout]]
        median, shortest = min(found[row["pass"]] for found in measured[key])
        names = {name: row[name] for name in ("operation", "shape", "pass")}
        rows.append({**names, "milliseconds": median, "milliseconds_min": shortest})
    result = {
        "implementation": f"PyTorch {torch.__version__}",
        "device": args.device,
        "gpu": torch.cuda.get_device_name(args.device) if on_gpu else None,
        "precision": args.precision,
        "layout": args.layout,
        "batch": ours["batch"],
        "operations": rows,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
