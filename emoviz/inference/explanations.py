"""Ways to explain an answer that need the network, an image and a class, and nothing else.

Grad-CAM, integrated gradients and occlusion, which have choices of their own, are in
`emoviz.inference.attribution`; these stand beside them on the page, in the API and on the command
line, those of plug-ins too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emoviz.errors import CheckpointError
from emoviz.inference.attribution import HeatMap, Map
from emoviz.inference.explainer import Bytes, Explainer
from emoviz.inference.rollout import attention_rollout
from emoviz.plugins import PluginError, Registry


@dataclass(frozen=True)
class ExplanationMethod:
    """One way to explain.

    Attributes:
        title: For people.
        how: What it shows, in a sentence or two.
        explain: From the network, an image (side, side, 3) in bytes and the index of a class to a
            map (side, side); raises `CheckpointError` for a network that it does not fit.
        signed: Whether values below 0 speak against the class.
        marks: What the places did that it marks.
    """

    title: str
    how: str
    explain: Callable[[Explainer, Bytes, int], Map]
    signed: bool = True
    marks: str = "spoke for the class"


EXPLANATIONS = Registry(
    "emoviz.explanations",
    ExplanationMethod,
    {
        "rollout": ExplanationMethod(
            "Attention rollout",
            "Attention rollout follows a vision transformer's attention from its answer back to "
            "the patches: where it looked, the same for every class.",
            attention_rollout,
            signed=False,
            marks="is where the network looked",
        )
    },
)


def explain_by(method: str, explainer: Explainer, image: Bytes, index: int) -> HeatMap:
    """The heat map of one of `EXPLANATIONS`.

    Raises:
        CheckpointError: There is no such method, or it does not fit the network.
        PluginError: It is a plug-in's and failed, or gave no map.
    """
    if method not in EXPLANATIONS:
        raise CheckpointError(
            f"There is no method '{method}'. Known: gradcam, ig, occlusion, words, "
            f"{', '.join(EXPLANATIONS)}."
        )
    given = EXPLANATIONS.guarded(
        method,
        lambda: np.asarray(EXPLANATIONS[method].explain(explainer, image, index), np.float32),
    )
    if given.shape != (explainer.side, explainer.side) or not np.isfinite(given).all():
        raise PluginError(
            f"The plug-in '{method}' failed (a map of {given.shape}, wanted finite values of "
            f"{explainer.side} x {explainer.side})"
        )
    return HeatMap(explainer.classes[index], given)
