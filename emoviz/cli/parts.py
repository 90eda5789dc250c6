"""What verbs have in common that can be done in parts: ``--part I/N`` and ``--engine ray``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import DEFAULT_CHECKPOINT, account, named_taxonomy, print_account, show
from emoviz.errors import TableError
from emoviz.jobs import Reporter
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.checkpoints import Checkpoint
    from emoviz.data.dataset import Dataset
    from emoviz.data.parts import Merged, PartWork

Work = Callable[[argparse.Namespace, Settings, Reporter], "PartWork"]
Finish = Callable[["Merged", Path, Settings], object]


def add_collection(verb: argparse.ArgumentParser) -> None:
    """Which collection, and by which checkpoint; see `opened`."""
    verb.add_argument(
        "path",
        metavar="PATH",
        help="a folder, a ZIP, a table (CSV, Parquet), an image, IIIF address, a set's id, sample",
    )
    verb.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT, help="id or folder")


def opened(arguments: argparse.Namespace, settings: Settings) -> "tuple[Checkpoint, Dataset]":
    """The checkpoint and the collection of a verb with `add_collection`, a taxonomy and a level."""
    from emoviz.checkpoints import open_checkpoint
    from emoviz.data.library import locate_images
    from emoviz.data.reading import open_dataset

    taxonomy = named_taxonomy(arguments)
    checkpoint = open_checkpoint(arguments.checkpoint, settings)
    path, likely = locate_images(settings, arguments.path), checkpoint.card.taxonomy
    return checkpoint, open_dataset(path, settings, taxonomy, likely, level=arguments.level)


def add_parts(verb: argparse.ArgumentParser, work: Work, finish: Finish) -> None:
    """Add the options, and what `done_in_parts` needs of the verb.

    Args:
        verb: Has ``--out``.
        work: The verb's work, of its arguments.
        finish: Writes the whole where the verb itself would have.
    """
    verb.add_argument(
        "--part", metavar="I/N", help="the I-th of N parts; needs --out; merge puts them together"
    )
    verb.add_argument("--engine", choices=("local", "ray"), default="local", help="or on a cluster")
    verb.add_argument("--address", help="of the Ray cluster (one on this machine)")
    verb.add_argument("--workers", type=int, help="of Ray at once (one a GPU, or a core)")
    verb.set_defaults(work=work, finish=finish)


def done_in_parts(arguments: argparse.Namespace, settings: Settings) -> bool:
    """Do the verb's work as one part, or as parts on Ray; False where neither was asked for.

    Raises:
        TableError: ``--out`` is missing or no name for a part.
        SettingsError: Ray is asked for and is not there.
    """
    if arguments.part is None and arguments.engine == "local":
        return False
    if arguments.out is None:
        raise TableError("--part and --engine ray need --out: where the result is to be written.")
    if arguments.part is None:
        from emoviz.cli.on_ray import in_parts_on_ray

        in_parts_on_ray(arguments, settings)
    else:
        _one_part(arguments, settings)
    return True


def _one_part(arguments: argparse.Namespace, settings: Settings) -> None:
    from emoviz.data.parts import parse_part, write_part

    part = parse_part(arguments.part)
    if arguments.out.suffix.casefold() != ".parquet":
        raise TableError(
            f"'{arguments.out}' does not end with .parquet, as the file of a part must."
        )
    report = Reporter(arguments.progress)
    report.step(f"part {part.number} of {part.count}")
    try:
        head = write_part(arguments.out, arguments.work(arguments, settings, report), part)
    except KeyboardInterrupt:
        print("emoviz: what is done is kept; the same command goes on from there.", file=sys.stderr)
        raise
    problems = [(item.key, item.reason) for item in head.refused]
    result: dict[str, Any] = {
        "part": f"{part.number}/{part.count}",
        **account(head.held - len(problems), problems),
        "out": str(arguments.out),
    }
    report.finish(f"part {result['part']} done", result)
    show(arguments, result, _print_part)


def _print_part(result: dict[str, Any]) -> None:
    print_account(result)
    print(f"Part {result['part']}: {result['out']}")
