"""Labelled sets as collections, and tables of embeddings beside their labels.

A set may be an id of the library, a CSV, TSV or Parquet table, or a folder of classes. What a
model is measured on begins here; the measures themselves are in `emoviz.analysis`.
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emoviz.data.dataset import NO_LABEL, Dataset, Split, relabelled
from emoviz.data.library import SAMPLE, find_set, id_of, locate
from emoviz.data.reading import fitted, open_dataset
from emoviz.errors import TableError, TaxonomyError
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.labels import TAXONOMIES, Bridge, Taxonomy, bridge_between, own_taxonomy
from emoviz.settings import Settings

if TYPE_CHECKING:
    from pandas import DataFrame

_ENOUGH = 0.5  # share of the labels that a taxonomy must hold where none holds them all


@dataclass(frozen=True)
class Labels:
    """Labels of the images in a table.

    Attributes:
        indices: (N,) in the taxonomy; -1 for none.
        taxonomy: Of the labels; registered, or made of the texts that there are.
        shares: (N, S) of people's votes; None where there were none.
    """

    indices: NDArray[np.int64]
    taxonomy: Taxonomy
    shares: NDArray[np.float64] | None = None

    @property
    def known(self) -> int:
        """Images with a label."""
        return int((self.indices >= 0).sum())

    def take(self, rows: NDArray[np.int64]) -> "Labels":
        """Those of some rows (K,), in that order."""
        shares = None if self.shares is None else self.shares[rows]
        return Labels(self.indices[rows], self.taxonomy, shares)


def open_labelled(
    what: str | Path | Dataset,
    settings: Settings,
    taxonomy: Taxonomy | None = None,
    likely: Taxonomy | None = None,
    split: Split | None = None,
    level: int | None = None,
) -> Dataset:
    """Open a labelled set by its id in the library or its path.

    Where labels are of no one taxonomy, the one that holds most of them is taken, if that is at
    least half of the images; the rest are problems.

    Args:
        what: An id, or the path of a folder, a ZIP or a table; a path that is there comes first.
            A set that is open already counts as it is, with its records without a label.
        settings: Where the library is, and what is refused.
        taxonomy: Of the labels; found from them where None.
        likely: Taken instead of a smaller one where all labels are of it.
        split: Only this split.
        level: Which folder is the class: see `emoviz.data.reading.Wish`; of no open set.

    Raises:
        TableError: There is no such set, it cannot be read, or none of its labels is known.
    """
    if isinstance(what, Dataset):
        if level is not None:
            raise TableError(f"'{what.name}' is open already: its level cannot be chosen any more.")
        if not len(what.taxonomy):
            raise TableError(
                f"'{what.name}' has no labels. Open it with labelled=True to learn what it lacks."
            )
        found = what if taxonomy is None else relabelled(what, taxonomy)
    else:
        path = locate(settings, str(what))
        found = open_dataset(path, settings, taxonomy, likely, labelled=True, level=level)
    found = found if taxonomy is not None else fitted(found, likely)
    if id_of(settings, found.path) == SAMPLE:
        found = replace(found, about=find_set(settings, SAMPLE).about)
    return replace(found, records=found.of_split(split)) if split else found


def labels_of(table: EmbeddingTable, labelled: Dataset | None = None) -> Labels:
    """The labels of a table's images.

    Args:
        table: Of a labelled collection.
        labelled: The set, where people's votes shall count: where a model cannot tell labels
            apart, the majority is then taken anew over the merged ones.
    """
    if labelled is not None and table.label_taxonomy is not None:
        shares = _shares(table, labelled)
        return Labels(table.labels, table.label_taxonomy, shares)
    indices, names = table.named_labels
    if table.label_taxonomy is not None:
        return Labels(indices, table.label_taxonomy)
    taxonomy = own_taxonomy("own", names or ("(none)",))
    # Spellings that differ in capitals or spaces alone are one label there.
    places = np.array([*map(taxonomy.index, names), NO_LABEL])
    return Labels(places[np.where(indices < 0, len(names), indices)], taxonomy)


def proposed_bridge(model: Taxonomy, labels: Taxonomy) -> Bridge:
    """The bridge between two taxonomies, or what comes nearest to one.

    Where none is known, labels that a taxonomy of the field holds are bridged as there, and others
    if they are names of classes. The matrix may be all zeros: then a person has to say what may be
    called what.
    """
    try:
        return bridge_between(model, labels)
    except TaxonomyError:
        return Bridge(model, labels, _likely_matrix(model, labels))


def bridge_from(rule: Mapping[str, Sequence[str]], model: Taxonomy, labels: Taxonomy) -> Bridge:
    """A bridge out of label -> the model's classes that may be called so.

    Raises:
        TaxonomyError: A label or a class is unknown, or a label has no list of classes.
    """
    matrix = np.zeros((len(labels), len(model)))
    for label, classes in rule.items():
        if isinstance(classes, str) or not isinstance(classes, Sequence):
            raise TaxonomyError(f"The bridge says '{classes}' of '{label}'; wanted a list.")
        for name in classes:
            matrix[labels.index(label), model.index(str(name))] = 1.0
    return Bridge(model, labels, matrix)


def bridge_words(bridge: Bridge) -> dict[str, list[str]]:
    """Label -> the model's classes that may be called so: what `bridge_from` reads."""
    names = bridge.model.names
    return {
        label: [names[c] for c in np.flatnonzero(row)]
        for label, row in zip(bridge.labels.names, bridge.matrix, strict=True)
    }


