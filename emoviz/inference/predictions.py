"""What another program answered, as a table: ``file, label, p_<class>...``, or scores.

Such a table stands beside checkpoints on Evaluate and Compare. It has no vectors u, so nothing is
said of clusters.
"""

import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emoviz.data.cells import NO_ANSWER, number, plain_name
from emoviz.data.columns import Table, columns_told, find_roles
from emoviz.data.dataset import any_taxonomy
from emoviz.data.tables import read_table
from emoviz.errors import TableError
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.labels import Taxonomy

_LOGITS = "logit_"
_SCORES = ("p_", "prob_", "probability_", "score_", _LOGITS)
_ANSWERS = ("predicted", "prediction", "answer", "pred")
_SHA256 = re.compile("[0-9a-f]{64}")
_ROUNDING = 0.02  # that the probabilities of an image may lack to 1
_BELOW = 1e-4  # that one of them may lie below 0, for the same reason


@dataclass(frozen=True)
class PredictionTable:
    """Answers of another program to N images.

    Attributes:
        title: The file's name.
        taxonomy: Of the classes.
        names: (N) the images, as the table names them.
        probabilities: (N, C), each row adding up to 1.
        labels: (N) what people said, "" where nothing is; empty where the table has no labels.
        problems: Rows that cannot be used: (name, reason).
        notes: How scores became probabilities, and how often there was no answer.
        sha256: Of the file.
        hashes: Name -> SHA-256 of an image, where the table has them.
        seconds: Of one image, in the mean of those that have any; None where none has.
    """

    title: str
    taxonomy: Taxonomy
    names: tuple[str, ...]
    probabilities: NDArray[np.float64]
    labels: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    sha256: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class LabelledNames:
    """The images of a set by their names, with labels.

    Attributes:
        title: Of the set.
        names: (N).
        labels: (N,) indices in the taxonomy; -1 for none.
        taxonomy: Of the labels.
        hashes: Name -> SHA-256, where a checkpoint has read the images.
    """

    title: str
    names: Sequence[str]
    labels: NDArray[np.int64]
    taxonomy: Taxonomy
    hashes: Mapping[str, str] | None = None


def read_predictions(path: Path) -> PredictionTable:
    """Read a table of another program's answers.

    Args:
        path: CSV, TSV, text that a spreadsheet exported, or Parquet, with a column of files, and
            ``p_<class>``, ``prob_<class>``, ``score_<class>`` or ``logit_<class>`` for each class,
            or one column ``predicted`` with the answers alone. Read besides, where it has them:
            ``error`` (why there is no answer), ``seconds`` (what it took) and ``sha256``.

    Returns:
        Found = taken + problems: a row without a number for each class, or whose file another row
        has too, is a problem.

    Raises:
        TableError: It cannot be read, names no images, or holds no answers that can be used.
    """
    table = read_table(path)
    roles = find_roles(table)
    columns, notes = _class_columns(table), list(table.notes)
    files = [name.strip() for name in table.columns[roles.file]]
    if columns:
        classes = list(columns.values())
        values, faults = _numbers(table, list(columns))
    else:
        classes, values, faults, note = _answers_alone(table)
        notes.append(note)
    taxonomy = any_taxonomy("predictions", classes)
    order = [taxonomy.index(name) for name in classes]
    failed = {r: why.strip() for r, why in enumerate(table.columns.get("error", ())) if why.strip()}
    faults |= failed
    if failed:
        notes.append(_failures(list(failed.values()), len(files)))
    seen = Counter(name for name in files if name)
    for row, name in enumerate(files):
        if not name:
            faults.setdefault(row, "it names no image")
        elif seen[name] > 1:
            faults.setdefault(row, f"{seen[name]} rows are of this image")
    kept = [row for row in range(len(files)) if row not in faults]
    logits = any(name.strip().casefold().startswith(_LOGITS) for name in columns)
    probabilities, note, wrong = _as_probabilities(values[kept], logits)
    faults |= {kept[i]: why for i, why in wrong.items()}
    kept = [row for row in kept if row not in faults]
    if not kept:
        first = next(iter(faults.values()), "it has no row")
        raise TableError(f"'{path.name}' holds no answer that can be used: {first}.")
    # Columns that are words for one class, as joy and happy are, are added up.
    placed = np.delete(probabilities, list(wrong), axis=0) @ np.eye(len(taxonomy))[order]
    notes += [note] if note else []
    labels = [cell.strip() for cell in table.columns[roles.label]] if roles.label else []
    return PredictionTable(
        title=path.name,
        taxonomy=taxonomy,
        names=tuple(files[row] for row in kept),
        probabilities=placed,
        labels=tuple("" if labels[row].casefold() in NO_ANSWER else labels[row] for row in kept)
        if labels
        else (),
        problems=tuple(
            (files[row] or f"{path.name}, {table.place(row)}", why)
            for row, why in sorted(faults.items())
        ),
        notes=tuple(notes),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        hashes={
            files[row]: cell
            for row, cell in enumerate(table.columns.get("sha256", ()))
            if _SHA256.fullmatch(cell)
        },
        seconds=_mean(table.columns.get("seconds", ()), kept),
    )


