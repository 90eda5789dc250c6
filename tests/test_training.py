"""Training: targets through bridges, frozen features, folding, calibration, a whole small run."""

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from emoviz.checkpoints import load_centers, load_network, load_novelty
from emoviz.data.dataset import Dataset, Record, fold_indices
from emoviz.data.preprocessing import Preprocessing
from emoviz.data.reading import read_labelled
from emoviz.errors import TrainingError
from emoviz.labels import EMOTION6, MIKELS8, SADNESS2, bridge_between
from emoviz.models.backbones import Backbone
from emoviz.models.losses import bridged_cross_entropy
from emoviz.models.network import EmotionNetwork, NetworkConfig, Normalise
from emoviz.models.novelty import describe_content
from emoviz.models.standardise import fold, standardise
from emoviz.settings import Settings
from emoviz.training.augmentation import ViewMaker
from emoviz.training.features import (
    FeatureRequest,
    FrozenFeatures,
    frozen_features,
    kept_features,
)
from emoviz.training.finish import (
    AREAS,
    HeldOut,
    Outputs,
    content_held_out,
    fit_temperature,
    measure_folds,
    novelty_of_folds,
    outputs,
    outputs_on_features,
)
from emoviz.training.loop import check_order, rate_factor, train
from emoviz.training.precision import (
    Precision,
    choices_made,
    take_choices,
    timed_precision,
    timed_words,
)
from emoviz.training.prepare import prepare
from emoviz.training.recipe import NetworkPart, Phase, Recipe
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.run import train_in_folder
from emoviz.training.state import read_tensors, write_tensors
from emoviz.training.targets import Targets, check_splits, make_targets, with_class_weights

TINY = """
name: little
title: Little
taxonomy: mikels8
network:
  backbone: test_efficientnet
  pretrained: false
  pooled_dropout: 0.2
  gram_dropout: 0.2
  standardise: true
input: {size: 64}
loss: {beta: 0.1, margin: 3}
data: {validation: 0.25, test: 0.25}
phases:
  - {train: heads, epochs: 2, batch: 8, views: 2, positions: 8}
  - {train: tail, epochs: 1, batch: 8, views: 2, positions: 8, average: 0.5, optimiser: sgd}
  - {train: all, epochs: 1, batch: 8, schedule: restarts}
"""


HEADS = "phases: [{train: heads, epochs: 2, batch: 8, views: 2, positions: 8}]"


def votes(name: str, label: int, split: str, **shares: float) -> Record:
    row = tuple(shares.get(c, 0.0) for c in EMOTION6.names)
    return Record(name, Path(name), label, row, name, split)  # type: ignore[arg-type]


def labelled(name: str, label: int, split: str, group: str = "") -> Record:
    row = tuple(float(i == label) for i in range(8))
    return Record(name, Path(name), label, row, group or name, split)  # type: ignore[arg-type]


def two_sets() -> list[Dataset]:
    six = [
        votes("a", 0, "train", anger=0.5, fear=0.25, surprise=0.25),
        votes("b", 3, "train", joy=0.6, sadness=0.2),
        votes("c", 5, "train", surprise=1.0),
        votes("d", 4, "validation", sadness=1.0),
        votes("e", 4, "test", sadness=0.4, joy=0.3),
    ]
    eight = [
        labelled(f"p{i}", i % 8, s)
        for i, s in enumerate(["train"] * 8 + ["validation", "test"] * 2)
    ]
    return [
        Dataset("six", EMOTION6, tuple(six), (), True),
        Dataset("eight", MIKELS8, tuple(eight)),
    ]


