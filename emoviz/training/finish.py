"""From a trained network to a checkpoint: calibration, novelty, held-out measures, card."""

import itertools
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import nn

import emoviz
from emoviz.analysis.alignment import ModelOutputs, judge
from emoviz.analysis.calibration_error import expected_calibration_error
from emoviz.analysis.clustering import CLUSTER_METRICS, group_images
from emoviz.analysis.cross_sentiment import at_thresholds
from emoviz.analysis.metrics import class_scores, negative_log_likelihood
from emoviz.analysis.metrics import measure as measure_answers
from emoviz.analysis.resampling import Intervals
from emoviz.checkpoints import Card
from emoviz.data.dataset import SPLITS, Dataset, Record
from emoviz.data.hash_filter import FALSE_POSITIVES, SeenImages
from emoviz.data.image_statistics import look_at
from emoviz.data.images import Limits
from emoviz.data.lineage import lineage_words
from emoviz.inference.predict import softmax
from emoviz.labels import Bridge, bridge_between
from emoviz.models.export import ExportedGraph
from emoviz.models.network import EmotionNetwork
from emoviz.models.novelty import (
    Content,
    Novelty,
    describe,
    describe_content,
    fit_novelty,
    with_threshold,
)
from emoviz.training.batches import on_all_features
from emoviz.training.features import FeatureSource
from emoviz.training.measures_beside import describe_dimensions, measure_beside
from emoviz.training.recipe import Recipe
from emoviz.training.state import Training
from emoviz.training.targets import Rows, Targets

Floats = NDArray[np.float64]
MAJORITY = "the label with most votes among those that a class may be called, for images"
_BANDS = {2: "two of four bands", 3: "three of four bands", 4: "all four bands"}
NOVELTY_RULE = (
    "An image is called unlike the training images when the strengths of its textures (log of the "
    "diagonals of the Gram matrices, all selected layers but the deepest) lie farther from theirs "
    "(Mahalanobis distance) than 1.1 times the distance that 99 in 100 held-out images keep within."
)
AREAS = "area under the ROC curve of a kind of image held out whole"
CONTENT_RULE = (
    " It is called so, too, when what it shows (128 components of the pooled vector h) is farther "
    "from every kind of training image, and harder to assign to one of them by content and "
    "textures, than with 99 in 100 held-out images (sum of both ranks). Where its textures are not "
    "that far, that sum is its distance."
)


