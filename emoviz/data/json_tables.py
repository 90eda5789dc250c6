"""Tables in JSON: an object a line, or one document in the ways in which programs write them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emoviz.data.columns import Table, check_width
from emoviz.data.named_files import name_images, names_image
from emoviz.data.sources import plain_suffix
from emoviz.errors import TableError

_MOST_CELLS = 20_000_000  # of JSON, each row of which may have names of its own
_MOST_JSON = 20_000_000  # bytes of a document, which costs forty times as many at worst


def table_of_json(path: Path, data: bytes, notes: tuple[str, ...]) -> Table:
    """A table of an object a line, or of rows in one document; what holds no text, number, truth
    or texts is left out."""
    columns, places, repeated = dict[str, list[str]](), list[str](), dict[str, None]()
    for place, row in _json_rows(path, data):
        if not isinstance(row, tuple):
            raise TableError(f"'{path}', {place}: it is no object of JSON.")
        for name, value in row:
            inside = value if isinstance(value, tuple) else [("", value)]
            for key, one in inside:  # the votes in {"votes": {"joy": 3}}
                texts = isinstance(one, list) and set(map(type, one)) == {str}
                whole = _whole(f"{name.strip()} {key}".strip())
                if whole and (texts or isinstance(one, str | int | float)):
                    column = columns.setdefault(whole, [])
                    column += [""] * (len(places) - len(column))
                    if len(column) > len(places):  # the first one counts
                        repeated[whole] = None
                        continue
                    column.append(_whole(one if isinstance(one, str) else json.dumps(one)))
        places.append(place)
        check_width(path, len(columns))
        if len(columns) * len(places) > _MOST_CELLS:
            raise TableError(
                f"'{path}' has {len(columns):,} names in its first {len(places):,} rows; at most "
                f"{_MOST_CELLS:,} cells are read. Keep the names of files, labels and what else "
                "you want to see."
            )
    for column in columns.values():
        column += [""] * (len(places) - len(column))
    return Table(path, columns, tuple(repeated), place=places.__getitem__, notes=notes)


def _json_rows(path: Path, data: bytes) -> Iterator[tuple[str, Any]]:
    """(place, object as pairs) of each row."""
    lines = data.splitlines()
    begins = next(filter(bytes.strip, lines), b"")
    is_json = plain_suffix(path.name) == ".json"
    is_row = not (is_json and len(data) < _MOST_JSON) and isinstance(_parsed(begins), tuple)
    if len(data) >= _MOST_JSON and not is_row:
        most = f"{_MOST_JSON / 1e6:.0f} MB"
        raise TableError(f"'{path}' is a document of JSON above {most}; write an object a line.")
    whole = None if is_row else _parsed(data)
    rows = _rows_in(whole)
    if rows:
        yield from ((f"entry {number}", row) for number, row in enumerate(rows, 1))
    elif whole is not None and is_json:
        raise TableError(f"'{path}' holds no rows; wanted: a list of objects with file and label.")
    else:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"line {number}", _parsed(line)


def _parsed(text: bytes) -> Any:
    """JSON with objects as tuples of pairs; None where it is none."""
    try:
        return json.loads(text, object_pairs_hook=tuple, strict=False)
    except (ValueError, RecursionError):
        return None


def _rows_in(whole: Any) -> list[Any]:
    """The rows of a document, objects as pairs, in the ways in which programs write them."""
    if isinstance(whole, tuple):
        known = dict(whole)
        names, values = list(known), list(known.values())
        lists = [x for x in values if isinstance(x, list)]
        objects = (x for x in lists if x and isinstance(x[0], tuple))
        if isinstance(known.get("columns"), list) and isinstance(known.get("data"), list):
            whole = [known["columns"], *known["data"]]
        elif rows := max(objects, key=lambda x: (_row_names_image(x[0]), len(x)), default=[]):
            whole = rows  # {"images": [{"file": ...}, ...]}
        elif name_images(names):  # {"a.jpg": "joy"}, or {"a.jpg": {"label": "joy"}}
            inner = (x if isinstance(x, tuple) else (("label", x),) for x in values)
            whole = [(("file", name), *pairs) for name, pairs in zip(names, inner, strict=True)]
        elif lists and all(isinstance(x, list) and name_images(list(map(str, x))) for x in values):
            pairs = ((file, name) for name, files in known.items() for file in files)
            whole = [(("file", file), ("label", name)) for file, name in pairs]
        else:  # {"file": ["a.jpg", ...], "label": [...]}, or numbers of rows in the lists' place
            cells = [[y for _, y in x] if isinstance(x, tuple) else x for x in values]
            alike = all(isinstance(x, list) and len(x) == len(cells[0]) for x in cells)
            columns = zip(*cells, strict=True) if alike else ()
            whole = [tuple(zip(names, row, strict=True)) for row in columns]
    if whole and isinstance(whole, list) and isinstance(whole[0], list):
        header = list(map(str, whole[0]))
        if any(map(names_image, header)):  # [["joy", "a.jpg"], ...]
            header = [f"column {i}" for i in range(1, len(header) + 1)]
        rows = whole if header[:1] == ["column 1"] else whole[1:]
        whole = [tuple(zip(header, x, strict=False)) if isinstance(x, list) else x for x in rows]
    return whole if isinstance(whole, list) and whole and isinstance(whole[0], tuple) else []


def _row_names_image(row: tuple[tuple[str, Any], ...]) -> bool:
    return any(isinstance(value, str) and names_image(value) for _, value in row)


def _whole(text: str) -> str:
    """With "?" for the halves of letters, which JSON can hold alone."""
    return text.encode(errors="replace").decode()
