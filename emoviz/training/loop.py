"""The training loop: phases, epochs, steps, read from top to bottom."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import TrainingError
from emoviz.models.losses import ContrastiveCenterLoss, bridged_cross_entropy
from emoviz.models.network import EmotionNetwork, Normalise, Output
from emoviz.models.standardise import fold, standardise
from emoviz.training.features import FeatureSource, FrozenFeatures
from emoviz.training.recipe import Phase, Recipe
from emoviz.training.targets import Targets
from emoviz.training.views import ViewMaker


@dataclass(frozen=True)
class EpochResult:
    """What one epoch did, as it stands in ``progress.jsonl``.

    Attributes:
        phase: Number of the phase, from 1.
        epoch: Number of the epoch in the phase, from 1.
        epochs: Epochs of the phase.
        step: Steps since the start of the run.
        loss: L_total, mean over the epoch.
        entropy: Its first term.
        intra: L_intra, unweighted.
        inter: L_inter, unweighted.
        validation_entropy: The bridged cross-entropy of the validation images, plain views; None
            where there are none.
        learning_rate: At the end of the epoch.
        gradient_norm: Mean L2 norm before clipping.
        images_per_second: Of the training steps.
        seconds_left: Estimate for the rest of the phase.
    """

    phase: int
    epoch: int
    epochs: int
    step: int
    loss: float
    entropy: float
    intra: float
    inter: float
    validation_entropy: float | None
    learning_rate: float
    gradient_norm: float
    images_per_second: float
    seconds_left: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass
class Training:
    """The state of a run: what is being trained and on what.

    Attributes:
        recipe: What to do.
        network: Filled in place.
        loss: With the centers.
        preprocessing: Of the finished network.
        train: Targets of the training images.
        validation: Targets of the images that only watch; may be empty.
        tell: Called with a line for people while something takes long.
        features: Gives the features of a frozen backbone for the images of some targets.
    """

    recipe: Recipe
    network: EmotionNetwork
    loss: ContrastiveCenterLoss
    preprocessing: Preprocessing
    train: Targets
    validation: Targets
    tell: Callable[[str], None] = lambda line: None
    features: FeatureSource | None = None

    def __post_init__(self) -> None:
        self.maker = ViewMaker(self.preprocessing, self.recipe.augment, self.recipe.seed)
        self.normalise = Normalise(self.preprocessing.mean, self.preprocessing.std)
        self.rng = np.random.default_rng(self.recipe.seed)
        self.step = 0
        self.tail_moved = False
        self.started = time.monotonic()


def train(state: Training, device: str = "cpu") -> Iterator[EpochResult]:
    """Train all phases of the recipe; the network ends folded, in evaluation mode, on the CPU.

    Args:
        state: Trained in place.
        device: ``cpu`` or ``cuda``, of phases that train ``all``; the others learn from kept
            features on the CPU.

    Yields:
        One result an epoch.

    Raises:
        TrainingError: The loss is not finite; the message says where.
    """
    _check_order(state.recipe)
    torch.manual_seed(state.recipe.seed)
    for number, phase in enumerate(state.recipe.phases, start=1):
        before = copy.deepcopy(state.network.state_dict()) if phase.blend else None
        run = _train_on_views if phase.train == "all" else _train_on_features
        yield from run(state, phase, number, device)
        if before is not None:
            _blend(state.network, before, phase.blend)
    fold(state.network)
    state.network.eval().to("cpu")


def _check_order(recipe: Recipe) -> None:
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


def _train_on_features(
    state: Training, phase: Phase, number: int, device: str
) -> Iterator[EpochResult]:
    """Everything behind the last Gram layer learns from features kept in memory.

    In a ``heads`` phase the backbone stays as it is; in a ``tail`` phase its last stages learn
    too, from the kept maps of the last Gram layer.
    """
    network, tail = state.network, phase.train == "tail"
    source = state.features or FeatureSource(state.maker, None, state.tell)
    features = source.of(network, state.train, phase.views, phase.positions)
    if state.recipe.network.standardise and number == 1:
        standardise(network, features.moments())
    held_out = source.of(network, state.validation, 1, 0) if len(state.validation) else None
    network.backbone.requires_grad_(False)
    for parameter in network.backbone.tail(phase.first, phase.depthwise) if tail else ():
        parameter.requires_grad_(True)
    state.tail_moved = state.tail_moved or tail

    def batches(epoch: int) -> Iterator[tuple[NDArray[np.int64], Output]]:
        network.backbone.eval()  # ImageNet's statistics are kept: small sets only spoil them
        order = state.rng.permutation(len(state.train))
        for start in range(0, len(order), phase.batch):
            index = order[start : start + phase.batch]
            if len(index) > 1:  # batch normalisation needs two
                view = state.rng.integers(0, phase.views, len(index))
                yield index, on_features(state, features, view, index, phase.positions)

    def validate() -> float | None:
        return None if held_out is None else _validate_on_features(state, held_out)

    yield from _epochs(state, phase, number, batches, validate)


def on_features(
    state: Training,
    features: FrozenFeatures,
    view: NDArray[np.int64],
    index: NDArray[np.int64],
    positions: int,
) -> Output:
    """The network from kept features on: the backbone's tail where it has moved, then the heads."""
    maps, pooled, grams = features.batch(view, index, positions, state.rng)
    if state.tail_moved:
        deepest = features.deepest(view, index).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=state.network.training):
            pooled = state.network.backbone.forward_tail(deepest)
    return state.network.head(maps, pooled.float(), grams)


