"""Tables of labelled images, as spreadsheets write them and as people spoil them."""

import contextlib
import csv
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emoviz.data.dataset import Dataset, Record, assign_splits, label_array, merge_labels
from emoviz.data.images import Limits
from emoviz.data.reading import parse_data_argument, read_labelled
from emoviz.errors import ImageError, TableError, TaxonomyError
from emoviz.labels import (
    EMOTION6,
    FER7,
    MIKELS8,
    SADNESS2,
    SENTIMENT2,
    TEXT2,
    WIKIART3,
    WIKIART20,
    Taxonomy,
    bridge_between,
    own_taxonomy,
)

Read = Callable[..., Dataset]
Picture = Callable[..., bytes]


def make_files(table: Path) -> None:
    """A file for each first cell of a table, as far as it can be a file's name."""
    for line in re.split(rb"[\r\n]+", table.read_bytes())[1:]:
        text = line.decode("utf-8" if b"\xc5" in line or line.isascii() else "cp1252", "replace")
        if len(text) > 1000:
            continue
        cell = next(csv.reader([text], delimiter=_mark(line)), [""])
        with contextlib.suppress(OSError, ValueError):
            file = table.parent / (cell or [""])[0]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


def _mark(line: bytes) -> str:
    return max(",;\t", key=lambda mark: line.count(mark.encode()))


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes a table and reads it: `read("file,label\\n...", taxonomy)`."""

    def read_text(content: str | bytes, taxonomy: Taxonomy | None = None) -> Dataset:
        path = tmp_path / "set.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        make_files(path)
        return read_labelled(path, taxonomy)

    return read_text


def labels_of(table: Dataset) -> list[str | None]:
    return [table.taxonomy.names[r.label] if r.label >= 0 else None for r in table.records]


def shares_of(table: Dataset) -> np.ndarray:
    return np.array([record.shares for record in table.records])


# Plain labels --------------------------------------------------------------------------------


def test_labels_paths_and_shares_of_a_plain_table(read: Read, tmp_path: Path) -> None:
    table = read("file,label\na.jpg,awe\nsub/b.jpg,sadness\n")
    assert table.taxonomy is MIKELS8
    assert [record.name for record in table.records] == ["a.jpg", "sub/b.jpg"]
    assert [record.path for record in table.records] == [tmp_path / "a.jpg", tmp_path / "sub/b.jpg"]
    assert label_array(table.records).tolist() == [1, 7]
    assert shares_of(table).tolist() == [[0, 1, 0, 0, 0, 0, 0, 0], [0] * 7 + [1]]
    assert not table.votes
    assert table.problems == ()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(read: Read, delimiter: str, newline: str) -> None:
    rows = [["file", "label", "artist"], ["a, b.jpg", "awe", "X; Y"], ["c.jpg", "fear", "Z"]]
    text = newline.join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    table = read(text, MIKELS8)
    assert [(r.name, r.group) for r in table.records] == [("a, b.jpg", "X; Y"), ("c.jpg", "Z")]


def test_byte_order_mark_is_no_part_of_the_first_column(read: Read) -> None:
    assert read(b"\xef\xbb\xbffile,label\na.jpg,awe\n").records[0].name == "a.jpg"


def test_western_european_table_is_read(read: Read) -> None:
    table = read("file,label,artist\ncafé.jpg,awe,Dürer – œuvre\n".encode("cp1252"))
    assert (table.records[0].name, table.records[0].group) == ("café.jpg", "Dürer – œuvre")


def test_columns_are_found_by_other_names_and_capitals(read: Read) -> None:
    table = read(" Image ,EMOTION,Source\na.jpg,Awe,S\n")
    assert (table.records[0].name, table.records[0].label, table.records[0].group) == (
        "a.jpg",
        1,
        "S",
    )


def test_labels_with_spaces_capitals_and_usual_spellings(read: Read) -> None:
    table = read("file,label\na,  AWE \nb,Sad\nc,angry\nd,aWe\n", MIKELS8)
    assert labels_of(table) == ["awe", "sadness", "anger", "awe"]
    assert labels_of(read("file,label\na,Other or  Mixed\n", WIKIART3)) == ["other or mixed"]


def test_unknown_labels_are_listed_with_their_line_and_the_rest_is_kept(read: Read) -> None:
    table = read("file,label\na.jpg,awe\nb.jpg,boredom\nc.jpg,fear\nd.jpg,\n", MIKELS8)
    assert labels_of(table) == ["awe", "fear", None]
    assert [line for line, _ in table.problems] == ["line 3"]
    assert table.problems[0][1] == (
        "its label is none of taxonomy 'mikels8': amusement, awe, contentment, excitement, anger, "
        "disgust, fear, sadness"
    )


def test_lines_are_counted_as_an_editor_counts_them(read: Read) -> None:
    text = 'file,label,note\n\na.jpg,awe,"two\nlines"\n\n\nb.jpg,boredom,\n'
    assert [line for line, _ in read(text, MIKELS8).problems] == ["line 7"]


def test_rows_with_too_few_or_too_many_cells(read: Read) -> None:
    table = read("file,label,artist\na.jpg\nb.jpg,awe\nc.jpg,fear,X,extra,cells\n,awe,X\n", MIKELS8)
    assert [(r.name, r.group, r.label) for r in table.records] == [
        *(("a.jpg", "a.jpg", -1), ("b.jpg", "b.jpg", 1), ("c.jpg", "X", 6))
    ]
    assert table.problems == (("line 5", "the row has no image"),)


def test_first_row_with_too_many_cells_hides_no_column(read: Read) -> None:
    assert len(read("file,label\na.jpg,awe,extra\nb.jpg,fear\n").records) == 2


def test_duplicate_rows_are_kept_and_stand_in_one_split(read: Read) -> None:
    table = read("file,label\na.jpg,awe\na.jpg,fear\n")
    assert len(table.records) == 2
    assert len({record.split for record in assign_splits(table.records)}) == 1


def test_taxonomy_is_the_smallest_that_holds_all_labels(read: Read) -> None:
    assert read("file,label\na,positive\nb,negative\n").taxonomy is SENTIMENT2
    assert read("file,label\na,joy\nb,Fear\n").taxonomy is EMOTION6
    assert read("file,label\na,awe\nb,fear\n").taxonomy is MIKELS8
    assert read("file,label\na,love\n").taxonomy.name == "wikiart20"


def test_taxonomy_is_found_by_other_spellings_where_no_names_fit(read: Read) -> None:
    assert read("file,label\na,angry\nb,neutral\n").taxonomy is FER7
    assert read("file,label\na,text_free\nb,text\n").taxonomy is TEXT2


def test_labels_of_no_taxonomy_make_one_of_their_own(read: Read) -> None:
    table = read("file,label\na,joy\nb,boredom\n")
    assert table.taxonomy.names == ("boredom", "joy")


@pytest.mark.parametrize("labels", [("0", "1"), ("1.0", "2.5"), ("True", "False"), ("yes", "no")])
def test_labels_that_are_no_words_are_asked_about(read: Read, labels: tuple[str, str]) -> None:
    text = f"file,label\na,{labels[0]}\nb,{labels[1]}\n"
    with pytest.raises(TableError, match=r"Say of which taxonomy they are.*mikels8"):
        read(text)


def test_numbers_in_a_text_table_are_labels_in_the_order_of_the_taxonomy(read: Read) -> None:
    assert labels_of(read("file,label\na,0\nb,7\nc,\n", MIKELS8)) == ["amusement", "sadness", None]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no rows; wanted: one for each image"),
        ("\n\n\n", "has no rows"),
        ("file,label\n", "has no rows"),
        ("file,mood\na,5\n", "has 2 columns, none of them of labels; wanted: file, and label"),
        ("name,label\na,awe\n", "has 2 columns, none of them of files; wanted: file"),
        ("file,label\na,boredom\nb,x\n", "holds no image that can be used.*line 2: its label"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" * 20, "has no labels"),
        (b"file,label\n" + b"a.jpg,awe\n" * 1000 + b"b\x00.jpg,awe\n", "no text table"),
        ('file,label\n"' + "x" * 200_000 + '",awe\n', "there is no such file"),
    ],
)
def test_table_that_cannot_be_used_says_why(read: Read, content: str | bytes, words: str) -> None:
    with pytest.raises(TableError, match=f"(?s){words}"):
        read(content, MIKELS8)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "none", "x" * 300])
def test_missing_table_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match="There is no"):
        read_labelled(tmp_path / name)


@pytest.mark.parametrize("seed", range(40))
def test_corrupted_table_gives_records_or_a_reason_and_nothing_else(read: Read, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = (
        b"file,label,p_joy,split,artist\n" + b'"a b.jpg",joy,0.5,train,X\nc.jpg,fear,1,test,Y\n' * 5
    )
    for _ in range(20):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            data[int(rng.integers(0, len(data)))] = int(rng.integers(0, 256))
        try:
            table = read(bytes(data), EMOTION6)
        except TableError:
            continue
        assert all(-1 <= record.label < 6 for record in table.records)


# Votes ---------------------------------------------------------------------------------------


def test_votes_give_shares_and_the_majority(read: Read) -> None:
    table = read("file,p_joy,p_fear,p_anger\na,0.6,0.3,0.1\nb,0,0.2,0.8\n", EMOTION6)
    assert table.votes
    assert labels_of(table) == ["joy", "anger"]
    anger, fear, joy = (EMOTION6.names.index(name) for name in ("anger", "fear", "joy"))
    shares = shares_of(table)
    assert shares[0][[anger, fear, joy]].tolist() == [0.1, 0.3, 0.6]
    assert shares.sum(axis=1).tolist() == pytest.approx([1.0, 1.0])


def test_majority_outside_the_taxonomy_is_no_label_but_its_votes_stay(read: Read) -> None:
    table = read("file,p_joy,p_neutral\na,0.4,0.6\nb,0.6,0.4\nc,0.5,0.5\nd,0,1\n")
    assert table.taxonomy.names == EMOTION6.names
    assert labels_of(table) == [None, "joy", "joy", None]  # a tie goes to the taxonomy
    assert shares_of(table)[:, 3].tolist() == [0.4, 0.6, 0.5, 0.0]


def test_answers_outside_are_compared_one_by_one_not_summed(read: Read) -> None:
    table = read("file,p_joy,p_neutral,p_boredom\na,0.4,0.3,0.3\n", EMOTION6)
    assert labels_of(table) == ["joy"]


def test_tied_votes_go_to_the_first_class_of_the_taxonomy(read: Read) -> None:
    table = read("file,p_sadness,p_fear\na,0.5,0.5\n", EMOTION6)
    assert labels_of(table) == ["fear"]


def test_row_without_votes_has_no_label(read: Read) -> None:
    table = read("file,p_joy,p_fear\na,,n/a\nb,0,nan\nc\nd,1,0\n", EMOTION6)
    assert labels_of(table) == [None, None, None, "joy"]


@pytest.mark.parametrize("share", ["-0.1", "1.1", "1_0", "inf", "many", "150%"])
def test_vote_that_is_no_share_is_refused_with_its_line(read: Read, share: str) -> None:
    table = read(f"file,p_joy,p_fear\na,{share},0\nb,1,0\n", EMOTION6)
    assert [record.name for record in table.records] == ["b"]
    ((line, reason),) = table.problems
    assert line == "line 2"
    assert "p_joy" in reason


def test_labels_win_over_votes(read: Read) -> None:
    table = read("file,label,p_joy\na,fear,1.0\n", EMOTION6)
    assert labels_of(table) == ["fear"]
    assert not table.votes


def test_bare_columns_of_all_labels_are_votes(read: Read) -> None:
    header = ",".join(WIKIART20.names)
    shares = ["0"] * 20
    shares[WIKIART20.index("sadness")], shares[WIKIART20.index("fear")] = "0.7", "0.6"
    table = read(f"file,year,{header}\na,1969,{','.join(shares)}\n")
    assert table.taxonomy is WIKIART20
    assert table.votes
    assert labels_of(table) == ["sadness"]
    assert shares_of(table).sum() == pytest.approx(1.3)  # people gave several answers


@pytest.mark.parametrize(
    ("header", "rows", "shares"),
    [
        ("joy,fear,anger", ("3,1,0", "0,2,2"), [[0.75, 0.25, 0], [0, 0.5, 0.5]]),
        ("Joy_votes,fear_votes,num_votes", ("3,1,4", "0,2,2"), [[0.75, 0.25], [0, 1]]),
        ("n joy,n fear,n faces,n something else", ("3,1,9,1", "1,1,9,3"), [[0.6, 0.2], [0.2, 0.2]]),
        ("votes_joy,votes_fear,votes_awed", ("3,1,1", "1,1,3"), [[0.6, 0.2], [0.2, 0.2]]),
        ("p_joy,p_fear", ("33.3,66.7", "100,0"), [[0.333, 0.667], [1, 0]]),
        ("label_joy,label_fear,label_by", ("True,False,Ona", "False,True,me"), [[1, 0], [0, 1]]),
        ("joy,fear,neutral", (".5,.3,.2", "0,.3,.7"), [[0.5, 0.3], [0, 0.3]]),
        ("joy_count,fear_count", ("2,2", ",0"), [[0.5, 0.5], [0, 0]]),
    ],
)
def test_columns_called_as_labels_are_votes_or_counts(
    read: Read, header: str, rows: tuple[str, str], shares: list[list[float]]
) -> None:
    table = read(f"file,{header}\na,{rows[0]}\nb,{rows[1]}\n")
    assert table.votes
    places = [table.taxonomy.index(name) for name in ("joy", "fear", "anger")[: len(shares[0])]]
    assert np.array(shares_of(table))[:, places] == pytest.approx(np.array(shares))
    assert ("each row was divided by its sum" in " ".join(table.notes)) == rows[0][0].isdigit()


@pytest.mark.parametrize("rows", ["joy,size\na,3,1", "joy,fear\na,much,little"])
@pytest.mark.parametrize("scores", ["3.5,1.2", "-3,1", "0.2,-0.1"])
def test_one_column_and_words_and_scores_are_no_votes(read: Read, rows: str, scores: str) -> None:
    for text in (rows, f"joy,fear\na,{scores}"):
        with pytest.raises(TableError, match="wanted: file, and label or vote shares"):
            read(f"file,{text}\n", EMOTION6)


def test_a_column_of_emotions_counts_before_votes_for_some_of_a_taxonomy(read: Read) -> None:
    table = read("file,top,happy,sad,neutral\na,happy,90,4,6\nb,neutral,1,1,98\n")
    assert (labels_of(table), table.votes) == (["happy", "neutral"], False)
    assert read("file,top,positive,negative\na,positive,.2,.8\n").votes


def test_votes_outside_the_wanted_taxonomy_are_in_the_sum(read: Read) -> None:
    table = read("file,joy,fear,anger\na,6,3,1\n", MIKELS8)
    assert shares_of(table)[0][[MIKELS8.index("fear"), MIKELS8.index("anger")]] == pytest.approx(
        [0.3, 0.1]
    )


def test_a_damaged_row_of_percentages_costs_no_other(read: Read) -> None:
    table = read("file,p_joy,p_fear\na,33.3,66.7\nb,many,50\nc,1e300,1\nd,20.5,79.5\n", EMOTION6)
    assert [line for line, _ in table.problems] == ["line 3", "line 4"]
    assert labels_of(table) == ["fear", "fear"]


def test_a_known_class_may_be_several_words_that_are_labels_too(read: Read) -> None:
    text = "file,label\na,joy | fear\nb,awe\n"
    assert labels_of(read(text, own_taxonomy("mine", ["joy | fear", "awe"]))) == [
        "joy | fear",
        "awe",
    ]


@pytest.mark.parametrize("row", ["b,-1,2", "b,many,2"])
def test_a_count_that_is_none_is_refused_with_its_line(read: Read, row: str) -> None:
    ((line, reason),) = read(f"file,joy,fear\na,3,1\n{row}\n", EMOTION6).problems
    assert (line, reason[:4]) == ("line 3", "joy ")


# Merged labels -------------------------------------------------------------------------------


def test_majority_is_taken_over_merged_labels(read: Read) -> None:
    text = (
        "file,p_anger,p_disgust,p_fear,p_joy,p_sadness,p_surprise,p_neutral\n"
        "spread,.1,.1,.1,.2,.4,.1,0\n"  # sadness leads, yet .6 went to others
        "sad,0,0,0,.3,.5,0,.2\n"
        "neutral,.1,.1,0,0,.2,0,.6\n"  # .2 each within, .6 outside
        "close,.1,.1,.1,.1,0,.1,.5\n"  # .5 on either side of the taxonomy
        "even,.1,.1,.1,.1,.5,.1,0\n"  # .5 against .5: the first
        "none,0,0,0,0,0,0,0\n"
    )
    table = read(text, EMOTION6)
    assert labels_of(table) == ["sadness", "sadness", None, None, "sadness", None]
    merged = merge_labels(table, bridge_between(SADNESS2, EMOTION6))
    assert merged.taxonomy.names == ("others", "sadness")
    assert labels_of(merged) == ["others", "sadness", None, "others", "others", None]
    by_hand = [[0.6, 0.4], [0.3, 0.5], [0.2, 0.2], [0.5, 0], [0.5, 0.5], [0, 0]]
    np.testing.assert_allclose(shares_of(merged), by_hand)
    assert merged.votes
    assert [record.name for record in merged.records] == [r.name for r in table.records]


def test_plain_labels_are_merged_too(read: Read) -> None:
    table = read("file,label\na,awe\nb,sadness\nc,fear\n", MIKELS8)
    merged = merge_labels(table, bridge_between(SADNESS2, MIKELS8))
    assert labels_of(merged) == ["others", "sadness", "others"]
    assert shares_of(merged).tolist() == [[1, 0], [0, 1], [1, 0]]


def test_set_whose_labels_the_model_can_tell_apart_stays_as_it_is(read: Read) -> None:
    table = read("file,label\na,joy\nb,sadness\n", EMOTION6)
    assert merge_labels(table, bridge_between(MIKELS8, EMOTION6)) is table


# Parquet -------------------------------------------------------------------------------------


@pytest.fixture
def parquet(tmp_path: Path) -> Read:
    """Writes columns as a Parquet file and reads it: `parquet({"label": ["awe"]}, taxonomy)`."""

    def read_columns(
        columns: dict[str, list[Any]],
        taxonomy: Taxonomy | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Dataset:
        table = pa.table(columns)
        if metadata is not None:
            table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
        pq.write_table(table, tmp_path / "faces.parquet")
        return read_labelled(tmp_path / "faces.parquet", taxonomy)

    return read_columns


def test_images_inside_a_parquet_file(parquet: Read, picture: Picture, tmp_path: Path) -> None:
    pictures = [picture(seed=i) for i in range(11)]
    table = parquet({"label": ["angry", *["happy"] * 9, "neutral"], "image": pictures})
    assert table.taxonomy is FER7
    assert labels_of(table) == ["anger", *["happy"] * 9, "neutral"]
    assert [record.name for record in table.records][::5] == ["faces/00", "faces/05", "faces/10"]
    assert [record.read(Limits()) for record in table.records] == pictures
    assert {record.path for record in table.records} == {tmp_path / "faces.parquet"}
    assert "content" not in repr(table.records[0])


def test_records_are_compared_by_name_and_place_not_by_content() -> None:
    one = Record("a", Path("t.parquet"), 0, (1.0,), "a", content=b"x" * 1000)
    assert one == Record("a", Path("t.parquet"), 0, (1.0,), "a")
    assert hash(one) == hash(Record("a", Path("t.parquet"), 0, (1.0,), "a"))


def test_struct_of_bytes_and_path(parquet: Read, picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "b.jpg").write_bytes(picture(seed=2))
    images = [
        {"bytes": picture(seed=1), "path": "a.jpg"},
        {"bytes": None, "path": "b.jpg"},
        {"bytes": picture(seed=3), "path": None},
        {"bytes": None, "path": None},
        None,
        {"bytes": b"", "path": None},
    ]
    table = parquet({"image": images, "label": ["awe"] * 6})
    assert [record.name for record in table.records] == ["a.jpg", "b.jpg", "faces/2"]
    assert [r.read(Limits()) for r in table.records] == [picture(seed=i) for i in (1, 2, 3)]
    assert table.problems == tuple((f"row {i}", "the row has no image") for i in (3, 4, 5))


def test_parquet_file_of_files_with_groups_and_splits(
    parquet: Read, picture: Picture, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    columns = {"file": ["a.jpg", "b.jpg"], "emotion": ["Awe", "fear"]}
    more = {"artist": ["Monet", None], "split": ["val", None], "embedding": [[0.1], [0.2]]}
    (tmp_path / "b.jpg").touch()
    first, second = parquet(columns | more).records
    assert (first.path, first.group, first.split) == (tmp_path / "a.jpg", "Monet", "validation")
    assert (second.group, second.split, second.content) == ("b.jpg", None, None)
    assert first.read(Limits()) == picture()
    with pytest.raises(ImageError, match="empty"):
        second.read(Limits())


def test_file_column_names_the_images_inside(parquet: Read, picture: Picture) -> None:
    table = parquet({"file": ["x/a.jpg"], "image": [picture()], "label": ["awe"]})
    assert table.records[0].name == "x/a.jpg"
    assert table.records[0].read(Limits()) == picture()


def test_numbers_are_labels_in_the_order_of_the_taxonomy(parquet: Read, picture: Picture) -> None:
    columns = {"label": [0, 6, 7, -1, None], "image": [picture()] * 5}
    table = parquet(columns, FER7)
    assert labels_of(table) == ["anger", "surprise", None]
    assert [place for place, _ in table.problems] == ["row 2", "row 3"]
    assert "its label is none of taxonomy 'fer7': anger," in table.problems[0][1]
    with pytest.raises(TableError, match=r"labels of .* are numbers\. Say of which taxonomy"):
        parquet(columns)


def test_names_that_the_file_gives_to_its_numbers_win(parquet: Read, picture: Picture) -> None:
    """FER2013 as the Hugging Face hub has it is not in the alphabet's order."""
    names = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    metadata = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    columns = {"label": [0, 4, 6], "image": [picture()] * 3}
    for taxonomy in (None, FER7):
        assert labels_of(parquet(columns, taxonomy, metadata)) == ["anger", "sad", "neutral"]


