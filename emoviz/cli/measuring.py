"""Verbs that measure checkpoints: ``evaluate`` and ``compare``."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import (
    DEFAULT_CHECKPOINT,
    NOTHING_READ,
    account,
    add_level,
    add_progress_and_format,
    estimate_text,
    given_path,
    named_taxonomy,
    number_text,
    print_account,
    print_json,
    show,
)
from emoviz.data.library import locate
from emoviz.errors import TableError
from emoviz.jobs import Reporter
from emoviz.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emoviz.api.measuring import SeenSet
    from emoviz.experiments.contenders import Contender, Question
    from emoviz.labels import Taxonomy

_RIVAL = (
    "a classifier's folder (timm, torchvision, transformers, ONNX), or the address of a "
    "vision-language model on this machine, such as http://127.0.0.1:8080/v1"
)


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    _add_evaluate(verbs)
    _add_compare(verbs)
    _add_ask(verbs)


def _add_evaluate(verbs: Any) -> None:
    verb = verbs.add_parser("evaluate", help="measure a checkpoint on labelled images")
    verb.add_argument(
        "--checkpoint",
        default=DEFAULT_CHECKPOINT,
        help="id or folder; A+B is an ensemble, A,B,C are runs of one recipe",
    )
    verb.add_argument(
        "--predictions",
        type=given_path("file"),
        metavar="TABLE",
        help="instead of a checkpoint: another program's answers as file, label, p_<class>... (or "
        "score_, logit_, or predicted); without --data its own labels count",
    )
    verb.add_argument(
        "--rival", metavar="FOLDER|ADDRESS", help=f"instead of a checkpoint: {_RIVAL}"
    )
    _add_question(verb)
    _add_set_options(verb)
    verb.set_defaults(verb=_evaluate)


def _add_compare(verbs: Any) -> None:
    verb = verbs.add_parser("compare", help="measure two checkpoints on the same labelled images")
    verb.add_argument(
        "a", metavar="A", help="id or folder; A+B is an ensemble, A1,A2,A3 are seeds of one recipe"
    )
    verb.add_argument(
        "b",
        metavar="B",
        nargs="?",
        help="the other, of as many seeds in their order; differences are B - A",
    )
    verb.add_argument(
        "--predictions",
        type=given_path("file"),
        metavar="TABLE",
        help="B: another program's answers to the images of the set, as `evaluate` takes them",
    )
    verb.add_argument("--rival", metavar="FOLDER|ADDRESS", help=f"B: {_RIVAL}")
    _add_question(verb)
    _add_set_options(verb)
    verb.set_defaults(verb=_compare)


def _add_ask(verbs: Any) -> None:
    verb = verbs.add_parser(
        "ask", help="ask somebody's classifier or a vision-language model about images"
    )
    verb.add_argument("rival", metavar="FOLDER|ADDRESS", help=_RIVAL)
    verb.add_argument("--data", required=True, metavar="SET", help="images, labelled or not")
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")
    verb.add_argument(
        "--classes", metavar="TAXONOMY", help="to ask a language model for, where there are none"
    )
    add_level(verb)
    _add_question(verb)
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.set_defaults(verb=_ask)


def _add_question(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--model", help="of an address: what its server calls the model")
    verb.add_argument(
        "--prompt",
        type=given_path("file"),
        metavar="FILE",
        help="of an address: a text with {classes} where the names of the classes go",
    )
    verb.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="of an address: for one image (120)"
    )
    verb.add_argument(
        "--beyond-this-machine",
        action="store_true",
        help="let the images go to an address that is not on this machine",
    )


def _add_set_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--data",
        metavar="SET",
        help="a table with file and label, a folder or ZIP with one folder a class, or the id of a "
        "set of the library",
    )
    verb.add_argument("--taxonomy", help="of the labels; found from them where left out")
    verb.add_argument("--split", choices=("train", "validation", "test"), help="only this split")
    add_level(verb)
    verb.add_argument(
        "--bridge",
        type=given_path("file"),
        metavar="JSON",
        help='what may be called what: {"label": ["class", ...]}; proposed where left out',
    )
    verb.add_argument(
        "--without-seen",
        action="store_true",
        help="leave out images that were in a measured network's training, known by bytes or looks",
    )
    verb.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="everything as .html, .md or .json; .zip: figures, tables and methods for a paper",
    )
    verb.add_argument("--seed", type=int, default=0, help="of the intervals and of k-means (0)")
    add_progress_and_format(verb)


def _evaluate(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.experiments.assess import evaluation, printed
    from emoviz.experiments.contenders import open_predictions, open_runs

    _check(arguments)
    report = Reporter(arguments.progress)
    if arguments.predictions is not None:
        runs = [open_predictions(arguments.predictions)]
    elif arguments.rival is not None:
        runs = [_asked(arguments, settings, report)]
    else:
        runs = open_runs(arguments.checkpoint, settings)
    seen = _seen(arguments, runs, settings, report)
    report.step("measuring")
    found = [
        evaluation(run, *seen.of(number), settings, _intervals(arguments))
        for number, run in enumerate(runs)
    ]
    result = printed(found[0]) if len(found) == 1 else _over_runs(found)
    taken = account(seen.taken, seen.measured.refused, seen.notes)
    _write_report(arguments.report, (found[0] if len(found) == 1 else result) | taken, settings)
    report.finish(f"{found[0]['n']:,} images measured", {"n": found[0]["n"]})
    show(arguments, result | taken, _print_evaluation if len(found) == 1 else _print_runs)
    return 0 if seen.taken else NOTHING_READ


def _compare(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.experiments.assess import compared, comparison
    from emoviz.experiments.contenders import open_predictions, open_runs

    _check(arguments)
    if [arguments.b, arguments.predictions, arguments.rival].count(None) != 2:
        raise TableError(
            "Name what A is compared with: a checkpoint B, --predictions TABLE or --rival."
        )
    if arguments.data is None:
        raise TableError("Two models are compared on a set: name it with --data.")
    ones = open_runs(arguments.a, settings)
    report = Reporter(arguments.progress)
    if arguments.b is not None:
        others = open_runs(arguments.b, settings)
    elif arguments.predictions is not None:
        others = [open_predictions(arguments.predictions)]
    else:
        others = [_asked(arguments, settings, report, ones[0].taxonomies[0])]
    seeds = len(ones)
    if seeds != len(others):
        raise TableError(
            f"A has {seeds} seeds and B {len(others)}; wanted as many of both in the same order, "
            "since the test pairs them."
        )
    if seeds > 1 and arguments.report is not None:
        raise TableError("--report is of two models; compare their seeds one by one for reports.")
    seen = _seen(arguments, [*ones, *others], settings, report)
    report.step("measuring")
    each = [
        comparison(
            (one, other),
            (seen.tables[i], seen.tables[seeds + i]),
            (seen.bridges[i], seen.bridges[seeds + i]),
            seen.measured,
            settings,
            _intervals(arguments),
        )
        for i, (one, other) in enumerate(zip(ones, others, strict=True))
    ]
    found = each[0]
    taken = account(seen.taken, seen.measured.refused, seen.notes)
    _write_report(arguments.report, found | taken, settings)
    report.finish(f"{found['a']['n']:,} images measured", {"n": found["a"]["n"]})
    over = _over_seeds(each) if seeds > 1 else None
    if arguments.format == "json":
        result = [compared(values) for values in each]
        print_json((result[0] if over is None else {"seeds": result, **over}) | taken, sys.stdout)
        return 0 if seen.taken else NOTHING_READ
    if over is not None:
        _print_seeds(each, over)
    else:
        _print_comparison(found)
    print_account(taken)
    return 0 if seen.taken else NOTHING_READ


def _ask(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.data.reading import open_dataset
    from emoviz.experiments.contenders import ask_rival
    from emoviz.inference.predictions import read_predictions
    from emoviz.labels import get_taxonomy

    report = Reporter(arguments.progress)
    known = named_taxonomy(arguments)
    data = locate(settings, arguments.data)
    collection = open_dataset(data, settings, known, level=arguments.level)
    if arguments.classes and not len(collection.taxonomy):
        collection = replace(collection, taxonomy=get_taxonomy(arguments.classes))
    report.step(f"asking {arguments.rival}")
    file = ask_rival(arguments.rival, collection, settings, _question(arguments), report)
    found = read_predictions(file)
    report.finish(f"{len(found):,} images answered", {"key": file.parent.name})
    print(f"Predictions: {file}")
    if found.seconds is not None:
        print(f"{found.seconds:.4g} s an image")
    print_account(account(len(found), found.problems, [*collection.notes, *found.notes]))
    return 0


def _asked(
    arguments: argparse.Namespace,
    settings: Settings,
    report: Reporter,
    likely: "Taxonomy | None" = None,
) -> "Contender":
    """The answers of `--rival` to the images of the set."""
    from emoviz.experiments.contenders import ask_rival, open_predictions
    from emoviz.inference.labelled import open_labelled

    if arguments.data is None:
        raise TableError("A rival is asked about a set: name it with --data.")
    known = named_taxonomy(arguments)
    wanted = (known, likely, arguments.split, arguments.level)
    collection = open_labelled(arguments.data, settings, *wanted)
    report.step(f"asking {arguments.rival}", until=0.5)
    question = _question(arguments)
    return open_predictions(ask_rival(arguments.rival, collection, settings, question, report))


def _question(arguments: argparse.Namespace) -> "Question | None":
    from emoviz.experiments.contenders import Question, is_address
    from emoviz.inference.language_model import PROMPT, TIMEOUT

    if not is_address(arguments.rival):
        return None
    if not arguments.model:
        raise TableError(f"Name the model as the server at {arguments.rival} calls it: --model.")
    try:
        prompt = arguments.prompt.read_text(encoding="utf-8") if arguments.prompt else PROMPT
    except (OSError, ValueError) as error:
        raise TableError(f"The prompt '{arguments.prompt}' cannot be read: {error}.") from None
    seconds = arguments.timeout or TIMEOUT
    return Question(arguments.model, prompt, arguments.beyond_this_machine, seconds)


def _check(arguments: argparse.Namespace) -> None:
    """Before anything is computed: what would be refused at the end."""
    if arguments.report is not None:
        from emoviz.plots.report import check_report

        check_report(arguments.report)


def _intervals(arguments: argparse.Namespace) -> Any:
    from emoviz.analysis.resampling import Intervals

    return Intervals(seed=arguments.seed)


def _seen(
    arguments: argparse.Namespace,
    contenders: "Sequence[Contender]",
    settings: Settings,
    report: Reporter,
) -> "SeenSet":
    from emoviz.api.measuring import measured_tables

    return measured_tables(
        contenders,
        arguments.data,
        settings,
        taxonomy=arguments.taxonomy,
        split=arguments.split,
        level=arguments.level,
        bridge=_bridge_rule(arguments.bridge),
        without_seen=arguments.without_seen,
        watch=report,
    )


def _bridge_rule(path: Path | None) -> Mapping[str, Any] | None:
    if path is None:
        return None
    try:
        rule = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"The bridge '{path}' cannot be read: {error}.") from None
    if not isinstance(rule, dict):
        raise TableError(f"The bridge '{path}' is no table of labels and lists of classes.")
    return rule


def _write_report(path: Path | None, values: dict[str, Any], settings: Settings) -> None:
    if path is not None:
        from emoviz.api.results import write_values

        write_values(path, values, settings)


def _over_runs(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Each run as it would be printed alone, and mean and deviation of every measure."""
    from emoviz.experiments.assess import printed
    from emoviz.experiments.statistics import spread

    means = {}
    for name in found[0]["intervals"]:
        values = {
            i: run["intervals"][name]["value"]
            for i, run in enumerate(found)
            if run["intervals"][name]["value"] is not None
        }
        mean = spread(values)
        means[name] = None if mean is None else mean.to_dict()
    return {"runs": [printed(run) for run in found], "over_runs": means}


