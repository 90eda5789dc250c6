"""Style or content: each class's logit as a sum of parts, for an image and for a collection."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from emoviz.analysis.textures import carried_share, carried_shares
from emoviz.inference.content_style_split import BIAS, SEMANTIC, ContentStyleSplit, NoSplit
from emoviz.plots.explaining import shares_with_intervals, stacked_parts
from emoviz.ui.shell import Context
from emoviz.ui.textures import asking, collection
from emoviz.ui.textures.subject import ExplanationSubject
from emoviz.ui.wording import wording
from emoviz.ui.words import counted, plain

_ROUGHNESS = ("fine", "middle", "coarse")
_HALF_WIDTH = 1.96  # standard errors on either side of a 95 % interval
_EVERY = "anything (all images)"


def part_names(split: ContentStyleSplit) -> dict[str, str]:
    """What people read for each part."""
    names = {SEMANTIC: "content", BIAS: "constant"}
    textures = [name for name in split.parts if name not in names]
    words = _ROUGHNESS if len(textures) == len(_ROUGHNESS) else ()
    for number, name in enumerate(textures):
        grain = f" ({words[number]})" if words else ""
        names[name] = f"{name}{grain}"
    return names


def show(context: Context, subjects: Sequence[ExplanationSubject]) -> None:
    """The bars of one image or two, the branches of the modules, and a collection's shares."""
    assert context.checkpoint is not None
    splits = [asking.split_of(context, subject) for subject in subjects]
    known = [found for found in splits if isinstance(found, ContentStyleSplit)]
    if len(known) < len(splits):
        reason = next(found.reason for found in splits if isinstance(found, NoSplit))
        st.info(reason, icon=":material/call_split:")
        return
    unit = wording(context.checkpoint.card.taxonomy).unit
    st.markdown(
        f"The score (logit) of each {unit} is a sum, without approximation: **content** (what the "
        "backbone recognises), one part for each **texture** module (how it is made: textures and "
        "colours, whatever their place), and a constant. Bars to the right speak for it, to the "
        "left against it; the diamond is the sum."
    )
    for number, (split, subject) in enumerate(zip(known, subjects, strict=True)):
        if len(subjects) > 1:
            st.markdown(f"**{plain(subject.title)}**")
        one = {name: values[0] for name, values in split.parts.items()}
        figure = stacked_parts(split.classes, one, part_names(split), split.logits[0])
        figure.update_xaxes(range=_reach(known))
        st.plotly_chart(figure, key=f"parts-image-{number}")
        st.markdown(_summary(split, subject))
    if not known[0].textures:
        st.info(
            "This network has no Gram modules: its whole verdict is one semantic part.",
            icon=":material/info:",
        )
        return
    with st.expander("Each texture part in two: Gram matrix and convolution"):
        for number, split in enumerate(known):
            st.plotly_chart(_branches(split), key=f"parts-branches-{number}")
        st.caption(
            "A Gram module adds a branch that reads the Gram matrix (which textures go together) "
            "and one that reads averages of a 1x1 convolution (how much of each)."
        )
    _collection(context, unit)


def _reach(splits: Sequence[ContentStyleSplit]) -> tuple[float, float]:
    """Ends of an axis on which the bars of all the images can be compared."""
    values = np.stack([list(found.parts.values()) for found in splits])  # (images, P, 1, C)
    low, high = (np.where(values * sign > 0, values, 0).sum(axis=1) for sign in (-1, 1))
    room = 0.04 * float(high.max() - low.min()) or 1.0
    return float(low.min()) - room, float(high.max()) + room


def _summary(split: ContentStyleSplit, subject: ExplanationSubject) -> str:
    """What decided between the two most likely classes."""
    (first, _), (second, _) = subject.prediction.ranked[:2]
    i, j = split.classes.index(first), split.classes.index(second)
    content = float(split.parts[SEMANTIC][0, i] - split.parts[SEMANTIC][0, j])
    texture = sum(float(split.parts[k][0, i] - split.parts[k][0, j]) for k in split.textures)
    return (
        f"Between **{first}** and **{second}**, content counts {content:+.2f} and texture "
        f"{texture:+.2f} towards {first}."
    )


