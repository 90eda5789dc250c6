"""A collection with all its facts as one JSON file, and back into this store or another.

Nothing is lost on the way: works (removed ones too), every checkpoint's estimates, shares, and
every decision, corrected and taken back ones too. Reviewers, works and decisions are told by what
outlives a store: uid, key and token. So a file that is brought in twice adds nothing the second
time, and decisions that colleagues made apart come together in one store.

::

    {"format": "emoviz-review", "version": 1, "made": ..., "emoviz": ..., "store": uid,
     "collection": {...}, "reviewers": [...], "works": [...],
     "estimate_sets": [{..., "estimates": [{"work": key, "sha256", "probabilities", "novelty"}]}],
     "shares": [...], "decisions": [{"work": key, "reviewer": uid, "replaces": token, ...}]}
"""

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, func, insert, select

from emoviz import __version__
from emoviz.errors import ReviewError, TaxonomyError
from emoviz.files import replaced_file
from emoviz.labels import Taxonomy
from emoviz.review import rows, schema
from emoviz.review.deciding import rebuild
from emoviz.review.model import (
    KINDS,
    ROLES,
    STRENGTHS,
    ArtworkCollection,
    Feeling,
    NewEstimate,
    NewWork,
    ShownWork,
)
from emoviz.review.store import ReviewStore

_T = TypeVar("_T")
FORMAT, VERSION = "emoviz-review", 1
_BATCH = 500
_DERIVED = {"id", "collection", "search", "deal", "common"}  # of works: made anew on the way in
_PERSON = ("uid", "name", "role", "subject", "created")
_SECTIONS = ("reviewers", "works", "estimate_sets", "shares", "decisions")


@dataclass(frozen=True)
class Imported:
    """What a file brought: the collection, and how much of it was new to the store."""

    collection: ArtworkCollection
    works: int
    decisions: int
    reviewers: int
    known_decisions: int


def write_export(store: ReviewStore, collection: ArtworkCollection, out: Path) -> int:
    """Write a collection to a file, whole or not at all; gives the number of decisions.

    Raises:
        OSError: The disk is full or closed; what was there stays.
    """
    with (
        store.read() as found,
        replaced_file(out) as aside,
        aside.open("w", encoding="utf-8") as stream,
    ):
        head = {
            "format": FORMAT,
            "version": VERSION,
            "made": rows.now(),
            "emoviz": __version__,
            "store": store.uid,
            "collection": {k: v for k, v in asdict(collection).items() if k != "id"},
        }
        stream.write(json.dumps(head, ensure_ascii=False)[:-1])
        tables = _tables(found, collection.id)
        counts = {name: _write_list(stream, name, items) for name, items in tables}
        stream.write("\n}\n")
    return counts["decisions"]


def read_export(store: ReviewStore, file: Path, name: str = "") -> Imported:
    """Bring a file of `write_export` into a store: all of it or, on any fault, nothing.

    A collection that the store has already is added to: its own works and decisions stay as they
    are. People are told by uid, login or name. A store that has people already hands out no role
    above ``reviewer`` because a file says so.

    Args:
        store: Where to.
        file: What `write_export` wrote.
        name: For the collection; that of the file where empty.

    Raises:
        ReviewError: The file is cut short, damaged, of a newer version, or contradicts the store;
            or the name is taken by another collection.
    """
    values = _read(file)
    with store.write() as made:
        # Whoever decides holds their own row; with all of them held, nobody decides meanwhile.
        made.execute(select(schema.reviewers.c.id).order_by("id").with_for_update()).all()
        with _fits(file):
            result = _Import(store, made, values, name).run()
    store.database.frontiers.clear()
    return result


def _tables(found: Connection, collection: int) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    people = {r["id"]: r for r in found.execute(select(schema.reviewers)).mappings()}
    works = schema.works
    mine = works.c.collection == collection
    keys: dict[int, str] = dict(found.execute(select(works.c.id, works.c.key).where(mine)).all())
    part = schema.shares.c.collection == collection
    shares = found.execute(select(schema.shares).where(part)).mappings().all()
    facts = schema.decisions
    query = select(facts.c.reviewer).where(facts.c.collection == collection).distinct()
    used = {*found.scalars(query), *(row["reviewer"] for row in shares)}
    yield "reviewers", ({name: people[id][name] for name in _PERSON} for id in sorted(used))
    ordered = select(works).where(mine).order_by(works.c.number, works.c.id)
    yield "works", (_without(row, _DERIVED) for row in found.execute(ordered).mappings())
    yield "estimate_sets", _estimate_sets(found, collection, keys)
    wanted = ("part", "parts", "overlap")
    yield (
        "shares",
        ({"reviewer": people[r["reviewer"]]["uid"], **{n: r[n] for n in wanted}} for r in shares),
    )
    yield "decisions", _decisions(found, collection, keys, people)


