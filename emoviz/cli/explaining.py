"""Verbs that say why: ``explain``, ``texture``."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import (
    DEFAULT_CHECKPOINT,
    account,
    add_progress_and_format,
    print_account,
    show,
)
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.api.results import Explanation
    from emoviz.checkpoints import Checkpoint
    from emoviz.inference.texture_pictures import TextureSet

_HELP = (
    "gradcam, ig, occlusion, rollout, words (sentences, a region each), split (the default; with "
    "--score all but that), or a plug-in's"
)


def add_verbs(verbs: Any) -> None:
    """Add this module's verbs to the parser."""
    _add_explain(verbs)
    _add_texture(verbs)


def _add_explain(verbs: Any) -> None:
    verb = verbs.add_parser("explain", help="why the network says so: regions, style or content")
    verb.add_argument("image", type=Path, metavar="IMAGE", help="with --score: a collection")
    verb.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT, help="id or folder")
    verb.add_argument("--method", metavar="METHOD", help=_HELP)
    verb.add_argument(
        "--score",
        action="store_true",
        help="test the methods on images of a collection: deletion and insertion against random "
        "maps, and whether the maps change when the weights are put in disorder",
    )
    verb.add_argument("--images", type=int, default=30, help="of --score, drawn at most (30)")
    verb.add_argument("--seed", type=int, default=0, help="of --score (0)")
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.add_argument(
        "--class", dest="name", metavar="NAME", help="to explain (default: the most likely one)"
    )
    verb.add_argument(
        "--baseline",
        choices=("mean", "black", "blurred"),
        default="mean",
        help="where integrated gradients begin (mean: the mean colour of the training images)",
    )
    verb.add_argument("--out", type=Path, metavar="DIR", help="for the heat map (PNG and NPY)")
    verb.add_argument("--format", choices=("table", "json"), default="table")
    verb.set_defaults(verb=_explain)


def _add_texture(verbs: Any) -> None:
    verb = verbs.add_parser("texture", help="make an image with the same Gram matrices")
    verb.add_argument("image", type=Path, metavar="IMAGE")
    verb.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT, help="id or folder")
    verb.add_argument("--size", type=int, default=224, help="pixels, 128 to 512 (224)")
    verb.add_argument("--steps", type=int, default=200, help="passes through the network (200)")
    verb.add_argument("--seed", type=int, default=0, help="of the noise at the beginning (0)")
    verb.add_argument(
        "--each-layer", action="store_true", help="also one picture for each layer alone"
    )
    verb.add_argument(
        "--out", type=Path, metavar="DIR", help="(default: the store at home, made only once)"
    )
    add_progress_and_format(verb)
    verb.set_defaults(verb=_texture)