def joined(tables: Sequence[EmbeddingTable]) -> list[NDArray[np.int64]]:
    """Rows of each table that hold the same images, by their content, in the first one's order.

    An image that stands several times in each is matched as often, in order.
    """
    found = _numbered(tables[0].sha256)
    for number, table in enumerate(tables[1:], 1):
        found = found.merge(
            _numbered(table.sha256), on=["image", "time"], suffixes=("", str(number))
        )
    return [found[name].to_numpy() for name in found if name not in ("image", "time")]


def table_digest(table: EmbeddingTable, labels: Labels) -> str:
    """SHA-256 of images and labels in any order: the same set has the same digest anywhere."""
    names = ["", *labels.taxonomy.names]
    lines = sorted(
        f"{sha256} {names[label + 1]}"
        for sha256, label in zip(table.sha256, labels.indices.tolist(), strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def duplicates(table: EmbeddingTable) -> int:
    """Images whose very bytes stand in the table before."""
    return len(table) - len(set(table.sha256))


def _likely_matrix(model: Taxonomy, labels: Taxonomy) -> NDArray[np.float64]:
    """Rows of the taxonomy that holds most of the labels, else of classes of the same name."""
    matrix = np.zeros((len(labels), len(model)))
    fitting = _fitting(labels.names, model)
    rule: dict[str, NDArray[np.float64]] = {}
    if fitting is not None:
        with contextlib.suppress(TaxonomyError):
            known = bridge_between(model, fitting)
            rule = dict(zip(fitting.names, known.matrix, strict=True))
    for s, name in enumerate(labels.names):
        if fitting is not None and rule and fitting.holds(name):
            matrix[s] = rule[fitting.names[fitting.index(name)]]
        elif model.holds(name):
            matrix[s, model.index(name)] = 1.0
    return matrix


def _numbered(hashes: Sequence[str]) -> "DataFrame":
    """Each row's image, how often that came before, and the row."""
    import pandas as pd

    table = pd.DataFrame({"image": list(hashes)})
    return table.assign(time=table.groupby("image").cumcount(), row=range(len(table)))


def _fitting(texts: Sequence[str], likely: Taxonomy | None) -> Taxonomy | None:
    """The taxonomy that holds most labels, if it holds half of them; the likely one of equals."""
    counts = Counter(text for text in texts if text)
    total = sum(counts.values())
    candidates = [*([likely] if likely is not None else []), *TAXONOMIES.values()]

    def held(item: Taxonomy) -> int:
        return sum(count for text, count in counts.items() if item.holds(text))

    best = max(candidates, key=held)
    return best if total and held(best) >= _ENOUGH * total else None


def _shares(table: EmbeddingTable, labelled: Dataset) -> NDArray[np.float64] | None:
    """(N, S) votes by the images' names; an image that the set lacks has none."""
    if not labelled.votes or table.label_taxonomy is None:
        return None
    if labelled.taxonomy.names != table.label_taxonomy.names:
        return None
    nothing = (0.0,) * len(labelled.taxonomy)
    known = {record.name: record.shares for record in labelled.records}
    known |= {str(record.path): record.shares for record in labelled.records}
    known |= dict(zip(labelled.names, (r.shares for r in labelled.records), strict=True))
    rows = [known.get(path, nothing) for path in table.paths]
    return np.array(rows, np.float64).reshape(-1, len(labelled.taxonomy))
