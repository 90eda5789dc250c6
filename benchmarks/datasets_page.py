"""The Data sets page with a large set: how long the server takes for each view, and its memory.

    python benchmarks/datasets_page.py [--images 118102]

The set names the images of sample_data again and again under other names; looks are theirs, hashes
are drawn by chance, so nothing is read but the pictures that the page shows. Each view is drawn
twice: the first time it reads what it needs, the second time is what a press of a button costs.
Wanted: under 3 s and under 1 s on two cores. Without a browser (Streamlit's AppTest).
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from emoviz.curation.checks import CheckMaterial
from emoviz.curation.examine import keep, stamp_of
from emoviz.curation.examined import examination_folder, of_set
from emoviz.curation.findings import find
from emoviz.data.dataset import Dataset, Record
from emoviz.data.image_statistics import Looks, look_at
from emoviz.data.images import Limits
from emoviz.data.library import KnownSet, save_set
from emoviz.data.reading import read_labelled
from emoviz.settings import PROJECT_ROOT, Settings, load_settings

VIEWS = ("contents", "faults", "light", "prepare")
_REASON = "not asked for"


def make_set(settings: Settings, count: int) -> KnownSet:
    """The sample's records repeated, in the library."""
    sample = read_labelled(settings.sample_data / "labels.csv")
    rows = [
        replace(
            sample.records[i % len(sample.records)],
            name=f"part{i % 100}/{i:06}.jpg",
            group=f"artist {i % 5000}",
            metadata={"artist": f"artist {i % 5000}"},
        )
        for i in range(count)
    ]
    made = Dataset("large", sample.taxonomy, tuple(rows))
    return save_set(settings, "large", "A large set", made, {"source": "made"})


def looks_of(records: Sequence[Record], count: int) -> Looks:
    """As if each were another file: the sample's light and colour, hashes by chance."""
    seen, rows = look_at(records, Limits()), np.arange(count) % len(records)
    columns = {
        item.name: getattr(seen, item.name)[rows]
        for item in fields(Looks)
        if item.name not in ("sha256", "reason", "hash")
    }
    drawn = np.random.default_rng(0).integers(0, 2**63, count).astype(np.uint64)
    names = tuple(f"{i:064x}" for i in range(count))
    return Looks(sha256=names, reason=("",) * count, hash=drawn, **columns)


def examine(settings: Settings, known: KnownSet, count: int) -> float:
    """Keep an examination; gives the seconds for all that is found without a network."""
    sample = read_labelled(settings.sample_data / "labels.csv")
    item = of_set(read_labelled(known.path), looks_of(sample.records, count))
    began = time.perf_counter()
    missing = dict.fromkeys(("text", "faces", "suspect_labels"), _REASON)
    found, item = find(CheckMaterial(item, missing=missing))
    took = time.perf_counter() - began
    about = {"table": str(known.path), "title": known.title, "stamp": stamp_of(known.path)}
    keep(examination_folder(settings, known.path), item, {**about, **found})
    return took


def draw() -> None:
    """Each view twice, in one session."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=600).run()
    app.switch_page("pages/train/datasets.py")
    app.session_state["set"] = "large"
    for view in VIEWS:
        app.session_state["view"] = view
        times = []
        for _ in range(2):
            began = time.perf_counter()
            app.run()
            times.append(time.perf_counter() - began)
            if app.exception:
                sys.exit(str(app.exception))
        print(f"{view}: {times[0]:.2f} s the first time, then {times[1]:.2f} s", flush=True)


def main() -> None:
    """Make the set, keep its examination, draw the views."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=118_102)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory() as home:
        os.environ["EMOVIZ_HOME"] = str(Path(home))
        settings = load_settings()
        known = make_set(settings, count)
        print(f"{count:,} images; all that is found: {examine(settings, known, count):.1f} s")
        draw()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"most memory of the whole process {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
