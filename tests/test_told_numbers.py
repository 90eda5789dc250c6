"""What training tells about its numbers: how many images, whether the probe won, idle terms."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from emoviz.data.dataset import Dataset, Record, assign_splits
from emoviz.labels import MIKELS8
from emoviz.training.progress import EpochResult, idle_terms
from emoviz.training.recipe import DataPart, LossPart
from emoviz.training.runs import Run, verdict_on_probe
from emoviz.training.targets import missed_shares


def run_of(folder: Path, accuracy: float, probe: float, images: int) -> Run:
    intervals = {"accuracy": {"value": accuracy, "n": images}}
    measures = {"set, test split": {"n": images, "accuracy": accuracy, "intervals": intervals}}
    (folder / "measures.json").write_text(json.dumps(measures))
    (folder / "probe.json").write_text(json.dumps({"test": probe, "test_images": images}))
    return Run("r", folder, {}, "done")


@pytest.mark.parametrize(
    ("accuracy", "probe", "images", "words"),
    [
        (0.80, 0.60, 400, "The network beats the linear probe"),
        (0.60, 0.80, 400, "The linear probe beats the network"),
        (0.7692, 0.6923, 13, "is not told apart from the linear probe by 13 test images"),
    ],
)
def test_the_verdict_on_the_probe_says_who_won(
    tmp_path: Path, accuracy: float, probe: float, images: int, words: str
) -> None:
    run = run_of(tmp_path, accuracy, probe, images)
    assert words in verdict_on_probe(run)
    assert run.tested is not None
    assert run.tested.n == images
    assert run.tested.low < accuracy < run.tested.high  # type: ignore[operator]


def test_the_interval_against_the_probe_is_newcombes(tmp_path: Path) -> None:
    """Newcombe 1998, method 10, example (a): 56/70 - 48/80 is 0.0524 to 0.3339."""
    run = run_of(tmp_path, 56 / 70, 0.6, 70)
    (tmp_path / "probe.json").write_text(json.dumps({"test": 0.6, "test_images": 80}))
    assert "+20.0 points (+5.2 to +33.4)" in verdict_on_probe(run)


def test_without_a_probe_there_is_no_verdict(tmp_path: Path) -> None:
    run = run_of(tmp_path, 0.5, 0.5, 40)
    (tmp_path / "probe.json").unlink()
    assert verdict_on_probe(run) == ""


def epoch(**values: float) -> EpochResult:
    fields = {field.name: 1 for field in dataclasses.fields(EpochResult)}
    known: dict[str, Any] = {**fields, "loss": 1.0, "entropy": 1.0, "intra": 0.5, "inter": 0.5}
    return EpochResult(**{**known, **values})


def test_a_term_that_is_zero_for_a_whole_epoch_is_told() -> None:
    loss = dataclasses.replace(LossPart(), beta=0.5, margin=5.0)
    assert idle_terms(epoch(), loss) == []
    (line,) = idle_terms(epoch(inter=0.0), loss)
    assert "L_inter was 0" in line
    assert "lie 5 (the margin m) or more apart" in line
    assert "L_intra" in idle_terms(epoch(intra=0.0), loss)[0]
    off = dataclasses.replace(loss, beta=0.0)
    assert idle_terms(epoch(inter=0.0, intra=0.0), off) == []


def test_a_split_by_groups_that_misses_its_share_is_told() -> None:
    groups = ["one painter"] * 500 + [f"g{i}" for i in range(60)]
    records = [Record(f"{i}.jpg", Path(f"{i}.jpg"), 0, group=g) for i, g in enumerate(groups)]
    asked = DataPart(validation=0.1, test=0.1)
    item = Dataset("set", MIKELS8, assign_splits(records, 0.1, 0.1))
    lines = missed_shares(item, asked)
    counts = {name: len(item.of_split(name)) for name in ("validation", "test")}
    assert any(abs(count - 56) > 56 / 3 for count in counts.values())
    assert len(lines) == sum(abs(count - 56) > 56 / 3 for count in counts.values())
    assert all("of 560 images, wanted about 56: the 61 groups stay whole" in line for line in lines)
    even = [Record(f"{i}.jpg", Path(f"{i}.jpg"), 0, group=str(i)) for i in range(2000)]
    fair = Dataset("set", MIKELS8, assign_splits(even, 0.1, 0.1))
    assert missed_shares(fair, asked) == []