def _train_on_views(
    state: Training, phase: Phase, number: int, device: str
) -> Iterator[EpochResult]:
    """The whole network learns from fresh views, in mixed precision (bfloat16)."""
    network = state.network.to(device).to(memory_format=torch.channels_last)
    state.loss.to(device)
    state.normalise.to(device)
    network.backbone.requires_grad_(True)

    def outputs(
        epoch: int | None, records: Targets, order: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], Output]]:
        # Random views draw from torch's generator, and so does dropout: one after the other.
        views = state.maker.batches(
            records.records, order, phase.batch, epoch, in_advance=epoch is None
        )
        for index, images in views:
            if epoch is not None and len(index) < 2:
                continue  # batch normalisation needs two
            batch = state.normalise(images.to(device)).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device, dtype=torch.bfloat16):
                out = network(batch)
            yield index, Output(*(part.float() for part in out))

    def batches(epoch: int) -> Iterator[tuple[NDArray[np.int64], Output]]:
        # Statistics of ImageNet's batch normalisation are kept: small sets only spoil them.
        network.backbone.eval()
        order = state.rng.permutation(len(state.train))
        yield from outputs(1000 * number + epoch, state.train, order)

    def validate() -> float | None:
        total = count = 0.0
        for index, out in outputs(None, state.validation, np.arange(len(state.validation))):
            total += len(index) * float(_entropy(state, state.validation, index, out.logits))
            count += len(index)
        return total / count if count else None

    yield from _epochs(state, phase, number, batches, validate)


def _epochs(
    state: Training, phase: Phase, number: int, batches: Any, validate: Any
) -> Iterator[EpochResult]:
    """Epochs of one phase, whatever the batches come from."""
    optimiser = _optimiser(state, phase)
    base = [group["lr"] for group in optimiser.param_groups]
    steps = max(1, math.ceil(len(state.train) / phase.batch))
    average = copy.deepcopy(state.network) if phase.average else None
    beta, lam = state.recipe.loss.beta, state.recipe.loss.lambda_
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    step = 0
    for epoch in range(1, phase.epochs + 1):
        began = time.monotonic()
        state.network.train()
        sums = np.zeros(5)
        seen = 0
        for index, out in batches(epoch):
            factor = _schedule(phase, step, steps)
            for group, rate in zip(optimiser.param_groups, base, strict=True):
                group["lr"] = rate * factor
            entropy = _entropy(state, state.train, index, out.logits)
            single = torch.from_numpy(state.train.single[index]).to(out.embedding.device)
            terms = state.loss(out.embedding, single)
            total = entropy + beta * (terms.intra + lam * terms.inter) if beta else entropy
            _check_finite(state, number, epoch, entropy, terms.intra, terms.inter)
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            norm = nn.utils.clip_grad_norm_(parameters, phase.clip)
            optimiser.step()
            step, state.step, seen = step + 1, state.step + 1, seen + len(index)
            values = (total, entropy, terms.intra, terms.inter, norm)
            sums += [float(value.detach()) for value in values]
            if average is not None:
                _move_average(average, state.network, phase.average)
        if average is not None and epoch == phase.epochs:
            state.network.load_state_dict(average.state_dict())
        seconds = time.monotonic() - began
        held_out = _without_gradient(state, validate)
        means = sums / max(math.ceil(seen / phase.batch), 1)
        yield EpochResult(
            phase=number,
            epoch=epoch,
            epochs=phase.epochs,
            step=state.step,
            loss=float(means[0]),
            entropy=float(means[1]),
            intra=float(means[2]),
            inter=float(means[3]),
            validation_entropy=held_out,
            learning_rate=float(optimiser.param_groups[0]["lr"]),
            gradient_norm=float(means[4]),
            images_per_second=seen / max(seconds, 1e-9),
            seconds_left=(time.monotonic() - began) * (phase.epochs - epoch),
        )


