"""Heads that begin as a linear model, instead of at random.

On small sets a strongly regularised linear model of frozen features is hard to beat, and gradient
descent on the heads ends below it: batch normalisation behind the dense layers takes their weights'
size out of the model, so that no weight decay holds back the directions in which Gram matrices
hardly vary. So the linear model is fitted first and written into the heads, and the phases go on
from there (Kumar et al., Fine-Tuning can Distort Pretrained Features, ICLR 2022: first a linear
probe, then fine-tuning). The network's form stays the dissertation's::

    y_k = w_k h + sum_i v_ki G_i + b_k      fitted for each kind of image k, all together through
    y   = sum_k kappa_k y_k                 kappa = softmax(K x + k), which is fitted before

where x are the principal components of h and of each G_i. A set may lean towards some classes by
its own way of asking; only the largest set of each kind speaks without such an offset, which is
dropped afterwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emoviz.errors import TrainingError
from emoviz.models.gram import GramModule
from emoviz.models.losses import (
    ContrastiveCenterLoss,
    bridged_cross_entropy,
    dimension_error,
)
from emoviz.models.network import EmotionNetwork, KindGate
from emoviz.models.standardise import Moments
from emoviz.training.features import FrozenFeatures, unpacked
from emoviz.training.targets import Targets

_COMPONENTS = 256  # of h and of each Gram matrix
_KIND_RIDGE, _DIMENSION_RIDGE, _OFFSET_RIDGE = 2.5e-3, 0.1, 1e-3
_STEPS = 60
_NEARLY_LINEAR = 0.1  # deviation of what goes into SiLU, which is x / 2 + x^2 / 4 near 0
_SIZE = 0.5  # root mean square of u's entries at the start


@dataclass(frozen=True)
class _Part:
    """Principal components of h or of one layer's Gram matrices.

    Attributes:
        moments: Of the entries, over the training images.
        directions: (d, K) from standardised entries to components.
        rows: (N, K) components of the training images; the mean square of all parts' is alike.
    """

    moments: Moments
    directions: Tensor
    rows: Tensor

    @classmethod
    def of(cls, rows: Tensor, parts: int) -> "_Part":
        """Of (N, d) entries; labels have no say."""
        moments = Moments.of(rows)
        standard = (rows - moments.mean) / moments.std
        count = min(_COMPONENTS, *standard.shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            V = torch.pca_lowrank(standard, count, center=False, niter=2)[2]
        found = standard @ V
        scale = 1.0 / (parts * float(found.square().mean())) ** 0.5
        return cls(moments, V * scale, found * scale)

    def entries(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(K, R) weights of components as weights (R, d) and bias (R) of the entries."""
        flat = (self.directions @ weight).T / self.moments.std
        return flat, -flat @ self.moments.mean


@dataclass(frozen=True)
class _Linear:
    """What was fitted; a row of `weight` for each component of each part, one after the other.

    Attributes:
        kinds: (sum K, kinds) and their bias (kinds).
        weight: (kinds, sum K, C + A), bias (kinds, C + A).
    """

    kinds: tuple[Tensor, Tensor]
    weight: Tensor
    bias: Tensor


def start_linearly(
    network: EmotionNetwork,
    loss: ContrastiveCenterLoss,
    features: FrozenFeatures,
    targets: Targets,
    ridge: Sequence[float],
) -> None:
    """Fit a linear model to plain views and write it into the network's heads.

    Args:
        network: With additive Gram modules and kinds told from textures too, not standardised.
        loss: Its centers begin at the means of their classes' u.
        features: Of the training images.
        targets: Of the same images.
        ridge: Strength of the penalty on squared weights of the classes, for each kind of image.

    Raises:
        TrainingError: A Gram module has too few outputs for so many kinds.
    """
    gate = network.gate
    assert gate is not None
    assert gate.textures is not None  # `recipe_checks` sees to it
    least = min(int(module.width) for module in network.gram_modules)  # type: ignore[arg-type]
    if least < 2 * len(ridge):
        raise TrainingError(
            f"A linear start deals out each Gram module's outputs to the gate and to the kinds; "
            f"{least} outputs are too few for {len(ridge)} kinds."
        )
    places = torch.from_numpy(features.places)
    entries = [features.pooled[0][places], *(packed[0][places] for packed in features.grams)]
    parts = [_Part.of(rows.float(), len(entries)) for rows in entries]
    found = _fitted(torch.cat([part.rows for part in parts], dim=1), targets, ridge)
    with torch.no_grad():
        _write(network, gate, gate.textures, parts, found)
        _scale(network, loss, features, targets)


