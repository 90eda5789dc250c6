"""Tables of another program's answers: read, joined to a set, measured beside checkpoints."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_pages import drawn_tables
from sklearn.metrics import accuracy_score, f1_score
from stored_tables import answers, open_measure, said, store

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.reading import read_labelled
from emoviz.errors import TableError
from emoviz.experiments.contenders import table_of
from emoviz.inference.predictions import read_predictions
from emoviz.labels import MIKELS8
from emoviz.settings import Settings


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_probabilities_and_labels_are_read_in_any_order(tmp_path: Path) -> None:
    found = read_predictions(
        written(
            tmp_path / "rival.csv",
            "image,p_sadness,label,p_joy",
            "a.jpg,0.75,joy,0.25",
            "b.jpg,0.1,,0.9",
        )
    )
    assert set(found.taxonomy.names) >= {"joy", "sadness"}
    assert found.names == ("a.jpg", "b.jpg")
    joy, sadness = (found.taxonomy.index(name) for name in ("joy", "sadness"))
    assert found.probabilities[:, joy].tolist() == [0.25, 0.9]
    assert found.probabilities[:, sadness].tolist() == pytest.approx([0.75, 0.1])
    assert found.labels == ("joy", "")
    assert (found.problems, found.notes) == ((), ())


@pytest.mark.parametrize(
    ("cells", "wanted", "words"),
    [
        (("2.0", "0.0"), 1 / (1 + np.exp(-2.0)), "softmax"),
        (("0.6", "0.2"), 0.75, "divided by their sum"),
        (("-1", "-3"), 1 / (1 + np.exp(-2.0)), "softmax"),
    ],
)
def test_scores_become_probabilities_and_it_is_said(
    tmp_path: Path, cells: tuple[str, str], wanted: float, words: str
) -> None:
    file = written(tmp_path / "r.csv", "file,score_warm,score_cold", f"a.jpg,{cells[0]},{cells[1]}")
    found = read_predictions(file)
    assert found.probabilities[0, found.taxonomy.index("warm")] == pytest.approx(wanted)
    assert words in found.notes[0]


@pytest.mark.parametrize(
    ("cells", "whole", "told"),
    [
        ("0,0", 1, "all are 0"),
        ("0,0", 100, "all are 0"),
        ("3,4", 1, "they are no probabilities, as those of most images are"),
        ("-0.5,1.5", 1, "they are no probabilities, as those of most images are"),
        ("-0.000001,1", 1, ""),
    ],
)
def test_one_damaged_row_makes_no_logits_of_the_others(
    tmp_path: Path, cells: str, whole: int, told: str
) -> None:
    others = (f"{name}.jpg,{0.2 * whole},{0.8 * whole}" for name in "bcd")
    file = written(tmp_path / "r.csv", "file,p_warm,p_cold", f"a.jpg,{cells}", *others)
    found = read_predictions(file)
    assert dict(found.problems).get("a.jpg", "") == told
    assert found.probabilities[-1, found.taxonomy.index("warm")] == pytest.approx(0.2)
    assert found.notes == (("The scores are percentages.",) if whole == 100 else ())


@pytest.mark.parametrize(
    ("rows", "joy"),
    [
        (("file,p_joy,p_happy,p_sad", "a.jpg,.5,.2,.3", "b.jpg,0,.1,.9"), [0.7, 0.1]),
        (("file,predicted", "a.jpg,joy", "b.jpg,happy", "c.jpg,sad"), [1.0, 1.0, 0.0]),
    ],
)
def test_two_words_for_one_class_count_together(
    tmp_path: Path, rows: tuple[str, ...], joy: list[float]
) -> None:
    found = read_predictions(written(tmp_path / "r.csv", *rows))
    assert found.probabilities[:, found.taxonomy.index("joy")] == pytest.approx(joy)
    assert found.probabilities.sum(axis=1) == pytest.approx(1)


def test_logits_that_happen_to_add_up_to_one_are_logits(tmp_path: Path) -> None:
    found = read_predictions(written(tmp_path / "r.csv", "file,logit_warm,logit_cold", "a.jpg,1,0"))
    wanted = 1 / (1 + np.exp(-1.0))
    assert found.probabilities[0, found.taxonomy.index("warm")] == pytest.approx(wanted)


def test_answers_alone_count_as_certain_and_it_is_said(tmp_path: Path) -> None:
    found = read_predictions(
        written(tmp_path / "r.csv", "file,predicted", "a.jpg,fear", "b.jpg,joy", "c.jpg,")
    )
    assert found.probabilities.max(axis=1).tolist() == [1.0, 1.0]
    assert found.problems == (("c.jpg", "it has no answer"),)
    assert "without probabilities" in found.notes[0]


def test_found_is_taken_and_problems(tmp_path: Path) -> None:
    lines = ("a.jpg,0.5,0.5", "b.jpg,x,0.5", "c.jpg,,1", "d.jpg,1,0", "d.jpg,0,1", ",1,0")
    found = read_predictions(written(tmp_path / "r.csv", "file,p_joy,p_fear", *lines))
    assert found.names == ("a.jpg",)
    assert len(found) + len(found.problems) == len(lines)
    told = dict(found.problems)
    assert told["b.jpg"] == "column 'p_joy' has no number"
    assert told["c.jpg"] == "column 'p_joy' has no number"
    assert told["d.jpg"] == "2 rows are of this image"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("p_joy,p_fear", "1,0"), "wanted: file"),
        (("file,style", "a.jpg,b"), "wanted p_<class>"),
        (("file,p_joy,p_fear", "a.jpg,x,y"), "no answer that can be used"),
    ],
)
def test_what_is_no_table_of_predictions_is_told(
    tmp_path: Path, lines: tuple[str, ...], told: str
) -> None:
    with pytest.raises(TableError, match=told):
        read_predictions(written(tmp_path / "r.csv", *lines))


def test_a_table_alone_is_measured_by_its_own_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    names = ("joy", "fear", "sadness")
    truth, p = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60)
    rows = [
        f"{i}.jpg,{names[truth[i]]}," + ",".join(f"{value:.6f}" for value in p[i])
        for i in range(60)
    ]
    file = written(tmp_path / "rival.csv", "file,label,p_joy,p_fear,p_sadness", *rows)
    assert main(["evaluate", "--predictions", str(file), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    answers = p.argmax(axis=1)
    assert (found["n"], found["checkpoint"]) == (60, "rival.csv")
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, answers))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, answers, average="macro"))
    assert found["intervals"]["accuracy"]["low"] is not None
    assert "no common space" in found["intervals"]["ari"]["reason"]
    assert main(["evaluate", "--predictions", str(file), "--report", str(tmp_path / "r.md")]) == 0
    assert "predictions of another program" in (tmp_path / "r.md").read_text()


def test_a_checkpoints_own_answers_as_a_table_measure_as_the_checkpoint_does(
    tiny_checkpoint: Checkpoint,
    settings: Settings,
    tmp_path: Path,
    make_table: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same images and answers: no difference, whatever the other program calls the files."""
    data = make_table(tmp_path / "set", [MIKELS8.names[i % 8] for i in range(24)])
    seen = table_of(tiny_checkpoint, read_labelled(data), settings)
    heads = ",".join(f"p_{name}" for name in MIKELS8.names)
    rows = [
        f"D:\\other\\{Path(path).name}," + ",".join(map(repr, row.tolist()))
        for path, row in zip(seen.paths, seen.probabilities, strict=True)
    ]
    file = written(
        tmp_path / "rival.csv", f"path,{heads}", *rows[:-1], "stranger.jpg" + ",0.125" * 8
    )

    def run(*words: object) -> Any:
        assert main([*map(str, words), "--data", str(data), "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    found = run("compare", "tiny", "--predictions", file)
    assert found["a"]["n"] == found["b"]["n"] == 23
    for name in ("accuracy", "macro_f1", "roc_auc", "ece", "brier"):
        assert found["difference"][name]["value"] == pytest.approx(0.0, abs=1e-9)
    assert "nothing tells them apart" in found["claim"]
    alone = run("evaluate", "--predictions", file)
    assert alone["intervals"]["accuracy"] == found["b"]["intervals"]["accuracy"]
    reasons = {row["reason"] for row in alone["refusals"]}
    assert reasons == {
        "the table of predictions has no row of it",
        "no image of the set is called so",
    }
    assert main(["compare", "tiny", "--data", str(data)]) == 2
    assert "Name what A is compared with" in capsys.readouterr().err


# On the pages --------------------------------------------------------------------------------

TRUTH = [label for label in range(8) for _ in range(4)]
LABELS = [MIKELS8.names[label] for label in TRUTH]
OURS = [label if i < 2 else (label + 1) % 8 for label in range(8) for i in range(4)]
THEIRS = [label if i < 3 else (label + 1) % 8 for label in range(8) for i in range(4)]


def keep_rival(settings: Settings, name: str, labels: bool) -> str:
    """A table of answers where the pages find it; gives its key in the link."""
    folder = settings.home / "predictions" / name.removesuffix(".csv")
    folder.mkdir(parents=True)
    heads = ["file", *(["label"] if labels else []), *(f"p_{c}" for c in MIKELS8.names)]
    rows = [
        [f"somewhere/{i}.jpg", *([LABELS[i]] if labels else []), *map(str, row)]
        for i, row in enumerate(answers(THEIRS).tolist())
    ]
    written(folder / name, ",".join(heads), *(",".join(row) for row in rows))
    return folder.name


def test_evaluate_shows_another_program_by_its_own_labels(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    key = keep_rival(settings, "rival.csv", labels=True)
    app = open_measure("evaluate", rival=key)
    text = said(app)
    assert "On **32 images** with a label" in text
    assert "the label on **75.0 %** of the images" in text
    assert "another program has none here" in said(
        open_measure("evaluate", rival=key, view="unsure")
    )


def test_compare_sets_another_program_beside_a_checkpoint(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    collection = store(settings, tiny_checkpoint, answers(OURS), LABELS)
    key = keep_rival(settings, "rival.csv", labels=False)
    keep_rival(settings, "second.csv", labels=True)  # another to choose from
    app = open_measure("compare", collection=collection, rival=key)
    row = drawn_tables(app)[0].loc["Accuracy"]
    assert row.iloc[0].startswith("50.0")
    assert row.iloc[1].startswith("75.0")
    text = said(app)
    assert r"**rival\.csv** (B) alone on 8 images of 32" in text
    assert "It may be claimed that on images like these B is right more often than A" in text
    changed = open_measure("compare", collection=collection, rival=key, part="changed")
    assert [tab.label for tab in changed.tabs] == ["Right → wrong (0)", "Wrong → right (8)"]
