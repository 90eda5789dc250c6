"""A selection to take away: CSV, JSON, or a plain list of files."""

import json
from typing import Any

from emoviz.inference.tabular import csv_text
from emoviz.ui.explorer.points import Points


def to_csv(points: Points) -> str:
    """One row an image: name, hash, label, estimate, probabilities, metadata."""
    rows = records(points)
    return csv_text([rows[0] if rows else ["path"], *(row.values() for row in rows)])


def to_json(points: Points) -> str:
    """The same as a list of objects."""
    return json.dumps(records(points), indent=1, ensure_ascii=False)


def to_list(points: Points) -> str:
    """The files, one a line."""
    return "".join(f"{name}\n" for name in points.names)


def records(points: Points) -> list[dict[str, Any]]:
    """One mapping an image."""
    return [_record(points, i) for i in range(len(points))]


def _record(points: Points, i: int) -> dict[str, Any]:
    row: dict[str, Any] = {"path": points.names[i], "sha256": points.sha256[i]}
    if points.has_labels:
        row["label"] = points.label_names[points.labels[i]] if points.labels[i] >= 0 else ""
    if points.taxonomy is not None and points.probabilities is not None:
        assert points.predicted is not None
        row["predicted"] = points.taxonomy.names[points.predicted[i]]
        for name, share in zip(points.taxonomy.names, points.probabilities[i], strict=True):
            row[f"p_{name}"] = round(float(share), 6)
    return {**row, **{key: values[i] for key, values in points.columns.items() if key not in row}}
