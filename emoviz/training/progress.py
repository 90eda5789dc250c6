"""What a run tells while it works: lines for programs, lines for people, curves for a tracker.

::

    progress.jsonl    one line an epoch, and one a second in between
    log.txt           what was told to people, with the time
    events/           TensorBoard, one folder a fold; or what another tracker keeps

A full disk is told once and costs the lines alone.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emoviz.training.recipe import LossPart
from emoviz.training.trackers import Tracker, TrackerName, open_tracker

PROGRESS, LOG, EVENTS = "progress.jsonl", "log.txt", "events"


@dataclass(frozen=True)
class StepResult:
    """What a step did, as it stands in ``progress.jsonl`` with ``"kind": "step"``.

    Attributes:
        phase: Number of the phase, from 1.
        epoch: Number of the epoch in the phase, from 1.
        step: Steps since the start of the training.
        loss: L_total of the step's batch.
        entropy: Its first term.
        intra: L_intra, unweighted.
        inter: L_inter, unweighted.
        learning_rate: Of the modules and the classifier.
        gradient_norm: L2 norm before clipping.
        images_per_second: Since the epoch began.
        seconds_left: Estimate for the rest of the phase.
    """

    phase: int
    epoch: int
    step: int
    loss: float
    entropy: float
    intra: float
    inter: float
    learning_rate: float
    gradient_norm: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class EpochResult(StepResult):
    """What one epoch did, as it stands in ``progress.jsonl`` with ``"kind": "epoch"``.

    The loss, its terms and the gradient's norm are means over the epoch's steps; the rest is as
    after the last of them.

    Attributes:
        epochs: Epochs of the phase.
        validation_entropy: The bridged cross-entropy of the validation images, plain views; None
            where there are none.
        validation_accuracy: Share of them whose label was predicted, in 0-1; None as above.
        validation_ari, validation_nmi, validation_asr: Of u of the validation images (see
            `emoviz.analysis.clustering`); None where it was not looked at after this epoch.
        validation_images: How many of them have a label.
    """

    epochs: int
    validation_entropy: float | None
    validation_accuracy: float | None = None
    validation_ari: float | None = None
    validation_nmi: float | None = None
    validation_asr: float | None = None
    validation_images: int = 0


def idle_terms(result: EpochResult, loss: LossPart) -> list[str]:
    """What to say of terms of the loss that were exactly zero in a whole epoch: they move nothing.

    Args:
        result: The epoch's means; no term is ever negative.
        loss: What the recipe says of it.
    """
    found = []
    if loss.beta and loss.lambda_ and result.inter == 0:
        found.append(
            f"L_inter was 0 in the whole epoch: all class centers lie {loss.margin:g} (the margin "
            "m) or more apart, so nothing pushes them apart. A larger loss.margin, or a smaller "
            "loss.center_spread at the start, lets the term act."
        )
    if loss.beta and result.intra == 0:
        found.append("L_intra was 0 in the whole epoch: no image pulled on a class center.")
    if result.entropy == 0:
        found.append("The cross-entropy was 0 in the whole epoch: there was nothing to learn.")
    return found


class TrainingProgress:
    """Writes the lines of a run folder.

    Args:
        folder: The run's.
        tell: Also called with each line for people.
        writes: False keeps every file untouched: a process that is not the first.
        size: ``progress.jsonl`` is cut to so many bytes: what a resumed run has done for good.
        tracker: Where the curves go, too.
        title: What they are called there.
    """

    def __init__(
        self,
        folder: Path,
        tell: Callable[[str], None],
        writes: bool = True,
        size: int = 0,
        tracker: TrackerName = "tensorboard",
        title: str = "emoviz",
    ) -> None:
        self._folder, self._tell, self._writes = folder, tell, writes
        self._tracker, self._title = tracker, title
        self._size = size
        self._failed = False
        self._fold = 0
        self._events: Tracker | None = None
        self._told = 0.0
        if writes:
            self._safely(self._cut)

    @property
    def size(self) -> int:
        """Bytes of ``progress.jsonl`` so far."""
        return self._size

    def tell(self, line: str) -> None:
        """A line for people."""
        self._tell(line)
        if self._writes:
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            self._safely(lambda: _append(self._folder / LOG, f"{stamp} {line}\n"))

    def begin(self, fold: int, step: int) -> None:
        """A training begins, or goes on at a step; fold 0 is that of the finished network."""
        self.close()
        self._fold = fold
        if self._writes:
            self._safely(lambda: self._open_events(step))

    def close(self) -> None:
        """Close what is open."""
        if self._events is not None:
            self._safely(self._events.finish)
            self._events = None

    def step(self, result: StepResult) -> None:
        """Note a step; more than one a second are left out."""
        if time.monotonic() - self._told >= 1:
            self._told = time.monotonic()
            self._note("step", asdict(result))

    def epoch(self, result: EpochResult) -> None:
        """Note an epoch, for people too."""
        self._note("epoch", asdict(result))
        self.tell(_words(result))

    def _note(self, kind: str, values: dict[str, Any]) -> None:
        if self._writes:
            line = json.dumps({"kind": kind, "fold": self._fold, **values}) + "\n"
            self._safely(lambda: self._write_line(line))
            self._safely(lambda: self._write_events(kind, values))

    def _write_line(self, line: str) -> None:
        try:
            _append(self._folder / PROGRESS, line)
        except OSError:
            self._cut()  # half a line would spoil the next
            raise
        self._size += len(line.encode())

    def _open_events(self, step: int) -> None:
        run = f"fold-{self._fold}" if self._fold else "training"
        self._events = open_tracker(self._tracker, self._folder / EVENTS, run, self._title, step)

    def _write_events(self, kind: str, values: dict[str, Any]) -> None:
        if self._events is not None:
            known = {
                f"{kind}/{name}": float(value)
                for name, value in values.items()
                if name not in ("phase", "epoch", "epochs", "step") and value is not None
            }
            self._events.log(known, values["step"])

    def _cut(self) -> None:
        file = self._folder / PROGRESS
        if file.exists() and file.stat().st_size > self._size:
            with file.open("r+b") as stream:
                stream.truncate(self._size)
        elif self._size:
            self._size = file.stat().st_size if file.exists() else 0

    def _safely(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if not self._failed:
                self._failed = True
                self._tell(f"The progress cannot be written ({error}); the training goes on.")


def _append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(text)


def _words(result: EpochResult) -> str:
    held_out = result.validation_entropy
    watched = "" if held_out is None else f"held out {held_out:.3f}, "
    if result.validation_accuracy is not None:
        of = f" of {result.validation_images:,}" if result.validation_images else ""
        watched += f"accuracy {100 * result.validation_accuracy:.1f} %{of}, "
    return (
        f"phase {result.phase} epoch {result.epoch}/{result.epochs}: loss {result.loss:.3f} "
        f"(entropy {result.entropy:.3f}, intra {result.intra:.3f}, inter {result.inter:.3f}), "
        f"{watched}{result.images_per_second:.0f} images/s, {result.seconds_left:.0f} s left"
    )
