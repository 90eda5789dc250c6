"""Sets examined, prepared and exported: planted faults are found, recipes repeat anywhere."""

import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from digests import digest
from PIL import Image

from emoviz.analysis import duplicates, label_errors
from emoviz.cli import main
from emoviz.curation.examine import look
from emoviz.curation.examined import Detected, read_examined
from emoviz.curation.export import to_croissant
from emoviz.curation.prepare import PreparedSet, prepare
from emoviz.curation.recipe import dump_preparation, load_preparation, read_preparation
from emoviz.data.dataset import Dataset, Record
from emoviz.data.dataset_file import read_head
from emoviz.data.image_statistics import perceptual_hash
from emoviz.data.library import find_set
from emoviz.data.reading import read_labelled
from emoviz.errors import RecipeError, TableError
from emoviz.labels import MIKELS8, own_taxonomy
from emoviz.settings import Settings


class Silent:
    """A report that nobody reads."""

    def step(self, words: str, until: float = 1.0) -> None:
        pass

    def __call__(self, done: int, total: int) -> None:
        pass


@dataclass(frozen=True)
class Row:
    file: str
    label: str
    split: str = ""
    artist: str = ""


def texture(seed: int, side: int = 96) -> Image.Image:
    """Twelve by twelve colours, enlarged: no two seeds look alike."""
    values = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)


def write(folder: Path, rows: Sequence[Row]) -> Path:
    with (folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "label", "split", "artist"])
        writer.writerows((row.file, row.label, row.split, row.artist) for row in rows)
    return folder / "labels.csv"


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """60 images of two labels, and one of each fault."""
    folder = tmp_path / "planted"
    folder.mkdir()
    rows = []
    for seed in range(60):
        texture(seed).save(folder / f"{seed}.jpg", quality=92)
        split = "test" if seed >= 45 else "train"
        rows.append(Row(f"{seed}.jpg", "awe" if seed % 2 else "fear", split, f"artist {seed // 3}"))
    shutil.copy(folder / "0.jpg", folder / "same.jpg")
    rows.append(Row("same.jpg", "fear", "train"))
    shutil.copy(folder / "3.jpg", folder / "leak.jpg")
    rows.append(Row("leak.jpg", "awe", "test"))
    brighter = texture(6, 80).point(lambda value: min(255, int(value * 0.9) + 20))
    brighter.save(folder / "near.png")
    rows.append(Row("near.png", "awe", "test"))
    (folder / "broken.jpg").write_bytes(b"no image")
    rows.append(Row("broken.jpg", "awe", "train"))
    for name, image in {
        "tiny.png": texture(100).resize((16, 16)),
        "red.png": Image.new("RGB", (64, 64), (200, 10, 10)),
        "grey.png": texture(101).convert("L"),
        "long.png": texture(102).resize((400, 40)),
    }.items():
        image.save(folder / name)
        rows.append(Row(name, "fear", "train"))
    return write(folder, rows)


# Examination -----------------------------------------------------------------------------------


