"""Every number of an evaluation or a comparison as plain values: printed, kept, made a report."""

import contextlib
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz import __version__
from emoviz.analysis import metrics
from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.calibration import calibration
from emoviz.analysis.clustering import Clustering, Grouping, group_images
from emoviz.analysis.comparison import Comparison, claim, compare
from emoviz.analysis.cross_sentiment import at_thresholds, crossing_curve
from emoviz.analysis.curves import curves
from emoviz.analysis.metrics import class_estimates, class_scores, confusion_matrix, measure
from emoviz.analysis.resampling import Intervals, MetricEstimate, share
from emoviz.analysis.selective import selective
from emoviz.analysis.slices import mistakes, slices
from emoviz.analysis.unlabelled import describe_answers
from emoviz.experiments.contenders import Contender, answers_of, judged_of
from emoviz.files import read_json, write_json
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.labelled import Labels, bridge_words, duplicates, table_digest
from emoviz.inference.leaks import SeenRows, seen_rows
from emoviz.labels import Bridge
from emoviz.settings import Settings

Values = dict[str, Any]
_MOST_TEXTS = 200  # different texts above which a column is none to slice by
# What `evaluate --format json` prints; the report holds the rest too.
PRINTED = (
    "checkpoint",
    "taxonomy",
    "n",
    "refused",
    "left_out",
    "accuracy",
    "macro_f1",
    "per_class",
    "sentiment_accuracy",
    "ece",
    "cross_sentiment",
    "clustering",
    "intervals",
    "confusion",
    "calibration",
    "bridge",
    "left_out_labels",
    "unlabelled",
    "unknown_labels",
    "duplicates",
    "seen_in_training",
    "seconds_per_image",
    "set_sha256",
    "level",
    "seed",
    "versions",
    "refusals",
)


@dataclass(frozen=True)
class MeasuredSet:
    """A set that models are measured on.

    Attributes:
        title: For people.
        labels: Of the images of the first model's table.
        id: In the library, or "".
        unknown: Labels that were left out since no taxonomy holds them -> images.
        refused: Images and rows that cannot be used: (name, reason).
        about: What the library knows of the set.
    """

    title: str
    labels: Labels
    id: str = ""
    unknown: Mapping[str, int] | None = None
    refused: Sequence[tuple[str, str]] = ()
    about: Mapping[str, Any] | None = None


def evaluation(
    contender: Contender,
    tables: Sequence[EmbeddingTable],
    bridges: Sequence[Bridge],
    measured: MeasuredSet,
    settings: Settings,
    how: Intervals | None = None,
) -> Values:
    """Everything about one model on one set; what was computed before is read.

    Args:
        contender: The model.
        tables: Its members' tables of the set.
        bridges: From each member's classes to the set's labels.
        measured: The set.
        settings: Where results are kept.
        how: Of the intervals.

    Returns:
        Plain values for JSON: `PRINTED`, curves, slices, mistakes, and where all of it came from.
    """
    how = how or Intervals()
    key = _key("evaluation", contender.fingerprints, tables, bridges, measured, how)
    (judged,), table, labels = judged_of([(contender.name, tables)], measured.labels, bridges)

    def compute() -> Values:
        grouping = _grouping(judged, how.seed)
        numbers = model_values(judged, grouping, table, measure(judged, grouping, how))
        return {
            **numbers,
            **_sources([contender], table, labels, measured, how),
            "answers": describe_answers(answers_of(table)).to_dict() if len(tables) == 1 else None,
        }

    values = kept(settings, key, compute)
    seen = _leak(contender, table, judged, settings)  # not kept: thumbnails come and go
    return _as_of_now({**values, "seen_in_training": seen}, contender, measured, settings)


