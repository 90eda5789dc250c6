"""What a data card says of a set: gathered here, drawn by `emoviz.plots.data_card`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emoviz.curation.telling import Verdict, balance_words, headline, light_words, verdicts
from emoviz.data.dataset import NO_LABEL, Dataset
from emoviz.data.image_statistics import thumbnail_of
from emoviz.data.images import Limits
from emoviz.data.lineage import lineage_words

_A_CLASS, _SIDE, _MOST_CLASSES = 4, 200, 24


@dataclass(frozen=True)
class CardSample:
    """One picture of the set: its label and its JPEG."""

    label: str
    jpeg: bytes


@dataclass(frozen=True)
class CardValues:
    """Everything on a data card.

    Attributes:
        title: Of the set.
        taxonomy: Title of its labels' taxonomy.
        colours: Of its classes.
        images: How many.
        votes: Whether labels are shares of people's votes.
        counts: Split (``no split``) -> class (``no label``) -> images.
        about: Source, terms, citation.
        lineage: The steps that led here, in sentences.
        samples: Some pictures of each class.
        verdicts: What an examination found; empty without one.
        words: What balance and light mean, in sentences; empty without an examination.
        looks: Measure -> class -> quartiles, as `findings.find` has them.
        seen_alone: What light and colour alone find; None without an examination.
    """

    title: str
    taxonomy: str
    colours: Mapping[str, str]
    images: int
    votes: bool
    counts: Mapping[str, Mapping[str, int]]
    about: Mapping[str, str]
    lineage: tuple[str, ...]
    samples: tuple[CardSample, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    words: tuple[str, ...] = ()
    looks: Mapping[str, Any] = field(default_factory=dict)
    seen_alone: Mapping[str, Any] | None = None


def card_of(
    item: Dataset,
    about: Mapping[str, Any],
    found: Mapping[str, Any] | None,
    limits: Limits,
    title: str = "",
) -> CardValues:
    """Gather a card.

    Args:
        item: The set.
        about: Source, terms, citation and lineage, where they are known.
        found: Its examination, where there is one.
        limits: Caps on the images whose thumbnails stand on the card.
        title: For people; the set's name where empty.
    """
    known = {key: str(about[key]) for key in ("source", "terms", "citation") if about.get(key)}
    card = CardValues(
        title=title or item.name,
        taxonomy=item.taxonomy.title,
        colours=item.taxonomy.colours,
        images=len(item.records),
        votes=item.votes,
        counts=counts_of(item),
        about=known,
        lineage=lineage_words(about),
        samples=_samples(item, limits),
    )
    if found is None:
        return card
    classes = found["classes"]
    looked = {
        "verdicts": tuple(verdicts(found)),
        "words": (headline(found), balance_words(classes), light_words(classes)),
        "looks": classes["looks"],
        "seen_alone": classes["by_looks_alone"],
    }
    return CardValues(**{**vars(card), **looked})


def counts_of(item: Dataset) -> dict[str, dict[str, int]]:
    """Split -> class -> images; ``no split`` and ``no label`` where there is none."""
    names = item.taxonomy.names
    found = Counter((record.split or "no split", record.label) for record in item.records)
    rows = {}
    for split in ("train", "validation", "test", "no split"):
        row = {name: found[split, i] for i, name in enumerate(names)}
        if found[split, NO_LABEL]:
            row["no label"] = found[split, NO_LABEL]
        if any(row.values()):
            rows[split] = row
    return rows


def _samples(item: Dataset, limits: Limits) -> tuple[CardSample, ...]:
    """A few readable pictures of each class, spread over the set."""
    found = []
    for label, name in list(enumerate(item.taxonomy.names))[:_MOST_CLASSES]:
        mine = [record for record in item.records if record.label == label]
        tries = mine[:: max(1, len(mine) // (2 * _A_CLASS))]
        pictures = (thumbnail_of(record, limits, _SIDE) for record in tries)
        known = (jpeg for jpeg in pictures if jpeg is not None)
        found += [CardSample(name, jpeg) for jpeg, _ in zip(known, range(_A_CLASS), strict=False)]
    return tuple(found)
