"""Verbs on images and checkpoints: ``predict``, ``checkpoints``, ``checkpoint``."""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from emoviz.cli.output import (
    DEFAULT_CHECKPOINT,
    NOTHING_READ,
    account,
    given_path,
    print_account,
    print_json,
    show,
)
from emoviz.cli.parts import add_parts, done_in_parts
from emoviz.files import printable
from emoviz.jobs import Reporter
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.data.parts import Merged, PartWork
    from emoviz.inference.predict import Prediction


_FETCHED_WITHIN, _MOST_FETCHED = 1800.0, 500_000_000  # seconds, bytes (in memory meanwhile)


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    _add_predict(verbs)
    _add_checkpoints(verbs)
    _add_checkpoint(verbs)


def _add_predict(verbs: Any) -> None:
    verb = verbs.add_parser("predict", help="estimate the emotions that images evoke")
    verb.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="files, folders, ZIPs, tables, ids of sets, IIIF addresses",
    )
    verb.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT, help="id or folder")
    verb.add_argument("--format", choices=("table", "json", "csv"), default="table")
    verb.add_argument(
        "--out",
        type=given_path("file", new=True),
        metavar="F.parquet",
        help="all numbers as a table",
    )
    add_parts(verb, _predict_work, finish_predictions)
    verb.add_argument("--batch", type=int, default=32, help="images at once (32)")
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.add_argument(
        "--kind",
        help="what kind of image all are, where you know better than the network: photograph, "
        "abstract painting, figurative painting",
    )
    verb.set_defaults(verb=_predict)


def _add_checkpoints(verbs: Any) -> None:
    verb = verbs.add_parser("checkpoints", help="list the trained networks")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_checkpoints)


def _add_checkpoint(verbs: Any) -> None:
    verb = verbs.add_parser("checkpoint", help="bring a network in, sign one, know a signer")
    actions = verb.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("import", help="look at a stranger's checkpoint, then bring it in")
    action.add_argument("source", type=given_path("file", "folder"), metavar="ZIP|FOLDER")
    _add_wishes(action)
    action.set_defaults(verb=_import_checkpoint)
    action = actions.add_parser("fetch", help="the same for a ZIP at an address")
    action.add_argument("address", metavar="ADDRESS")
    action.add_argument(
        "--sha256", required=True, metavar="HEX", help="of the ZIP, from whoever vouches for it"
    )
    _add_wishes(action)
    action.set_defaults(verb=_fetch_checkpoint)
    action = actions.add_parser("seal", help="write the files' hashes into the card of one's own")
    action.add_argument("checkpoint", help="id or folder")
    action.set_defaults(verb=_seal)
    action = actions.add_parser("sign", help="sign one's own with an Ed25519 key")
    action.add_argument("checkpoint", help="id or folder")
    action.add_argument(
        "--key",
        required=True,
        type=given_path("file", new=True),
        metavar="PEM",
        help="made if not there",
    )
    action.set_defaults(verb=_sign)
    action = actions.add_parser("trust", help="know a public key by a name")
    action.add_argument("name", metavar="NAME")
    action.add_argument("public_key", metavar="KEY", help="64 hexadecimal digits")
    action.set_defaults(verb=_trust)