def _none() -> NDArray[np.float32]:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class Outputs:
    """What a finished network gives for the plain views of some images, in their order.

    Attributes are those of `emoviz.models.network.Output`, but what it gives for each kind.
    """

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    pooled: NDArray[np.float32]
    energy: NDArray[np.float32]
    dimensions: NDArray[np.float32] = field(default_factory=_none)
    kinds: NDArray[np.float32] = field(default_factory=_none)

    def __post_init__(self) -> None:
        for name in ("dimensions", "kinds"):  # of a network without them, a row for each image
            if len(getattr(self, name)) != len(self.logits):
                object.__setattr__(self, name, np.zeros((len(self.logits), 0), np.float32))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """By their names, in order."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def none(cls, network: EmotionNetwork) -> "Outputs":
        """Those of no image."""
        empty = np.zeros((0, 1), np.float32)
        u = np.zeros((0, network.width), np.float32)
        return cls(empty, u, empty, empty, empty, empty)

    @classmethod
    def joined(cls, parts: Sequence[tuple[torch.Tensor, ...]]) -> "Outputs":
        """Batches one after the other."""
        columns = (torch.cat(column).float().numpy() for column in zip(*parts, strict=True))
        return cls(*itertools.islice(columns, len(fields(cls))))


@dataclass(frozen=True)
class HeldOut:
    """What networks that were not trained on some images make of them.

    Attributes:
        words: Which images these are, for the card.
        targets: Of the images.
        outputs: In the same order.
        folds: (N,) which network each came from; all 0 where it is one.
        content_measures: (N, 2) of what each shows, from `content_held_out`; no row where h does
            not hang on the network, or where not known.
    """

    words: str
    targets: Targets
    outputs: Outputs
    folds: Rows
    content_measures: Floats = field(default_factory=lambda: np.zeros((0, 2)))


@dataclass(frozen=True)
class FinalMeasures:
    """What the card says of a finished network besides its recipe."""

    temperature: float
    calibration: Mapping[str, Any]
    measures: Mapping[str, Any]
    novelty: Novelty | None
    novelty_words: Mapping[str, Any]
    dimensions: Mapping[str, Any] = field(default_factory=dict)


@torch.no_grad()  # not inference mode: a network that was moved in it cannot be exported
def outputs(state: Training, targets: Targets) -> tuple[Targets, Outputs]:
    """Pass images through the finished network once, in float32, as an engine would.

    Returns:
        The targets of the images that can still be read, and what the network makes of them.
    """
    module = ExportedGraph(state.network, state.preprocessing).eval().to(state.device)
    batches = state.maker.batches(targets.records, np.arange(len(targets)), 32, None)
    rows: list[Rows] = [np.arange(0)]
    parts = []
    for index, images in batches:
        rows.append(index)
        parts.append(tuple(part.cpu() for part in module(images.to(state.device))))
    module.to("cpu")
    kept = np.concatenate(rows)
    if len(kept) < len(targets):
        missing = sorted(set(range(len(targets))) - set(kept.tolist()))
        names = ", ".join(targets.records[i].name for i in missing[:5])
        state.tell(f"{len(missing)} images cannot be read any more and are not measured: {names}")
    made = Outputs.joined(parts) if parts else Outputs.none(state.network)
    return targets.rows(kept), made


@torch.no_grad()
def outputs_on_features(state: Training, source: FeatureSource, targets: Targets) -> Outputs:
    """The same where the layers up to the last Gram layer never changed, from kept features."""
    features = source.of(targets, 1, 0)
    parts = on_all_features(state, features, len(targets))
    return Outputs.joined([tuple(out) for _, out in parts])


def _outputs(state: Training, targets: Targets) -> tuple[Targets, Outputs]:
    """From kept whole maps where there are some, else by passing the images once more."""
    if len(targets) and state.features.is_whole:
        return targets, outputs_on_features(state, state.features, targets)
    return outputs(state, targets)


def measure_splits(state: Training, targets: Targets) -> FinalMeasures:
    """Calibrate and set the novelty threshold on validation, measure on test."""
    recipe = state.recipe
    validation, test = (
        HeldOut(f"{split} split", part, made, np.zeros(len(part), np.int64))
        for split in SPLITS[1:]
        for part, made in (_outputs(state, targets.of_split(split)),)
    )
    watched = len(validation.targets) > 0
    temperature = 1.0
    if watched:
        temperature = fit_temperature(validation.outputs.logits, validation.targets)
    calibration = {
        "method": f"temperature, fitted to {MAJORITY} of the validation split "
        f"({counted_images(validation.targets)})"
        if watched
        else "none: there is no validation split",
        "measured_on": f"test split ({counted_images(test.targets)})",
        "ece_before": _rounded(calibration_error(test, np.ones(len(test.targets)))),
        "ece_after": _rounded(calibration_error(test, np.full(len(test.targets), temperature))),
    }
    novelty, flagged = None, None
    width = novelty_width(state.network)
    if width and watched:
        seen, known = _outputs(state, targets.of_split("train"))
        novelty = fit_novelty(known.energy[:, :width], validation.outputs.energy[:, :width])
        content = describe_content(known.energy, known.pooled, seen.kinds)
        if content is not None:
            made = validation.outputs
            content = content.ranked(content.measures(made.energy, made.pooled))
            novelty = replace(novelty, content=content)
        distance = novelty.distance(test.outputs.energy, test.outputs.pooled)
        flagged = float((distance > 1).mean())
    measures = measure(test, np.full(len(test.targets), temperature), recipe)
    words = {}
    if novelty is not None:
        words = {"rule": _rule(novelty), "flagged_test_split": _rounded(flagged)}
    beside = _dimensions(test, recipe)
    return FinalMeasures(temperature, calibration, measures, novelty, words, beside)


def counted_images(targets: Targets) -> str:
    """``72 images``, as a card says what a number stands on."""
    return "1 image" if len(targets) == 1 else f"{len(targets):,} images"


def measure_folds(
    held: HeldOut, width: int, recipe: Recipe, content: Content | None = None
) -> FinalMeasures:
    """Calibrate, set the novelty threshold and measure on networks' outputs out of their folds.

    Each fold is calibrated by the temperature of the other folds, so the measures are those of
    images that nothing was fitted to; the finished network takes the temperature of all.

    Args:
        held: What each network makes of its fold.
        width: Leading columns of the energy that novelty is judged by (`novelty_width`); 0 leaves
            novelty out.
        recipe: Gives the sets' titles.
        content: As `novelty_of_folds`.
    """
    targets, logits, folds = held.targets, held.outputs.logits, held.folds
    crossed = np.ones(len(targets))
    for k in np.unique(folds):
        others = np.flatnonzero(folds != k)
        crossed[folds == k] = fit_temperature(logits[others], targets.rows(others))
    calibration = {
        "method": f"temperature, fitted to {MAJORITY} out of their folds "
        f"({counted_images(targets)})",
        "measured_on": held.words + ", each fold with the temperature of the others",
        "ece_before": _rounded(calibration_error(held, np.ones(len(targets)))),
        "ece_after": _rounded(calibration_error(held, crossed)),
    }
    novelty, words = novelty_of_folds(held, width, recipe, content)
    temperature = fit_temperature(logits, targets)
    measures, beside = measure(held, crossed, recipe), _dimensions(held, recipe)
    return FinalMeasures(temperature, calibration, measures, novelty, words, beside)


def measure(held: HeldOut, temperatures: Floats, recipe: Recipe) -> dict[str, Any]:
    """Headline numbers for each set among the images; u is clustered network by network."""
    probabilities = softmax(held.outputs.logits, temperatures[:, None])
    measured = {}
    targets = held.targets
    sets = zip(targets.names, targets.taxonomies, targets.joins, strict=True)
    for number, (name, labels, bridge) in enumerate(sets):
        rows = np.flatnonzero(targets.sets == number)
        if len(rows):
            title = recipe.data.part_of(labels, name).title or name
            measured[f"{title}, {held.words}"] = {
                **_measure_set(held, probabilities, rows, bridge),
                **measure_beside(
                    held.outputs.dimensions[rows].astype(np.float64),
                    targets.dimensions[rows].astype(np.float64),
                    np.array([targets.records[i].shares for i in rows]),
                    probabilities[rows],
                    bridge,
                    recipe.network,
                ),
            }
    return measured


def _dimensions(held: HeldOut, recipe: Recipe) -> dict[str, Any]:
    """What the card says of the outputs beside the classes."""
    outputs, targets = held.outputs.dimensions, held.targets
    return describe_dimensions(
        outputs.astype(np.float64),
        targets.dimensions.astype(np.float64),
        targets.kinds,
        recipe.network,
    )


def _measure_set(
    held: HeldOut, probabilities: Floats, rows: Rows, bridge: Bridge
) -> dict[str, Any]:
    labels = np.array([held.targets.records[i].label for i in rows], np.int64)
    networks = np.unique(held.folds[rows])
    if len(networks) == 1:
        return summary(probabilities[rows], held.outputs.embedding[rows], labels, bridge)
    result = summary(probabilities[rows], None, labels, bridge)
    parts = []
    for k in networks:
        own = held.folds[rows] == k
        u = held.outputs.embedding[rows[own]]
        parts.append(summary(probabilities[rows[own]], u, labels[own], bridge))
    for key in CLUSTER_METRICS:
        values = [part[key] for part in parts if part[key] is not None]
        if values:
            mean = _rounded(float(np.mean(values)))
            reason = f"mean over {len(values)} networks, each on its own fold"
            result[key] = mean
            result["intervals"][key] = {**result["intervals"][key], "value": mean, "reason": reason}
    return result


def fit_temperature(logits: NDArray[np.floating], targets: Targets) -> float:
    """The temperature that makes the targets' leading labels most likely (Guo et al. 2017).

    Args:
        logits: (N, C) of images that were not trained on.
        targets: Theirs. Of each image the label with most votes counts among those that a class
            may be called, through its bridge; votes for others are not seen here.
    """
    truth = np.zeros(targets.shares.shape)
    truth[np.arange(len(targets)), targets.shares.argmax(axis=1)] = 1.0

    def loss(log_t: float) -> float:
        return negative_log_likelihood(_scores(logits, np.exp(log_t), targets), truth)

    low, high = np.log(0.05), np.log(20.0)
    for _ in range(40):  # golden section: the loss has one minimum in log T
        a, b = high - 0.618034 * (high - low), low + 0.618034 * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp((low + high) / 2))


def calibration_error(held: HeldOut, temperatures: Floats) -> float:
    """ECE of the predicted label against the leading label of the targets, 15 bins."""
    scores = np.minimum(_scores(held.outputs.logits, temperatures[:, None], held.targets), 1.0)
    right = scores.argmax(axis=1) == held.targets.shares.argmax(axis=1)
    return expected_calibration_error(scores.max(axis=1), right)


def summary(
    probabilities: Floats, embedding: NDArray[np.float32] | None, labels: Rows, bridge: Bridge
) -> dict[str, Any]:
    """The metrics of some images, rounded for the card, with their confidence intervals.

    Args:
        probabilities: (N, C) of the model's classes.
        embedding: (N, D) u; None where there is no common space.
        labels: (N,) indices in the labels' taxonomy; -1 for none. Majorities of people's votes
            must be those over the merged labels: see `emoviz.data.dataset.merge_labels`.
        bridge: From the model's classes to the labels.
    """
    aligned = judge(ModelOutputs("", bridge.model, probabilities, embedding), labels, bridge)
    u = aligned.embedding
    grouping = None if u is None else group_images(u, aligned.truth)
    found = measure_answers(aligned, grouping, Intervals())
    crossing = at_thresholds(aligned.probabilities, bridge.model)
    names = aligned.labels.names
    scores = class_scores(aligned.truth, aligned.predicted, len(names))
    return {
        "n": len(aligned),
        **{name: _rounded(item.value) for name, item in found.items()},
        "intervals": {name: _rounded_values(item.to_dict()) for name, item in found.items()},
        "per_class": {
            names[c]: {
                "precision": _rounded(score.precision),
                "recall": _rounded(score.recall),
                "f1": _rounded(score.f1),
                "support": score.support,
            }
            for c, score in scores.items()
        },
        "cross_sentiment_counts": {name: value.to_dict() for name, value in crossing.items()},
    }


def seen_images(records: Sequence[Record], recipe: Recipe) -> tuple[SeenImages, dict[str, Any]]:
    """The filter of the images that were learned from, and what the card says of it."""
    learned = [r for r in records if recipe.data.folds or r.split == "train"]
    looks = look_at(learned, Limits())
    made = SeenImages.of(looks.sha256, looks.hash[looks.readable])
    size = sum(array.nbytes for array in made.to_arrays().values())
    told = {
        "images": int(looks.readable.sum()),
        "bytes": size,
        "false_positives": f"at most {made.keys * FALSE_POSITIVES:.0e} of images by chance",
        "rule": "An image counts as seen where its file is one of the training images, or where "
        f"its perceptual hash (64 bits, the {made.unsure} least certain of which are tried both "
        f"ways) shares {_BANDS[made.shared]} with one of theirs.",
    }
    return made, told


def make_card(
    state: Training,
    sets: Sequence[Dataset],
    targets: Targets,
    measured: FinalMeasures,
    origin: Mapping[str, str],
    filtered: Mapping[str, Any] | None = None,
) -> Card:
    """Write down everything that the checkpoint says of itself; see `seen_images` for the last."""
    recipe = state.recipe
    return Card(
        id=recipe.name,
        title=recipe.title,
        summary=_what_ran(state, sets, targets, origin),
        taxonomy=recipe.classes,
        network=state.network.config.to_dict(),
        preprocessing=state.preprocessing,
        temperature=round(measured.temperature, 4),
        width=state.network.width,
        recipe=recipe.to_dict(),
        data=tuple(_data_entry(item, targets, recipe) for item in sets),
        measures={name: _flat(values) for name, values in measured.measures.items()},
        calibration=measured.calibration,
        novelty=measured.novelty_words,
        dimensions=measured.dimensions,
        seen=filtered or {},
        seed=recipe.seed,
        versions={**versions(), **origin},
        licence=recipe.licence,
        intended_use=recipe.intended_use,
        limits=recipe.limits,
    )


def versions() -> dict[str, str]:
    """What a checkpoint was made with."""
    return {
        "emoviz": emoviz.__version__,
        "torch": torch.__version__,
        "timm": timm.__version__,
        "python": platform.python_version(),
    }


def _what_ran(
    state: Training, sets: Sequence[Dataset], targets: Targets, origin: Mapping[str, str]
) -> str:
    """Network, weights, loss and images as they were; a recipe's own words may be another's."""
    config = state.network.config.to_dict()
    members = config.get("members", [config])
    layers = sum(len(member["layers"]) for member in members)
    parts = [" + ".join(str(member["backbone"]) for member in members)]
    parts += [f"Gram modules on {layers} layers"] if layers else []
    parts += ["the contrastive-center loss"] if state.recipe.loss.beta else []
    entries = [_data_entry(item, targets, state.recipe) for item in sets]
    images = ", ".join(
        f"{entry['images in the finished weights']:,} images of {entry['name']}"
        for entry in entries
    )
    return (
        f"{', '.join(parts)}; backbone weights: {origin.get('backbone_weights', 'not known')}. "
        f"{len(state.recipe.classes)} classes, trained on {images}."
    )


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the tables in it: the card keeps to headline numbers, ``measures.json`` has all."""
    return {key: value for key, value in values.items() if not isinstance(value, Mapping)}


