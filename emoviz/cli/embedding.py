"""Verbs that make tables of embeddings: ``embed``, ``merge``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import DEFAULT_CHECKPOINT, NOTHING_READ, account, print_account, print_json
from emoviz.errors import TableError
from emoviz.jobs import Reporter
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.inference.embedding import Embedded


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    _add_embed(verbs)
    _add_merge(verbs)


def _add_embed(verbs: Any) -> None:
    verb = verbs.add_parser("embed", help="make the table of embeddings of a collection")
    verb.add_argument(
        "path",
        metavar="PATH",
        help="a folder, a ZIP, a table (CSV, Parquet), an image, IIIF address, a set's id, sample",
    )
    verb.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT, help="id or folder")
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")
    verb.add_argument("--level", type=int, help="which folder is the class, 1 for the outermost")
    verb.add_argument(
        "--out", type=Path, metavar="F", help=".parquet or .npz (default: the store at home)"
    )
    verb.add_argument(
        "--part", metavar="I/N", help="the I-th of N parts; needs --out; merge puts them together"
    )
    verb.add_argument("--batch", type=int, default=32, help="images at once (32)")
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_embed)


def _add_merge(verbs: Any) -> None:
    verb = verbs.add_parser("merge", help="put the parts of a collection's table together")
    verb.add_argument("parts", nargs="+", type=Path, metavar="PART", help="of embed --part, all N")
    verb.add_argument("--out", required=True, type=Path, metavar="F", help=".parquet or .npz")
    verb.set_defaults(verb=_merge)


def _merge(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.inference.merge import merge_parts
    from emoviz.inference.stored import describe

    merge_parts(arguments.parts, arguments.out)
    if arguments.out.suffix.casefold() == ".parquet":
        print(f"{describe(arguments.out).count:,} images of {len(arguments.parts)} parts")
    print(f"Table: {arguments.out}")
    return 0


def _embed(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import open_checkpoint
    from emoviz.data.library import locate
    from emoviz.data.parts import parse_part
    from emoviz.data.reading import SAMPLE, open_dataset
    from emoviz.inference.embedding import embed_collection
    from emoviz.inference.predict import load_model
    from emoviz.inference.stored import check_suffix, table_path, write_embeddings
    from emoviz.labels import get_taxonomy

    if arguments.out is not None:
        check_suffix(arguments.out)
    part = parse_part(arguments.part) if arguments.part else None
    if part is not None and arguments.out is None:
        raise TableError("--part needs --out: a file for this part, which merge then reads.")
    taxonomy = get_taxonomy(arguments.taxonomy) if arguments.taxonomy else None
    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    likely = checkpoint.card.taxonomy
    path = arguments.path if arguments.path == SAMPLE else locate(settings, arguments.path)
    collection = open_dataset(path, settings, taxonomy, likely, level=arguments.level)
    report = Reporter(arguments.progress)
    report.step("embedding images", until=0.95)
    model = load_model(checkpoint, settings)
    try:
        found = embed_collection(model, collection, settings, report, max(1, arguments.batch), part)
    except KeyboardInterrupt:
        print("emoviz: what is done is kept; the same command goes on from there.", file=sys.stderr)
        raise
    place = (collection.identity, collection.name, checkpoint.card.id)
    out = arguments.out or table_path(settings, *place)
    if len(found) or part is not None:  # a part without images is wanted all the same
        report.step("writing the table")
        write_embeddings(out, found.parts(settings))
    result = _summary(found, out)
    report.finish(f"{len(found):,} images embedded", result)
    if arguments.format == "json":
        print_json(result, sys.stdout)
    else:
        _print_embedded(result)
    return 0 if len(found) or part is not None else NOTHING_READ


def _summary(found: "Embedded", out: Path) -> dict[str, Any]:
    return {
        "checkpoint": found.checkpoint.card.id,
        "collection": found.collection.identity,
        "images": len(found),
        "new": found.new,
        "cached": len(found) - found.new,
        **account(len(found), found.refused, found.collection.notes),
        "seconds": round(found.seconds, 3),
        "part": None if found.part is None else f"{found.part.number}/{found.part.count}",
        "out": str(out) if len(found) or found.part is not None else None,
    }


def _print_embedded(result: dict[str, Any]) -> None:
    print(
        f"{result['images']} images of {result['collection']} by {result['checkpoint']}: "
        f"{result['new']} new, {result['cached']} known before ({result['seconds']:.1f} s)"
    )
    print_account(result)
    if result["out"]:
        print(f"Table: {result['out']}")
