"""A folder or a ZIP with one folder a class, as a labelled set of any labels."""

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from emoviz.data.images import Limits
from emoviz.data.records import SPLIT_WORDS, LabelledSet, Record, Split, read_table
from emoviz.data.sources import from_zip, walk_images
from emoviz.errors import ImageError, TableError
from emoviz.labels import Taxonomy, own_taxonomy, taxonomy_of
from emoviz.settings import Settings

MOST_CLASSES = 2000  # a record holds a share for each


def read_classes(path: Path, settings: Settings) -> LabelledSet:
    """Read a folder with one sub-folder a class, a ZIP of one, or a table for `read_table`.

    Labels that no registered taxonomy holds make one of their own, named after the folder or ZIP.

    Raises:
        TableError: There are no images in folders, or too many classes; the message says what was
            found.
    """
    if path.is_dir():
        labels = _labels(image.relative_to(path).parts for image in walk_images(path))
        return read_table(path, _taxonomy(path.name, labels))
    if path.suffix.casefold() == ".zip":
        return read_zip(path.name, path, settings)
    return read_table(path)


def read_zip(name: str, archive: Path | bytes, settings: Settings) -> LabelledSet:
    """Read a ZIP with one folder a class; its images are held in memory.

    Args:
        name: Of the ZIP, for people.
        archive: Where it is, or its bytes.
        settings: Caps on what is unpacked.

    Raises:
        TableError: It is no ZIP, or holds no images in folders.
    """
    limits = Limits.of(settings)
    sources = from_zip(name, archive, limits, int(settings.max_archive_mb * 1e6))
    inner = _common_folder(archive)
    parts = [PurePosixPath(s.name.removeprefix(f"{name}/")).parts[inner:] for s in sources]
    stem = PurePosixPath(name).stem
    taxonomy = _taxonomy(stem, _labels(parts))
    records: list[Record] = []
    refused: list[tuple[str, str]] = []
    for source, place in zip(sources, parts, strict=True):
        label, split = _label_of(place)
        try:
            data = source.read()
        except ImageError as error:
            refused.append((source.name, str(error)))
            continue
        if not label:
            refused.append((source.name, "it lies in no folder of a class"))
            continue
        index = taxonomy.index(label)
        shares = tuple(float(i == index) for i in range(len(taxonomy)))
        file = "/".join(place)
        records.append(Record(file, Path(name), index, shares, file, split, data))
    if not records:
        reason = f" First: {refused[0][0]}: {refused[0][1]}." if refused else ""
        raise TableError(f"'{name}' holds no image that can be used.{reason}")
    return LabelledSet(stem, taxonomy, tuple(records), tuple(refused))


def _label_of(place: tuple[str, ...]) -> tuple[str, Split | None]:
    """Class and split of a file by the folders above it."""
    folders = list(place[:-1])
    split = SPLIT_WORDS.get(folders[0].casefold()) if folders else None
    if split is not None:
        folders.pop(0)
    return (folders[0].strip() if folders else ""), split


def _labels(places: Iterable[tuple[str, ...]]) -> list[str]:
    found = Counter(label for label, _ in map(_label_of, places) if label)
    return sorted(found)


def _taxonomy(name: str, labels: list[str]) -> Taxonomy:
    if not labels:
        raise TableError(
            f"'{name}' holds no folders with images; wanted: one folder a class, with its images "
            "in it, such as awe/1.jpg and fear/2.jpg."
        )
    if len(labels) > MOST_CLASSES:
        raise TableError(
            f"'{name}' has {len(labels):,} folders with images; at most {MOST_CLASSES:,} classes "
            "are read. Are the folders perhaps artists, or is each image in a folder of its own?"
        )
    known = taxonomy_of(labels)
    if known is not None:
        return known
    digest = hashlib.sha256("\0".join(labels).encode(errors="replace")).hexdigest()[:6]
    return own_taxonomy(f"own-{digest}", labels, f"Labels of {name}")


def _common_folder(archive: Path | bytes) -> int:
    """1 where everything in a ZIP lies in one folder that holds the classes, else 0."""
    try:
        opened = zipfile.ZipFile(io.BytesIO(archive) if isinstance(archive, bytes) else archive)
        places = [
            PurePosixPath(item.filename.replace("\\", "/")).parts
            for item in opened.infolist()
            if not item.is_dir() and "__MACOSX" not in item.filename
        ]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return 0
    deep = bool(places) and all(len(place) > 2 for place in places)
    first = {place[0] for place in places if place}
    return int(deep and len(first) == 1 and next(iter(first)).casefold() not in SPLIT_WORDS)
