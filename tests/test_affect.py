"""Valence and arousal: scales turned to one, in tables and in the files of sets."""

from pathlib import Path

import pytest

from emoviz.data.affect import Scale, affect_columns
from emoviz.data.dataset_file import read_set, write_set
from emoviz.data.reading import read_labelled
from emoviz.errors import TableError


@pytest.mark.parametrize(
    ("scale", "text", "wanted"),
    [
        (Scale(1, 9), "1", -1),
        (Scale(1, 9), "5", 0),
        (Scale(1, 9), "7", 0.5),
        (Scale(0, 100), "25", -0.5),
        (Scale(-1, 1), "-0.3", -0.3),
        *((Scale(0, 9), text, None) for text in (" ", "n/a", "nan", "-")),
        (Scale(-1, 1), "n/a", None),
    ],
)
def test_scales_are_turned_to_one(scale: Scale, text: str, wanted: float | None) -> None:
    assert scale.turned(text, "valence") == (wanted if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize("text", ["10", "0.9", "-nan", "inf", "high"])
def test_what_is_not_on_the_scale_is_named(text: str) -> None:
    with pytest.raises(TableError, match="valence"):
        Scale(1, 9).turned(text, "valence")


def test_only_columns_that_name_their_scale_are_targets() -> None:
    found = affect_columns(["file", "valence", "Arousal (1-9)", "valence [0 to 100]", "dominance"])
    assert found == {
        "arousal": ("Arousal (1-9)", Scale(1, 9)),
        "valence": ("valence [0 to 100]", Scale(0, 100)),
    }
    with pytest.raises(TableError, match="names no scale"):
        affect_columns(["valence (9 to 1)"])


def test_tables_and_sets_keep_valence_and_arousal(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    for name in "abc":
        (tmp_path / f"{name}.jpg").touch()
    rows = "a.jpg,awe,7,painting\nb.jpg,fear,,\nc.jpg,fear,12,\n"
    table.write_text("file,label,valence (1 to 9),kind\n" + rows)
    item = read_labelled(table)
    assert [record.valence for record in item.records] == [0.5, None]
    assert [record.arousal for record in item.records] == [None, None]
    assert item.records[0].metadata == {"kind": "painting"}
    assert [place for place, _ in item.problems] == ["line 4"]
    write_set(tmp_path / "t.parquet", "t", item, {})
    again = read_set(tmp_path / "t.parquet")
    assert again is not None
    assert [record.valence for record in again.records] == [0.5, None]
    assert again.records[0].metadata == {"kind": "painting"}
