"""The pages Retrain and Runs without a browser: empty, normal and broken input."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_pages import drawn_tables, healthy, labels, open_page
from digests import digest
from encoder_folders import write_clip
from streamlit.testing.v1 import AppTest

from emoviz import jobs
from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.library import save_set
from emoviz.data.reading import read_labelled
from emoviz.files import write_json
from emoviz.settings import Settings, load_settings
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.run import train_in_folder
from emoviz.training.runs import find_run, list_runs, read_curves
from emoviz.training.zero_shot import add_zero_shot

pytestmark = pytest.mark.usefixtures("jobs_end", "no_graph")
Make = Callable[..., Path]
RECIPE = """
name: little
title: Little network
taxonomy: mikels8
network: {backbone: test_efficientnet, start: tiny, standardise: true}
input: {size: 64}
loss: {beta: 0.1}
data: {validation: 0.25, test: 0.25}
phases: [{train: heads, epochs: 2, batch: 8, views: 1, positions: 0, learning_rate: 1e-3}]
"""


@pytest.fixture
def run(table: Path, settings: Settings, tiny_checkpoint: Checkpoint) -> Path:
    """A finished run under the home."""
    folder = settings.runs / "finished"
    train_in_folder(read_recipe(RECIPE), [str(table)], folder, settings, lambda line: None)
    return folder


def said(app: AppTest) -> str:
    """All plain text of the page."""
    kinds: tuple[Any, ...] = (
        app.markdown,
        app.info,
        app.caption,
        app.warning,
        app.error,
        app.success,
    )
    return "\n".join(str(item.value) for kind in kinds for item in kind)


def press(app: AppTest, label: str) -> AppTest:
    button = next(b for b in app.button if b.label == label)
    return healthy(button.click().run())


def brought(app: AppTest, path: Path) -> AppTest:
    """Bring in the folder at a path, and wait for it."""
    app.text_input(key="retrain-path").set_value(str(path))
    press(app, "Bring it in")
    job = jobs.find(load_settings(), f"import {path.name}")
    assert job is not None
    job.wait(60)
    return healthy(app.run())


def wait(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def test_the_sample_can_be_started_at_once(tiny_checkpoint: Checkpoint) -> None:
    app = open_page("retrain", **{"from": "tiny"})
    assert "Start" in labels(app)
    words = said(app)
    assert "of memory" in words
    assert "for the test at the end" in words
    assert "Only" in words  # few images watch
    assert app.selectbox(key="set").value == "sample"


def test_pressing_start_trains_as_the_command_line_does_and_the_network_can_be_kept(
    tiny_checkpoint: Checkpoint,
    settings: Settings,
    make_table: Make,
    tmp_path: Path,
) -> None:
    """The recipe that the page gives away and the set's id: the same weights and measures."""
    table = make_table(tmp_path / "own", ["awe", "fear", "sadness"] * 10)
    save_set(settings, "own", "Own", read_labelled(table), {})
    app = open_page("retrain", **{"set": "own", "from": "tiny", "what": "probe"})
    app.text_input(key="retrain-name-own-probe").set_value("My *probe*").run()
    press(app, "Start")
    (found,) = list_runs(settings.runs)
    job = jobs.find(settings, f"train {found.folder}")
    assert job is not None
    assert job.queue == "training"
    assert {"Pause", "Stop and keep", "Cancel"} <= set(labels(app))
    wait(lambda: not job.is_live)
    assert job.state == "done", job.tail()
    assert find_run(settings.runs, found.id).title == "My *probe*"
    watching = open_page("retrain", run=found.id)
    assert "Done: trained" in said(watching)
    assert "images: own; linear probe, beginning with tiny" in said(watching).replace("\\", "")
    assert len(watching.get("plotly_chart")) >= 2
    assert "Keep among the networks" in labels(watching)
    again = tmp_path / "again"
    recipe = str(found.folder / "recipe.yaml")
    assert main(["train", recipe, "--data", "own", "--run", str(again), "--no-graph"]) == 0
    kept = [json.loads((folder / "measures.json").read_text()) for folder in (found.folder, again)]
    assert kept[0] == kept[1]
    assert next(iter(kept[0].values()))["accuracy"] is not None
    weights = [next(f.glob("checkpoints/*/model.safetensors")) for f in (found.folder, again)]
    assert digest(weights[0]) == digest(weights[1])
    curves = [read_curves(folder).column("validation_entropy") for folder in (found.folder, again)]
    assert curves[0] == curves[1]


