"""An evaluation or a comparison for a paper: figures as SVG and PDF with data, tables, methods.

What comes in are the plain values of `emoviz.experiments.assess`; what goes out is one ZIP:

::

    figures/NAME.svg, NAME.pdf, NAME.csv    vector graphics, and the numbers that they show
    tables/NN-NAME.tex, .md                 every table of the report
    methods.md                              how it was measured, in sentences
    references.bib                          of the statistics, and of the set where it says one
"""

import io
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emoviz.analysis.metrics import METRICS
from emoviz.inference.tabular import csv_text
from emoviz.plots.document import Document, DocumentTable, markdown_table
from emoviz.plots.svg import COLOURS

Values = Mapping[str, Any]
Rows = Sequence[Sequence[Any]]
_SIZE = (4.2, 3.4)  # inches: a column of a journal
_DRAWING = threading.Lock()  # matplotlib's settings are the process's
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "emoviz",
    "text.parse_math": False,
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of all members: the same values make the same archive
_REFERENCES = """@phdthesis{motiejauskas2026,
  author = {Motiejauskas, Modestas},
  title = {Convolutional Neural Network Architectures and Training Improvements: Visual Emotion
           Recognition Case},
  school = {Vilnius University}, year = {2026}, doi = {10.15388/vu.thesis.923}
}

@article{wilson1927,
  author = {Wilson, Edwin B.},
  title = {Probable inference, the law of succession, and statistical inference},
  journal = {Journal of the American Statistical Association},
  volume = {22}, number = {158}, pages = {209--212}, year = {1927}
}

@article{brown2001,
  author = {Brown, Lawrence D. and Cai, T. Tony and DasGupta, Anirban},
  title = {Interval estimation for a binomial proportion},
  journal = {Statistical Science},
  volume = {16}, number = {2}, pages = {101--133}, year = {2001}
}

@article{tukey1958,
  author = {Tukey, John W.},
  title = {Bias and confidence in not-quite large samples (abstract)},
  journal = {The Annals of Mathematical Statistics},
  volume = {29}, number = {2}, pages = {614}, year = {1958}
}

@article{korn1998,
  author = {Korn, Edward L. and Graubard, Barry I.},
  title = {Confidence intervals for proportions with small expected number of positive counts
           estimated from survey data},
  journal = {Survey Methodology},
  volume = {24}, number = {2}, pages = {193--201}, year = {1998}
}

@article{zou2008,
  author = {Zou, Guang Yong and Donner, Allan},
  title = {Construction of confidence limits about effect measures: A general approach},
  journal = {Statistics in Medicine},
  volume = {27}, number = {10}, pages = {1693--1702}, year = {2008}
}

@book{politis1999,
  author = {Politis, Dimitris N. and Romano, Joseph P. and Wolf, Michael},
  title = {Subsampling},
  publisher = {Springer}, year = {1999}
}

@article{bonett2012,
  author = {Bonett, Douglas G. and Price, Robert M.},
  title = {Adjusted {Wald} confidence interval for a difference of binomial proportions based on
           paired data},
  journal = {Journal of Educational and Behavioral Statistics},
  volume = {37}, number = {4}, pages = {479--488}, year = {2012}
}

@article{mcnemar1947,
  author = {McNemar, Quinn},
  title = {Note on the sampling error of the difference between correlated proportions or
           percentages},
  journal = {Psychometrika},
  volume = {12}, number = {2}, pages = {153--157}, year = {1947}
}

@inproceedings{guo2017,
  author = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  title = {On calibration of modern neural networks},
  booktitle = {International Conference on Machine Learning},
  pages = {1321--1330}, year = {2017}
}
"""


