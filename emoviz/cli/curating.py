"""Verbs that bring labelled sets in, look at them, prepare them and hand them on: ``data``."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import (
    account,
    add_level,
    add_progress_and_format,
    given_path,
    named_taxonomy,
    print_account,
    show,
)
from emoviz.cli.parts import add_parts, done_in_parts
from emoviz.errors import TableError
from emoviz.files import read_json
from emoviz.jobs import Reporter
from emoviz.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emoviz.curation.examine import Wishes
    from emoviz.curation.prepare import PreparedSet
    from emoviz.curation.recipe import Preparation
    from emoviz.data.dataset import Dataset
    from emoviz.data.parts import Merged, PartWork


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    data = verbs.add_parser("data", help="bring in, examine, prepare and export labelled sets")
    parts = data.add_subparsers(required=True, metavar="STEP")
    _add_import(parts)
    _add_examine(parts)
    _add_prepare(parts)
    _add_export(parts)


def _add_import(parts: Any) -> None:
    verb = parts.add_parser("import", help="bring in a published set by its unpacked folder")
    verb.add_argument("kind", metavar="KIND", help="such as emoset; a wrong one lists them all")
    verb.add_argument("path", metavar="PATH", type=Path, help="the unpacked folder, or the file")
    verb.add_argument("--labels", default="", help="which labels, where the set has several")
    add_level(verb)
    verb.add_argument("--title", default="", help="for people")
    verb.add_argument("--out", type=given_path("file", new=True), metavar="T.parquet")
    verb.add_argument("--library", metavar="ID", help="keep it as a set of the library")
    verb.add_argument(
        "--refused",
        type=given_path("file", new=True),
        metavar="F.csv",
        help="what did not fit, all of it",
    )
    verb.add_argument("--sent", action="store_true", help=argparse.SUPPRESS)
    add_progress_and_format(verb)
    verb.set_defaults(verb=_import)


def _add_examine(parts: Any) -> None:
    verb = parts.add_parser("examine", help="see what is wrong with a set before training")
    _add_table(verb)
    verb.add_argument("--checkpoint", help="id or folder; doubts labels by what it sees")
    verb.add_argument("--text", action="store_true", help="look for text (half a second an image)")
    verb.add_argument("--faces", action="store_true", help="look for faces")
    verb.add_argument(
        "--out", type=Path, metavar="DIR", help="keep what was found here (at home); a part's file"
    )
    add_parts(verb, _examine_work, finish_examination)
    add_progress_and_format(verb)
    verb.set_defaults(verb=_examine)


def _add_prepare(parts: Any) -> None:
    verb = parts.add_parser("prepare", help="clean, relabel, thin out and split a set by a recipe")
    verb.add_argument("recipe", metavar="RECIPE", help="clean, webemo-sadness, or a YAML file")
    _add_table(verb)
    verb.add_argument("--out", type=Path, required=True, metavar="DIR")
    verb.add_argument("--library", metavar="ID", help="keep it as a set of the library, too")
    verb.add_argument("--title", default="", help="for people; the recipe's where left out")
    add_progress_and_format(verb)
    verb.set_defaults(verb=_prepare)


def _add_export(parts: Any) -> None:
    verb = parts.add_parser("export", help="a set for other programs")
    _add_table(verb)
    verb.add_argument(
        "--as", dest="kind", required=True, choices=("csv", "imagefolder", "croissant", "card")
    )
    verb.add_argument("--copies", action="store_true", help="of imagefolder: copy, do not link")
    verb.add_argument("--out", type=Path, required=True, metavar="PATH")
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.set_defaults(verb=_export)


def _add_table(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "table", metavar="SET", help="T.parquet, a CSV, a folder, or the id of a set of the library"
    )
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")


def _import(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.data.importers.registry import bring_in, importers
    from emoviz.data.lineage import with_step
    from emoviz.inference.tabular import safe_cell, write_csv

    if arguments.out is None and arguments.library is None:
        raise TableError("Say where to: --out T.parquet, or --library ID, or both.")
    _wants_parquet(arguments.out)
    report = Reporter(arguments.progress)
    report.step("reading the set", until=0.9)
    given = arguments.kind, arguments.path, arguments.labels, arguments.level
    found = bring_in(*given, settings, arguments.sent)
    found = replace(found, name=arguments.title or found.name)
    words = f"brought in as {arguments.kind} from {arguments.path.name or arguments.path}"
    words += f" by {arguments.labels}" if arguments.labels else ""
    step = {"words": words, "images": len(found.records), "refused": len(found.problems)}
    about = {**found.about, **importers()[arguments.kind].about, "refused": len(found.problems)}
    about = with_step(about, step)
    report.step("writing the table")
    if arguments.refused is not None:
        rows = ([*map(safe_cell, row)] for row in found.problems)
        write_csv(arguments.refused, [("place", "reason"), *rows])
    table, left_out = _written(arguments, settings, found, about)
    result = {
        "table": str(table),
        "title": found.name,
        "taxonomy": found.taxonomy.name,
        "images": len(found.records) - len(left_out),
        "counts": _counts(found),
        **account(len(found.records), found.problems, found.notes),
        "not_opened": len(found.records),
        "left_out": list(left_out),
        "about": about,
    }
    told = {name: result[name] for name in ("table", "found", "taken", "notes")}
    told["other_level"] = found.other_level
    report.finish(f"{result['images']:,} images brought in", told)
    show(arguments, result, _print_imported)
    return 0


def _written(
    arguments: argparse.Namespace, settings: Settings, found: "Dataset", about: dict[str, Any]
) -> tuple[Path, Sequence[str]]:
    """Written to where it was asked for: where it is, and the names that are no text."""
    from emoviz.data.dataset_file import write_set
    from emoviz.data.library import save_set

    left_out: Sequence[str] = ()
    if arguments.out is not None:
        left_out = write_set(arguments.out, found.name, found, about)
    if arguments.library is None:
        return arguments.out, left_out
    known = save_set(settings, arguments.library, found.name, found, about)
    return known.path, known.about.get("left_out", ())


def _counts(found: Any) -> dict[str, dict[str, int]]:
    """Split -> label -> images; "no split" and "no label" where there is none."""
    rows: dict[str, dict[str, int]] = {}
    for record in found.records:
        name = found.taxonomy.names[record.label] if record.label >= 0 else "no label"
        row = rows.setdefault(record.split or "no split", {})
        row[name] = row.get(name, 0) + 1
    return rows


def _print_imported(result: dict[str, Any]) -> None:
    print(f"{result['title']}: {result['images']:,} images, labels of {result['taxonomy']}")
    for split, row in result["counts"].items():
        told = ", ".join(f"{label} {count:,}" for label, count in row.items())
        print(f"  {split}: {told}")
    print_account(result)
    print(
        f"not opened: {result['not_opened']:,} images; which of them are damaged is told by "
        "`data examine`, and by every verb that reads them"
    )
    print(result["table"])


def _examine(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.curation.examine import examine, keep
    from emoviz.curation.examined import examination_folder
    from emoviz.curation.findings import counts_of

    if done_in_parts(arguments, settings):
        return 0
    path, labelled = _read(arguments, settings)
    report = Reporter(arguments.progress)
    item, found = examine(labelled, path, settings, _wishes(arguments, settings), report)
    folder = arguments.out or examination_folder(settings, path)
    keep(folder, item, found)
    report.finish(f"{len(item):,} images examined", {"counts": counts_of(found)})
    show(arguments, found, _print_found)
    return 0


def _wishes(arguments: argparse.Namespace, settings: Settings) -> "Wishes":
    from emoviz.checkpoints import open_checkpoint
    from emoviz.curation.examine import Wishes

    checkpoint = open_checkpoint(arguments.checkpoint, settings) if arguments.checkpoint else None
    return Wishes(arguments.text, arguments.faces, checkpoint)


def _examine_work(
    arguments: argparse.Namespace, settings: Settings, report: Reporter
) -> "PartWork":
    from emoviz.curation.examine import examination_work

    path, labelled = _read(arguments, settings)
    return examination_work(labelled, path, settings, _wishes(arguments, settings), report)


def finish_examination(merged: "Merged", out: Path, settings: Settings) -> None:
    """Keep and print what `data examine` would have found, out of all parts."""
    from emoviz.curation.examine import examine_merged, keep

    item, found = examine_merged(merged, Reporter(None))
    keep(out, item, found)
    _print_found(found)
    print(out)


def _print_found(found: dict[str, Any]) -> None:
    from emoviz.curation.findings import counts_of

    print(f"{found['title']}: {found['images']:,} images")
    for kind, count in counts_of(found).items():
        why = found["not_looked_for"].get(kind, "")
        print(f"  {kind.replace('_', ' '):18}{'-' if count is None else f'{count:,}':>8}  {why}")
    classes = found["classes"]
    told = ", ".join(f"{label} {count:,}" for label, count in classes["all"].items())
    print(f"  classes: {told}")
    print(f"  always guessing the commonest class is right for {100 * classes['majority']:.1f} %")
    guess = classes["by_looks_alone"]
    if guess is not None:
        print(f"  light and colour alone guess {100 * guess['accuracy']:.1f} % (cross-validated)")


def _prepare(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.curation.examine import look
    from emoviz.curation.prepare import needs, prepare, report_of
    from emoviz.curation.recipe import load_preparation
    from emoviz.data.library import save_set
    from emoviz.data.lineage import with_step

    recipe = load_preparation(arguments.recipe)
    # What an interrupted run of the same recipe left is whole, and is compared with the result.
    before = read_json(arguments.out / "report.json") or {}
    if before.get("recipe_sha256") != recipe.sha256:
        _wants_nothing_at(arguments.out)
    _, labelled = _read(arguments, settings)
    report = Reporter(arguments.progress)
    text, faces = needs(recipe)
    item = look(labelled, settings, report, text=text, faces=faces, until=0.95)
    report.step("applying the recipe")
    made = prepare(labelled, item, recipe)
    result = report_of(made, recipe)
    table = arguments.out / "set.parquet"
    is_there = before == json.loads(json.dumps(result)) and table.is_file()
    if not is_there:
        _wants_nothing_at(arguments.out)
    words = (
        f"prepared by the recipe {recipe.name} ({recipe.sha256[:12]}), split seed "
        f"{recipe.split.seed}: {result['images']:,} of {len(labelled.records):,} images stayed, "
        f"result {made.fingerprint[:12]}"
    )
    kept = ("recipe", "recipe_sha256", "fingerprint", "counts", "dropped_by_reason")
    step = {"words": words, **{key: result[key] for key in kept}}
    title, about = arguments.title or made.labelled.name, with_step(labelled.about, step)
    if not is_there:
        _write_prepared(arguments.out, title, recipe, made, about)
    if arguments.library is not None:
        save_set(settings, arguments.library, title, made.labelled, about)
    result["table"] = str(table)
    report.finish(f"{result['images']:,} images prepared", {"table": result["table"]})
    show(arguments, result, _print_prepared)
    return 0


def _wants_nothing_at(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise TableError(f"'{path}' is there already; name a new folder.")


def _write_prepared(
    out: Path, title: str, recipe: "Preparation", made: "PreparedSet", about: dict[str, Any]
) -> None:
    from emoviz.curation.prepare import report_of
    from emoviz.curation.recipe import dump_preparation
    from emoviz.data.dataset_file import write_set
    from emoviz.files import replaced_folder, write_json, write_text
    from emoviz.inference.tabular import safe_cell, write_csv

    rows = ([*map(safe_cell, (r.name, r.sha256, r.label, r.reason))] for r in made.dropped)
    with replaced_folder(out) as aside:
        write_set(aside / "set.parquet", title, made.labelled, about)
        write_text(aside / "recipe.yaml", dump_preparation(recipe))
        write_json(aside / "report.json", report_of(made, recipe))
        write_csv(aside / "dropped.csv", [("name", "sha256", "label", "reason"), *rows])


def _print_prepared(result: "Mapping[str, Any]") -> None:
    for step in result["steps"]:
        print(f"{step['images']:8,}  {step['step']}")
    for reason, count in result["dropped_by_reason"].items():
        print(f"  thrown out {count:,}: {reason}")
    for split, row in result["counts"].items():
        print(f"  {split}: " + ", ".join(f"{label} {count:,}" for label, count in row.items()))
    print(f"fingerprint {result['fingerprint'][:16]}")
    print(result["table"])


def _export(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.curation.export import MISSING, to_croissant, to_csv, to_folders

    table, labelled = _read(arguments, settings)
    report = Reporter(arguments.progress)
    report.step("writing")
    if arguments.kind == "card":
        words = _write_card(table, labelled, arguments.out, settings)
    else:
        if arguments.kind == "csv":
            made = to_csv(labelled, arguments.out)
            words = f"{made.images:,} rows"
        elif arguments.kind == "croissant":
            made = to_croissant(labelled, labelled.about, arguments.out)
            words = f"{made.images:,} images described"
        else:
            made = to_folders(labelled, arguments.out, arguments.copies)
            words = f"{made.images:,} images, {made.left_out:,} left out"
            words += " for want of a label or split"
        if made.missing:
            words += f"; {len(made.missing):,} files are gone or closed: see {MISSING}"
    report.finish(words, {"out": str(arguments.out)})
    print(words)
    print(arguments.out)
    return 0


def _write_card(table: Path, labelled: "Dataset", out: Path, settings: Settings) -> str:
    """The set's data card as HTML, with its examination where one is kept at home."""
    from emoviz.curation.card import card_of
    from emoviz.curation.examine import kept
    from emoviz.curation.examined import examination_folder
    from emoviz.data.images import Limits
    from emoviz.files import write_text
    from emoviz.plots.data_card import data_card

    found = kept(examination_folder(settings, table), table)
    card = card_of(labelled, labelled.about, found, Limits.of(settings))
    write_text(out, data_card(card))
    return f"a card of {card.images:,} images{'' if found else ', which were not examined'}"


def _read(arguments: argparse.Namespace, settings: Settings) -> "tuple[Path, Dataset]":
    """The table that was named, by its path or its id in the library."""
    from emoviz.data.library import locate
    from emoviz.data.reading import read_labelled

    place = locate(settings, arguments.table)
    return Path(place), read_labelled(place, named_taxonomy(arguments))


def _wants_parquet(path: Path | None) -> None:
    if path is not None and path.suffix.casefold() != ".parquet":
        raise TableError(f"'{path}' is no Parquet file's name; call it {path.stem}.parquet.")
