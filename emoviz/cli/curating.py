"""Verbs that bring labelled sets in, look at them, prepare them and hand them on: ``data``."""

import argparse
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import print_json
from emoviz.errors import TableError
from emoviz.jobs import Reporter
from emoviz.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emoviz.curation.prepare import Prepared

_SHOWN = 20


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
    verb.add_argument("--out", type=Path, required=True, metavar="T.parquet")
    _add_shared(verb)
    verb.set_defaults(verb=_import)


def _add_examine(parts: Any) -> None:
    verb = parts.add_parser("examine", help="see what is wrong with a set before training")
    verb.add_argument("table", metavar="T.parquet", type=Path, help="or a CSV, or a folder")
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")
    verb.add_argument("--checkpoint", help="id or folder; doubts labels by what it sees")
    verb.add_argument("--text", action="store_true", help="look for text (half a second an image)")
    verb.add_argument("--faces", action="store_true", help="look for faces")
    verb.add_argument("--out", type=Path, metavar="DIR", help="keep what was found here")
    _add_shared(verb)
    verb.set_defaults(verb=_examine)


def _add_prepare(parts: Any) -> None:
    verb = parts.add_parser("prepare", help="clean, relabel, thin out and split a set by a recipe")
    verb.add_argument("recipe", metavar="RECIPE", help="clean, webemo-sadness, or a YAML file")
    verb.add_argument("table", metavar="T.parquet", type=Path, help="or a CSV, or a folder")
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")
    verb.add_argument("--out", type=Path, required=True, metavar="DIR")
    _add_shared(verb)
    verb.set_defaults(verb=_prepare)


def _add_export(parts: Any) -> None:
    verb = parts.add_parser("export", help="a set for other programs")
    verb.add_argument("table", metavar="T.parquet", type=Path, help="or a CSV, or a folder")
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")
    verb.add_argument(
        "--as", dest="kind", required=True, choices=("csv", "imagefolder", "croissant")
    )
    verb.add_argument("--copies", action="store_true", help="of imagefolder: copy, do not link")
    verb.add_argument("--out", type=Path, required=True, metavar="PATH")
    verb.set_defaults(verb=_export)


def _add_shared(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.add_argument("--format", choices=("table", "json"), default="table")


def _import(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.data.importers.registry import bring_in, importers
    from emoviz.data.lineage import with_step
    from emoviz.data.sets import write_set

    _wants_parquet(arguments.out)
    report = Reporter(arguments.progress)
    report.step("reading the set")
    found = bring_in(arguments.kind, arguments.path, arguments.labels)
    words = f"brought in as {arguments.kind} from {arguments.path.name or arguments.path}"
    step = {"words": words, "images": len(found.records), "refused": len(found.refused)}
    about = with_step(importers()[arguments.kind].about, step)
    left_out = write_set(arguments.out, found.name, found, about)
    result = {
        "table": str(arguments.out),
        "title": found.name,
        "taxonomy": found.taxonomy.name,
        "images": len(found.records) - len(left_out),
        "counts": _counts(found),
        "refused": [{"place": place, "reason": why} for place, why in found.refused],
        "left_out": list(left_out),
        "about": about,
    }
    report.finish(f"{result['images']:,} images brought in", {"table": str(arguments.out)})
    if arguments.format == "json":
        print_json(result, sys.stdout)
    else:
        _print_imported(result)
    return 0


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
    for entry in result["refused"][:_SHOWN]:
        print(f"  left out: {entry['place']}: {entry['reason']}")
    more = len(result["refused"]) - _SHOWN
    if more > 0:
        print(f"  and {more:,} more; --format json lists all")
    print(result["table"])


def _examine(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import open_checkpoint
    from emoviz.curation.examine import Wishes, examine, keep
    from emoviz.curation.findings import counts_of

    labelled = _read(arguments)
    checkpoint = open_checkpoint(arguments.checkpoint, settings) if arguments.checkpoint else None
    report = Reporter(arguments.progress)
    item, found = examine(
        labelled,
        arguments.table,
        settings,
        Wishes(arguments.text, arguments.faces, checkpoint),
        report,
    )
    if arguments.out is not None:
        keep(arguments.out, item, found)
    report.finish(f"{len(item):,} images examined", {"counts": counts_of(found)})
    if arguments.format == "json":
        print_json(found, sys.stdout)
    else:
        _print_found(found)
    return 0


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
    from emoviz.curation.recipe import dump_preparation, load_preparation
    from emoviz.data.lineage import with_step
    from emoviz.data.sets import write_set
    from emoviz.files import replaced_folder, write_json, write_text

    recipe = load_preparation(arguments.recipe)
    if arguments.out.exists() and (not arguments.out.is_dir() or any(arguments.out.iterdir())):
        raise TableError(f"'{arguments.out}' is there already; name a new folder.")
    labelled = _read(arguments)
    report = Reporter(arguments.progress)
    text, faces = needs(recipe)
    item = look(labelled, settings, report, text=text, faces=faces)
    made = prepare(labelled, item, recipe)
    result = report_of(made, recipe)
    step = {
        "words": f"prepared by the recipe {recipe.name}",
        **{key: result[key] for key in ("recipe", "recipe_sha256", "fingerprint", "counts")},
    }
    about = with_step(labelled.about, step)
    with replaced_folder(arguments.out) as aside:
        write_set(aside / "set.parquet", made.labelled.name, made.labelled, about)
        write_text(aside / "recipe.yaml", dump_preparation(recipe))
        write_json(aside / "report.json", result)
        _write_dropped(aside / "dropped.csv", made)
    result["table"] = str(arguments.out / "set.parquet")
    report.finish(f"{result['images']:,} images prepared", {"table": result["table"]})
    if arguments.format == "json":
        print_json(result, sys.stdout)
    else:
        _print_prepared(result)
    return 0


def _write_dropped(path: Path, made: "Prepared") -> None:
    from emoviz.inference.tabular import safe_cell

    with path.open("w", encoding="utf-8", errors="replace", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["name", "sha256", "label", "reason"])
        for row in made.dropped:
            writer.writerow(map(safe_cell, (row.name, row.sha256, row.label, row.reason)))


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
    from emoviz.curation.export import to_croissant, to_csv, to_folders

    labelled = _read(arguments)
    if arguments.kind == "csv":
        print(f"{to_csv(labelled, arguments.out):,} rows")
    elif arguments.kind == "croissant":
        print(f"{to_croissant(labelled, labelled.about, arguments.out):,} images described")
    else:
        written, left_out = to_folders(labelled, arguments.out, arguments.copies)
        print(f"{written:,} images, {left_out:,} left out for want of a label or split")
    print(arguments.out)
    return 0


def _read(arguments: argparse.Namespace) -> Any:
    from emoviz.data.records import read_table
    from emoviz.labels import get_taxonomy

    taxonomy = get_taxonomy(arguments.taxonomy) if arguments.taxonomy else None
    return read_table(arguments.table, taxonomy)


def _wants_parquet(path: Path) -> None:
    if path.suffix.casefold() != ".parquet":
        raise TableError(f"'{path}' is no Parquet file's name; call it {path.stem}.parquet.")
