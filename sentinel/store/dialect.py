"""What differs between databases: connecting, upserts, full-text search.

What lives here: the small interface ``Dialect`` and its one implementation, SQLite. Every other file of the store is the same for
all databases; PostgreSQL is one more class here (asyncpg, ``tsvector``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as core
from sqlalchemy import Connection, Select, Table, column, select, table, text
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sentinel.errors import StoreError

APPLICATION_ID = 0x534E544C
"""Written into the file's header ("SNTL"), so that another program's database is never migrated by mistake."""

MAX_QUERY_TERMS = 32
"""Words of a search that are used; more of them would only cost time."""

MERGE_PAGES = 500
"""Pages of the full-text index that one step of ``forget`` writes: some ten milliseconds."""

SQLITE_FULL_TEXT = (
    (
        "CREATE VIRTUAL TABLE mentions_fts USING fts5"
        "(text, content='mentions', content_rowid='n', tokenize='unicode61 remove_diacritics 2')"
    ),
    # Triggers keep the index in the same transaction and the same state as the rows, whoever writes them.
    (
        "CREATE TRIGGER mentions_fts_insert AFTER INSERT ON mentions BEGIN"
        " INSERT INTO mentions_fts(rowid, text) VALUES (new.n, new.text); END"
    ),
    (
        "CREATE TRIGGER mentions_fts_delete AFTER DELETE ON mentions BEGIN"
        " INSERT INTO mentions_fts(mentions_fts, rowid, text) VALUES ('delete', old.n, old.text); END"
    ),
    (
        "CREATE TRIGGER mentions_fts_update AFTER UPDATE OF text ON mentions"
        " WHEN old.text <> new.text BEGIN"
        " INSERT INTO mentions_fts(mentions_fts, rowid, text) VALUES ('delete', old.n, old.text);"
        " INSERT INTO mentions_fts(rowid, text) VALUES (new.n, new.text); END"
    ),
)
"""The archive's full-text index in SQLite (FTS5, external content): https://www.sqlite.org/fts5.html"""


class Dialect(Protocol):
    """What a database must bring."""

    place: str
    """The database's name for messages; never with a password."""

    def prepare(self) -> None:
        """Make what must be there before the first connection (a folder, a file)."""
        ...

    def exists(self) -> bool:
        """Whether the database is there, as far as can be told without connecting."""
        ...

    def engine(self, *, writes: bool) -> AsyncEngine:
        """An engine of one connection for writing, or of a few for reading."""
        ...

    def check(self, connection: Connection) -> None:
        """Refuse a database that is not Sentinel's.

        Raises:
            StoreError: It belongs to another program.
        """
        ...

    def upsert(self, target: Table) -> Insert:
        """An insert that has ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        ...

    def ignoring_duplicates(self, statement: core.Insert) -> core.Insert:
        """An insert from a query, made to skip rows whose key is taken."""
        ...

    def matching(self, query: str) -> Select[Any] | None:
        """Row numbers of the archive whose text holds all words of a hostile ``query``; None if it has no word."""
        ...

    def forget(self, connection: Connection, *, first: bool) -> bool:
        """Drop from the full-text index, a little at a time, the words that deleted texts left in it.

        Args:
            connection: Inside a transaction.
            first: True on the first call of a run.

        Returns:
            Whether there is more to do.
        """
        ...


class SqliteDialect:
    """SQLite in one file: write-ahead log, full durability, one writer.

    Args:
        path: The file; its folder is made if need be.
    """

    def __init__(self, path: Path) -> None:
        self.place, self._path = str(path), path

    def prepare(self) -> None:
        """Make folder and file, readable for the owner alone: the archive holds personal data."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._path.exists():
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))

    def exists(self) -> bool:
        """Whether the file is there."""
        return self._path.is_file()

    def engine(self, *, writes: bool) -> AsyncEngine:
        """Connections with the pragmas set and transactions begun explicitly."""
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(self._path)),
            # Parameters are mention text: they must not reach a message or a log.
            hide_parameters=True,
            pool_size=1 if writes else 3,
            max_overflow=0,
            connect_args={"timeout": 10.0, "isolation_level": None},
        )
        begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

        def on_connect(connection: Any, _: object) -> None:
            cursor = connection.cursor()
            for pragma in (
                "busy_timeout = 10000",
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                "secure_delete = ON",  # what people delete must not stay readable in free pages
                "cache_size = -16000",
                "journal_size_limit = 67108864",
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        def on_begin(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        listen(engine.sync_engine, "connect", on_connect)
        listen(engine.sync_engine, "begin", on_begin)
        return engine

    def check(self, connection: Connection) -> None:
        """Compare the header's application id; claim an empty file."""
        number = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        if number == APPLICATION_ID:
            return
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if number != 0 or tables:
            raise StoreError(f"{self.place}: is a database of another program")
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")

    def upsert(self, target: Table) -> Insert:
        """SQLite's own insert."""
        return insert(target)

    def ignoring_duplicates(self, statement: core.Insert) -> core.Insert:
        """SQLite's INSERT OR IGNORE: ON CONFLICT after a SELECT is ambiguous to its parser."""
        return statement.prefix_with("OR IGNORE")

    def matching(self, query: str) -> Select[Any] | None:
        """A subquery on FTS5: every word quoted, all of them required, ``word*`` as a prefix."""
        phrase = fts_query(query)
        if not phrase:
            return None
        index = table("mentions_fts", column("rowid"))
        match = text("mentions_fts MATCH :phrase").bindparams(phrase=phrase)
        return select(index.c.rowid).where(match)

    def forget(self, connection: Connection, *, first: bool) -> bool:
        """Merge the index into one segment, where deleted words leave no trace.

        As https://www.sqlite.org/fts5.html#the_merge_command has it: a negative number of pages begins, positive ones go on, and
        fewer than two changes mean that it is done.
        """
        pages = -MERGE_PAGES if first else MERGE_PAGES
        count = "SELECT total_changes()"
        before = connection.exec_driver_sql(count).scalar_one()
        connection.exec_driver_sql(
            f"INSERT INTO mentions_fts(mentions_fts, rank) VALUES ('merge', {pages})"  # noqa: S608 - a number
        )
        return bool(connection.exec_driver_sql(count).scalar_one() - before >= 2)


def fts_query(query: str) -> str:
    r"""Turn what a person typed into an FTS5 query that cannot be anything but words.

    Example:
        >>> fts_query('pasta OR "x* -sale*')
        '"pasta" "OR" "x" "-sale" *'
        >>> fts_query('"" !!')
        ''
    """
    words = query.replace("\0", " ").replace('"', " ").encode("utf-8", "replace").decode().split()
    phrases = [
        f'"{word.rstrip("*")}"' + (" *" if word.endswith("*") and at == len(words) - 1 else "")
        for at, word in enumerate(words)
        if any(letter.isalnum() for letter in word)
    ]
    return " ".join(phrases[:MAX_QUERY_TERMS])


def dialect_for(url_or_path: str) -> Dialect:
    """The dialect of a database URL; a plain path means SQLite.

    Raises:
        StoreError: No dialect for that URL.
    """
    if "://" not in url_or_path:
        if not url_or_path or url_or_path == ":memory:":
            raise StoreError(f"{url_or_path or '(empty)'}: the store needs a file")
        return SqliteDialect(Path(url_or_path))
    url = make_url(url_or_path)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return SqliteDialect(Path(url.database))
    raise StoreError(f"{url.render_as_string(hide_password=True)}: only SQLite files are supported")