def _scores(logits: NDArray[np.floating], temperature: float | Floats, targets: Targets) -> Floats:
    matrices = targets.bridges[targets.sets]
    return np.asarray(np.einsum("nsc,nc->ns", matrices, softmax(logits, temperature)))


def novelty_width(network: nn.Module) -> int:
    """Leading columns of the energy: the Gram layers but the deepest, or the one; 0 without any."""
    if not isinstance(network, EmotionNetwork):
        return 0
    channels = network.backbone.channels
    return sum(channels[: max(1, len(channels) - 1)])


def _rule(novelty: Novelty) -> str:
    return NOVELTY_RULE + (CONTENT_RULE if novelty.content else "")


def has_frozen_backbone(recipe: Recipe) -> bool:
    """Whether h of an image is the same whichever network of the recipe is asked."""
    return all(phase.train == "heads" for phase in recipe.phases)


def content_held_out(learned: Outputs, kinds: Rows, held: Outputs) -> Floats:
    """(N, 2) `Content.measures` of held-out images, by those their own network learned from.

    Args:
        learned: What the network makes of the images that it learned from.
        kinds: (M,) theirs.
        held: What it makes of the others.

    Returns:
        No row where fewer than two kinds have images enough.
    """
    content = describe_content(learned.energy, learned.pooled, kinds)
    return np.zeros((0, 2)) if content is None else content.measures(held.energy, held.pooled)