def test_votes_for_unreachable_labels_are_dropped_and_the_rest_scaled() -> None:
    targets = make_targets(two_sets(), Recipe(), MIKELS8)
    names = [record.name for record in targets.records]
    assert "c" not in names  # surprise alone: nothing left
    first = targets.shares[names.index("a")]
    np.testing.assert_allclose(first[:6], [2 / 3, 0, 1 / 3, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(targets.shares.sum(axis=1), 1, atol=1e-6)


def test_only_single_classes_pull_on_a_center() -> None:
    targets = make_targets(two_sets(), Recipe(), MIKELS8)
    single = dict(zip([r.name for r in targets.records], targets.single, strict=True))
    assert single["a"] == MIKELS8.index("anger")
    assert single["b"] == -1  # joy may be any of four
    assert single["e"] == MIKELS8.index("sadness")
    assert single["p3"] == 3


def test_center_share_asks_for_a_clear_majority() -> None:
    recipe = read_recipe("data: {sets: {emotion6: {center_share: 0.7}}}")
    targets = make_targets(two_sets(), recipe, MIKELS8)
    single = dict(zip([r.name for r in targets.records], targets.single, strict=True))
    assert single["a"] == -1  # two thirds
    assert single["d"] == MIKELS8.index("sadness")


def test_labels_that_the_network_cannot_tell_apart_are_one() -> None:
    targets = make_targets(two_sets(), Recipe(), SADNESS2)
    names = [record.name for record in targets.records]
    np.testing.assert_allclose(targets.shares[names.index("a")], [1, 0], atol=1e-6)
    np.testing.assert_allclose(targets.shares[names.index("b")], [0.75, 0.25], atol=1e-6)
    assert targets.single[names.index("b")] == SADNESS2.index("others")
    assert targets.single[names.index("d")] == SADNESS2.index("sadness")
    # Three parts of others against four of sadness: the majority is one, not the other.
    assert targets.single[names.index("e")] == SADNESS2.index("sadness")
    assert [r.label for r in targets.records if r.name == "p7"] == [1]


def test_sharpening_and_sentiment_smoothing_by_hand() -> None:
    recipe = read_recipe(
        "data: {sets: {emotion6: {sharpen: 2}, mikels8: {sentiment_smoothing: 0.2}}}"
    )
    targets = make_targets(two_sets(), recipe, MIKELS8)
    names = [record.name for record in targets.records]
    np.testing.assert_allclose(targets.shares[names.index("a")][[0, 2]], [0.8, 0.2], atol=1e-6)
    wanted = [0.85, 0.05, 0.05, 0.05, 0, 0, 0, 0]
    np.testing.assert_allclose(targets.shares[names.index("p0")], wanted, atol=1e-6)


def test_class_weights_make_classes_count_alike_at_power_one() -> None:
    records = [labelled(f"p{i}", 0 if i < 9 else 1, "train") for i in range(10)]
    records += [labelled(f"v{i}", 0, s) for i, s in enumerate(["validation", "test"] * 2)]
    targets = make_targets([Dataset("x", MIKELS8, tuple(records))], Recipe(), MIKELS8)
    train = with_class_weights(targets.of_split("train"), 1.0)
    mass = [train.weights[train.single == c].sum() for c in (0, 1)]
    assert mass[0] == pytest.approx(mass[1], rel=1e-5)
    assert train.weights.mean() == pytest.approx(1, rel=1e-5)


def test_an_empty_split_is_told() -> None:
    records = tuple(labelled(f"p{i}", 0, "train") for i in range(10))
    with pytest.raises(TrainingError, match="validation split holds 0 images"):
        check_splits(make_targets([Dataset("x", MIKELS8, records)], Recipe(), MIKELS8))


@pytest.fixture
def maker() -> ViewMaker:
    recipe = read_recipe(TINY)
    return ViewMaker(Preprocessing(64), recipe.augment, 0)


def readable(table: Path) -> tuple[Record, ...]:
    return read_labelled(table).records[1:]


def test_a_view_depends_on_seed_epoch_and_image_alone(table: Path, maker: ViewMaker) -> None:
    records = readable(table)
    forward = dict(_views(maker, records, np.arange(6), 3))
    backward = dict(_views(maker, records, np.arange(6)[::-1].copy(), 3))
    other = dict(_views(maker, records, np.arange(6), 4))
    for i in range(6):
        assert torch.equal(forward[i], backward[i])
    assert any(not torch.equal(forward[i], other[i]) for i in range(6))


def test_views_leave_the_global_generator_alone(table: Path, maker: ViewMaker) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    list(_views(maker, readable(table), np.arange(4), 0))
    assert torch.equal(before, torch.get_rng_state())


def _views(maker: ViewMaker, records: tuple[Record, ...], order: np.ndarray, epoch: int | None):  # type: ignore[no-untyped-def]
    for index, images in maker.batches(records, order, 4, epoch):
        yield from zip(index.tolist(), images, strict=True)


def test_heads_on_whole_kept_maps_are_the_whole_network(table: Path, maker: ViewMaker) -> None:
    torch.manual_seed(0)
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8)).eval()
    records = readable(table)[:5]
    features = frozen_features(FeatureRequest(network, maker, records, views=1, positions=0))
    index = np.arange(5)
    maps, pooled, grams = features.batch(np.zeros_like(index), index, 0, np.random.default_rng(0))
    images = torch.stack([view for _, view in _views(maker, records, index, None)])
    normalise = Normalise(maker.preprocessing.mean, maker.preprocessing.std)
    with torch.no_grad():
        kept, whole = network.head(maps, pooled, grams), network(normalise(images))
    # The maps are kept in half precision.
    torch.testing.assert_close(kept.logits, whole.logits, atol=2e-3, rtol=2e-3)


