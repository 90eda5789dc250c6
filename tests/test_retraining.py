"""Retraining: exact kept features, a start from a checkpoint, pauses, sweeps, promotion."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from trainings import quiet, same, weights

from emoviz import jobs
from emoviz.analysis.projection.moving import moving_map
from emoviz.checkpoints import Checkpoint, load_centers, load_network, read_checkpoint
from emoviz.cli import main
from emoviz.data.dataset import Dataset
from emoviz.data.library import find_set, save_set
from emoviz.data.reading import read_labelled
from emoviz.errors import CheckpointError, PausedError, RecipeError, TableError, TrainingError
from emoviz.files import write_json
from emoviz.labels import MIKELS8, own_taxonomy
from emoviz.models.gram import GramModule, MultiplicativeGramModule
from emoviz.models.standardise import Moments, Standardise
from emoviz.settings import Settings
from emoviz.training import features as kept
from emoviz.training.batches import on_features
from emoviz.training.cost import estimate, measure_network
from emoviz.training.folder import forget_pause, make_wish
from emoviz.training.prepare import Worker, prepare
from emoviz.training.promote import keep_held_out, promote
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import as_written_now, read_recipe
from emoviz.training.run import train_in_folder
from emoviz.training.runs import (
    bring_back,
    differences,
    find_run,
    list_runs,
    read_curves,
    remove,
    write_notes,
)
from emoviz.training.simple_recipe import Choices, check_set, recipe_of
from emoviz.training.snapshots import latest_snapshot, snapshot_files
from emoviz.training.state import Training
from emoviz.training.sweep import SweepPlan, best_row, parse_vary, recipe_text, run_sweep

pytestmark = pytest.mark.usefixtures("jobs_end", "no_graph")
Make = Callable[..., bytes]
RECIPE = """
name: little
title: Little
taxonomy: mikels8
network: {backbone: test_efficientnet, pretrained: false, standardise: true, pooled_dropout: 0.2}
input: {size: 64}
loss: {beta: 0.1, margin: 3}
data: {validation: 0.25, test: 0.25}
phases: [{train: heads, epochs: 4, batch: 8, views: 2, positions: 0, learning_rate: 1e-3}]
"""


def little(text: str = RECIPE) -> Recipe:
    return read_recipe(text)


def training(recipe: Recipe, table: Path, worker: Worker | None = None) -> Training:
    prepared = prepare(recipe, [str(table)], quiet, worker)
    rows = [prepared.rows_of_split(name) for name in ("train", "validation")]
    return prepared.training(*rows)[0]


# Kept features ---------------------------------------------------------------


@pytest.mark.parametrize("kind", [GramModule, MultiplicativeGramModule])
@pytest.mark.parametrize("scaled", [False, True])
def test_the_branch_on_kept_maps_is_the_convolution(kind: type[GramModule], scaled: bool) -> None:
    torch.manual_seed(0)
    module, maps = kind(6), torch.randn(3, 6, 5, 4)
    if scaled:
        module.map_scale = Standardise(Moments(torch.randn(6), torch.rand(6) + 0.5), (1, -1, 1, 1))
    whole = module.conv_branch(maps)
    flat = module.conv_branch(maps.flatten(2).unsqueeze(2))
    torch.testing.assert_close(flat, whole)
    for loss in (whole, flat):
        module.zero_grad()
        loss.square().sum().backward()
        gradient = module.conv.weight.grad
        assert gradient is not None
        if loss is whole:
            wanted = gradient.clone()
    torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-5)


def test_kept_features_give_the_forward_and_the_gradients_of_the_full_network(table: Path) -> None:
    """Whole maps are kept in half precision, which is all that differs."""
    recipe = little(RECIPE.replace("pooled_dropout: 0.2", "pooled_dropout: 0.0"))
    state = training(recipe, table)
    features = state.features.of(state.train, 2, 0)
    rows = np.arange(6)
    state.network.backbone.eval()
    rng = np.random.default_rng(0)
    out = on_features(state, features, np.zeros(6, np.int64), rows, 0, rng)
    _, images = next(iter(state.maker.batches(state.train.records, rows, 6, None)))
    whole = state.network(state.normalise(images))
    torch.testing.assert_close(out.embedding, whole.embedding, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(out.logits, whole.logits, rtol=1e-3, atol=1e-3)
    labels = torch.arange(6) % 8
    found = []
    for result in (out, whole):
        state.network.zero_grad()
        F.cross_entropy(result.logits, labels).backward()
        heads = {n: p for n, p in state.network.named_parameters() if "backbone" not in n}
        found.append({n: p.grad.clone() for n, p in heads.items() if p.grad is not None})
    assert len(found[0]) > 10
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], rtol=2e-2, atol=2e-3)


def test_configurations_splits_and_seeds_share_one_computation(
    table: Path, tmp_path: Path, tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    computed = kept.frozen_features

    def counted(asked: kept.FeatureRequest) -> kept.FrozenFeatures:
        passes.append(len(asked.records))
        return computed(asked)

    monkeypatch.setattr(kept, "frozen_features", counted)
    worker = Worker(cache=tmp_path / "cache", start=tiny_checkpoint)
    text = RECIPE.replace("pretrained: false", "start: tiny")
    for change in ("seed: 1", "beta: 0.1|beta: 0.7", "validation: 0.25|validation: 0.1"):
        before, _, after = change.partition("|")
        recipe = little(text.replace(before, after) if after else text + change)
        state = training(recipe, table, worker)
        state.features.of(state.train, 2, 0)
        state.features.of(state.validation, 1, 0)
    assert passes == [31]  # the one image that is broken is left out


def test_what_a_view_takes_on_the_disk_is_what_is_said(table: Path, tmp_path: Path) -> None:
    recipe = little()
    shape, seconds = measure_network(recipe)
    state = training(recipe, table, Worker(cache=tmp_path / "cache"))
    features = state.features.of(state.train, 2, 0)
    on_disk = sum(file.stat().st_size for file in (tmp_path / "cache").rglob("*.safetensors"))
    cost = estimate(recipe, 31, seconds, shape)
    assert features.nbytes == pytest.approx(31 * 2 * shape.bytes_kept())
    assert on_disk == pytest.approx(cost.disk, rel=0.02)
    assert cost.seconds_training > 0


def test_a_full_disk_while_features_are_kept_is_told(
    table: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(arrays: object, file: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "save_file", full)
    told: list[str] = []
    result = train_in_folder(little(), [str(table)], tmp_path / "run", settings, told.append)
    assert result.checkpoint is not None
    assert any("cannot be kept on the disk" in line for line in told)


# Beginning with a checkpoint ---------------------------------------------------------------


def started(table: Path, checkpoint: Checkpoint, text: str = "") -> Training:
    recipe = little(RECIPE.replace("pretrained: false", f"start: {checkpoint.card.id}") + text)
    return training(recipe, table, Worker(start=checkpoint))


def test_a_start_has_the_checkpoints_logits_until_the_first_step(
    table: Path, tiny_checkpoint: Checkpoint
) -> None:
    from emoviz.training.batches import make_batches

    state = started(table, tiny_checkpoint)
    make_batches(state, state.recipe.phases[0], 1)  # standardises
    assert isinstance(state.network.pooled_scale, Standardise)
    images = torch.rand(2, 3, 64, 64)
    state.network.eval()
    torch.testing.assert_close(
        state.network(images).logits,
        load_network(tiny_checkpoint)(images).logits,
        rtol=1e-3,
        atol=1e-3,
    )
    wanted = load_centers(tiny_checkpoint)
    np.testing.assert_array_equal(state.loss.centers.detach().numpy(), wanted)


def test_other_classes_take_all_but_the_classifier_and_the_centers(
    table: Path, tiny_checkpoint: Checkpoint
) -> None:
    source = load_network(tiny_checkpoint).state_dict()
    text = RECIPE.replace("pretrained: false", "start: tiny").replace("mikels8", "sadness2")
    state = training(little(text), table, Worker(start=tiny_checkpoint))
    own = state.network.state_dict()
    torch.testing.assert_close(own["projection.weight"], source["projection.weight"])
    assert own["classifier.weight"].shape == (2, source["classifier.weight"].shape[1])
    fewer = little(RECIPE.replace("pretrained: false", "start: tiny, layers: [1, 2]"))
    state = training(fewer, table, Worker(start=tiny_checkpoint))
    assert not state.learned_behind
    name = next(key for key in source if key.startswith("backbone.") and "weight" in key)
    torch.testing.assert_close(state.network.state_dict()[name], source[name])


def test_a_start_of_another_backbone_is_refused(table: Path, tiny_checkpoint: Checkpoint) -> None:
    text = RECIPE.replace("pretrained: false", "start: tiny")
    text = text.replace("test_efficientnet", "test_resnet, layers: [1]")
    with pytest.raises(TrainingError, match="has the backbone test_efficientnet, the recipe"):
        training(little(text), table, Worker(start=tiny_checkpoint))


def test_the_card_names_the_parent(
    table: Path, tmp_path: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    recipe = little(RECIPE.replace("pretrained: false", "start: tiny"))
    result = train_in_folder(recipe, [str(table)], tmp_path / "run", settings, quiet)
    assert result.checkpoint is not None
    assert result.checkpoint.card.versions["backbone_weights"].startswith("checkpoint tiny")


# Labels of any words ---------------------------------------------------------------


def zipped(picture: Make, names: list[str], folder: Path) -> Path:
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        for i, name in enumerate(names):
            archive.writestr(name, picture(seed=i))
    return folder / "pictures.zip"


def test_a_zip_of_any_labels_is_trained_and_measured(
    picture: Make, tmp_path: Path, settings: Settings
) -> None:
    names = [f"set/{label}/{i}.jpg" for label in ("kitsch", "art", "joy") for i in range(12)]
    labelled = read_labelled(zipped(picture, names, tmp_path))
    assert labelled.taxonomy.names == ("art", "joy", "kitsch")
    assert labelled.taxonomy.sentiment_of("joy") == "positive"
    known = save_set(settings, "pictures", "Pictures", labelled, {"terms": "ours"})
    chosen = Choices(
        "Any words",
        backbone="test_efficientnet",
        size=64,
        epochs=2,
        batch=8,
        validation=0.25,
        test=0.25,
    )
    recipe = recipe_of(chosen, labelled.taxonomy, known)
    recipe = replace(recipe, network=replace(recipe.network, pretrained=False))
    again = read_recipe(recipe_text(recipe))
    assert again == recipe
    result = train_in_folder(recipe, [str(known.path)], tmp_path / "run", settings, quiet)
    assert result.checkpoint is not None
    card = result.checkpoint.card
    assert card.taxonomy.names == ("art", "joy", "kitsch")
    assert card.data[0]["name"] == "Pictures"
    assert card.data[0]["terms"] == "ours"
    assert list(result.measures) == ["Pictures, test split"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("labels: [one]\n", "at least two"),
        ("labels: [one, one, two]\n", "names one twice"),
    ],
)
def test_labels_that_make_no_taxonomy_are_refused(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        little(RECIPE.replace("taxonomy: mikels8", "taxonomy: ours") + text)
    with pytest.raises(RecipeError, match="or a name of your own with labels"):
        little(RECIPE.replace("taxonomy: mikels8", "taxonomy: ours"))
    with pytest.raises(RecipeError, match="is a registered taxonomy"):
        little(RECIPE + "labels: [a, b]\n")


def test_a_recipe_kept_by_an_earlier_version_is_the_same_recipe() -> None:
    now = little().to_dict()
    before = json.loads(json.dumps(now))
    del before["labels"], before["network"]["start"]
    assert as_written_now(before) == now
    assert as_written_now({"name": "x", "unknown": 1}) == {"name": "x", "unknown": 1}


def labelled_as(*labels: str, splits: str = "") -> Dataset:
    """Records without images: what is checked before a start reads none."""
    from emoviz.data.dataset import SPLITS, Record

    taxonomy = own_taxonomy("ours", labels)
    names = {"t": SPLITS[0], "v": SPLITS[1], "e": SPLITS[2]}
    records = [
        Record(
            f"{i}.jpg",
            Path(f"{i}.jpg"),
            taxonomy.index(label),
            (1.0,),
            str(i),
            names[splits[i]] if splits else None,  # type: ignore[arg-type]
        )
        for i, label in enumerate(labels)
    ]
    return Dataset("ours", taxonomy, tuple(records))


@pytest.mark.parametrize(
    ("labelled", "words"),
    [
        (labelled_as(*["joy"] * 30), "All images have one label (joy)"),
        (labelled_as(*map(str, range(40))), "No class has more than one image"),
        (labelled_as(*(str(i // 2) for i in range(5000))), "2,500 classes"),
        (labelled_as(*"abab" * 3, splits="ttttttttttte"), "each part needs two"),
        (labelled_as(*"aaab" * 3, splits="tttv" * 2 + "ttee"), "All images for training have one"),
    ],
)
def test_what_cannot_be_trained_is_said_before_the_start(labelled: Dataset, words: str) -> None:
    assert words in " ".join(check_set(labelled, 0.2, 0.2).errors)


def test_what_will_work_badly_is_said() -> None:
    found = check_set(labelled_as(*["joy"] * 60, *["fear"] * 3), 0.2, 0.2)
    assert not found.errors
    text = " ".join(found.warnings)
    assert "Fewer than 5 images: fear" in text
    assert "largest class has 60 images, the smallest 3" in text
    assert "images watch over the training" in text


def test_zips_that_hold_no_classes_are_told(picture: Make, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no labels"):
        read_labelled(zipped(picture, ["1.jpg", "2.jpg"], tmp_path))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(TableError, match="not a ZIP archive"):
        read_labelled(tmp_path / "broken.zip")
    names = ["../out/1.jpg", "joy/1.jpg", "fear/2.jpg", "3.jpg"]
    found = read_labelled(zipped(picture, names, tmp_path))
    assert len(found.records) == 2
    assert "leads out of the ZIP" in dict(found.problems)["../out/1.jpg"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match="in a folder a class"):
        read_labelled(tmp_path / "empty")


# Watching ---------------------------------------------------------------


def test_a_map_is_turned_to_where_it_lay_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    u = rng.normal(size=(40, 7)) * np.array([3, 2, 1, 1, 1, 1, 1])
    before = moving_map(u, u[:2]).places
    moved = u + rng.normal(size=u.shape) * 0.2
    plain, turned = moving_map(moved, u[:2]), moving_map(moved, u[:2], before)

    def gap(places: np.ndarray) -> float:
        return float(np.square(places - before).sum())

    angles = np.linspace(0, 2 * np.pi, 2000)
    best = min(
        gap(
            plain.places
            @ (np.diag([1, mirror]) @ [[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
        )
        for a in angles
        for mirror in (1, -1)
    )
    assert gap(turned.places) <= best + 1e-6
    assert gap(turned.places) == pytest.approx(best, rel=1e-3)
    distances = [
        np.linalg.norm(p[:, None] - p[None], axis=2) for p in (plain.places, turned.places)
    ]
    np.testing.assert_allclose(*distances, atol=1e-4)


def test_epochs_tell_of_validation_images_and_snapshots_follow(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    run = tmp_path / "run"
    result = train_in_folder(little(), [str(table)], run, settings, quiet)
    curves = read_curves(run)
    assert len(curves.epochs) == 4
    accuracies = curves.column("validation_accuracy")
    assert all(a is not None and 0 <= a <= 1 for a in accuracies)
    assert curves.final("validation_nmi") is not None
    last = latest_snapshot(run)
    assert last is not None
    assert last.step == curves.epochs[-1]["step"]
    centers = weights(run)["centers"].numpy()
    wanted = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    np.testing.assert_allclose(last.distances, wanted, rtol=1e-4)
    # the accuracy of the last epoch is that of the finished network on the same images
    assert result.checkpoint is not None
    right = last.right[last.held_out & (last.classes >= 0)]
    assert right.mean() == pytest.approx(accuracies[-1])
    probe = json.loads((run / "probe.json").read_text())
    assert 0 <= probe["validation"] <= 1
    assert 0 <= probe["test"] <= 1


def test_curves_that_grow_and_that_are_cut_are_read_as_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"

    def row(step: int) -> str:
        return json.dumps({"kind": "epoch", "fold": 0, "step": step}) + "\n"

    def steps() -> list[float | None]:
        return read_curves(tmp_path).column("step")

    assert steps() == []
    file.write_text(row(1) + row(2)[:9])  # half a line
    assert steps() == [1]
    file.write_text(row(1) + row(2) + "nonsense\n" + row(3))
    assert steps() == [1, 2, 3]
    file.write_text(row(1))  # a run that was resumed
    assert steps() == [1]
    file.write_text("".join(row(step) for step in range(50, 150)))  # another, and longer
    assert steps() == list(range(50, 150))
    file.unlink()
    assert steps() == []


# Pause, finish, kill ---------------------------------------------------------------


def paused_after(run: Path, epochs: int) -> Callable[[], str]:
    """A wish to pause once so many epochs are told of."""

    def wish() -> str:
        return "pause" if len(read_curves(run).epochs) >= epochs else ""

    return wish


def test_a_pause_keeps_everything_and_the_end_is_the_same(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    train_in_folder(little(), [str(table)], whole, settings, quiet)
    with pytest.raises(PausedError):
        train_in_folder(
            little(), [str(table)], run, settings, quiet, wish=paused_after(run, 2), resume=True
        )
    assert find_run(tmp_path, "run").state == "paused"
    make_wish(run, "pause")
    forget_pause(run)  # as whoever goes on does with a wish that nobody heard
    train_in_folder(little(), [str(table)], run, settings, quiet, resume=True)
    assert find_run(tmp_path, "run").state == "done"
    assert same(weights(run), weights(whole))
    assert [f.stem for f in snapshot_files(run)][-1] == [f.stem for f in snapshot_files(whole)][-1]


def test_a_pause_by_the_folders_wish_reaches_the_features_too(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    run = tmp_path / "run"

    def tell(line: str) -> None:
        if line.startswith("Features"):
            make_wish(run, "pause")

    with pytest.raises(PausedError, match="before the first step"):
        train_in_folder(little(), [str(table)], run, settings, tell)
    assert find_run(tmp_path, "run").state == "paused"


def test_stop_and_keep_leaves_a_measured_network(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    run = tmp_path / "run"

    def wish() -> str:
        return "finish" if len(read_curves(run).epochs) >= 1 else ""

    result = train_in_folder(little(), [str(table)], run, settings, quiet, wish=wish)
    assert result.checkpoint is not None
    assert result.checkpoint.card.versions["stopped"].startswith("by hand, after")
    assert len(read_curves(run).epochs) == 2  # the second ended where it was asked
    assert find_run(tmp_path, "run").state == "done"


def test_a_failed_run_says_why(table: Path, tmp_path: Path, settings: Settings) -> None:
    wild = RECIPE.replace("learning_rate: 1e-3", "learning_rate: 9, clip: 1e30, optimiser: sgd")
    wild = wild.replace("beta: 0.1", "beta: 1e30")
    with pytest.raises(TrainingError, match=r"term of the loss is|gradient is"):
        train_in_folder(little(wild), [str(table)], tmp_path / "run", settings, quiet)
    found = find_run(tmp_path, "run")
    assert found.state == "failed"
    assert "Lower the learning rate" in found.why


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def long_recipe(folder: Path) -> Path:
    file = folder / "long.yaml"
    file.write_text(RECIPE.replace("epochs: 4", "epochs: 3000"))
    return file


@pytest.mark.skipif(os.name == "nt", reason="signals and groups of processes")
def test_a_killed_job_is_lost_and_goes_on(
    table: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is started as the page does it, and killed with everything that belongs to it."""
    settings = replace(settings, save_seconds=0.2)
    run = settings.runs / "mine"
    command = ["train", str(long_recipe(tmp_path)), "--data", str(table), "--run", str(run)]
    command += ["--resume", "--no-graph"]
    job = jobs.start(settings, "mine", command, "train mine", "training")
    until(lambda: len(read_curves(run).epochs) > 3 and (run / "state.safetensors").exists())
    assert find_run(settings.runs, "mine").state == "at work"
    with pytest.raises(TrainingError, match="at work"):
        remove(settings.runs, "mine")
    os.killpg(int((job.folder / "alive").read_text()), signal.SIGKILL)
    until(lambda: not job.is_live)
    until(lambda: find_run(settings.runs, "mine").state == "lost")
    done = len(read_curves(run).epochs)
    again = jobs.start(settings, "mine", command, "train mine", "training")
    assert again.folder != job.folder
    until(lambda: len(read_curves(run).epochs) > done + 2)
    again.cancel()  # asked to end, it keeps its state
    assert again.state == "cancelled"
    assert find_run(settings.runs, "mine").state == "paused"


