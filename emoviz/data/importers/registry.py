"""Which sets can be brought in: one importer a file, by their kinds."""

import importlib
from dataclasses import replace
from functools import cache
from pathlib import Path

from emoviz.data.dataset import Dataset, Wish
from emoviz.data.importers.common import Importer
from emoviz.data.reading import confined, open_dataset
from emoviz.errors import TableError
from emoviz.labels import get_taxonomy
from emoviz.plugins import Registry
from emoviz.settings import Settings, load_settings

# Modules of this package that hold an `Importer` or several, in the order that people see.
_MODULES = (
    *("emoset", "class_folders", "webemo", "emotion6", "wikiart_emotions", "dvisa", "artemis"),
    *("gaped", "imageemotion", "fer2013", "sentiments", "huggingface"),
)


def _read_own(
    path: Path,
    labels: str,
    level: int | None = None,
    settings: Settings | None = None,
    sent: bool = False,
) -> Dataset:
    taxonomy = get_taxonomy(labels) if labels else None
    found = open_dataset(path, settings, taxonomy, labelled=True, level=level, sent=sent)
    return replace(found, name=path.absolute().stem if path.is_file() else path.absolute().name)


def _own(kind: str, title: str, layout: str) -> Importer:
    """What the door reads by itself, under the names that people look for it."""
    return Importer(kind, title, layout, "your own", "", "", _read_own, takes_taxonomy=True)


_OWN = (
    _own(
        "imagefolder",
        "Folders of images",
        "a folder or ZIP with one folder a class, or such folders in train, val and test",
    ),
    _own(
        "table",
        "A table (CSV, TSV, Parquet)",
        "columns file and label, or p_<label>; artist or group, and split, if wanted",
    ),
)
OWN = tuple(item.kind for item in _OWN)  # people's own sets, which the door reads by itself


@cache
def importers() -> Registry[Importer]:
    """Kind -> importer, in the order that people see: those of plug-ins last."""
    modules = (importlib.import_module(f"emoviz.data.importers.{name}") for name in _MODULES)
    inside = (item for module in modules for item in vars(module).values())
    known = {item.kind: item for item in inside if isinstance(item, Importer)}
    last = known.pop("huggingface")
    own = {**known, **{item.kind: item for item in _OWN}, last.kind: last}
    return Registry("emoviz.importers", Importer, own)


def bring_in(
    kind: str,
    path: Path,
    labels: str = "",
    level: int | None = None,
    settings: Settings | None = None,
    sent: bool = False,
) -> Dataset:
    """Read a set of that kind.

    Args:
        kind: One of `importers`.
        path: The unpacked folder, or the file.
        labels: Which labels, or the taxonomy's name, where the importer has a choice.
        level, sent: Of a set of one's own: see `emoviz.data.dataset.Wish`.
        settings: Caps, and where its files may be; the usual ones where None.

    Raises:
        TableError: The kind or the labels are unknown, or the path does not hold such a set.
        TaxonomyError: `labels` names no taxonomy.
        PluginError: The importer is a plug-in's and failed.
    """
    known = importers()
    if kind not in known:
        raise TableError(f"There is no importer '{kind}'. Known: {', '.join(known)}.")
    importer = known[kind]
    if labels and not importer.takes_taxonomy and labels not in importer.choices:
        told = ", ".join(importer.choices) or "no choice"
        raise TableError(f"{importer.title} has no labels '{labels}'; there is {told}.")
    if level is not None or kind in OWN:
        return _read_own(path.expanduser(), labels, level, settings, sent)
    found = known.guarded(kind, lambda: importer.read(path.expanduser(), labels))
    return confined(found, Wish(settings or load_settings(), sent=sent))