def _failures(reasons: Sequence[str], count: int) -> str:
    """How often there was no answer, and in which ways."""
    ways = Counter(reason.split(":", 1)[0] for reason in reasons)
    told = ", ".join(f"{way} ({n:,})" for way, n in ways.most_common())
    return f"{len(reasons):,} of {count:,} images have no answer: {told}."


def _mean(cells: Sequence[str], rows: Sequence[int]) -> float | None:
    """The mean of the rows that hold a number from 0 on; None where none does."""
    found = []
    for row in rows if cells else ():
        with contextlib.suppress(TableError):
            value = number(cells[row], "seconds")
            found += [] if value is None or value < 0 else [value]
    return float(np.mean(found)) if found else None


def own_labels(item: PredictionTable) -> tuple[Taxonomy, NDArray[np.int64]]:
    """The labels that the table itself has: their taxonomy, and (N,) indices, -1 for none.

    Raises:
        TableError: It has none.
    """
    known = sorted(set(item.labels) - {""})
    if not known:
        raise TableError(
            f"'{item.title}' has no column 'label'. Name the set that the answers are of (--data), "
            "or add the labels to the table."
        )
    taxonomy = any_taxonomy("own", known, item.taxonomy)
    return taxonomy, np.array([taxonomy.index(t) if t else -1 for t in item.labels], np.int64)


def prediction_table(item: PredictionTable, shown: LabelledNames | None = None) -> EmbeddingTable:
    """The answers as a table like a checkpoint's, without vectors.

    Args:
        item: The answers.
        shown: The images that they are of, with labels; the table's own where None. Rows are joined
            to images by their paths, by the ends of these, or by names alone, whichever is the
            first that is unique.

    Raises:
        TableError: No image of the set is in the table; or there is no set, and no labels.
    """
    if shown is None:
        taxonomy, labels = own_labels(item)
        shown = LabelledNames(item.title, item.names, labels, taxonomy, item.hashes)
    problems = list(dict(item.problems).items())
    count = len(item)
    rows = _rows([*item.names, *(key for key, _ in problems)], shown.names)
    taken = [(i, row) for i, row in enumerate(rows) if row is not None and row < count]
    if not taken:
        raise TableError(
            f"None of the {count:,} images of '{item.title}' is in '{shown.title}'; its first "
            f"is '{item.names[0]}', that of the set '{next(iter(shown.names), '')}'."
        )
    used = {row for row in rows if row is not None}
    lacking = [
        (name, "the table of predictions has no row of it" if r is None else problems[r - count][1])
        for name, r in zip(shown.names, rows, strict=True)
        if r is None or r >= count
    ]
    strange = "no image of the set is called so"
    strangers = [(name, strange) for row, name in enumerate(item.names) if row not in used]
    strangers += [row for at, row in enumerate(problems, count) if at not in used]
    images = np.array([i for i, _ in taken], np.int64)
    names = tuple(shown.names[i] for i in images.tolist())
    labels = shown.labels[images]
    known, taxonomy = shown.hashes or {}, shown.taxonomy
    return EmbeddingTable(
        taxonomy=item.taxonomy,
        paths=names,
        sha256=tuple(
            known.get(shown.names[i]) or item.hashes.get(item.names[r]) or _stand_in(shown.names[i])
            for i, r in taken
        ),
        embedding=np.zeros((len(taken), 0), np.float32),
        probabilities=item.probabilities[[row for _, row in taken]],
        novelty=np.full(len(taken), np.nan),
        labels=labels,
        refused=(*lacking, *strangers),
        label_names=tuple(taxonomy.names[i] if i >= 0 else "" for i in labels.tolist()),
        label_taxonomy=taxonomy,
    )


def _stand_in(name: str) -> str:
    """What tells an image from others where its bytes were not read."""
    return hashlib.sha256(f"name {name}".encode(errors="surrogateescape")).hexdigest()


def _rows(names: Sequence[str], wanted: Sequence[str]) -> list[int | None]:
    """For each wanted name its row: by the whole path, else by ever fewer of its last parts."""
    rows: list[int | None] = [None] * len(wanted)
    free = set(range(len(names)))
    parts = [_parts(name) for name in names]
    asked = [_parts(name) for name in wanted]
    deepest = max((len(item) for item in (*parts, *asked)), default=0)
    for depth in range(deepest, 0, -1):
        mine = [tuple(item[-depth:]) for item in parts]
        theirs = [tuple(item[-depth:]) for item in asked]
        counts, others = Counter(mine[row] for row in free), Counter(theirs)
        place = {mine[row]: row for row in free if counts[mine[row]] == 1}
        for i, key in enumerate(theirs):
            if rows[i] is None and others[key] == 1 and key in place:
                rows[i] = place[key]
                free.discard(place[key])
    return rows


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").casefold().split("/") if part not in ("", ".")]


