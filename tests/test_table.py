"""Tables of embeddings on disk: what is written is read again, damaged files are told."""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from digests import digest

from emoviz.checkpoints import Checkpoint
from emoviz.data.dataset import NO_LABEL, UNLABELLED, Dataset, Problem, Record
from emoviz.errors import TableError
from emoviz.inference import stored
from emoviz.inference.cache import CachedEmbedding, EmbeddingCache
from emoviz.inference.embedding import Embedded
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.stored import (
    describe,
    list_tables,
    mapped_embeddings,
    read_embeddings,
    table_path,
    write_embeddings,
)
from emoviz.inference.text_column import TextColumn
from emoviz.inference.vectors import read_vectors
from emoviz.labels import MIKELS8
from emoviz.settings import Settings

COUNT = 5
LISTS = pa.list_(pa.float32())
Made = Callable[..., Embedded]


@pytest.fixture
def made(tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path) -> Made:
    """Makes a collection whose embeddings are in the cache, without a network."""

    def make(count: int = COUNT, title: str = "set", **fields: Any) -> Embedded:
        rng = np.random.default_rng(0)
        width = tiny_checkpoint.card.width
        hashes = [f"{i:064x}" for i in range(count)]
        rows = {
            key: CachedEmbedding(
                rng.normal(size=width).astype(np.float32),
                rng.dirichlet(np.ones(8)),
                None if i == 1 else float(i),
            )
            for i, key in enumerate(hashes)
        }
        with EmbeddingCache(settings, tiny_checkpoint) as cache:
            cache.put(rows)
        taxonomy = fields.get("taxonomy", MIKELS8)
        labels = fields.get("labels", ["awe", "", "boredom", "fear", "fear"][:count])
        columns = fields.get("metadata", {"artist": ["Klee", "", "Dürer", "Klee", "ま"][:count]})
        names = fields.get("names", [f"{title}/{i}.jpg" for i in range(count)])
        collection = Dataset(
            name=title,
            taxonomy=taxonomy,
            records=tuple(
                Record(
                    name,
                    tmp_path / name,
                    taxonomy.index(label) if taxonomy.holds(label) else NO_LABEL,
                    written=label,
                    metadata={column: texts[i] for column, texts in columns.items()},
                )
                for i, (name, label) in enumerate(zip(names, labels, strict=True))
            ),
            problems=(Problem("x.jpg", "it is a text"),),
            path=tmp_path / title,
            root=tmp_path,
        )
        return Embedded(
            collection, tiny_checkpoint, tuple(hashes), tuple(collection.problems), count, 1.0
        )

    return make


