"""Folders, ZIPs and tables as collections: names, labels, metadata, and what is told."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emoviz.data.dataset import UNLABELLED
from emoviz.data.images import Limits
from emoviz.data.reading import open_dataset, read_labelled
from emoviz.errors import TableError
from emoviz.labels import EMOTION6, MIKELS8, get_taxonomy, taxonomy_of
from emoviz.settings import Settings

Picture = Callable[..., bytes]


def fill(folder: Path, picture: Picture, *names: str) -> Path:
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed=seed))
    return folder


def table(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.encode(encoding))
    for cell in (line.partition(",")[0].partition(";")[0] for line in text.split("\n")[1:]):
        if cell.endswith(".jpg") and cell != "none.jpg":
            (folder / cell).parent.mkdir(exist_ok=True)
            (folder / cell).touch()
    return folder / name


# Folders and files ---------------------------------------------------------------------------


def test_folder_gives_its_sub_folders_as_metadata(
    tmp_path: Path, settings: Settings, picture: Picture
) -> None:
    folder = fill(tmp_path / "set", picture, "Cubism/b.jpg", "Cubism/a.jpg", "c.jpg", "X/Y/d.jpg")
    found = open_dataset(folder, settings)
    inside = [Path(name).relative_to(folder).as_posix() for name in found.names]
    assert inside == ["c.jpg", "Cubism/a.jpg", "Cubism/b.jpg", "X/Y/d.jpg"]
    assert found.metadata == {"folder": ["", "Cubism", "Cubism", "X/Y"]}
    assert set(found.labels) == {""}
    assert found.taxonomy is UNLABELLED
    assert (found.name, found.identity) == ("set", str(folder))
    assert found.records[2].read(Limits()) == picture(seed=0)


def test_flat_folder_has_no_metadata(tmp_path: Path, settings: Settings, picture: Picture) -> None:
    assert open_dataset(fill(tmp_path, picture, "a.jpg"), settings).metadata == {}


def test_folders_named_by_labels_give_labels(
    tmp_path: Path, settings: Settings, picture: Picture
) -> None:
    folder = fill(tmp_path, picture, "train/Awe/a.jpg", "val/fear/b.jpg", "fear/c.jpg", "d.jpg")
    found = open_dataset(folder, settings)
    pairs = {Path(name).name: label for name, label in zip(found.names, found.labels, strict=True)}
    assert pairs == {"a.jpg": "awe", "b.jpg": "fear", "c.jpg": "fear", "d.jpg": ""}
    assert found.taxonomy == MIKELS8
    assert found.label_indices.tolist() == [-1, 6, 1, 6]


def test_names_are_as_given_and_identity_is_not(
    tmp_path: Path, settings: Settings, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names agree with `predict`; the same folder is one collection however it is written."""
    fill(tmp_path / "set", picture, "a.jpg")
    monkeypatch.chdir(tmp_path)
    relative = open_dataset(Path("set"), settings)
    assert relative.names == [os.path.join("set", "a.jpg")]  # noqa: PTH118
    assert relative.identity == open_dataset(tmp_path / "set", settings).identity
    assert (relative.root / relative.names[0]).is_file()


def test_single_image_is_a_collection_of_one(
    tmp_path: Path, settings: Settings, picture: Picture
) -> None:
    fill(tmp_path, picture, "a.jpg")
    found = open_dataset(tmp_path / "a.jpg", settings)
    assert (found.names, found.name) == ([str(tmp_path / "a.jpg")], "a.jpg")
    assert found.records[0].read(Limits()) == picture(seed=0)


def test_zip_gives_its_members(tmp_path: Path, settings: Settings, picture: Picture) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/b.jpg", picture(seed=1))
        archive.writestr("notes.txt", "no image")
    found = open_dataset(tmp_path / "a.zip", settings)
    assert found.names == [f"{tmp_path / 'a.zip'}/in/b.jpg"]
    assert found.records[0].read(Limits()) == picture(seed=1)
    assert found.place(0) == (tmp_path / "a.zip", "in/b.jpg")


