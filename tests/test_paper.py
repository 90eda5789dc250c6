"""What goes into a paper: every figure as SVG and PDF with its data, tables, methods."""

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from emoviz.cli import main
from emoviz.errors import TableError
from emoviz.plots.document import DocumentTable
from emoviz.plots.paper import latex_table
from emoviz.plots.report import paper_report


@pytest.fixture
def predictions(tmp_path: Path) -> str:
    """A table of predictions for sixty images, so that no network is needed."""
    rng = np.random.default_rng(0)
    names = ("joy", "fear", "sadness")
    truth, p = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60)
    rows = [
        f"{i}.jpg,{names[truth[i]]}," + ",".join(f"{value:.6f}" for value in p[i])
        for i in range(60)
    ]
    table = tmp_path / "rival_50%.csv"
    table.write_text("\n".join(["file,label,p_joy,p_fear,p_sadness", *rows]))
    return str(table)


@pytest.fixture
def archive(predictions: str, tmp_path: Path) -> zipfile.ZipFile:
    """The whole way from the command line."""
    out = tmp_path / "paper.zip"
    assert main(["evaluate", "--predictions", predictions, "--report", str(out)]) == 0
    return zipfile.ZipFile(out)


def test_the_figures_are_counted_while_they_are_drawn(predictions: str, tmp_path: Path) -> None:
    out = tmp_path / "paper.json"
    assert main(["evaluate", "--predictions", predictions, "--report", str(out)]) == 0
    told: list[tuple[int, int]] = []
    paper_report(json.loads(out.read_text()), lambda *row: told.append(row))
    assert told == [(done, 7) for done in range(1, 8)]


def test_every_figure_is_vector_twice_with_its_numbers(archive: zipfile.ZipFile) -> None:
    files = [name for name in archive.namelist() if name.startswith("figures/")]
    stems = {name.rsplit(".", 1)[0] for name in files}
    assert {stem.removeprefix("figures/") for stem in stems} == {
        "metrics", "roc", "precision-recall", "confusion", "reliability", "cross-sentiment",
        "coverage",
    }  # fmt: skip
    assert len(files) == 3 * len(stems)
    for stem in stems:
        assert archive.read(f"{stem}.pdf").startswith(b"%PDF")
        assert b"/Subtype /Image" not in archive.read(f"{stem}.pdf")
        assert b"<image" not in archive.read(f"{stem}.svg")
        assert ElementTree.fromstring(archive.read(f"{stem}.svg")).tag.endswith("svg")
    rows = list(csv.DictReader(io.StringIO(archive.read("figures/reliability.csv").decode())))
    assert sum(int(row["images"]) for row in rows) == 60
    confusion = list(csv.reader(io.StringIO(archive.read("figures/confusion.csv").decode())))
    assert sum(int(cell) for line in confusion[1:] for cell in line[1:]) == 60


def test_tables_and_methods_stand_beside_them(archive: zipfile.ZipFile) -> None:
    tables = [name for name in archive.namelist() if name.startswith("tables/")]
    assert len([n for n in tables if n.endswith(".tex")]) == len(tables) / 2 > 5
    for name in tables:
        text = archive.read(name).decode()
        if name.endswith(".tex"):
            assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
            assert "{table}" in text.splitlines()[0]
    words = archive.read("methods.md").decode()
    assert "60 images with labels" in words
    assert "numpy" in words
    cited = set(re.findall(r"@(\w+)[];]", words))
    known = set(re.findall(r"@\w+\{(\w+),", archive.read("references.bib").decode()))
    assert cited
    assert cited <= known


def test_foreign_text_stays_text_in_latex() -> None:
    table = DocumentTable(["a_b", "50 %"], [["R&D {x} $1 #2 ~^\\", 1234], [None, "−1 ± 2"]])
    text = latex_table(table, "A_1")
    assert r"a\_b & 50 \% \\" in text
    assert (
        r"R\&D \{x\} \$1 \#2 \textasciitilde{}\textasciicircum{}\textbackslash{} & 1,234 \\" in text
    )
    assert r"-- & $-$1 $\pm$ 2 \\" in text
    assert r"\caption{A\_1}" in text


def test_several_sets_have_no_figures_of_their_own() -> None:
    with pytest.raises(TableError, match="of one model or of two"):
        paper_report({"across": []})
