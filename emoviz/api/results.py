"""What the functions of ``import emoviz`` give: tables, pictures, and what a notebook shows.

``to_pandas()`` gives a table, ``plot()`` a Plotly figure or a Pillow image.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.resampling import MetricEstimate
from emoviz.errors import AnalysisError, TableError
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.predict import Prediction
from emoviz.labels import Taxonomy
from emoviz.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from PIL import Image

    from emoviz.inference.attribution import HeatMap

_SHOWN = 20


class _Shown:
    """A notebook shows the first rows of the table, under a sentence."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def to_pandas(self) -> "pd.DataFrame":
        """The result as a table."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        table = self.to_pandas()
        more = f"<p>… {len(table) - _SHOWN:,} more rows</p>" if len(table) > _SHOWN else ""
        html = table.head(_SHOWN).to_html(index=False, float_format="{:.3f}".format, border=0)
        return f"<p>{escape(str(self))}</p>{html}{more}"


@dataclass(frozen=True, repr=False)
class Predictions(_Shown, Sequence[Prediction]):
    """The model's estimates, one an image in the order given.

    Attributes:
        items: One for each image, errors included.
        taxonomy: The classes.
    """

    items: tuple[Prediction, ...]
    taxonomy: Taxonomy

    def __str__(self) -> str:
        return (
            f"The model's estimate of the emotion that each of {len(self):,} images evokes; "
            f"{len(self.problems):,} could not be read"
        )

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> "Predictions": ...
    def __getitem__(self, index: int | slice) -> "Prediction | Predictions":
        if isinstance(index, slice):
            return Predictions(self.items[index], self.taxonomy)
        return self.items[index]

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.items)

    @property
    def problems(self) -> dict[str, str]:
        """Images that could not be read, with the reason."""
        return {item.path: item.error for item in self.items if item.error is not None}

    def to_pandas(self) -> "pd.DataFrame":
        """A row an image: path, predicted, sentiment, a column a class, flags, error."""
        import pandas as pd

        rows = []
        for item in self.items:
            values = item.to_dict()
            shares = values.pop("probabilities")
            head = {name: values.pop(name) for name in ("path", "predicted", "sentiment")}
            rows.append({**head, **{c: shares.get(c) for c in self.taxonomy.names}, **values})
        return pd.DataFrame(rows)

    def plot(self) -> "go.Figure":
        """The probabilities of each image, stacked."""
        import plotly.graph_objects as go

        read = [item for item in self.items if item.error is None]
        figure = go.Figure()
        for row in self.taxonomy.classes:
            figure.add_bar(
                x=[item.probabilities[row.name] for item in read],
                y=[Path(item.path).name for item in read],
                orientation="h",
                name=row.name,
                marker_color=row.colour,
            )
        return figure.update_layout(
            barmode="stack",
            height=120 + 26 * len(read),
            xaxis={"tickformat": ".0%", "title": "the model's estimate"},
            yaxis={"autorange": "reversed"},
        )


@dataclass(frozen=True, repr=False)
class Embeddings(_Shown):
    """A collection as the network sees it.

    Attributes:
        parts: The table, some thousand rows at a time.
    """

    parts: tuple[EmbeddingTable, ...]

    def __str__(self) -> str:
        return f"{len(self):,} images as vectors u of {self.vectors.shape[1]} numbers"

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(N, D) u."""
        return np.concatenate([part.embedding for part in self.parts])

    @property
    def problems(self) -> dict[str, str]:
        """Files that could not be read, with the reason."""
        return dict(self.parts[0].refused)

    def to_pandas(self) -> "pd.DataFrame":
        """A row an image: path, label, predicted, a column a class, metadata; not the vectors."""
        import pandas as pd

        first = self.parts[0]
        names = np.array(first.taxonomy.names)
        frames = [
            pd.DataFrame(
                {
                    "path": part.paths,
                    "label": part.label_names or [""] * len(part),
                    "predicted": names[part.predicted] if len(part) else [],
                    **{c: part.probabilities[:, i] for i, c in enumerate(first.taxonomy.names)},
                    **{key: column for key, column in part.metadata.items() if column},
                }
            )
            for part in self.parts
        ]
        return pd.concat(frames, ignore_index=True)

    def write(self, path: str | Path) -> Path:
        """Write ``.parquet`` or ``.npz``, which the pages and ``emoviz project`` take."""
        from emoviz.inference.stored import check_suffix, write_embeddings

        check_suffix(Path(path))
        write_embeddings(Path(path), self.parts)
        return Path(path)

    def plot(self) -> "go.Figure":
        """The two principal components of u, coloured by the likeliest emotion."""
        import plotly.graph_objects as go

        if len(self) < 3:
            raise TableError(f"A map needs 3 images or more; there are {len(self)}.")
        centred = self.vectors - self.vectors.mean(axis=0)
        x, y = (centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T).T
        answers = np.concatenate([part.predicted for part in self.parts])
        paths = np.array([path for part in self.parts for path in part.paths])
        figure = go.Figure()
        for index, row in enumerate(self.parts[0].taxonomy.classes):
            own = answers == index
            figure.add_scatter(
                x=x[own], y=y[own], mode="markers", name=row.name, text=paths[own],
                marker={"color": row.colour, "size": 8},
            )  # fmt: skip
        return figure.update_layout(yaxis={"scaleanchor": "x"}, height=520)


