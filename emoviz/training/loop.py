"""The training loop: phases, epochs, steps, read from top to bottom."""

import copy
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emoviz.errors import PausedError, TrainingError
from emoviz.models.losses import bridged_cross_entropy, dimension_error, kind_cross_entropy
from emoviz.models.network import Output
from emoviz.models.standardise import fold
from emoviz.training.batches import (
    Batch,
    Batches,
    Mix,
    devices,
    draws,
    make_batches,
)
from emoviz.training.micro_batches import is_out_of_memory, moving_statistics
from emoviz.training.progress import EpochResult, StepResult
from emoviz.training.recipe import Phase, Recipe
from emoviz.training.state import Keeper, Training
from emoviz.training.targets import Rows, Targets

PAUSE, FINISH = "pause", "finish"  # what may be wished of a training at work
_PATIENCE = 1.0  # seconds between two looks at what a GPU has computed


@dataclass(frozen=True)
class ValidationOutputs:
    """What the network makes of the validation images after an epoch.

    Attributes:
        entropy: The bridged cross-entropy.
        rows: (M,) of the validation targets; images that vanished are missing.
        predicted: (M,) label of the image's own set, by its bridge.
        embedding: (M, D) u, on standardised features where training is.
    """

    entropy: float
    rows: Rows
    predicted: Rows
    embedding: NDArray[np.float32]

    def accuracy(self, targets: Targets) -> float | None:
        """Share of the images whose label was predicted, among those that have one."""
        truth = targets.answers[self.rows]
        known = truth >= 0
        return float((truth == self.predicted)[known].mean()) if known.any() else None


Look = Callable[[Training, ValidationOutputs], Mapping[str, float | None]]


def look_at_nothing(state: Training, seen: ValidationOutputs) -> Mapping[str, float | None]:
    """No measures of the validation images."""
    return {}


class _Watch(NamedTuple):
    """Who is told, and asked, while a phase goes on."""

    step: Callable[[StepResult], None]
    wish: Callable[[], str]
    look: Look


def train(
    state: Training,
    keeper: Keeper | None = None,
    watch: Callable[[StepResult], None] = lambda result: None,
    wish: Callable[[], str] = lambda: "",
    look: Look = look_at_nothing,
) -> Iterator[EpochResult]:
    """Train all phases of the recipe; the network ends folded, in evaluation mode, on the CPU.

    Args:
        state: Trained in place, from where it is on.
        keeper: Keeps the state after each epoch and every minute or so in between.
        watch: Called with every step's result (on a GPU about once a second).
        wish: Asked after every step: `PAUSE` keeps the state and raises, `FINISH` ends the
            training with what has been learned so far.
        look: Called after each epoch with what the network makes of the validation images; its
            values (``ari``, ``nmi``, ``asr``) go into the epoch's result.

    Yields:
        One result an epoch.

    Raises:
        PausedError: Somebody wished so.
        TrainingError: The loss is not finite, or memory is too short for two images; the message
            says where.
    """
    keeper = keeper or Keeper(None)
    check_order(state.recipe)
    for number, phase in enumerate(state.recipe.phases, start=1):
        if number == state.place.phase:
            yield from _train_phase(state, phase, number, keeper, _Watch(watch, wish, look))
    if state.place.total:
        keeper.save(state, None, None)
    _finish(state, keeper)


