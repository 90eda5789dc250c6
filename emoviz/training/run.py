"""A run is a folder: settings, progress line by line, state, the finished checkpoint.

::

    <run>/settings.json        recipe, tables, versions, when it started
          progress.jsonl       one line an epoch, and one a second in between
          log.txt              what was told
          events/              TensorBoard
          state.safetensors    while it works: all it takes to go on after a crash
          folds/               what the networks of finished folds make of the images held out
          measures.json        what was measured
          checkpoints/<name>/  the finished network, or nothing yet; <name>-best/ where the
                               validation images liked an earlier epoch better
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray

import emoviz
from emoviz.checkpoints import Checkpoint, load_network, read_checkpoint, save_checkpoint
from emoviz.data.records import fold_indices, parse_data_argument
from emoviz.errors import CheckpointError, TrainingError
from emoviz.files import write_json
from emoviz.inference.engines import available_cores
from emoviz.models.fusion import FusedNetwork
from emoviz.models.network import EmotionNetwork
from emoviz.settings import Settings
from emoviz.training.finish import (
    HeldOut,
    Measured,
    Outputs,
    make_card,
    measure_folds,
    measure_splits,
    outputs,
    outputs_on_features,
)
from emoviz.training.loop import check_order, train
from emoviz.training.prepare import Prepared, Refusals, Rows, Worker, prepare
from emoviz.training.processes import Processes
from emoviz.training.progress import Progress
from emoviz.training.recipe import Recipe, load_recipe
from emoviz.training.state import Keeper, Training, read_tensors, read_values, write_tensors

SETTINGS, STATE, MEASURES = "settings.json", "state.safetensors", "measures.json"
CHECKPOINTS, FOLDS, LOCK = "checkpoints", "folds", "run.lock"


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


@dataclass(frozen=True)
class _Request:
    """What a run is asked to do; a resumed run must be asked the same."""

    recipe: Recipe
    tables: tuple[str, ...]
    test_tables: tuple[str, ...]
    refit: bool

    def to_dict(self, folder: Path) -> dict[str, Any]:
        return {
            "recipe": self.recipe.to_dict(),
            "tables": [_described(text, folder) for text in self.tables],
            "test_tables": [_described(text, folder) for text in self.test_tables],
            "refit": self.refit,
        }


def train_in_folder(
    recipe: Recipe | str,
    tables: Sequence[str],
    folder: Path | None,
    settings: Settings,
    tell: Callable[[str], None],
    *,
    seed: int | None = None,
    test_tables: Sequence[str] = (),
    resume: bool = False,
    refit: bool = True,
) -> RunResult:
    """Train a recipe on tables of labelled images and leave everything in one folder.

    Args:
        recipe: A recipe, its name or a YAML file.
        tables: ``TAXONOMY=PATH`` or ``PATH`` each.
        folder: The run's; a new one under the person's home where None.
        settings: Where the home is, which device.
        tell: Called with a line for people now and then.
        seed: Instead of the recipe's.
        test_tables: Tables whose images are all kept for the test.
        resume: Go on with an interrupted run in `folder`; a finished one is given back at once,
            and where there is none yet it begins.
        refit: With ``data.folds``, train the finished network after those of the folds; without,
            only measure.

    Raises:
        RecipeError, TableError, TaxonomyError, WeightsError: See there.
        TrainingError: The folder is in use or of another run, or the training cannot go on.
    """
    recipe = load_recipe(recipe) if isinstance(recipe, str) else recipe
    recipe = recipe if seed is None else replace(recipe, seed=seed)
    check_order(recipe)
    device = _device(recipe, settings)
    processes = Processes.started(device == "cuda")
    if folder is None and processes.count > 1:
        raise TrainingError("Several processes need one run folder: name it with --run.")
    if not processes.is_first:
        tell = _say_nothing
    if processes.count > 1:
        tell(f"{processes.count} processes share each batch.")
    folder = folder or settings.runs / _stamp(recipe)
    request = _Request(recipe, tuple(tables), tuple(test_tables), refit)
    with _opened(folder, request, resume, processes):
        finished = _finished(folder, request)
        if finished is not None:
            tell(f"'{folder}' is finished already.")
            return finished
        worker = Worker(
            device, _readers(settings, device), processes, settings.home / "cache" / "features"
        )
        if recipe.fuse:
            return _train_fused(request, folder, settings, worker, tell)
        return _Run(request, folder, settings, worker, tell).result()


class _Run:
    """One run at work in its folder."""

    def __init__(
        self,
        request: _Request,
        folder: Path,
        settings: Settings,
        worker: Worker,
        tell: Callable[[str], None],
    ) -> None:
        self._request, self._folder, self._settings = request, folder, settings
        self._began = time.monotonic()
        first = worker.processes.is_first
        size = _done_for_good(folder)
        self._resumed = size > 0
        self._progress = Progress(folder, tell, writes=first, size=size)
        self._prepared = prepare(
            request.recipe,
            request.tables,
            self._progress.tell,
            worker,
            request.test_tables,
            _known_refusals(folder),
        )
        if first:
            _add_setting(folder, "unreadable", self._prepared.unreadable)

    def result(self) -> RunResult:
        """Train, measure, save."""
        try:
            return self._result()
        finally:
            self._progress.close()

    def _result(self) -> RunResult:
        request, prepared = self._request, self._prepared
        if request.recipe.data.folds:
            held = self._cross_validate()
            if not request.refit:
                state, _ = prepared.training(np.arange(2), np.arange(0))  # for its widths alone
                return self._ended(measure_folds(held, state.network, request.recipe), None)
            prepared.tell("All images")
            everything = np.arange(len(prepared.targets))
            state, pretrained, keeper = self._fit(everything, np.arange(0), 0)
            measured = measure_folds(held, state.network, request.recipe)
        else:
            learned, watched = map(prepared.rows_of_split, ("train", "validation"))
            state, pretrained, keeper = self._fit(learned, watched, 0)
            prepared.tell("Calibrating and measuring on the test split ...")
            measured = measure_splits(state, prepared.targets)
        checkpoint = self._save(state, measured, pretrained, "")
        if state.best is not None:
            network, centers = state.best
            best = replace(state, network=network, best=None)
            best.loss.centers.data.copy_(centers)
            self._save(best, measure_splits(best, prepared.targets), pretrained, "-best")
        result = self._ended(measured, checkpoint)
        keeper.forget()
        return result

    def _fit(self, train_rows: Rows, watched: Rows, fold: int) -> tuple[Training, str, Keeper]:
        """Train one network from where its state is; fold 0 is the finished network."""
        state, pretrained = self._prepared.training(train_rows, watched)
        progress, file = self._progress, self._folder / STATE
        keeper = Keeper(
            file,
            self._settings.save_seconds,
            progress.tell,
            lambda: {"fold": fold, "progress": progress.size},
            keeps_best=fold == 0,
        )
        processes = self._prepared.worker.processes
        if (read_values(file) or {}).get("notes", {}).get("fold") == fold:
            keeper.restore(state)
            progress.tell(f"Going on after {state.place.total} steps.")
        reached = state.place
        processes.agree_on([reached.phase, reached.epoch, reached.step, reached.total])
        processes.wait()  # until all have read, before the first one writes
        progress.begin(fold, reached.total)
        for result in train(state, keeper, progress.step):
            progress.epoch(result)
        return state, pretrained, keeper

    def _cross_validate(self) -> HeldOut:
        """Train without each fold in turn and keep what each network makes of its fold.

        Raises:
            TrainingError: A fold holds no image, or all of them.
        """
        recipe, targets = self._request.recipe, self._prepared.targets
        groups = [record.group for record in targets.records]
        folds = fold_indices(groups, recipe.data.folds, recipe.data.split_seed)
        parts: list[Outputs] = []
        order: list[Rows] = []
        for k in range(recipe.data.folds):
            held, rest = np.flatnonzero(folds == k), np.flatnonzero(folds != k)
            if len(held) < 2 or len(rest) < 2:
                raise TrainingError(
                    f"Fold {k + 1} of {recipe.data.folds} holds {len(held)} of {len(folds)} "
                    "images. Bring more images (or groups), or set data.folds lower."
                )
            seen, made = self._outputs_of_fold(k + 1, rest, held)
            parts.append(made)
            order.append(seen)
        rows = np.concatenate(order)
        back = np.argsort(rows)
        joined = (np.concatenate(c)[back] for c in zip(*map(_columns, parts), strict=True))
        words, rows = f"out of {recipe.data.folds} folds", rows[back]
        return HeldOut(words, targets.rows(rows), Outputs(*joined), folds[rows])

    def _outputs_of_fold(self, fold: int, rest: Rows, held: Rows) -> tuple[Rows, Outputs]:
        """What a network makes of the fold that it was trained without, and of which rows."""
        file = self._folder / FOLDS / f"fold-{fold}.safetensors"
        kept = read_tensors(file)
        if kept is not None:
            return kept[0]["rows"].numpy(), Outputs(*(kept[0][n].numpy() for n in Outputs.names()))
        count = self._request.recipe.data.folds
        self._prepared.tell(f"Fold {fold} of {count}: {len(held)} images held out")
        state, _, keeper = self._fit(rest, held, fold)
        seen, made = _outputs(self._prepared, state, held)
        if self._prepared.worker.processes.is_first:
            named = zip(("rows", *Outputs.names()), (seen, *_columns(made)), strict=True)
            arrays = {name: torch.from_numpy(array) for name, array in named}
            with _kept_for_later("What was computed cannot be kept"):
                write_tensors(file, arrays, {"notes": {"progress": self._progress.size}})
            keeper.forget()
        return seen, made

    def _save(
        self, state: Training, measured: Measured, pretrained: str, suffix: str
    ) -> Checkpoint | None:
        recipe, prepared = self._request.recipe, self._prepared
        origin = {
            "backbone_weights": pretrained,
            "trained_on": f"{prepared.worker.device}, {self._minutes()}",
        }
        card = make_card(state, prepared.sets, prepared.targets, measured, origin)
        learned = recipe.loss.beta and not recipe.fuse
        centers = state.loss.centers.detach().cpu() if learned else None
        name = (recipe.name or "network") + suffix
        place = self._folder / CHECKPOINTS / name
        if not prepared.worker.processes.is_first:
            return None
        with _kept_for_later("The checkpoint cannot be written"):
            return save_checkpoint(
                place, replace(card, id=name), state.network, centers, measured.novelty
            )

    def _minutes(self) -> str:
        minutes = f"{(time.monotonic() - self._began) / 60:.0f} minutes"
        return f"{minutes} since it was resumed" if self._resumed else minutes

    def _ended(self, measured: Measured, checkpoint: Checkpoint | None) -> RunResult:
        if self._prepared.worker.processes.is_first:
            with _kept_for_later("The measures cannot be written"):
                write_json(self._folder / MEASURES, measured.measures)
        return RunResult(self._folder, measured.measures, checkpoint)

    def fused(self, members: Sequence[RunResult], recipe: Recipe) -> RunResult:
        """Put the members' networks together and measure what they say as one."""
        prepared = self._prepared
        state, _ = prepared.training(prepared.rows_of_split("train"), np.arange(0))
        checkpoints = [member.checkpoint for member in members if member.checkpoint is not None]
        networks = [cast(EmotionNetwork, load_network(item)) for item in checkpoints]
        fused = cast(EmotionNetwork, FusedNetwork(networks))  # all that measuring asks of it
        whole = replace(state, recipe=recipe, network=fused)
        prepared.tell("Measuring the fusion ...")
        measured = measure_splits(whole, prepared.targets)
        self._request = replace(self._request, recipe=recipe)
        words = ", ".join(recipe.fuse)
        return self._ended(measured, self._save(whole, measured, f"those of {words}", ""))


