"""A set looked at once: every image's looks, and where asked for text, faces and a network's u."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from emoviz import __version__
from emoviz.checkpoints import Checkpoint
from emoviz.curation.checks import CheckMaterial, FindingLimits, ImageVectors
from emoviz.curation.examined import Detected, Examined, of_set, write_examined
from emoviz.curation.findings import find
from emoviz.data.dataset import Dataset
from emoviz.data.image_statistics import look_at
from emoviz.data.images import Limits
from emoviz.errors import NotInstalledError, SettingsError
from emoviz.files import read_json, write_json
from emoviz.settings import Settings

ROWS, FOUND = "images.parquet", "examination.json"


class Report(Protocol):
    """Told how far the work is; `emoviz.jobs.Reporter` is one."""

    def step(self, words: str, until: float = 1.0) -> None:
        """Begin a part that ends at this share of all the work."""
        ...

    def __call__(self, done: int, total: int) -> None:
        """So many of so many in this part."""
        ...


@dataclass(frozen=True)
class Wishes:
    """What is looked for besides looks.

    Attributes:
        text: Words that can be read; about half a second an image.
        faces: Faces as main focus; some hundredths of a second an image.
        checkpoint: Whose u tells near duplicates, suspect labels and outliers.
        limits: From where on an image is odd.
    """

    text: bool = False
    faces: bool = False
    checkpoint: Checkpoint | None = None
    limits: FindingLimits = field(default_factory=FindingLimits)


def examine(
    labelled: Dataset, table: Path, settings: Settings, wishes: Wishes, report: Report
) -> tuple[Examined, dict[str, Any]]:
    """Examine a set.

    Args:
        labelled: From `read_labelled`.
        table: Where it was read from.
        settings: Caps, and where what detectors and networks saw is kept.
        wishes: What is looked for.
        report: Told how far it is.

    Returns:
        The rows, with what each check made of them, and what was found (see `findings.find`).
    """
    missing = _missing(wishes, settings)
    text, faces = (
        wished and kind not in missing
        for kind, wished in (("text", wishes.text), ("faces", wishes.faces))
    )
    item = look(labelled, settings, report, text=text, faces=faces, until=0.7)
    vectors = None
    if wishes.checkpoint is not None:
        report.step("asking the network", until=0.9)
        vectors = _vectors(wishes.checkpoint, table, item, settings, report)
        if vectors is None:
            missing["suspect_labels"] = "the checkpoint could read none of the images"
    material = CheckMaterial(item, wishes.limits, vectors, missing)
    found, item = find(material, lambda words: report.step(words, 0.97))
    about = {
        "table": str(table.absolute()),
        "title": labelled.name,
        "taxonomy": labelled.taxonomy.name,
        "stamp": stamp_of(table),
        "emoviz": __version__,
    }
    return item, {**about, **found}


def _missing(wishes: Wishes, settings: Settings) -> dict[str, str]:
    """Check -> why its detector, which was asked for, cannot look."""
    from emoviz.inference import detect

    found = {}
    for kind, wished in (("text", wishes.text), ("faces", wishes.faces)):
        try:
            if wished:
                detect.detector(kind, settings)
        except (NotInstalledError, SettingsError) as error:
            found[kind] = str(error)
    return found


def look(
    labelled: Dataset,
    settings: Settings,
    report: Report,
    text: bool = False,
    faces: bool = False,
    until: float = 1.0,
) -> Examined:
    """The rows alone, with text and faces where they are wanted.

    Raises:
        SettingsError: A detector's package is not installed.
    """
    slow = text or faces
    report.step("looking at images", until=until * (0.1 if slow else 1.0))
    item = of_set(labelled, look_at(labelled.records, Limits.of(settings), report))
    if faces:
        report.step("looking for faces", until=until * (0.2 if text else 1.0))
        item = replace(item, faces=_detected("faces", labelled, item, settings, report))
    if text:
        report.step("looking for text", until=until)
        item = replace(item, text=_detected("text", labelled, item, settings, report))
    return item


def keep(folder: Path, item: Examined, found: Mapping[str, Any]) -> None:
    """Write rows and findings into a folder.

    Raises:
        OSError: They cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_examined(folder / ROWS, item, {"table": found["table"], "stamp": found["stamp"]})
    write_json(folder / FOUND, found)


def kept(folder: Path, table: Path) -> dict[str, Any] | None:
    """What an examination found; None where there is none of the table as it is now."""
    found = read_json(folder / FOUND)
    return found if found is not None and found.get("stamp") == stamp_of(table) else None


def stamp_of(table: Path) -> list[int]:
    """Size and time of change: whether a table is still the one that was examined."""
    try:
        status = table.stat()
    except (OSError, ValueError):
        return []
    return [status.st_size, status.st_mtime_ns]


def _detected(
    kind: str, labelled: Dataset, item: Examined, settings: Settings, report: Report
) -> Detected:
    from emoviz.inference import detect

    looking = detect.detector(kind, settings)
    hashes = item.looks.sha256
    return Detected(*detect.detect(looking, labelled.records, hashes, settings, report))


def _vectors(
    checkpoint: Checkpoint, table: Path, item: Examined, settings: Settings, report: Report
) -> ImageVectors | None:
    """u of the images that the checkpoint could read; each passes it once, ever."""
    from emoviz.data.reading import open_dataset
    from emoviz.inference.embedding import embed_collection
    from emoviz.inference.predict import load_model

    collection = open_dataset(table, settings, item.taxonomy)
    found = embed_collection(load_model(checkpoint, settings), collection, settings, report)
    by_hash: dict[str, Any] = {}
    for part in found.parts(settings):
        by_hash.update(zip(part.sha256, part.embedding, strict=True))
    rows = [i for i, key in enumerate(item.looks.sha256) if key in by_hash]
    if not rows:
        return None
    u = np.stack([by_hash[item.looks.sha256[i]] for i in rows])
    return ImageVectors(checkpoint.card.title, np.array(rows, np.int64), u)