def comparison(
    pair: tuple[Contender, Contender],
    tables: tuple[Sequence[EmbeddingTable], Sequence[EmbeddingTable]],
    bridges: tuple[Sequence[Bridge], Sequence[Bridge]],
    measured: MeasuredSet,
    settings: Settings,
    how: Intervals | None = None,
) -> Values:
    """Everything about two models on one set; what was computed before is read.

    Both are measured on the images that both were shown, and on the labels that both can tell
    apart.

    Returns:
        ``a`` and ``b`` as `evaluation` gives them, ``difference`` (b - a), ``mcnemar``, ``kappa``,
        the difference of the confusion matrices, and who changed.
    """
    how = how or Intervals()
    prints = [*pair[0].fingerprints, "against", *pair[1].fingerprints]
    all_tables, all_bridges = [*tables[0], *tables[1]], [*bridges[0], *bridges[1]]
    key = _key("comparison", prints, all_tables, all_bridges, measured, how)
    named = [(item.name, given) for item, given in zip(pair, tables, strict=True)]
    (one, other), table, labels = judged_of(named, measured.labels, all_bridges)

    def compute() -> Values:
        groupings = _grouping(one, how.seed), _grouping(other, how.seed)
        found = compare(one, other, *groupings, how)
        sources = [
            _sources(given, table, labels, measured, how) for given in ([pair[0]], [pair[1]], pair)
        ]
        return _comparison_values(found, (one, other), groupings, table, sources)

    values = kept(settings, key, compute)
    for side, item, judged in zip("ab", pair, (one, other), strict=True):
        values[side]["seen_in_training"] = _leak(item, table, judged, settings)
        values[side] = _as_of_now(values[side], item, measured, settings)
    return {**values, "checkpoints": [*values["a"]["checkpoints"], *values["b"]["checkpoints"]]}


def quick_comparison(
    judged: tuple[AlignedPredictions, AlignedPredictions], table: EmbeddingTable
) -> Values:
    """What a `comparison` shows but intervals and clusters, in milliseconds."""
    found = compare(*judged, how=None)
    return {
        "a": {"intervals": estimate_values(found.one)},
        "b": {"intervals": estimate_values(found.other)},
        **_differing(found, judged, table),
    }


def compared(values: Values) -> Values:
    """What ``compare --format json`` prints of a `comparison`."""
    return {
        **{side: printed(values[side]) for side in "ab"},
        "difference": {
            name: {end: row[end] for end in ("value", "low", "high", "n")}
            for name, row in values["difference"].items()
        },
        "mcnemar": {key: values["mcnemar"][key] for key in ("p", "only_a_right", "only_b_right")},
        "claim": values["claim"],
    }


def printed(values: Values) -> Values:
    """What ``evaluate --format json`` prints of an `evaluation`."""
    return {name: values[name] for name in PRINTED}


def kept(settings: Settings, key: str, compute: Callable[[], Values]) -> Values:
    """Values under a key of their content, in ``<home>/evaluations``.

    Computed where they are missing, and where other code made them: a number that is kept would
    else stand beside one of today with another interval.
    """
    path = settings.home / "evaluations" / f"{key}.json"
    found = read_json(path)
    if found is not None and found.get("made_by") == _code():
        return found
    values = {"made_by": _code(), **compute()}
    with contextlib.suppress(OSError):  # a full disk, a home that is closed: computed again
        write_json(path, values)
    return values


@cache
def _code() -> str:
    """A digest of the code that measures."""
    files = sorted(Path(metrics.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in (*files, Path(__file__)))).hexdigest()


def model_values(
    judged: AlignedPredictions,
    grouping: Grouping | None,
    table: EmbeddingTable,
    intervals: Mapping[str, MetricEstimate],
) -> Values:
    """The numbers of one model as plain values."""
    names = judged.labels.names
    scores = class_scores(judged.truth, judged.predicted, len(names))
    calibrated = calibration(judged)
    crossed = at_thresholds(judged.probabilities, judged.bridge.model)
    clustering = grouping.measures if grouping is not None else _no_clustering(judged)
    return {
        "checkpoint": judged.name,
        "taxonomy": judged.labels.name,
        "n": len(judged),
        "left_out": sum(judged.left_out.values()) + judged.unlabelled,
        "accuracy": intervals["accuracy"].value,
        "macro_f1": intervals["macro_f1"].value,
        "per_class": {names[c]: asdict(score) for c, score in scores.items()},
        "label_scores": {
            label: estimate_values(found) for label, found in class_estimates(judged).items()
        },
        "sentiment_accuracy": intervals["sentiment_accuracy"].value,
        "ece": intervals["ece"].value,
        "cross_sentiment": {name: item.to_dict() for name, item in crossed.items()},
        "clustering": clustering.to_dict(),
        "intervals": estimate_values(intervals),
        "confusion": {
            "labels": list(names),
            "counts": confusion_matrix(judged.truth, judged.predicted, len(names)).tolist(),
        },
        "calibration": calibrated.to_dict(),
        "bridge": bridge_words(judged.bridge),
        "left_out_labels": dict(judged.left_out),
        "unlabelled": judged.unlabelled,
        "duplicates": duplicates(table),
        "curves": curves(judged).to_dict(),
        "cross_sentiment_curve": crossing_curve(
            judged.probabilities, judged.bridge.model
        ).to_dict(),
        "selective": selective(judged.certainty, judged.right).to_dict(),
        "mistakes": _mistakes(judged, table),
        "slices": {
            name: [item.to_dict() for item in slices(judged, column)]
            for name, column in table.metadata.items()
            if 1 < len(set(column)) <= _MOST_TEXTS
        },
    }


