"""Training a recipe on labelled images."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.api.network import Network, load
from emoviz.api.results import _Shown
from emoviz.data.library import located
from emoviz.errors import TrainingError, require_training_packages
from emoviz.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, repr=False)
class TrainedRun(_Shown):
    """A finished training.

    Attributes:
        folder: The run's: settings, curves, log, checkpoints.
        measures: On held-out images: by set and split.
        checkpoint: Folder of the finished network; None where there is none.
        settings: Of the training.
    """

    folder: Path
    measures: Mapping[str, Any]
    checkpoint: Path | None
    settings: Settings

    def __str__(self) -> str:
        return f"Trained in {self.folder}"

    def load(self) -> Network:
        """The finished network, to predict and to be measured with."""
        if self.checkpoint is None:
            raise TrainingError(f"The run in {self.folder} left no network.")
        return load(self.checkpoint, settings=self.settings)

    def to_pandas(self) -> "pd.DataFrame":
        """A row a set and split: its measures."""
        import pandas as pd

        plain = {
            name: {k: v for k, v in values.items() if isinstance(v, int | float)}
            for name, values in self.measures.items()
            if isinstance(values, Mapping)
        }
        return pd.DataFrame.from_dict(plain, orient="index").reset_index(names="images")

    def plot(self) -> "go.Figure":
        """Accuracy on the validation images and the loss, epoch by epoch."""
        import plotly.graph_objects as go

        from emoviz.training.runs import read_curves

        curves = read_curves(self.folder)
        accuracy, loss = curves.column("validation_accuracy"), curves.column("loss")
        figure = go.Figure(go.Scatter(y=accuracy, name="validation accuracy"))
        figure.add_scatter(y=loss, name="loss", yaxis="y2")
        return figure.update_layout(
            xaxis_title="epoch",
            yaxis={"title": "validation accuracy", "tickformat": ".0%"},
            yaxis2={"title": "loss", "overlaying": "y", "side": "right"},
        )


def train(
    recipe: str | Path,
    data: str | Path | Iterable[str | Path],
    *,
    run: str | Path | None = None,
    changes: Mapping[str, object] | None = None,
    seed: int | None = None,
    resume: bool = False,
    tell: Callable[[str], None] = print,
    settings: Settings | None = None,
) -> TrainedRun:
    """Train a recipe on tables of labelled images; blocks until it is done.

    Args:
        recipe: A name that ``emoviz recipes`` prints, or a YAML file.
        data: Tables, folders of classes or ids of sets; ``TAXONOMY=PATH`` names the labels'.
        run: The run's folder; a new one under the home where left out.
        changes: Keys of the recipe with their values: ``{"loss.beta": 0.5}``.
        seed: Instead of the recipe's.
        resume: Go on with an interrupted run.
        tell: Called with a line for people now and then.
        settings: Instead of the environment's.

    Raises:
        NotInstalledError: PyTorch is not installed.
        RecipeError, TableError, TaxonomyError, WeightsError, TrainingError: See there.
    """
    require_training_packages()
    from emoviz.training.recipe_loading import apply_settings, load_recipe
    from emoviz.training.run import train_in_folder

    settings = settings or load_settings()
    given = [data] if isinstance(data, str | Path) else list(data)
    chosen = apply_settings(
        load_recipe(str(recipe)), [f"{key}={value}" for key, value in (changes or {}).items()]
    )
    result = train_in_folder(
        chosen,
        [located(settings, str(table)) for table in given],
        Path(run) if run is not None else None,
        settings,
        tell,
        seed=seed,
        resume=resume,
    )
    checkpoint = result.checkpoint.folder if result.checkpoint is not None else None
    return TrainedRun(result.folder, result.measures, checkpoint, settings)
