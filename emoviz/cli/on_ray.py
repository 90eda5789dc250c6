"""A verb's parts on Ray: workers on one machine or many take part after part.

Ray is not needed to import this. A worker sends its part back as the bytes of a file, which is
kept beside the result until all are there; so a run that was killed goes on with what is missing,
and a worker that dies costs the part it was at.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from emoviz.data.parts import Part, PartWork, Whole, merged, read_head, write_part
from emoviz.errors import EmovizError, SettingsError, TableError
from emoviz.files import replaced_file
from emoviz.jobs import Reporter
from emoviz.settings import Settings, load_settings

_PART = 5000  # images, at most: what a worker that dies may lose
_DEATHS = 3  # of workers at one part, before it is given up


def in_parts_on_ray(arguments: argparse.Namespace, settings: Settings) -> None:
    """Do all parts of a verb's work on Ray and put them together.

    Args:
        arguments: Of a verb with `emoviz.cli.parts.add_parts`.
        settings: Of this machine; each worker reads those of its own.

    Raises:
        SettingsError: There is no Ray.
        TableError: No cluster answers, or a worker cannot do its work.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise SettingsError(
            "--engine ray needs Ray, here and on each machine: pip install 'emoviz[ray]'"
        ) from None
    report = Reporter(arguments.progress)
    report.step("looking at what there is")
    whole = arguments.work(arguments, settings, report).whole
    address = arguments.address or os.environ.get("RAY_ADDRESS") or "local"
    try:
        ray.init(
            address=address,
            num_cpus=arguments.workers if address == "local" else None,  # a cluster knows its own
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
    except Exception as error:  # a bare one where Ray does not come up in time
        told = str(error).strip().split("\n")[0]
        raise TableError(f"Ray cannot be used at '{address}': {told}") from None
    folder = arguments.out.with_name(f"{arguments.out.name}.parts")
    try:
        paths = _Run(ray, arguments, whole, folder, report).finished()
    finally:
        ray.shutdown()
    with merged(paths) as everything:
        arguments.finish(everything, arguments.out, settings)
    shutil.rmtree(folder)


class PartWorker:
    """What runs in a worker: opens the set and loads the network once, then makes parts."""

    def __init__(self, arguments: argparse.Namespace, folder: str, threads: int) -> None:
        if Path(folder).is_dir():  # relative paths mean the same where the drive is shared
            os.chdir(folder)
        settings = load_settings()
        settings = replace(settings, threads=settings.threads or threads)
        self._work: PartWork = arguments.work(arguments, settings, Reporter(None))

    def made(self, part: Part) -> bytes:
        """The bytes of a part's file."""
        with tempfile.TemporaryDirectory() as aside:
            path = Path(aside, "part.parquet")
            write_part(path, self._work, part)
            return path.read_bytes()


class _Run:
    """All parts of one work, on as many workers as there is room for."""

    def __init__(
        self, ray: Any, arguments: argparse.Namespace, whole: Whole, folder: Path, report: Reporter
    ) -> None:
        self._ray, self._arguments, self._folder, self._report = ray, arguments, folder, report
        self._whole = whole
        room = ray.cluster_resources()
        gpus = int(room.get("GPU", 0))
        workers = max(1, arguments.workers or gpus or int(room.get("CPU", 1)))
        self._threads = max(1, int(room.get("CPU", 1)) // workers)
        self._options = {"num_cpus": 1, "num_gpus": 1 if gpus else 0}
        before = self._known_count()
        count = before or max(1, min(whole.found, max(4 * workers, -(-whole.found // _PART))))
        self._parts = [Part(number, count) for number in range(1, count + 1)]
        self._missing = [part for part in self._parts if not self._is_there(part)]
        self._deaths = Counter[Part]()
        self._workers = min(workers, len(self._missing))
        if len(self._missing) < count:
            told = f"{count - len(self._missing)} of {count} parts are here already"
            print(f"emoviz: {told}.", file=sys.stderr)

    def finished(self) -> list[Path]:
        """The files of all parts, once they are there."""
        busy: dict[Any, tuple[Any, Part]] = {}
        for _ in range(self._workers):
            self._next(self._started(), busy)
        self._report.step("parts")
        while busy:
            (ready, *_), _ = self._ray.wait(list(busy))
            worker, part = busy.pop(ready)
            try:
                data = self._ray.get(ready)
            except self._ray.exceptions.RayTaskError as error:
                told = _told(error)
                raise TableError(f"A worker cannot make part {part.number}: {told}") from None
            except self._ray.exceptions.RayError as error:
                self._died(part, error)
                worker = self._started()
            else:
                with replaced_file(self._path(part)) as aside:
                    aside.write_bytes(data)
                done = len(self._parts) - len(self._missing) - len(busy)
                self._report(done, len(self._parts))
            self._next(worker, busy)
        return [self._path(part) for part in self._parts]

    def _started(self) -> Any:
        actor = self._ray.remote(**self._options)(PartWorker)
        return actor.remote(self._arguments, str(Path.cwd()), self._threads)

    def _next(self, worker: Any, busy: dict[Any, tuple[Any, Part]]) -> None:
        if self._missing:
            part = self._missing.pop(0)
            busy[worker.made.remote(part)] = worker, part

    def _died(self, part: Part, error: Exception) -> None:
        self._deaths[part] += 1
        if self._deaths[part] == _DEATHS:
            raise TableError(
                f"Part {part.number} of {part.count} ended {_DEATHS} workers; the other parts are "
                f"kept in '{self._folder}'. The last: {_told(error)}"
            )
        print(f"emoviz: a worker died; part {part.number} is done again.", file=sys.stderr)
        self._missing.insert(0, part)

    def _path(self, part: Part) -> Path:
        return self._folder / f"{part.number}-of-{part.count}.parquet"

    def _known_count(self) -> int:
        """Into how many parts an earlier run cut the same work; 0 where there was none."""
        names = (path.stem for path in self._folder.glob("*-of-*.parquet"))
        counts = {int(name.split("-of-")[1]) for name in names}
        return counts.pop() if len(counts) == 1 else 0

    def _is_there(self, part: Part) -> bool:
        try:
            head = read_head(self._path(part))
        except TableError:
            return False
        return (head.part, head.whole) == (part, self._whole)


def _told(error: Exception) -> str:
    cause = getattr(error, "cause", None)
    if isinstance(cause, EmovizError | OSError):
        return str(cause)
    return str(error).strip().split("\n")[-1]