def _over_seeds(each: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean difference of each metric, seed by seed, and a test that respects the pairing."""
    from emoviz.experiments.statistics import spread

    found: dict[str, dict[str, Any] | None] = {}
    for name in each[0]["difference"]:
        rows = [values["difference"][name]["value"] for values in each]
        if any(value is None for value in rows):
            found[name] = None
            continue
        mean = spread(dict(enumerate(rows)))
        assert mean is not None
        found[name] = {**mean.to_dict(), "p": mean.p, "effect": mean.effect}
    accuracy = found["accuracy"]
    told = "tells them apart" if accuracy and accuracy["p"] < 0.05 else "does not tell them apart"
    claim = (
        f"Over {len(each)} seeds the paired t-test of accuracy {told}: what first weights and "
        "order do is in it, the choice of images is not."
    )
    return {"over_seeds": found, "claim": claim}


# Tables for people ---------------------------------------------------------------------------


def _print_evaluation(result: dict[str, Any]) -> None:
    print(f"{result['checkpoint']} on {result['n']} images, labels of {result['taxonomy']}")
    print(f"left out {result['left_out']} (label has no class)")
    _print_left_out(result)
    _print_leak(result)
    for name, row in result["intervals"].items():
        print(f"{name:20} {estimate_text(row)}")
    for name, row in result["cross_sentiment"].items():
        print(f"cross-sentiment {name:4} {number_text(row['rate'])} of {row['eligible']} eligible")
    print(f"{'delta':20} {number_text(result['clustering']['delta'])}")
    by_chance = number_text(result["clustering"]["nmi_by_chance"])
    print(f"{'nmi by chance':20} {by_chance}")
    print(f"{'seconds an image':20} {number_text(result['seconds_per_image'])}")
    print(f"{'label':20} precision  recall     f1  support")
    for label, row in result["per_class"].items():
        scores = "  ".join(number_text(row[key]) for key in ("precision", "recall", "f1"))
        print(f"{label:20} {scores}  {row['support']:7}")
    print_account(result)


def _print_left_out(result: dict[str, Any]) -> None:
    for label, count in result["left_out_labels"].items():
        print(f"left out {label}: {count} (no class may be called so)")
    for label, count in result["unknown_labels"].items():
        print(f"unknown label '{label}': {count}")
    if result["duplicates"]:
        print(f"images that stand there twice: {result['duplicates']}")


def _print_leak(result: dict[str, Any]) -> None:
    leak = result.get("seen_in_training")
    if leak and leak["seen"]:
        from emoviz.experiments.assess import leak_words

        print(
            f"{leak_words(leak, result['checkpoint'])}; accuracy without them "
            f"{estimate_text(leak['accuracy_without']).strip()} (--without-seen leaves them out)"
        )


def _print_comparison(found: dict[str, Any]) -> None:
    one, other = found["a"], found["b"]
    print(f"A {one['checkpoint']}, B {other['checkpoint']} on the same {one['n']} images,")
    print(f"labels of {one['taxonomy']}; left out {one['left_out']}")
    _print_left_out(one)
    for side in (one, other):
        _print_leak(side)
    print(f"{'':20}       A        B    B - A")
    for name, row in found["difference"].items():
        values = (side["intervals"][name]["value"] for side in (one, other))
        print(f"{name:20} {'  '.join(map(number_text, values))}  {estimate_text(row)}")
    test = found["mcnemar"]
    print(
        f"McNemar p {test['p']:.4g} ({test['method']}): only A right {test['only_a_right']}, "
        f"only B right {test['only_b_right']}"
    )
    print(found["claim"])
    print(f"Cohen's kappa of the answers {estimate_text(found['kappa'])}")
    costs = "  ".join(number_text(found[side]["seconds_per_image"]) for side in "ab")
    print(f"{'seconds an image':20} {costs}")


def _print_runs(result: dict[str, Any]) -> None:
    names = ", ".join(run["checkpoint"] for run in result["runs"])
    print(f"{names} on {result['runs'][0]['n']} images: mean and standard deviation")
    for name, row in result["over_runs"].items():
        if row is not None:
            print(f"{name:20} {number_text(row['mean'])}  ± {number_text(row['sd']).strip()}")
    print_account(result)


def _print_seeds(each: list[dict[str, Any]], over: dict[str, Any]) -> None:
    print(f"B - A over {len(each)} seeds on the same {each[0]['a']['n']} images:")
    print(f"{'':20}    mean  95 % interval     sd        p   d")
    for name, row in over["over_seeds"].items():
        if row is not None:
            effect = "-" if row["effect"] is None else f"{row['effect']:.2f}"
            print(
                f"{name:20} {row['mean']:+7.4f}  [{row['low']:+.4f}, {row['high']:+.4f}]  "
                f"{row['sd']:.4f}  {row['p']:.4f}  {effect}"
            )
    print(over["claim"])
