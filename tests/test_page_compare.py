"""The Compare page without a browser: two tables made by hand, ensembles, runs, sets, bad input."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from app_pages import drawn_tables
from scipy.stats import binomtest
from stored_tables import answers, healthy, open_measure, said, store

from emoviz.analysis.comparison import McNemar, claim
from emoviz.analysis.resampling import MetricEstimate
from emoviz.checkpoints import Checkpoint, read_checkpoint
from emoviz.labels import MIKELS8
from emoviz.settings import Settings
from emoviz.ui.measure.comparison import verdict

# 32 images, four a label. A has the first two of each label right, B the first three.
TRUTH = [label for label in range(8) for _ in range(4)]
LABELS = [MIKELS8.names[label] for label in TRUTH]
A = [label if i < 2 else (label + 1) % 8 for label in range(8) for i in range(4)]
B = [label if i < 3 else (label + 1) % 8 for label in range(8) for i in range(4)]


@pytest.fixture
def other(tiny_checkpoint: Checkpoint) -> Checkpoint:
    """A second checkpoint of the same classes."""
    return copied(tiny_checkpoint, "other", {"title": "Other network", "temperature": 2.0})


def copied(checkpoint: Checkpoint, name: str, changes: dict[str, object]) -> Checkpoint:
    folder = checkpoint.folder.parent / name
    shutil.copytree(checkpoint.folder, folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, **changes}))
    return read_checkpoint(folder)


@pytest.fixture
def both(tiny_checkpoint: Checkpoint, other: Checkpoint, settings: Settings) -> str:
    """The same images as seen by A and by B."""
    store(settings, other, answers(B), LABELS)
    return store(settings, tiny_checkpoint, answers(A), LABELS)


def test_two_networks_are_told_apart_by_numbers_and_words(both: str) -> None:
    app = open_measure("compare", collection=both, pair="other")
    text = said(app)
    assert "**Tiny test network** (A) alone is right on 0 images" in text
    assert "(B) alone on 8 images of 32" in text
    p = binomtest(0, 8, 0.5).pvalue
    assert f"p = {p:.3f}, McNemar's test, exact binomial" in text
    assert "It may be claimed that on images like these B is right more often than A" in text
    row = drawn_tables(app)[0].loc["Accuracy"]
    assert row.iloc[0].startswith("50.0")
    assert row.iloc[1].startswith("75.0")
    assert row.iloc[2].startswith("+25.0")
    assert row.iloc[2].endswith("*")  # the interval leaves out 0
    assert "to **75.0 %  (57.9 to 86.7)** of 32 images: Cohen's kappa" in text


def test_who_changed_is_a_gallery_and_the_matrix_shows_where(both: str) -> None:
    app = open_measure("compare", collection=both, pair="other", part="changed")
    assert [tab.label for tab in app.tabs] == ["Right → wrong (0)", "Wrong → right (8)"]
    text = said(app)
    assert "There is no image on which A is right and B wrong" in text
    assert "**8 images** on which B is right and A wrong" in text
    healthy(open_measure("compare", collection=both, pair="other", part="confusion"))
    text = said(open_measure("compare", collection=both, pair="other", part="sentiment"))
    assert "**Other network**" in text


def test_an_ensemble_is_measured_as_if_it_were_one(
    both: str, tiny_checkpoint: Checkpoint, other: Checkpoint, settings: Settings
) -> None:
    third = copied(tiny_checkpoint, "third", {"title": "Third", "temperature": 3.0})
    # Surely right where B is wrong: the mean of both is right everywhere.
    store(settings, third, answers(TRUTH, 0.95), LABELS)
    app = open_measure("compare", collection=both, compare="ensemble", ensemble="other,third")
    row = drawn_tables(app)[0].loc["Accuracy"]
    assert row.iloc[0].startswith("50.0")
    assert row.iloc[1].startswith("100.0")
    text = said(open_measure("evaluate", collection=both, **{"with": "third"}))
    assert "the label on **100.0 %**" in text
    assert "an ensemble has none" in said(
        open_measure("evaluate", collection=both, view="unsure", **{"with": "third"})
    )


def test_several_runs_have_a_mean_and_a_deviation(both: str) -> None:
    app = open_measure("compare", collection=both, compare="runs", runs="other")
    row = drawn_tables(app)[0].loc["Accuracy"]
    sd = np.std([50.0, 75.0], ddof=1)
    assert row["mean ± SD"].startswith(f"62.5 ± {sd:.1f}")


def test_networks_by_sets_is_a_table(
    both: str, tiny_checkpoint: Checkpoint, other: Checkpoint, settings: Settings
) -> None:
    labels = ["joy", "anger", "fear", "surprise"] * 4  # Emotion6: surprise has no class
    for checkpoint, seen in ((tiny_checkpoint, [0, 4, 6, 1]), (other, [0, 4, 4, 1])):
        store(settings, checkpoint, answers(seen * 4), labels, title="six")
    six = next((settings.home / "tables").glob("six-*")).name
    app = open_measure("compare", compare="sets", sets="other", on=f"{both},{six}")
    found = drawn_tables(app)[0]
    assert list(found.columns) == ["Hand", "Six"]
    assert list(found.index) == ["Tiny test network", "Other network"]
    values = found.map(lambda cell: float(cell.split("\N{NO-BREAK SPACE}")[0])).to_numpy()
    np.testing.assert_array_equal(values, [[50.0, 100.0], [75.0, 66.7]])
    text = said(app)
    p = 2 * binomtest(0, 8, 0.5).pvalue  # the smaller of two, Holm
    assert f"p = {p:.3f}, McNemar's test, exact binomial, corrected for 2 tests by Holm" in text
    assert "It may not be claimed that Tiny test network or Other network is better" in text


def test_other_classes_are_compared_on_the_labels_that_both_can_answer(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    def renamed(name: str) -> dict[str, object]:
        classes = [{**row, "name": f"{row['name']}{name}"} for row in MIKELS8.to_dict()["classes"]]
        return {"taxonomy": {"name": "strange", "title": "strange", "classes": classes}}

    strange = copied(tiny_checkpoint, "strange", renamed("-x"))
    store(settings, strange, answers(B), LABELS)
    key = store(settings, tiny_checkpoint, answers(A), LABELS)
    app = open_measure("compare", collection=key, pair="strange")
    assert "No image has a label that all of these networks can answer" in said(app)


def test_a_set_that_a_network_was_trained_on_is_told(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    seen = copied(tiny_checkpoint, "seen", {"title": "Seen", "data": [{"name": "D-ViSA"}]})
    for checkpoint in (seen, tiny_checkpoint):
        key = store(settings, checkpoint, answers(A), LABELS, title="my dvisa, test")
    app = open_measure("compare", collection=key, pair="seen")
    told = "\n".join(item.value for item in app.warning)
    assert r"Seen was trained on D\-ViSA" in told
    assert "Tiny" not in told


def test_images_without_labels_and_lone_checkpoints_are_told(
    tiny_checkpoint: Checkpoint, settings: Settings, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr("emoviz.settings.PROJECT_ROOT", home)
    key = store(settings, tiny_checkpoint, answers(A), [""] * 32)
    assert "Choose a network above" in said(open_measure("compare", collection=key))
    another = copied(tiny_checkpoint, "other", {"temperature": 2.0})
    store(settings, another, answers(A), [""] * 32)
    text = said(open_measure("compare", collection=key, pair="other"))
    assert "no labels to be right or wrong about" in text
    shutil.rmtree(home / "checkpoints")
    assert "trained network" in said(open_measure("compare"))


def test_the_verdict_says_no_more_than_the_test() -> None:
    gap = MetricEstimate(0.03, -0.04, 0.1, 100)
    words = verdict("one", "*two*", McNemar(0.4, 5, 8, "exact binomial", odds=1.6), gap)
    assert "It may not be claimed" in words
    assert "do not tell them apart" in words
    assert r"\*two\*" in words
    assert "it is B 1.6 times as often as A" in words
    even = verdict("one", "two", McNemar(1.0, 5, 5, "exact binomial", odds=1.0), gap)
    assert "it is B as often as A" in even
    assert "+3.0 points of accuracy" in words
    alike = McNemar(1.0, 0, 0, "exact binomial")
    assert "nothing tells them apart" in verdict("one", "two", alike, gap)
    sure = verdict("one", "two", McNemar(1e-9, 90, 8, "chi-square"), gap)
    assert "test, chi-square;" in sure
    assert "p < 0.001" in sure
    assert "It may be claimed that on images like these A is right more often than B" in sure
    assert "corrected for 3 tests by Holm" in claim("a", "b", McNemar(0.01, 9, 1, "x"), gap, 3)