def _train_phase(
    state: Training,
    phase: Phase,
    number: int,
    keeper: Keeper,
    watch: "_Watch",
) -> Iterator[EpochResult]:
    place = state.place
    batches = make_batches(state, phase, number)
    optimiser = make_optimiser(state, phase)
    base = [group["lr"] for group in optimiser.param_groups]
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    average = copy.deepcopy(state.network) if phase.average else None
    keeper.restore_optimiser(optimiser, average)
    for epoch in range(place.epoch, phase.epochs + 1):
        meter, wish = _Meter(state, phase, batches.steps), ""
        for batch in batches.epoch(epoch, place.step):
            factor = rate_factor(phase, (epoch - 1) * batches.steps + batch.step, batches.steps)
            for group, rate in zip(optimiser.param_groups, base, strict=True):
                group["lr"] = rate * factor
            terms = _backward(state, phase, optimiser, batches, batch)
            if batches.shared:
                state.processes.sum_gradients(parameters)
                terms = state.processes.summed(terms)
            norm = nn.utils.clip_grad_norm_(parameters, phase.clip)
            meter.add(terms, norm)
            optimiser.step()
            if average is not None:
                _move_average(average, state.network, phase.average)
            place.step, place.total = batch.step + 1, place.total + 1
            place.seen += batch.total
            if meter.is_empty:
                watch.step(meter.step_result(optimiser))
                if keeper.is_due():
                    keeper.save(state, optimiser, average)
            wish = watch.wish()
            if wish == PAUSE:
                meter.take()
                keeper.save(state, optimiser, average)
                raise PausedError(f"Paused after {place.total} steps.")
            if wish == FINISH:
                break
        meter.take()
        ending = wish == FINISH
        if average is not None and (epoch == phase.epochs or ending):
            state.network.load_state_dict(average.state_dict())
        seen = _validate(state, batches)
        result = meter.epoch_result(optimiser, seen, watch.look(state, seen) if seen else {})
        if ending:
            place.to_end(state.recipe.phases)
        else:
            place.to_next_epoch(phase)
        if place.best_total == place.total:
            keeper.save_best(state)
        yield result  # its line is written before a state that says that the epoch is done
        in_phase = place.phase == number
        if keeper.is_due(epoch_ended=True):
            keeper.save(state, optimiser if in_phase else None, average if in_phase else None)
        if not in_phase:
            break


def _backward(
    state: Training,
    phase: Phase,
    optimiser: torch.optim.Optimizer,
    batches: Batches,
    batch: Batch,
) -> Tensor:
    """Gradients of L_total for a batch, in pieces where memory is short.

    Returns:
        (4,) this process's part of L_total, L_entropy, L_intra and L_inter.
    """
    can_be_cut = batches.shared and state.processes.count == 1
    statistics = moving_statistics(state.network) if can_be_cut else []
    before = [value.clone() for value in statistics]
    truth = Truth.of(state, batch.rows)
    terms_of = functools.partial(_terms, state, truth, shared=batches.shared)
    while True:
        optimiser.zero_grad(set_to_none=True)
        try:
            return batches.backward(batch, draws(state, batches.shared, batch.step), terms_of)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Behind the handler, where nothing holds on to what the attempt had in memory.
        for value, kept in zip(statistics, before, strict=True):
            value.copy_(kept)
        _cut_finer(state, phase, batch, can_be_cut)


def _cut_finer(state: Training, phase: Phase, batch: Batch, can_be_cut: bool) -> None:
    """Twice as many pieces from here on, or an error where that is not possible."""
    place = state.place
    if not can_be_cut or 2 * place.pieces > len(batch.rows) // 2:
        raise TrainingError(
            f"Memory is too short for a step of {len(batch.rows)} images (phase {place.phase}, "
            f"epoch {place.epoch}). Lower phases.{place.phase - 1}.batch or input.size."
        )
    place.pieces *= 2
    if state.device == "cuda":
        torch.cuda.empty_cache()
    effect = (
        "the result stays the same"
        if phase.batch_norm == "kept"
        else "batch normalisation in the backbone sees each piece by itself"
    )
    state.tell(
        f"Memory is short at step {place.total}: batches now pass the backbone in "
        f"{place.pieces} pieces; {effect}."
    )


