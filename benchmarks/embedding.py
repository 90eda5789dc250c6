"""A collection to its table: memory at 200,000 images, speed against the bare network, reading.

    python benchmarks/embedding.py [--checkpoint mikels8] [--rounds 5] [--images 200000]

Memory is measured in processes of their own that do all but the network (its answers are drawn at
random): walking, reading, hashing, decoding, thumbnails, caches, the table. The images are small
JPEGs, each another by a few bytes behind the picture. Wanted: a bound that hardly grows.

Speed is measured on 256 JPEGs (as `benchmarks/folder.py` makes them) against the network alone on
arrays in memory, with every image new; then once more with every image known.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from _timing import alternate, milliseconds, report, seconds
from folder import BATCH, COUNT, fill
from PIL import Image

from emoviz.checkpoints import Checkpoint, open_checkpoint
from emoviz.data.reading import open_dataset
from emoviz.inference.embedding import embed_collection
from emoviz.inference.embedding_table import EmbeddingTable, Origin
from emoviz.inference.engines import RawOutput
from emoviz.inference.predict import Model, load_model
from emoviz.inference.stored import read_embeddings, write_embeddings
from emoviz.labels import MIKELS8
from emoviz.settings import Settings, load_settings

READ_ROWS, READ_WIDTH = 118_102, 136


class Drawn:
    """Answers as the network would give them, without the network."""

    description = "drawn"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._classes, self._width = len(checkpoint.card.taxonomy), checkpoint.card.width
        self._rng = np.random.default_rng(0)

    def run(self, images: np.ndarray) -> RawOutput:
        shapes = (self._classes, self._width, 1, 1)
        return RawOutput(*(self._rng.random((len(images), n), np.float32) for n in shapes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="mikels8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    checkpoint = open_checkpoint(options.checkpoint, load_settings())
    if options.child is not None:
        embed_drawn(checkpoint, options.child)
        return
    speed(checkpoint, options.rounds)
    reading()
    for count in (options.images // 100, options.images // 10, options.images):
        memory(options.checkpoint, count)


def speed(checkpoint: Checkpoint, rounds: int) -> None:
    """Print the share of the bare network's speed, and how soon a second run is done."""
    model = load_model(checkpoint, load_settings())
    originals = sorted((load_settings().sample_data / "images").glob("*.jpg"))
    side = checkpoint.card.preprocessing.size
    images = np.random.default_rng(0).integers(0, 255, (BATCH, side, side, 3), dtype=np.uint8)

    def bare() -> None:
        for _ in range(COUNT // BATCH):
            model.engine.run(images)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "images")
        folder.mkdir()
        fill(folder, originals, 256)
        homes = (Path(place, str(number)) for number in range(10**6))

        def first() -> None:
            embedded(model, folder, next(homes))

        ours, theirs = alternate(first, bare, rounds)
        report("embed, every image new, share of the bare speed", "at least 0.8", theirs, ours)
        kept = Path(place, "kept")
        embedded(model, folder, kept)
        again = [seconds(lambda: embedded(model, folder, kept)) for _ in ours]
        report("second run against the first", "under 0.1", again, ours)
        print(f"  {COUNT / min(ours):.0f} images/s new, {COUNT / min(again):.0f} known", flush=True)


def embedded(model: Model, folder: Path, home: Path) -> None:
    """The whole of what `python -m emoviz embed` does, but for the start."""
    settings = Settings(home=home)
    found = embed_collection(model, open_dataset(folder, settings), settings, batch=BATCH)
    write_embeddings(home / "table.parquet", found.parts(settings))


def reading() -> None:
    """Print how long a table of 118,102 x 136 takes to be read, against its columns alone."""
    rng = np.random.default_rng(0)
    table = EmbeddingTable(
        taxonomy=MIKELS8,
        paths=tuple(f"style_{i % 27}/painter-{i % 2000}_work-{i}.jpg" for i in range(READ_ROWS)),
        sha256=tuple(rng.bytes(32).hex() for _ in range(READ_ROWS)),
        embedding=rng.random((READ_ROWS, READ_WIDTH), np.float32),
        probabilities=rng.dirichlet(np.ones(8), READ_ROWS),
        novelty=rng.random(READ_ROWS),
        labels=np.full(READ_ROWS, -1),
        label_names=("",) * READ_ROWS,
        metadata={"style": tuple(f"style {i % 27}" for i in range(READ_ROWS))},
        origin=Origin("mikels8", "", "", "/nowhere", "nowhere", "/", "", ""),
    )
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "t.parquet")
        write_embeddings(path, [table])
        ours, theirs = alternate(lambda: read_embeddings(path), lambda: pq.read_table(path))
        report(f"table of {READ_ROWS:,} x {READ_WIDTH} read, against pyarrow", "-", ours, theirs)
        print(f"  {milliseconds(ours)} (wanted: about 1 s), {path.stat().st_size / 1e6:.0f} MB")


def memory(checkpoint: str, count: int) -> None:
    """Print the peak of a process that embeds so many images without the network."""
    with tempfile.TemporaryDirectory() as place:
        fill_small(Path(place), count)
        command = [sys.executable, __file__, "--checkpoint", checkpoint, "--child", place]
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    print(
        f"{count:,} images: peak {told['peak']:.0f} MB, {told['before']:.0f} MB of it before the "
        f"first; {told['seconds']:.0f} s; again, all known: {told['again']:.1f} s; thumbnails "
        f"{told['thumbnails']:.0f} MB, embeddings {told['embeddings']:.0f} MB on disk",
        flush=True,
    )


def fill_small(folder: Path, count: int) -> None:
    """Write JPEGs of 96 x 64 that differ in a few bytes behind the picture."""
    values = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).resize((96, 64)).save(buffer, "JPEG")
    for i in range(count):
        path = folder / "images" / f"{i // 1000:03}" / f"{i:06}.jpg"
        if i % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(buffer.getvalue() + i.to_bytes(4, "big"))


def embed_drawn(checkpoint: Checkpoint, place: Path) -> None:
    """Embed a folder without the network, twice; tell the peak of memory as JSON."""
    model = Model(checkpoint, Drawn(checkpoint), None)
    home = place / "home"
    before = peak()
    first = seconds(lambda: embedded(model, place / "images", home))
    told = {
        "before": before,
        "peak": peak(),
        "seconds": first,
        "again": seconds(lambda: embedded(model, place / "images", home)),
        "thumbnails": (home / "thumbnails.sqlite").stat().st_size / 1e6,
        "embeddings": sum(file.stat().st_size for file in (home / "embeddings").iterdir()) / 1e6,
    }
    print(json.dumps(told))


def peak() -> float:
    """Largest memory that this program has had so far, in MB; `getrusage` would count what the
    process was before it became this program."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


if __name__ == "__main__":
    main()
