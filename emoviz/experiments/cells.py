"""One cell of a table: a network with one seed on one group of sets, in a folder of its own.

A cell that is done is read, one that was interrupted goes on, and one that was made otherwise is
an error, because nothing here is overwritten.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from emoviz.analysis.centers import summarise_centers
from emoviz.analysis.cross_sentiment import at_thresholds
from emoviz.checkpoints import Checkpoint, load_centers, open_checkpoint, read_checkpoint
from emoviz.data.dataset import merge_labels
from emoviz.data.images import Limits
from emoviz.data.reading import expand, parse_data_argument, read_labelled
from emoviz.data.sources import ImageSource
from emoviz.errors import TrainingError
from emoviz.experiments.definitions import ExperimentRow
from emoviz.files import read_json, write_json
from emoviz.labels import bridge_between
from emoviz.settings import Settings
from emoviz.training.folder import MEASURES, SETTINGS, checkpoint_folder, first_difference
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import as_written_now

Measures = Mapping[str, Mapping[str, Any]]
Tell = Callable[[str], None]
ELSEWHERE = "elsewhere.json"  # measures on sets that were not learned from
ALL_IMAGES, LEARNED_FROM = ", all images", "; learned from "


class ExperimentCell(Protocol):
    """What a table is made of."""

    @property
    def row(self) -> ExperimentRow:
        """The row that it belongs to."""

    @property
    def seed(self) -> int:
        """Of the run; 0 where nothing is random."""

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""

    @property
    def about(self) -> str:
        """The sets, for people."""

    @property
    def taxonomy(self) -> str:
        """Of the network's classes."""

    def check(self) -> None:
        """Raise `TrainingError` where the folder holds a cell that was made otherwise."""

    def measure(self, settings: Settings, tell: Tell) -> Measures:
        """The measures of each set, computed or read."""


@dataclass(frozen=True)
class RecipeCell:
    """What a recipe makes of one group of sets.

    Attributes:
        row: The row that it belongs to.
        recipe: With the row's settings and the seed.
        tables: The sets.
        folder: Where everything of it lies; of a training, the run's.
    """

    row: ExperimentRow
    recipe: Recipe
    tables: tuple[str, ...]
    folder: Path

    @property
    def about(self) -> str:
        """The sets, for people."""
        return ", ".join(short(table) for table in self.tables)

    @property
    def taxonomy(self) -> str:
        """Of the network's classes; of a probe, of those that decide which images take part."""
        return self.recipe.taxonomy

    def check(self) -> None:
        """Raise `TrainingError` where the folder holds a cell that was made otherwise."""
        found = read_json(self.folder / SETTINGS)
        what = self._otherwise(found) if found else ""
        if what:
            raise TrainingError(
                f"'{self.folder}' holds another cell than '{self.row.label}' on {self.about}: "
                f"{what}. Choose another --out."
            )

    def _otherwise(self, found: Mapping[str, Any]) -> str:
        """In what the cell that was found differs, by its settings; nothing where it is this."""
        wanted, had = self.recipe.to_dict(), found.get("recipe") or {}
        if had == wanted or as_written_now(had) == wanted:
            return ""
        return first_difference(had, wanted)


