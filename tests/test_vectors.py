"""Vectors that somebody brings along: what is read, what is left out, what is refused."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emoviz.errors import TableError
from emoviz.inference import vectors
from emoviz.inference.vectors import read_vectors

VALUES = np.array([[1.5, -2.0, 0.25], [3.0, 4.0, 5.0], [0.0, 1e-3, 7.0]])


def csv_of(**columns: Any) -> bytes:
    return pd.DataFrame(columns).to_csv(index=False).encode()


def npz_of(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def parquet_of(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


# CSV -----------------------------------------------------------------------------------------


def test_csv_with_names_and_labels() -> None:
    data = csv_of(a=VALUES[:, 0], file=["x.jpg", "y.jpg", "z.jpg"], b=VALUES[:, 1],
                  c=VALUES[:, 2], Emotion=["awe", "", "boredom"])  # fmt: skip
    found = read_vectors(data, "mine.csv")
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-6)
    assert found.values.dtype == np.float32
    assert found.columns == ("a", "b", "c")
    assert found.names == ("x.jpg", "y.jpg", "z.jpg")
    assert found.labels == ("awe", "", "boredom")
    assert found.title == "mine.csv"
    assert len(found) == 3


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
def test_csv_without_a_header_and_with_any_delimiter(delimiter: str) -> None:
    lines = [delimiter.join(map(str, row)) for row in VALUES.tolist()]
    found = read_vectors("\n".join(lines).encode(), "a.txt")
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-6)
    assert found.names == ("row 1", "row 2", "row 3")
    assert found.labels == ()


def test_numbers_that_only_count_rows_are_no_dimension() -> None:
    data = pd.DataFrame({"x": [5.0, 6.0], "y": [7.0, 8.0], "id": [1, 2]}).to_csv().encode()
    assert read_vectors(data, "a.csv").columns == ("x", "y")


def test_column_of_numbers_as_labels_is_no_dimension() -> None:
    found = read_vectors(csv_of(a=[1.0, 2.0], b=[3.0, 4.0], label=[0, 7]), "a.csv")
    assert found.columns == ("a", "b")
    assert found.labels == ("0", "7")


def test_rows_without_all_numbers_are_left_out_and_listed() -> None:
    text = "x,y,file\n1,2,a\nnan,2,b\n3,,c\n4,oops,d\n5,inf,e\n6,7,f\n8,9\n,,\n1e39,1,g\n"
    found = read_vectors(text.encode(), "a.csv")
    assert found.values.tolist() == [[1, 2], [6, 7], [8, 9]]
    assert found.names == ("a", "f", "")
    assert found.left_out == (
        (2, "1 of 2 values missing or NaN"),
        (3, "1 of 2 values missing or NaN"),
        (4, "1 of 2 values missing or NaN"),
        (5, "1 infinite"),
        (8, "2 of 2 values missing or NaN"),
        (9, "1 infinite"),
    )


def test_windows_text_and_a_byte_order_mark() -> None:
    western = "x,y,label\n1,2,fierté\n".encode("cp1252")
    assert read_vectors(western, "a.csv").labels == ("fierté",)
    marked = "\ufeffx,y,label\n1,2,fierté\n".encode()
    assert read_vectors(marked, "a.csv").columns == ("x", "y")


# Arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["u", "embedding", "X", "features", "anything"])
def test_npz_with_one_array_of_vectors(name: str) -> None:
    data = npz_of(**{name: VALUES, "y": np.array([3, 1, 2]), "paths": np.array(["a", "b", "c"])})
    found = read_vectors(data, "a.npz")
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-6)
    assert found.labels == ("3", "1", "2")
    assert found.names == ("a", "b", "c")


def test_npz_of_several_arrays_takes_the_one_that_is_named_so() -> None:
    data = npz_of(p=np.zeros((3, 8)), u=VALUES, labels=np.array([b"\xc3\xa9", b"b", b"c"]))
    found = read_vectors(data, "a.npz")
    assert found.values.shape == (3, 3)
    assert found.labels == ("é", "b", "c")


def test_npy_and_a_path(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", VALUES)
    found = read_vectors(tmp_path / "mine.npy")
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-6)
    assert found.title == "mine.npy"


# Parquet -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 3)])
def test_parquet_with_a_column_of_lists(kind: pa.DataType) -> None:
    table = pa.table(
        {
            "path": ["a", "b", "c"],
            "p_awe": [0.5, 0.5, 0.5],
            "p_fear": [0.5, 0.5, 0.5],
            "u": pa.array(VALUES.tolist(), kind),
            "label": ["awe", None, "fear"],
        }
    )
    found = read_vectors(parquet_of(table), "a.parquet")
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-6)
    assert found.labels == ("awe", "", "fear")
    assert found.names == ("a", "b", "c")


def test_parquet_with_columns_of_numbers() -> None:
    table = pa.table({"one": VALUES[:, 0], "two": pa.array([1, None, 3]), "word": list("abc")})
    found = read_vectors(parquet_of(table), "a.parquet")
    assert found.values.tolist() == [[1.5, 1.0], [0.0, 3.0]]
    assert found.left_out == ((2, "1 of 2 values missing or NaN"),)


def test_rows_of_another_length_are_left_out() -> None:
    lists = [[1.0, 2.0], [1.0], None, [3.0, 4.0], [5.0, float("nan")]]
    found = read_vectors(parquet_of(pa.table({"vector": lists})), "a.parquet")
    assert found.values.tolist() == [[1, 2], [3, 4]]
    assert [row for row, _ in found.left_out] == [2, 3, 5]


# Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"x,word\n1,a\n2,b\n", "a.csv", "has 1 column of numbers; wanted two"),
        (b"word,other\na,b\n", "a.csv", "has no columns of numbers"),
        (b"x,y\n", "a.csv", "no columns of numbers|none of which"),
        (b"x,y\nnan,1\n2,nan\n", "a.csv", "2 rows, none of which is all numbers"),
        (b"x,y\n1,2\n1,2,3,4\n", "a.csv", "no readable table: .*line 3"),
        (b"", "a.csv", "no readable table"),
        (b"\x00\x01\x02", "a.csv", "numbers|readable"),
        (b"x,y\n1,2\n", "a.pdf", "wanted: .csv, .tsv"),
        (b"not a zip", "a.npz", "no plain arrays"),
        (b"", "a.npy", "no plain arrays"),
        (b"PAR1 not really", "a.parquet", "no readable Parquet file"),
        (npz_of(a=np.zeros((2, 3)), b=np.zeros((2, 4))), "a.npz", r"a \(2, 3\), b \(2, 4\)"),
        (npz_of(a=np.zeros(3)), "a.npz", r"holds a \(3,\)"),
        (npz_of(u=np.zeros((3, 2)), y=np.zeros(2)), "a.npz", "3 vectors, but 2 labels"),
        (npz_of(u=np.zeros((0, 2))), "a.npz", "0 rows"),
        (npz_of(u=np.zeros((4, 1))), "a.npz", "has 1 column of numbers"),
        (parquet_of(pa.table({"u": pa.array([], pa.list_(pa.float32()))})), "a.parquet", "no col"),
        (parquet_of(pa.table({"word": ["a"]})), "a.parquet", "no columns of numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(data: bytes, name: str, words: str) -> None:
    with pytest.raises(TableError, match=words):
        read_vectors(data, name)


@pytest.fixture
def small_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_MAX_UNPACKED", 5_000_000)


def npy_header(rows: int) -> bytes:
    stream = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (rows, 500)}
    np.lib.format.write_array_header_1_0(stream, shape)
    return stream.getvalue()


@pytest.mark.usefixtures("small_cap")
@pytest.mark.parametrize(("rows", "held"), [(3000, 3000), (3_000_000, 10)])
def test_sizes_of_arrays_are_read_before_they_are_unpacked(rows: int, held: int) -> None:
    """An npz of 3 MB that unpacked to 6.3 GB ended everybody's session."""
    array = npy_header(rows) + bytes(2000 * held)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("u.npy", array)
    for data, name in ((packed.getvalue(), "a.npz"), (array, "a.npy")):
        with pytest.raises(TableError, match=r"unpacks to .* MB; at most 5 MB"):
            read_vectors(data, name)
    assert len(read_vectors(npz_of(u=np.ones((1000, 500), np.float32)), "a.npz")) == 1000


