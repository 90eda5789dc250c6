"""Long tasks in processes of their own: start, watch, stop; a restarted server finds them again.

A job is one command of ours in a folder. A small process beside it waits for its end, so that the
exit code is known whoever started it::

    jobs/<id>/job.json         what, key, command, queue, when it was started
              alive            locked as long as the job runs; its process's id, to look at
              progress.jsonl   written by the command itself (`Reporter`, ``--progress FILE``)
              log.txt          what the command printed
              turn             there once a job of a queue has come to its turn
              cancelled        there once somebody asked it to stop
              result.json      exit code and end, written last

The lock says whether a job runs: the system lets go of it however the process ends, and unlike a
process id it means the same to every container and machine that shares the home. For that reason a
job is stopped by a file too, which its own process looks for. No torch, no Streamlit.

Of one queue only some jobs run at once, the oldest first: each waits in its own process, so that a
queue needs nobody to keep it and goes on when the server does not.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TextIO

from emoviz.errors import BusyError
from emoviz.files import made_of, read_json, write_json
from emoviz.settings import Settings, python_path, variable_names

State = Literal["waiting", "queued", "running", "done", "failed", "cancelled", "lost"]
_STARTS_WITHIN = 30.0  # seconds after which a job that never came to life counts as lost
_ASKED_TO_STOP = 5  # times, a second apart, before a command is made to
_PATIENCE = 3.0  # seconds beyond that, for its own process to say so
_LOOKS = 0.1  # seconds between two looks at whether somebody asked a job to stop
_KEPT_SECONDS, _KEPT_JOBS = 14 * 24 * 3600.0, 50
_MOST = 6  # live jobs of one person
_TURN, _BETWEEN_TURNS = "turn", 0.5
_WINDOW = 30.0  # seconds of the past that the time left is judged by
_SPOKEN = "emoviz: "  # before what a command says to people
_DETACHED = 0x00000008 | 0x00000200 if sys.platform == "win32" else 0  # in a group of its own
_TAIL = 65_536  # bytes at the end of a file that are read
_BEYOND = 1 << 30  # Windows locks bytes, not files: one that no text reaches


@dataclass(frozen=True)
class JobProgress:
    """How far a command says it is.

    Attributes:
        share: Done, 0 to 1.
        words: What it is at, for people.
        seconds_left: Estimate; None where there is none yet.
        time: When it said so, seconds since 1970.
        result: What the command found out, once it is done.
    """

    share: float = 0.0
    words: str = ""
    seconds_left: float | None = None
    time: float = 0.0
    result: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Job:
    """One command in a process of its own, running or not.

    Attributes:
        folder: Where its files are; the folder's name is its id.
        what: What it does, for people.
        key: What it is about; two jobs of one key never run at once.
        command: Arguments of ``python -m emoviz``.
        started: Seconds since 1970.
        queue: Jobs of one queue wait for their turn; empty runs at once.
        at_once: How many of the queue run at once.
        person: Who started it, as the review store knows them; "" where nobody is known.
    """

    folder: Path
    what: str
    key: str
    command: tuple[str, ...]
    started: float
    queue: str = ""
    at_once: int = 1
    person: str = ""

    @property
    def state(self) -> State:
        """``waiting`` for its process, ``queued`` behind others, ``running``, or how it ended.

        ``lost``: nobody knows how.
        """
        if self._result is None and self._is_alive:
            return "queued" if self.queue and not (self.folder / _TURN).exists() else "running"
        if self._result is not None:  # asked again: it may have ended in between
            code = self._result["code"]
            return "done" if code == 0 else "cancelled" if self.is_cancelled else "failed"
        if self.is_cancelled:
            return "cancelled"
        late = time.time() - self.started > _STARTS_WITHIN
        return "lost" if late or self._has_lived else "waiting"

    @property
    def _has_lived(self) -> bool:
        """Whether its process has held its file: it writes there only then."""
        try:
            return (self.folder / "alive").stat().st_size > 0
        except OSError:
            return False

    @property
    def is_live(self) -> bool:
        """Whether there is anything to wait for."""
        return self.state in ("waiting", "queued", "running")

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs or where it was lost."""
        return None if self._result is None else int(self._result["code"])

    @property
    def progress(self) -> JobProgress:
        """The last that the command said."""
        for line in reversed(_last_lines(self.folder / "progress.jsonl")):
            with contextlib.suppress(ValueError, TypeError, RecursionError):  # half a line
                progress = made_of(JobProgress, json.loads(line))
                if 0 <= progress.share <= 1:
                    return progress
        return JobProgress(time=self.started)

    @property
    def silent(self) -> float:
        """Seconds since the command last said anything, or since it was started."""
        return max(0.0, time.time() - self.progress.time)

    def tail(self, lines: int = 20) -> list[str]:
        """The last lines that the command printed."""
        return _last_lines(self.folder / "log.txt")[-lines:]

    @property
    def error(self) -> str:
        """The last that the command said of why it could not go on; "" where it said nothing."""
        said = [line for line in self.tail() if line.startswith(_SPOKEN)]
        return said[-1].removeprefix(_SPOKEN) if said else ""

    def cancel(self) -> None:
        """Ask the job to stop, and wait until it has: it is made to after a few seconds."""
        if self.is_live:
            (self.folder / "cancelled").touch()
            _comes(lambda: not self.is_live, within=_ASKED_TO_STOP + _PATIENCE)

    @property
    def ahead(self) -> int:
        """How many jobs of its queue have to end before its turn comes."""
        return _ahead(self.folder, self.queue, self.at_once) if self.queue else 0

    def wait(self, seconds: float) -> State:
        """The state as soon as the job has ended, or after so many seconds."""
        _comes(lambda: not self.is_live, seconds)
        return self.state

    @property
    def _result(self) -> dict[str, Any] | None:
        values = read_json(self.folder / "result.json") or {}
        return values if isinstance(values.get("code"), int) else None

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked it to stop."""
        return (self.folder / "cancelled").exists()

    @property
    def _is_alive(self) -> bool:
        try:
            with (self.folder / "alive").open("r+b") as stream:
                return _is_held(stream)
        except OSError:
            return False


def start(
    settings: Settings,
    what: str,
    command: Sequence[str],
    key: str,
    queue: str = "",
    at_once: int = 1,
    person: str = "",
) -> Job:
    """Start a command in a process that outlives this one, unless it is running already.

    Args:
        settings: Where jobs are kept.
        what: For people.
        command: Arguments of ``python -m emoviz``; ``--progress FILE`` is added.
        key: What it is about. While a job of this key runs, that one is given, so that two
            sessions that ask at once watch the same.
        queue: Wait for the jobs of this queue that were started before; empty runs at once.
        at_once: How many jobs of the queue run at once.
        person: Who starts it, where somebody is known: nobody starts without end.

    Raises:
        BusyError: This person has as many tasks at work or waiting as one may have.
        OSError: No process or no file can be made.
    """
    root = _root(settings)
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("a+b") as guard:
        _hold(guard)
        running = find(settings, key)
        if running is not None and running.is_live:
            return running
        _sweep(settings)
        known = list_jobs(settings)
        if person and sum(job.person == person and job.is_live for job in known) >= _MOST:
            raise BusyError(
                f"You have {_MOST} tasks at work or waiting. Wait until one has ended, or stop one."
            )
        # Later than all others, whatever the clock says: their order is that of their names.
        last = max((job.started for job in known), default=0.0)
        now = max(time.time_ns(), int(last * 1e9) + 1_000)
        second = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now // 10**9))
        folder = root / f"{second}-{now % 10**9:09}-{_digest(key)}"
        job = Job(folder, what, key, tuple(command), now / 1e9, queue, at_once, person)
        folder.mkdir()
        write_json(folder / "job.json", {k: v for k, v in vars(job).items() if k != "folder"})
        _process(job, settings)
        return job


def find(settings: Settings, key: str) -> Job | None:
    """The latest job of that key; None where there was none."""
    folders = sorted(_root(settings).glob(f"*-{_digest(key)}"), reverse=True)
    jobs = (job for job in map(_read, folders) if job is not None and job.key == key)
    return next(jobs, None)


def list_jobs(settings: Settings) -> list[Job]:
    """All jobs, the latest first."""
    folders = sorted(_root(settings).glob("[!.]*"), reverse=True)
    return [job for job in map(_read, folders) if job is not None]


class Reporter:
    """Says how far a command is: to people on a stream, to a job's watchers in a file.

    Args:
        file: Where lines for programs go; None says it to people.
        stream: Where lines for people go; standard error where None.
        every: Seconds between two lines.
    """

    def __init__(self, file: Path | None, stream: TextIO | None = None, every: float = 1.0) -> None:
        self._file, self._stream, self._every = file, stream or sys.stderr, every
        self._lock = threading.Lock()
        self._words, self._from, self._until = "", 0.0, 0.0
        self._past: deque[tuple[float, float]] = deque()
        self._told = 0.0

    def step(self, words: str, until: float = 1.0) -> None:
        """Begin a part of the work that ends when the share `until` of all of it is done."""
        with self._lock:
            self._from, self._until, self._words = self._until, until, words
            self._past.clear()
            self._say(self._from, words)

    def __call__(self, done: int, total: int) -> None:
        """So many of so many in this part; may be called from any thread."""
        with self._lock:
            now = time.monotonic()
            if now - self._told < self._every and done < total:
                return
            share = self._from + (self._until - self._from) * done / max(total, 1)
            self._say(share, f"{self._words}, {done:,} of {total:,}")

    def at(self, share: float, words: str) -> None:
        """So much of all the work is done, for commands that count in shares (0-1)."""
        with self._lock:
            if time.monotonic() - self._told >= self._every or words != self._words:
                self._words = words
                self._say(share, words)

    def finish(self, words: str, result: Mapping[str, Any]) -> None:
        """All is done; what was found out goes to the job's watchers."""
        with self._lock:
            self._say(1.0, words, result)

    def _say(self, share: float, words: str, result: Mapping[str, Any] | None = None) -> None:
        self._told = time.monotonic()
        left = self._seconds_left(share)
        if self._file is not None:
            line = JobProgress(round(share, 4), words, left, time.time(), result)
            with contextlib.suppress(OSError), self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(vars(line)) + "\n")
        else:
            print(f"{words}{_time_words(left)}", file=self._stream, flush=True)

    def _seconds_left(self, share: float) -> float | None:
        """By the speed of the last half minute: images that are known already fly past."""
        now = self._told
        self._past.append((now, share))
        while len(self._past) > 2 and now - self._past[0][0] > _WINDOW:
            self._past.popleft()
        before, first = self._past[0]
        gained = share - first
        if share == self._from:  # what is loaded before the first item says nothing of its speed
            self._past.clear()
        return round((1.0 - share) * (now - before) / gained, 1) if gained > 0 else None


