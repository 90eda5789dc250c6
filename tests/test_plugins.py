"""Plug-ins as other packages bring them: those of the documents, and broken ones."""

import logging
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_evaluation import judged
from test_parts import explainer_of, images, untrained

from emoviz.analysis.metrics import METRICS, measure
from emoviz.cli import main
from emoviz.curation.checks import CHECKS, CheckMaterial
from emoviz.curation.examined import of_set
from emoviz.curation.findings import find
from emoviz.curation.telling import verdicts
from emoviz.data.dataset import Dataset, Record
from emoviz.data.image_statistics import look_at
from emoviz.data.images import Limits
from emoviz.data.importers.registry import bring_in, importers
from emoviz.errors import TableError
from emoviz.inference.explanations import EXPLANATIONS, explain_by
from emoviz.labels import EMOTION6
from emoviz.plugins import PluginError, Registry
from emoviz.review.exports import FORMS
from emoviz.settings import PROJECT_ROOT
from emoviz.training.encoder import encoder_network
from emoviz.training.encoder_reading import FORMS as ENCODERS
from emoviz.training.encoder_reading import read_encoder

PAGE = PROJECT_ROOT / "docs" / "how-to" / "write-your-own.md"
REGISTRIES: tuple[Registry[Any], ...] = (
    METRICS,
    importers(),
    EXPLANATIONS,
    FORMS,
    ENCODERS,
    CHECKS,
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; the registries look anew, before and after."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_added", None)
        monkeypatch.setattr(registry, "_broken", ())
    yield folder
    for name in ("my_emoviz", "broken_emoviz"):
        sys.modules.pop(name, None)


def install(site: Path, package: str, code: str, points: dict[str, dict[str, str]]) -> None:
    """What pip would leave of a package of one module."""
    about = site / f"{package.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [
        "\n".join([f"[{group}]", *(f"{name} = {place}" for name, place in named.items())])
        for group, named in points.items()
    ]
    (about / "entry_points.txt").write_text("\n\n".join(lines) + "\n")
    (site / f"{package.replace('-', '_')}.py").write_text(code)


@pytest.fixture
def documented(site: Path) -> Path:
    """The package that the page shows."""
    text = PAGE.read_text(encoding="utf-8")
    (project,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
    about = tomllib.loads(project)["project"]
    install(site, about["name"], code, about["entry-points"])
    return site


def test_the_documents_plugins_work(documented: Path, tmp_path: Path) -> None:
    aligned = judged(60)
    found = measure(aligned)
    count = int((aligned.confidence > 0.5).sum())
    assert found["confident"].value == pytest.approx(count / 60)
    assert list(found)[:-1] == list(METRICS)[:-1]
    image = images(1)[0]
    heat = explain_by("contrast", explainer_of(untrained()), image, 0)
    grey = image.mean(axis=2)
    np.testing.assert_allclose(heat.values, abs(grey - grey.mean()) / 255, rtol=1e-5)
    (tmp_path / "set.txt").write_text("a.jpg is joy\nb.jpg is hunger\n")
    brought = bring_in("lines", tmp_path / "set.txt")
    assert [record.name for record in brought.records] == ["a.jpg"]
    assert [problem.key for problem in brought.problems] == ["b.jpg"]
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "network.txt").write_text("test_efficientnet")
    encoder = read_encoder(str(tmp_path / "net"))
    assert encoder.source == "random weights of test_efficientnet"
    assert encoder_network(encoder, 3).width > 0
    assert not any(registry.broken for registry in REGISTRIES)


