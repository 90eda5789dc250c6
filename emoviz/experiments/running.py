"""Run the cells of a table, one after the other or several at once, each in its own process."""

import signal
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from emoviz.errors import EmovizError
from emoviz.experiments.cells import ExperimentCell, Measures, Tell
from emoviz.memory import available_cores, keep_large_blocks
from emoviz.settings import Settings


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: its measures, or why there are none."""

    cell: ExperimentCell
    measures: Measures = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class _Worker:
    """A process at work on one cell."""

    number: int
    process: SpawnProcess


def run_cells(
    cells: Sequence[ExperimentCell], settings: Settings, tell: Tell, at_once: int = 1
) -> list[Outcome]:
    """Measure each cell. One that fails is told of and does not spoil the others.

    Args:
        cells: In the order of the outcomes.
        settings: Home and device.
        tell: Called with a line for people now and then.
        at_once: Above 1, so many cells run at the same time, each in a process of its own with
            its share of the processor's cores.

    Raises:
        TrainingError: A cell's folder holds something else; nothing has run then.
    """
    for cell in cells:
        cell.check()
    if at_once > 1:
        return _in_processes(cells, settings, tell, at_once)
    outcomes = []
    for number, cell in enumerate(cells, start=1):
        tell(_title(cell, number, len(cells)))
        outcomes.append(_guarded(cell, settings, tell))
    return outcomes


def _title(cell: ExperimentCell, number: int, count: int) -> str:
    return f"Cell {number} of {count}: {cell.row.label}, {cell.about}, seed {cell.seed}"


def _guarded(cell: ExperimentCell, settings: Settings, tell: Tell) -> Outcome:
    try:
        return Outcome(cell, cell.measure(settings, tell))
    except EmovizError as error:
        reason = str(error)
    except Exception as error:
        # A defect or a lack of memory in one cell; the others may still be worth their time.
        tell(traceback.format_exc())
        reason = f"{type(error).__name__}: {error}"
    tell(f"Failed: {reason}")
    return Outcome(cell, error=reason)


def _in_processes(
    cells: Sequence[ExperimentCell], settings: Settings, tell: Tell, at_once: int
) -> list[Outcome]:
    """A process a cell, so that one that is killed takes no other along."""
    waiting = list(range(len(cells)))
    working: dict[Connection, _Worker] = {}
    outcomes: dict[int, Outcome] = {}
    try:
        while waiting or working:
            while len(working) < at_once:
                number = _next(waiting, cells, [cells[w.number] for w in working.values()])
                if number is None:
                    break
                waiting.remove(number)
                cell = cells[number]
                tell(_title(cell, number + 1, len(cells)))
                connection, process = _start(cell, settings, max(1, available_cores() // at_once))
                working[connection] = _Worker(number, process)
            ready = wait(list(working))
            for connection in [item for item in working if item in ready]:
                worker = working[connection]
                outcome = _heard(connection, worker, cells[worker.number], tell)
                if outcome is not None:
                    outcomes[worker.number] = outcome
                    del working[connection]
    finally:
        for connection, worker in working.items():
            worker.process.terminate()
            worker.process.join()
            connection.close()
    return [outcomes[number] for number in range(len(cells))]


def _next(
    waiting: Sequence[int], cells: Sequence[ExperimentCell], working: Sequence[ExperimentCell]
) -> int | None:
    """The first cell that can start; a fusion waits for the networks that lie in its folder."""
    busy = {parent for cell in working for parent in cell.folder.parents}
    return next((number for number in waiting if cells[number].folder not in busy), None)


def _start(
    cell: ExperimentCell, settings: Settings, threads: int
) -> tuple[Connection, SpawnProcess]:
    spawn = get_context("spawn")  # a forked torch or CUDA does not work
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_work, args=(sender, cell, settings, threads))
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    return receiver, process


def _heard(
    connection: Connection, worker: _Worker, cell: ExperimentCell, tell: Tell
) -> Outcome | None:
    """Pass on a line; the outcome where the process is done."""
    try:
        message = connection.recv()
    except EOFError:
        worker.process.join()
        code = worker.process.exitcode
        reason = f"its process ended with {code}" + (" (killed)" if (code or 0) < 0 else "")
        tell(f"Failed: {cell.row.label}, seed {cell.seed}: {reason}")
        connection.close()
        return Outcome(cell, error=reason)
    if isinstance(message, str):
        tell(f"[{cell.row.label}, seed {cell.seed}] {message}")
        return None
    worker.process.join()
    connection.close()
    measures, error = message
    return Outcome(cell, measures, error)


def _work(sender: Connection, cell: ExperimentCell, settings: Settings, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    keep_large_blocks()
    import torch

    torch.set_num_threads(threads)
    outcome = _guarded(cell, settings, sender.send)
    sender.send((outcome.measures, outcome.error))