def novelty_of_folds(
    held: HeldOut, width: int, recipe: Recipe, content: Content | None = None
) -> tuple[Novelty | None, dict[str, Any]]:
    """The statistic over all images, its thresholds by what each fold is to the others.

    Args:
        held: What networks make of the folds; the energy and, of a frozen backbone, h do not hang
            on which network it is.
        width: As `measure_folds`.
        recipe: Says whether the backbone was frozen; if not, h of a fold is compared with h by the
            same network alone (`HeldOut.content_measures`). Names the kinds.
        content: What the images show by the finished network, where the backbone was not frozen.

    Returns:
        It, and what the card says of it: the rule, the share of held-out images that it calls
        unlike, and of a frozen backbone for each kind the area under the ROC curve with which a
        description of the other kinds alone tells it from held-out images of theirs. Networks that
        were tuned would have to be trained without the kind to say that.
    """
    if not width:
        return None, {}
    energy, folds, kinds = held.outputs.energy[:, :width], held.folds, held.targets.kinds
    d = np.zeros(len(energy))
    for k in np.unique(folds):
        d[folds == k] = describe(energy[folds != k]).distance(energy[folds == k])
    novelty = with_threshold(describe(energy), d)
    unlike, areas, found = d > novelty.threshold, {}, None
    if has_frozen_backbone(recipe):
        found = _content_of_folds(held, kinds)
        for number, kind in enumerate(recipe.network.kinds if found else ()):
            area = _area_of_kind(held, number)
            areas.update({} if area is None else {kind: _rounded(area)})
    elif content is not None and len(held.content_measures) == len(kinds):
        ranked = content.ranked(held.content_measures[kinds >= 0])
        found = ranked, ranked.sum_of_ranks(held.content_measures)
    if found is not None:
        novelty, unlike = replace(novelty, content=found[0]), unlike | (found[1] > 1)
    told = {"rule": _rule(novelty), "flagged_held_out": _rounded(float(unlike.mean()))}
    return novelty, {**told, **({AREAS: areas} if areas else {})}


