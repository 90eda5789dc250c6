"""Labelled sets at the size of EmoSet-118K: near duplicates, and the examination against reading.

    python benchmarks/curation.py hashes [--count 118102]
    python benchmarks/curation.py images [--count 118102] [--folder DIR]

``hashes`` compares random 64-bit hashes, a tenth of them copies with a few bits changed, and hashes
with real images' lopsided bits. ``images`` makes small JPEGs, brings them in, examines and splits
them, and reads the same files bare.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from emoviz.analysis.duplicates import near_pairs
from emoviz.curation.examine import Wishes, examine
from emoviz.curation.prepare import prepare
from emoviz.curation.recipe import load_preparation
from emoviz.data.importers.registry import bring_in
from emoviz.data.sets import read_set, write_set
from emoviz.jobs import Reporter
from emoviz.labels import MIKELS8
from emoviz.settings import load_settings

BITS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("hashes", "images"))
    parser.add_argument("--count", type=int, default=118_102)
    parser.add_argument("--folder", type=Path, help="where the JPEGs are kept")
    arguments = parser.parse_args()
    if arguments.what == "hashes":
        hashes(arguments.count)
    elif arguments.folder:
        images(arguments.folder, arguments.count)
    else:
        with tempfile.TemporaryDirectory() as folder:
            images(Path(folder), arguments.count)


def hashes(count: int) -> None:
    """Seconds for all pairs of at most `BITS` bits."""
    rng = np.random.default_rng(0)
    for name, chance in (("even bits", 0.5), ("lopsided bits", 0.25)):
        values = packed(rng.random((count, 64)) < chance)
        copies = rng.choice(count, count // 10, replace=False)
        for k, target in enumerate(copies):
            flipped = rng.choice(64, k % (BITS + 1), replace=False)
            values[target] = values[k] ^ np.uint64(sum(1 << int(bit) for bit in flipped))
        start = time.perf_counter()
        found = near_pairs(values, BITS)
        seconds = time.perf_counter() - start
        print(f"{count:,} hashes, {name}: {len(found):,} pairs in {seconds:.1f} s")


def packed(bits: np.ndarray) -> np.ndarray:
    """(N, 64) bits as (N,) numbers."""
    return np.packbits(bits, axis=1).view(np.uint64).reshape(-1).copy()


def images(folder: Path, count: int) -> None:
    """Images a second of each step, and the most memory that the process took."""
    made(folder, count)
    rate("read bare", count, lambda: sum(len(p.read_bytes()) for p in folder.rglob("*.jpg")))
    table = folder / "set.parquet"
    rate("imported", count, lambda: brought_in(folder, table))
    labelled = read_set(table)
    assert labelled is not None
    rate("decoded bare", count, lambda: [decoded(record.path) for record in labelled.records])
    item, found = rate(
        "examined",
        count,
        lambda: examine(labelled, table, load_settings(), Wishes(), Reporter(None, every=30.0)),
    )
    near, same = found["near_duplicates"], found["duplicates"]
    print(f"  {same['count']:,} groups of equal files, {near['count']:,} of look-alikes")
    made_set = rate("split", count, lambda: prepare(labelled, item, load_preparation("clean")))
    print(f"  {len(made_set.labelled.records):,} images stay")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"most memory: {most:,.0f} MiB")


def made(folder: Path, count: int) -> None:
    """JPEGs of 96 x 96 pixels, eight folders; those that are there already are kept."""
    for i in range(count):
        path = folder / "images" / MIKELS8.names[i % 8] / f"{i:06}.jpg"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(i).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        small = Image.fromarray(values).resize((96, 96), Image.Resampling.BILINEAR)
        small.save(path, quality=85)


def brought_in(folder: Path, table: Path) -> None:
    labelled = bring_in("imagefolder", folder / "images")
    write_set(table, labelled.name, labelled, {})


def decoded(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


def rate(words, count, work):
    """Do it, and say how many images a second."""
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    print(f"{words}: {count / seconds:,.0f} images/s ({seconds:.1f} s)", flush=True)
    return result


if __name__ == "__main__":
    main()
