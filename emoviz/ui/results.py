"""One row of a page of results, and how rows are flagged, put in order and filtered."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from emoviz.inference.flags import FLAGS, Flag, entropy, flags_of
from emoviz.inference.predict import Prediction
from emoviz.labels import Taxonomy

EVERYTHING = "all"


@dataclass(frozen=True)
class Result:
    """One image that was read, with its prediction.

    Attributes:
        number: Its place in the order in which images came in.
        prediction: What the model estimates.
        caption: What is known of the image, such as artist and title; may be empty.
        thumbnail: JPEG bytes.
    """

    number: int
    prediction: Prediction
    caption: str = ""
    thumbnail: bytes | None = None

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """What a careful reader should know about it."""
        it = self.prediction
        return flags_of(it, it.top2_opposite, it.unlike_training, bool(it.not_sure))


@dataclass(frozen=True)
class Refusal:
    """One file that could not be read, and why."""

    name: str
    reason: str


ORDERS: Mapping[str, Callable[[Result], tuple[float, ...]]] = {
    "As given": lambda row: (row.number,),
    "Most certain first": lambda row: (entropy(row.prediction),),
    "Most uncertain first": lambda row: (-entropy(row.prediction),),
    "Mixed feelings first": lambda row: (not row.prediction.top2_opposite, -_second(row)),
    "Unlike training first": lambda row: (-(row.prediction.novelty or 0.0),),
}


def in_order(rows: Sequence[Result], order: str) -> list[Result]:
    """Rows by one of `ORDERS`; rows that are alike stay as given."""
    return sorted(rows, key=ORDERS.get(order, ORDERS["As given"]))


def kept(rows: Sequence[Result], choice: str) -> list[Result]:
    """Rows with a flag, with a predicted class, or all of them.

    Args:
        rows: All rows.
        choice: A flag, a class name, or `EVERYTHING`.
    """
    if choice in FLAGS:
        return [row for row in rows if choice in row.flags]
    if choice == EVERYTHING:
        return list(rows)
    return [row for row in rows if row.prediction.predicted == choice]


def choices(rows: Sequence[Result], taxonomy: Taxonomy) -> dict[str, int]:
    """What `kept` can be asked for, with the number of rows that each gives; zeros left out."""
    predicted = predicted_counts(rows, taxonomy)
    flags = Counter(flag for row in rows for flag in row.flags)
    found: dict[str, int] = {EVERYTHING: len(rows), **dict(predicted)}
    found.update({flag: flags[flag] for flag in FLAGS})
    return {name: count for name, count in found.items() if count or name == EVERYTHING}


def predicted_counts(rows: Sequence[Result], taxonomy: Taxonomy) -> list[tuple[str, int]]:
    """How often each class is the most likely one, in the taxonomy's order."""
    counts = Counter(row.prediction.predicted for row in rows)
    return [(name, counts[name]) for name in taxonomy.names]


def _second(row: Result) -> float:
    return row.prediction.ranked[1][1] if len(row.prediction.probabilities) > 1 else 0.0
