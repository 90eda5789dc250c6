"""A PostgreSQL of its own for tests and benchmarks: no port, a socket in a temporary folder."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_FOLDERS = "/usr/lib/postgresql/*/bin"  # where Debian keeps what is not in the PATH
_STARTS_WITHIN = 60.0
_USER = "postgres"  # the server refuses to run as root


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    folders = [path for path in Path("/").glob(_FOLDERS[1:]) if (path / "initdb").exists()]
    return max(folders, default=None)


class Cluster:
    """A running server.

    Attributes:
        folder: Where all of it lies.
    """

    def __init__(
        self, folder: Path, server: "subprocess.Popen[bytes]", bin: Path, durable: bool
    ) -> None:
        self.folder, self._server, self._bin, self._durable = folder, server, bin, durable
        self._count, self._kept = 0, ""

    def url(self) -> str:
        """Of a new, empty database."""
        self._count += 1
        name = f"review{self._count}"
        self._sql(f"CREATE DATABASE {name}")
        return f"postgresql://{_owner()}@/{name}?host={self.folder}"

    def emptied(self) -> str:
        """Of one database that is kept: its tables, if it has any, are emptied."""
        import psycopg

        self._kept = self._kept or self.url()
        with psycopg.connect(self._kept) as connection:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            names = {name for (name,) in connection.execute(query)} - {"alembic_version", "about"}
            if names:
                tables = ", ".join(sorted(names))
                connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")  # type: ignore[arg-type]
        return self._kept

    def _sql(self, command: str) -> None:
        import psycopg

        where = f"host={self.folder} user={_owner()} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(command)  # type: ignore[arg-type]

    def kill(self) -> None:
        """SIGKILL for all its processes: no time to write anything."""
        for process in _children(self._server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._server.kill()
        self._server.wait(30)

    def start(self) -> None:
        """Start again after `kill`."""
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        self._server = _serve(self.folder, self._bin, self._durable)

    def stop(self) -> None:
        """Let it end at once: nobody will look at its files again."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(30)


@contextlib.contextmanager
def cluster(bin: Path, durable: bool = False) -> Iterator[Cluster]:
    """A server as long as the block runs; `durable` waits for the disk at each commit."""
    folder = Path(tempfile.mkdtemp(prefix="emoviz-pg-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        made = [
            bin / "initdb",
            "-D",
            folder / "data",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        done = subprocess.run([*made, "-U", _owner()], capture_output=True, check=False, **_as())
        assert done.returncode == 0, done.stderr.decode()
        running = Cluster(folder, _serve(folder, bin, durable), bin, durable)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner() -> str:
    import pwd

    return _USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def _as() -> dict[str, str]:
    return {"user": _USER, "group": _USER} if os.geteuid() == 0 else {}


def _serve(folder: Path, bin: Path, durable: bool) -> "subprocess.Popen[bytes]":
    import psycopg

    with (folder / "log.txt").open("ab") as log:
        options = ["-c", "listen_addresses=", "-c", "max_connections=60"]
        options += [] if durable else ["-c", "fsync=off"]
        server = subprocess.Popen(
            [bin / "postgres", "-D", folder / "data", "-k", folder, *options],
            stdout=log,
            stderr=log,
            **_as(),
        )
    until = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            psycopg.connect(f"host={folder} user={_owner()} dbname=postgres").close()
            return server
        except psycopg.OperationalError:
            gone = server.poll() is not None or time.monotonic() > until
            assert not gone, (folder / "log.txt").read_text()
            time.sleep(0.05)


def _children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rsplit(")", 1)[1].split()
            if int(fields[1]) == parent:
                found.append(int(status.parent.name))
    return found
