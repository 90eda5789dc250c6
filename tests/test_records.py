"""Tables of labelled images, as spreadsheets write them and as people spoil them."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emoviz.data.records import (
    LabelledSet,
    Record,
    assign_splits,
    label_array,
    parse_data_argument,
    read_table,
    share_matrix,
)
from emoviz.errors import TableError, TaxonomyError
from emoviz.labels import EMOTION6, MIKELS8, SENTIMENT2, WIKIART3, Taxonomy

Read = Callable[..., LabelledSet]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes a table and reads it: `read("file,label\\n...", taxonomy)`."""

    def read_text(content: str | bytes, taxonomy: Taxonomy | None = None) -> LabelledSet:
        path = tmp_path / "set.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path, taxonomy)

    return read_text


def labels_of(table: LabelledSet) -> list[str | None]:
    return [table.taxonomy.names[r.label] if r.label >= 0 else None for r in table.records]


# Plain labels --------------------------------------------------------------------------------


def test_labels_paths_and_shares_of_a_plain_table(read: Read, tmp_path: Path) -> None:
    table = read("file,label\na.jpg,awe\nsub/b.jpg,sadness\n")
    assert table.taxonomy is MIKELS8
    assert [record.name for record in table.records] == ["a.jpg", "sub/b.jpg"]
    assert [record.path for record in table.records] == [tmp_path / "a.jpg", tmp_path / "sub/b.jpg"]
    assert label_array(table.records).tolist() == [1, 7]
    assert share_matrix(table.records).tolist() == [[0, 1, 0, 0, 0, 0, 0, 0], [0] * 7 + [1]]
    assert not table.votes
    assert table.refused == ()


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
    assert labels_of(table) == ["awe", "fear"]
    assert [line for line, _ in table.refused] == ["line 3", "line 5"]
    assert "'boredom' is no label of taxonomy 'mikels8'" in table.refused[0][1]


def test_lines_are_counted_as_an_editor_counts_them(read: Read) -> None:
    text = 'file,label,note\n\na.jpg,awe,"two\nlines"\n\n\nb.jpg,boredom,\n'
    assert [line for line, _ in read(text, MIKELS8).refused] == ["line 7"]


def test_rows_with_too_few_or_too_many_cells(read: Read) -> None:
    table = read("file,label,artist\na.jpg\nb.jpg,awe\nc.jpg,fear,X,extra,cells\n,awe,X\n", MIKELS8)
    assert [(r.name, r.group) for r in table.records] == [("b.jpg", "b.jpg"), ("c.jpg", "X")]
    assert [line for line, _ in table.refused] == ["line 2", "line 5"]
    assert table.refused[1][1] == "the row names no file"


def test_first_row_with_too_many_cells_hides_no_column(read: Read) -> None:
    assert len(read("file,label\na.jpg,awe,extra\nb.jpg,fear\n").records) == 2


def test_duplicate_rows_are_kept_and_stand_in_one_split(read: Read) -> None:
    table = read("file,label\n" + "a.jpg,awe\na.jpg,fear\n" * 3)
    assert len(table.records) == 6
    assert len({record.split for record in assign_splits(table.records)}) == 1


def test_taxonomy_is_the_smallest_that_holds_all_labels(read: Read) -> None:
    assert read("file,label\na,positive\nb,negative\n").taxonomy is SENTIMENT2
    assert read("file,label\na,joy\nb,Fear\n").taxonomy is EMOTION6
    assert read("file,label\na,awe\nb,fear\n").taxonomy is MIKELS8
    assert read("file,label\na,love\n").taxonomy.name == "wikiart20"


def test_labels_of_no_taxonomy_are_told_with_the_choice(read: Read) -> None:
    with pytest.raises(TableError, match=r"boredom, joy\) are not all of one.*mikels8, emotion6"):
        read("file,label\na,joy\nb,boredom\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", r"has the columns \(none\); wanted: file, and label"),
        ("\n\n\n", r"has the columns \(none\)"),
        ("file,label\n", "no row that can be used"),
        ("file,mood\na,awe\n", "has the columns file, mood; wanted: file, and label"),
        ("name,label\na,awe\n", "has the columns name, label; wanted: file"),
        ("file,label\na,boredom\nb,x\n", r"no row that can be used.*line 2.*'boredom'"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" * 20, "no text table"),
        ("file,label\na,awe\n".encode("utf-16"), "no text table"),
        (b"file,label\n" + b"a.jpg,awe\n" * 1000 + b"b\x00.jpg,awe\n", "no text table"),
        ('file,label\n"' + "x" * 200_000 + '",awe\n', "no readable table"),
    ],
)
def test_table_that_cannot_be_used_says_why(read: Read, content: str | bytes, words: str) -> None:
    with pytest.raises(TableError, match=f"(?s){words}"):
        read(content, MIKELS8)


def test_missing_table_and_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="No such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(TableError, match="directory"):
        read_table(tmp_path)


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
    shares = share_matrix(table.records)
    assert shares[0][[anger, fear, joy]].tolist() == [0.1, 0.3, 0.6]
    assert shares.sum(axis=1).tolist() == pytest.approx([1.0, 1.0])


def test_majority_outside_the_taxonomy_is_no_label_but_its_votes_stay(read: Read) -> None:
    table = read("file,p_joy,p_neutral\na,0.4,0.6\nb,0.6,0.4\nc,0.5,0.5\nd,0,1\n")
    assert table.taxonomy.names == EMOTION6.names
    assert labels_of(table) == [None, "joy", "joy", None]  # a tie goes to the taxonomy
    assert share_matrix(table.records)[:, 3].tolist() == [0.4, 0.6, 0.5, 0.0]


def test_answers_outside_are_compared_one_by_one_not_summed(read: Read) -> None:
    table = read("file,p_joy,p_neutral,p_boredom\na,0.4,0.3,0.3\n", EMOTION6)
    assert labels_of(table) == ["joy"]


def test_tied_votes_go_to_the_first_class_of_the_taxonomy(read: Read) -> None:
    table = read("file,p_sadness,p_fear\na,0.5,0.5\n", EMOTION6)
    assert labels_of(table) == ["fear"]


def test_row_without_votes_has_no_label(read: Read) -> None:
    table = read("file,p_joy,p_fear\na,,\nb,0,0\nc\nd,1,0\n", EMOTION6)
    assert labels_of(table) == [None, None, None, "joy"]


@pytest.mark.parametrize("share", ["-0.1", "1.1", "nan", "inf", "many", "50%"])
def test_vote_that_is_no_share_is_refused_with_its_line(read: Read, share: str) -> None:
    table = read(f"file,p_joy,p_fear\na,{share},0\nb,1,0\n", EMOTION6)
    assert [record.name for record in table.records] == ["b"]
    ((line, reason),) = table.refused
    assert line == "line 2"
    assert "p_joy" in reason


def test_labels_win_over_votes(read: Read) -> None:
    table = read("file,label,p_joy\na,fear,1.0\n", EMOTION6)
    assert labels_of(table) == ["fear"]
    assert not table.votes


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
    assert "split is 'holdout'" in table.refused[0][1]