def _train_fused(
    request: _Request,
    folder: Path,
    settings: Settings,
    worker: Worker,
    tell: Callable[[str], None],
) -> RunResult:
    """Train each member in a folder of its own, then measure their fusion.

    The fused recipe gives everything but the networks, so that ``--set`` reaches all members.
    """
    members = []
    for name in request.recipe.fuse:
        own = load_recipe(name)
        recipe = replace(
            request.recipe,
            name=own.name,
            title=own.title,
            summary=own.summary,
            network=own.network,
            fuse=(),
        )
        part, place = replace(request, recipe=recipe), folder / "members" / name
        with _opened(place, part, True, worker.processes):
            if _finished(place, part) is None:
                _Run(part, place, settings, worker, tell).result()
            worker.processes.wait()  # the first one writes, all read
            members.append(_finished(place, part))
    # What measuring needs besides the networks is the same for every member.
    run = _Run(part, folder, settings, worker, tell)
    return run.fused([member for member in members if member], request.recipe)


@contextlib.contextmanager
def _opened(folder: Path, request: _Request, resume: bool, processes: Processes) -> Iterator[None]:
    """The run folder, ours alone, with its settings written."""
    if not processes.is_first:
        processes.wait()
        yield
        return
    if folder.is_file():
        raise TrainingError(f"The run folder '{folder}' is a file. Choose another with --run.")
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise TrainingError(f"Another process is at work in the run folder '{folder}'.") from None
    try:
        _claim(folder, request, resume)
        _sweep(folder)
        processes.wait()
        yield
    finally:
        lock.release()