def _fitted(x: Tensor, targets: Targets, ridge: Sequence[float]) -> _Linear:
    """The kinds first, then classes and dimensions of all kinds through them."""
    truth = torch.from_numpy(targets.kinds)
    known = truth >= 0
    count, width = len(ridge), x.shape[1]
    classes, beside = targets.bridges.shape[2], targets.dimensions.shape[1]
    K, k = torch.zeros(width, count), torch.zeros(count)
    _minimise(
        [K, k],
        lambda: F.cross_entropy(x[known] @ K + k, truth[known]) + _KIND_RIDGE * K.square().sum(),
    )
    kappa = torch.softmax(x @ K + k, dim=1)
    W, b = torch.zeros(count, width, classes + beside), torch.zeros(count, classes + beside)
    offsets = torch.zeros(len(targets.names), classes)
    leaning = _leaning(targets)[:, None]
    sets = torch.from_numpy(targets.sets)
    shares, weights = torch.from_numpy(targets.shares), torch.from_numpy(targets.weights)
    bridges = torch.from_numpy(targets.bridges)[sets]
    rated, strengths = torch.from_numpy(targets.dimensions), torch.tensor(ridge)

    def lost() -> Tensor:
        each = torch.einsum("nw,kwo->nko", x, W) + b
        y = (kappa.unsqueeze(2) * each).sum(dim=1)
        logits = y[:, :classes] + (offsets * leaning)[sets]
        squares = W.square().sum(dim=1)
        return (
            bridged_cross_entropy(logits, shares, bridges, weights)
            + dimension_error(y[:, classes:], rated)
            + (strengths * squares[:, :classes].sum(dim=1)).sum()
            + _DIMENSION_RIDGE * squares[:, classes:].sum()
            + _OFFSET_RIDGE * offsets.square().sum()
        )

    _minimise([W, b, offsets], lost)
    return _Linear((K, k), W, b)


def _leaning(targets: Targets) -> Tensor:
    """(sets,) 0 for the largest set of each kind, 1 for the others."""
    leaning = torch.ones(len(targets.names))
    for kind in set(targets.kinds.tolist()):
        sizes = torch.bincount(torch.from_numpy(targets.sets[targets.kinds == kind]))
        leaning[int(sizes.argmax())] = 0.0
    return leaning


