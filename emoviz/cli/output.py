"""What the verbs share: exit codes, and how values reach the terminal."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from emoviz.files import printable

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
