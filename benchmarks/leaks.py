"""Which copies of training images are told, by how they were saved anew, and how often by mistake.

    python benchmarks/leaks.py [--checkpoint mikels8 --data SET --others SET ...] [--images 200]

SET is a place of images: those that the network learned from, and others, which may hold the same
pictures all the same, so that each that is told is named. Without them 1,000 images are made, half
of them learned from. Also, what it costs: looking at thumbnails against the network on as many.
"""

import argparse
import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from _timing import alternate, report
from PIL import Image

from emoviz.checkpoints import load_seen, open_checkpoint
from emoviz.data.dataset import Record
from emoviz.data.hash_filter import SeenImages
from emoviz.data.image_statistics import look_at
from emoviz.data.images import Limits, open_image, thumbnail
from emoviz.data.reading import open_dataset
from emoviz.data.sources import from_bytes
from emoviz.inference.cache import THUMBNAIL_SIDE
from emoviz.inference.leaks import look_at_thumbnails, looks_like
from emoviz.inference.predict import load_model, predict
from emoviz.settings import load_settings


def saved(image: Image.Image, form: str = "JPEG", quality: int = 85, scale: float = 1) -> bytes:
    """The image at another size, in another format."""
    buffer = io.BytesIO()
    size = [max(1, round(scale * side)) for side in image.size]
    image.resize(size, Image.Resampling.LANCZOS).save(buffer, form, quality=quality)
    return buffer.getvalue()


def cropped(image: Image.Image) -> bytes:
    """Without 1 % at each end."""
    x, y = (max(1, round(side / 100)) for side in image.size)
    return saved(image.crop((x, y, image.width - x, image.height - y)))


KINDS: dict[str, Callable[[Image.Image], bytes]] = {
    "shrunk to .8": lambda image: saved(image, scale=0.8),
    "shrunk to .5": lambda image: saved(image, scale=0.5),
    "JPEG 95": lambda image: saved(image, quality=95),
    "JPEG 75": lambda image: saved(image, quality=75),
    "JPEG 50": lambda image: saved(image, quality=50),
    "PNG": lambda image: saved(image, "PNG"),
    "WebP 80": lambda image: saved(image, "WEBP", 80),
    ".5 and WebP 60": lambda image: saved(image, "WEBP", 60, 0.5),
    "cropped by 2 %": cropped,
    "mirrored": lambda image: saved(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


def told(known: SeenImages, files: Sequence[bytes]) -> np.ndarray:
    """(N,) whether each file looks like an image that was learned from, as a table of it says."""
    return looks_like(known, look_at_thumbnails(map(small, files)))


def small(data: bytes) -> bytes:
    return thumbnail(open_image(data, short_side=THUMBNAIL_SIDE).pixels, THUMBNAIL_SIDE)


def shares(known: SeenImages, files: Sequence[bytes]) -> dict[str, float]:
    """Kind of copy -> share of the files whose copies are told."""
    images = [Image.open(io.BytesIO(data)).convert("RGB") for data in files]
    return {
        k: float(told(known, [make(one) for one in images]).mean()) for k, make in KINDS.items()
    }


def made(count: int, seed: int = 0) -> list[bytes]:
    """Images of a few soft spots with grain, none like another."""
    rng = np.random.default_rng(seed)
    files = []
    for _ in range(count):
        spots = Image.fromarray(rng.integers(0, 256, (7, 9, 3), np.uint8))
        soft = np.asarray(spots.resize((360, 270), Image.Resampling.BICUBIC), np.float32)
        grain = rng.normal(0, 12, soft.shape)
        files.append(
            saved(Image.fromarray((soft + grain).clip(0, 255).astype(np.uint8)), quality=92)
        )
    return files


def learned(files: Sequence[bytes]) -> SeenImages:
    """The filter that a training on these files leaves behind."""
    records = [Record(str(i), Path(), content=data) for i, data in enumerate(files)]
    looks = look_at(records, Limits())
    return SeenImages.of(looks.sha256, looks.hash)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="mikels8")
    parser.add_argument("--data")
    parser.add_argument("--others", nargs="*", default=[])
    parser.add_argument("--images", type=int, default=200)
    given = parser.parse_args()
    settings, limits = load_settings(), Limits()
    checkpoint = open_checkpoint(given.checkpoint, settings)
    if given.data:
        known = load_seen(checkpoint)
        assert known is not None
        records = open_dataset(given.data, settings).records
        chosen = np.random.default_rng(0).permutation(len(records))[: given.images]
        files = [records[i].read(limits) for i in chosen]
        mine = known.seen([hashlib.sha256(data).hexdigest() for data in files])
        files = [data for data, its in zip(files, mine, strict=True) if its]
    else:
        files = made(500)
        known, files = learned(files), files[: given.images]
    print(f"{len(files)} images that were learned from, share of their copies that are told:")
    for kind, share in shares(known, files).items():
        print(f"  {kind:16} {share:.3f}")
    for place in given.others:
        records = open_dataset(place, settings).records
        found = told(known, [record.read(limits) for record in records])
        names = [r.name for r, mine in zip(records, found, strict=True) if mine]
        print(f"{place}: {len(names)} of {len(records)} others are told: {', '.join(names[:20])}")
    if not given.others:
        print(f"others: {told(known, made(500, 1)).sum()} of 500 are told by mistake")
    model = load_model(checkpoint, settings)
    sources = [from_bytes(str(i), data) for i, data in enumerate(files[:32])]
    jpegs = [small(data) for data in files[:32]]

    def network() -> None:
        list(predict(model, sources, limits, thumbnail_side=THUMBNAIL_SIDE))

    ours, theirs = alternate(lambda: look_at_thumbnails(jpegs), network)
    report("looking at thumbnails, against the network", "at most 0.05", ours, theirs)
    print(
        f"  {1000 * min(ours) / len(jpegs):.2f} ms an image against "
        f"{1000 * min(theirs) / len(jpegs):.2f}"
    )


if __name__ == "__main__":
    main()