def pictures(folder: Path) -> Dataset:
    """Two pictures of noise, the second nearly black."""
    records = []
    for i, most in enumerate((255, 20)):
        path = folder / f"{i}.png"
        pixels = np.random.default_rng(i).integers(0, most, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        records.append(Record(path.name, path, i, tuple(np.eye(6)[i]), path.name))
    return Dataset("two", EMOTION6, tuple(records))


def test_the_documents_check_stands_beside_the_others(documented: Path, tmp_path: Path) -> None:
    made = pictures(tmp_path)
    found, item = find(CheckMaterial(of_set(made, look_at(made.records, Limits()))))
    assert found["dark"] == {"count": 1, "list": ["1.png"]}
    assert item.checked["dark"].faulty.tolist() == [False, True]
    assert item.checked["dark"].score == pytest.approx(1 - item.looks.brightness)
    (verdict,) = (v for v in verdicts(found) if v.kind == "dark")
    assert (verdict.title, verdict.count) == ("Nearly black pictures", 1)
    assert not CHECKS.broken


def test_a_check_that_fails_or_gives_no_scores_is_named_and_costs_nothing_else(
    site: Path, tmp_path: Path
) -> None:
    install(
        site,
        "broken-emoviz",
        BROKEN,
        {
            "emoviz.checks": {
                "blows": "broken_emoviz:CHECK",
                "short": "broken_emoviz:SHORT",
                "much": "broken_emoviz:MUCH",
            }
        },
    )
    made = pictures(tmp_path)
    found, item = find(CheckMaterial(of_set(made, look_at(made.records, Limits()))))
    why = found["not_looked_for"]
    assert why["blows"] == "The plug-in 'blows' failed (ZeroDivisionError: by my fault)"
    assert "scores of (1,)" in why["short"]
    assert "below 0 or above 1" in why["much"]
    assert {found["blows"], found["short"], found["much"]} == {None}
    assert found["tiny"] == {"count": 0, "list": []}
    assert set(item.checked) == {name for name in CHECKS if name not in why}


def test_the_documents_exporter_writes_a_file(documented: Path, tmp_path: Path) -> None:
    class Work:
        title = "Night"

    class Material:
        def each(self) -> list[Work]:
            return [Work(), Work()]

    write = FORMS["titles"].write
    assert write is not None
    assert write(Material(), tmp_path / "out.txt") == 2  # type: ignore[arg-type]
    assert (tmp_path / "out.txt").read_text() == "Night\nNight\n"


BROKEN = """
import numpy as np
from emoviz.analysis.metrics import Metric
from emoviz.curation.checks import CheckResult, DataCheck
from emoviz.data.importers.common import Importer
from emoviz.inference.explanations import ExplanationMethod

def fails(*given):
    raise ZeroDivisionError("by my fault")

FAILS = Metric("Fails", "share", "more", "", "", values=fails)
NEITHER = Metric("Neither", "share", "more", "", "")
READS = Importer("reads", "", "", "", "", "", fails)
BLOWS = ExplanationMethod("Blows", "", fails)
CHECK = DataCheck("Blows", "", fails)
SHORT = DataCheck("Short", "", lambda given: CheckResult(np.zeros(1), np.zeros(1, bool)))
MUCH = DataCheck("Much", "", lambda given: CheckResult(np.full(2, 1.5), np.ones(2, bool)))
ODD = ExplanationMethod("Odd", "", lambda explainer, image, index: image[0])
"""


def test_a_broken_plugin_is_named_and_costs_nothing_else(
    site: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = {
        "accuracy": "broken_emoviz:FAILS",
        "fails": "broken_emoviz:FAILS",
        "gone": "no_such_module:X",
        "neither": "broken_emoviz:NEITHER",
        "reads": "broken_emoviz:READS",
    }
    points = {
        "emoviz.metrics": metrics,
        "emoviz.importers": {"reads": "broken_emoviz:READS"},
        "emoviz.explanations": {"blows": "broken_emoviz:BLOWS", "odd": "broken_emoviz:ODD"},
    }
    install(site, "broken-emoviz", BROKEN, points)
    with caplog.at_level(logging.WARNING, "emoviz.plugins"):
        reasons = {item.name: item.reason for item in METRICS.broken}
    assert reasons["accuracy"] == "its name is taken"
    assert reasons["gone"] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert reasons["neither"].startswith("ValueError: a metric has either")
    assert reasons["reads"] == "it is a Importer, no Metric"
    assert len(caplog.records) == 4
    found = measure(judged(30))
    assert found["accuracy"].value is not None
    assert found["fails"].value is None
    assert found["fails"].reason == ("The plug-in 'fails' failed (ZeroDivisionError: by my fault)")
    with pytest.raises(PluginError, match="The plug-in 'reads' failed"):
        bring_in("reads", site)
    with pytest.raises(TableError, match="There is no importer 'x'"):
        bring_in("x", site)
    explainer = explainer_of(untrained())
    with pytest.raises(PluginError, match="'blows' failed"):
        explain_by("blows", explainer, images(1)[0], 0)
    with pytest.raises(PluginError, match=r"'odd' failed \(a map of"):
        explain_by("odd", explainer, images(1)[0], 0)
    capsys.readouterr()
    assert main(["plugins"]) == 0
    told = capsys.readouterr().out
    assert "metrics: fails (broken-emoviz 1.0)" in told
    assert "The plug-in 'gone' of 'broken-emoviz 1.0' is left out: ModuleNotFoundError" in told
