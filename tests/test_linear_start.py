"""Heads that begin as a linear model: what is fitted, and that the network says it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from emoviz.data.dataset import Record
from emoviz.errors import TrainingError
from emoviz.labels import MIKELS8, bridge_between
from emoviz.models.gram import gram_matrix
from emoviz.models.losses import ContrastiveCenterLoss
from emoviz.models.network import EmotionNetwork, NetworkConfig
from emoviz.models.standardise import fold, standardise
from emoviz.training.features import FrozenFeatures
from emoviz.training.linear_start import _fitted, start_linearly
from emoviz.training.targets import Targets

KINDS = ("photograph", "painting")


def targets_of(
    classes: np.ndarray, kinds: np.ndarray, sets: np.ndarray | None = None, beside: int = 1
) -> Targets:
    """Sets of Mikels' eight emotions; valence is what the class's number says."""
    count = len(classes)
    sets = np.zeros(count, np.int64) if sets is None else sets
    names = tuple(f"set {i}" for i in range(int(sets.max()) + 1))
    bridge = bridge_between(MIKELS8, MIKELS8).merged
    eye = np.eye(8, dtype=np.float32)
    return Targets(
        tuple(Record(str(i), Path(str(i)), int(c), (), str(i)) for i, c in enumerate(classes)),
        sets,
        names,
        tuple("mikels8" for _ in names),
        tuple(bridge for _ in names),
        eye[classes],
        np.stack([eye for _ in names]),
        classes.astype(np.int64),
        np.ones(count, np.float32),
        np.repeat(classes[:, None] / 4 - 1, beside, axis=1).astype(np.float32),
        kinds.astype(np.int64),
    )


def made(seed: int = 0, count: int = 160) -> tuple[EmotionNetwork, FrozenFeatures, Targets]:
    """A network of one module, and features in which class and kind can be seen."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    classes, kinds = rng.integers(0, 8, count), rng.integers(0, 2, count)
    shifts = torch.randn(8, 2, 48, 1)[classes, kinds]
    maps = (torch.randn(count, 48, 16) + 0.7 * shifts).view(count, 48, 4, 4)
    pooled = torch.randn(count, 256) + torch.randn(8, 256)[classes]
    pooled[:, :20] += 3.0 * torch.from_numpy(kinds)[:, None]
    up = torch.triu_indices(48, 48)
    grams = gram_matrix(maps)[:, up[0], up[1]]
    features = FrozenFeatures(pooled[None], (grams[None],), (maps.flatten(2)[None].half(),))
    config = NetworkConfig(
        "test_efficientnet", 8, (3,), kinds=KINDS, kinds_from="both", dimensions=("valence",)
    )
    return EmotionNetwork(config), features, targets_of(classes, kinds)


def said(network: EmotionNetwork, features: FrozenFeatures, count: int):  # type: ignore[no-untyped-def]
    rows = np.arange(count)
    maps, pooled, grams = features.batch(np.zeros_like(rows), rows, 0, np.random.default_rng(0))
    with torch.no_grad():
        return network.eval().head([some.float() for some in maps], pooled, grams)


def test_the_fit_of_one_kind_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    x, classes = rng.normal(size=(200, 12)).astype(np.float32), rng.integers(0, 8, 200)
    x[:, :8] += np.eye(8, dtype=np.float32)[classes]
    targets = targets_of(classes, np.zeros(200, int), beside=0)
    found = _fitted(torch.from_numpy(x), targets, [0.02])
    ours = torch.softmax(torch.from_numpy(x) @ found.weight[0] + found.bias[0], dim=1)
    theirs = LogisticRegression(C=1 / (2 * 0.02 * 200), max_iter=1000, tol=1e-8).fit(x, classes)
    np.testing.assert_allclose(ours, theirs.predict_proba(x), atol=2e-3)


def test_a_smaller_set_of_the_same_kind_does_not_move_the_classes_shares() -> None:
    """It asks so that half its answers are one class; the images themselves say nothing."""
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.normal(size=(300, 4)).astype(np.float32))
    classes = np.concatenate([np.arange(200) % 8, np.zeros(100, int)])
    sets = np.repeat([0, 1], [200, 100])
    found = _fitted(x, targets_of(classes, np.zeros(300, int), sets, beside=0), [1.0])
    shares = torch.softmax(found.bias[0], dim=0)
    assert float(shares[0]) == pytest.approx(1 / 8, abs=0.02)


def test_the_network_says_what_was_fitted_and_its_centers_are_means() -> None:
    network, features, targets = made()
    loss = ContrastiveCenterLoss(8, network.width)
    start_linearly(network, loss, features, targets, (0.01, 0.01))
    out = said(network, features, len(targets))
    assert float((out.logits.argmax(dim=1).numpy() == targets.single).mean()) > 0.95
    assert float((out.kinds.argmax(dim=1).numpy() == targets.kinds).mean()) > 0.95
    assert np.corrcoef(out.dimensions[:, 0], targets.dimensions[:, 0])[0, 1] > 0.8
    for number in range(8):
        mean = out.embedding[torch.from_numpy(targets.single == number)].mean(dim=0)
        torch.testing.assert_close(loss.centers[number].detach(), mean, atol=1e-4, rtol=1e-4)


def test_what_each_kind_says_is_nearly_linear_in_its_features() -> None:
    """A straight line between two images' features: the middle is the mean of the ends."""
    network, features, targets = made(3)
    start_linearly(network, ContrastiveCenterLoss(8, network.width), features, targets, (0.1, 0.1))
    ends = said(network, features, len(targets)).by_kind
    half = len(targets) // 2
    middle = FrozenFeatures(
        (features.pooled[:, :half] + features.pooled[:, half:]) / 2,
        tuple((packed[:, :half] + packed[:, half:]) / 2 for packed in features.grams),
        tuple(some[:, :half] for some in features.maps),
    )
    between = said(network, middle, half).by_kind
    wanted = (ends[:half] + ends[half:]) / 2
    assert float((between - wanted).square().mean()) < 0.05**2 * float(ends.var())


def test_standardising_and_folding_afterwards_changes_nothing() -> None:
    network, features, targets = made(4)
    start_linearly(network, ContrastiveCenterLoss(8, network.width), features, targets, (0.1, 0.1))
    before = said(network, features, len(targets))
    standardise(network, features.moments(), keep=True)
    within = said(network, features, len(targets))
    fold(network)
    for out in (within, said(network, features, len(targets))):
        torch.testing.assert_close(out.logits, before.logits, atol=1e-3, rtol=1e-3)


def test_it_is_the_same_each_time_and_leaves_the_generator_alone() -> None:
    logits = []
    for _ in range(2):
        network, features, targets = made(5)
        loss = ContrastiveCenterLoss(8, network.width)
        torch.manual_seed(9)
        before = torch.get_rng_state()
        start_linearly(network, loss, features, targets, (0.1, 0.1))
        assert torch.equal(before, torch.get_rng_state())
        logits.append(said(network, features, len(targets)).logits)
    assert torch.equal(*logits)


def test_modules_too_narrow_for_the_kinds_are_named() -> None:
    _, features, targets = made()
    kinds = tuple("abcdefghijklm")
    config = NetworkConfig("test_efficientnet", 8, (3,), kinds=kinds, kinds_from="both")
    network = EmotionNetwork(config)
    with pytest.raises(TrainingError, match="24 outputs"):
        start_linearly(network, ContrastiveCenterLoss(8, 24), features, targets, (0.1,) * 13)