def _claim(folder: Path, request: _Request, resume: bool) -> None:
    """Write the settings of a new run, or compare those of one that goes on."""
    asked = request.to_dict(folder)
    kept = _read_json(folder / SETTINGS)
    others = [item for item in folder.iterdir() if item.name not in (LOCK, "members")]
    if others and not resume:
        raise TrainingError(
            f"The run folder '{folder}' is not empty. Choose another with --run, or go on with "
            "the run in it with --resume."
        )
    if kept is None:
        if any(item.name in (STATE, CHECKPOINTS, FOLDS) for item in others):
            raise TrainingError(f"'{folder}' has no readable {SETTINGS}: it cannot be resumed.")
        started = datetime.now(UTC).isoformat(timespec="seconds")
        versions = {"emoviz": emoviz.__version__, "torch": torch.__version__}
        write_json(folder / SETTINGS, {**asked, "started": started, "versions": versions})
        return
    for key, wanted in asked.items():
        if _comparable(kept.get(key)) != _comparable(wanted):
            raise TrainingError(
                f"'{folder}' was begun with {_OTHER[key]}{_difference(kept.get(key), wanted)}. "
                "Resume it as it was begun, or choose another folder with --run."
            )


_OTHER = {
    "recipe": "another recipe",
    "tables": "other tables, or they have changed since",
    "test_tables": "other test tables, or they have changed since",
    "refit": "another end in mind",
}


