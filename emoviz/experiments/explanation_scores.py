"""Whether methods that explain mean anything on a whole collection, each against chance.

Of every image the likeliest class is explained. Deletion and insertion (Petsiuk et al., BMVC 2018)
are set against random maps on the same image, so the gains are paired; and the map is set beside
that of a network whose weights are in random order (Adebayo et al., NeurIPS 2018): a method whose
maps stay the same shows the image, not what the network learned.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz import __version__
from emoviz.data.dataset import Dataset
from emoviz.data.images import Limits, open_image
from emoviz.errors import CheckpointError, ImageError
from emoviz.experiments.statistics import Spread, spread
from emoviz.files import read_json, write_json
from emoviz.inference.attribution import Map, grad_cam, integrated_gradients, occlusion
from emoviz.inference.cache import fingerprint
from emoviz.inference.clauses import hide_regions
from emoviz.inference.embedding_table import Progress
from emoviz.inference.engines import Engine, TorchEngine
from emoviz.inference.explainer import Bytes, Explainer, load_explainer
from emoviz.inference.explanations import explain_by
from emoviz.inference.faithfulness import area, deletion_and_insertion, random_map
from emoviz.inference.predict import Model
from emoviz.inference.rollout import has_attention
from emoviz.settings import Settings

METHODS = ("gradcam", "rollout", "ig", "occlusion", "words")  # and any plug-in's, by name
RIVALS = 3  # random maps an image
_STEPS = 48  # of integrated gradients; the page takes up to 160 for one image
_FORMAT = 2


@dataclass(frozen=True)
class MethodScore:
    """One method on n images; differences in probability, means over the curves.

    Attributes:
        deletion: How much lower the class's probability runs than under random maps while the
            most important places go first.
        insertion: How much higher it runs while they come first.
        deletion_area: Area under the deletion curve, 0 to 1; smaller is better.
        insertion_area: Under the insertion curve; larger is better.
        likeness: Spearman's correlation with the map of the network in disorder; None where no map
            of it had two values.
    """

    deletion: Spread
    insertion: Spread
    deletion_area: Spread
    insertion_area: Spread
    likeness: Spread | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, and what may be claimed."""
        found = {
            name: None if value is None else {**value.to_dict(), "n": len(value.values)}
            for name, value in vars(self).items()
        }
        for row in found.values():
            if row is not None:
                del row["values"]
        return {**found, "claim": self.claim}

    @property
    def claim(self) -> str:
        """What may be said, in words."""
        above = [x.interval is not None and x.interval[0] > 0 for x in self._gains]
        told = (
            "It does no better than random maps: make nothing of it.",
            "One of the two tests speaks for it: take it with care.",
            "Both tests speak for it: the places that it marks matter to the network.",
        )[sum(above)]
        same = self.likeness is not None and self.likeness.interval
        if same and self.likeness is not None and self.likeness.mean > 0.5:
            told += " But its maps hardly change when the weights are put in disorder."
        return told

    @property
    def _gains(self) -> tuple[Spread, Spread]:
        return self.deletion, self.insertion


