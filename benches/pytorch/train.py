#!/usr/bin/env python3
"""Seconds and memory of full training iterations of a method's official code in PyTorch: the counterpart of
`harness bench train`, with the same names of the figures."""
import argparse
import json
import statistics
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
import measure
from baselines import METHODS
from official import MODES, tf32


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("official", help="a checkout of the method's official code (of StarGAN v2 its folder core/ is enough)")
    parser.add_argument("--method", choices=["stargan_v2", *METHODS], default="stargan_v2")
    parser.add_argument("--image-size", type=positive, default=64, help="side of the images in pixels, a power of two")
    parser.add_argument("--batch", type=positive, default=2)
    parser.add_argument("--domains", type=positive, default=3)
    parser.add_argument("--iterations", type=positive, default=3, help="iterations to measure")
    parser.add_argument("--warmup", type=int, default=1, help="iterations before, not measured")
    parser.add_argument("--base-channels", type=positive, help="width of the first layer [default: the official 2^14 / side]")
    parser.add_argument("--max-channels", type=positive, default=512)
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--device", default="cpu")
    forms = "eager: as its authors wrote it; eager_f32: without TF32; strong: channels_last, bf16 autocast, compiled"
    parser.add_argument("--mode", choices=MODES, default="eager", help=f"form of StarGAN v2's iteration; {forms}")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    if args.method == "stargan_v2":
        widths = (args.base_channels, args.max_channels)
        form, precision = MODES[args.mode]
        tf32(*precision)
        official = form(args.official, args.image_size, args.batch, args.domains, *widths, args.device)
    else:
        # Official widths, two domains.
        official = METHODS[args.method](args.official, args.image_size, args.batch, args.device)
    on_gpu = args.device.startswith("cuda")
    # As the official main.py sets it.
    torch.backends.cudnn.benchmark = True

    def iteration():
        official.iteration()
        if on_gpu:
            torch.cuda.synchronize()

    warmup_seconds = [measure.timed(iteration) for _ in range(args.warmup)]
    memory_start = measure.resident_memory()
    was_reset = measure.reset_peak_memory()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = [measure.timed(iteration) for _ in range(args.iterations)]
    mean, (first, last) = statistics.fmean(seconds), measure.tenth(seconds)
    result = {
        "implementation": f"official code, PyTorch {torch.__version__}",
        "mode": args.mode if args.method == "stargan_v2" else "eager",
        "gpu": torch.cuda.get_device_name(args.device) if on_gpu else None,
        "device": args.device,
        "threads": torch.get_num_threads(),
        "image_size": args.image_size,
        "batch": args.batch,
        "domains": args.domains,
        "iterations": args.iterations,
        "warmup": args.warmup,
        "parameters": official.parameter_counts(),
        "seconds_per_iteration": mean,
        "seconds_min": min(seconds),
        "seconds_median": statistics.median(seconds),
        "seconds_first": first,
        "seconds_last": last,
        "images_per_second": args.batch / mean,
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if on_gpu else measure.peak_memory(),
        "peak_memory_of_iterations": on_gpu or was_reset,
        "reserved_peak_bytes": torch.cuda.max_memory_reserved() if on_gpu else None,
        "warmup_seconds": sum(warmup_seconds),
        "memory_start_bytes": memory_start,
        "memory_end_bytes": measure.resident_memory(),
    }
    if args.format == "json":
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:26} {value}")


if __name__ == "__main__":
    main()