def _class_columns(table: Table) -> dict[str, str]:
    """Column -> class, of the first kind of column that there is."""
    for prefix in _SCORES:
        found = {
            name: name.strip()[len(prefix) :]
            for name in table.columns
            if name.strip().casefold().startswith(prefix) and len(name.strip()) > len(prefix)
        }
        found = {column: label for column, label in found.items() if label.casefold() != "max"}
        if len(found) > 1:
            return found
    roles = find_roles(table)
    return dict(roles.votes) if roles.label is None else {}


def _numbers(table: Table, columns: Sequence[str]) -> tuple[NDArray[np.float64], dict[int, str]]:
    """(N, C), and row -> why it cannot be used."""
    values = np.full((table.count, len(columns)), np.nan)
    faults: dict[int, str] = {}
    for c, column in enumerate(columns):
        for row, cell in enumerate(table.columns[column]):
            value = None
            with contextlib.suppress(TableError):
                value = number(cell, column)
            if value is not None:
                values[row, c] = value
            else:
                faults.setdefault(row, f"column '{column}' has no number")
    return values, faults


def _answers_alone(
    table: Table,
) -> tuple[list[str], NDArray[np.float64], dict[int, str], str]:
    """One column of answers: classes, one-hot rows, faults, and what that means."""
    column = next((c for c in table.columns if plain_name(c) in _ANSWERS), None)
    if column is None:
        told = columns_told(list(table.columns), "answers")
        raise TableError(
            f"'{table.path.name}' has {told}; wanted p_<class> (or score_, logit_) for "
            "each class, or one column 'predicted'."
        )
    cells = [cell.strip() for cell in table.columns[column]]
    classes = sorted(set(cells) - {""})
    place = {name: i for i, name in enumerate(classes)}
    faults = {row: "it has no answer" for row, cell in enumerate(cells) if not cell}
    values = np.zeros((len(cells), max(len(classes), 1)))
    for row, cell in enumerate(cells):
        if cell:
            values[row, place[cell]] = 1.0
    note = "The table has answers without probabilities: each counts as certain."
    return classes, values, faults, note


def _as_probabilities(
    values: NDArray[np.float64], logits: bool
) -> tuple[NDArray[np.float64], str, dict[int, str]]:
    """(N, C) rows that add up to 1, how they came about, and row -> why it has none.

    What most rows are decides for all: one damaged row makes no logits of the others'
    probabilities.
    """
    sums, low = values.sum(axis=1), values.min(axis=1, initial=0.0)
    for whole in () if logits else (1.0, 100.0):
        even = (np.abs(sums - whole) <= _ROUNDING * whole) & (low >= -_BELOW * whole)
        if 2 * even.sum() > len(values):
            wrong = (sums > (1 + _ROUNDING) * whole) | (low < -_BELOW * whole)
            return _divided(values, "The scores are percentages." if whole > 1 else "", wrong)
    if not logits and (low >= 0).all() and (values <= 1).all():
        return _divided(values, "", sums < 0)
    shifted = np.exp(values - values.max(axis=1, keepdims=True, initial=-np.inf))
    told = "The scores are no probabilities; they were taken for logits (softmax)."
    return shifted / shifted.sum(axis=1, keepdims=True), told, {}


def _divided(
    values: NDArray[np.float64], note: str, wrong: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], str, dict[int, str]]:
    """As `_as_probabilities`, each row by its sum; but for those that are wrong, or all 0."""
    values = np.maximum(values, 0.0)
    sums = values.sum(axis=1, keepdims=True)
    reasons = dict.fromkeys(
        np.flatnonzero(wrong).tolist(), "they are no probabilities, as those of most images are"
    )
    reasons |= dict.fromkeys(np.flatnonzero(sums == 0).tolist(), "all are 0")
    near = np.abs(sums[:, 0, None] - (1.0, 100.0)) <= _ROUNDING * np.array([1.0, 100.0])
    uneven = set(np.flatnonzero(~near.any(axis=1)).tolist()) - set(reasons)
    if uneven:
        count = f"{len(uneven):,} of {len(values):,} images"
        note += f" The scores of {count} do not add up to 1; each was divided by their sum."
    quotients = np.divide(values, sums, out=np.zeros(values.shape), where=sums > 0)
    return quotients, note.strip(), reasons