def test_sample_by_name_and_by_folder(settings: Settings) -> None:
    found = open_dataset("sample", settings)
    assert len(found) == 72
    assert found.taxonomy == MIKELS8
    by_name = dict(zip(found.names, found.labels, strict=True))
    assert by_name["images/arcimboldo_spring.jpg"] == "amusement"
    assert by_name["images/durer_lion.jpg"] == ""
    titles = dict(zip(found.names, found.metadata["title"], strict=True))
    assert titles["images/arcimboldo_spring.jpg"] == "Spring"
    assert open_dataset(settings.sample_data, settings).identity == found.identity
    assert all(found.records[i].read(Limits()) for i in (0, 71))


# Tables --------------------------------------------------------------------------------------


def test_table_with_labels_and_other_columns(
    tmp_path: Path, settings: Settings, picture: Picture
) -> None:
    fill(tmp_path, picture, "i/a.jpg", "i/b.jpg")
    text = 'file,artist,label,style\ni/a.jpg,"Klee, Paul",Sad,Cubism\ni/b.jpg,,awe,\n'
    found = open_dataset(table(tmp_path, text), settings, MIKELS8)
    assert found.names == ["i/a.jpg", "i/b.jpg"]
    assert found.labels == ["sadness", "awe"]
    assert found.metadata == {"artist": ["Klee, Paul", ""], "style": ["Cubism", ""]}
    assert found.records[1].read(Limits()) == picture(seed=1)
    assert found.name == f"{tmp_path.name}/t.csv"


def test_table_without_labels(tmp_path: Path, settings: Settings) -> None:
    found = open_dataset(table(tmp_path, "image;year\na.jpg;1888\n"), settings)
    assert (found.names, found.labels, found.taxonomy) == (["a.jpg"], [""], UNLABELLED)
    assert found.metadata == {"year": ["1888"]}


def test_labels_outside_every_taxonomy_stay_as_text(tmp_path: Path, settings: Settings) -> None:
    text = "file,label\na.jpg,boredom\nb.jpg,awe\n"
    found = open_dataset(table(tmp_path, text), settings)
    assert (found.labels, found.taxonomy.names) == (["boredom", "awe"], ("awe", "boredom"))
    asked = open_dataset(tmp_path / "t.csv", settings, MIKELS8)
    assert (asked.labels, asked.taxonomy) == (["boredom", "awe"], MIKELS8)
    assert asked.label_indices.tolist() == [-1, 1]


def test_labels_agree_with_those_that_are_trained_on(tmp_path: Path, settings: Settings) -> None:
    """Votes, ties, answers outside the taxonomy: the same majority as `read_labelled` finds."""
    rows = ["0.5,0,0,0.5,0,0,0", "0,0,0,0,0,0.4,0.6", "0,0,0,0.2,0.2,0,0.2", "0,0,0,0,0,0,0",
            "0,1,0,0,0,0,0", ",,,,1,,"]  # fmt: skip
    header = "p_surprise,p_sadness,p_anger,p_joy,p_disgust,p_fear,p_neutral"
    lines = [f"{i}.jpg,{row}" for i, row in enumerate(rows)]
    path = table(tmp_path, "\n".join([f"file,{header}", *lines]))
    found = open_dataset(path, settings)
    assert found.taxonomy == EMOTION6
    wanted = read_labelled(path).records
    assert found.label_indices.tolist() == [record.label for record in wanted]
    assert found.labels == ["joy", "", "disgust", "", "sadness", "disgust"]
    assert list(found.metadata) == ["p_neutral"]  # of answers outside the labels


def test_rows_without_a_file_are_refused_and_short_rows_are_not(
    tmp_path: Path, settings: Settings
) -> None:
    found = open_dataset(table(tmp_path, "file,a,b\nx.jpg\n\n ,1,2\ny.jpg,1,2,3\n"), settings)
    assert found.names == ["x.jpg", "y.jpg"]
    assert found.metadata == {"a": ["", "1"], "b": ["", "2"]}
    assert found.problems == (("line 4", "the row has no image"),)


def test_windows_text_and_byte_order_marks(tmp_path: Path, settings: Settings) -> None:
    western = table(tmp_path, "file,artist\na.jpg,Dürer\n", encoding="cp1252")
    assert open_dataset(western, settings).metadata["artist"] == ["Dürer"]
    marked = table(tmp_path, "\ufefffile,artist\na.jpg,Dürer\n")
    assert open_dataset(marked, settings).metadata["artist"] == ["Dürer"]