def _entropy(state: Training, targets: Targets, index: NDArray[np.int64], logits: Tensor) -> Tensor:
    device = logits.device
    bridges = torch.from_numpy(targets.bridges[targets.sets[index]]).to(device)
    shares = torch.from_numpy(targets.shares[index]).to(device)
    smoothing = state.recipe.loss.label_smoothing
    if smoothing and targets is state.train:
        classes = bridges.sum(dim=2)  # a label spreads as many shares as it covers classes
        shares = (1 - smoothing) * shares + smoothing * classes / classes.sum(dim=1, keepdim=True)
    weights = torch.from_numpy(targets.weights[index]).to(device)
    return bridged_cross_entropy(logits, shares, bridges, weights)


@torch.no_grad()
def _without_gradient(state: Training, validate: Callable[[], float | None]) -> float | None:
    state.network.eval()
    return validate()


def _validate_on_features(state: Training, features: FrozenFeatures) -> float:
    total = 0.0
    count = len(state.validation)
    for start in range(0, count, 64):
        index = np.arange(start, min(start + 64, count))
        out = on_features(state, features, np.zeros_like(index), index, 0)
        total += len(index) * float(_entropy(state, state.validation, index, out.logits))
    return total / max(count, 1)


def _optimiser(state: Training, phase: Phase) -> torch.optim.Optimizer:
    """Groups: heads with and without decay, backbone likewise, centers."""
    heads = [(n, p) for n, p in state.network.named_parameters() if not n.startswith("backbone.")]
    backbone = [(n, p) for n, p in state.network.backbone.named_parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = []
    for named, rate in ((heads, phase.learning_rate), (backbone, phase.backbone_learning_rate)):
        for decay in (True, False):
            chosen = [p for _, p in named if (p.dim() > 1) == decay]
            if chosen and rate > 0:
                weight_decay = phase.weight_decay if decay else 0.0
                groups.append({"params": chosen, "lr": rate, "weight_decay": weight_decay})
    if state.recipe.loss.beta:
        rate = phase.learning_rate * phase.center_learning_rate
        groups.append({"params": [state.loss.centers], "lr": rate, "weight_decay": 0.0})
    if phase.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=phase.learning_rate, momentum=0.9, nesterov=True)
    if phase.optimiser == "adagrad":
        return torch.optim.Adagrad(groups, lr=phase.learning_rate)
    return torch.optim.AdamW(groups, lr=phase.learning_rate)


def _schedule(phase: Phase, step: int, steps: int) -> float:
    """Factor on the learning rates at a step; `steps` are those of an epoch."""
    if phase.schedule == "constant":
        return 1.0
    if phase.schedule == "restarts":
        low = min(1.0, 1e-4 / phase.learning_rate)
        place = (step % (5 * steps)) / (5 * steps)
        return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * place))
    place = step / max(1, phase.epochs * steps)
    return min(1.0, (place + 1e-3) / 0.1) * 0.5 * (1 + math.cos(math.pi * place))


def _check_finite(state: Training, phase: int, epoch: int, *terms: Tensor) -> None:
    for name, term in zip(("entropy", "intra", "inter"), terms, strict=True):
        if not bool(torch.isfinite(term)):
            raise TrainingError(
                f"The {name} term of the loss is {float(term.detach())} at step {state.step} "
                f"(phase {phase}, epoch {epoch}). Lower the learning rate or beta, or clip more."
            )


@torch.no_grad()
def _move_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, value in zip(
        average.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


@torch.no_grad()
def _blend(network: nn.Module, before: dict[str, Tensor], share: float) -> None:
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.lerp_(before[name].to(value.device), share)
