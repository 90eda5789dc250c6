"""What lies under a folder of runs: each run's state, curves, settings; notes; a bin.

Everything is read from the run folders, so that runs of the command line, of the pages and of a
server that is gone are alike. No torch is needed.
"""

import contextlib
import json
import math
import re
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from emoviz.analysis.metrics import METRICS
from emoviz.analysis.resampling import MetricEstimate, share
from emoviz.errors import TrainingError
from emoviz.files import made_of, read_json, write_json
from emoviz.training.folder import (
    CHECKPOINTS,
    ENDED,
    LOCK,
    MEASURES,
    NOTES,
    PROBE,
    SETTINGS,
    flat_values,
)
from emoviz.training.progress import PROGRESS

RunState = Literal["new", "at work", "paused", "done", "failed", "lost"]
RECIPE, SWEEP, CELLS = "recipe.yaml", "sweep.json", "cells"
SHORT_NAMES: Mapping[str, str] = {
    "loss.beta": "β",
    "loss.lambda": "λ",
    "loss.margin": "margin m",
    "network.layers": "layers",
    "phases.0.learning_rate": "learning rate",
    "seed": "seed",
}
_BIN = ".removed"
_KEPT_IN_BIN = 14 * 24 * 3600.0
_NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Run:
    """One run folder, as it stands.

    Attributes:
        id: Its path below the folder of runs, with ``/``.
        folder: Where it is.
        settings: What stands in ``settings.json``; empty before the run has begun.
        state: ``new`` has not begun; ``lost`` was killed and can go on; see `RunState`.
        why: Of a failed run, the reason in words.
    """

    id: str
    folder: Path
    settings: Mapping[str, Any]
    state: RunState
    why: str = ""

    @property
    def recipe(self) -> Mapping[str, Any]:
        """Its recipe's plain values; empty before the run has begun."""
        found = self.settings.get("recipe")
        return found if isinstance(found, Mapping) else {}

    @property
    def title(self) -> str:
        """For people: what they call it, else the recipe's title, else the id.

        Networks of a sweep are told apart by what was varied, which comes first: lists are narrow.
        """
        varied = self._varied
        own = str(self.notes.get("title") or "")
        return own or f"{f'{varied}: ' if varied else ''}{self.recipe.get('title') or self.id}"

    @property
    def _varied(self) -> str:
        if self.folder.parent.name != CELLS or not self.folder.name.isdecimal():
            return ""
        cells = (read_json(self.folder.parent.parent / SWEEP) or {}).get("cells", [])
        number = int(self.folder.name) - 1
        return ", ".join(map(in_words, cells[number])) if number < len(cells) else ""

    @property
    def notes(self) -> Mapping[str, Any]:
        """``title`` and ``text``, as people wrote them, and what a page noted at the start."""
        return read_json(self.folder / NOTES) or {}

    @property
    def measures(self) -> Mapping[str, Mapping[str, Any]]:
        """By set, as on the card; empty before the end."""
        found = read_json(self.folder / MEASURES) or {}
        return {title: values for title, values in found.items() if _is_measured(values)}

    @property
    def probe(self) -> Mapping[str, Any]:
        """The linear probe's shares of right answers; empty where there is none."""
        found = read_json(self.folder / PROBE) or {}
        return {key: value for key, value in found.items() if isinstance(value, int | float)}

    @property
    def tested(self) -> MetricEstimate | None:
        """Accuracy on the test images of its first set; None before the end."""
        values = next(iter(self.measures.values()), {})
        if not isinstance(values.get("accuracy"), int | float) or not values.get("n"):
            return None
        return share(round(float(values["accuracy"]) * values["n"]), int(values["n"]))

    @property
    def probe_tested(self) -> MetricEstimate | None:
        """The linear probe's accuracy on the same test images; None where it has none."""
        found = self.probe
        if found.get("test") is None or not found.get("test_images"):
            return None
        return share(round(found["test"] * found["test_images"]), int(found["test_images"]))

    @property
    def checkpoints(self) -> list[Path]:
        """Folders of its finished networks, the last state before the best."""
        found = (self.folder / CHECKPOINTS).glob("[!.]*/card.json")
        return sorted((card.parent for card in found), key=lambda item: item.name)

    def values(self) -> dict[str, Any]:
        """Single values of its recipe by their keys with dots, for comparing runs."""
        return flat_values(self.recipe)


