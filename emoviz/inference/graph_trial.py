"""A graph looked through, run on two images of noise and compared with its weights.

    python -m emoviz.inference.graph_trial FOLDER

The process that `emoviz.inference.trust` makes for it; ends with 2 and a sentence where the graph
is refused.
"""

import contextlib
import sys
from pathlib import Path

import numpy as np

from emoviz.checkpoints import WEIGHTS, Checkpoint, check_graph, load_novelty, read_checkpoint
from emoviz.errors import CheckpointError, EmovizError
from emoviz.inference.engines import OnnxEngine, TorchEngine
from emoviz.inference.predict import Model, distances, softmax
from emoviz.inference.trust import BYTES, SECONDS, can_compare

# Engines differ by rounding alone, 1e-4 in probability where the weights are ordinary ones.
TOLERANCE = 2e-3


def examine(checkpoint: Checkpoint) -> None:
    """Look through, run and compare; `CheckpointError` where it does not pass."""
    from emoviz.models.graph_check import check_graph_file

    check_graph(checkpoint)
    check_graph_file(checkpoint.graph, WEIGHTS)
    side = checkpoint.card.preprocessing.size
    images = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    engine = OnnxEngine(checkpoint.graph, 1)
    ours = engine.run(images)
    distances(Model(checkpoint, engine, load_novelty(checkpoint)), ours)
    if not can_compare():
        return
    theirs = TorchEngine(checkpoint, "cpu").run(images)
    name = f"{checkpoint.folder.name}/{checkpoint.graph.name}"
    for field, one, two in zip(ours._fields, ours, theirs, strict=True):
        if one.shape != two.shape:
            raise CheckpointError(f"{name} is refused: its {field} has another shape.")
        far = np.abs(one - two).max(initial=0) / max(1, np.abs(two).max(initial=0))
        if field == "logits":
            far = np.abs(softmax(one, 1.0) - softmax(two, 1.0)).max()
        if far > TOLERANCE:
            raise CheckpointError(
                f"{name} is refused: it answers otherwise than the network that the card and the "
                "weights describe."
            )


def main() -> int:
    """Take the folder from the command line and the limits from `emoviz.inference.trust`."""
    _limit()
    try:
        examine(read_checkpoint(Path(sys.argv[1])))
    except EmovizError as error:
        print(error)
        return 2
    return 0


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(ValueError, OSError):  # a smaller one holds already
        resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))


if __name__ == "__main__":
    sys.exit(main())
