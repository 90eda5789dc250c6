"""One door: what people have, in every shape they have it in, gives one answer whoever asks.

Each kind of place is opened as all that learns and measures opens it (with labels) and as all
else does (without); found = taken + problems in either.
"""

import gzip
import json
import os
import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emoviz.cli import main
from emoviz.data import parquet_files
from emoviz.data.cells import by_number, number
from emoviz.data.dataset import Dataset, Problem, Record, majority
from emoviz.data.dataset_file import write_set
from emoviz.data.images import Limits
from emoviz.data.importers import Item
from emoviz.data.importers.artworks import read_artworks
from emoviz.data.importers.registry import bring_in
from emoviz.data.named_files import Members
from emoviz.data.reading import (
    expand,
    open_dataset,
    open_holder,
)
from emoviz.data.sources import member_names
from emoviz.data.structure import read_structure
from emoviz.data.tables import read_table
from emoviz.errors import ImageError, TableError
from emoviz.labels import FER7, MIKELS8
from emoviz.settings import Settings

Picture = Callable[..., bytes]
SETTINGS = Settings()
NAMES = ("images/a.jpg", "images/b.jpg", "images/c.jpg")
LABELS = ("joy", "fear", "joy")


def counts(found: Dataset) -> dict[str, int]:
    """Class -> images."""
    return dict(Counter(label for label in found.labels if label))


def both(place: Path) -> Dataset:
    """A place with its labels, once it is sure that whoever does without them finds as much."""
    with_labels = open_dataset(place, SETTINGS, labelled=True)
    without = open_dataset(place, SETTINGS)
    total = len(with_labels) + len(with_labels.problems)
    assert total == len(without) + len(without.problems)
    assert with_labels.notes[: len(without.notes)] == without.notes
    return with_labels


# Tables ------------------------------------------------------------------------------------------


@pytest.fixture
def make(tmp_path: Path, picture: Picture) -> Callable[..., Path]:
    """Images, and a table of some bytes beside them."""

    def write(content: bytes | str, name: str = "t.csv", files: tuple[str, ...] = NAMES) -> Path:
        for seed, file in enumerate(files):
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(size=(8, 8), seed=seed))
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def rows(delimiter: str = ",", header: str = "file{}label", end: str = "\n") -> str:
    lines = (f"{name}{delimiter}{label}" for name, label in zip(NAMES, LABELS, strict=True))
    return end.join([header.format(delimiter), *lines, ""])


@pytest.mark.parametrize(
    "content",
    [
        rows(),
        "\ufeff" + rows(),
        rows(";"),
        rows("\t", end="\r\n"),
        rows("|"),
        rows(end="\r"),
        "sep=;\n" + rows(";"),
        '"sep=,"\r\n' + rows(),
        rows("\t").encode("utf-16"),
        rows().encode("utf-16-le"),
        rows(";").encode("utf-16-be"),
        rows(header='"file"{}"label"'),
        rows(";", header='"file";"label"'),
        rows(header="file_name{}label"),
        rows(header="File Path{}Emotion"),
        rows(header="img{}class"),
        rows(header="Bild{}label"),
        rows(header="image_url{}label"),
        rows().replace("/", "\\"),
        rows().replace("images/a.jpg", "IMAGES/A.JPG"),
        rows().replace("images/", "./images//"),
        rows().replace("images/", "C:\\Users\\me\\set\\images\\"),
        rows().replace("images/", "/home/somebody/set/images/"),
        "\n\n" + rows() + "\n\n",
        ",file,label\n" + "\n".join(f"{i},{row}" for i, row in enumerate(rows().split()[1:])),
        "Unnamed: 0,file,label\n" + "\n".join(f"0,{row}" for row in rows().split()[1:]),
        rows().replace("joy", '"Joy"').replace("fear", " FEAR "),
        'file,label,title\n' + "".join(
            f'{n},{w},"a\nline, ""so"""\n' for n, w in zip(NAMES, LABELS, strict=True)
        ),
        "# made by hand, 2020\n#\n" + rows(),
        "# " + rows(),
        rows(header="#,file{}label").replace("\nimages", "\n1,images"),
        rows().partition("\n")[2],
        rows(header="file{}what it evokes"),
        rows().replace("/a.jpg", "/%61.jpg"),
        rows().replace(".jpg", ""),
        rows().replace(",label", ", label").replace(",joy", ', "joy"').replace(",fear", ', "fear"'),
        rows().encode() + b"\x1a\0\0",
        rows(header="file{}label{}".replace("{}", ",")).replace("joy\n", "joy,\n"),
        rows(" "),
        "Emotions of 2020\n\n" + rows(),
        "Emotions of 2020,\n,\n" + rows(header="Image ID{}Emotion"),
        rows(header="file{}label{}emotion".replace("{}", ",")).replace(",joy", ",1,joy").replace(
            ",fear", ",2,fear"
        ),
        "title,file,label\n"
        + "".join(f'"a\nb.jpg, so",{n},{w}\n' for n, w in zip(NAMES, LABELS, strict=True)),
        rows("  ").partition("\n")[2].replace("\n", "  \n"),
        rows(header="'file'{}'label'").replace("images", "'images").replace(",", "',").replace(
            ",joy", ",'joy'").replace(",fear", ",'fear'"),
        "file, label, size\n" + "".join(
            f"'images\\{n[-5:]}', '{w}', 3\n" for n, w in zip(NAMES, LABELS, strict=True)),
        "file;label;title\n" + "".join(
            f"'{n}';'{w}';'L''art; \"so\"'\n" for n, w in zip(NAMES, LABELS, strict=True)),
        rows(";").replace(";joy", ";['joy']").replace(";fear", ';["fear"]'),
        rows("\t").replace("\tjoy", "\t('joy',)").replace("\tfear", "\t[ fear ]"),
        rows().replace("images/", ""),
        rows(header="{}label"),
        '"file";"label";"title, artist, year, place"\n'
        + "".join(f"{n};{w};x\n" for n, w in zip(NAMES, LABELS, strict=True)),
        rows(";").replace("file;label", "file,label"),
        '"file"\t"label"\n' + rows().partition("\n")[2],
        gzip.compress(rows().encode(), mtime=0),
        rows().replace("images/", "set/images/"),
        rows().replace("images/", "set/").replace(".jpg", ".PNG"),
        rows().replace("images/", "images,").replace("file,", "folder,file,"),
        rows(header="id{}label"),
        "\u200b" + rows().replace("images/a", "images/a\u200b"),
    ],
)  # fmt: skip
def test_tables_as_people_have_them(make: Callable[..., Path], content: bytes | str) -> None:
    found = both(make(content))
    assert counts(found) == {"joy": 2, "fear": 1}
    assert found.problems == ()
    assert [record.read(Limits())[:2] for record in found.records] == [b"\xff\xd8"] * 3


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1257", ("šuo 0.jpg", "ąžuolas.jpg", "ėė.jpg")),
        ("cp1251", ("собака.jpg", "Ёжик.jpg", "мир.jpg")),
        ("cp1253", ("σκύλος.jpg", "ά.jpg", "ψ.jpg")),
        ("cp932", ("犬.jpg", "表示.jpg", "猫.jpg")),
        ("gb18030", ("狗.jpg", "猫咪.jpg", "鸟.jpg")),
        ("cp1252", ("Zürich.jpg", "œuvre.jpg", "ñ.jpg")),
        ("mac_roman", ("Zürich.jpg", "œuvre.jpg", "ñ.jpg")),
        ("koi8_r", ("собака.jpg", "ёжик.jpg", "мир.jpg")),
        ("iso8859_2", ("żółw.jpg", "łąka.jpg", "źdźbło.jpg")),
        ("iso8859_5", ("собака.jpg", "ёжик.jpg", "мир.jpg")),
        ("euc_jp", ("犬.jpg", "表示.jpg", "猫.jpg")),
    ],
)
def test_that_code_page_is_taken_under_which_the_files_exist(
    make: Callable[..., Path], encoding: str, names: tuple[str, ...]
) -> None:
    text = "file;label;note\n" + "".join(f"{n};{w};x\n" for n, w in zip(names, LABELS, strict=True))
    found = both(make(text.encode(encoding), files=names))
    assert [record.name for record in found.records] == list(names)
    assert "under which the files exist" in found.notes[0]


@pytest.mark.parametrize(
    ("encoding", "titles"),
    [
        (
            "cp1251",
            ("Чюрлёнис, художник и композитор", "Малевич Казимир", "Кандинский Василий"),
        ),
        (
            "cp1257",
            ("Čiurlionis, Jūros sonata", "Žmuidzinavičius, Jūra", "Ąžuolai prie kelio"),
        ),
        ("cp1252", ("Käthe Kollwitz", "Albrecht Dürer, Hände", "Bäume im Frühling")),
        ("cp932", ("葛飾北斎 神奈川沖浪裏", "喜多川歌麿、ビードロを吹く娘", "歌川広重")),
    ],
)
def test_letters_say_the_code_page_where_no_file_does(
    make: Callable[..., Path], encoding: str, titles: tuple[str, ...]
) -> None:
    text = rows(header="file{}label{}artist".replace("{}", ",")).split("\n")
    lines = [text[0], *(f'{line},"{title}"' for line, title in zip(text[1:4], titles, strict=True))]
    found = both(make("\n".join(lines).encode(encoding)))
    assert [record.metadata["artist"] for record in found.records] == list(titles)
    assert "which its letters look like" in found.notes[0]


