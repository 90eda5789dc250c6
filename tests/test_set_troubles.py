"""Labelled sets as people have them: half unpacked, misspelt, closed, in circles, of one class."""

import contextlib
import csv
import json
import os
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from digests import digest

from emoviz.cli import main
from emoviz.data.importers.registry import bring_in
from emoviz.data.reading import read_labelled
from emoviz.errors import TableError
from emoviz.labels import MIKELS8

Picture = Callable[..., bytes]
NOBODY = 65534


@pytest.fixture
def emoset(tmp_path: Path, picture: Picture) -> Path:
    """EmoSet's layout, two images a class, of which the second is for validation."""
    root = tmp_path / "EmoSet-118K"
    for split, number in (("train", 1), ("val", 2), ("test", 3)):
        rows = [
            [name, f"image/{name}/{name}_{number}.jpg", f"annotation/{name}/{name}_{number}.json"]
            for name in MIKELS8.names
        ]
        for name, image, note in rows:
            for file in (image, note):
                (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / image).write_bytes(picture(seed=number))
            (root / note).write_text(json.dumps({"scene": name}))
        (root / f"{split}.json").write_text(json.dumps(rows))
    return root


# Half unpacked ------------------------------------------------------------------------------------


def test_a_class_that_was_not_unpacked_is_listed_image_by_image(emoset: Path) -> None:
    shutil.rmtree(emoset / "image" / "fear")
    (emoset / "val.json").unlink()
    found = bring_in("emoset", emoset)
    assert len(found.records) == 14
    assert found.problems == (
        (
            "train.json, entry 7",
            "image/fear/fear_1.jpg: there is no such file; is the set unpacked whole?",
        ),
        ("val.json", "the list is not there; its images are left out"),
        (
            "test.json, entry 7",
            "image/fear/fear_3.jpg: there is no such file; is the set unpacked whole?",
        ),
    )


