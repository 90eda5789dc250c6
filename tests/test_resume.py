"""Runs that are interrupted: killed, out of memory, on a full disk, with a loss gone wild.

By default a training is killed twenty times; with EMOVIZ_ALL_FAULTS=1 two hundred times.
"""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from trainings import quiet, same, weights

from emoviz.errors import TrainingError
from emoviz.files import read_json
from emoviz.models.backbones import Backbone
from emoviz.models.network import EmotionNetwork
from emoviz.settings import Settings
from emoviz.training import loop, progress, state
from emoviz.training.folder import first_difference
from emoviz.training.loop import train
from emoviz.training.prepare import Worker, prepare
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.run import train_in_folder
from emoviz.training.state import Keeper, Training, network_tensors, read_values

pytestmark = pytest.mark.usefixtures("no_graph")
HERE = Path(__file__).resolve().parent
KILLS = 200 if "EMOVIZ_ALL_FAULTS" in os.environ else 20
BASE = """
name: little
taxonomy: mikels8
network: {backbone: test_efficientnet, pretrained: false, pooled_dropout: 0.2, standardise: true}
input: {size: 64}
loss: {beta: 0.1, margin: 3}
data: {validation: 0.25, test: 0.25}
phases:
"""
HEADS = "  - {train: heads, epochs: 2, batch: 8, views: 2, positions: 8}\n"
TAIL = HEADS.replace("heads", "tail").replace("8}", "8, precision: fp32, average: 0.5}")
MIXUP = "augment: {mixup: 0.2}\n"
LINEAR = BASE.replace(
    "standardise: true",
    "standardise: true, kinds: [photograph, painting], kinds_from: both, linear_start: [1, 1]",
).replace("test: 0.25", "test: 0.25, sets: {mikels8: {kind: painting}}")
ALL = "  - {train: all, epochs: 2, batch: 8, precision: fp32, schedule: restarts, optimiser: sgd}\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_random_kills_change_nothing(table: Path, tmp_path: Path, home: Path) -> None:
    recipe = tmp_path / "little.yaml"
    text = BASE.replace("{validation: 0.25, test: 0.25}", "{folds: 2}")
    recipe.write_text((MIXUP + text + HEADS + TAIL + ALL).replace("epochs: 2", "epochs: 1"))
    environment = {**os.environ, "EMOVIZ_SAVE_SECONDS": "0.01", "EMOVIZ_READERS": "0"}
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_runs.py"), recipe, table, tmp_path, str(KILLS)],
        env={**environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        timeout=20 * KILLS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kills"] >= KILLS
    undisturbed = weights(tmp_path / "undisturbed")
    runs = sorted(tmp_path.glob("killed-*"))
    assert len(runs) == len(told["runs"])
    for run in runs:
        assert same(weights(run), undisturbed), run.name
        assert epochs(run) == epochs(tmp_path / "undisturbed")
        assert not (run / "state.safetensors").exists()


def epochs(run: Path) -> list[tuple[int, ...]]:
    """What the progress says was done, without the times."""
    lines = [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]
    keys = ("fold", "phase", "epoch", "step", "loss", "entropy", "intra", "validation_entropy")
    return [tuple(line[key] for key in keys) for line in lines if line["kind"] == "epoch"]


class Killed(BaseException):
    """Stands for the death of the process."""


def started(recipe: Recipe, table: Path, file: Path | None) -> tuple[Training, Keeper]:
    prepared = prepare(recipe, [str(table)], quiet, Worker())
    state_, _ = prepared.training(
        prepared.rows_of_split("train"), prepared.rows_of_split("validation")
    )
    keeper = Keeper(file, every=0.0)
    keeper.restore(state_)
    return state_, keeper


@pytest.mark.parametrize(
    "text",
    [
        BASE + HEADS,
        LINEAR + HEADS,
        BASE + TAIL,
        MIXUP + BASE + ALL,
        MIXUP + BASE + HEADS + TAIL + ALL,
    ],
    ids=["heads", "linear start", "tail", "all", "each"],
)
def test_death_after_any_step_or_epoch_ends_with_the_same_weights(
    table: Path, tmp_path: Path, text: str
) -> None:
    recipe = read_recipe(text)
    whole, _ = started(recipe, table, None)
    steps: list[int] = []
    list(train(whole, watch=lambda result: steps.append(result.step)))
    dice = np.random.default_rng(1)
    for stop in dice.choice(steps[:-1], min(4, len(steps) - 1), replace=False):
        file = tmp_path / f"state-{stop}.safetensors"

        def die(result: Any, stop: int = int(stop)) -> None:
            if result.step > stop:
                raise Killed

        first, keeper = started(recipe, table, file)
        with pytest.raises(Killed):
            list(train(first, keeper, die))
        again, keeper = started(recipe, table, file)
        assert 0 < again.place.total <= stop + 1
        list(train(again, keeper))
        ours, theirs = network_tensors(whole.network), network_tensors(again.network)
        assert same(ours, theirs), f"killed after step {stop}"
        assert torch.equal(whole.loss.centers, again.loss.centers)


def test_a_finished_run_is_given_back_at_once(
    table: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(BASE + HEADS)
    run = tmp_path / "run"
    first = train_in_folder(recipe, [str(table)], run, settings, quiet)
    monkeypatch.setattr("emoviz.training.run.train", lambda *a: pytest.fail("trained again"))
    again = train_in_folder(recipe, [str(table)], run, settings, quiet, resume=True)
    assert again.measures == first.measures
    assert again.checkpoint is not None
    assert again.checkpoint.card == first.checkpoint.card  # type: ignore[union-attr]


def test_resume_without_a_run_begins_one(table: Path, tmp_path: Path, settings: Settings) -> None:
    recipe = read_recipe(BASE + HEADS)
    result = train_in_folder(recipe, [str(table)], tmp_path / "r", settings, quiet, resume=True)
    assert result.checkpoint is not None


def interrupted(recipe: Recipe, table: Path, run: Path, settings: Settings, after: int) -> None:
    """A run that dies after some epochs."""
    count = 0

    def die(line: str) -> None:
        nonlocal count
        count += line.startswith("phase")
        if count > after:
            raise Killed

    with pytest.raises(Killed):
        train_in_folder(recipe, [str(table)], run, settings, die)


def test_another_recipe_or_table_does_not_go_on_with_a_run(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    recipe = read_recipe(BASE + HEADS)
    run = tmp_path / "run"
    interrupted(recipe, table, run, settings, 1)
    other = read_recipe((BASE + HEADS).replace("beta: 0.1", "beta: 0.2"))
    with pytest.raises(TrainingError, match=r"another recipe \(loss\.beta is 0\.1, wanted 0\.2\)"):
        train_in_folder(other, [str(table)], run, settings, quiet, resume=True)
    with table.open("a") as stream:
        stream.write("1.jpg,awe,x\n")
    with pytest.raises(TrainingError, match="begun with other tables, or they have changed"):
        train_in_folder(recipe, [str(table)], run, settings, quiet, resume=True)
    with pytest.raises(TrainingError, match=r"is not empty.*--resume"):
        train_in_folder(recipe, [str(table)], run, settings, quiet)


def test_the_first_difference_of_two_recipes_is_named() -> None:
    recipe = read_recipe(BASE + HEADS + ALL).to_dict()
    other = read_recipe(BASE + HEADS + ALL.replace("epochs: 2", "epochs: 3")).to_dict()
    assert first_difference(recipe, other) == "phases.1.epochs is 2, wanted 3"
    longer = read_recipe(BASE + HEADS + ALL + TAIL).to_dict()
    assert first_difference(recipe, longer).startswith("phases.2.train is missing, wanted tail")
    assert first_difference(longer, recipe).startswith("phases.2.train is tail, wanted nothing")
    layers = read_recipe(BASE.replace("standardise", "layers: [1, 2], standardise") + HEADS + ALL)
    assert first_difference(recipe, layers.to_dict()) == (
        "network.layers is [1, 2, 3], wanted [1, 2]"
    )
    assert first_difference({}, recipe).startswith("name is missing, wanted little")


@pytest.mark.parametrize("text", ["", '{"half": ', "[1, 2]", None])
def test_a_run_whose_settings_cannot_be_read_is_not_resumed(
    tmp_path: Path, settings: Settings, text: str | None
) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    if text is not None:
        (run / "settings.json").write_text(text)
    assert read_json(run / "settings.json") is None
    with pytest.raises(TrainingError, match=r"no readable settings\.json"):
        train_in_folder(read_recipe(BASE + HEADS), ["x.csv"], run, settings, quiet, resume=True)


def test_a_run_folder_is_read_without_torch() -> None:
    code = "import sys, emoviz.training.folder; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_damaged_state_costs_time_alone(table: Path, tmp_path: Path, settings: Settings) -> None:
    recipe = read_recipe(BASE + HEADS + ALL)
    whole = tmp_path / "whole"
    train_in_folder(recipe, [str(table)], whole, settings, quiet)
    run = tmp_path / "run"
    interrupted(recipe, table, run, settings, 2)
    (run / "state.safetensors").write_bytes(b"half a file")
    train_in_folder(recipe, [str(table)], run, settings, quiet, resume=True)
    assert same(weights(run), weights(whole))
    assert epochs(run) == epochs(whole)


@pytest.mark.parametrize("after", [3, 4])
def test_death_in_the_tail_of_a_fold_does_not_reach_the_next(
    table: Path, tmp_path: Path, settings: Settings, after: int
) -> None:
    text = BASE.replace("{validation: 0.25, test: 0.25}", "{folds: 2}") + HEADS + TAIL
    recipe = read_recipe(text)
    whole, run = tmp_path / "whole", tmp_path / "run"
    train_in_folder(recipe, [str(table)], whole, settings, quiet)
    cache = sorted((settings.home / "cache" / "features").iterdir())
    interrupted(recipe, table, run, settings, after)
    train_in_folder(recipe, [str(table)], run, settings, quiet, resume=True)
    assert same(weights(run), weights(whole))
    assert epochs(run) == epochs(whole)
    assert sorted((settings.home / "cache" / "features").iterdir()) == cache
    for file in (whole / "folds").iterdir():
        assert same(load_file(file), load_file(run / "folds" / file.name))


def test_parallel_modules_that_share_their_scales_survive(table: Path, tmp_path: Path) -> None:
    text = (BASE + HEADS).replace(
        "standardise: true",
        "standardise: true, layers: [blocks.1.0], module: multiplicative, parallel: 3",
    )
    recipe, file = read_recipe(text), tmp_path / "state.safetensors"
    whole, _ = started(recipe, table, None)
    list(train(whole))

    def die(result: Any) -> None:
        if result.step > 2:
            raise Killed

    first, keeper = started(recipe, table, file)
    with pytest.raises(Killed):
        list(train(first, keeper, die))
    again, keeper = started(recipe, table, file)
    assert again.place.total > 0
    list(train(again, keeper))
    assert same(network_tensors(whole.network), network_tensors(again.network))


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from emoviz.training.progress import StepResult, TrainingProgress

    told = TrainingProgress(tmp_path, quiet)
    result = StepResult(1, 1, 1, 1.0, 1.0, 1.0, 1.0, 0.1, 1.0, 1.0, 1.0)
    told.step(result)
    append = progress._append

    def half(file: Path, text: str) -> None:
        append(file, text[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(progress, "_append", half)
        told._note("step", {"step": 2})
    told._note("step", {"step": 3})
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 3]
    assert told.size == (tmp_path / "progress.jsonl").stat().st_size


def test_what_a_killed_process_left_aside_is_swept_up(
    table: Path, tmp_path: Path, settings: Settings
) -> None:
    recipe, run = read_recipe(BASE + HEADS), tmp_path / "run"
    interrupted(recipe, table, run, settings, 1)
    (run / ".state.safetensors.abc").write_bytes(b"half")
    (run / ".best-state.safetensors.abc").write_bytes(b"half")
    train_in_folder(recipe, [str(table)], run, settings, quiet, resume=True)
    names = {item.name for item in run.iterdir()}
    kept = {"settings.json", "progress.jsonl", "log.txt", "events", "measures.json"}
    kept |= {"probe.json", "snapshots"}
    assert names - {"run.lock"} == kept | {"checkpoints"}


def test_a_vanished_image_is_not_measured(
    table: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(BASE + ALL)
    told: list[str] = []
    prepared = prepare(recipe, [str(table)], quiet)
    test = [r for r in prepared.targets.records if r.split == "test"]
    measure = "emoviz.training.run.measure_splits"
    from emoviz.training.finish import measure_splits

    def later(state_: Training, targets: Any) -> Any:
        test[0].path.unlink(missing_ok=True)  # the best epoch's network is measured, too
        return measure_splits(state_, targets)

    monkeypatch.setattr(measure, later)
    result = train_in_folder(recipe, [str(table)], tmp_path / "r", settings, told.append)
    (values,) = result.measures.values()
    assert values["n"] == len(test) - 1
    assert any(f"not measured: {test[0].name}" in line for line in told)


def test_features_of_a_vanished_image_are_an_error_that_names_it(table: Path) -> None:
    recipe = read_recipe(BASE + HEADS)
    gone, _ = started(recipe, table, None)
    name = gone.train.records[3].name
    (table.parent / name).unlink()
    with pytest.raises(TrainingError, match=f"{name} cannot be read any more"):
        list(train(gone))


def test_a_state_of_another_network_is_refused(table: Path, tmp_path: Path) -> None:
    file = tmp_path / "state.safetensors"
    one, keeper = started(read_recipe(BASE + HEADS), table, file)
    list(train(one, keeper))
    narrow = read_recipe((BASE + HEADS).replace("standardise: true", "layers: [1, 2]"))
    with pytest.raises(TrainingError, match="does not fit the recipe's network"):
        started(narrow, table, file)


def test_two_processes_do_not_share_a_run(table: Path, tmp_path: Path, settings: Settings) -> None:
    from filelock import FileLock

    run = tmp_path / "run"
    run.mkdir()
    with (
        FileLock(run / "run.lock"),
        pytest.raises(TrainingError, match="Another process is at work"),
    ):
        train_in_folder(read_recipe(BASE + HEADS), [str(table)], run, settings, quiet)


def full_disk(*arguments: Any, **named: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_and_survived(
    table: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(BASE + HEADS)
    told: list[str] = []
    whole = tmp_path / "whole"
    train_in_folder(recipe, [str(table)], whole, settings, quiet)
    monkeypatch.setattr(state, "write_tensors", full_disk)
    monkeypatch.setattr(progress, "_append", full_disk)
    run = tmp_path / "run"
    train_in_folder(recipe, [str(table)], run, settings, told.append)
    assert same(weights(run), weights(whole))
    assert sum("state cannot be kept" in line for line in told) == 1
    assert sum("progress cannot be written" in line for line in told) == 1


def test_a_checkpoint_that_finds_no_room_can_be_written_later(
    table: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(BASE + HEADS)
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("emoviz.training.run.save_checkpoint", full_disk)
        with pytest.raises(TrainingError, match=r"No space left.*--resume"):
            train_in_folder(recipe, [str(table)], run, settings, quiet)
    monkeypatch.setattr(loop, "_backward", lambda *a: pytest.fail("learned again"))
    result = train_in_folder(recipe, [str(table)], run, settings, quiet, resume=True)
    assert result.checkpoint is not None


def shorten_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """A backbone that takes so many images at most while it learns."""
    forward = Backbone.forward

    def limited(self: Backbone, images: torch.Tensor) -> Any:
        if len(images) > most and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")
        return forward(self, images)

    monkeypatch.setattr(Backbone, "forward", limited)


EXACT = "  - {train: all, epochs: 2, batch: 12, precision: fp32, optimiser: sgd}\n"


def test_a_batch_too_large_for_the_memory_goes_in_pieces(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe((BASE + EXACT).replace("standardise: true", "gram_dropout: 0.3"))
    whole, _ = started(recipe, table, None)
    list(train(whole))
    told: list[str] = []
    shorten_memory(monkeypatch, 3)
    cut, _ = started(recipe, table, None)
    cut.tell = told.append
    list(train(cut))
    assert len(told) == 2
    assert "batches now pass the backbone in 4 pieces; the result stays the same" in told[-1]
    theirs = network_tensors(cut.network)
    for name, value in network_tensors(whole.network).items():
        torch.testing.assert_close(value, theirs[name], atol=2e-5, rtol=2e-4)


def test_memory_too_short_for_two_images_is_an_error(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_memory(monkeypatch, 1)
    recipe = read_recipe((BASE + EXACT).replace("batch: 12", "batch: 4"))
    cut, _ = started(recipe, table, None)
    with pytest.raises(TrainingError, match=r"Memory is too short.*phases\.0\.batch"):
        list(train(cut))


def test_memory_too_short_for_kept_features_is_an_error(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads, _ = started(read_recipe(BASE + HEADS), table, None)

    def head(*arguments: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")

    monkeypatch.setattr(EmotionNetwork, "head", head)
    with pytest.raises(TrainingError, match=r"for a step of 8 images.*phases\.0\.batch"):
        list(train(heads))


def test_other_errors_are_not_taken_for_short_memory(table: Path) -> None:
    cut, _ = started(read_recipe(BASE + EXACT), table, None)
    cut.network.classifier = torch.nn.Linear(3, 8)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        list(train(cut))


@pytest.mark.parametrize("phases", [HEADS, ALL])
def test_a_loss_gone_wild_keeps_the_last_good_state(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phases: str
) -> None:
    file = tmp_path / "state.safetensors"
    wild, keeper = started(read_recipe(BASE + phases), table, file)
    entropy = loop.bridged_cross_entropy

    def sometimes(*arguments: Any) -> torch.Tensor:
        value = entropy(*arguments)
        return value * float("nan") if wild.place.total >= 3 else value

    monkeypatch.setattr(loop, "bridged_cross_entropy", sometimes)
    with pytest.raises(TrainingError, match=r"entropy term of the loss is nan at step 4 \(phase 1"):
        list(train(wild, keeper))
    kept = read_values(file)
    assert kept is not None
    assert kept["place"]["total"] == 3
    for name, value in load_file(file).items():
        assert torch.isfinite(value.float()).all(), name
    assert all(torch.isfinite(v).all() for v in network_tensors(wild.network).values())


def test_a_gradient_that_is_not_finite_is_told_apart(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild, _ = started(read_recipe(BASE + HEADS), table, None)
    norm = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda *a: norm(*a) + torch.tensor(float("inf"))
    )
    with pytest.raises(TrainingError, match="gradient is inf at step 1"):
        list(train(wild))
