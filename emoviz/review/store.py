"""The door to the review store."""

from contextlib import AbstractContextManager

from sqlalchemy import Connection, Engine

from emoviz.review.database import Database, database_url, open_database
from emoviz.review.deciding import Deciding
from emoviz.review.holding import Holdings
from emoviz.review.people import People
from emoviz.review.queueing import Queueing
from emoviz.settings import Settings


class ReviewStore(People, Holdings, Queueing, Deciding):
    """Collections, people and decisions in one database; used by any number of threads.

    Every method is one transaction: all of it is stored, or nothing. Where the database cannot be
    used, `ReviewError` says why.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def uid(self) -> str:
        """What tells this store from every other."""
        return self.database.uid

    @property
    def where(self) -> str:
        """The database, for people; without the password."""
        return self.database.where

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine, for backups."""
        return self.database.engine

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that only reads."""
        return self.database.reading()

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that writes."""
        return self.database.writing()


def open_store(settings: Settings) -> ReviewStore:
    """The store that the settings name, made where there is none yet.

    Raises:
        ReviewError: It cannot be reached or written, or a newer emoviz made it.
    """
    return ReviewStore(open_database(database_url(settings)))
