"""evaluate, compare and the table of checkpoints x sets, from the command line to the report."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from emoviz.checkpoints import (
    Checkpoint,
    load_network,
    read_checkpoint,
    save_checkpoint,
    seal_checkpoint,
)
from emoviz.cli import main
from emoviz.data.hash_filter import SeenImages
from emoviz.data.image_statistics import look_at
from emoviz.data.images import Limits
from emoviz.data.library import save_set
from emoviz.data.reading import read_labelled
from emoviz.experiments.contenders import table_of
from emoviz.inference.abstention import Abstention, save_abstention
from emoviz.labels import MIKELS8, bridge_between
from emoviz.plots.document import Document, DocumentTable, Picture, Section, to_html, to_markdown
from emoviz.plots.report import html_report, markdown_report, wanted_pictures
from emoviz.settings import Settings

KEYS = {"checkpoint", "taxonomy", "n", "refused", "left_out", "accuracy", "macro_f1", "per_class",
        "sentiment_accuracy", "ece", "cross_sentiment", "clustering", "refusals"}  # fmt: skip
Run = Callable[..., Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a verb with ``--format json`` and gives what it printed."""

    def call(*words: object, code: int = 0) -> Any:
        assert main([*map(str, words), "--format", "json"]) == code
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def other(tiny_checkpoint: Checkpoint) -> Checkpoint:
    """The same network with another temperature and its classes' rows turned: another model."""
    from safetensors.numpy import load_file, save_file

    folder = tiny_checkpoint.folder.parent / "other"
    shutil.copytree(tiny_checkpoint.folder, folder)
    arrays = load_file(folder / "model.safetensors")
    arrays["network.classifier.weight"] = arrays["network.classifier.weight"][::-1].copy()
    save_file(arrays, folder / "model.safetensors")
    (folder / "graph.onnx").unlink(missing_ok=True)
    seal_checkpoint(folder)
    return read_checkpoint(folder)


def seen(checkpoint: Checkpoint, csv: Path, settings: Settings) -> Any:
    return table_of(checkpoint, read_labelled(csv), settings)


def test_evaluate_prints_its_keys_and_an_interval_for_each_number(
    tiny_checkpoint: Checkpoint, table: Path, settings: Settings, run: Run
) -> None:
    found = run("evaluate", "--checkpoint", "tiny", "--data", table)
    assert set(found) >= KEYS
    direct = seen(tiny_checkpoint, table, settings)
    right = direct.probabilities.argmax(axis=1) == direct.labels
    assert (found["n"], found["refused"]) == (31, 1)
    assert found["accuracy"] == pytest.approx(right.mean())
    for name in ("accuracy", "macro_f1", "sentiment_accuracy", "ece"):
        row = found["intervals"][name]
        assert row["value"] == pytest.approx(found[name])
        assert row["low"] <= row["high"]
    assert np.sum(found["confusion"]["counts"]) == 31
    assert found["bridge"]["awe"] == ["awe"]
    assert len(found["set_sha256"]) == 64