def test_folding_standardisation_keeps_the_function(table: Path, maker: ViewMaker) -> None:
    torch.manual_seed(0)
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8)).eval()
    features = frozen_features(
        FeatureRequest(network, maker, readable(table), views=2, positions=4)
    )
    standardise(network, features.moments())
    images = torch.randn(3, 3, 64, 64)
    keys = set(EmotionNetwork(network.config).state_dict())
    with torch.no_grad():
        before = network(images)
        fold(network)
        after = network(images)
    torch.testing.assert_close(before.logits, after.logits, atol=1e-3, rtol=1e-3)
    assert set(network.state_dict()) == keys


def test_standardised_features_have_mean_zero_and_deviation_one(
    table: Path, maker: ViewMaker
) -> None:
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8)).eval()
    features = frozen_features(
        FeatureRequest(network, maker, readable(table), views=1, positions=0)
    )
    moments = features.moments()
    grams = torch.stack(_full_grams(features, 0))
    torch.testing.assert_close(moments.grams[0].mean, grams.mean(0), atol=1e-4, rtol=1e-4)
    flat = features.maps[1].float().permute(0, 1, 3, 2).reshape(-1, features.maps[1].shape[2])
    torch.testing.assert_close(moments.maps[1].mean, flat.mean(0), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("standardised", [False, True])
def test_multiplicative_heads_on_kept_maps_are_the_whole_network(
    table: Path, maker: ViewMaker, standardised: bool
) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(
        "test_efficientnet", 8, ("blocks.1.0",), module="multiplicative", parallel=2
    )
    network = EmotionNetwork(config).eval()
    records = readable(table)[:5]
    features = frozen_features(FeatureRequest(network, maker, records, views=1, positions=0))
    positions = network.backbone.positions(64)
    if standardised:
        standardise(network, features.moments(positions))
    index = np.arange(5)
    maps, pooled, grams = features.batch(np.zeros_like(index), index, 0, np.random.default_rng(0))
    images = torch.stack([view for _, view in _views(maker, records, index, None)])
    normalise = Normalise(maker.preprocessing.mean, maker.preprocessing.std)
    with torch.no_grad():
        kept = network.head(maps, pooled, grams, positions)
        if standardised:
            fold(network)
        whole = network(normalise(images))
    torch.testing.assert_close(kept.logits, whole.logits, atol=5e-3, rtol=5e-3)


def _full_grams(features: FrozenFeatures, k: int) -> list[torch.Tensor]:
    index = np.arange(features.pooled.shape[1])
    _, _, grams = features.batch(np.zeros_like(index), index, 0, np.random.default_rng(0))
    return list(grams[k].flatten(1))


def test_kept_features_are_read_again_and_keyed_by_content(
    table: Path, maker: ViewMaker, tmp_path: Path
) -> None:
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8)).eval()
    records, cache = readable(table)[:4], tmp_path / "cache"
    calls: list[int] = []

    def count(done: int, total: int) -> None:
        calls.append(done)

    asked = FeatureRequest(network, maker, records, 2, 4, progress=count)
    first = kept_features(asked, cache)
    made = len(calls)
    again = kept_features(asked, cache)
    assert len(calls) == made
    assert torch.equal(first.pooled, again.pooled)
    assert torch.equal(first.maps[0], again.maps[0])
    records[0].path.write_bytes(records[1].path.read_bytes())
    kept_features(asked, cache)
    assert len(calls) > made