@dataclass(frozen=True, repr=False)
class Explanation(_Shown):
    """Which regions of an image spoke for an emotion.

    Attributes:
        path: Of the image.
        method: ``gradcam``, ``ig``, ``occlusion``, ``rollout``, ``words`` or a plug-in's.
        heat: (side, side) values over the network's input, and what they are of.
        pixels: (side, side, 3) bytes: what the network saw.
        lines: Of ``words``: sentences, a region each.
    """

    path: Path
    method: str
    heat: "HeatMap"
    pixels: NDArray[np.uint8]
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"What spoke for {self.emotion} in {self.path.name}, by {self.method}"

    @property
    def emotion(self) -> str:
        """The class that is explained."""
        return self.heat.name

    @property
    def values(self) -> NDArray[np.float32]:
        """(side, side): above 0 where the image spoke for the emotion."""
        return self.heat.values

    def to_pandas(self) -> "pd.DataFrame":
        """A row a pixel: x, y, value."""
        import pandas as pd

        y, x = np.indices(self.values.shape)
        return pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "value": self.values.ravel()})

    def plot(self) -> "Image.Image":
        """The heat map over the image."""
        from emoviz.plots.explaining import overlay, smoothed

        finely = self.heat.completeness is not None
        return overlay(self.pixels, smoothed(self.values) if finely else self.values)

    def _repr_html_(self) -> str:
        import base64

        buffer = BytesIO()
        self.plot().save(buffer, "PNG")
        data = base64.b64encode(buffer.getvalue()).decode()
        words = escape(str(self))
        lines = "".join(f"<p>{escape(line)}</p>" for line in self.lines)
        return f'<p>{words}</p><img alt="{words}" src="data:image/png;base64,{data}">{lines}'


def write_values(path: Path, values: dict[str, Any], settings: Settings) -> None:
    """Write an evaluation's or a comparison's values as a report, with pictures of mistakes."""
    from emoviz.inference.cache import Thumbnails
    from emoviz.plots.report import wanted_pictures, write_report

    with Thumbnails(settings) as thumbnails:
        write_report(path, values, thumbnails.get_many(wanted_pictures(values)))


@dataclass(frozen=True, repr=False)
class _Measured(_Shown):
    """Values that a report can be made of.

    Attributes:
        values: Everything, as plain values for JSON.
    """

    values: Mapping[str, Any]

    def write(self, path: str | Path, *, settings: Settings | None = None) -> Path:
        """Write everything as a report: ``.html``, ``.md`` or ``.json``."""
        from emoviz.plots.report import check_report

        check_report(Path(path))
        write_values(Path(path), dict(self.values), settings or load_settings())
        return Path(path)


@dataclass(frozen=True, repr=False)
class EvaluationResult(_Measured):
    """How good a network is on labelled images."""

    def __str__(self) -> str:
        return f"{self.values['checkpoint']} on {self.n:,} images, labels of {self.taxonomy}"

    @property
    def n(self) -> int:
        """Images that were measured."""
        return int(self.values["n"])

    @property
    def taxonomy(self) -> str:
        """Of the labels."""
        return str(self.values["taxonomy"])

    @property
    def accuracy(self) -> float:
        """Share of images whose likeliest class may be called by their label, in 0-1."""
        return float(self.values["intervals"]["accuracy"]["value"])

    def estimate(self, metric: str) -> MetricEstimate:
        """A metric with its interval and its n, or the reason why there is none.

        Raises:
            AnalysisError: There is no such metric here.
        """
        known = self.values["intervals"]
        if metric not in known:
            raise AnalysisError(f"There is no metric '{metric}' here. Known: {', '.join(known)}.")
        return MetricEstimate(**known[metric])

    @cached_property
    def confusion(self) -> "pd.DataFrame":
        """Images by label (rows) and answer (columns)."""
        import pandas as pd

        table = self.values["confusion"]
        return pd.DataFrame(table["counts"], index=table["labels"], columns=table["labels"])

    def to_pandas(self) -> "pd.DataFrame":
        """A row a metric: value, low and high of its interval, n."""
        return _estimates(self.values["intervals"])

    def plot(self) -> "go.Figure":
        """The confusion matrix."""
        from emoviz.plots.reviewing import confusion

        table = self.values["confusion"]
        return confusion(np.array(table["counts"]), table["labels"], "label", "the model's answer")


@dataclass(frozen=True, repr=False)
class ComparisonResult(_Measured):
    """Is one network better than another on the same images?"""

    def __str__(self) -> str:
        one, other = (self.values[side]["checkpoint"] for side in "ab")
        test = self.values["mcnemar"]
        return (
            f"B ({other}) minus A ({one}) on the same {self.n:,} images; McNemar p {test['p']:.3g}"
        )

    @property
    def n(self) -> int:
        """Images that both were measured on."""
        return int(self.values["a"]["n"])

    @property
    def p(self) -> float:
        """Of McNemar's test: how likely so unequal changes are between equally good networks."""
        return float(self.values["mcnemar"]["p"])

    def to_pandas(self) -> "pd.DataFrame":
        """A row a metric: B minus A, low and high of its interval, n."""
        return _estimates(self.values["difference"])

    def plot(self) -> "go.Figure":
        """The differences with their intervals."""
        from emoviz.plots.bars import Spot
        from emoviz.plots.evaluation import spots

        rows = [
            Spot(str(row["metric"]), row["value"], row["low"], row["high"])
            for row in self.to_pandas().dropna(subset=["value"]).to_dict("records")
        ]
        return spots(rows, "B minus A", zero=0.0, form="+.3f")


def _estimates(rows: Mapping[str, Mapping[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    given = [
        {"metric": name, **{key: row[key] for key in ("value", "low", "high", "n")}}
        for name, row in rows.items()
    ]
    return pd.DataFrame(given).astype({"value": float, "low": float, "high": float})
