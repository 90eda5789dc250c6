"""Style or content: each class's logit as a sum of parts, for an image and for a collection."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from emoviz.analysis.textures import carried_shares
from emoviz.inference.parts import BIAS, SEMANTIC, NoSplit, Split
from emoviz.plots.explaining import stacked_parts
from emoviz.ui.shell import Context
from emoviz.ui.textures import asking
from emoviz.ui.textures.regions import timed
from emoviz.ui.textures.subject import Subject
from emoviz.ui.wording import wording

_ROUGHNESS = ("fine", "middle", "coarse")


def part_names(split: Split) -> dict[str, str]:
    """What people read for each part."""
    names = {SEMANTIC: "content", BIAS: "constant"}
    textures = [name for name in split.parts if name not in names]
    words = _ROUGHNESS if len(textures) == len(_ROUGHNESS) else ()
    for number, name in enumerate(textures):
        grain = f" ({words[number]})" if words else ""
        names[name] = f"{name}{grain}"
    return names


def show(context: Context, subject: Subject) -> None:
    """The bars of one image, the branches of its Gram modules, and the collection's shares."""
    assert context.checkpoint is not None
    split = asking.split_of(context, subject)
    if isinstance(split, NoSplit):
        st.info(split.reason, icon=":material/call_split:")
        return
    names = part_names(split)
    unit = wording(context.checkpoint.card.taxonomy).unit
    st.markdown(
        f"The score (logit) of each {unit} is a sum, without approximation: **content** (what the "
        "backbone recognises), one part for each **texture** module (how it is made: textures and "
        "colours, whatever their place), and a constant. Bars to the right speak for it, to the "
        "left against it; the diamond is the sum."
    )
    one = {name: values[0] for name, values in split.parts.items()}
    figure = stacked_parts(split.classes, one, names, split.logits[0])
    st.plotly_chart(figure, key="parts-image")
    st.markdown(_summary(split, subject))
    if not split.textures:
        st.info(
            "This network has no Gram modules: its whole verdict is one semantic part.",
            icon=":material/info:",
        )
        return
    with st.expander("Each texture part in two: Gram matrix and convolution"):
        st.plotly_chart(_branches(split), key="parts-branches")
        st.caption(
            "A Gram module adds a branch that reads the Gram matrix (which textures go together) "
            "and one that reads averages of a 1x1 convolution (how much of each)."
        )
    _collection(context, unit)


def _summary(split: Split, subject: Subject) -> str:
    """What decided between the two most likely classes."""
    (first, _), (second, _) = subject.prediction.ranked[:2]
    i, j = split.classes.index(first), split.classes.index(second)
    content = float(split.parts[SEMANTIC][0, i] - split.parts[SEMANTIC][0, j])
    texture = sum(float(split.parts[k][0, i] - split.parts[k][0, j]) for k in split.textures)
    return (
        f"Between **{first}** and **{second}**, content counts {content:+.2f} and texture "
        f"{texture:+.2f} towards {first}."
    )


def _branches(split: Split) -> "object":
    pieces, names = {}, {}
    for name, two in split.branches.items():
        for branch, values in (("Gram", two.gram), ("convolution", two.conv)):
            pieces[f"{name} {branch}"] = values[0]
            names[f"{name} {branch}"] = f"{name.removeprefix('texture, ')}, {branch}"
    return stacked_parts(split.classes, pieces, names)


def _collection(context: Context, unit: str) -> None:
    box = st.expander(
        f"Which {unit}s lean on texture? Over the sample images",
        icon=":material/collections:",
        on_change="rerun",
        key="parts-collection",
    )
    if not box.open:
        return
    with box:
        with timed("Reading the sample images") as progress:
            found = asking.sample_collection(context, progress)
        assert isinstance(found.split, Split)
        names = part_names(found.split)
        shares = carried_shares(found.split.parts)
        order = _by_texture(shares)
        classes = [found.split.classes[i] for i in order]
        moving = {k: 100 * v[order] for k, v in shares.items() if k != BIAS}
        st.plotly_chart(
            stacked_parts(classes, moving, names, unit="% of what makes images differ"),
            key="parts-shares",
        )
        leaning, least = classes[0], classes[-1]
        st.markdown(
            f"Over these {len(found.files)} images, **{leaning}** leans on texture most and "
            f"**{least}** least. A part's share is its covariance with the whole score, so the "
            "shares of each row add up to 100 %."
        )
        mean = {name: values.mean(axis=0) for name, values in found.split.parts.items()}
        st.caption("The parts themselves, averaged over the same images:")
        st.plotly_chart(
            stacked_parts(
                found.split.classes, mean, names, found.split.logits.mean(axis=0), "mean logit"
            ),
            key="parts-mean",
        )


def _by_texture(shares: Mapping[str, np.ndarray]) -> list[int]:
    """Classes, those that lean on texture most first."""
    content = np.nan_to_num(shares[SEMANTIC], nan=1.0)
    return [int(i) for i in np.argsort(content, kind="stable")]
