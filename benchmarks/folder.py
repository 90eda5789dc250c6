"""A folder of 256 JPEGs to predictions, against the bare network on arrays already in memory.

    python benchmarks/folder.py [--checkpoint mikels8] [--rounds 5]

Also, what the process costs that unpacks images (`emoviz.data.decoding_process`), against
unpacking in this one. Same engine, precision and batch. The JPEGs are made from the sample images
at two sizes: short side 256 (what data sets of the field ship) and long side 640 (what people
drop). Wanted: at least 0.9 of the bare network's images per second, and at most 5 % for the
process.
"""

import argparse
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from _timing import alternate, report
from PIL import Image

from emoviz.checkpoints import open_checkpoint
from emoviz.data import decoding_process
from emoviz.data.decoding import decode
from emoviz.data.reading import expand
from emoviz.inference.predict import Model, load_model, predict
from emoviz.settings import load_settings

COUNT, BATCH = 256, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="mikels8")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    settings = load_settings()
    model = load_model(open_checkpoint(arguments.checkpoint, settings), settings)
    originals = sorted((settings.sample_data / "images").glob("*.jpg"))
    for name, short_side in (("short side 256", 256), ("as shipped, long side 640", None)):
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), originals, short_side)
            compare(model, Path(folder), name, arguments.rounds)


def fill(folder: Path, originals: list[Path], short_side: int | None) -> None:
    """Write 256 different JPEGs."""
    for i in range(COUNT):
        with Image.open(originals[i % len(originals)]) as image:
            scale = 1.0 if short_side is None else short_side / min(image.size)
            size = tuple(round(side * scale) - i // len(originals) for side in image.size)
            image.resize(size).save(folder / f"{i:03}.jpg", quality=90)


def compare(model: Model, folder: Path, name: str, rounds: int) -> None:
    """Print the share of the bare network's speed."""
    side = model.checkpoint.card.preprocessing.size
    images = np.random.default_rng(0).integers(0, 255, (BATCH, side, side, 3), dtype=np.uint8)

    def from_folder() -> None:
        found = list(predict(model, expand([folder], load_settings()), batch=BATCH))
        assert len(found) == COUNT
        assert all(item.error is None for item in found)

    def bare() -> None:
        for _ in range(COUNT // BATCH):
            model.engine.run(images)

    def unpacked_here() -> None:
        with patch.object(decoding_process, "decode", decode):
            from_folder()

    ours, here = alternate(from_folder, unpacked_here, rounds)
    report("the same, against unpacking in this process", "at least 0.95", here, ours)
    ours, theirs = alternate(from_folder, bare, rounds)
    report(
        f"folder of {COUNT} JPEGs ({name}), share of the bare speed", "at least 0.9", theirs, ours
    )
    print(f"  {COUNT / min(ours):.0f} images/s against {COUNT / min(theirs):.0f} at best")


if __name__ == "__main__":
    main()