@dataclass(frozen=True)
class PaperFigure:
    """One figure with the numbers that it shows.

    Attributes:
        name: Of its files.
        header: Of the numbers.
        rows: Under it.
        draw: Draws on matplotlib's axes.
    """

    name: str
    header: Sequence[str]
    rows: Rows
    draw: Callable[[Any], None]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """(name, content) of the SVG, the PDF and the CSV."""
        import matplotlib
        from matplotlib.figure import Figure

        with _DRAWING, matplotlib.rc_context(_STYLE):
            figure = Figure(figsize=_SIZE, layout="constrained")
            self.draw(figure.add_subplot())
            for suffix, date in (("svg", "Date"), ("pdf", "CreationDate")):
                buffer = io.BytesIO()
                figure.savefig(buffer, format=suffix, metadata={date: None})
                figure.set_layout_engine("none")  # the first has laid it out
                yield f"figures/{self.name}.{suffix}", buffer.getvalue()
        yield f"figures/{self.name}.csv", csv_text([self.header, *self.rows]).encode()


def paper_archive(
    values: Values, document: Document, watch: Callable[[int, int], None] | None = None
) -> bytes:
    """The ZIP of one evaluation or of a comparison.

    Args:
        values: Of `emoviz.experiments.assess.evaluation` or `comparison`.
        document: The same as a report, whose tables are taken.
        watch: Told how many figures of how many are drawn.
    """
    sides = {"": values} if "difference" not in values else {"a-": values["a"], "b-": values["b"]}
    figures = [figure for mark, side in sides.items() for figure in _figures(side, mark)]
    if "difference" in values:
        figures.append(_forest("differences", values["difference"], "B minus A"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for done, figure in enumerate(figures, 1):
            for name, content in figure.files():
                _add(archive, name, content)
            if watch is not None:
                watch(done, len(figures))
        for name, text in _tables(document):
            _add(archive, name, text.encode())
        _add(archive, "methods.md", methods(values).encode())
        _add(archive, "references.bib", _bibliography(values).encode())
    return buffer.getvalue()


def methods(values: Values) -> str:
    """How it was measured, a paragraph for the methods section; citations as Pandoc has them."""
    sides = [values] if "difference" not in values else [values["a"], values["b"]]
    first, made = sides[0], values["checkpoints"]
    models = "; ".join(_model(row) for row in made)
    left = sum(first["left_out_labels"].values()) + first["unlabelled"]
    versions = ", ".join(f"{name} {number}" for name, number in values["versions"].items())
    parts = [
        f"We measured {models} on {values['set']['title']} ({first['n']:,} images with labels of "
        f"the taxonomy {first['taxonomy']}; {left:,} images without a label that a class may be "
        f"called and {first['refused']:,} unusable files or rows left out; SHA-256 of images and "
        f"labels {values['set_sha256'][:16]}).",
        f"Confidence intervals are at {values['level']:.0%}: Wilson's for shares of images, "
        "modified near 0 and 1 [@wilson1927; @brown2001]; for the expected calibration error of 15 "
        "bins [@guo2017] by inversion of a test; for the Brier score from right and wrong answers "
        "apart [@zou2008]; for other metrics of predictions Wilson's of the effective number of "
        "images [@korn1998] by a jackknife over groups of images [@tukey1958].",
    ]
    clusters = [side["intervals"]["ari"] for side in sides if side["intervals"]]
    if any(row["value"] is not None for row in clusters):
        enough = any(row["low"] is not None for row in clusters)
        parts.append(
            "K-means with as many clusters as labels and ten starts found clusters in the "
            "penultimate vectors, ASR with them [@motiejauskas2026]; "
            + (
                "their metrics have intervals from twenty parts of the images, half of them and "
                "1,000 at most, in which clusters and threshold were found anew [@politis1999]."
                if enough
                else "for intervals of their metrics there are too few images."
            )
        )
    if "difference" in values:
        test = values["mcnemar"]
        parts.append(
            "Both models answered the same images. Differences of shares have the interval of "
            "Bonett and Price [@bonett2012], of other metrics of predictions one by the jackknife "
            "with the same groups left out of both, of the calibration error one from both "
            f"intervals [@zou2008]; right and wrong were compared by McNemar's test "
            f"[@mcnemar1947] ({test['method']}, p = {test['p']:.3g}). {values['claim']}"
        )
    parts.append(f"Seed {values['seed']}. Software: {versions}.")
    return " ".join(parts) + "\n"


def _model(row: Values) -> str:
    trained = ", ".join(row["trained_on"]) or "unknown images"
    seed = "" if row["seed"] is None else f", seed {row['seed']}"
    return f"{row['title']} ({row['backbone'].rstrip('.')}; trained on {trained}{seed})"


def _bibliography(values: Values) -> str:
    about = values["set"].get("about") or {}
    source = str(about.get("bibtex") or "")
    if not source and about.get("citation"):
        citation = re.sub(r"[{}\\]", "", str(about["citation"]))
        source = f"@misc{{dataset,\n  note = {{{citation}}}\n}}"
    return _REFERENCES + (f"\n{source}\n" if source else "")


# Figures -------------------------------------------------------------------------------------


def _figures(values: Values, mark: str) -> Iterator[PaperFigure]:
    if not values["n"]:
        return
    yield _forest(f"{mark}metrics", values["intervals"], "value")
    for kind, axes in (
        ("roc", ("false positive rate", "true positive rate")),
        ("precision_recall", ("recall", "precision")),
    ):
        if values["curves"][kind]:
            yield _curves(f"{mark}{kind.replace('_', '-')}", values["curves"][kind], axes)
    yield _confusion(f"{mark}confusion", values["confusion"])
    if values["calibration"]["bins"]:
        yield _reliability(f"{mark}reliability", values["calibration"]["bins"])
    yield _crossing(f"{mark}cross-sentiment", values["cross_sentiment_curve"])
    if values["selective"]["coverage"]:
        yield _coverage(f"{mark}coverage", values["selective"])


def _forest(name: str, estimates: Values, title: str) -> PaperFigure:
    rows = [
        (METRICS[key].title, row["value"], row["low"], row["high"], row["n"])
        for key, row in estimates.items()
        if row["value"] is not None
    ]

    def draw(axes: Any) -> None:
        for place, (_, value, low, high, _) in enumerate(reversed(rows)):
            if low is not None:
                axes.plot([low, high], [place, place], color=COLOURS[0], linewidth=1.2)
            axes.plot([value], [place], "o", color=COLOURS[0], markersize=3)
        axes.set_yticks(range(len(rows)), [row[0] for row in reversed(rows)])
        axes.axvline(0.0, color="0.7", linewidth=0.6)
        axes.set_xlabel(f"{title}, with 95 % confidence interval")

    return PaperFigure(name, ("metric", "value", "low", "high", "images"), rows, draw)


def _curves(name: str, curves: Values, axes_titles: tuple[str, str]) -> PaperFigure:
    rows = [
        (label, x, y)
        for label, curve in curves.items()
        for x, y in zip(curve["x"], curve["y"], strict=True)
    ]

    def draw(axes: Any) -> None:
        for k, (label, curve) in enumerate(curves.items()):
            dashes = "--" if label in ("micro", "macro") else "-"
            axes.plot(
                curve["x"], curve["y"], dashes, color=COLOURS[k % len(COLOURS)], linewidth=1,
                label=f"{label} ({curve['area']:.3f})",
            )  # fmt: skip
        axes.set(xlabel=axes_titles[0], ylabel=axes_titles[1], xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(fontsize=6, frameon=False)

    return PaperFigure(name, ("label", *axes_titles), rows, draw)


def _confusion(name: str, matrix: Values) -> PaperFigure:
    labels, counts = matrix["labels"], matrix["counts"]
    rows = [(label, *line) for label, line in zip(labels, counts, strict=True)]

    def draw(axes: Any) -> None:
        shares = [[cell / (sum(line) or 1) for cell in line] for line in counts]
        axes.pcolormesh(shares, cmap="Purples", vmin=0, vmax=1)  # an image would be no vector
        axes.invert_yaxis()
        axes.set_aspect("equal")
        for i, line in enumerate(counts):
            for j, cell in enumerate(line):
                colour = "white" if shares[i][j] > 0.5 else "black"
                axes.text(
                    j + 0.5,
                    i + 0.5,
                    f"{cell:,}",
                    ha="center",
                    va="center",
                    color=colour,
                    fontsize=6,
                )
        places = [i + 0.5 for i in range(len(labels))]
        axes.set_xticks(places, labels, rotation=45, ha="right")
        axes.set_yticks(places, labels)
        axes.set(xlabel="answer", ylabel="label")

    return PaperFigure(name, ("label", *labels), rows, draw)


def _reliability(name: str, bins: Sequence[Values]) -> PaperFigure:
    rows = [(b["low"], b["high"], b["count"], b["confidence"], b["accuracy"]) for b in bins]

    def draw(axes: Any) -> None:
        for low, high, _, _, accuracy in rows:
            axes.bar(low, accuracy, high - low, align="edge", color=COLOURS[0], alpha=0.8)
        axes.plot([0, 1], [0, 1], "--", color="0.5", linewidth=0.8)
        axes.set(xlabel="confidence", ylabel="share of right answers", xlim=(0, 1), ylim=(0, 1))

    header = ("from", "to", "images", "mean confidence", "accuracy")
    return PaperFigure(name, header, rows, draw)


def _crossing(name: str, curve: Values) -> PaperFigure:
    rows = [
        (theta, counts["rate"], share, counts["eligible"])
        for theta, counts, share in zip(
            curve["thresholds"], curve["counts"], curve["shares"], strict=True
        )
    ]

    def draw(axes: Any) -> None:
        known = [(theta, rate) for theta, rate, _, _ in rows if rate is not None]
        if known:
            axes.plot(*zip(*known, strict=True), color=COLOURS[0], label="opposite sentiments")
        thetas, shares = [row[0] for row in rows], [row[2] for row in rows]
        axes.plot(thetas, shares, color=COLOURS[1], label="eligible images")
        axes.set(xlabel="theta", ylabel="share", ylim=(0, 1.02))
        axes.legend(fontsize=6, frameon=False)

    return PaperFigure(name, ("theta", "cross-sentiment", "eligible share", "eligible"), rows, draw)


def _coverage(name: str, curve: Values) -> PaperFigure:
    rows = list(zip(curve["coverage"], curve["accuracy"], curve["thresholds"], strict=True))

    def draw(axes: Any) -> None:
        axes.plot(curve["coverage"], curve["accuracy"], color=COLOURS[0])
        axes.set(xlabel="images that get an answer", ylabel="right among them", ylim=(0, 1.02))

    return PaperFigure(name, ("coverage", "accuracy", "threshold"), rows, draw)


# Tables --------------------------------------------------------------------------------------


def _tables(document: Document) -> Iterator[tuple[str, str]]:
    """(name, text) of every table of the report, as LaTeX and as Markdown."""
    number = 0
    for section in document.sections:
        for table in section.tables:
            if not table.rows:
                continue
            number += 1
            words = re.sub(r"[^a-z0-9]+", "-", section.title.casefold()).strip("-")[:40]
            name = f"tables/{number:02}-{words}"
            yield f"{name}.tex", latex_table(table, section.title)
            yield f"{name}.md", markdown_table(table) + "\n"


def latex_table(table: DocumentTable, caption: str) -> str:
    """A table with booktabs' rules; every foreign text is escaped."""
    columns = "l" + "r" * (len(table.header) - 1)
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in (table.header, *table.rows)]
    body = "\n".join(lines[1:])
    return (
        "\\begin{table}\n\\centering\n"
        f"\\caption{{{_latex(caption)}}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n"
        f"{lines[0]}\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )


_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "\N{MINUS SIGN}": "$-$", "\N{NO-BREAK SPACE}": "~", "±": r"$\pm$",
}  # fmt: skip


def _latex(cell: Any) -> str:
    if cell is None:
        return "--"
    text = f"{cell:,}" if isinstance(cell, int) else " ".join(str(cell).split(" "))
    return "".join(_SPECIAL.get(sign, sign) for sign in text)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content)