def test_an_image_cut_short_by_unpacking_is_found_when_it_is_looked_at(
    emoset: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = emoset / "image" / "awe" / "awe_1.jpg"
    cut.write_bytes(cut.read_bytes()[:300])
    (emoset / "image" / "awe" / "awe_2.jpg").write_bytes(b"")
    assert main(["data", "import", "emoset", str(emoset), "--library", "half"]) == 0
    capsys.readouterr()
    assert main(["data", "examine", "half", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    told = {row["name"]: row["reason"] for row in found["unreadable"]["list"]}
    assert set(told) == {"image/awe/awe_1.jpg", "image/awe/awe_2.jpg"}
    assert told["image/awe/awe_2.jpg"] == "the file is empty"


def test_without_the_images_not_one_is_taken_and_the_first_is_named(emoset: Path) -> None:
    shutil.rmtree(emoset / "image")
    with pytest.raises(TableError, match=r"lacks image\. Wanted.*Found: annotation, test\.json"):
        bring_in("emoset", emoset)
    (emoset / "image").mkdir()
    with pytest.raises(TableError, match=r"no image of EmoSet-118K.*First: train\.json, entry 1"):
        bring_in("emoset", emoset)


@pytest.mark.parametrize("content", [b"[[", b"{}", b"\xff\xfe\x00", b""])
def test_a_list_that_was_cut_short_is_told(emoset: Path, content: bytes) -> None:
    (emoset / "test.json").write_bytes(content)
    with pytest.raises(TableError, match=r"test\.json' (cannot be read|holds no list)"):
        bring_in("emoset", emoset)


# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_spaces_and_capitals_are_found_however_they_are_written(
    form: str, tmp_path: Path, picture: Picture
) -> None:
    """A table made on a Mac names files that were unpacked on Linux, and the other way round."""
    other = "NFD" if form == "NFC" else "NFC"
    name = "Ärger und Ängste/Été à Genève (2).JPG"
    file = tmp_path / unicodedata.normalize(form, name)
    file.parent.mkdir()
    file.write_bytes(picture())
    written = unicodedata.normalize(other, name).replace("JPG", "jpg").replace("Été", "ÉTÉ")
    (tmp_path / "t.csv").write_text(f"file,label\n{written},calm\n", encoding="utf-8")
    [record] = bring_in("table", tmp_path / "t.csv").records
    assert record.path == file
    assert digest(record.path) == digest(picture())


def test_classes_of_either_form_are_one_and_keep_through_table_and_library(
    tmp_path: Path, home: Path, picture: Picture
) -> None:
    root = tmp_path / "two machines"
    for number, form in enumerate(("NFC", "NFD")):
        folder = root / ("train", "val")[number] / unicodedata.normalize(form, "Trübsinn")
        folder.mkdir(parents=True)
        (folder / f"{number}.jpg").write_bytes(picture(seed=number))
    (root / "train" / "Calm Sea").mkdir()
    (root / "train" / "Calm Sea" / "3.jpg").write_bytes(picture(seed=3))
    found = bring_in("imagefolder", root)
    assert found.taxonomy.names == ("Calm Sea", unicodedata.normalize("NFC", "Trübsinn"))
    assert sorted(record.label for record in found.records) == [0, 1, 1]
    assert main(["data", "import", "imagefolder", str(root), "--library", "both"]) == 0
    assert read_labelled(home / "sets" / "both.parquet").records == found.records


# Circles of links ---------------------------------------------------------------------------------


def test_links_in_a_circle_end(emoset: Path, home: Path) -> None:
    (emoset / "image" / "awe" / "up").symlink_to(emoset, target_is_directory=True)
    (emoset / "annotation" / "loop").symlink_to(emoset / "annotation" / "loop")
    (emoset / "image" / "fear" / "fear_1.jpg").unlink()
    (emoset / "image" / "fear" / "fear_1.jpg").symlink_to("fear_1.jpg")
    found = bring_in("emoset", emoset)
    assert len(found.records) == 23
    assert [place for place, _ in found.problems] == ["train.json, entry 7"]
    for kind in ("imagefolder", "fi8", "artphoto"):
        with contextlib.suppress(TableError):
            assert len(bring_in(kind, emoset / "image").records) <= 24


# Folders that are closed --------------------------------------------------------------------------


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to write anywhere: `chmod` alone does not stop root."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def closed(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``source``, a set that may be read and not written to; ``open``, which may be written to."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to nobody
        root = Path(name)
        root.chmod(0o755)
        for i in range(4):
            file = root / "source" / ("calm" if i % 2 else "wild") / f"{i}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(seed=i))
        (root / "open").mkdir()
        if os.geteuid() == 0:
            os.chown(root / "open", NOBODY, NOBODY)
        monkeypatch.setenv("EMOVIZ_HOME", str(root / "open" / "home"))
        for folder in (root / "source" / "calm", root / "source" / "wild", root / "source"):
            folder.chmod(0o555)
        yield root
        for folder in (root / "source", *(root / "source").iterdir()):
            if folder.is_dir():
                folder.chmod(0o755)


def test_a_set_that_may_only_be_read_is_brought_in_examined_and_prepared(closed: Path) -> None:
    before = sorted(file.name for file in (closed / "source").rglob("*"))
    out = closed / "open"
    with as_nobody():
        with pytest.raises(PermissionError):
            (closed / "source" / "x").write_text("closed, indeed")
        line = ["data", "import", "imagefolder", str(closed / "source")]
        assert main([*line, "--out", str(out / "t.parquet"), "--library", "mine"]) == 0
        assert main(["data", "examine", "mine", "--out", str(out / "seen")]) == 0
        assert main(["data", "prepare", "clean", "mine", "--out", str(out / "made")]) == 0
    assert len(read_labelled(out / "made" / "set.parquet").records) == 4
    assert sorted(file.name for file in (closed / "source").rglob("*")) == before


def test_a_folder_that_cannot_be_written_to_is_told_and_left_as_it_was(
    closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, table = closed / "source", closed / "open" / "t.parquet"
    with as_nobody():
        assert main(["data", "import", "imagefolder", str(source), "--out", str(table)]) == 0
        lines = [
            ["import", "imagefolder", str(source), "--out", str(source / "t.parquet")],
            ["export", str(table), "--as", "csv", "--out", str(source / "t.csv")],
            ["export", str(table), "--as", "imagefolder", "--out", str(source / "folders")],
            ["export", str(table), "--as", "croissant", "--out", str(source / "croissant")],
            ["prepare", "clean", str(table), "--out", str(source / "made")],
            ["examine", str(table), "--out", str(source / "seen")],
        ]
        for line in lines:
            capsys.readouterr()
            assert main(["data", *line]) != 0, line
            told = capsys.readouterr().err
            assert "Permission denied" in told, line
            assert "Traceback" not in told
    assert sorted(item.name for item in source.iterdir()) == ["calm", "wild"]


# Too little ---------------------------------------------------------------------------------------


def test_an_empty_folder_is_told_by_every_importer(tmp_path: Path) -> None:
    from emoviz.data.importers.registry import importers

    for kind in importers():
        with pytest.raises(TableError) as caught:
            bring_in(kind, tmp_path)
        assert str(tmp_path) in str(caught.value), kind
        assert "anted" in str(caught.value), kind


def test_one_class_can_be_examined_and_prepared_and_is_not_trained_on(
    tmp_path: Path, home: Path, picture: Picture, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "one" / "awe"
    folder.mkdir(parents=True)
    for i in range(30):
        (folder / f"{i}.jpg").write_bytes(picture(seed=i))
    assert main(["data", "import", "imagefolder", str(folder.parent), "--library", "one"]) == 0
    capsys.readouterr()
    assert main(["data", "examine", "one", "--format", "json"]) == 0
    classes = json.loads(capsys.readouterr().out)["classes"]
    assert classes["all"]["awe"] == 30
    assert classes["by_looks_alone"] is None
    assert main(["data", "prepare", "clean", "one", "--out", str(tmp_path / "p")]) == 0
    capsys.readouterr()
    line = ["train", "linear-probe", "--data", str(tmp_path / "p" / "set.parquet")]
    assert main([*line, "--run", str(tmp_path / "run")]) == 2
    assert "class" in capsys.readouterr().err


# Long tables --------------------------------------------------------------------------------------


def test_a_long_table_with_bad_rows_costs_no_more_than_its_rows(
    tmp_path: Path, picture: Picture
) -> None:
    """Rows at both ends of the sizes that people have: time grows with the rows, not faster."""
    (tmp_path / "a.jpg").write_bytes(picture())
    took = {}
    for count in (2_000, 40_000):
        table = tmp_path / f"{count}.csv"
        with table.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", "label", "artist"])
            rows = [["a.jpg", MIKELS8.names[i % 8], f"artist {i % 50}"] for i in range(count)]
            rows[count // 2] = ["a.jpg", "boredom", "x"]
            rows[count // 2 + 1] = ["a.jpg"]
            writer.writerows(rows)
        start = time.process_time()
        found = bring_in("table", table, "mikels8")
        took[count] = time.process_time() - start
        assert len(found.records) == count - 1
        assert [place for place, _ in found.problems] == [f"line {count // 2 + 2}"]
    assert took[40_000] < 60 * took[2_000]  # 20 times the rows
    assert took[40_000] < 10.0


def test_a_table_whose_quote_stays_open_names_the_line(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    text = "file,label\n" + "a.jpg,awe\n" * 5 + '"a.jpg,awe\n' + "a.jpg,awe\n" * 20_000
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TableError, match=r"line \d+: .*Is a quote open"):
        bring_in("table", tmp_path / "t.csv", "mikels8")


def test_two_prepared_copies_on_two_machines_are_one(
    emoset: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other folders, capitals and order of the files; the same bytes, so the same split."""
    other = tmp_path / "elsewhere" / "emoset"
    shutil.copytree(emoset, other)
    for folder in list((other / "image").iterdir()):
        folder.rename(folder.with_name(folder.name.upper()))
    rows = json.loads((other / "train.json").read_text())
    (other / "train.json").write_text(json.dumps(rows[::-1]))
    prints = []
    for number, root in enumerate((emoset, other)):
        assert main(["data", "import", "emoset", str(root), "--library", f"s{number}"]) == 0
        out = str(tmp_path / f"p{number}")
        capsys.readouterr()
        line = ["data", "prepare", "clean", f"s{number}", "--out", out, "--format", "json"]
        assert main(line) == 0
        prints.append(json.loads(capsys.readouterr().out)["fingerprint"])
    assert prints[0] == prints[1]
