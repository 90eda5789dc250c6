"""A cell for tests/test_experiments.py, in a file that its processes import quickly."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoviz.errors import TrainingError
from emoviz.experiments.definitions import ExperimentRow
from emoviz.settings import Settings


@dataclass(frozen=True)
class Odd:
    """A cell that ends as its seed says, in whatever process."""

    seed: int
    row: ExperimentRow
    folder: Path = Path("nowhere")
    about: str = "set"
    taxonomy: str = "mikels8"

    def check(self) -> None:
        """Nothing to find."""

    def measure(self, settings: Settings, tell: Callable[[str], None]) -> dict[str, Any]:
        """1 is well, 2 is told, 3 dies without a word."""
        tell(f"seed {self.seed} speaks")
        if self.seed == 2:
            raise TrainingError("told")
        if self.seed == 3:
            os._exit(7)
        return {"Set": {"accuracy": self.seed / 2}}
