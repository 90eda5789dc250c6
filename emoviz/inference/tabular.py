"""Predictions as rows of a table that a spreadsheet can open without being tricked."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from emoviz.files import replaced_file
from emoviz.inference.flags import FLAGS, Flag, flags_of
from emoviz.inference.predict import Prediction

# What begins a formula, in full width too, and what some programs take for a command.
_FORMULA_SIGNS = (*"=+-@|%", *"＝＋－＠｜％", "\t", "\r", "\n")
# Programs look past these at what follows.
_UNSEEN = (
    " \N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}"
)


def csv_header(classes: Sequence[str], abstains: bool = False) -> list[str]:
    """Column names; one ``p_<class>`` for each class, safe as cells.

    Args:
        classes: Of the checkpoint.
        abstains: Whether a threshold was set for it: then there is a column ``not_sure``.
    """
    fixed = ["path", "sha256", "predicted", "sentiment", "top2_opposite", "unlike_training"]
    return [
        *fixed,
        *(["not_sure"] if abstains else []),
        *("error", "unsure", "in_words"),
        *(safe_cell(f"p_{name}") for name in classes),
    ]


def csv_row(prediction: Prediction, classes: Sequence[str], abstains: bool = False) -> list[str]:
    """One prediction as cells under `csv_header`; no probabilities where it was not read.

    ``in_words`` holds the signs as the screen has them.
    """
    flags = _flags(prediction) if prediction.probabilities else ()
    return [
        safe_cell(prediction.path),
        prediction.sha256,
        safe_cell(prediction.predicted or ""),
        safe_cell(prediction.sentiment or ""),
        str(prediction.top2_opposite).lower(),
        str(prediction.unlike_training).lower(),
        *([str(bool(prediction.not_sure)).lower()] if abstains else []),
        safe_cell(prediction.error or ""),
        *(str("unsure" in flags).lower(), "; ".join(FLAGS[flag] for flag in flags)),
        *(
            f"{prediction.probabilities[name]:.6f}" if prediction.probabilities else ""
            for name in classes
        ),
    ]


def _flags(it: Prediction) -> tuple[Flag, ...]:
    return flags_of(it, it.top2_opposite, it.unlike_training, bool(it.not_sure))


def safe_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula: those get a leading apostrophe."""
    risky = text.startswith(_FORMULA_SIGNS) or text.lstrip(_UNSEEN).startswith(_FORMULA_SIGNS)
    return f"'{text}" if risky else text


class _Lines:
    """What a writer of CSV writes to, for lines that end with a line feed alone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> int:
        return self._stream.write(line.removesuffix("\r\n") + "\n")


def csv_writer(stream: TextIO) -> Any:
    """`csv.writer` of lines that end with a line feed, in which nothing else ends one.

    Told of such lines, Python before 3.13 leaves a carriage return in a cell bare, and spreadsheets
    begin a row there, whose first cell nobody looked at.
    """
    return csv.writer(_Lines(stream))


def write_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Cells as a CSV file, whole or not at all; foreign texts are to be made safe before.

    Names of files that are no text have question marks where they are none.
    """
    with (
        replaced_file(path) as aside,
        aside.open("w", encoding="utf-8", errors="replace", newline="") as stream,
    ):
        csv_writer(stream).writerows(rows)


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """A table as CSV, whose texts are safe as cells."""
    out = io.StringIO()
    writer = csv_writer(out)
    writer.writerows([safe_cell(c) if isinstance(c, str) else c for c in row] for row in rows)
    return out.getvalue()