def test_votes_of_a_parquet_file(parquet: Read, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).touch()
    table = parquet({"file": ["a", "b"], "p_joy": [0.6, None], "p_fear": [0.4, 1.5]}, EMOTION6)
    assert labels_of(table) == ["joy"]
    assert table.problems == (("row 1", "p_fear is not a share between 0 and 1"),)


def test_rows_of_the_wrong_kind_are_refused_with_their_number(parquet: Read) -> None:
    with pytest.raises(TableError, match="First: row 0: there is no"):
        parquet({"image": [3, 4], "label": ["awe", "fear"]}, MIKELS8)
    with pytest.raises(
        TableError, match="has 1 column, none of them of labels; wanted: file, and label"
    ):
        parquet({"file": ["a"], "label": [{"word": "awe"}]}, MIKELS8)


def test_parquet_file_without_the_columns_is_told(parquet: Read) -> None:
    with pytest.raises(TableError, match="has 2 columns, none of them of labels"):
        parquet({"image": [b"x"], "mood": ["good"]})


@pytest.mark.parametrize("data", [b"", b"PAR1", b"file,label\na,awe\n", b"PAR1" + b"x" * 99])
def test_file_that_is_no_parquet_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "set.Parquet"
    path.write_bytes(data)
    with pytest.raises(TableError, match=r"set\.Parquet' is no readable Parquet file: "):
        read_labelled(path)


