"""The command line's contract, in processes of its own, as other programs rely on it."""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from placed import put_checkpoint
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from emoviz.cli import _VERBS, main, make_parser
from emoviz.labels import MIKELS8

Picture = Callable[..., bytes]
Run = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parent.parent
NEGATIVE, POSITIVE = {"anger", "disgust", "fear", "sadness"}, set(MIKELS8.names[:4])
EMOTION6_OF = {**{name: name for name in NEGATIVE}, **dict.fromkeys(POSITIVE, "joy")}


def run_cli(
    *arguments: object, home: Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("EMOVIZ_")}
    return subprocess.run(
        [sys.executable, "-m", "emoviz", *map(str, arguments)],
        env={**clean, "EMOVIZ_HOME": str(home), "PYTHONUTF8": "1", **environment},
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_source: Path) -> Path:
    """A folder with `home`, 24 images and five that are none, and tables of labels."""
    root = tmp_path_factory.mktemp("cli")
    put_checkpoint(tiny_source, root / "home")
    images = root / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for i in range(24):
        values = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(values).resize((80, 60)).save(images / f"{i:02}.png")
    (images / "10b broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    (images / "20b empty.png").write_bytes(b"")
    labels = [MIKELS8.names[i % 8] for i in range(24)]
    rows = [f"images/{i:02}.png,{label}" for i, label in enumerate(labels)]
    spoilt = ["images/10b broken.jpg,awe", "images/missing.png,fear", "images/00.png,boredom"]
    (root / "mikels.csv").write_text("\n".join(["file,label", *rows, *spoilt]))
    six = ["anger", "disgust", "fear", "joy", "sadness", "surprise"]
    rows = [f"images/{i:02}.png,{six[i % 6]}" for i in range(24)]
    (root / "emotion6.csv").write_text("\n".join(["file,label", *rows]))
    return root


@pytest.fixture(scope="module")
def predicted(place: Path) -> list[dict[str, Any]]:
    done = run_cli(
        "predict", "images", "--checkpoint", "tiny", "--format", "json",
        home=place / "home", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0
    counts, *problems = done.stderr.splitlines()  # beside the rows, and nothing else
    assert counts == "26 found: 24 taken, 2 problems"
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert problems == [f"problem: {r['path']}: {r['error']}" for r in rows if r["error"]]
    return rows


@pytest.fixture(scope="module")
def evaluated(place: Path) -> dict[str, Any]:
    done = run_cli(
        "evaluate", "--checkpoint", place / "home" / "checkpoints" / "tiny", "--format", "json",
        "--data", place / "mikels.csv", "--taxonomy", "mikels8", home=place / "home",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values: dict[str, Any] = json.loads(done.stdout)
    return values


# predict -------------------------------------------------------------------------------------


def test_json_has_the_promised_keys_and_types(predicted: list[dict[str, Any]]) -> None:
    keys = ["path", "sha256", "predicted", "sentiment", "probabilities"]
    keys += ["top2_opposite", "unlike_training", "error"]
    for row in predicted:
        assert list(row) == keys
        assert type(row["top2_opposite"]) is type(row["unlike_training"]) is bool
        if row["error"] is None:
            assert row["predicted"] in MIKELS8.names
            assert row["sentiment"] in ("positive", "negative")
            assert list(row["probabilities"]) == list(MIKELS8.names)
            assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
            assert all(type(p) is float for p in row["probabilities"].values())
        else:
            assert type(row["error"]) is str
            assert row["predicted"] is row["sentiment"] is None
            assert row["probabilities"] == {}


def test_json_is_in_input_order_and_errors_stand_among_the_rest(
    place: Path, predicted: list[dict[str, Any]]
) -> None:
    names = sorted(path.name for path in (place / "images").iterdir())
    assert [row["path"] for row in predicted] == [os.path.join("images", n) for n in names]  # noqa: PTH118
    assert [Path(r["path"]).name for r in predicted if r["error"]] == [
        "10b broken.jpg",
        "20b empty.png",
    ]


def test_json_agrees_with_itself(place: Path, predicted: list[dict[str, Any]]) -> None:
    good = [row for row in predicted if row["error"] is None]
    assert len({row["predicted"] for row in good}) > 1
    for row in good:
        p = row["probabilities"]
        first, second = sorted(p, key=p.__getitem__, reverse=True)[:2]
        assert row["predicted"] == first
        assert row["top2_opposite"] == ((first in POSITIVE) != (second in POSITIVE))
        positive = sum(p[name] for name in POSITIVE)
        assert row["sentiment"] == ("positive" if positive > 0.5 else "negative")
        data = (place / row["path"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()


def test_nothing_is_written_but_the_answer(place: Path) -> None:
    assert sorted(path.name for path in place.iterdir()) == [
        "emotion6.csv",
        "home",
        "images",
        "mikels.csv",
    ]
    assert sorted(path.name for path in (place / "home").iterdir()) == ["checkpoints", "graphs"]


def test_files_and_folders_mixed_keep_the_order_asked_for(place: Path) -> None:
    done = run_cli(
        "predict", "images/05.png", "none.jpg", "images/10b broken.jpg", "images/01.png",
        "--checkpoint", place / "home" / "checkpoints" / "tiny", "--format", "json",
        home=place / "home", cwd=place,
    )  # fmt: skip
    rows = json.loads(done.stdout)
    assert [row["path"] for row in rows] == [
        "images/05.png",
        "none.jpg",
        "images/10b broken.jpg",
        "images/01.png",
    ]
    assert [row["error"] is None for row in rows] == [True, False, False, True]
    assert rows[1]["error"] == "there is no such file"
    assert done.returncode == 0


def test_exit_is_two_where_no_image_was_read(place: Path) -> None:
    done = run_cli(
        "predict", "images/20b empty.png", "none.jpg", "--checkpoint", "tiny", "--format", "json",
        home=place / "home", cwd=place,
    )  # fmt: skip
    assert done.returncode == 2
    assert [row["error"] for row in json.loads(done.stdout)] == [
        "the file is empty",
        "there is no such file",
    ]
    assert done.stderr.splitlines() == [
        "2 found: 0 taken, 2 problems",
        "problem: images/20b empty.png: the file is empty",
        "problem: none.jpg: there is no such file",
    ]


def test_csv_has_a_row_for_each_image(
    place: Path, predicted: list[dict[str, Any]], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(place)
    monkeypatch.setenv("EMOVIZ_HOME", str(place / "home"))
    assert main(["predict", "images", "--checkpoint", "tiny", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["path"] for row in rows] == [row["path"] for row in predicted]
    for row, wanted in zip(rows, predicted, strict=True):
        assert row["error"] == (wanted["error"] or "")
        assert row["predicted"] == (wanted["predicted"] or "")
        for name, p in wanted["probabilities"].items():
            assert float(row[f"p_{name}"]) == pytest.approx(p, abs=2e-5)


def test_table_says_whose_estimate_it_is_and_why_a_file_was_not_read(
    place: Path, predicted: list[dict[str, Any]], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(place)
    monkeypatch.setenv("EMOVIZ_HOME", str(place / "home"))
    assert main(["predict", "images", "--checkpoint", "tiny"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "The model's estimate of the emotion that each image evokes:"
    good = [row for row in predicted if row["error"] is None]
    for line, row in zip(lines[: len(good)], good, strict=True):
        assert line.startswith(f"{row['path']}: {row['predicted']} ")
        assert ("[top two opposite]" in line) == row["top2_opposite"]
        assert ("[unlike the training images]" in line) == row["unlike_training"]
    assert lines[len(good) :] == [
        "26 found: 24 taken, 2 problems",
        *(f"problem: {row['path']}: {row['error']}" for row in predicted if row["error"]),
    ]


def test_predict_waits_for_none_of_the_heavy_libraries_and_tells_nobody(
    place: Path, tmp_path: Path
) -> None:
    code = """
import sys
from emoviz.cli import main
code = main(["predict", "images/00.png", "--checkpoint", "tiny", "--format", "json"])
heavy = {"torch", "torchvision", "timm", "streamlit", "pandas", "sklearn", "scipy", "onnx",
         "plotly", "umap", "matplotlib"}
print(code, *sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    own = {"EMOVIZ_HOME": str(place / "home"), "EMOVIZ_DEVICE": "cpu", "HOME": str(tmp_path)}
    own["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"} | own,
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines() == ["1 found: 1 taken, 0 problems", "0"]
    left = list(tmp_path.rglob("*"))
    assert not left, "ONNX Runtime keeps a number for this machine, and what it tells Microsoft"


def test_name_that_is_no_text_gives_valid_json_and_a_table(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    name = os.fsencode(folder) + b"/caf\xe9 \xff.png"
    shutil.copy(place / "images" / "00.png", name)
    shutil.copy(place / "images" / "00.png", folder / "é.png")
    for encoding in ("utf-8", "ascii"):
        done = run_cli(
            "predict", folder, "--checkpoint", "tiny", "--format", "json",
            home=place / "home", PYTHONIOENCODING=encoding, PYTHONUTF8="0",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert {os.fsencode(row["path"]) for row in json.loads(done.stdout)} == {
            name,
            os.fsencode(folder / "é.png"),
        }
    obeyed = "a\nfake: joy 99%\x1b[2J\u202egnp"  # by a terminal
    shutil.copy(place / "images" / "00.png", folder / f"{obeyed}.png")
    (folder / f"{obeyed}.jpg").write_bytes(b"\xff\xd8\xff no image")
    done = run_cli("predict", folder, "--checkpoint", "tiny", home=place / "home")
    assert done.returncode == 0
    head, *lines, counts, problem = done.stdout.splitlines()
    assert head.startswith("The model's estimate")
    assert len(lines) == 3
    assert counts == "4 found: 3 taken, 1 problem"
    assert problem.startswith(
        f"problem: {folder}/a\ufffdfake: joy 99%\ufffd[2J\ufffdgnp.jpg: it is"
    )
    assert not {"\x1b", "\u202e"} & set(done.stdout)


def test_broken_exif_says_nothing_on_the_console(place: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (60, 60), (9, 9, 200)).save(
        path, exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x09"
    )
    done = run_cli("predict", path, "--checkpoint", "tiny", "--format", "json", home=place / "home")
    assert done.returncode == 0
    assert done.stderr == "1 found: 1 taken, 0 problems\n"


def test_reader_that_has_seen_enough_is_no_error(place: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "emoviz", "checkpoints"],
        env={**os.environ, "EMOVIZ_HOME": str(place / "home")},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


# evaluate ------------------------------------------------------------------------------------


def truth_and_predictions(
    place: Path, table: str, predicted: list[dict[str, Any]]
) -> tuple[list[str], list[dict[str, float]]]:
    by_name = {row["path"]: row["probabilities"] for row in predicted if row["error"] is None}
    rows = list(csv.DictReader((place / table).read_text().splitlines()))
    kept = [(r["label"], by_name[r["file"]]) for r in rows if r["file"] in by_name]
    return [label for label, _ in kept], [p for _, p in kept]


def test_evaluate_equals_scikit_learn_on_the_predictions(
    place: Path, predicted: list[dict[str, Any]], evaluated: dict[str, Any]
) -> None:
    result = evaluated
    keys = {"n", "refused", "accuracy", "macro_f1", "per_class", "sentiment_accuracy"}
    assert keys | {"cross_sentiment", "clustering"} <= set(result)
    truth, p = truth_and_predictions(place, "mikels.csv", predicted)
    truth, p = truth[:24], p[:24]  # what follows is the row labelled "boredom"
    answers = [max(row, key=row.__getitem__) for row in p]
    assert (result["n"], result["refused"], result["left_out"]) == (24, 3, 0)
    assert result["accuracy"] == pytest.approx(accuracy_score(truth, answers))
    labels = sorted({*truth, *answers})
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, answers, labels=labels, zero_division=0
    )
    assert result["macro_f1"] == pytest.approx(f1.mean())
    assert set(result["per_class"]) == set(labels)
    for i, label in enumerate(labels):
        assert result["per_class"][label] == pytest.approx(
            {"precision": precision[i], "recall": recall[i], "f1": f1[i], "support": support[i]}
        )
    positive = [sum(row[name] for name in POSITIVE) > 0.5 for row in p]
    right = [given == (label in POSITIVE) for given, label in zip(positive, truth, strict=True)]
    assert result["sentiment_accuracy"] == pytest.approx(np.mean(right))
    for name, threshold in (("none", 0.0), ("0.3", 0.3)):
        counts = {"pos_neg": 0, "neg_pos": 0, "pos_pos": 0, "neg_neg": 0}
        for row in p:
            one, two = sorted(row, key=row.__getitem__, reverse=True)[:2]
            if row[two] >= threshold:
                signs = ["pos" if emotion in POSITIVE else "neg" for emotion in (one, two)]
                counts["_".join(signs)] += 1
        eligible = sum(counts.values())
        rate = (counts["pos_neg"] + counts["neg_pos"]) / eligible if eligible else None
        assert result["cross_sentiment"][name] == {**counts, "eligible": eligible, "rate": rate}


def test_refusals_are_counted_and_named(evaluated: dict[str, Any]) -> None:
    result = evaluated
    assert sorted(row["path"] for row in result["refusals"]) == [
        "images/10b broken.jpg",
        "line 27",
        "line 28",
    ]
    assert all(row["reason"] for row in result["refusals"])


def test_clustering_has_its_four_numbers(evaluated: dict[str, Any]) -> None:
    clustering = evaluated["clustering"]
    assert {"ari", "nmi", "asr", "delta"} <= set(clustering)
    assert -1 <= clustering["ari"] <= 1
    assert 0 <= clustering["nmi"] <= 1
    assert 0 <= clustering["asr"] <= 1
    assert clustering["delta"] > 0


def test_emotion6_labels_are_bridged_and_surprise_is_left_out(
    place: Path, predicted: list[dict[str, Any]], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("EMOVIZ_HOME", str(place / "home"))
    table = ["--data", str(place / "emotion6.csv"), "--taxonomy", "emotion6", "--format", "json"]
    assert main(["evaluate", "--checkpoint", "tiny", *table]) == 0
    result = json.loads(capsys.readouterr().out)
    truth, p = truth_and_predictions(place, "emotion6.csv", predicted)
    pairs = []
    for label, row in zip(truth, p, strict=True):
        sums = dict.fromkeys((*sorted(NEGATIVE), "joy"), 0.0)
        for name, value in row.items():
            sums[EMOTION6_OF[name]] += value
        if label != "surprise":
            pairs.append((label, max(sums, key=sums.__getitem__)))
    assert (result["taxonomy"], result["n"], result["left_out"]) == ("emotion6", 20, 4)
    assert result["refused"] == 0
    assert result["accuracy"] == pytest.approx(accuracy_score(*zip(*pairs, strict=True)))
    assert "surprise" not in result["per_class"]


def test_evaluate_by_hand_of_a_person_prints_a_table(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOVIZ_HOME", str(place / "home"))
    table = ["--data", str(place / "mikels.csv"), "--taxonomy", "mikels8"]
    assert main(["evaluate", "--checkpoint", "tiny", *table]) == 0
    text = capsys.readouterr().out
    assert "tiny on 24 images, labels of mikels8" in text
    assert "\nleft out 0 (label has no class)\n" in text
    assert "\n27 found: 24 taken, 3 problems\n" in text
    assert "problem: line 27: " in text
    assert "images/missing.png: there is no such file" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "x.jpg", "--checkpoint", "nosuch"], "There is no checkpoint 'nosuch'"),
        (["evaluate", "--checkpoint", "tiny", "--data", "none.csv"], "There is no"),
        (["evaluate", "--checkpoint", "tiny", "--data", "mikels.csv", "--taxonomy", "x"], "'x'"),
        (
            ["evaluate", "--checkpoint", "tiny", "--data", "mikels.csv", "--taxonomy", "sadness2"],
            "holds no image that can be used",
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line_with_exit_two(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("EMOVIZ_HOME", str(place / "home"))
    if "sadness2" in arguments:
        (place / "home" / "one.csv").write_text("file,label\na.png,amusement\n")
        arguments = [*arguments[:4], "home/one.csv", *arguments[5:]]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("emoviz: ")
    assert words in captured.err
    assert captured.err.count("\n") == 1
    (place / "home" / "one.csv").unlink(missing_ok=True)


def test_exit_is_two_where_no_labelled_image_could_be_read(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOVIZ_HOME", str(place / "home"))
    table = tmp_path / "t.csv"
    (tmp_path / "broken.png").write_text("no image")
    table.write_text("file,label\nbroken.png,awe\n")
    arguments = ["evaluate", "--checkpoint", "tiny", "--data", str(table), "--format", "json"]
    assert main(arguments) == 2
    result = json.loads(capsys.readouterr().out)
    assert (result["n"], result["refused"], result["accuracy"]) == (0, 1, None)


@pytest.mark.parametrize("arguments", [["predict"], ["predict", "a", "--format", "xml"], ["x"]])
def test_wrong_arguments_exit_with_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: emoviz" in capsys.readouterr().err


def test_without_a_verb_the_app_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests/test_package.py it is a process; here it is only seen to be asked for."""
    opened: list[list[str]] = []
    monkeypatch.setattr("emoviz.ui.serve.main", opened.append)
    assert main([]) == 0
    assert main(["app"]) == 0
    assert opened == [[], []]


def test_impossible_setting_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOVIZ_MAX_FILE_MB", "plenty")
    assert main(["checkpoints"]) == 2
    assert "EMOVIZ_MAX_FILE_MB is 'plenty'" in capsys.readouterr().err


def test_labels_that_fit_the_checkpoint_are_taken_as_its_own(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fear and anger are of Emotion6 too, where four classes would count as one answer."""
    monkeypatch.setenv("EMOVIZ_HOME", str(place / "home"))
    table = tmp_path / "t.csv"
    table.write_text(f"file,label\n{place}/images/00.png,fear\n{place}/images/01.png,anger\n")
    arguments = ["evaluate", "--checkpoint", "tiny", "--data", str(table), "--format", "json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["taxonomy"] == "mikels8"


def test_table_parquet_file_and_folder_of_classes_are_one_set(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels of another taxonomy, so that the bridge is crossed on every way."""
    monkeypatch.setenv("EMOVIZ_HOME", str(place / "home"))
    files = sorted((place / "images").glob("0[0-5].png"), key=lambda f: (int(f.stem) % 2, f.stem))
    labels = ["joy" if int(file.stem) % 2 == 0 else "sadness" for file in files]
    pairs = list(zip(files, labels, strict=True))
    (tmp_path / "t.csv").write_text("\n".join(["file,label", *(f"{f},{x}" for f, x in pairs)]))
    columns = {"image": [file.read_bytes() for file in files], "label": labels}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    for file, label in pairs:
        (tmp_path / "folder" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "folder" / label)
    results = []
    for name in ("t.csv", "t.parquet", "folder"):
        data = ["--data", str(tmp_path / name), "--taxonomy", "emotion6", "--format", "json"]
        assert main(["evaluate", "--checkpoint", "tiny", *data]) == 0
        results.append(json.loads(capsys.readouterr().out))
    assert results[0]["n"] == 6
    assert results[0] == results[1] == results[2]


# checkpoints ---------------------------------------------------------------------------------


def test_checkpoints_are_listed_with_what_they_are(place: Path) -> None:
    done = run_cli("checkpoints", "--format", "json", home=place / "home")
    assert done.returncode == 0
    row = next(row for row in json.loads(done.stdout) if row["id"] == "tiny")
    assert row["taxonomy"] == "mikels8"
    assert row["backbone"] == "test_efficientnet"
    assert row["layers"] == [1, 2, 3]
    assert type(row["width"]) is int
    assert row["measures"] == {}


def test_broken_checkpoint_does_not_hide_the_others(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "home", tmp_path / "home")
    broken = tmp_path / "home" / "checkpoints" / "broken"
    broken.mkdir()
    (broken / "card.json").write_text("{}")
    monkeypatch.setenv("EMOVIZ_HOME", str(tmp_path / "home"))
    assert main(["checkpoints"]) == 0
    captured = capsys.readouterr()
    assert "tiny: Tiny test network. mikels8, test_efficientnet" in captured.out
    assert "Checkpoint 'broken' cannot be used" in captured.err


def test_a_verb_alone_loads_its_own_module_and_all_verbs_are_listed() -> None:
    listed = next(a.choices for a in make_parser()._actions if a.choices)
    assert list(listed) == [verb for verbs in _VERBS.values() for verb in verbs]
    own = next(a.choices for a in make_parser("predict")._actions if a.choices)
    assert list(own) == list(_VERBS["images"])


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (["checkpoint", "import", "PATH"], ("file", "folder")),
        (["promote", "PATH", "new"], ("folder",)),
        (["merge", "PATH", "--out", "whole.parquet"], ("file",)),
        (["project", "PATH"], ("file",)),
        (["measure", "PATH"], ("file",)),
        (["centers", "mikels8", "--table", "PATH"], ("file",)),
        (["review", "import", "PATH"], ("file",)),
        (["evaluate", "--predictions", "PATH"], ("file",)),
        (["evaluate", "--data", "sample", "--bridge", "PATH"], ("file",)),
        (["ask", "http://127.0.0.1:9", "--data", "sample", "--prompt", "PATH"], ("file",)),
        (["experiment", "report", "PATH", "--out", "report.md"], ("file", "folder")),
    ],
    ids=lambda words: "-".join(words[:2]) if isinstance(words, list) else "",
)
def test_a_path_that_cannot_be_meant_is_told_in_one_sentence(
    words: list[str], kinds: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    def told(name: str) -> str:
        path = str(tmp_path / name)
        assert main([path if word == "PATH" else word for word in words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line.replace(path, "PATH")

    assert told("nowhere") == f"emoviz: There is no {' or '.join(kinds)} 'PATH'."
    if "file" in kinds:
        assert told("file") == "emoviz: The file 'PATH' is empty."
    else:
        assert told("file") == "emoviz: 'PATH' is a file; wanted: a folder."
    if "folder" not in kinds:
        assert told("folder") == "emoviz: 'PATH' is a folder; wanted: a file."


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "sample", "--out"],
        ["embed", "sample", "--out"],
        ["style", "sample", "--out"],
        ["project", __file__, "--out"],
        ["data", "import", "table", __file__, "--out"],
        ["data", "import", "table", __file__, "--out", "kept.parquet", "--refused"],
    ],
    ids=["predict", "embed", "style", "project", "import", "refused"],
)
def test_a_folder_where_a_file_shall_be_is_told_before_anything_is_computed(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"emoviz: '{tmp_path}' is a folder; wanted: a file.\n"