@pytest.mark.parametrize("before", ["", "a" * 320, "a" * 321])
@pytest.mark.parametrize(
    ("encoding", "title"),
    [("cp1257", "Čiurlionis: ąžuolai prie jūros " * 12), ("shift_jis", "神奈川沖浪裏" * 26)],
)
def test_letters_of_long_lines_say_the_code_page(
    make: Callable[..., Path], encoding: str, title: str, before: str
) -> None:
    text = f"file,description,artist\nimages/a.jpg,{before},{title}\n"
    found = open_dataset(make(text.encode(encoding)), SETTINGS)
    assert found.records[0].metadata["artist"] == title.strip()
    assert "which its letters look like" in found.notes[0]


def test_of_pages_under_which_files_exist_that_of_far_letters_counts(
    make: Callable[..., Path],
) -> None:
    """A file named in ASCII and one letter exists under several pages."""
    text = f"description,artist,file\n{'a' * 320},Čiurlionis,Jūra.png\n"
    found = open_dataset(make(text.encode("cp1257"), files=("Jūra.png",)), SETTINGS)
    assert [record.name for record in found.records] == ["Jūra.png"]
    assert found.records[0].metadata["artist"] == "Čiurlionis"
    assert "read as cp1257, under which the files exist" in found.notes[0]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_one_damaged_byte_costs_one_letter(make: Callable[..., Path], mark: str) -> None:
    whole = (mark + "file,label,artist\nimages/a.jpg,joy,Čiurlionis – ąžuolas\n").encode()
    found = both(make(whole + b"images/b.jpg,fear,D\xfcrer\n"))
    assert [record.metadata["artist"] for record in found.records] == [
        *("Čiurlionis – ąžuolas", "D\ufffdrer")
    ]
    assert "1 damaged byte(s), the first in line 3" in found.notes[0]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_may_be_composed_otherwise(make: Callable[..., Path], form: Any) -> None:
    name = "Žuvis ąčę.jpg"
    other = "NFD" if form == "NFC" else "NFC"
    text = f"file,label\n{unicodedata.normalize(form, name)},joy\n"
    found = both(make(text, files=(unicodedata.normalize(other, name),)))
    assert found.records[0].read(Limits())


def test_a_name_that_two_files_fit_is_told(make: Callable[..., Path]) -> None:
    table = make("file,label\nA.JPG,joy\na.jpg,fear\n", files=("a.jpg", "A.jpg"))
    found = both(table)
    assert counts(found) == {"fear": 1}
    assert found.problems == (("line 2", "A.JPG: there is no such file"),)


@pytest.mark.parametrize("word", ["", " ", "nan", "NaN", "N/A", "None", "null", "#N/A"])
def test_words_for_nothing_are_no_label(make: Callable[..., Path], word: str) -> None:
    found = both(make(rows().replace("fear", word)))
    assert (len(found), counts(found)) == (3, {"joy": 2})


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ('file,title\na, "Sunrise, by Monet"\nb, "a, ""b"""', ["Sunrise, by Monet", 'a, "b"']),
        ('file,title\n "a","Sunrise ""over"" it"\n "b" ,x', ['Sunrise "over" it', "x"]),
        ('file,title\na, "open, by Monet\nb, "Moon"', ['"open', "Moon"]),
        ('file\ttitle\na\t "Sunrise" over, the sea\nb\t "x', ['"Sunrise" over, the sea', '"x']),
        ('file,title\na, "x"\nb,"y, """", ""z"""', ["x", 'y, "", "z"']),
    ],
)
def test_spaces_before_quoted_cells(tmp_path: Path, table: str, column: list[str]) -> None:
    (tmp_path / "t.csv").write_text(table + "\n")
    cells = [row for _, row in read_table(tmp_path / "t.csv").rows()]
    assert cells == [{"file": a, "title": b} for a, b in zip("ab", column, strict=True)]


def test_spaces_before_quoted_cells_may_come_late(tmp_path: Path) -> None:
    rows = "".join(f"{i},x\n" for i in range(20_000))
    (tmp_path / "t.csv").write_text(f'file,title\n{rows}a, "Sunrise, by Monet"\n')
    assert read_table(tmp_path / "t.csv").columns["title"][-1] == "Sunrise, by Monet"


@pytest.mark.parametrize(
    "text",
    [
        "file name\nmy photo.jpg\n",
        "my a.jpg\nhis b.jpg\n",
        "Image File\nStarry Night.jpg\nMona Lisa.jpg\n",
        "image path\na.jpg b.jpg\n",
        "old photo\nStarry Night.jpg\n",
        "file label\na.jpg awe\nc.jpg very sad\n",
    ],
)
def test_blanks_in_names_separate_no_cells(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    assert len(read_table(tmp_path / "t.csv").columns) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('file,label\na.jpg,"joy\nb.jpg,fear\nc.jpg,joy\n', 4),
        ('file,label,title\na.jpg,joy,"A\nb.jpg,fear,"B"\nc.jpg,joy,"C"\n', 3),
    ],
)
def test_a_quote_that_is_open_swallows_no_rows(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TableError, match=f"line {line}: a cell ends here that holds whole lines"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "note",
    [
        '"Compare:\nb.jpg, c.jpg, d.jpg"',
        '"Study.\nSee also, b.jpg"',
        '"A ""study"".\nb.jpg,joy,c.jpg"',
        '"Open at the end\nSee also, b.jpg',
    ],
)
def test_notes_of_several_lines_are_no_open_quote(tmp_path: Path, note: str) -> None:
    for before in ("", "a.jpg,awe,x\n"):
        (tmp_path / "t.csv").write_text(f"file,label,notes\n{before}b.jpg,joy,{note}\n")
        assert read_table(tmp_path / "t.csv").columns["label"][-1] == "joy"
    (tmp_path / "t.csv").write_text(f"file,notes\nb.jpg,{note}\n")
    if note.endswith('"'):
        assert read_table(tmp_path / "t.csv").count == 1


