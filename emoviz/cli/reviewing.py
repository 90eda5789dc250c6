"""Verbs on reviews, such as ``review export``, ``review forget`` and ``backup``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import (
    estimate_text,
    given_path,
    show,
)
from emoviz.errors import ReviewError
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.review.agreement import Agreement, ReviewerPair
    from emoviz.review.exports.spoken import Spoken
    from emoviz.review.model import ArtworkCollection, EstimateSet
    from emoviz.review.store import ReviewStore

_FORMS = (
    *("csv", "json", "w3c", "iiif", "manifest", "iiif-zip", "linked-art", "lido"),
    *("quickstatements", "commons", "imagefolder", "html"),
)
_LANGUAGES = ("en", "lt", "de", "fr")
_SHOWN = 20


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    verb = verbs.add_parser(
        "review", help="decisions on artworks: export, import, agreement, label, forget"
    )
    parts = verb.add_subparsers(required=True, metavar="export|import|agreement|label|forget")
    _add_export(parts)
    _add_import(parts)
    _add_agreement(parts)
    _add_label(parts)
    forget = parts.add_parser("forget", help="a person: name, login, notes, shares")
    forget.add_argument("name", metavar="NAME", help="of the person")
    forget.add_argument("--decisions", action="store_true", help="their decisions, too")
    forget.set_defaults(verb=_forget)
    backup = verbs.add_parser("backup", help="the whole review store in one file")
    backup.add_argument(
        "path", type=given_path("file", new=True), metavar="PATH", help="of the file"
    )
    backup.set_defaults(verb=_backup)


def _forget(arguments: argparse.Namespace, settings: Settings) -> int:
    import shutil

    from emoviz.review import open_store

    store = open_store(settings)
    person = next((item for item in store.reviewers() if item.name == arguments.name), None)
    if person is None:
        raise ReviewError(f"There is nobody called '{arguments.name}' here.")
    store.forget(person.id, person.id, arguments.decisions)
    shutil.rmtree(settings.home / "exports", ignore_errors=True)  # they name who decided
    print(
        "Forgotten. Exports that were taken home and backups still hold what they held.",
        file=sys.stderr,
    )
    return 0


def _add_export(parts: Any) -> None:
    verb = parts.add_parser("export", help="take estimates and decisions home")
    verb.add_argument("name", metavar="NAME", help="of the collection")
    verb.add_argument(
        "--as",
        dest="form",
        required=True,
        metavar="FORM",
        help=f"{', '.join(_FORMS)}, or a plug-in's",
    )
    verb.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="file; folder or .zip"
    )
    verb.add_argument("--checkpoint", default="", help="whose estimates (the newest)")
    verb.add_argument(
        "--base", default="", metavar="URL", help="of IIIF: where the files will be published"
    )
    verb.add_argument(
        "--terms",
        type=Path,
        metavar="FILE",
        help="of quickstatements: lines such as 'property = P1' and 'awe = Q2'",
    )
    verb.add_argument(
        "--link", action="store_true", help="of imagefolder: links to the images, not copies"
    )
    verb.add_argument(
        "--language", default="en", choices=_LANGUAGES, help="of pages for people (en)"
    )
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.set_defaults(verb=_export)


def _add_import(parts: Any) -> None:
    verb = parts.add_parser("import", help="bring in what export wrote as json, or a backup")
    verb.add_argument("file", type=given_path("file"), metavar="FILE")
    verb.add_argument("--name", default="", help="for the collection (as in the file)")
    verb.set_defaults(verb=_import)


def _add_agreement(parts: Any) -> None:
    verb = parts.add_parser("agreement", help="people with each other, and with the model")
    verb.add_argument("name", metavar="NAME", help="of the collection")
    verb.add_argument("--checkpoint", default="", help="whose estimates (the newest)")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_agreement)


def _add_label(parts: Any) -> None:
    verb = parts.add_parser("label", help="make decisions a labelled set of the library")
    verb.add_argument("name", metavar="NAME", help="of the collection")
    verb.add_argument("--id", default="", help="of the set (made of the title)")
    verb.add_argument("--title", default="", help="of the set (the collection's)")
    verb.add_argument(
        "--rule",
        choices=("majority", "shares"),
        default="majority",
        help="one label a work, or the shares of people's votes (majority)",
    )
    verb.add_argument("--checkpoint", default="", help="whose classes the labels are (the newest)")
    verb.set_defaults(verb=_label)


def _export(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.jobs import Reporter
    from emoviz.review.exports import export
    from emoviz.review.exports.material import nobody
    from emoviz.review.store import open_store

    store = open_store(settings)
    collection = _collection(store, arguments.name)
    known = _known(store, collection, arguments.checkpoint)
    watched = Reporter(arguments.progress) if arguments.progress else None
    if watched is not None:
        watched.step("Works")
    done = export(
        *(store, settings, collection, arguments.form, arguments.out),
        known=known,
        base=arguments.base,
        placing="link" if arguments.link else "copy",
        tell=watched or nobody,
        terms=_text(arguments.terms) if arguments.terms else "",
        spoken=_spoken(arguments.language),
    )
    if watched is not None:
        left = {"count": done.count, "what": done.what, "left_out": len(done.left_out)}
        watched.finish("Written", left)
    print(f"{done.count:,} {done.what} in {done.path}")
    _tell_left_out(done.left_out, "not whole" if arguments.form == "html" else "left out")
    if arguments.form in ("iiif", "manifest", "iiif-zip") and not arguments.base:
        print(
            "Ids begin with http://localhost/: give --base with the address where the file will "
            "be published.",
            file=sys.stderr,
        )
    return 0


def _spoken(name: str) -> "Spoken":
    from emoviz.review.exports.spoken import ENGLISH

    if name == ENGLISH.name:
        return ENGLISH
    from emoviz.ui.language import spoken

    return spoken(name)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ReviewError(f"'{file}' is no text file that can be read.") from None


def _import(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.review.backup import is_backup, restore
    from emoviz.review.store import open_store
    from emoviz.review.transfer import read_export

    store = open_store(settings)
    if is_backup(arguments.file):
        counts = restore(store, arguments.file)
        words = ("collections", "works", "reviewers", "decisions")
        print("Put back: " + ", ".join(f"{counts[name]:,} {name}" for name in words))
        return 0
    done = read_export(store, arguments.file, arguments.name)
    print(
        f"'{done.collection.name}': {done.works:,} new works, {done.decisions:,} new decisions "
        f"({done.known_decisions:,} were here), {done.reviewers:,} new people"
    )
    return 0


def _agreement(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.review.agreement import measure
    from emoviz.review.store import open_store

    store = open_store(settings)
    collection = _collection(store, arguments.name)
    found = measure(store, collection.id, _known(store, collection, arguments.checkpoint))
    titles = {work.id: work.title or work.key for work in store.works(collection.id)}
    values = _agreement_values(found, titles)
    show(arguments, values, lambda _: _print_agreement(found, titles))
    return 0


def _label(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.data.library import free_id
    from emoviz.review.labelling import make_set
    from emoviz.review.store import open_store

    store = open_store(settings)
    collection = _collection(store, arguments.name)
    title = arguments.title or collection.title
    id = arguments.id or free_id(settings, title)
    known = _known(store, collection, arguments.checkpoint)
    made = make_set(store, settings, collection, id, title, arguments.rule, known)
    lineage = made.about["lineage"]
    print(f"Set '{made.id}': {made.count:,} works, labels of '{made.taxonomy.name}'")
    print(f"{lineage['decisions']:,} decisions of {len(lineage['reviewers'])} people")
    for what in ("undecided", "tied", "none_of_these"):
        print(f"{what.replace('_', ' ')}: {lineage[what]:,}")
    _tell_left_out([tuple(row) for row in lineage["unreadable"]], "left out")
    print(f"Train on it: --data {made.path}")
    return 0


def _backup(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.review.backup import back_up
    from emoviz.review.store import open_store

    done = back_up(open_store(settings), arguments.path)
    words = ("collections", "works", "reviewers", "decisions")
    told = ", ".join(f"{done.rows[name]:,} {name}" for name in words)
    print(f"{done.path}: {told}, {done.bytes / 1e6:,.1f} MB, read again and whole")
    return 0


def _collection(store: "ReviewStore", name: str) -> "ArtworkCollection":
    found = store.collection(name)
    if found is None:
        known = ", ".join(item.name for item in store.collections()) or "none"
        raise ReviewError(f"There is no collection '{name}'. Known: {known}.")
    return found


def _known(
    store: "ReviewStore", collection: "ArtworkCollection", checkpoint: str
) -> "EstimateSet | None":
    """The newest estimates of that checkpoint; None for the newest of all."""
    if not checkpoint:
        return None
    sets = store.estimate_sets(collection.id)
    found = next((item for item in sets if item.checkpoint == checkpoint), None)
    if found is None:
        known = ", ".join(dict.fromkeys(item.checkpoint for item in sets)) or "none"
        raise ReviewError(
            f"'{collection.name}' has no estimates of checkpoint '{checkpoint}'. Known: {known}."
        )
    return found


def _tell_left_out(rows: Any, what: str) -> None:
    for name, reason in rows[:_SHOWN]:
        print(f"{what}: {name}: {reason}", file=sys.stderr)
    if len(rows) > _SHOWN:
        print(f"{what}: and {len(rows) - _SHOWN:,} more", file=sys.stderr)


def _agreement_values(found: "Agreement", titles: dict[int, str]) -> dict[str, Any]:
    from emoviz.review.labelling import NONE

    return {
        "people": list(found.people),
        "classes": list(found.classes),
        "works": found.works,
        "works_rated_by_several": found.alpha.n,
        "krippendorff_alpha": found.alpha.to_dict(),
        "krippendorff_alpha_strengths": found.alpha_strength.to_dict(),
        "fleiss_kappa": found.fleiss.to_dict(),
        "pairs": [_pair_values(pair) for pair in found.pairs],
        "with_model": [_pair_values(pair) for pair in found.model],
        "with_model_blind": [_pair_values(pair) for pair in found.blind],
        "dividing": [
            {
                "work": titles[item.work],
                "share": item.share,
                "votes": dict(item.votes),
                "people": dict(item.shares),
                "model": dict(item.model),
            }
            for item in found.dividing
        ],
        "distribution": {
            "works": found.distribution.works,
            "people": {name or NONE: p for name, p in found.distribution.people.items()},
            "model": dict(found.distribution.model),
        },
    }


def _pair_values(pair: "ReviewerPair") -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "works": pair.works,
        "same": pair.same,
        "cohen_kappa": pair.kappa.to_dict(),
        "table": pair.table.tolist(),
    }


def _print_agreement(found: "Agreement", titles: dict[int, str]) -> None:
    from emoviz.review.labelling import NONE

    print(f"{found.works:,} works decided by {len(found.people)} people: {', '.join(found.people)}")
    for what, item in (
        ("Krippendorff's alpha", found.alpha),
        ("  over emotions' strengths", found.alpha_strength),
        ("Fleiss' kappa", found.fleiss),
    ):
        print(f"{what:32}{estimate_text(item.to_dict())}")
    for head, pairs in (
        ("Cohen's kappa", found.pairs),
        ("with the model", found.model),
        ("with the model, decided without seeing its estimate", found.blind),
    ):
        if pairs:
            print(head)
        for pair in pairs:
            who = f"{pair.first} - {pair.second}"
            print(
                f"  {who:30}{estimate_text(pair.kappa.to_dict())}  "
                f"({pair.same:,} of {pair.works:,} the same)"
            )
    both = found.distribution
    if both.works:
        print(f"{'mean shares, works with both':32}people  model  ({both.works:,} works)")
        for name in sorted({*both.people, *both.model}, key=lambda one: -both.people.get(one, 0.0)):
            shares = f"{both.people.get(name, 0.0):6.1%} {both.model.get(name, 0.0):6.1%}"
            print(f"  {name or NONE:30}{shares}")
    if found.dividing:
        print("Works that divide people most")
    for work in found.dividing[:_SHOWN]:
        votes = ", ".join(f"{name}: {label}" for name, label in work.votes.items())
        model = max(work.model, key=lambda name: work.model[name], default="")
        told = f"; model: {model} {work.model[model]:.0%}" if model else ""
        print(f"  {titles[work.work]}: {votes}{told}")
