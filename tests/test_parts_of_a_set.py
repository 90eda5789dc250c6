"""Work in parts, on any machines, gives the same table as in one go: all verbs by one mechanism."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from placed import put_checkpoint

from emoviz.cli import main
from emoviz.data import parts
from emoviz.data.parts import (
    Part,
    PartRows,
    PartWork,
    Refused,
    Whole,
    digest_of,
    merged,
    parse_part,
    write_part,
)
from emoviz.errors import TableError

Picture = Callable[..., bytes]


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    """Nine images in folders of two emotions, and two files that are none."""
    root = tmp_path / "set"
    for seed in range(9):
        path = root / ("awe" if seed % 2 else "fear") / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed=seed))
    (root / "awe" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (root / "fear" / "empty.png").write_bytes(b"")
    return root


@pytest.fixture
def verb(tiny_source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a verb on the set as another machine would: with a home of its own."""
    monkeypatch.setenv("EMOVIZ_DEVICE", "cpu")
    monkeypatch.setenv("EMOVIZ_THREADS", "1")

    def run(name: str, words: list[str], *more: object) -> int:
        home = folder.parent / name
        monkeypatch.setenv("EMOVIZ_HOME", str(home))
        if not home.exists():
            put_checkpoint(tiny_source, home)
        return main([*words, str(folder), "--checkpoint", "tiny", *map(str, more)])

    return run


def in_parts(verb: Callable[..., int], words: list[str], count: int, out: Path) -> list[Path]:
    paths = [out / f"{number}-of-{count}.parquet" for number in range(1, count + 1)]
    for number, path in enumerate(paths, 1):
        more = ["--part", f"{number}/{count}", "--out", path]
        assert verb(f"machine-{count}-{number}", words, *more) == 0
    return paths


def merge(paths: list[Path], out: Path) -> int:
    return main(["merge", *map(str, paths), "--out", str(out)])


@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("name", ["embed", "predict"])
def test_any_number_of_parts_gives_the_same_table(
    verb: Callable[..., int], tmp_path: Path, folder: Path, name: str, count: int
) -> None:
    whole, out = tmp_path / "whole.parquet", tmp_path / "merged.parquet"
    assert verb("whole", [name], "--out", whole) == 0
    assert merge(in_parts(verb, [name], count, tmp_path)[::-1], out) == 0
    one, other = pq.read_table(whole), pq.read_table(out)
    assert other.schema.names == one.schema.names
    assert other.equals(one)
    for column in one.schema.names:  # equals() takes -0 for 0
        if one.schema.field(column).type == pa.float64():
            assert one[column].to_numpy().tobytes() == other[column].to_numpy().tobytes()
    if name == "embed":
        assert len(other) == 9
        about, told = (json.loads(table.schema.metadata[b"emoviz"]) for table in (one, other))
        names = [str(Path(path).relative_to(folder)) for path, _ in told["refused"]]
        assert names == ["awe/broken.jpg", "fear/empty.png"]
        for values in (about, told):
            values["origin"].pop("created")
        assert told == about
    else:
        errors = dict(zip(other["path"].to_pylist(), other["error"].to_pylist(), strict=True))
        broken = [Path(path).name for path, why in errors.items() if why is not None]
        assert sorted(broken) == ["broken.jpg", "empty.png"]