@dataclass(frozen=True)
class TrainingCurves:
    """The lines of ``progress.jsonl`` of the finished network.

    Attributes:
        epochs: One mapping an epoch; see `emoviz.training.progress.EpochResult`.
        last: The last line, of a step or an epoch.
    """

    epochs: Sequence[Mapping[str, Any]] = field(default_factory=list)
    last: Mapping[str, Any] | None = None

    def column(self, key: str) -> list[float | None]:
        """One value an epoch; None where it was not measured."""
        return [row.get(key) for row in self.epochs]

    def final(self, key: str) -> float | None:
        """The last value that was measured."""
        return next((v for v in reversed(self.column(key)) if v is not None), None)


def read_curves(folder: Path) -> TrainingCurves:
    """What a run has told so far; damaged lines are left out.

    What was read before is kept, so that asking each second costs the new lines alone.
    """
    file = folder / PROGRESS
    try:
        with _READING:
            kept = _KEPT.pop(file, None) or _Lines()
            rows = kept.read(file)
            _KEPT[file] = kept  # the latest last
            while len(_KEPT) > _MOST_KEPT:
                _KEPT.pop(next(iter(_KEPT)))
    except OSError:
        return TrainingCurves()
    return TrainingCurves(
        [row for row in rows if row.get("kind") == "epoch"], rows[-1] if rows else None
    )


class _Lines:
    """The lines of a growing file; one that was cut or written anew is read from its beginning."""

    def __init__(self) -> None:
        self._rows: list[Mapping[str, Any]] = []
        self._end, self._before = 0, b""

    def read(self, file: Path) -> list[Mapping[str, Any]]:
        with file.open("rb") as stream:
            stream.seek(self._end - len(self._before))
            if stream.read(len(self._before)) != self._before:
                self._rows, self._end, self._before = [], 0, b""
                stream.seek(0)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                row = json.loads(line)
                if isinstance(row, dict) and row.get("fold") == 0 and _is_plain(row):
                    self._rows.append(row)
        self._end += len(whole)
        self._before = (self._before + whole)[-_COMPARED:]
        return self._rows


def _is_plain(row: Mapping[str, Any]) -> bool:
    """Whether a line holds what is written into it: single values, and numbers by class."""
    return all(value is None or isinstance(value, int | float | str) for value in row.values())


_COMPARED = 256  # bytes before the place that was read to: the same file goes on there
_MOST_KEPT = 32
_KEPT: dict[Path, _Lines] = {}
_READING = threading.Lock()


def _is_measured(values: Any) -> bool:
    """Whether values of a file are metrics on so many images, with their intervals."""
    try:
        named = ({"value": values.get(key), "n": values.get("n", 0)} for key in METRICS)
        for row in (*named, *values.get("intervals", {}).values()):
            made_of(MetricEstimate, row)
    except (AttributeError, TypeError):
        return False
    return True


def read_run(root: Path, folder: Path) -> Run:
    """One run folder as it stands."""
    settings = read_json(folder / SETTINGS) or {}
    state, why = _state(folder, bool(settings))
    for name in (SETTINGS, MEASURES):
        if state != "at work" and (folder / name).exists() and not read_json(folder / name):
            state, why = "failed", f"its {name} is damaged. What else it left lies in '{folder}'"
    return Run(folder.relative_to(root).as_posix(), folder, settings, state, why)


def list_runs(root: Path) -> list[Run]:
    """All runs below a folder, those of sweeps too, the newest first."""
    folders = {file.parent for name in (SETTINGS, RECIPE) for file in root.glob(f"[!.]*/{name}")}
    for sweep in root.glob(f"[!.]*/{SWEEP}"):
        folders.discard(sweep.parent)
        folders |= {file.parent for file in sweep.parent.glob(f"{CELLS}/*/{SETTINGS}")}
    runs = [read_run(root, folder) for folder in folders]
    return sorted(runs, key=lambda run: (_began(run), run.id), reverse=True)


def find_run(root: Path, id: str) -> Run:
    """The run of that id.

    Raises:
        TrainingError: There is none.
    """
    folder = root.joinpath(*id.split("/"))
    inside = ".." not in id.split("/") and folder.is_relative_to(root)
    if not (id and inside and any((folder / name).is_file() for name in (SETTINGS, RECIPE))):
        raise TrainingError(f"There is no run '{id}' in '{root}'.")
    return read_run(root, folder)


