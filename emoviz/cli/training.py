"""Verbs that train: ``recipes``, ``train``, ``experiment``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from emoviz.cli.output import SOME_FAILED, print_json, tell
from emoviz.errors import TrainingError
from emoviz.settings import Settings


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    _add_recipes(verbs)
    _add_train(verbs)
    _add_experiment(verbs)


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
    verb.add_argument("--run", type=Path, help="run folder (default: a new one)")
    verb.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    _add_shared_options(verb)
    verb.add_argument("--seed", type=int, help="instead of the recipe's")
    verb.set_defaults(verb=_train)


def _add_experiment(verbs: Any) -> None:
    verb = verbs.add_parser("experiment", help="a table of networks over seeds, or a report")
    verb.add_argument(
        "name",
        metavar="NAME",
        help="gram-gain, beta, margin, lambda, backbones, poster, sadness, cross-dataset, "
        "cross-sentiment, faces, shipped; wikiart, which compares two checkpoints on paintings; or "
        "report, which writes one page about several",
    )
    verb.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="for report alone")
    verb.add_argument("--data", nargs="+", default=[], metavar="TABLE", help="as for train")
    verb.add_argument("--seeds", type=int, default=3, help="how many (3)")
    verb.add_argument(
        "--family",
        choices=("paper", "lite"),
        help="the papers' networks, or a small one (default: paper where there is a GPU)",
    )
    verb.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="only these")
    verb.add_argument("--recipes", nargs="+", default=[], metavar="RECIPE", help="as the rows")
    verb.add_argument(
        "--checkpoints",
        nargs="+",
        default=[],
        metavar="ID",
        help="nothing is trained; of cross-dataset: measured on every set of --data, of wikiart: "
        "the baseline and the model",
    )
    _add_shared_options(verb)
    verb.add_argument("--at-once", type=int, default=1, help="cells at the same time (1)")
    verb.add_argument("--seed", type=int, default=0, help="of wikiart's maps (0)")
    verb.add_argument("--progress", type=Path, metavar="FILE", help="of wikiart, as JSON lines")
    verb.add_argument("--out", required=True, type=Path, help="folder, or the report's file")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_experiment)


def _add_shared_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--test-data",
        nargs="+",
        default=[],
        metavar="TABLE",
        help="tables whose images are all kept for the test",
    )
    verb.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="change values of the recipe: loss.beta=0.5 phases.0.epochs=3",
    )


def _recipes(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.training.catalogue import catalogue

    entries = catalogue()
    if arguments.format == "json":
        print_json([entry.to_dict() for entry in entries], sys.stdout)
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
        tell,
        seed=arguments.seed,
        test_tables=arguments.test_data,
        resume=arguments.resume,
    )
    if result.checkpoint is not None:
        tell(f"Checkpoint: {result.checkpoint.folder}")
    return 0


def _experiment(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.memory import keep_large_blocks

    keep_large_blocks()
    from emoviz.experiments.markdown import markdown
    from emoviz.experiments.report import write_report
    from emoviz.experiments.run import Request, run_experiment

    if arguments.name == "report":
        write_report(arguments.folders, arguments.out)
        return 0
    if arguments.name == "wikiart":
        return _wikiart(arguments, settings)
    if arguments.checkpoints:
        return _across(arguments, settings)
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
        print_json(table.to_dict(), sys.stdout)
    else:
        print(markdown(table))
    return SOME_FAILED if table.failures else 0


def _across(arguments: argparse.Namespace, settings: Settings) -> int:
    """Checkpoints as they are on every set: the same question as the experiment's, in minutes."""
    from emoviz.checkpoints import open_checkpoint
    from emoviz.experiments.across import across, across_values
    from emoviz.plots.report import json_report, markdown_report, write_report

    if arguments.name != "cross-dataset" or not arguments.data:
        raise TrainingError("--checkpoints is for 'cross-dataset', with sets in --data.")
    checkpoints = [open_checkpoint(name, settings) for name in arguments.checkpoints]
    told = sys.stderr if arguments.format == "json" else sys.stdout
    cells = list(
        across(checkpoints, arguments.data, settings, step=lambda line: print(line, file=told))
    )
    values = across_values(cells)
    for ending in (".json", ".md", ".html"):
        write_report(arguments.out / f"table{ending}", values)
    print(json_report(values) if arguments.format == "json" else markdown_report(values))
    return SOME_FAILED if any(cell.reason for cell in cells) else 0


def _wikiart(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import open_checkpoint
    from emoviz.experiments.wikiart import CHECKPOINTS, run_study, save_study, study_markdown
    from emoviz.inference.cache import Thumbnails
    from emoviz.jobs import Reporter
    from emoviz.plots.study import write_study_pictures

    report = Reporter(arguments.progress)
    chosen = arguments.checkpoints or CHECKPOINTS
    if len(chosen) != 2:
        raise TrainingError("wikiart compares two checkpoints: the baseline and the model.")
    study = run_study(arguments.data, settings, report.at, chosen, arguments.seed)
    save_study(arguments.out, study)
    with Thumbnails(settings) as kept:
        pictures = kept.get_many(art.sha256 for art in study.sides[1].artworks)
    taxonomy = open_checkpoint(chosen[1], settings).card.taxonomy
    write_study_pictures(arguments.out, study, taxonomy, pictures)
    report.finish(f"{len(study.paths):,} paintings compared", {"out": str(arguments.out)})
    if arguments.format == "json":
        print_json(study.to_dict(), sys.stdout)
    else:
        print(study_markdown(study))
    return 0
