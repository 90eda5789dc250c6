"""How often the detectors of text and of faces are right, on folders or tables of one kind each.

    python benchmarks/detectors.py text --with FOLDER --without FOLDER... [--count 60]
    python benchmarks/detectors.py faces --with TABLE --without FOLDER... [--enlarge 480]

Each set is taken to hold the thing in every image (``--with``) or in none (``--without``); look
at the images before you believe it. Prints, for a random sample of each, in how many the thing
takes ``--share`` of the image or more, with Wilson's 95 % interval, and seconds an image.
"""

import argparse
import random
import time
from pathlib import Path

from PIL import Image

from emoviz.analysis.resampling import share_interval
from emoviz.data.images import Limits, open_image
from emoviz.data.reading import read_labelled
from emoviz.data.sources import walk_images
from emoviz.errors import ImageError
from emoviz.inference.detect import detector
from emoviz.labels import get_taxonomy
from emoviz.settings import load_settings


def contents(path: Path, taxonomy: str, limits: Limits) -> list[bytes]:
    """Every image of a folder, or of a table of labelled images."""
    if path.is_dir():
        return [file.read_bytes() for file in walk_images(path)]
    records = read_labelled(path, get_taxonomy(taxonomy) if taxonomy else None).records
    return [record.read(limits) for record in records]


def opened(data: bytes, side: int, enlarge: int, limits: Limits) -> Image.Image:
    image = open_image(data, limits).pixels.convert("RGB")
    if enlarge and max(image.size) < enlarge:
        factor = enlarge / max(image.size)
        size = (round(image.width * factor), round(image.height * factor))
        image = image.resize(size, Image.Resampling.BICUBIC)
    image.thumbnail((side, side))
    return image


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("text", "faces"))
    parser.add_argument("--with", dest="holding", type=Path, nargs="+", default=[])
    parser.add_argument("--without", type=Path, nargs="+", default=[])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--share", type=float, default=0.005)
    parser.add_argument("--taxonomy", default="", help="of tables whose labels are numbers")
    parser.add_argument("--enlarge", type=int, default=0, help="small images to this long side")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    settings = load_settings()
    limits, look = Limits.of(settings), detector(wanted.kind, settings)
    for path in (*wanted.holding, *wanted.without):
        found = total = 0
        data = contents(path, wanted.taxonomy, limits)
        began = time.perf_counter()
        for item in random.Random(wanted.seed).sample(data, min(wanted.count, len(data))):
            try:
                image = opened(item, look.side, wanted.enlarge, limits)
            except ImageError:
                continue
            total += 1
            found += look.look(image).share >= wanted.share
        low, high = share_interval(found, total)
        kind = "with" if path in wanted.holding else "without"
        each = (time.perf_counter() - began) / max(total, 1)
        print(
            f"{kind:8} {path.name:24} {found:4} of {total:4} "
            f"({100 * low:.0f} to {100 * high:.0f} %), {each:.2f} s an image",
            flush=True,
        )


if __name__ == "__main__":
    main()