@pytest.mark.skipif(os.name == "nt", reason="signals and groups of processes")
def test_one_queue_a_machine(table: Path, tmp_path: Path, settings: Settings) -> None:
    recipe = long_recipe(tmp_path)

    def start(name: str) -> jobs.Job:
        command = ["train", str(recipe), "--data", str(table), "--run", str(tmp_path / name)]
        return jobs.start(settings, name, command, f"train {name}", "training")

    first, second, third = start("a"), start("b"), start("c")
    try:
        until(lambda: first.state == "running")
        until(lambda: second.state == "queued" and third.state == "queued")
        assert (second.ahead, third.ahead) == (1, 2)
        other = jobs.start(settings, "other", ["recipes"], "no queue")
        other.wait(60)
        assert other.code is not None  # what belongs to no queue does not wait
        assert first.state == "running"
        second.cancel()
        assert second.state == "cancelled"
        make_wish(tmp_path / "a", "pause")
        until(lambda: not first.is_live)
        until(lambda: third.state == "running")
        assert not (tmp_path / "b").exists()
    finally:
        for job in (first, second, third):
            job.cancel()


# Sweeps ---------------------------------------------------------------


def plan_of(table: Path, **changes: Any) -> SweepPlan:
    vary = {"loss.beta": ("0", "0.5"), "seed": ("0", "1")}
    short = little(RECIPE.replace("epochs: 4", "epochs: 1"))
    return replace(SweepPlan(short, (str(table),), vary), **changes)


