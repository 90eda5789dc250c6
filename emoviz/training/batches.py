"""Where the batches of a phase come from: kept features, or fresh views of the images.

Both give the same batches again for the same (seed, phase, epoch, step), from any step on.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from emoviz.errors import TrainingError
from emoviz.models.network import Output
from emoviz.models.standardise import Standardise, standardise
from emoviz.training.augmentation import RandomViews
from emoviz.training.features import FrozenFeatures
from emoviz.training.linear_start import start_linearly
from emoviz.training.micro_batches import backward, backward_in_pieces
from emoviz.training.precision import MOST_LEARNED, timed_precision
from emoviz.training.recipe import Phase
from emoviz.training.state import Training
from emoviz.training.targets import Rows

_ORDER, _DRAWS = 0, 1  # what random numbers of a place are for
_TIMED_MAPS = 64  # the last stages alone take so little that eight images tell nothing


class Batch(NamedTuple):
    """This process's share of a global batch.

    Attributes:
        step: In the epoch, from 0.
        rows: (N,) of the training targets.
        images: (N, H, W, 3) bytes, where fresh views are trained on.
        total: Images of the global batch.
    """

    step: int
    rows: Rows
    images: Tensor | None
    total: int


class Mix(NamedTuple):
    """Mixup (Zhang et al. 2018): each image blended with another of its batch.

    Attributes:
        share: Of the image itself, in 0-1.
        partner: (N,) the other's place in the batch; None leaves images as they are.
    """

    share: float = 1.0
    partner: Rows | None = None


UNMIXED = Mix()
TermsOf = Callable[[Output, Mix], Tensor]  # L_total first; see `emoviz.training.loop`


class Batches(Protocol):
    """What a phase learns from.

    Attributes:
        steps: Of an epoch.
        shared: Whether each process takes its share of a global batch, and can cut that into
            pieces where memory is short; otherwise every process sees the whole batch.
    """

    steps: int
    shared: bool

    def epoch(self, epoch: int, first: int) -> Iterator[Batch]:
        """The batches of an epoch from step `first` on."""
        ...

    def backward(self, batch: Batch, rng: np.random.Generator, terms_of: TermsOf) -> Tensor:
        """Add the gradients of a batch's loss; gives the terms, without a gradient."""
        ...

    def validate(self) -> Iterator[tuple[Rows, Output]]:
        """What the network makes of the validation images."""
        ...


def make_batches(state: Training, phase: Phase, number: int) -> Batches:
    """The batches of a phase, from where the training is on."""
    if phase.train == "all":
        return ViewBatches(state, phase, number)
    return KeptBatches(state, phase, number)


def devices(state: Training, phase: Phase) -> int:
    """What the phase's batch and learning rates are multiplied by (``per_device``)."""
    return state.processes.count if phase.per_device and phase.train == "all" else 1


def _global_batches(state: Training, phase: Phase, number: int, epoch: int) -> list[Rows]:
    """Rows of each step of an epoch; a last batch too small for batch normalisation is left out."""
    size = phase.batch * devices(state, phase)
    order = state.rng(_ORDER, number, epoch).permutation(len(state.train))
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    least = 2 * (state.processes.count if phase.train == "all" else 1)
    return [part for part in parts if len(part) >= least]


class KeptBatches:
    """Everything behind the last Gram layer learns from features kept in memory.

    In a ``heads`` phase the backbone stays as it is; in a ``tail`` phase its last stages learn
    too, from the kept maps of the last Gram layer.
    """

    shared = False  # this is quick work: every process does the whole of it

    def __init__(self, state: Training, phase: Phase, number: int) -> None:
        self._state, self._phase, self._number = state, phase, number
        network = state.network
        source = state.features
        self._features = source.of(state.train, phase.views, phase.positions)
        part = state.recipe.network
        if part.linear_start and state.place.total == 0:
            start_linearly(network, state.loss, self._features, state.train, part.linear_start)
        if part.standardise and not _is_standardised(network):
            moments = self._features.moments(undivided_positions(state))
            learned = state.learned_behind or bool(part.linear_start)
            standardise(network, moments, keep=learned)
        held_out = len(state.validation) > 0
        self._held_out = source.of(state.validation, 1, 0) if held_out else None
        network.backbone.requires_grad_(False)
        if phase.train == "tail":
            for parameter in network.backbone.tail(phase.first, phase.depthwise):
                parameter.requires_grad_(True)
        self.steps = len(_global_batches(state, phase, number, 1))

    def epoch(self, epoch: int, first: int) -> Iterator[Batch]:
        """The same batches in every process."""
        self._state.network.train()
        self._state.network.backbone.eval()  # ImageNet's statistics: small sets only spoil them
        parts = _global_batches(self._state, self._phase, self._number, epoch)
        for step, rows in enumerate(parts[first:], start=first):
            yield Batch(step, rows, None, len(rows))

    def backward(self, batch: Batch, rng: np.random.Generator, terms_of: TermsOf) -> Tensor:
        """From kept features of a random view of each image on."""
        view = rng.integers(0, self._phase.views, len(batch.rows))
        out = on_features(
            self._state,
            self._features,
            view,
            batch.rows,
            self._phase.positions,
            rng,
            self._phase.precision,
        )
        return backward(terms_of(out, UNMIXED))

    def validate(self) -> Iterator[tuple[Rows, Output]]:
        """From the kept features of the plain views on."""
        if self._held_out is not None:
            yield from on_all_features(self._state, self._held_out, len(self._state.validation))


