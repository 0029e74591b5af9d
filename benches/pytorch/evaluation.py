#!/usr/bin/env python3
"""Times whole evaluations of the reference tools on the processor, the counterparts of `harness eval`. Prints one JSON
object: {"seconds", "value"}.

    evaluation.py fid WEIGHTS.safetensors REAL FAKE     pytorch-fid (which must be installed) on two folders
    evaluation.py frechet FOLDER                        pytorch-fid's distance of the statistics of 2048-d features in
                                                        real.f32 and fake.f32, their computation not counted
    evaluation.py lpips OFFICIAL_FOLDER                 the official code's LPIPS of the 45 pairs of 10 outputs of 8 sources
"""
import argparse
import contextlib
import json
import struct
import sys
import time
from pathlib import Path
from unittest import mock

import numpy
import torch

sys.path.insert(0, str(Path(__file__).parent))
import measure


def load(path):
    """The float32 tensors of a safetensors file."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    tensor = lambda entry: numpy.frombuffer(body[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
    return {key: torch.from_numpy(tensor(entry).copy()) for key, entry in header.items()}


def fid(weights, real, fake):
    from pytorch_fid import fid_score, inception

    state = load(weights)
    load_any = torch.nn.Module.load_state_dict
    # The classifier, which is not in the file, has no part in the features.
    with mock.patch.object(inception, "load_state_dict_from_url", return_value=state), mock.patch.object(
        torch.nn.Module, "load_state_dict", lambda self, state: load_any(self, state, strict=False)
    ):
        started = time.perf_counter()
        value = fid_score.calculate_fid_given_paths([real, fake], 50, torch.device("cpu"), 2048, num_workers=1)
    return time.perf_counter() - started, value


def frechet(folder):
    from pytorch_fid import fid_score

    arguments = []
    for name in ["real", "fake"]:
        features = numpy.fromfile(Path(folder) / f"{name}.f32", "<f4").reshape(-1, 2048).astype(numpy.float64)
        arguments += [features.mean(0), numpy.cov(features, rowvar=False)]
    started = time.perf_counter()
    value = fid_score.calculate_frechet_distance(*arguments)
    return time.perf_counter() - started, value


def lpips(official):
    sys.path.insert(0, official)
    from torchvision import models

    alexnet = lambda pretrained: models.AlexNet()
    # Whatever the weights are, and on the processor.
    with mock.patch.object(models, "alexnet", alexnet), mock.patch.object(torch, "load", return_value={}), mock.patch.object(
        torch.Tensor, "cuda", lambda self: self
    ), contextlib.redirect_stdout(sys.stderr):
        from metrics import lpips as module

        network = module.LPIPS().eval()
        outputs = [torch.rand(8, 3, 256, 256) * 2 - 1 for _ in range(10)]
        # The official function builds the network anew in every call; that is left out.
        with mock.patch.object(module, "LPIPS", lambda: network):
            seconds = measure.shortest_ms(lambda: module.calculate_lpips_given_images(outputs), 2, 0.0) / 1e3
    return seconds, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fid", "frechet", "lpips"])
    parser.add_argument("arguments", nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    with torch.inference_mode(), contextlib.redirect_stdout(sys.stderr):
        work = {"fid": fid, "frechet": frechet, "lpips": lpips}[args.what]
        seconds, value = work(*args.arguments)
    print(json.dumps({"seconds": seconds, "value": None if value is None else float(value)}))


if __name__ == "__main__":
    main()
