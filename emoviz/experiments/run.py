"""An experiment from the command line's words to a table on disk.

::

    <out>/<row>-<set>-s<seed>/   one run folder a cell
          table.md, table.json   the table, written anew by every run
"""

import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emoviz import __version__
from emoviz.data.reading import open_dataset, parse_data_argument, read_labelled
from emoviz.errors import TableError, TrainingError
from emoviz.experiments.cells import (
    ExperimentCell,
    FolderCell,
    ProbeCell,
    Tell,
    TrainCell,
    resolved,
    short,
)
from emoviz.experiments.definitions import (
    OWN_LABELS,
    Experiment,
    ExperimentRow,
    Family,
    chosen_rows,
    get_experiment,
)
from emoviz.experiments.markdown import markdown
from emoviz.experiments.running import run_cells
from emoviz.experiments.setup import setup_words
from emoviz.experiments.tables import ResultTable, table_rows
from emoviz.files import write_json, write_text
from emoviz.settings import Settings
from emoviz.training.folder import MEMBERS
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import apply_settings, load_recipe

TABLE_JSON, TABLE_MARKDOWN = "table.json", "table.md"
SHIPPED_PAIR = {"baseline": "mikels8-baseline", "ours": "mikels8"}
_PROBES = (
    ExperimentRow("probe", "linear probe, pooled", ""),
    ExperimentRow("probe-gram", "linear probe, pooled + Gram", ""),
)


@dataclass(frozen=True)
class ExperimentRequest:
    """What a person asked for.

    Attributes:
        name: Of the experiment.
        data: ``TAXONOMY=FILE`` or ``FILE`` each; a folder of unlabelled images for
            ``cross-sentiment``.
        out: Folder of the cells and the table.
        seeds: How many.
        family: None takes ``paper`` where there is a GPU, else ``lite``.
        rows: Keys of rows; empty for all of the family.
        recipes: A row for each of these instead.
        settings: ``key=value`` that change every recipe.
        test_data: Sets that are only measured on.
        at_once: Cells at the same time.
    """

    name: str
    data: tuple[str, ...]
    out: Path
    seeds: int = 3
    family: Family | None = None
    rows: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    test_data: tuple[str, ...] = ()
    at_once: int = 1

    @property
    def command(self) -> str:
        """The command line, with sets and folder by their last names."""
        options: Mapping[str, Iterable[object]] = {
            "--data": map(short, self.data),
            "--test-data": map(short, self.test_data),
            "--rows": self.rows,
            "--recipes": self.recipes,
            "--set": self.settings,
            "--family": (self.family,) if self.family else (),
            "--seeds": (self.seeds,),
            "--out": (self.out.name,),
        }
        words = [[key, *map(str, values)] for key, values in options.items()]
        given = " ".join(" ".join(word) for word in words if len(word) > 1)
        return f"python -m emoviz experiment {self.name} {given}"


def run_experiment(request: ExperimentRequest, settings: Settings, tell: Tell) -> ResultTable:
    """Make the cells that are missing, then the table, and write it.

    Raises:
        RecipeError, TableError, TaxonomyError: The request cannot be carried out.
        TrainingError: The folder holds other cells; or no set was given.
    """
    experiment = get_experiment(request.name)
    family = request.family or available_family(settings)
    rows = chosen_rows(experiment, family, request.rows, request.recipes)
    request = replace(
        request,
        family=family,
        data=tuple(map(resolved, request.data)),
        test_data=tuple(map(resolved, request.test_data)),
    )
    cells = make_cells(experiment, rows, request)
    outcomes = run_cells(cells, settings, tell, request.at_once)
    recipes = {c.row.key: c.recipe for c in cells if isinstance(c, TrainCell)}
    table = ResultTable(
        experiment=experiment.name,
        question=experiment.question,
        family=family,
        seeds=tuple(range(request.seeds)),
        data=tuple(map(short, (*request.data, *request.test_data))),
        rows=table_rows(experiment, outcomes, recipes),
        command=request.command,
        setup=setup_words(family, [c.recipe for c in cells if isinstance(c, TrainCell)]),
        versions=_versions(),
        figures=experiment.figures,
    )
    write_json(request.out / TABLE_JSON, table.to_dict())
    write_text(request.out / TABLE_MARKDOWN, markdown(table))
    return table


def available_family(settings: Settings) -> Family:
    """``paper`` where there is a GPU to train the papers' networks on, else ``lite``."""
    import torch

    gpu = settings.device != "cpu" and torch.cuda.is_available()
    return "paper" if gpu else "lite"


