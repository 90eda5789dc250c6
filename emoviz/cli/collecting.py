"""Verbs on collections of artworks: ``collection add``, ``list``, ``remove``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import (
    DEFAULT_CHECKPOINT,
    NOTHING_READ,
    add_progress_and_format,
    print_account,
    show,
)
from emoviz.jobs import Reporter
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.review.acquire import AcquireRequest

_NO_CHECKPOINT = "none"
_SHOWN = 20


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    verb = verbs.add_parser("collection", help="artworks to review: add, list, remove")
    parts = verb.add_subparsers(required=True, metavar="add|list|remove")
    _add_add(parts)
    listing = parts.add_parser("list", help="the collections and how complete they are")
    listing.add_argument("--format", choices=("table", "json"), default="table")
    listing.set_defaults(verb=_list)
    removing = parts.add_parser("remove", help="delete what was fetched; decisions are kept")
    removing.add_argument("name", metavar="NAME")
    removing.set_defaults(verb=_remove)


def _add_add(parts: Any) -> None:
    verb = parts.add_parser("add", help="bring a collection in, or go on with one")
    verb.add_argument("name", metavar="NAME", help="small letters, digits, '-', '_' and '.'")
    verb.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder, a ZIP, a CSV of paths or addresses, a IIIF manifest or collection (address "
        "or file), WikiArt-Emotions-All.tsv, or sample",
    )
    verb.add_argument(
        "--kind",
        choices=("folder", "zip", "table", "iiif", "wikiart-emotions", "sample"),
        help="what the source is (default: seen from the source)",
    )
    verb.add_argument("--title", default="", help="for people")
    verb.add_argument("--images", type=Path, metavar="DIR", help="of WikiArt Emotions")
    verb.add_argument(
        "--votes",
        choices=("image", "image and title", "title"),
        default="image",
        help="what the voters of WikiArt Emotions saw (image)",
    )
    verb.add_argument("--side", type=int, default=1280, help="long side of IIIF images (1280)")
    verb.add_argument("--again", action="store_true", help="list the source anew")
    verb.add_argument(
        "--rights-read",
        action="store_true",
        help="make estimates although the rights speak of use by machines",
    )
    verb.add_argument("--sent", action="store_true", help=argparse.SUPPRESS)
    verb.add_argument(
        "--checkpoint", default=DEFAULT_CHECKPOINT, help="whose estimates; none for none (mikels8)"
    )
    add_progress_and_format(verb)
    verb.set_defaults(verb=_add)


def _add(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import open_checkpoint
    from emoviz.review.ingest import add_collection

    wanted = arguments.checkpoint
    checkpoint = None if wanted == _NO_CHECKPOINT else open_checkpoint(wanted, settings)
    report = Reporter(arguments.progress)
    try:
        added = add_collection(
            *(_request(arguments), settings, report, checkpoint),
            again=arguments.again,
            rights_read=arguments.rights_read,
        )
    except KeyboardInterrupt:
        print("emoviz: what is here is kept; the same command goes on.", file=sys.stderr)
        raise
    result = added.to_dict()
    report.finish(f"{result['ready']:,} of {result['works']:,} artworks are here", result)
    show(arguments, result, _print_added)
    return 0 if result["ready"] else NOTHING_READ


def _request(arguments: argparse.Namespace) -> "AcquireRequest":
    from emoviz.review.acquire import AcquireRequest, guess_kind

    source = str(arguments.source)
    kind = arguments.kind or guess_kind(source)
    is_path = kind != "sample" and "://" not in source
    images = str(arguments.images.absolute()) if arguments.images else ""
    return AcquireRequest(
        name=arguments.name,
        source=str(Path(source).absolute()) if is_path else source,
        kind=kind,
        title=arguments.title,
        images=images,
        voters=arguments.votes,
        side=max(64, arguments.side),
        sent=arguments.sent,
    )


def _print_added(result: dict[str, Any]) -> None:
    print(
        f"{result['name']}: {result['ready']:,} of {result['works']:,} artworks are here, "
        f"{result['failed']:,} failed, {result['waiting']:,} wait"
    )
    if (changes := result["changes"]) is not None:
        counts = [len(changes[name]) for name in ("came", "pictures", "words", "gone")]
        print(
            "since it was listed before: {:,} came, {:,} have another picture, {:,} are described "
            "in other words, {:,} are gone; decisions are kept".format(*counts)
        )
    not_taken = result["found"] - result["works"]
    if not_taken:
        print(f"{not_taken:,} more things that the source names are no artworks that can be read")
    if result["stopped"]:
        print(f"stopped: {result['stopped']}. The same command goes on from there.")
    print_account(result)
    for row in result["restrictions"][:_SHOWN]:
        print(f"rights of {row['works']:,} artworks: {row['statement']}")
    if result["held"]:
        print(
            "No estimates were made: the rights speak of use by machines. Once you have read them "
            "and may, the same command with --rights-read makes them."
        )
    if result["table"]:
        print(f"Estimates by {result['checkpoint']}: {result['table']}")


def _list(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.review.acquire import list_damaged, list_gathered

    rows = []
    for reason in list_damaged(settings):
        print(f"emoviz: {reason}", file=sys.stderr)
    for found in list_gathered(settings):
        assert found.request is not None
        request = found.request
        rows.append(
            {
                "name": request.name,
                "title": request.title or request.name,
                "kind": request.kind,
                "source": request.source,
                "works": len(found.items),
                "ready": len(found.ready),
                "failed": len(found.failed),
                "waiting": found.waiting,
                "problems": len(found.problems),
            }
        )
    show(arguments, rows, _print_collections)
    return 0


def _print_collections(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        state = f"{row['ready']:,} of {row['works']:,} here, {row['failed']:,} failed"
        print(f"{row['name']}: {row['title']} ({row['kind']}), {state}; from {row['source']}")
    if not rows:
        print("No collections yet. Bring one in: python -m emoviz collection add NAME SOURCE")


def _remove(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.review.ingest import remove_collection

    remove_collection(arguments.name, settings)
    print(f"{arguments.name} is removed. Decisions on its artworks are kept.")
    return 0