@dataclass(frozen=True)
class TrainCell(RecipeCell):
    """A recipe trained with one seed on one group of sets.

    Attributes:
        test_tables: Sets that are only measured on.
        finished: A finished checkpoint is wanted, not only the networks of the folds.
        centers: The distances between the class centers are measures too.
        elsewhere: Sets that the finished checkpoint is measured on as well.
    """

    test_tables: tuple[str, ...] = ()
    finished: bool = False
    centers: bool = False
    elsewhere: tuple[str, ...] = ()

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.recipe.seed

    def _otherwise(self, found: Mapping[str, Any]) -> str:
        what = super()._otherwise(found)
        if not what and _table_names(found) != [short(table) for table in self.tables]:
            what = f"it learned from {', '.join(_table_names(found))}"
        if not what and found.get("refit", self.finished) != self.finished:
            what = "one has a finished network, the other those of the folds alone"
        return what

    def measure(self, settings: Settings, tell: Tell) -> Measures:
        """Train, or go on, or read; then measure on the other sets where that is asked."""
        measures = {title: dict(values) for title, values in self._trained(settings, tell).items()}
        if self.centers:
            distances = center_distances(self._checkpoint())
            for values in measures.values():
                values["center_distance"] = distances
        if self.elsewhere:
            measures = self._with_others(measures, settings, tell)
        return measures

    def _trained(self, settings: Settings, tell: Tell) -> Measures:
        done = read_json(self.folder / MEASURES)
        place = checkpoint_folder(self.folder, self.recipe)
        if done and (place.is_dir() or not self.finished):
            return done
        from emoviz.training.run import train_in_folder

        return train_in_folder(
            self.recipe,
            self.tables,
            self.folder,
            settings,
            tell,
            resume=True,  # begins where there is nothing yet
            refit=self.finished,
            test_tables=self.test_tables,
        ).measures

    def _with_others(
        self, measures: Mapping[str, dict[str, Any]], settings: Settings, tell: Tell
    ) -> dict[str, dict[str, Any]]:
        """Measures on every set, each named together with the set that was learned from."""
        own = next(iter(measures)).rpartition(", ")[0]
        found = {f"{title}{LEARNED_FROM}{own}": values for title, values in measures.items()}
        kept = read_json(self.folder / ELSEWHERE) or {}
        for table in self.elsewhere:
            if short(table) not in kept:
                tell(f"{self.row.label}, seed {self.seed}: on {short(table)}")
                title, values = measured_on(self._checkpoint(), table, self.recipe, settings)
                kept[short(table)] = {"title": title, "measures": values}
                write_json(self.folder / ELSEWHERE, kept)
            entry = kept[short(table)]
            found[f"{entry['title']}{ALL_IMAGES}{LEARNED_FROM}{own}"] = entry["measures"]
        return found

    def _checkpoint(self) -> Checkpoint:
        folder = checkpoint_folder(self.folder, self.recipe)
        if not folder.is_dir():
            raise TrainingError(f"The run '{self.folder}' left no finished checkpoint.")
        return read_checkpoint(folder)


@dataclass(frozen=True)
class FolderCell:
    """A trained checkpoint's predictions for a folder of images without labels.

    Attributes:
        row: The row that it belongs to; its recipe names the checkpoint.
        images: The folder.
        folder: Where the result lies.
        taxonomy: Of the checkpoint's classes.
        seed: None of its own: the checkpoint is one trained network.
    """

    row: ExperimentRow
    images: Path
    folder: Path
    taxonomy: str = "mikels8"
    seed: int = 0

    @property
    def about(self) -> str:
        """The folder, for people."""
        return short(str(self.images))

    def check(self) -> None:
        """Raise `TrainingError` where the folder holds another checkpoint's result."""
        found = read_json(self.folder / SETTINGS) or {}
        wanted = {"checkpoint": self.row.recipe, "images": self.about}
        if any(found.get(key, value) != value for key, value in wanted.items()):
            raise TrainingError(
                f"'{self.folder}' holds what {found.get('checkpoint')} made of "
                f"{found.get('images')}. Choose another --out."
            )

    def measure(self, settings: Settings, tell: Tell) -> Measures:
        """Read the images once; only the cross-sentiment measure needs no labels."""
        checkpoint = open_checkpoint(self.row.recipe, settings)
        identity = {
            "checkpoint": self.row.recipe,
            "images": self.about,
            "weights_sha256": checkpoint.card.weights_sha256,
        }
        kept = read_json(self.folder / MEASURES)
        if kept and read_json(self.folder / SETTINGS) == identity:
            return kept
        tell(f"{self.row.label}: reading {self.about}")
        measures = {f"{self.about}, without labels": crossing_of(checkpoint, self.images, settings)}
        write_json(self.folder / SETTINGS, identity)
        write_json(self.folder / MEASURES, measures)
        return measures