@pytest.mark.parametrize("seed", range(20))
def test_corrupted_parquet_gives_records_or_a_reason_and_nothing_else(
    tmp_path: Path, picture: Picture, seed: int
) -> None:
    path = tmp_path / "set.parquet"
    images = [{"bytes": picture(seed=i), "path": f"{i}"} for i in range(4)]
    labels = ["awe", "fear", "awe", "anger"]
    pq.write_table(pa.table({"image": images, "label": labels}), path)
    whole, rng = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(10):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            # the images' bytes fill most of the file; its tables stand at the end
            place = len(data) - 1 - int(rng.integers(0, 1200))
            data[place] = int(rng.integers(0, 256))
        path.write_bytes(bytes(data[: len(data) - int(rng.integers(0, 2)) * 7]))
        try:
            table = read_labelled(path, MIKELS8)
        except TableError:
            continue
        assert all(0 <= record.label < 8 for record in table.records)


# Folders of classes --------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of empty files: `folder("awe/a.jpg", "fear/b.png")`."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "set"

    return make


def test_sub_folders_are_classes(folder: Callable[..., Path]) -> None:
    root = folder("Awe/b.jpg", "Awe/a.PNG", "fear/deep/c.webp", "fear/notes.txt", "fear/.d.jpg")
    table = read_labelled(root)
    assert table.taxonomy is MIKELS8
    assert [record.name for record in table.records] == [
        "Awe/a.PNG",
        "Awe/b.jpg",
        "fear/deep/c.webp",
    ]
    assert labels_of(table) == ["awe", "awe", "fear"]
    assert table.records[0].path == root / "Awe" / "a.PNG"
    assert {record.split for record in table.records} == {None}
    assert not table.votes
    assert table.name == "set"


