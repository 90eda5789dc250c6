"""Commands that are interrupted at the n-th thing that they write: run as a program by test_faults.

Reads a JSON object a line, {"home", "command", "at", "kind"}, forks, runs the command in the child
and answers {"code", "writes", "said"}. What a command imported that nothing struck is imported here
before the next one, for that takes most of its time. A write is what Python opens for writing,
renames or removes below the home, and each row that a review store is sent; nothing in the project
knows of it, for Python tells of its files (`sys.addaudithook`) and SQLAlchemy of its statements.

kind "error" raises what a full disk raises, "short" lets no file grow any more from there on,
"kill" ends the process at once.
"""

import contextlib
import errno
import importlib
import io
import json
import os
import resource
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "shutil.copyfile", "shutil.rmtree")


class Fault:
    """Counts what is written below a home, and strikes at one of them."""

    def __init__(self, home: str, at: int, kind: str) -> None:
        self.home, self.at, self.kind, self.writes, self.is_off = home, at, kind, 0, False

    def listen(self) -> None:
        """From now on, in this process."""
        from sqlalchemy import Engine, event
        from sqlalchemy.exc import OperationalError

        sys.addaudithook(self._heard)
        event.listen(Engine, "before_cursor_execute", self._sent)
        event.listen(Engine, "commit", lambda _: self._count(OperationalError))

    def _heard(self, name: str, args: tuple[Any, ...]) -> None:
        if self.is_off:
            return
        if name == "open":
            _, mode, flags = args
            if isinstance(mode, str) and not set(mode) & set("wax+"):
                return
            if mode is None and not (flags or 0) & _WRITING:
                return
        elif name not in _CHANGES:
            return
        paths = [os.fsdecode(item) for item in args[:2] if isinstance(item, str | bytes | Path)]
        if any(path.startswith(self.home) for path in paths):
            self._count(OSError)

    def _sent(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        from sqlalchemy.exc import OperationalError

        if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            self._count(OperationalError)

    def _count(self, error: type[Any]) -> None:
        self.writes += 1
        if self.writes != self.at:
            return
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "short":
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
            return
        if error is OSError:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # as SQLAlchemy hands on what the database says; what its listeners raise it leaves as it is
        raise error("a statement", None, sqlite3.OperationalError("database or disk is full"))


def decide(home: str) -> int:
    """A person decides on every work of the collection, each once, and takes them home."""
    from emoviz.cli import main
    from emoviz.errors import EmovizError
    from emoviz.review import Draft, Feeling, open_store
    from emoviz.settings import load_settings

    try:
        store = open_store(load_settings())
        known = store.collection("gallery")
        assert known is not None
        person = store.reviewer("Rasa")
        for work in store.works(known.id):
            store.decide(Draft(work.id, person.id, "choose", f"t{work.id}", (Feeling("awe"),)))
    except EmovizError as error:
        print(f"emoviz: {error}", file=sys.stderr)
        return 2
    return main(["review", "export", "gallery", "--as", "csv", "--out", f"{home}/out/gallery.csv"])


def child(order: dict[str, Any], answer: Path) -> None:
    """Run one command; never returns."""
    fault = Fault(order["home"], order["at"], order["kind"])
    os.environ["EMOVIZ_HOME"] = order["home"]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that may not grow is an error, no end
    said = io.StringIO()
    code: object = 1
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            fault.listen()
            if order["command"] == ["decide"]:
                code = decide(order["home"])
            else:
                from emoviz.cli import main

                code = main(order["command"])
    except BaseException as error:
        code = f"{type(error).__name__}: {error}"
    fault.is_off = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    told = {"code": code, "writes": fault.writes, "said": said.getvalue()[-2000:]}
    answer.write_text(json.dumps(told | {"modules": [] if order["at"] else list(sys.modules)}))
    os._exit(0)


def serve() -> None:
    """One child an order."""
    import torch

    import emoviz.data.decoding_process
    import emoviz.models.export

    torch.set_num_threads(1)
    emoviz.models.export.export_graph = lambda *_: None  # takes seconds, and is tested elsewhere
    emoviz.data.decoding_process.decode = emoviz.data.decoding_process.decode_here  # likewise
    answer = Path(tempfile.mkdtemp()) / "answer"
    for line in sys.stdin:
        order = json.loads(line)
        answer.unlink(missing_ok=True)
        process = os.fork()
        if process == 0:
            child(order, answer)
        _, status = os.waitpid(process, 0)
        killed = {"code": -os.WTERMSIG(status), "writes": order["at"], "said": ""}
        told = json.loads(answer.read_text()) if answer.exists() else killed
        for name in told.pop("modules", ()):
            with contextlib.suppress(Exception):  # some can be imported within another alone
                importlib.import_module(name)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    serve()
