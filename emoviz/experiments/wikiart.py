"""The dissertation's study of WikiArt (sections 5.4 and 5.5): two checkpoints on paintings.

UMAP of both side by side (Figure 5.7) with the sample's artworks laid over it (Figure 5.8),
Table 5.11 with its four counts, sentiments against people's where the paintings have labels, and
artworks with the estimate above each (Figure 5.6). Nothing is trained.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz import __version__
from emoviz.analysis.cross_sentiment import THRESHOLDS, CrossSentiment, at_thresholds
from emoviz.analysis.projection import fit_projection, place
from emoviz.analysis.resampling import MetricEstimate, paired_share_difference, share
from emoviz.checkpoints import Checkpoint, open_checkpoint
from emoviz.data.reading import SAMPLE, open_dataset
from emoviz.errors import TableError, TrainingError
from emoviz.experiments.contenders import table_of
from emoviz.experiments.published import FIGURES, Figure
from emoviz.files import read_json, write_json
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.labels import Taxonomy, sentiments, top2_opposite
from emoviz.settings import Settings

CHECKPOINTS = ("mikels8-baseline", "mikels8")
ROLES = ("baseline", "ours")  # as the dissertation's tables call the two
STRIP = 8
_FEWEST = 20

Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Artwork:
    """One of the sample's artworks under one checkpoint.

    Attributes:
        title: Artist and title.
        sha256: Of its image.
        predicted: Most probable emotion.
        probability: Of that, calibrated, 0 to 1.
        second: The next one.
        x: Place on the map of the paintings.
        y: Likewise.
        novelty: Distance from the training images in units of the threshold; None without one.
    """

    title: str
    sha256: str
    predicted: str
    probability: float
    second: str
    x: float
    y: float
    novelty: float | None


@dataclass(frozen=True)
class Side:
    """What one checkpoint makes of the paintings.

    Attributes:
        role: ``baseline`` or ``ours``.
        checkpoint: Its id.
        title: For people.
        beta: Weight of the contrastive-center loss, as its card says; None where it does not.
        classes: In the order of `predicted`.
        x: (N,) place on its own map.
        y: (N,) likewise.
        predicted: (N,) index of the most probable class.
        probability: (N,) of that class.
        crossing: Threshold -> top-2 cross-sentiment with the four counts.
        shares: Sentiment -> share of the paintings whose estimate it leads.
        unlike: Share of the paintings that are unlike its training images; None without novelty.
        people: Against people's labels; empty where there are none.
        artworks: The sample's, laid over the map.
        note: What the map's maker says, such as another method for few images.
    """

    role: str
    checkpoint: str
    title: str
    beta: float | None
    classes: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    predicted: tuple[int, ...]
    probability: tuple[float, ...]
    crossing: Mapping[str, CrossSentiment]
    shares: Mapping[str, float]
    unlike: float | None
    people: Mapping[str, float]
    artworks: tuple[Artwork, ...]
    note: str = ""


@dataclass(frozen=True)
class Study:
    """The study of one collection.

    Attributes:
        collections: Titles of what was looked at.
        paths: (N) names of the paintings, in the order of the sides' arrays.
        sha256: (N) of their images.
        refused: Images that could not be read: (name, reason).
        repeated: Images that were left out as copies of others.
        sides: Baseline and model.
        difference: Of the rates of opposite top two without a threshold, model minus baseline:
            value, low, high (95 % confidence interval).
        seed: Of the maps.
        version: Of emoviz.
    """

    collections: tuple[str, ...]
    paths: tuple[str, ...]
    sha256: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    repeated: int
    sides: tuple[Side, Side]
    difference: tuple[float, float, float]
    seed: int
    version: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Study":
        """Read what `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
        """
        one, two = (_side_from(side) for side in values["sides"])
        whole = {name: tuple(values[name]) for name in ("collections", "paths", "sha256")}
        value, low, high = map(float, values["difference"])
        return cls(
            **whole,
            refused=tuple((str(name), str(reason)) for name, reason in values["refused"]),
            repeated=int(values["repeated"]),
            sides=(one, two),
            difference=(value, low, high),
            seed=int(values["seed"]),
            version=str(values["version"]),
        )


def run_study(
    data: Sequence[str],
    settings: Settings,
    tell: Tell,
    checkpoints: Sequence[str] = CHECKPOINTS,
    seed: int = 0,
) -> Study:
    """Look at paintings with two checkpoints.

    Args:
        data: Folders, ZIPs or tables of paintings; copies of one image count once.
        settings: Where embeddings are kept, so that a second run is quick.
        tell: Called with the share that is done, 0 to 1, and what is being done.
        checkpoints: The baseline and the model; ids or folders.
        seed: Of the maps.

    Raises:
        CheckpointError, TableError: One cannot be opened.
        TrainingError: Two checkpoints of other classes, or too few paintings.
    """
    if len(checkpoints) != 2 or not data:
        raise TrainingError("The study wants two --checkpoints, baseline first, and --data.")
    opened = [open_checkpoint(name, settings) for name in checkpoints]
    if opened[0].card.taxonomy.names != opened[1].card.taxonomy.names:
        raise TrainingError(
            f"'{opened[0].card.id}' and '{opened[1].card.id}' know other emotions; wanted two "
            "checkpoints of the same ones."
        )
    tables, sides = [], []
    for number, (role, checkpoint) in enumerate(zip(ROLES, opened, strict=True)):
        start = number * 0.5

        def part(share: float, words: str, start: float = start) -> None:
            tell(start + 0.5 * share, words)

        table, repeated = _paintings(data, checkpoint, settings, part)
        tables.append(table)
        sides.append(_side(role, checkpoint, table, settings, seed, part))
    one, other = tables
    return Study(
        collections=tuple(_title(item) for item in data),
        paths=tuple(one.paths),
        sha256=tuple(one.sha256),
        refused=one.refused,
        repeated=repeated,
        sides=(sides[0], sides[1]),
        difference=_difference(one, other),
        seed=seed,
        version=__version__,
    )


def save_study(folder: Path, study: Study) -> None:
    """Write a study as ``table.json`` and ``table.md``."""
    from emoviz.files import write_text

    write_json(folder / "table.json", study.to_dict())
    write_text(folder / "table.md", study_markdown(study))


def load_study(folder: Path) -> Study | None:
    """What `save_study` wrote; None where there is none that can be read."""
    values = read_json(folder / "table.json")
    try:
        return Study.from_dict(values) if values else None
    except (KeyError, TypeError, ValueError):
        return None


def paper_rows() -> dict[str, Figure]:
    """Table 5.11's rows by their roles."""
    rows = FIGURES["cross-sentiment"]
    return {row.row: row for row in rows if row.data.mark == "wikiart"}


def table_rows(study: Study) -> list[dict[str, str]]:
    """Table 5.11 as rows of text: ours, then the dissertation's, at each threshold."""
    paper = paper_rows()
    rows = []
    for theta in THRESHOLDS:
        for side in study.sides:
            found = side.crossing[theta]
            rate = "-" if found.rate is None else f"{100 * found.rate:.1f}"
            rows.append(_row(theta, side.role, "here", _counts(found), rate))
            printed = paper[side.role].values
            counts = [
                f"{printed[f'cross_sentiment_counts.{theta}.{name}'].mean:,.0f}" for name in _PAIRS
            ]
            key = "cross_sentiment" if theta == "none" else f"cross_sentiment_{theta}"
            rows.append(_row(theta, side.role, "dissertation", counts, f"{printed[key].mean:.1f}"))
    return rows


_PAIRS = ("eligible", "pos_neg", "neg_pos", "pos_pos", "neg_neg")
_HEAD = ("eligible", "pos-neg", "neg-pos", "pos-pos", "neg-neg")


def _row(theta: str, role: str, where: str, counts: Sequence[str], rate: str) -> dict[str, str]:
    words = {"baseline": "baseline, beta = 0", "ours": "with the loss"}
    cells = dict(zip(_HEAD, counts, strict=True))
    return {"theta": theta, "network": words[role], "measured": where, **cells, "opposite %": rate}


def _counts(found: CrossSentiment) -> list[str]:
    return [f"{getattr(found, name):,}" for name in _PAIRS]


def study_markdown(study: Study) -> str:
    """The study as a page of Markdown."""
    one, other = study.sides
    rows = table_rows(study)
    value, low, high = (100 * number for number in study.difference)
    lines = [
        "# WikiArt: does the contrastive-center loss keep a network from wavering?",
        "",
        f"{len(study.paths):,} images ({', '.join(map(_escaped, study.collections))}); "
        f"{len(study.refused)} could not be read, {study.repeated} were copies. Baseline: "
        f"`{one.checkpoint}`{_beta(one)}; model: `{other.checkpoint}`{_beta(other)}. One trained "
        f"network each. emoviz {study.version}.",
        "",
        "## Table 5.11: top-2 cross-sentiment",
        "",
        "| " + " | ".join(rows[0]) + " |",
        "|" + " --- |" * len(rows[0]),
        *("| " + " | ".join(row.values()) + " |" for row in rows),
        "",
        f"Opposite top two without a threshold, model minus baseline: {value:+.1f} points (95 % "
        f"confidence interval {low:+.1f} to {high:+.1f}). The dissertation's rows were "
        "measured on 3,176 paintings with networks trained on EmoSet-118K: compare the "
        "direction, never one number with another. " + paper_rows()["baseline"].note,
        "",
        "A lower rate is not a better one by itself: a network that always names the same two "
        "emotions has a rate of 0.",
        "",
        "## Sentiments",
        "",
        *_sentiment_lines(study),
        "",
        "## Artworks of the sample",
        "",
        f"| artwork | {one.checkpoint} | {other.checkpoint} |",
        "| --- | --- | --- |",
        *(
            f"| {_escaped(a.title)} | {a.predicted} {100 * a.probability:.0f} % "
            f"| {b.predicted} {100 * b.probability:.0f} % |"
            for a, b in zip(one.artworks, other.artworks, strict=True)
        ),
        "",
        "Pictures: `maps.png` (Figures 5.7 and 5.8: each network's UMAP of the images, "
        "coloured by the emotion that it estimates, with the sample's artworks over it) and "
        f"`strip.png` (Figure 5.6). Maps with seed {study.seed}. "
        + " ".join(filter(None, (side.note for side in study.sides))),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _sentiment_lines(study: Study) -> list[str]:
    names = list(study.sides[0].shares)
    lines = ["| network | " + " | ".join(f"estimate {name}, %" for name in names) + " |"]
    lines += ["|" + " --- |" * (len(names) + 1)]
    for side in study.sides:
        shares = " | ".join(f"{100 * side.shares[name]:.1f}" for name in names)
        lines.append(f"| {side.checkpoint} | {shares} |")
    if any(side.people for side in study.sides):
        lines += ["", "Against people's answers, where most of them have a sentiment:", ""]
        lines += ["| network | images | sentiment right, % | always the commoner one, % |"]
        lines += ["| --- | --- | --- | --- |"]
        for side in study.sides:
            count = round(side.people["count"])
            right, always = (
                _percent(share(round(side.people[name] * count), count))
                for name in ("right", "commonest")
            )
            lines.append(f"| {side.checkpoint} | {count} | {right} | {always} |")
    return lines


def _percent(item: MetricEstimate) -> str:
    """``48.6 (43.0 to 54.2)``."""
    value, low, high = (100 * (number or 0.0) for number in (item.value, item.low, item.high))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _beta(side: Side) -> str:
    return "" if side.beta is None else f" (beta = {side.beta:g})"


def _escaped(text: str) -> str:
    """Foreign text in a Markdown table."""
    return "".join(
        f"\\{sign}" if sign in "|\\`*_[]<>#" else sign for sign in " ".join(text.split())
    )


