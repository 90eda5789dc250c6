"""Verbs that say how much of a collection's estimates is style and how much content: ``style``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.explaining import beside_a_page
from emoviz.cli.output import (
    NOTHING_READ,
    account,
    add_progress_and_format,
    given_path,
    print_account,
    show,
)
from emoviz.cli.parts import add_collection, add_parts, done_in_parts, opened
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.data.parts import Merged, PartWork
    from emoviz.inference.content_style_split import ContentStyleSplit
    from emoviz.inference.embedding import Embedded
    from emoviz.inference.explainer import Explainer
    from emoviz.jobs import Reporter


def add_verbs(verbs: Any) -> None:
    """Add this module's verb to the parser."""
    verb = verbs.add_parser("style", help="style or content over a collection, class by class")
    add_collection(verb)
    verb.add_argument(
        "--out",
        type=given_path("file", new=True),
        metavar="F.csv",
        help="the parts of each image's logits",
    )
    add_parts(verb, _style_work, finish_style)
    add_progress_and_format(verb)
    verb.set_defaults(verb=_style, taxonomy=None, level=None)


def _style(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.memory import keep_large_blocks

    keep_large_blocks()
    if done_in_parts(arguments, settings):
        return 0
    from emoviz.inference.embedding import embed_collection
    from emoviz.inference.explainer import load_explainer
    from emoviz.inference.predict import load_model
    from emoviz.inference.stored import table_path, write_embeddings
    from emoviz.inference.style import observe_collection
    from emoviz.jobs import Reporter

    checkpoint, collection = opened(arguments, settings)
    report = Reporter(arguments.progress)
    report.step("embedding images", until=0.2)
    embedded = embed_collection(load_model(checkpoint, settings), collection, settings, report)
    if len(embedded):
        where = table_path(settings, collection.identity, collection.name, checkpoint.card.id)
        write_embeddings(where, embedded.parts(settings))
    report.step("reading style and content")
    explainer = load_explainer(checkpoint, beside_a_page(arguments, settings))
    new = observe_collection(explainer, collection, embedded.hashes, settings, report)
    result = _style_result(arguments.out, explainer, embedded, settings) | {"new": new}
    report.finish(f"style and content of {len(embedded):,} images read", result)
    show(arguments, result, _print_style)
    return 0 if len(embedded) else NOTHING_READ


def _style_work(
    arguments: argparse.Namespace, settings: Settings, report: "Reporter"
) -> "PartWork":
    from emoviz.inference.style import style_work

    return style_work(*opened(arguments, settings), beside_a_page(arguments, settings), report)


def finish_style(merged: "Merged", out: Path, settings: Settings) -> None:
    """Write and print what `style` would have, out of all parts."""
    import pyarrow as pa

    from emoviz.inference.style import by_part_rows, split_of
    from emoviz.inference.tabular import write_csv

    table, about = pa.concat_tables(merged.tables), merged.whole.about
    split = split_of(table, about)
    texts = (table.column(name).to_pylist() for name in ("path", "predicted", "label"))
    write_csv(out, by_part_rows(split, *texts))
    result = {
        "checkpoint": about["checkpoint"],
        "collection": about["set"],
        "images": len(table),
        "new": 0,
        **account(len(table), [(item.key, item.reason) for item in merged.refused]),
        "classes": _class_rows(split),
        "out": str(out),
    }
    _print_style(result)


def _style_result(
    out: Path | None, explainer: "Explainer", embedded: "Embedded", settings: Settings
) -> dict[str, Any]:
    """Shares by class; the parts of each image go to the file, where there is one."""
    from emoviz.inference.content_style_split import NoSplit
    from emoviz.inference.style import by_part_rows, kept_split
    from emoviz.inference.tabular import write_csv

    kept = [i for i, sha256 in enumerate(embedded.hashes) if sha256]
    split, rows = kept_split(explainer, [embedded.hashes[i] for i in kept], settings)
    result: dict[str, Any] = {
        "checkpoint": explainer.checkpoint.card.id,
        "collection": embedded.collection.identity,
        "images": len(rows),
        **account(len(embedded), embedded.refused, embedded.collection.notes),
    }
    if isinstance(split, NoSplit):
        return result | {"no_split": split.reason, "classes": {}}
    if out is not None:
        answers = [split.classes[i] for i in split.logits.argmax(axis=1)]
        places = [kept[i] for i in rows]
        paths = [embedded.collection.names[i] for i in places]
        labels = [embedded.collection.labels[i] for i in places]
        write_csv(out, by_part_rows(split, paths, answers, labels))
        result["out"] = str(out)
    return result | {"classes": _class_rows(split)}


def _class_rows(split: "ContentStyleSplit") -> dict[str, Any]:
    """For each class what its logit is made of on average, and what moves it."""
    from emoviz.analysis.textures import carried_share, carried_shares
    from emoviz.inference.content_style_split import BIAS

    count = len(split.logits)
    answers = split.logits.argmax(axis=1).tolist()
    moving = carried_shares(split.parts) if count > 1 else {}
    texture = carried_share(split.parts, split.textures) if count > 1 and split.textures else None
    rows = {}
    for c, name in enumerate(split.classes):
        shares = {part: float(values[c]) for part, values in moving.items() if part != BIAS}
        row: dict[str, Any] = {"estimated": answers.count(c), "share": shares}
        if texture is not None:
            row["texture"] = {"share": float(texture.value[c]), "error": float(texture.error[c])}
        if count:
            row["mean"] = {part: float(y[:, c].mean()) for part, y in split.parts.items()}
        rows[name] = row
    return rows


def _print_style(result: dict[str, Any]) -> None:
    print(
        f"{result['images']} images of {result['collection']} by {result['checkpoint']}: "
        f"{result['new']} read now"
    )
    print_account(result)
    if "no_split" in result:
        print(result["no_split"])
        return
    if result["images"] < 2:
        print("Shares need two images at least.")
        return
    print("What makes the images' logits differ, in % of the variance (95 % interval):")
    print(f"{'class':14}{'estimated':>10}{'content':>9}{'texture':>9}")
    for name, row in result["classes"].items():
        content = 100 * row["share"]["semantic"]
        line = f"{name:14}{row['estimated']:10d}{content:9.1f}"
        if "texture" in row:
            middle, half = (100 * row["texture"][key] for key in ("share", "error"))
            line += f"{middle:9.1f}  ({middle - 1.96 * half:.1f} to {middle + 1.96 * half:.1f})"
        print(line)
    if "out" in result:
        print(result["out"])
