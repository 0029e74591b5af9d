#!/usr/bin/env python3
"""Makes `extractors.json`: what the reference implementations give for 8-bit images, from pixels to features, and the maps
of the package `lpips`.

    python3 extractors.py STARGAN_V2_CHECKOUT IMAGES LPIPS_WEIGHTS > extractors.json

STARGAN_V2_CHECKOUT is clovaai/stargan-v2 (its `metrics/fid.py` and `core/`); IMAGES the folder with the example images of
the package `lpips` (`ex_ref.png`, `ex_p0.png`); LPIPS_WEIGHTS this repository's `eval/weights/lpips_alexnet.safetensors`.
The numbers were made with PyTorch 1.13, torchvision 0.14, Pillow 9.4, pytorch-fid 0.3.0, clean-fid 0.1.35 and lpips 0.1.4.
Weights of the Inception networks are made from names (the rule is `network_tensor` in `eval/tests/common`); the networks
run in double precision on inputs that are prepared in the references' own precision."""
import json
import struct
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import torchvision
from cleanfid.resize import build_resizer
from PIL import Image
from torchvision import transforms

stargan_v2, images, lpips_weights = sys.argv[1:]
sys.path.insert(0, stargan_v2)

MASK = (1 << 64) - 1


def unit(name, n):
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def fill(module, network):
    """Gives a network the weights of its name; float32, as files hold them."""
    for key, tensor in module.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        u = unit(f"{network}.{key}", tensor.numel())
        if key.endswith("running_var"):
            value = 1 + 0.25 * u
        elif tensor.dim() >= 2:
            value = u * np.sqrt(6 / (tensor.numel() / tensor.shape[0]))
        elif key.endswith("weight"):
            value = 1 + 0.1 * u
        else:
            value = 0.1 * u
        tensor.copy_(torch.from_numpy(value.astype(np.float32)).view(tensor.shape))
    return module


def synthetic(width, height):
    """An image with edges and slopes."""
    x, y, c = np.meshgrid(np.arange(width), np.arange(height), np.arange(3), indexing="xy")
    return Image.fromarray((((x * (3 + c) + y * (7 - 2 * c)) // 2 + x * y // (16 + c)) % 256).astype(np.uint8))


def described(values):
    values = values.flatten().double().numpy()
    at = [int(i * 7919 % len(values)) for i in range(16)]
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "l2": float(np.sqrt((values**2).sum())),
        "at": at,
        "values": [float(values[i]) for i in at],
    }


def official_network():
    from metrics import fid

    network = fill(torchvision.models.inception_v3(weights=None, init_weights=False, transform_input=True), "inception")
    with mock.patch.object(fid.models, "inception_v3", return_value=network):
        return fid.InceptionV3().eval().double()


def fid_networks():
    """pytorch-fid's own pipeline, and its network without resizing and scaling, which is clean-fid's network."""
    from pytorch_fid import inception

    def loaded(network, *_):
        fill(network, "fid_inception")

    with mock.patch.object(inception, "load_state_dict_from_url", return_value={}), mock.patch.object(
        torch.nn.Module, "load_state_dict", loaded
    ):
        whole = inception.InceptionV3([3]).eval().double()
        plain = inception.InceptionV3([3], resize_input=False, normalize_input=False).eval().double()
    return whole, plain


def extractors():
    official, (whole, plain) = official_network(), fid_networks()
    clean = build_resizer("clean")
    for name, side in [("ex_ref.png", 64), ("ex_p0.png", 256), ("128x128", 256), ("400x333", 256), ("120x290", 128)]:
        image = Image.open(Path(images) / name).convert("RGB") if name.endswith(".png") else synthetic(*map(int, name.split("x")))
        stargan_v2_input = transforms.Compose(
            [
                transforms.Resize([side, side]),
                transforms.Resize([299, 299]),
                transforms.ToTensor(),
                transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
            ]
        )(image)
        clean_input = (torch.from_numpy(clean(np.asarray(image)).transpose(2, 0, 1)) - 128) / 128
        unit_input = transforms.ToTensor()(image)
        yield {
            "image": name,
            "side": side,
            "stargan-v2": described(official(stargan_v2_input[None].double())),
            "clean-fid": described(plain(clean_input[None].double())[0]),
            "pytorch-fid": described(whole(unit_input[None].double())[0]),
        }


def distance_maps():
    import lpips

    content = Path(lpips_weights).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])

    def weights(key):
        start, end = (8 + length + offset for offset in header[key]["data_offsets"])
        return torch.from_numpy(np.frombuffer(content[start:end], dtype="<f4").reshape(header[key]["shape"]).copy())

    metric = lpips.LPIPS(net="alex", spatial=True, pnet_rand=True, verbose=False).eval()
    for key, tensor in metric.net.state_dict().items():
        tensor.copy_(weights("features." + key.split(".", 1)[1]))
    signed = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])
    metric = metric.double()
    cases = [
        ("ex_ref.png", "ex_p0.png", [Image.open(Path(images) / name).convert("RGB") for name in ["ex_ref.png", "ex_p0.png"]]),
        ("100x75", "100x75 turned", [synthetic(100, 75), synthetic(100, 75).rotate(180)]),
    ]
    for left, right, pair in cases:
        a, b = (signed(image)[None].double() for image in pair)
        yield {"left": left, "right": right, "map": described(metric(a, b))}


if __name__ == "__main__":
    with torch.no_grad():
        print(json.dumps({"features": list(extractors()), "distance_maps": list(distance_maps())}, indent=1))