def _minimise(parameters: Sequence[Tensor], lost: Callable[[], Tensor]) -> None:
    """Convex problems of a few thousand numbers: L-BFGS takes a second or two."""
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.LBFGS(
        parameters, max_iter=_STEPS, history_size=8, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = lost()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    for parameter in parameters:
        parameter.requires_grad_(False)


def _write(
    network: EmotionNetwork,
    gate: KindGate,
    textures: nn.Linear,
    parts: Sequence[_Part],
    found: _Linear,
) -> None:
    """Into each layer, so that the network says what the linear model says.

    Each module's outputs are dealt out: some to the gate, the rest to the kinds in turn, whose
    scale s_k leaves the others' out. Of what a kind reads in a layer the strongest directions are
    kept (singular values), where it has fewer outputs than there are.
    """
    kinds = found.weight.shape[0]
    outputs = found.weight.shape[2]
    readers = torch.zeros(outputs, network.width)
    gate.scale.zero_()
    textures.weight.zero_()
    at, column = len(parts[0].rows[0]), 0
    for part, module in zip(parts[1:], network.gram_modules, strict=True):
        assert isinstance(module, GramModule)
        size = part.rows.shape[1]
        block = slice(at, at + size)
        R = torch.linalg.qr(part.rows, mode="r")[1]  # as long as the outputs are over the images
        mine = [found.kinds[0][block]]
        textures.weight[:, column : column + kinds].copy_(torch.eye(kinds))
        each, first = (module.width - kinds) // kinds, column + kinds
        for number in range(kinds):
            read = R @ found.weight[number, block]
            _, S, Vt = torch.linalg.svd(read, full_matrices=False)
            keep = min(each, len(S))
            mine.append(found.weight[number, block] @ Vt[:keep].T)
            dims = slice(first, first + keep)
            readers[:, dims] = Vt[:keep].T
            gate.scale[number, dims] = 1.0
            first += keep
        _write_module(module, part, torch.cat(mine, dim=1))
        at, column = at + size, column + module.width
    network.classifier.weight.copy_(readers[: network.config.classes])
    network.classifier.bias.zero_()
    if network.dimensions is not None:
        network.dimensions.weight.copy_(readers[network.config.classes :])
        network.dimensions.bias.zero_()
    pooled = parts[0]
    block = slice(0, pooled.rows.shape[1])
    weight, bias = pooled.entries(found.kinds[0][block])
    gate.kind.weight.copy_(weight)
    gate.kind.bias.copy_(bias + found.kinds[1])
    inverse = torch.linalg.pinv(readers)  # of all p that give the wanted outputs, the shortest
    corrections = []
    for number in range(kinds):
        weight, bias = pooled.entries(found.weight[number, block])
        corrections.append((inverse @ weight, inverse @ (bias + found.bias[number])))
    gate.correction.weight.copy_(torch.cat([weight for weight, _ in corrections]))
    gate.correction.bias.copy_(torch.cat([bias for _, bias in corrections]))
    assert isinstance(network.projection, nn.Linear)
    network.projection.weight.zero_()
    network.projection.bias.zero_()


def _write_module(module: GramModule, part: _Part, weight: Tensor) -> None:
    """Outputs of a Gram module become x @ weight, (N, R); what is left of them becomes small.

    The dense layer gives SiLU so little that it is nearly linear, and batch normalisation, which
    knows mean and deviation of what comes out, brings it back to its size.
    """
    wanted = part.rows @ weight
    size = wanted.std(dim=0).clamp(min=1e-8)
    flat, bias = part.entries(weight * (_NEARLY_LINEAR / size))
    count = len(flat)
    whole = unpacked(flat)  # an entry beside the diagonal stands twice in G
    module.dense.weight[:count] = (whole + whole * torch.eye(module.channels)).flatten(1) / 2
    module.dense.bias[:count] = bias
    out = module.act(wanted / size * _NEARLY_LINEAR)
    module.norm.running_mean[:count] = out.mean(dim=0)  # type: ignore[index]
    module.norm.running_var[:count] = out.var(dim=0)  # type: ignore[index]
    module.norm.weight[:count] = size
    module.norm.weight[count:] = 0.1 * float(size.mean())
    module.norm.bias.zero_()
    module.conv.weight.zero_()
    module.conv.bias.zero_()  # type: ignore[union-attr]


def _scale(
    network: EmotionNetwork,
    loss: ContrastiveCenterLoss,
    features: FrozenFeatures,
    targets: Targets,
) -> None:
    """Bring u to the size that the loss expects, logits unchanged, and the centers into place."""
    network.eval()
    seen = []
    rng = np.random.default_rng(0)
    for start in range(0, len(targets), 256):
        rows = np.arange(start, min(start + 256, len(targets)))
        maps, pooled, grams = features.batch(np.zeros_like(rows), rows, 1, rng)
        seen.append(network.head(maps, pooled.float(), grams).embedding)
    u = torch.cat(seen)
    factor = _SIZE / float(u.square().mean()) ** 0.5
    named = dict(network.named_parameters())
    for name in ("gate.correction.weight", "gate.correction.bias"):
        named[name].mul_(factor)
    for module in network.gram_modules:
        assert isinstance(module, GramModule)
        module.norm.weight.mul_(factor)
    for name in ("classifier.weight", "gate.textures.weight", "dimensions.weight"):
        if name in named:
            named[name].div_(factor)
    single = torch.from_numpy(targets.single)
    for number in range(len(loss.centers)):
        if bool((single == number).any()):
            loss.centers[number] = factor * u[single == number].mean(dim=0)