def _content_of_folds(held: HeldOut, kinds: Rows) -> tuple[Content, Floats] | None:
    """Content of all images of known kinds, and (N,) its distance of each by the other folds."""
    energy, pooled, folds = held.outputs.energy, held.outputs.pooled, held.folds
    found = np.zeros((len(pooled), 2))
    for k in np.unique(folds):
        own = folds == k
        part = describe_content(energy[~own], pooled[~own], kinds[~own])
        if part is None:
            return None
        found[own] = part.measures(energy[own], pooled[own])
    whole = describe_content(energy, pooled, kinds)
    if whole is None:
        return None
    whole = whole.ranked(found[kinds >= 0])
    return whole, whole.sum_of_ranks(found)


def _area_of_kind(held: HeldOut, kind: int) -> float | None:
    """How well a description of the other kinds tells this one from them: the area under ROC."""
    from sklearn.metrics import roc_auc_score

    kinds = held.targets.kinds
    found = _content_of_folds(held, np.where(kinds == kind, -1, kinds))
    some, unknown = kinds >= 0, kinds == kind
    if found is None or not unknown.any():
        return None
    return float(roc_auc_score(unknown[some], found[1][some]))


def _data_entry(item: Dataset, targets: Targets, recipe: Recipe) -> dict[str, Any]:
    part = recipe.data.part_of(item.taxonomy.name, item.name)
    number = targets.names.index(item.name)
    mine = [r for r, s in zip(targets.records, targets.sets, strict=True) if s == number]
    groups = len({record.group for record in mine})
    lineage = lineage_words(item.about)
    together = f"; works of one artist or group ({groups} of them) stay together"
    return {
        "name": part.title or item.name,
        "source": part.source or str(item.about.get("source", "")),
        "terms": part.terms or str(item.about.get("terms", "")),
        "labels": item.taxonomy.title + (", shares of votes" if item.votes else ""),
        "bridge to the classes": _bridge_words(item, recipe),
        "images": len(item.records) + len(item.problems),
        "images in the finished weights": _trained_on(mine, recipe),
        "files refused": len(item.problems),
        "kept out for measuring": _kept_out(mine, recipe)
        + (together if groups < len(mine) else ""),
        **({"lineage": "; then ".join(lineage)} if lineage else {}),
    }


