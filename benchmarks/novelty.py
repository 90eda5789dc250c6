"""How often is an image called unlike the training images, for images of several kinds?

    python benchmarks/novelty.py [--checkpoint mikels8] [--folder FOLDER ...]

Ordinary pictures should hardly ever be flagged, things that are no pictures nearly always. The
foreign images are made here; folders of your own may be added.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from emoviz.checkpoints import open_checkpoint
from emoviz.data.reading import expand
from emoviz.data.sources import ImageSource, from_bytes
from emoviz.inference.predict import Model, load_model, predict
from emoviz.settings import load_settings

SIZE, COUNT = (400, 320), 40
WORDS = "the quick brown fox jumps over the lazy dog while nobody in the house is looking "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="mikels8")
    parser.add_argument("--folder", nargs="*", type=Path, default=[])
    arguments = parser.parse_args()
    settings = load_settings()
    model = load_model(open_checkpoint(arguments.checkpoint, settings), settings)
    print(f"{'kind':32} images  flagged  median distance (1 = threshold)")
    show(model, "sample_data, all", expand([settings.sample_data / "images"], settings))
    for folder in arguments.folder:
        show(model, str(folder), expand([folder], settings))
    for kind, make in KINDS.items():
        rng = np.random.default_rng(0)
        show(model, kind, [from_bytes(f"{i}", encoded(make(rng))) for i in range(COUNT)])


def show(model: Model, kind: str, sources: list[ImageSource]) -> None:
    """Print one line."""
    read = [p for p in predict(model, sources) if p.error is None]
    distances = [p.novelty for p in read if p.novelty is not None]
    flagged = np.mean([p.unlike_training for p in read])
    print(f"{kind[-32:]:32} {len(read):6}  {flagged:6.1%}  {np.median(distances):8.2f}")


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def noise(rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8))


def blank(rng: np.random.Generator) -> Image.Image:
    return Image.new("RGB", SIZE, tuple(int(v) for v in rng.integers(0, 256, 3)))


def gradient(rng: np.random.Generator) -> Image.Image:
    a, b = rng.integers(0, 256, (2, 3))
    t = np.linspace(0, 1, SIZE[0])[None, :, None]
    row = (a * (1 - t) + b * t).repeat(SIZE[1], axis=0)
    return Image.fromarray(row.astype(np.uint8))


def page_of_text(rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    start = int(rng.integers(0, 40))
    for y in range(10, SIZE[1] - 10, 14):
        draw.text((12, y), (WORDS * 3)[start : start + 62], fill="black")
        start = (start + 17) % 60
    return image


def bar_chart(rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    for i, height in enumerate(rng.integers(20, 260, 8)):
        x = 30 + 44 * i
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        draw.rectangle((x, 290 - int(height), x + 30, 290), fill=colour)
    draw.line((20, 290, 390, 290), fill="black", width=2)
    return image


def checkers(rng: np.random.Generator) -> Image.Image:
    cells = rng.integers(0, 2, (21, 21), dtype=np.uint8) * 255
    return Image.fromarray(cells).resize((320, 320), Image.Resampling.NEAREST)


def line_drawing(rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        points = [(int(x), int(y)) for x, y in rng.integers(0, 320, (5, 2))]
        draw.line(points, fill="black", width=2)
    return image


def blurred_blobs(rng: np.random.Generator) -> Image.Image:
    small = Image.fromarray(rng.integers(0, 256, (8, 10, 3), dtype=np.uint8))
    return small.resize(SIZE, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(12))


KINDS: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "noise": noise,
    "one colour": blank,
    "gradient": gradient,
    "page of text": page_of_text,
    "bar chart": bar_chart,
    "checkers": checkers,
    "line drawing": line_drawing,
    "blurred blobs": blurred_blobs,
}


if __name__ == "__main__":
    main()
