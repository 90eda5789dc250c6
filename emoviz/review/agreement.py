"""Who agrees with whom on a collection: people with each other, and with the model.

A decision counts as one label: its strongest emotion, the first named of equals; "none of these"
is a label of its own, a skip is none. What a person saw matters: who decided with the estimate
before their eyes agrees with it more readily, so agreement with the model is also told for blind
decisions alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.agreement import (
    agreement_table,
    division,
    estimated,
    fleiss_kappa,
    kappa_estimate,
    krippendorff_alpha,
    strength_alpha,
)
from emoviz.analysis.resampling import MetricEstimate
from emoviz.review.labelling import (
    NONE,
    Distribution,
    distribution,
    divided_share,
    label_of,
    shares_of,
    tally,
)
from emoviz.review.model import Decision, EstimateSet, Reviewer, StoredPrediction
from emoviz.review.store import ReviewStore

MODEL = "model"


@dataclass(frozen=True)
class ReviewerPair:
    """Two who rated the same works.

    Attributes:
        first: Name of the person.
        second: Name of the other person, or ``model``.
        works: How many both rated.
        same: How many they gave the same label.
        kappa: Cohen's, on so many works.
        table: (C, C) counts, rows the first's labels, columns the second's.
    """

    first: str
    second: str
    works: int
    same: int
    kappa: MetricEstimate
    table: NDArray[np.int64]


@dataclass(frozen=True)
class Divided:
    """A work that divides people.

    Attributes:
        work: Id.
        share: Of the pairs of people that differ, 0 to 1.
        votes: Who said what.
        shares: How the votes are distributed: emotion -> share; those for none under `NONE`.
        model: Emotion -> probability; empty without an estimate.
    """

    work: int
    share: float
    votes: Mapping[str, str]
    shares: Mapping[str, float]
    model: Mapping[str, float]


@dataclass(frozen=True)
class Agreement:
    """Agreement on a collection.

    Attributes:
        people: Who decided, by name.
        classes: The labels, in the order of the tables.
        works: How many works somebody gave a label.
        pairs: Person with person.
        model: Person with the model, all their decisions.
        blind: Person with the model, decisions made without seeing the estimate.
        fleiss: Over the works that all of them labelled.
        alpha: Krippendorff's, nominal, over the works that at least two labelled.
        alpha_strength: Krippendorff's over the strengths (0 to 3) of all emotions.
        dividing: Works on which people differ, the most divided first.
        distribution: People's answers beside the model's estimates.
    """

    people: tuple[str, ...]
    classes: tuple[str, ...]
    works: int
    pairs: tuple[ReviewerPair, ...]
    model: tuple[ReviewerPair, ...]
    blind: tuple[ReviewerPair, ...]
    fleiss: MetricEstimate
    alpha: MetricEstimate
    alpha_strength: MetricEstimate
    dividing: tuple[Divided, ...]
    distribution: Distribution


def visible(decisions: Sequence[Decision], reviewer: Reviewer) -> list[Decision]:
    """Decisions that this person may see: managers all; reviewers those on works that they have
    decided themselves, so that nobody leans on a colleague; viewers none."""
    if reviewer.may_manage:
        return list(decisions)
    if not reviewer.may_review:
        return []
    own = {item.work for item in decisions if item.reviewer == reviewer.id and item.kind != "skip"}
    return [item for item in decisions if item.work in own or item.reviewer == reviewer.id]


def answered(
    decisions: Sequence[Decision], firsts: Mapping[int, str], how: str, emotion: str
) -> frozenset[int]:
    """Works by what people answered.

    Args:
        decisions: That stand, and may be seen.
        firsts: Work -> most probable emotion of the estimate.
        how: ``differs`` (somebody's answer is not the model's first), ``divided`` (people's
            answers differ), ``note`` (somebody wrote one), or "" for any.
        emotion: That somebody named; `NONE` for none of these; "" for any.
    """
    by_work: dict[int, list[Decision]] = {}
    for item in decisions:
        if item.kind != "skip" or item.note:
            by_work.setdefault(item.work, []).append(item)

    def fits(work: int, items: list[Decision]) -> bool:
        said = [item for item in items if item.kind != "skip"]
        named = [{feeling.emotion for feeling in item.feelings} or {NONE} for item in said]
        if emotion and not any(emotion in one for one in named):
            return False
        if how == "differs":
            return work in firsts and any(firsts[work] not in one for one in named)
        if how == "divided":
            return len({label_of(item) for item in said}) > 1
        return any(item.note for item in items) if how == "note" else True

    return frozenset(work for work, items in by_work.items() if fits(work, items))


def most_divided(decisions: Iterable[Decision], limit: int) -> tuple[int, ...]:
    """Works on which people differ, those with the largest share of differing pairs first.

    Args:
        decisions: That stand, and may be seen.
        limit: At most so many.
    """
    by_work: dict[int, list[Decision]] = {}
    for item in decisions:
        by_work.setdefault(item.work, []).append(item)
    shares = {work: divided_share(items) or 0.0 for work, items in by_work.items()}
    apart = sorted((work for work, share in shares.items() if share > 0), key=lambda w: -shares[w])
    return tuple(apart[:limit])


def measure(store: ReviewStore, collection: int, known: EstimateSet | None = None) -> Agreement:
    """Agreement on a collection, from the decisions that stand.

    Args:
        store: Where they are.
        collection: Id.
        known: Whose estimates count as the model's; the newest where None.
    """
    sets = store.estimate_sets(collection)
    known = known or (sets[0] if sets else None)
    estimates = store.estimates(known, decided=True) if known is not None else []
    return compare(store.standing(collection), store.reviewers(), known, estimates)


def compare(
    decisions: Iterable[Decision],
    reviewers: Iterable[Reviewer],
    known: EstimateSet | None,
    estimates: Sequence[StoredPrediction],
) -> Agreement:
    """The same from facts at hand; see `measure`."""
    facts = [item for item in decisions if item.kind != "skip"]
    who = {item.reviewer for item in facts}
    people = sorted((p for p in reviewers if p.id in who), key=lambda p: p.name.casefold())
    works = sorted({item.work for item in facts})
    rows = _Rows(facts, [p.id for p in people], works, known.taxonomy.names if known else ())
    names = tuple(person.name for person in people)
    size, ratings = len(rows.classes), rows.labels
    several = np.flatnonzero((ratings >= 0).sum(axis=0) > 1)
    whole = np.flatnonzero((ratings >= 0).all(axis=0)) if len(names) > 1 else np.empty(0, int)
    model = rows.model(estimates)
    unseen = np.where(rows.blind, ratings, -1)
    return Agreement(
        people=names,
        classes=rows.classes,
        works=len(works),
        pairs=tuple(
            _pair(names[a], names[b], ratings[a], ratings[b], size)
            for a, b in combinations(range(len(names)), 2)
        ),
        model=_with_model(names, ratings, model, size),
        blind=_with_model(names, unseen, model, size),
        fleiss=estimated(lambda at: fleiss_kappa(ratings[:, whole[at]], size), len(whole)),
        alpha=estimated(lambda at: krippendorff_alpha(ratings[:, several[at]], size), len(several)),
        alpha_strength=estimated(
            lambda at: strength_alpha(rows.strengths[:, several[at]], ratings[:, several[at]] >= 0),
            len(several),
        ),
        dividing=_dividing(rows, names, works, facts, estimates),
        distribution=distribution(facts, estimates),
    )


class _Rows:
    """Decisions as arrays: R people, N works, C classes of which the last is "none of these"."""

    def __init__(
        self,
        facts: Sequence[Decision],
        people: Sequence[int],
        works: Sequence[int],
        offered: Sequence[str],
    ) -> None:
        named = {feeling.emotion for item in facts for feeling in item.feelings}
        self.classes = (*offered, *sorted(named - set(offered)), NONE)
        self._place = {name: i for i, name in enumerate(self.classes)}
        self._column = {work: n for n, work in enumerate(works)}
        row = {person: r for r, person in enumerate(people)}
        shape = (len(people), len(works))
        self.labels: NDArray[np.int64] = np.full(shape, -1, np.int64)
        self.blind: NDArray[np.bool_] = np.zeros(shape, np.bool_)
        self.strengths: NDArray[np.float64] = np.zeros((*shape, len(self.classes)))
        for item in facts:
            at = (row[item.reviewer], self._column[item.work])
            self.labels[at] = self._place[label_of(item)]
            self.blind[at] = not item.shown.estimate
            self.strengths[at] = 0.0
            for feeling in item.feelings:
                self.strengths[(*at, self._place[feeling.emotion])] = feeling.strength

    def model(self, estimates: Iterable[StoredPrediction]) -> NDArray[np.int64]:
        """(N,) the class that the model found most probable, -1 without an estimate."""
        said: NDArray[np.int64] = np.full(self.labels.shape[1], -1, np.int64)
        for item in estimates:
            column = self._column.get(item.work)
            if column is not None:
                said[column] = self._place[item.first]
        return said


def _pair(
    first: str, second: str, one: NDArray[np.int64], two: NDArray[np.int64], size: int
) -> ReviewerPair:
    table = agreement_table(one, two, size)
    kappa = kappa_estimate(one, two, size)
    return ReviewerPair(first, second, int(table.sum()), int(np.trace(table)), kappa, table)


def _with_model(
    names: Sequence[str], ratings: NDArray[np.int64], model: NDArray[np.int64], size: int
) -> tuple[ReviewerPair, ...]:
    pairs = (_pair(name, MODEL, row, model, size) for name, row in zip(names, ratings, strict=True))
    return tuple(pair for pair in pairs if pair.works)


def _dividing(
    rows: _Rows,
    names: Sequence[str],
    works: Sequence[int],
    facts: Sequence[Decision],
    estimates: Sequence[StoredPrediction],
) -> tuple[Divided, ...]:
    votes, model = tally(facts), {item.work: item.probabilities for item in estimates}
    shares = division(rows.labels, len(rows.classes))
    apart = [n for n in np.argsort(-np.nan_to_num(shares), kind="stable").tolist() if shares[n] > 0]
    return tuple(
        Divided(
            works[n],
            float(shares[n]),
            {
                name: rows.classes[label]
                for name, label in zip(names, rows.labels[:, n].tolist(), strict=True)
                if label >= 0
            },
            {name or NONE: share for name, share in shares_of(votes[works[n]]).items()},
            model.get(works[n], {}),
        )
        for n in apart
    )
