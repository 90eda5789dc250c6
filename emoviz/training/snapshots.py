"""What is looked at while a network learns: measures of u, the class centers, a map that moves.

::

    <run>/snapshots/<steps>.npz    one for each look

A look at centers and map costs hundredths of a second, clusters in u a tenth to some seconds. After
very short epochs there is none: nine times what the last one cost lies between two of a kind.
"""

import contextlib
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emoviz.files import replaced_file

SNAPSHOTS = "snapshots"
_MOST_IMAGES, _MOST_OF_TRAINING, _MOST_CLASSES = 2000, 200, 64
_LEAST_WAIT, _SHARE = 0.2, 9.0  # seconds, and how many times its own cost a look is apart
_FORMAT = 1


@dataclass(frozen=True)
class Snapshot:
    """What the network makes of the images after some epoch.

    Attributes:
        step: Steps since the training began.
        phase: Its number, from 1.
        epoch: In the phase, from 1.
        places: (M, 2) of u on a map that keeps its orientation from one snapshot to the next.
        classes: (M,) the class of each image, -1 where it has no single one.
        right: (M,) whether its label was predicted.
        held_out: (M,) True for validation images; the others are some of the training images,
            where kept features make them cheap to look at.
        centers: (C, 2) places of the class centers; NaN where a class has none.
        distances: (C, C) between the centers in u; NaN likewise.
        learned: Whether the centers are those of the loss, or else class means of these images.
    """

    step: int
    phase: int
    epoch: int
    places: NDArray[np.float32]
    classes: NDArray[np.int64]
    right: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    centers: NDArray[np.float32]
    distances: NDArray[np.float32]
    learned: bool


class Looker:
    """Looks at the validation images after an epoch, if the last look was long enough ago.

    Args:
        folder: The run's.
        step: At which the training begins or goes on: what was seen later is done again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._folder, self._step = folder / SNAPSHOTS, step
        self._measures, self._pictures = _Pace(), _Pace()
        self._threads: Any = None  # until the first look
        self._before: NDArray[np.float32] | None = None

    def _begin(self) -> None:
        import sklearn.cluster
        import sklearn.metrics  # noqa: F401 - seconds that must not count as the first look's
        from threadpoolctl import ThreadpoolController

        self._threads = ThreadpoolController()
        for file in snapshot_files(self._folder.parent):
            if int(file.stem) > self._step:
                file.unlink(missing_ok=True)
        known = latest_snapshot(self._folder.parent)
        self._before = known.places if known is not None else None

    def __call__(self, state: Any, seen: Any) -> Mapping[str, float | None]:
        """Measures of the clusters in u, where a look is due.

        Args:
            state: The training (`emoviz.training.state.Training`).
            seen: What the loop saw of its validation images.
        """
        if self._threads is None:
            self._begin()
        # A second thread of OpenBLAS would go on turning for a while and take a core from the
        # training's next steps, which costs more than it helps with arrays of this size.
        with self._threads.limit(limits=1, user_api="blas"):
            return self._look(state, seen)

    def _look(self, state: Any, seen: Any) -> Mapping[str, float | None]:
        last = state.place.epoch == state.recipe.phases[state.place.phase - 1].epochs
        targets = state.validation.rows(seen.rows)
        if last or self._pictures.is_due():
            # A full disk costs the picture alone.
            with self._pictures.timed(), contextlib.suppress(OSError):
                self._keep(state, seen, classes_of(targets))
        if last or self._measures.is_due():
            with self._measures.timed():
                return _clusters(seen, targets)
        return {}

    def _keep(self, state: Any, seen: Any, classes: NDArray[np.int64]) -> None:
        from emoviz.analysis.projection.moving import moving_map

        count = state.loss.centers.shape[0]
        if count > _MOST_CLASSES:
            return
        some = _some(len(seen.rows), _MOST_IMAGES)
        targets = state.validation.rows(seen.rows[some])
        u = seen.embedding[some]
        right: NDArray[np.bool_] = np.equal(targets.answers, seen.predicted[some])
        learned = bool(state.recipe.loss.beta)
        centers = (
            state.loss.centers.detach().float().cpu().numpy()
            if learned
            else _class_means(seen.embedding, classes, count)
        )
        shown = _of_training(state)
        if shown is not None:
            u, right = np.concatenate([u, shown.u]), np.concatenate([right, shown.right])
        drawn = moving_map(u, np.nan_to_num(centers), self._before)
        missing: NDArray[np.bool_] = np.asarray(np.isnan(centers).any(axis=1))
        places = np.where(missing[:, None], np.nan, drawn.others)
        gaps = np.linalg.norm(centers[:, None] - centers[None, :], axis=2)
        self._before = drawn.places
        snapshot = Snapshot(
            step=state.place.total,
            phase=state.place.phase,
            epoch=state.place.epoch,
            places=drawn.places,
            classes=np.concatenate([classes[some], *([shown.classes] if shown else [])]),
            right=right,
            held_out=np.arange(len(u)) < len(some),
            centers=places.astype(np.float32),
            distances=gaps.astype(np.float32),
            learned=learned,
        )
        write_snapshot(self._folder / f"{state.place.total:09}.npz", snapshot)


class _Pace:
    """When something that costs time may be done again."""

    def __init__(self) -> None:
        self._last, self._cost = -1e9, 0.0

    def is_due(self) -> bool:
        return time.monotonic() - self._last >= max(_LEAST_WAIT, _SHARE * self._cost)

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._last = time.monotonic()
        self._cost = self._last - began


def _clusters(seen: Any, targets: Any) -> Mapping[str, float | None]:
    """ARI, NMI and ASR of u of the images that have a label."""
    from emoviz.analysis.clustering import group_images

    answers = targets.answers
    known = answers >= 0
    # Labels of several sets are different labels, even where their numbers are the same.
    labels = answers + 10_000 * targets.sets
    found = group_images(seen.embedding[known], labels[known])
    names = ("ari", "nmi", "asr")
    return {name: None if found is None else getattr(found.measures, name) for name in names}


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Write one, whole or not at all.

    Raises:
        OSError: The disk is full.
    """
    arrays: dict[str, Any] = {name: np.asarray(v) for name, v in vars(snapshot).items()}
    with replaced_file(path) as aside, aside.open("wb") as stream:
        np.savez(stream, format=np.array(_FORMAT), **arrays)


