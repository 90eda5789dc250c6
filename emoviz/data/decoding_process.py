"""Images are unpacked by a process beside this one, so that no file can hurt more than itself.

Whatever a file makes a decoder do, crash, run on without end or take memory without bounds, ends
that process: the file is refused with that as its reason, and another process takes over. There
are as many as cores, two at most; they start with the second question (for one image, or for some
tens of small ones), and end with this process.

Ordinary JPEGs and PNGs are unpacked here as long as none of them is awake: one image on the command
line would otherwise wait for an interpreter to start, longer than everything else takes. Those
two decoders are the ones of every browser, and their work is bounded before it begins.

Python's own protocol over pipes, so that it works wherever Python does; the limits on processor
time and memory exist on Linux (memory not on macOS, neither on Windows), and the one on time
that a clock measures everywhere.
"""

import atexit
import contextlib
import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from PIL import Image

from emoviz.data.decoding import Limits, OpenedImage, own_fault
from emoviz.data.decoding import decode as decode_here
from emoviz.errors import ImageError

resource: Any = None
with contextlib.suppress(ImportError):  # Windows
    import resource

_MOST = 2  # processes
_SECONDS, _SECONDS_A_MB, _MOST_SECONDS = 5.0, 1.0, 60.0  # of a processor that a file may take
_PATIENCE = 4.0  # times as long by the clock, on a machine that does much else
_STARTS_WITHIN = 60.0
_MEMORY, _MEMORY_A_PIXEL = 1_000_000_000, 16  # bytes
_RESTED = 20_000  # images after which a process makes room for a fresh one
_ROOMY = 500_000_000  # bytes that a process may hold on to and go on
_PAGE = 4096
_COMMAND = "from emoviz.data.decoding_process import serve; serve()"
_REQUEST = struct.Struct("<QQQQQQ")
_REPLY = struct.Struct("<BIQII")
_PICTURE, _REFUSED, _LAST = 0, 1, 2  # what a reply holds; _LAST is added where no more will come
_TOGETHER, _SAID_AFTER = 250_000, 1.0  # bytes and seconds after which answers are sent
_ORDINARY = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def decode(data: bytes, limits: Limits, short_side: int | None) -> OpenedImage:
    """`emoviz.data.images.open_image`, in a process beside this one where there is one.

    Raises:
        ImageError: As there; also where the process had to be stopped, or ended by itself.
    """
    [found] = _asked([data], limits, short_side)
    if isinstance(found, ImageError):
        raise found
    return found


def decode_many(
    files: Sequence[bytes], limits: Limits, short_side: int | None, square: int
) -> list[OpenedImage | ImageError]:
    """Small pictures of several files by one question, as `emoviz.data.images.open_small` has them.

    Where the process ends over one of them, those without an answer are asked for one by one, and
    never unpacked here.
    """
    try:
        found = _asked(files, limits, short_side, square)
    except MemoryError:
        found = []
    for data in files[len(found) :]:
        try:
            with own_fault():
                found += _asked([data], limits, short_side, square, is_suspect=True)
        except ImageError as error:
            found.append(error)
    return found


def _asked(
    files: Sequence[bytes],
    limits: Limits,
    short_side: int | None,
    square: int | None = None,
    is_suspect: bool = False,
) -> list[OpenedImage | ImageError]:
    """An answer for each file; for the first of several only, where a process ended over them."""
    # A process that was started to read images would guard nothing by another one.
    started = sys.modules.get("multiprocessing.process")
    is_guarded = started is not None and started.parent_process() is not None
    may_wait = is_suspect or not all(data.startswith(_ORDINARY) for data in files)
    worker = None if is_guarded else _pool.taken(may_wait)
    if worker is None:
        if is_suspect and not is_guarded:
            raise ImageError("the program that unpacks it ended, and no other could be started")
        return [_decoded_here(data, limits, short_side, square) for data in files]
    try:
        return worker.ask(files, limits, short_side, square)
    finally:
        _pool.give_back(worker)


def _decoded_here(
    data: bytes, limits: Limits, short_side: int | None, square: int | None
) -> OpenedImage | ImageError:
    try:
        return decode_here(data, limits, short_side, square)
    except ImageError as error:
        return error


