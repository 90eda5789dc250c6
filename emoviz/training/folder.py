"""A run is a folder: settings, progress line by line, state, the finished checkpoint.

::

    <run>/settings.json        recipe, tables, versions, when it started
          progress.jsonl       one line an epoch, and one a second in between
          log.txt              what was told
          events/              TensorBoard
          state.safetensors    while it works: all it takes to go on after a crash
          folds/               what the networks of finished folds make of the images held out
          members/<name>/      the runs of a fusion's members
          snapshots/           the validation images as the network saw them after some epochs
          probe.json           a linear probe on the same features: the line to beat
          wish.json            what somebody asked of the run at work: pause or finish
          ended.json           how the last process at work ended before the run was done
          measures.json        what was measured
          checkpoints/<name>/  the finished network, or nothing yet; <name>-best/ where the
                               validation images liked an earlier epoch better

No torch is needed to read one.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

import emoviz
from emoviz.checkpoints import Checkpoint, read_checkpoint
from emoviz.data.reading import parse_data_argument
from emoviz.errors import CheckpointError, PausedError, TrainingError
from emoviz.files import read_json, write_json
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import as_written_now

if TYPE_CHECKING:
    from emoviz.training.processes import Processes

SETTINGS, STATE, MEASURES = "settings.json", "state.safetensors", "measures.json"
WISH, ENDED, PROBE, NOTES = "wish.json", "ended.json", "probe.json", "notes.json"
CHECKPOINTS, FOLDS, MEMBERS = "checkpoints", "folds", "members"
_UNREADABLE = "unreadable"
_BESIDE = (WISH, ENDED, NOTES)  # what people and pages put into a run that has not begun
_OTHER = {
    "recipe": "another recipe",
    "tables": "other tables, or they have changed since",
    "test_tables": "other test tables, or they have changed since",
    "refit": "another end in mind",
}

LOCK = "run.lock"

Refusals = Mapping[str, Mapping[str, str]]  # table -> image -> why it takes no part


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked to do; a resumed run must be asked the same.

    Attributes:
        recipe: What to train.
        tables: ``TAXONOMY=PATH`` or ``PATH`` each.
        test_tables: Tables whose images are all kept for the test.
        refit: With ``data.folds``, a finished network is wanted after those of the folds.
    """

    recipe: Recipe
    tables: tuple[str, ...]
    test_tables: tuple[str, ...] = ()
    refit: bool = True

    def to_dict(self, folder: Path) -> dict[str, Any]:
        """Plain values for the settings of a run in `folder`; tables with a hash of each."""
        return {
            "recipe": self.recipe.to_dict(),
            "tables": [_described(text, folder) for text in self.tables],
            "test_tables": [_described(text, folder) for text in self.test_tables],
            "refit": self.refit,
        }


@dataclass(frozen=True)
class RunResult:
    """What a finished run leaves.

    Attributes:
        folder: The run's.
        measures: By set, as on the card.
        checkpoint: The finished network; None where only folds were trained.
    """

    folder: Path
    measures: Mapping[str, Mapping[str, Any]]
    checkpoint: Checkpoint | None


@contextlib.contextmanager
def opened(
    folder: Path, request: RunRequest, resume: bool, processes: "Processes"
) -> Iterator[None]:
    """The run folder, ours alone, with its settings written.

    Raises:
        TrainingError: It is a file, in use, not empty, or of another run.
    """
    if not processes.is_first:
        processes.wait()
        yield
        return
    if folder.is_file():
        raise TrainingError(f"The run folder '{folder}' is a file. Choose another with --run.")
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=1)  # a page may be asking whether it is held
    try:
        lock.acquire()
    except Timeout:
        raise TrainingError(f"Another process is at work in the run folder '{folder}'.") from None
    try:
        _claim(folder, request, resume)
        _sweep(folder)
        (folder / ENDED).unlink(missing_ok=True)
        processes.wait()
        yield
    except BaseException as error:
        _note_end(folder, error)
        raise
    finally:
        lock.release()


def make_wish(folder: Path, what: str) -> None:
    """Ask a run at work to ``pause`` or to ``finish`` with what it has learned."""
    write_json(folder / WISH, {"wish": what})


def wish_of(folder: Path) -> str:
    """What was asked of the run; empty where nothing was."""
    if not (folder / WISH).exists():  # asked after every step: no file is the rule
        return ""
    return str((read_json(folder / WISH) or {}).get("wish", ""))


def forget_pause(folder: Path) -> None:
    """A paused run goes on; a wish to finish stays one."""
    if wish_of(folder) == "pause":
        (folder / WISH).unlink(missing_ok=True)


def finished(folder: Path, request: RunRequest) -> RunResult | None:
    """The result of a run that has reached its end; None where it has not."""
    measures = read_json(folder / MEASURES)
    if measures is None:
        return None
    if request.recipe.data.folds and not request.refit:
        return RunResult(folder, measures, None)
    try:
        checkpoint = read_checkpoint(checkpoint_folder(folder, request.recipe))
    except CheckpointError:
        return None
    return RunResult(folder, measures, checkpoint)


