"""What verbs have in common that can be done in parts: ``--part I/N`` and ``--engine ray``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoviz.cli.output import account, print_account, print_json
from emoviz.errors import TableError
from emoviz.jobs import Reporter
from emoviz.settings import Settings

if TYPE_CHECKING:
    from emoviz.data.parts import Merged, PartWork

Work = Callable[[argparse.Namespace, Settings, Reporter], "PartWork"]
Finish = Callable[["Merged", Path, Settings], object]


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
    if arguments.format == "json":
        print_json(result, sys.stdout)
    else:
        print_account(result)
        print(f"Part {result['part']}: {arguments.out}")
