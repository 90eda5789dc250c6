"""What is reviewed: collections, their works, and what checkpoints make of them."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from emoviz.errors import ReviewError
from emoviz.labels import Taxonomy
from emoviz.review import rows
from emoviz.review.database import Database
from emoviz.review.model import (
    ArtworkCollection,
    Counts,
    EstimateSet,
    NewEstimate,
    NewWork,
    StoredPrediction,
    Work,
)
from emoviz.review.schema import collections, estimate_sets, estimates, standing, works

_BATCH = 500
_VALUES = {name: works.c[name] for name in ("artist", "style", "year", "label")}


class Holdings:
    """The part of the store that knows collections, works and estimates."""

    database: Database

    def collections(self) -> list[ArtworkCollection]:
        """All that were not removed, by name."""
        query = select(collections).where(collections.c.removed == "").order_by(collections.c.name)
        with self.database.reading() as found:
            return [rows.collection_of(row) for row in found.execute(query).mappings()]

    def collection(self, name: str) -> ArtworkCollection | None:
        """The collection of that name; None where there is none."""
        wanted = (collections.c.name == name) & (collections.c.removed == "")
        with self.database.reading() as found:
            row = found.execute(select(collections).where(wanted)).mappings().first()
        return None if row is None else rows.collection_of(row)

    def add_collection(
        self, name: str, title: str, source: str, kind: str, about: Mapping[str, Any]
    ) -> ArtworkCollection:
        """Make a collection, or bring the one of that name up to date."""
        values = {
            "title": rows.clean(title),
            "source": rows.clean(source),
            "kind": kind,
            "about": dict(about),
        }
        wanted = (collections.c.name == name) & (collections.c.removed == "")
        with self.database.writing() as made:
            if made.scalar(select(collections.c.id).where(wanted)) is None:
                new = {"uid": uuid.uuid4().hex, "name": name, "created": rows.now(), "removed": ""}
                insert = self.database.insert(collections).values(**values, **new)
                made.execute(insert.on_conflict_do_nothing())
            made.execute(update(collections).where(wanted).values(values))
            row = made.execute(select(collections).where(wanted)).mappings().one()
        return rows.collection_of(row)

    def remove_collection(self, collection: int) -> None:
        """Take a collection off every list; its decisions stay in the store."""
        gone = update(collections).where(collections.c.id == collection)
        with self.database.writing() as made:
            made.execute(gone.values(removed=rows.now()))

    def put_works(self, collection: int, given: Sequence[NewWork]) -> None:
        """Bring a collection's works up to date, in this order, by their keys.

        A work keeps its id as long as it keeps its key, and so its decisions. Works that are not
        among those given any more are removed; one that comes back is there again.
        """
        unique = {work.key: work for work in given}
        with self.database.writing() as made:
            self._must_be(made, collection)
            gone = update(works).where(works.c.collection == collection, works.c.removed == "")
            made.execute(gone.values(removed=rows.now()))
            numbered = iter(enumerate(unique.values()))
            while part := list(islice(numbered, _BATCH)):
                self._upsert(made, works, [rows.work_row(collection, n, w) for n, w in part])
            number = select(works.c.number).where(works.c.id == estimates.c.work).scalar_subquery()
            mine = select(estimate_sets.c.id).where(estimate_sets.c.collection == collection)
            made.execute(
                update(estimates).where(estimates.c.estimate_set.in_(mine)).values(number=number)
            )
            _mark_there(made, collection)
            self.database.changed(made, collection)
            self.database.analyse(made, "works", "estimates", "standing")
        self.database.frontiers.clear()

    def works(self, collection: int, removed: bool = False) -> list[Work]:
        """All works in the collection's order; removed ones only if asked for."""
        query = select(works).where(works.c.collection == collection).order_by(works.c.number)
        if not removed:
            query = query.where(works.c.removed == "")
        with self.database.reading() as found:
            return [rows.work_of(row) for row in found.execute(query).mappings()]

    def work(self, id: int) -> Work | None:
        """One work, removed or not; None where there is none of that id."""
        with self.database.reading() as found:
            row = found.execute(select(works).where(works.c.id == id)).mappings().first()
        return None if row is None else rows.work_of(row)

    def values(self, collection: int, column: str) -> list[tuple[str, int]]:
        """What stands in a column, each with its number of works, the most frequent first.

        Args:
            collection: Id.
            column: ``artist``, ``style``, ``year`` or ``label``.
        """
        value, count = _column(column), func.count()
        query = (
            select(value, count)
            .where(works.c.collection == collection, works.c.removed == "")
            .group_by(value)
            .order_by(count.desc(), value)
        )

        def listed() -> list[tuple[str, int]]:
            return [(str(text), n) for text, n in found.execute(query) if text not in ("", None)]

        with self.database.reading() as found:
            kept = self.database.of_revision(found, collection, ("values", column), listed)
            return list(kept)

    def model_counts(self, known: EstimateSet, column: str) -> list[tuple[str, str, int]]:
        """Value of a column, emotion that the model finds most probable, number of works.

        Args:
            known: Whose estimates.
            column: As of `values`; works where it is empty are left out.
        """
        value, count = _column(column), func.count()
        query = (
            select(value, estimates.c.first, count)
            .select_from(estimates)
            .join(works, works.c.id == estimates.c.work)
            .where(estimates.c.estimate_set == known.id, works.c.removed == "")
            .group_by(value, estimates.c.first)
        )

        def listed() -> list[tuple[str, str, int]]:
            rows = found.execute(query)
            return [(str(text), first, n) for text, first, n in rows if text not in ("", None)]

        with self.database.reading() as found:
            what = ("model", known.id, column)
            kept = self.database.of_revision(found, known.collection, what, listed)
            return list(kept)

    def decided_works(self, collection: int) -> list[Work]:
        """Works on which a decision stands, skips too, in the collection's order."""
        decided = select(standing.c.work).where(standing.c.collection == collection)
        query = select(works).where(works.c.id.in_(decided), works.c.removed == "")
        with self.database.reading() as found:
            ordered = found.execute(query.order_by(works.c.number)).mappings()
            return [rows.work_of(row) for row in ordered]

    def counts(self, collection: int) -> Counts:
        """A collection in numbers."""
        state = works.c.state
        by_state = select(state, func.count()).where(_there(collection)).group_by(state)
        stands = (
            select(
                func.count(standing.c.work.distinct()),
                func.count(),
                func.count(standing.c.reviewer.distinct()),
            )
            .join(works, works.c.id == standing.c.work)
            .where(_there(collection), standing.c.kind != "skip")
        )
        with self.database.reading() as found:
            states: dict[str, int] = self.database.of_revision(
                found, collection, "states", lambda: dict(found.execute(by_state).all())
            )
            decided, decisions, people = found.execute(stands).one()
        numbers = [states.get(name, 0) for name in ("ready", "failed", "waiting")]
        ready, failed, waiting = numbers
        return Counts(sum(numbers), ready, failed, waiting, decided, decisions, people)

    def put_estimates(
        self,
        collection: int,
        checkpoint: str,
        fingerprint: str,
        version: str,
        taxonomy: Taxonomy,
        table: str,
        given: Iterable[NewEstimate],
    ) -> EstimateSet:
        """Keep what a checkpoint makes of a collection's images, in the place of what it said.

        Args:
            collection: Id.
            checkpoint: Its id.
            fingerprint: Of all that decides over the numbers.
            version: Of emoviz.
            taxonomy: Of the probabilities.
            table: Path of the table of embeddings, "" for none.
            given: One an image; works with the same image share it, images of no work are let go.
        """
        head = {
            "collection": collection,
            "checkpoint": checkpoint,
            "fingerprint": fingerprint,
            "version": version,
            "taxonomy": taxonomy.to_dict(),
            "table": rows.clean(table),
            "created": rows.now(),
            "count": 0,
        }
        with self.database.writing() as made:
            self._must_be(made, collection)
            self._upsert(made, estimate_sets, [head])
            mine = (estimate_sets.c.collection == collection) & (
                estimate_sets.c.fingerprint == fingerprint
            )
            id = int(made.execute(select(estimate_sets.c.id).where(mine)).scalar_one())
            made.execute(delete(estimates).where(estimates.c.estimate_set == id))
            count = self._put(made, id, _images(made, collection), given, taxonomy)
            made.execute(update(estimate_sets).where(mine).values(count=count))
            row = made.execute(select(estimate_sets).where(mine)).mappings().one()
            self.database.changed(made, collection)
            self.database.analyse(made, "works", "estimates", "standing")
        self.database.frontiers.clear()
        return rows.estimate_set_of(row)

    def estimate_sets(self, collection: int) -> list[EstimateSet]:
        """Whose estimates there are, newest first."""
        query = (
            select(estimate_sets)
            .where(estimate_sets.c.collection == collection)
            .order_by(estimate_sets.c.created.desc(), estimate_sets.c.id.desc())
        )
        with self.database.reading() as found:
            return [rows.estimate_set_of(row) for row in found.execute(query).mappings()]

    def estimates(self, known: EstimateSet, decided: bool = False) -> list[StoredPrediction]:
        """All estimates of a set, or those of works on which a decision stands, in their order."""
        query = (
            select(estimates)
            .where(estimates.c.estimate_set == known.id)
            .order_by(estimates.c.number, estimates.c.work)
        )
        if decided:
            mine = select(standing.c.work).where(standing.c.collection == known.collection)
            query = query.where(estimates.c.work.in_(mine))
        with self.database.reading() as found:
            return [rows.estimate_of(row, known) for row in found.execute(query).mappings()]

    def _put(
        self,
        made: Connection,
        id: int,
        images: Mapping[str, list[tuple[int, int]]],
        given: Iterable[NewEstimate],
        taxonomy: Taxonomy,
    ) -> int:
        found = _estimate_rows(id, images, given, taxonomy)
        count = 0
        while part := list(islice(found, _BATCH)):
            self._upsert(made, estimates, part)
            count += len(part)
        return count

    def _upsert(self, made: Connection, table: Any, values: list[dict[str, Any]]) -> None:
        """Add rows; of those that are there already, all but the keys is made new."""
        unique = {
            "works": ("collection", "key"),
            "estimate_sets": ("collection", "fingerprint"),
            "estimates": ("estimate_set", "work"),
        }[table.name]
        insert = self.database.insert(table)
        changed = {
            name: insert.excluded[name] for name in values[0] if name not in (*unique, "uid")
        }
        made.execute(insert.on_conflict_do_update(index_elements=unique, set_=changed), values)

    def _must_be(self, made: Connection, collection: int) -> None:
        wanted = (collections.c.id == collection) & (collections.c.removed == "")
        if made.scalar(select(collections.c.id).where(wanted)) is None:
            raise ReviewError("The collection was removed meanwhile; bring it in again.")