def checkpoint_folder(folder: Path, recipe: Recipe) -> Path:
    """Where the run in `folder` leaves its finished network."""
    return folder / CHECKPOINTS / (recipe.name or "network")


def known_refusals(folder: Path) -> Refusals | None:
    """The images that an earlier start left out; None where there was none."""
    return (read_json(folder / SETTINGS) or {}).get(_UNREADABLE)


def keep_refusals(folder: Path, refusals: Refusals) -> None:
    """Write down which images take no part, so that a resumed run opens none to find out."""
    kept = read_json(folder / SETTINGS) or {}
    if kept.get(_UNREADABLE) != refusals:
        with contextlib.suppress(OSError):  # a full disk: it is found out again
            write_json(folder / SETTINGS, {**kept, _UNREADABLE: refusals})


def first_difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first value in which two recipes' plain values differ, in words."""
    one, other = flat_values(found), flat_values(wanted)
    for key in (*other, *one):
        if one.get(key) != other.get(key):
            words = f"{key} is {one.get(key, 'missing')}, wanted {other.get(key, 'nothing')}"
            return words[:300]
    return "another recipe"


def _note_end(folder: Path, error: BaseException) -> None:
    """Why the process at work leaves a run that is not done; a killed one cannot say."""
    paused = isinstance(error, PausedError | KeyboardInterrupt)
    words = "" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
    with contextlib.suppress(OSError):
        forget_pause(folder)  # it was heard; whoever goes on is not asked again
        write_json(folder / ENDED, {"how": "paused" if paused else "failed", "why": words})


def _claim(folder: Path, request: RunRequest, resume: bool) -> None:
    """Write the settings of a new run, or compare those of one that goes on."""
    asked = request.to_dict(folder)
    kept = read_json(folder / SETTINGS)
    others = [item.name for item in folder.iterdir() if item.name not in (LOCK, MEMBERS, *_BESIDE)]
    if others and not resume:
        raise TrainingError(
            f"The run folder '{folder}' is not empty. Choose another with --run, or go on with "
            "the run in it with --resume."
        )
    if kept is not None:
        _compare(folder, kept, asked)
        return
    if {STATE, CHECKPOINTS, FOLDS} & set(others):
        raise TrainingError(f"'{folder}' has no readable {SETTINGS}: it cannot be resumed.")
    import torch

    started = datetime.now(UTC).isoformat(timespec="seconds")
    versions = {"emoviz": emoviz.__version__, "torch": torch.__version__}
    write_json(folder / SETTINGS, {**asked, "started": started, "versions": versions})


def _compare(folder: Path, kept: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise `TrainingError` where a run was begun with something else than is asked now."""
    for key, wanted in asked.items():
        found = kept.get(key)
        if key == "recipe" and isinstance(found, Mapping) and found != wanted:
            found = as_written_now(found)
        if _comparable(found) != _comparable(wanted):
            where = f" ({first_difference(found or {}, wanted)})" if key == "recipe" else ""
            raise TrainingError(
                f"'{folder}' was begun with {_OTHER[key]}{where}. Resume it as it was begun, or "
                "choose another folder with --run."
            )


def _comparable(value: Any) -> Any:
    """Tables are the same where their content is, whatever the way to them is called."""
    if isinstance(value, list):
        return [(item.get("taxonomy"), item.get("sha256")) for item in value]
    return value


def _sweep(folder: Path) -> None:
    """Remove what a killed process was writing aside, and the state of a run that is finished."""
    left = [*folder.glob(f".*{STATE}.*")]
    if (folder / MEASURES).exists():
        left += folder.glob(f"*{STATE}")  # the best weights stand beside the last
    for file in left:
        file.unlink(missing_ok=True)


def _described(text: str, run: Path) -> dict[str, str]:
    """A table and a hash of its content, so that a resumed run learns from the same."""
    taxonomy, path = parse_data_argument(text)
    digest = hashlib.sha256()
    if path.is_dir():
        for item in sorted(path.rglob("*")):
            if item.is_file() and not item.is_relative_to(run):
                name = item.relative_to(path).as_posix().encode(errors="surrogateescape")
                digest.update(name + b"\0%d\0" % item.stat().st_size)
    elif path.is_file():
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
    labels = taxonomy.name if taxonomy else ""
    return {"table": text, "taxonomy": labels, "sha256": digest.hexdigest()}


def flat_values(values: Any, below: str = "") -> dict[str, Any]:
    """Single values and plain lists of nested ones, by their keys joined with dots."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(values, Mapping):
        pairs = list(values.items())
    elif isinstance(values, list) and any(isinstance(item, dict | list) for item in values):
        pairs = list(enumerate(values))
    if not pairs:
        return {below: values}
    found: dict[str, Any] = {}
    for key, value in pairs:
        found |= flat_values(value, f"{below}.{key}".lstrip("."))
    return found