def estimate_values(estimates: Mapping[str, MetricEstimate]) -> Values:
    """Estimates as plain values."""
    return {name: item.to_dict() for name, item in estimates.items()}


def versions() -> dict[str, str]:
    """Of emoviz and of what computes its numbers."""
    packages = ("numpy", "scipy", "scikit-learn", "onnxruntime")
    known = {name: importlib.metadata.version(name) for name in packages}
    return {"emoviz": __version__, "python": platform.python_version(), **known}


def _comparison_values(
    found: Comparison,
    judged: tuple[AlignedPredictions, AlignedPredictions],
    groupings: tuple[Grouping | None, Grouping | None],
    table: EmbeddingTable,
    sources: Sequence[Values],
) -> Values:
    sides = {
        side: {**model_values(item, grouping, table, intervals), **source}
        for side, item, grouping, intervals, source in zip(
            "ab", judged, groupings, (found.one, found.other), sources[:2], strict=True
        )
    }
    return {
        **sides,
        **_differing(found, judged, table),
        "confusion_difference": {
            "labels": list(judged[0].labels.names),
            "counts": found.confusion_difference.tolist(),
        },
        "claim": claim("A", "B", found.mcnemar, found.difference["accuracy"]),
        **sources[2],
    }


def _differing(
    found: Comparison,
    judged: tuple[AlignedPredictions, AlignedPredictions],
    table: EmbeddingTable,
) -> Values:
    return {
        "difference": estimate_values(found.difference),
        "mcnemar": found.mcnemar.to_dict(),
        "kappa": found.kappa.to_dict(),
        "agreement": found.agreement,
        "lost": _changed(found.lost, judged, table),
        "won": _changed(found.won, judged, table),
    }


def _changed(
    positions: Any, judged: tuple[AlignedPredictions, AlignedPredictions], table: EmbeddingTable
) -> list[dict[str, Any]]:
    names = judged[0].labels.names
    return [
        {
            "path": table.paths[int(judged[0].rows[i])],
            "sha256": table.sha256[int(judged[0].rows[i])],
            "label": names[int(judged[0].truth[i])],
            "a": names[int(judged[0].predicted[i])],
            "b": names[int(judged[1].predicted[i])],
        }
        for i in positions
    ]


def _mistakes(judged: AlignedPredictions, table: EmbeddingTable) -> list[dict[str, Any]]:
    names, confidence = judged.labels.names, judged.confidence
    return [
        {
            "path": table.paths[int(judged.rows[i])],
            "sha256": table.sha256[int(judged.rows[i])],
            "label": names[int(judged.truth[i])],
            "predicted": names[int(judged.predicted[i])],
            "confidence": float(confidence[i]),
        }
        for i in mistakes(judged)
    ]


def _grouping(judged: AlignedPredictions, seed: int) -> Grouping | None:
    if judged.embedding is None:
        return None
    return group_images(judged.embedding, judged.truth, seed)


def _no_clustering(judged: AlignedPredictions) -> Clustering:
    return Clustering(None, None, None, None, None, len(set(judged.truth.tolist())))


