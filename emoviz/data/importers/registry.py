"""Which sets can be brought in: one importer a file, by their kinds."""

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from emoviz.data.importers.common import Importer
from emoviz.data.records import LabelledSet
from emoviz.errors import TableError

# A kind is a module of this package with an `IMPORTER`; the order is the one that people see.
_MODULES = (
    "emoset",
    "fi8",
    "webemo",
    "unbiasedemo",
    "emotion6",
    "caers",
    "wikiart",
    "dvisa",
    "artemis",
    "gaped",
    "artphoto",
    "abstract",
    "fer2013",
    "sentiments",
    "imagefolder",
    "tables",
    "huggingface",
)


@cache
def importers() -> Mapping[str, Importer]:
    """Kind -> importer, in the order that people see."""
    modules = (importlib.import_module(f"emoviz.data.importers.{name}") for name in _MODULES)
    return {module.IMPORTER.kind: module.IMPORTER for module in modules}


def bring_in(kind: str, path: Path, labels: str = "") -> LabelledSet:
    """Read a set of that kind.

    Args:
        kind: One of `importers`.
        path: The unpacked folder, or the file.
        labels: Which labels, or the taxonomy's name, where the importer has a choice.

    Raises:
        TableError: The kind or the labels are unknown, or the path does not hold such a set.
        TaxonomyError: `labels` names no taxonomy.
    """
    known = importers()
    if kind not in known:
        raise TableError(f"There is no importer '{kind}'. Known: {', '.join(known)}.")
    importer = known[kind]
    if labels and not importer.takes_taxonomy and labels not in importer.choices:
        told = ", ".join(importer.choices) or "no choice"
        raise TableError(f"{importer.title} has no labels '{labels}'; there is {told}.")
    return importer.read(path.expanduser(), labels)
