"""The database beneath the review store: SQLite by default, PostgreSQL where a URL names one.

A transaction that writes takes SQLite's write lock at its beginning (BEGIN IMMEDIATE): one that
reads first and writes later could find the database changed in between and would have to fail.
"""

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from emoviz.errors import ReviewError, StoreUnavailableError
from emoviz.files import read_only, unwritable
from emoviz.review.schema import about
from emoviz.settings import Settings

HEAD = "0002"
_WAIT = 20.0  # seconds for another writer
PATIENCE = 2.0  # seconds that a person at the desk waits for one
_LOCK = 0x656D6F76  # of PostgreSQL, while the schema is made
_WRITES = "emoviz_writes"
_MOST_KEPT = 500


class Database:
    """One engine with its schema in place; used by all threads of a process.

    Args:
        url: As SQLAlchemy takes it.

    Raises:
        ReviewError: It cannot be reached, is of a newer version, or the URL is none.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        # Where each reviewer's queue begins: all before it is decided. Only ever a short cut.
        self.frontiers: dict[Any, Any] = {}
        # What was worked out of all works of a collection, with the revision that it holds for.
        self.kept: dict[Any, tuple[str, Any]] = {}
        self.engine = _engine(url)
        try:
            with _told(self.where):
                self._upgrade()
                with self.reading() as found:
                    query = select(about.c.value).where(about.c.name == "uid")
                    self.uid: str = found.execute(query).scalar_one()
                    self.has_trigrams = _has_trigrams(found)
        except ReviewError:
            self.engine.dispose()
            raise

    @property
    def where(self) -> str:
        """For people; without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads: it sees one moment."""
        with _told(self.where), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self, wait: float | None = None) -> Iterator[Connection]:
        """A transaction that writes: all of it or nothing, and on the disk when it is left.

        Args:
            wait: Seconds for another writer, before `StoreUnavailableError` says so.
        """
        seconds = _WAIT if wait is None else min(wait, _WAIT)
        with _told(self.where), self.engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: seconds})
            with connection.begin():
                if not self.is_sqlite:
                    milliseconds = f"{1000 * seconds:.0f}ms"
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{milliseconds}'")
                yield connection

    def changed(self, made: Connection, collection: int) -> None:
        """Say, in the transaction, that works or estimates of a collection are others now."""
        row = {"name": _revision_name(collection), "value": uuid.uuid4().hex}
        insert = self.insert(about).values(row)
        kept = {"value": insert.excluded.value}
        made.execute(insert.on_conflict_do_update(index_elements=["name"], set_=kept))

    def of_revision(
        self,
        found: Connection,
        collection: int,
        what: Any,
        make: Callable[[], Any],
        also: object = "",
    ) -> Any:
        """What `make` gives, kept until somebody, in whatever process, changes the works.

        Args:
            found: The transaction that reads.
            collection: Id.
            what: Tells it from all else that is kept of the collection.
            make: Asks the database.
            also: Whatever else it hangs on.
        """
        query = select(about.c.value).where(about.c.name == _revision_name(collection))
        revision, key = f"{found.scalar(query)} {also}", (collection, what)
        known = self.kept.get(key)
        if known is not None and known[0] == revision:
            return known[1]
        if len(self.kept) >= _MOST_KEPT:
            self.kept.clear()
        value = make()
        self.kept[key] = (revision, value)
        return value

    def analyse(self, connection: Connection, *tables: str) -> None:
        """Tell the planner how many rows there are; PostgreSQL would sort all for the first.

        SQLite would look for one artist's works among all estimates.
        """
        if self.is_sqlite:
            connection.execute(text("PRAGMA analysis_limit = 1000"))  # rows: it need not be exact
        for table in tables:
            connection.execute(text(f"ANALYZE {table}"))

    def insert(self, table: Any) -> Any:
        """An INSERT of the dialect, which knows ON CONFLICT."""
        if self.is_sqlite:
            from sqlalchemy.dialects.sqlite import insert as sqlite_insert

            return sqlite_insert(table)
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)

    def _upgrade(self) -> None:
        if _revision(self.engine) == HEAD:
            return
        with self.engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: _WAIT})
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                found = _revision(connection)  # another process may have been first
                if found != HEAD:
                    _migrate(connection, found)
                    row = {"name": "uid", "value": uuid.uuid4().hex}
                    connection.execute(self.insert(about).values(row).on_conflict_do_nothing())


def database_url(settings: Settings) -> str:
    """Of the store: as the settings name it, else a file of SQLite in the home."""
    if settings.database_url:
        return settings.database_url
    return sqlite_url(settings.home / "review.sqlite")


def sqlite_url(file: Path) -> str:
    """Of a file of SQLite, whatever its name is made of."""
    return "sqlite:///" + quote(os.fsencode(file.absolute()))


def sqlite_file(url: str) -> Path:
    """The file that a URL names; SQLAlchemy loses bytes of it that are no UTF-8."""
    return Path(os.fsdecode(unquote_to_bytes(url.partition(":///")[2].partition("?")[0])))


@lru_cache(maxsize=8)
def open_database(url: str) -> Database:
    """One for each URL in a process; a failure is not kept.

    Raises:
        ReviewError: As `Database`.
    """
    return Database(url)


def _has_trigrams(found: Connection) -> bool:
    """Whether migration 0002 could make its index: it needs FTS5, or PostgreSQL's pg_trgm."""
    if found.dialect.name == "sqlite":
        query = "SELECT 1 FROM sqlite_master WHERE name = 'works_search'"
    else:
        query = "SELECT 1 FROM pg_indexes WHERE indexname = 'works_search'"
    return bool(found.scalar(text(query)))


