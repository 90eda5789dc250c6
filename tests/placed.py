"""Checkpoints put into a home."""

import shutil
from pathlib import Path

from emoviz.checkpoints import Checkpoint, read_checkpoint
from emoviz.inference.trust import remember
from emoviz.settings import Settings


def put_checkpoint(source: Path, home: Path, id: str = "tiny") -> Checkpoint:
    """A copy of a checkpoint in a home that knows its graph: comparing takes seconds."""
    shutil.copytree(source, home / "checkpoints" / id)
    checkpoint = read_checkpoint(home / "checkpoints" / id)
    remember(checkpoint, Settings(home=home))
    return checkpoint
