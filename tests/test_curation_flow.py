"""From an unpacked folder to a trained and measured network, by ids of the library."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emoviz.checkpoints import read_checkpoint
from emoviz.cli import main
from emoviz.curation.examine import kept
from emoviz.curation.examined import examination_folder
from emoviz.data.library import find_set, locate
from emoviz.data.reading import read_labelled
from emoviz.errors import TableError
from emoviz.settings import Settings

RECIPE = """
name: little
title: Little
taxonomy: mikels8
network: {backbone: test_efficientnet, pretrained: false}
input: {size: 64}
phases: [{train: heads, epochs: 1, batch: 8}]
"""


@pytest.fixture
def folder(tmp_path: Path, picture: Callable[..., bytes]) -> Path:
    """Sixty images of two emotions, one of them there twice, and a stray one in no folder."""
    root = tmp_path / "Mine"
    for i in range(60):
        file = root / ("awe" if i % 2 else "fear") / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(seed=i % 59))
    (root / "=stray.jpg").write_bytes(picture(seed=100))
    return root


def run(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    """What a verb prints as JSON."""
    capsys.readouterr()
    assert main([*map(str, words), "--format", "json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_set_goes_by_its_id_from_the_folder_to_the_card_of_a_network(
    folder: Path, tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = tmp_path / "refused.csv"
    line = ("data", "import", "imagefolder", folder, "--library", "mine", "--title", "My set")
    found = run(capsys, *line, "--refused", refused)
    assert found["images"] == 60
    with refused.open(newline="") as stream:
        [row] = csv.DictReader(stream)
    assert row["place"].endswith("=stray.jpg")
    assert not row["place"].startswith("=")
    known = find_set(settings, "mine")
    assert (known.title, known.count, known.about["refused"]) == ("My set", 60, 1)
    made = run(
        capsys, "data", "prepare", "clean", "mine", "--out", tmp_path / "p", "--library", "neat"
    )
    assert made["images"] == 59
    assert read_labelled(find_set(settings, "neat").path) == read_labelled(
        tmp_path / "p" / "set.parquet"
    )
    (tmp_path / "little.yaml").write_text(RECIPE)
    trained = tmp_path / "run"
    line = ("train", tmp_path / "little.yaml", "--data", "neat", "--run", trained, "--no-graph")
    assert main([*map(str, line)]) == 0
    [data] = read_checkpoint(trained / "checkpoints" / "little").card.data
    fingerprint, recipe = str(made["fingerprint"])[:12], str(made["recipe_sha256"])[:12]
    assert data["lineage"] == (
        "brought in as imagefolder from Mine; then prepared by the recipe clean "
        f"({recipe}), split seed 0: 59 of 60 images stayed, result {fingerprint}"
    )
    counts = made["counts"]
    assert isinstance(counts, dict)
    assert data["images in the finished weights"] == sum(counts["train"].values())
    network = trained / "checkpoints" / "little"
    measured = run(capsys, "evaluate", "--checkpoint", network, "--data", "neat", "--split", "test")
    assert measured["n"] == sum(counts["test"].values())
    embedded = run(capsys, "embed", "neat", "--checkpoint", network)
    assert embedded["images"] == 59
    found = run(capsys, "data", "examine", "neat")
    assert found["images"] == 59
    table = find_set(settings, "neat").path
    assert kept(examination_folder(settings, table), table) == found  # where the page finds it


def test_a_set_is_exported_by_its_id(
    folder: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "data", "import", "imagefolder", folder, "--library", "mine")
    progress = tmp_path / "progress"
    line = ["data", "export", "mine", "--as", "csv", "--out", str(tmp_path / "x.csv")]
    assert main([*line, "--progress", str(progress)]) == 0
    assert len(read_labelled(tmp_path / "x.csv").records) == 60
    assert json.loads(progress.read_text().splitlines()[-1])["result"]["out"].endswith("x.csv")
    capsys.readouterr()
    assert main(["data", "export", "yours", "--as", "csv", "--out", "y.csv"]) == 2
    assert "There is no 'yours'" in capsys.readouterr().err
    assert main(["data", "import", "imagefolder", str(folder)]) == 2
    assert "--library ID" in capsys.readouterr().err
    assert main(["data", "import", "imagefolder", str(folder), "--library", "A B"]) == 2
    assert "cannot be a set's id" in capsys.readouterr().err


def test_a_file_comes_before_an_id_and_a_path_is_left_to_its_reader(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["data", "import", "imagefolder", str(folder), "--library", "mine"]) == 0
    assert locate(settings, "mine") == find_set(settings, "mine").path
    assert locate(settings, "gone.csv") == Path("gone.csv")
    assert locate(settings, "folder/mine") == Path("folder/mine")
    assert locate(settings, "sample").name == "labels.csv"
    with pytest.raises(TableError, match=r"There is no 'hers'.*Known ids: sample, mine"):
        locate(settings, "hers")
    monkeypatch.chdir(folder.parent)
    (folder.parent / "mine").mkdir()
    assert locate(settings, "mine") == Path("mine")