def test_networks_with_other_layers_share_what_is_kept(
    table: Path, maker: ViewMaker, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8)).eval()
    records, cache = readable(table)[:5], tmp_path / "cache"
    kept_features(FeatureRequest(network, maker, records, 2, 2), cache)
    for layers in ((2,), (1, 3), ()):
        fewer = EmotionNetwork(NetworkConfig("test_efficientnet", 8, layers)).eval()
        fewer.backbone.load_state_dict(network.backbone.state_dict())
        never = lambda done, total: pytest.fail("computed again")  # noqa: E731
        asked = FeatureRequest(fewer, maker, records, 2, 2, whole_last=False)
        made = frozen_features(asked)
        read = kept_features(replace(asked, progress=never), cache)
        assert torch.equal(read.pooled, made.pooled)
        for ours, theirs in zip((*read.grams, *read.maps), (*made.grams, *made.maps), strict=True):
            assert torch.equal(ours, theirs)


def test_features_of_two_sets_are_those_of_each(table: Path, maker: ViewMaker) -> None:
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8)).eval()
    records = readable(table)
    parts = [
        frozen_features(FeatureRequest(network, maker, r, 1, 2))
        for r in (records[:6], records[6:9])
    ]
    both = FrozenFeatures.joined(parts)
    assert torch.equal(both.pooled[:, 6:], parts[1].pooled)
    assert torch.equal(both.maps[1][:, :6], parts[0].maps[1])


def test_a_damaged_or_unwritable_cache_costs_nothing_but_time(
    table: Path, maker: ViewMaker, tmp_path: Path
) -> None:
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8)).eval()
    records, cache = readable(table)[:3], tmp_path / "cache"
    asked = FeatureRequest(network, maker, records, 1, 4)
    first = kept_features(asked, cache)
    (folder,) = cache.iterdir()
    for file in folder.iterdir():
        file.write_bytes(b"garbage")
    assert torch.equal(kept_features(asked, cache).pooled, first.pooled)
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert torch.equal(kept_features(asked, blocked).pooled, first.pooled)


def test_temperature_finds_the_scale_of_the_logits() -> None:
    rng = np.random.default_rng(0)
    truth_logits = rng.normal(size=(4000, 8)) * 1.5
    p = np.exp(truth_logits) / np.exp(truth_logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(8, p=row) for row in p])
    targets = Targets(
        records=(),
        sets=np.zeros(4000, np.int64),
        names=("x",),
        taxonomies=("mikels8",),
        joins=(bridge_between(MIKELS8, MIKELS8),),
        shares=np.eye(8, dtype=np.float32)[labels],
        bridges=np.eye(8, dtype=np.float32)[None],
        single=labels,
        weights=np.ones(4000, np.float32),
        dimensions=np.zeros((4000, 0), np.float32),
        kinds=np.full(4000, -1),
    )
    object.__setattr__(targets, "records", tuple(labelled(str(i), 0, "test") for i in range(4000)))
    assert fit_temperature(truth_logits * 3.0, targets) == pytest.approx(3.0, rel=0.08)


def test_without_a_width_nothing_is_called_unlike_the_training_images() -> None:
    targets = make_targets(two_sets(), Recipe(), MIKELS8)
    rng = np.random.default_rng(0)
    logits, u, pooled, energy = (rng.random((len(targets), n), np.float32) for n in (8, 4, 4, 3))
    folds = np.arange(len(targets)) % 2
    held = HeldOut("out of 2 folds", targets, Outputs(logits, u, pooled, energy), folds)
    without, some = (measure_folds(held, width, Recipe()) for width in (0, 2))
    assert without.novelty is None
    assert without.novelty_words == {}
    assert some.novelty is not None
    assert some.novelty.mean.shape == (2,)
    assert without.measures == some.measures


