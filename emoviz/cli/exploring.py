"""Verbs on tables of embeddings: ``project``, ``measure``, ``centers``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import (
    estimate_text,
    given_path,
    number_text,
    print_json,
    show,
)
from emoviz.errors import AnalysisError, TableError, TaxonomyError
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.analysis.alignment import AlignedPredictions
    from emoviz.analysis.projection import Projection
    from emoviz.checkpoints import Checkpoint
    from emoviz.inference.centers import LearnedCenters
    from emoviz.inference.vectors import Vectors


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    _add_project(verbs)
    _add_measure(verbs)
    _add_centers(verbs)


def _add_project(verbs: Any) -> None:
    verb = verbs.add_parser("project", help="lay embeddings out as a map")
    verb.add_argument(
        "table", type=given_path("file"), metavar="FILE", help="what embed wrote, or own vectors"
    )
    verb.add_argument("--method", default="umap", help="umap, tsne or pca (umap)")
    verb.add_argument("--dimensions", type=int, default=2, help="2 or 3 (2)")
    verb.add_argument("--seed", type=int, default=0, help="the same seed draws the same map (0)")
    verb.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="of the method: n_neighbors, min_dist, n_epochs; perplexity, max_iter",
    )
    verb.add_argument(
        "--out",
        required=True,
        type=given_path("file", new=True),
        help="Parquet: the table with x, y (and z) added; npz: the map alone",
    )
    verb.add_argument("--progress", type=Path, help="also write how far it is to this file")
    verb.set_defaults(verb=_project)


def _add_measure(verbs: Any) -> None:
    verb = verbs.add_parser("measure", help="clusters of embeddings against their labels")
    verb.add_argument(
        "table", type=given_path("file"), metavar="FILE", help="what embed wrote, or own vectors"
    )
    verb.add_argument(
        "--delta",
        type=float,
        help="of ASR; default: the largest of the 10 %% smallest distances",
    )
    verb.add_argument("--seed", type=int, default=0, help="of k-means and the intervals (0)")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_measure)


def _add_centers(verbs: Any) -> None:
    verb = verbs.add_parser("centers", help="distances between a checkpoint's class centers")
    verb.add_argument("checkpoint", metavar="ID", help="id or folder")
    verb.add_argument(
        "--table",
        type=given_path("file"),
        help="class means of this table, where no centers were learned",
    )
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_centers)


def _project(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.analysis.projection import fit_projection, save_projection
    from emoviz.inference.vectors import read_vectors
    from emoviz.jobs import Reporter

    suffix = arguments.out.suffix.casefold()
    if suffix not in (".parquet", ".npz"):
        raise TableError(f"'{arguments.out}' ends with neither .parquet nor .npz.")
    given = read_vectors(arguments.table)
    report = Reporter(arguments.progress)
    projection = fit_projection(
        given.values,
        arguments.method,
        arguments.dimensions,
        arguments.seed,
        dict(map(_setting, arguments.set)),
        report.at,
    )
    if suffix == ".npz":
        save_projection(arguments.out, projection)
    else:
        _write_with_coordinates(arguments.table, given, projection, arguments.out)
    _tell_map(projection, arguments.out)
    return 0


def _setting(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise AnalysisError(f"'{text}' is no setting; wanted NAME=NUMBER.") from None
    return name, int(number) if number.is_integer() else number


def _write_with_coordinates(
    source: Path, given: "Vectors", projection: "Projection", out: Path
) -> None:
    """The table as it was with the columns x, y and z; of other vectors names, labels and u."""
    import pyarrow as pa
    from pyarrow import parquet

    from emoviz.files import arrow_file, replaced_file

    if source.suffix.casefold() == ".parquet" and not given.left_out:
        table = parquet.read_table(arrow_file(source))
    else:
        labels = given.labels or ("",) * len(given)
        u = pa.array(list(given.values))
        table = pa.table({"path": list(given.names), "label": list(labels), "u": u})
    for name, column in zip("xyz", projection.coordinates.T, strict=False):
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, pa.array(column))
    with replaced_file(out) as aside, arrow_file(aside, "wb") as stream:
        parquet.write_table(table, stream)


def _tell_map(projection: "Projection", out: Path) -> None:
    words = f"{len(projection)} vectors, {projection.method}, {projection.dimensions} dimensions"
    print(f"{words}, seed {projection.seed}: {out}")
    if projection.note:
        print(projection.note)


def _measure(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.analysis.clustering import CLUSTER_METRICS, DeltaRule, group_images
    from emoviz.analysis.metrics import added_up, measured
    from emoviz.analysis.resampling import Intervals

    aligned, note = _aligned(arguments.table)
    assert aligned.embedding is not None
    how = Intervals(seed=arguments.seed)
    rule = DeltaRule(given=arguments.delta)
    grouping = group_images(aligned.embedding, aligned.truth, how.seed, rule)
    found = measured(added_up(aligned, grouping, how), how, CLUSTER_METRICS)
    clustering = None if grouping is None else grouping.measures
    delta = {
        "delta": clustering and clustering.delta,
        "delta_error": clustering and clustering.delta_error,
        "nmi_by_chance": clustering and clustering.nmi_by_chance,
        "clusters": clustering and clustering.clusters,
    }
    if arguments.format == "json":
        values = {name: item.value for name, item in found.items()}
        intervals = {name: item.to_dict() for name, item in found.items()}
        result = {"n": len(aligned), **values, **delta, "intervals": intervals, "note": note}
        print_json(result, sys.stdout)
        return 0
    print(f"{'n':14} {len(aligned)}")
    for name, item in found.items():
        print(f"{name:14} {estimate_text(item.to_dict())}")
    for key, value in delta.items():
        print(f"{key:14} {number_text(value) if isinstance(value, float) else value}")
    if note:
        print(note)
    return 0


def _aligned(path: Path) -> "tuple[AlignedPredictions, str]":
    """u beside the labels as `evaluate` has them, or as they are; and why they differ from that."""
    import numpy as np

    from emoviz.analysis.alignment import ModelOutputs, judge
    from emoviz.inference.labelled import labels_of
    from emoviz.inference.stored import read_embeddings
    from emoviz.inference.vectors import read_vectors
    from emoviz.labels import Bridge, bridge_between, own_taxonomy

    try:
        table = read_embeddings(path)
    except TableError:
        vectors = read_vectors(path)
        texts = [text.strip() for text in vectors.labels] or [""] * len(vectors)
        labels = own_taxonomy("own", sorted(set(texts) - {""}) or ["(none)"])
        indices = np.array([labels.index(text) if text else -1 for text in texts])
        bridge = Bridge(labels, labels, np.eye(len(labels)))
        nothing = np.zeros((len(vectors), len(labels)))
        outputs = ModelOutputs(vectors.title, labels, nothing, vectors.values)
        return judge(
            outputs, indices, bridge
        ), "Vectors of your own, with their labels as they are."
    known = labels_of(table)
    note = ""
    try:
        bridge = bridge_between(table.taxonomy, known.taxonomy)
    except TaxonomyError:
        bridge = Bridge(known.taxonomy, known.taxonomy, np.eye(len(known.taxonomy)))
        note = (
            "No bridge leads from the model's classes to these labels: all of them count as they "
            "are, where `evaluate` would ask for a bridge."
        )
    classes = table.probabilities if not note else np.zeros((len(table), len(known.taxonomy)))
    outputs = ModelOutputs("", bridge.model, classes, table.embedding)
    aligned = judge(outputs, known.indices, bridge)
    if len(aligned.labels) < len(known.taxonomy):
        note = (
            "Labels that the model cannot tell apart count as one, as in `evaluate`; where people "
            "voted, `evaluate` takes the majority anew over the merged labels and may differ."
        )
    return aligned, note


def _centers(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.analysis.centers import center_distances, summarise_centers
    from emoviz.checkpoints import open_checkpoint
    from emoviz.inference.centers import learned_centers

    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    found = learned_centers(checkpoint)
    learned = found is not None
    if found is None:
        found = _class_means(checkpoint, arguments.table, settings)
    distances = center_distances(found.centers)
    pairs = summarise_centers(found.centers, found.margin)
    result = {
        "checkpoint": checkpoint.card.id,
        "classes": list(found.classes),
        "learned": learned,
        "margin": found.margin,
        "distances": [[round(float(d), 6) for d in row] for row in distances],
        "min": None if pairs is None else round(pairs.smallest.distance, 6),
        "mean": None if pairs is None else round(pairs.mean, 6),
        "max": None if pairs is None else round(pairs.largest.distance, 6),
    }
    show(arguments, result, _print_centers)
    return 0


def _class_means(
    checkpoint: "Checkpoint", path: Path | None, settings: Settings
) -> "LearnedCenters":
    """What stands in for learned centers: the mean u of each class that has images."""
    import numpy as np

    from emoviz.analysis.centers import class_means
    from emoviz.data.reading import SAMPLE, open_dataset
    from emoviz.experiments.contenders import table_of
    from emoviz.inference.centers import LearnedCenters, classes_of_images
    from emoviz.inference.stored import read_embeddings

    table = (
        read_embeddings(path)
        if path
        else table_of(checkpoint, open_dataset(SAMPLE, settings), settings)
    )
    table.check_made_by(checkpoint)
    names = checkpoint.card.taxonomy.names
    labels, _ = classes_of_images(table)
    means = class_means(table.embedding, labels, len(names))
    kept = np.flatnonzero(means.counts)
    return LearnedCenters(tuple(names[c] for c in kept), means.means[kept].astype(np.float32), None)


def _print_centers(result: dict[str, Any]) -> None:
    kind = "learned centers" if result["learned"] else "class means (no centers were learned)"
    margin = "" if result["margin"] is None else f", margin {result['margin']:g}"
    print(f"{result['checkpoint']}: distances between {kind}{margin}")
    width = max(map(len, result["classes"]))
    for name, row in zip(result["classes"], result["distances"], strict=True):
        print(f"{name:{width}} " + " ".join(f"{distance:8.3f}" for distance in row))
    for key in ("min", "mean", "max"):
        print(f"{key:{width}} {number_text(result[key])}")
