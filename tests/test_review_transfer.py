"""What leaves a store comes back whole: exports, imports, merges, backups, on both databases."""

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from digests import digest
from reviews import furnish_review, guesses, new_works, say

from emoviz.errors import ReviewError
from emoviz.labels import EMOTION6
from emoviz.review.backup import back_up, is_backup, restore
from emoviz.review.database import open_database
from emoviz.review.model import ArtworkCollection, Share
from emoviz.review.store import ReviewStore, open_store
from emoviz.review.transfer import read_export, write_export
from emoviz.settings import Settings


@pytest.fixture
def other(settings: Settings, tmp_path: Path) -> ReviewStore:
    """A second, empty store, on SQLite."""
    return open_store(replace(settings, database_url=f"sqlite:///{tmp_path}/other.sqlite"))


@pytest.fixture
def collection(store: ReviewStore) -> ArtworkCollection:
    """Works gone and failed, two checkpoints, shares, corrections, undone decisions."""
    given = new_works(6)
    made, _ = furnish_review(store, given)
    store.put_works(made.id, [*given[1:], replace(given[0], key="no\u2028t", error="<b>404")])
    works = store.works(made.id)
    six = [replace(item, probabilities=item.probabilities[:6]) for item in guesses(works, 3)]
    even = [replace(item, probabilities=(0.1, 0.2, 0.3, 0.1, 0.2, 0.1)) for item in six]
    store.put_estimates(made.id, "other", "a" * 64, "0.1.0", EMOTION6, "x.parquet", even)
    ona, jonas = store.reviewer("Ona"), store.reviewer("Jonas")
    store.login("https://id.example|1", "Ada")
    store.set_share(made.id, Share(jonas.id, 1, 3, 0.25), jonas.id)
    say(store, ona, works[0], ("awe", 3), ("fear", 1), note="=1+1 \u201cé\u201d\n2", blind=True)
    say(store, jonas, works[0], kind="skip")
    say(store, ona, works[1], "fear")
    say(store, ona, works[1], "anger")
    say(store, jonas, works[2])
    store.undo(made.id, ona.id, "u1")
    store.undo(made.id, jonas.id, "u2")
    return made


def facts(file: Path) -> dict[str, Any]:
    """What an export says, but for when and where it was made."""
    values = json.loads(file.read_text())
    return {k: v for k, v in values.items() if k not in ("made", "store")}


def test_an_export_brought_into_another_store_exports_the_same(
    store: ReviewStore, other: ReviewStore, collection: ArtworkCollection, tmp_path: Path
) -> None:
    assert write_export(store, collection, tmp_path / "a.json") == 7
    done = read_export(other, tmp_path / "a.json")
    assert (done.works, done.decisions, done.reviewers, done.known_decisions) == (7, 7, 2, 0)
    write_export(other, done.collection, tmp_path / "b.json")
    assert facts(tmp_path / "b.json") == facts(tmp_path / "a.json")

    def standing(of: ReviewStore, id: int) -> list[tuple[object, ...]]:
        keys = {work.id: work.key for work in of.works(id)}
        names = {person.id: person.name for person in of.reviewers()}
        return [
            (keys[d.work], names[d.reviewer], d.kind, d.feelings, d.note, d.shown, d.time, d.sha256)
            for d in of.standing(id)
        ]

    assert standing(other, done.collection.id) == standing(store, collection.id)
    for here, there in zip(
        store.estimate_sets(collection.id), other.estimate_sets(done.collection.id), strict=True
    ):
        ours = [item.probabilities for item in store.estimates(here)]
        assert [item.probabilities for item in other.estimates(there)] == ours


def test_a_file_brought_in_twice_adds_nothing(
    store: ReviewStore, collection: ArtworkCollection, tmp_path: Path
) -> None:
    write_export(store, collection, tmp_path / "a.json")
    done = read_export(store, tmp_path / "a.json")
    assert done.collection.id == collection.id
    assert (done.works, done.decisions, done.reviewers, done.known_decisions) == (0, 0, 0, 7)
    write_export(store, collection, tmp_path / "b.json")
    assert facts(tmp_path / "b.json") == facts(tmp_path / "a.json")


