"""The library: labelled sets that were brought in, prepared or made by review, by their ids.

``<home>/sets/<id>.parquet``, each as `emoviz.data.dataset_file` writes it. The set that comes with
the project is among them.
"""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emoviz.data.dataset import Dataset, absolute
from emoviz.data.dataset_file import KnownSet, read_head, write_set
from emoviz.data.reading import read_labelled
from emoviz.data.sources import is_address
from emoviz.errors import TableError
from emoviz.settings import Settings

SAMPLE = "sample"
_BIN, _KEPT_IN_BIN = ".removed", 14 * 24 * 3600.0
_TABLES = (".csv", ".tsv", ".parquet", ".zip")
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def list_sets(settings: Settings) -> tuple[list[KnownSet], list[str]]:
    """The sets of the library, the project's own first, then the newest, and why others cannot.

    Returns:
        The sets, and a sentence for each file that is no set or a damaged one.
    """
    found, refused = [], []
    if (settings.sample_data / "labels.csv").is_file():
        found.append(_sample(settings))
    files = (settings.home / "sets").glob("[!.]*.parquet")
    for path in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True):
        try:
            found.append(_known(path))
        except TableError as error:
            refused.append(str(error))
    return found, refused


def find_set(settings: Settings, name: str) -> KnownSet:
    """The set of that id.

    Raises:
        TableError: There is none, or it cannot be read.
    """
    if name == SAMPLE:
        return _sample(settings)
    if _is_here(settings, name):
        return _known(set_path(settings, name))
    raise TableError(f"There is no set '{name}' in the library. {_ids_told(settings)}")


def save_set(
    settings: Settings, id: str, title: str, labelled: Dataset, about: Mapping[str, Any]
) -> KnownSet:
    """Put a set into the library; one of the same id is replaced.

    Args:
        settings: Where the library is.
        id: Small letters, digits, ``-``, ``_`` and ``.``, 64 at most; see `free_id`.
        title: For people.
        labelled: Its records; those whose file's name is no text are left out and named under
            ``left_out`` in `about`.
        about: Plain values for JSON: source, terms, citation, lineage.

    Raises:
        TableError: The id cannot be used.
        OSError: The disk is full or closed; what was there stays.
    """
    if not _ID.fullmatch(id) or id == SAMPLE:
        raise TableError(
            f"'{id}' cannot be a set's id; wanted small letters, digits, '-', '_' or '.', at most "
            f"64, and not '{SAMPLE}'."
        )
    path = set_path(settings, id)
    left_out = write_set(path, title, labelled, about)
    if left_out:
        write_set(path, title, labelled, {**about, "left_out": list(map(ascii, left_out))})
    return _known(path)


def remove_set(settings: Settings, id: str) -> None:
    """Put a set away; `bring_back_set` undoes it for two weeks. Its images stay where they are.

    Raises:
        TableError: There is none of that id, or it is the one that comes with the project.
        OSError: It cannot be moved.
    """
    path = set_path(settings, id)
    if id == SAMPLE or not _is_here(settings, id):
        raise TableError(f"There is no set '{id}' that could be removed from the library.")
    place = path.parent / _BIN / path.name
    place.parent.mkdir(exist_ok=True)
    path.replace(place)
    for file in place.parent.glob("*.parquet"):
        if file != place and time.time() - file.stat().st_ctime > _KEPT_IN_BIN:
            file.unlink(missing_ok=True)


def bring_back_set(settings: Settings, id: str) -> None:
    """Undo `remove_set`; the file keeps its time, so that what was found out about it holds.

    Raises:
        TableError: It is gone for good, or another set has its id now.
        OSError: It cannot be moved.
    """
    path = set_path(settings, id)
    place = path.parent / _BIN / path.name
    if not _ID.fullmatch(id) or not place.is_file() or path.exists():
        raise TableError(f"The set '{id}' cannot be brought back any more.")
    place.replace(path)


def free_id(settings: Settings, title: str) -> str:
    """An id made of a title that no set of the library has yet."""
    words = re.sub(r"[^a-z0-9_.-]+", "-", title.casefold()).strip("-_.")[:48] or "set"
    taken = {SAMPLE, *(file.stem for file in (settings.home / "sets").glob("*.parquet"))}
    numbered = (f"{words}-{number}" for number in range(2, len(taken) + 3))
    return words if words not in taken else next(id for id in numbered if id not in taken)


def locate(settings: Settings, text: str) -> str | Path:
    """The table that a text means: a path that is there comes first, then a set's id.

    Args:
        settings: Where the library is.
        text: A path, an address or an id. What looks like one of the first two is given back as it
            is, there or not: whoever reads it says best what is wrong with it.

    Raises:
        TableError: It is neither a path nor a known id.
    """
    if is_address(text):
        return text
    path = Path(text).expanduser()
    is_path = "/" in text or "\\" in text or path.suffix.casefold() in _TABLES
    if is_path or os.path.exists(path):  # noqa: PTH110  (Path raises for a name too long)
        return path
    if text == SAMPLE or _is_here(settings, text):
        return find_set(settings, text).path
    raise TableError(
        f"There is no '{text}': no file or folder of that name, and no set of the library. "
        f"{_ids_told(settings)}"
    )


def locate_images(settings: Settings, text: str) -> str | Path:
    """As `locate`, but ``sample`` is all images that come along, not those with a label alone."""
    return text if text == SAMPLE else locate(settings, text)


def known_place(settings: Settings, text: str) -> str | Path:
    """As `locate_images`, of several: what is not there stays, and is told when it is read."""
    if os.path.lexists(text):
        return text
    try:
        return locate_images(settings, text)
    except TableError:
        return text


def set_path(settings: Settings, id: str) -> Path:
    """Where the library keeps a set."""
    return settings.home / "sets" / f"{id}.parquet"


def id_of(settings: Settings, path: Path) -> str:
    """The id of the set of the library that a path is the file of; "" where it is none."""
    if path == absolute(settings.sample_data / "labels.csv"):
        return SAMPLE
    return path.stem if path == absolute(set_path(settings, path.stem)) else ""


def _is_here(settings: Settings, id: str) -> bool:
    return _ID.fullmatch(id) is not None and set_path(settings, id).is_file()


def _ids_told(settings: Settings) -> str:
    ids = ", ".join(item.id for item in list_sets(settings)[0])
    return f"Known ids: {ids or 'none'}."


def _known(path: Path) -> KnownSet:
    head = read_head(path)
    if head is None:
        raise TableError(f"'{path}' is no labelled set that emoviz wrote.")
    return head


def _sample(settings: Settings) -> KnownSet:
    path = settings.sample_data / "labels.csv"
    labelled = read_labelled(path)
    about = {"source": "comes with the project", "terms": "see ATTRIBUTION.md beside it"}
    return KnownSet(SAMPLE, "Sample images", path, labelled.taxonomy, len(labelled), about)


def located(settings: Settings, text: str) -> str:
    """``TAXONOMY=PLACE`` or ``PLACE``, where an id of a set becomes its file.

    Whatever is a file or folder stays; what is neither is told when it is read.
    """
    if Path(text).exists():
        return text
    taxonomy, separator, name = text.rpartition("=")
    try:
        return taxonomy + separator + str(locate(settings, name))
    except TableError:
        return text
