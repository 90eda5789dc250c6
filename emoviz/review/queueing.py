"""In which order a reviewer meets the works of a collection, and how far they are."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
)

from emoviz.errors import ReviewError
from emoviz.review import rows
from emoviz.review.database import Database
from emoviz.review.model import (
    ORDERS,
    ArtworkFilters,
    EstimateSet,
    Mark,
    Queue,
    QueuePlace,
    ReviewProgress,
    Share,
)
from emoviz.review.schema import decisions, estimate_sets, estimates, shares, standing, works

_BY_ESTIMATE = {
    "uncertain": estimates.c.uncertainty,
    "opposite": estimates.c.rivalry,
    "unlike": estimates.c.farness,
}
_BY_WORK = {"style": works.c.style, "artist": works.c.artist}
_MILLION = 1_000_000
_MOST_FRONTIERS = 2000
_MOST_HITS = 1000  # of a text; more than that are not asked for one by one
_TRIGRAM = 3  # letters; shorter texts are in no index
_NO_ESTIMATE = -1e9  # stands for the value of a work without an estimate: after all others
_ESTIMATE_COLUMNS = [column.label(f"e_{column.name}") for column in estimates.c]


class Queueing:
    """The part of the store that says what is next."""

    database: Database

    def upcoming(self, queue: Queue, limit: int = 3, after: Mark | None = None) -> list[QueuePlace]:
        """The next works of a queue, best first.

        Args:
            queue: Order and filters.
            limit: At most so many.
            after: Only works that come later than this place.

        Raises:
            ReviewError: The order needs estimates and the queue names none.
        """
        with self.database.reading() as found:
            ask = self._ask(found, queue)
            if after is not None or queue.filters.stage != "open":
                return _places(found, ask, limit, after)
            begin = self.database.frontiers.get(queue) or _left_off(found, queue, ask.known)
            places = _places(found, ask, limit, begin)
            if begin is not None and len(places) < limit:  # some may have been left behind
                places = _places(found, ask, limit, None)
        self._remember(queue, places)
        return places

    def _remember(self, queue: Queue, places: list[QueuePlace]) -> None:
        """The queue goes on at its first work: what comes before is decided, or left to the end."""
        if len(self.database.frontiers) > _MOST_FRONTIERS:
            self.database.frontiers.clear()
        if places:
            first = places[0].mark
            self.database.frontiers[queue] = replace(first, number=first.number - 1)

    def listed(self, queue: Queue, limit: int, offset: int = 0) -> list[QueuePlace]:
        """A page of a queue, for a wall of pictures."""
        with self.database.reading() as found:
            ask = self._ask(found, queue)
            value, query = _query(ask)
            query = _in_order(queue, value, query).limit(limit).offset(offset)
            return [_place(row, ask.known) for row in found.execute(query).mappings()]

    def matching(self, queue: Queue) -> int:
        """How many works a queue holds."""
        with self.database.reading() as found:
            ask = self._ask(found, queue)
            query = _query(ask)[1].with_only_columns(func.count())
            if queue.filters.stage != "any" or queue.filters.decided is not None:
                return int(found.scalar(query) or 0)
            what = ("matching", queue.fingerprint, ask.share, queue.filters)
            return int(
                self.database.of_revision(
                    found, queue.collection, what, lambda: found.scalar(query) or 0
                )
            )

    def place(self, queue: Queue, work: int) -> QueuePlace | None:
        """One work as the queue would bring it, whatever the filters; None where it is gone."""
        return self.places(queue, [work]).get(work)

    def places(self, queue: Queue, ids: Iterable[int]) -> dict[int, QueuePlace]:
        """Works by their ids, as `place` gives each."""
        wanted = set(ids)
        if not wanted:
            return {}
        with self.database.reading() as found:
            known = _estimate_set(found, queue)
            there = and_(
                works.c.id.in_(wanted),
                works.c.collection == queue.collection,
                works.c.removed == "",
            )
            query = _joined(queue, known)[1].where(there)
            places = [_place(row, known) for row in found.execute(query).mappings()]
            if len(places) < len(wanted):  # an order by estimates leaves out who has none
                last = select(works, literal(_NO_ESTIMATE).label("value")).where(there)
                rest = [_place(row, None) for row in found.execute(last).mappings()]
                places = [*rest, *places]
        return {place.work.id: place for place in places}

    def numbered(self, queue: Queue, number: int) -> QueuePlace | None:
        """The work of that number in its collection, as `place` gives it."""
        query = select(works.c.id).where(_ready(queue.collection), works.c.number == number)
        with self.database.reading() as found:
            id = found.scalar(query)
        return None if id is None else self.place(queue, int(id))

    def around(
        self, queue: Queue, mark: Mark, before: int, after: int
    ) -> tuple[list[QueuePlace], list[QueuePlace]]:
        """The works before a place of the queue and those after it, whoever decided on them.

        Args:
            queue: Order and filters; its stage does not count.
            mark: The place, whose own work is left out.
            before: At most so many before it.
            after: At most so many after it.

        Returns:
            Both in the queue's order.
        """
        queue = replace(queue, filters=replace(queue.filters, stage="any"))
        with self.database.reading() as found:
            ask = self._ask(found, queue)
            earlier = _places_before(found, ask, before, mark)
            return earlier[::-1], _places(found, ask, after, mark)

    def progress(self, queue: Queue) -> ReviewProgress:
        """How far the reviewer is with their part of the collection, whatever the filters."""
        with self.database.reading() as found:
            share = _share(found, queue.collection, queue.reviewer)
            total = self._total(found, queue.collection, share)
            mine = and_(
                standing.c.collection == queue.collection,
                standing.c.reviewer == queue.reviewer,
                standing.c.there,
                _of_share(share, standing),
            )
            query = select(standing.c.kind, func.count()).where(mine).group_by(standing.c.kind)
            counts: dict[str, int] = dict(found.execute(query).all())
        skipped = counts.pop("skip", 0)
        return ReviewProgress(total, sum(counts.values()), skipped)

    def _ask(self, found: Connection, queue: Queue) -> "_Ask":
        known = _estimate_set(found, queue)
        share = _share(found, queue.collection, queue.reviewer)
        words = rows.clean(queue.filters.text.strip().casefold())
        hits = None
        if self.database.has_trigrams and len(words) >= _TRIGRAM:
            hits = _hits(found, queue.collection, words)
        return _Ask(queue, known, share, _says(queue.collection, words, hits))

    def _total(self, found: Connection, collection: int, share: Share | None) -> int:
        """Works of a part: of 100,000 it takes a while to count them."""
        theirs = and_(_ready(collection), _of_share(share))
        query = select(func.count()).select_from(works).where(theirs)
        return int(
            self.database.of_revision(
                found, collection, ("total", share), lambda: found.scalar(query) or 0
            )
        )

    def share(self, collection: int, reviewer: int) -> Share | None:
        """A reviewer's part of a collection; None where they get all of it."""
        with self.database.reading() as found:
            return _share(found, collection, reviewer)

    def shares(self, collection: int) -> list[Share]:
        """Everybody's parts of a collection."""
        query = select(shares).where(shares.c.collection == collection)
        with self.database.reading() as found:
            ordered = query.order_by(shares.c.reviewer)
            return [rows.share_of(row) for row in found.execute(ordered).mappings()]

    def set_share(self, collection: int, share: Share | None, reviewer: int) -> None:
        """Give a reviewer a part of a collection, or, with None, all of it.

        Raises:
            ReviewError: There is no such part.
        """
        mine = and_(shares.c.collection == collection, shares.c.reviewer == reviewer)
        if share is not None and not (0 <= share.part < share.parts and 0 <= share.overlap <= 1):
            raise ReviewError(
                f"Part {share.part + 1} of {share.parts} with {share.overlap:.0%} in common is "
                "no part of a collection."
            )
        with self.database.writing() as made:
            made.execute(shares.delete().where(mine))
            self.database.frontiers.clear()
            if share is not None:
                row = {"part": share.part, "parts": share.parts, "overlap": share.overlap}
                made.execute(
                    shares.insert().values(collection=collection, reviewer=reviewer, **row)
                )


