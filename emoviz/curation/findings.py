"""What is wrong with a set before anything is trained on it, as plain values for JSON.

Lists hold at most `SHOWN` entries and say how many there are; the examination's Parquet file has
every image.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis import balance
from emoviz.curation.checks import (
    CHECKS,
    FOLDS,
    LOOKS,
    CheckMaterial,
    CheckResult,
    run_checks,
)
from emoviz.curation.examined import Checked, Examined
from emoviz.data.dataset import NO_LABEL, fold_indices

SHOWN = 1000
_MOST_FOR_GUESS = 40_000  # images from which light and colour are judged by a sample


def find(
    material: CheckMaterial, say: Callable[[str], None] = lambda words: None
) -> tuple[dict[str, Any], Examined]:
    """Everything that the examination reports, and the images with what each check made of them.

    Args:
        material: The images, the limits, and a network's vectors.
        say: Told what is being looked for.
    """
    item = material.item
    results = run_checks(material, say)
    say("measuring balance and light")
    found = {
        "images": len(item),
        "refused": _listed([{"place": place, "reason": why} for place, why in item.refused]),
        "limits": asdict(material.limits),
        "classes": _classes(item),
        **{name: _told(result, item) for name, result in results.items()},
        "not_looked_for": {name: why for name, why in results.items() if isinstance(why, str)},
    }
    checked = {
        name: Checked(result.score, result.faulty)
        for name, result in results.items()
        if isinstance(result, CheckResult)
    }
    return found, replace(item, checked=checked)


def _told(result: CheckResult | str, item: Examined) -> dict[str, Any] | None:
    """What a check found, its long lists cut; None where it did not look."""
    if isinstance(result, str):
        return None
    listed = result.listed
    if listed is None:
        rows = np.flatnonzero(result.faulty)
        rows = rows[np.argsort(-np.nan_to_num(result.score[rows]), kind="stable")]
        listed = [item.names[i] for i in rows]
    words = {"title": result.title, "words": result.words}
    about = {
        key: _listed(value) if isinstance(value, list) else value
        for key, value in result.about.items()
    }
    return {**_listed(listed), **about, **{key: text for key, text in words.items() if text}}


def _listed(rows: Sequence[Any]) -> dict[str, Any]:
    return {"count": len(rows), "list": list(rows[:SHOWN])}


def _classes(item: Examined) -> dict[str, Any]:
    names, count = item.taxonomy.names, len(item.taxonomy)
    spread = balance.balance_of(item.labels, count)
    table = balance.table_of(item.labels, item.splits, count)
    known = item.looks.readable
    labels = np.where(known, item.labels, NO_LABEL)
    by_look = {name: balance.look_gap(getattr(item.looks, name), labels, count) for name in LOOKS}
    return {
        "counts": {
            split or "no split": dict(zip(names, row.tolist(), strict=True))
            for split, row in table.items()
        },
        "all": {name: n for name, n in zip(names, spread.counts.tolist(), strict=True) if n},
        "no_label": int((item.labels == NO_LABEL).sum()),
        "majority": round(spread.majority, 4),
        "ratio": round(spread.ratio, 2),
        "evenness": round(spread.evenness, 4),
        "looks": {
            name: {
                "explained": round(gap.explained, 4),
                "quartiles": {label: _rounded(gap.quartiles[k]) for k, label in enumerate(names)},
            }
            for name, gap in by_look.items()
        },
        "by_looks_alone": _guess(item, labels),
    }


def _rounded(values: NDArray[np.float64]) -> list[float] | None:
    return None if np.isnan(values).any() else [round(float(v), 4) for v in values]


def _guess(item: Examined, labels: NDArray[np.int64]) -> dict[str, Any] | None:
    rows = np.flatnonzero(labels != NO_LABEL)
    if len(rows) > _MOST_FOR_GUESS:
        rows = rows[fold_indices([item.names[i] for i in rows], len(rows) // _MOST_FOR_GUESS) == 0]
    folds = fold_indices([item.groups[i] for i in rows], FOLDS)
    measures = {name: getattr(item.looks, name)[rows] for name in LOOKS}
    found = balance.guess_by_looks(measures, labels[rows], folds)
    if found is None:
        return None
    recall = zip(item.taxonomy.names, found["recall"].tolist(), strict=False)
    return {
        "accuracy": round(found["accuracy"], 4),
        "majority": round(found["majority"], 4),
        "images": len(rows),
        "recall": {name: round(value, 4) for name, value in recall if value == value},
    }


def counts_of(found: Mapping[str, Any]) -> dict[str, int | None]:
    """How many of each kind were found; None where nobody looked."""
    return {kind: found[kind]["count"] if found.get(kind) else None for kind in CHECKS}