class Truth(NamedTuple):
    """What the loss needs to know of a batch, on the network's device.

    Attributes:
        bridges: (N, S, C) 0/1.
        shares: (N, S) targets.
        single: (N,) the class whose center each image pulls on, or -1.
        weights: (N,).
        dimensions: (N, A), NaN where not known.
        kinds: (N,), -1 where not known.
    """

    bridges: Tensor
    shares: Tensor
    single: Tensor
    weights: Tensor
    dimensions: Tensor
    kinds: Tensor

    @classmethod
    def of(cls, state: Training, rows: Rows) -> "Truth":
        """Of some training images; labels are smoothed as the recipe says."""
        device = next(state.network.parameters()).device
        bridges, shares, *others = _arrays(state.train, rows, device)
        smoothing = state.recipe.loss.label_smoothing
        if smoothing:
            classes = bridges.sum(dim=2)  # a label spreads as many shares as it covers classes
            even = classes / classes.sum(dim=1, keepdim=True)
            shares = (1 - smoothing) * shares + smoothing * even
        return cls(bridges, shares, *others)

    def of_partners(self, partner: Tensor) -> "Truth":
        """That of the images in other places of the batch."""
        return Truth(*(value[partner] for value in self))


def _arrays(targets: Targets, rows: Rows, device: torch.device) -> list[Tensor]:
    arrays = (
        targets.bridges[targets.sets[rows]],
        targets.shares[rows],
        targets.single[rows],
        targets.weights[rows],
        targets.dimensions[rows],
        targets.kinds[rows],
    )
    return [torch.from_numpy(array).to(device, non_blocking=True) for array in arrays]


def _terms(state: Training, truth: Truth, out: Output, mix: Mix, shared: bool) -> Tensor:
    """(4,) L_total, L_entropy, L_intra, L_inter; each process's part where the batch is shared."""
    first = _sample_terms(state, truth, out, shared)
    if mix.partner is not None:
        partner = torch.from_numpy(mix.partner).to(out.logits.device)
        other = _sample_terms(state, truth.of_partners(partner), out, shared)
        first = mix.share * first + (1 - mix.share) * other
    inter = state.loss.inter() / (state.processes.count if shared else 1)
    entropy, intra = first[0], first[1]
    beta, lam = state.recipe.loss.beta, state.recipe.loss.lambda_
    total = entropy + beta * (intra + lam * inter) if beta else entropy
    if state.recipe.network.dimensions:
        total = total + state.recipe.loss.dimensions * first[2]
    if state.recipe.network.kinds:
        total = total + state.recipe.loss.kinds * first[3]
    return torch.stack([total, entropy, intra, inter])


def _sample_terms(state: Training, truth: Truth, out: Output, shared: bool) -> Tensor:
    """(4,) L_entropy, L_intra, and the errors of the dimensions and of the kinds of image."""
    entropy = bridged_cross_entropy(out.logits, truth.shares, truth.bridges, truth.weights)
    nothing = torch.zeros_like(entropy)
    part = state.recipe.network
    terms = torch.stack(
        [
            entropy,
            state.loss.intra(out.embedding, truth.single),
            dimension_error(out.dimensions, truth.dimensions) if part.dimensions else nothing,
            kind_cross_entropy(out.kinds, truth.kinds) if part.kinds else nothing,
        ]
    )
    if not shared or state.processes.count == 1:
        return terms
    # Means over the global batch: each process's mean, weighed by its part of what is counted.
    counted = ((truth.single >= 0), ~truth.dimensions.isnan(), (truth.kinds >= 0))
    mine = torch.stack([truth.weights.sum(), *(known.float().sum() for known in counted)])
    return terms * mine / state.processes.summed(mine).clamp(min=1e-8)