@dataclass(frozen=True)
class ProbeCell(RecipeCell):
    """A linear probe on the frozen features of a recipe's backbone.

    Attributes:
        kinds: 1 for the pooled vector alone, 2 with the Gram matrices.
        seed: None of its own: the fit has one solution.
    """

    kinds: int
    seed: int = 0

    def measure(self, settings: Settings, tell: Tell) -> Measures:
        """Fit the probe of each set, or read it."""
        kept = read_json(self.folder / MEASURES)
        if kept:
            return kept
        from emoviz.experiments.probe import probe_measures

        measures = probe_measures(self.recipe, self.tables, self.kinds, settings, tell)
        write_json(self.folder / SETTINGS, {"recipe": self.recipe.to_dict()})
        write_json(self.folder / MEASURES, measures)
        return measures


def measured_on(
    checkpoint: Checkpoint, table: str, recipe: Recipe, settings: Settings
) -> tuple[str, dict[str, Any]]:
    """Title and measures of a whole set that a checkpoint did not learn from."""
    from emoviz.inference.predict import load_model, predict
    from emoviz.training.finish import summary

    taxonomy, path = parse_data_argument(table)
    labelled = read_labelled(path, taxonomy, likely=checkpoint.card.taxonomy)
    bridge = bridge_between(checkpoint.card.taxonomy, labelled.taxonomy)
    title = recipe.data.part_of(labelled.taxonomy.name, labelled.name).title or labelled.name
    labelled, bridge = merge_labels(labelled, bridge), bridge.merged
    limits, card = Limits.of(settings), checkpoint.card
    sources = [
        ImageSource(record.name, partial(record.read, limits)) for record in labelled.records
    ]
    found = predict(load_model(checkpoint, settings), sources, limits)
    read = [(r.label, p) for r, p in zip(labelled.records, found, strict=True) if p.error is None]
    labels = np.array([label for label, _ in read], np.int64)
    u = np.array([p.embedding for _, p in read], np.float32).reshape(-1, card.width)
    rows = np.array([list(p.probabilities.values()) for _, p in read])
    return title, summary(rows.reshape(-1, len(card.taxonomy)), u, labels, bridge)


def crossing_of(checkpoint: Checkpoint, images: Path, settings: Settings) -> dict[str, Any]:
    """Top-2 cross-sentiment of a checkpoint on images without labels, with the counts."""
    from emoviz.inference.predict import load_model, predict

    limits = Limits.of(settings)
    sources = expand([images], settings)
    model = load_model(checkpoint, settings)
    read = [p for p in predict(model, sources, limits, batch=32) if p.error is None]
    rows = np.array([list(p.probabilities.values()) for p in read])
    rows = rows.reshape(-1, len(model.taxonomy))
    found = at_thresholds(rows, model.taxonomy)
    counts = {name: value.to_dict() for name, value in found.items()}
    return {
        "n": len(read),
        "refused": len(sources) - len(read),
        "cross_sentiment": found["none"].rate,
        "cross_sentiment_0.3": found["0.3"].rate,
        "cross_sentiment_counts": counts,
    }


def center_distances(checkpoint: Checkpoint) -> dict[str, float]:
    """Least, mean and largest distance between two learned class centers; empty without any."""
    centers = load_centers(checkpoint)
    if centers is None:
        return {}
    found = summarise_centers(centers)
    assert found is not None  # a network tells at least two classes apart
    ends = found.smallest.distance, found.mean, found.largest.distance
    return dict(zip(("least", "mean", "largest"), ends, strict=True))


def short(table: str) -> str:
    """A table or folder by its last two names, which do not depend on the machine."""
    name, separator, path = table.rpartition("=")
    place = Path(path).resolve()
    return f"{name}{separator}{place.parent.name}/{place.name}".strip("/")


def resolved(table: str) -> str:
    """The same table with a path that does not depend on the working directory."""
    name, separator, path = table.rpartition("=")
    return f"{name}{separator}{Path(path).resolve()}"


def _table_names(settings: Mapping[str, Any]) -> list[str]:
    """The sets of a run, as its settings name them."""
    return [short(entry["table"]) for entry in settings.get("tables", ())]