class _Worker:
    """One process; asked by one thread at a time."""

    def __init__(self) -> None:
        self.deadline = math.inf
        self._late = False
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                "MALLOC_ARENA_MAX": "1",
                "MALLOC_MMAP_THRESHOLD_": "67108864",
                "MALLOC_TRIM_THRESHOLD_": "67108864",
            },
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._back = self._process.stdin, self._process.stdout
        for pipe in (self._to, self._back):
            _widen(pipe)

    def is_ready(self) -> bool:
        """Wait until it has started; False where it cannot."""
        self.deadline = time.monotonic() + _STARTS_WITHIN
        ready = self._back.read(1) == b"R"
        self.deadline = math.inf
        return ready

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(
        self, files: Sequence[bytes], limits: Limits, short_side: int | None, square: int | None
    ) -> list[OpenedImage | ImageError]:
        """Answers in the order of the files, as far as the process came; to one always."""
        found: list[OpenedImage | ImageError] = []
        seconds = _seconds_for(max(map(len, files)))
        caps = (limits.max_bytes, limits.max_pixels, limits.max_side)
        asked = _REQUEST.pack(len(files), *caps, short_side or 0, square or 0)
        sizes = struct.pack(f"<{len(files)}Q", *map(len, files))
        kind = 0
        try:
            self.deadline = time.monotonic() + _PATIENCE * seconds
            _write(self._to, b"".join((asked, sizes, *files)))
            for _ in files:
                self.deadline = time.monotonic() + _PATIENCE * seconds
                kind, answer = self._answer()
                found.append(answer)
        except (OSError, EOFError):
            why = self._what_happened(seconds)
            if len(files) == 1:
                found.append(ImageError(why))
        except BaseException:  # with answers left in its pipe it would give them to others
            self.end()
            raise
        finally:
            self.deadline = math.inf
        if kind & _LAST:
            self.end()
        return found

    def _answer(self) -> tuple[int, OpenedImage | ImageError]:
        kind, words, pixels, width, height = _REPLY.unpack(_read(self._back, _REPLY.size))
        content = memoryview(_read(self._back, words + pixels))
        text = bytes(content[:words]).decode()
        if kind & _REFUSED:
            return kind, ImageError(text)
        told = json.loads(text)
        image = Image.frombytes("RGB", (width, height), content[words:])
        size, notes = tuple(told["size"]), tuple(told["notes"])
        return kind, OpenedImage(image, told["sha256"], size, notes)

    def end(self) -> None:
        """Stop it at once."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._to, self._back):
            with contextlib.suppress(OSError):
                pipe.close()

    def end_if_late(self) -> None:
        """Stop it where it should have answered before now."""
        if time.monotonic() > self.deadline:
            self._late = True
            self._process.kill()

    def _what_happened(self, seconds: float) -> str:
        code = self._process.wait()
        if self._late or code == -getattr(signal, "SIGXCPU", 0):
            return f"it took more than {seconds:,.0f} seconds to unpack, and was given up"
        if code == -getattr(signal, "SIGKILL", 0):  # by a system without memory
            return "there is not enough memory to unpack it"
        return "it is damaged in a way that ended the program that unpacks it"


class _Pool:
    """Processes that unpack, and a thread that stops those that take too long."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._starting = False
        self._asked = 0
        self._is_usable = True
        self._changed = threading.Condition()
        self._most = min(_MOST, os.cpu_count() or 1)

    def taken(self, may_wait: bool) -> _Worker | None:
        """A process that is awake; None where the image may as well be unpacked here."""
        with self._changed:
            self._asked += 1
            while self._is_usable:
                if self._idle:
                    worker = self._idle.pop()
                    if not worker.is_alive:
                        worker.end()
                        continue
                    self._busy.append(worker)
                    return worker
                wanted = not self._starting and len(self._busy) < self._most
                if wanted and (may_wait or self._asked > 1):
                    self._starting = True
                    threading.Thread(target=self._start, name="emoviz-unpack", daemon=True).start()
                if not may_wait and not self._busy:
                    return None
                self._changed.wait()
        return None

    def give_back(self, worker: _Worker) -> None:
        with self._changed:
            if worker in self._busy:
                self._busy.remove(worker)
            if worker.is_alive:
                self._idle.append(worker)
            else:
                worker.end()
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_usable = False
            workers = [*self._idle, *self._busy]
            self._idle.clear()
            self._changed.notify_all()
        for worker in workers:
            worker.end()

    def _start(self) -> None:
        worker = None
        try:
            worker = _Worker()
            watch = threading.Thread(target=_watch, args=(worker,), daemon=True)
            watch.start()
            ready = worker.is_ready()
        except OSError:  # no processes, no memory
            ready = False
        with self._changed:
            self._starting = False
            if ready and worker is not None and self._is_usable:
                self._idle.append(worker)
                worker = None
            elif not ready:
                self._is_usable = bool(self._idle or self._busy)
            self._changed.notify_all()
        if worker is not None:
            worker.end()


