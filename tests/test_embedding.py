"""Collections through a checkpoint: only new images are computed, nothing that is done is lost."""

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.dataset import Dataset, Record
from emoviz.data.images import Limits, open_image
from emoviz.data.reading import open_dataset
from emoviz.data.sources import from_bytes
from emoviz.errors import TableError
from emoviz.inference import cache
from emoviz.inference.cache import (
    THUMBNAIL_SIDE,
    CachedEmbedding,
    EmbeddingCache,
    KnownFiles,
    Stamp,
    Thumbnails,
    fingerprint,
    stamp,
)
from emoviz.inference.embedding import Embedded, embed_collection
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.engines import RawOutput
from emoviz.inference.predict import Model, predict
from emoviz.labels import MIKELS8
from emoviz.settings import Settings

Picture = Callable[..., bytes]
OLD = time.time() - 3600  # files as they are met: not written a moment ago


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    """Seven images, two of them in sub-folders, one twice, and one that is broken."""
    root = tmp_path / "set"
    for seed, name in enumerate(["awe/a.jpg", "b.jpg", "c.jpg", "d.jpg", "fear/e.jpg", "f.jpg"]):
        write(root / name, picture(seed=seed))
    write(root / "g.jpg", picture(seed=1))
    write(root / "broken.jpg", b"\xff\xd8\xff\xe0 not really")
    return root


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (OLD, OLD))


class Counting:
    """An engine that counts the images that pass, and may stop in the middle."""

    description = "counting"

    def __init__(self, model: Model, stop_after: int = 10**9, spoil: bool = False) -> None:
        self._engine, self.seen, self._stop, self._spoil = model.engine, 0, stop_after, spoil

    def run(self, images: np.ndarray) -> RawOutput:
        if self.seen + len(images) > self._stop:
            raise KeyboardInterrupt
        self.seen += len(images)
        raw = self._engine.run(images)
        if self._spoil:
            raw.embedding[0, 0] = np.nan
        return raw


def run(
    model: Model, collection: Dataset, settings: Settings, batch: int = 2, **engine: Any
) -> tuple[Embedded, int]:
    """What was embedded, and how many images passed the network."""
    counting = Counting(model, **engine)
    found = embed_collection(replace(model, engine=counting), collection, settings, batch=batch)
    return found, counting.seen


def whole(found: Embedded, settings: Settings) -> EmbeddingTable:
    (table,) = found.parts(settings)
    return table


# What is computed ----------------------------------------------------------------------------


def test_table_holds_what_predict_gives(
    model: Model, folder: Path, settings: Settings, picture: Picture
) -> None:
    collection = open_dataset(folder, settings)
    found, seen = run(model, collection, settings)
    table = whole(found, settings)
    names = [Path(name).name for name in table.paths]
    assert names == ["b.jpg", "c.jpg", "d.jpg", "f.jpg", "g.jpg", "a.jpg", "e.jpg"]
    seeds = [1, 2, 3, 5, 1, 0, 4]
    single = list(predict(model, [from_bytes("", picture(seed=seed)) for seed in seeds]))
    for row, result in enumerate(single):
        assert table.sha256[row] == result.sha256
        p = list(result.probabilities.values())
        assert table.probabilities[row] == pytest.approx(p, abs=1e-5)
        np.testing.assert_allclose(table.embedding[row], result.embedding, atol=1e-3)
        assert table.novelty[row] == pytest.approx(result.novelty, rel=1e-3)
        order = sorted(range(8), key=lambda c, p=p: -p[c])
        assert [table.predicted[row], table.second[row]] == order[:2]
    assert table.label_names == ("", "", "", "", "", "awe", "fear")
    assert table.label_taxonomy == MIKELS8
    assert table.labels.tolist() == [-1] * 5 + [1, 6]
    assert table.metadata["folder"] == ("", "", "", "", "", "awe", "fear")
    assert [Path(name).name for name, _ in table.refused] == ["broken.jpg"]
    assert len(found) == 7
    assert found.new == seen
    assert table.file(0) == folder / "b.jpg"


