"""From a trained network to a checkpoint: calibration, novelty, held-out measures, card."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray

import emoviz
from emoviz.analysis.evaluation import Evaluation, evaluate
from emoviz.analysis.measures import expected_calibration_error, negative_log_likelihood
from emoviz.checkpoints import Card
from emoviz.data.records import LabelledSet
from emoviz.inference.predict import softmax
from emoviz.labels import Bridge, Taxonomy, bridge_between, get_taxonomy
from emoviz.models.novelty import Novelty, fit_novelty
from emoviz.training.loop import Training
from emoviz.training.recipe import SetPart
from emoviz.training.targets import Targets

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outputs:
    """What the finished network gives for the plain views of some images, in their order."""

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    pooled: NDArray[np.float32]


@torch.inference_mode()
def outputs(state: Training, targets: Targets) -> Outputs:
    """Pass images through the finished network once, in float32."""
    parts = []
    for _, images in state.maker.batches(targets.records, np.arange(len(targets)), 32, None):
        parts.append(state.network(state.normalise.cpu()(images)))
    return Outputs(*(torch.cat(column).numpy() for column in zip(*parts, strict=True)))


def fit_temperature(logits: NDArray[np.floating], targets: Targets) -> float:
    """The temperature that makes the majority labels most likely (Guo et al. 2017).

    Args:
        logits: (N, C) of images that were not trained on.
        targets: Theirs; the label with most votes counts, through its bridge.
    """
    truth = one_hot_majority(targets)

    def loss(log_t: float) -> float:
        return negative_log_likelihood(_scores(logits, float(np.exp(log_t)), targets), truth)

    low, high = np.log(0.05), np.log(20.0)
    for _ in range(60):  # golden section: the loss has one minimum in log T
        a, b = high - 0.618034 * (high - low), low + 0.618034 * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp((low + high) / 2))


def one_hot_majority(targets: Targets) -> Floats:
    """(N, S) 1 at the label with most votes."""
    rows = np.zeros(targets.shares.shape)
    rows[np.arange(len(targets)), targets.shares.argmax(axis=1)] = 1.0
    return rows


def calibration_error(logits: NDArray[np.floating], temperature: float, targets: Targets) -> float:
    """ECE of the predicted label against the majority, 15 bins."""
    scores = np.minimum(_scores(logits, temperature, targets), 1.0)
    right = scores.argmax(axis=1) == targets.shares.argmax(axis=1)
    return expected_calibration_error(scores.max(axis=1), right)


def make_card(
    state: Training,
    sets: Sequence[LabelledSet],
    targets: Targets,
    pretrained: str,
    device: str,
    seconds: float,
) -> tuple[Card, Novelty]:
    """Calibrate, set the novelty threshold, measure on the test split, and write it all down."""
    recipe = state.recipe
    taxonomy = get_taxonomy(recipe.taxonomy)
    train, validation, test = (targets.of_split(s) for s in ("train", "validation", "test"))
    out_train, out_validation, out_test = (outputs(state, t) for t in (train, validation, test))
    temperature = fit_temperature(out_validation.logits, validation)
    novelty = fit_novelty(out_train.pooled, out_validation.pooled)
    flagged = float((novelty.distance(out_test.pooled) > 1).mean())
    card = Card(
        id=recipe.name,
        title=recipe.title,
        summary=recipe.summary,
        taxonomy=taxonomy,
        network=state.network.config.to_dict(),
        preprocessing=state.preprocessing,
        temperature=round(temperature, 4),
        width=state.network.width,
        recipe=recipe.to_dict(),
        data=tuple(_data_entry(item, targets, state) for item in sets),
        measures=_measures(out_test, test, sets, taxonomy, temperature),
        calibration={
            "method": "temperature, fitted to the majority labels of the validation split",
            "ece_validation_before": _round(
                calibration_error(out_validation.logits, 1.0, validation)
            ),
            "ece_validation_after": _round(
                calibration_error(out_validation.logits, temperature, validation)
            ),
            "ece_test_before": _round(calibration_error(out_test.logits, 1.0, test)),
            "ece_test_after": _round(calibration_error(out_test.logits, temperature, test)),
        },
        novelty={
            "rule": "An image is called unlike the training images when the distance of its pooled "
            "backbone vector from theirs (Gaussian on their principal components, plus what lies "
            "outside them) is larger than for 99 in 100 validation images.",
            "directions": int(novelty.axes.shape[1]),
            "flagged_test": _round(flagged),
        },
        seed=recipe.seed,
        versions={
            "emoviz": emoviz.__version__,
            "torch": torch.__version__,
            "timm": timm.__version__,
            "python": platform.python_version(),
            "backbone_weights": pretrained,
            "trained_on": f"{device}, {seconds / 60:.0f} minutes",
        },
        licence=recipe.licence,
        intended_use=recipe.intended_use,
        limits=recipe.limits,
    )
    return card, novelty


def _scores(logits: NDArray[np.floating], temperature: float, targets: Targets) -> Floats:
    probabilities = softmax(logits, temperature)
    matrices = targets.bridges[targets.sets]
    return np.asarray(np.einsum("nsc,nc->ns", matrices, probabilities))


def _measures(
    out: Outputs,
    test: Targets,
    sets: Sequence[LabelledSet],
    taxonomy: Taxonomy,
    temperature: float,
) -> dict[str, Any]:
    measured = {}
    for i, item in enumerate(sets):
        rows = np.flatnonzero(test.sets == i)
        if len(rows):
            result = evaluate_rows(
                out, test, rows, bridge_between(taxonomy, item.taxonomy), temperature
            )
            measured[f"{item.name}, test split"] = summary(result)
    return measured


def evaluate_rows(
    out: Outputs, targets: Targets, rows: NDArray[np.int64], bridge: Bridge, temperature: float
) -> Evaluation:
    """Evaluate some rows of one set; the label is the majority over all answers."""
    labels = np.array([targets.records[i].label for i in rows], np.int64)
    return evaluate(softmax(out.logits[rows], temperature), out.embedding[rows], labels, bridge)


def summary(result: Evaluation) -> dict[str, Any]:
    """The headline numbers of an evaluation, rounded for the card."""
    crossing = result.cross_sentiment
    return {
        "n": result.n,
        "accuracy": _round(result.accuracy),
        "macro_f1": _round(result.macro_f1),
        "sentiment_accuracy": _round(result.sentiment_accuracy),
        "cross_sentiment": _round(crossing["none"].rate),
        "cross_sentiment_0.3": _round(crossing["0.3"].rate),
        "ari": _round(result.clustering.ari),
        "nmi": _round(result.clustering.nmi),
        "asr": _round(result.clustering.asr),
        "ece": _round(result.ece),
    }


def _data_entry(item: LabelledSet, targets: Targets, state: Training) -> dict[str, Any]:
    part = state.recipe.data.sets.get(item.taxonomy.name, SetPart())
    number = targets.names.index(item.name)
    mine = [r for r, s in zip(targets.records, targets.sets, strict=True) if s == number]
    counts = {
        split: sum(record.split == split for record in mine)
        for split in ("train", "validation", "test")
    }
    return {
        "name": part.title or item.name,
        "source": part.source,
        "terms": part.terms,
        "taxonomy": item.taxonomy.name,
        "targets": "vote shares" if item.votes else "labels",
        "images": len(item.records) + len(item.refused),
        "used": len(mine),
        "refused": len(item.refused),
        **counts,
        "grouped": any(record.group != record.name for record in mine),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def without_unreadable(item: LabelledSet, reasons: dict[str, str]) -> LabelledSet:
    """The set without the files that cannot be read, which join its refusals."""
    kept = tuple(record for record in item.records if record.name not in reasons)
    return replace(item, records=kept, refused=(*item.refused, *reasons.items()))
