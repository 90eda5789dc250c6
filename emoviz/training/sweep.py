"""Sweeps: one recipe trained again and again with other values, and which of them is best.

::

    <sweep>/sweep.json      what is varied, and which cells there are
            cells/01/ ...   one run folder each

Cells on the same images share the features of the frozen backbone, so that each costs seconds. A
sweep that was interrupted goes on with the same command; finished cells are read.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from emoviz.errors import PausedError, RecipeError, TrainingError
from emoviz.files import read_json, write_json
from emoviz.settings import Settings
from emoviz.training.folder import forget_pause, wish_of
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import apply_settings
from emoviz.training.runs import CELLS, SWEEP, in_words, read_curves, read_run

MOST_CELLS = 200
# Measure -> whether more is better. Of the validation images, so that the test stays unseen.
MEASURES: Mapping[str, bool] = {
    "accuracy": True,
    "ari": True,
    "nmi": True,
    "asr": False,
    "entropy": False,
}
STUDIES: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "beta": ("loss.beta", (0.0, 0.1, 0.3, 0.4, 0.5, 0.8, 1.0, 1.2)),
    "margin": ("loss.margin", (1.5, 3.0, 5.0, 10.0)),
}


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep does.

    Attributes:
        recipe: Whose values are changed.
        tables: As for a run.
        vary: Key of the recipe with dots -> its values, as text for YAML.
        by: Measure of the validation images that decides; a key of `MEASURES`.
        draws: 0 tries all combinations; otherwise so many of them, drawn at random.
        draw_seed: Another number draws others.
        title: For people.
    """

    recipe: Recipe
    tables: tuple[str, ...]
    vary: Mapping[str, tuple[str, ...]]
    by: str = "accuracy"
    draws: int = 0
    draw_seed: int = 0
    title: str = ""

    def cells(self) -> list[tuple[str, ...]]:
        """The settings of each cell, ``key=value`` each.

        Raises:
            TrainingError: There is nothing to vary, or too much, or no such measure.
        """
        count = math.prod(len(values) for values in self.vary.values())
        if not self.vary or not count:
            raise TrainingError("A sweep needs a key with values, such as loss.beta=0,0.5,1.")
        if self.by not in MEASURES:
            raise TrainingError(f"'{self.by}' is no measure; wanted: {', '.join(MEASURES)}.")
        keys = list(self.vary)
        every = itertools.product(*self.vary.values())
        if not self.draws or self.draws >= count:
            chosen = list(itertools.islice(every, MOST_CELLS + 1))
        else:
            rng = np.random.default_rng(self.draw_seed)
            wanted = set(rng.choice(count, min(self.draws, MOST_CELLS + 1), replace=False).tolist())
            chosen = [values for i, values in enumerate(every) if i in wanted]
        if len(chosen) > MOST_CELLS:
            raise TrainingError(
                f"The sweep would train {min(count, self.draws or count):,} networks; allowed: "
                f"{MOST_CELLS}. Vary less, or draw some at random."
            )
        return [
            tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True))
            for values in chosen
        ]

    def recipes(self) -> list[Recipe]:
        """One recipe a cell.

        Raises:
            RecipeError: A key is unknown or a value impossible.
            TrainingError: See `cells`.
        """
        return [apply_settings(self.recipe, settings) for settings in self.cells()]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "title": self.title,
            "recipe": self.recipe.to_dict(),
            "tables": list(self.tables),
            "vary": {key: list(values) for key, values in self.vary.items()},
            "by": self.by,
            "draws": self.draws,
            "draw_seed": self.draw_seed,
        }


@dataclass(frozen=True)
class SweepRow:
    """One cell of a sweep.

    Attributes:
        name: Of its folder.
        settings: ``key=value`` each.
        state: Of its run; ``new`` before it was begun.
        values: Measures of the validation images at the end, and ``test accuracy``; None where
            there is none.
        why: Why it failed.
    """

    name: str
    settings: tuple[str, ...]
    state: str
    values: Mapping[str, float | None]
    why: str = ""


