"""The command line: the same verbs as the pages, without a screen.

Each verb imports what it needs when it runs: a prediction waits for neither torch nor Streamlit.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from emoviz import __version__
from emoviz.errors import EmovizError, TrainingError
from emoviz.settings import Settings, load_settings

if TYPE_CHECKING:
    from emoviz.inference.predict import Prediction

DEFAULT_CHECKPOINT = "mikels8"
NOTHING_READ = 2
SOME_FAILED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 where at least one image was read (or the verb did its work), 1 where cells of an
        experiment failed, 2 where no image was read or the arguments cannot be used, 130 after
        Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a file's name may be no text at all
    try:
        settings = load_settings()
        code = int(arguments.verb(arguments, settings))
        sys.stdout.flush()
        return code
    except EmovizError as error:
        print(f"emoviz: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("emoviz: stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a home that may not be written
        print(f"emoviz: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emoviz", description="Estimate the emotion that images evoke, and measure it."
    )
    parser.add_argument("--version", action="version", version=f"emoviz {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_predict(verbs)
    _add_evaluate(verbs)
    _add_checkpoints(verbs)
    _add_recipes(verbs)
    _add_train(verbs)
    _add_experiment(verbs)
    return parser


def _add_predict(verbs: Any) -> None:
    verb = verbs.add_parser("predict", help="estimate the emotions that images evoke")
    verb.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, folders, ZIPs")
    verb.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT, help="id or folder")
    verb.add_argument("--format", choices=("table", "json", "csv"), default="table")
    verb.add_argument("--batch", type=int, default=32, help="images at once (32)")
    verb.set_defaults(verb=_predict)


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


def _add_checkpoints(verbs: Any) -> None:
    verb = verbs.add_parser("checkpoints", help="list the trained networks")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_checkpoints)


def _add_recipes(verbs: Any) -> None:
    verb = verbs.add_parser("recipes", help="list the recipes and the networks that they build")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_recipes)


def _add_train(verbs: Any) -> None:
    verb = verbs.add_parser("train", help="train a recipe on labelled images")
    verb.add_argument("recipe", metavar="RECIPE", help="a name (see emoviz/recipes) or a YAML file")
    verb.add_argument(
        "--data",
        required=True,
        nargs="+",
        metavar="TABLE",
        help="CSV or Parquet files, or folders of classes; TAXONOMY=FILE says what the labels are",
    )
    verb.add_argument(
        "--test-data",
        nargs="+",
        default=[],
        metavar="TABLE",
        help="tables whose images are all kept for the test",
    )
    verb.add_argument("--run", type=Path, help="run folder (default: a new one)")
    verb.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    verb.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="change the recipe: loss.beta=0.5 phases.0.epochs=3",
    )
    verb.add_argument("--seed", type=int, help="instead of the recipe's")
    verb.set_defaults(verb=_train)


def _add_experiment(verbs: Any) -> None:
    verb = verbs.add_parser("experiment", help="a table of networks over seeds, or a report")
    verb.add_argument(
        "name",
        metavar="NAME",
        help="gram-gain, beta, margin, lambda, backbones, poster, sadness, cross-dataset, "
        "cross-sentiment, faces, shipped; or report, which writes one page about several",
    )
    verb.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="for report alone")
    verb.add_argument("--data", nargs="+", default=[], metavar="TABLE", help="as for train")
    verb.add_argument("--test-data", nargs="+", default=[], metavar="TABLE", help="as for train")
    verb.add_argument("--seeds", type=int, default=3, help="how many (3)")
    verb.add_argument(
        "--family",
        choices=("paper", "lite"),
        help="the papers' networks, or a small one (default: paper where there is a GPU)",
    )
    verb.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="only these")
    verb.add_argument("--recipes", nargs="+", default=[], metavar="RECIPE", help="as the rows")
    verb.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="change every recipe, as for train",
    )
    verb.add_argument("--at-once", type=int, default=1, help="cells at the same time (1)")
    verb.add_argument("--out", required=True, type=Path, help="folder, or the report's file")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_experiment)


def _predict(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import open_checkpoint
    from emoviz.data.images import Limits
    from emoviz.data.sources import expand
    from emoviz.inference.predict import load_model, predict

    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    limits = Limits.of(settings)
    sources = expand(arguments.paths, limits, int(settings.max_archive_mb * 1e6))
    model = load_model(checkpoint, settings)
    results = predict(model, sources, limits, batch=max(1, arguments.batch))
    counted = _Counter(results, len(sources) if arguments.format != "table" else 0)
    _WRITERS[arguments.format](counted, list(model.taxonomy.names), sys.stdout)
    return 0 if counted.read else NOTHING_READ


class _Counter:
    """Passes predictions on, counts those that could be read, shows progress on a terminal."""

    def __init__(self, results: Iterable["Prediction"], total: int) -> None:
        self._results, self._total, self.read = results, total, 0

    def __iter__(self) -> Iterator["Prediction"]:
        shown = self._total > 64 and sys.stderr.isatty()
        for done, result in enumerate(self._results, start=1):
            self.read += result.error is None
            if shown:
                print(f"\r{done} of {self._total} images", end="", file=sys.stderr)
            yield result
        if shown:
            print(file=sys.stderr)


def _write_json(results: Iterable["Prediction"], names: list[str], out: TextIO) -> None:
    _print_json([result.to_dict() for result in results], out)


def _print_json(values: Any, out: TextIO) -> None:
    """Letters as they are where `out` can hold them, else escaped: valid JSON either way."""
    text = json.dumps(values, indent=1, ensure_ascii=False)
    try:
        text.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(values, indent=1)
    print(text, file=out)


def _write_csv(results: Iterable["Prediction"], names: list[str], out: TextIO) -> None:
    from emoviz.inference.tabular import csv_header, csv_row

    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(csv_header(names))
    for result in results:
        writer.writerow(csv_row(result, names))


def _write_table(results: Iterable["Prediction"], names: list[str], out: TextIO) -> None:
    print("The model's estimate of the emotion that each image evokes:", file=out)
    for result in results:
        if result.error is not None:
            print(f"{result.path}: not read: {result.error}", file=out)
            continue
        (first, p), *rest = result.ranked
        second = f", then {rest[0][0]} {rest[0][1]:.0%}" if rest else ""
        flags = "  [top two opposite]" if result.top2_opposite else ""
        flags += "  [unlike the training images]" if result.unlike_training else ""
        print(
            f"{result.path}: {first} {p:.0%}{second}; {result.sentiment or 'no sentiment'}{flags}",
            file=out,
        )


_WRITERS = {"json": _write_json, "csv": _write_csv, "table": _write_table}


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
        _print_json(result, sys.stdout)
    else:
        _print_evaluation(result)
    return 0 if len(table) else NOTHING_READ


def _print_evaluation(result: dict[str, Any]) -> None:
    print(f"{result['checkpoint']} on {result['n']} images, labels of {result['taxonomy']}")
    print(f"refused {result['refused']}, left out {result['left_out']} (label has no class)")
    for key in ("accuracy", "macro_f1", "sentiment_accuracy", "ece"):
        print(f"{key:20} {_number(result[key])}")
    for name, row in result["cross_sentiment"].items():
        print(f"cross-sentiment {name:4} {_number(row['rate'])} of {row['eligible']} eligible")
    for key in ("ari", "nmi", "asr", "delta"):
        print(f"{key:20} {_number(result['clustering'][key])}")
    print(f"{'label':20} precision  recall     f1  support")
    for label, row in result["per_class"].items():
        scores = "  ".join(_number(row[key]) for key in ("precision", "recall", "f1"))
        print(f"{label:20} {scores}  {row['support']:7}")
    for row in result["refusals"][:20]:
        print(f"refused {row['path']}: {row['reason']}")


def _number(value: float | None) -> str:
    return "      -" if value is None else f"{value:7.4f}"


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
    if arguments.format == "json":
        _print_json(rows, sys.stdout)
    else:
        for row in rows:
            layers = ", ".join(map(str, row["layers"])) or "none"
            print(
                f"{row['id']}: {row['title']}. {row['taxonomy']}, {row['backbone']}, "
                f"Gram layers {layers}, width {row['width']}"
            )
            for name, value in row["measures"].items():
                print(f"    {name}: {json.dumps(value, ensure_ascii=False)}")
    for reason in refused:
        print(f"emoviz: {reason}", file=sys.stderr)
    return 0


def _recipes(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.training.catalogue import catalogue

    entries = catalogue()
    if arguments.format == "json":
        _print_json([entry.to_dict() for entry in entries], sys.stdout)
        return 0
    for entry in entries:
        layers = ", ".join(map(str, entry.layers)) or "none"
        print(
            f"{entry.name}: {entry.backbone}, Gram layers {layers}, width {entry.width}, "
            f"{entry.classes} classes, {entry.parameters:,} weights"
        )
    return 0


def _train(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.memory import keep_large_blocks

    keep_large_blocks()  # before torch takes its first block
    from emoviz.training.recipe import apply_settings, load_recipe
    from emoviz.training.run import train_in_folder

    if arguments.resume and arguments.run is None:
        raise TrainingError("--resume needs the run folder: name it with --run.")
    result = train_in_folder(
        apply_settings(load_recipe(arguments.recipe), arguments.set),
        arguments.data,
        arguments.run,
        settings,
        _tell,
        seed=arguments.seed,
        test_tables=arguments.test_data,
        resume=arguments.resume,
    )
    if result.checkpoint is not None:
        _tell(f"Checkpoint: {result.checkpoint.folder}")
    return 0


def _tell(line: str) -> None:
    """A line of a long task, shown at once also where the output is a file."""
    print(line, flush=True)


def _experiment(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.memory import keep_large_blocks

    keep_large_blocks()
    from emoviz.experiments.markdown import markdown
    from emoviz.experiments.report import write_report
    from emoviz.experiments.run import Request, run_experiment

    if arguments.name == "report":
        write_report(arguments.folders, arguments.out)
        return 0
    if arguments.folders:
        raise TrainingError(f"'{arguments.folders[0]}' is one word too many; sets go to --data.")
    request = Request(
        arguments.name,
        tuple(arguments.data),
        arguments.out,
        arguments.seeds,
        arguments.family,
        tuple(arguments.rows),
        tuple(arguments.recipes),
        tuple(arguments.set),
        tuple(arguments.test_data),
        max(1, arguments.at_once),
    )
    told = sys.stderr if arguments.format == "json" else sys.stdout
    table = run_experiment(request, settings, lambda line: print(line, file=told, flush=True))
    if arguments.format == "json":
        _print_json(table.to_dict(), sys.stdout)
    else:
        print(markdown(table))
    return SOME_FAILED if table.failures else 0
