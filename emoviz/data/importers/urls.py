"""A table of artworks: a row an image, by path or by address, with what is known of it."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from emoviz.data.importers import Found, Item, Place, Problem
from emoviz.data.readers import table_text
from emoviz.errors import TableError

_VOTES = "p_"
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "image": (
        *("file", "path", "image", "filename", "url", "image_url", "image url", "imageurl"),
        *("image_path", "link", "src"),
    ),
    "key": (
        "id",
        "key",
        "object number",
        "objectnumber",
        "inventory",
        "accession",
        "accession number",
    ),
    "title": ("title", "titel", "titre", "name", "caption"),
    "artist": ("artist", "artist_or_author", "creator", "author", "maker", "künstler", "artiste"),
    "style": ("style", "category", "movement", "school"),
    "date": ("date", "year", "created", "datierung", "jahr"),
    "rights": ("rights", "licence", "license", "copyright"),
    "page": ("page", "homepage", "page url", "painting info url"),
    "label": ("label", "emotion", "class"),
}


def read_urls(table: Path, paths: bool = True) -> Iterator[Found]:
    """The rows of a CSV or TSV.

    Args:
        table: Its column ``file``, ``path``, ``image`` or ``url`` names an image a row: a path,
            relative to the table, or an http(s) address.
        paths: Whether paths are taken; not from a table that came through a browser.

    Raises:
        TableError: It cannot be read, or no column names images.
    """
    text, delimiter = table_text(table)
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        names = [name for name in rows.fieldnames or () if name]
        columns = _columns(table, names)
        for row in rows:
            cells = {name: (row.get(name) or "").strip() for name in names}
            yield _found(cells, columns, f"line {rows.line_num}", table.parent, paths)
    except csv.Error as error:
        raise TableError(f"'{table}' is no readable table: {error}.") from None


def _columns(table: Path, names: Sequence[str]) -> dict[str, str]:
    """What a column means -> its name in the table."""
    lower = {name.strip().casefold(): name for name in names}
    found = {
        meaning: next((lower[word] for word in words if word in lower), "")
        for meaning, words in _COLUMNS.items()
    }
    if not found["image"]:
        raise TableError(
            f"'{table}' has the columns {', '.join(names) or '(none)'}; wanted: one named file, "
            "path, image or url, with the images' paths or addresses."
        )
    return found


def _found(
    cells: Mapping[str, str], columns: Mapping[str, str], line: str, root: Path, paths: bool
) -> Found:
    def cell(meaning: str) -> str:
        return cells.get(columns[meaning], "")

    image = cell("image")
    if not image:
        return Problem(line, "the row names no image")
    place = _place(image, root)
    if place.path and not paths:
        return Problem(line, "only addresses (http, https) are taken from a table that was sent")
    shares = _shares(cells)
    if isinstance(shares, str):
        return Problem(line, shares)
    used = {*columns.values(), *(name for name in cells if name.startswith(_VOTES))}
    return Item(
        key=cell("key") or image,
        place=place,
        title=cell("title") or _stem(image),
        **{name: cell(name) for name in ("artist", "style", "date", "rights", "page", "label")},
        shares=shares,
        metadata={name: text for name, text in cells.items() if name not in used and text},
    )


def _place(image: str, root: Path) -> Place:
    if image.casefold().startswith(("http://", "https://")):
        return Place(url=image)
    return Place(path=os.path.abspath(root / image))  # noqa: PTH100 - Path.resolve raises


def _stem(image: str) -> str:
    return image.rstrip("/").rpartition("/")[2].partition("?")[0].rpartition(".")[0] or image


def _shares(cells: Mapping[str, str]) -> dict[str, float] | str:
    """Vote shares by answer, or why there are none."""
    found = {}
    for name, text in cells.items():
        if name.startswith(_VOTES) and name != "p_max" and text:
            try:
                share = float(text)
            except ValueError:
                return f"{name} is '{text[:40]}', not a share"
            if not 0 <= share <= 1:
                return f"{name} is {text[:40]}, not a share between 0 and 1"
            found[name.removeprefix(_VOTES)] = share
    return found