def _predict(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import open_checkpoint
    from emoviz.data.images import Limits
    from emoviz.data.library import known_place
    from emoviz.data.reading import expand
    from emoviz.inference.abstention import abstention_of, with_abstention
    from emoviz.inference.predict import load_model, predict

    if arguments.out is not None:
        from emoviz.inference.prediction_table import check_suffix

        check_suffix(arguments.out)
    if done_in_parts(arguments, settings):
        return 0
    if arguments.out is not None:
        return _predict_table(arguments, settings)
    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    chosen = abstention_of(checkpoint, settings)
    limits = Limits.of(settings)
    notes: list[str] = []
    places = [known_place(settings, path) for path in arguments.paths]
    sources = expand(places, settings, notes.append)
    model = load_model(checkpoint, settings)
    results = predict(model, sources, limits, batch=max(1, arguments.batch), kind=arguments.kind)
    counted = _Counter(
        with_abstention(results, chosen), len(sources) if arguments.format != "table" else 0
    )
    names = list(model.taxonomy.names)
    _WRITERS[arguments.format](counted, names, sys.stdout, chosen is not None)
    values = account(counted.read, counted.problems, notes)
    print_account(values, sys.stdout if arguments.format == "table" else sys.stderr)
    return 0 if counted.read else NOTHING_READ


def _predict_work(
    arguments: argparse.Namespace, settings: Settings, report: Reporter
) -> "PartWork":
    from emoviz.checkpoints import open_checkpoint
    from emoviz.data.library import known_place
    from emoviz.data.reading import expand
    from emoviz.inference.prediction_table import prediction_work

    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    sources = expand([known_place(settings, path) for path in arguments.paths], settings)
    batch = max(1, arguments.batch)
    return prediction_work(checkpoint, sources, settings, report, batch, arguments.kind)


def _predict_table(arguments: argparse.Namespace, settings: Settings) -> int:
    """The whole is one part of one."""
    from emoviz.data.parts import Part, merged, write_part

    report = Reporter(arguments.progress)
    report.step("estimating")
    with tempfile.TemporaryDirectory(dir=arguments.out.parent, prefix=".predict-") as aside:
        part = Path(aside, "part.parquet")
        write_part(part, _predict_work(arguments, settings, report), Part(1, 1))
        with merged([part]) as whole:
            taken = finish_predictions(whole, arguments.out, settings)
    return 0 if taken else NOTHING_READ


def finish_predictions(merged: "Merged", out: Path, settings: Settings) -> int:
    """Write the table of all parts; how many sources could be read."""
    from emoviz.inference.prediction_table import write_predictions

    problems = write_predictions(out, merged)
    taken = merged.count - len(problems)
    print_account(account(taken, problems))
    print(f"Table: {out}")
    return taken


class _Counter:
    """Passes predictions on, counts those that could be read, shows progress on a terminal."""

    def __init__(self, results: Iterable["Prediction"], total: int) -> None:
        self._results, self._total, self.read = results, total, 0
        self.problems: list[tuple[str, str]] = []

    def __iter__(self) -> Iterator["Prediction"]:
        shown = self._total > 64 and sys.stderr.isatty()
        for done, result in enumerate(self._results, start=1):
            self.read += result.error is None
            if result.error is not None:
                self.problems.append((result.path, result.error))
            if shown:
                print(f"\r{done} of {self._total} images", end="", file=sys.stderr)
            yield result
        if shown:
            print(file=sys.stderr)


def _write_json(
    results: Iterable["Prediction"], names: list[str], out: TextIO, abstains: bool
) -> None:
    print_json([result.to_dict() for result in results], out)


def _write_csv(
    results: Iterable["Prediction"], names: list[str], out: TextIO, abstains: bool
) -> None:
    from emoviz.inference.tabular import csv_header, csv_row, csv_writer

    writer = csv_writer(out)
    writer.writerow(csv_header(names, abstains))
    for result in results:
        writer.writerow(csv_row(result, names, abstains))


def _write_table(
    results: Iterable["Prediction"], names: list[str], out: TextIO, abstains: bool
) -> None:
    print("The model's estimate of the emotion that each image evokes:", file=out)
    for result in results:
        if result.error is not None:
            continue  # told at the end
        (first, p), *rest = result.ranked
        second = f", then {rest[0][0]} {rest[0][1]:.0%}" if rest else ""
        flags = "  [top two opposite]" if result.top2_opposite else ""
        flags += "  [unlike the training images]" if result.unlike_training else ""
        flags += "  [not sure enough]" if result.not_sure else ""
        flags += "  [viewers are likely to differ]" if result.viewers_differ else ""
        sentiment = result.sentiment or "no sentiment"
        path = printable(result.path)
        print(f"{path}: {first} {p:.0%}{second}; {sentiment}{flags}", file=out)


_WRITERS = {"json": _write_json, "csv": _write_csv, "table": _write_table}


def _checkpoints(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import list_checkpoints

    found, refused = list_checkpoints(settings)
    rows: list[dict[str, Any]] = [
        {
            "id": item.card.id,
            "title": item.card.title,
            "taxonomy": item.card.taxonomy.name,
            "backbone": item.card.backbone,
            "layers": item.card.layers,
            "width": item.card.width,
            "measures": dict(item.card.measures),
        }
        for item in found
    ]
    show(arguments, rows, _print_checkpoints)
    for reason in refused:
        print(f"emoviz: {reason}", file=sys.stderr)
    return 0


def _print_checkpoints(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        layers = ", ".join(map(str, row["layers"])) or "none"
        print(
            f"{row['id']}: {row['title']}. {row['taxonomy']}, {row['backbone']}, "
            f"Gram layers {layers}, width {row['width']}"
        )
        for name, value in row["measures"].items():
            print(f"    {name}: {json.dumps(value, ensure_ascii=False)}")


def _add_wishes(action: argparse.ArgumentParser) -> None:
    action.add_argument("--id", help="what it is called here (its own id)")
    action.add_argument("--yes", action="store_true", help="bring it in without asking")
    action.add_argument("--signed-by", metavar="NAME", help="refuse unless signed so")


def _import_checkpoint(arguments: argparse.Namespace, settings: Settings) -> int:
    return _bring_in(arguments.source, arguments.source.name, arguments, settings)


def _fetch_checkpoint(arguments: argparse.Namespace, settings: Settings) -> int:
    import hashlib
    from urllib.parse import unquote, urlsplit

    from emoviz.data.fetch import FetchCaps, Fetcher
    from emoviz.errors import CheckpointError

    wanted = arguments.sha256.strip().casefold()
    if not re.fullmatch(r"[0-9a-f]{64}", wanted):
        raise CheckpointError("--sha256 wants 64 digits, 0 to 9 and a to f.")
    caps = FetchCaps(bytes=_MOST_FETCHED, seconds=_FETCHED_WITHIN)
    fetcher = Fetcher(settings.allow_private_urls, settings.fetch_pause, caps)
    print(f"Fetching {arguments.address} ...", file=sys.stderr)
    data = fetcher.get(arguments.address).body
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise CheckpointError(
            f"What came from there is another file: its SHA-256 is {found}, wanted {wanted}. "
            "Nothing was done."
        )
    name = Path(unquote(urlsplit(arguments.address).path)).name or "checkpoint.zip"
    return _bring_in(data, name, arguments, settings)


def _bring_in(
    source: Path | bytes, name: str, arguments: argparse.Namespace, settings: Settings
) -> int:
    """Look at a stranger's checkpoint, say what it is, and bring it in where a person says so."""
    from emoviz.errors import CheckpointError
    from emoviz.inference.incoming import bring_in, discard, look_at

    incoming = look_at(source, name, settings)
    card, id = incoming.card, arguments.id or incoming.id
    said = (f"{card.title}: {card.summary}", f"Licence: {card.licence}", f"Limits: {card.limits}")
    print(*(printable(" ".join(line.split())) for line in (*said, *incoming.remarks)), sep="\n")
    try:
        if arguments.signed_by and incoming.signer != arguments.signed_by:
            raise CheckpointError(f"It is not signed by {arguments.signed_by}; nothing was done.")
        if not (arguments.yes or _agreed(f"Bring it in as '{id}'? [y/N] ")):
            print("Nothing was done.")
            return 0
        print(f"Checkpoint: {bring_in(incoming, id, settings).folder}")
    finally:
        discard(incoming)
    return 0


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        print("Nobody is there to ask; --yes says yes.", file=sys.stderr)
        return False
    return input(question).strip().casefold() in ("y", "yes")


def _seal(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import open_checkpoint, seal_checkpoint

    card = seal_checkpoint(open_checkpoint(arguments.checkpoint, settings).folder)
    print(f"{card.id}: the card holds the hashes of its files.")
    return 0


def _sign(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import open_checkpoint
    from emoviz.inference.signing import sign

    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    print(f"Signed. The public key: {sign(checkpoint.folder, arguments.key)}")
    return 0


def _trust(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.inference.signing import trust_key

    trust_key(arguments.name, arguments.public_key, settings)
    print(f"A checkpoint signed with this key is from now on shown as signed by {arguments.name}.")
    return 0