def _comparable(value: Any) -> Any:
    """Tables are the same where their content is, whatever the way to them is called."""
    if isinstance(value, list):
        return [(item.get("taxonomy"), item.get("sha256")) for item in value]
    return value


def _sweep(folder: Path) -> None:
    """Remove what a killed process was writing aside, and the state of a run that is finished."""
    for file in folder.glob(f".*{STATE}.*"):
        file.unlink(missing_ok=True)
    if (folder / MEASURES).exists():
        Keeper(folder / STATE).forget()


def _difference(kept: Any, wanted: Any, path: str = "") -> str:
    """Where two plain values differ first, for people."""
    if isinstance(kept, dict) and isinstance(wanted, dict):
        for key in {**kept, **wanted}:
            if kept.get(key) != wanted.get(key):
                return _difference(kept.get(key), wanted.get(key), f"{path}.{key}".strip("."))
    if not path:
        return ""
    return f" ({path}: {json.dumps(kept)}, now {json.dumps(wanted)})"[:300]


def _finished(folder: Path, request: _Request) -> RunResult | None:
    """The result of a run that has reached its end."""
    measures = _read_json(folder / MEASURES)
    if measures is None:
        return None
    if request.recipe.data.folds and not request.refit:
        return RunResult(folder, measures, None)
    try:
        checkpoint = read_checkpoint(folder / CHECKPOINTS / (request.recipe.name or "network"))
    except CheckpointError:
        return None
    return RunResult(folder, measures, checkpoint)


def _done_for_good(folder: Path) -> int:
    """Bytes of ``progress.jsonl`` that a resumed run does not do again."""
    files = [folder / STATE, *(folder / FOLDS).glob("fold-*.safetensors")]
    notes = [(read_values(file) or {}).get("notes", {}) for file in files]
    return max((int(note.get("progress", 0)) for note in notes), default=0)


def _known_refusals(folder: Path) -> Refusals | None:
    return (_read_json(folder / SETTINGS) or {}).get("unreadable")


def _add_setting(folder: Path, key: str, value: Any) -> None:
    kept = _read_json(folder / SETTINGS) or {}
    if kept.get(key) != value:
        with contextlib.suppress(OSError):  # a full disk: it is found out again
            write_json(folder / SETTINGS, {**kept, key: value})


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _kept_for_later(what: str) -> Iterator[None]:
    """Say of an error of the disk that nothing learned is lost."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{what}: {error.strerror or error}. The state of the run is kept: make room and go "
            "on with --resume."
        ) from None


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


def _outputs(prepared: Prepared, state: Training, rows: Rows) -> tuple[Rows, Outputs]:
    """What a network makes of some images, and of which of them: one may have vanished."""
    targets = prepared.targets.rows(rows)
    if all(phase.train != "all" for phase in prepared.recipe.phases):
        return rows, outputs_on_features(state, prepared.features, targets)
    seen, made = outputs(state, targets)
    place = dict(zip(targets.records, rows, strict=True))
    return np.array([place[record] for record in seen.records], np.int64), made


def _columns(part: Outputs) -> tuple[NDArray[np.float32], ...]:
    return part.logits, part.embedding, part.pooled, part.energy


def _device(recipe: Recipe, settings: Settings) -> str:
    """Where phases that train ``all`` run; the rest is quick anywhere."""
    whole = any(phase.train == "all" for phase in recipe.phases)
    return "cuda" if whole and settings.device != "cpu" and torch.cuda.is_available() else "cpu"


def _readers(settings: Settings, device: str) -> int:
    """Processes that read images: the setting, else one on a CPU and up to eight for a GPU."""
    if settings.readers >= 0:
        return settings.readers
    return min(8, max(1, available_cores() - 1)) if device == "cuda" else 1


def _say_nothing(line: str) -> None:
    """What processes after the first say."""


def _stamp(recipe: Recipe) -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{recipe.name or 'run'}-s{recipe.seed}"
