"""The seeds' tables that stand beside ours, where the classes are the same. No Streamlit."""

from collections.abc import Mapping, Sequence

import pandas as pd

from emoviz.analysis.cross_sentiment import CrossSentiment
from emoviz.analysis.resampling import MetricEstimate, share
from emoviz.experiments.published import FIGURES, Figure
from emoviz.labels import Taxonomy

CAUTION = (
    "Printed figures are of other networks, on other and much larger sets: they show the order of "
    "size, and are no yardstick for this set."
)
_PAIRS = {
    "pos_neg": "pos–neg",
    "neg_pos": "neg–pos",
    "pos_pos": "pos–pos",
    "neg_neg": "neg–neg",
}


def clustering_rows(labels: Taxonomy) -> tuple[Figure, ...]:
    """Rows of Table 5.10 on sets with the same labels."""
    return tuple(item for item in FIGURES["tuned"] if item.data.taxonomy == labels.name)


def crossing_rows(model: Taxonomy) -> tuple[Figure, ...]:
    """Rows of Tables 5.11-5.13, of networks with the same classes."""
    return tuple(item for item in FIGURES["cross-sentiment"] if item.data.taxonomy == model.name)


def clustering_table(rows: Sequence[Figure], ours: Mapping[str, MetricEstimate]) -> pd.DataFrame:
    """Accuracy, ARI, NMI, AMI and ASR: ours first, then what is printed, which has no AMI."""
    names = ("accuracy", "ari", "nmi", "ami", "asr")
    lines = [("this evaluation", *(_estimate(ours.get(name)) for name in names))]
    for item in rows:
        printed = {name: item.values[name].mean for name in names if name in item.values}
        title = f"{item.data.title}, {item.row} (printed)"
        lines.append((title, *(_share(printed.get(name)) for name in names)))
    return pd.DataFrame(lines, columns=["", "accuracy", "ARI", "NMI", "AMI", "ASR"]).set_index("")


def crossing_table(
    rows: Sequence[Figure],
    ours: Sequence[tuple[str, CrossSentiment]],
    theta: str = "none",
) -> pd.DataFrame:
    """The four counts and the rate as in Tables 5.11-5.13: ours first, then what is printed.

    Args:
        rows: From `crossing_rows`.
        ours: (name, counts) of each model.
        theta: ``none`` or ``0.3``: which of the printed halves.
    """
    lines = [
        (
            name,
            f"{item.eligible:,}",
            *(f"{getattr(item, pair):,}" for pair in _PAIRS),
            _rate(item),
        )
        for name, item in ours
    ]
    lines += [(f"{item.data.title}, {item.row} (printed)", *_printed(item, theta)) for item in rows]
    columns = ["", "eligible", *_PAIRS.values(), "opposite, %"]
    return pd.DataFrame(lines, columns=columns).set_index("")


def crossing_points(rows: Sequence[Figure]) -> dict[str, list[tuple[float, float]]]:
    """Printed rates by name, as (theta, share): for the curve."""
    return {
        f"{item.data.title}, {item.row}": [
            (0.0, item.values["cross_sentiment"].mean / 100),
            (0.3, item.values["cross_sentiment_0.3"].mean / 100),
        ]
        for item in rows
    }


def notes(rows: Sequence[Figure]) -> list[str]:
    """What is known to be wrong with the printed figures, each said once."""
    return list(
        dict.fromkeys(
            f"{item.source}, {item.data.title}, {item.row}: {item.note}"
            for item in rows
            if item.note
        )
    )


def _printed(item: Figure, theta: str) -> tuple[str, ...]:
    counts = [item.values[f"cross_sentiment_counts.{theta}.{p}"] for p in ("eligible", *_PAIRS)]
    rate = item.values["cross_sentiment" if theta == "none" else f"cross_sentiment_{theta}"]
    return (*(f"{value.mean:,.0f}" for value in counts), f"{rate.mean:.1f}")


def _rate(item: CrossSentiment) -> str:
    known = share(item.pos_neg + item.neg_pos, item.eligible)
    if known.value is None or known.low is None or known.high is None:
        return "–"
    return f"{100 * known.value:.1f} ({100 * known.low:.1f} to {100 * known.high:.1f})"


def _estimate(item: MetricEstimate | None) -> str:
    if item is None or item.value is None:
        return "–"
    ends = "" if item.low is None or item.high is None else f" ({item.low:.3f} to {item.high:.3f})"
    return f"{item.value:.3f}{ends}, n {item.n:,}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
