#!/usr/bin/env python3
"""Times feature extraction in PyTorch: the network of the package `pytorch-fid` (which must be installed) with its own
preprocessing, the official StarGAN v2 preprocessing (Pillow) before the same network, and torchvision's AlexNet up to its
last ReLU, all with random weights: the counterpart of `benches/extractors.rs`, with the same names. Prints one JSON object
a line: {"extractor", "input", "images_per_second"}, by the shortest time of several runs.

With --write-weights FILE, writes random weights of the network for the other side, as safetensors, and ends."""
import argparse
import json
import struct
import sys
from pathlib import Path
from unittest import mock

import torch
import torchvision

sys.path.insert(0, str(Path(__file__).parent))
import measure

LEAST_RUNS, LEAST_SECONDS = 3, 2.0


def inception(dimensions):
    """pytorch-fid's network up to the block of `dimensions` features, with random weights."""
    from pytorch_fid import inception

    with mock.patch.object(inception, "load_state_dict_from_url", return_value={}), mock.patch.object(
        torch.nn.Module, "load_state_dict"
    ):
        return inception.InceptionV3([inception.InceptionV3.BLOCK_INDEX_BY_DIM[dimensions]]).eval()


def write_weights(path):
    from pytorch_fid import inception

    with mock.patch.object(inception, "load_state_dict_from_url", return_value={}), mock.patch.object(
        torch.nn.Module, "load_state_dict"
    ):
        network = inception.fid_inception_v3()
        for parameter in network.parameters():
            if parameter.dim() == 4:
                # Features of the size that trained ones have.
                torch.nn.init.kaiming_uniform_(parameter, nonlinearity="relu")
        state = network.state_dict()
    state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    header, end = {}, 0
    for key, value in state.items():
        start, end = end, end + 4 * value.numel()
        header[key] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [start, end]}
    header = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for value in state.values():
            file.write(value.contiguous().numpy().tobytes())


def report(extractor, count, side, work):
    seconds = measure.shortest_ms(work, LEAST_RUNS, LEAST_SECONDS) / 1e3
    line = {"extractor": extractor, "input": f"{count} x {side} px", "images_per_second": count / seconds}
    print(json.dumps(line), flush=True)


def pixels(count, side):
    return torch.randint(256, (count, 3, side, side), dtype=torch.uint8)


def inceptions(only):
    for dimensions in [64, 192, 768, 2048]:
        name = f"pytorch-fid {dimensions}"
        if only not in name:
            continue
        network = inception(dimensions)
        for count, side in [(16, 299), (16, 256)]:
            images = pixels(count, side)

            def features():
                x = network(images.float() / 255)[0]
                return torch.nn.functional.adaptive_avg_pool2d(x, 1)

            report(name, count, side, features)
    if only in "stargan-v2 2048":
        network = inception(2048)
        network.resize_input = network.normalize_input = False
        mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        steps = [torchvision.transforms.Resize([256, 256]), torchvision.transforms.Resize([299, 299])]
        steps += [torchvision.transforms.ToTensor(), torchvision.transforms.Normalize(mean, std)]
        transform = torchvision.transforms.Compose(steps)
        images = [torchvision.transforms.functional.to_pil_image(image) for image in pixels(16, 256)]
        report("stargan-v2 2048", 16, 256, lambda: network(torch.stack([transform(image) for image in images])))


def alexnets(only):
    network = torchvision.models.alexnet(weights=None).features[:12].eval()
    for count, side in [(256, 32), (128, 64), (64, 128), (16, 256)]:
        images = pixels(count, side)
        if only in "alexnet":
            report("alexnet", count, side, lambda: network(images.float() / 127.5 - 1).mean((2, 3)))
        if only in "lpips":

            def taps():
                x, taps = images.float() / 127.5 - 1, []
                for layer in network:
                    x = layer(x)
                    if isinstance(layer, torch.nn.ReLU):
                        taps.append(x * torch.rsqrt((x**2).sum(1, keepdim=True) + 1e-10))
                return taps

            report("lpips", count, side, taps)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="?", default="", help="a part of the extractors' names")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write-weights", metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    with torch.inference_mode():
        if args.write_weights:
            write_weights(args.write_weights)
            return
        inceptions(args.only)
        alexnets(args.only)


if __name__ == "__main__":
    main()