def test_split_folders_above_the_classes_are_splits(folder: Callable[..., Path]) -> None:
    table = read_labelled(
        folder("train/awe/a.jpg", "val/awe/b.jpg", "Test/fear/c.jpg", "fear/d.jpg")
    )
    found = {record.name: record.split for record in table.records}
    assert found == {
        "train/awe/a.jpg": "train",
        "val/awe/b.jpg": "validation",
        "Test/fear/c.jpg": "test",
        "fear/d.jpg": None,
    }


def test_images_of_unknown_sub_folders_are_told(folder: Callable[..., Path]) -> None:
    names = [f"boredom/{i}.jpg" for i in range(2)]
    table = read_labelled(folder("awe/a.jpg", "stray.jpg", "train/x.jpg", *names), MIKELS8)
    assert labels_of(table) == ["awe"]
    assert [place for place, _ in table.problems] == ["stray.jpg", *names, "train/x.jpg"]
    assert "'boredom' is no label of taxonomy 'mikels8'" in table.problems[1][1]
    assert table.unknown == {"boredom": 2}


def test_classes_of_no_taxonomy_make_one_of_their_own(folder: Callable[..., Path]) -> None:
    table = read_labelled(folder("awe/a.jpg", "boredom/b.jpg"))
    assert table.taxonomy.names == ("awe", "boredom")
    assert labels_of(table) == ["awe", "boredom"]


