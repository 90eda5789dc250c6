"""Where: which regions spoke for an emotion, by several methods, and what that is worth."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from emoviz.errors import CheckpointError
from emoviz.inference.attribution import Baseline, Completeness
from emoviz.inference.clauses import InWords
from emoviz.inference.explanations import EXPLANATIONS
from emoviz.plots import percent
from emoviz.plots.explaining import deletion_insertion, numbered, overlay, smoothed
from emoviz.plugins import PluginError
from emoviz.ui.shell import Context
from emoviz.ui.textures import asking, scored
from emoviz.ui.textures.subject import ExplanationSubject
from emoviz.ui.wording import wording
from emoviz.ui.words import duration, plain

METHODS: Mapping[str, str] = {
    "gradcam": "Grad-CAM",
    "ig": "Integrated gradients",
    "occlusion": "Occlusion",
    "words": "In words, region by region",
    **{name: method.title for name, method in EXPLANATIONS.items()},
}
_HOW: Mapping[str, str] = {
    "gradcam": "Grad-CAM marks the places whose features, at one stage of the network, raise the "
    "class. It is quick and coarse, and shows only what spoke **for** the class.",
    "ig": "Integrated gradients follow the image from its beginning to itself and add up what each "
    "pixel contributes, **for** or **against**.",
    "occlusion": "A grey window wanders over the image. Where hiding a place lowers the class, "
    "the place spoke **for** it. No gradients: what you see is what was tried.",
    "words": "The image is cut into regions of like colour and each is hidden in turn: how far the "
    "estimate falls or rises without it is what the sentences say. Effects of regions do not add "
    "up. What a region is taken for is said by a network that knows 1,000 things and sees the "
    "region alone; it is often wrong on paintings.",
    **{name: method.how for name, method in EXPLANATIONS.items()},
}
_BASELINES: Mapping[Baseline, str] = {
    "mean": "plain grey",
    "black": "black",
    "blurred": "the image, blurred",
}
_WIDTH = 224  # two side by side in a window of 800 pixels
_SEEN = "What the model sees"


def show(context: Context, subjects: Sequence[ExplanationSubject]) -> None:
    """Controls, the heat maps of the chosen classes, and their test against chance.

    Args:
        context: Settings and checkpoint.
        subjects: One image, or two whose maps are put one under the other.
    """
    assert context.checkpoint is not None
    taxonomy = context.checkpoint.card.taxonomy
    method, names, opacity = _controls(context, subjects[0])
    if not names:
        st.info(f"Choose at least one {wording(taxonomy).unit}.", icon=":material/touch_app:")
        return
    layer = _stage(context) if method == "gradcam" else None
    if method == "gradcam" and layer is None:
        st.info("This network has no stage whose maps can be had; choose another method.")
        return
    try:
        _draw(context, subjects, method, names, layer, opacity)
    except (CheckpointError, PluginError) as error:  # a method that does not fit this network
        st.info(plain(str(error)))


def _draw(
    context: Context,
    subjects: Sequence[ExplanationSubject],
    method: str,
    names: Sequence[str],
    layer: Any,
    opacity: float,
) -> None:
    """The heat maps, what they say, and their test."""
    baseline = _baseline() if method == "ig" else "mean"
    found = []
    for number, subject in enumerate(subjects):
        maps = {name: _heat(context, subject, method, name, layer, baseline) for name in names}
        _row(context, subject, method, maps, opacity, f"heat-maps-{number}")
        found.append(maps)
    signed = EXPLANATIONS[method].signed if method in EXPLANATIONS else method != "gradcam"
    against = "" if not signed else ", :blue[**blue**] against it"
    marks = EXPLANATIONS[method].marks if method in EXPLANATIONS else "spoke for the class"
    st.caption(f":orange[**Orange**] {marks}{against}; each map has its own scale. {_HOW[method]}")
    for maps in found:
        _completeness(maps)
        _in_words(maps)
    _test(context, subjects[0], method, found[0])
    scored.show(context, METHODS)


def _row(
    context: Context,
    subject: ExplanationSubject,
    method: str,
    maps: Mapping[str, tuple[Any, Any]],
    opacity: float,
    key: str,
) -> None:
    """The image and its map for each class."""
    assert context.checkpoint is not None
    picture = subject.shown(context.checkpoint)
    with st.container(horizontal=True, key=key):
        st.image(picture, caption=_SEEN, width=_WIDTH, alt=_SEEN)
        for name, (values, more) in maps.items():
            drawn = smoothed(values) if method == "ig" else values
            share = subject.prediction.probabilities[name]
            caption = f"{name}, estimated {percent(share)}"
            laid = overlay(picture, drawn, opacity)
            if isinstance(more, InWords):
                laid = numbered(laid, {clause.number: clause.region for clause in more.clauses})
            st.image(laid, caption=caption, width=_WIDTH, alt=caption)


def _controls(context: Context, subject: ExplanationSubject) -> tuple[str, list[str], float]:
    ranked = [name for name, _ in subject.prediction.ranked]
    key = f"regions-classes-{context.identity[:8]}-{subject.sha256[:12]}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.selectbox(
            "Method",
            list(METHODS),
            index=list(METHODS).index(_usual(context)),
            format_func=lambda name: METHODS.get(name, ""),
            key="regions-method",
            persist_state="session",
            width=210,
        )
        names = st.multiselect(
            "Classes: what would each look at?",
            ranked,
            default=ranked[:2],
            key=key,
            max_selections=4,
            width=380,
        )
        opacity = st.slider(
            "Opacity", 0, 100, 70, 5, key="regions-opacity", persist_state="session", width=180
        )
    return method or _usual(context), names, opacity / 100


def _usual(context: Context) -> str:
    """The method that fits the network without a question."""
    from emoviz.inference.rollout import has_attention

    return "rollout" if has_attention(asking.explainer(context)) else "gradcam"


def _stage(context: Context) -> Any:
    stages = asking.explainer(context).stages
    if not stages:
        return None
    names = [stage.name for stage in stages]
    chosen = st.select_slider(
        "Stage: from fine and simple to coarse and rich in meaning",
        names,
        value=names[-1],
        key=f"regions-stage-{context.identity[:8]}",
        width=420,
    )
    return stages[names.index(chosen)]


def _baseline() -> Baseline:
    chosen: Baseline | None = st.segmented_control(
        "Begin with",
        list(_BASELINES),
        format_func=lambda name: _BASELINES[name],
        default="mean",
        required=True,
        key="regions-baseline",
        persist_state="session",
        help="What the image is compared with. Plain grey (the mean colour of the training images) "
        "explains everything that is there; the blurred image keeps light and colour, so only the "
        "detail is explained.",
    )
    return chosen or "mean"


def _heat(
    context: Context,
    subject: ExplanationSubject,
    method: str,
    name: str,
    layer: Any,
    baseline: Baseline,
) -> tuple[Any, Any]:
    """The map, and the completeness of integrated gradients, or the sentences of regions."""
    if method == "gradcam":
        found = asking.grad_cam_of(context, subject, name, layer)
        return found.values, None
    if method == "words":
        with st.spinner("Hiding one region after another …"):
            words = asking.hidden_regions_of(context, subject).about(name)
        return words.heat().values, words
    if method in EXPLANATIONS:
        return asking.explained_by(context, subject, method, name).values, None
    with timed(f"{METHODS[method]} of {name}") as progress:
        if method == "ig":
            found = asking.gradients_of(context, subject, name, baseline, progress)
            return found.values, found.completeness
        assert context.checkpoint is not None
        index = context.checkpoint.card.taxonomy.names.index(name)
        return asking.occlusion_of(context, subject, progress)[index], None


def _completeness(maps: Mapping[str, tuple[Any, Any]]) -> None:
    for name, (_, done) in maps.items():
        if isinstance(done, Completeness):
            st.caption(
                f"Completeness for {plain(name)}: the map adds up to {done.attributed:+.3f}; the "
                f"image less {_BASELINES[done.baseline]} is {done.difference:+.3f} logits (gap "
                f"{done.gap:.3f} after {done.steps} steps)."
            )


def _in_words(maps: Mapping[str, tuple[Any, Any]]) -> None:
    for _, words in maps.values():
        if isinstance(words, InWords):
            first, *rest = map(plain, words.lines())
            st.markdown("\n".join([f"**{first}**", "", *(f"- {line}" for line in rest)]))


def _test(
    context: Context, subject: ExplanationSubject, method: str, maps: Mapping[str, Any]
) -> None:
    """Deletion and insertion of the first class's map."""
    name, (heat, _) = next(iter(maps.items()))
    open_ = st.expander(
        f"Does the map of {name} mean anything? Test it against random maps",
        icon=":material/science:",
        on_change="rerun",
        key="regions-test",
    )
    if not open_.open:
        return
    with open_:
        digest = f"{method}-{float(np.abs(heat).sum()):.6g}"
        with timed("Testing the map") as progress:
            found = asking.faithfulness_of(context, subject, digest, name, heat, progress)
        st.plotly_chart(deletion_insertion(found, name), key="regions-curves")
        st.markdown(_verdict(found.better_deletion, found.better_insertion))


def _verdict(deletion: float, insertion: float) -> str:
    parts = (
        f"Taking the marked places away lowers the estimate by {100 * deletion:+.1f} points more "
        f"than taking random places; showing them first raises it by {100 * insertion:+.1f} "
        "points more (means over the curves)."
    )
    good = (deletion > 0.01) + (insertion > 0.01)
    ends = (
        "**The map does no better than chance here: make nothing of it.**",
        "**Only one of the two tests speaks for the map: take it with care.**",
        "**Both tests speak for the map: the marked places do matter to the model.**",
    )
    return f"{parts} {ends[good]}"


class timed:  # noqa: N801  used like a function
    """A bar with the time left while something is computed; gone as soon as it is done."""

    def __init__(self, words: str) -> None:
        self._words, self._place, self._start = plain(words), st.empty(), time.monotonic()

    def __enter__(self) -> Callable[[int, int], None]:
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._place.empty()

    def _tell(self, done: int, total: int) -> None:
        left = (time.monotonic() - self._start) / done * (total - done)
        words = f"{self._words}: about {duration(left)} left"
        self._place.progress(done / total, words)