@dataclass(frozen=True)
class _Ask:
    """A queue with what the store knows of it: the condition `words` stands for its text."""

    queue: Queue
    known: EstimateSet | None
    share: Share | None
    words: Any


def _places(found: Connection, ask: _Ask, limit: int, after: Mark | None) -> list[QueuePlace]:
    queue, known = ask.queue, ask.known
    value, query = _query(ask)
    if queue.order == "random":
        return _shuffled(found, queue, known, query, limit, after)
    if after is not None:
        query = query.where(_later(queue, value, after))
    ordered = _in_order(queue, value, query).limit(limit)
    places = [_place(row, known) for row in found.execute(ordered).mappings()]
    if len(places) < limit and queue.order in _BY_ESTIMATE and _may_lack_estimate(queue.filters):
        places += _without_estimate(found, ask, limit - len(places), after)
    return places


def _shuffled(
    found: Connection,
    queue: Queue,
    known: EstimateSet | None,
    query: Select[Any],
    limit: int,
    after: Mark | None,
) -> list[QueuePlace]:
    """The works as the hashes of their keys lie; the seed says where in that circle to begin.

    In two halves, each of which an index gives in its order.
    """
    begin, deal, places = _begin(queue.seed), works.c.deal, list[QueuePlace]()
    passed = -1.0 if after is None else float(after.value)
    for lap, half in enumerate((deal >= begin, deal < begin)):
        rest, at = limit - len(places), int(passed) - lap * _MILLION
        if not rest or at >= _MILLION:
            continue
        wanted = query.where(half)
        if after is not None and at >= 0:
            wanted = wanted.where(deal >= at, or_(deal > at, works.c.number > after.number))
        ordered = wanted.order_by(deal, works.c.number).limit(rest)
        places += [_place(row, known) for row in found.execute(ordered).mappings()]
    return places