@pytest.mark.parametrize(
    "text", ["picture name,,\n,artwork\n,emotion\na.jpg,x,awe\n", "my photo,,\na.jpg,x,joy\n"]
)
def test_names_of_columns_are_no_title(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    table = read_table(tmp_path / "t.csv")
    assert list(table.columns) == [text.partition(",")[0]]
    assert not table.notes


@pytest.mark.parametrize("other", ["works", "photo_path"])
def test_an_id_names_images_where_nothing_else_does(make: Callable[..., Path], other: str) -> None:
    files = ("1.jpg", "2.jpg", "3.jpg")
    found = both(make(f"image_id,{other},label\n1,3.jpg,awe\n17,2.jpg,fear\n", files=files))
    assert [record.name for record in found.records] == ["3.jpg", "2.jpg"]
    assert len(both(make("image_id,label\n1,awe\n", files=files))) == 1


def test_an_id_that_two_files_might_be_is_none(
    make: Callable[..., Path], tmp_path: Path, picture: Picture
) -> None:
    files = ("1.jpg", "1.png", "2.jpg", "3.jpg")
    place = make("image_id,label\n1,awe\n2,joy\n3,joy\n", files=files)
    assert both(place).problems == (("line 2", "there is no such file"),)
    assert both(tmp_path).problems[:1] == (("t.csv, line 2", "it names no image here"),)


def test_ends_of_names_are_found_as_quickly_as_names(tmp_path: Path) -> None:
    names = [f"set/{i}/image.jpg" for i in range(30_000)]
    files, began = Members(tmp_path, names), time.process_time()
    assert [files.locate(f"{i}/image") for i in range(3)] == [tmp_path / x for x in names[:3]]
    assert all(files.locate(f"{i}\\IMAGE.jpg") for i in range(0, 30_000, 30))
    assert files.locate("image.jpg") is None
    assert time.process_time() - began < 5


def test_windows_pages_come_before_those_of_dos(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("fichier;émotion\na.jpg;joy\n".encode("cp1252"))
    assert list(read_table(tmp_path / "t.csv").columns) == ["fichier", "émotion"]


def test_a_cell_with_several_labels_is_told_and_not_guessed(make: Callable[..., Path]) -> None:
    for several in ('["joy", "fear"]', "joy | fear", "joy, fear"):
        found = both(make(rows(";").replace(";fear", f";{several}")))
        assert counts(found) == {"joy": 2}
        assert [(key, why.split(";")[0]) for key, why in found.problems] == [
            ("line 3", "it has several labels")
        ]
    pairs = zip(NAMES, LABELS, strict=True)
    lines = "\n".join(json.dumps({"file": name, "labels": [label]}) for name, label in pairs)
    assert counts(both(make(lines, "t.jsonl"))) == {"joy": 2, "fear": 1}
    lists = pa.table({"file": NAMES, "labels": [[label] for label in LABELS]})
    pq.write_table(lists, make("").with_name("t.parquet"))
    assert counts(both(make("").with_name("t.parquet"))) == {"joy": 2, "fear": 1}


@pytest.mark.parametrize("address", ["ftp://a.org/", "S3://set/images/", "data:image/png;base64,"])
def test_an_address_of_another_kind_is_told_as_such(
    make: Callable[..., Path], tmp_path: Path, address: str
) -> None:
    found = both(make(f"file,label\n{NAMES[0]},joy\n{address}b.jpg,joy\n"))
    ((_, why),) = found.problems
    assert why.endswith("only addresses that begin with http:// or https:// are read")
    make(f"file,label\na.jpg,joy\nb.jpg,joy\n{address}c.jpg,joy\n")
    problems = dict(both(tmp_path).problems)
    assert "it names no image here" in problems["t.csv, line 4"]


def test_votes_outside_and_folders_in_cells_are_no_trouble_for_collections(
    make: Callable[..., Path],
) -> None:
    lines = "file;p_joy;p_fear;p_Neutral\nimages/a.jpg;0,2;0,1;70 %\n./;1;0;0\n"
    work, problem = read_artworks(make(lines), SETTINGS)
    assert isinstance(work, Item)
    assert dict(work.shares)["Neutral"] == 0.7
    assert problem == Problem("line 3", "the row has no image")


def test_lines_of_json_are_a_table(make: Callable[..., Path]) -> None:
    pairs = zip(NAMES, LABELS, strict=True)
    lines = [json.dumps({"file_name": n, "label": w, "size": [8, 8], "n": 1}) for n, w in pairs]
    found = both(make("\n".join([*lines, "", json.dumps({"file_name": None})]), name="t.jsonl"))
    assert counts(found) == {"joy": 2, "fear": 1}
    assert found.records[0].metadata == {"n": "1"}
    assert found.problems == (("line 5", "the row has no image"),)
    for text in ("[1]", '{"file": ', "[" * 100_000):
        with pytest.raises(TableError, match="line 2: it is no object of JSON"):
            read_table(make(f"\n{text}\n", name="t.jsonl"))
    table = read_table(
        make('{" file ": "a", "b": true}\n{"b": [1], "c": "\\ud800"}', name="t.jsonl")
    )
    assert table.columns == {"file": ["a", ""], "b": ["true", ""], "c": ["", "?"]}
    with pytest.raises(TableError, match="two columns called 'file'"):
        both(make('{"file": "a.jpg", "file": "b.jpg", "label": "joy"}', name="t.jsonl"))


PAIRS = tuple(zip(NAMES, LABELS, strict=True))


@pytest.mark.parametrize(
    "document",
    [
        [{"file": name, "label": label} for name, label in PAIRS],
        {"about": "mine", "data": [{"image": name, "emotion": label} for name, label in PAIRS]},
        dict(PAIRS),
        {name: {"label": label, "size": [8, 8]} for name, label in PAIRS},
        {"file": NAMES, "label": LABELS},
        {"file": dict(enumerate(NAMES)), "label": dict(enumerate(LABELS))},
        {"columns": ["file", "label"], "data": PAIRS},
        {"joy": [NAMES[0], NAMES[2]], "fear": [NAMES[1]]},
        [["file", "label"], *PAIRS],
        [[label, name] for name, label in PAIRS],
    ],
)
@pytest.mark.parametrize("name", ["t.json", "t.jsonl.gz"])
def test_a_document_of_rows_is_a_table(make: Callable[..., Path], document: Any, name: str) -> None:
    text = json.dumps(document, indent=1).encode("utf-8-sig")
    found = both(make(gzip.compress(text) if name.endswith("gz") else text, name))
    assert counts(found) == {"joy": 2, "fear": 1}
    assert not found.problems


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.json", b"[]", "holds no rows; wanted: a list of objects"),
        ("t.json", b'["a.jpg"]', "holds no rows; wanted: a list of objects"),
        ("t.csv", b"PK\x03\x04", "is no table: it is a ZIP archive or an office document"),
        ("t.csv", b"\xd0\xcf\x11\xe0", "save the sheet as CSV"),
        ("t.csv", b"<!DOCTYPE html>", "is no table: it is a web page"),
        ("t.csv", b"version https://git-lfs.github.com/spec/v1", "fetch the file itself"),
        ("t.csv.gz", gzip.compress(rows().encode(), mtime=0)[:-9], "damaged or cut short"),
        ("t.csv.gz", gzip.compress(b"a" * 30_000_000, mtime=0), "far more than a text would"),
        ("t.jpg.gz", gzip.compress(b"\xff\xd8\xff", mtime=0), "it is packed by gzip; unpack it"),
        ("t.tar", b"a.jpg".ljust(257, b"\0") + b"ustar", "a tar archive; unpack it"),
        ("t.7z", b"7z\xbc\xaf\x27\x1c", "packed by 7z; unpack it"),
        ("t.zip", b"Rar!\x1a\x07", "it is no ZIP, but packed by RAR"),
    ],
)
def test_what_is_no_table_is_told_by_its_bytes(
    make: Callable[..., Path], name: str, content: bytes, words: str
) -> None:
    with pytest.raises(TableError, match=words):
        open_dataset(make(content, name), SETTINGS)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("file,is_joy,is_fear\n{n},1,0\n", (1.0, 0.0)),
        ("file,joy (n),fear (n)\n{n},6,2\n", (0.75, 0.25)),
        ("file;joy %;fear %\n{n};75;25\n", (0.75, 0.25)),
        ("file\tjoy_votes\tfear_votes\tvotes\n{n}\t6\t2\t8\n", (0.75, 0.25)),
        ("file,rater_1,rater_2,rater_3,rater_4\n{n},joy,joy,fear,joy\n", (0.75, 0.25)),
        ("file,emotion\n{n},joy\n{n},joy\n{n},fear\n{n},joy\n", (0.75, 0.25)),
        ("file,label\n{n},joy\n{n},\n{n},something else\n{n},joy\n", (2 / 3, 0)),
    ],
)
def test_votes_are_counted_however_they_are_written(
    make: Callable[..., Path], text: str, shares: tuple[float, float]
) -> None:
    header, _, lines = text.partition("\n")
    found = both(make("\n".join([header, *(lines.format(n=name) for name in NAMES)])))
    names = [found.taxonomy.index(name) for name in ("joy", "fear")]
    assert [[record.shares[i] for i in names] for record in found.records] == [
        pytest.approx(shares)
    ] * 3
    assert found.votes


@pytest.mark.parametrize(
    "text",
    [
        "file,label\n{n},joy\n{n},fear\n{n},sadness\n",  # tags
        "file,label,caption\n{n},joy,x\n{n},joy,y\n{n},joy,z\n",
        "file,label,x\n{n},cat,1\n{n},dog,2\n{n},cat,3\n",
        "file,label\n{n},joy\nimages/a.jpg,joy\nimages/a.jpg,fear\nimages/a.jpg,joy\n",
        "file,emotion1,emotion2,emotion3\n{n},joy,fear,sadness\n",  # from the first on
        "file,label,prob_joy,prob_fear\n{n},joy,.2,.8\n",
    ],
)
def test_rows_and_columns_that_are_no_votes(make: Callable[..., Path], text: str) -> None:
    header, _, lines = text.partition("\n")
    body = "".join(lines.format(n=name) for name in NAMES)
    found = both(make(f"{header}\n{body}"))
    assert (len(found), found.votes) == (body.count("\n"), False)
    with pytest.raises(TableError, match="none of them of labels"):
        both(make("file,prob_joy,prob_fear\nimages/a.jpg,.2,.8\n"))


def test_votes_of_a_row_each_have_the_mean_of_their_valences(make: Callable[..., Path]) -> None:
    three = zip(("joy", "joy", "fear"), (9, 7, 2), strict=True)
    lines = [f"{name},{label},{value}\n" for label, value in three for name in NAMES]
    found = both(make("file,label,valence (1 to 9)\n" + "".join(lines)))
    assert [record.valence for record in found.records] == [pytest.approx(0.25)] * 3