def test_decisions_made_apart_come_together(
    store: ReviewStore, other: ReviewStore, collection: ArtworkCollection, tmp_path: Path
) -> None:
    write_export(store, collection, tmp_path / "a.json")
    there = read_export(other, tmp_path / "a.json").collection
    key = store.works(collection.id)[3].key
    away = next(work for work in other.works(there.id) if work.key == key)
    say(other, other.reviewer("Ona"), away, "disgust", token="away")
    say(other, other.reviewer("Eglė"), away, "fear", token="newcomer")
    here = store.works(collection.id)[4]
    say(store, store.reviewer("Ona"), here, "awe", token="here")
    write_export(other, there, tmp_path / "b.json")
    done = read_export(store, tmp_path / "b.json")
    assert (done.decisions, done.reviewers, done.known_decisions) == (2, 1, 7)
    standing = {item.token: item for item in store.standing(collection.id)}
    assert {"away", "newcomer", "here"} <= set(standing)
    assert standing["away"].reviewer == store.reviewer("Ona").id
    assert standing["away"].sha256 == away.sha256
    assert len(store.reviewers()) == 4


def test_a_file_hands_out_no_rights(
    store: ReviewStore, other: ReviewStore, collection: ArtworkCollection, tmp_path: Path
) -> None:
    write_export(store, collection, tmp_path / "a.json")
    boss = other.reviewer("Boss")
    read_export(other, tmp_path / "a.json")
    assert {person.name: person.role for person in other.reviewers()} == {
        "Boss": "manager",
        "Ona": "reviewer",
        "Jonas": "reviewer",
    }
    assert boss.may_manage


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_changes_nothing(
    store: ReviewStore,
    other: ReviewStore,
    collection: ArtworkCollection,
    tmp_path: Path,
    share: float,
) -> None:
    write_export(store, collection, tmp_path / "a.json")
    whole = (tmp_path / "a.json").read_bytes()
    (tmp_path / "cut.json").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ReviewError, match="cut short or damaged"):
        read_export(other, tmp_path / "cut.json")
    assert (other.collections(), other.reviewers()) == ([], [])


def _spoil(values: dict[str, Any], place: str, new: object) -> None:
    *path, last = place.split(".")
    found: Any = values
    for name in path:
        found = found[int(name)] if isinstance(found, list) else found[name]
    if new is KeyError:
        del found[int(last) if isinstance(found, list) else last]
    else:
        found[int(last) if isinstance(found, list) else last] = new


@pytest.mark.parametrize(
    ("place", "new", "words"),
    [
        ("format", "other", "no export of reviews"),
        ("version", 2, "Update emoviz"),
        ("works", KeyError, "lacks works"),
        ("works.2", KeyError, "lacks"),
        ("works.1.title", 7, "no text"),
        ("works.1.state", "gone", "state"),
        ("decisions.0.work", "nowhere", "lacks"),
        ("decisions.0.kind", "shout", "shout"),
        ("decisions.0.feelings.0.strength", 9, "decision"),
        ("decisions.0.shown.spy", True, "does not fit"),
        ("decisions.6.replaces", None, "takes back"),
        ("reviewers.0.role", "king", "king"),
        ("estimate_sets.0.estimates.0.probabilities", [2.0] * 8, "probabilities"),
        ("estimate_sets.0.estimates.0.probabilities", [1.0], "probabilities"),
        ("estimate_sets.0.taxonomy.classes", [], "taxonomy"),
        ("shares.0.part", 5, "share"),
        ("collection.about", 5, "does not fit"),
    ],
)
def test_files_changed_by_hand_are_refused_whole(
    settings: Settings, tmp_path: Path, other: ReviewStore, place: str, new: object, words: str
) -> None:
    store = open_store(settings)
    collection, _ = furnish_review(store, new_works(3))
    works = store.works(collection.id)
    ona = store.reviewer("Ona")
    store.set_share(collection.id, Share(ona.id, 0, 2), ona.id)
    for step in range(6):
        say(store, ona, works[step % 3], "awe")
    store.undo(collection.id, ona.id, "u")
    write_export(store, collection, tmp_path / "a.json")
    values = json.loads((tmp_path / "a.json").read_text())
    _spoil(values, place, new)
    (tmp_path / "b.json").write_text(json.dumps(values))
    with pytest.raises(ReviewError, match=words):
        read_export(other, tmp_path / "b.json")
    assert (other.collections(), other.reviewers()) == ([], [])
    open_database.cache_clear()