def test_second_run_computes_nothing(model: Model, folder: Path, settings: Settings) -> None:
    collection = open_dataset(folder, settings)
    first, _ = run(model, collection, settings)
    second, seen = run(model, collection, settings)
    assert (seen, second.new) == (0, 0)
    assert second.hashes == first.hashes
    assert second.refused == first.refused
    a, b = whole(first, settings), whole(second, settings)
    assert np.array_equal(a.embedding, b.embedding)
    assert np.array_equal(a.probabilities, b.probabilities)


def test_unchanged_files_are_not_even_read(
    model: Model, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = open_dataset(folder, settings)
    run(model, collection, settings)
    read: list[str] = []
    plain = Record.read

    def noted(self: Record, limits: Limits) -> bytes:
        read.append(Path(self.name).name)
        return plain(self, limits)

    monkeypatch.setattr(Record, "read", noted)
    run(model, collection, settings)
    assert read == ["broken.jpg"]


def test_only_new_and_changed_images_are_computed(
    model: Model, folder: Path, settings: Settings, picture: Picture
) -> None:
    run(model, open_dataset(folder, settings), settings)
    write(folder / "new.jpg", picture(seed=9))
    (folder / "c.jpg").write_bytes(picture(seed=10))
    shutil.copy(folder / "d.jpg", folder / "copy.jpg")
    (folder / "b.jpg").unlink()
    found, seen = run(model, open_dataset(folder, settings), settings)
    assert (seen, len(found)) == (2, 8)
    table = whole(found, settings)
    row = [Path(name).name for name in table.paths].index("c.jpg")
    (wanted,) = predict(model, [from_bytes("", picture(seed=10))])
    np.testing.assert_allclose(table.embedding[row], wanted.embedding, atol=1e-3)


def test_file_written_a_moment_ago_is_read_again(
    model: Model, tmp_path: Path, settings: Settings, picture: Picture
) -> None:
    """Same size and time of change, other content: within a clock's tick nothing tells them."""
    path = tmp_path / "set" / "a.bmp"
    path.parent.mkdir()
    path.write_bytes(picture("BMP", seed=0))
    before = path.stat()
    run(model, open_dataset(path.parent, settings), settings)
    path.write_bytes(picture("BMP", seed=1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    found, seen = run(model, open_dataset(path.parent, settings), settings)
    assert seen == 1
    assert found.hashes[0] == hashlib.sha256(picture("BMP", seed=1)).hexdigest()


def test_other_weights_and_another_temperature_are_another_cache(
    tiny_checkpoint: Checkpoint, model: Model, folder: Path, settings: Settings
) -> None:
    collection = open_dataset(folder, settings)
    run(model, collection, settings)
    card = tiny_checkpoint.card
    changes = [
        {"temperature": 2.0},
        {"weights_sha256": "0" * 64},
        {"preprocessing": replace(card.preprocessing, fit="crop")},
    ]
    marks = {fingerprint(tiny_checkpoint)}
    for change in changes:
        marks.add(fingerprint(replace(tiny_checkpoint, card=replace(card, **change))))
    assert len(marks) == 4
    renamed = replace(tiny_checkpoint, card=replace(card, id="other", title="Other"))
    assert fingerprint(renamed) == fingerprint(tiny_checkpoint)
    hotter = replace(tiny_checkpoint, card=replace(card, temperature=2.0))
    _, seen = run(replace(model, checkpoint=hotter), collection, settings)
    assert seen > 0


def test_run_that_was_stopped_goes_on_where_it_was(
    model: Model, folder: Path, settings: Settings
) -> None:
    collection = open_dataset(folder, settings)
    with pytest.raises(KeyboardInterrupt):
        run(model, collection, settings, stop_after=4)
    with EmbeddingCache(settings, model.checkpoint) as cache:
        assert len(cache) == 3, "the batch that was cut short is lost, no other"
    found, seen = run(model, collection, settings)
    assert (seen, len(found)) == (3, 7)
    wanted = whole(found, settings)
    for file in (settings.home / "embeddings").iterdir():
        file.unlink()
    fresh, _ = run(model, collection, settings)
    np.testing.assert_allclose(whole(fresh, settings).embedding, wanted.embedding, atol=1e-4)


def test_progress_counts_every_image_once(model: Model, folder: Path, settings: Settings) -> None:
    collection = open_dataset(folder, settings)
    steps: list[tuple[int, int]] = []
    for _ in range(2):
        embed_collection(model, collection, settings, lambda *step: steps.append(step), batch=3)
    assert steps == 2 * [(i, 8) for i in range(1, 9)]


def test_parts_make_up_the_table(model: Model, folder: Path, settings: Settings) -> None:
    found, _ = run(model, open_dataset(folder, settings), settings)
    parts = list(found.parts(settings, rows=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    table = whole(found, settings)
    assert sum((part.paths for part in parts), ()) == table.paths
    assert np.array_equal(np.concatenate([part.embedding for part in parts]), table.embedding)
    assert np.array_equal(np.concatenate([part.labels for part in parts]), table.labels)


def test_answers_that_are_no_numbers_are_refused_and_not_kept(
    model: Model, folder: Path, settings: Settings
) -> None:
    (folder / "g.jpg").unlink()
    found, _ = run(model, open_dataset(folder, settings), settings, batch=100, spoil=True)
    reasons = [reason for _, reason in found.refused]
    assert "the network's answer is not a number" in reasons
    assert len(found) == 5
    healed, seen = run(model, open_dataset(folder, settings), settings)
    assert (len(healed), seen) == (6, 1)


def test_nothing_readable_gives_an_empty_table(
    model: Model, tmp_path: Path, settings: Settings
) -> None:
    write(tmp_path / "set" / "a.jpg", b"a text")
    found, _ = run(model, open_dataset(tmp_path / "set", settings), settings)
    table = whole(found, settings)
    assert (len(found), len(table), len(found.refused)) == (0, 0, 1)
    assert table.embedding.shape == (0, model.checkpoint.card.width)
    assert table.probabilities.shape == (0, 8)


# Caches --------------------------------------------------------------------------------------


def test_thumbnails_are_kept_once_for_all(
    model: Model, tmp_path: Path, settings: Settings, picture: Picture
) -> None:
    write(tmp_path / "set" / "a.png", picture("PNG", size=(900, 600)))
    found, _ = run(model, open_dataset(tmp_path / "set", settings), settings)
    with Thumbnails(settings) as thumbnails:
        jpeg = thumbnails.get(found.hashes[0])
        assert jpeg is not None
        assert open_image(jpeg).size == (THUMBNAIL_SIDE, round(THUMBNAIL_SIDE * 2 / 3))
        assert thumbnails.get("0" * 64) is None
        assert thumbnails.get_many([found.hashes[0], "0" * 64]) == {found.hashes[0]: jpeg}
        assert len(thumbnails) == 1


def test_thumbnails_that_were_deleted_are_made_again(
    model: Model, folder: Path, settings: Settings
) -> None:
    run(model, open_dataset(folder, settings), settings)
    (settings.home / "thumbnails.sqlite").unlink()
    found, _ = run(model, open_dataset(folder, settings), settings)
    with Thumbnails(settings) as thumbnails:
        assert thumbnails.known(filter(None, found.hashes)) == {*found.hashes} - {""}


def test_cache_answers_for_thousands_at_once(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    hashes = [hashlib.sha256(bytes([i % 256, i // 256])).hexdigest() for i in range(3000)]
    rows = {
        key: CachedEmbedding(np.full(4, i, np.float32), np.full(8, i / 3e3), None if i % 2 else i)
        for i, key in enumerate(hashes)
    }
    with EmbeddingCache(settings, tiny_checkpoint) as cache:
        cache.put(rows)
        cache.put(dict(list(rows.items())[:10]))
        assert len(cache) == 3000
        assert cache.known([*hashes, "0" * 64]) == set(hashes)
        found = cache.get_many(reversed(hashes))
    for i, key in enumerate(hashes):
        assert found[key].embedding.tolist() == [i] * 4
        assert found[key].probabilities.tolist() == [i / 3e3] * 8
        assert found[key].novelty == (None if i % 2 else i)


def test_several_processes_may_write_at_once(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    """Here threads with connections of their own, which SQLite keeps apart just so."""
    failures: list[BaseException] = []

    def writer(number: int) -> None:
        try:
            with EmbeddingCache(settings, tiny_checkpoint) as cache:
                for i in range(20):
                    key = hashlib.sha256(bytes([number, i])).hexdigest()
                    cache.put({key: CachedEmbedding(np.ones(2, np.float32), np.ones(8), 1.0)})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with EmbeddingCache(settings, tiny_checkpoint) as cache:
        assert len(cache) == 160


def test_hashes_are_remembered_for_files_as_they_were(tmp_path: Path, settings: Settings) -> None:
    write(tmp_path / "a", b"content")
    mark = stamp(tmp_path / "a")
    assert mark is not None
    fresh = Stamp(b"fresh", 1, time.time_ns())
    with KnownFiles(settings) as files:
        files.put({mark: "ab" * 32, fresh: "cd" * 32})
        grown = mark._replace(size=99)
        assert files.get_many([mark, fresh]) == {mark: "ab" * 32}
        assert files.get_many([grown]) == {}
    assert stamp(tmp_path / "none") is stamp(Path("a\0b")) is None
    assert stamp(tmp_path / "a", "inside") != mark


def test_damaged_cache_says_which_file_to_delete(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    with EmbeddingCache(settings, tiny_checkpoint):
        (file,) = (settings.home / "embeddings").glob("*.sqlite")
    file.write_bytes(b"no database, however long it may be" * 100)
    with pytest.raises(TableError, match=r"is damaged .* Delete it"):
        EmbeddingCache(settings, tiny_checkpoint)


def test_cache_of_another_shape_says_what_to_do(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    with EmbeddingCache(settings, tiny_checkpoint):
        (file,) = (settings.home / "embeddings").glob("*.sqlite")
    with sqlite3.connect(file) as database:
        database.execute("DROP TABLE kept")
        database.execute("CREATE TABLE kept (other)")
    database.close()
    with (
        EmbeddingCache(settings, tiny_checkpoint) as cache,
        pytest.raises(TableError, match="cannot be used"),
    ):
        cache.known(["00" * 32])


# The command ---------------------------------------------------------------------------------


def cli(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "emoviz", "embed", *map(str, arguments), "--checkpoint", "tiny"],
        env={**os.environ, "EMOVIZ_HOME": str(home), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_command_writes_the_promised_columns(
    tiny_checkpoint: Checkpoint, folder: Path, home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.parquet"
    done = cli(home, folder, "--out", out, "--format", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["problems"][0]["what"] == str(folder / "broken.jpg")
    assert (result["images"], result["new"] + result["cached"]) == (7, 7)
    assert (result["checkpoint"], result["collection"]) == ("tiny", str(folder))
    assert result["out"] == str(out)
    assert "8 of 8" in done.stderr
    table = pq.read_table(out)
    promised = ["path", "sha256", "predicted", "label", *(f"p_{n}" for n in MIKELS8.names), "u"]
    assert table.column_names[: len(promised)] == promised
    for row in table.to_pylist():
        assert hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest() == row["sha256"]
        p = [row[f"p_{name}"] for name in MIKELS8.names]
        assert sum(p) == pytest.approx(1)
        assert row["predicted"] == MIKELS8.names[int(np.argmax(p))]
        folder_name = Path(row["path"]).parent.name
        assert row["label"] == (None if folder_name == "set" else folder_name)
        assert len(row["u"]) == tiny_checkpoint.card.width
        assert all(type(value) is float for value in row["u"])


def test_command_keeps_the_table_at_home_and_tells_jobs(
    tiny_checkpoint: Checkpoint, folder: Path, home: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = ["embed", str(folder), "--checkpoint", "tiny"]
    assert main([*arguments, "--progress", str(tmp_path / "p.jsonl")]) == 0
    printed = capsys.readouterr()
    assert "1 problem" in printed.out
    assert printed.err == ""
    (out,) = (home / "tables").rglob("*.parquet")
    assert str(out) in printed.out
    last = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[-1])
    assert last["share"] == 1.0
    assert last["result"]["out"] == str(out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none"], "There is no 'none'"),
        (["sample", "--out", "a.txt"], "neither .parquet nor .npz"),
        (["sample", "--taxonomy", "moods"], "There is no taxonomy 'moods'"),
        (["sample", "--checkpoint", "none"], "There is no checkpoint"),
    ],
)
def test_command_says_what_does_not_fit(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["embed", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_command_with_nothing_readable_writes_no_table(
    tiny_checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "set" / "a.jpg", b"a text")
    out = tmp_path / "t.parquet"
    path = str(tmp_path / "set")
    assert main(["embed", path, "--checkpoint", "tiny", "--out", str(out)]) == 2
    assert "problem" in capsys.readouterr().out
    assert not out.exists()


def test_killed_command_goes_on_where_it_was(
    tiny_checkpoint: Checkpoint, home: Path, tmp_path: Path, picture: Picture
) -> None:
    """SIGKILL in the middle, several times; every image passes the network about once."""
    root, count = tmp_path / "set", 150
    for seed in range(count):
        write(root / f"{seed:03}.jpg", picture(seed=seed))
    command = [sys.executable, "-m", "emoviz", "embed", str(root), "--checkpoint", "tiny"]
    place = home / "embeddings" / f"{fingerprint(tiny_checkpoint)}.sqlite"
    kept = 0
    for _ in range(3):
        child = subprocess.Popen([*command, "--batch", "2"], stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while _count(place) < kept + 20 and time.monotonic() < until:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert _count(place) >= kept + 20
        kept = _count(place)
    done = cli(home, root, "--format", "json")
    result = json.loads(done.stdout)
    assert result["images"] == count
    assert result["cached"] == kept
    assert result["new"] == count - kept


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_command_that_is_interrupted_says_how_to_go_on(
    tiny_checkpoint: Checkpoint, home: Path, tmp_path: Path, picture: Picture
) -> None:
    data = picture()
    for i in range(2000):
        write(tmp_path / "set" / f"{i:04}.jpg", data + i.to_bytes(2, "big"))
    child = subprocess.Popen(
        [sys.executable, "-m", "emoviz", "embed", str(tmp_path / "set"), "--checkpoint", "tiny"],
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background lets its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    place = home / "embeddings" / f"{fingerprint(tiny_checkpoint)}.sqlite"
    until = time.monotonic() + 60
    while _count(place) < 64 and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate()
    assert child.returncode == 130
    assert "the same command goes on from there" in told
    assert 64 <= _count(place) < 2000
    assert not (home / "tables").exists()


def _count(file: Path) -> int:
    if not file.exists():
        return 0
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
    try:
        return int(database.execute("SELECT count(*) FROM kept").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0
    finally:
        database.close()


@pytest.mark.parametrize("mode", ["NORMAL", "EXCLUSIVE"])
def test_a_read_does_not_wait_a_minute_for_a_program_that_holds_the_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr("emoviz.inference.cache._READ_PATIENCE", 0.1)
    monkeypatch.setattr("emoviz.inference.cache._GLANCE", 0.02)
    with Thumbnails(settings) as kept:
        kept.put({"ab" * 32: b"small"})
    holder = sqlite3.connect(settings.home / "thumbnails.sqlite", isolation_level=None)
    holder.execute(f"PRAGMA locking_mode = {mode}")
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    if mode == "NORMAL":  # who writes holds up no reader
        with Thumbnails(settings) as kept:
            assert kept.get_many(["ab" * 32])
    else:
        asked = []
        opened = sqlite3.connect
        monkeypatch.setattr(
            sqlite3, "connect", lambda file, **how: (asked.append(how), opened(file, **how))[1]
        )
        for _ in range(3):
            with pytest.raises(TableError, match="locked"):
                Thumbnails(settings)
        assert [how["timeout"] for how in asked] == [0.1, 0.02, 0.02], "waited for once"
    assert time.monotonic() - began < 20
    holder.close()
    with Thumbnails(settings) as kept:  # at once, when it is free
        assert kept.get_many(["ab" * 32])
    assert not cache._held, "nor is it held against the file"


def test_a_write_waits_for_who_writes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emoviz.inference.cache._READ_PATIENCE", 0.05)
    with Thumbnails(settings) as kept:
        holder = sqlite3.connect(
            settings.home / "thumbnails.sqlite", isolation_level=None, check_same_thread=False
        )
        holder.execute("BEGIN IMMEDIATE")
        later = threading.Timer(1.0, holder.rollback)
        later.start()
        kept.put({"cd" * 32: b"small"})
        later.join()
        assert kept.get_many(["cd" * 32])
        holder.close()