def _bridge_words(item: Dataset, recipe: Recipe) -> str:
    """Which label may be which class, and which labels are dropped."""
    bridge = bridge_between(recipe.classes, item.taxonomy)
    classes = np.array(bridge.model.names)
    rows = zip(bridge.labels.names, bridge.matrix, strict=True)
    called = {label: classes[row > 0].tolist() for label, row in rows}
    if all(names == [label] for label, names in called.items()):
        return "the same labels"
    words = [f"{label}: {' or '.join(names)}" for label, names in called.items() if names]
    dropped = [label for label, names in called.items() if not names]
    outside = [*dropped, "answers outside the taxonomy"] if item.votes else dropped
    return "; ".join(words) + (f"; dropped: {', '.join(outside)}" if outside else "")


def _trained_on(records: Sequence[Record], recipe: Recipe) -> int:
    if recipe.data.folds:
        return len(records)
    return sum(record.split == "train" for record in records)


def _kept_out(records: Sequence[Record], recipe: Recipe) -> str:
    if recipe.data.folds:
        return f"each of {recipe.data.folds} folds in turn, by networks trained without it"
    counts = {split: sum(record.split == split for record in records) for split in SPLITS[1:]}
    return f"{counts['validation']} for validation, {counts['test']} for the test"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rounded_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _rounded(value) if isinstance(value, float) else value for key, value in values.items()
    }
