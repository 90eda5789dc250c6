"""What writes is interrupted at one write after the other: nothing is half there, and it goes on.

By default each command is interrupted at a few writes; with EMOVIZ_ALL_FAULTS=1 at every one, with
EMOVIZ_ALL_FAULTS=7 at every seventh.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from full_home import RECIPE, SET, furnished

from emoviz.checkpoints import list_checkpoints
from emoviz.data.library import list_sets
from emoviz.files import sweep
from emoviz.review import open_store
from emoviz.review.acquire import list_damaged, list_gathered
from emoviz.review.database import open_database
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.training.runs import list_runs

KINDS = ("error", "short", "kill")
EVERY = int(os.environ.get("EMOVIZ_ALL_FAULTS", "0"))
Ask = Callable[..., dict[str, Any]]

# Command -> its arguments; {home} and {images} are filled in.
COMMANDS: dict[str, list[str]] = {
    "import": ["data", "import", "imagefolder", "{images}", "--library", "again"],
    "checkpoint": [
        "checkpoint",
        "import",
        "{home}/runs/finished/checkpoints/little",
        "--id=come",
        "--yes",
    ],
    "embed": ["embed", "{home}/sets/little.parquet", "--checkpoint", "tiny"],
    "collect": ["collection", "add", "second", "{images}", "--kind", "folder", "--checkpoint=tiny"],
    "review": ["decide"],
    "prepare": ["data", "prepare", "clean", SET, "--out", "{home}/out", "--library", "prepared"],
    "promote": [
        *("promote", "{home}/runs/finished/checkpoints/little", "kept", "--run"),
        "{home}/runs/finished",
    ],
    "train": [
        *("train", "{home}/recipe.yaml", "--data", SET, "--run", "{home}/runs/new"),
        *("--resume", "--no-graph"),
    ],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_source: Path) -> Iterator[Path]:
    """A full home, and a whole copy of it beside it."""
    found = tmp_path_factory.mktemp("faults")
    with furnished(found, tiny_source) as settings:
        (settings.home / "recipe.yaml").write_text(RECIPE)
        for table in (settings.home / "tables").glob("*/*.parquet"):
            table.unlink()
        for cache in ("embeddings", "files.sqlite", "cache"):
            path = settings.home / cache
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        _close(settings)
        shutil.copytree(settings.home, found / "whole")
        yield found


def _close(settings: Settings) -> None:
    open_store(settings).engine.dispose()
    open_database.cache_clear()


@pytest.fixture(scope="module")
def ask(place: Path) -> Iterator[Ask]:
    """Runs a command in the home with a fault at its n-th write; 0 for none."""
    with subprocess.Popen(
        [sys.executable, str(PROJECT_ROOT / "tests" / "faulty.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        home = place / "home"

        def run(name: str, at: int = 0, kind: str = "error") -> dict[str, Any]:
            words = {"home": home, "images": place / "paintings"}
            command = [word.format(**words) for word in COMMANDS[name]]
            order = {"home": str(home), "command": command, "at": at, "kind": kind}
            process.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            return dict(json.loads(process.stdout.readline()))  # type: ignore[union-attr]

        yield run
        process.stdin.close()


def whole(place: Path) -> Settings:
    """The full home, as it was before any command."""
    settings = Settings(home=place / "home")
    open_database.cache_clear()
    shutil.rmtree(settings.home)
    shutil.copytree(place / "whole", settings.home)
    return settings


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """Command -> what it leaves when nothing strikes, and how often it writes."""
    return {}


def outcome(settings: Settings) -> dict[str, Any]:
    """What a home holds, by what people see of it; nothing of it may be half."""
    checkpoints, refused = list_checkpoints(settings)
    sets, damaged = list_sets(settings)
    assert not refused
    assert not damaged
    assert not list_damaged(settings)
    tables = sorted((settings.home / "tables").glob("*/[!.]*.parquet"))
    store = open_store(settings)
    known = store.collections()
    gathered = list_gathered(settings)
    assert not [problem for item in gathered for problem in item.problems]
    return {
        "checkpoints": {item.card.id: item.card.weights_sha256 for item in checkpoints},
        "sets": {item.id: item.count for item in sets},
        "tables": {str(path.relative_to(settings.home)): _rows(path) for path in tables},
        "collections": {item.request.name: len(item.ready) for item in gathered if item.request},
        "works": {item.name: store.counts(item.id).works for item in known},
        "decisions": {item.name: len(store.standing(item.id)) for item in known},
        "runs": {run.id: (run.state, run.why) for run in list_runs(settings.runs)},
        "exports": {p.name: len(p.read_bytes()) for p in (settings.home / "out").glob("[!.]*.csv")},
    }


def _rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _cases() -> list[tuple[str, str]]:
    """Each command is killed and, by default, meets one of the other two kinds, in turn."""
    kinds = [KINDS if EVERY else (KINDS[(at + 1) % 2], "kill") for at in range(len(COMMANDS))]
    return [(name, kind) for name, some in zip(COMMANDS, kinds, strict=True) for kind in some]


@pytest.mark.timeout(0 if EVERY else 300)  # at every write some take an hour
@pytest.mark.parametrize(("name", "kind"), _cases())
def test_an_interrupted_command_leaves_nothing_half_and_goes_on(
    name: str, kind: str, ask: Ask, place: Path, undisturbed: dict[str, Any]
) -> None:
    settings = whole(place)
    if name not in undisturbed:
        done = ask(name)
        assert done["code"] == 0, done
        undisturbed[name] = outcome(settings), int(done["writes"])
    wanted, writes = undisturbed[name]
    assert writes > 3, "the fault would have nothing to strike at"
    number = KINDS.index(kind)
    few = [(1, (writes + 1) // 2, writes)[number]]
    for at in range(1 + number % EVERY, writes + 1, EVERY) if EVERY else few:
        settings = whole(place)
        struck = ask(name, at, kind)
        told = (name, kind, at, writes, struck)
        # A training writes a little oftener the first time, when it is slow.
        is_struck = kind == "kill" and struck["writes"] >= at
        assert struck["code"] in ((-9,) if is_struck else (0, 1, 2)), told
        if struck["code"] in (1, 2):
            assert "emoviz: " in struck["said"], told
        outcome(settings)
        _close(settings)
        if struck["code"] != 0:  # else it struck at what is only tidied up
            again = ask(name)
            assert again["code"] == 0, (told, again)
        assert outcome(settings) == wanted, told
        sweep(settings.home, older_than=-1)
        left = [path for path in settings.home.rglob(".*") if path.is_dir() or path.suffix]
        assert not [path for path in left if path.name not in KEPT], told


KEPT = {".removed", ".lock"}
