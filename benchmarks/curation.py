"""A set of EmoSet's size: imported, examined without a network, split; and its near duplicates.

    python benchmarks/curation.py [--images 118102] [--side 96] [--folder DIR] [--hashes-only]

The images are JPEGs (96 x 96, or as many pixels as are asked for), each another but for one in a
hundred, which comes back in another split. Every step is the command itself in a process of its
own, start-up included, on a tenth of the images and on all, so that one sees what memory does. The
rates stand against two bare ones in one thread, over the same files in the same order: reading
their bytes, and reading and decoding them with the same Pillow. Wanted: an examination at 1.5 times
the rate of the latter, and all pairs of near duplicates among 118,102 hashes in under 60 s.
"""

import argparse
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from emoviz.analysis.duplicates import near_pairs
from emoviz.curation.checks import FindingLimits
from emoviz.labels import MIKELS8

SPLITS = {"train": 0.8, "val": 0.05, "test": 0.15}
BARE = 20_000  # files that the bare rates are taken from, at most
CODE = """
import resource, sys
from emoviz.cli import main
code = main(sys.argv[1:])
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
sys.exit(code)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=118_102)
    parser.add_argument("--side", type=int, default=96, help="pixels of each image")
    parser.add_argument("--folder", type=Path, help="where the images are made, and removed again")
    parser.add_argument("--hashes-only", action="store_true")
    wanted = parser.parse_args()
    hashes(wanted.images)
    if wanted.hashes_only:
        return
    with tempfile.TemporaryDirectory(dir=wanted.folder) as name:
        for count in (wanted.images // 10, wanted.images):
            root = Path(name) / f"set{count}"
            make(root, count, wanted.side)
            steps(root, Path(name) / f"work{count}", count)


def hashes(count: int) -> None:
    """Seconds for all near duplicates, where bits are even and where they are lopsided."""
    rng = np.random.default_rng(0)
    bits = FindingLimits().bits
    for words, chance in (("even bits", 0.5), ("lopsided bits", 0.25)):
        values = np.packbits(rng.random((count, 64)) < chance, axis=1).view(np.uint64).reshape(-1)
        values = values.copy()
        for k, target in enumerate(rng.choice(count, count // 10, replace=False)):
            flipped = rng.choice(64, k % (bits + 1), replace=False)
            values[target] = values[k] ^ np.uint64(sum(1 << int(bit) for bit in flipped))
        seconds, pairs = timed(lambda values=values: near_pairs(values, bits))
        print(f"{count:,} hashes, {words}: {len(pairs):,} pairs in {seconds:.1f} s", flush=True)


def make(root: Path, count: int, side: int) -> None:
    """An EmoSet in its layout, without attributes."""
    rows: dict[str, list[list[str]]] = {split: [] for split in SPLITS}
    for name in MIKELS8.names:
        (root / "image" / name).mkdir(parents=True)
    rng, chance = np.random.default_rng(0), random.Random(0)
    data = b""
    for i in range(count):
        if i % 100:  # else the one before once more
            data = _jpeg(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8), side)
        label = MIKELS8.names[i % 8]
        name = f"image/{label}/{label}_{i:06}.jpg"
        (root / name).write_bytes(data or _jpeg(np.zeros((12, 12, 3), np.uint8), side))
        [split] = chance.choices(list(SPLITS), list(SPLITS.values()))
        rows[split].append([label, name])
    for split, listed in rows.items():
        (root / f"{split}.json").write_text(json.dumps(listed))


def _jpeg(values: np.ndarray, side: int) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR)
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def steps(root: Path, work: Path, count: int) -> None:
    """Import, examine and prepare, and the bare rates around the examination."""
    table = work / "set.parquet"
    seconds, peak, _ = step("import", "emoset", root, "--out", table)
    print(f"{count:,} images: imported in {seconds:.1f} s, {peak:.0f} MB at most", flush=True)
    files = sorted((root / "image").rglob("*.jpg"))[:BARE]
    read, decode = rate(files, bytes_of), rate(files, decoded)
    seconds, peak, found = step("examine", table, "--out", work / "seen", "--format", "json")
    read, decode = (read + rate(files, bytes_of)) / 2, (decode + rate(files, decoded)) / 2
    ours = count / seconds
    told = json.loads(found)
    print(
        f"  examined in {seconds:.1f} s, {peak:.0f} MB at most: {ours:,.0f} a second, x "
        f"{ours / decode:.2f} of reading and decoding ({decode:,.0f}), x {ours / read:.2f} of "
        f"reading bytes alone ({read:,.0f}); {told['duplicates']['count']:,} groups of copies, "
        f"{told['leaks']['count']:,} leaks",
        flush=True,
    )
    seconds, peak, _ = step("prepare", "clean", table, "--out", work / "prepared")
    print(f"  prepared and split in {seconds:.1f} s, {peak:.0f} MB at most", flush=True)


def step(*words: object) -> tuple[float, float, str]:
    """(seconds, megabytes at most, what it printed) of ``emoviz data ...``."""
    line = [sys.executable, "-c", CODE, "data", *map(str, words)]
    seconds, done = timed(lambda: subprocess.run(line, capture_output=True, text=True, check=True))
    printed, _, peak = done.stdout.rpartition("PEAK")
    return seconds, float(peak), printed


def rate(files: Sequence[Path], work: Callable[[Path], object]) -> float:
    """Files a second."""
    seconds, _ = timed(lambda: [work(file) for file in files])
    return len(files) / seconds


def bytes_of(file: Path) -> int:
    return len(file.read_bytes())


def decoded(file: Path) -> None:
    with Image.open(io.BytesIO(file.read_bytes())) as image:
        image.convert("RGB").load()


def timed(work: Callable[[], object]):  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()
