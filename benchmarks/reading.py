"""Reading: a table of a million rows, a ZIP of 10,000 images, and one prediction in a process.

    python benchmarks/reading.py [--rows 1000000] [--rounds 5] [--before FOLDER]

Each is run in a process of its own. Wanted: the table at most 3 times as long as pyarrow takes to
read the same columns into Python's texts, and 600 MB; with ``--before`` (a checkout of another
commit) `predict` on one image not slower than there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
Run = tuple[int, float, float, float, float]
_WORK = {
    "pyarrow": """
from pyarrow import csv, string
names = ["file", "label", "artist", "year", "split"]
kept = csv.read_csv(place, convert_options=csv.ConvertOptions(
    column_types=dict.fromkeys(names, string()), strings_can_be_null=False))
columns = [column.to_pylist() for column in kept.columns]
count = len(columns[0])
""",
    "columns": """
from pathlib import Path
from emoviz.data.tables import read_table
kept = read_table(Path(place))
count = len(next(iter([kept.columns[name] for name in kept.columns])))
""",
    "set": """
from emoviz.data.reading import open_dataset
kept = open_dataset(place, labelled=True)
count = len(kept)
""",
    "zip": """
from emoviz.data.reading import open_dataset
kept = open_dataset(place, labelled=True)
count = len(kept)
""",
}
_AROUND = """
import json, resource, sys, time
place = sys.argv[1]
import numpy, pyarrow.csv, emoviz.data.reading
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began, used = time.perf_counter(), time.process_time()
{work}
seconds, cpu = time.perf_counter() - began, time.process_time() - used
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([count, seconds, peak / 1024, (peak - before) / 1024, cpu]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, help="a checkout to compare `predict` with")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = make_table(Path(folder), arguments.rows)
        theirs = best("pyarrow", table, arguments.rounds)
        for what in ("columns", "set"):
            told(what, best(what, table, arguments.rounds), theirs, arguments.rows)
        archive = make_zip(Path(folder))
        _, seconds, peak, own, _ = best("zip", archive, arguments.rounds)
        print(f"a ZIP of 10,000 images listed: {seconds:.2f} s, {own:.0f} MB more ({peak:.0f} MB)")
    predictions(arguments.rounds, arguments.before)


def make_table(folder: Path, rows: int) -> Path:
    """A table of rows that name 1,000 files in ten folders."""
    names = [f"images/{i % 10}/picture {i:04}.jpg" for i in range(1000)]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    labels = (
        "amusement",
        "awe",
        "contentment",
        "excitement",
        "anger",
        "disgust",
        "fear",
        "sadness",
    )
    with (folder / "table.csv").open("w") as stream:
        stream.write("file,label,artist,year,split\n")
        for i in range(rows):
            split = ("train", "validation", "test")[i % 3]
            stream.write(f"{names[i % 1000]},{labels[i % 8]},Artist {i % 5000},{i % 400},{split}\n")
    return folder / "table.csv"


def make_zip(folder: Path) -> Path:
    """10,000 members that look like JPEGs, in eight classes below one folder."""
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for i in range(10_000):
            archive.writestr(f"set/class {i % 8}/{i:05}.jpg", b"\xff\xd8\xff" + bytes(500))
    return folder / "images.zip"


def best(what: str, place: Path, rounds: int) -> Run:
    """(rows, seconds, peak MB, MB more, CPU seconds) of the least busy of several processes."""
    code = _AROUND.format(work=_WORK[what])
    runs = []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, "-c", code, str(place)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        runs.append(tuple(json.loads(done.stdout)))
    return min(runs, key=lambda run: run[4])


def told(
    what: str,
    ours: Run,
    theirs: Run,
    rows: int,
) -> None:
    """A line, and an error where not all rows came in."""
    assert ours[0] == theirs[0] == rows
    words = {"columns": "as columns of text", "set": "as a labelled set, its files found"}
    print(
        f"{rows:,} rows {words[what]}: {ours[1]:.2f} s against pyarrow's {theirs[1]:.2f} s, "
        f"{ours[1] / theirs[1]:.2f} times (wanted at most 3; of CPU seconds "
        f"{ours[4]:.2f} against {theirs[4]:.2f}); {ours[2]:.0f} MB at most "
        f"(pyarrow {theirs[2]:.0f} MB; wanted at most 600)"
    )


def predictions(rounds: int, before: Path | None) -> None:
    """`predict` on one image in a fresh process, by the clock of the process that waits."""
    code = (
        "import subprocess, sys, time; began = time.perf_counter(); "
        "subprocess.run([sys.executable, '-m', 'emoviz', 'predict', *sys.argv[1:]], "
        "check=True, stdout=subprocess.DEVNULL); print(time.perf_counter() - began)"
    )
    image = str(next((ROOT / "sample_data" / "images").glob("*.jpg")))
    seconds: dict[Path, list[float]] = {}
    for root in [ROOT, *([before.absolute()] if before else [])] * rounds:
        done = subprocess.run(
            [sys.executable, "-c", code, image],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        seconds.setdefault(root, []).append(float(done.stdout.split()[-1]))
    ours = min(seconds[ROOT])
    print(f"predict on one image in a fresh process: {ours:.2f} s", end="")
    theirs = min(seconds[before.absolute()]) if before else None
    print(
        "" if theirs is None else f", {ours / theirs:.2f} times the other checkout's {theirs:.2f} s"
    )


if __name__ == "__main__":
    main()