def _places_before(found: Connection, ask: _Ask, limit: int, mark: Mark) -> list[QueuePlace]:
    """As `_places`, backwards: the nearest first."""
    queue, known = ask.queue, ask.known
    places: list[QueuePlace] = []
    if mark.value == _NO_ESTIMATE:
        query = _lacking(ask).where(works.c.number < mark.number)
        last = query.order_by(works.c.number.desc()).limit(limit)
        places = [_place(row, None) for row in found.execute(last).mappings()]
    value, query = _query(ask)
    for part in _parts_before(queue, value, mark):
        if len(places) < limit:
            earlier = _backwards(queue, value, query.where(part)).limit(limit - len(places))
            places += [_place(row, known) for row in found.execute(earlier).mappings()]
    return places


def _parts_before(queue: Queue, value: Any, mark: Mark) -> list[Any]:
    """Conditions that an index answers, the nearest works first."""
    number = works.c.number
    if queue.order in _BY_ESTIMATE:
        of_estimate = estimates.c.number
        if mark.value == _NO_ESTIMATE:
            return [true()]
        return [
            and_(value >= mark.value, or_(value > mark.value, of_estimate < mark.number)),
        ]
    if _is_by_number(queue):
        return [number < mark.number]
    if queue.order != "random":
        return [and_(value <= mark.value, or_(value < mark.value, number < mark.number))]
    begin, deal = _begin(queue.seed), works.c.deal
    lap, at = divmod(int(mark.value), _MILLION)
    near = and_(deal <= at, or_(deal < at, number < mark.number))
    return [and_(deal < begin, near), deal >= begin] if lap else [and_(deal >= begin, near)]


def _backwards(queue: Queue, value: Any, query: Select[Any]) -> Select[Any]:
    if queue.order in _BY_ESTIMATE:
        return query.order_by(value, estimates.c.number.desc())
    if queue.order == "random":
        return query.order_by(works.c.deal.desc(), works.c.number.desc())
    return query.order_by(value.desc(), works.c.number.desc())


def _is_by_number(queue: Queue) -> bool:
    return queue.order == "number" or (queue.order == "divided" and not queue.first)


def _begin(seed: int) -> int:
    return seed * 618_034 % _MILLION  # the golden ratio: near seeds begin far apart


def _without_estimate(
    found: Connection, ask: _Ask, limit: int, after: Mark | None
) -> list[QueuePlace]:
    """Works of which the model has said nothing come last, in the collection's order."""
    query = _lacking(ask).order_by(works.c.number).limit(limit)
    if after is not None and after.value == _NO_ESTIMATE:
        query = query.where(works.c.number > after.number)
    return [_place(row, None) for row in found.execute(query).mappings()]


def _lacking(ask: _Ask) -> Select[Any]:
    assert ask.known is not None
    theirs = select(estimates.c.work).where(
        estimates.c.work == works.c.id, estimates.c.estimate_set == ask.known.id
    )
    query = select(works, literal(_NO_ESTIMATE).label("value"))
    return query.where(_wanted(replace(ask, known=None)), ~theirs.exists())


def _query(ask: _Ask) -> tuple[Any, Select[Any]]:
    """The value that orders the queue, and its works."""
    value, query = _joined(ask.queue, ask.known)
    return value, query.where(_wanted(ask))


