"""What is wrong with a set before anything is trained on it, as plain values for JSON.

Lists hold at most `SHOWN` entries and say how many there are; the examination's Parquet file has
every image.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis import balance, duplicates, label_errors
from emoviz.analysis.duplicates import Pairs
from emoviz.curation.examined import Detected, Examined
from emoviz.data.dataset import NO_LABEL, fold_indices

SHOWN = 1000
KINDS = (
    "unreadable",
    "tiny",
    "one_coloured",
    "grey",
    "extreme_aspect",
    "duplicates",
    "near_duplicates",
    "leaks",
    "suspect_labels",
    "outliers",
    "text",
    "faces",
)
LOOKS = ("brightness", "contrast", "saturation", "colourfulness", "warmth")
_FOLDS = 5
_MOST_FOR_GUESS = 40_000  # images from which light and colour are judged by a sample


@dataclass(frozen=True)
class FindingLimits:
    """From where on an image is odd.

    Attributes:
        min_side: Least short side in pixels.
        max_aspect: Most long side over short side.
        one_colour: Spread of the channels (0-0.5) below which an image is of one colour.
        grey: Mean distance of the channels (0-1) below which an image is grey.
        bits: Bits of 64 that perceptual hashes of near duplicates may differ in.
        colour: Grey levels (0-255) that near duplicates may differ in, beside brightness.
        text: Share of the area that is text.
        face: Share of the area that the largest face takes.
    """

    min_side: int = 32
    max_aspect: float = 4.0
    one_colour: float = 0.01
    grey: float = 0.015
    bits: int = 8
    colour: float = 16.0
    text: float = 0.005
    face: float = 0.05


@dataclass(frozen=True)
class ImageVectors:
    """What a network makes of the images that it could read.

    Attributes:
        by: Title of the checkpoint.
        rows: (M,) which images of the set.
        u: (M, D).
    """

    by: str
    rows: NDArray[np.int64]
    u: NDArray[np.float32]


def find(
    item: Examined,
    limits: FindingLimits,
    vectors: ImageVectors | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> dict[str, Any]:
    """Everything that the examination reports.

    Args:
        item: The images.
        limits: From where on one is odd.
        vectors: Of a checkpoint; without them labels are not doubted.
        say: Told what is being looked for.
    """
    say("looking for duplicates")
    same = duplicates.equal_pairs(item.looks.sha256)
    near = near_duplicates(item, limits)
    close = _close(vectors)
    say("measuring balance and light")
    found: dict[str, Any] = {
        "images": len(item),
        "refused": _listed([{"place": place, "reason": why} for place, why in item.refused]),
        "limits": asdict(limits),
        "unreadable": _listed(_unreadable(item)),
        **{name: _listed(_named(item, rows)) for name, rows in odd(item, limits).items()},
        "duplicates": _grouped(item, same),
        "near_duplicates": _near(item, near, close),
        "leaks": _leaks(item, same, near, close),
        "classes": _classes(item),
        "text": _detected(item, item.text, limits.text),
        "faces": _detected(item, item.faces, limits.face),
    }
    say("looking for labels that are likely wrong")
    found["suspect_labels"] = _suspects(item, vectors)
    found["outliers"] = _outliers(item, vectors)
    return found


def odd(item: Examined, limits: FindingLimits) -> dict[str, NDArray[np.int64]]:
    """Images that are tiny, of one colour, grey or of an extreme shape."""
    looks, known = item.looks, item.looks.readable
    tiny = np.minimum(looks.width, looks.height) < limits.min_side
    one = looks.spread < limits.one_colour
    kinds = {
        "tiny": tiny,
        "one_coloured": one,
        "grey": (looks.chroma < limits.grey) & ~one,
        "extreme_aspect": looks.aspect > limits.max_aspect,
    }
    return {name: np.flatnonzero(mask & known) for name, mask in kinds.items()}


def near_duplicates(item: Examined, limits: FindingLimits) -> Pairs:
    """Pairs of different files that look alike; images of one colour look like nothing."""
    looks = item.looks
    rows = np.flatnonzero(looks.readable & (looks.spread >= limits.one_colour))
    found = duplicates.near_pairs(looks.hash[rows], limits.bits)
    pairs = Pairs(rows[found.first], rows[found.second], found.distance)
    pairs = pairs.take(duplicates.alike(pairs, looks.tiny, limits.colour))
    return pairs.take(_different(looks.sha256, pairs))


def _different(sha256: Sequence[str], pairs: Pairs) -> NDArray[np.bool_]:
    both = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    return np.array([sha256[i] != sha256[j] for i, j in both], bool)


def _close(vectors: ImageVectors | None) -> Pairs:
    if vectors is None:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    found = duplicates.near_vectors(vectors.u)
    return Pairs(vectors.rows[found.first], vectors.rows[found.second], found.distance)


def _listed(rows: Sequence[Any]) -> dict[str, Any]:
    return {"count": len(rows), "list": list(rows[:SHOWN])}


def _named(item: Examined, rows: NDArray[np.int64]) -> list[str]:
    return [item.names[i] for i in rows]


def _unreadable(item: Examined) -> list[dict[str, str]]:
    rows = zip(item.names, item.looks.reason, strict=True)
    return [{"name": name, "reason": why} for name, why in rows if why]


def _label(item: Examined, i: int) -> str | None:
    label = int(item.labels[i])
    return None if label == NO_LABEL else item.taxonomy.names[label]


def _grouped(item: Examined, *pairs: Pairs) -> dict[str, Any]:
    """Groups of images that are one, with what their labels say, the largest first."""
    number = duplicates.groups_of(len(item), *pairs)
    sizes = np.bincount(number, minlength=1)
    members: dict[int, list[int]] = {}
    for i in np.flatnonzero(sizes[number] > 1):
        members.setdefault(int(number[i]), []).append(int(i))
    ordered = sorted(members.values(), key=lambda rows: (-len(rows), item.names[rows[0]]))
    labels = [[_label(item, i) for i in rows] for rows in ordered]
    groups = [
        {"names": [item.names[i] for i in rows], "labels": row}
        for rows, row in zip(ordered, labels, strict=True)
    ]
    contradicting = sum(len(set(row)) > 1 for row in labels)
    surplus = sum(len(rows) - 1 for rows in ordered)
    return {**_listed(groups), "surplus": surplus, "contradicting": contradicting}


def _near(item: Examined, near: Pairs, close: Pairs) -> dict[str, Any]:
    found = _grouped(item, near)
    found["pairs"] = _listed(_pairs(item, near, "hash"))
    found["by_vector"] = _listed(_pairs(item, close, "vector"))
    return found


def _pairs(item: Examined, pairs: Pairs, kind: str) -> list[dict[str, Any]]:
    rows = zip(pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), strict=True)
    return [
        {
            "first": item.names[i],
            "second": item.names[j],
            "kind": kind,
            "distance": round(apart, 4),
            "labels": [_label(item, i), _label(item, j)],
            "splits": [item.splits[i] or None, item.splits[j] or None],
        }
        for i, j, apart in rows
    ]


def _leaks(item: Examined, same: Pairs, near: Pairs, close: Pairs) -> dict[str, Any]:
    """Pairs across two splits, each once: of equal bytes, of like looks, of like vectors.

    Groups are looked at whole: a copy in the training set leaks into the test set through a
    third copy, too.
    """
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for kind, pairs in (("same file", same), ("hash", near), ("vector", close)):
        for pair in _across(item, pairs):
            rows.setdefault(pair, {"kind": kind})
    found = [
        {
            **values,
            "first": item.names[i],
            "second": item.names[j],
            "splits": [item.splits[i], item.splits[j]],
            "labels": [_label(item, i), _label(item, j)],
        }
        for (i, j), values in rows.items()
    ]
    between = Counter(" and ".join(row["splits"]) for row in found)
    return {**_listed(found), "between": dict(between), "splits": sorted(set(item.splits) - {""})}


def _across(item: Examined, pairs: Pairs) -> list[tuple[int, int]]:
    """Of each group and each two of its splits, the first image of either."""
    if not len(pairs):
        return []
    number = duplicates.groups_of(len(item), pairs)
    firsts: dict[int, dict[str, int]] = {}
    for i in sorted({*pairs.first.tolist(), *pairs.second.tolist()}):
        if item.splits[i]:
            firsts.setdefault(int(number[i]), {}).setdefault(item.splits[i], i)
    found = []
    for by_split in firsts.values():
        rows = sorted(by_split.values())
        found += [(one, two) for k, one in enumerate(rows) for two in rows[k + 1 :]]
    return found


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
    folds = fold_indices([item.groups[i] for i in rows], _FOLDS)
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


def _suspects(item: Examined, vectors: ImageVectors | None) -> dict[str, Any] | None:
    """Doubted labels; None without vectors, or where there is nothing to compare."""
    if vectors is None:
        return None
    labels = item.labels[vectors.rows]
    known = np.flatnonzero(labels != NO_LABEL)
    rows = vectors.rows[known]
    folds = fold_indices([item.groups[i] for i in rows], _FOLDS)
    if len(np.unique(labels[known])) < 2 or len(np.unique(folds)) < 2:
        return None
    count = len(item.taxonomy)
    p = label_errors.out_of_fold(vectors.u[known], labels[known], folds, count)
    found = label_errors.suspect_labels(p, labels[known])
    names = item.taxonomy.names
    doubts = [
        {
            "name": item.names[rows[i]],
            "label": names[labels[known][i]],
            "rather": names[other],
            "margin": round(float(margin), 4),
        }
        for i, other, margin in zip(found.index, found.other, found.margin, strict=True)
    ]
    return {
        **_listed(doubts),
        "by": vectors.by,
        "accuracy": round(found.accuracy, 4),
        "balanced": round(found.balanced, 4),
        "looked_at": found.looked_at,
    }


def _outliers(item: Examined, vectors: ImageVectors | None) -> dict[str, Any]:
    """Images far from all others in u, or without a network in light and colour."""
    if vectors is not None:
        rows, data, by = vectors.rows, vectors.u, vectors.by
    else:
        rows, by = np.flatnonzero(item.looks.readable), "light and colour"
        data = np.stack([getattr(item.looks, name)[rows] for name in LOOKS], axis=1)
    return {**_listed(_named(item, rows[label_errors.outliers(data)])), "by": by}


def _detected(item: Examined, found: Detected | None, limit: float) -> dict[str, Any] | None:
    if found is None:
        return None
    share = np.nan_to_num(found.share, nan=0.0)
    rows = np.flatnonzero(share >= limit)
    rows = rows[np.argsort(-share[rows], kind="stable")]
    entries = [
        {"name": item.names[i], "share": round(float(share[i]), 4), "count": int(found.count[i])}
        for i in rows
    ]
    looked = int(np.isfinite(found.share).sum())
    return {**_listed(entries), "looked_at": looked, "limit": limit}


def counts_of(found: Mapping[str, Any]) -> dict[str, int | None]:
    """How many of each kind were found; None where nobody looked."""
    return {kind: found[kind]["count"] if found.get(kind) else None for kind in KINDS}
