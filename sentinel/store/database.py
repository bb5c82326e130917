"""Connections and transactions: one that writes, a few that read, and every failure as a ``StoreError``.

What lives here: opening, migrating, closing, and the rule that a write that was begun is finished even when its caller is cancelled, so
that a cancelled commit never leaves a connection in an unknown state. What does not: statements.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

import msgspec
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sentinel.errors import StoreError
from sentinel.store.dialect import Dialect, dialect_for
from sentinel.store.schema import HEAD

T = TypeVar("T")


class Database:
    """An open database. Made by ``open``.

    Args:
        dialect: What is particular to it.
        writer: Engine of one connection.
        reader: Engine of a few connections.
    """

    def __init__(self, dialect: Dialect, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self._dialect, self._writer, self._reader = dialect, writer, reader
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[object]] = set()

    @classmethod
    async def open(cls, url_or_path: str) -> Self:
        """Open a database, making or migrating it first.

        Args:
            url_or_path: A path (SQLite) or a database URL.

        Raises:
            StoreVersionError: A newer Sentinel wrote it.
            StoreError: It cannot be made, read or written, is damaged, or belongs to another program.
        """
        dialect = dialect_for(str(url_or_path))
        store = cls(dialect, dialect.engine(writes=True), dialect.engine(writes=False))
        try:
            with store._translated("opened"):
                await asyncio.to_thread(dialect.prepare)
            await store._write("opened", lambda connection: connection.run_sync(store._migrate))
        except BaseException:
            await store.close()
            raise
        return store

    @classmethod
    async def look(cls, url_or_path: str) -> Self:
        """Open a database for reading only, also while the service runs: nothing is made, migrated or written.

        Raises:
            StoreError: It is not there, or another version of Sentinel wrote it.
        """
        dialect = dialect_for(str(url_or_path))
        if not dialect.exists():
            raise StoreError(f"{dialect.place}: no such database")
        store = cls(dialect, dialect.engine(writes=True), dialect.engine(writes=False))
        try:
            version = await store._read(_version)
        except BaseException:
            await store.close()
            raise
        if version != HEAD:
            await store.close()
            raise StoreError(
                f"{dialect.place}: was written by another version of Sentinel; run that one"
            )
        return store

    @property
    def place(self) -> str:
        """Where the database is, for messages."""
        return self._dialect.place

    async def close(self) -> None:
        """Finish what is being written and close every connection."""
        if self._writing:
            await asyncio.wait(self._writing)
        with self._translated("closed"):
            await self._reader.dispose()
            await self._writer.dispose()

    # --- transactions ---------------------------------------------------------------------------

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        """Turn driver and system failures into ``StoreError``; messages never carry row values."""
        try:
            yield
        except DBAPIError as error:
            raise StoreError(f"{self.place}: cannot be {done}: {error.orig}") from error
        except (SQLAlchemyError, OSError, sqlite3.Error) as error:
            raise StoreError(f"{self.place}: cannot be {done}: {error}") from error
        except msgspec.MsgspecError as error:
            raise StoreError(f"{self.place}: holds a damaged row: {error}") from error

    async def _write(self, done: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async def transaction() -> T:
            with self._translated(done):
                async with self._turn, self._writer.begin() as connection:
                    return await work(connection)

        task = asyncio.create_task(transaction())
        self._writing.add(task)
        task.add_done_callback(self._written)
        return await asyncio.shield(task)

    def _written(self, task: asyncio.Task[object]) -> None:
        self._writing.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may be gone; the failure is the caller's to handle

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        with self._translated("read"):
            async with self._reader.connect() as connection:
                return await work(connection)

    def _migrate(self, connection: Connection) -> None:
        self._dialect.check(connection)
        if inspect(connection).has_table("alembic_version"):
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            if version == HEAD:
                return
        from sentinel.store.migrations import migrate  # noqa: PLC0415 - Alembic costs 0.2 s of every start

        migrate(connection, self.place)


async def _version(connection: AsyncConnection) -> str:
    found = await connection.exec_driver_sql("SELECT version_num FROM alembic_version")
    return str(found.scalar())
