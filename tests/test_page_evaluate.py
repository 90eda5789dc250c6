"""The Evaluate page without a browser: numbers against a case made by hand, empty and bad input."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_pages import drawn_tables
from stored_tables import answers, healthy, open_measure, said, settled, store
from streamlit.testing.v1 import AppTest

from emoviz import jobs
from emoviz.checkpoints import Checkpoint, load_network, save_checkpoint
from emoviz.data.hash_filter import SeenImages
from emoviz.inference.abstention import abstention_of
from emoviz.inference.stored import read_embeddings, write_embeddings
from emoviz.labels import EMOTION6, MIKELS8, Bridge, bridge_between
from emoviz.settings import Settings
from emoviz.ui.measure import reporting
from emoviz.ui.measure.bridging import from_text, to_text
from emoviz.ui.measure.confusion import shares
from emoviz.ui.measure.evaluating import VIEWS

pytestmark = pytest.mark.usefixtures("jobs_end")

NAMES = MIKELS8.names
# 16 images, two a label; the second of each label is called the next label: half is right.
TRUTH = [label for label in range(8) for _ in range(2)]
ANSWERED = [(label + number) % 8 for label in range(8) for number in range(2)]
LABELS = [NAMES[label] for label in TRUTH]


@pytest.fixture
def hand(tiny_checkpoint: Checkpoint, settings: Settings) -> str:
    """The case above, with a column and with images that are unlike the training images."""
    style = ["cubism", "*pop* <b>art</b>"] * 8
    return store(
        settings,
        tiny_checkpoint,
        answers(ANSWERED),
        LABELS,
        {"style": style},
        novelty=[0.5] * 12 + [2.0] * 4,
    )


def widget(app: Any, label: str) -> Any:
    found = (*app.selectbox, *app.slider, *app.button, *app.multiselect, *app.button_group)
    return next(item for item in found if item.label == label)


def test_the_numbers_are_those_of_the_case(hand: str) -> None:
    text = said(open_measure("evaluate", collection=hand))
    assert "On **16 images** with a label" in text
    assert "the label on **50.0 %** of the images (95 % confidence interval" in text
    assert "blind guess among 8 labels is right on 12.5 %" in text
    # Each label is named twice, once rightly: precision, recall and F1 are a half.
    assert 'Macro F1</span><span class="ev-tile-value">50.0' in text.replace("\n", "")
    # amusement .. excitement are positive: excitement -> anger and sadness -> amusement cross over.
    assert "Sentiment accuracy" in text
    assert "87.5" in text


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_draws_and_is_in_the_link(hand: str, view: str) -> None:
    app = open_measure("evaluate", collection=hand, view=view)
    assert app.query_params.get("view", ["overview"]) in (view, [view])
    assert "On **16 images**" in said(app)


def test_a_cell_in_the_link_opens_its_images(hand: str) -> None:
    text = said(open_measure("evaluate", collection=hand, view="confusion", cell="0-1"))
    assert "Label **amusement**, answered **awe**: 1 image" in text


def test_shares_of_rows_and_columns_leave_empty_ones_out() -> None:
    counts = np.array([[3, 1], [0, 0]])
    np.testing.assert_array_equal(shares(counts, "counts"), counts)
    np.testing.assert_array_equal(shares(counts, "row"), [[0.75, 0.25], [np.nan, np.nan]])
    np.testing.assert_array_equal(shares(counts, "column"), [[1.0, 1.0], [0.0, 0.0]])


def test_theta_moves_the_counts(tiny_checkpoint: Checkpoint, settings: Settings) -> None:
    second = [7, 7, 1, 1] * 4  # the first is amusement: sadness is opposite, awe is not
    p = answers([0] * 16, 0.5, second)
    key = store(settings, tiny_checkpoint, p, LABELS)
    app = open_measure("evaluate", collection=key, view="sentiment", theta="0.05")
    assert "**50.0 %** of 16 eligible images" in said(app)
    app.slider(key="theta").set_value(0.5)
    assert "No image is eligible at this theta" in said(healthy(app.run()))


def test_slices_are_counted_and_their_names_stay_text(hand: str) -> None:
    app = open_measure("evaluate", collection=hand, view="slices", by="style")
    rows = drawn_tables(app)[-1]
    assert rows.loc["cubism", "images"] == "8"
    assert rows.loc["cubism", "Accuracy"].startswith("100.0")  # every second, which are right
    assert rows.loc["*pop* <b>art</b>", "Accuracy"].startswith("0.0")
    drawn = "".join(item.proto.body for item in app.get("html"))
    assert "&lt;b&gt;art" in drawn
    assert "<b>art" not in drawn
    widget(app, "Divide by").set_value("unlike the training images")
    rows = drawn_tables(healthy(app.run()))[-1]
    assert rows.loc["unlike the training images", "images"] == "4"


def test_without_labels_the_page_shows_what_needs_none(hand: str) -> None:
    text = said(open_measure("evaluate", collection=hand, labels="none"))
    assert "Nobody said what these images evoke" in text
    assert "25.0" in text  # four of sixteen are unlike the training images


def test_a_column_may_be_read_as_labels(hand: str) -> None:
    app = open_measure("evaluate", collection=hand, labels="column-style")
    assert "nothing joins them yet" in app.expander[0].label
    assert "No image has a label that a class of this model may be called" in said(app)


def test_ticks_of_the_link_join_foreign_labels(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    labels = ["bright" if truth < 4 else "gloomy" for truth in TRUTH]
    key = store(settings, tiny_checkpoint, answers(ANSWERED), labels)
    ticks = to_text(np.array([[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]], np.float64))
    text = said(open_measure("evaluate", collection=key, bridge=ticks))
    assert "On **16 images**" in text
    assert "**87.5 %** of the images" in text  # one of each half crosses over


def test_a_label_without_a_class_is_left_out_and_counted(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    labels = ["joy", "surprise", "anger", "fear"] * 4  # Emotion6: surprise has no class
    key = store(settings, tiny_checkpoint, answers([0, 1, 4, 6] * 4), labels)
    text = said(open_measure("evaluate", collection=key))
    assert "On **12 images**" in text
    assert "left out, because no class may be called so: surprise (4)" in text
    assert "the label on **100.0 %**" in text


def test_few_images_have_no_interval_and_one_label_no_curve(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    key = store(settings, tiny_checkpoint, answers([1, 1, 2]), ["awe"] * 3)
    text = said(open_measure("evaluate", collection=key))
    assert "not enough images for an interval: 3, wanted 20 or more" in text
    text = said(open_measure("evaluate", collection=key, view="curves"))
    assert "awe has no curve: all images have this label" in text
    assert "Curves need a label that some images have" in text


def test_a_threshold_is_kept_with_the_checkpoint_and_forgotten(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    p = np.concatenate([answers(TRUTH, 0.8), answers([(t + 1) % 8 for t in TRUTH], 0.4)])
    split = ["validation"] * 24 + ["test"] * 8
    key = store(settings, tiny_checkpoint, p, LABELS * 2, {"split": split})
    app = open_measure("evaluate", collection=key, view="unsure")
    assert "Chosen on the 24 images of the set's validation split" in said(app)
    app.button_group(key="unsure-by").set_value("accuracy")
    healthy(app.run())
    widget(app, "Wanted accuracy of the answers, %").set_value(100)
    healthy(app.run())
    words = "**67 %** of 24 images get an answer; **100.0 %** of the 16 answers are right"
    assert words in said(app)
    widget(app, "Keep this threshold with the network").click()
    healthy(app.run())
    kept = abstention_of(tiny_checkpoint, settings)
    assert kept is not None
    assert kept.threshold == pytest.approx(0.8)
    assert (kept.images, kept.coverage) == (24, pytest.approx(16 / 24))
    assert "below **80.0 %** it is *not sure*" in said(app)
    widget(app, "Forget it").click()
    healthy(app.run())
    assert abstention_of(tiny_checkpoint, settings) is None


def test_nonsense_in_the_link_changes_nothing(hand: str) -> None:
    app = open_measure(
        "evaluate", collection=hand, view="x", cell="9-9", bridge="zz", theta="7", labels="?"
    )
    assert "the label on **50.0 %**" in said(app)
    healthy(open_measure("evaluate", collection=hand, view="confusion", cell="-1-2", cells="?"))
    healthy(open_measure("evaluate", collection=hand, view="sentiment", theta="nan"))


def test_the_sample_is_embedded_where_there_is_nothing_else(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    open_measure("evaluate")
    (job,) = jobs.list_jobs(settings)
    job.cancel()
    assert job.command[0] == "embed"


def test_without_a_checkpoint_the_page_says_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoviz.settings.PROJECT_ROOT", home)
    assert "trained network" in said(open_measure("evaluate"))


def test_ticks_survive_the_link() -> None:
    matrix = bridge_between(MIKELS8, EMOTION6).matrix
    found = from_text(to_text(matrix), matrix.shape)
    assert found is not None
    np.testing.assert_array_equal(found, matrix)
    assert Bridge(MIKELS8, EMOTION6, found).groups.tolist() == [0, 1, 2, 3, 4, 5]
    for text in ("", "zz", to_text(matrix)[:-1], "ff", "-1"):
        assert from_text(text, matrix.shape) is None


def test_an_untidy_table_is_measured_and_what_is_wrong_is_told(
    tiny_checkpoint: Checkpoint, settings: Settings, make_table: Any, tmp_path: Path
) -> None:
    labels = [" Awe", "FEAR", "fear ", "joyful", "", "anger", "awe"]
    made = make_table(tmp_path / "untidy", labels, style=["<i>a</i>", "b"] * 3 + ["b"])
    (made.parent / "5.jpg").unlink()
    (made.parent / "6.jpg").write_bytes((made.parent / "0.jpg").read_bytes())
    app = open_measure("evaluate", collection="none")
    app.text_input(key="evaluate-path").set_value(str(made))
    healthy(app.button(key="evaluate-bring").click().run())
    job = next(job for job in jobs.list_jobs(settings) if str(made) in job.command)
    assert job.wait(90) == "done", job.tail()
    text = said(settled(app))
    assert "On **4 images** with a label that the model can answer" in text
    assert "1 image without a label" in text
    assert "left out, because no class may be called so: joyful (1)" in text
    assert "1 copy of another among all images" in text
    assert "not enough images for an interval: 4" in text
    assert any("problem" in item.label for item in app.expander)


def test_images_of_the_training_can_be_left_out(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    """By content; eight of 32, all of them right, so that 16 of 32 become 8 of 24."""
    truth = [label for label in range(8) for _ in range(4)]
    right = [i % 4 < 2 for i in range(32)]
    given = [label if hit else (label + 1) % 8 for label, hit in zip(truth, right, strict=True)]
    sha256 = tuple(f"{i:064x}"[::-1] for i in range(32))
    learned = [sha256[i] for i in range(32) if right[i]][:8]
    hashes = np.arange(8, dtype=np.uint64)
    seen = SeenImages.of(learned, hashes)
    card = replace(tiny_checkpoint.card, id="seen")
    network = load_network(tiny_checkpoint)
    folder = settings.home / "checkpoints" / "seen"
    kept = save_checkpoint(folder, card, network, None, None, False, seen)
    key = store(settings, kept, answers(given), [MIKELS8.names[label] for label in truth])
    file = settings.home / "tables" / key / "seen.parquet"
    write_embeddings(file, [replace(read_embeddings(file), sha256=sha256)])
    app = open_measure("evaluate", checkpoint="seen", collection=key)
    told = "\n".join(item.value for item in app.warning).replace("\N{NO-BREAK SPACE}", " ")
    assert "8 of these 32 images were in the training of Tiny test network, known by bytes;" in told
    assert "of 24 others only the bytes are known here" in told
    assert "33.3 %  (18.0 to 53.3) on 24 images, with them 50.0 %" in told
    app.toggle(key="unseen").set_value(True)
    settled(app)
    text = said(app)
    assert "8 images that were in the training are left out" in text
    assert "On **24 images** with a label" in text
    assert "the label on **33.3 %** of the images" in text
    assert "were in the training of" not in text


def test_the_papers_zip_is_drawn_when_asked_for_and_says_how_far_it_is(
    hand: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def draw(values: Any, watch: Any) -> bytes:
        told.append(values["n"])
        for done in (1, 2, 3):
            watch(done, 3)
            told.append(until.wait(60))
        return b"the ZIP"

    until = threading.Event()

    def downloads(app: AppTest) -> list[str]:
        return [item.proto.label for item in app.get("download_button")]

    monkeypatch.setattr(reporting, "paper_report", draw)
    app = open_measure("evaluate", collection=hand)
    assert not told
    widget(app, "For a paper (ZIP): figures as SVG and PDF, LaTeX tables, methods").click()
    for _ in range(60):
        healthy(app.run())
        bars = [item.proto.text for item in app.get("progress")]
        if "1 of 3 figures" in bars:
            break
        time.sleep(0.5)
    assert bars == ["1 of 3 figures"]
    assert "Download the ZIP for a paper" not in downloads(app)
    until.set()
    settled(app)
    assert told == [16, True, True, True]
    assert "Download the ZIP for a paper" in downloads(app)
