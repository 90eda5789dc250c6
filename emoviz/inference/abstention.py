"""When a checkpoint had better say "not sure": a threshold that a person set on validation data.

One small file a checkpoint, ``<home>/abstention/<fingerprint>.json``, since shipped checkpoints
may not be writable. The fingerprint ties it to the weights: other weights have other thresholds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from emoviz.checkpoints import Checkpoint
from emoviz.errors import CheckpointError
from emoviz.files import read_json, write_json
from emoviz.inference.cache import fingerprint
from emoviz.inference.predict import Prediction
from emoviz.settings import Settings


@dataclass(frozen=True)
class Abstention:
    """A threshold, and what it did where it was set.

    Attributes:
        threshold: On the probability of the likeliest class, 0 to 1; below it the model abstains.
        set_title: Of the validation set.
        set_digest: Its content (`emoviz.inference.labelled.table_digest`).
        coverage: Share of its images that got an answer.
        accuracy: Share of right ones among these; None where there were none.
        images: In the validation set.
        wanted: What was asked for, in words.
        created: ISO 8601 in UTC.
    """

    threshold: float
    set_title: str = ""
    set_digest: str = ""
    coverage: float | None = None
    accuracy: float | None = None
    images: int = 0
    wanted: str = ""
    created: str = ""

    def abstains(self, probability: float) -> bool:
        """Whether an answer of such a probability had better not be given."""
        return probability < self.threshold

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def abstention_of(checkpoint: Checkpoint, settings: Settings) -> Abstention | None:
    """The threshold that was set for these very weights; None where there is none.

    A file that cannot be read counts as none: the model then answers always, as it did before.
    """
    values = read_json(_path(checkpoint, settings))
    try:
        found = Abstention(**(values or {}))
        return found if 0 <= found.threshold <= 1 else None
    except TypeError:
        return None


def save_abstention(checkpoint: Checkpoint, settings: Settings, chosen: Abstention) -> None:
    """Keep a threshold; the one before it is replaced.

    Raises:
        CheckpointError: The threshold is outside 0-1.
        OSError: The home cannot be written.
    """
    if not 0 <= chosen.threshold <= 1:
        raise CheckpointError(f"The threshold is {chosen.threshold}; wanted a probability, 0 to 1.")
    write_json(_path(checkpoint, settings), chosen.to_dict())


def clear_abstention(checkpoint: Checkpoint, settings: Settings) -> None:
    """Let the checkpoint answer always again."""
    _path(checkpoint, settings).unlink(missing_ok=True)


def with_abstention(
    predictions: Iterable[Prediction], chosen: Abstention | None
) -> Iterator[Prediction]:
    """The predictions, told where the model had better not answer; as they are without a threshold.

    Refused images stay as they are.
    """
    for item in predictions:
        if chosen is None or not item.probabilities:
            yield item
        else:
            yield replace(item, not_sure=chosen.abstains(max(item.probabilities.values())))


def _path(checkpoint: Checkpoint, settings: Settings) -> Path:
    return settings.home / "abstention" / f"{fingerprint(checkpoint)}.json"