def on_features(
    state: Training,
    features: FrozenFeatures,
    view: Rows,
    rows: Rows,
    positions: int,
    rng: np.random.Generator,
    precision: str = "bf16",
) -> Output:
    """The network from kept features on: the backbone's tail where it has moved, then the heads."""
    maps, pooled, grams = features.batch(view, rows, positions, rng)
    if state.tail_moved:
        deepest = features.deepest(view, rows).contiguous(memory_format=torch.channels_last)
        backbone, mixed = state.network.backbone, False
        if state.network.training and precision == "bf16":
            name = f"{state.network.config.backbone}, its last stages"
            mixed = timed_precision(
                name, backbone.forward_tail, deepest, state.tell, _TIMED_MAPS, learned(backbone)
            ).bf16
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            pooled = backbone.forward_tail(deepest)
    return state.network.head(maps, pooled.float(), grams, undivided_positions(state))


def learned(module: nn.Module) -> list[nn.Parameter]:
    """The weights that the phase trains."""
    return [weight for weight in module.parameters() if weight.requires_grad]


def undivided_positions(state: Training) -> tuple[int, ...] | None:
    """H W of each layer's map where the modules take Gram matrices that are not divided by it."""
    if state.network.config.module != "multiplicative":
        return None
    return state.network.backbone.positions(state.preprocessing.size)


def on_all_features(
    state: Training, features: FrozenFeatures, count: int
) -> Iterator[tuple[Rows, Output]]:
    """Plain views of all images, batch after batch, on whole maps."""
    for start in range(0, count, 64):
        rows = np.arange(start, min(start + 64, count))
        rng = np.random.default_rng(0)  # nothing is drawn: whole maps of the first view
        yield rows, on_features(state, features, np.zeros_like(rows), rows, 0, rng)