def test_a_table_of_predictions_is_what_the_csv_says(
    verb: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb("whole", ["predict"], "--out", tmp_path / "p.parquet") == 0
    assert "11 found: 9 taken, 2 problems" in capsys.readouterr().out
    assert verb("whole", ["predict"], "--format", "csv") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    table = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert len(rows) == len(table) == 11
    for row, kept in zip(rows, table, strict=True):
        assert {row[name] for name in ("path", "sha256", "predicted")} == {
            kept[name] or "" for name in ("path", "sha256", "predicted")
        }
        assert row["error"] == (kept["error"] or "")
        numbers = [name for name in row if name.startswith("p_")]
        assert numbers
        for name in numbers:
            assert row[name] == ("" if kept[name] is None else f"{kept[name]:.6f}")


@pytest.mark.parametrize("count", [1, 3])
def test_style_in_parts_is_the_style_of_the_whole(
    verb: Callable[..., int], tmp_path: Path, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb("whole", ["style"], "--out", tmp_path / "whole.csv") == 0
    shares = capsys.readouterr().out.partition("What makes")[2].partition(str(tmp_path))[0]
    out = tmp_path / "merged.csv"
    assert merge(in_parts(verb, ["style"], count, tmp_path), out) == 0
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert len(out.read_text().splitlines()) == 10
    told = capsys.readouterr().out
    assert shares
    assert shares in told
    assert "11 found: 9 taken, 2 problems" in told


@pytest.mark.parametrize("count", [1, 3])
def test_an_examination_in_parts_finds_what_the_whole_finds(
    verb: Callable[..., int], folder: Path, tmp_path: Path, count: int
) -> None:
    shutil.copy(folder / "awe" / "1.jpg", folder / "fear" / "copy.jpg")
    assert verb("whole", ["data", "examine"], "--out", tmp_path / "whole") == 0
    paths = in_parts(verb, ["data", "examine"], count, tmp_path)
    assert merge(paths, tmp_path / "merged") == 0
    one, other = (
        json.loads((tmp_path / name / "examination.json").read_text())
        for name in ("whole", "merged")
    )
    assert other == one
    assert one["images"] == 12 - one["refused"]["count"]
    assert one["duplicates"]["count"] == 1
    assert one["not_looked_for"]["text"] == "not asked for"
    rows = [pq.read_table(tmp_path / name / "images.parquet") for name in ("whole", "merged")]
    assert repr(rows[0].to_pydict()) == repr(rows[1].to_pydict())  # where NaN is NaN


def test_each_image_is_in_one_part() -> None:
    keys = [f"folder/{i}.jpg" for i in range(1000)] + ["a\udce9.jpg"]
    held = [[part for part in range(1, 8) if Part(part, 7).holds(key)] for key in keys]
    assert all(len(parts) == 1 for parts in held)
    counts = np.bincount([parts[0] for parts in held])[1:]
    assert counts.min() > 100  # 143 on average


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "1/0", "-1/3", "1/3/5", "a/b", "1.5/3"])
def test_what_is_no_part_is_told(text: str) -> None:
    with pytest.raises(TableError, match="2/7 for the second of seven"):
        parse_part(text)
    assert parse_part(" 2/7 ") == Part(2, 7)


def numbers(found: int = 1000, fingerprint: str = "a", refused: tuple[int, ...] = ()) -> PartWork:
    """Work whose row for each key is its place, without images."""
    keys = [f"key {i}" for i in range(found)]
    schema = pa.schema([("value", pa.int64())])

    def rows(part: Part) -> PartRows:
        held = [i for i in part.of(keys) if i not in refused]
        lost = [Refused(i, keys[i], "why") for i in part.of(keys) if i in refused]
        batches = [
            pa.record_batch([pa.array(held[i : i + 10], pa.int64())], schema=schema)
            for i in range(0, len(held), 10)
        ]
        return PartRows(held, schema, batches, lost)

    return PartWork(Whole("numbers", fingerprint, found, digest_of(keys)), rows)


def written(work: PartWork, count: int, out: Path) -> list[Path]:
    paths = [out / f"{i}-{count}-{work.whole.found}.parquet" for i in range(1, count + 1)]
    for number, path in enumerate(paths, 1):
        write_part(path, work, Part(number, count))
    return paths


@pytest.mark.parametrize("count", [1, 3, 40])
def test_windows_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(parts, "_WINDOW", 100)  # so that many windows are needed
    paths = written(numbers(refused=(0, 99, 100, 555)), count, tmp_path)
    with merged(paths[::-1]) as whole:
        values = np.concatenate([table["value"].to_numpy() for table in whole.tables])
        assert whole.count == 996
        assert [item.place for item in whole.refused] == [0, 99, 100, 555]
        assert whole.schema.names == ["value"]
    assert values.tolist() == [i for i in range(1000) if i not in (0, 99, 100, 555)]


