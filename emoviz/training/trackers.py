"""Where a run's curves go besides ``progress.jsonl``: TensorBoard, MLflow or Weights & Biases.

All stay in the run's folder, below ``events``; nothing is sent anywhere. MLflow and Weights &
Biases are reached through accelerate's trackers, where their packages are installed: ``pip install
'emoviz[mlflow]'`` or ``'emoviz[wandb]'``. A training that goes on begins another of their runs.
"""

import logging
import os
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

from emoviz.errors import TrainingError

TrackerName = Literal["tensorboard", "mlflow", "wandb"]
TRACKERS: Mapping[TrackerName, str] = {
    "tensorboard": "TensorBoard",
    "mlflow": "MLflow",
    "wandb": "Weights & Biases, offline",
}


class Tracker(Protocol):
    """Takes curves."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Name to value, after so many steps."""
        ...

    def finish(self) -> None:
        """Close what is open."""
        ...


def installed() -> tuple[TrackerName, ...]:
    """Those that can be had here."""
    return tuple(name for name in TRACKERS if name == "tensorboard" or _is_there(name))


def require_tracker(name: TrackerName) -> None:
    """Raise `TrainingError` where a tracker's package is missing."""
    if name not in installed():
        raise TrainingError(
            f"The recipe has tracker: {name} ({TRACKERS[name]}), whose package is not installed. "
            f"Install it (pip install 'emoviz[{name}]'), or set tracker: tensorboard."
        )


def open_tracker(name: TrackerName, folder: Path, run: str, title: str, step: int) -> Tracker:
    """A tracker that writes into a folder.

    Args:
        name: Which.
        folder: For its files; made where it is not there.
        run: Name of the run: ``training`` or ``fold-3``.
        title: Of the experiment: the recipe's name.
        step: Where the training begins or goes on.

    Raises:
        OSError: It cannot write there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if name == "tensorboard":
        return _TensorBoard(folder / run, step)
    return _Accelerate(name, folder, run, title)


def _is_there(module: str) -> bool:
    spec = find_spec(module)
    return spec is not None and spec.origin is not None  # a folder of that name is no package


class _TensorBoard:
    def __init__(self, place: Path, step: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        place.mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(str(place / "events"))
        # TensorBoard drops what an interrupted run wrote past this step.
        start = SessionLog(status=SessionLog.START)
        self._writer.write_event(Event(wall_time=time.time(), step=step, session_log=start))

    def log(self, values: Mapping[str, float], step: int) -> None:
        from tensorboardX import summary
        from tensorboardX.proto.event_pb2 import Event

        for name, value in values.items():
            scalar = summary.scalar(name, value)
            self._writer.write_event(Event(wall_time=time.time(), step=step, summary=scalar))
        self._writer.flush()

    def finish(self) -> None:
        self._writer.close()


class _Accelerate:
    """Whatever goes wrong in those packages is an `OSError`: it costs the curves alone."""

    def __init__(self, name: TrackerName, folder: Path, run: str, title: str) -> None:
        try:
            from accelerate import PartialState

            PartialState()  # its trackers ask it who is first; there, if several processes train
            self._tracker: Any = (_mlflow if name == "mlflow" else _wandb)(folder, run, title)
            self._tracker.start()
        except Exception as error:
            raise OSError(f"{TRACKERS[name]}: {error}") from error

    def log(self, values: Mapping[str, float], step: int) -> None:
        try:
            self._tracker.log(dict(values), step=step)
        except Exception as error:
            raise OSError(str(error)) from error

    def finish(self) -> None:
        try:
            self._tracker.finish()
        except Exception as error:
            raise OSError(str(error)) from error


def _mlflow(folder: Path, run: str, title: str) -> Any:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name in ("mlflow", "alembic"):  # they tell of each table that they make
        logging.getLogger(name).setLevel(logging.WARNING)
    import mlflow
    from accelerate.tracking import MLflowTracker

    mlflow.set_tracking_uri(f"sqlite:///{folder.absolute() / 'mlflow.db'}")
    artifacts = (folder / "mlflow-artifacts").absolute().as_uri()
    return MLflowTracker(title, logging_dir=artifacts, run_name=run)


def _wandb(folder: Path, run: str, title: str) -> Any:
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    import wandb
    from accelerate.tracking import WandBTracker

    quiet = wandb.Settings(silent=True, disable_git=True)
    return WandBTracker(title, name=run, mode="offline", dir=str(folder), settings=quiet)