@pytest.mark.parametrize(
    ("table", "files"),
    [
        ("a.jpg b.jpg", ("sub/a.jpg", "b.jpg", "images/b.jpg")),  # one is there: none elsewhere
        ("a.jpg b.jpg c.jpg d.jpg e.jpg", ("sub/x.jpg", "a.jpg", "sub/deep/b.jpg")),  # too few
        ("a.jpg", ("sub/.thumbnails/a.jpg", "sub/__MACOSX/a.jpg")),
        ("a.tif a.jpg", ("sub/a.jpg",)),
        ("1.jpg 01.jpg", ("sub/01.jpg",)),
        ("a.jpg", ("sub/a/x.jpg",)),
    ],
)
def test_no_other_file_is_taken_for_an_image(
    make: Callable[..., Path], table: str, files: tuple[str, ...]
) -> None:
    text = "file,label\n" + "".join(f"{name},joy\n" for name in table.split())
    place = make(text, "sub/t.csv", files)
    exact = [name for name in table.split() if (place.parent / name).is_file()]
    if not exact:
        with pytest.raises(TableError, match="there is no such file"):
            open_dataset(place, SETTINGS)
    else:
        assert [record.name for record in both(place).records] == exact


def test_images_around_a_tables_folder_are_told(make: Callable[..., Path]) -> None:
    text = rows().replace("images/", "")
    (note,) = both(make(text, "sub/t.csv", (*NAMES, "sub/x.jpg"))).notes
    assert "'../images/a.jpg' was taken in the place of 'a.jpg'" in note


@pytest.mark.parametrize("names", ["set/images/", "C:\\me\\images\\", "/home/me/images/"])
def test_images_that_are_not_where_a_table_has_them_are_told(
    make: Callable[..., Path], names: str
) -> None:
    (note,) = both(make(rows().replace("images/", names))).notes
    assert f"'images/a.jpg' was taken in the place of '{names}a.jpg'" in note
    assert not both(make(rows().replace("images/", "./IMAGES//"))).notes