def _estimate_sets(
    found: Connection, collection: int, keys: Mapping[int, str]
) -> Iterator[dict[str, Any]]:
    sets, estimates = schema.estimate_sets, schema.estimates
    query = select(sets).where(sets.c.collection == collection).order_by(sets.c.id)
    for head in found.execute(query).mappings().all():
        of_set = select(estimates).where(estimates.c.estimate_set == head["id"])
        # A work that was removed may have the number of another: the id says which came first.
        in_order = of_set.order_by(estimates.c.number, estimates.c.work)
        listed = [
            {
                "work": keys[row["work"]],
                "sha256": row["sha256"],
                "probabilities": rows.unpacked(row["probabilities"]),
                "novelty": row["novelty"],
            }
            for row in found.execute(in_order).mappings()
        ]
        yield {**_without(head, {"id", "collection", "count"}), "estimates": listed}


def _decisions(
    found: Connection,
    collection: int,
    keys: Mapping[int, str],
    people: Mapping[int, Mapping[Any, Any]],
) -> Iterator[dict[str, Any]]:
    facts = schema.decisions
    tokens: dict[int, str] = {}
    query = select(facts).where(facts.c.collection == collection).order_by(facts.c.id)
    for row in found.execute(query).mappings():
        tokens[row["id"]] = row["token"]
        yield {
            **_without(row, {"id", "collection"}),
            "work": keys[row["work"]],
            "reviewer": people[row["reviewer"]]["uid"],
            "replaces": tokens.get(row["replaces"]),
        }


