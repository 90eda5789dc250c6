"""Mistakes and slices, with their images: where does the network fail?"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.metrics import METRICS
from emoviz.analysis.slices import SLICED, Slice
from emoviz.inference.text_column import varies
from emoviz.plots import percent
from emoviz.plots.bars import FIRST, Spot, spots_by
from emoviz.plots.evaluation import GREY
from emoviz.ui import tables
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.linked import linked_choice
from emoviz.ui.measure import computed, numbers
from emoviz.ui.measure.confusion import images
from emoviz.ui.measure.subject import EvaluationSubject
from emoviz.ui.words import counted, readable

MOST = 240
_SLICES = (
    "Each dot is the accuracy on the images with this value; its whisker is the 95 % confidence "
    "interval. Whiskers that reach the dashed line (all images) tell no difference. Of "
    "many slices a few stand apart by chance alone."
)


def show_mistakes(item: EvaluationSubject, pictures: Pictures) -> None:
    """Wrong answers, those that the model was surest of first."""
    judged = item.judged
    wrong = int((~judged.right).sum())
    if not wrong:
        st.info("Every answer is the label.", icon=":material/check_circle:")
        return
    places = computed.worst(item.key, judged, MOST)
    details = _details(judged, places)
    first = "" if len(places) == wrong else f", the first {len(places)} of them"
    title = f"**{counted(wrong, 'wrong answer')}**{first}: label → answer, surest first"
    images(item.points, judged.rows[places], pictures, title, "mistakes", details)
    st.caption(
        "Look for what they have in common: a style, a colour, a subject; or a label that you "
        "would not have given either."
    )


def show_slices(item: EvaluationSubject, pictures: Pictures) -> None:
    """Measures by the values of a column."""
    columns = slice_columns(item)
    if not columns:
        st.info(
            "These images have no columns to divide them by. A CSV may bring any: style, artist, "
            "source. Folders become a column too.",
            icon=":material/view_column:",
        )
        return
    chosen = linked_choice("Divide by", {name: readable(name) for name in columns}, "by")
    found = computed.sliced(item.key, chosen, item.judged, columns[chosen])
    whole = item.judged.right.mean() if len(item.judged) else None
    st.html(spots_by([_spot(part) for part in found], "accuracy", whole))
    st.caption(_SLICES)
    tables.draw(_table(found))
    names = {part.name: f"{readable(part.name)} ({part.n:,})" for part in found}
    looked = linked_choice("Look at the images of", names, "slice", width=320)
    part = next(part for part in found if part.name == looked)
    right = item.judged.right[part.positions]
    order = np.concatenate([part.positions[~right], part.positions[right]])
    details = _details(item.judged, order)
    wrong = int((~right).sum())
    title = f"**{counted(part.n, 'image')}**, {wrong:,} of them answered wrongly, which come first"
    images(item.points, item.judged.rows[order], pictures, title, "slice-images", details)


def slice_columns(item: EvaluationSubject) -> Mapping[str, tuple[str, ...]]:
    """What a set can be divided by: its columns, and whether the model knows such images."""
    found = {name: tuple(values) for name, values in item.table.metadata.items() if varies(values)}
    novelty = item.table.novelty
    if not np.isnan(novelty).all():
        words = ("like the training images", "unlike the training images", "")
        found["unlike the training images"] = tuple(
            words[2 if np.isnan(value) else int(value > 1.0)] for value in novelty
        )
    return found


def _spot(part: Slice) -> Spot:
    value = part.accuracy
    return Spot(
        f"{readable(part.name)} ({part.n:,})",
        np.nan if value.value is None else value.value,
        np.nan if value.low is None else value.low,
        np.nan if value.high is None else value.high,
        counted(part.n, "image") + (f", {value.reason}" if value.reason else ""),
        GREY if value.low is None else FIRST,
    )


def _table(found: Sequence[Slice]) -> pd.DataFrame:
    columns: dict[str, list[object]] = {"images": [part.n for part in found]}
    for name in SLICED:
        kind = METRICS[name]
        columns[kind.title] = [numbers.on_images(getattr(part, name), kind) for part in found]
    return pd.DataFrame(columns, index=[part.name for part in found])


def _details(judged: AlignedPredictions, places: NDArray[np.int64]) -> list[str]:
    """``label → answer 54 %`` of some of the judged images; the answer alone where it is right."""
    names = [readable(name) for name in judged.labels.names]
    columns = (judged.truth, judged.predicted, judged.confidence)
    rows = zip(*(column[places].tolist() for column in columns), strict=True)
    return [
        f"{'' if label == answer else names[label] + ' → '}{names[answer]} {percent(sure)}"
        for label, answer, sure in rows
    ]
