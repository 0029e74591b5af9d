#!/usr/bin/env python3
"""Times the operations of the training step in PyTorch, forward and backward, at the shapes of the 64 px networks of
official widths, batch 2: the counterpart of `benches/operations.rs`, with the same names. Prints one JSON object a line:
{"operation", "shape", "pass", "milliseconds"}, the shortest time of several runs."""
import argparse
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent))
import measure

BATCH = 2


def tensor(*shape):
    return torch.randn(*shape)


def planes(channels, side):
    return tensor(BATCH, channels, side, side)


def layer_norm(x, gamma, beta):
    """MUNIT's: over all channels and pixels of an image, the standard deviation unbiased, scale and shift by channel."""
    flat = x.view(x.size(0), -1)
    mean, std = flat.mean(1).view(-1, 1, 1, 1), flat.std(1).view(-1, 1, 1, 1)
    return (x - mean) / (std + 1e-5) * gamma.view(1, -1, 1, 1) + beta.view(1, -1, 1, 1)


def convolutions():
    """(operation, shape, function of input, weight and bias, input, weight)"""

    def conv(padding):
        return lambda x, w, b: F.conv2d(x, w, b, padding=padding)

    def pooled(x, w, b):
        return F.avg_pool2d(F.conv2d(x, w, b, padding=1), 2)

    def upsampled(x, w, b):
        return F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), w, b, padding=1)

    yield "conv3x3", "256@64", conv(1), planes(256, 64), tensor(256, 256, 3, 3)
    yield "conv3x3 + avgpool2", "256@64", pooled, planes(256, 64), tensor(256, 256, 3, 3)
    yield "conv3x3", "512@32", conv(1), planes(512, 32), tensor(512, 512, 3, 3)
    yield "conv3x3 + avgpool2", "512@32", pooled, planes(512, 32), tensor(512, 512, 3, 3)
    yield "conv3x3", "512@16", conv(1), planes(512, 16), tensor(512, 512, 3, 3)
    yield "nearest2 + conv3x3", "512->256, 32->64", upsampled, planes(512, 32), tensor(256, 512, 3, 3)
    yield "nearest2 + conv3x3", "512->512, 16->32", upsampled, planes(512, 16), tensor(512, 512, 3, 3)
    yield "conv1x1", "256->512@32", conv(0), planes(256, 32), tensor(512, 256, 1, 1)
    yield "conv4x4", "512@4", conv(0), planes(512, 4), tensor(512, 512, 4, 4)


def others():
    """(operation, shape, function, inputs that all get gradients)"""
    affine = lambda channels: [tensor(channels), tensor(channels)]

    def adain(x, gamma, beta):
        gamma, beta = gamma.view(BATCH, -1, 1, 1), beta.view(BATCH, -1, 1, 1)
        return F.leaky_relu((1 + gamma) * F.instance_norm(x, eps=1e-5) + beta, 0.2)

    yield "instance norm", "256@64", lambda x, g, b: F.instance_norm(x, weight=g, bias=b), [planes(256, 64), *affine(256)]
    yield "adain + leaky relu", "256@64", adain, [planes(256, 64), tensor(BATCH, 256), tensor(BATCH, 256)]
    yield "leaky relu", "256@64", lambda x: F.leaky_relu(x, 0.2), [planes(256, 64)]
    yield "avgpool2", "256@64", lambda x: F.avg_pool2d(x, 2), [planes(256, 64)]
    pool3 = lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
    yield "avgpool3 stride 2", "256@64", pool3, [planes(256, 64)]
    yield "nearest2", "256, 32->64", lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), [planes(256, 32)]
    yield "layer norm", "256@64", layer_norm, [planes(256, 64), *affine(256)]
    yield "reflection pad 1", "256@64", lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), [planes(256, 64)]
    yield "residual add / sqrt2", "256@64", lambda a, b: (a + b) / 2**0.5, [planes(256, 64), planes(256, 64)]
    yield "softplus", "3@64", F.softplus, [planes(3, 64)]
    yield "l1 mean", "3@64", lambda a, b: (a - b).abs().mean(), [planes(3, 64), planes(3, 64)]


def updates():
    """(operation, shape, work of one step): 30 million parameters in 100 tensors."""
    shape = "100 x 300000"
    make = lambda: [tensor(300_000) for _ in range(100)]
    parameters, averages = [torch.nn.Parameter(p) for p in make()], make()
    for parameter, gradient in zip(parameters, make()):
        parameter.grad = gradient
    adam = torch.optim.Adam(parameters, lr=1e-4, betas=(0.0, 0.99), weight_decay=1e-4)
    yield "adam with weight decay", shape, adam.step

    def average():
        for parameter, mean in zip(parameters, averages):
            mean.data = torch.lerp(parameter.data, mean.data, 0.999)

    yield "moving average", shape, average


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="fewest runs of each")
    parser.add_argument("--seconds", type=float, default=0.5, help="least time spent on each")
    parser.add_argument("--only", default="", help="operations whose name contains this")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    def report(operation, shape, name, work):
        milliseconds = measure.shortest_ms(work, args.repeats, args.seconds)
        print(json.dumps({"operation": operation, "shape": shape, "pass": name, "milliseconds": milliseconds}), flush=True)

    def differentiable(operation, shape, function, inputs, passes):
        if args.only not in operation:
            return
        tracked = [value.requires_grad_() for value in inputs]
        report(operation, shape, "forward", lambda: function(*tracked))
        for name, wanted in passes:
            leaves = [value.detach().requires_grad_(index in wanted) for index, value in enumerate(inputs)]
            y = function(*leaves)
            gradient, targets = torch.ones_like(y), [leaves[index] for index in wanted]
            report(operation, shape, name, lambda: torch.autograd.grad(y, targets, gradient, retain_graph=True))

    for operation, shape, function, x, weight in convolutions():
        passes = [("input gradient", [0]), ("weight gradient", [1, 2])]
        differentiable(operation, shape, function, [x, weight, tensor(weight.size(0))], passes)
    for operation, shape, function, inputs in others():
        differentiable(operation, shape, function, inputs, [("backward", list(range(len(inputs))))])
    for operation, shape, work in updates():
        if args.only in operation:
            report(operation, shape, "step", work)


if __name__ == "__main__":
    main()
