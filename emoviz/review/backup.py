"""The whole store in one file, while people go on reviewing.

A backup is always a file of SQLite with the store's own tables, whatever database the store is:
SQLite copies itself page by page; PostgreSQL's rows are read in one snapshot and written into a
new file. So a backup needs no program beside emoviz, can be opened as it is
(``EMOVIZ_DATABASE_URL=sqlite:///...``), and can be put back into either.

Images are not in it: those that were fetched lie in ``<home>/collections``, all others where they
always were.
"""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from emoviz.errors import ReviewError
from emoviz.files import replaced_file
from emoviz.review import schema
from emoviz.review.database import HEAD, Database, sqlite_file, sqlite_url
from emoviz.review.store import ReviewStore

_BATCH = 1000
_PAGES = 2048  # of SQLite, copied between two looks at who else wants to write


@dataclass(frozen=True)
class Backup:
    """A backup: its file, its bytes, and how many rows of which table are in it."""

    path: Path
    bytes: int
    rows: dict[str, int]


def back_up(store: ReviewStore, out: Path) -> Backup:
    """Write the store to a file, whole or not at all, and read it once to be sure.

    Raises:
        ReviewError: The store cannot be read, or what was written is damaged.
        OSError: The disk is full or closed; what was there stays.
    """
    own = sqlite_file(store.database.url) if store.database.is_sqlite else None
    if own is not None and out.absolute() == own.absolute():
        raise ReviewError(f"'{out}' is the store itself; give the backup another name.")
    with replaced_file(out) as aside:
        with _told(out):
            if own is not None:
                _copy_file(own, aside)
            else:
                _copy_rows(store, aside)
            counts = _checked(aside)
        size = aside.stat().st_size
    return Backup(out, size, counts)


def is_backup(file: Path) -> bool:
    """Whether a file is one of SQLite; what is in it is seen when it is put back."""
    try:
        with file.open("rb") as stream:
            return stream.read(16) == b"SQLite format 3\x00"
    except OSError:
        return False


def restore(store: ReviewStore, file: Path) -> dict[str, int]:
    """Put a backup into an empty store; gives the rows of each table.

    Raises:
        ReviewError: The store has people or collections already, or the file is no backup.
    """
    with tempfile.TemporaryDirectory(prefix="emoviz-") as folder:
        copy = Path(folder, "backup.sqlite")  # the file itself stays as it is
        shutil.copyfile(file, copy)
        with _told(file):
            _checked(copy)
        source = Database(sqlite_url(copy))
        try:
            with source.reading() as found, store.write() as made:
                counts = _put_back(store, found, made)
        finally:
            source.engine.dispose()
        store.database.uid = source.uid
    store.database.frontiers.clear()
    return counts


def _put_back(store: ReviewStore, found: Connection, made: Connection) -> dict[str, int]:
    for table in (schema.reviewers, schema.collections):
        if made.scalar(select(func.count()).select_from(table)):
            raise ReviewError(
                f"The store ({store.where}) is not empty. Put a backup into a new one, or use the "
                "file as it is: EMOVIZ_DATABASE_URL=sqlite:///PATH"
            )
    made.execute(schema.about.delete())
    counts = {table.name: _copy(found, made, table) for table in _tables()}
    if not store.database.is_sqlite:
        _count_on(made)
    return counts


def _tables() -> list[Any]:
    return list(schema.metadata.sorted_tables)


def _copy_file(own: Path, out: Path) -> None:
    """SQLite's own online backup; writers wait for moments only."""
    with (
        contextlib.closing(sqlite3.connect(own, timeout=20.0)) as source,
        contextlib.closing(sqlite3.connect(out)) as target,
    ):
        source.backup(target, pages=_PAGES)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, without others beside it


def _copy_rows(store: ReviewStore, out: Path) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{out.absolute()}")
    snapshot = store.engine.execution_options(isolation_level="REPEATABLE READ")
    try:
        with snapshot.connect() as found, found.begin(), engine.begin() as made:
            schema.metadata.create_all(made)
            made.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
            made.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
            for table in _tables():
                _copy(found, made, table)
    finally:
        engine.dispose()


def _copy(found: Connection, made: Connection, table: Any) -> int:
    """All rows of a table, in the order of its key: a decision comes after what it replaces."""
    keys = list(table.primary_key.columns)
    listed = found.execution_options(yield_per=_BATCH).execute(select(table).order_by(*keys))
    rows = iter(listed.mappings())
    count = 0
    while part := [dict(row) for row in islice(rows, _BATCH)]:
        made.execute(insert(table), part)
        count += len(part)
    return count


def _count_on(made: Connection) -> None:
    """PostgreSQL shall give ids above those that were put back."""
    for table in _tables():
        if "id" in table.c:
            name = f"pg_get_serial_sequence('{table.name}', 'id')"
            query = f"SELECT setval({name}, (SELECT coalesce(max(id), 1) FROM {table.name}))"
            made.execute(text(query))


def _checked(file: Path) -> dict[str, int]:
    """Rows of each table, after SQLite has looked at every page."""
    with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
        (verdict,) = db.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise ReviewError(f"'{file}' is damaged: {verdict}.")
        names = [table.name for table in _tables()]
        return {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


@contextlib.contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, SQLAlchemyError) as error:
        reason = str(getattr(error, "orig", None) or error)
        raise ReviewError(f"The backup '{file}' failed: {reason}.") from error