def test_the_card_says_how_well_each_kind_held_out_whole_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emoviz.models.novelty.FEWEST", 50)
    kinds = ("photograph", "abstract painting", "figurative painting")
    phases = (Phase(train="heads"),)
    recipe = replace(Recipe(), network=NetworkPart(kinds=kinds), phases=phases)
    rng = np.random.default_rng(0)
    kind = np.tile(np.arange(3), 140)
    shown = np.array([[5, 0, 0], [0, 5, 0], [0, 0, 5]])[kind]
    pooled = np.float32(shown + rng.normal(size=shown.shape))
    outputs = Outputs(pooled, pooled, pooled, np.exp(np.float32(rng.normal(size=(420, 2)))))
    one = make_targets(two_sets(), recipe, MIKELS8).rows(np.zeros(420, np.int64))
    targets = replace(one, kinds=kind)
    held = HeldOut("out of 2 folds", targets, outputs, rng.integers(0, 2, 420))
    novelty, words = novelty_of_folds(held, 2, recipe)
    assert novelty is not None
    assert novelty.content is not None
    assert tuple(words[AREAS]) == kinds
    assert min(words[AREAS].values()) > 0.9
    assert words["flagged_held_out"] < 0.06


def test_content_of_tuned_networks_is_measured_by_what_each_learned_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each fold's h is another there: here it is turned around."""
    monkeypatch.setattr("emoviz.models.novelty.FEWEST", 50)
    kinds = ("photograph", "abstract painting")
    phases = (Phase(train="heads"), Phase(train="tail"))
    recipe = replace(Recipe(), network=NetworkPart(kinds=kinds), phases=phases)
    rng = np.random.default_rng(0)
    kind, folds = np.tile(np.arange(2), 200), np.arange(400) // 200
    shown = np.float32(6 * np.eye(3)[kind] + rng.normal(size=(400, 3)))
    energy = np.exp(np.float32(rng.normal(size=(400, 2))))
    turned = [np.float32(shown @ np.eye(3)[turn]) for turn in ([1, 2, 0], [2, 0, 1], [0, 1, 2])]
    pooled = np.where(folds[:, None] == 0, turned[0], turned[1])
    measures = np.zeros((400, 2))
    for k, h in enumerate(turned[:2]):
        own = folds == k
        learned, out = (Outputs(h[i], h[i], h[i], energy[i]) for i in (~own, own))
        measures[own] = content_held_out(learned, kind[~own], out)
    one = make_targets(two_sets(), recipe, MIKELS8).rows(np.zeros(400, np.int64))
    outputs = Outputs(pooled, pooled, pooled, energy)
    held = HeldOut("out of 2 folds", replace(one, kinds=kind), outputs, folds, measures)
    finished = describe_content(energy, turned[2], kind)
    novelty, words = novelty_of_folds(held, 2, recipe, finished)
    assert novelty is not None
    assert novelty.content is not None
    assert words["flagged_held_out"] < 0.04
    assert AREAS not in words
    third = np.float32(6 * np.eye(3)[np.full(50, 2)] + rng.normal(size=(50, 3)))
    assert (novelty.distance(energy[:50], third) > 1).mean() > 0.9
    assert (novelty.distance(energy[:50], turned[2][:50]) > 1).mean() < 0.1

    unknown = replace(held, content_measures=np.zeros((0, 2)))
    plain, words = novelty_of_folds(unknown, 2, recipe, finished)
    assert plain is not None
    assert plain.content is None
    assert "kind" not in str(words)