def test_rows_without_an_image_make_no_class(make: Callable[..., Path]) -> None:
    found = both(make(rows() + "file,label\nTotal,3\n"))
    assert (counts(found), found.taxonomy.name) == ({"joy": 2, "fear": 1}, "emotion6")
    assert len(found.problems) == 2


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("t.jsonl", {"file": NAMES[0], "label": "joy", "regions": [{"x": 1}, {"x": 2}]}),
        ("t.json", {"annotations": [{"id": 1}, {"id": 2}], "images": [{"file_name": NAMES[0]}]}),
    ],
)
def test_what_names_images_is_the_rows_of_a_document(
    make: Callable[..., Path], name: str, document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make(json.dumps(document), name)
    assert [record.name for record in open_dataset(place, SETTINGS).records] == [NAMES[0]]
    monkeypatch.setattr("emoviz.data.json_tables._MOST_JSON", 8)
    with pytest.raises(TableError, match="a document of JSON above 0 MB; write an object a line"):
        read_table(make(json.dumps([document]), name))


def test_what_is_no_row_among_lists_is_told(make: Callable[..., Path]) -> None:
    document = [["file", "label"], [NAMES[0], "joy"], "awe"]
    with pytest.raises(TableError, match="entry 2: it is no object of JSON"):
        read_table(make(json.dumps(document), "t.json"))


def test_lines_of_json_with_names_of_their_own_are_refused(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoviz.data.json_tables._MOST_CELLS", 8)
    text = "\n".join(json.dumps({f"name {i}": i}) for i in range(9))
    with pytest.raises(TableError, match="has 3 names in its first 3 rows; at most 8 cells"):
        read_table(make(text, name="t.jsonl"))


def test_numbers_are_labels_where_no_known_words_stand_beside_them(
    make: Callable[..., Path],
) -> None:
    lines = zip(NAMES, ("0,oil", "1,print", "0,oil"), strict=True)
    place = make("file,label,class\n" + "".join(f"{name},{rest}\n" for name, rest in lines))
    found = open_dataset(place, SETTINGS, taxonomy=MIKELS8, labelled=True)
    assert counts(found) == {MIKELS8.names[0]: 2, MIKELS8.names[1]: 1}
    with pytest.raises(TableError, match="are numbers"):
        both(place)


def test_words_in_quotation_marks_keep_a_table_quick(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoviz.data.tables._Text.by_csv", None)
    text = rows().replace("joy", '"a title, ""word"" and more"')
    assert read_table(make(text)).columns["label"][0] == 'a title, "word" and more'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        *(("0.75", 0.75), ("0,75", 0.75), ("75 %", 0.75), ("75\u00a0%", 0.75), (" -1e-3", -0.001)),
        *(("1.234,5", 1234.5), ("1,234.5", 1234.5), ("1 234", 1234)),
        *(("1\u202f234\u202f567,5", 1234567.5), ("1.234.567,8", 1234567.8)),
        *(("1,234", 1.234), ("1.234", 1.234)),
        *((text, None) for text in ("", " ", "n/a", "NaN", "-", "?")),
        *((text, "no") for text in ("inf", "-nan", "1e999", "1_000", "1 2", "12 34", "1,234,567")),
        *((text, "no") for text in ("1.2.3", "1234 567", "0.123,4", "1.234,567.8", "many", "%")),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(text: str, wanted: Any) -> None:
    if wanted == "no":
        with pytest.raises(TableError, match="seconds is not a number"):
            number(text, "seconds")
    else:
        assert number(text, "seconds") == wanted


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_shares_with_decimal_commas_and_percent_signs(
    make: Callable[..., Path], delimiter: str
) -> None:
    lines = ("file,p_joy,p_fear", "images/a.jpg,0#75,0#25", "images/b.jpg,30 %,70%")
    lines += ("images/c.jpg,1,",)
    text = "\n".join(line.replace(",", delimiter).replace("#", ",") for line in lines)
    found = both(make(text))
    assert found.labels == ["joy", "fear", "joy"]
    assert sorted(found.records[0].shares, reverse=True)[:2] == [0.75, 0.25]


@pytest.mark.parametrize("name", ["label", "file", "p_joy"])
def test_two_columns_of_one_name_are_told_by_name(make: Callable[..., Path], name: str) -> None:
    header = {"label": "file,label,label", "file": "file,file,label", "p_joy": "file,p_joy,p_joy"}
    table = make(f"{header[name]}\nimages/a.jpg,1,1\n")
    for labelled in (True, False):
        with pytest.raises(TableError, match=f"two columns called '{name}'"):
            open_dataset(table, SETTINGS, labelled=labelled)


def test_a_repeated_column_of_no_weight_is_read_once(make: Callable[..., Path]) -> None:
    found = both(make("file,label,note,note\nimages/a.jpg,joy,x,y\n"))
    assert found.records[0].metadata == {"note": "x"}


def test_problems_of_every_kind_have_their_line(make: Callable[..., Path]) -> None:
    text = (
        'file,label,split\nimages/a.jpg,joy,train\ngone.jpg,joy,\n,joy,\n'
        'images/b.jpg,joy,holdout\n"images/c.jpg",fear,\n'
    )  # fmt: skip
    found = both(make(text))
    assert dict(found.problems) == {
        "line 3": "gone.jpg: there is no such file",
        "line 4": "the row has no image",
        "line 5": "its split is none that is known; wanted: train, validation or test",
    }
    assert len(found) == 2


def test_a_table_of_very_many_columns_is_refused_at_once(tmp_path: Path) -> None:
    header = ",".join(["file", "label", *(f"c{i}" for i in range(200_000))])
    (tmp_path / "wide.csv").write_text(header + "\n" + ",".join(["a"] * 200_002) + "\n")
    began = time.process_time()
    for labelled in (True, False):
        with pytest.raises(TableError, match="200,002 columns; at most 5,000"):
            open_dataset(tmp_path / "wide.csv", SETTINGS, labelled=labelled)
    assert time.process_time() - began < 5
    pq.write_table(pa.table({f"c{i}": [1] for i in range(6000)}), tmp_path / "wide.parquet")
    with pytest.raises(TableError, match="6,000 columns"):
        open_dataset(tmp_path / "wide.parquet", SETTINGS)


def test_deeply_nested_metadata_of_a_parquet_file_is_no_trouble(make: Callable[..., Path]) -> None:
    path = make("", "t.parquet")
    deep = "[" * 100_000
    for key in ("huggingface", "emoviz_set"):
        table = pa.table({"file": ["images/a.jpg"], "label": ["joy"]})
        pq.write_table(table.replace_schema_metadata({key: deep}), path)
        if key == "huggingface":
            assert counts(open_dataset(path, SETTINGS, labelled=True)) == {"joy": 1}
            continue
        with pytest.raises(TableError, match="cannot be read"):
            open_dataset(path, SETTINGS, labelled=True)


def test_images_that_unpack_to_far_more_than_their_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoviz.data.parquet_files._SMALL", 100_000)
    images = [b"\xff\xd8" + bytes(1_000_000)] * 20
    table = pa.table({"image": images, "label": ["awe"] * 20})
    pq.write_table(table, tmp_path / "bomb.parquet", compression="zstd")
    assert (tmp_path / "bomb.parquet").stat().st_size < 100_000
    with pytest.raises(TableError, match="far more than"):
        open_dataset(tmp_path / "bomb.parquet", SETTINGS, labelled=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1", "fear"),
        ("01", "fear"),
        ("1.0", "fear"),
        ("2", "2"),
        ("-1", "-1"),
        ("\u00b2", "\u00b2"),  # a digit, and no number
        ("9" * 5000, "9" * 5000),
    ],
)
def test_labels_by_their_numbers(text: str, name: str) -> None:
    assert by_number(text, ("joy", "fear")) == name


BOMBS = {
    "text": lambda n: pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(n, np.int32)), pa.array(["x" * 100_000])
    ),
    "list": lambda n: pa.array([["y" * 100_000] * 10] * (n // 10)),
    "fixed": lambda n: pa.array([b"z" * 100_000] * n, pa.binary(100_000)),
    "number": lambda n: pa.array(np.zeros(1_000_000, np.int64)),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_value_that_is_repeated_counts_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """7 KB took 20 GB in the server's process."""
    monkeypatch.setattr(parquet_files, "_SMALL", 1_000_000)
    path, column = tmp_path / "bomb.parquet", BOMBS[kind](1000)
    table = {"file": pa.array(["a.jpg"] * len(column)), "label": column}
    pq.write_table(pa.table(table), path, compression="zstd")
    assert path.stat().st_size < 20_000
    with parquet_files.opened_parquet(path) as file:
        for read in (file.read, lambda: list(file.batches(64))):
            with pytest.raises(TableError, match="far more than it holds"):
                read()
    if kind in ("text", "number"):
        with pytest.raises(TableError, match="far more than it holds"):
            open_dataset(path, SETTINGS)


def test_a_set_that_was_sent_names_no_files_of_this_machine(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    """Whoever writes such a file writes any path into it; what lies inside is theirs."""
    secret, home = tmp_path / "secret.jpg", tmp_path / "home"
    secret.write_bytes(picture())
    shares = (1.0, *[0.0] * 7)
    outside = Record("secret", secret, label=0, shares=shares)
    inside = Record("own", tmp_path / "x", label=0, shares=shares, content=picture())
    sent = home / "sent" / "set.parquet"
    sent.parent.mkdir(parents=True)
    write_set(sent, "t", Dataset("t", MIKELS8, (outside, inside)), {})
    own = replace(SETTINGS, home=home)
    found = open_dataset(sent, own, sent=True)
    assert [record.name for record in found.records] == ["own"]
    assert [problem.key for problem in found.problems] == ["secret"]
    assert len(open_dataset(sent, own)) == 2
    limited = replace(SETTINGS, home=tmp_path / "other", paths=str(tmp_path / "home"))
    assert [record.name for record in open_dataset(sent, limited).records] == ["own"]


def test_a_link_in_a_published_set_leads_out_of_no_open_folder(
    tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    for name in ("secret.jpg", "open/a.jpg"):
        (tmp_path / name).write_bytes(picture())
    (folder / "b.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "labels.csv").write_text("file,sentiment\na.jpg,positive\nb.jpg,negative\n")
    limited = replace(SETTINGS, home=tmp_path / "home", paths=str(folder))
    assert len(bring_in("sentiment", folder, settings=SETTINGS)) == 2
    found = bring_in("sentiment", folder, settings=limited)
    assert [record.name for record in found.records] == ["a.jpg"]
    assert "outside" in found.problems[0].reason


@pytest.mark.parametrize("labelled", [True, False])
def test_a_sent_table_with_images_inside_names_no_files_beside_them(
    tmp_path: Path, picture: Callable[..., bytes], labelled: bool
) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(picture())
    image = [{"bytes": picture(), "path": "a.jpg"}, {"bytes": None, "path": str(secret)}]
    path = tmp_path / "sent.parquet"
    pq.write_table(pa.table({"image": image, "label": ["joy", "fear"]}), path)
    found = open_dataset(path, SETTINGS, labelled=labelled, sent=True)
    assert len(found) == 1
    assert "sent" in found.problems[0].reason
    assert len(open_dataset(path, SETTINGS, labelled=labelled)) == 2


def test_one_rule_for_the_majority_and_for_ties() -> None:
    shares = np.array([[0.5, 0.5], [0.2, 0.3], [0.0, 0.0], [0.1 + 0.2, 0.3], [0.4, 0.1]])
    outside = np.array([0.0, 0.4, 0.0, 0.0, 0.4])
    assert majority(shares, outside).tolist() == [0, -1, -1, 0, 0]


# Folders and ZIPs --------------------------------------------------------------------------------

CLASSES = {"joy": 2, "fear": 2}
BASE = tuple(f"{label}/{i}.jpg" for label in CLASSES for i in range(2))
_SPLITS = ("Train", "val", "Train", "val")
STRUCTURES: dict[str, tuple[str, ...]] = {
    "plain": BASE,
    "a wrapper": tuple(f"set/{name}" for name in BASE),
    "three wrappers": tuple(f"my data/set/images/{name}" for name in BASE),
    "readme and litter": (
        *(f"set/{name}" for name in BASE),
        *("set/README.txt", "set/.DS_Store", "set/Thumbs.db", "set/joy/desktop.ini"),
        *("__MACOSX/set/joy/._0.jpg", "$RECYCLE.BIN/set/0.jpg", "set/~$README.docx"),
    ),
    "an image beside": (*(f"set/{name}" for name in BASE), "set/cover.jpg"),
    "splits": ("train/joy/0.jpg", "train/fear/0.jpg", "test/joy/1.jpg", "test/fear/1.jpg"),
    "splits below": tuple(f"s/{split}/{name}" for split, name in zip(_SPLITS, BASE, strict=True)),
    "splits above a wrapper": tuple(f"train/images/{name}" for name in BASE),
    "splits inside classes": tuple(
        name.replace("/", f"/{split}/") for split, name in zip(_SPLITS, BASE, strict=True)
    ),
    "classes below kinds": tuple(
        f"{kind}/{name}" for kind, name in zip(("photos", "art") * 2, BASE, strict=True)
    ),
    "splits below kinds": tuple(
        f"{kind}/{name}" for kind, name in zip(("photos/train", "art/test") * 2, BASE, strict=True)
    ),
    "backslashes": tuple(name.replace("/", "\\") for name in BASE),
    "a wrapper and backslashes": tuple(f"set\\{name}".replace("/", "\\") for name in BASE),
}  # fmt: skip


@pytest.fixture(params=["folder", "zip"])
def put(request: pytest.FixtureRequest, tmp_path: Path, picture: Picture) -> Callable[..., Path]:
    """Files as a folder, and as a ZIP."""

    def put_files(images: tuple[str, ...], **content: str | bytes) -> Path:
        names = (*images, *content)

        def data(name: str) -> str | bytes:
            given = picture(size=(8, 8)) if name.endswith(".jpg") else b"no image"
            return content.get(name, given)

        if request.param == "folder":
            for name in names:
                path = tmp_path / "place" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                held = data(name)
                path.write_bytes(held if isinstance(held, bytes) else held.encode())
            return tmp_path / "place"
        with zipfile.ZipFile(tmp_path / "place.zip", "w") as archive:
            for name in names:
                info = zipfile.ZipInfo()
                info.filename = name
                archive.writestr(info, data(name))
        return tmp_path / "place.zip"

    return put_files


@pytest.fixture
def opened(put: Callable[..., Path]) -> Callable[..., Dataset]:
    """Such a place, opened."""
    return lambda images, **content: both(put(images, **content))


@pytest.mark.parametrize("kind", STRUCTURES)
def test_classes_are_found_however_deep(opened: Callable[..., Dataset], kind: str) -> None:
    found = opened(STRUCTURES[kind])
    assert counts(found) == CLASSES
    splits = {record.split for record in found.records}
    assert (splits != {None}) == kind.startswith("splits")
    told = {"readme and litter": {"set/README.txt"}, "an image beside": {"set/cover.jpg"}}
    assert {key for key, _ in found.problems} == told.get(kind, set())
    assert all(record.read(Limits())[:2] == b"\xff\xd8" for record in found.records)


def test_the_other_reading_is_named_and_can_be_had(tmp_path: Path, picture: Picture) -> None:
    for name in ("set/cubism/a.jpg", "set/fauvism/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture(size=(8, 8)))
    found = open_dataset(tmp_path, SETTINGS, labelled=True)
    assert counts(found) == {"cubism": 1, "fauvism": 1}
    assert found.notes == (
        "'set' was taken for a folder around the classes (cubism, fauvism). To take 'set' as a "
        "class instead, take folder level 1.",
    )
    assert counts(open_dataset(tmp_path, SETTINGS, labelled=True, level=1)) == {"set": 2}


def test_one_class_alone_is_a_class() -> None:
    assert [label for label, _ in read_structure([("joy",)] * 3).places] == ["joy"] * 3
    assert [label for label, _ in read_structure([("set", "joy")] * 3).places] == ["joy"] * 3
    assert [label for label, _ in read_structure([("cats",)] * 2).places] == ["cats"] * 2


@pytest.mark.parametrize(
    ("folders", "places"),
    [
        ("cats/x/test dogs/y", [("cats", None), ("dogs", None)]),
        ("cats/test cats/other dogs/other", [("cats", None), ("cats", None), ("dogs", None)]),
        (
            "monet/train monet/awe rembrandt/awe",
            [("monet", None), ("monet", None), ("rembrandt", None)],
        ),
        ("cats cats/test dogs/train", [("cats", None), ("cats", "test"), ("dogs", "train")]),
        ("photos/joy/train art/joy/test", [("joy", "train"), ("joy", "test")]),
        ("train/train/cats test/test/dogs", [("cats", "train"), ("dogs", "test")]),
        (
            "positive negative test/positive notes",
            [("positive", None), ("negative", None), ("positive", "test"), ("", None)],
        ),
    ],
)
def test_a_split_below_classes_has_no_other_folder_beside_it(
    folders: str, places: list[tuple[str, str | None]]
) -> None:
    assert read_structure([tuple(above.split("/")) for above in folders.split()]).places == places


def test_a_folder_beside_splits_is_told_as_such(opened: Callable[..., Dataset]) -> None:
    found = opened(("train/cats/1.jpg", "test/cats/2.jpg", "dogs/3.jpg", "test/4.jpg", "5.jpg"))
    assert counts(found) == {"cats": 2}
    assert dict(found.problems) == {
        "dogs/3.jpg": "its folder is no class of the splits",
        "test/4.jpg": "it lies in no folder of a class",
        "5.jpg": "it lies in no folder of a class",
    }


# A table beside its images ----------------------------------------------------------------------

BESIDE = tuple(f"images/{i}.jpg" for i in range(3))
NAMED = "file,label,artist\n0.jpg,joy,Ona\n1.jpg,fear,\n2.jpg,joy,Jonas\n"


@pytest.mark.parametrize(
    ("files", "tables"),
    [
        (BESIDE, {"labels.csv": NAMED}),
        (BESIDE, {"images/labels.csv": NAMED}),
        (BESIDE, {"annotations/labels.tsv": NAMED.replace(",", "\t")}),
        (BESIDE, {"labels.csv.gz": gzip.compress(NAMED.encode(), mtime=0)}),
        (BESIDE, {"labels.json": json.dumps(dict(zip(BESIDE, LABELS, strict=True)))}),
        (BESIDE, {"labels.csv": NAMED.replace("\n", "\nset/images/", 3)}),
        (
            tuple(f"images/Cubism/{i:03}.jpg" for i in range(3)),
            {
                "labels.csv": NAMED.replace(".jpg", "")
                .replace("\n", "\nCubism,", 3)
                .replace("file", "art_style,painting")
            },
        ),
        (BESIDE, {"labels.csv": NAMED.replace(".jpg", "").replace("file", "image_id")}),
        (BESIDE, {"labels.csv": NAMED, "README.txt": "file, label", "metadata.csv": "a,b\n1,2\n"}),
        (BESIDE, {"labels.csv": NAMED, "works.csv": "file,title\n0.jpg,A\n1.jpg,B\n2.jpg,C\n"}),
        (tuple(f"set/{name}" for name in BESIDE), {"set/labels.csv": NAMED}),
        (tuple(f"set/{name}" for name in BESIDE), {"labels.csv": NAMED}),
        (
            ("0.jpg", "1.jpg", "2.jpg"),
            {"labels.txt": NAMED.replace(",\n", ",-\n").replace(",", " ")},
        ),
        (("0.jpg", "1.jpg", "2.jpg"), {"labels.csv": NAMED.encode("utf-16")}),
        (
            BESIDE,
            {"labels.csv": f"file,n_joy,n_fear\n0.jpg,{'0' * 5000}3,1\n1.jpg,0,2\n2.jpg,5,1\n"},
        ),
        (BESIDE, {"labels.csv": NAMED.replace("joy", "['joy']").replace("fear", "['fear']")}),
        (("0.jpg", "1.jpg", "2.jpg"), {"labels.csv": NAMED.replace("\n", "\nC:\\me\\", 3)}),
        (("0.jpg", "1.jpg", "2.jpg"), {"labels.csv": NAMED.replace("\n", "\n.../", 3)}),
        (
            ("train/0.jpg", "train/1.jpg", "test/0.jpg"),
            {
                "train.csv": "file,label\ntrain/0.jpg,joy\ntrain/1.jpg,fear\n",
                "test.csv": "file,label\ntest/0.jpg,joy\n",
            },
        ),
        (
            ("train/0.jpg", "train/1.jpg", "test/0.jpg"),
            {
                "train/metadata.csv": "file_name,label\n0.jpg,joy\n1.jpg,fear\n",
                "test/metadata.csv": "file_name,label\n0.jpg,joy\n",
            },
        ),
        (
            ("train/0.jpg", "train/1.jpg", "test/0.jpg"),
            {"train/a.csv": "file,label\ntrain/0.jpg,joy\ntrain/1.jpg,fear\ntest/0.jpg,joy\n"},
        ),
    ],
)
def test_a_table_beside_its_images_says_what_they_are(
    opened: Callable[..., Dataset], files: tuple[str, ...], tables: dict[str, str | bytes]
) -> None:
    found = opened(files, **tables)
    assert counts(found) == {"joy": 2, "fear": 1}
    assert {record.name for record in found.records} == set(files)
    assert found.notes[0].startswith("The labels were read from ")
    assert found.other_level is None
    assert all(record.read(Limits())[:2] == b"\xff\xd8" for record in found.records)
    splits = {record.name: record.split for record in found.records}
    assert all((splits[name] or "") in name for name in files)
    assert any(splits.values()) == any("train" in table for table in tables)
    others = {"README.txt", "metadata.csv", "works.csv"} & tables.keys()
    assert {key for key, _ in found.problems} == others


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"a.csv": NAMED.replace("joy", "0").replace("fear", "1")}, "its labels are numbers"),
        ({"a.csv": NAMED.replace("fear", "4")}, "its labels are numbers"),
        ({"a.csv": NAMED.replace("joy", "yes").replace("fear", "no")}, "its labels are yes and no"),
        ({"a.csv": NAMED.replace("label", "title")}, "it has no column of labels"),
        ({"a.csv": NAMED.replace("file", "title")}, "none of them of files"),
        ({"a.csv": "file,p_joy,p_fear\n0.jpg,1,0\n1.jpg,0,1\n2.jpg,1,0\n"}, "no column of labels"),
        ({"a.csv": "file,label\n0.jpg,\n1.jpg,\n"}, "it has no label"),
        ({"a.csv": NAMED.replace("artist", "predicted")}, "predictions"),
        ({"a.csv": NAMED.replace("artist", "SHA256")}, "predictions"),
        ({"a.csv": NAMED + "x.jpg,joy,\n" * 4}, "more than half of its rows name no image here"),
        ({"a.csv": NAMED.replace("\n", "\nhttps://a.org/images/")}, "more than half of its rows"),
        ({"a.csv": "file,label\n0.jpg,joy\n"}, "it names fewer than half of the images here"),
        ({"a.csv": NAMED + "images/0.jpg,fear,\n"}, "several rows name one image"),
        ({"a.csv": NAMED, "b.csv": NAMED}, "several tables could be meant: a.csv, b.csv"),
        (
            {f"{x}.csv": NAMED for x in ("train", "val", "test_of_whom")},
            "several tables could be meant: ",
        ),
        ({"train.csv": NAMED, "test.tsv": "file\tlabel\n0.jpg\tjoy\n"}, "several tables"),
        ({"a.parquet": b"PAR1"}, ""),
        ({"a.csv": b"PAR1\0PAR1"}, "is no text table"),
        ({f"{i}.csv": NAMED for i in range(11)}, ""),
    ],
)  # fmt: skip
def test_a_table_that_is_none_of_labels_is_named(
    put: Callable[..., Path], tables: dict[str, str | bytes], words: str
) -> None:
    found = open_dataset(put(BESIDE, **tables), SETTINGS)
    with pytest.raises(TableError, match="has no labels"):
        open_dataset(found.path, SETTINGS, labelled=True)
    told = dict(found.problems)
    assert not any(found.labels)
    assert tables.keys() <= told.keys()
    for key in tables:
        assert "open it by itself to have what it says" in told[key]
        assert words in told[key]
        assert ("unpack the ZIP" in told[key]) == (found.path.suffix == ".zip")


def test_a_large_catalogue_beside_other_images_costs_a_glance(
    put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(Members, "locate", lambda self, name: asked.append(name))
    rows = "".join(f"object-{i}.jpg,joy\n" for i in range(5000))
    found = open_dataset(put(BESIDE, **{"works.csv": f"file,label\n{rows}"}), SETTINGS)
    assert "more than half of its rows name no image here" in dict(found.problems)["works.csv"]
    assert len(asked) < 500


@pytest.mark.parametrize("name", ["missing.csv", "missing.parquet", "folder.parquet", "x" * 300])
def test_why_a_table_cannot_be_read_is_said_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(TableError, match=r"' cannot be read: (?!it cannot be read)") as told:
        read_table(tmp_path / name)
    assert "Parquet" not in str(told.value)


@pytest.mark.parametrize("name", ["README.txt", "ATTRIBUTION.txt", "0.txt"])
@pytest.mark.parametrize(
    "text",
    ["0.jpg joy\n1.jpg fear\n", "images/0.jpg\nimages/1.jpg\n", "file, by Ona\n0.jpg, joy\n"],
)
def test_a_text_without_named_columns_is_no_table(
    put: Callable[..., Path], name: str, text: str
) -> None:
    found = open_dataset(put(BESIDE, **{name: text}), SETTINGS)
    assert not any(found.labels)
    assert dict(found.problems)[name] == "it is no image by its name (.txt)"


def test_folders_that_are_classes_count_whatever_table_lies_there(
    opened: Callable[..., Dataset],
) -> None:
    for folders in (BASE, ("joy/0.jpg", "joy/1.jpg"), ("cats/0.jpg", "dogs/0.jpg")):
        table = "".join(["file,label\n", *(f"{name},awe\n" for name in folders)])
        found = opened(folders, **{"labels.csv": table})
        assert "awe" not in found.labels
        assert all(found.labels)
        assert dict(found.problems)["labels.csv"].endswith(
            "by itself to have what it says of the images"
        )


def test_labels_of_another_taxonomy_than_was_asked_for_are_not_read(
    put: Callable[..., Path],
) -> None:
    place = put(BESIDE, **{"labels.csv": NAMED.replace("joy", "happy")})
    assert counts(open_dataset(place, SETTINGS, FER7)) == {"happy": 2, "fear": 1}
    found = open_dataset(place, SETTINGS, MIKELS8)
    assert "not all of its labels are of taxonomy 'mikels8'" in dict(found.problems)["labels.csv"]
    with pytest.raises(TableError, match="no image that can be used"):
        open_dataset(place, SETTINGS, MIKELS8, labelled=True)


def test_what_a_table_beside_images_leaves_out_is_told(
    opened: Callable[..., Dataset],
) -> None:
    lines = (
        "file,label,split\n0.jpg,joy,\nhttps://a.org/2.jpg,joy,\n1.jpg,happy?,train\nimages,joy,\n"
        "3.jpg,,\n4.jpg,joy,often\n"
    )
    images = (*(f"images/{i}.jpg" for i in range(6)), "images/notes.pdf")
    found = opened(images, **{"labels.csv": lines})
    own = {
        "images/notes.pdf": "it is a text, whatever its name says, not an image",
        "labels.csv, line 3": "https://a.org/2.jpg: it names no image here",
        "labels.csv, line 5": "it names no image here",
        "labels.csv, line 7": "its split is none that is known; wanted: train, validation or test",
    }
    lost = {f"images/{i}.jpg": "it is not named in labels.csv" for i in (2, 5)}
    assert dict(found.problems) == own | lost
    assert [record.name for record in found.records] == [f"images/{i}.jpg" for i in (0, 1, 3)]
    kept = open_dataset(found.path, SETTINGS)
    assert [record.name for record in kept.records] == [f"images/{i}.jpg" for i in (0, 1, 2, 3, 5)]
    assert kept.labels == ["joy", "happy?", "", "", ""]
    assert dict(kept.problems) == own
    for item in (found, kept):
        assert {len(record.shares) for record in item.records} == {len(item.taxonomy)}
        assert all((sum(r.shares) == 0) == (r.label < 0) for r in item.records)
        assert not any(record.url for record in item.records)
        assert all(record.read(Limits())[:2] == b"\xff\xd8" for record in item.records)


def test_a_table_of_labels_whose_rows_all_fail_loses_no_problem(put: Callable[..., Path]) -> None:
    lines = "file,label,split\n" + "".join(f"{i}.jpg,joy,often\n" for i in range(3))
    with pytest.raises(
        TableError, match=r"no image that can be used\. First: notes\.csv: it is a table"
    ):
        open_dataset(put(BESIDE, **{"labels.csv": lines, "notes.csv": "a,b\n1,2\n"}), SETTINGS)


def test_where_nobody_asks_for_labels_images_are_as_without_a_table(
    opened: Callable[..., Dataset],
) -> None:
    lines = "file,url,label,title\n1.jpg,https://a.org/1.jpg,joy,A\n0.jpg,,fear,B\nx.jpg,,joy,C\n"
    place = opened(BESIDE, **{"labels.csv": lines}).path
    sources = expand([place], SETTINGS)
    assert [source.name for source in sources] == [
        f"{place}/{name}" for name in (*BESIDE, "labels.csv")
    ]
    assert all(source.read()[:2] == b"\xff\xd8" for source in sources[:3])
    with pytest.raises(
        ImageError, match=r"it is a table; .*open it by itself to have what it says"
    ):
        sources[3].read()
    *works, problem = read_artworks(place, SETTINGS)
    assert [work.key for work in works if isinstance(work, Item)] == list(BESIDE)
    assert not any(work.place.url or work.label for work in works if isinstance(work, Item))
    assert isinstance(problem, Problem)
    assert problem.key == "labels.csv"


def test_lines_of_json_say_what_images_beside_them_are(opened: Callable[..., Dataset]) -> None:
    pairs = zip(BESIDE, LABELS, strict=True)
    lines = "\n".join(json.dumps({"file_name": n, "label": w}) for n, w in pairs)
    found = opened(BESIDE, **{"metadata.jsonl": lines, "labels.xlsx": b"PK"})
    assert counts(found) == {"joy": 2, "fear": 1}
    assert dict(found.problems) == {"labels.xlsx": "it is a workbook; save its sheet as CSV"}


def test_names_that_differ_in_their_separators_are_one_in_a_zip(
    tmp_path: Path, picture: Picture
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("joy/a.jpg", "joy\\a.jpg"):
            info = zipfile.ZipInfo()
            info.filename = name
            archive.writestr(info, picture(size=(8, 8)))
    found = both(tmp_path / "a.zip")
    assert (len(found), [key for key, _ in found.problems]) == (1, ["joy\\a.jpg"])


def test_a_table_that_stands_twice_in_a_zip_is_told(tmp_path: Path, picture: Picture) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", picture(size=(8, 8)))
        archive.writestr("labels.csv", "file,label\na.jpg,joy\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("labels.csv", "file,label\na.jpg,fear\n")
    found = both(tmp_path / "a.zip")
    assert counts(found) == {"joy": 1}
    assert [key for key, _ in found.problems] == ["labels.csv"]


def test_folders_are_read_without_the_table_where_asked_for(opened: Callable[..., Dataset]) -> None:
    found = opened(BESIDE, **{"labels.csv": NAMED})
    other = open_dataset(found.path, SETTINGS, level=0)
    assert (other.labels, len(other)) == (["", "", ""], 3)
    assert [key for key, _ in other.problems] == ["labels.csv"]


def test_a_table_in_a_zip_that_was_sent_is_read(tmp_path: Path, picture: Picture) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("labels.csv", "file,label\n0.jpg,joy\n/etc/x.jpg,joy\n")
        archive.writestr("0.jpg", picture(size=(8, 8)))
    found = open_dataset(tmp_path / "a.zip", replace(SETTINGS, paths="/nowhere"), sent=True)
    assert counts(found) == {"joy": 1}
    assert dict(found.problems) == {"labels.csv, line 3": "/etc/x.jpg: it names no image here"}


def test_a_table_beside_images_is_no_link_out_of_open_folders(
    make: Callable[..., Path], tmp_path: Path
) -> None:
    make(rows())
    (tmp_path / "set").mkdir()
    (tmp_path / "images").rename(tmp_path / "set" / "images")
    (tmp_path / "set" / "t.csv").symlink_to(tmp_path / "t.csv")
    settings = replace(SETTINGS, paths=str(tmp_path / "set"))
    found = open_dataset(tmp_path / "set", settings)
    assert not any(found.labels)
    assert "outside" in dict(found.problems)["t.csv"]


def test_files_without_a_suffix_are_tried_by_their_bytes(tmp_path: Path, picture: Picture) -> None:
    for name, data in {
        "a.jpg": picture(),
        "scan_001": picture(),
        "IMG_0.HEIC": b"\0\0\0\x18ftypheic" + bytes(300),
        "paper.pdf": b"%PDF-1.7 and so on",
        "empty": b"",
        "inner.zip": b"PK\x03\x04",
    }.items():
        (tmp_path / name).write_bytes(data)
    found = open_dataset(tmp_path, SETTINGS)
    assert [record.name for record in found.records] == ["IMG_0.HEIC", "a.jpg", "scan_001"]
    told = dict(found.problems)
    assert told.keys() == {"paper.pdf", "empty", "inner.zip"}
    assert "PDF" in told["paper.pdf"]
    assert "ZIP of its own" in told["inner.zip"]
    names = {Path(source.name).name for source in expand([tmp_path], SETTINGS)}
    assert names == {"IMG_0.HEIC", "a.jpg", "scan_001", *told}


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("utf-8", ["čiurlionis – jūra.jpg", "ąžuolas.jpg"]),
        ("cp866", ["собака.jpg", "Портреты/женщина с веером.jpg"]),
        ("cp437", ["Zürich.jpg", "señor.jpg"]),
        ("cp775", ["šuo ir katė.jpg", "žąsis.jpg", "ėglė.jpg"]),
        ("cp932", ["日本語.jpg", "浮世絵/北斎.jpg"]),
        ("cp932", ["喜び/海辺の絵.jpg", "恐れ/森.jpg"]),
        ("gbk", ["快乐/海边.jpg", "恐惧/森林.jpg"]),
        ("big5", ["快樂/海邊.jpg", "恐懼/森林.jpg"]),
        ("cp949", ["기쁨/바다.jpg", "공포/숲.jpg"]),
        ("cp1251", ["радость/море.jpg", "страх/лес.jpg"]),
        ("koi8_r", ["радость/море.jpg", "страх/лес.jpg"]),
        ("cp1250", ["radość/żółw.jpg", "strach/łąka.jpg"]),
        ("cp1252", ["Mädchen.jpg", "Straße.jpg"]),
        ("cp1257", ["džiaugsmas/jūra.jpg", "baimė/miškas.jpg"]),
        ("cp862", ["שמחה/ים.jpg", "פחד/יער.jpg"]),
        ("cp1256", ["فرح/بحر.jpg", "خوف/غابة.jpg"]),
    ],
)
def test_names_in_a_zip_are_read_in_the_encoding_that_makes_sense(
    encoding: str, names: list[str]
) -> None:
    members = []
    for name in names:
        info = zipfile.ZipInfo()
        info.filename = info.orig_filename = name.encode(encoding).decode("cp437")
        assert info.filename != name or encoding == "cp437"
        members.append(info)
    assert member_names(members)[0] == names


@pytest.mark.parametrize("name", ["images/a.jpg", "set/images/a.jpg", "set/Photos/a.jpg"])
def test_a_folder_of_images_is_no_class(opened: Callable[..., Dataset], name: str) -> None:
    with pytest.raises(TableError, match="has no labels"):
        opened((name, name.replace("a.jpg", "b.jpg")))


def test_a_zip_that_unpacks_itself_is_read_by_every_verb(tmp_path: Path, picture: Picture) -> None:
    place = tmp_path / "set.zip"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("joy/a.jpg", picture(size=(8, 8)))
    place.write_bytes(b"MZ, a program" + place.read_bytes())
    (record,) = both(place).records
    assert open_holder(place, SETTINGS).read(record.inside, Limits()) == record.read(Limits())


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.yaml", b"a: b", "not an image"),
        ("a.xls", b"<html><table>", "workbook; save its sheet as CSV"),
        ("a.gz", b"\x1f\x8b\x08" + bytes(30), "gzip"),
        ("a.xlsx", b"PK\x03\x04" + bytes(30), "workbook; save its sheet as CSV"),
        ("a.csv", b"", "has no rows"),
        ("a.zip", b"PK\x05\x06" + bytes(18), "holds no images"),
    ],
)
def test_a_file_that_holds_no_image_is_told_alike(
    tmp_path: Path, name: str, data: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(data)
    for labelled in (True, False):
        with pytest.raises(TableError, match=words):
            open_dataset(tmp_path / name, SETTINGS, labelled=labelled)
    assert main(["collection", "add", f"no-{name}", str(tmp_path / name)]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.json", "a.csv", "a.numbers"])
def test_one_image_serves_every_verb_whatever_its_name(
    tmp_path: Path, picture: Picture, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(picture())
    assert len(open_dataset(tmp_path / name, SETTINGS)) == 1
    words = [str(tmp_path / name), "--checkpoint", "none", "--format", "json"]
    assert main(["collection", "add", f"one-{name}", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["found"], told["taken"]) == (1, 1)


def test_a_text_that_a_program_calls_a_workbook_is_a_table(make: Callable[..., Path]) -> None:
    assert counts(both(make(rows("\t"), name="cat.xls"))) == {"joy": 2, "fear": 1}


def test_such_a_text_says_what_images_beside_it_are(opened: Callable[..., Dataset]) -> None:
    found = opened(BESIDE, **{"labels.xls": NAMED.replace(",", "\t")})
    assert (counts(found), found.problems) == ({"joy": 2, "fear": 1}, ())


def test_arrow_is_read_as_a_stream_and_as_a_file(make: Callable[..., Path]) -> None:
    import pyarrow as pa

    table = pa.table({"file": NAMES, "label": LABELS})
    for new in (pa.ipc.new_stream, pa.ipc.new_file):
        place = make(b"", name="t.arrow")
        with new(str(place), table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
        assert counts(both(place)) == {"joy": 2, "fear": 1}


def test_an_address_in_a_table_has_both_of_its_slashes(make: Callable[..., Path]) -> None:
    place = make("file,label\nhttp:/museum.example/a.jpg,joy\n")
    assert both(place).records[0].url == "http://museum.example/a.jpg"


@pytest.mark.parametrize(
    "words", [["data", "import", "table", "--library", "x"], ["embed"], ["predict"], ["evaluate"]]
)
def test_an_address_is_one_for_every_verb(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    to_data = ["--checkpoint", "emotion6", "--data"] if words == ["evaluate"] else []
    main([*words, *to_data, "http://127.0.0.1:9/manifest.json"])
    assert "an address of this machine" in "".join(capfd.readouterr())


def test_what_is_no_ordinary_file_is_told(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "joy").mkdir()
    (tmp_path / "joy" / "a.jpg").write_bytes(picture())
    os.mkfifo(tmp_path / "joy" / "b.jpg")
    found = both(tmp_path)
    assert found.problems == (("joy/b.jpg", "it is not an ordinary file"),)


def test_class_folders_may_be_links(tmp_path: Path, picture: Picture) -> None:
    for label in ("joy", "fear"):
        (tmp_path / "elsewhere" / label).mkdir(parents=True)
        (tmp_path / "elsewhere" / label / "a.jpg").write_bytes(picture())
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / label).symlink_to(tmp_path / "elsewhere" / label)
    assert counts(both(tmp_path / "set")) == {"joy": 1, "fear": 1}


# The same in every verb ---------------------------------------------------------------------------


@pytest.mark.parametrize("home", ["home %41? #h", "with spaces", "la\udce9tin"])
def test_paths_of_any_bytes_serve_every_verb(
    tmp_path: Path, picture: Picture, home: str, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    root = tmp_path / home
    for label in ("joy", "fear"):
        (root / "set" / label).mkdir(parents=True)
        (root / "set" / label / "a.jpg").write_bytes(picture())
    (root / "set" / "notes.txt").write_text("no image")
    monkeypatch.setenv("EMOVIZ_HOME", str(root / "home"))
    place, json_out = str(root / "set"), ["--format", "json"]
    asked = (
        ["embed", place, "--checkpoint", "emotion6", *json_out],
        ["evaluate", "--data", place, "--checkpoint", "emotion6", *json_out],
        ["data", "import", "imagefolder", place, "--library", "kept", *json_out],
        ["collection", "add", "works", place, "--checkpoint", "none", *json_out],
    )
    for words in asked:
        assert main(words) == 0
        told = json.loads(capfd.readouterr().out)
        assert (told["found"], told["taken"], len(told["problems"])) == (3, 2, 1)
        assert "notes.txt" in told["problems"][0]["what"]
    assert main(["predict", place, *json_out]) == 0
    out = capfd.readouterr()
    assert [row["error"] is None for row in json.loads(out.out)] == [True, True, False]
    assert "3 found: 2 taken, 1 problem" in out.err
    assert (root / "home" / "review.sqlite").is_file()
    assert sorted(path.name for path in root.iterdir()) == ["home", "set"]
    assert list(tmp_path.iterdir()) == [root]


def test_neither_tables_nor_links_lead_out_of_open_folders(
    tmp_path: Path, picture: Picture
) -> None:
    for name in ("open/joy/a.jpg", "closed/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(picture())
    (tmp_path / "open" / "joy" / "link.jpg").symlink_to(tmp_path / "closed" / "b.jpg")
    table = tmp_path / "open" / "t.csv"
    table.write_text(f"file\njoy/a.jpg\n../closed/b.jpg\n{tmp_path}/closed/b.jpg\njoy/link.jpg\n")
    settings = Settings(home=tmp_path / "home", paths=str(tmp_path / "open"))
    for place in (table, tmp_path / "open" / "joy"):
        found = open_dataset(place, settings)
        assert [Path(name).name for name in found.names] == ["a.jpg"]
        assert all("outside of the folders" in why for _, why in found.problems)
    assert len(open_dataset(table, SETTINGS)) == 4


def test_records_are_made_when_they_are_asked_for(make: Callable[..., Path]) -> None:
    found = both(make(rows()))
    assert isinstance(found.records[-1], Record)
    assert [record.name for record in found.records[1:]] == list(NAMES[1:])
