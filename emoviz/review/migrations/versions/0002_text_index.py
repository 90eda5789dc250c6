"""An index for the words that people look for; without it every work is read. Never edited.

SQLite: a table of trigrams (FTS5), which triggers keep in step with ``works.search``. PostgreSQL: a
trigram index, where the extension ``pg_trgm`` is there and may be added. Where neither can be had,
the store goes on without.
"""

from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

revision = "0002"
down_revision = "0001"

SQLITE = (
    "CREATE VIRTUAL TABLE works_search USING fts5("
    "search, content='works', content_rowid='id', tokenize='trigram')",
    "CREATE TRIGGER works_search_added AFTER INSERT ON works BEGIN "
    "INSERT INTO works_search (rowid, search) VALUES (new.id, new.search); END",
    "CREATE TRIGGER works_search_gone AFTER DELETE ON works BEGIN "
    "INSERT INTO works_search (works_search, rowid, search) "
    "VALUES ('delete', old.id, old.search); END",
    "CREATE TRIGGER works_search_changed AFTER UPDATE OF search ON works "
    "WHEN old.search IS NOT new.search BEGIN "
    "INSERT INTO works_search (works_search, rowid, search) "
    "VALUES ('delete', old.id, old.search); "
    "INSERT INTO works_search (rowid, search) VALUES (new.id, new.search); END",
    "INSERT INTO works_search (works_search) VALUES ('rebuild')",
)
POSTGRESQL = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX works_search ON works USING gin (search gin_trgm_ops) WITH (fastupdate = off)",
)


def upgrade() -> None:
    """Make the index, all of it or nothing."""
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            _run(connection)
    except DBAPIError:  # an SQLite without FTS5, or nobody who may add an extension
        return


def _run(connection: Connection) -> None:
    sqlite = connection.dialect.name == "sqlite"
    for statement in SQLITE if sqlite else POSTGRESQL:
        connection.execute(text(statement))
