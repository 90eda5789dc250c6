"""The training engine's rules: batches, mixup, optimisers, splits, events, best and last."""

import json
import os
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional as F
from torchvision.transforms.functional import ten_crop
from trainings import quiet

from emoviz.checkpoints import load_network, read_checkpoint
from emoviz.cli import main
from emoviz.data.images import Limits
from emoviz.data.reading import expand, read_labelled
from emoviz.errors import TrainingError
from emoviz.inference.predict import load_model, predict
from emoviz.labels import MIKELS8
from emoviz.models.network import Normalise, Output
from emoviz.settings import Settings
from emoviz.training import loop
from emoviz.training.batches import Mix, ViewBatches
from emoviz.training.loop import make_optimiser, train
from emoviz.training.prepare import Worker, prepare
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.run import train_in_folder
from emoviz.training.state import Training

BASE = """
name: little
taxonomy: mikels8
network: {backbone: test_efficientnet, pretrained: false}
input: {size: 64}
loss: {beta: 0.1, margin: 3}
data: {validation: 0.25, test: 0.25}
"""
HEADS = "phases: [{train: heads, epochs: 2, batch: 8, views: 1, positions: 8}]\n"
ALL = "phases: [{train: all, epochs: 2, batch: 8, precision: fp32}]\n"