def test_a_set_without_images_has_parts_too(tmp_path: Path) -> None:
    with merged(written(numbers(0), 3, tmp_path)) as whole:
        assert [len(table) for table in whole.tables] == [0]


def told(paths: list[Path], match: str) -> None:
    with pytest.raises(TableError, match=match), merged(paths):
        pass


def test_parts_that_do_not_fit_are_told(tmp_path: Path) -> None:
    one, two, three = written(numbers(30), 3, tmp_path)
    told([], "No part")
    told([one, tmp_path / "gone"], "There is no part")
    told([one, three], "missing: 2")
    told([one, two, two, three], "more than once: 2")
    told([one, two, three, *written(numbers(30), 2, tmp_path)], "cuts: one of 2 and one of 3")
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(two.read_bytes()[:-100])
    told([one, cut, three], "cut short")
    pq.write_table(pa.table({"value": [1]}), cut)
    told([one, cut, three], "holds no part")
    fewer = pq.read_table(two)
    pq.write_table(fewer.slice(1), cut)
    told([one, cut, three], "it was cut short")
    places = fewer["place"].to_numpy().copy()
    places[0] = places[1]
    pq.write_table(fewer.set_column(1, "place", pa.array(places)), cut)
    told([one, cut, three], "an image twice")
    places[0] = pq.read_table(one)["place"].to_numpy()[0]
    pq.write_table(fewer.set_column(1, "place", pa.array(np.sort(places))), cut)
    told([one, cut, three], "in two parts")


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ("[" * 100_000, "cannot be read"),
        ({"held": float("inf")}, "cannot be read"),
        ({"refused": [[2**70, "key", "why"]]}, "cannot be read"),
        ({"part": {"number": 1, "count": 10**9}}, "missing: 2, 3, 4, .*, 21 and 999,999,979 more"),
        ({}, "has other columns|cannot be put together"),
    ],
)
def test_what_a_strangers_part_says_is_told(
    tmp_path: Path, said: Any, match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = written(numbers(3), 1, tmp_path)
    table = pq.read_table(path)
    head = json.loads(table.schema.metadata[parts._ABOUT])
    head["whole"]["verb"] = "style"
    text = said if isinstance(said, str) else json.dumps(head | said)
    pq.write_table(table.replace_schema_metadata({parts._ABOUT: text}), path)
    assert main(["merge", str(path), "--out", str(tmp_path / "out.csv")]) == 2
    assert re.search(match, capsys.readouterr().err)


@pytest.mark.parametrize("places", [["a"] * 3, [0.0, 1.0, 2.0], [None, 1, 2]])
def test_places_are_whole_numbers(tmp_path: Path, places: list[Any]) -> None:
    (path,) = written(numbers(3), 1, tmp_path)
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, parts.PLACE, pa.array(places)), path)
    told([path], "holds no part|tell of 3")


def test_parts_of_two_works_are_told(tmp_path: Path) -> None:
    one = written(numbers(30), 2, tmp_path)[0]
    for name, other, match in (
        ("weights", numbers(30, "b"), "another network"),
        ("late", numbers(31), r"other images \(31\) than .* \(30\)"),
    ):
        path = tmp_path / f"{name}.parquet"
        write_part(path, other, Part(2, 2))
        told([one, path], match)


def test_verbs_tell_what_a_part_needs(
    verb: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb("home", ["embed"], "--part", "1/2") == 2
    assert "need --out" in capsys.readouterr().err
    assert verb("home", ["style"], "--part", "1/2", "--out", tmp_path / "x.csv") == 2
    assert "must" in capsys.readouterr().err
    one, two = in_parts(verb, ["embed"], 2, tmp_path)
    capsys.readouterr()
    assert verb("home", ["predict"], "--part", "2/2", "--out", two) == 0
    assert merge([one, two], tmp_path / "whole.parquet") == 2
    assert "parts of two works" in capsys.readouterr().err
    assert not (tmp_path / "whole.parquet").exists()