# One side ----------------------------------------------------------------------------------------


def _paintings(
    data: Sequence[str], checkpoint: Checkpoint, settings: Settings, tell: Tell
) -> tuple[EmbeddingTable, int]:
    """The paintings of all collections as one table, copies left out, and how many those were."""
    tables = [
        _embedded(item, checkpoint, settings, lambda share, words: tell(0.7 * share, words))
        for item in data
    ]
    sha256 = [digest for table in tables for digest in table.sha256]
    first = list({digest: i for i, digest in reversed(list(enumerate(sha256)))}.values())
    rows = np.sort(np.array(first, np.int64))
    if len(rows) < _FEWEST:
        raise TrainingError(f"There are {len(rows)} images; wanted {_FEWEST} or more.")
    return _joined(tables).take(rows), len(sha256) - len(rows)


def _embedded(path: str, checkpoint: Checkpoint, settings: Settings, tell: Tell) -> EmbeddingTable:
    collection = open_dataset(path, settings)
    words = f"{checkpoint.card.id}: reading {collection.name}"
    return table_of(
        checkpoint, collection, settings, lambda done, total: tell(done / max(total, 1), words)
    )


def _joined(tables: Sequence[EmbeddingTable]) -> EmbeddingTable:
    """Several tables of one checkpoint as one; labels stay where all have the same taxonomy."""
    first = tables[0]
    if len(tables) == 1:
        return first
    known = {table.label_taxonomy for table in tables if table.label_taxonomy is not None}
    labels = known.pop() if len(known) == 1 else None
    none = [np.full(len(table), -1, np.int64) for table in tables]
    return EmbeddingTable(
        taxonomy=first.taxonomy,
        paths=tuple(path for table in tables for path in table.paths),
        sha256=tuple(digest for table in tables for digest in table.sha256),
        embedding=np.concatenate([table.embedding for table in tables]),
        probabilities=np.concatenate([table.probabilities for table in tables]),
        novelty=np.concatenate([table.novelty for table in tables]),
        labels=np.concatenate(
            [
                table.labels if labels is not None and table.label_taxonomy == labels else missing
                for table, missing in zip(tables, none, strict=True)
            ]
        ),
        refused=tuple(dict.fromkeys(row for table in tables for row in table.refused)),
        label_taxonomy=labels,
    )