def _joined(queue: Queue, known: EstimateSet | None) -> tuple[Any, Select[Any]]:
    value = _value(queue, known)
    columns = [*works.c, value.label("value")]
    if known is None:
        return value, select(*columns)
    mine = and_(estimates.c.work == works.c.id, estimates.c.estimate_set == known.id)
    columns += _ESTIMATE_COLUMNS
    if queue.order in _BY_ESTIMATE:
        return value, select(*columns).select_from(estimates).join(works, mine)
    return value, select(*columns).select_from(works).outerjoin(estimates, mine)


def _value(queue: Queue, known: EstimateSet | None) -> Any:
    if queue.order not in ORDERS:
        raise ReviewError(f"'{queue.order}' is no order; wanted one of {', '.join(ORDERS)}.")
    if queue.order in _BY_ESTIMATE:
        if known is None:
            raise ReviewError(
                "The model has not looked at this collection yet, so its works cannot be put in "
                f"the order '{queue.order}'. Ask the model first, or take another order."
            )
        return _BY_ESTIMATE[queue.order]
    if queue.order == "random":
        return works.c.deal + case((works.c.deal < _begin(queue.seed), _MILLION), else_=0)
    if queue.order == "divided" and queue.first:
        # Written out: a database takes only so many parameters; IN goes before CASE, which compares
        # with one after another.
        ids: BindParameter[Any] = bindparam(
            "first", list(queue.first), expanding=True, literal_execute=True
        )
        places: dict[Any, int] = {
            literal_column(str(int(id))): place for place, id in enumerate(queue.first)
        }
        last: Any = literal_column(str(len(queue.first)))
        return case((works.c.id.in_(ids), case(places, value=works.c.id)), else_=last)
    return _BY_WORK.get(queue.order, works.c.number)


def _in_order(queue: Queue, value: Any, query: Select[Any]) -> Select[Any]:
    if queue.order in _BY_ESTIMATE:
        return query.order_by(value.desc(), estimates.c.number)
    return query.order_by(value, works.c.number)


def _left_off(found: Connection, queue: Queue, known: EstimateSet | None) -> Mark | None:
    """Where a reviewer's last decision was made in this very queue; None where it was elsewhere.

    After a restart the way to the first open work may lead past half of the collection.
    """
    if queue.filters != ArtworkFilters():
        return None
    mine = and_(standing.c.collection == queue.collection, standing.c.reviewer == queue.reviewer)
    last = select(standing.c.decision).where(mine).order_by(standing.c.decision.desc()).limit(1)
    fact = select(decisions).where(decisions.c.id == last.scalar_subquery())
    row = found.execute(fact).mappings().first()
    if row is None or row["shown"].get("order") != queue.order:
        return None
    if queue.order in _BY_ESTIMATE and row["fingerprint"] != queue.fingerprint:
        return None
    place = _joined(queue, known)[1].where(works.c.id == row["work"])
    there = found.execute(place).mappings().first()
    return None if there is None else _place(there, known).mark


def _later(queue: Queue, value: Any, after: Mark) -> Any:
    """Written so that an index begins at the place: with OR outside, SQLite would sort the rest."""
    if queue.order in _BY_ESTIMATE:
        number = estimates.c.number
        return and_(value <= after.value, or_(value < after.value, number > after.number))
    if _is_by_number(queue):
        return works.c.number > after.number
    return and_(value >= after.value, or_(value > after.value, works.c.number > after.number))


def _wanted(ask: _Ask) -> Any:
    queue = ask.queue
    return and_(
        _ready(queue.collection),
        _of_share(ask.share),
        _of_stage(queue, ask.known),
        _of_work(queue),
        ask.words,
        _of_estimate(queue.filters, ask.known),
    )


def _of_work(queue: Queue) -> Any:
    filters = queue.filters
    wanted: list[Any] = [true()]
    if filters.artist:
        wanted.append(works.c.artist == filters.artist)
    if filters.style:
        wanted.append(works.c.style == filters.style)
    first, last = filters.years
    if first is not None:
        wanted.append(works.c.year >= first)
    if last is not None:
        wanted.append(works.c.year <= last)
    if filters.works is not None:  # written out: a database takes only so many parameters
        ids: BindParameter[Any] = bindparam(
            "ids", sorted(filters.works), expanding=True, literal_execute=True
        )
        wanted.append(works.c.id.in_(ids))
    if filters.decided is not None:
        any_one = select(standing.c.work).where(
            standing.c.work == works.c.id, standing.c.kind != "skip"
        )
        wanted.append(any_one.exists() if filters.decided else ~any_one.exists())
    return and_(*wanted)