def test_likely_taxonomy_comes_before_a_smaller_one() -> None:
    assert taxonomy_of(["fear", "anger", ""]) == EMOTION6
    assert taxonomy_of(["fear", "anger"], likely=MIKELS8) == MIKELS8
    assert taxonomy_of(["happy", "sad"]) == get_taxonomy("fer7")
    assert taxonomy_of(["", ""]) is None
    assert taxonomy_of(["boredom"], likely=MIKELS8) is None


# Parquet -------------------------------------------------------------------------------------


def test_parquet_with_images_inside_is_read_by_row_groups(
    tmp_path: Path, settings: Settings, picture: Picture
) -> None:
    images = [{"bytes": picture(seed=i), "path": None if i == 2 else f"{i}.jpg"} for i in range(5)]
    features = {"label": {"names": ["awe", "fear"]}}
    about = json.dumps({"info": {"features": features}}).encode()
    made = pa.table({"image": images, "label": [0, 1, None, 1, 0], "year": [1, 2, 3, 4, None]})
    pq.write_table(
        made.replace_schema_metadata({"huggingface": about}), tmp_path / "t.parquet",
        row_group_size=2,
    )  # fmt: skip
    found = open_dataset(tmp_path / "t.parquet", settings)
    assert found.names == ["0.jpg", "1.jpg", "t/2", "3.jpg", "4.jpg"]
    assert found.labels == ["awe", "fear", "", "fear", "awe"]
    assert found.metadata == {"year": ["1", "2", "3", "4", ""]}
    for i in (0, 1, 2, 4, 3, 0):
        assert found.records[i].read(Limits()) == picture(seed=i)
    assert found.place(3) == (tmp_path / "t.parquet", "3")


def test_parquet_with_bare_bytes_and_one_without(
    tmp_path: Path, settings: Settings, picture: Picture
) -> None:
    pq.write_table(pa.table({"image": [picture(), None]}), tmp_path / "t.parquet")
    found = open_dataset(tmp_path / "t.parquet", settings)
    assert found.names == ["t/0"]
    assert found.records[0].read(Limits()) == picture()
    assert [problem.key for problem in found.problems] == ["row 1"]


def test_parquet_with_paths(tmp_path: Path, settings: Settings, picture: Picture) -> None:
    fill(tmp_path, picture, "a.jpg")
    made = pa.table({"file": ["a.jpg"], "label": [2], "vector": [[1.0, 2.0]], "ok": [True]})
    pq.write_table(made, tmp_path / "t.parquet")
    found = open_dataset(tmp_path / "t.parquet", settings, MIKELS8)
    assert found.labels == ["contentment"]
    assert found.metadata == {"ok": ["true"]}
    assert found.records[0].read(Limits()) == picture(seed=0)


# Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none", "none.csv", "a\0b", "x" * 5000, "~nobody/x"])
def test_nothing_at_the_path_is_told(tmp_path: Path, settings: Settings, name: str) -> None:
    with pytest.raises(TableError, match="There is no"):
        open_dataset(tmp_path / name, settings)


def test_empty_folder_is_told(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(TableError, match="holds no image"):
        open_dataset(tmp_path, settings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "has 2 columns, none of them of files; wanted: file"),
        ("", "has no rows"),
        ("file,label\n", "has no rows"),
        ("file,label\n,awe\n", "holds no image that can be used"),
        ("file\0,label\n", "no text table"),
    ],
)
def test_table_that_cannot_be_used_is_told(
    tmp_path: Path, settings: Settings, text: str, words: str
) -> None:
    with pytest.raises(TableError, match=words):
        open_dataset(table(tmp_path, text), settings)


def test_damaged_parquet_is_told(tmp_path: Path, settings: Settings) -> None:
    table(tmp_path, "PAR1 not really", "t.parquet")
    with pytest.raises(TableError, match="no readable Parquet"):
        open_dataset(tmp_path / "t.parquet", settings)


def test_missing_file_behind_a_table_costs_only_itself(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "a.jpg").touch()
    found = open_dataset(table(tmp_path, "file\nnone.jpg\na.jpg\n"), settings)
    assert found.names == ["a.jpg"]
    assert found.problems == (("line 2", "none.jpg: there is no such file"),)