def test_a_second_start_waits_for_the_first(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path, table: Path
) -> None:
    recipe = tmp_path / "long.yaml"
    recipe.write_text(RECIPE.replace("epochs: 2", "epochs: 5000"))
    command = ["train", str(recipe), "--data", str(table), "--run", str(tmp_path / "first")]
    first = jobs.start(settings, "first", command, "train first", "training")
    wait(lambda: first.state == "running")
    app = open_page("retrain", **{"from": "tiny", "what": "probe"})
    press(app, "Start")
    bars = "".join(str(item.proto.text) for item in app.get("progress"))
    assert "Waiting: 1 training is before it" in bars
    pause = next(button for button in app.button if button.label == "Pause")
    assert pause.disabled
    (own,) = list_runs(settings.runs)
    job = jobs.find(settings, f"train {own.folder}")
    assert job is not None
    wait(lambda: job.state == "queued")
    press(app, "Cancel")
    assert "Cancelled before it began" in said(open_page("retrain", run=own.id))
    assert first.state == "running"


def test_a_full_disk_at_the_start_is_told(
    tiny_checkpoint: Checkpoint, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    app = open_page("retrain", **{"from": "tiny", "what": "probe"})
    monkeypatch.setattr("emoviz.ui.training.work.write_text", full)
    press(app, "Start")
    assert "It cannot be started" in said(app)
    assert "Make room on the disk" in said(app)
    assert not jobs.list_jobs(settings)


def test_too_small_a_disk_for_the_features_is_said_before(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoviz.ui.training.choices._room", lambda settings: 1000.0)
    app = open_page("retrain", **{"from": "tiny"})
    assert "the features cannot be kept" in said(app)
    assert "Start" in labels(app)  # it is no reason not to


def test_one_image_a_class_is_shown_and_cannot_be_started(
    tiny_checkpoint: Checkpoint, settings: Settings, make_table: Make, tmp_path: Path
) -> None:
    table = make_table(tmp_path / "one", ["awe", "fear", "anger", "sadness"])
    save_set(settings, "one", "One each", read_labelled(table), {})
    app = open_page("retrain", set="one", **{"from": "tiny"})
    assert "No class has more than one image" in said(app)
    assert "Start" not in labels(app)


def test_ten_thousand_classes_are_refused_in_words(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path
) -> None:
    for i in range(10_000):
        (tmp_path / "artists" / f"artist {i}").mkdir(parents=True)
        (tmp_path / "artists" / f"artist {i}" / "1.jpg").touch()
    app = open_page("retrain", **{"from": "tiny"})
    app = brought(app, tmp_path / "artists")
    assert "10,000 folders with images" in said(healthy(app))
    assert "Are the folders perhaps artists" in said(app)
    assert app.selectbox(key="set").value == "sample"  # nothing else has changed
    assert not (settings.home / "sets").exists()


def test_a_set_without_validation_images_says_what_to_do(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path, picture: Any
) -> None:
    for i in range(24):
        split = "train" if i < 16 else "test"
        file = tmp_path / "split" / split / ("awe" if i % 2 else "fear") / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(seed=i))
    app = open_page("retrain", **{"from": "tiny"})
    app = brought(app, tmp_path / "split")
    words = said(healthy(app)).replace("\\", "")
    assert "16 would be for training, 0 to watch over it (validation) and 8" in words
    assert "train, val and test" in words
    assert "Start" not in labels(app)


def test_a_set_of_one_class_cannot_be_started(
    make_table: Make, tmp_path: Path, settings: Settings, tiny_checkpoint: Checkpoint
) -> None:
    table = make_table(tmp_path / "one", ["awe"] * 8)
    save_set(settings, "one", "One class", read_labelled(table), {})
    app = open_page("retrain", set="one")
    assert "All images have one label" in said(app)
    assert "Start" not in labels(app)


def test_a_folder_that_cannot_be_read_is_told_and_nothing_else_happens(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path
) -> None:
    app = open_page("retrain", **{"from": "tiny"})
    app = brought(app, tmp_path / "nowhere")
    words = said(healthy(app)).replace("\\", "")
    assert f"There is no '{tmp_path / 'nowhere'}'" in words
    assert not (settings.home / "sets").exists()
    (tmp_path / "flat").mkdir()
    app = brought(app, tmp_path / "flat")
    assert "one folder a class" in said(healthy(app))


def test_a_folder_of_any_labels_joins_the_library_and_is_chosen(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    for i in range(16):
        file = tmp_path / "mine" / ("<b>kitsch</b>" if i % 2 else "art") / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(seed=i))
    app = open_page("retrain", **{"from": "tiny"})
    app = brought(app, tmp_path / "mine")
    assert app.selectbox(key="set").value == "mine"
    shown = "".join(str(item.proto.body) for item in app.get("html"))
    assert "<b>kitsch" not in shown
    assert "&lt;b&gt;kitsch" in shown
    assert "Start" in labels(app)


def test_a_set_that_vanishes_under_the_job_is_told(
    make_table: Make, tmp_path: Path, settings: Settings, tiny_checkpoint: Checkpoint
) -> None:
    table = make_table(tmp_path / "gone", ["awe", "fear"] * 12)
    save_set(settings, "gone", "Gone", read_labelled(table), {})
    app = open_page("retrain", **{"set": "gone", "from": "tiny", "what": "probe"})
    shutil.rmtree(table.parent)
    press(app, "Start")
    (found,) = list_runs(settings.runs)
    job = jobs.find(settings, f"train {found.folder}")
    assert job is not None
    wait(lambda: not job.is_live)
    shown = open_page("retrain", run=found.id)
    words = said(shown).replace("\\", "")
    assert "It could not go on: None of the 24 images" in words
    assert "put them back or bring them in again" in words
    assert "Go on" in labels(shown)


def test_runs_begin_with_an_offer(tiny_checkpoint: Checkpoint) -> None:
    assert "There is no run yet" in said(open_page("runs"))


def test_a_run_is_shown_renamed_deleted_and_brought_back(run: Path, settings: Settings) -> None:
    app = open_page("runs", run="finished")
    assert "Little network" in said(app) + "".join(h.value for h in app.header)
    assert "Done: trained" in said(app)
    press(app, "Delete")
    assert not run.exists()
    assert "was deleted" in said(app)
    press(app, "Undo")
    assert run.exists()


def test_runs_are_laid_over_each_other(run: Path, settings: Settings) -> None:
    other = settings.runs / "second"
    shutil.copytree(run, other)
    values = json.loads((other / "settings.json").read_text())
    values["recipe"]["loss"]["beta"] = 0.7
    write_json(other / "settings.json", values)
    app = open_page("runs", run="finished,second")
    assert "In what they differ" in said(app)
    table = next(found for found in drawn_tables(app) if "loss.beta" in found)
    assert set(table["loss.beta"]) == {"0.1", "0.7"}


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (None, "Lost: its process ended without a word"),
        ({"how": "paused", "why": "Paused."}, "Paused. Everything is kept."),
        ({"how": "failed", "why": "The loss is NaN. Lower it."}, "It could not go on: The loss"),
    ],
)
def test_runs_that_ended_early_say_how(run: Path, ended: object, words: str) -> None:
    (run / "measures.json").unlink()
    if ended:
        write_json(run / "ended.json", ended)
    assert words in said(open_page("runs", run="finished")).replace("\\", "")