def read_snapshot(path: Path) -> Snapshot | None:
    """Read what `write_snapshot` wrote; None where it is damaged or gone."""
    try:
        with path.open("rb") as stream, np.load(stream) as arrays:
            if int(arrays["format"]) != _FORMAT:
                return None
            values = {name: arrays[name] for name in Snapshot.__dataclass_fields__}
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    numbers = {name: int(values[name]) for name in ("step", "phase", "epoch")}
    return Snapshot(**{**values, **numbers, "learned": bool(values["learned"])})


def snapshot_files(run: Path) -> list[Path]:
    """The snapshots of a run, the earliest first."""
    return sorted(f for f in (run / SNAPSHOTS).glob("[0-9]*.npz") if f.stem.isdecimal())


def latest_snapshot(run: Path) -> Snapshot | None:
    """The last that can be read."""
    found = (read_snapshot(file) for file in reversed(snapshot_files(run)))
    return next((item for item in found if item is not None), None)


def classes_of(targets: Any) -> NDArray[np.int64]:
    """(N,) the one class that each image's label may be called, or -1."""
    singles = [bridge.single for bridge in targets.joins]
    pairs = zip(targets.answers, targets.sets, strict=True)
    return np.array([singles[s][a] if a >= 0 else -1 for a, s in pairs], np.int64)


class _Shown(NamedTuple):
    """Some training images: u (K, D), class and whether the label was predicted."""

    u: NDArray[np.float32]
    classes: NDArray[np.int64]
    right: NDArray[np.bool_]


def _of_training(state: Any) -> _Shown | None:
    """Some training images' plain views; None where they would have to be computed."""
    from emoviz.training.batches import on_all_features

    if not (state.recipe.phases[state.place.phase - 1].train != "all" and state.features.is_whole):
        return None
    import torch

    targets = state.train.rows(_some(len(state.train), _MOST_OF_TRAINING))
    features = state.features.of(targets, 1, 0)
    with torch.no_grad():
        outs = [out for _, out in on_all_features(state, features, len(targets))]
    u = torch.cat([out.embedding for out in outs]).float().numpy()
    p = torch.cat([out.logits for out in outs]).float().softmax(dim=1).numpy()
    scores = np.einsum("nsc,nc->ns", targets.bridges[targets.sets], p)
    return _Shown(u, classes_of(targets), scores.argmax(axis=1) == targets.answers)


def _some(count: int, most: int) -> NDArray[np.int64]:
    """Which images are drawn: all, or the same random ones each time."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def _class_means(
    u: NDArray[np.float32], classes: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    means = np.full((count, u.shape[1]), np.nan, np.float32)
    for c in range(count):
        if (classes == c).any():
            means[c] = u[classes == c].mean(axis=0)
    return means
