"""A labelled set for other programs: a table, folders of images, Croissant metadata.

Croissant is MLCommons' description of data sets (https://docs.mlcommons.org/croissant/), version
1.0. It describes a table of names, labels and splits that is written beside it; images are named,
not copied.
"""

import csv
import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from emoviz.data.dataset import NO_LABEL, Dataset, Record
from emoviz.data.images import Limits
from emoviz.errors import ImageError, TableError
from emoviz.files import replaced_file, replaced_folder, write_json
from emoviz.inference.tabular import csv_writer, safe_cell

TABLE, METADATA, MISSING = "records.csv", "croissant.json", "missing.txt"
_SUFFIX = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"RIFF": ".webp"}


class Written(NamedTuple):
    """What was written of a set.

    Attributes:
        images: How many were written.
        left_out: How many have no label, or no split where others have one.
        missing: Names of those whose files are gone or closed, and what was not even opened, with
            the reason.
    """

    images: int
    left_out: int
    missing: tuple[str, ...]


def to_csv(item: Dataset, path: Path) -> Written:
    """Write the set as a table that `read_labelled` takes: labels, or votes where people voted.

    Images are named by their absolute paths. Images inside a table or ZIP go into a folder beside
    the CSV, ``<name>_images``; those that cannot be read there have no row, and `MISSING` in that
    folder names them.

    Raises:
        OSError: It cannot be written; a table that was there stays.
    """
    inside = path.with_name(f"{path.stem}_images")
    held = [number for number, record in enumerate(item.records) if record.is_inside]
    files: dict[int, str] = {}
    missing: list[str] = []
    if held:
        taken: set[str] = set()
        with replaced_folder(inside) as aside:
            for number in held:
                record = item.records[number]
                data = _held_bytes(record)
                if data is None:
                    missing.append(record.name)
                    continue
                name = _file_name(record, number, taken, data)
                (aside / name).write_bytes(data)
                files[number] = f"{inside.name}/{name}"
            _tell_missing(aside, missing)
    rows = [n for n, record in enumerate(item.records) if n in files or not record.is_inside]
    with replaced_file(path) as aside:
        _write_rows(aside, item, rows, files)
    return Written(len(rows), 0, tuple(missing))


