"""From outcomes of cells to a table: means over seeds, paired differences, figures beside them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emoviz.experiments.cells import ALL_IMAGES, LEARNED_FROM
from emoviz.experiments.definitions import Experiment, ExperimentRow
from emoviz.experiments.published import Figure, nearest
from emoviz.experiments.running import Outcome
from emoviz.experiments.statistics import Spread, flat, paired_difference, spread
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import load_recipe

BySeed = dict[int, float]


@dataclass(frozen=True)
class ResultRow:
    """One network on one set.

    Attributes:
        label: Of the network.
        recipe: Its name.
        overrides: What was changed in the recipe.
        data: The set, and which of its images.
        n: Images that were measured.
        measures: Over the seeds.
        difference: To the first row of the same set, seed by seed; empty for the first row.
        figure: The nearest printed figure: its row, and for each measure mean, deviation, unit,
            table and set; None where the papers have no such network.
        failed: Seed to the reason why it is missing.
    """

    label: str
    recipe: str
    overrides: tuple[str, ...]
    data: str
    n: int | None
    measures: Mapping[str, Spread]
    difference: Mapping[str, Spread]
    figure: Mapping[str, Any] | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **vars(self),
            "overrides": list(self.overrides),
            "measures": {name: value.to_dict() for name, value in self.measures.items()},
            "difference": {name: value.to_dict() for name, value in self.difference.items()},
            "failed": dict(self.failed),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ResultRow":
        """Read what `to_dict` gave."""
        spreads = {
            key: {name: Spread.from_dict(value) for name, value in values[key].items()}
            for key in ("measures", "difference")
        }
        plain = {"overrides": tuple(values["overrides"]), "failed": dict(values["failed"])}
        return cls(**{**values, **spreads, **plain})


@dataclass(frozen=True)
class ResultTable:
    """A whole experiment.

    Attributes:
        experiment: Its name.
        question: What it answers.
        family: ``paper`` or ``lite``.
        seeds: Of the runs.
        data: The sets, each by its folder and file.
        rows: Set by set, in the order of the experiment.
        command: That makes it again.
        setup: How it was run, in sentences.
        versions: Of emoviz and what it stands on.
        figures: Everything that the papers print on the question.
    """

    experiment: str
    question: str
    family: str
    seeds: tuple[int, ...]
    data: tuple[str, ...]
    rows: tuple[ResultRow, ...]
    command: str = ""
    setup: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()

    @property
    def failures(self) -> int:
        """Seeds missing from rows."""
        return sum(len(row.failed) for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **vars(self),
            "seeds": list(self.seeds),
            "data": list(self.data),
            "setup": list(self.setup),
            "rows": [row.to_dict() for row in self.rows],
            "figures": [figure.to_dict() for figure in self.figures],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ResultTable":
        """Read what `to_dict` gave."""
        lists = {key: tuple(values[key]) for key in ("seeds", "data", "setup")}
        rows = tuple(ResultRow.from_dict(row) for row in values["rows"])
        figures = tuple(Figure.from_dict(figure) for figure in values["figures"])
        return cls(**{**values, **lists, "rows": rows, "figures": figures})


@dataclass
class _Gathered:
    """What the seeds of one network made of one set, while it is collected."""

    row: ExperimentRow
    data: str
    taxonomy: str
    n: int | None = None
    values: dict[str, BySeed] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, seed: int, measures: Mapping[str, Any]) -> None:
        """One seed's measures."""
        self.n = measures.get("n", self.n)
        for name, value in flat(measures).items():
            self.values.setdefault(name, {})[seed] = value


def table_rows(
    experiment: Experiment, outcomes: Sequence[Outcome], recipes: Mapping[str, Recipe]
) -> tuple[ResultRow, ...]:
    """Rows set by set, in the order of the cells.

    Args:
        experiment: Gives the figures.
        outcomes: Of all cells.
        recipes: By the rows' keys, to tell how many epochs a figure must have.
    """
    gathered = _gathered(outcomes)
    first: dict[str, _Gathered] = {}
    rows: dict[str, list[ResultRow]] = {}
    for item in gathered:
        base = first.setdefault(item.data, item)
        rows.setdefault(item.data, []).append(_row(item, base, experiment, recipes))
    return tuple(row for of_set in rows.values() for row in of_set)


def _gathered(outcomes: Sequence[Outcome]) -> list[_Gathered]:
    """By network and set, in the order of the cells."""
    titles = _titles(outcomes)
    found: dict[tuple[str, str], _Gathered] = {}
    for outcome in outcomes:
        cell = outcome.cell
        for title in (
            outcome.measures if not outcome.error else titles.get(cell.about, [cell.about])
        ):
            item = found.setdefault(
                (cell.row.key, title), _Gathered(cell.row, title, cell.taxonomy)
            )
            if outcome.error:
                item.failed[str(cell.seed)] = outcome.error
            else:
                item.add(cell.seed, outcome.measures[title])
    return list(found.values())


def _titles(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """Tables to the titles of what was measured on them, under which a failure stands too."""
    titles: dict[str, dict[str, None]] = {}
    for outcome in outcomes:
        if outcome.measures:
            titles.setdefault(outcome.cell.about, {}).update(dict.fromkeys(outcome.measures))
    return {about: list(found) for about, found in titles.items()}


def _row(
    item: _Gathered, base: _Gathered, experiment: Experiment, recipes: Mapping[str, Recipe]
) -> ResultRow:
    measures = {name: spread(values) for name, values in item.values.items()}
    differences = {
        name: paired_difference(values, base.values[name])
        for name, values in item.values.items()
        if item is not base and name in base.values and name != "n"
        # one run is not set against a single one of several
        if (len(values) > 1) == (len(base.values[name]) > 1)
    }
    return ResultRow(
        label=item.row.label,
        recipe=item.row.recipe,
        overrides=item.row.settings,
        data=item.data,
        n=item.n,
        measures={name: value for name, value in measures.items() if value is not None},
        difference={name: value for name, value in differences.items() if value is not None},
        figure=_figure(item, experiment, recipes.get(item.row.key)),
        failed=item.failed,
    )


def _figure(
    item: _Gathered, experiment: Experiment, recipe: Recipe | None
) -> dict[str, Any] | None:
    """The nearest printed figure, as it stands in the JSON."""
    name = item.row.figure.format(epochs=epochs_of(recipe) if recipe else "")
    measured, learned, _ = item.data.partition(LEARNED_FROM)
    own_set = bool(learned) and not measured.endswith(ALL_IMAGES)
    found = nearest(experiment.figures, name, item.taxonomy, measured)
    if not found or own_set:  # figures across sets say nothing of a network's own set
        return None
    values = {
        measure: {**vars(value), "table": figure.source, "data": figure.data.title}
        for measure, (figure, value) in found.items()
    }
    notes = dict.fromkeys(figure.note for figure, _ in found.values() if figure.note)
    return {"row": name, "values": values, "note": " ".join(notes)}


def epochs_of(recipe: Recipe) -> int:
    """Passes over the training images; of a fusion, those of its first network."""
    if recipe.fuse:
        return epochs_of(load_recipe(recipe.fuse[0]))
    return sum(phase.epochs for phase in recipe.phases)