def is_at_work(folder: Path) -> bool:
    """Whether a process holds the run."""
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def write_notes(folder: Path, **values: Any) -> None:
    """Add to what people noted of a run.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    write_json(folder / NOTES, {**(read_json(folder / NOTES) or {}), **values})


def differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Settings in which runs differ: key -> one value a run, None where it has none."""
    each = [run.values() for run in runs]
    keys = dict.fromkeys(key for values in each for key in values)
    found = {key: [values.get(key) for values in each] for key in keys}
    ignored = ("name", "title", "summary", "limits", "intended_use", "licence")
    return {
        key: values
        for key, values in found.items()
        if key not in ignored and any(value != values[0] for value in values)
    }


def new_folder(root: Path, name: str) -> Path:
    """A folder for a new run or sweep; it is made.

    Raises:
        OSError: It cannot be made.
    """
    words = _NAME.sub("-", name).strip("-.")[:48] or "run"
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    for number in range(100):
        folder = root / (f"{stamp}-{words}" + (f"-{number + 1}" if number else ""))
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise FileExistsError(f"{root} has a hundred folders of this second")


def remove(root: Path, id: str) -> None:
    """Put a run or a sweep away; `bring_back` undoes it for two weeks.

    Raises:
        TrainingError: A process is at work in it.
        OSError: It cannot be moved.
    """
    folder = root.joinpath(*id.split("/"))
    if any(is_at_work(file.parent) for file in folder.rglob(LOCK)):
        raise TrainingError("A process is at work in it. Pause or cancel it first.")
    place = root / _BIN / id.replace("/", "~")
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        shutil.rmtree(place)
    folder.rename(place)
    place.touch()  # its two weeks begin now
    _empty_bin(root)


def bring_back(root: Path, id: str) -> None:
    """Undo `remove`.

    Raises:
        TrainingError: It is gone for good, or something has taken its place.
    """
    place, folder = root / _BIN / id.replace("/", "~"), root.joinpath(*id.split("/"))
    if not place.is_dir() or folder.exists():
        raise TrainingError(f"The run '{id}' cannot be brought back any more.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    place.rename(folder)


def _empty_bin(root: Path) -> None:
    for item in (root / _BIN).glob("*"):
        if time.time() - item.stat().st_mtime > _KEPT_IN_BIN:
            shutil.rmtree(item, ignore_errors=True)


def _state(folder: Path, begun: bool) -> tuple[RunState, str]:
    if is_at_work(folder):
        return "at work", ""
    if (folder / MEASURES).is_file():
        return "done", ""
    ended = read_json(folder / ENDED)
    if ended is not None:
        return ("paused" if ended.get("how") == "paused" else "failed"), str(ended.get("why", ""))
    return ("lost" if begun else "new"), ""


def _began(run: Run) -> str:
    started = str(run.settings.get("started", ""))
    if started:
        return started
    with contextlib.suppress(OSError):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(run.folder.stat().st_mtime))
    return ""


def verdict_on_probe(run: Run) -> str:
    """Whether the network beat the linear probe on the test images; empty where nobody can say.

    By the interval of a difference of two shares (Newcombe 1998, method 10) as if they were of
    different images, which is careful: those of the same images differ by less.
    """
    network, probe = run.tested, run.probe_tested
    if network is None or probe is None:
        return ""
    (low_a, a, high_a), (low_b, b, high_b) = (
        (item.low or 0.0, item.value or 0.0, item.high or 0.0) for item in (network, probe)
    )
    gap = a - b
    low = gap - math.hypot(a - low_a, high_b - b)
    high = gap + math.hypot(high_a - a, b - low_b)
    told = f"{100 * gap:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    told = told.replace("-", "\N{MINUS SIGN}")
    if low > 0:
        return f"The network beats the linear probe on the test images: {told}."
    if high < 0:
        return f"The linear probe beats the network on the test images: {told}."
    return (
        f"The network is not told apart from the linear probe by {network.n:,} test images: {told}."
    )


def in_words(change: str) -> str:
    """``loss.beta=0.1`` -> ``β = 0.1``."""
    key, value = change.split("=", 1)
    return f"{SHORT_NAMES.get(key, key)} = {value}"
