"""Trains a run in processes that are killed at random; a script for tests/test_resume.py.

Forked children share what is imported, so that a child is at work within a tenth of a second.
Torch is kept to one thread: no thread pool exists that a fork could break.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

torch.set_num_threads(1)

import emoviz.models.export  # noqa: E402 - after the threads are settled
from emoviz.settings import load_settings  # noqa: E402
from emoviz.training.run import train_in_folder  # noqa: E402

# The graph takes seconds and holds nothing that was learned.
emoviz.models.export.export_graph = lambda *arguments: None  # type: ignore[assignment]


def child(recipe: str, table: str, run: Path) -> int:
    """Start or go on with the run in a process of its own."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            train_in_folder(recipe, [table], run, load_settings(), lambda line: None, resume=True)
            code = 0
        finally:
            os._exit(code)
    return process


def ended(process: int, seconds: float) -> int | None:
    """Exit code of a child that ends within so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def main(recipe: str, table: str, folder: Path, kills: int) -> None:
    """Kill children until there were enough kills; the last is let to its end."""
    began = time.monotonic()
    assert ended(child(recipe, table, folder / "undisturbed"), 100) == 0
    whole = time.monotonic() - began
    dice = random.Random(0)
    killed, attempts = 0, [0]
    while True:
        run = folder / f"killed-{len(attempts)}"
        process = child(recipe, table, run)
        patience = dice.uniform(0.05, 0.35 * whole) if killed < kills else 100
        code = ended(process, patience)
        if code is None:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            killed += 1
            attempts[-1] += 1
        elif code != 0:
            sys.exit(f"a resumed run failed with {code}")
        elif killed >= kills:
            break
        else:
            attempts.append(0)
    print(json.dumps({"kills": killed, "runs": attempts}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
