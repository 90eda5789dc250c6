"""The tables of the review store. `migrations` makes them; a test holds that the two agree.

``decisions`` is append-only. ``standing`` says which decision of a reviewer on a work stands; it
is derived from the decisions, written in the same transaction, and could be made anew from them.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()
# SQLite counts rows up by itself only where the key is spelt INTEGER.
_ID = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _ID, primary_key=True, autoincrement=True)


def _to(table: str, name: str, **more: Any) -> Column[int]:
    return Column(name, _ID, ForeignKey(f"{table}.id"), nullable=False, **more)


def _text(name: str, **more: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **more)


about = Table("about", metadata, Column("name", String(40), primary_key=True), _text("value"))

reviewers = Table(
    "reviewers",
    metadata,
    _id(),
    _text("uid", unique=True),
    _text("name"),
    _text("name_key", unique=True),  # capitals folded: "Ona" and "ona" are one person
    _text("role"),
    _text("subject"),
    _text("created"),
)
Index(
    "reviewers_subject",
    reviewers.c.subject,
    unique=True,
    sqlite_where=text("subject <> ''"),
    postgresql_where=text("subject <> ''"),
)

collections = Table(
    "collections",
    metadata,
    _id(),
    _text("uid", unique=True),
    _text("name"),
    _text("title"),
    _text("source"),
    _text("kind"),
    _text("created"),
    Column("about", JSON, nullable=False),
    _text("removed"),
)
Index(
    "collections_name",
    collections.c.name,
    unique=True,
    sqlite_where=text("removed = ''"),
    postgresql_where=text("removed = ''"),
)

works = Table(
    "works",
    metadata,
    _id(),
    _to("collections", "collection"),
    Column("number", Integer, nullable=False),
    _text("key"),
    _text("title"),
    _text("artist"),
    _text("style"),
    _text("date"),
    Column("year", Integer),
    _text("rights"),
    _text("file"),
    _text("inside"),
    _text("url"),
    _text("canvas"),
    _text("label"),
    _text("sha256"),
    _text("state"),
    _text("error"),
    Column("metadata", JSON, nullable=False),
    _text("removed"),
    _text("search"),  # all that a person may look for, capitals folded
    Column("deal", Integer, nullable=False),  # by the key alone: whose share it falls into
    Column("common", Integer, nullable=False),  # by the key alone: in millionths
    UniqueConstraint("collection", "key"),
)
Index("works_number", works.c.collection, works.c.number)
Index("works_artist", works.c.collection, works.c.artist, works.c.number)
Index("works_style", works.c.collection, works.c.style, works.c.number)
Index("works_image", works.c.collection, works.c.sha256)
Index("works_deal", works.c.collection, works.c.deal, works.c.number)
Index(
    "works_share",
    works.c.collection,
    works.c.removed,
    works.c.state,
    works.c.deal,
    works.c.common,
)

estimate_sets = Table(
    "estimate_sets",
    metadata,
    _id(),
    _to("collections", "collection"),
    _text("checkpoint"),
    _text("fingerprint"),
    _text("version"),
    Column("taxonomy", JSON, nullable=False),
    _text("table"),
    _text("created"),
    Column("count", Integer, nullable=False),
    UniqueConstraint("collection", "fingerprint"),
)

estimates = Table(
    "estimates",
    metadata,
    _to("estimate_sets", "estimate_set", primary_key=True),
    _to("works", "work", primary_key=True),
    _text("sha256"),
    Column("number", Integer, nullable=False),  # the work's, so that an index holds the order
    Column("probabilities", LargeBinary, nullable=False),  # little-endian float64
    _text("first"),
    Column("novelty", Float),
    Column("uncertainty", Float, nullable=False),
    Column("opposite", Boolean, nullable=False),
    Column("rivalry", Float, nullable=False),  # 1 and more: the top two are opposite, and close
    Column("farness", Float, nullable=False),  # novelty, -1 where there is none
)
for _name in ("uncertainty", "rivalry", "farness"):
    Index(
        f"estimates_{_name}",
        estimates.c.estimate_set,
        estimates.c[_name].desc(),
        estimates.c.number,
    )

decisions = Table(
    "decisions",
    metadata,
    _id(),
    _to("collections", "collection"),
    _to("works", "work"),
    _to("reviewers", "reviewer"),
    _text("sha256"),
    _text("time"),
    _text("checkpoint"),
    _text("fingerprint"),
    _text("kind"),
    Column("feelings", JSON, nullable=False),
    _text("note"),
    Column("shown", JSON, nullable=False),
    Column("replaces", _ID, ForeignKey("decisions.id")),
    _text("token", unique=True),
    sqlite_autoincrement=True,  # a number is never given twice
)
Index("decisions_work", decisions.c.work, decisions.c.id)
Index("decisions_collection", decisions.c.collection, decisions.c.id)

standing = Table(
    "standing",
    metadata,
    _to("works", "work", primary_key=True),
    _to("reviewers", "reviewer", primary_key=True),
    _to("collections", "collection"),
    _to("decisions", "decision"),
    _text("kind"),
    # As the work has them, so that progress is counted on an index alone.
    Column("there", Boolean, nullable=False),
    Column("deal", Integer, nullable=False),
    Column("common", Integer, nullable=False),
)
Index("standing_last", standing.c.collection, standing.c.reviewer, standing.c.decision)
Index(
    "standing_count",
    standing.c.collection,
    standing.c.reviewer,
    standing.c.there,
    standing.c.kind,
    standing.c.deal,
    standing.c.common,
)

shares = Table(
    "shares",
    metadata,
    _to("collections", "collection", primary_key=True),
    _to("reviewers", "reviewer", primary_key=True),
    Column("part", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("overlap", Float, nullable=False),
)
