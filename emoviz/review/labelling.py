"""Decisions become labels: a majority, or the shares of people's votes.

Each reviewer has one vote on a work. Who named several emotions splits it by their strengths; who
said "none of these" gives it to no label, and so does not disappear. Skips are no votes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from emoviz import __version__
from emoviz.data.dataset import NO_LABEL, Dataset, Record
from emoviz.data.dataset_file import KnownSet
from emoviz.data.library import save_set
from emoviz.errors import ImageError, ReviewError
from emoviz.labels import Taxonomy, own_taxonomy, taxonomy_of
from emoviz.review.images import read_work
from emoviz.review.model import (
    ArtworkCollection,
    Decision,
    EstimateSet,
    StoredPrediction,
    Work,
)
from emoviz.review.rows import now
from emoviz.review.store import ReviewStore
from emoviz.settings import Settings

Rule = Literal["majority", "shares"]
RULES: tuple[Rule, ...] = ("majority", "shares")
NONE = "none of these"
NOBODY = ""  # whom a vote for none of the labels goes to


@dataclass(frozen=True)
class Labelled:
    """What became of a collection's decisions.

    Attributes:
        item: The labelled set.
        undecided: How many works nobody decided.
        tied: Names of works whose votes are even, left out by the rule ``majority``.
        none: Names of works that most people gave no label, left out by the rule ``majority``.
        refused: (name, reason) of works whose image cannot be had.
        decisions: How many decisions went in.
        reviewers: Ids of the people who made them.
    """

    item: Dataset
    undecided: int
    tied: tuple[str, ...]
    none: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    decisions: int
    reviewers: tuple[int, ...]


@dataclass(frozen=True)
class Distribution:
    """How answers are distributed over a collection.

    Attributes:
        works: Those that have a decision and an estimate.
        people: Emotion -> mean share of people's votes, 0 to 1; `NOBODY` has those for none.
        model: Emotion -> mean probability.
    """

    works: int
    people: Mapping[str, float]
    model: Mapping[str, float]


def make_set(
    store: ReviewStore,
    settings: Settings,
    collection: ArtworkCollection,
    id: str,
    title: str,
    rule: Rule = "majority",
    known: EstimateSet | None = None,
) -> KnownSet:
    """Put the decisions on a collection into the library as a set that training takes as it is.

    Args:
        store: Where the decisions are.
        settings: Where the library is.
        collection: Which.
        id: Of the set; see `emoviz.data.library.free_id`.
        title: For people.
        rule: ``majority``: one label a work; ``shares``: the votes as soft labels.
        known: Its taxonomy is that of the labels, where it holds them; the newest where None.

    Raises:
        ReviewError: There is no decision that gives a label.
        TableError: The id cannot be used.
    """
    made = label(store, settings, collection, rule, known)
    people = {person.id: person.name for person in store.reviewers()}
    about = {
        "source": f"review of '{collection.title}' ({collection.source})",
        "terms": "those of the images; see the collection",
        "lineage": {
            "store": store.uid,
            "collection": collection.uid,
            "name": collection.name,
            "rule": rule,
            "decisions": made.decisions,
            "digest": _digest(store.decisions(collection.id)),
            "reviewers": [people[reviewer] for reviewer in made.reviewers],
            "undecided": made.undecided,
            "tied": len(made.tied),
            "none_of_these": len(made.none),
            "unreadable": [list(row) for row in made.refused],
            "time": now(),
            "version": __version__,
        },
    }
    return save_set(settings, id, title, made.item, about)


def label(
    store: ReviewStore,
    settings: Settings,
    collection: ArtworkCollection,
    rule: Rule = "majority",
    known: EstimateSet | None = None,
) -> Labelled:
    """The same without the library; see `make_set`."""
    if rule not in RULES:
        raise ReviewError(f"'{rule}' is no rule for labels; wanted {' or '.join(RULES)}.")
    works = {work.id: work for work in store.works(collection.id)}
    found = [d for d in store.standing(collection.id) if d.kind != "skip" and d.work in works]
    votes = tally(found)
    sets = store.estimate_sets(collection.id)
    taxonomy = _taxonomy(collection, votes.values(), known or (sets[0] if sets else None))
    records: list[Record] = []
    tied: list[str] = []
    none: list[str] = []
    refused: list[tuple[str, str]] = []
    for work, counts in sorted(votes.items(), key=lambda row: works[row[0]].number):
        name = works[work].title or works[work].key
        try:
            record = _record(works[work], counts, taxonomy, settings)
        except ImageError as error:
            refused.append((name, str(error)))
            continue
        if rule == "majority" and record.label == NO_LABEL:
            (none if winners(counts) == [NOBODY] else tied).append(name)
            continue
        records.append(record if rule == "shares" else _plain(record))
    if not records:
        raise ReviewError(
            f"The decisions on '{collection.title}' give no label yet: {len(votes)} works decided, "
            f"{len(tied)} tied, {len(none)} without an emotion, {len(refused)} without an image. "
            "Review some more."
        )
    item = Dataset(collection.title, taxonomy, tuple(records), votes=rule == "shares")
    people = tuple(sorted({decision.reviewer for decision in found}))
    undecided = len(works) - len(votes)
    return Labelled(item, undecided, tuple(tied), tuple(none), tuple(refused), len(found), people)


def tally(decisions: Iterable[Decision]) -> dict[int, dict[str, float]]:
    """Work's id -> emotion -> votes; `NOBODY` has those for none of them. Skips do not count."""
    votes: dict[int, dict[str, float]] = {}
    for item in decisions:
        if item.kind == "skip":
            continue
        counts = votes.setdefault(item.work, {})
        together = sum(feeling.strength for feeling in item.feelings)
        parts = {feeling.emotion: feeling.strength / together for feeling in item.feelings}
        for name, part in (parts or {NOBODY: 1.0}).items():
            counts[name] = counts.get(name, 0.0) + part
    return votes