def make_cells(
    experiment: Experiment, rows: Sequence[ExperimentRow], request: ExperimentRequest
) -> list[ExperimentCell]:
    """Every cell of an experiment, set by set, row by row, seed by seed.

    Raises:
        TrainingError: No seed or no set was asked for, or too few sets to measure a network of
            one on another.
    """
    unlabelled = [t for t in request.data if experiment.unlabelled and _has_no_labels(t)]
    tables = tuple(table for table in request.data if table not in unlabelled)
    if request.seeds < 1:
        raise TrainingError(f"--seeds is {request.seeds}; wanted: 1 or more.")
    if not request.data or (experiment.elsewhere and len(tables) < 2):
        wanted = "two sets or more" if experiment.elsewhere else "one set or more"
        raise TrainingError(f"Experiment '{experiment.name}' wants {wanted} in --data.")
    groups = [tables] if experiment.together and tables else [(table,) for table in tables]
    cells: list[ExperimentCell] = []
    for group, name in zip(groups, _names(groups), strict=True):
        for row in rows:
            recipe = row_recipe(experiment, row, group, request)
            cells += [
                TrainCell(
                    row=row,
                    recipe=replace(recipe, seed=seed),
                    tables=group,
                    folder=request.out / f"{_slug(row.key)}-{name}-s{seed}",
                    test_tables=request.test_data,
                    finished=experiment.finished,
                    centers=any(m.startswith("center_distance") for m in experiment.measures),
                    elsewhere=tuple(t for t in tables if t not in group)
                    if experiment.elsewhere
                    else (),
                )
                for seed in range(request.seeds)
            ]
        if experiment.probe:
            cells += _probe_cells(rows[0], group, name, request)
    return _with_shared_members(cells) + _folder_cells(rows, unlabelled, request)


def row_recipe(
    experiment: Experiment, row: ExperimentRow, tables: Sequence[str], request: ExperimentRequest
) -> Recipe:
    """A row's recipe for some sets: the experiment's settings, the row's, then the person's."""
    assert request.family is not None
    taxonomy = experiment.taxonomy
    if taxonomy == OWN_LABELS:
        given, path = parse_data_argument(tables[0])
        taxonomy = (given or read_labelled(path).taxonomy).name
    own = (f"taxonomy={taxonomy}",) if taxonomy else ()
    common = experiment.settings.get(request.family, ())
    return apply_settings(
        load_recipe(row.recipe), (*own, *common, *row.settings, *request.settings)
    )


def _with_shared_members(cells: Sequence[ExperimentCell]) -> list[ExperimentCell]:
    """A network that stands in the table and in a fusion is trained once, in the fusion's run."""
    places: dict[tuple[str, tuple[str, ...]], Path] = {}
    for cell in cells:
        if isinstance(cell, TrainCell):
            whole = cell.recipe
            for name in whole.fuse:
                member = replace(
                    load_recipe(name), taxonomy=whole.taxonomy, seed=whole.seed, data=whole.data
                )
                places[repr(member), cell.tables] = cell.folder / MEMBERS / name
    return [
        replace(cell, folder=places.get((repr(cell.recipe), cell.tables), cell.folder))
        if isinstance(cell, TrainCell)
        else cell
        for cell in cells
    ]


def _probe_cells(
    row: ExperimentRow, tables: tuple[str, ...], name: str, request: ExperimentRequest
) -> list[ExperimentCell]:
    recipe = apply_settings(load_recipe(row.recipe), request.settings)
    return [
        ProbeCell(
            replace(probe, recipe=row.recipe),
            recipe,
            tables,
            request.out / f"{probe.key}-{name}",
            kinds,
        )
        for kinds, probe in enumerate(_PROBES, start=1)
    ]


def _folder_cells(
    rows: Sequence[ExperimentRow], folders: Sequence[str], request: ExperimentRequest
) -> list[ExperimentCell]:
    """The shipped pair on folders without labels: nothing is trained."""
    names = _names([(folder,) for folder in folders])
    return [
        FolderCell(
            replace(row, recipe=SHIPPED_PAIR[row.key], settings=()),
            Path(folder),
            request.out / f"{SHIPPED_PAIR[row.key]}-{name}",
        )
        for folder, name in zip(folders, names, strict=True)
        for row in rows
        if row.key in SHIPPED_PAIR
    ]


def _has_no_labels(table: str) -> bool:
    """Whether it is a folder whose sub-folders, if any, are no classes of a taxonomy."""
    if "=" in table or not Path(table).is_dir():
        return False
    try:
        return not len(open_dataset(table).taxonomy)
    except TableError:
        return True


def _names(groups: Sequence[Sequence[str]]) -> list[str]:
    """A folder's name for each group of sets, no two alike."""
    names: list[str] = []
    for group in groups:
        name = "-".join(_slug(short(table).rpartition("=")[2]) for table in group)[:80]
        count = sum(other == name or other.startswith(f"{name}-") for other in names)
        names.append(f"{name}-{count + 1}" if count else name)
    return names


def _slug(text: str) -> str:
    words = "".join(sign if sign.isalnum() or sign == "." else " " for sign in text).split()
    return "-".join(words).casefold()


def _versions() -> dict[str, str]:
    packages = ("torch", "timm", "numpy", "scikit-learn")
    return {"emoviz": __version__, **{name: importlib.metadata.version(name) for name in packages}}