@torch.no_grad()
def _validate(state: Training, batches: Batches) -> ValidationOutputs | None:
    """What the network makes of the validation images; None where there are none."""
    state.network.eval()
    total, parts = 0.0, []
    for rows, out in batches.validate():
        bridges, shares, _, weights, *_ = _arrays(state.validation, rows, out.logits.device)
        total += len(rows) * float(bridged_cross_entropy(out.logits, shares, bridges, weights))
        scores = torch.einsum("nsc,nc->ns", bridges, out.logits.float().softmax(dim=1))
        u = out.embedding.float().cpu().numpy()
        parts.append((rows, scores.argmax(dim=1).cpu().numpy(), u))
    if not parts:
        return None
    rows, predicted, embedding = (np.concatenate(column) for column in zip(*parts, strict=True))
    seen = ValidationOutputs(total / len(rows), rows, predicted, embedding)
    if seen.entropy < state.place.best:
        state.place.best, state.place.best_total = seen.entropy, state.place.total
    return seen


def _finish(state: Training, keeper: Keeper) -> None:
    state.network.to("cpu")
    state.loss.to("cpu")
    state.normalise.to("cpu")
    if 0 <= state.place.best_total < state.place.total:
        best = copy.deepcopy(state.network)
        centers = keeper.read_best(best, state.place.best_total)
        if centers is not None:
            fold(best)
            state.best = (best.eval(), centers)
    fold(state.network)
    state.network.eval()


class _Meter:
    """Adds up what the steps of an epoch give, and looks for losses that are not finite.

    On a CPU it looks before each step is taken; on a GPU about once a second, since every look
    makes the GPU wait.
    """

    def __init__(self, state: Training, phase: Phase, steps: int) -> None:
        self._state, self._phase, self._steps = state, phase, steps
        self._pending: list[tuple[int, Tensor]] = []
        self._last = [0.0] * 5
        self._began = self._looked = time.monotonic()
        self._first = (state.place.step, state.place.seen)

    @property
    def is_empty(self) -> bool:
        """Whether everything so far has been looked at."""
        return not self._pending

    def add(self, terms: Tensor, norm: Tensor) -> None:
        """Note a step's loss terms (4,) and the gradient's norm."""
        self._pending.append((self._state.place.total + 1, torch.cat([terms, norm.reshape(1)])))
        if self._state.device == "cpu" or time.monotonic() - self._looked > _PATIENCE:
            self.take()

    def take(self) -> None:
        """Look at what was noted.

        Raises:
            TrainingError: A term is not finite.
        """
        place = self._state.place
        for step, values in self._pending:
            self._last = [float(value) for value in values.cpu()]
            self._check(step)
            place.sums = [a + b for a, b in zip(place.sums, self._last, strict=True)]
        self._pending.clear()
        self._looked = time.monotonic()

    def step_result(self, optimiser: torch.optim.Optimizer) -> StepResult:
        """The last step's."""
        return self._result(optimiser, self._last)

    def epoch_result(
        self,
        optimiser: torch.optim.Optimizer,
        seen: ValidationOutputs | None,
        looked: Mapping[str, float | None],
    ) -> EpochResult:
        """The epoch's means, and what was seen of the validation images."""
        place = self._state.place
        means = self._result(optimiser, [value / max(place.step, 1) for value in place.sums])
        return EpochResult(
            **vars(means),
            epochs=self._phase.epochs,
            validation_entropy=None if seen is None else seen.entropy,
            validation_accuracy=None if seen is None else seen.accuracy(self._state.validation),
            validation_ari=looked.get("ari"),
            validation_nmi=looked.get("nmi"),
            validation_asr=looked.get("asr"),
            validation_images=int((self._state.validation.answers >= 0).sum()),
        )

    def _result(self, optimiser: torch.optim.Optimizer, values: Sequence[float]) -> StepResult:
        loss, entropy, intra, inter, norm = values
        place = self._state.place
        return StepResult(
            phase=place.phase,
            epoch=place.epoch,
            step=place.total,
            loss=loss,
            entropy=entropy,
            intra=intra,
            inter=inter,
            learning_rate=float(optimiser.param_groups[0]["lr"]),
            gradient_norm=norm,
            images_per_second=self._rate(),
            seconds_left=self._seconds_left(),
        )

    def _rate(self) -> float:
        seconds = max(time.monotonic() - self._began, 1e-9)
        return (self._state.place.seen - self._first[1]) / seconds

    def _seconds_left(self) -> float:
        """Steps still to do, as long as those of this epoch took."""
        place = self._state.place
        done = max(place.step - self._first[0], 1)
        left = (self._phase.epochs - place.epoch + 1) * self._steps - place.step
        return (time.monotonic() - self._began) / done * left

    def _check(self, step: int) -> None:
        place = self._state.place
        names = ("entropy", "intra", "inter")
        for name, value in zip(names, self._last[1:4], strict=True):
            if not math.isfinite(value):
                raise TrainingError(
                    f"The {name} term of the loss is {value} at step {step} (phase {place.phase}, "
                    f"epoch {place.epoch}). Lower the learning rate or beta, or clip more."
                )
        if not math.isfinite(self._last[4]):
            raise TrainingError(
                f"The gradient is {self._last[4]} at step {step} (phase {place.phase}, epoch "
                f"{place.epoch}) though the loss is finite. Lower the learning rate or beta."
            )