def _time_words(seconds: float | None) -> str:
    if not seconds:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    words = f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else ""
    return f", {words or f'{rest} s'} left"


def _comes(condition: Callable[[], bool], within: float) -> bool:
    """Wait until something is so; False where it is not within so many seconds."""
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _process(job: Job, settings: Settings) -> None:
    """Start the job's own process."""
    with (job.folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "emoviz.jobs", str(job.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            creationflags=_DETACHED,
            env=_environment(settings),
        )
    # Somebody has to ask for the end of a process that this one made, or it stays a zombie.
    threading.Thread(target=process.wait, name="emoviz-job", daemon=True).start()


def _environment(settings: Settings) -> dict[str, str]:
    """The settings of this process, and where the package is."""
    own = {variable: str(getattr(settings, name)) for name, variable in variable_names().items()}
    return {**os.environ, **own, "PYTHONPATH": python_path(), "PYTHONUNBUFFERED": "1"}


def _watch(job: Job) -> None:
    """Run a job's command to its end; the process that `start` makes."""
    folder = job.folder
    with (folder / "alive").open("wb", buffering=0) as alive, contextlib.ExitStack() as turn:
        _hold(alive)
        alive.write(str(os.getpid()).encode())
        # A stop is meant for the command; this process lives on to say how it ended. A handler,
        # because signals that are ignored would be ignored by the command too.
        signal.signal(signal.SIGTERM, lambda *_: None)
        whole = [sys.executable, "-m", "emoviz", *job.command]
        whole += ["--progress", str(folder / "progress.jsonl")]
        held = _wait_for_turn(job, turn) if job.queue else ()
        code = -int(signal.SIGTERM)
        if not job.is_cancelled:  # before it began
            with subprocess.Popen(whole, pass_fds=held) as command:
                code = _followed(command, job)
        write_json(folder / "result.json", {"code": code, "ended": time.time()})
        if job.is_cancelled and sys.platform != "win32":
            os.killpg(0, signal.SIGKILL)  # whatever the command left behind, and this process


def _followed(command: "subprocess.Popen[bytes]", job: Job) -> int:
    """The command's exit code; it is stopped where somebody asks for that."""
    while not job.is_cancelled:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return command.wait(_LOOKS)
    # Asked more than once: the first may come before the command can hear it.
    for _ in range(_ASKED_TO_STOP):
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(command.pid)], check=False)
        else:
            os.killpg(0, signal.SIGTERM)  # what the command has started is of this group, too
        with contextlib.suppress(subprocess.TimeoutExpired):
            return command.wait(1.0)
    command.kill()
    return command.wait()