def to_folders(item: Dataset, path: Path, copies: bool = False) -> Written:
    """Write ``<split>/<label>/<image>``, or ``<label>/<image>`` where no image has a split.

    What was found and not taken, and images that are not there any more, are named in `MISSING`
    beside the folders.

    Args:
        item: The set.
        path: A new folder, or an empty one.
        copies: Copy files; else they are linked to.

    Raises:
        TableError: There is something at the path already, or no image is there any more.
        OSError: It cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise TableError(f"'{path}' is there already; name a new folder.")
    split = any(record.split for record in item.records)
    wanted = [r for r in item.records if r.label != NO_LABEL and (r.split or not split)]
    gone = [f"{problem.key}: {problem.reason}" for problem in item.problems]  # not even opened
    missing: list[str] = []
    taken: set[str] = set()
    with replaced_folder(path) as aside:
        for number, record in enumerate(wanted):
            data = _held_bytes(record)
            name = _file_name(record, number, taken, data)
            label = _folder_name(item.taxonomy.names[record.label])
            folder = aside / (record.split or "") / label
            folder.mkdir(parents=True, exist_ok=True)
            if data is not None:
                (folder / name).write_bytes(data)
            elif record.is_inside or not _place(record.path, folder / name, copies):
                missing.append(record.name)
        if missing and len(missing) == len(wanted):
            raise TableError(
                f"None of the {len(wanted):,} images is there any more, such as '{missing[0]}'. "
                "Were they moved, or is a disk not there?"
            )
        _tell_missing(aside, (*gone, *missing))
    return Written(len(wanted) - len(missing), len(item.records) - len(wanted), (*gone, *missing))


def to_croissant(item: Dataset, about: Mapping[str, Any], path: Path) -> Written:
    """Write a folder with ``croissant.json`` and the table that it describes.

    Args:
        item: The set.
        about: Its source, terms and citation, where they are known.
        path: Of the folder.

    Raises:
        OSError: It cannot be written.
    """
    path.mkdir(parents=True, exist_ok=True)
    written = to_csv(item, path / TABLE)
    digest = hashlib.sha256((path / TABLE).read_bytes()).hexdigest()
    with (path / TABLE).open(encoding="utf-8", newline="") as stream:
        columns = next(csv.reader(stream))
    write_json(path / METADATA, croissant(item, about, columns, digest))
    return written


def croissant(
    item: Dataset, about: Mapping[str, Any], columns: Sequence[str], sha256: str
) -> dict[str, Any]:
    """The description of `TABLE` as JSON-LD."""
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"images/{column}",
            "name": column,
            "description": _meaning(column),
            "dataType": "sc:Float" if column.startswith("p_") else "sc:Text",
            "source": {"fileObject": {"@id": TABLE}, "extract": {"column": column}},
        }
        for column in columns
    ]
    file = {
        "@type": "cr:FileObject",
        "@id": TABLE,
        "name": TABLE,
        "contentUrl": TABLE,
        "encodingFormat": "text/csv",
        "sha256": sha256,
    }
    known = {
        "license": about.get("terms") or "not stated",
        "url": _address(str(about.get("source", ""))),
        "citeAs": about.get("citation"),
    }
    return {
        "@context": _context(),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": item.name,
        "description": f"{len(item.records)} images, labels: {', '.join(item.taxonomy.names)}.",
        "version": "1.0.0",
        "datePublished": datetime.now(UTC).date().isoformat(),
        **{key: value for key, value in known.items() if value},
        "distribution": [file],
        "recordSet": [
            {"@type": "cr:RecordSet", "@id": "images", "name": "images", "field": fields}
        ],
    }


def _write_rows(path: Path, item: Dataset, rows: Sequence[int], files: Mapping[int, str]) -> None:
    names = item.taxonomy.names
    labels = [f"p_{name}" for name in names] if item.votes else ["label"]
    meta = list(dict.fromkeys(key for record in item.records for key in record.metadata))
    taken = {"file", "label", "group", "split", "artist"}
    header = ["file", *labels, "group", "split"]
    header += [f"meta_{key}" if key.casefold() in taken else key for key in meta]
    with path.open("w", encoding="utf-8", errors="replace", newline="") as stream:
        writer = csv_writer(stream)
        writer.writerow([safe_cell(cell) for cell in header])
        for number in rows:
            record = item.records[number]
            file = files.get(number) or str(record.path.absolute())
            label = names[record.label] if record.label != NO_LABEL else ""
            shares = (
                [f"{share:.6g}" for share in record.shares] if item.votes else [safe_cell(label)]
            )
            texts = [record.group, record.split or "", *(record.metadata.get(k, "") for k in meta)]
            writer.writerow([safe_cell(file), *shares, *map(safe_cell, texts)])


def _held_bytes(record: Record) -> bytes | None:
    """Of an image that a table or ZIP holds; None for a file of its own, or if unreadable."""
    try:
        return record.read(Limits()) if record.is_inside else None
    except ImageError:
        return None


def _file_name(record: Record, number: int, taken: set[str], data: bytes | None) -> str:
    """A name for an image's file, none of those taken whatever the capitals; it is taken then."""
    stem, suffix = os.path.splitext(Path(record.name).name)  # noqa: PTH122
    if data is not None:
        suffix = next((end for sign, end in _SUFFIX.items() if data.startswith(sign)), ".img")
    name = _folder_name(stem) + suffix
    if name.casefold() in taken:
        name = f"{number:06}-{name}"
    taken.add(name.casefold())
    return name


def _tell_missing(folder: Path, names: Sequence[str]) -> None:
    if names:
        text = "".join(f"{name}\n" for name in names)
        (folder / MISSING).write_bytes(text.encode("utf-8", "surrogateescape"))


def _folder_name(text: str) -> str:
    """Without what leads elsewhere or what a file system refuses."""
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]+', "_", text).strip(". ")[:120] or "_"


def _place(source: Path, target: Path, copies: bool) -> bool:
    """Whether it was there to be placed."""
    try:
        stream = source.open("rb")
    except OSError:
        return False
    with stream:  # what fails from here on is the disk that is written to
        if copies:
            with target.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
        else:
            target.symlink_to(source.absolute())
    return True


def _address(text: str) -> str:
    return text.split(" ")[0] if text.startswith(("http://", "https://")) else ""


def _meaning(column: str) -> str:
    if column.startswith("p_"):
        return f"Share of the votes for {column.removeprefix('p_')}, 0 to 1."
    known = {
        "file": "Path of the image.",
        "label": "The emotion that the image evokes, as the set has it.",
        "group": "Images of one group stand in one split.",
        "split": "train, validation or test.",
    }
    return known.get(column, f"What the set says of the image: {column}.")


def _context() -> dict[str, Any]:
    """The context of Croissant 1.0, as its specification gives it."""
    plain = "citeAs column equivalentProperty extract field fileProperty fileObject fileSet"
    plain += " format includes isLiveDataset jsonPath key md5 parentField path recordSet references"
    plain += " regex repeated replace samplingRate separator source subField transform"
    terms: dict[str, Any] = {name: f"cr:{name}" for name in plain.split()}
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        **terms,
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "sc": "https://schema.org/",
    }