def _hits(found: Connection, collection: int, words: str) -> list[int]:
    """Ids of works that hold the words, by the trigrams; of very many only the first.

    Asked on its own: within the question for the next works, either database may prefer to read
    all works in their order.
    """
    if found.dialect.name != "sqlite":
        holds = works.c.search.contains(words, autoescape=True)
        mine = select(works.c.id).where(works.c.collection == collection, holds)
        return list(found.execute(mine.limit(_MOST_HITS + 1)).scalars())
    query = text(
        "SELECT works.id FROM works_search JOIN works ON works.id = works_search.rowid "
        "WHERE works_search MATCH :phrase AND works.collection = :collection LIMIT :most"
    )
    phrase = '"' + words.replace('"', '""') + '"'
    values = {"phrase": phrase, "collection": collection, "most": _MOST_HITS + 1}
    return list(found.execute(query, values).scalars())


def _says(collection: int, words: str, hits: list[int] | None) -> Any:
    """Which works hold the words.

    Args:
        collection: Id.
        words: In small letters; none where empty.
        hits: Ids of those that do, as `_hits` gives them; None where there is no index.
    """
    if not words:
        return true()
    holds = works.c.search.contains(words, autoescape=True)
    if hits is not None and len(hits) > _MOST_HITS:
        return holds  # so many that whoever goes through them in order soon meets the next
    if hits is not None:
        return and_(works.c.id.in_(hits), holds)
    # Without an index they are looked for once, in the order in which works lie.
    table = works.alias()
    holds = table.c.search.contains(words, autoescape=True)
    return works.c.id.in_(select(table.c.id).where(table.c.collection == collection, holds))


def _of_estimate(filters: ArtworkFilters, known: EstimateSet | None) -> Any:
    if _may_lack_estimate(filters):
        return true()
    if known is None:
        return false()
    wanted: list[Any] = [true()]
    if filters.emotion:
        wanted.append(estimates.c.first == filters.emotion)
    if filters.opposite:
        wanted.append(estimates.c.opposite)
    if filters.unlike:
        wanted.append(estimates.c.novelty > 1.0)
    return and_(*wanted)


def _may_lack_estimate(filters: ArtworkFilters) -> bool:
    return not (filters.emotion or filters.opposite or filters.unlike)


def _of_stage(queue: Queue, known: EstimateSet | None) -> Any:
    stage = queue.filters.stage
    if stage == "any":
        return true()
    # Asked of the table that is read first, before the work itself is looked up.
    work = estimates.c.work if known is not None and queue.order in _BY_ESTIMATE else works.c.id
    mine = select(standing.c.work).where(
        standing.c.work == work, standing.c.reviewer == queue.reviewer
    )
    if stage == "open":
        return ~mine.exists()
    skipped = standing.c.kind == "skip"
    return mine.where(skipped if stage == "skipped" else ~skipped).exists()


def _of_share(share: Share | None, table: Any = works) -> Any:
    if share is None:
        return true()
    common = table.c.common < round(share.overlap * _MILLION)
    return or_(common, table.c.deal % share.parts == share.part)


def _ready(collection: int) -> Any:
    return and_(works.c.collection == collection, works.c.removed == "", works.c.state == "ready")


def _share(found: Connection, collection: int, reviewer: int) -> Share | None:
    mine = and_(shares.c.collection == collection, shares.c.reviewer == reviewer)
    row = found.execute(select(shares).where(mine)).mappings().first()
    return None if row is None else rows.share_of(row)


def _estimate_set(found: Connection, queue: Queue) -> EstimateSet | None:
    if not queue.fingerprint:
        return None
    mine = and_(
        estimate_sets.c.collection == queue.collection,
        estimate_sets.c.fingerprint == queue.fingerprint,
    )
    row = found.execute(select(estimate_sets).where(mine)).mappings().first()
    return None if row is None else rows.estimate_set_of(row)


def _place(row: rows.Row, known: EstimateSet | None) -> QueuePlace:
    work = rows.work_of(row)
    estimate = None
    if known is not None and row.get("e_work") is not None:
        values = {column.name: row[f"e_{column.name}"] for column in estimates.c}
        estimate = rows.estimate_of(values, known)
    return QueuePlace(work, estimate, Mark(row["value"], work.number))
