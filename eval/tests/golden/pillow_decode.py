"""Writes the images of ../fixtures/decode and the expectations of pillow_decode.json.

Run here with Pillow, the shared folder as the argument. The JPEG files that Pillow cannot write (named in KEPT) stay as
they are; they were written with libjpeg's own interface. An expectation is [width, height, 64-bit FNV-1a hash of the
pixels of convert("RGB")].
"""

import io
import json
import struct
import sys
import zlib
from pathlib import Path

import PIL
from PIL import Image

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures" / "decode"
KEPT = ["arithmetic.jpg", "cmyk.jpg", "ycck_420.jpg", "ycc_440.jpg", "ycc_411.jpg"]


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def pattern(width, height, phase=0):
    pixels = [
        ((x * 23 + y * 7 + phase) % 256, (y * 31 + x * x) % 256, (x * y * 3 + phase) % 256)
        for y in range(height)
        for x in range(width)
    ]
    image = Image.new("RGB", (width, height))
    image.putdata(pixels)
    return image


def save(image, name, **options):
    image.save(FIXTURES / name, **options)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(name, width, height, depth, colour, rows, before=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    (FIXTURES / name).write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def write_fixtures():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    image = pattern(9, 7)
    rgba = image.copy()
    rgba.putalpha(image.getchannel(0))
    grey = image.convert("L")
    second = pattern(9, 7, 99)

    save(image, "progressive_420.jpg", quality=60, subsampling="4:2:0", progressive=True)
    save(image, "restarts_422.jpg", quality=60, subsampling="4:2:2", restart_marker_blocks=1)
    save(grey, "grey.jpg", quality=60)
    turned = Image.Exif()
    turned[0x0112] = 6
    save(image, "turned.jpg", quality=60, exif=turned)
    save(image, "turned.tif", exif=turned)

    save(image.quantize(5), "palette.png")
    save(image.quantize(5), "palette_transparent.png", transparency=1)
    save(image.convert("1"), "bitmap.png")
    save(rgba.convert("LA"), "grey_alpha.png")
    save(rgba, "rgba.png")
    save(image, "animated.png", save_all=True, append_images=[second])
    deep = [bytes((x * 11 + y * 5) % 256 for x in range(6 * 9)) for y in range(7)]
    png("sixteen.png", 9, 7, 16, 2, deep)
    png("one_colour_transparent.png", 9, 7, 8, 2, [row[:27] for row in deep], chunk(b"tRNS", deep[0][:6]))

    save(image, "animated.gif", save_all=True, append_images=[second])
    small = io.BytesIO()
    image.quantize(4).save(small, "GIF", transparency=2)
    data = bytearray(small.getvalue())
    data[6:10] = struct.pack("<HH", 12, 10)
    (FIXTURES / "frame_within_screen.gif").write_bytes(bytes(data))

    save(image, "rgb.bmp")
    save(image.quantize(5), "palette.bmp")
    save(image, "binary.ppm")
    save(grey, "grey.pgm")
    header = b"P6\n# sixteen bits\n9 7\n65535\n"
    (FIXTURES / "sixteen.ppm").write_bytes(header + b"".join(deep))
    save(image, "lzw.tif", compression="tiff_lzw")
    save(rgba, "rgba.tif")
    save(image, "pages.tif", save_all=True, append_images=[second])
    save(image, "lossy.webp", quality=40)
    save(rgba, "lossy_alpha.webp", quality=40)
    save(rgba, "lossless.webp", lossless=True)
    save(image, "animated.webp", save_all=True, append_images=[second], quality=40)


def expectation(path):
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    return [image.width, image.height, fnv1a(image.tobytes())]


def main():
    write_fixtures()
    assert all((FIXTURES / name).is_file() for name in KEPT)
    shared = Path(sys.argv[1])
    photographs = sorted(path for path in (shared / "images").rglob("*") if path.suffix in (".jpg", ".png"))
    result = {
        "pillow": PIL.__version__,
        "fixtures": {path.name: expectation(path) for path in sorted(FIXTURES.iterdir())},
        "photographs": {str(path.relative_to(shared / "images")): expectation(path) for path in photographs[::3]},
    }
    text = json.dumps(result, indent=1, ensure_ascii=False)
    for line in (",\n   ", "[\n   ", "\n  ]"):
        text = text.replace(line, {",\n   ": ", ", "[\n   ": "[", "\n  ]": "]"}[line])
    (HERE / "pillow_decode.json").write_text(text + "\n")


main()
