"""The first schema. Never edited: what changes gets a migration of its own."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _id() -> sa.Column[int]:
    return sa.Column("id", ID, primary_key=True, autoincrement=True)


def _to(table: str, name: str, **more: Any) -> sa.Column[int]:
    return sa.Column(name, ID, sa.ForeignKey(f"{table}.id"), nullable=False, **more)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _number(name: str, kind: Any = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    """Make every table."""
    op.create_table("about", sa.Column("name", sa.String(40), primary_key=True), *_texts("value"))
    _people()
    _collections()
    _estimates()
    _decisions()


def _people() -> None:
    op.create_table(
        "reviewers",
        _id(),
        *_texts("uid", "name", "name_key", "role", "subject", "created"),
        sa.UniqueConstraint("uid"),
        sa.UniqueConstraint("name_key"),
    )
    _unique_where("reviewers", "subject", "subject <> ''")


def _collections() -> None:
    op.create_table(
        "collections",
        _id(),
        *_texts("uid", "name", "title", "source", "kind", "created"),
        _number("about", sa.JSON),
        *_texts("removed"),
        sa.UniqueConstraint("uid"),
    )
    _unique_where("collections", "name", "removed = ''")
    op.create_table(
        "works",
        _id(),
        _to("collections", "collection"),
        _number("number"),
        *_texts("key", "title", "artist", "style", "date"),
        sa.Column("year", sa.Integer),
        *_texts("rights", "file", "inside", "url", "canvas", "label", "sha256", "state", "error"),
        _number("metadata", sa.JSON),
        *_texts("removed", "search"),
        _number("deal"),
        _number("common"),
        sa.UniqueConstraint("collection", "key"),
    )
    op.create_index("works_number", "works", ["collection", "number"])
    op.create_index("works_artist", "works", ["collection", "artist", "number"])
    op.create_index("works_style", "works", ["collection", "style", "number"])
    op.create_index("works_image", "works", ["collection", "sha256"])
    op.create_index("works_deal", "works", ["collection", "deal", "number"])
    share = ["collection", "removed", "state", "deal", "common"]
    op.create_index("works_share", "works", share)


def _estimates() -> None:
    op.create_table(
        "estimate_sets",
        _id(),
        _to("collections", "collection"),
        *_texts("checkpoint", "fingerprint", "version"),
        _number("taxonomy", sa.JSON),
        *_texts("table", "created"),
        _number("count"),
        sa.UniqueConstraint("collection", "fingerprint"),
    )
    op.create_table(
        "estimates",
        _to("estimate_sets", "estimate_set", primary_key=True),
        _to("works", "work", primary_key=True),
        *_texts("sha256"),
        _number("number"),
        _number("probabilities", sa.LargeBinary),
        *_texts("first"),
        sa.Column("novelty", sa.Float),
        _number("uncertainty", sa.Float),
        _number("opposite", sa.Boolean),
        _number("rivalry", sa.Float),
        _number("farness", sa.Float),
    )
    for name in ("uncertainty", "rivalry", "farness"):
        falling = sa.text(f"{name} DESC")
        op.create_index(f"estimates_{name}", "estimates", ["estimate_set", falling, "number"])


def _decisions() -> None:
    op.create_table(
        "decisions",
        _id(),
        _to("collections", "collection"),
        _to("works", "work"),
        _to("reviewers", "reviewer"),
        *_texts("sha256", "time", "checkpoint", "fingerprint", "kind"),
        _number("feelings", sa.JSON),
        *_texts("note"),
        _number("shown", sa.JSON),
        sa.Column("replaces", ID, sa.ForeignKey("decisions.id")),
        *_texts("token"),
        sa.UniqueConstraint("token"),
        sqlite_autoincrement=True,
    )
    op.create_index("decisions_work", "decisions", ["work", "id"])
    op.create_index("decisions_collection", "decisions", ["collection", "id"])
    op.create_table(
        "standing",
        _to("works", "work", primary_key=True),
        _to("reviewers", "reviewer", primary_key=True),
        _to("collections", "collection"),
        _to("decisions", "decision"),
        *_texts("kind"),
        _number("there", sa.Boolean),
        _number("deal"),
        _number("common"),
    )
    op.create_index("standing_last", "standing", ["collection", "reviewer", "decision"])
    count = ["collection", "reviewer", "there", "kind", "deal", "common"]
    op.create_index("standing_count", "standing", count)
    op.create_table(
        "shares",
        _to("collections", "collection", primary_key=True),
        _to("reviewers", "reviewer", primary_key=True),
        _number("part"),
        _number("parts"),
        _number("overlap", sa.Float),
    )


def _unique_where(table: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(
        f"{table}_{column}",
        table,
        [column],
        unique=True,
        sqlite_where=where,
        postgresql_where=where,
    )