def test_images_of_the_training_are_left_out_on_demand(
    tiny_checkpoint: Checkpoint,
    table: Path,
    settings: Settings,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    direct = seen(tiny_checkpoint, table, settings)
    right = direct.probabilities.argmax(axis=1) == direct.labels
    words = ("evaluate", "--checkpoint", "tiny", "--data", str(table), "--without-seen")
    assert main(list(words)) == 2  # it cannot say what it was trained on, so nothing is pretended
    assert "which images it was trained on" in capsys.readouterr().err
    looks = look_at(read_labelled(table).records, Limits.of(settings))
    mine = np.isin(looks.sha256, direct.sha256[9:12])  # of these the filter knows the looks alone
    trained = np.isin(direct.sha256, direct.sha256[:12])
    save_checkpoint(
        tiny_checkpoint.folder,
        tiny_checkpoint.card,
        load_network(tiny_checkpoint),
        with_graph=False,
        seen=SeenImages.of(direct.sha256[:9], looks.hash[mine]),
    )
    with monkeypatch.context() as patch:  # another program holds what is kept of looks
        patch.setattr("emoviz.inference.leaks.frequencies_of", lambda *_: {})
        leak = run(*words[:-1])["seen_in_training"]
        assert (leak["seen"], leak["by_looks"]) == (trained.sum() - 3, 0)
        assert leak["unlooked"] == len(trained) - leak["seen"]
    everything, rest = run(*words[:-1]), run(*words)
    assert everything["seen_in_training"]["seen"] == trained.sum()
    assert everything["seen_in_training"]["by_looks"] == 3
    assert everything["seen_in_training"]["unlooked"] == 0
    assert rest["n"] == (~trained).sum()
    assert rest["accuracy"] == pytest.approx(right[~trained].mean())
    assert rest["accuracy"] == everything["seen_in_training"]["accuracy_without"]["value"]
    for account in (everything, rest):
        assert account["found"] == account["taken"] + len(account["problems"])
    assert everything["found"] == rest["found"]
    assert f"in a training: {trained.sum()}" in " ".join(rest["notes"])


def test_a_second_run_reads_what_was_kept_and_another_bridge_does_not(
    tiny_checkpoint: Checkpoint, table: Path, settings: Settings, run: Run,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    words = ("evaluate", "--checkpoint", "tiny", "--data", table)
    first = run(*words)
    kept = list((settings.home / "evaluations").iterdir())
    assert len(kept) == 1

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr("emoviz.experiments.assess.measure", never)
        patch.setattr("emoviz.inference.engines.OnnxEngine.run", never, raising=False)
        assert run(*words) == first
    (tmp_path / "b.json").write_text(json.dumps({"awe": ["awe", "fear"], "fear": ["anger"]}))
    edited = run(*words, "--bridge", tmp_path / "b.json")
    assert edited["bridge"]["awe"] == ["awe", "fear"]
    assert edited["n"] == 8  # four images of awe, four of fear; no class may be called the rest
    assert edited["left_out"] == 23
    assert len(list((settings.home / "evaluations").iterdir())) == 2
    kept[0].write_text("{")  # damaged: made anew
    assert run(*words) == first
    whole = kept[0].read_text()  # as is what other code made
    kept[0].write_text(json.dumps(json.loads(whole) | {"made_by": "before", "accuracy": 0.99}))
    assert run(*words) == first
    made = {"created": ""}  # a second later, on a busy machine
    assert json.loads(kept[0].read_text()) | made == json.loads(whole) | made


def test_a_set_of_the_library_and_its_unknown_labels(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path,
    make_table: Callable[..., Path], run: Run,
) -> None:  # fmt: skip
    csv = make_table(tmp_path / "s", ["awe", "fear", "Anger ", "boredom", "awe"])
    shutil.copy(csv.parent / "0.jpg", csv.parent / "4.jpg")
    found = run("evaluate", "--checkpoint", "tiny", "--data", csv)
    assert found["unknown_labels"] == {"boredom": 1}
    assert (found["n"], found["duplicates"], found["refused"]) == (4, 1, 1)
    assert found["intervals"]["accuracy"]["n"] == 4
    assert found["intervals"]["macro_f1"]["reason"].startswith("not enough images")
    save_set(settings, "mine", "Mine", read_labelled(csv, MIKELS8), {"source": "tests"})
    assert run("evaluate", "--checkpoint", "tiny", "--data", "mine")["n"] == 4


def test_compare_prints_exactly_what_was_agreed(
    tiny_checkpoint: Checkpoint, other: Checkpoint, table: Path, settings: Settings, run: Run
) -> None:
    found = run("compare", "tiny", "other", "--data", table)
    counts = {"found", "taken", "problems", "notes"}
    assert set(found) == {"a", "b", "difference", "mcnemar", "claim"} | counts
    assert set(found["mcnemar"]) == {"p", "only_a_right", "only_b_right"}
    assert all(set(row) == {"value", "low", "high", "n"} for row in found["difference"].values())
    for side, name in (("a", "tiny"), ("b", "other")):
        alone = run("evaluate", "--checkpoint", name, "--data", table)
        assert {k: v for k, v in found[side].items() if k != "intervals"} == {
            k: v for k, v in alone.items() if k not in {"intervals", *counts}
        }
        assert {k: found[k] for k in counts} == {k: alone[k] for k in counts}
        assert found[side]["intervals"]["accuracy"] == alone["intervals"]["accuracy"]
    tables = [seen(item, table, settings) for item in (tiny_checkpoint, other)]
    answers = [item.probabilities.argmax(axis=1) for item in tables]
    right = [answer == tables[0].labels for answer in answers]
    assert found["mcnemar"]["only_a_right"] == (right[0] & ~right[1]).sum()
    assert found["difference"]["accuracy"]["value"] == pytest.approx(
        right[1].mean() - right[0].mean()
    )
    (kept,) = [
        values
        for file in (settings.home / "evaluations").iterdir()
        if "kappa" in (values := json.loads(file.read_text()))
    ]
    assert kept["kappa"]["value"] == pytest.approx(cohen_kappa_score(*answers))


def test_an_ensemble_and_runs_of_one_recipe(
    tiny_checkpoint: Checkpoint, other: Checkpoint, table: Path, settings: Settings, run: Run
) -> None:
    both = run("evaluate", "--checkpoint", "tiny+other", "--data", table)
    tables = [seen(item, table, settings) for item in (tiny_checkpoint, other)]
    mean = np.mean([item.probabilities for item in tables], axis=0)
    assert both["accuracy"] == pytest.approx((mean.argmax(axis=1) == tables[0].labels).mean())
    assert both["checkpoint"] == "tiny+other"
    assert both["clustering"]["ari"] is None
    runs = run("evaluate", "--checkpoint", "tiny,other", "--data", table)
    values = [item["accuracy"] for item in runs["runs"]]
    assert runs["over_runs"]["accuracy"]["values"] == values
    assert runs["over_runs"]["accuracy"]["sd"] == pytest.approx(np.std(values, ddof=1))


def test_seeds_are_compared_in_pairs(
    tiny_checkpoint: Checkpoint, other: Checkpoint, table: Path, run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    found = run("compare", "tiny,other", "other,tiny", "--data", table)
    gaps = [row["difference"]["accuracy"]["value"] for row in found["seeds"]]
    assert gaps[0] == -gaps[1]
    row = found["over_seeds"]["accuracy"]
    assert (row["mean"], row["values"]) == (0.0, gaps)
    assert row["p"] == pytest.approx(1.0)
    assert "does not tell them apart" in found["claim"]
    assert main(["compare", "tiny,other", "other", "--data", str(table)]) == 2
    assert "A has 2 seeds and B 1" in capsys.readouterr().err


def test_reports_hold_every_number_and_where_it_came_from(
    tiny_checkpoint: Checkpoint, other: Checkpoint, table: Path, tmp_path: Path, run: Run
) -> None:
    words = ("evaluate", "--checkpoint", "tiny", "--data", table)
    for ending in ("html", "md", "json"):
        found = run(*words, "--report", tmp_path / f"r.{ending}")
    html, text = (tmp_path / "r.html").read_text(), (tmp_path / "r.md").read_text()
    values = json.loads((tmp_path / "r.json").read_text())
    assert {key: values[key] for key in found} == found
    shown = [
        f"{100 * found['accuracy']:.2f} %", f"{found['clustering']['delta']:.4f}",
        f"{values['curves']['roc']['macro']['area']:.4f}", found["set_sha256"], "scikit-learn",
        values["checkpoints"][0]["fingerprint"], "confidence", "By artist",
        f"{found['per_class']['awe']['f1']:.4f}", f"{found['calibration']['nll']['value']:.4f}",
    ]  # fmt: skip
    for words_of in (html, text):
        for number in shown:
            assert number in words_of, number
    assert html.count("<svg") == 5
    assert not re.search(r'(?:src|href)\s*=\s*"(?!data:)|@import|url\(|<script', html)
    run("compare", "tiny", "other", "--data", table, "--report", tmp_path / "c.html")
    assert "From right to wrong" in (tmp_path / "c.html").read_text()


def test_pictures_of_mistakes_lie_inside_the_report(
    tiny_checkpoint: Checkpoint, table: Path, tmp_path: Path, run: Run
) -> None:
    run("evaluate", "--checkpoint", "tiny", "--data", table, "--report", tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text()
    assert "data:image/jpeg;base64," in html


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--report", "r.pdf"], "ends with none of .html, .md, .json"),
        (["--bridge", "none.json"], "There is no file 'none.json'"),
        (["--checkpoint", "tiny+nobody"], "There is no checkpoint 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_told(
    tiny_checkpoint: Checkpoint, table: Path, capsys: pytest.CaptureFixture[str],
    words: list[str], told: str,
) -> None:  # fmt: skip
    assert main(["evaluate", "--checkpoint", "tiny", "--data", str(table), *words]) == 2
    assert told in capsys.readouterr().err


def test_people_get_tables(
    tiny_checkpoint: Checkpoint, other: Checkpoint, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "tiny", "other", "--data", str(table)]) == 0
    text = capsys.readouterr().out
    assert "A tiny, B other on the same 31 images" in text
    assert re.search(r"accuracy +[\d.]+ +[\d.]+ +-?[\d.]+  \[-?[\d.]+, -?[\d.]+\]", text)
    assert "McNemar p" in text
    assert main(["evaluate", "--checkpoint", "tiny,other", "--data", str(table)]) == 0
    assert "mean and standard deviation" in capsys.readouterr().out


def test_checkpoints_times_sets(
    tiny_checkpoint: Checkpoint, other: Checkpoint, table: Path, tmp_path: Path,
    make_table: Callable[..., Path], run: Run,
) -> None:  # fmt: skip
    six = make_table(tmp_path / "six", ["joy", "sadness", "surprise"] * 4, seed=50)
    found = run(
        "experiment", "cross-dataset", "--checkpoints", "tiny", "other", "--data", table,
        f"emotion6={six}", tmp_path / "nowhere.csv", "--out", tmp_path / "out", code=1,
    )  # fmt: skip
    cells = found["across"]
    assert [(c["checkpoint"], c["images"], c["left_out"]) for c in cells[:4]] == [
        ("tiny", 31, 0), ("other", 31, 0), ("tiny", 8, 4), ("other", 8, 4),
    ]  # fmt: skip
    assert "There is no" in cells[4]["reason"]
    assert set(cells[2]["per_class"]) <= set(bridge_between(MIKELS8, MIKELS8).labels.names) | {
        "joy"
    }
    alone = run("evaluate", "--checkpoint", "other", "--data", table)
    assert cells[1]["estimates"]["accuracy"]["value"] == alone["accuracy"]
    assert "| emotion6=six/labels.csv |" in (tmp_path / "out" / "table.md").read_text().replace(
        "\\", ""
    )
    assert (tmp_path / "out" / "table.html").is_file()


def test_predict_tells_where_it_is_not_sure_once_a_threshold_is_set(
    tiny_checkpoint: Checkpoint, table: Path, settings: Settings, run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = ("predict", table.parent, "--checkpoint", "tiny")
    assert "not_sure" not in run(*words)[1]
    highest = [max(r["probabilities"].values()) for r in run(*words) if r["error"] is None]
    between = float(np.mean(sorted(highest)[14:16]))
    save_abstention(tiny_checkpoint, settings, Abstention(between))
    rows = [row for row in run(*words) if row["error"] is None]
    assert [row["not_sure"] for row in rows] == [p < between for p in highest]
    assert main([*map(str, words), "--format", "csv"]) == 0
    assert "unlike_training,not_sure,error" in capsys.readouterr().out.splitlines()[0]


# Documents -----------------------------------------------------------------------------------


def test_foreign_text_stays_text_in_both_forms() -> None:
    evil = '<img src=x onerror="alert(1)"> | `[a](b)` *x*\nnext'
    made = Document(
        evil, evil, [Section(evil, [evil], [DocumentTable([evil, "n"], [[evil, 1]])],
                             pictures=[Picture(b"x", evil)], notes=[evil])]
    )  # fmt: skip
    html, text = to_html(made), to_markdown(made)
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=&quot;" in html
    assert "\\<img" in text
    assert "\\|" in text
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 3


def test_a_report_of_nothing_says_so() -> None:
    from emoviz.analysis.alignment import ModelOutputs
    from emoviz.analysis.unlabelled import describe_answers

    rng = np.random.default_rng(0)
    answers = ModelOutputs("m", MIKELS8, rng.dirichlet(np.ones(8), 20), None, np.full(20, 0.5))
    values = {
        "checkpoint": "m", "n": 0, "set": {"title": "folder", "id": "", "images": 20,
        "labels": "own", "about": {}}, "set_sha256": "0", "left_out_labels": {}, "unlabelled": 20,
        "unknown_labels": {}, "refused": 0, "duplicates": 0, "seed": 0, "resamples": 10,
        "versions": {}, "created": "", "checkpoints": [], "bridge": {}, "mistakes": [],
        "answers": describe_answers(answers).to_dict(),
    }  # fmt: skip
    assert "What needs no labels" in html_report(values)
    assert "| awe |" in markdown_report(values)
    assert wanted_pictures(values) == []
