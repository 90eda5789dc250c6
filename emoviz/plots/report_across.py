"""The report of checkpoints x sets, out of the plain values of `emoviz.experiments.across`."""

from collections.abc import Mapping, Sequence
from typing import Any

from emoviz.analysis.metrics import METRICS
from emoviz.plots.document import Cell, Document, DocumentTable, Section, number, percent
from emoviz.plots.report_parts import estimated

Values = Mapping[str, Any]


def across_document(values: Values) -> Document:
    """A table a measure, sets as rows and checkpoints as columns; then label by label."""
    cells = values["across"]
    measured = [cell for cell in cells if not cell["reason"]]
    names = list(measured[0]["estimates"]) if measured else []
    sections = [_measure(name, cells) for name in names]
    sections += [_labels(cells), _origins(cells)]
    versions = ", ".join(f"{key} {value}" for key, value in values["versions"].items())
    sections.append(
        Section(
            "How it was made",
            [
                f"Confidence intervals at a level of {values['level']:.0%}, seed "
                f"{values['seed']}. Versions: {versions}."
            ],
        )
    )
    lead = (
        "Every network on every set, through the bridge from its classes to the set's labels. "
        "Numbers of networks with other classes or labels answer other questions."
    )
    return Document("Networks on sets", lead, sections)


def _measure(name: str, cells: Sequence[Values]) -> Section:
    kind = METRICS[name]
    checkpoints = list(dict.fromkeys(cell["checkpoint"] for cell in cells))
    found = {(cell["set"], cell["checkpoint"]): cell for cell in cells}
    rows: list[list[Cell]] = [
        [item, *(_estimate(found.get((item, c)), name) for c in checkpoints)]
        for item in dict.fromkeys(cell["set"] for cell in cells)
    ]
    return Section(kind.title, [kind.plain], [DocumentTable(["set", *checkpoints], rows)])


def _estimate(cell: Values | None, name: str) -> str | None:
    """A value with its interval; why there is none stands in the table of origins."""
    if cell is None or cell["reason"] or cell["estimates"][name]["value"] is None:
        return None
    shown = percent if METRICS[name].unit == "percent" else number
    return estimated(cell["estimates"][name], shown)


def _labels(cells: Sequence[Values]) -> Section:
    rows: list[list[Cell]] = [
        [cell["set"], cell["checkpoint"], label, *(number(row[k]) for k in _SCORES), row["support"]]
        for cell in cells
        for label, row in (cell["per_class"] or {}).items()
    ]
    header = ["set", "checkpoint", "label", *_SCORES, "support"]
    return Section("Label by label", tables=[DocumentTable(header, rows)])


_SCORES = ("precision", "recall", "f1")


def _origins(cells: Sequence[Values]) -> Section:
    rows: list[list[Cell]] = [
        [
            cell["set"],
            cell["checkpoint"],
            cell["images"],
            cell["left_out"],
            cell["labels"],
            ", ".join(cell["learned_from"]) or "not said",
            cell["set_sha256"][:16],
            cell["reason"] or "",
        ]
        for cell in cells
    ]
    header = ["set", "checkpoint", "images", "left out", "labels", "learned from", "SHA-256",
              "no numbers, because"]  # fmt: skip
    return Section(
        "What was measured",
        tables=[DocumentTable(header, rows)],
        notes=[
            "A network that learned from a set may have seen the very images: its numbers there "
            "say little."
        ],
    )
