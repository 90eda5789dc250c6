"""One run in its folder: new or resumed, folds, fusions, the finished checkpoint."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import torch

from emoviz.checkpoints import Checkpoint, load_network, open_checkpoint, save_checkpoint
from emoviz.data.dataset import fold_indices
from emoviz.errors import PausedError, TrainingError
from emoviz.files import write_json
from emoviz.memory import available_cores
from emoviz.models.fusion import FusedNetwork
from emoviz.models.network import EmotionNetwork
from emoviz.models.novelty import describe_content
from emoviz.settings import Settings
from emoviz.training.cost import estimate, measure_network
from emoviz.training.finish import (
    FinalMeasures,
    Floats,
    HeldOut,
    Outputs,
    content_held_out,
    has_frozen_backbone,
    make_card,
    measure_folds,
    measure_splits,
    novelty_width,
    outputs,
    outputs_on_features,
    seen_images,
)
from emoviz.training.folder import (
    FOLDS,
    MEASURES,
    MEMBERS,
    PROBE,
    STATE,
    RunRequest,
    RunResult,
    checkpoint_folder,
    finished,
    keep_refusals,
    known_refusals,
    opened,
    wish_of,
)
from emoviz.training.linear_probe import probe_line
from emoviz.training.loop import FINISH, PAUSE, check_order, look_at_nothing, train
from emoviz.training.precision import timed_words
from emoviz.training.prepare import PreparedTraining, Worker, keeps_whole_maps, prepare
from emoviz.training.processes import Processes
from emoviz.training.progress import StepResult, TrainingProgress, idle_terms
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import load_recipe
from emoviz.training.snapshots import Looker
from emoviz.training.state import Keeper, Training, read_tensors, read_values, write_tensors
from emoviz.training.targets import Rows
from emoviz.training.trackers import require_tracker

# Shares of a run's work: up to the first step, to the last, to the measures.
_READ, _TRAINED, _MEASURED = 0.3, 0.95, 0.98


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
    with_graph: bool = True,
    wish: Callable[[], str] | None = None,
    report: Callable[[float, str], None] | None = None,
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
        with_graph: Also export the checkpoint's graph for ONNX Runtime (about ten seconds).
        wish: Asked after every step what is wanted (`emoviz.training.loop`), beside the folder's
            own wish.
        report: Called with the share of the work that is done (0-1) and what is being done.

    Raises:
        RecipeError, TableError, TaxonomyError, WeightsError: See there.
        PausedError: Somebody wished so; the same call with `resume` goes on.
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
    place = folder or settings.runs / _stamp(recipe)
    start = open_checkpoint(recipe.network.start, settings) if recipe.network.start else None
    told = report or _silent

    def wanted() -> str:
        """By whoever started the run, or by its folder; of several processes nothing is."""
        if processes.count > 1:
            return ""
        return (wish() if wish is not None else "") or wish_of(place)

    def watch(done: int, total: int) -> None:
        """Say how far the features are; stop where that is wished."""
        if wanted() == PAUSE:
            raise PausedError("Paused before the first step.")
        told(_READ * done / total, f"Looking at the images: {done:,} of {total:,} views")

    request = RunRequest(recipe, tuple(tables), tuple(test_tables), refit)
    with opened(place, request, resume, processes):
        done = finished(place, request)
        if done is not None:
            tell(f"'{place}' is finished already.")
            return done
        cache = settings.home / "cache" / "features"
        worker = Worker(device, _readers(settings, device), processes, cache, start, watch)
        how = _Conduct(settings, worker, tell, with_graph, wanted, told)
        if recipe.fuse:
            return _train_fused(request, place, how)
        return _Run(request, place, how).result()


@dataclass(frozen=True)
class _Conduct:
    """How a run is done, as opposed to what."""

    settings: Settings
    worker: Worker
    tell: Callable[[str], None]
    with_graph: bool
    wanted: Callable[[], str]
    report: Callable[[float, str], None]


class _Run:
    """One run at work in its folder."""

    def __init__(self, request: RunRequest, folder: Path, how: _Conduct) -> None:
        self._request, self._folder, self._how = request, folder, how
        self._began = time.monotonic()
        how.report(0.0, "Reading the images")
        first = how.worker.processes.is_first
        size = _done_for_good(folder)
        self._resumed = size > 0
        recipe = request.recipe
        if first:
            require_tracker(recipe.tracker)
        self._progress = TrainingProgress(
            folder, how.tell, first, size, recipe.tracker, recipe.name
        )
        self._prepared = prepare(
            request.recipe,
            request.tables,
            self._progress.tell,
            how.worker,
            request.test_tables,
            known_refusals(folder),
        )
        if first:
            keep_refusals(folder, self._prepared.refused)

    def result(self) -> RunResult:
        """Train, measure, save."""
        try:
            return self._result()
        finally:
            self._progress.close()

    def _result(self) -> RunResult:
        request, prepared = self._request, self._prepared
        if prepared.worker.processes.is_first and not self._resumed:
            self._tell_cost()
        if request.recipe.data.folds:
            held = self._cross_validate()
            if not request.refit:  # no checkpoint, and so no novelty
                return self._ended(measure_folds(held, 0, request.recipe), None)
            prepared.tell("All images")
            everything = np.arange(len(prepared.targets))
            state, pretrained, keeper = self._fit(everything, np.arange(0), 0)
            content = None
            if len(held.content_measures):
                seen, made = _outputs(prepared, state, everything)
                kinds = prepared.targets.rows(seen).kinds
                content = describe_content(made.energy, made.pooled, kinds)
            width = novelty_width(state.network)
            measured = measure_folds(held, width, request.recipe, content)
        else:
            learned, watched = map(prepared.rows_of_split, ("train", "validation"))
            state, pretrained, keeper = self._fit(learned, watched, 0)
            prepared.tell("Calibrating and measuring on the test split ...")
            self._how.report(_TRAINED, "Measuring on images that were held out")
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

    def _tell_cost(self) -> None:
        """Say what the run will take, by the network's time for an image."""
        recipe, prepared = self._request.recipe, self._prepared
        side = replace(recipe.input, size=prepared.preprocessing.size)  # a start may have its own
        asked, worker = replace(recipe, input=side), prepared.worker
        shape, seconds = measure_network(asked, worker.device, worker.start)
        prepared.tell(estimate(asked, len(prepared.targets), seconds, shape).words())

    def _fit(self, train_rows: Rows, watched: Rows, fold: int) -> tuple[Training, str, Keeper]:
        """Train one network from where its state is; fold 0 is the finished network."""
        state, pretrained = self._prepared.training(train_rows, watched)
        progress, file = self._progress, self._folder / STATE
        keeper = Keeper(
            file,
            self._how.settings.save_seconds,
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
        if fold == 0 and len(state.validation):
            self._draw_line(state)
        look = Looker(self._folder, reached.total) if fold == 0 and processes.is_first else None
        for result in train(state, keeper, self._step, self._wish, look or look_at_nothing):
            progress.epoch(result)
            for line in idle_terms(result, self._request.recipe.loss):
                progress.tell(line)
            self._report(result)
        return state, pretrained, keeper

    def _wish(self) -> str:
        """What is wanted; networks of folds are judges, so that they are trained to their end."""
        wish = self._how.wanted()
        return "" if wish == FINISH and self._request.recipe.data.folds else wish

    def _step(self, result: StepResult) -> None:
        self._progress.step(result)
        self._report(result)

    def _report(self, result: StepResult) -> None:
        phases = self._request.recipe.phases
        done = sum(phase.epochs for phase in phases[: result.phase - 1]) + result.epoch - 1
        share = done / sum(phase.epochs for phase in phases)
        phase = phases[result.phase - 1]
        on_gpu = phase.train == "all" and self._prepared.worker.device == "cuda"
        where = "graphics card" if on_gpu else "processor"
        words = f"Training on the {where}, epoch {result.epoch} of {phase.epochs}"
        if len(phases) > 1:
            words = f"Phase {result.phase} of {len(phases)}: {words[0].lower()}{words[1:]}"
        self._how.report(_READ + (_TRAINED - _READ) * share, words)

    def _draw_line(self, state: Training) -> None:
        """A linear probe on the same features, before the first step: the line to beat."""
        file = self._folder / PROBE
        first = self._request.recipe.phases[0]
        if file.exists() or first.train == "all" or not self._prepared.worker.processes.is_first:
            return
        test = self._prepared.targets.of_split("test") if keeps_whole_maps(state.recipe) else None
        found = probe_line(state, first, test)
        if found is not None:
            with contextlib.suppress(OSError):
                write_json(file, found)
            self._prepared.tell(
                f"A linear probe on the pooled features: {100 * found['validation']:.1f} % of the "
                "validation images."
            )

    def _cross_validate(self) -> HeldOut:
        """Train without each fold in turn and keep what each network makes of its fold.

        Raises:
            TrainingError: A fold holds no image, or all of them.
        """
        recipe, targets = self._request.recipe, self._prepared.targets
        groups = [record.group for record in targets.records]
        folds = fold_indices(groups, recipe.data.folds, recipe.data.split_seed)
        parts: list[Outputs] = []
        contents: list[Floats] = []
        order: list[Rows] = []
        for k in range(recipe.data.folds):
            held, rest = np.flatnonzero(folds == k), np.flatnonzero(folds != k)
            if len(held) < 2 or len(rest) < 2:
                raise TrainingError(
                    f"Fold {k + 1} of {recipe.data.folds} holds {len(held)} of {len(folds)} "
                    "images. Bring more images (or groups), or set data.folds lower."
                )
            seen, made, content = self._outputs_of_fold(k + 1, rest, held)
            parts.append(made)
            contents.append(content)
            order.append(seen)
        rows = np.concatenate(order)
        back = np.argsort(rows)
        arrays = [list(part.arrays().values()) for part in parts]
        joined = Outputs(*(np.concatenate(column)[back] for column in zip(*arrays, strict=True)))
        words, rows = f"out of {recipe.data.folds} folds", rows[back]
        content = np.concatenate(contents)
        if 0 < len(content) < len(back):  # a fold from before, or of too few images of a kind
            self._prepared.tell("What images show is not known of every fold and is left out.")
            content = content[:0]
        content = content[back] if len(content) else content
        return HeldOut(words, targets.rows(rows), joined, folds[rows], content)

    def _outputs_of_fold(self, fold: int, rest: Rows, held: Rows) -> tuple[Rows, Outputs, Floats]:
        """What a network makes of the fold that it was trained without, and of which rows.

        The third is their `content_held_out`, which h of a frozen backbone does not need.
        """
        file = self._folder / FOLDS / f"fold-{fold}.safetensors"
        kept = read_tensors(file)
        if kept is not None:
            arrays = {name: tensor.numpy() for name, tensor in kept[0].items()}
            content = arrays.pop("content_measures", np.zeros((0, 2)))
            return arrays.pop("rows"), Outputs(**arrays), content
        count = self._request.recipe.data.folds
        self._prepared.tell(f"Fold {fold} of {count}: {len(held)} images held out")
        state, _, keeper = self._fit(rest, held, fold)
        seen, made = _outputs(self._prepared, state, held)
        content, recipe = np.zeros((0, 2)), self._request.recipe
        asks = self._request.refit and not has_frozen_backbone(recipe)
        if asks and len(recipe.network.kinds) > 1 and novelty_width(state.network):
            learned, known = _outputs(self._prepared, state, rest)
            content = content_held_out(known, self._prepared.targets.rows(learned).kinds, made)
        if self._prepared.worker.processes.is_first:
            arrays = {"rows": seen, "content_measures": content, **made.arrays()}
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            with _kept_for_later("What was computed cannot be kept"):
                write_tensors(file, tensors, {"notes": {"progress": self._progress.size}})
            keeper.forget()
        return seen, made, content

    def _save(
        self, state: Training, measured: FinalMeasures, pretrained: str, suffix: str
    ) -> Checkpoint | None:
        recipe, prepared = self._request.recipe, self._prepared
        origin = {
            "backbone_weights": pretrained,
            "trained_on": f"{prepared.worker.device}, {self._minutes()}",
        }
        config = state.network.config.to_dict()
        if words := timed_words({str(m["backbone"]) for m in config.get("members", [config])}):
            origin["precision"] = words
        if self._wish() == FINISH:
            origin["stopped"] = f"by hand, after {state.place.total} steps"
        self._how.report(_MEASURED, "Writing the network")
        if not prepared.worker.processes.is_first:
            return None
        seen, told = seen_images(prepared.targets.records, recipe)
        card = make_card(state, prepared.sets, prepared.targets, measured, origin, told)
        learned = recipe.loss.beta and not recipe.fuse
        centers = state.loss.centers.detach().cpu() if learned else None
        place = checkpoint_folder(self._folder, recipe)
        place = place.with_name(place.name + suffix)
        with _kept_for_later("The network cannot be written"):
            return save_checkpoint(
                place,
                replace(card, id=place.name),
                state.network,
                centers,
                measured.novelty,
                self._how.with_graph,
                seen,
            )

    def _minutes(self) -> str:
        minutes = f"{(time.monotonic() - self._began) / 60:.0f} minutes"
        return f"{minutes} since it was resumed" if self._resumed else minutes

    def _ended(self, measured: FinalMeasures, checkpoint: Checkpoint | None) -> RunResult:
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


def _train_fused(request: RunRequest, folder: Path, how: _Conduct) -> RunResult:
    """Train each member in a folder of its own, then measure their fusion.

    The fused recipe gives everything but the networks, so that ``--set`` reaches all members.
    """
    members = []
    parts = [(folder / MEMBERS / name, _of_member(request, name)) for name in request.recipe.fuse]
    for place, part in parts:
        with opened(place, part, True, how.worker.processes):
            if finished(place, part) is None:
                _Run(part, place, how).result()
            how.worker.processes.wait()  # the first one writes, all read
            members.append(finished(place, part))
    # What measuring needs besides the networks is the same for every member.
    _, last = parts[-1]
    return _Run(last, folder, how).fused([member for member in members if member], request.recipe)


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


def _outputs(prepared: PreparedTraining, state: Training, rows: Rows) -> tuple[Rows, Outputs]:
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


def _silent(share: float, words: str) -> None:
    """Nobody watches."""


def _say_nothing(line: str) -> None:
    """What processes after the first say."""


def _stamp(recipe: Recipe) -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{recipe.name or 'run'}-s{recipe.seed}"
