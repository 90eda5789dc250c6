"""The library of labelled sets: what is put in comes out, whatever its labels and names are."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emoviz.data.dataset import Dataset, Record
from emoviz.data.dataset_file import KnownSet
from emoviz.data.images import Limits
from emoviz.data.library import find_set, free_id, list_sets, save_set, set_path
from emoviz.data.reading import open_dataset, read_labelled
from emoviz.errors import TableError, TaxonomyError
from emoviz.labels import EMOTION6, MIKELS8, Taxonomy, own_taxonomy
from emoviz.settings import Settings

OWN = own_taxonomy("own", ["calm", "joy", "dread"])


def record(name: str, label: int, taxonomy: Taxonomy = OWN, **more: object) -> Record:
    shares = tuple(float(i == label) for i in range(len(taxonomy)))
    made = Record(name, Path("/pictures") / name, label, shares, name)
    return replace(made, **more)  # type: ignore[arg-type]


def voted(name: str, label: int, shares: Sequence[float]) -> Record:
    return record(name, label, shares=tuple(shares))


@pytest.fixture
def save(settings: Settings) -> Callable[..., KnownSet]:
    def put(records: Sequence[Record], votes: bool = False, **about: object) -> KnownSet:
        labelled = Dataset("given", OWN, tuple(records), votes=votes)
        return save_set(settings, "mine", "My set", labelled, about)

    return put


def test_a_saved_set_comes_back_as_it_was(save: Callable[..., KnownSet]) -> None:
    records = (
        record("été 1.jpg", 0, metadata={"artist": "Ensor", "year": "1890"}, split="test"),
        record("b/c.jpg", 2, group="Munch", metadata={"artist": "=Munch"}),
    )
    known = save(records, source="made by hand")
    read = read_labelled(known.path)
    assert read.records == records
    assert [r.metadata for r in read.records] == [r.metadata for r in records]
    assert (read.taxonomy, read.votes, read.name) == (OWN, False, "My set")
    assert (known.count, known.taxonomy, known.about) == (2, OWN, {"source": "made by hand"})


def test_votes_and_images_that_most_call_something_else_are_kept(
    save: Callable[..., KnownSet],
) -> None:
    # The second image's largest share went to an answer outside the taxonomy.
    records = (voted("a", 1, (0.2, 0.5, 0.3)), voted("b", -1, (0.3, 0.1, 0.0)))
    read = read_labelled(save(records, votes=True).path)
    assert read.votes
    assert read.records == records


def test_images_inside_tables_are_copied_into_the_set(
    save: Callable[..., KnownSet], picture: Callable[..., bytes], settings: Settings
) -> None:
    known = save([record("train/0", 1, content=picture(seed=1)), record("a.jpg", 2)])
    first, second = read_labelled(known.path).records
    assert first.read(Limits.of(settings)) == picture(seed=1)
    assert second.content is None
    assert second.path == Path("/pictures/a.jpg")
    assert open_dataset(known.path, settings).records[0].read(Limits()) == picture(seed=1)


def test_the_library_lists_the_sample_first_then_the_newest(settings: Settings) -> None:
    for number, id in enumerate(("old", "new")):
        save_set(settings, id, id.title(), Dataset("x", OWN, (record("a", 0),)), {})
        os.utime(set_path(settings, id), (number, number))
    (settings.home / "sets" / "broken.parquet").write_bytes(b"PAR1 and no more")
    found, refused = list_sets(settings)
    assert [item.id for item in found] == ["sample", "new", "old"]
    assert found[0].count == len(read_labelled(settings.sample_data / "labels.csv").records)
    assert len(refused) == 1
    assert "broken.parquet" in refused[0]


def test_embed_reads_a_set_with_its_labels_and_metadata(
    save: Callable[..., KnownSet], settings: Settings
) -> None:
    rows = [
        record("a.jpg", 0, metadata={"artist": "Ensor", "label": "by hand"}, group="Ostend"),
        record("b.jpg", 2, metadata={"artist": "Munch"}, group="Ostend"),
    ]
    found = open_dataset(save(rows).path, settings)
    assert found.name == "My set"
    assert found.taxonomy == OWN
    assert found.labels == ["calm", "dread"]
    assert found.names == ["/pictures/a.jpg", "/pictures/b.jpg"]
    assert found.metadata == {
        "group": ["Ostend", "Ostend"],
        "artist": ["Ensor", "Munch"],
        "meta_label": ["by hand", ""],
    }


@pytest.mark.parametrize("id", ["", "sample", "../x", "A", "a" * 65, "a/b"])
def test_an_id_that_cannot_be_a_file_is_refused(settings: Settings, id: str) -> None:
    with pytest.raises(TableError, match="cannot be a set's id"):
        save_set(settings, id, "x", Dataset("x", OWN, (record("a", 0),)), {})
    if id != "sample":
        with pytest.raises(TableError, match="There is no set"):
            find_set(settings, id)


def test_free_ids_differ_from_those_that_are_taken(settings: Settings) -> None:
    assert free_id(settings, "Sample") == "sample-2"
    assert free_id(settings, "Été / 2026!") == "t-2026"
    assert free_id(settings, "♥") == "set"
    save_set(settings, "set", "x", Dataset("x", OWN, (record("a", 0),)), {})
    assert free_id(settings, "♥") == "set-2"


def test_a_set_of_a_later_version_says_so(save: Callable[..., KnownSet]) -> None:
    known = save([record("a", 0)])
    table = pq.read_table(known.path)
    head = json.loads(table.schema.metadata[b"emoviz_set"]) | {"format": 2}
    changed = table.replace_schema_metadata({b"emoviz_set": json.dumps(head).encode()})
    pq.write_table(changed, known.path)
    with pytest.raises(TableError, match="format 2"):
        read_labelled(known.path)


def test_a_set_with_a_label_that_it_does_not_know_is_refused(
    save: Callable[..., KnownSet],
) -> None:
    known = save([record("a", 0)])
    table = pq.read_table(known.path)
    place = table.column_names.index("label")
    pq.write_table(table.set_column(place, "label", pa.array(["bliss"])), known.path)
    with pytest.raises(TableError, match="bliss"):
        read_labelled(known.path)


def test_a_name_that_is_no_text_is_left_out_and_named(save: Callable[..., KnownSet]) -> None:
    known = save([record(os.fsdecode(b"caf\xe9.jpg"), 0), record("b.jpg", 1)])
    assert [r.name for r in read_labelled(known.path).records] == ["b.jpg"]
    assert known.about["left_out"] == [r"'caf\udce9.jpg'"]


def test_labels_may_be_put_in_the_order_of_another_taxonomy(settings: Settings) -> None:
    turned = replace(EMOTION6, name="turned", classes=EMOTION6.classes[::-1])
    rows = (record("a", 1, EMOTION6), record("b", -1, EMOTION6))
    known = save_set(settings, "six", "Six", Dataset("x", EMOTION6, rows), {})
    read = read_labelled(known.path, turned)
    assert [r.label for r in read.records] == [turned.index("disgust"), -1]
    assert np.argmax(read.records[0].shares) == turned.index("disgust")


def test_own_labels_keep_what_is_known_of_them() -> None:
    calm, joy, dread = OWN.classes
    assert (joy.sentiment, joy.colour) == ("positive", EMOTION6.classes[3].colour)
    assert calm.sentiment is None
    assert len({calm.colour, joy.colour, dread.colour}) == 3
    angry = own_taxonomy("x", ["Angry ", "Angry", "cat"]).classes[0]
    assert (angry.name, angry.colour) == ("Angry", MIKELS8.classes[4].colour)


def test_own_labels_need_a_name_of_their_own() -> None:
    with pytest.raises(TaxonomyError, match="registered"):
        own_taxonomy("Mikels8", ["a"])
    with pytest.raises(TaxonomyError, match="no label"):
        own_taxonomy("x", [" "])
