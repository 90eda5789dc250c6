"""Verbs on tables of embeddings: ``project``, ``measure``, ``centers``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import number_text, print_json
from emoviz.errors import AnalysisError, TableError
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.analysis.projection import Projection
    from emoviz.checkpoints import Checkpoint
    from emoviz.inference.centers import LearnedCenters
    from emoviz.inference.embedding_table import EmbeddingTable
    from emoviz.inference.vectors import Vectors


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    _add_project(verbs)
    _add_measure(verbs)
    _add_centers(verbs)


def _add_project(verbs: Any) -> None:
    verb = verbs.add_parser("project", help="lay embeddings out as a map")
    verb.add_argument("table", type=Path, metavar="FILE", help="what embed wrote, or own vectors")
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
        type=Path,
        help="Parquet: the table with x, y (and z) added; npz: the map alone",
    )
    verb.add_argument("--progress", type=Path, help="also write how far it is to this file")
    verb.set_defaults(verb=_project)


def _add_measure(verbs: Any) -> None:
    verb = verbs.add_parser("measure", help="clusters of embeddings against their labels")
    verb.add_argument("table", type=Path, metavar="FILE", help="what embed wrote")
    verb.add_argument("--delta", type=float, help="of ASR; default: the 10th percentile")
    verb.add_argument("--seed", type=int, default=0, help="of k-means (0)")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_measure)


def _add_centers(verbs: Any) -> None:
    verb = verbs.add_parser("centers", help="distances between a checkpoint's class centers")
    verb.add_argument("checkpoint", metavar="ID", help="id or folder")
    verb.add_argument(
        "--table", type=Path, help="class means of this table, where no centers were learned"
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

    from emoviz.files import replaced_file

    if source.suffix.casefold() == ".parquet" and not given.left_out:
        table = parquet.read_table(source)
    else:
        labels = given.labels or ("",) * len(given)
        u = pa.array(list(given.values))
        table = pa.table({"path": list(given.names), "label": list(labels), "u": u})
    for name, column in zip("xyz", projection.coordinates.T, strict=False):
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, pa.array(column))
    with replaced_file(out) as aside:
        parquet.write_table(table, aside)


def _tell_map(projection: "Projection", out: Path) -> None:
    words = f"{len(projection)} images, {projection.method}, {projection.dimensions} dimensions"
    print(f"{words}, seed {projection.seed}: {out}")
    if projection.note:
        print(projection.note)


def _measure(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.analysis.clustering import cluster_measures
    from emoviz.inference.stored import read_embeddings

    table = read_embeddings(arguments.table)
    labels, _ = table.named_labels
    known = labels >= 0
    measured = cluster_measures(
        table.embedding[known], labels[known], arguments.seed, arguments.delta
    )
    result = {"n": int(known.sum()), **measured.to_dict()}
    if arguments.format == "json":
        print_json(result, sys.stdout)
        return 0
    for key, value in result.items():
        print(f"{key:10} {number_text(value) if isinstance(value, float) else value}")
    return 0


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
    if arguments.format == "json":
        print_json(result, sys.stdout)
    else:
        _print_centers(result)
    return 0


def _class_means(
    checkpoint: "Checkpoint", path: Path | None, settings: Settings
) -> "LearnedCenters":
    """What stands in for learned centers: the mean u of each class that has images."""
    import numpy as np

    from emoviz.analysis.centers import class_means
    from emoviz.inference.centers import LearnedCenters, classes_of_images
    from emoviz.inference.stored import read_embeddings

    table = read_embeddings(path) if path else _sample_table(checkpoint, settings)
    table.check_made_by(checkpoint)
    names = checkpoint.card.taxonomy.names
    labels, _ = classes_of_images(table)
    means = class_means(table.embedding, labels, len(names))
    kept = np.flatnonzero(means.counts)
    return LearnedCenters(tuple(names[c] for c in kept), means.means[kept].astype(np.float32), None)


def _sample_table(checkpoint: "Checkpoint", settings: Settings) -> "EmbeddingTable":
    from emoviz.inference.collection import SAMPLE, open_collection
    from emoviz.inference.embedding import embed_collection
    from emoviz.inference.predict import load_model

    sample = open_collection(SAMPLE, settings)
    embedded = embed_collection(load_model(checkpoint, settings), sample, settings)
    return next(iter(embedded.parts(settings)))


def _print_centers(result: dict[str, Any]) -> None:
    kind = "learned centers" if result["learned"] else "class means (no centers were learned)"
    margin = "" if result["margin"] is None else f", margin {result['margin']:g}"
    print(f"{result['checkpoint']}: distances between {kind}{margin}")
    width = max(map(len, result["classes"]))
    for name, row in zip(result["classes"], result["distances"], strict=True):
        print(f"{name:{width}} " + " ".join(f"{distance:8.3f}" for distance in row))
    for key in ("min", "mean", "max"):
        print(f"{key:{width}} {number_text(result[key])}")