def test_folder_without_images_is_told(folder: Callable[..., Path]) -> None:
    with pytest.raises(TableError, match=r"has no labels\. Wanted: one folder a class.*awe/a\.txt"):
        read_labelled(folder("awe/a.txt"))


def test_text_and_no_text(folder: Callable[..., Path]) -> None:
    table = read_labelled(folder("no_text/a.jpg", "text/b.jpg"), likely=MIKELS8)
    assert table.taxonomy is TEXT2
    assert labels_of(table) == ["no text", "text"]


# Splits --------------------------------------------------------------------------------------


def records(*groups: str) -> list[Record]:
    return [Record(f"{i}.jpg", Path(f"{i}.jpg"), 0, (1.0,), g) for i, g in enumerate(groups)]


def test_splits_are_those_of_the_hashes_computed_by_hand() -> None:
    """First 8 digits of sha256("0/<group>"), over 2^32: below 0.15 test, below 0.25 validation.

    e.g. `printf 0/monet | sha256sum` begins 3ccab1a9, and 0x3ccab1a9 / 2**32 = 0.2375.
    """
    groups = ("a.jpg", "c.jpg", "monet", "van gogh", "picasso")  # .9701 .0321 .2375 .0909 .1936
    wanted = ["train", "test", "validation", "test", "validation"]
    assert [record.split for record in assign_splits(records(*groups))] == wanted


