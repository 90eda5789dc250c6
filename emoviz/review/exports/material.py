"""What is taken home, read from the store in one go: works, estimates and decisions, kept apart."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from emoviz import __version__
from emoviz.review.exports.spoken import ENGLISH, Spoken
from emoviz.review.labelling import NOBODY, divided_share, shares_of, tally
from emoviz.review.model import (
    ArtworkCollection,
    Decision,
    EstimateSet,
    Reviewer,
    StoredPrediction,
    Work,
)
from emoviz.review.rows import now
from emoviz.review.store import ReviewStore

Progress = Callable[[int, int], None]


def nobody(done: int, total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Material:
    """A collection as every export sees it.

    Attributes:
        store: The store's uid.
        collection: What is exported.
        works: Those that were not removed, in the collection's order.
        known: Whose estimates; None where there are none.
        estimates: Work's id -> the model's estimate.
        decisions: Work's id -> the decisions of people that stand, skips aside, oldest first.
        reviewers: Id -> person.
        made: Time.
        version: Of emoviz.
        tell: Called with (done, all) as the works are written.
        spoken: The language of pages for people; what machines read has English ids in any.
    """

    store: str
    collection: ArtworkCollection
    works: tuple[Work, ...]
    known: EstimateSet | None
    estimates: Mapping[int, StoredPrediction]
    decisions: Mapping[int, tuple[Decision, ...]]
    reviewers: Mapping[int, Reviewer]
    made: str
    version: str = __version__
    tell: Progress = nobody
    spoken: Spoken = ENGLISH

    def each(self) -> Iterator[Work]:
        """The works one by one, saying how far it is."""
        for number, work in enumerate(self.works):
            self.tell(number, len(self.works))
            yield work

    def shares(self, work: Work) -> dict[str, float]:
        """How people's answers on a work are distributed: emotion -> share, 0 to 1.

        `labelling.NOBODY` has those for none of the emotions; empty where nobody decided.
        """
        return shares_of(tally(self.decisions[work.id]).get(work.id, {}))

    @cached_property
    def voted(self) -> tuple[str, ...]:
        """What people may have answered: the estimates' classes, others that they named, none."""
        named = {
            feeling.emotion
            for found in self.decisions.values()
            for item in found
            for feeling in item.feelings
        }
        classes = self.known.taxonomy.names if self.known else ()
        return (*classes, *sorted(named - set(classes)), NOBODY)

    def divides(self, work: Work) -> float | None:
        """How much a work divides people; see `labelling.divided_share`."""
        return divided_share(self.decisions[work.id])

    @cached_property
    def space(self) -> uuid.UUID:
        """What the names of this collection's annotations are derived from."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"emoviz:{self.store}:{self.collection.uid}")


def gather(
    store: ReviewStore,
    collection: ArtworkCollection,
    known: EstimateSet | None = None,
    tell: Progress = nobody,
    spoken: Spoken = ENGLISH,
) -> Material:
    """Read a collection for an export; under blind review without any estimate.

    Args:
        store: Where it is.
        collection: Which.
        known: Whose estimates; the newest where None.
        tell: As of `Material`.
        spoken: As of `Material`.
    """
    hidden = collection.name in store.blind_collections()
    sets = [] if hidden else store.estimate_sets(collection.id)
    known = None if hidden else known or (sets[0] if sets else None)
    works = tuple(store.works(collection.id))
    decisions: dict[int, list[Decision]] = {work.id: [] for work in works}
    for item in store.standing(collection.id):
        if item.kind != "skip" and item.work in decisions:
            decisions[item.work].append(item)
    return Material(
        store=store.uid,
        collection=collection,
        works=works,
        known=known,
        estimates={item.work: item for item in store.estimates(known)} if known else {},
        decisions={work: tuple(found) for work, found in decisions.items()},
        reviewers={person.id: person for person in store.reviewers()},
        made=now(),
        tell=tell,
        spoken=spoken,
    )
