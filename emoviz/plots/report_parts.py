"""Sections of a report, out of the plain values of `emoviz.experiments.assess`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emoviz.analysis.metrics import METRICS
from emoviz.analysis.slices import SLICED
from emoviz.plots.document import DocumentTable, Picture, Section, number, percent
from emoviz.plots.svg import COLOURS, Line, line_chart, reliability_chart

Values = Mapping[str, Any]
_COUNTS = ("pos_neg", "neg_pos", "pos_pos", "neg_neg")
_TOGETHER = {"micro": "currentColor", "macro": "#8a8f98"}
_SHOWN = 24  # pictures of a section
_LISTED = 200  # rows of a list; the JSON report has all of them


def label_section(values: Values, other: Values | None = None) -> Section:
    """Precision, recall, F1 and support of each label, of one model or of two."""
    scores = ("precision", "recall", "F1")
    sides = [values["label_scores"], *([other["label_scores"]] if other else [])]
    names = list(dict.fromkeys(name for side in sides for name in side))
    marks = ["", ""] if len(sides) == 1 else [" A", " B"]
    header = [f"{score}{mark}" for mark, _ in zip(marks, sides, strict=False) for score in scores]
    rows = []
    for name in names:
        known = [side.get(name) for side in sides]
        cells = [estimated(row[score]) if row else None for row in known for score in scores]
        rows.append([name, *cells, next(row["recall"]["n"] for row in known if row)])
    return Section("Label by label", tables=[DocumentTable(["label", *header, "support"], rows)])


def confusion_section(matrix: Values, title: str) -> Section:
    """Counts, and for a matrix of counts also shares of each row."""
    names, counts = matrix["labels"], matrix["counts"]
    largest = max((abs(cell) for row in counts for cell in row), default=0) or 1
    header = ["label \\ answer", *names]
    tables = [
        DocumentTable(
            header,
            [[name, *row] for name, row in zip(names, counts, strict=True)],
            [[None, *(cell / largest for cell in row)] for row in counts],
        )
    ]
    if all(cell >= 0 for row in counts for cell in row) and "minus" not in title:
        shares = [[cell / (sum(row) or 1) for cell in row] for row in counts]
        cells = [[percent(cell) for cell in row] for row in shares]
        rows = [[name, *row] for name, row in zip(names, cells, strict=True)]
        tables.append(DocumentTable(header, rows, [[None, *row] for row in shares]))
    note = "Rows are labels, columns are answers."
    return Section(title, tables=tables, notes=[note])


def curves_section(curves: Values) -> Section:
    """ROC and precision-recall curves, and their areas."""
    areas = [
        [
            name,
            *(estimated(row, value="area") for row in (curve, curves["precision_recall"][name])),
        ]
        for name, curve in curves["roc"].items()
    ]
    figures = [
        line_chart(
            [
                *([Line("a coin", (0, 1), (0, 1), "currentColor", faint=True)] if roc else []),
                *_lines(curves["roc" if roc else "precision_recall"]),
            ],
            *(("false positive rate", "true positive rate") if roc else ("recall", "precision")),
            label="ROC curves" if roc else "Precision-recall curves",
        )
        for roc in (True, False)
        if curves["roc"]
    ]
    missing = [f"{label}: no curve, {reason}." for label, reason in curves["missing"].items()]
    return Section(
        "ROC and precision-recall",
        missing,
        [DocumentTable(["label against the rest", "ROC area", "average precision"], areas)]
        if areas
        else [],
        figures,
        notes=["Micro: all pairs of image and label together. Macro: the mean over the labels."],
    )


def crossing_section(sides: Sequence[tuple[str, Values]]) -> Section:
    """Top-2 cross-sentiment: the four counts, the rate, the curve over theta."""
    rows = [
        _crossing_row(mark, f"theta {name}", row)
        for name in sides[0][1]["cross_sentiment"]
        for mark, values in sides
        for row in [values["cross_sentiment"][name]]
    ]
    over = [
        _crossing_row(mark, f"theta {theta:.2f}", row)
        for mark, values in sides
        for theta, row in _steps(values["cross_sentiment_curve"])
    ]
    lines = [
        line
        for k, (mark, values) in enumerate(sides)
        for line in _crossing_lines(mark, values["cross_sentiment_curve"], 2 * k)
    ]
    figure = line_chart(
        lines, "theta", "share", "Top-2 cross-sentiment over theta", x_range=(0.0, 0.5)
    )
    header = ["", "eligible", *(name.replace("_", "-") for name in _COUNTS), "cross-sentiment"]
    return Section(
        "Top-2 cross-sentiment",
        ["How often the two likeliest classes have opposite sentiments, first class first."],
        [DocumentTable(header, rows), DocumentTable(header, over)],
        [figure] if lines else [],
        notes=[
            "Eligible: both probabilities reach theta and both classes have a sentiment. Needs no "
            "labels; fewer opposite pairs are better (dissertation, section 3.5.4)."
        ],
    )


def clustering_section(values: Values) -> Section:
    """What ARI, AMI, NMI and ASR, which stand among the measures, rest on."""
    found = values["clustering"]
    rows = [
        ["NMI by chance", number(found["nmi_by_chance"])],
        ["delta of ASR", number(found["delta"])],
        ["standard error of delta", number(found.get("delta_error"))],
        ["clusters", str(found["clusters"])],
    ]
    return Section(
        "Clusters of u",
        tables=[DocumentTable(["measure", "value"], rows)],
        notes=[
            "k-means on the penultimate vectors u with as many clusters as labels, ten starts; "
            "delta is the largest of the smallest 10 % of the distances between images."
        ],
    )


def estimated(
    row: Values | None, shown: Callable[[float], str] = number, value: str = "value"
) -> str:
    """``0.812 (0.780 to 0.843), n 303``; for none why there is none, or a dash."""
    if row is None or row[value] is None:
        return (row or {}).get("reason") or number(None)
    low, high = row.get("low"), row.get("high")
    told = "" if low is None or high is None else f" ({shown(low)} to {shown(high)})"
    return f"{shown(row[value])}{told}, n {row['n']:,}"


def calibration_section(found: Values) -> Section:
    """Reliability, ECE, Brier score, and what a fitted temperature would change."""
    facts = [
        ["ECE", estimated(found["ece"], percent)],
        ["largest gap of a bin", percent(found["largest"])],
        ["Brier score", estimated(found["brier"])],
        ["negative log-likelihood, nats", estimated(found["nll"])],
        ["fitted temperature", estimated(found["temperature"])],
        ["ECE with it", estimated(found["ece_after"], percent)],
        ["Brier score with it", estimated(found["brier_after"])],
        ["measured how", found["how"] or found["reason"]],
    ]
    bins = [
        [f"{row['low']:.3f} to {row['high']:.3f}", row["count"], number(row["confidence"]),
         number(row["accuracy"])]
        for row in found["bins"]
    ]  # fmt: skip
    bars = [(r["low"], r["high"], r["confidence"], r["accuracy"]) for r in found["bins"]]
    figure = reliability_chart(bars, "Share of right answers over confidence")
    return Section(
        "Calibration",
        tables=[
            DocumentTable(["fact", "value"], facts),
            DocumentTable(["confidence", "images", "mean confidence", "accuracy"], bins),
        ],
        figures=[figure] if bars else [],
        notes=[
            "Bars that end below the dashed line: the model is surer than it is right. The "
            "temperature comes on top of the network's own; above 1 it makes answers less sure."
        ],
    )


def selective_section(values: Values) -> Section:
    """How accurate the most certain answers are."""
    found, area = values["selective"], values["intervals"].get("aurc")
    points = list(zip(found["coverage"], found["accuracy"], found["thresholds"], strict=True))
    rows = []
    for wanted in range(1, 11):
        row = next((p for p in points if p[0] >= wanted / 10 - 1e-9), None)
        if row is not None:
            rows.append([percent(row[0]), percent(row[1]), number(row[2])])
    figure = line_chart(
        [Line("accuracy of the answers given", found["coverage"], found["accuracy"])],
        "coverage",
        "accuracy",
        "Accuracy over coverage",
    )
    return Section(
        "If the model may say “not sure”",
        [f"Mean error over all coverages (AURC): {estimated(area)}."],
        [DocumentTable(["images that get an answer", "right among them", "threshold"], rows)],
        [figure] if points else [],
    )


def mistakes_section(values: Values, pictures: Mapping[str, bytes]) -> Section | None:
    """The most confident mistakes."""
    found = values["mistakes"]
    if not found:
        return None
    rows = [[r["path"], r["label"], r["predicted"], percent(r["confidence"])] for r in found]
    shown = [
        Picture(pictures[r["sha256"]], f"{r['label']}, answered {r['predicted']}")
        for r in found[:_SHOWN]
        if r["sha256"] in pictures
    ]
    table = DocumentTable(["image", "label", "answer", "confidence"], rows)
    return Section("The most confident mistakes", tables=[table], pictures=shown)


def slice_sections(values: Values) -> list[Section]:
    """One a column."""
    sections = []
    for column, found in values["slices"].items():
        rows = [
            [row["name"], row["n"], *(estimated(row[name], percent) for name in SLICED)]
            for row in found
        ]
        header = [column, "images", *(METRICS[name].title for name in SLICED)]
        sections.append(Section(f"By {column}", tables=[DocumentTable(header, rows)]))
    return sections


def unlabelled_section(found: Values) -> Section:
    """What needs no labels, on all images of the set."""
    classes = [
        [name, *_interval(row), number(found["probabilities"].get(name))]
        for name, row in found["classes"].items()
    ]
    feelings = [[name, *_interval(row)] for name, row in found["sentiments"].items()]
    facts = [
        ["mean probability of the likeliest class", *_interval(found["confidence_interval"])],
        ["its deciles", ", ".join(number(value, 3) for value in found["deciles"]), ""],
        ["mean entropy, 1 for a coin", number(found["entropy"]), ""],
        ["unlike the training images", *_interval(found["unlike"])],
        *(
            [f"top-2 cross-sentiment, theta {name}", *_interval(row)]
            for name, row in found["crossing"].items()
        ),
    ]
    tables = [
        DocumentTable(["likeliest class", "images", "interval", "mean probability"], classes),
        DocumentTable(["sentiment", "images", "interval"], feelings),
        DocumentTable(["fact", "value", "interval"], facts),
    ]
    words = [f"On all {found['n']:,} images, labelled or not."]
    return Section("What needs no labels", words, [table for table in tables if table.rows])


def changed_section(title: str, found: Sequence[Values], pictures: Mapping[str, bytes]) -> Section:
    """Images on which one model is right and the other wrong."""
    rows = [[r["path"], r["label"], r["a"], r["b"]] for r in found[:_LISTED]]
    shown = [
        Picture(pictures[r["sha256"]], f"{r['label']}: A {r['a']}, B {r['b']}")
        for r in found[:_SHOWN]
        if r["sha256"] in pictures
    ]
    more = f" The first {_LISTED} are listed." if len(found) > _LISTED else ""
    table = DocumentTable(["image", "label", "A", "B"], rows)
    words = [f"{len(found):,} images, from A to B.{more}"]
    return Section(title, words, [table] if rows else [], pictures=shown)


def refusal_section(values: Values) -> Section | None:
    """Rows and files that could not be used, and why."""
    found = values.get("refusals") or []
    if not found:
        return None
    rows = [[row["path"], row["reason"]] for row in found[:_LISTED]]
    more = f" The first {_LISTED} are listed." if len(found) > _LISTED else ""
    return Section(
        "Refused",
        [f"{len(found):,} rows or files.{more}"],
        [DocumentTable(["row or file", "why"], rows)],
    )


def _lines(curves: Values) -> list[Line]:
    names = list(curves)
    return [
        Line(
            name,
            curves[name]["x"],
            curves[name]["y"],
            _TOGETHER.get(name, COLOURS[k % len(COLOURS)]),
            dashes="" if name not in _TOGETHER else "7 3",
        )
        for k, name in enumerate(names)
    ]


def _crossing_row(mark: str, theta: str, row: Values) -> list[Any]:
    name = f"{mark} {theta}".strip()
    return [name, row["eligible"], *(row[key] for key in _COUNTS), percent(row["rate"])]


def _steps(curve: Values) -> list[tuple[float, Values]]:
    """Every fifth threshold."""
    pairs = list(zip(curve["thresholds"], curve["counts"], strict=True))
    return pairs[::5]


def _crossing_lines(mark: str, curve: Values, colour: int) -> list[Line]:
    known = [
        (theta, row["rate"])
        for theta, row in zip(curve["thresholds"], curve["counts"], strict=True)
        if row["rate"] is not None
    ]
    if not known:
        return []
    x, y = zip(*known, strict=True)
    prefix = f"{mark}: " if mark else ""
    return [
        Line(f"{prefix}cross-sentiment", x, y, COLOURS[colour]),
        Line(f"{prefix}eligible images", curve["thresholds"], curve["shares"], COLOURS[colour + 1]),
    ]


def _interval(row: Values) -> list[str]:
    if row["low"] is None:
        return [percent(row["value"]), row["reason"]]
    return [percent(row["value"]), f"[{percent(row['low'])}, {percent(row['high'])}]"]
