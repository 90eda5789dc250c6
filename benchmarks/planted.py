"""Faults planted into a copy of a labelled set: how many an examination finds, and makes up.

    python benchmarks/planted.py SET [--checkpoint ID] [--each 40]

SET is a table that `data import` wrote, or the id of a set of the library. In a copy, which is
deleted afterwards, `--each` images come back as the same file and likewise in each of the ways of
`WAYS`, every second one in another split, and with a checkpoint 5 % of the other labels are
changed. Pairs that the set had before are not counted; pairs of two images that are not one are
false. Labels are doubted by a network's u, so say whether it was trained on this very set.
"""

import argparse
import io
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance, ImageOps

from emoviz.checkpoints import open_checkpoint
from emoviz.curation import findings
from emoviz.curation.examine import Wishes, examine
from emoviz.data.dataset import Dataset, Record, assign_splits
from emoviz.data.dataset_file import write_set
from emoviz.data.images import Limits, open_image
from emoviz.data.library import locate
from emoviz.data.reading import read_labelled
from emoviz.jobs import Reporter
from emoviz.settings import load_settings

WRONG = 0.05  # share of the labels that are changed


def _scaled(image: Image.Image, share: float) -> Image.Image:
    return image.resize((max(1, int(image.width * share)), max(1, int(image.height * share))))


def _cut(image: Image.Image, share: float) -> Image.Image:
    x, y = int(image.width * share), int(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


# name -> (what becomes of the image, JPEG quality)
WAYS: dict[str, tuple[Callable[[Image.Image], Image.Image], int]] = {
    "recompressed, quality 40": (lambda image: image, 40),
    "half the size, quality 75": (lambda image: _scaled(image, 0.5), 75),
    "brighter by a fifth": (lambda image: ImageEnhance.Brightness(image).enhance(1.2), 90),
    "3 % cut off each side": (lambda image: _cut(image, 0.03), 90),
    "8 % cut off each side": (lambda image: _cut(image, 0.08), 90),
    "made grey": (lambda image: image.convert("L").convert("RGB"), 90),
    "mirrored": (ImageOps.mirror, 90),
}


def planted(
    item: Dataset, folder: Path, each: int, wrong: bool
) -> tuple[Dataset, dict[str, tuple[str, str]], set[str]]:
    """The set with faults: copy's name -> (original's name, way), and names of wrong labels."""
    chance, limits = random.Random(0), Limits()
    records = list(assign_splits(item.records, 0.0, 0.3))
    order = chance.sample(range(len(records)), len(records))
    copies: dict[str, tuple[str, str]] = {}
    added: list[Record] = []
    for way in ("the same file", *WAYS):
        for number in range(each):
            i = order.pop()
            name = f"planted/{len(added):05}"
            copies[name] = records[i].name, way
            added.append(_copy(records[i], folder / f"{len(added):05}.jpg", name, way, limits))
            if number % 2:  # into the other split
                other = "test" if records[i].split == "train" else "train"
                added[-1] = replace(added[-1], split=other)
    changed: set[str] = set()
    for i in order[: int(WRONG * len(records)) if wrong else 0]:
        count = len(item.taxonomy)
        present = sorted({r.label for r in item.records} - {records[i].label, -1})
        label = chance.choice(present)
        shares = tuple(float(k == label) for k in range(count))
        records[i] = replace(records[i], label=label, shares=shares)
        changed.add(records[i].name)
    return replace(item, records=(*records, *added)), copies, changed


def _copy(record: Record, path: Path, name: str, way: str, limits: Limits) -> Record:
    data = record.read(limits)
    if way in WAYS:
        change, quality = WAYS[way]
        buffer = io.BytesIO()
        change(open_image(data, limits).pixels).save(buffer, "JPEG", quality=quality)
        data = buffer.getvalue()
    path.write_bytes(data)
    return replace(record, name=name, path=path, content=None, group=name)


def look(item: Dataset, folder: Path, checkpoint: Any) -> tuple[Any, dict[str, Any]]:
    table = folder / "set.parquet"
    write_set(table, item.name, item, {})
    report = Reporter(None, every=60.0)
    return examine(item, table, load_settings(), Wishes(checkpoint=checkpoint), report)


def pairs(found: dict[str, Any], kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for kind in kinds:
        for row in found["near_duplicates"][kind]["list"]:
            yield tuple(sorted((row["first"], row["second"])))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("set", metavar="SET")
    parser.add_argument("--checkpoint", help="doubts labels, and finds copies by its u")
    parser.add_argument("--each", type=int, default=40)
    wanted = parser.parse_args()
    findings.SHOWN = 1_000_000  # the whole lists
    settings = load_settings()
    item = read_labelled(locate(settings, wanted.set))
    item = replace(item, records=tuple(r for r in item.records if r.label >= 0))
    checkpoint = open_checkpoint(wanted.checkpoint, settings) if wanted.checkpoint else None
    with tempfile.TemporaryDirectory() as name:
        made, copies, wrong = planted(item, Path(name), wanted.each, checkpoint is not None)
        _, found = look(made, Path(name), checkpoint)
    print(f"{item.name}: {len(item.records):,} images, {len(copies):,} copies planted")
    tell_copies(found, copies, ("pairs",), "by hash")
    if checkpoint is not None:
        tell_copies(found, copies, ("by_vector",), "by u")
        tell_labels(found["suspect_labels"], wrong, len(item.records))


def tell_copies(
    found: dict[str, Any], copies: dict[str, tuple[str, str]], kinds: tuple[str, ...], how: str
) -> None:
    same = {name for group in found["duplicates"]["list"] for name in group["names"]}
    alike = set(pairs(found, kinds))
    leaked = {
        tuple(sorted((row["first"], row["second"]))): row["kind"] for row in found["leaks"]["list"]
    }
    for way in ("the same file", *WAYS):
        mine = {name: origin for name, (origin, kind) in copies.items() if kind == way}
        both = {tuple(sorted(pair)) for pair in mine.items()}
        hits = sum(name in same for name in mine) if way == "the same file" else len(both & alike)
        print(f"  {how}: {way:26} {hits:4} of {len(mine)}")
    across = {
        tuple(sorted((row["first"], row["second"])))
        for row in found["near_duplicates"]["pairs"]["list"]
        if None not in row["splits"] and row["splits"][0] != row["splits"][1]
    }
    origin = {name: pair[0] for name, pair in copies.items()}
    false = [pair for pair in alike if origin.get(pair[0], pair[0]) != origin.get(pair[1], pair[1])]
    own = [pair for pair in false if not (set(pair) & set(copies))]
    print(f"  {how}: {len(alike):,} pairs, of them {len(false):,} of images that are not one")
    print(f"    ({len(own):,} of these between images of the set itself: look at them)")
    print(f"  leaks: {len(leaked):,} told; pairs across splits by hash {len(across):,}")


def tell_labels(found: dict[str, Any] | None, wrong: set[str], count: int) -> None:
    if found is None:
        print("  labels were not doubted: too few classes or images")
        return
    doubted = [row["name"] for row in found["list"]]
    hits = sum(name in wrong for name in doubted)
    first = sum(name in wrong for name in doubted[: len(wrong)])
    print(
        f"  labels: {len(wrong)} of {count:,} changed; {len(doubted):,} doubted, {hits} of them "
        f"changed (recall {hits / max(len(wrong), 1):.2f}, precision "
        f"{hits / max(len(doubted), 1):.2f}); among the first {len(wrong)} {first}; the "
        f"classifiers themselves are right for {found['accuracy']:.2f}"
    )


if __name__ == "__main__":
    main()