def test_another_seed_and_other_shares_give_another_split() -> None:
    groups = ("a.jpg", "monet", "van gogh", "e.jpg")  # with seed 1: .4528 .0929 .9550 .0839
    assert [r.split for r in assign_splits(records(*groups), seed=1)] == [
        "train",
        "test",
        "train",
        "test",
    ]
    halves = assign_splits(records(*groups), validation=0.4, test=0.09, seed=1)
    assert [r.split for r in halves] == ["validation", "validation", "train", "test"]


def test_group_never_stands_in_two_splits_and_keeps_its_split_when_the_table_grows() -> None:
    groups = [f"artist {i % 60}" for i in range(600)]
    split = {r.group: r.split for r in assign_splits(records(*groups))}
    assert all(split[r.group] == r.split for r in assign_splits(records(*groups)))
    grown = assign_splits(records(*groups, *(f"new {i}" for i in range(50))))
    assert all(split.get(r.group, r.split) == r.split for r in grown)


def test_shares_of_the_splits_are_about_those_asked_for() -> None:
    found = [r.split for r in assign_splits(records(*(f"g{i}" for i in range(4000))), 0.1, 0.15)]
    assert found.count("test") / 4000 == pytest.approx(0.15, abs=0.02)
    assert found.count("validation") / 4000 == pytest.approx(0.10, abs=0.02)


