"""What can be said of a model's answers where nobody labelled the images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from emoviz.analysis.alignment import ModelOutputs
from emoviz.analysis.cross_sentiment import (
    CrossingCurve,
    CrossSentiment,
    at_thresholds,
    crossing_curve,
)
from emoviz.analysis.resampling import MetricEstimate, mean, share
from emoviz.labels import sentiments


@dataclass(frozen=True)
class Unlabelled:
    """Answers to N images.

    Attributes:
        n: Images.
        classes: Class -> share of the images whose likeliest class it is.
        probabilities: Class -> mean probability.
        sentiments: ``positive``, ``negative`` and ``none`` -> share of the images in which it
            holds most of the probability; empty where no class has a sentiment.
        confidence: Mean probability of the likeliest class.
        deciles: Of that probability, from the least to the largest; eleven numbers.
        entropy: Mean entropy of the probabilities as a share of the largest possible, 0 to 1.
        unlike: Share unlike the training images; missing where the model cannot tell.
        cross_sentiment: Without a threshold and at 0.3: the four counts and the rate.
        crossing: The same, as shares with intervals.
        curve: Over theta.
    """

    n: int
    classes: Mapping[str, MetricEstimate]
    probabilities: Mapping[str, float]
    sentiments: Mapping[str, MetricEstimate]
    confidence: MetricEstimate
    deciles: tuple[float, ...]
    entropy: float | None
    unlike: MetricEstimate
    cross_sentiment: Mapping[str, CrossSentiment]
    crossing: Mapping[str, MetricEstimate]
    curve: CrossingCurve

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        tables = ("classes", "sentiments", "crossing", "cross_sentiment")
        plain = {
            key: {name: item.to_dict() for name, item in getattr(self, key).items()}
            for key in tables
        }
        return {
            **vars(self),
            **plain,
            "deciles": list(self.deciles),
            "confidence": self.confidence.value,
            "confidence_interval": self.confidence.to_dict(),
            "unlike": self.unlike.to_dict(),
            "curve": self.curve.to_dict(),
        }


def describe_answers(answers: ModelOutputs) -> Unlabelled:
    """Everything about answers that needs no labels."""
    p, taxonomy, n = answers.probabilities, answers.taxonomy, len(answers)
    counts = np.bincount(p.argmax(axis=1), minlength=len(taxonomy)) if n else [0] * len(taxonomy)
    crossed = at_thresholds(p, taxonomy)
    highest = p.max(axis=1, initial=0.0)
    return Unlabelled(
        n=n,
        classes={
            name: share(int(count), n) for name, count in zip(taxonomy.names, counts, strict=True)
        },
        probabilities=dict(zip(taxonomy.names, p.mean(axis=0).tolist(), strict=True)) if n else {},
        sentiments=_sentiment_shares(answers) if taxonomy.signs.any() else {},
        confidence=mean(highest),
        deciles=tuple(np.quantile(highest, np.linspace(0, 1, 11)).tolist()) if n else (),
        entropy=_entropy(answers) if n and len(taxonomy) > 1 else None,
        unlike=_unlike(answers),
        cross_sentiment=crossed,
        crossing={
            name: share(item.pos_neg + item.neg_pos, item.eligible, nothing="no eligible image")
            for name, item in crossed.items()
        },
        curve=crossing_curve(p, taxonomy),
    )


def _sentiment_shares(answers: ModelOutputs) -> dict[str, MetricEstimate]:
    given = sentiments(answers.taxonomy, answers.probabilities)
    named = {"positive": "positive", "negative": "negative", "none": None}
    return {
        name: share(sum(item == wanted for item in given), len(given))
        for name, wanted in named.items()
    }


def _entropy(answers: ModelOutputs) -> float:
    p = answers.probabilities
    terms = p * np.log(p, out=np.zeros_like(p), where=p > 0)
    return float(-terms.sum(axis=1).mean() / np.log(p.shape[1]))


def _unlike(answers: ModelOutputs) -> MetricEstimate:
    novelty = np.empty(0) if answers.novelty is None else answers.novelty
    known = novelty[~np.isnan(novelty)]
    nothing = "the model has no measure of novelty" if len(answers) else "no image"
    return share(int((known > 1.0).sum()), len(known), nothing=nothing)
