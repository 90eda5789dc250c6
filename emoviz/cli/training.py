"""Verbs that train: ``recipes``, ``train``, ``sweep``, ``promote``, ``experiment``."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import (
    PAUSED,
    SOME_FAILED,
    add_progress_and_format,
    given_path,
    named_taxonomy,
    number_text,
    print_json,
    show,
    tell,
    tell_beside,
)
from emoviz.errors import PausedError, TrainingError
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.training.sweep import SweepRow


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    _add_recipes(verbs)
    _add_add_encoder(verbs)
    _add_train(verbs)
    _add_sweep(verbs)
    _add_promote(verbs)
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
    verb.add_argument(
        "--no-graph", action="store_true", help="leave out the graph for ONNX Runtime (seconds)"
    )
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.set_defaults(verb=_train)


def _add_sweep(verbs: Any) -> None:
    verb = verbs.add_parser("sweep", help="train a recipe with several values and compare")
    verb.add_argument("recipe", metavar="RECIPE", help="a name (see emoviz/recipes) or a YAML file")
    verb.add_argument("--data", required=True, nargs="+", metavar="TABLE", help="as for train")
    verb.add_argument(
        "--vary",
        required=True,
        nargs="+",
        metavar="KEY=V1,V2",
        help="values of the recipe: loss.beta=0,0.5,1 seed=0,1,2 'network.layers=[2];[1, 2]'",
    )
    verb.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    verb.add_argument("--draws", type=int, default=0, help="so many combinations at random (all)")
    verb.add_argument("--by", default="accuracy", help="accuracy, ari, nmi, asr, entropy")
    verb.add_argument("--run", required=True, type=Path, help="folder; an interrupted one goes on")
    add_progress_and_format(verb)
    verb.set_defaults(verb=_sweep)


def _add_promote(verbs: Any) -> None:
    verb = verbs.add_parser("promote", help="put a run's network among the checkpoints")
    verb.add_argument(
        "source", type=given_path("folder"), metavar="DIR", help="<run>/checkpoints/<name>"
    )
    verb.add_argument("id", metavar="ID", help="what it is called from then on")
    verb.add_argument(
        "--run",
        type=given_path("folder"),
        help="its run: the test images become a set of the library",
    )
    verb.add_argument("--title", help="on the card")
    verb.add_argument("--summary", help="on the card")
    verb.add_argument("--licence", help="on the card")
    verb.add_argument("--intended-use", help="on the card")
    verb.add_argument("--limits", help="on the card")
    verb.add_argument("--data-source", help="on the card: where the images are from")
    verb.add_argument("--data-terms", help="on the card: under which terms")
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.set_defaults(verb=_promote)


def _add_experiment(verbs: Any) -> None:
    verb = verbs.add_parser("experiment", help="a table of networks over seeds, or a report")
    verb.add_argument(
        "name",
        metavar="NAME",
        help="gram-gain, beta, margin, lambda, backbones, poster, sadness, cross-dataset, "
        "cross-sentiment, faces, shipped, votes; wikiart, which compares two checkpoints on "
        "paintings; or report, which writes one page about several",
    )
    verb.add_argument(
        "folders",
        nargs="*",
        type=given_path("file", "folder"),
        metavar="DIR",
        help="for report alone",
    )
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


def _add_add_encoder(verbs: Any) -> None:
    verb = verbs.add_parser(
        "add-encoder", help="a network of one's own: with a trained head, or with prompts (CLIP)"
    )
    verb.add_argument(
        "encoder",
        metavar="FOLDER|timm:NAME|hf-hub:NAME",
        help="a folder as timm, transformers or open_clip write it, or a name of timm's or its hub",
    )
    verb.add_argument("--id", required=True, help="what the checkpoint is called")
    how = verb.add_mutually_exclusive_group(required=True)
    how.add_argument("--data", metavar="SET", help="labelled images for a head")
    how.add_argument(
        "--zero-shot",
        metavar="PROMPTS",
        help="a YAML file 'class: [prompt, ...]', or a taxonomy's name for prompts made of it",
    )
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")
    verb.add_argument(
        "--head",
        choices=("linear", "gram"),
        default="linear",
        help="gram: Gram modules on three stages beside the linear classifier",
    )
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.set_defaults(verb=_add_encoder)


def _add_encoder(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.errors import require_training_packages

    require_training_packages()
    from emoviz.jobs import Reporter

    reporter = Reporter(arguments.progress)
    if arguments.zero_shot:
        from emoviz.training.zero_shot import add_zero_shot

        made = add_zero_shot(arguments.encoder, arguments.id, arguments.zero_shot, settings, tell)
    else:
        from emoviz.inference.labelled import open_labelled
        from emoviz.training.encoder import add_encoder

        labelled = open_labelled(arguments.data, settings, named_taxonomy(arguments))
        made = add_encoder(
            arguments.encoder, arguments.id, labelled, settings, tell, arguments.head
        )
    tell(f"Checkpoint: {made.folder}")
    if arguments.progress:
        reporter.finish("Done", {"checkpoint": made.card.id})
    return 0


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
            f"{entry.classes} classes, {entry.parameters:,} weights",
            flush=True,
        )
    return 0


def _train(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.memory import keep_large_blocks

    keep_large_blocks()  # before torch takes its first block
    from emoviz.jobs import Reporter
    from emoviz.training.recipe_loading import apply_settings, load_recipe
    from emoviz.training.run import train_in_folder

    if arguments.resume and arguments.run is None:
        raise TrainingError("--resume needs the run folder: name it with --run.")
    reporter = Reporter(arguments.progress)
    try:
        result = train_in_folder(
            apply_settings(load_recipe(arguments.recipe), arguments.set),
            _tables(arguments.data, settings),
            arguments.run,
            settings,
            tell,
            seed=arguments.seed,
            test_tables=_tables(arguments.test_data, settings),
            resume=arguments.resume,
            with_graph=not arguments.no_graph,
            wish=_pause_on_a_signal(),
            report=reporter.at if arguments.progress else None,
        )
    except PausedError as pause:
        tell(f"{pause} What has been learned is kept; the same command with --resume goes on.")
        return PAUSED
    if arguments.progress:
        reporter.finish("Trained and measured", {"run": str(result.folder)})
    if result.checkpoint is not None:
        tell(f"Checkpoint: {result.checkpoint.folder}")
    return 0


def _sweep(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.memory import keep_large_blocks

    keep_large_blocks()
    from emoviz.jobs import Reporter
    from emoviz.training.recipe_loading import apply_settings, load_recipe
    from emoviz.training.sweep import SweepPlan, parse_vary, run_sweep

    plan = SweepPlan(
        apply_settings(load_recipe(arguments.recipe), arguments.set),
        tuple(_tables(arguments.data, settings)),
        parse_vary(arguments.vary),
        arguments.by,
        arguments.draws,
    )
    reporter = Reporter(arguments.progress)
    try:
        rows = run_sweep(
            plan,
            arguments.run,
            settings,
            tell_beside(arguments),
            reporter.at if arguments.progress else lambda share, words: None,
            _pause_on_a_signal(),
        )
    except PausedError as pause:
        tell(f"{pause} The same command goes on.")
        return PAUSED
    if arguments.progress:
        reporter.finish(f"{len(rows)} networks", {"run": str(arguments.run)})
    _print_sweep(rows, plan.by, arguments.format)
    return SOME_FAILED if any(row.state != "done" for row in rows) else 0


def _print_sweep(rows: "Sequence[SweepRow]", by: str, form: str) -> None:
    from emoviz.training.sweep import best_row

    best = best_row(rows, by)
    if form == "json":
        values = {"by": by, "best": best.name if best else None, "cells": [vars(r) for r in rows]}
        print_json(values, sys.stdout)
        return
    for row in rows:
        mark = "*" if row is best else " "
        numbers = "  ".join(f"{k} {number_text(v)}" for k, v in row.values.items())
        print(f"{mark} {row.name} {', '.join(row.settings)}: {row.state}  {numbers}{row.why}")


def _promote(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.jobs import Reporter
    from emoviz.training.promote import EDITABLE, keep_held_out, promote

    given = {name: getattr(arguments, name) for name in EDITABLE}
    edits = {name: value for name, value in given.items() if value is not None}
    reporter = Reporter(arguments.progress)
    reporter.step("Writing the network and its graph")
    found = promote(arguments.source, arguments.id, edits, settings)
    if arguments.run is not None:
        keep_held_out(arguments.run, found, settings, tell)
    reporter.finish("The network is there", {"checkpoint": found.card.id})
    tell(f"Checkpoint: {found.folder}")
    return 0


def _tables(texts: Sequence[str], settings: Settings) -> list[str]:
    """Ids of sets in the library become their files; whatever is a file or folder stays."""
    from emoviz.data.library import located

    return [located(settings, text) for text in texts]


def _pause_on_a_signal() -> Callable[[], str]:
    """Being asked to end means to keep the state and go: what is asked after every step."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda sign, frame: asked.append(sign))
    return lambda: "pause" if asked else ""