class ViewBatches:
    """The whole network learns from fresh views, in mixed precision (bfloat16).

    Batches are read by torch's data loader, all epochs in one go, so that its worker processes
    never pause between two epochs.
    """

    shared = True

    def __init__(self, state: Training, phase: Phase, number: int) -> None:
        self._state, self._phase, self._number = state, phase, number
        self._device = state.device
        state.network.to(state.device).to(memory_format=torch.channels_last)
        state.processes.join_batch_norms(state.network, phase.batch_norm == "trained")
        state.loss.to(state.device)
        state.normalise.to(state.device)
        state.network.backbone.requires_grad_(phase.backbone_learning_rate > 0)
        state.processes.same_start([*state.network.parameters(), *state.network.buffers()])
        state.processes.same_start([state.loss.centers])
        self.steps = len(_global_batches(state, phase, number, 1))
        self._loader: Iterator[tuple[Rows, Tensor | None, list[int]]] | None = None
        self._told: set[int] = set()
        self._bf16: bool | None = None  # not timed yet

    def epoch(self, epoch: int, first: int) -> Iterator[Batch]:
        """This process's share of each batch; the loader goes on with the epoch after."""
        self._state.network.train()
        if self._phase.batch_norm == "kept":
            self._state.network.backbone.eval()
        if self._loader is None:
            self._loader = iter(self._make_loader(epoch, first))
        for step in range(first, self.steps):
            rows, images, failed = next(self._loader)
            self._tell_failed(failed)
            if images is None or len(rows) < 2:  # batch normalisation needs two
                raise TrainingError(
                    f"Only {len(rows)} of the {len(rows) + len(failed)} images of a batch can be "
                    "read any more. Is the folder still there?"
                )
            yield Batch(step, rows, images, len(rows) * self._state.processes.count)

    def backward(self, batch: Batch, rng: np.random.Generator, terms_of: TermsOf) -> Tensor:
        """Through the whole network, in as many pieces as it takes by now."""
        mix = self.mix(batch, rng)
        inputs, pieces = self.inputs(batch, mix), self._state.place.pieces
        if pieces == 1:
            return backward(terms_of(self.output_of(inputs), mix))
        return backward_in_pieces(
            self._state.network, inputs, pieces, self.precision, lambda out: terms_of(out, mix)
        )

    def mix(self, batch: Batch, rng: np.random.Generator) -> Mix:
        """How the images of a batch are blended."""
        alpha = self._state.recipe.augment.mixup
        if not alpha:
            return UNMIXED
        return Mix(float(rng.beta(alpha, alpha)), rng.permutation(len(batch.rows)))

    def inputs(self, batch: Batch, mix: Mix) -> Tensor:
        """The network's input (N, 3, H, W) for a batch."""
        assert batch.images is not None
        inputs = self.prepared(batch.images)
        if mix.partner is None:
            return inputs
        partner = torch.from_numpy(mix.partner).to(inputs.device)
        return mix.share * inputs + (1 - mix.share) * inputs[partner]

    def prepared(self, images: Tensor) -> Tensor:
        """(N, H, W, 3) bytes to the network's input (N, 3, H, W) on its device."""
        on_device = images.to(self._device, non_blocking=True)
        normalised: Tensor = self._state.normalise(on_device)
        prepared = normalised.contiguous(memory_format=torch.channels_last)
        if self._bf16 is None and self._phase.precision == "bf16":
            backbone = self._state.network.backbone
            name = f"{self._state.network.config.backbone}, learning"
            self._bf16 = timed_precision(
                name, backbone, prepared, self._state.tell, MOST_LEARNED, learned(backbone)
            ).bf16
        return prepared

    def output_of(self, inputs: Tensor) -> Output:
        """The whole network in the phase's precision; its outputs are float32."""
        with self.precision():
            out = self._state.network(inputs)
        return Output(*(part.float() for part in out))

    def precision(self) -> torch.autocast:
        """The phase's, as a context; bfloat16 only where it is quicker here."""
        mixed = self._phase.precision == "bf16" and bool(self._bf16)
        return torch.autocast(self._device, dtype=torch.bfloat16, enabled=mixed)

    def validate(self) -> Iterator[tuple[Rows, Output]]:
        """Plain views."""
        state = self._state
        order = np.arange(len(state.validation))
        size = min(self._phase.batch, 64)
        for rows, images in state.maker.batches(state.validation.records, order, size, None):
            yield rows, self.output_of(self.prepared(images))

    def _make_loader(self, epoch: int, first: int) -> DataLoader[Any]:
        state = self._state
        return DataLoader(
            RandomViews(state.maker, state.train.records),
            batch_sampler=_Plan(state, self._phase, self._number, epoch, first),
            num_workers=state.workers,
            collate_fn=_collate,
            pin_memory=self._device == "cuda",
            prefetch_factor=2 if state.workers else None,
        )

    def _tell_failed(self, failed: Sequence[int]) -> None:
        for row in failed:
            if row not in self._told:
                self._told.add(row)
                name = self._state.train.records[row].name
                self._state.tell(f"{name} cannot be read any more; the training goes on without.")


class _Plan:
    """Which (epoch, row) pairs make up each batch of this process, to the end of the phase."""

    def __init__(self, state: Training, phase: Phase, number: int, epoch: int, first: int) -> None:
        self._state, self._phase, self._number = state, phase, number
        self._epoch, self._first = epoch, first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for epoch in range(self._epoch, self._phase.epochs + 1):
            parts = _global_batches(self._state, self._phase, self._number, epoch)
            for rows in parts[self._first if epoch == self._epoch else 0 :]:
                mine = self._state.processes.share(rows)
                yield [(1000 * self._number + epoch, int(row)) for row in mine]


def _collate(
    items: Sequence[tuple[int, NDArray[np.uint8] | None]],
) -> tuple[Rows, Tensor | None, list[int]]:
    kept = [(row, view) for row, view in items if view is not None]
    failed = [row for row, view in items if view is None]
    rows = np.array([row for row, _ in kept], np.int64)
    views = torch.from_numpy(np.stack([view for _, view in kept])) if kept else None
    return rows, views, failed


def _is_standardised(network: nn.Module) -> bool:
    return any(isinstance(module, Standardise) for module in network.modules())


def draws(state: Training, shared: bool, step: int) -> np.random.Generator:
    """The random numbers of one step; torch's own (dropout) are seeded from them too.

    Processes draw differently for their shares of a batch, and alike where each sees the whole.
    """
    own = state.processes.index if shared else 0
    rng = state.rng(_DRAWS, state.place.phase, state.place.epoch, step, own)
    seed = int(rng.integers(2**63))
    if state.device == "cuda":
        torch.manual_seed(seed)
    else:  # without a word to a GPU that is not there, which takes milliseconds
        torch.default_generator.manual_seed(seed)
    return rng
