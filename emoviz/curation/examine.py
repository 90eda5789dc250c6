"""A set looked at once: every image's looks, and where asked for text, faces and a network's u."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emoviz import __version__
from emoviz.checkpoints import Checkpoint
from emoviz.curation.checks import CheckMaterial, FindingLimits, ImageVectors
from emoviz.curation.examined import (
    Detected,
    Examined,
    from_table,
    of_set,
    to_table,
    write_examined,
)
from emoviz.curation.findings import find
from emoviz.data.dataset import Dataset
from emoviz.data.image_statistics import look_at
from emoviz.data.images import Limits
from emoviz.data.parts import Merged, Part, PartRows, PartWork, of_part, whole_of
from emoviz.errors import NotInstalledError, SettingsError
from emoviz.files import read_json, write_json
from emoviz.inference.cache import fingerprint
from emoviz.labels import Taxonomy
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
    text, faces = _detectable(wishes, missing)
    item = look(labelled, settings, report, text=text, faces=faces, until=0.7)
    u = None
    if wishes.checkpoint is not None:
        report.step("asking the network", until=0.9)
        u = _vectors(wishes.checkpoint, labelled, settings, report)
    about = _about(labelled, table, wishes, missing)
    return _found(item, about, u, wishes.limits, report)


def examination_work(
    labelled: Dataset, table: Path, settings: Settings, wishes: Wishes, report: Report
) -> PartWork:
    """Looking at a set's images as work in parts, which `examine_merged` makes findings of.

    A row is as in the file of an examination, and where a checkpoint is asked there is ``u``.
    """
    import pyarrow as pa

    missing = _missing(wishes, settings)
    text, faces = _detectable(wishes, missing)

    def rows(part: Part) -> PartRows:
        index, problems = of_part(labelled, part)
        here = replace(labelled, records=tuple(labelled.records[i] for i in index), problems=())
        item = look(here, settings, report, text=text, faces=faces, until=0.7)
        columns = to_table(item)
        if wishes.checkpoint is not None:
            report.step("asking the network")
            u = _vectors(wishes.checkpoint, here, settings, report, Part(1, 1))
            kept = [u.get(sha256) for sha256 in item.looks.sha256]
            columns = columns.append_column("u", pa.array(kept, pa.list_(pa.float32())))
        return PartRows(index, columns.schema, columns.to_batches(), problems)

    asked = fingerprint(wishes.checkpoint) if wishes.checkpoint is not None else ""
    fixed = (asked, f"text: {text}", f"faces: {faces}", labelled.taxonomy.name)
    about = {**_about(labelled, table, wishes, missing), "labels": labelled.taxonomy.to_dict()}
    return PartWork(whole_of("data examine", labelled, *fixed, **about), rows)


def examine_merged(merged: Merged, report: Report) -> tuple[Examined, dict[str, Any]]:
    """What `examine` would have given, out of all parts of a set."""
    import pyarrow as pa

    about = dict(merged.whole.about)
    table = pa.concat_tables(merged.tables)
    refused = tuple((item.key, item.reason) for item in merged.refused)
    item = replace(from_table(table, Taxonomy.from_dict(about.pop("labels"))), refused=refused)
    u = None
    if "u" in table.column_names:
        rows = zip(item.looks.sha256, table.column("u"), strict=True)
        u = {sha256: row.values.to_numpy() for sha256, row in rows if row.is_valid}
    return _found(item, about, u, FindingLimits(), report)


def _detectable(wishes: Wishes, missing: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether text and faces are looked for."""
    return wishes.text and "text" not in missing, wishes.faces and "faces" not in missing


def _about(
    labelled: Dataset, table: Path, wishes: Wishes, missing: Mapping[str, str]
) -> dict[str, Any]:
    """What an examination says of itself, and beside it what its checks need to know."""
    checkpoint = wishes.checkpoint
    return {
        "table": str(table.absolute()),
        "title": labelled.name,
        "taxonomy": labelled.taxonomy.name,
        "stamp": stamp_of(table),
        "emoviz": __version__,
        "checkpoint": checkpoint.card.title if checkpoint is not None else "",
        "missing": dict(missing),
    }


def _found(
    item: Examined,
    about: dict[str, Any],
    u: Mapping[str, NDArray[np.float32]] | None,
    limits: FindingLimits,
    report: Report,
) -> tuple[Examined, dict[str, Any]]:
    """The rows, with what each check made of them, and what was found."""
    checkpoint, missing, vectors = about.pop("checkpoint"), about.pop("missing"), None
    if u is not None:
        rows = [i for i, key in enumerate(item.looks.sha256) if key in u]
        if rows:
            stacked = np.stack([u[item.looks.sha256[i]] for i in rows])
            vectors = ImageVectors(checkpoint, np.array(rows, np.int64), stacked)
        else:
            missing["suspect_labels"] = "the network could read none of the images"
    material = CheckMaterial(item, limits, vectors, missing)
    found, item = find(material, lambda words: report.step(words, 0.97))
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
    checkpoint: Checkpoint,
    labelled: Dataset,
    settings: Settings,
    report: Report,
    part: Part | None = None,
) -> dict[str, NDArray[np.float32]]:
    """u of the images that the checkpoint could read, by hash; each passes it once, ever."""
    from emoviz.inference.embedding import embed_collection
    from emoviz.inference.predict import load_model

    model = load_model(checkpoint, settings)
    found = embed_collection(model, labelled, settings, report, part=part)
    by_hash: dict[str, NDArray[np.float32]] = {}
    for rows in found.parts(settings):
        by_hash.update(zip(rows.sha256, rows.embedding, strict=True))
    return by_hash