def _experiment(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.memory import keep_large_blocks

    keep_large_blocks()
    from emoviz.experiments.markdown import markdown
    from emoviz.experiments.report import write_report
    from emoviz.experiments.run import ExperimentRequest, run_experiment

    if arguments.name == "report":
        write_report(arguments.folders, arguments.out)
        return 0
    if arguments.name == "wikiart":
        return _wikiart(arguments, settings)
    if arguments.checkpoints:
        return _across(arguments, settings)
    if arguments.folders:
        raise TrainingError(f"'{arguments.folders[0]}' is one word too many; sets go to --data.")
    request = ExperimentRequest(
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
    table = run_experiment(request, settings, tell_beside(arguments))
    show(arguments, table.to_dict(), lambda _: print(markdown(table)))
    return SOME_FAILED if table.failures else 0


def _across(arguments: argparse.Namespace, settings: Settings) -> int:
    """Checkpoints as they are on every set: the same question as the experiment's, in minutes."""
    from emoviz.checkpoints import open_checkpoint
    from emoviz.experiments.across import across, across_values
    from emoviz.plots.report import json_report, markdown_report, write_report

    if arguments.name != "cross-dataset" or not arguments.data:
        raise TrainingError("--checkpoints is for 'cross-dataset', with sets in --data.")
    checkpoints = [open_checkpoint(name, settings) for name in arguments.checkpoints]
    cells = list(across(checkpoints, arguments.data, settings, step=tell_beside(arguments)))
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
    report.finish(f"{len(study.paths):,} images compared", {"out": str(arguments.out)})
    show(arguments, study.to_dict(), lambda _: print(study_markdown(study)))
    return 0
