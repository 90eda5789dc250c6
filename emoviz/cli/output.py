"""What the verbs share: exit codes, and how values reach the terminal."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from emoviz.errors import EmovizError
from emoviz.files import printable

if TYPE_CHECKING:
    from emoviz.labels import Taxonomy

DEFAULT_CHECKPOINT = "mikels8"
NOTHING_READ = 2
SOME_FAILED = 1
PAUSED = 3
_SHOWN = 20


def add_level(verb: argparse.ArgumentParser) -> None:
    """The option that says how a folder or ZIP is read."""
    verb.add_argument(
        "--level",
        type=int,
        help="which folder is the class, 1 for the outermost; 0: found, and no table in it read",
    )


def add_progress_and_format(verb: argparse.ArgumentParser) -> None:
    """The options of a verb that takes a while and has a result for people and for programs."""
    verb.add_argument("--progress", type=Path, metavar="FILE", help="progress as JSON lines")
    verb.add_argument("--format", choices=("table", "json"), default="table")


def named_taxonomy(arguments: argparse.Namespace) -> "Taxonomy | None":
    """That of ``--taxonomy``; None where it is to be found from the labels."""
    from emoviz.labels import get_taxonomy

    return get_taxonomy(arguments.taxonomy) if arguments.taxonomy else None


def show(arguments: argparse.Namespace, values: Any, for_people: Callable[[Any], None]) -> None:
    """A result on the standard output: for people, or all of it where ``--format json`` asks."""
    if arguments.format == "json":
        print_json(values, sys.stdout)
    else:
        for_people(values)


def given_path(*kinds: str, new: bool = False) -> Callable[[str], Path]:
    """The type of an argument that names something on disk, so that all verbs refuse it alike.

    Args:
        kinds: ``file``, ``folder`` or both.
        new: It need not be there yet.

    Returns:
        From text to path. Raises `EmovizError` where it is not there, of no such kind or an empty
        file. What is neither file nor folder, such as a pipe, is left to whoever reads it.
    """

    def path_of(text: str) -> Path:
        path = Path(text)
        if not path.exists() and not new:
            raise EmovizError(f"There is no {' or '.join(kinds)} '{text}'.")
        if path.is_dir() and "folder" not in kinds:
            raise EmovizError(f"'{text}' is a folder; wanted: a file.")
        if path.is_file() and "file" not in kinds:
            raise EmovizError(f"'{text}' is a file; wanted: a folder.")
        if path.is_file() and not path.stat().st_size and not new:
            raise EmovizError(f"The file '{text}' is empty.")
        return path

    return path_of


def print_json(values: Any, out: TextIO) -> None:
    """Letters as they are where `out` can hold them, else escaped: valid JSON either way."""
    text = json.dumps(values, indent=1, ensure_ascii=False)
    try:
        text.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(values, indent=1)
    print(text, file=out)


def account(
    taken: int, problems: Sequence[tuple[str, str]], notes: Sequence[str] = ()
) -> dict[str, Any]:
    """What every verb says of what it was given: found = taken + problems, and how it was read."""
    return {
        "found": taken + len(problems),
        "taken": taken,
        "problems": [{"what": what, "reason": reason} for what, reason in problems],
        "notes": list(notes),
    }


def print_account(values: Mapping[str, Any], out: TextIO | None = None) -> None:
    """`account` for people, on the standard output where left out."""
    from emoviz.data.dataset import count_words

    out, problems = out or sys.stdout, values["problems"]
    print(count_words(values["taken"], len(problems)), file=out)
    for row in problems[:_SHOWN]:
        print(f"problem: {printable(row['what'])}: {printable(row['reason'])}", file=out)
    if len(problems) > _SHOWN:
        print(f"... and {len(problems) - _SHOWN:,} more; --format json lists all", file=out)
    for note in values["notes"]:
        print(f"note: {printable(note)}", file=out)


def tell(line: str) -> None:
    """A line of a long task, shown at once also where the output is a file."""
    print(line, flush=True)


def tell_beside(arguments: argparse.Namespace) -> Callable[[str], None]:
    """As `tell`, but beside the standard output where that is for a program."""
    told = sys.stderr if arguments.format == "json" else sys.stdout
    return lambda line: print(line, file=told, flush=True)


def number_text(value: float | None) -> str:
    """Seven letters wide; a dash where there is no number."""
    return "      -" if value is None else f"{value:7.4f}"


def estimate_text(row: Mapping[str, Any]) -> str:
    """``0.7123  [0.6500, 0.7668]  n 303``, or why there is no interval."""
    text = number_text(row["value"])
    images = f"  n {row['n']}" if row["n"] else ""
    if row["low"] is not None:
        return f"{text}  [{row['low']:.4f}, {row['high']:.4f}]{images}"
    return f"{text}{images}  {row['reason']}".rstrip()
