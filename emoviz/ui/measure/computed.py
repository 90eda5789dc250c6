"""What pages that measure compute, each part when it is asked for, and kept as long as it holds.

The key of a subject names its table, labels and bridge; arrays are left out of the cache's own
keys, because Streamlit hashes large ones by sample.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.calibration import Calibration, calibration
from emoviz.analysis.clustering import Grouping, group_images
from emoviz.analysis.cross_sentiment import CrossingCurve, crossing_curve
from emoviz.analysis.curves import Curves, curves
from emoviz.analysis.metrics import class_estimates, measure
from emoviz.analysis.resampling import Intervals, MetricEstimate
from emoviz.analysis.selective import SelectiveCurve, selective
from emoviz.analysis.slices import Slice, mistakes, slices
from emoviz.analysis.unlabelled import Unlabelled, describe_answers
from emoviz.experiments.assess import (
    MeasuredSet,
    Values,
    comparison,
    evaluation,
    quick_comparison,
)
from emoviz.experiments.contenders import TOGETHER, Contender, answers_of
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.settings import Settings
from emoviz.ui.measure import later
from emoviz.ui.measure.subject import EvaluationSubject

Measures = dict[str, MetricEstimate]


@dataclass(frozen=True)
class Asked:
    """Values that take seconds, and how they are had; see `emoviz.ui.measure.later`.

    Attributes:
        key: Of all that they hang on.
        make: Computes them.
    """

    key: str
    make: Callable[[], Values]

    def now(self) -> Values | None:
        """The values, where they are there at once."""
        return later.value(self.key, self.make)

    def wait(self, words: str) -> None:
        """Draw the page anew once they are there."""
        later.wait_for(self.key, self.make, words)

    def result(self) -> Values:
        """The values, however long they take."""
        return later.result(self.key, self.make)


@st.cache_resource(max_entries=24, show_spinner=False)
def quick_measures(key: str, _judged: AlignedPredictions) -> Measures:
    """All measures but those of clusters, without intervals: some milliseconds."""
    return dict(measure(_judged))


@st.cache_resource(max_entries=24, show_spinner=False)
def by_label(key: str, _judged: AlignedPredictions) -> Mapping[str, Measures]:
    """Precision, recall and F1 of each label, with intervals."""
    return class_estimates(_judged)


@st.cache_resource(max_entries=24, show_spinner=False)
def grouping(key: str, _judged: AlignedPredictions) -> Grouping | None:
    """Clusters of u; None where there are none."""
    if _judged.embedding is None or not len(_judged):
        return None
    return group_images(_judged.embedding, _judged.truth)


@st.cache_resource(max_entries=24, show_spinner=False)
def measures(key: str, _judged: AlignedPredictions) -> Measures:
    """All measures with their intervals: a second or two for 17,716 images, and their clusters."""
    return dict(measure(_judged, grouping(key, _judged), Intervals()))


@st.cache_resource(max_entries=12, show_spinner=False)
def all_curves(key: str, _judged: AlignedPredictions) -> Curves:
    """ROC, precision and recall."""
    return curves(_judged)


@st.cache_resource(max_entries=12, show_spinner=False)
def calibrated(key: str, _judged: AlignedPredictions) -> Calibration:
    """How sure against how right."""
    return calibration(_judged)


@st.cache_resource(max_entries=12, show_spinner=False)
def crossings(key: str, _judged: AlignedPredictions) -> CrossingCurve:
    """Top-2 cross-sentiment over theta, of the measured images."""
    return crossing_curve(_judged.probabilities, _judged.bridge.model)


@st.cache_resource(max_entries=12, show_spinner=False)
def withheld(key: str, _judged: AlignedPredictions) -> SelectiveCurve:
    """Accuracy over the share of images that get an answer."""
    return selective(_judged.certainty, _judged.right)


@st.cache_resource(max_entries=24, show_spinner=False)
def sliced(
    key: str, column: str, _judged: AlignedPredictions, _values: tuple[str, ...]
) -> list[Slice]:
    """Measures of each text of a column over all images of the table."""
    return slices(_judged, _values)


@st.cache_resource(max_entries=12, show_spinner=False)
def worst(key: str, _judged: AlignedPredictions, most: int) -> NDArray[np.int64]:
    """Places of the most confident mistakes."""
    return mistakes(_judged, most)


@st.cache_resource(max_entries=12, show_spinner=False)
def described(key: str, _table: EmbeddingTable, title: str) -> Unlabelled:
    """What needs no labels."""
    return describe_answers(answers_of(_table, title))


def evaluating(item: EvaluationSubject, settings: Settings) -> Asked:
    """Everything about one model on one set, as the report has it; kept on disk by content."""
    return Asked(
        f"evaluation {item.key}",
        lambda: evaluation(_contender(item), item.tables, item.bridges, measured(item), settings),
    )


def comparing(one: EvaluationSubject, other: EvaluationSubject, settings: Settings) -> Asked:
    """Everything about two models on the same images, as the report has it; kept on disk."""
    return Asked(
        f"comparison {one.key} {other.key}",
        lambda: comparison(
            (_contender(one), _contender(other)),
            (one.tables, other.tables),
            (one.bridges, other.bridges),
            measured(one),
            settings,
        ),
    )


def quick_values(one: EvaluationSubject, other: EvaluationSubject) -> Values:
    """Two models' values, differences and changes, while their intervals are on their way."""
    return _quick_values(f"{one.key} {other.key}", (one.judged, other.judged), one.table)


@st.cache_resource(max_entries=12, show_spinner=False)
def _quick_values(
    key: str, _judged: tuple[AlignedPredictions, AlignedPredictions], _table: EmbeddingTable
) -> Values:
    return quick_comparison(_judged, _table)


def _contender(item: EvaluationSubject) -> Contender:
    if item.predictions is not None:
        return Contender(item.predictions.title, (), item.predictions)
    return Contender(TOGETHER.join(member.card.id for member in item.members), item.members)


def measured(item: EvaluationSubject) -> MeasuredSet:
    """The set, as a report names it."""
    return MeasuredSet(item.source.title, item.labels, refused=item.table.refused)


def estimates(values: Values) -> Measures:
    """Estimates out of plain values."""
    return {name: MetricEstimate(**row) for name, row in values.items()}
