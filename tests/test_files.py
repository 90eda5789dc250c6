"""A full disk or a killed process leaves the old file or the new one, whole."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emoviz.checkpoints import read_checkpoint
from emoviz.errors import CheckpointError
from emoviz.files import replaced_file, replaced_folder, write_json, write_text

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and limits")
linux = pytest.mark.skipif(sys.platform != "linux", reason="exchanges folders in one step on Linux")


class InterruptedHereError(Exception):
    """Stands for anything that may go wrong while a file is written."""


def write_half_a_file(path: Path) -> None:
    with replaced_file(path) as aside:
        aside.write_text("half of the n")
        raise InterruptedHereError


def write_half_a_folder(path: Path) -> None:
    with replaced_folder(path) as aside:
        (aside / "one").write_text("half of the n")
        raise InterruptedHereError


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_file_is_written_and_replaced_without_litter(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.json"
    write_json(path, {"é": [1, 2]})
    write_json(path, {"é": [3]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"é": [3]}
    assert "é" in path.read_text(encoding="utf-8")
    assert list(contents(tmp_path)) == ["deep/er/a.json"]


@posix
def test_who_is_reading_meanwhile_reads_the_old_file_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with path.open() as reader:
        write_text(path, "new and longer")
        assert reader.read() == "old"
    assert path.read_text() == "new and longer"


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "x")
    with replaced_folder(tmp_path / "b") as aside:
        (aside / "c.txt").write_text("x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.txt", "b", "b/c.txt")]
    assert modes == [0o644, 0o755, 0o644]


def test_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(InterruptedHereError):
        write_half_a_file(tmp_path / "a.txt")
    assert contents(tmp_path) == {"a.txt": b"old"}


def test_interrupted_first_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InterruptedHereError):
        write_half_a_file(tmp_path / "a.txt")
    with pytest.raises(InterruptedHereError):
        write_half_a_folder(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_folder_is_replaced_whole_and_nothing_of_the_old_one_stays(tmp_path: Path) -> None:
    for names in (("one", "both"), ("both", "two")):
        with replaced_folder(tmp_path / "a") as aside:
            for name in names:
                (aside / name).write_text(" ".join(names))
    assert contents(tmp_path) == {"a/both": b"both two", "a/two": b"both two"}


def test_interrupted_folder_leaves_the_old_one(tmp_path: Path) -> None:
    with replaced_folder(tmp_path / "a") as aside:
        (aside / "one").write_text("old")
    with pytest.raises(InterruptedHereError):
        write_half_a_folder(tmp_path / "a")
    assert contents(tmp_path) == {"a/one": b"old"}


def test_folder_is_replaced_where_the_system_cannot_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoviz.files._exchanged", lambda *_: False)
    for text in ("old", "new"):
        with replaced_folder(tmp_path / "a") as aside:
            (aside / "one").write_text(text)
    assert contents(tmp_path) == {"a/one": b"new"}


STEP_BY_STEP = """
import os, signal, sys
from pathlib import Path
from emoviz.files import replaced_file, replaced_folder
place, kind, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
steps = 0
def count(event, arguments):
    global steps
    if event.split(".")[0] in ("os", "shutil", "open", "ctypes", "tempfile"):
        steps += 1
        if steps == limit:
            os.kill(os.getpid(), signal.SIGKILL)
with (replaced_folder if kind == "folder" else replaced_file)(place) as aside:
    sys.addaudithook(count)
    if kind == "folder":
        for name in ("one", "two"):
            (aside / name).write_text("new")
    else:
        aside.write_text("new")
"""


@linux
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_process_killed_before_any_of_its_steps_leaves_old_or_new(
    tmp_path: Path, kind: str
) -> None:
    """Python reports each system call of note to an audit hook; each is the last one once."""
    seen = []
    for limit in range(1, 60):
        root = tmp_path / str(limit)
        place = root / "a"
        if kind == "folder":
            place.mkdir(parents=True)
            for name in ("one", "two"):
                (place / name).write_text("old")
        else:
            write_text(place, "old")
        command = [sys.executable, "-S", "-c", STEP_BY_STEP, str(place), kind, str(limit)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        done = subprocess.run(command, env=environment, check=False)
        assert done.returncode in (0, -signal.SIGKILL)
        files = [place / "one", place / "two"] if kind == "folder" else [place]
        (text,) = {path.read_text() for path in files}
        seen.append(text)
        if done.returncode == 0:
            break
    assert done.returncode == 0
    assert seen == sorted(seen, reverse=True), "once new, always new"
    assert set(seen) == {"old", "new"}
    assert seen.count("old") >= 3


# Saves checkpoints whose every weight is one number, the card's seed. Torch is imported once; each
# saver that is killed is a child of that process.
SAVER = """
import json, os, random, resource, signal, sys, time
from dataclasses import replace
from pathlib import Path
import torch
from emoviz.checkpoints import load_network, read_checkpoint, save_checkpoint
torch.set_num_threads(1)
source, place = Path(sys.argv[1]), Path(sys.argv[2])
checkpoint = read_checkpoint(source)
network = load_network(checkpoint)

def save(number):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(number)
    card = replace(checkpoint.card, seed=number)
    save_checkpoint(place, card, network, with_graph=False)

def report(kind, message=""):
    found = read_checkpoint(place)
    weights = [p for p in load_network(found).parameters()]
    values = {float(p.min()) for p in weights} | {float(p.max()) for p in weights}
    files = sorted(str(p.relative_to(place.parent)) for p in place.parent.rglob("*"))
    print(json.dumps([kind, found.card.seed, sorted(values), files, message]))

save(1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for room in (0, 100_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        save(2)
        message = ""
    except OSError as error:
        message = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    report("full", message)
random.seed(0)
for _ in range(10):
    child = os.fork()
    if child == 0:
        number = 1
        while True:
            number += 1
            save(number)
    time.sleep(random.uniform(0.01, 0.25))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    report("killed")
"""


@pytest.fixture(scope="module")
def savings(tmp_path_factory: pytest.TempPathFactory, tiny_source: Path) -> list[list[Any]]:
    place = tmp_path_factory.mktemp("savings") / "mine"
    command = [sys.executable, "-c", SAVER, tiny_source, place]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@posix
def test_process_killed_while_saving_leaves_a_whole_checkpoint(savings: list[list[Any]]) -> None:
    rows = [row for row in savings if row[0] == "killed"]
    assert len(rows) == 10
    for _, seed, values, _, _ in rows:
        assert values == [seed], "card and every weight are of one saving"
    assert max(row[1] for row in rows) > 1


@posix
def test_full_disk_leaves_the_old_checkpoint_and_no_litter(savings: list[list[Any]]) -> None:
    """No file may grow beyond a limit: the same error in the same place as on a full disk."""
    rows = [row for row in savings if row[0] == "full"]
    assert len(rows) == 2
    for _, seed, values, files, message in rows:
        assert (seed, values) == (1, [1.0])
        assert files == ["mine", "mine/README.md", "mine/card.json", "mine/model.safetensors"]
        assert "model.safetensors cannot be written" in message


def test_half_a_checkpoint_is_told_from_a_whole_one(tmp_path: Path, tiny_source: Path) -> None:
    """What the tests above rely on: reading notices a torn checkpoint."""
    place = tmp_path / "torn"
    shutil.copytree(tiny_source, place)
    weights = place / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(CheckpointError):
        read_checkpoint(place)
