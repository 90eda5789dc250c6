"""The experiments: which question, which rows, what is shown, what the papers found.

Each is defined for two families. ``paper`` takes the papers' own networks, which need pretrained
weights and a GPU. ``lite`` asks the same question of EfficientNet-Lite2, whose weights come with
the installation, with a frozen backbone whose features are computed once and kept.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from emoviz.errors import RecipeError
from emoviz.experiments.published import FIGURES, Figure

Family = Literal["paper", "lite"]
View = Literal["headline", "classes", "crossing"]
OWN_LABELS = "own"


@dataclass(frozen=True)
class ExperimentRow:
    """One network of a table.

    Attributes:
        key: Names the row on the command line and in folders.
        label: What people read.
        recipe: A recipe's name or file.
        settings: ``key=value`` that change the recipe.
        figure: The row's name in `emoviz.experiments.published`; ``{epochs}`` in it stands for
            the epochs of the recipe. Empty where the papers have no such network.
    """

    key: str
    label: str
    recipe: str
    settings: tuple[str, ...] = ()
    figure: str = ""


@dataclass(frozen=True)
class Claim:
    """What a paper says that a measure does against the first row.

    Attributes:
        words: The claim, as the table of verdicts prints it.
        measure: By its name in the rows.
        rises: Whether the paper says that it rises; otherwise that it falls.
        papers: What the paper prints for it.
    """

    words: str
    measure: str
    rises: bool
    papers: str


@dataclass(frozen=True)
class Experiment:
    """A table to be made.

    Attributes:
        name: On the command line.
        question: What it answers.
        rows: By family; the first row is what the others are compared with.
        measures: Columns of the first table.
        notes: What a reader must know, beside what is generated from the numbers.
        judged: Measures whose differences are put into words.
        views: Tables shown: the headline measures; precision, recall and F1 of each class of
            sets with two; the counts of the top-2 cross-sentiment measure.
        settings: Changes to every recipe, by family.
        taxonomy: Of the networks: ``own`` takes each set's own labels; empty leaves the recipe's.
        together: One network learns from all sets, instead of one from each.
        finished: A finished network is wanted too, not only those of the folds.
        elsewhere: The finished networks are also measured on every other set.
        unlabelled: Folders without labels are welcome: trained checkpoints read them.
        probe: A linear probe stands beside the networks.
        claims: What the papers say of the rows after the first; see
            `emoviz.experiments.report.verdicts`.
    """

    name: str
    question: str
    rows: Mapping[Family, tuple[ExperimentRow, ...]]
    measures: tuple[str, ...]
    notes: tuple[str, ...] = ()
    judged: tuple[str, ...] = ("accuracy",)
    views: tuple[View, ...] = ("headline",)
    settings: Mapping[Family, tuple[str, ...]] = field(default_factory=dict)
    taxonomy: str = ""
    together: bool = False
    finished: bool = False
    elsewhere: bool = False
    unlabelled: bool = False
    probe: bool = False
    claims: tuple[Claim, ...] = ()

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What the papers print."""
        return FIGURES.get(self.name, ())


def _experiment(name: str, values: Mapping[str, Any]) -> Experiment:
    """An experiment as the file has it."""
    printed = {figure.row for figure in FIGURES.get(name, ())}
    lists = ("measures", "notes", "judged", "views")
    return Experiment(
        name=name,
        **{
            **values,
            **{key: tuple(values[key]) for key in lists if key in values},
            "rows": {
                family: tuple(_row(row, _RECIPES[family], printed) for row in rows)
                for family, rows in values["rows"].items()
            },
            "settings": {key: tuple(own) for key, own in values.get("settings", {}).items()},
            "claims": tuple(Claim(**claim) for claim in values.get("claims", ())),
        },
    )


def _row(values: Mapping[str, Any], recipe: str, printed: Collection[str]) -> ExperimentRow:
    label = values["label"]
    usual = {"recipe": recipe, "figure": label if label in printed else ""}
    return ExperimentRow(**{**usual, **values, "settings": tuple(values.get("settings", ()))})


_RECIPES: Mapping[Family, str] = {"paper": "dissertation", "lite": "mikels8-frozen"}
EXPERIMENTS: Mapping[str, Experiment] = {
    name: _experiment(name, values)
    for name, values in yaml.safe_load(
        Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    ).items()
    if name != "shared"
}


def get_experiment(name: str) -> Experiment:
    """The experiment called `name`.

    Raises:
        RecipeError: There is none of that name.
    """
    if name not in EXPERIMENTS:
        raise RecipeError(f"There is no experiment '{name}'. Known: {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name]


def chosen_rows(
    experiment: Experiment,
    family: Family,
    keys: tuple[str, ...] = (),
    recipes: tuple[str, ...] = (),
) -> tuple[ExperimentRow, ...]:
    """The rows to run: the family's, some of either family's, or recipes as they are.

    Args:
        experiment: Whose rows.
        family: Which networks.
        keys: Only these, in this order; a row of the other family may be named too.
        recipes: A row for each of these instead.

    Raises:
        RecipeError: A key names no row.
    """
    if recipes:
        return tuple(ExperimentRow(name, name, name) for name in recipes)
    other: Family = "lite" if family == "paper" else "paper"
    known = {row.key: row for row in (*experiment.rows[other], *experiment.rows[family])}
    missing = [key for key in keys if key not in known]
    if missing:
        raise RecipeError(
            f"Experiment '{experiment.name}' has no row '{missing[0]}'. Known: {', '.join(known)}."
        )
    return tuple(known[key] for key in keys) if keys else experiment.rows[family]