def _explain(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.memory import keep_large_blocks

    keep_large_blocks()  # before torch takes its first block
    if arguments.score:
        return _score(arguments, settings)
    if arguments.method in (None, "split"):
        return _explain_split(arguments, settings)
    return _explain_regions(arguments, settings)


def _explain_split(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.api.network import check_emotion, open_one
    from emoviz.checkpoints import open_checkpoint
    from emoviz.errors import CheckpointError
    from emoviz.inference.content_style_split import NoSplit, split
    from emoviz.inference.explainer import load_explainer

    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    if arguments.name is not None:
        check_emotion(checkpoint.card, arguments.name)
    preprocessing = checkpoint.card.preprocessing
    opened = open_one(arguments.image, preprocessing.short_side, settings)
    pixels = preprocessing.to_array(opened.pixels)
    found = split(load_explainer(checkpoint, settings), pixels[None])
    if isinstance(found, NoSplit):
        raise CheckpointError(found.reason)

    def row(values: Any) -> dict[str, float]:
        chosen = dict(zip(found.classes, values[0].tolist(), strict=True))
        return {arguments.name: chosen[arguments.name]} if arguments.name else chosen

    result = {
        "logits": row(found.logits),
        "parts": {name: row(values) for name, values in found.parts.items()},
        "branches": {
            name: {"gram": row(two.gram), "conv": row(two.conv)}
            for name, two in found.branches.items()
        },
    }
    if arguments.out is not None:
        from emoviz.files import write_json

        write_json(arguments.out / "split.json", result)
    show(arguments, result, _print_split)
    return 0


def _print_split(result: dict[str, Any]) -> None:
    print("Each class's logit is the sum of its parts, exactly:")
    columns = list(result["parts"])
    print(f"{'class':14}" + "".join(f"{name:>18}" for name in ("logit", *columns)))
    for name, logit in result["logits"].items():
        numbers = (logit, *(result["parts"][part][name] for part in columns))
        print(f"{name:14}" + "".join(f"{number:18.3f}" for number in numbers))


def _explain_regions(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.api.network import load

    network = load(arguments.checkpoint, settings=settings)
    found = network.explain(
        arguments.image, arguments.method, emotion=arguments.name, baseline=arguments.baseline
    )
    heat = found.heat
    row, column = divmod(int(heat.values.argmax()), heat.values.shape[1])
    result: dict[str, Any] = {
        "checkpoint": network.card.id,
        "image": str(arguments.image),
        "method": arguments.method,
        "class": heat.name,
        "side": len(heat.values),
        "strongest": {"x": column, "y": row, "value": float(heat.values.max())},
        "files": _write_heat(arguments.out, found) if arguments.out else [],
    }
    if found.lines:
        result["lines"] = list(found.lines)
    if heat.completeness is not None:
        result["completeness"] = {**asdict(heat.completeness), "gap": heat.completeness.gap}
    show(arguments, result, _print_regions)
    return 0


def _score(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.checkpoints import open_checkpoint
    from emoviz.data.library import locate
    from emoviz.data.reading import open_dataset
    from emoviz.errors import CheckpointError, require_training_packages
    from emoviz.jobs import Reporter

    require_training_packages()
    from emoviz.experiments.explanation_scores import METHODS as SCORED
    from emoviz.experiments.explanation_scores import score_explanations
    from emoviz.inference.predict import load_model

    if arguments.images < 2 or arguments.method == "split":
        raise CheckpointError("--score wants two images at least, and gradcam, ig or occlusion.")
    settings = beside_a_page(arguments, settings)
    report = Reporter(arguments.progress)
    collection = open_dataset(locate(settings, str(arguments.image)), settings)
    model = load_model(open_checkpoint(arguments.checkpoint, settings), settings)
    report.step("testing explanations")
    found = score_explanations(
        model,
        collection,
        settings,
        arguments.images,
        arguments.seed,
        (arguments.method,) if arguments.method else SCORED,
        report,
    )
    report.finish(f"{found['taken']:,} images explained", {"taken": found["taken"]})
    show(arguments, found, _print_scores)
    return 0


def _print_scores(found: dict[str, Any]) -> None:
    print(
        f"{found['checkpoint']} on {found['taken']} of {found['of']} images of {found['set']}: "
        "probability, against random maps on the same image (95 % interval)"
    )
    columns = {
        "deletion": "lower by",
        "insertion": "higher by",
        "likeness": "like its map in disorder",
    }
    for name, row in found["methods"].items():
        print(name)
        for key, words in columns.items():
            print(f"    {key:10} {words:24} {_spread_text(row[key])}")
        print(f"    {row['claim']}")
    problems = [(row["what"], row["reason"]) for row in found["problems"]]
    print_account(account(found["taken"], problems))


def _spread_text(row: dict[str, Any] | None) -> str:
    if row is None or row["low"] is None:
        return "-"
    return f"{row['mean']:+.4f}  [{row['low']:+.4f}, {row['high']:+.4f}]  n {row['n']}"


def _write_heat(folder: Path, found: "Explanation") -> list[str]:
    """The overlay for people, the numbers for programs."""
    import numpy as np

    from emoviz.files import replaced_file

    picture, numbers = folder / "overlay.png", folder / "heat.npy"
    with replaced_file(picture) as aside:
        found.plot().save(aside, "PNG")
    with replaced_file(numbers) as aside, aside.open("wb") as stream:
        np.save(stream, found.values, allow_pickle=False)
    return [str(picture), str(numbers)]


def _print_regions(result: dict[str, Any]) -> None:
    place = result["strongest"]
    print(
        f"{result['image']}, {result['class']} by {result['method']}: spoke for it most at "
        f"x {place['x']}, y {place['y']} of {result['side']}"
    )
    if "completeness" in result:
        done = result["completeness"]
        print(
            f"completeness: {done['attributed']:.4f} attributed, {done['difference']:.4f} to be "
            f"explained (image less {done['baseline']} baseline), gap {done['gap']:.4f} after "
            f"{done['steps']} steps"
        )
    for line in (*result.get("lines", ()), *result["files"]):
        print(line)


def _texture(arguments: argparse.Namespace, settings: Settings) -> int:
    from emoviz.memory import keep_large_blocks

    keep_large_blocks()
    from emoviz.api.network import open_one
    from emoviz.checkpoints import open_checkpoint
    from emoviz.inference.explainer import load_explainer
    from emoviz.inference.texture_pictures import (
        TextureRequest,
        make_pictures,
        read_pictures,
        texture_folder,
    )
    from emoviz.jobs import Reporter

    request = TextureRequest(arguments.size, arguments.steps, arguments.seed, arguments.each_layer)
    request.check()
    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    opened = open_one(arguments.image, 2 * request.size, settings)
    folder = arguments.out or texture_folder(settings, checkpoint, opened.sha256, request)
    report = Reporter(arguments.progress)
    made = read_pictures(folder)
    if arguments.out is not None or not made.is_complete:
        report.step("texture pictures")
        about = {"image": arguments.image.name, "sha256": opened.sha256}
        explainer = load_explainer(checkpoint, beside_a_page(arguments, settings))
        made = make_pictures(explainer, opened.pixels, request, folder, about, report)
    result = _texture_result(checkpoint, made)
    report.finish("texture pictures made", result)
    show(arguments, result, _print_textures)
    return 0


def _print_textures(result: dict[str, Any]) -> None:
    for row in result["pictures"]:
        print(
            f"{Path(result['out'], row['file'])}: {', '.join(row['layers'])}; loss "
            f"{row['first_loss']:.4g} -> {row['loss']:.4g} in {row['steps']} steps"
        )


def beside_a_page(arguments: argparse.Namespace, settings: Settings) -> Settings:
    """A job leaves one core to the page that watches it.

    Threads that wait for each other on a busy core are slower than fewer threads.
    """
    from emoviz.memory import available_cores

    if arguments.progress is None or settings.threads:
        return settings
    return replace(settings, threads=max(1, available_cores() - 1))


def _texture_result(checkpoint: "Checkpoint", made: "TextureSet") -> dict[str, Any]:
    return {
        "checkpoint": checkpoint.card.id,
        "out": str(made.folder),
        "pictures": [
            {
                "file": picture.file,
                "layers": list(picture.layers),
                "steps": len(picture.losses),
                "first_loss": picture.losses[0],
                "loss": picture.losses[-1],
            }
            for picture in made.pictures
        ],
    }