def test_split_of_the_table_stands_and_the_rest_is_assigned(read: Read) -> None:
    text = "file,label,split\na,awe,Test\nb,awe,val\nc,awe,dev\nd,awe,TRAIN\ne,awe,\nf,awe,valid\n"
    table = read(text, MIKELS8)
    wanted = ["test", "validation", "validation", "train", None, "validation"]
    assert [record.split for record in table.records] == wanted
    assigned = assign_splits(table.records)
    assert [r.split for r, w in zip(assigned, wanted, strict=True) if w] == [w for w in wanted if w]
    assert assigned[4].split is not None
    assert [record.name for record in table.of_split("validation")] == ["b", "c", "f"]


def test_artists_of_a_table_are_its_groups(read: Read) -> None:
    rows = [f"{i}.jpg,awe,artist {i % 7}" for i in range(70)]
    table = read("file,label,artist\n" + "\n".join(rows))
    assigned = assign_splits(table.records, 0.2, 0.3)
    for _, same in itertools.groupby(sorted(assigned, key=lambda r: r.group), lambda r: r.group):
        assert len({record.split for record in same}) == 1


# Command line --------------------------------------------------------------------------------


def test_data_argument_may_say_its_taxonomy() -> None:
    assert parse_data_argument("mikels8=a/b.csv") == (MIKELS8, Path("a/b.csv"))
    assert parse_data_argument("a/b.csv") == (None, Path("a/b.csv"))
    assert parse_data_argument("dir/x=y.csv") == (None, Path("dir/x=y.csv"))
    with pytest.raises(TaxonomyError, match="no taxonomy 'plutchik'"):
        parse_data_argument("plutchik=a.csv")


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("val", "validation"),
        ("TEST", "test"),
        ("", None),
    ],
)
def test_split_words_are_understood(read: Read, word: str, split: str | None) -> None:
    (record,) = read(f"file,label,split\na.jpg,awe,{word}\n".encode()).records
    assert record.split == split


def test_an_unknown_split_is_refused_and_not_guessed(read: Read) -> None:
    table = read(b"file,label,split\na.jpg,awe,holdout\nb.jpg,awe,train\n")
    assert [record.name for record in table.records] == ["b.jpg"]
    assert "its split is none that is known" in table.problems[0][1]
