"""What the verbs share: exit codes, and how values reach the terminal."""

import json
from collections.abc import Mapping
from typing import Any, TextIO

DEFAULT_CHECKPOINT = "mikels8"
NOTHING_READ = 2
SOME_FAILED = 1
PAUSED = 3


def print_json(values: Any, out: TextIO) -> None:
    """Letters as they are where `out` can hold them, else escaped: valid JSON either way."""
    text = json.dumps(values, indent=1, ensure_ascii=False)
    try:
        text.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(values, indent=1)
    print(text, file=out)


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