def _watch(worker: _Worker) -> None:
    while worker.is_alive:
        worker.end_if_late()
        time.sleep(1.0)


def serve() -> None:
    """What the process does: one image after the other, until nobody asks any more."""
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    # Whatever a library prints must not get between the answers.
    to, back = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)
    _write(back, b"R")
    asked, kind = 0, 0
    while not kind & _LAST:
        try:
            count, *caps, short_side, square = _REQUEST.unpack(_read(to, _REQUEST.size))
            sizes = struct.unpack(f"<{count}Q", _read(to, 8 * count))
            content = memoryview(_read(to, sum(sizes)))
        except EOFError:
            return
        limits, place, answers = Limits(*caps), 0, bytearray()
        asked += count
        said = time.monotonic()
        for number, size in enumerate(sizes, 1):
            _bound(size, len(content), limits)
            data = bytes(content[place : place + size])
            place += size
            kind, told, pixels, (width, height) = _answer(
                data, limits, short_side or None, square or None
            )
            if number == count and (asked >= _RESTED or _has_grown()):
                kind |= _LAST
            answers += _REPLY.pack(kind, len(told), len(pixels), width, height) + told + pixels
            waited = time.monotonic() - said
            if number == count or len(answers) > _TOGETHER or waited > _SAID_AFTER:
                _write(back, answers)
                answers, said = bytearray(), time.monotonic()


def _answer(
    data: bytes, limits: Limits, short_side: int | None, square: int | None
) -> tuple[int, bytes, bytes, tuple[int, int]]:
    try:
        with own_fault():
            opened = decode_here(data, limits, short_side, square)
            told = {"sha256": opened.sha256, "size": opened.size, "notes": opened.notes}
            content, side = opened.pixels.tobytes(), opened.pixels.size
            return _PICTURE, json.dumps(told).encode(), content, side
    except ImageError as error:
        return _REFUSED, str(error).encode(errors="replace"), b"", (0, 0)


def _bound(size: int, held: int, limits: Limits) -> None:
    """Limit this process for the next file; the system ends it where it goes beyond."""
    if resource is None:
        return
    seconds = math.ceil(time.process_time() + _seconds_for(size)) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    memory = _MEMORY + held + _MEMORY_A_PIXEL * limits.max_pixels
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or memory < most:
        resource.setrlimit(resource.RLIMIT_AS, (memory, most))


def _has_grown() -> bool:
    """Whether this process holds on to much memory (what the system counts as its peak may be
    that of whoever started it)."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):  # no Linux
        return False
    return pages * _PAGE > _ROOMY


def _seconds_for(size: int) -> float:
    return min(_SECONDS + _SECONDS_A_MB * size / 1e6, _MOST_SECONDS)


def _write(pipe: IO[bytes], data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]


def _read(pipe: IO[bytes], size: int) -> bytearray:
    """So many bytes.

    Raises:
        EOFError: They do not come.
    """
    found = bytearray(size)
    rest = memoryview(found)
    while rest:
        count = pipe.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        rest = rest[count:]
    return found


def _widen(pipe: IO[bytes]) -> None:
    """A pipe that holds a whole small image, so that neither side waits in the middle of it."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)


def _start_afresh() -> None:
    """After a fork the processes are the other one's."""
    global _pool
    _left.append(_pool)
    _pool = _Pool()


_pool = _Pool()
_left: list[_Pool] = []  # kept, so that nobody waits for processes that are not theirs
atexit.register(lambda: _pool.close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