def test_grid_and_random_cells(table: Path) -> None:
    grid = plan_of(table).cells()
    assert grid == [(f"loss.beta={b}", f"seed={s}") for b in ("0", "0.5") for s in ("0", "1")]
    drawn = plan_of(table, draws=3).cells()
    assert len(set(drawn)) == 3
    assert set(drawn) < set(grid)
    assert plan_of(table, draws=3).cells() == drawn
    with pytest.raises(TrainingError, match="would train 1,000 networks"):
        plan_of(table, vary={"seed": tuple(map(str, range(1000)))}).cells()
    with pytest.raises(RecipeError, match="loss has no key"):
        plan_of(table, vary={"loss.gamma": ("1",)}).recipes()
    with pytest.raises(TrainingError, match="no measure"):
        plan_of(table, by="beauty").cells()
    assert parse_vary(["network.layers=[2];[1, 2]", "seed=1, 2"]) == {
        "network.layers": ("[2]", "[1, 2]"),
        "seed": ("1", "2"),
    }


def test_a_sweep_goes_on_and_its_numbers_are_those_of_single_runs(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    plan, folder = plan_of(table), settings.runs / "sweep"
    asked: list[int] = []

    def wish() -> str:
        done = sum((folder / "cells" / f"{n:02}" / "measures.json").exists() for n in range(1, 5))
        asked.append(done)
        return "pause" if done >= 2 else ""

    with pytest.raises(PausedError):
        run_sweep(plan, folder, settings, quiet, wish=wish)
    rows = run_sweep(plan, folder, settings, quiet)
    assert [row.state for row in rows] == ["done"] * 4
    best = best_row(rows, "accuracy")
    assert best is not None
    assert best.values["accuracy"] == max(row.values["accuracy"] or 0 for row in rows)
    least = best_row(rows, "entropy")
    assert least is not None
    assert least.values["entropy"] == min(row.values["entropy"] or 9 for row in rows)
    single = tmp_path / "single"
    arguments = ["train", str(tmp_path / "r.yaml"), "--data", str(table), "--run", str(single)]
    (tmp_path / "r.yaml").write_text(recipe_text(plan.recipe))
    assert main([*arguments, "--no-graph", "--set", "loss.beta=0.5", "seed=1"]) == 0
    assert same(weights(single), weights(folder / "cells" / "04"))
    assert len(list_runs(settings.runs)) == 4
    assert find_run(settings.runs, "sweep/cells/04").title.startswith("β = 0.5, seed = 1: ")


def test_a_cell_that_fails_is_named_and_the_others_go_on(
    table: Path, settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(RECIPE.replace("epochs: 4", "epochs: 1, clip: 1e30"))
    arguments = ["sweep", str(recipe), "--data", str(table), "--run", str(settings.runs / "s")]
    code = main([*arguments, "--vary", "loss.beta=0.1,1e38", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert code == 1
    assert [row["state"] for row in found["cells"]] == ["done", "failed"]
    assert "Lower the learning rate or beta" in found["cells"][1]["why"]
    assert found["best"] == "01"


# Runs and promotion ---------------------------------------------------------------


def test_runs_are_listed_noted_compared_and_brought_back(
    table: Path, settings: Settings, tmp_path: Path
) -> None:
    for name, beta in (("one", 0.1), ("two", 0.2)):
        recipe = little(
            RECIPE.replace("beta: 0.1", f"beta: {beta}").replace("epochs: 4", "epochs: 1")
        )
        train_in_folder(recipe, [str(table)], settings.runs / name, settings, quiet)
    (settings.runs / "no run").mkdir()
    runs = list_runs(settings.runs)
    assert {run.id for run in runs} == {"one", "two"}
    assert differences([find_run(settings.runs, "one"), find_run(settings.runs, "two")]) == {
        "loss.beta": [0.1, 0.2]
    }
    write_notes(settings.runs / "one", title="The first", text="worth a look")
    assert find_run(settings.runs, "one").title == "The first"
    remove(settings.runs, "one")
    assert [run.id for run in list_runs(settings.runs)] == ["two"]
    with pytest.raises(TrainingError, match="There is no run 'one'"):
        find_run(settings.runs, "one")
    bring_back(settings.runs, "one")
    assert find_run(settings.runs, "one").notes["text"] == "worth a look"
    with pytest.raises(TrainingError, match="cannot be brought back"):
        bring_back(settings.runs, "one")
    for outside in ("../x", "", "one/../../y"):
        with pytest.raises(TrainingError):
            find_run(settings.runs, outside)


def test_a_network_becomes_a_checkpoint_with_an_edited_card_and_its_held_out_set(
    table: Path, settings: Settings, tmp_path: Path
) -> None:
    run = settings.runs / "one"
    result = train_in_folder(little(), [str(table)], run, settings, quiet)
    assert result.checkpoint is not None
    source = run / "checkpoints" / "little"
    edits = {"title": "Ours", "licence": "CC0", "data_terms": "public domain"}
    found = promote(source, "ours", edits, settings)
    assert (found.card.title, found.card.licence) == ("Ours", "CC0")
    (before,), (after,) = result.checkpoint.card.data, found.card.data
    assert after == {**before, "terms": "public domain"}
    assert found.card.measures == result.checkpoint.card.measures
    assert same(load_file(found.weights), weights(run))
    keep_held_out(run, found, settings, quiet)
    held_out = read_labelled(find_set(settings, "ours-held-out").path)
    measured = next(iter(result.measures.values()))["n"]
    assert len(held_out.records) - measured in (0, 1)  # one image of the table is broken
    when = found.weights.stat().st_mtime_ns
    assert promote(source, "ours", edits, settings).card == found.card  # as after a late kill
    assert found.weights.stat().st_mtime_ns == when
    with pytest.raises(CheckpointError, match="already"):
        promote(source, "ours", {}, settings)
    for id in ("", "Ours!", "../x", "mikels8"):
        with pytest.raises(CheckpointError):
            promote(source, id, {}, settings)
    with pytest.raises(TrainingError, match="cannot be edited"):
        promote(source, "other", {"measures": "100 %"}, settings)


def test_what_a_network_learned_from_is_no_set_of_held_out_images(
    table: Path, tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path
) -> None:
    """Of tables for the test alone all images are held out, of the others none; of folds none."""

    def held(data: dict[str, object], test_tables: list[Path]) -> set[str]:
        shutil.rmtree(settings.home / "sets", ignore_errors=True)
        tables = {"tables": [table], "test_tables": test_tables}
        described = {key: [{"table": str(one)} for one in given] for key, given in tables.items()}
        write_json(tmp_path / "settings.json", described)
        card = replace(tiny_checkpoint.card, recipe={"data": data})
        keep_held_out(tmp_path, replace(tiny_checkpoint, card=card), settings, quiet)
        sets = (settings.home / "sets").glob("*.parquet")
        return {record.name for file in sets for record in read_labelled(file).records}

    other = table.with_name("other.csv")
    other.write_text("".join(table.read_text().splitlines(keepends=True)[:6]))
    some = held({"test": 0.3}, [])
    assert 0 < len(some) < len(read_labelled(table).records)
    assert len(held({"test": 0.3}, [other])) == 5
    assert held({"test": 0.3, "folds": 3}, []) == set()


def test_promote_from_the_command_line(
    table: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    run = settings.runs / "one"
    train_in_folder(
        little(RECIPE.replace("epochs: 4", "epochs: 1")), [str(table)], run, settings, quiet
    )
    arguments = ["promote", str(run / "checkpoints" / "little"), "mine", "--title", "Mine"]
    assert main([*arguments, "--run", str(run)]) == 0
    assert read_checkpoint(settings.user_checkpoints / "mine").card.title == "Mine"
    assert main([*arguments, "--licence", "CC0"]) == 2
    assert "already" in capsys.readouterr().err


def test_a_set_of_the_library_is_trained_by_its_id(
    table: Path, settings: Settings, tmp_path: Path
) -> None:
    save_set(settings, "mine", "Mine", read_labelled(table), {})
    recipe = tmp_path / "r.yaml"
    recipe.write_text(RECIPE.replace("epochs: 4", "epochs: 1"))
    run = tmp_path / "run"
    assert main(["train", str(recipe), "--data", "mine", "--run", str(run), "--no-graph"]) == 0
    assert find_run(tmp_path, "run").state == "done"


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_being_asked_to_end_is_a_pause(table: Path, tmp_path: Path, home: Path) -> None:
    run = tmp_path / "run"
    command = ["train", str(long_recipe(tmp_path)), "--data", str(table), "--run", str(run)]
    process = subprocess.Popen(
        [sys.executable, "-m", "emoviz", *command], stdout=subprocess.PIPE, text=True
    )
    until(lambda: len(read_curves(run).epochs) > 1)
    process.send_signal(signal.SIGTERM)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 3
    assert "--resume goes on" in printed
    assert find_run(tmp_path, "run").state == "paused"
    assert (run / "state.safetensors").exists()


def test_recipes_of_choices_are_whole_and_hold_what_was_chosen(settings: Settings) -> None:
    known = find_set(settings, "sample")
    chosen = Choices(
        beta=0.5, margin=3.0, modules=2, learning_rate=0.02, optimiser="sgd", what="all"
    )
    recipe = recipe_of(chosen, MIKELS8, known)
    assert (recipe.loss.beta, recipe.loss.margin, recipe.network.layers) == (0.5, 3.0, (1, 2))
    assert recipe.phases[0].train == "all"
    assert recipe.phases[0].schedule == "restarts"
    probe = recipe_of(replace(chosen, what="probe"), MIKELS8, known)
    assert (probe.network.layers, probe.loss.beta) == ((), 0.0)
    assert recipe.data.sets["mikels8"].title == "Sample images"
