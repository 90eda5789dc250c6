"""What the cells of tables and the names of columns mean, however people write them."""

import contextlib
import math
import re
import unicodedata
from collections.abc import Collection, Sequence

from emoviz.errors import TableError
from emoviz.labels import taxonomy_of

NO_ANSWER = frozenset(
    ("", "nan", "n/a", "na", "n.a.", "<na>", "#n/a", "#na", "none", "null", "nil", "-", "?")
)
_TRUTHS = dict.fromkeys(("true", "yes", "t", "y"), 1) | dict.fromkeys(("false", "no", "f", "n"), 0)
_MOST_VOTES = 1e12  # their sums are exact
_LIST = re.compile(r"""\[(.*)\]|[({]\s*(['"].*)[)}]""", re.DOTALL)
_LISTED = re.compile(r"""'([^']*)'|"([^"]*)"|([^\s,'"][^,'"]*)""")
# Thousands apart by spaces, or by the one of "." and "," that is not before the decimals.
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([ .,])\d{3}(?:\1\d{3})*(?:(?!\1)[.,]\d+|(?<= \d{3}))")


def plain_name(name: str) -> str:
    """A column's name in small letters, without spaces, hyphens, underscores and "#"."""
    return re.sub(r"[\s_#-]+", "", unicodedata.normalize("NFC", name)).casefold()


def number(text: str, name: str) -> float | None:
    """A finite number out of a cell, None where there is no answer.

    It may be ``0.75``, ``0,75``, ``75 %``; thousands may stand apart where no doubt is:
    ``1 234``, ``1.234,5``, ``1,234.5``, but ``1,234`` is little more than 1.

    Raises:
        TableError: It is none; the message says so of `name`.
    """
    bare = re.sub(r"\s", " ", text.strip())
    if bare.casefold() in NO_ANSWER:
        return None
    value = bare.rstrip("% ")
    if grouped := _GROUPED.fullmatch(value):
        value = value.replace(grouped[1], "")
    try:
        figure = math.nan if "_" in value else float(value.replace(",", "."))
    except ValueError:
        figure = math.nan
    if not math.isfinite(figure):
        raise TableError(f"{name} is not a number")
    return figure / 100 if bare.endswith("%") else figure


def votes_in(text: str, name: str) -> float:
    """The count or share of votes in a cell, of which "yes" is 1, and no answer 0.

    Raises:
        TableError: It is none; the message says so of `name`.
    """
    value = number(str(_TRUTHS.get(text.casefold(), text)), name) or 0.0
    if not 0 <= value < _MOST_VOTES:
        raise TableError(f"{name} is {'below 0' if value < 0 else 'no number of votes'}")
    return value


def kind_of_values(texts: Collection[str]) -> str:
    """What kind of values cells are, none of them empty; "" where they are words."""
    if texts and {text.casefold() for text in texts} <= _TRUTHS.keys():
        return "yes and no"
    with contextlib.suppress(TableError):
        return "numbers" if [number(text, "label") for text in texts] else ""
    return ""


def listed(text: str) -> list[str]:
    """The labels that a cell holds: of ``['joy', 'fear']``, or of known words in ``joy; fear``."""
    inside = _LIST.fullmatch(text)
    if inside is None:
        parts = [part.strip() for part in re.split("[;|,/+&]| and ", text)]
        parts = parts if len(parts) > 1 and all(parts) and taxonomy_of(parts) else [text]
        return [part for part in parts if part.casefold() not in NO_ANSWER]
    items = (max(item).strip() for item in _LISTED.findall(inside[1] or inside[2] or ""))
    return [item for item in items if item.casefold() not in NO_ANSWER]


def by_number(text: str, names: Sequence[str]) -> str:
    """The name with a label's number, counted from 0; the text itself where it is no such one."""
    digits = text.removesuffix(".0")
    number = int(digits) if re.fullmatch(r"[0-9]{1,9}", digits) else len(names)
    return names[number] if number < len(names) else text
