"""One run in its folder: new or resumed, folds, fusions, the finished checkpoint."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import torch

from emoviz.checkpoints import Checkpoint, load_network, save_checkpoint
from emoviz.data.records import fold_indices
from emoviz.errors import TrainingError
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
    novelty_width,
    outputs,
    outputs_on_features,
)
from emoviz.training.folder import (
    FOLDS,
    MEASURES,
    MEMBERS,
    STATE,
    RunRequest,
    RunResult,
    checkpoint_folder,
    finished,
    keep_refusals,
    known_refusals,
    opened,
)
from emoviz.training.loop import check_order, train
from emoviz.training.prepare import Prepared, Worker, prepare
from emoviz.training.processes import Processes
from emoviz.training.progress import Progress
from emoviz.training.recipe import Recipe, load_recipe
from emoviz.training.state import Keeper, Training, read_tensors, read_values, write_tensors
from emoviz.training.targets import Rows


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
    request = RunRequest(recipe, tuple(tables), tuple(test_tables), refit)
    with opened(folder, request, resume, processes):
        done = finished(folder, request)
        if done is not None:
            tell(f"'{folder}' is finished already.")
            return done
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
        request: RunRequest,
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
            known_refusals(folder),
        )
        if first:
            keep_refusals(folder, self._prepared.unreadable)

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
            if not request.refit:  # no checkpoint, and so no novelty
                return self._ended(measure_folds(held, 0, request.recipe), None)
            prepared.tell("All images")
            everything = np.arange(len(prepared.targets))
            state, pretrained, keeper = self._fit(everything, np.arange(0), 0)
            measured = measure_folds(held, novelty_width(state.network), request.recipe)
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
        arrays = [list(part.arrays().values()) for part in parts]
        joined = Outputs(*(np.concatenate(column)[back] for column in zip(*arrays, strict=True)))
        words, rows = f"out of {recipe.data.folds} folds", rows[back]
        return HeldOut(words, targets.rows(rows), joined, folds[rows])

    def _outputs_of_fold(self, fold: int, rest: Rows, held: Rows) -> tuple[Rows, Outputs]:
        """What a network makes of the fold that it was trained without, and of which rows."""
        file = self._folder / FOLDS / f"fold-{fold}.safetensors"
        kept = read_tensors(file)
        if kept is not None:
            arrays = {name: tensor.numpy() for name, tensor in kept[0].items()}
            return arrays.pop("rows"), Outputs(**arrays)
        count = self._request.recipe.data.folds
        self._prepared.tell(f"Fold {fold} of {count}: {len(held)} images held out")
        state, _, keeper = self._fit(rest, held, fold)
        seen, made = _outputs(self._prepared, state, held)
        if self._prepared.worker.processes.is_first:
            tensors = {
                name: torch.from_numpy(array)
                for name, array in {"rows": seen, **made.arrays()}.items()
            }
            with _kept_for_later("What was computed cannot be kept"):
                write_tensors(file, tensors, {"notes": {"progress": self._progress.size}})
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
        place = checkpoint_folder(self._folder, recipe)
        place = place.with_name(place.name + suffix)
        if not prepared.worker.processes.is_first:
            return None
        with _kept_for_later("The checkpoint cannot be written"):
            return save_checkpoint(
                place, replace(card, id=place.name), state.network, centers, measured.novelty
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
    request: RunRequest,
    folder: Path,
    settings: Settings,
    worker: Worker,
    tell: Callable[[str], None],
) -> RunResult:
    """Train each member in a folder of its own, then measure their fusion.

    The fused recipe gives everything but the networks, so that ``--set`` reaches all members.
    """
    members = []
    parts = [(folder / MEMBERS / name, _of_member(request, name)) for name in request.recipe.fuse]
    for place, part in parts:
        with opened(place, part, True, worker.processes):
            if finished(place, part) is None:
                _Run(part, place, settings, worker, tell).result()
            worker.processes.wait()  # the first one writes, all read
            members.append(finished(place, part))
    # What measuring needs besides the networks is the same for every member.
    _, last = parts[-1]
    run = _Run(last, folder, settings, worker, tell)
    return run.fused([member for member in members if member], request.recipe)


def _of_member(request: RunRequest, name: str) -> RunRequest:
    """The request with a member's network in the place of the fusion."""
    own = load_recipe(name)
    recipe = replace(
        request.recipe,
        name=own.name,
        title=own.title,
        summary=own.summary,
        network=own.network,
        fuse=(),
    )
    return replace(request, recipe=recipe)


def _done_for_good(folder: Path) -> int:
    """Bytes of ``progress.jsonl`` that a resumed run does not do again."""
    files = [folder / STATE, *(folder / FOLDS).glob("fold-*.safetensors")]
    notes = [(read_values(file) or {}).get("notes", {}) for file in files]
    return max((int(note.get("progress", 0)) for note in notes), default=0)


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


def _outputs(prepared: Prepared, state: Training, rows: Rows) -> tuple[Rows, Outputs]:
    """What a network makes of some images, and of which of them: one may have vanished."""
    targets = prepared.targets.rows(rows)
    if not _trains_all(prepared.recipe):
        return rows, outputs_on_features(state, prepared.features, targets)
    seen, made = outputs(state, targets)
    place = dict(zip(targets.records, rows, strict=True))
    return np.array([place[record] for record in seen.records], np.int64), made


def _device(recipe: Recipe, settings: Settings) -> str:
    """Where phases that train ``all`` run; the rest is quick anywhere."""
    wanted = _trains_all(recipe) and settings.device != "cpu"
    return "cuda" if wanted and torch.cuda.is_available() else "cpu"


def _trains_all(recipe: Recipe) -> bool:
    """Whether the layers in front of the last Gram layer are trained too."""
    return any(phase.train == "all" for phase in recipe.phases)


def _readers(settings: Settings, device: str) -> int:
    """Processes that read images: the setting, else one on a CPU and up to eight for a GPU."""
    if settings.readers >= 0:
        return settings.readers
    return min(8, max(1, available_cores() - 1)) if device == "cuda" else 1


def _say_nothing(line: str) -> None:
    """What processes after the first say."""


def _stamp(recipe: Recipe) -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{recipe.name or 'run'}-s{recipe.seed}"