def _mark_there(made: Connection, collection: int) -> None:
    """Say in ``standing`` which works are still there."""
    mine = standing.c.collection == collection
    there = select(works.c.id).where(_there(collection), works.c.state == "ready")
    made.execute(update(standing).where(mine).values(there=standing.c.work.in_(there)))


def _column(name: str) -> Any:
    if name not in _VALUES:
        raise ReviewError(f"Works have no '{name}'; wanted one of {', '.join(_VALUES)}.")
    return _VALUES[name]


def _there(collection: int) -> Any:
    return (works.c.collection == collection) & (works.c.removed == "")


def _images(made: Connection, collection: int) -> dict[str, list[tuple[int, int]]]:
    """Image -> id and number of each of its works."""
    query = select(works.c.sha256, works.c.id, works.c.number)
    found: dict[str, list[tuple[int, int]]] = {}
    for sha256, id, number in made.execute(query.where(_there(collection))):
        found.setdefault(sha256, []).append((id, number))
    found.pop("", None)
    return found


def _estimate_rows(
    id: int,
    images: Mapping[str, list[tuple[int, int]]],
    given: Iterable[NewEstimate],
    taxonomy: Taxonomy,
) -> Iterator[dict[str, Any]]:
    for item in given:
        if len(item.probabilities) != len(taxonomy):
            raise ReviewError(
                f"An estimate has {len(item.probabilities)} probabilities, taxonomy "
                f"'{taxonomy.name}' {len(taxonomy)} classes."
            )
        for work, number in images.get(item.sha256, ()):
            yield rows.estimate_row(id, work, number, item, taxonomy)