@pytest.fixture
def file(made: Made, settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "t.parquet"
    write_embeddings(path, made().parts(settings))
    return path


def changed(file: Path, **columns: Any) -> None:
    """Put other columns into a table's file; None takes one out."""
    table = pq.read_table(file)
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.remove_column(place)
        if values is not None:
            table = table.add_column(place, name, values)
    pq.write_table(table, file)


# There and back ------------------------------------------------------------------------------


def test_table_that_was_written_is_read_again(made: Made, file: Path, settings: Settings) -> None:
    (wanted,) = made().parts(settings)
    found = read_embeddings(file)
    for field in ("embedding", "probabilities", "novelty", "labels"):
        np.testing.assert_array_equal(getattr(found, field), getattr(wanted, field))
        assert getattr(found, field).dtype == getattr(wanted, field).dtype
    for field in ("taxonomy", "paths", "sha256", "refused", "label_names", "label_taxonomy"):
        assert getattr(found, field) == getattr(wanted, field)
    assert dict(found.metadata) == dict(wanted.metadata)
    assert found.origin is not None
    assert wanted.origin is not None
    assert replace(found.origin, created="") == replace(wanted.origin, created="")
    assert found.labels.tolist() == [1, -1, -1, 6, 6]
    assert np.isnan(found.novelty).tolist() == [False, True, False, False, False]


FIELDS = ("paths", "sha256", "label_names", "refused", "metadata", "taxonomy", "origin")
ARRAYS = ("embedding", "probabilities", "novelty", "labels")


def test_large_table_is_mapped_and_says_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_MAPPED_FROM", 1)
    u = pq.read_table(file).column("u").to_pylist()
    u[2][0] = float("nan")
    changed(file, u=pa.array(u, LISTS))
    wanted = read_embeddings(file)
    beside = file.with_name(".t.arrow")
    for spoil in (None, b"", beside, "file"):
        if spoil == "file":  # another table under the same name
            changed(file, u=pa.array([[9.0] * len(u[0])] * len(u), LISTS))
            wanted = read_embeddings(file)
        elif spoil is not None:  # the mapped file is empty, or was cut short
            data = beside.read_bytes()[:-200] if spoil is beside else spoil
            beside.unlink()
            beside.write_bytes(data)
        found = mapped_embeddings(file)
        for field in ARRAYS:
            np.testing.assert_array_equal(getattr(found, field), getattr(wanted, field))
        assert sorted(found.refused) == sorted(wanted.refused)
        for field in set(FIELDS) - {"refused"}:
            assert getattr(found, field) == getattr(wanted, field), field
        assert mapped_embeddings(file).paths == wanted.paths
        assert isinstance(found.paths, TextColumn), "else it was read whole"
    assert isinstance(found.embedding.base, np.ndarray)
    assert not found.embedding.flags.writeable


def test_damaged_mapped_file_is_made_anew(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places of texts that lead out of it would end the process."""
    monkeypatch.setattr(stored, "_MAPPED_FROM", 1)
    wanted = tuple(mapped_embeddings(file).paths)
    beside = file.with_name(".t.arrow")
    whole, offsets = beside.read_bytes(), pa.array(wanted).buffers()[1].to_pybytes()
    place = whole.index(offsets[: 4 * len(wanted)])
    spoilt = bytearray(whole)
    spoilt[place + 4 : place + 8] = (2**31 - 1).to_bytes(4, "little")
    beside.unlink()
    beside.write_bytes(spoilt)
    found = mapped_embeddings(file).paths
    assert isinstance(found, TextColumn)
    assert found == wanted
    assert beside.read_bytes() == whole


def test_table_that_nothing_can_be_kept_beside_is_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored, "_MAPPED_FROM", 1)
    monkeypatch.setattr(stored, "_write_columns", full)
    assert mapped_embeddings(file).paths == read_embeddings(file).paths


def test_parts_are_written_as_row_groups(made: Made, settings: Settings, tmp_path: Path) -> None:
    count = 4096 + 3
    names = [f"{i}" for i in range(count)]
    found = made(count, names=names, labels=[""] * count, metadata={})
    write_embeddings(tmp_path / "t.parquet", found.parts(settings))
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == 2
    table = read_embeddings(tmp_path / "t.parquet")
    assert table.paths == tuple(names)
    (wanted,) = found.parts(settings, rows=count)
    np.testing.assert_array_equal(table.embedding, wanted.embedding)


def test_names_and_labels_without_a_taxonomy_are_kept_as_text(
    made: Made, settings: Settings, tmp_path: Path
) -> None:
    found = made(taxonomy=UNLABELLED)
    write_embeddings(tmp_path / "t.parquet", found.parts(settings))
    table = read_embeddings(tmp_path / "t.parquet")
    assert table.label_taxonomy is None
    assert table.label_names == ("awe", "", "boredom", "fear", "fear")
    assert set(table.labels.tolist()) == {-1}


def test_name_that_is_no_text_is_written_all_the_same(
    made: Made, settings: Settings, tmp_path: Path
) -> None:
    names = [os.fsdecode(b"\xff.jpg"), "b", "c", "d", "e"]
    write_embeddings(tmp_path / "t.parquet", made(names=names).parts(settings))
    assert read_embeddings(tmp_path / "t.parquet").paths == ("\ufffd.jpg", "b", "c", "d", "e")


def test_arrays_for_others(made: Made, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    write_embeddings(path, made().parts(settings))
    (wanted,) = made().parts(settings)
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["u"], wanted.embedding)
        np.testing.assert_array_equal(arrays["p"], wanted.probabilities)
        assert arrays["path"].tolist() == list(wanted.paths)
        assert arrays["label"].tolist() == list(wanted.label_names)
        assert arrays["classes"].tolist() == list(MIKELS8.names)
        best = wanted.probabilities.argmax(axis=1)
        assert arrays["predicted"].tolist() == [MIKELS8.names[i] for i in best]
    again = read_vectors(path)
    np.testing.assert_array_equal(again.values, wanted.embedding)
    assert again.labels == wanted.label_names


def test_values_of_another_kind_in_one_table_take_no_other_down(
    file: Path, settings: Settings
) -> None:
    """Tables are listed by when they were made, which was a number in one of them."""
    folder = settings.home / "tables" / "one-111111111111"
    folder.mkdir(parents=True)
    shutil.copy(file, folder / "a.parquet")
    table = pq.read_table(file)
    about = json.loads(table.schema.metadata[b"emoviz"])
    about["origin"]["created"] = 3
    told = {b"emoviz": json.dumps(about).encode()}
    pq.write_table(table.replace_schema_metadata(told), folder / "b.parquet")
    found, refused = list_tables(settings)
    assert [item.path.name for item in found] == ["a.parquet"]
    assert len(refused) == 1
    assert "b.parquet" in refused[0]


def _npz(file: Path, arrays: dict[str, bytes]) -> None:
    """The file with other members, packed."""
    with zipfile.ZipFile(file) as archive:
        held = {item.filename: archive.read(item) for item in archive.infolist()}
    held |= {f"{name}.npy": data for name, data in arrays.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            archive.writestr(name, data)


def _npy(shape: tuple[int, ...], kind: str, held: int = 0) -> bytes:
    stream = io.BytesIO()
    about = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, about)
    return stream.getvalue() + bytes(held)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"label": _npy((2**40,), "<U1")}, "would unpack to"),
        ({"label": _npy((2**40,), "<U0")}, "would unpack to"),
        ({"u": _npy((10**8, 8), "<f4")}, "would unpack to"),
        ({"label": _npy((500_000,), "<U1", 2_000_000)}, "would unpack to"),
        ({"label": _npy((9,), "<U1", 36)}, "rows of 'label'"),
        ({"path": _npy((), "<U1", 4)}, "rows of 'path'"),
        ({"path": _npy((5,), "|O", 40)}, "no readable npz"),
        ({"u": b"\x93NUMPY\x01\x00\x02\x00(("}, "no readable npz"),
    ],
)
def test_arrays_are_counted_before_they_are_unpacked(
    made: Made,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arrays: dict[str, bytes],
    words: str,
) -> None:
    monkeypatch.setattr(stored, "_SMALL_ARRAYS", 1_000_000)
    path = tmp_path / "t.npz"
    write_embeddings(path, made().parts(settings))
    _npz(path, arrays)
    with pytest.raises(TableError, match=words):
        read_embeddings(path)


def test_one_image_is_a_table(made: Made, settings: Settings, tmp_path: Path) -> None:
    write_embeddings(tmp_path / "t.parquet", made(1).parts(settings))
    table = read_embeddings(tmp_path / "t.parquet")
    assert (len(table), table.embedding.shape[0]) == (1, 1)


def test_table_can_be_read_as_vectors(file: Path) -> None:
    table, vectors = read_embeddings(file), read_vectors(file)
    np.testing.assert_array_equal(vectors.values, table.embedding)
    assert vectors.names == table.paths


# What the table says of itself ---------------------------------------------------------------


def test_second_is_the_second_largest(file: Path) -> None:
    table = read_embeddings(file)
    for row, p in enumerate(table.probabilities.tolist()):
        ranked = sorted(range(8), key=lambda c, p=p: -p[c])
        assert [table.predicted[row], table.second[row]] == ranked[:2]
    single = replace(table, probabilities=np.ones((2, 1)))
    assert single.second.tolist() == [0, 0]


def test_some_rows_make_a_table(file: Path) -> None:
    table = read_embeddings(file)
    some = table.take(np.array([3, 0]))
    assert some.paths == (table.paths[3], table.paths[0])
    assert some.label_names == ("fear", "awe")
    assert some.metadata["artist"] == ("Klee", "Klee")
    np.testing.assert_array_equal(some.embedding, table.embedding[[3, 0]])
    assert len(table.take(np.array([], np.int64))) == 0


def test_file_behind_a_row_may_be_gone(file: Path, tmp_path: Path) -> None:
    table = read_embeddings(file)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "1.jpg").write_bytes(b"x")
    assert table.file(1) == tmp_path / "set" / "1.jpg"
    assert table.file(0) is None
    assert replace(table, paths=("a\0b",) * 5).file(0) is None


def test_table_of_another_checkpoint_is_told(file: Path, tiny_checkpoint: Checkpoint) -> None:
    table = read_embeddings(file)
    table.check_made_by(tiny_checkpoint)
    card = replace(tiny_checkpoint.card, id="other", weights_sha256="f" * 64)
    with pytest.raises(TableError, match=r"checkpoint 'tiny' .* not of 'other' .* embed"):
        table.check_made_by(replace(tiny_checkpoint, card=card))
    hotter = replace(tiny_checkpoint.card, temperature=9.0)
    with pytest.raises(TableError, match="another card"):
        table.check_made_by(replace(tiny_checkpoint, card=hotter))


# The store -----------------------------------------------------------------------------------


def test_store_lists_the_newest_first_and_tells_what_is_damaged(
    made: Made, settings: Settings
) -> None:
    for title in ("one", "two", "one"):
        found = made(2, title)
        path = table_path(settings, found.collection.identity, title, "tiny")
        write_embeddings(path, found.parts(settings))
        changed_date(path, {"one": "2025-01-02", "two": "2025-03-04"}[title])
    (settings.home / "tables" / "three").mkdir()
    (settings.home / "tables" / "three" / "x.parquet").write_bytes(b"PAR1 not really")
    tables, refused = list_tables(settings)
    assert [(item.origin.title, item.count) for item in tables] == [("two", 2), ("one", 2)]
    assert tables[0].origin.checkpoint == "tiny"
    assert len(refused) == 1
    assert "x.parquet" in refused[0]
    assert len(read_embeddings(tables[0].path)) == 2


def changed_date(path: Path, created: str) -> None:
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"emoviz"])
    about["origin"]["created"] = created
    pq.write_table(table.replace_schema_metadata({b"emoviz": json.dumps(about)}), path)


def test_empty_store_lists_nothing(settings: Settings) -> None:
    assert list_tables(settings) == ([], [])


@pytest.mark.parametrize("title", ["a/b", "../..", "", "x" * 300, "é ü", "a\0b"])
def test_any_title_gives_a_place_inside_the_store(settings: Settings, title: str) -> None:
    path = table_path(settings, "/somewhere", title, "tiny")
    assert path.parent.parent == settings.home / "tables"
    assert ".." not in path.parts
    assert len(path.parent.name) < 80
    assert path != table_path(settings, "/elsewhere", title, "tiny")


# Damage --------------------------------------------------------------------------------------


def test_rows_that_are_no_numbers_are_left_out_and_listed(file: Path) -> None:
    lists = pq.read_table(file).column("u").to_pylist()
    lists[2][0] = float("nan")
    changed(file, u=pa.array(lists, LISTS))
    chances = pq.read_table(file).column("p_awe").to_pylist()
    changed(file, p_awe=pa.array([*chances[:4], None]))
    table = read_embeddings(file)
    assert len(table) == 3
    assert [name for name, _ in table.refused] == ["x.jpg", "set/2.jpg", "set/4.jpg"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"u": None}, "column u is missing"),
        ({"p_awe": None}, "column p_awe is missing, wanted double"),
        ({"sha256": None}, "column sha256 is missing, wanted string"),
        ({"u": pa.array([[1.0, 2.0]] * COUNT, LISTS)}, "column u has 2 numbers a row, wanted"),
        ({"u": pa.array([[1.0]] * 4 + [None], LISTS)}, "column u has 1 or None numbers"),
        ({"u": pa.array(["text"] * COUNT)}, "column u is string, wanted list"),
        ({"p_awe": pa.array(["text"] * COUNT)}, "column p_awe is string, wanted double"),
        ({"path": pa.array(range(COUNT))}, "column path is int64, wanted string"),
    ],
)
def test_file_that_does_not_fit_itself_is_told(file: Path, columns: Any, words: str) -> None:
    changed(file, **columns)
    with pytest.raises(TableError, match=rf"does not fit what it says of itself.*{words}"):
        read_embeddings(file)


def test_foreign_and_damaged_files_are_told(file: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"path": ["a"], "u": [[1.0, 2.0]]}), foreign)
    with pytest.raises(TableError, match="no table of embeddings that emoviz wrote"):
        read_embeddings(foreign)
    with pytest.raises(TableError, match="There is no table"):
        read_embeddings(tmp_path / "none.parquet")
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(TableError, match="no readable Parquet"):
        read_embeddings(file)


@pytest.mark.parametrize(
    "change",
    [
        *({"format": 99}, {"taxonomy": {}}, {"width": "wide"}, {"refused": 3}),
        *({"origin": origin} for origin in ({"x": 1}, None, "x", 3)),
    ],
)
def test_table_of_another_version_is_told(file: Path, change: dict[str, Any]) -> None:
    table = pq.read_table(file)
    about = {**json.loads(table.schema.metadata[b"emoviz"]), **change}
    pq.write_table(table.replace_schema_metadata({b"emoviz": json.dumps(about)}), file)
    with pytest.raises(TableError, match="Make it anew with embed"):
        describe(file)


def test_failed_writing_leaves_the_old_table(
    made: Made, file: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(file)

    def full(self: Embedded, *_: object) -> EmbeddingTable:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Embedded, "_part", full)
    with pytest.raises(OSError, match="No space"):
        write_embeddings(file, made().parts(settings))
    assert digest(file) == before
    assert [path.name for path in file.parent.glob("*.parquet*")] == [file.name]