def run_sweep(
    plan: SweepPlan,
    folder: Path,
    settings: Settings,
    tell: Callable[[str], None],
    report: Callable[[float, str], None] = lambda share, words: None,
    wish: Callable[[], str] = lambda: "",
) -> list[SweepRow]:
    """Train every cell that is not finished; one that fails is named and the others go on.

    Args:
        plan: What to do.
        folder: Of the sweep.
        settings: Where the home is.
        tell: Called with a line for people.
        report: Called with the share that is done (0-1) and what is being done.
        wish: Asked after every step; see `emoviz.training.loop`.

    Raises:
        RecipeError, TrainingError: The plan cannot be used, or the folder is another sweep's.
        PausedError: Somebody wished so; the same call goes on.
    """
    from emoviz.training.run import train_in_folder

    recipes, names = plan.recipes(), plan.cells()
    _claim(plan, folder, names)
    for number, (recipe, changed) in enumerate(zip(recipes, names, strict=True)):
        varied = ", ".join(map(in_words, changed))
        words = f"Network {number + 1} of {len(recipes)} ({varied})"
        tell(words)

        def said(share: float, what: str, number: int = number, words: str = words) -> None:
            report((number + share) / len(recipes), f"{words}: {what[0].lower()}{what[1:]}")

        try:
            train_in_folder(
                recipe,
                plan.tables,
                _cell(folder, number),
                settings,
                tell,
                resume=True,
                with_graph=False,
                wish=lambda: wish() or wish_of(folder),
                report=said,
            )
        except PausedError:
            forget_pause(folder)
            raise
        except (TrainingError, RecipeError) as error:
            tell(f"{words} failed: {error}")
        if (wish() or wish_of(folder)) == "pause":
            forget_pause(folder)
            raise PausedError(f"Paused after {number + 1} of {len(recipes)} networks.")
    return sweep_rows(folder)


def read_sweep(folder: Path) -> dict[str, Any] | None:
    """What stands in ``sweep.json``, with ``cells``; None where the folder is no sweep's."""
    found = read_json(folder / SWEEP)
    return found if found and isinstance(found.get("cells"), list) else None


def sweep_rows(folder: Path) -> list[SweepRow]:
    """Each cell with its state and its measures."""
    found = read_sweep(folder) or {"cells": []}
    return [_row(folder, number, tuple(cell)) for number, cell in enumerate(found["cells"])]


def best_row(rows: Sequence[SweepRow], by: str) -> SweepRow | None:
    """The finished cell that is best by a measure; the first of equals."""
    sign = 1.0 if MEASURES[by] else -1.0
    known = [row for row in rows if row.state == "done" and row.values.get(by) is not None]
    return max(known, key=lambda row: sign * (row.values[by] or 0.0)) if known else None


def recipe_text(recipe: Recipe) -> str:
    """A recipe as the YAML that `train` takes."""
    return str(yaml.safe_dump(recipe.to_dict(), sort_keys=False, allow_unicode=True))


def parse_vary(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """``KEY=V1,V2,...`` each, with ``;`` between values that hold commas, such as lists.

    Raises:
        TrainingError: One has no value.
    """
    found = {}
    for text in texts:
        key, _, values = text.partition("=")
        parts = values.split(";") if ";" in values or "[" in values else values.split(",")
        kept = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
        if not key.strip() or not kept:
            raise TrainingError(f"'{text}' says nothing to vary; wanted: KEY=V1,V2,...")
        found[key.strip()] = kept
    return found


def _row(folder: Path, number: int, settings: tuple[str, ...]) -> SweepRow:
    place = _cell(folder, number)
    if not place.is_dir():
        return SweepRow(place.name, settings, "new", {})
    run, curves = read_run(folder, place), read_curves(place)
    values = {name: curves.final(f"validation_{name}") for name in MEASURES}
    tested = [m.get("accuracy") for m in run.measures.values()]
    values["test accuracy"] = tested[0] if tested else None
    return SweepRow(place.name, settings, run.state, values, run.why)


def _cell(folder: Path, number: int) -> Path:
    return folder / CELLS / f"{number + 1:02}"


def _claim(plan: SweepPlan, folder: Path, cells: Sequence[tuple[str, ...]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {**plan.to_dict(), "cells": [list(cell) for cell in cells]}
    found = read_json(folder / SWEEP)
    if found is None:
        write_json(folder / SWEEP, wanted)
    elif any(found.get(key) != wanted[key] for key in ("recipe", "tables", "cells")):
        raise TrainingError(f"'{folder}' holds another sweep. Choose another folder with --run.")