def _sources(
    contenders: Sequence[Contender],
    table: EmbeddingTable,
    labels: Labels,
    measured: MeasuredSet,
    how: Intervals,
) -> Values:
    """Where the numbers came from."""
    return {
        "set": {
            "id": measured.id,
            "title": measured.title,
            "images": len(table),
            "labels": measured.labels.taxonomy.name,
            "about": dict(measured.about or {}),
        },
        "set_sha256": table_digest(table, labels),
        "checkpoints": [row for item in contenders for row in item.about()],
        "level": how.level,
        "seed": how.seed,
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@dataclass(frozen=True)
class Leak:
    """How many of the measured images were in the training, and the accuracy without them.

    Attributes:
        seen: Images that were in the training of a member.
        by_looks: Those of them that are known by their looks, not by their bytes.
        unlooked: Images of other bytes whose looks are not known here.
        accuracy: On all of them.
        accuracy_without: On those that were not seen.
    """

    seen: int
    by_looks: int
    unlooked: int
    accuracy: MetricEstimate
    accuracy_without: MetricEstimate


def leak_of(found: SeenRows | None, right: NDArray[np.bool_]) -> Leak | None:
    """What of the measured images (N,) a model has learned from; None where it cannot say.

    Args:
        found: Of them (`emoviz.inference.leaks.seen_rows`).
        right: (N,) whether they were answered rightly.
    """
    if found is None:
        return None
    rest = right[~found.either]
    without = share(int(rest.sum()), len(rest), nothing="every image was in the training")
    seen, by_looks = int(found.either.sum()), int(found.by_looks.sum())
    return Leak(seen, by_looks, found.unlooked, share(int(right.sum()), len(right)), without)


def leak_words(leak: Mapping[str, Any], name: str) -> str:
    """How many of the measured images a model has learned from, and how they are known.

    Args:
        leak: A `Leak` as values.
        name: Of the model.
    """
    seen, images, looks = leak["seen"], leak["accuracy"]["n"], leak["by_looks"]
    ways = {"bytes": seen - looks, "looks": looks}
    told = [f"{count:,} known by {way}" for way, count in ways.items() if count]
    words = f"{seen or 'none':{',' if seen else ''}} of "
    words += f"these {images:,} images " if images != 1 else "1 image "
    words += f"{'were' if seen > 1 else 'was'} in the training of {name}"
    if seen:
        words += f", {' and '.join(told) if len(told) > 1 else told[0].partition(' ')[2]}"
    if looks:
        words += " (shrunk or saved anew; one in 1,000 others is taken for such by mistake)"
    if leak["unlooked"]:
        others = f" other{'s' * (leak['unlooked'] > 1)}" if seen else ""
        words += f"; of {leak['unlooked']:,}{others} only the bytes are known here"
    return words


def _leak(
    contender: Contender, table: EmbeddingTable, judged: AlignedPredictions, settings: Settings
) -> Values | None:
    shown = [table.sha256[i] for i in judged.rows]
    found = leak_of(seen_rows(contender.members, shown, settings), judged.right)
    return None if found is None else asdict(found)


def _as_of_now(
    values: Values, contender: Contender, measured: MeasuredSet, settings: Settings
) -> Values:
    """What is not kept by content: files that could not be used, what an image costs here."""
    costs = contender.costs(settings)
    known = [cost for cost in costs if cost is not None]
    members = zip(values["checkpoints"], costs, strict=True)
    return {
        **values,
        "checkpoint": contender.name,
        "checkpoints": [{**row, "seconds_per_image": cost} for row, cost in members],
        "seconds_per_image": sum(known) if len(known) == len(costs) else None,
        "refused": len(measured.refused),
        "unknown_labels": dict(measured.unknown or {}),
        "refusals": [{"path": path, "reason": reason} for path, reason in measured.refused],
    }


def _key(
    kind: str,
    fingerprints: Sequence[str],
    tables: Sequence[EmbeddingTable],
    bridges: Sequence[Bridge],
    measured: MeasuredSet,
    how: Intervals,
) -> str:
    """40 hexadecimal digits that change with whatever decides over the values."""
    digest = hashlib.sha256()
    parts = (
        kind,
        list(fingerprints),
        [(b.model.to_dict(), b.labels.to_dict(), b.matrix.tolist()) for b in bridges],
        asdict(how),
        measured.title,
        dict(measured.about or {}),
        [sorted(table.metadata) for table in tables],
    )
    digest.update(json.dumps(parts, sort_keys=True, default=str).encode())
    for table in tables:
        lines = (*table.paths, *table.sha256, *(t for c in table.metadata.values() for t in c))
        digest.update("\0".join(lines).encode(errors="surrogateescape"))
    digest.update(measured.labels.indices.tobytes())
    if measured.labels.shares is not None:
        digest.update(measured.labels.shares.tobytes())
    return digest.hexdigest()[:40]
