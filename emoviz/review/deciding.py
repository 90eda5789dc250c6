"""Decisions: facts that are added, never changed, and which of them stand."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, insert, select

from emoviz.errors import NotAllowedError, ReviewError
from emoviz.review import rows
from emoviz.review.database import PATIENCE, Database
from emoviz.review.model import STRENGTHS, Decision, Draft, Feeling, Reviewer, ShownWork
from emoviz.review.schema import (
    collections,
    decisions,
    estimate_sets,
    estimates,
    reviewers,
    standing,
    works,
)

_LONGEST = 80  # letters of an emotion's name


class Deciding:
    """The part of the store that takes decisions and tells them."""

    database: Database

    def decide(self, draft: Draft) -> Decision:
        """Store a decision; it is on the disk when this returns.

        The same token gives the decision that was stored with it, so that a key press that is
        sent twice counts once.

        Raises:
            NotAllowedError: The reviewer may only look.
            ReviewError: The work was removed, the decision makes no sense, or nothing could be
                stored.
        """
        with self.database.writing(PATIENCE) as made:
            reviewer = _serial(made, draft.reviewer)
            known = _with_token(made, draft.token)
            if known is not None:
                return _same(known, draft)
            if not reviewer.may_review:
                raise NotAllowedError(f"{reviewer.name} may look but not decide.")
            work = made.execute(select(works).where(works.c.id == draft.work)).mappings().first()
            if work is None or work["removed"]:
                raise ReviewError(
                    "This artwork was taken out of the collection meanwhile. Nothing was stored; "
                    "go on with the next one."
                )
            there = select(collections.c.removed).where(collections.c.id == work["collection"])
            if made.scalar(there):
                raise ReviewError(
                    "This collection was removed meanwhile; what was decided before is kept. "
                    "Choose another collection."
                )
            values = _checked(made, draft)
            values |= {"collection": work["collection"], "sha256": work["sha256"]}
            return self._add(made, values, _standing_columns(work))

    def undo(
        self, collection: int, reviewer: int, token: str, work: int | None = None
    ) -> Decision | None:
        """Take back a reviewer's last decision in a collection; what stood before stands again.

        Args:
            collection: Id.
            reviewer: Id.
            token: Counts once, as that of a `Draft`.
            work: The artwork whose decision is meant; where the last one is on another, made
                meanwhile in another window, nothing is taken back.

        Returns:
            The new fact, of kind ``retract``; None where nothing of theirs stands. The same token
            takes back once.

        Raises:
            ReviewError: The last decision is not on that artwork, or nothing could be stored.
        """
        with self.database.writing(PATIENCE) as made:
            _serial(made, reviewer)
            known = _with_token(made, token)
            if known is not None:
                return known
            last = _last(made, collection, reviewer)
            if last is None:
                return None
            if work is not None and last["work"] != work:
                raise ReviewError(
                    "Your last decision is on another artwork, so nothing was taken back. Press "
                    "Undo again to take that one back."
                )
            row = {
                **{name: last[name] for name in ("collection", "work", "reviewer", "sha256")},
                **{name: last[name] for name in ("checkpoint", "fingerprint")},
                "kind": "retract",
                "feelings": [],
                "note": "",
                "shown": asdict(ShownWork()),
                "replaces": last["id"],
                "token": token,
            }
            there = _work_columns(made, row["collection"], row["work"])[row["work"]]
            taken_back = self._add(made, row, there)
        self.database.frontiers.clear()
        return taken_back

    def last_decisions(self, collection: int, reviewer: int, limit: int) -> list[Decision]:
        """The reviewer's decisions that stand, the newest first: `undo` takes that one back."""
        with self.database.reading() as found:
            query = _newest(collection, reviewer).limit(limit)
            return [rows.decision_of(row) for row in found.execute(query).mappings()]

    def last_collection(self, reviewer: int) -> int | None:
        """The collection of a reviewer's newest decision; None where they made none."""
        query = select(decisions.c.collection).where(decisions.c.reviewer == reviewer)
        with self.database.reading() as found:
            return found.scalar(query.order_by(decisions.c.id.desc()).limit(1))

    def own(self, reviewer: int, works: Iterable[int]) -> dict[int, Decision]:
        """What a reviewer's standing decision on each of some works is, by work."""
        query = (
            select(decisions)
            .join(standing, standing.c.decision == decisions.c.id)
            .where(standing.c.reviewer == reviewer, standing.c.work.in_(list(works)))
        )
        return {item.work: item for item in self._decisions(query)}

    def answered(self, reviewer: int, works: Iterable[int]) -> set[int]:
        """Those of some works that a reviewer ever answered, whether or not it stands."""
        mine = and_(decisions.c.reviewer == reviewer, decisions.c.work.in_(list(works)))
        query = select(decisions.c.work).where(
            mine, decisions.c.kind.in_(("agree", "choose", "none"))
        )
        with self.database.reading() as found:
            return set(found.execute(query).scalars())

    def history(self, work: int, reviewer: int | None = None) -> list[Decision]:
        """Every decision on a work, of one person or of all, oldest first."""
        query = select(decisions).where(decisions.c.work == work).order_by(decisions.c.id)
        if reviewer is not None:
            query = query.where(decisions.c.reviewer == reviewer)
        return self._decisions(query)

    def decisions(self, collection: int) -> list[Decision]:
        """Every decision in a collection, corrected and taken back ones too, oldest first."""
        query = select(decisions).where(decisions.c.collection == collection)
        return self._decisions(query.order_by(decisions.c.id))

    def standing(self, collection: int) -> list[Decision]:
        """The decision of each reviewer on each work that stands, skips too, oldest first."""
        query = (
            select(decisions)
            .join(standing, standing.c.decision == decisions.c.id)
            .join(works, works.c.id == decisions.c.work)
            .where(standing.c.collection == collection, works.c.removed == "")
            .order_by(decisions.c.id)
        )
        newest = select(func.max(decisions.c.id)).where(decisions.c.collection == collection)

        def listed() -> list[Decision]:
            return [rows.decision_of(row) for row in found.execute(query).mappings()]

        with self.database.reading() as found:
            at = found.scalar(newest)
            kept = self.database.of_revision(found, collection, "standing", listed, at)
            return list(kept)

    def rebuild_standing(self, collection: int) -> None:
        """Work out anew, from the decisions alone, which of them stand."""
        with self.database.writing() as made:
            rebuild(made, collection)
        self.database.frontiers.clear()

    def _decisions(self, query: Any) -> list[Decision]:
        with self.database.reading() as found:
            return [rows.decision_of(row) for row in found.execute(query).mappings()]

    def _add(self, made: Connection, values: dict[str, Any], there: Mapping[str, Any]) -> Decision:
        """Write the fact, and what stands now; `there` is what ``standing`` repeats of the work."""
        if values["kind"] != "retract":
            mine = (standing.c.work == values["work"]) & (standing.c.reviewer == values["reviewer"])
            values["replaces"] = made.scalar(select(standing.c.decision).where(mine))
        values["time"] = rows.now()
        id = made.execute(insert(decisions).values(values)).inserted_primary_key[0]  # type: ignore[index]
        row = {"id": int(id), **values}
        self._stand(made, row, there)
        return rows.decision_of(row)

    def _stand(self, made: Connection, row: rows.Row, there: Mapping[str, Any]) -> None:
        stands: rows.Row | None = row
        if row["kind"] == "retract":
            query = select(decisions)
            gone = made.execute(query.where(decisions.c.id == row["replaces"])).mappings().one()
            before = query.where(decisions.c.id == gone["replaces"])
            stands = made.execute(before).mappings().first()
        mine = (standing.c.work == row["work"]) & (standing.c.reviewer == row["reviewer"])
        made.execute(delete(standing).where(mine))
        if stands is not None:
            made.execute(insert(standing).values({**_standing_row(stands), **there}))