def _wait_for_turn(job: Job, turn: contextlib.ExitStack) -> tuple[int, ...]:
    """Until it is the job's turn, and none that somebody killed is still at work in its place.

    Returns:
        The lock of its place as a file descriptor, for the command to hold too: where this process
        is killed and the command lives on, the next one waits for the command.
    """
    root = job.folder.parent
    places = [
        turn.enter_context((root / f".turn-{job.queue}-{n}").open("a+b"))
        for n in range(job.at_once)
    ]
    while not job.is_cancelled:
        if job.ahead == 0:
            mine = next(filter(_try_to_hold, places), None)
            if mine is not None:
                (job.folder / _TURN).touch()
                return () if sys.platform == "win32" else (mine.fileno(),)
        time.sleep(_BETWEEN_TURNS)
    return ()


def _ahead(folder: Path, queue: str, at_once: int) -> int:
    """How many of the queue's jobs that were started before it have to end for it to begin."""
    older = (item for item in folder.parent.glob("[!.]*") if item.name < folder.name)
    jobs = [job for job in map(_read, older) if job is not None and job.queue == queue]
    return max(0, sum(job.is_live for job in jobs) - at_once + 1)


def _try_to_hold(stream: IO[bytes], *, shared: bool = False) -> bool:
    """Lock an open file unless another has it; those who share do not hinder each other."""
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(_BEYOND)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _hold(stream: IO[bytes]) -> None:
    """Lock an open file until it is closed; waits for whoever has it."""
    if sys.platform == "win32":
        import msvcrt

        stream.seek(_BEYOND)
        msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
        stream.seek(0)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)


def _is_held(stream: IO[bytes]) -> bool:
    """Whether another process holds an open file; those who ask do not see each other."""
    return not _try_to_hold(stream, shared=True)


def _sweep(settings: Settings) -> None:
    """Remove what is old, and more than there is use for; never what runs."""
    for number, job in enumerate(list_jobs(settings)):
        old = time.time() - job.started > _KEPT_SECONDS
        if (old or number >= _KEPT_JOBS) and not job.is_live:
            shutil.rmtree(job.folder, ignore_errors=True)


def _read(folder: Path) -> Job | None:
    values = read_json(folder / "job.json")
    try:
        if not values:
            return None
        command = tuple(map(str, values["command"]))
        return made_of(Job, {**values, "folder": folder, "command": command})
    except (KeyError, TypeError):
        return None


def _last_lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL))
            return stream.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def _root(settings: Settings) -> Path:
    return settings.home / "jobs"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:12]


if __name__ == "__main__":
    _found = _read(Path(sys.argv[1]))
    if _found is not None:  # else it was swept away before it came to life
        _watch(_found)
