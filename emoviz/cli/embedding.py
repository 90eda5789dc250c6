"""The verb that makes tables of embeddings: ``embed``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import (
    NOTHING_READ,
    account,
    add_level,
    add_progress_and_format,
    given_path,
    print_account,
    show,
)
from emoviz.cli.parts import add_collection, add_parts, done_in_parts, opened
from emoviz.jobs import Reporter
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.data.parts import Merged, PartWork
    from emoviz.inference.embedding import Embedded


def add_verbs(verbs: Any) -> None:
    """Add this module's verb to the parser."""
    verb = verbs.add_parser("embed", help="make the table of embeddings of a collection")
    add_collection(verb)
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")
    add_level(verb)
    verb.add_argument(
        "--out",
        type=given_path("file", new=True),
        metavar="F",
        help=".parquet or .npz (default: the store at home)",
    )
    add_parts(verb, _work, finish_embedding)
    verb.add_argument("--batch", type=int, default=32, help="images at once (32)")
    add_progress_and_format(verb)
    verb.set_defaults(verb=_embed)


def _embed(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.inference.embedding import embed_collection
    from emoviz.inference.predict import load_model
    from emoviz.inference.stored import check_suffix, table_path, write_embeddings

    if arguments.out is not None:
        check_suffix(arguments.out)
    if done_in_parts(arguments, settings):
        return 0
    checkpoint, collection = opened(arguments, settings)
    report = Reporter(arguments.progress)
    report.step("embedding images", until=0.95)
    model = load_model(checkpoint, settings)
    try:
        found = embed_collection(model, collection, settings, report, max(1, arguments.batch))
    except KeyboardInterrupt:
        print("emoviz: what is done is kept; the same command goes on from there.", file=sys.stderr)
        raise
    place = (collection.identity, collection.name, checkpoint.card.id)
    out = arguments.out or table_path(settings, *place)
    if len(found):
        report.step("writing the table")
        write_embeddings(out, found.parts(settings))
    result = _summary(found, out)
    report.finish(f"{len(found):,} images embedded", result)
    show(arguments, result, _print_embedded)
    return 0 if len(found) else NOTHING_READ


def _work(arguments: argparse.Namespace, settings: Settings, report: Reporter) -> "PartWork":
    from emoviz.inference.embedding import embedding_work

    return embedding_work(*opened(arguments, settings), settings, report, max(1, arguments.batch))


def finish_embedding(merged: "Merged", out: Path, settings: Settings) -> None:
    """Write the table of all parts."""
    from emoviz.inference.stored import write_merged

    write_merged(out, merged)
    print_account(account(merged.count, [(item.key, item.reason) for item in merged.refused]))
    print(f"Table: {out}")


def _summary(found: "Embedded", out: Path) -> dict[str, Any]:
    return {
        "checkpoint": found.checkpoint.card.id,
        "collection": found.collection.identity,
        "images": len(found),
        "new": found.new,
        "cached": len(found) - found.new,
        **account(len(found), found.refused, found.collection.notes),
        "seconds": round(found.seconds, 3),
        "out": str(out) if len(found) else None,
    }


def _print_embedded(result: dict[str, Any]) -> None:
    print(
        f"{result['images']} images of {result['collection']} by {result['checkpoint']}: "
        f"{result['new']} new, {result['cached']} known before ({result['seconds']:.1f} s)"
    )
    print_account(result)
    if result["out"]:
        print(f"Table: {result['out']}")