def test_a_name_that_is_taken_is_told(
    store: ReviewStore, other: ReviewStore, collection: ArtworkCollection, tmp_path: Path
) -> None:
    write_export(store, collection, tmp_path / "a.json")
    other.add_collection("gallery", "Another", "", "folder", {})
    with pytest.raises(ReviewError, match="under another name"):
        read_export(other, tmp_path / "a.json")
    assert read_export(other, tmp_path / "a.json", "second").collection.name == "second"


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff\xfe", b"{}"])
def test_files_that_are_something_else_are_told(
    settings: Settings, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ReviewError):
        read_export(open_store(settings), tmp_path / "x.json")
    with pytest.raises(ReviewError, match="cannot be read"):
        read_export(open_store(settings), tmp_path / "none.json")
    open_database.cache_clear()


# Backups ---------------------------------------------------------------------------------------


def rows_of(store: ReviewStore) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    from emoviz.review import schema

    with store.read() as found:
        return {
            table.name: [
                tuple(row) for row in found.execute(table.select().order_by(*table.primary_key))
            ]
            for table in schema.metadata.sorted_tables
        }


def test_a_backup_is_the_whole_store_and_can_be_used_as_it_is(
    store: ReviewStore, collection: ArtworkCollection, settings: Settings, tmp_path: Path
) -> None:
    done = back_up(store, tmp_path / "b" / "review.backup")
    assert is_backup(done.path)
    assert (done.rows["decisions"], done.rows["works"]) == (7, 7)
    before = done.path.read_bytes()
    assert [file.name for file in done.path.parent.iterdir()] == ["review.backup"]
    used = open_store(replace(settings, database_url=f"sqlite:///{done.path}"))
    assert rows_of(used) == rows_of(store)
    assert used.uid == store.uid
    used.engine.dispose()
    done.path.write_bytes(before)
    back_up(store, done.path)


def test_a_backup_is_put_back_into_an_empty_store_of_either_kind(
    store: ReviewStore, settings: Settings, tmp_path: Path
) -> None:
    first = open_store(replace(settings, database_url=f"sqlite:///{tmp_path}/first.sqlite"))
    made, _ = furnish_review(first, new_works(5))
    works = first.works(made.id)
    ona = first.reviewer("Ona")
    say(first, ona, works[0], "awe")
    say(first, ona, works[0], "fear")
    back_up(first, tmp_path / "backup")
    before = digest(tmp_path / "backup")
    restore(store, tmp_path / "backup")
    assert rows_of(store) == rows_of(first)
    assert digest(tmp_path / "backup") == before
    # and life goes on: new ids come after the old ones
    made_after = say(store, store.reviewer("Ona"), works[1], "awe")
    assert made_after.id > max(item.id for item in first.decisions(made.id))
    assert store.reviewer("Newcomer").role == "reviewer"
    with pytest.raises(ReviewError, match="not empty"):
        restore(store, tmp_path / "backup")


def test_a_backup_is_taken_while_people_decide(store: ReviewStore, tmp_path: Path) -> None:
    import threading

    made, _ = furnish_review(store, new_works(200))
    ona = store.reviewer("Ona")
    works = store.works(made.id)
    stop, count = threading.Event(), [0]

    def decide() -> None:
        for work in works:
            say(store, ona, work, "awe")
            count[0] += 1
            if stop.is_set():
                return

    thread = threading.Thread(target=decide)
    thread.start()
    while count[0] < 5:
        pass
    before = count[0]
    done = back_up(store, tmp_path / "backup")
    after = count[0] + 1
    stop.set()
    thread.join()
    assert before <= done.rows["decisions"] <= after
    assert done.rows["standing"] == done.rows["decisions"]


def test_damaged_and_foreign_files_are_no_backup(settings: Settings, tmp_path: Path) -> None:
    store = open_store(settings)
    furnish_review(store, new_works(50))
    back_up(store, tmp_path / "good")
    data = bytearray((tmp_path / "good").read_bytes())
    data[8192:12288] = b"\xff" * 4096
    (tmp_path / "damaged").write_bytes(data)
    (tmp_path / "short").write_bytes(data[:6000])
    with sqlite3.connect(tmp_path / "foreign") as foreign:
        foreign.execute("CREATE TABLE x (y)")
    foreign.close()
    empty = open_store(replace(settings, database_url=f"sqlite:///{tmp_path}/empty.sqlite"))
    for name in ("damaged", "short", "foreign"):
        assert is_backup(tmp_path / name)
        with pytest.raises(ReviewError, match=name):
            restore(empty, tmp_path / name)
    assert empty.collections() == []
    with pytest.raises(ReviewError, match="the store itself"):
        back_up(store, settings.home / "review.sqlite")
    shutil.rmtree(tmp_path / "nothing", ignore_errors=True)
    open_database.cache_clear()
