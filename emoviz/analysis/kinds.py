"""The measures of an evaluation by name, and what is known of one: value, interval or reason."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

# Measures that are larger in resamples, where images stand several times, than in the images.
DRAWN_UP = ("ari", "nmi", "ece")
COPIES = "resamples hold copies of images, which draws this interval upwards"
FEWEST = 10  # images below which an interval would say nothing
ECE_BINS = 15  # of equal width, over the confidence


@dataclass(frozen=True)
class MeasureKind:
    """How a measure is called and read.

    Attributes:
        title: For people.
        unit: ``percent`` for rates, ``share`` for indices that are no rate.
        better: Whether more of it is better, or less.
        plain: What it says, in a sentence.
    """

    title: str
    unit: Literal["percent", "share"]
    better: Literal["more", "less"]
    plain: str


MEASURES: Mapping[str, MeasureKind] = {
    "accuracy": MeasureKind("Accuracy", "percent", "more", "How often the answer is the label."),
    "macro_precision": MeasureKind(
        "Macro precision",
        "percent",
        "more",
        "How often the model is right when it names a label; mean over the labels.",
    ),
    "macro_recall": MeasureKind(
        "Macro recall",
        "percent",
        "more",
        "How many of a label's images the model finds; mean over the labels.",
    ),
    "macro_f1": MeasureKind(
        "Macro F1", "percent", "more", "Precision and recall in one; mean over the labels."
    ),
    "top2": MeasureKind(
        "Top-2 accuracy", "percent", "more", "How often the label is among the two likeliest."
    ),
    "top3": MeasureKind(
        "Top-3 accuracy", "percent", "more", "How often the label is among the three likeliest."
    ),
    "sentiment_accuracy": MeasureKind(
        "Sentiment accuracy",
        "percent",
        "more",
        "How often the likelier sentiment is that of the label.",
    ),
    "roc_auc": MeasureKind(
        "ROC area, macro",
        "share",
        "more",
        "The chance that an image of a label scores higher on it than another image does; mean "
        "over the labels. A coin has 0.5.",
    ),
    "average_precision": MeasureKind(
        "Average precision, macro",
        "share",
        "more",
        "Precision over all recalls; mean over the labels. A coin has the label's share.",
    ),
    "cross_sentiment": MeasureKind(
        "Top-2 cross-sentiment",
        "percent",
        "less",
        "How often the two likeliest classes have opposite sentiments.",
    ),
    "cross_sentiment_0.3": MeasureKind(
        "Top-2 cross-sentiment, theta 0.3",
        "percent",
        "less",
        "The same among images whose two likeliest classes both reach 0.3.",
    ),
    "ece": MeasureKind(
        "Calibration error (ECE)",
        "percent",
        "less",
        "How far the stated probabilities are from how often the answers are right.",
    ),
    "brier": MeasureKind(
        "Brier score",
        "share",
        "less",
        "Squared distance of the probabilities from the label, 0 to 2.",
    ),
    "ari": MeasureKind(
        "ARI", "share", "more", "How well k-means clusters of u match the labels; 0 by chance."
    ),
    "nmi": MeasureKind("NMI", "share", "more", "What clusters and labels say of each other, 0-1."),
    "asr": MeasureKind(
        "ASR", "share", "less", "Share of images within delta of more than one cluster center."
    ),
}


@dataclass(frozen=True)
class MetricEstimate:
    """A measure on the images at hand, and where it falls in most resamples of them.

    Attributes:
        value: None where the measure is not defined.
        low: Lower end of the percentile interval; None where there is none.
        high: Upper end.
        reason: Why the value or the interval is missing; or what it leaves out.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, float | str | None]:
        """Plain values for JSON."""
        return asdict(self)


def few_words(images: int) -> str:
    """Why there is no interval."""
    return f"no interval: {images} images, wanted {FEWEST} or more"