def _revision_name(collection: int) -> str:
    return f"works {collection}"


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, url)
        if parsed.get_backend_name() == "postgresql":
            return create_engine(parsed, pool_pre_ping=True, pool_size=8, max_overflow=8)
    except (ArgumentError, ImportError) as error:
        raise ReviewError(f"EMOVIZ_DATABASE_URL cannot be used: {error}.") from None
    raise ReviewError(
        f"EMOVIZ_DATABASE_URL names '{parsed.get_backend_name()}'; wanted postgresql://... or "
        "sqlite:///..., or nothing for a file in the home."
    )


def _sqlite(url: Any, text: str) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ReviewError("A review store in memory would be lost; name a file of SQLite.")
    file = sqlite_file(text)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReviewError(f"The folder of '{url.database}' cannot be made: {error}.") from None

    is_closed = file.is_file() and unwritable(file.parent)
    place = read_only(file) if is_closed else file

    def connected() -> sqlite3.Connection:
        # A reader waits only for a program that keeps the file to itself, and a page asks several
        # times; of a new file others may be making the tables.
        wait = PATIENCE if file.is_file() and file.stat().st_size else _WAIT
        return sqlite3.connect(place, timeout=wait, check_same_thread=False, uri=is_closed)

    engine = create_engine(url, creator=connected, pool_size=8, max_overflow=8)

    @event.listens_for(engine, "connect")
    def _connected(raw: Any, _: Any) -> None:
        raw.isolation_level = None  # sqlite3 shall not begin transactions by itself
        written = () if is_closed else ("journal_mode=WAL", "synchronous=FULL")
        for pragma in (*written, "foreign_keys=ON"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        seconds = connection.get_execution_options().get(_WRITES)
        patience = PATIENCE if seconds is None else seconds
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {1000 * patience:.0f}")
        connection.exec_driver_sql("BEGIN" if seconds is None else "BEGIN IMMEDIATE")

    return engine


def _revision(bind: Engine | Connection) -> str | None:
    if not inspect(bind).has_table("alembic_version"):
        return None
    query = text("SELECT version_num FROM alembic_version")
    if isinstance(bind, Connection):
        found: str | None = bind.scalar(query)
        return found
    with bind.connect() as connection:
        return _revision(connection)


def _migrate(connection: Connection, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    place = str(Path(__file__).parent / "migrations").replace("%", "%%")  # else it is looked up
    config.set_main_option("script_location", place)
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ReviewError(
            f"The review store is of version {found}, which this emoviz does not know (it writes "
            f"{HEAD}). A newer emoviz made it: update this one."
        )
    command.upgrade(config, "head")


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """What the database raises, in words for a person."""
    try:
        yield
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise StoreUnavailableError(
            f"The review store ({where}) {_advice(reason)}: {reason}."
        ) from error
    except SQLAlchemyError as error:
        raise StoreUnavailableError(
            f"The review store ({where}) cannot be used: {error}."
        ) from error


def _advice(reason: str) -> str:
    words = reason.casefold()
    if "locked" in words or "busy" in words or "lock timeout" in words:
        return "is held by another program; nothing was stored, try again"
    if "readonly" in words or "read-only" in words or "unable to open" in words:
        return "cannot be written; look at the rights of its folder"
    if "full" in words or "no space" in words:
        return "has no room on its disk; nothing was stored"
    if "malformed" in words or "not a database" in words:
        return "is damaged; put a backup in its place"
    return "cannot be used"