def test_damaged_files_of_a_run_harm_nothing(run: Path) -> None:
    (run / "progress.jsonl").write_text('{"kind": "epoch", "fold": 0, "epo\nnonsense\n[1]\n')
    (run / "notes.json").write_text("{")
    for file in (run / "snapshots").glob("*.npz"):
        file.write_bytes(b"PK\x03\x04")
    assert read_curves(run).epochs == []
    assert "Curves appear after the first epoch" in said(open_page("runs", run="finished"))


def test_a_link_to_no_run_opens_the_form(tiny_checkpoint: Checkpoint) -> None:
    for id in ("nowhere", "../../etc", "a/../../b"):
        app = open_page("retrain", run=id, **{"from": "tiny"})
        assert "Start" in labels(app)


@pytest.mark.slow
def test_prompts_are_edited_on_the_page_and_make_a_network(
    tmp_path: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    write_clip(tmp_path / "clip")
    app = open_page("retrain", **{"from": "tiny"})
    app.session_state["zero-shot"] = True
    healthy(app.run())
    first = str(app.text_area[0].value).splitlines()
    assert first[0] == "amusement: a picture that evokes amusement"
    assert len(first) == 8 * 3

    app.text_input(key="zero-shot-folder").set_value(str(tmp_path / "clip"))
    app.text_input(key="zero-shot-id").set_value("words")
    app.text_area[0].set_value("calm: grass\nno colon here")
    press(app, "Make the network")
    assert "Line 2 of the prompts" in said(app)
    assert jobs.find(settings, "zero-shot words") is None

    app.text_area[0].set_value("calm: grass\ncalm: the sea\n\nstorm: a snake")
    press(app, "Make the network")
    job = jobs.find(settings, "zero-shot words")
    assert job is not None
    job.cancel()  # the command is run here, without a graph
    command = job.command
    place, file = (
        command[command.index("add-encoder") + 1],
        command[command.index("--zero-shot") + 1],
    )
    made = add_zero_shot(place, "words", file, settings, lambda line: None)
    prompts = {"calm": ["grass", "the sea"], "storm": ["a snake"]}
    assert made.card.recipe["zero_shot"]["prompts"] == prompts
    healthy(app.run())
    app.selectbox(key="zero-shot-start").set_value("words")
    healthy(app.run())
    assert app.text_area[0].value == "calm: grass\ncalm: the sea\nstorm: a snake"