def check_order(recipe: Recipe) -> None:
    """Phases must be in an order that makes sense.

    Raises:
        TrainingError: They are not.
    """
    kinds = [phase.train for phase in recipe.phases]
    if "all" in kinds and any(kind != "all" for kind in kinds[kinds.index("all") :]):
        raise TrainingError(
            "A phase that trains 'heads' or 'tail' comes after one that trains 'all': the features "
            "it would learn from are those of the backbone as it was. Put it before."
        )
    if "tail" in kinds and not recipe.network.layers:
        raise TrainingError(
            "A phase that trains the 'tail' begins behind the last Gram layer, and network.layers "
            "is empty. Train 'all' or 'heads'."
        )


def make_optimiser(state: Training, phase: Phase) -> torch.optim.Optimizer:
    """Groups: heads with and without decay, backbone likewise, centers."""
    heads = [p for n, p in state.network.named_parameters() if not n.startswith("backbone.")]
    backbone = [p for p in state.network.backbone.parameters() if p.requires_grad]
    factor = devices(state, phase)
    groups: list[dict[str, Any]] = []
    parts = ((heads, phase.learning_rate), (backbone, phase.backbone_learning_rate))
    for parameters, rate in parts:
        for decay in (True, False):
            chosen = [p for p in parameters if (p.dim() > 1) == decay]
            if chosen and rate > 0:
                weight_decay = phase.weight_decay if decay else 0.0
                groups.append({"params": chosen, "lr": rate * factor, "weight_decay": weight_decay})
    if state.recipe.loss.beta:
        rate = phase.learning_rate * phase.center_learning_rate * factor
        groups.append({"params": [state.loss.centers], "lr": rate, "weight_decay": 0.0})
    if phase.optimiser == "sgd":
        return torch.optim.SGD(
            groups, lr=phase.learning_rate, momentum=phase.momentum, nesterov=phase.nesterov
        )
    if phase.optimiser == "adagrad":
        return torch.optim.Adagrad(
            groups, lr=phase.learning_rate, initial_accumulator_value=phase.accumulator
        )
    return torch.optim.AdamW(groups, lr=phase.learning_rate, fused=True)


def rate_factor(phase: Phase, step: int, steps: int) -> float:
    """Factor on the learning rates at a step of the phase; `steps` are those of an epoch."""
    if phase.schedule == "constant":
        return 1.0
    if phase.schedule == "restarts":
        low = min(1.0, phase.lowest_rate / phase.learning_rate)
        length = phase.restart_epochs * steps
        return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * (step % length) / length))
    place = step / max(1, phase.epochs * steps)
    return min(1.0, (place + 1e-3) / 0.1) * 0.5 * (1 + math.cos(math.pi * place))


@torch.no_grad()
def _move_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, value in zip(
        average.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)
