"""Does a checkpoint's graph answer as its weights do? Asked once of each that was brought along.

``graph.onnx`` is a program, and a card's hashes say only that nobody changed it since. So a graph
that did not come with the project is looked through, run and compared with the network that
PyTorch builds from the weights, on two images of noise, in a process of its own with limits on
time and memory. What passed is remembered in the home by its hashes. Where PyTorch is not
installed the graph is looked through and run, and compared once it is.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from emoviz.checkpoints import Checkpoint
from emoviz.errors import CheckpointError
from emoviz.settings import Settings, python_path

SECONDS, BYTES = 180, 8 * 2**30  # of a processor; of memory
_OUT_OF_TIME = 24  # SIGXCPU, which Windows lacks
_PATIENCE = 4.0  # times as long by the clock, on a machine that does much else


def vouch(checkpoint: Checkpoint, settings: Settings) -> None:
    """Hold a checkpoint's graph against its weights, unless it did before.

    Raises:
        CheckpointError: The graph holds what none of ours does, takes too much time or memory,
            or answers otherwise than the weights.
    """
    if checkpoint.folder.parent == settings.shipped_checkpoints:
        return
    if _mark(checkpoint, settings).exists():
        return
    examine_graph(checkpoint)
    remember(checkpoint, settings)


def can_compare() -> bool:
    """Whether PyTorch is here to build the network from its weights."""
    return find_spec("torch") is not None


def remember(checkpoint: Checkpoint, settings: Settings) -> None:
    """Note that a graph is known to fit its weights: compared, or just made from them."""
    mark = _mark(checkpoint, settings)
    with contextlib.suppress(OSError):  # a home that cannot be written: compared again next time
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def examine_graph(checkpoint: Checkpoint) -> None:
    """Look through, run and compare a graph, in a process of its own (some seconds).

    Raises:
        CheckpointError: See `vouch`.
    """
    command = [
        sys.executable,
        "-m",
        "emoviz.inference.graph_trial",
        str(checkpoint.folder.absolute()),
    ]
    place = f"{checkpoint.folder.name}/{checkpoint.graph.name}"
    try:
        done = subprocess.run(
            command,
            # One thread, so that seconds of a processor are at most those by the clock.
            env={**os.environ, "PYTHONPATH": python_path(), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            encoding="utf-8",
            timeout=_PATIENCE * SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        late = f"{_PATIENCE * SECONDS:g} seconds"
        raise CheckpointError(f"{place} is refused: two images took it over {late}.") from None
    if done.returncode == -_OUT_OF_TIME:
        late = f"{SECONDS} seconds of a processor"
        raise CheckpointError(f"{place} is refused: two images took it over {late}.")
    if done.returncode == 2:
        raise CheckpointError(done.stdout.strip())
    if done.returncode != 0:
        raise CheckpointError(
            f"{place} is refused: two images took it more than {BYTES >> 30} GB of memory, or it "
            "ended the program that tried it."
        )


def _mark(checkpoint: Checkpoint, settings: Settings) -> Path:
    """An empty file whose name depends on all that the comparison depended on."""
    card = checkpoint.card
    told = [card.weights_sha256, card.graph_sha256, card.network, card.preprocessing.to_dict()]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    kind = "compared" if can_compare() else "run"
    return settings.home / "graphs" / f"{digest[:40]}-{kind}"