def rebuild(made: Connection, collection: int) -> None:
    """The same within a transaction; see `Deciding.rebuild_standing`."""
    query = select(decisions).where(decisions.c.collection == collection)
    made.execute(delete(standing).where(standing.c.collection == collection))
    found = made.execute(query.order_by(decisions.c.id)).mappings()
    stands = standing_rows(found).values()
    known = _work_columns(made, collection)
    if stands:
        made.execute(insert(standing), [row | known[row["work"]] for row in stands])


def standing_rows(
    found: Iterable[rows.Row],
) -> dict[tuple[int, int], dict[str, Any]]:
    """What stands after decisions in their order: (work, reviewer) -> row of ``standing``.

    A retraction takes back the decision that stands, and what that one replaced stands again.
    """
    known: dict[int, rows.Row] = {}
    stands: dict[tuple[int, int], dict[str, Any]] = {}
    for row in found:
        known[row["id"]] = row
        place = (row["work"], row["reviewer"])
        if row["kind"] != "retract":
            stands[place] = _standing_row(row)
            continue
        gone = known.get(row["replaces"])
        before = known.get(gone["replaces"]) if gone is not None else None
        stands.pop(place, None)
        if before is not None:
            stands[place] = _standing_row(before)
    return stands


def _standing_row(row: rows.Row) -> dict[str, Any]:
    kept = {name: row[name] for name in ("work", "reviewer", "collection", "kind")}
    return {**kept, "decision": row["id"]}