def _side(
    role: str,
    checkpoint: Checkpoint,
    table: EmbeddingTable,
    settings: Settings,
    seed: int,
    tell: Tell,
) -> Side:
    card = checkpoint.card
    words = f"{card.id}: drawing the map"
    layout = fit_projection(
        table.embedding, "umap", 2, seed, None, lambda share, _: tell(0.7 + 0.25 * share, words)
    )
    best = table.probabilities.max(axis=1)
    return Side(
        role=role,
        checkpoint=card.id,
        title=card.title,
        beta=_beta_of(card.recipe),
        classes=card.taxonomy.names,
        x=_rounded(layout.coordinates[:, 0]),
        y=_rounded(layout.coordinates[:, 1]),
        predicted=tuple(table.predicted.tolist()),
        probability=_rounded(best),
        crossing=at_thresholds(table.probabilities, card.taxonomy),
        shares=sentiment_leads(card.taxonomy, table.probabilities),
        unlike=_unlike(table.novelty),
        people=against_people(table),
        artworks=_artworks(checkpoint, table, layout.coordinates, settings),
        note=layout.note,
    )


def sentiment_leads(taxonomy: Taxonomy, probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Sentiment -> share of the images where it holds most of the probability, 0 to 1."""
    found = sentiments(taxonomy, probabilities)
    names = ("positive", "negative", *(("neither",) if None in found else ()))
    return {name: sum((s or "neither") == name for s in found) / len(found) for name in names}


def against_people(table: EmbeddingTable) -> dict[str, float]:
    """How often the estimate's sentiment is that of most people's answer.

    Returns:
        ``count`` of images whose label has a sentiment, ``right`` and ``commonest``, the share
        that one gets by always naming the commoner sentiment; empty without such labels, or
        where all have one sentiment.
    """
    if table.label_taxonomy is None:
        return {}
    signs = np.where(table.labels >= 0, table.label_taxonomy.signs[table.labels], 0)
    known = np.flatnonzero(signs)
    if not len(known) or abs(int(signs[known].sum())) == len(known):
        return {}
    ours = sentiments(table.taxonomy, table.probabilities[known])
    code = {"positive": 1, "negative": -1, None: 0}
    right = float(np.mean([code[s] == signs[i] for s, i in zip(ours, known, strict=True)]))
    positive = float((signs[known] > 0).mean())
    return {"count": float(len(known)), "right": right, "commonest": max(positive, 1 - positive)}


def _artworks(
    checkpoint: Checkpoint,
    table: EmbeddingTable,
    coordinates: NDArray[np.float32],
    settings: Settings,
) -> tuple[Artwork, ...]:
    """The sample's artworks with their places among the paintings."""
    try:
        sample = _embedded(SAMPLE, checkpoint, settings, lambda share, words: None)
    except TableError:  # a project without its sample
        return ()
    kinds = sample.metadata.get("kind", ())
    rows = np.array([i for i, kind in enumerate(kinds) if kind == "artwork"], np.int64)
    if not len(rows):
        return ()
    sample = sample.take(rows)
    places = place(table.embedding, coordinates, sample.embedding)
    names = sample.taxonomy.names
    artists, titles = (sample.metadata[name] for name in ("artist_or_author", "title"))
    return tuple(
        Artwork(
            title=f"{artists[i]}: {titles[i]}",
            sha256=sample.sha256[i],
            predicted=names[sample.predicted[i]],
            probability=round(float(sample.probabilities[i].max()), 4),
            second=names[sample.second[i]],
            x=round(float(places[i, 0]), 4),
            y=round(float(places[i, 1]), 4),
            novelty=None if np.isnan(sample.novelty[i]) else round(float(sample.novelty[i]), 4),
        )
        for i in range(len(sample))
    )


def _difference(one: EmbeddingTable, other: EmbeddingTable) -> tuple[float, float, float]:
    """Rates of opposite top two, second minus first, and the ends of its 95 % interval."""
    a = top2_opposite(one.taxonomy, one.probabilities)
    b = top2_opposite(other.taxonomy, other.probabilities)
    found = paired_share_difference(int((a & ~b).sum()), int((b & ~a).sum()), len(a))
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    return found.value, found.low, found.high


def _beta_of(recipe: Mapping[str, Any]) -> float | None:
    loss = recipe.get("loss")
    value = loss.get("beta") if isinstance(loss, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def _unlike(novelty: NDArray[np.float64]) -> float | None:
    known = novelty[~np.isnan(novelty)]
    return float((known > 1).mean()) if len(known) else None


def _title(path: str) -> str:
    from emoviz.experiments.cells import short

    return path if path == SAMPLE else short(path)


def _rounded(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


def _side_from(values: Mapping[str, Any]) -> Side:
    crossing = {name: CrossSentiment(**row) for name, row in values["crossing"].items()}
    artworks = tuple(Artwork(**row) for row in values["artworks"])
    arrays = {
        name: tuple(values[name]) for name in ("classes", "x", "y", "predicted", "probability")
    }
    return Side(**{**values, **arrays, "crossing": crossing, "artworks": artworks})