SPLITS = [("train", "train", "validation", "test")[i // 8] for i in range(32)]


@pytest.fixture
def table(tmp_path: Path, make_table: Callable[..., Path]) -> Path:
    return make_table(tmp_path / "set", MIKELS8.names * 4, split=SPLITS)


def training(recipe: Recipe, table: Path, worker: Worker | None = None) -> Training:
    prepared = prepare(recipe, [str(table)], quiet, worker)
    return prepared.training(prepared.rows_of_split("train"), prepared.rows_of_split("validation"))[
        0
    ]


def test_mixup_blends_images_and_their_losses(table: Path) -> None:
    recipe = read_recipe(BASE + ALL + "augment: {mixup: 0.4}")
    state = training(recipe, table)
    batches = ViewBatches(state, recipe.phases[0], 1)
    batch = next(batches.epoch(1, 0))
    mix = batches.mix(batch, np.random.default_rng(3))
    assert mix.partner is not None
    plain, mixed = batches.inputs(batch, Mix()), batches.inputs(batch, mix)
    for i, j in enumerate(mix.partner):
        by_hand = mix.share * plain[i] + (1 - mix.share) * plain[j]
        torch.testing.assert_close(mixed[i], by_hand)
    logits, u = torch.randn(8, 8), torch.randn(8, state.network.width)
    out = Output(logits, u, u, u)
    total, entropy, intra, inter = loop._terms(
        state, loop.Truth.of(state, batch.rows), out, mix, shared=True
    ).detach()
    single, centers = state.train.single[batch.rows], state.loss.centers.detach()
    wanted_entropy = wanted_intra = 0.0
    for i, j in enumerate(mix.partner):
        for share, k in ((mix.share, i), (1 - mix.share, j)):
            label = int(single[k])
            wanted_entropy += share * float(F.cross_entropy(logits[i], torch.tensor(label))) / 8
            wanted_intra += share * float((u[i] - centers[label]).square().sum()) / 8
    assert float(entropy) == pytest.approx(wanted_entropy, rel=1e-5)
    assert float(intra) == pytest.approx(wanted_intra, rel=1e-5)
    assert float(total) == pytest.approx(float(entropy + 0.1 * (intra + inter)), rel=1e-5)


def test_a_last_batch_of_one_is_left_out(table: Path) -> None:
    text = ALL.replace("batch: 8", "batch: 5")  # 16 images: three batches and one image
    recipe = read_recipe(BASE + text)
    state = training(recipe, table)
    seen = [len(b.rows) for b in ViewBatches(state, recipe.phases[0], 1).epoch(1, 0)]
    assert seen == [5, 5, 5]
    results = list(train(state))
    assert [r.step for r in results] == [3, 6]


def test_readers_in_processes_of_their_own_change_nothing(table: Path) -> None:
    recipe = read_recipe(BASE + ALL + "augment: {randaugment: 3, colour: 0.2}")
    kept = []
    for readers in (0, 1):
        state = training(recipe, table, Worker(readers=readers))
        batches = ViewBatches(state, recipe.phases[0], 1)
        kept.append([(b.rows, b.images) for e in (1, 2) for b in batches.epoch(e, 0)])
    for (rows, images), (again, others) in zip(*kept, strict=True):
        assert np.array_equal(rows, again)
        assert torch.equal(images, others)


def test_images_that_vanish_during_training_are_told_and_left_out(table: Path) -> None:
    recipe = read_recipe(BASE + ALL)
    state = training(recipe, table)
    told: list[str] = []
    state.tell = told.append
    (table.parent / "3.jpg").unlink()
    (table.parent / "4.jpg").write_bytes(b"no image any more")
    results = list(train(state))
    assert len(results) == 2
    assert sorted(line.split()[0] for line in told) == ["3.jpg", "4.jpg"]


def test_a_folder_that_vanishes_is_an_error(table: Path) -> None:
    recipe = read_recipe(BASE + ALL)
    state = training(recipe, table)
    for file in table.parent.glob("*.jpg"):
        file.unlink()
    with pytest.raises(TrainingError, match="Only 0 of the 8 images of a batch can be read"):
        list(train(state))


def test_optimisers_get_what_the_recipe_says(table: Path) -> None:
    text = (
        "phases: [{train: all, batch: 8, precision: fp32, optimiser: sgd, learning_rate: 0.02, "
        "backbone_learning_rate: 0.01, center_learning_rate: 3, momentum: 0.8, "
        "weight_decay: 0.1}]"
    )
    state = training(read_recipe(BASE + text), table)
    phase = state.recipe.phases[0]
    optimiser = make_optimiser(state, phase)
    assert isinstance(optimiser, torch.optim.SGD)
    rates = [group["lr"] for group in optimiser.param_groups]
    assert rates == pytest.approx([0.02, 0.02, 0.01, 0.01, 0.06])
    assert {(g["momentum"], g["nesterov"]) for g in optimiser.param_groups} == {(0.8, False)}
    for group in optimiser.param_groups:
        flat = all(p.dim() < 2 for p in group["params"])
        centers = group["params"][0] is state.loss.centers
        assert group["weight_decay"] == (0.0 if flat or centers else 0.1)
    held = [p for group in optimiser.param_groups for p in group["params"]]
    assert len(held) == len({id(p) for p in held})
    every = [*state.network.parameters(), state.loss.centers]
    assert {id(p) for p in held} == {id(p) for p in every}
    four = replace(state.processes, count=4)
    state.processes = four
    scaled = make_optimiser(state, replace(phase, per_device=True, optimiser="adagrad"))
    assert isinstance(scaled, torch.optim.Adagrad)
    assert scaled.param_groups[0]["lr"] == pytest.approx(0.08)


def test_without_the_loss_the_centers_stay(table: Path) -> None:
    state = training(read_recipe((BASE + HEADS).replace("beta: 0.1", "beta: 0.0")), table)
    before = state.loss.centers.detach().clone()
    list(train(state))
    assert torch.equal(before, state.loss.centers)


def test_a_set_of_one_class_is_refused(tmp_path: Path, make_table: Callable[..., Path]) -> None:
    table = make_table(tmp_path / "one", ["awe"] * 32, split=SPLITS)
    with pytest.raises(TrainingError, match=r"one class \(awe\)"):
        prepare(read_recipe(BASE + HEADS), [f"mikels8={table}"], quiet)


def test_classes_without_an_image_are_told(tmp_path: Path, make_table: Callable[..., Path]) -> None:
    table = make_table(tmp_path / "two", ["awe", "fear"] * 16, split=SPLITS)
    told: list[str] = []
    prepare(read_recipe(BASE + HEADS), [f"mikels8={table}"], told.append)
    assert any("No training image is amusement, contentment" in line for line in told)


def test_a_run_without_validation_is_not_calibrated(
    table: Path, tmp_path: Path, settings: Settings, no_graph: None
) -> None:
    table.write_text(table.read_text().replace(",validation", ",train"))
    recipe = (BASE + HEADS).replace("validation: 0.25", "validation: 0.0")
    result = train_in_folder(read_recipe(recipe), [str(table)], tmp_path / "r", settings, quiet)
    assert result.checkpoint is not None
    assert result.checkpoint.card.temperature == 1.0
    assert "no validation split" in result.checkpoint.card.calibration["method"]
    with pytest.raises(TrainingError, match="validation split holds 0 images"):
        prepare(read_recipe(BASE + HEADS), [str(table)], quiet)


def test_best_and_last_are_both_kept(
    table: Path, tmp_path: Path, settings: Settings, no_graph: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = HEADS.replace("epochs: 2", "epochs: 4").replace("train: heads", "train: all")
    recipe, losses = read_recipe(BASE + heads), iter([3.0, 1.0, 2.0, 2.0])
    validate = loop._validate
    weights: list[torch.Tensor] = []

    def scripted(state: Training, batches: object) -> loop.ValidationOutputs:
        seen = validate(state, batches)  # type: ignore[arg-type]
        assert seen is not None
        weights.append(state.network.classifier.weight.detach().clone())
        state.place.best = float("inf") if len(weights) == 1 else state.place.best
        value = next(losses)
        if value < state.place.best or len(weights) == 1:
            state.place.best, state.place.best_total = value, state.place.total
        return replace(seen, entropy=value)

    monkeypatch.setattr(loop, "_validate", scripted)
    run = tmp_path / "run"
    train_in_folder(recipe, [str(table)], run, settings, quiet)
    last = load_file(run / "checkpoints" / "little" / "model.safetensors")
    best = load_file(run / "checkpoints" / "little-best" / "model.safetensors")
    torch.testing.assert_close(last["network.classifier.weight"], weights[3])
    torch.testing.assert_close(best["network.classifier.weight"], weights[1])
    assert read_checkpoint(run / "checkpoints" / "little-best").card.id == "little-best"


def scalars(file: Path) -> list[tuple[int, str, float]]:
    """(step, tag, value) of a TensorBoard file, read record by record."""
    from tensorboardX.proto.event_pb2 import Event

    data, place, found = file.read_bytes(), 0, []
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        event = Event.FromString(data[place + 12 : place + 12 + length])
        place += 12 + length + 4
        found += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
    return found


def test_events_and_lines_say_the_same(
    table: Path, tmp_path: Path, settings: Settings, no_graph: None
) -> None:
    run = tmp_path / "run"
    train_in_folder(read_recipe(BASE + HEADS), [str(table)], run, settings, quiet)
    (file,) = (run / "events" / "training").iterdir()
    told = {(step, tag): value for step, tag, value in scalars(file)}
    lines = [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"step", "epoch"}
    for line in lines:
        for key in ("entropy", "intra", "inter", "learning_rate", "gradient_norm"):
            value = told[line["step"], f"{line['kind']}/{key}"]
            assert value == pytest.approx(line[key], rel=1e-5)
        for key in ("images_per_second", "seconds_left", "epoch", "loss"):
            assert key in line
    assert "phase 1 epoch 2/2" in (run / "log.txt").read_text()


def test_a_tracker_that_is_not_installed_is_told_before_anything_is_done(
    table: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoviz.training.trackers.find_spec", lambda name: None)
    recipe = read_recipe(BASE + HEADS + "tracker: wandb\n")
    with pytest.raises(TrainingError, match=r"Weights & Biases.*emoviz\[wandb\]"):
        train_in_folder(recipe, [str(table)], tmp_path / "run", settings, quiet)
    assert not (tmp_path / "run" / "events").exists()


@pytest.mark.filterwarnings("default")  # of packages that are not ours
@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_another_tracker_gets_the_same_curves(
    table: Path, tmp_path: Path, settings: Settings, no_graph: None, name: str
) -> None:
    if "EMOVIZ_REQUIRE_TRACKERS" not in os.environ:
        pytest.importorskip(name)
    run, told = tmp_path / "run", list[str]()
    recipe = read_recipe(BASE + HEADS + f"tracker: {name}\n")
    train_in_folder(recipe, [str(table)], run, settings, told.append)
    assert [line for line in told if "cannot be written" in line] == []
    lines = [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]
    epochs = [(line["step"], line["entropy"]) for line in lines if line["kind"] == "epoch"]
    if name == "mlflow":
        with sqlite3.connect(run / "events" / "mlflow.db") as base:
            sql = "select step, value from metrics where key = 'epoch/entropy' order by step"
            assert base.execute(sql).fetchall() == [
                (step, pytest.approx(value)) for step, value in epochs
            ]
    else:
        (file,) = (run / "events").glob("wandb/offline-run-*/*.wandb")
        for _ in range(150):  # its own process writes the file, and may be at it still
            if len(held := wandb_entropies(file)) == len(epochs):
                break
            time.sleep(0.2)
        assert held == [(step, pytest.approx(value)) for step, value in epochs]


def wandb_entropies(file: Path) -> list[tuple[int, float]]:
    from wandb.proto.wandb_internal_pb2 import Record

    held = []
    for data in leveldb_records(file.read_bytes()):
        items = Record.FromString(data).history.item
        values = {".".join(item.nested_key) or item.key: item.value_json for item in items}
        if "epoch/entropy" in values:
            held.append((int(values["_step"]), float(values["epoch/entropy"])))
    return held


def leveldb_records(data: bytes) -> Iterator[bytes]:
    """Of a file of Weights & Biases: a head of 7 bytes, then records in blocks of 32 KB."""
    at, held = 7, b""
    while at + 7 <= len(data):
        if (room := 32_768 - at % 32_768) < 7:
            at += room
            continue
        size, kind = struct.unpack_from("<HB", data, at + 4)
        held += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            yield held
            held = b""


FACES = """
name: {name}
taxonomy: mikels8
network: {{backbone: {backbone}, layers: [], pretrained: false}}
input: {{size: 48, fit: squash, crop: 1.0, ten_crop: 40}}
loss: {{beta: 0}}
augment: {{crop: window, flip: true}}
data: {{validation: 0.25, test: 0.25}}
phases: [{{train: all, epochs: 1, batch: 8, optimiser: sgd, batch_norm: trained}}]
"""


def test_a_fusion_trains_its_members_and_runs_in_every_engine(
    table: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    for name, backbone in (("one", "test_efficientnet"), ("two", "test_resnet")):
        (folder / f"{name}.yaml").write_text(FACES.format(name=name, backbone=backbone))
    fused = FACES.format(name="both", backbone="test_resnet") + "fuse: [one, two]\n"
    (folder / "both.yaml").write_text(fused)
    monkeypatch.setattr("emoviz.training.recipe_loading.RECIPES", folder)
    run = tmp_path / "run"
    result = train_in_folder("both", [str(table)], run, settings, quiet)
    assert result.checkpoint is not None
    members = [read_checkpoint(run / "members" / n / "checkpoints" / n) for n in ("one", "two")]
    sources = expand([table.parent / "1.jpg", table.parent / "2.jpg"], settings)
    for kind in ("onnx", "torch"):
        whole = list(predict(load_model(result.checkpoint, settings, kind), sources))  # type: ignore[arg-type]
        assert all(p.error is None for p in whole)
    arrays = np.stack(
        [
            result.checkpoint.card.preprocessing.to_array(image)
            for image in _opened(table, ["1.jpg", "2.jpg"])
        ]
    )
    card = result.checkpoint.card
    prepared = Normalise(card.preprocessing.mean, card.preprocessing.std)(torch.from_numpy(arrays))
    networks = [load_network(member).eval() for member in members]
    by_hand = []
    with torch.no_grad():
        for crop in ten_crop(prepared, [40, 40]):
            each = torch.stack([network(crop).logits.softmax(dim=1) for network in networks])
            by_hand.append(each.mean(dim=0).log())
    wanted = torch.stack(by_hand).mean(dim=0)
    given = load_model(result.checkpoint, settings, "onnx").engine.run(arrays).logits
    np.testing.assert_allclose(given, wanted.numpy(), atol=1e-4)


def _opened(table: Path, names: list[str]):  # type: ignore[no-untyped-def]
    from emoviz.data.images import open_image

    return [open_image((table.parent / n).read_bytes(), Limits()).pixels for n in names]


def test_the_command_line_trains_sets_values_and_resumes(
    table: Path,
    tmp_path: Path,
    home: Path,
    no_graph: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe, run = tmp_path / "little.yaml", tmp_path / "run"
    recipe.write_text(BASE + HEADS)
    verb = ["train", str(recipe), "--data", str(table), "--run", str(run), "--set", "loss.beta=0.5"]
    assert main([*verb, "phases.0.epochs=1"]) == 0
    card = read_checkpoint(run / "checkpoints" / "little").card
    assert card.recipe["loss"]["beta"] == 0.5
    assert card.recipe["phases"][0]["epochs"] == 1
    capsys.readouterr()
    assert main([*verb, "phases.0.epochs=1", "--resume"]) == 0
    assert "is finished already" in capsys.readouterr().out
    assert main([*verb, "--resume"]) == 2
    assert "phases" in capsys.readouterr().err
    assert main(["train", str(recipe), "--data", str(table), "--set", "loss.gamma=1"]) == 2
    assert "--set loss.gamma=1" in capsys.readouterr().err
    assert main(["train", str(recipe), "--data", str(table), "--resume"]) == 2
    assert "--run" in capsys.readouterr().err


def test_tables_for_the_test_alone(
    table: Path,
    tmp_path: Path,
    make_table: Callable[..., Path],
    settings: Settings,
    no_graph: None,
) -> None:
    other = make_table(tmp_path / "other", MIKELS8.names * 3, seed=100, split=SPLITS[:24])
    recipe = read_recipe(BASE + HEADS)
    prepared = prepare(recipe, [str(table)], quiet, test_tables=[str(other)])
    splits = {r.path.parent.name: set() for r in prepared.targets.records}
    for record in prepared.targets.records:
        splits[record.path.parent.name].add(record.split)
    assert splits["other"] == {"test"}
    result = train_in_folder(
        recipe, [str(table)], tmp_path / "r", settings, quiet, test_tables=[str(other)]
    )
    assert any(name.startswith("other/labels.csv") for name in result.measures)
    folds = read_recipe((BASE + HEADS).replace("{validation: 0.25, test: 0.25}", "{folds: 2}"))
    with pytest.raises(TrainingError, match=r"do not go with data\.folds"):
        prepare(folds, [str(table)], quiet, test_tables=[str(other)])
    assert len(read_labelled(other).records) == 24


def test_nothing_is_learned_from_copies_of_what_is_held_out(
    table: Path, tmp_path: Path, make_table: Callable[..., Path]
) -> None:
    other = make_table(tmp_path / "other", MIKELS8.names * 3, seed=100, split=("train",) * 24)
    learned = [r for r in read_labelled(table).records if r.split == "train"]
    judged = [r for r in read_labelled(table).records if r.split == "test"]
    validation = [r for r in read_labelled(table).records if r.split == "validation"]
    others = read_labelled(other).records
    learned[0].path.write_bytes(judged[0].path.read_bytes())
    others[3].path.write_bytes(judged[1].path.read_bytes())
    others[4].path.write_bytes(validation[0].path.read_bytes())
    validation[1].path.write_bytes(judged[2].path.read_bytes())
    with Image.open(judged[3].path) as picture:  # saved anew, smaller
        picture.resize((40, 40)).save(others[6].path, quality=60)
    recipe = read_recipe(BASE + HEADS)
    told: list[str] = []
    prepared = prepare(recipe, [str(table), str(other)], told.append)
    mine, theirs = prepared.refused[str(table)], prepared.refused[str(other)]
    assert mine == dict.fromkeys(
        (learned[0].name, validation[1].name), "the same file is among the test images"
    )
    assert theirs == {
        others[3].name: "the same file is among the test images",
        others[4].name: "the same file is among the validation images",
        others[6].name: f"it looks like {judged[3].name} of the test images",
    }
    assert not {learned[0].path, validation[1].path, *(others[k].path for k in (3, 4, 6))} & {
        record.path for record in prepared.targets.records
    }
    assert judged[0].path in {r.path for r in prepared.targets.records}
    assert [line[-12:] for line in told if "judged by" in line] == ["judged by: 2", "judged by: 3"]
    again = prepare(recipe, [str(table), str(other)], quiet, known=prepared.refused)
    assert again.targets.records == prepared.targets.records