def test_restarts_go_down_to_the_floor_every_five_epochs() -> None:
    phase = Phase(schedule="restarts", learning_rate=0.02, epochs=20)
    rates = [0.02 * rate_factor(phase, step, steps=10) for step in range(100)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[50] == pytest.approx(0.02)
    assert rates[25] == pytest.approx(1e-4 + (0.02 - 1e-4) / 2, rel=1e-6)
    assert rates[49] < 2e-4


@pytest.mark.usefixtures("no_graph")
def test_a_whole_run_leaves_a_checkpoint_that_explains_itself(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    recipe = tmp_path / "little.yaml"
    recipe.write_text(TINY)
    lines: list[str] = []
    run = tmp_path / "run"
    result = train_in_folder(str(recipe), [f"mikels8={table}"], run, settings, lines.append)
    checkpoint = result.checkpoint
    assert checkpoint is not None
    card = checkpoint.card
    progress = epochs_of(run)
    assert [(p["phase"], p["epoch"]) for p in progress] == [(1, 1), (1, 2), (2, 1), (3, 1)]
    assert all(np.isfinite(p["loss"]) for p in progress)
    assert card.id == "little"
    assert card.data[0]["files refused"] == 1
    kept = [int(n) for n in re.findall(r"(\d+) for", card.data[0]["kept out for measuring"])]
    assert card.data[0]["images in the finished weights"] + sum(kept) == 31
    assert card.recipe["loss"]["margin"] == 3
    assert card.calibration["ece_after"] is not None
    assert load_centers(checkpoint).shape == (8, card.width)
    assert any("1 problem" in line for line in lines)
    # What was trained is what is stored, folded: the plain network reads it.
    with torch.no_grad():
        assert torch.isfinite(load_network(checkpoint)(torch.randn(2, 3, 64, 64)).logits).all()


def epochs_of(run: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "epoch"]


def everything(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(count), np.arange(0)


@pytest.mark.usefixtures("no_graph")
def test_folds_keep_every_image_out_of_the_network_that_judges_it(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    recipe = tmp_path / "folds.yaml"
    recipe.write_text(TINY.split("data:")[0] + "data: {folds: 3}\n" + HEADS)
    run = tmp_path / "run"
    result = train_in_folder(str(recipe), [str(table)], run, settings, lambda _: None)
    progress = epochs_of(run)
    assert [p["fold"] for p in progress] == [1, 1, 2, 2, 3, 3, 0, 0]
    assert [p["validation_entropy"] is None for p in progress] == [False] * 6 + [True] * 2
    assert result.checkpoint is not None
    card = result.checkpoint.card
    assert card.measures["set/labels.csv, out of 3 folds"]["n"] == 31
    assert card.data[0]["images in the finished weights"] == 31
    assert "each of 3 folds" in card.data[0]["kept out for measuring"]
    assert set(card.calibration) == {"method", "measured_on", "ece_before", "ece_after"}
    assert 0 <= card.novelty["flagged_held_out"] < 0.2


@pytest.mark.usefixtures("no_graph")
def test_folds_of_tuned_networks_say_what_images_show(
    make_table: Callable[..., Path],
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emoviz.models.novelty.FEWEST", 4)
    kinds = ["photograph", "abstract painting"] * 16
    artists = [f"artist {i}" for i in range(32)]
    table = make_table(tmp_path / "kinds", MIKELS8.names * 4, artist=artists, kind=kinds)
    phases = "phases: [{train: tail, epochs: 1, batch: 8, views: 1, positions: 8}]"
    text = TINY.split("data:")[0] + "data: {folds: 2}\n" + phases
    text = text.replace("network:\n", f"network:\n  kinds: [{', '.join(kinds[:2])}]\n")
    run, told = tmp_path / "run", list[str]()
    recipe = read_recipe(text)
    made = train_in_folder(recipe, [str(table)], run, settings, told.append).checkpoint
    assert made is not None
    novelty = load_novelty(made)
    assert novelty is not None
    assert novelty.content is not None
    assert novelty.content.means.shape[0] == 2
    assert AREAS not in made.card.novelty
    folds = [run / "folds" / f"fold-{k}.safetensors" for k in (1, 2)]
    kept = [load_file(fold) for fold in folds]
    assert [part["content_measures"].shape for part in kept] == [
        (len(part["rows"]), 2) for part in kept
    ]
    assert not any("left out" in line for line in told)
    # A fold from before has none.
    shutil.rmtree(made.folder)
    found = read_tensors(folds[1])
    assert found is not None
    tensors, values = found
    del tensors["content_measures"]
    write_tensors(folds[1], tensors, values)
    result = train_in_folder(recipe, [str(table)], run, settings, told.append, resume=True)
    again = result.checkpoint
    assert again is not None
    novelty = load_novelty(again)
    assert novelty is not None
    assert novelty.content is None
    assert any("left out" in line for line in told)


def test_out_of_fold_outputs_come_from_networks_that_never_saw_the_image(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    recipe = read_recipe(TINY.split("data:")[0] + "data: {folds: 3}\n" + HEADS)
    run = tmp_path / "run"
    result = train_in_folder(recipe, [str(table)], run, settings, lambda _: None, refit=False)
    assert result.checkpoint is None
    prepared = prepare(recipe, [str(table)], lambda line: None)
    folds = fold_indices([r.group for r in prepared.targets.records], 3)
    for k in range(3):
        rest, out = np.flatnonzero(folds != k), np.flatnonzero(folds == k)
        state, _ = prepared.training(rest, np.arange(0))
        list(train(state))
        _, again = outputs(state, prepared.targets.rows(out))
        kept = load_file(run / "folds" / f"fold-{k + 1}.safetensors")["logits"]
        np.testing.assert_allclose(again.logits, kept.numpy(), atol=5e-3, rtol=5e-3)


def test_a_tail_phase_leaves_the_layers_before_it_alone(table: Path) -> None:
    recipe = read_recipe(
        TINY.split("phases:")[0] + "phases: [{train: tail, epochs: 1, batch: 8, weight_decay: 0.1}]"
    )
    state, _ = prepare(recipe, [str(table)], lambda line: None).training(*everything(31))
    before = {n: p.detach().clone() for n, p in state.network.backbone.named_parameters()}
    list(train(state))
    moved = {
        n for n, p in state.network.backbone.named_parameters() if not torch.equal(p, before[n])
    }
    names = {id(p): n for n, p in state.network.backbone.named_parameters()}
    assert moved
    assert moved <= {names[id(p)] for p in state.network.backbone.tail()}


@pytest.mark.parametrize("quicker", [True, False])
def test_a_tail_phase_takes_bfloat16_only_where_it_was_timed_as_quicker(
    table: Path, monkeypatch: pytest.MonkeyPatch, quicker: bool
) -> None:
    asked, modes = list[tuple[int, bool]](), set[bool]()

    def timed(module: object, images: torch.Tensor, weights: list[torch.nn.Parameter]) -> Precision:
        asked.append((len(images), bool(weights)))
        return Precision(quicker, "by hand")

    def tail(backbone: Backbone, deepest: torch.Tensor) -> torch.Tensor:
        if backbone.body.training or torch.is_grad_enabled():
            modes.add(torch.is_autocast_enabled("cpu"))
        return whole(backbone, deepest)

    whole = Backbone.forward_tail
    monkeypatch.setattr("emoviz.training.precision._TIMED", {})
    monkeypatch.setattr("emoviz.training.precision._time", timed)
    monkeypatch.setattr(Backbone, "forward_tail", tail)
    recipe = read_recipe(
        TINY.split("phases:")[0] + "phases: [{train: tail, epochs: 1, batch: 16, views: 1}]"
    )
    told: list[str] = []
    state, _ = prepare(recipe, [str(table)], told.append).training(*everything(31))
    list(train(state))
    assert modes == {quicker}
    assert (16, True) in asked, "the last stages are timed on a batch of their own, gradients too"
    assert told.count("Precision: by hand.") == 2  # of the features, and of the last stages
    assert sum(line.startswith("Class centers start") for line in told) == 1
    words = timed_words({state.network.config.backbone})
    assert words.count(": by hand") == 2
    assert timed_words({"another"}) == ""


class _SlowGradients(torch.autograd.Function):
    """Quicker in bfloat16 forwards, far slower back: depthwise filters on some processors."""

    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.mixed = torch.is_autocast_enabled("cpu")
        time.sleep(0.01 if ctx.mixed else 0.03)
        return images.mean() * weight

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        time.sleep(0.1 if ctx.mixed else 0.01)
        return None, gradients[0].sum()


def test_gradients_are_timed_where_there_are_any_and_a_run_goes_on_by_what_was_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emoviz.training.precision._TIMED", {})
    monkeypatch.setattr("emoviz.training.precision._SHORT", 0.02)
    weight = torch.nn.Parameter(torch.ones(()))

    def module(images: torch.Tensor) -> torch.Tensor:
        return _SlowGradients.apply(images, weight)  # type: ignore[no-any-return, no-untyped-call]

    images, told = torch.ones(2, 3, 4, 4), list[str]()
    learning = timed_precision("slow back, learning", module, images, told.append, 2, [weight])
    assert timed_precision("slow back", module, images, told.append).bf16
    assert not learning.bf16
    assert weight.grad is None
    assert [line.split(" (")[0] for line in told] == ["Precision: float32", "Precision: bfloat16"]
    kept = json.loads(json.dumps(choices_made()))
    monkeypatch.setattr("emoviz.training.precision._TIMED", {})
    take_choices(kept)
    again = timed_precision("slow back, learning", module, images, told.append, 2, [weight])
    assert again == learning
    assert len(told) == 2


def test_features_and_tail_together_are_the_whole_network(table: Path, maker: ViewMaker) -> None:
    recipe = read_recipe(
        TINY.split("data:")[0] + "data: {folds: 2}\nphases: [{train: tail, epochs: 2, batch: 8}]"
    )
    prepared = prepare(recipe, [str(table)], lambda line: None)
    state, _ = prepared.training(np.arange(0, 20), np.arange(20, 31))
    list(train(state))
    some = prepared.targets.rows(np.arange(20, 31))
    kept = outputs_on_features(state, prepared.features, some)
    _, whole = outputs(state, some)
    np.testing.assert_allclose(kept.logits, whole.logits, atol=5e-3, rtol=5e-3)
    np.testing.assert_allclose(kept.energy, whole.energy, atol=5e-3, rtol=5e-3)


def test_features_of_the_past_are_refused_after_the_whole_network_moved(table: Path) -> None:
    recipe = read_recipe("phases: [{train: all}, {train: heads}]")
    with pytest.raises(TrainingError, match="comes after one that trains 'all'"):
        check_order(recipe)


def test_training_learns_and_repeats_itself(table: Path) -> None:
    phases = "phases: [{train: heads, epochs: 12, batch: 8, views: 1, learning_rate: 0.01}]"
    recipe = read_recipe(TINY.split("phases:")[0] + phases)
    weights = []
    for _ in range(2):
        state, _ = prepare(recipe, [str(table)], lambda line: None).training(*everything(31))
        results = list(train(state))
        assert results[-1].entropy < 0.7 * results[0].entropy
        weights.append(state.network.state_dict())
    for key, value in weights[0].items():
        assert torch.equal(value, weights[1][key]), key


def test_a_run_folder_in_use_is_refused(table: Path, tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "note.txt").write_text("mine")
    with pytest.raises(TrainingError, match="is not empty"):
        train_in_folder("mikels8", [str(table)], tmp_path / "run", settings, lambda _: None)


def test_a_loss_that_is_not_finite_stops_with_the_step(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    recipe = tmp_path / "wild.yaml"
    text = TINY.split("phases:")[0] + (
        "phases: [{train: heads, epochs: 30, batch: 8, views: 1, optimiser: sgd, "
        "learning_rate: 10, center_learning_rate: 1000, clip: 1e30, schedule: constant}]"
    )
    recipe.write_text(text)
    with pytest.raises(TrainingError, match=r"term of the loss is .* at step \d+ \(phase 1, epoch"):
        train_in_folder(str(recipe), [str(table)], tmp_path / "r", settings, lambda _: None)


def test_bridged_loss_of_the_loop_uses_each_images_own_bridge() -> None:
    targets = make_targets(two_sets(), Recipe(), MIKELS8)
    logits = torch.randn(len(targets), 8)
    together = bridged_cross_entropy(
        logits,
        torch.from_numpy(targets.shares),
        torch.from_numpy(targets.bridges[targets.sets]),
        torch.from_numpy(targets.weights),
    )
    total = weight = 0.0
    for number in (0, 1):
        mine = np.flatnonzero(targets.sets == number)
        part = bridged_cross_entropy(
            logits[mine],
            torch.from_numpy(targets.shares[mine]),
            torch.from_numpy(targets.bridges[number]),
            torch.from_numpy(targets.weights[mine]),
        )
        total += part.item() * targets.weights[mine].sum()
        weight += targets.weights[mine].sum()
    assert together.item() == pytest.approx(total / weight, rel=1e-5)
