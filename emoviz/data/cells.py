"""What the cells of tables and the names of columns mean, however people write them."""

import re
import unicodedata
from collections.abc import Sequence

from emoviz.errors import TableError

NO_ANSWER = frozenset(
    ("", "nan", "n/a", "na", "n.a.", "<na>", "#n/a", "#na", "none", "null", "nil", "-", "?")
)


def plain_name(name: str) -> str:
    """A column's name in small letters, without spaces, hyphens, underscores and "#"."""
    return re.sub(r"[\s_#-]+", "", unicodedata.normalize("NFC", name)).casefold()


def number(text: str, name: str) -> float:
    """A number out of a cell: ``0.75``, ``0,75``, ``75 %``; 0 where there is none.

    Raises:
        TableError: It is none; the message says so of `name`.
    """
    bare = text.strip().replace("\u00a0", "").replace("\u202f", "")
    value = bare.rstrip("% ")
    try:
        figure = float(value if "." in value else value.replace(",", "."))
    except ValueError:
        if bare.casefold() in NO_ANSWER:
            return 0.0
        raise TableError(f"{name} is not a number") from None
    return figure / 100 if bare.endswith("%") else figure


def by_number(text: str, names: Sequence[str]) -> str:
    """The name with a label's number, counted from 0; the text itself where it is no such one."""
    digits = text.removesuffix(".0")
    number = int(digits) if re.fullmatch(r"[0-9]{1,9}", digits) else len(names)
    return names[number] if number < len(names) else text