def label_of(item: Decision) -> str:
    """The one label that a decision counts as: its strongest emotion, the first named of equals."""
    if not item.feelings:
        return NONE
    return max(item.feelings, key=lambda feeling: feeling.strength).emotion


def divided_share(decisions: Iterable[Decision]) -> float | None:
    """How much one work divides people: the share, 0 to 1, of the pairs whose labels differ.

    None where fewer than two people gave it a label.
    """
    counts = Counter(label_of(item) for item in decisions if item.kind != "skip")
    people = counts.total()
    if people < 2:
        return None
    alike = sum(count * (count - 1) for count in counts.values())
    return 1.0 - alike / (people * (people - 1))


def shares_of(counts: Mapping[str, float]) -> dict[str, float]:
    """Votes as shares that sum to 1; empty where nobody voted."""
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def distribution(
    decisions: Iterable[Decision], estimates: Iterable[StoredPrediction]
) -> Distribution:
    """People's answers beside the model's estimates, over the works that have both."""
    votes = tally(decisions)
    both = [(shares_of(votes[e.work]), e.probabilities) for e in estimates if e.work in votes]
    people: dict[str, float] = {}
    model: dict[str, float] = {}
    for shares, probabilities in both:
        for name, share in shares.items():
            people[name] = people.get(name, 0.0) + share / len(both)
        for name, p in probabilities.items():
            model[name] = model.get(name, 0.0) + p / len(both)
    return Distribution(len(both), people, model)


def winners(counts: Mapping[str, float]) -> list[str]:
    """Those with the most votes: one, or several that are even."""
    most = round(max(counts.values()), 9)
    return [name for name, count in counts.items() if round(count, 9) == most]


def _taxonomy(
    collection: ArtworkCollection, votes: Iterable[Mapping[str, float]], known: EstimateSet | None
) -> Taxonomy:
    """The estimates' own where it holds all that people named, else one that does."""
    named = {name for counts in votes for name in counts} - {NOBODY}
    likely = known.taxonomy if known is not None else None
    if likely is not None and named <= set(likely.names):
        return likely
    found = taxonomy_of(named, likely)
    if found is not None and named <= set(found.names):
        return found
    if not named:
        raise ReviewError(f"Nobody named an emotion in '{collection.title}' yet.")
    offered = likely.names if likely is not None else ()
    more = sorted(named - set(offered))
    return own_taxonomy(f"review-{collection.name}", [*offered, *more], collection.title)


def _record(
    work: Work, counts: Mapping[str, float], taxonomy: Taxonomy, settings: Settings
) -> Record:
    total = sum(counts.values())
    shares = tuple(counts.get(name, 0.0) / total for name in taxonomy.names)
    best = winners(counts)
    index = taxonomy.names.index(best[0]) if len(best) == 1 and best[0] != NOBODY else NO_LABEL
    # What lies within an archive goes into the set itself; files are pointed at.
    content = read_work(work, settings) if work.inside or not work.file else None
    path = Path(work.file)
    if content is None and not path.is_file():
        raise ImageError("there is no such file any more")
    named = {"title": work.title, "artist": work.artist, "style": work.style, "date": work.date}
    named |= {"rights": work.rights, **work.metadata}
    metadata = {name: text for name, text in named.items() if text}
    group = work.artist or work.key
    return Record(work.key, path, index, shares, group, None, content, metadata)


def _plain(record: Record) -> Record:
    one = tuple(float(i == record.label) for i in range(len(record.shares)))
    return replace(record, shares=one)


def _digest(decisions: Sequence[Decision]) -> str:
    """Of all facts that a set was made of: the same facts, the same digest."""
    tokens = json.dumps([[item.token, item.kind] for item in decisions])
    return hashlib.sha256(tokens.encode()).hexdigest()