def _branches(split: ContentStyleSplit) -> "object":
    pieces, names = {}, {}
    for name, two in split.branches.items():
        for branch, values in (("Gram", two.gram), ("convolution", two.conv)):
            pieces[f"{name} {branch}"] = values[0]
            names[f"{name} {branch}"] = f"{name.removeprefix('texture, ')}, {branch}"
    return stacked_parts(split.classes, pieces, names)


def _collection(context: Context, unit: str) -> None:
    box = st.expander(
        f"Which {unit}s lean on texture? Over a collection",
        icon=":material/collections:",
        on_change="rerun",
        key="parts-collection",
    )
    if not box.open:
        return
    with box:
        styled = collection.choose(context)
        if styled is None:
            return
        if not isinstance(styled.split, ContentStyleSplit) or len(styled.points) < 2:
            st.info("Shares need two images at least.", icon=":material/info:")
            return
        _leaning(styled, styled.split, unit)
        _of_class(styled, styled.split, unit)


def _leaning(styled: collection.Styled, split: ContentStyleSplit, unit: str) -> None:
    """What makes the images' logits differ, class by class, with intervals."""
    share = carried_share(split.parts, split.textures)
    order = [int(i) for i in np.argsort(-np.nan_to_num(share.value, nan=-1.0), kind="stable")]
    shares = carried_shares(split.parts)
    classes = [split.classes[i] for i in order]
    moving = {k: 100 * v[order] for k, v in shares.items() if k != BIAS}
    figure = stacked_parts(
        classes, moving, part_names(split), unit="% of what makes the images differ"
    )
    st.plotly_chart(figure, key="parts-shares")
    texture = shares_with_intervals(
        classes, 100 * share.value[order], 100 * _HALF_WIDTH * share.error[order]
    )
    st.markdown(f"**All texture parts together**, with 95 % intervals, n = {len(styled.points):,}:")
    st.plotly_chart(texture, key="parts-texture")
    first, last = order[0], order[-1]
    apart = share.value[first] - share.value[last]
    clear = apart > _HALF_WIDTH * float(np.hypot(share.error[first], share.error[last]))
    words = (
        f"**{classes[0]}** leans on texture most and **{classes[-1]}** least."
        if clear
        else f"no {unit} leans on texture clearly more than another."
    )
    st.markdown(
        f"Over {styled.title}, {words} A part's share is its covariance with the whole score, so "
        "the shares of each row add up to 100 %; a part that works against the others is below 0."
    )


def _of_class(styled: collection.Styled, split: ContentStyleSplit, unit: str) -> None:
    """The mean parts of the images of one class, or of all."""
    points = styled.points
    assert points.predicted is not None
    counts = np.bincount(points.predicted, minlength=len(split.classes))
    options = [_EVERY, *(name for name, n in zip(split.classes, counts, strict=True) if n)]
    chosen = st.selectbox(
        f"The parts themselves, averaged over the images whose most likely {unit} is",
        options,
        key=f"parts-class-{'-'.join(split.classes)[:40]}",
        persist_state="session",
        width=420,
    )
    rows = (
        np.arange(len(points))
        if chosen not in split.classes
        else np.flatnonzero(points.predicted == split.classes.index(chosen))
    )
    mean = {name: values[rows].mean(axis=0) for name, values in split.parts.items()}
    figure = stacked_parts(
        split.classes, mean, part_names(split), split.logits[rows].mean(axis=0), "mean logit"
    )
    st.plotly_chart(figure, key="parts-mean")
    st.caption(f"Mean over {counted(len(rows), 'image')}.")