def _without(row: Mapping[Any, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _write_list(stream: Any, name: str, items: Iterable[dict[str, Any]]) -> int:
    """One line an item: a file of many works is written and compared line by line."""
    stream.write(f',\n"{name}": [')
    count = 0
    for item in items:
        stream.write(",\n" if count else "\n")
        stream.write(json.dumps(item, ensure_ascii=False))
        count += 1
    stream.write("\n]")
    return count


def _read(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReviewError(f"'{file}' cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ReviewError(
            f"'{file}' is cut short or damaged ({error}). Nothing was brought in; export it again."
        ) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ReviewError(f"'{file}' is no export of reviews; wanted what `--as json` writes.")
    if values.get("version") != VERSION:
        raise ReviewError(
            f"'{file}' is of version {values.get('version')}, this emoviz reads {VERSION}. Update "
            "emoviz."
        )
    lists = [name for name in _SECTIONS if not isinstance(values.get(name), list)]
    if lists or not isinstance(values.get("collection"), dict):
        raise ReviewError(f"'{file}' lacks {', '.join(lists) or 'collection'}; export it again.")
    return values


@contextlib.contextmanager
def _fits(file: Path) -> Iterator[None]:
    """What a file that was changed by hand raises, in words."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, TaxonomyError) as error:
        kind = "lacks" if isinstance(error, KeyError) else "does not fit"
        raise ReviewError(f"'{file}' {kind}: {error}. Nothing was brought in.") from None


class _Import:
    """One file on its way into the store, within one transaction."""

    def __init__(
        self, store: ReviewStore, made: Connection, values: Mapping[str, Any], name: str
    ) -> None:
        self._store, self._made, self._values = store, made, values
        self._name = name or str(values["collection"]["name"])

    def run(self) -> Imported:
        collection = self._collection()
        people, newcomers = self._people()
        works, new_works = self._works(collection.id)
        for item in self._values["estimate_sets"]:
            self._estimates(collection.id, item, works)
        self._shares(collection.id, people)
        known, new = self._decisions(collection.id, works, people)
        rebuild(self._made, collection.id)
        self._store.database.changed(self._made, collection.id)
        return Imported(collection, new_works, new, newcomers, known)

    def _collection(self) -> ArtworkCollection:
        table, given = schema.collections, self._values["collection"]
        row = self._first(select(table).where(table.c.uid == _text(given["uid"])))
        if row is None:
            taken = select(table).where(table.c.name == self._name, table.c.removed == "")
            if self._first(taken) is not None:
                raise ReviewError(
                    f"There is another collection '{self._name}' in this store. Bring the file in "
                    "under another name."
                )
            fields = ("uid", "title", "source", "kind", "created", "removed")
            new: dict[str, Any] = {name: _text(given[name]) for name in fields}
            new |= {"name": self._name, "about": dict(given["about"])}
            self._made.execute(insert(table).values(new))
            row = self._first(select(table).where(table.c.uid == given["uid"]))
        assert row is not None
        return rows.collection_of(row)

    def _people(self) -> tuple[dict[str, int], int]:
        """The file's uids -> ids here, and how many people are new."""
        table = schema.reviewers
        is_empty = not self._made.scalar(select(func.count()).select_from(table))
        ids, newcomers = {}, 0
        for item in self._values["reviewers"]:
            given = {name: _text(item[name]) for name in _PERSON}
            if given["role"] not in ROLES:
                raise ValueError(f"role '{given['role']}'")
            found = self._known_person(given)
            if found is None:
                capped = given["role"] == "manager" and not is_empty
                given["role"] = "reviewer" if capped else given["role"]
                given["name"] = self._free_name(given["name"])
                row = {**given, "name_key": given["name"].casefold()}
                self._made.execute(insert(table).values(row))
                found = self._made.scalar(select(table.c.id).where(table.c.uid == given["uid"]))
                newcomers += 1
            ids[given["uid"]] = int(found or 0)
        return ids, newcomers

    def _known_person(self, given: Mapping[str, str]) -> int | None:
        """By uid, by login, or by name where neither here nor there anybody logs in."""
        table = schema.reviewers
        ways = [table.c.uid == given["uid"]]
        if given["subject"]:
            ways.append(table.c.subject == given["subject"])
        else:
            key = given["name"].casefold()
            ways.append((table.c.name_key == key) & (table.c.subject == ""))
        found = (self._made.scalar(select(table.c.id).where(way)) for way in ways)
        return next((id for id in found if id is not None), None)

    def _free_name(self, name: str) -> str:
        table, spelt, number = schema.reviewers, name, 1
        while self._made.scalar(select(table.c.id).where(table.c.name_key == spelt.casefold())):
            number += 1
            spelt = f"{name} ({number})"
        return spelt

    def _works(self, collection: int) -> tuple[dict[str, tuple[int, int]], int]:
        """Key -> id and number here, and how many works are new."""
        table = schema.works
        known = self._known_works(collection)
        last = max((number for _, number in known.values()), default=-1)
        new: list[dict[str, Any]] = []
        for item in self._values["works"]:
            if _text(item["key"]) in known:
                continue
            number = last + 1 + len(new) if known else int(item["number"])
            new.append(_work_row(collection, number, item))
        for part in _parts(new):
            self._made.execute(insert(table), part)
        return self._known_works(collection), len(new)

    def _known_works(self, collection: int) -> dict[str, tuple[int, int]]:
        table = schema.works
        query = select(table.c.key, table.c.id, table.c.number)
        found = self._made.execute(query.where(table.c.collection == collection))
        return {key: (id, number) for key, id, number in found}

    def _estimates(
        self, collection: int, item: Mapping[str, Any], works: Mapping[str, tuple[int, int]]
    ) -> None:
        """A checkpoint's estimates, unless the store has those of this very checkpoint."""
        sets, taxonomy = schema.estimate_sets, Taxonomy.from_dict(item["taxonomy"])
        fields = ("checkpoint", "fingerprint", "version", "table", "created")
        head: dict[str, Any] = {name: _text(item[name]) for name in fields}
        mine = (sets.c.collection == collection) & (sets.c.fingerprint == head["fingerprint"])
        if self._first(select(sets).where(mine)) is not None:
            return
        count = len(item["estimates"])
        head |= {"collection": collection, "taxonomy": taxonomy.to_dict(), "count": count}
        self._made.execute(insert(sets).values(head))
        id = int(self._made.scalar(select(sets.c.id).where(mine)) or 0)
        made = (_estimate_row(id, row, works, taxonomy) for row in item["estimates"])
        for part in _parts(made):
            self._made.execute(insert(schema.estimates), part)

    def _shares(self, collection: int, people: Mapping[str, int]) -> None:
        """Shares of people who have none here yet."""
        table = schema.shares
        query = select(table.c.reviewer).where(table.c.collection == collection)
        known = set(self._made.scalars(query))
        for item in self._values["shares"]:
            reviewer = people[item["reviewer"]]
            part, parts, overlap = int(item["part"]), int(item["parts"]), float(item["overlap"])
            if not (0 <= part < parts and 0.0 <= overlap <= 1.0):
                raise ValueError(f"share {item}")
            if reviewer not in known:
                row = {"part": part, "parts": parts, "overlap": overlap}
                new = insert(table).values(collection=collection, reviewer=reviewer, **row)
                self._made.execute(new)

    def _decisions(
        self, collection: int, works: Mapping[str, tuple[int, int]], people: Mapping[str, int]
    ) -> tuple[int, int]:
        """How many of the file's decisions were known, and how many are new."""
        table, ids = schema.decisions, dict[str, int]()
        given = [_text(item["token"]) for item in self._values["decisions"]]
        for part in _parts(given):
            query = select(table.c.token, table.c.id, table.c.collection)
            for token, id, of in self._made.execute(query.where(table.c.token.in_(part))):
                if of != collection:
                    raise ValueError(f"decision {token} belongs to another collection here")
                ids[token] = id
        known = len(ids)
        for item in self._values["decisions"]:
            if item["token"] not in ids:
                row = _decision_row(item, works, people, ids)
                done = self._made.execute(insert(table).values(collection=collection, **row))
                ids[item["token"]] = int(done.inserted_primary_key[0])  # type: ignore[index]
        return known, len(ids) - known

    def _first(self, query: Any) -> Mapping[Any, Any] | None:
        return self._made.execute(query).mappings().first()


def _work_row(collection: int, number: int, item: Mapping[str, Any]) -> dict[str, Any]:
    names = set(NewWork.__dataclass_fields__) - {"year", "metadata"}
    year = None if item["year"] is None else int(item["year"])
    metadata = {_text(name): _text(text) for name, text in item["metadata"].items()}
    texts = {name: _text(item[name]) for name in names}
    work = NewWork(**texts, year=year, metadata=metadata)
    state = item["state"]
    if state not in ("waiting", "ready", "failed"):
        raise ValueError(f"state '{state}'")
    own = {"state": state, "removed": _text(item["removed"])}
    return {**rows.work_row(collection, number, work), **own}


def _estimate_row(
    id: int, item: Mapping[str, Any], works: Mapping[str, tuple[int, int]], taxonomy: Taxonomy
) -> dict[str, Any]:
    p = tuple(float(value) for value in item["probabilities"])
    if len(p) != len(taxonomy) or not all(0.0 <= value <= 1.0 for value in p):
        raise ValueError(f"probabilities {p} for {len(taxonomy)} classes")
    novelty = None if item["novelty"] is None else float(item["novelty"])
    if novelty is not None and not math.isfinite(novelty):
        raise ValueError(f"novelty {novelty}")
    work, number = works[item["work"]]
    given = NewEstimate(_text(item["sha256"]), p, novelty)
    return rows.estimate_row(id, work, number, given, taxonomy)


def _decision_row(
    item: Mapping[str, Any],
    works: Mapping[str, tuple[int, int]],
    people: Mapping[str, int],
    ids: Mapping[str, int],
) -> dict[str, Any]:
    feelings = [Feeling(_text(f["emotion"]), int(f["strength"])) for f in item["feelings"]]
    wrong = [f for f in feelings if f.strength not in STRENGTHS]
    if item["kind"] not in KINDS or wrong or not item["token"]:
        raise ValueError(f"decision {item['token']}: {item['kind']} {wrong or ''}")
    if item["kind"] == "retract" and item["replaces"] not in ids:
        raise ValueError(f"decision {item['token']} takes back one that is not there")
    texts = ("sha256", "time", "checkpoint", "fingerprint", "kind", "note", "token")
    return {
        **{name: _text(item[name]) for name in texts},
        "work": works[item["work"]][0],
        "reviewer": people[item["reviewer"]],
        "feelings": rows.feelings_row(feelings),
        "shown": asdict(ShownWork(**item["shown"])),
        "replaces": ids[item["replaces"]] if item["replaces"] is not None else None,
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return rows.clean(value)


def _parts(items: Iterable[_T]) -> Iterator[list[_T]]:
    found = iter(items)
    while part := list(islice(found, _BATCH)):
        yield part