def test_planted_faults_are_found(
    planted: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    line = ["data", "examine", str(planted), "--format", "json", "--out", str(kept)]
    assert main(line) == 0
    found = json.loads(capsys.readouterr().out)
    wanted = {"unreadable", "duplicates", "near_duplicates", "leaks", "suspect_labels", "classes"}
    assert wanted | {"text", "faces"} <= set(found)
    assert [entry["name"] for entry in found["unreadable"]["list"]] == ["broken.jpg"]
    groups = [set(group["names"]) for group in found["duplicates"]["list"]]
    assert sorted(map(sorted, groups)) == [["0.jpg", "same.jpg"], ["3.jpg", "leak.jpg"]]
    assert found["duplicates"]["surplus"] == 2
    near = found["near_duplicates"]
    assert [group["names"] for group in near["list"]] == [["6.jpg", "near.png"]]
    assert near["contradicting"] == 1
    leaks = {(row["first"], row["second"]): row["kind"] for row in found["leaks"]["list"]}
    assert leaks == {("3.jpg", "leak.jpg"): "same file", ("6.jpg", "near.png"): "hash"}
    assert found["leaks"]["between"] == {"train and test": 2}
    for kind, name in {"tiny": "tiny.png", "one_coloured": "red.png", "grey": "grey.png"}.items():
        assert found[kind]["list"] == [name]
    assert found["extreme_aspect"]["list"] == ["long.png"]
    assert found["classes"]["all"]["fear"] == 30 + 1 + 4
    assert found["classes"]["counts"]["test"]["awe"] == 8 + 2
    assert found["text"] is None
    assert found["suspect_labels"] is None
    assert found["not_looked_for"]["suspect_labels"] == "needs a network"
    item, about = read_examined(kept / "images.parquet")
    assert len(item) == found["images"] == 68
    assert about["table"] == str(planted)


def test_brightness_alone_gives_a_set_away(tmp_path: Path, settings: Settings) -> None:
    """Fear is dark here, and awe is light: the chart of the affective gap must say so."""
    from emoviz.curation.checks import CheckMaterial
    from emoviz.curation.findings import find

    folder = tmp_path / "set"
    folder.mkdir()
    rows = []
    for seed in range(40):
        dark = seed % 2 == 0
        texture(seed).point(lambda v, d=dark: v // 3 if d else 170 + v // 3).save(
            folder / f"{seed}.png"
        )
        rows.append(Row(f"{seed}.png", "fear" if dark else "awe"))
    item = look(read_labelled(write(folder, rows)), settings, Silent())
    classes = find(CheckMaterial(item))[0]["classes"]
    assert classes["by_looks_alone"]["accuracy"] > 0.95
    assert classes["looks"]["brightness"]["explained"] > 0.9
    assert classes["looks"]["brightness"]["quartiles"]["fear"][2] < 0.4


def test_perceptual_hash_is_the_known_one() -> None:
    scipy_fft = pytest.importorskip("scipy.fft")
    grey = np.random.default_rng(0).integers(0, 256, (20, 32, 32)).astype(np.float32)
    for picture, own in zip(grey, perceptual_hash(grey), strict=True):
        low = scipy_fft.dct(scipy_fft.dct(picture, axis=0), axis=1)[:8, :8]
        bits = "".join("1" if value > np.median(low) else "0" for value in low.ravel())
        assert int(bits, 2) == int(own)


@pytest.mark.parametrize(("distance", "shared"), [(0, 2), (1, 3), (6, 2), (6, 4), (12, 2)])
def test_near_pairs_are_all_of_them(
    distance: int, shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_SHARED", (shared,))
    rng = np.random.default_rng(distance)
    base = rng.integers(0, 2**63, 120, dtype=np.uint64)
    flips = np.array(
        [sum(1 << int(bit) for bit in rng.choice(64, k, replace=False)) for k in range(14)] * 9,
        np.uint64,
    )
    hashes = np.unique(np.concatenate([base, base[: len(flips) - 6] ^ flips[: len(base)]]))
    rng.shuffle(hashes)
    found = duplicates.near_pairs(hashes, distance)
    slow = {
        (i, j): (int(hashes[i]) ^ int(hashes[j])).bit_count()
        for i, j in combinations(range(len(hashes)), 2)
    }
    wanted = {pair: bits for pair, bits in slow.items() if bits <= distance}
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    assert dict(zip(pairs, found.distance.tolist(), strict=True)) == wanted
    assert distance == 0 or wanted


def test_vectors_that_nearly_coincide() -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(200, 16)).astype(np.float32)
    data[150] = data[20] + 1e-3
    found = duplicates.near_vectors(data)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(20, 150)]
    assert found.distance[0] == pytest.approx(4e-3, rel=0.01)