def score_explanations(
    model: Model,
    collection: Dataset,
    settings: Settings,
    images: int = 30,
    seed: int = 0,
    methods: Sequence[str] = METHODS,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Score methods on images of a collection that are drawn by their names; kept at home.

    Args:
        model: Whose answers are explained.
        collection: The images; without labels too.
        settings: Where scores are kept, and what is refused.
        images: How many are drawn at most.
        seed: Of the draw, of the random maps and of the disorder.
        methods: Which; those that do not fit the network are left out.
        progress: Called with (images done, images).

    Returns:
        ``methods`` -> `MethodScore` as plain values; ``found``, ``taken`` and ``problems`` of the
        images that were drawn, ``of`` how many.

    Raises:
        CheckpointError: Fewer than two images can be read, or no method fits the network.
    """
    file = scores_file(settings, model, str(collection.path), images, seed)
    if tuple(methods) == METHODS and (found := read_json(file)) is not None:
        return found
    scorer = _Scorer.of(model, settings, methods, seed)
    drawn = sorted(collection.records, key=lambda record: _place(seed, record.name))[:images]
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in scorer.methods}
    problems, limits = [], Limits.of(settings)
    for done, record in enumerate(drawn, 1):
        try:
            data = record.read(limits)
            short = model.checkpoint.card.preprocessing.short_side
            pixels = model.checkpoint.card.preprocessing.to_array(
                open_image(data, limits, short).pixels
            )
        except ImageError as error:
            problems.append({"what": record.name, "reason": str(error)})
            continue
        for name, row in scorer.of_image(pixels).items():
            rows[name].append(row)
        if progress is not None:
            progress(done, len(drawn))
    taken = len(drawn) - len(problems)
    if taken < 2:
        raise CheckpointError(f"{taken} images can be read; two are wanted at least.")
    values = {
        "format": _FORMAT,
        "checkpoint": model.checkpoint.card.id,
        "set": collection.name,
        "of": len(collection),
        "found": len(drawn),
        "taken": taken,
        "problems": problems,
        "seed": seed,
        "methods": {name: _score(row).to_dict() for name, row in rows.items()},
    }
    if tuple(methods) == METHODS:
        write_json(file, values)
    return values


def scores_file(settings: Settings, model: Model, path: str, images: int, seed: int = 0) -> Path:
    """Where the scores of all methods on a collection are kept."""
    parts = (_FORMAT, __version__, fingerprint(model.checkpoint), path, images, seed)
    key = hashlib.sha256(repr(parts).encode(errors="surrogateescape")).hexdigest()[:16]
    return settings.home / "explanations" / f"{key}.json"


def in_disorder(explainer: Explainer, seed: int) -> Explainer:
    """The network with the values of each of its weights in random order; the other stays."""
    import torch

    fresh = load_explainer(explainer.checkpoint, Settings(device="cpu"))
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in fresh.network.parameters():
            order = torch.randperm(weight.numel(), generator=draw)
            weight.copy_(weight.flatten()[order].reshape(weight.shape))
    return replace(fresh, network=fresh.network.to(explainer.device), device=explainer.device)


@dataclass(frozen=True)
class _Scorer:
    """What scores one image after another."""

    engine: Engine
    explainer: Explainer
    other_engine: Engine
    other: Explainer
    methods: tuple[str, ...]
    random: np.random.Generator

    @classmethod
    def of(cls, model: Model, settings: Settings, methods: Sequence[str], seed: int) -> "_Scorer":
        explainer = load_explainer(model.checkpoint, settings)
        attends = has_attention(explainer)
        fits = {"gradcam": bool(explainer.stages) and not attends, "rollout": attends}
        able = tuple(name for name in methods if fits.get(name, True))
        if not able:
            raise CheckpointError(f"{', '.join(methods)} does not fit this network.")
        other = in_disorder(explainer, seed)
        engine = TorchEngine(model.checkpoint, other.device, other.network)
        return cls(model.engine, explainer, engine, other, able, np.random.default_rng(seed))

    def of_image(self, pixels: Bytes) -> dict[str, dict[str, float]]:
        card = self.explainer.checkpoint.card
        index = int(self.engine.run(pixels[None]).logits[0].argmax())
        maps = [
            self._map(name, self.explainer, self.engine, pixels, index) for name in self.methods
        ]
        chance = [random_map(len(pixels), self.random) for _ in range(RIVALS)]
        curves = [
            deletion_and_insertion(
                self.engine, pixels, heat, index, card.preprocessing, card.temperature
            )
            for heat in (*maps, *chance)
        ]
        areas = np.array([[area(curve) for curve in pair] for pair in curves])
        deleted, inserted = areas[len(maps) :].mean(axis=0)
        rows: dict[str, dict[str, float]] = {}
        for name, heat, (gone, shown) in zip(self.methods, maps, areas, strict=False):
            disordered = self._map(name, self.other, self.other_engine, pixels, index)
            rows[name] = {
                "deletion": deleted - gone,
                "insertion": shown - inserted,
                "deletion_area": gone,
                "insertion_area": shown,
                "likeness": _likeness(heat, disordered),
            }
        return rows

    def _map(
        self, name: str, explainer: Explainer, engine: Engine, pixels: Bytes, index: int
    ) -> Map:
        if name == "gradcam":
            return grad_cam(explainer, pixels, [index], explainer.stages[-1])[0].values
        if name == "ig":
            return integrated_gradients(explainer, pixels, index, _STEPS).values
        card = explainer.checkpoint.card
        if name == "words":
            return hide_regions(engine, pixels, card).about(explainer.classes[index]).heat().values
        if name != "occlusion":
            return explain_by(name, explainer, pixels, index).values
        lost: Map = occlusion(engine, pixels, card.preprocessing)[index]
        return lost


def _likeness(one: Map, other: Map) -> float:
    """Spearman's correlation of two maps' places; NaN where one of them has but one value."""
    from scipy.stats import rankdata

    ranks = [rankdata(heat.ravel()) for heat in (one, other)]
    if min(np.ptp(rank) for rank in ranks) == 0:
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def _score(rows: Sequence[dict[str, float]]) -> MethodScore:
    columns: dict[str, NDArray[np.float64]] = {
        name: np.array([row[name] for row in rows]) for name in rows[0]
    }
    found = {
        name: spread(dict(enumerate(column[~np.isnan(column)].tolist())))
        for name, column in columns.items()
    }
    likeness = found.pop("likeness")
    known = {name: value for name, value in found.items() if value is not None}
    return MethodScore(**known, likeness=likeness)


def _place(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).hexdigest()
