"""The figures that the papers print, as data, to be set beside what is measured here.

A figure is never mixed with a measurement of ours: it was made with another network, on another
set and split. Each carries its table, its set, and what is known to be wrong with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

Unit = Literal["percent", "share", "count", "distance"]


@dataclass(frozen=True)
class Value:
    """One number as it is printed.

    Attributes:
        mean: In `unit`.
        sd: Standard deviation over runs in the same unit; None where none is given.
        unit: Percent, a share in 0-1, a count of images, or a distance in the space of u.
    """

    mean: float
    sd: float | None
    unit: Unit


@dataclass(frozen=True)
class DataSet:
    """A set that a paper measured on.

    Attributes:
        title: Its name in the papers.
        taxonomy: Of its labels as they were used.
        mark: Letters and digits by which a set of ours is known to be (a part of) the same one.
    """

    title: str
    taxonomy: str
    mark: str


@dataclass(frozen=True)
class Figure:
    """One row of a paper's table.

    Attributes:
        source: Document and table.
        data: What it was measured on.
        row: The row's name there, the same for one network in all tables.
        values: By the names of our measures.
        runs: How many runs the mean is of; None where the paper does not say.
        note: A known slip, and the reading to use.
    """

    source: str
    data: DataSet
    row: str
    values: Mapping[str, Value]
    runs: int | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Figure":
        """Read what `to_dict` gave."""
        numbers = {name: Value(**value) for name, value in values["values"].items()}
        return cls(**{**values, "data": DataSet(**values["data"]), "values": numbers})


def _figures(tables: Iterable[Mapping[str, Any]]) -> tuple[Figure, ...]:
    """Figures of tables whose rows are lines ``row | value value±deviation ...``."""
    figures = []
    for table in tables:
        data, unit = DataSet(**table["data"]), table.get("unit", "share")
        for line in table["rows"].splitlines():
            row, _, numbers = (part.strip() for part in line.partition("|"))
            parsed = zip(table["columns"], numbers.split(), strict=True)
            values = {name: _value(number, name, unit) for name, number in parsed}
            note = table.get("note", table.get("notes", {}).get(row, ""))
            figures.append(Figure(table["source"], data, row, values, table.get("runs"), note))
    return tuple(figures)


def _value(text: str, column: str, unit: Unit) -> Value:
    if column.startswith("cross_sentiment_counts"):
        unit = "count"
    elif text.endswith("%"):
        unit = "percent"
    mean, sign, deviation = text.rstrip("%").partition("±")
    return Value(float(mean), float(deviation) if sign else None, unit)


# By experiment; ``tuned`` are those of the networks whose strengths were tuned (Table 5.10).
FIGURES: Mapping[str, tuple[Figure, ...]] = {
    experiment: _figures(tables)
    for experiment, tables in yaml.safe_load(
        Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    ).items()
    if experiment not in ("sets", "columns")
}


def nearest(
    figures: Iterable[Figure], row: str, taxonomy: str, title: str
) -> Mapping[str, tuple[Figure, Value]]:
    """The printed value of each measure that comes nearest to a row of ours.

    The same set is preferred, then a set with the same labels, then whichever comes first.

    Args:
        figures: Of the experiment.
        row: The row's name in the papers.
        taxonomy: Of the labels that ours is measured on.
        title: Of the set that ours is measured on.
    """
    mine = [figure for figure in figures if figure.row == row]
    letters = "".join(sign for sign in title.casefold() if sign.isalnum())

    def far(figure: Figure) -> int:
        return 0 if figure.data.mark in letters else 1 if figure.data.taxonomy == taxonomy else 2

    found: dict[str, tuple[Figure, Value]] = {}
    for figure in sorted(mine, key=far):
        for name, value in figure.values.items():
            found.setdefault(name, (figure, value))
    return found