@pytest.mark.usefixtures("small_cap")
def test_repeated_values_of_a_parquet_file_count_as_what_they_unpack_to() -> None:
    same = pa.array(np.zeros(100_000, np.int32))
    column = pa.DictionaryArray.from_arrays(same, pa.array([0.5]))
    data = parquet_of(pa.table({f"d{i}": column for i in range(10)}))
    assert len(data) < 100_000
    with pytest.raises(TableError, match=r"unpacks to 8 MB; at most 5 MB"):
        read_vectors(data, "a.parquet")


def test_texts_that_are_repeated_take_no_place_and_numbers_in_them_are_no_dimension() -> None:
    texts = pa.array(["1" * 1_000_000] * 3).dictionary_encode()
    table = {"x": [1.0, 2, 3], "y": [4.0, 5, 6], "name": ["a", "b", None], "said": texts}
    found = read_vectors(parquet_of(pa.table(table)), "a.parquet")
    assert (found.columns, found.names) == (("x", "y"), ("a", "b", ""))
    same = pa.array(np.zeros(100_000, np.int32))
    bomb = pa.DictionaryArray.from_arrays(same, pa.array(["x" * 100_000]))
    data = parquet_of(pa.table({"x": np.ones(100_000), "y": np.ones(100_000), "label": bomb}))
    assert len(data) < 100_000
    with pytest.raises(TableError, match="far more than it holds"):
        read_vectors(data, "a.parquet")


def test_what_is_no_array_in_an_npz_is_left_alone() -> None:
    buffer = io.BytesIO(npz_of(u=VALUES))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("readme.txt", "hello")
    assert len(read_vectors(buffer.getvalue(), "a.npz")) == len(VALUES)


@pytest.mark.usefixtures("small_cap")
@pytest.mark.parametrize(
    "arrays",
    [
        {"u": np.zeros((1_000_000, 2), np.uint8)},
        {"u": np.zeros((2, 2)), "names": np.zeros(2_000_000, "S1")},
        {"u": np.zeros((2, 2)), "names": np.zeros(2_000_000, "S0")},
    ],
)
def test_small_values_count_as_what_becomes_of_them(arrays: dict[str, Any]) -> None:
    with pytest.raises(TableError, match="at most 5 MB"):
        read_vectors(npz_of(**arrays), "a.npz")


def test_no_more_rows_and_columns_than_can_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_MAX_ROWS", 10)
    monkeypatch.setattr(vectors, "_MAX_COLUMNS", 10)
    with pytest.raises(TableError, match="11 rows; at most 10"):
        read_vectors(npz_of(u=np.zeros((11, 2)), names=np.array(["a"] * 11)), "a.npz")
    with pytest.raises(TableError, match="11 columns; at most 10"):
        read_vectors(",".join("1" * 11).encode(), "a.csv")


def test_arrays_of_objects_are_not_unpickled() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, u=np.array([[1, "a"], [2, "b"]], dtype=object))
    with pytest.raises(TableError, match="no plain arrays"):
        read_vectors(buffer.getvalue(), "a.npz")


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="No such file"):
        read_vectors(tmp_path / "none.csv")