def test_planted_wrong_labels_are_doubted() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 60)
    vectors = rng.normal(size=(180, 8)) + 8 * np.eye(8)[truth]
    labels = truth.copy()
    wrong = rng.choice(180, 9, replace=False)
    labels[wrong] = (truth[wrong] + 1) % 3
    folds = np.arange(180) % 5
    p = label_errors.out_of_fold(vectors, labels, folds, 3)
    found = label_errors.suspect_labels(p, labels)
    assert set(found.index) <= set(wrong), "no right label is doubted"
    assert len(found.index) >= len(wrong) - 1  # a class must be as sure as it usually is
    assert (found.other == truth[found.index]).all()
    assert (np.diff(found.margin) <= 0).all()
    assert found.looked_at == 180


def test_a_checkpoint_doubts_labels(
    planted: Path,
    tiny_checkpoint: object,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = ["data", "examine", str(planted), "--checkpoint", "tiny", "--format", "json"]
    assert main(line) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["suspect_labels"]["looked_at"] == 67  # all but the broken one
    assert found["suspect_labels"]["by"] == "Tiny test network"
    assert "suspect_labels" not in found["not_looked_for"]


def test_a_detector_that_is_not_installed_is_a_reason(
    planted: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib import metadata

    def gone(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", gone)
    line = ["data", "examine", str(planted), "--text", "--faces", "--format", "json"]
    assert main(line) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["text"] is None
    assert "needs the package rapidocr" in found["not_looked_for"]["text"]
    assert "needs the package dlib-bin" in found["not_looked_for"]["faces"]


def test_text_is_read_and_a_plain_image_has_none(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import ImageDraw, ImageFont

    folder = tmp_path / "written"
    folder.mkdir()
    texture(1, 320).save(folder / "plain.png")
    image = Image.new("RGB", (320, 240), (235, 235, 235))
    ImageDraw.Draw(image).text((20, 90), "GALLERY", (10, 10, 60), ImageFont.load_default(56))
    image.save(folder / "sign.png")
    table = write(folder, [Row("plain.png", "awe"), Row("sign.png", "fear")])
    line = ["data", "examine", str(table), "--text", "--faces", "--format", "json"]
    assert main(line) == 0
    found = json.loads(capsys.readouterr().out)
    [sign] = found["text"]["list"]
    assert sign["name"] == "sign.png"
    assert 0.05 < sign["share"] < 0.4
    assert found["text"]["looked_at"] == found["faces"]["looked_at"] == 2
    assert found["faces"]["list"] == []
    recipe = "name: r\nfilters: {text: 0.005}\n"
    (tmp_path / "r.yaml").write_text(recipe)
    out = str(tmp_path / "out")
    assert main(["data", "prepare", str(tmp_path / "r.yaml"), str(table), "--out", out]) == 0
    assert [r.name for r in read_labelled(tmp_path / "out" / "set.parquet").records] == [
        "plain.png"
    ]


# Preparation -----------------------------------------------------------------------------------


def prepared(table: Path, settings: Settings, recipe: str) -> PreparedSet:
    labelled = read_labelled(table)
    return prepare(labelled, look(labelled, settings, Silent()), read_preparation(recipe, "r.yaml"))


def test_the_same_recipe_gives_the_same_split_elsewhere(
    planted: Path, tmp_path: Path, settings: Settings
) -> None:
    """Another folder, other names, another order."""
    recipe = "name: r\nsplit:\n  by: group\n  own: drop\n  validation: 0.2\n  test: 0.2\n"
    here = prepared(planted, settings, recipe)
    other = tmp_path / "elsewhere" / "deep"
    shutil.copytree(planted.parent, other)
    with planted.open(newline="") as stream:
        rows = [Row(**row) for row in csv.DictReader(stream)]
    renamed = []
    for number, row in enumerate(reversed(rows)):
        (other / row.file).rename(other / f"r{number}{Path(row.file).suffix}")
        renamed.append(replace(row, file=f"r{number}{Path(row.file).suffix}"))
    there = prepared(write(other, renamed), settings, recipe)
    assert here.fingerprint == there.fingerprint
    assert here.counts() == there.counts()
    seeded = prepared(planted, settings, recipe + "  seed: 1\n")
    assert seeded.fingerprint != here.fingerprint


def test_splits_are_stratified_and_keep_groups_and_look_alikes_whole(
    planted: Path, settings: Settings
) -> None:
    recipe = "name: r\nsplit: {own: drop, validation: 0.2, test: 0.2}\n"
    made = prepared(planted, settings, recipe)
    by_artist: dict[str, set[str | None]] = {}
    for record in made.labelled.records:
        by_artist.setdefault(record.group, set()).add(record.split)
    assert all(len(splits) == 1 for splits in by_artist.values())
    place = {record.name: record.split for record in made.labelled.records}
    assert place["6.jpg"] == place["near.png"]
    assert {"0.jpg", "same.jpg"} - set(place), "one of two equal files is thrown out"
    counts = made.counts()
    for name in ("awe", "fear"):
        total = sum(counts[split][name] for split in counts)
        assert counts["test"][name] / total == pytest.approx(0.2, abs=0.12)


def test_the_own_split_is_kept_and_the_test_image_wins(planted: Path, settings: Settings) -> None:
    made = prepared(planted, settings, "name: r\n")
    place = {record.name: record.split for record in made.labelled.records}
    assert "3.jpg" not in place, "its copy is in the test split, and stays"
    assert place["leak.jpg"] == "test"
    assert place["7.jpg"] == "train"
    reasons = {row.name: row.reason for row in made.dropped}
    assert reasons["broken.jpg"].startswith("unreadable")
    assert reasons["3.jpg"] == "the same file is in the set again"


def test_what_is_thrown_out_can_be_kept_by_its_hash(planted: Path, settings: Settings) -> None:
    recipe = "name: r\nfilters: {min_side: 32, grey: drop, one_coloured: drop, max_aspect: 4}\n"
    first = prepared(planted, settings, recipe)
    gone = {row.name: row for row in first.dropped}
    assert {"tiny.png", "red.png", "grey.png", "long.png", "broken.jpg"} <= set(gone)
    kept = recipe.replace("max_aspect: 4", f"max_aspect: 4, keep: [{gone['grey.png'].sha256}]")
    again = prepared(planted, settings, kept)
    assert set(gone) - {row.name for row in again.dropped} == {"grey.png"}


def test_contradictions_labels_and_metadata_filter(planted: Path, settings: Settings) -> None:
    made = prepared(planted, settings, "name: r\nfilters: {contradictions: drop}\n")
    assert {"6.jpg", "near.png"} <= {row.name for row in made.dropped}
    made = prepared(planted, settings, "name: r\nfilters: {labels: [awe]}\n")
    assert {record.label for record in made.labelled.records} == {MIKELS8.index("awe")}
    with pytest.raises(RecipeError, match="no column 'museum'"):
        prepared(planted, settings, "name: r\nfilters: {where: {museum: Oslo}}\n")
    with pytest.raises(RecipeError, match="by 'museum'"):
        prepared(planted, settings, "name: r\nsplit: {by: museum}\n")


def test_webemo_sadness_as_in_the_dissertation(tmp_path: Path, settings: Settings) -> None:
    """Sadness against all else, the larger class thinned out, 80/10/10."""
    folder = tmp_path / "webemo"
    folder.mkdir()
    rows = []
    for seed in range(200):
        label = "sadness" if seed < 50 else ("awe", "fear", "anger")[seed % 3]
        texture(seed, 48).save(folder / f"{seed}.png")
        rows.append(Row(f"{seed}.png", label))
    labelled = read_labelled(write(folder, rows))
    shipped = load_preparation("webemo-sadness")
    assert shipped.undersample.counts == {"others": 33013, "sadness": 28059}
    recipe = replace(
        shipped,
        undersample=replace(shipped.undersample, counts={"others": 60, "sadness": 40}),
    )
    item = look(labelled, settings, Silent())
    written = np.zeros(len(item))
    written[:3] = 0.02
    item = replace(item, text=Detected(written, np.ones(len(item), np.int64)))
    made = prepare(labelled, item, recipe)
    counts = made.counts()
    assert made.labelled.taxonomy.name == "sadness2"
    assert {n: sum(counts[s][n] for s in counts) for n in ("others", "sadness")} == {
        "others": 60,
        "sadness": 40,
    }
    assert counts["train"] == {"others": 48, "sadness": 32}
    assert counts["validation"] == counts["test"] == {"others": 6, "sadness": 4}
    assert Counter(row.reason for row in made.dropped) == {
        "text on 0.5% or more of it": 3,
        "undersampled: its class has more images than wanted": 90 + 7,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: x\n", "has no name"),
        ("name: r\nfilter: {}\n", "filter"),
        ("name: r\nsplit: {test: 0.6, validation: 0.5}\n", "nothing to train on"),
        ("name: r\nrelabel: {to: nine}\n", "no taxonomy"),
        ("name: r\nfilters: {drop: [xyz]}\n", "no SHA-256"),
        ("name: A B\n", "cannot be used"),
        ("name: [\n", "r.yaml"),
    ],
)
def test_recipes_that_cannot_be_used(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        read_preparation(text, "r.yaml")


def test_a_recipe_survives_being_written() -> None:
    for name in ("clean", "webemo-sadness"):
        recipe = load_preparation(name)
        assert read_preparation(dump_preparation(recipe), name) == recipe
    with pytest.raises(RecipeError, match="clean, webemo-sadness"):
        load_preparation("gone")


# Command line and exports ----------------------------------------------------------------------


@pytest.fixture
def made(planted: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The planted set brought in and prepared on the command line."""
    table, out = tmp_path / "t.parquet", tmp_path / "made"
    assert main(["data", "import", "table", str(planted), "--out", str(table)]) == 0
    assert "not opened: " in capsys.readouterr().out
    assert main(["data", "prepare", "clean", str(table), "--out", str(out)]) == 0
    capsys.readouterr()
    return out


def test_prepared_sets_say_where_they_come_from(made: Path) -> None:
    from emoviz.data.lineage import lineage_words

    report = json.loads((made / "report.json").read_text())
    head = read_head(made / "set.parquet")
    assert head is not None
    first, second = lineage_words(head.about)
    assert first == "brought in as table from labels.csv"
    assert second == (
        f"prepared by the recipe clean ({report['recipe_sha256'][:12]}), split seed 0: 62 of 68 "
        f"images stayed, result {report['fingerprint'][:12]}"
    )
    assert head.about["lineage"][1]["fingerprint"] == report["fingerprint"]
    assert read_preparation((made / "recipe.yaml").read_text(), "r") == load_preparation("clean")
    with (made / "dropped.csv").open(newline="") as stream:
        dropped = {row["name"]: row["reason"] for row in csv.DictReader(stream)}
    assert len(dropped) == report["dropped"] == 6
    assert dropped["tiny.png"] == "short side below 32 pixels"


def test_the_same_again_goes_on_and_keeps_what_lies_beside(made: Path, settings: Settings) -> None:
    """A run that was killed after its folder was whole: the same command does what is left."""
    (made / "notes.txt").write_text("mine")
    before = digest(made / "set.parquet")
    again = ["data", "prepare", "clean", str(made.parent / "t.parquet"), "--out", str(made)]
    assert main([*again, "--library", "kept"]) == 0
    assert digest(made / "set.parquet") == before
    assert (made / "notes.txt").read_text() == "mine"
    assert find_set(settings, "kept").count == 62


def test_a_folder_that_is_there_is_not_overwritten(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digest(made / "set.parquet")
    assert main(["data", "prepare", "clean", str(made / "set.parquet"), "--out", str(made)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert digest(made / "set.parquet") == before


def same_records(one: Dataset, two: Dataset) -> bool:
    def rows(item: Dataset) -> list[tuple[str, str, str | None, str]]:
        names = item.taxonomy.names
        return sorted((r.path.name, names[r.label], r.split, r.group) for r in item.records)

    return rows(one) == rows(two)


def test_csv_and_folders_come_back_as_they_were(made: Path, tmp_path: Path) -> None:
    before = read_labelled(made / "set.parquet")
    table = str(made / "set.parquet")
    assert main(["data", "export", table, "--as", "csv", "--out", str(tmp_path / "x.csv")]) == 0
    assert same_records(before, read_labelled(tmp_path / "x.csv"))
    for options in ([], ["--copies"]):
        out = tmp_path / f"folders{len(options)}"
        line = ["data", "export", table, "--as", "imagefolder", "--out", str(out), *options]
        assert main(line) == 0
        back = read_labelled(out)
        assert len(back.records) == len(before.records)
        assert Counter((r.split, back.taxonomy.names[r.label]) for r in back.records) == Counter(
            (r.split, before.taxonomy.names[r.label]) for r in before.records
        )
        assert all(record.path.is_symlink() != bool(options) for record in back.records)
        assert main(line) == 2, "what is there is not overwritten"


@pytest.mark.parametrize("options", [[], ["--copies"]])
def test_a_file_that_is_gone_costs_the_folders_nothing_else(
    make_table: Callable[..., Path],
    tmp_path: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    table = make_table(tmp_path / "own", ["awe", "fear"] * 3)
    (tmp_path / "own" / "2.jpg").unlink()
    out = tmp_path / "folders"
    line = ["data", "export", str(table), "--as", "imagefolder", "--out", str(out), *options]
    assert main(line) == 0
    assert "5 images" in capsys.readouterr().out
    (told,) = (out / "missing.txt").read_text().splitlines()
    assert told.startswith("line 4: ")
    assert "2.jpg" in told
    written = [path for path in out.glob("*/*") if path.exists()]
    assert len(written) == 5
    assert len(read_labelled(out).records) == 5
    for image in (tmp_path / "own").glob("*.jpg"):
        image.unlink()
    line[-1 - len(options)] = str(tmp_path / "none")
    assert main(line) == 2
    assert "holds no image that can be used. First: line 2: 0.jpg" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("kind", ["csv", "imagefolder"])
def test_a_damaged_image_inside_an_archive_costs_an_export_itself_alone(
    tmp_path: Path,
    home: Path,
    picture: Callable[..., bytes],
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    import zipfile

    archive = tmp_path / "set.zip"
    names = [f"{label}/{i}.png" for i, label in enumerate(["awe", "fear"] * 2)]
    contents = {name: picture("PNG", seed=i) for i, name in enumerate(names)}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for name, data in contents.items():
            file.writestr(name, data)
    whole = archive.read_bytes()
    place = whole.index(contents["fear/1.png"])
    archive.write_bytes(whole[: place + 40] + b"\0\0\0\0" + whole[place + 44 :])
    out = tmp_path / ("x.csv" if kind == "csv" else "folders")
    assert main(["data", "export", str(archive), "--as", kind, "--out", str(out)]) == 0
    assert "1 files are gone or closed: see missing.txt" in capsys.readouterr().out
    folder = tmp_path / "x_images" if kind == "csv" else out
    assert (folder / "missing.txt").read_text() == "fear/1.png\n"
    wanted = {digest(data) for name, data in contents.items() if "1.png" not in name}
    assert {digest(record.path) for record in read_labelled(out).records} == wanted


def test_votes_and_images_inside_tables_are_exported(
    tmp_path: Path, home: Path, picture: Callable[..., bytes]
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    contents = [picture("PNG", seed=i) for i in range(4)]
    rows = {"image": contents, "label": ["awe", "fear"] * 2}
    parquet.write_table(pa.table(rows), tmp_path / "inside.parquet")
    out = tmp_path / "x.csv"
    line = ["data", "export", str(tmp_path / "inside.parquet"), "--as", "csv", "--out", str(out)]
    assert main(line) == 0
    back = read_labelled(out)
    assert [digest(record.path) for record in back.records] == [digest(one) for one in contents]
    (tmp_path / "votes.csv").write_text("file,p_awe,p_fear\nx_images/0.png,0.25,0.75\n")
    line = ["data", "export", str(tmp_path / "votes.csv"), "--as", "csv", "--out", str(out)]
    assert main(line) == 0
    back = read_labelled(out)
    assert back.votes
    assert sorted(back.records[0].shares)[-2:] == [0.25, 0.75]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what mlcroissant imports
def test_croissant_is_valid_and_can_be_read(made: Path, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    out = tmp_path / "croissant"
    table = str(made / "set.parquet")
    assert main(["data", "export", table, "--as", "croissant", "--out", str(out)]) == 0
    found = mlcroissant.Dataset(jsonld=str(out / "croissant.json"))
    assert not found.metadata.ctx.issues.errors
    rows = list(found.records("images"))
    labels = Counter(row["images/label"].decode() for row in rows)
    before = read_labelled(made / "set.parquet")
    assert labels == Counter(before.taxonomy.names[r.label] for r in before.records)
    broken = json.loads((out / "croissant.json").read_text())
    broken["recordSet"][0]["field"][0]["source"]["fileObject"]["@id"] = "gone"
    (out / "broken.json").write_text(json.dumps(broken))
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Dataset(jsonld=str(out / "broken.json"))


def test_hostile_cells_are_defused(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    texture(0).save(folder / "a.png")
    (folder / "t.csv").write_text('file,label,title\na.png,awe,"=cmd()"\n')
    table, out = tmp_path / "t.parquet", tmp_path / "x.csv"
    assert main(["data", "import", "table", str(folder / "t.csv"), "--out", str(table)]) == 0
    assert main(["data", "export", str(table), "--as", "csv", "--out", str(out)]) == 0
    rows = list(csv.reader(io.StringIO(out.read_text())))
    assert not any(cell.startswith("=") for row in rows for cell in row)
    assert any("cmd()" in cell for cell in rows[1])


@pytest.mark.parametrize("votes", [False, True])
def test_labels_and_columns_are_cells_too(tmp_path: Path, votes: bool) -> None:
    names = ("=joy()", "|calc", "%fear", "＝cmd", "plain")
    taxonomy = own_taxonomy("hostile", names)
    records = [
        Record(
            f"{n}.png",
            tmp_path / f"{n}.png",
            n,
            tuple(np.eye(5)[n].tolist()),
            "",
            metadata={"@x": "+1"},
        )
        for n in range(5)
    ]
    item = Dataset("hostile", taxonomy, tuple(records), votes=votes)
    to_croissant(item, {}, tmp_path / "c")
    rows = list(csv.reader(io.StringIO((tmp_path / "c" / "records.csv").read_text())))
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(("=", "|", "%", "＝", "@", "+")), cell
    told = json.loads((tmp_path / "c" / "croissant.json").read_text())
    columns = [field["source"]["extract"]["column"] for field in told["recordSet"][0]["field"]]
    assert columns == rows[0]
    if not votes:
        assert [row[1] for row in rows[1:]] == ["'=joy()", "'|calc", "'%fear", "'＝cmd", "plain"]


def test_what_the_command_line_refuses(
    planted: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "import", "nope", str(planted), "--out", str(tmp_path / "x.parquet")]) == 2
    assert "Known: emoset" in capsys.readouterr().err
    assert main(["data", "import", "table", str(planted), "--out", str(tmp_path / "x.csv")]) == 2
    assert "call it x.parquet" in capsys.readouterr().err
    with pytest.raises(TableError, match="leaves no image"):
        prepared(planted, Settings(home=home), "name: r\nfilters: {min_side: 9000}\n")


def test_the_card_of_a_model_tells_the_steps_of_its_data(made: Path) -> None:
    from emoviz.training.finish import _data_entry
    from emoviz.training.recipe_loading import read_recipe
    from emoviz.training.targets import make_targets

    recipe = read_recipe("name: r\ntitle: R\ntaxonomy: mikels8\n", "r.yaml")
    labelled = read_labelled(made / "set.parquet")
    entry = _data_entry(labelled, make_targets([labelled], recipe, MIKELS8), recipe)
    words = "brought in as table from labels.csv; then prepared by the recipe clean ("
    assert entry["lineage"].startswith(words)
    assert entry["source"] == "your own"
