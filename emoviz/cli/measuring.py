"""Verbs that measure a checkpoint: ``evaluate``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from emoviz.cli.output import DEFAULT_CHECKPOINT, NOTHING_READ, number_text, print_json
from emoviz.settings import Settings


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    _add_evaluate(verbs)


def _add_evaluate(verbs: Any) -> None:
    verb = verbs.add_parser("evaluate", help="measure a checkpoint on labelled images")
    verb.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT, help="id or folder")
    verb.add_argument(
        "--data",
        required=True,
        type=Path,
        help="CSV with file,label, a Parquet file, or a folder with one sub-folder a class",
    )
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")
    verb.add_argument("--split", choices=("train", "validation", "test"), help="only this split")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_evaluate)


def _evaluate(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.analysis.evaluation import evaluate
    from emoviz.checkpoints import open_checkpoint
    from emoviz.data.images import Limits
    from emoviz.data.records import merge_labels, read_table
    from emoviz.inference.predict import load_model
    from emoviz.inference.table import embed
    from emoviz.labels import bridge_between, get_taxonomy

    taxonomy = get_taxonomy(arguments.taxonomy) if arguments.taxonomy else None
    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    labelled = read_table(arguments.data, taxonomy, likely=checkpoint.card.taxonomy)
    bridge = bridge_between(checkpoint.card.taxonomy, labelled.taxonomy)
    labelled, bridge = merge_labels(labelled, bridge), bridge.merged
    records = labelled.of_split(arguments.split) if arguments.split else labelled.records
    table = embed(load_model(checkpoint, settings), records, Limits.of(settings))
    refused = [*labelled.refused, *table.refused]
    measured = evaluate(table.probabilities, table.embedding, table.labels, bridge)
    result = {
        "checkpoint": checkpoint.card.id,
        "taxonomy": labelled.taxonomy.name,
        "n": measured.n,
        "refused": len(refused),
        **{key: value for key, value in measured.to_dict().items() if key != "n"},
        "refusals": [{"path": path, "reason": reason} for path, reason in refused],
    }
    if arguments.format == "json":
        print_json(result, sys.stdout)
    else:
        _print_evaluation(result)
    return 0 if len(table) else NOTHING_READ


def _print_evaluation(result: dict[str, Any]) -> None:
    print(f"{result['checkpoint']} on {result['n']} images, labels of {result['taxonomy']}")
    print(f"refused {result['refused']}, left out {result['left_out']} (label has no class)")
    for key in ("accuracy", "macro_f1", "sentiment_accuracy", "ece"):
        print(f"{key:20} {number_text(result[key])}")
    for name, row in result["cross_sentiment"].items():
        print(f"cross-sentiment {name:4} {number_text(row['rate'])} of {row['eligible']} eligible")
    for key in ("ari", "nmi", "asr", "delta"):
        print(f"{key:20} {number_text(result['clustering'][key])}")
    print(f"{'label':20} precision  recall     f1  support")
    for label, row in result["per_class"].items():
        scores = "  ".join(number_text(row[key]) for key in ("precision", "recall", "f1"))
        print(f"{label:20} {scores}  {row['support']:7}")
    for row in result["refusals"][:20]:
        print(f"refused {row['path']}: {row['reason']}")