def _standing_columns(work: rows.Row) -> dict[str, Any]:
    there = work["removed"] == "" and work["state"] == "ready"
    return {"there": there, "deal": work["deal"], "common": work["common"]}


def _work_columns(
    made: Connection, collection: int, work: int | None = None
) -> dict[int, dict[str, Any]]:
    """What ``standing`` repeats of each work."""
    there = and_(works.c.removed == "", works.c.state == "ready")
    query = select(works.c.id, there, works.c.deal, works.c.common)
    query = query.where(works.c.collection == collection if work is None else works.c.id == work)
    return {
        id: {"there": bool(there), "deal": deal, "common": common}
        for id, there, deal, common in made.execute(query)
    }


def _serial(made: Connection, reviewer: int) -> Reviewer:
    """The reviewer, whose other transactions wait until this one is done."""
    query = select(reviewers).where(reviewers.c.id == reviewer).with_for_update()
    row = made.execute(query).mappings().first()
    if row is None:
        raise ReviewError(f"There is no reviewer {reviewer}; say again who you are.")
    return rows.reviewer_of(row)


def _with_token(made: Connection, token: str) -> Decision | None:
    if not token:
        raise ReviewError("A decision needs a token, so that it counts once.")
    row = made.execute(select(decisions).where(decisions.c.token == token)).mappings().first()
    return None if row is None else rows.decision_of(row)


def _same(known: Decision, draft: Draft) -> Decision:
    if (known.work, known.reviewer) != (draft.work, draft.reviewer):
        raise ReviewError("This token belongs to a decision on another artwork.")
    return known


def _last(found: Connection, collection: int, reviewer: int) -> rows.Row | None:
    """The latest of the decisions that stand, as a row."""
    return found.execute(_newest(collection, reviewer).limit(1)).mappings().first()


def _newest(collection: int, reviewer: int) -> Select[Any]:
    mine = (standing.c.collection == collection) & (standing.c.reviewer == reviewer)
    return (
        select(decisions)
        .join(standing, standing.c.decision == decisions.c.id)
        .join(works, works.c.id == decisions.c.work)
        .where(mine, works.c.removed == "")
        .order_by(standing.c.decision.desc())
    )


def _checked(made: Connection, draft: Draft) -> dict[str, Any]:
    """The draft as a row, or `ReviewError` where it makes no sense."""
    known = _estimate(made, draft)
    feelings = draft.feelings
    if draft.kind == "agree":
        if known is None:
            raise ReviewError("There is no estimate to agree with; choose an emotion instead.")
        feelings = feelings or (Feeling(known["first"]),)
    if draft.kind not in ("agree", "choose", "none", "skip"):
        raise ReviewError(f"'{draft.kind}' is no decision on an artwork.")
    if draft.kind in ("none", "skip") and feelings:
        raise ReviewError(f"'{draft.kind}' names no emotions, but {len(feelings)} came with it.")
    _check_feelings(draft.kind, feelings)
    if draft.shown.blind and draft.shown.estimate:
        raise ReviewError("A blind decision is one made without the estimate before one's eyes.")
    return {
        "work": draft.work,
        "reviewer": draft.reviewer,
        "checkpoint": known["checkpoint"] if known is not None else "",
        "fingerprint": draft.fingerprint if known is not None else "",
        "kind": draft.kind,
        "feelings": rows.feelings_row(
            [Feeling(rows.clean(item.emotion.strip()), item.strength) for item in feelings]
        ),
        "note": rows.clean(draft.note),
        "shown": asdict(draft.shown),
        "token": draft.token,
    }


def _check_feelings(kind: str, feelings: tuple[Feeling, ...]) -> None:
    names = [item.emotion.strip() for item in feelings]
    if kind in ("choose", "agree") and not names:
        raise ReviewError("No emotion was chosen; choose one, or say 'none of these'.")
    if len(set(names)) < len(names) or not all(0 < len(name) <= _LONGEST for name in names):
        raise ReviewError(f"The emotions {names} cannot be stored; wanted different, short names.")
    if not all(item.strength in STRENGTHS for item in feelings):
        raise ReviewError("A strength is 1 (weak), 2 or 3 (strong).")


def _estimate(made: Connection, draft: Draft) -> rows.Row | None:
    if not draft.fingerprint:
        return None
    query = (
        select(estimates.c.first, estimate_sets.c.checkpoint)
        .join(estimate_sets, estimate_sets.c.id == estimates.c.estimate_set)
        .where(estimates.c.work == draft.work, estimate_sets.c.fingerprint == draft.fingerprint)
    )
    return made.execute(query).mappings().first()
