from __future__ import annotations

import logging
import sqlite3
import stat
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from sentinel.errors import StoreError, StoreVersionError
from sentinel.store import Store
from sentinel.store.migrations import script_directory
from sentinel.store.schema import HEAD, metadata
from tests.store import build


def damage(path: Path, keep: int = 4096) -> None:
    """Overwrite all but the first page."""
    whole = path.read_bytes()
    path.write_bytes(whole[:keep] + b"\xa5" * (len(whole) - keep))


def write_letter(path: Path) -> None:
    path.write_bytes(b"this is a letter, not a database\n" * 200)


def is_letter(path: Path) -> bool:
    return path.read_bytes() == b"this is a letter, not a database\n" * 200


async def use(path: Path) -> None:
    store = await Store.open(str(path))
    try:
        await store.mentions()
    finally:
        await store.close()


async def test_a_new_store_is_empty_and_stays_what_it_was_when_opened_again(path: Path) -> None:
    store = await Store.open(str(path))
    assert await store.last_seq() == 0
    await store.commit(build.told())
    await store.close()
    again = await Store.open(str(path))
    assert await again.last_seq() == 1
    assert await again.positions() == {"bluesky": "cursor-1"}
    await again.close()


async def test_a_url_and_a_path_mean_the_same_file(path: Path) -> None:
    store = await Store.open(f"sqlite:///{path}")
    await store.close()
    again = await Store.open(str(path))
    await again.close()
    assert store.place == again.place == str(path)


async def test_the_folder_is_made_and_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "sentinel.db"
    store = await Store.open(str(path))
    await store.commit(build.told())
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await store.close()
    assert modes == {0o600}


async def test_commits_are_durable_and_readers_do_not_block_the_writer(
    store: Store, path: Path
) -> None:
    async with store._writer.connect() as connection:
        pragmas = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 2, 1, 10000]


async def test_a_database_from_a_newer_sentinel_is_refused_with_a_clear_word(path: Path) -> None:
    await (await Store.open(str(path))).close()
    with sqlite3.connect(path) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    with pytest.raises(StoreVersionError, match=r"newer Sentinel \(schema 9999\)") as refused:
        await Store.open(str(path))
    assert str(path) in str(refused.value)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    write_letter(path)
    with pytest.raises(StoreError, match="not a database") as refused:
        await Store.open(str(path))
    assert str(path) in str(refused.value)
    assert is_letter(path)


async def test_a_damaged_database_is_a_store_error_that_names_the_file(path: Path) -> None:
    store = await Store.open(str(path))
    await store.commit(build.fed(1, *(build.sighting(n, "parola " * 50) for n in range(200))))
    await store.close()
    damage(path)
    with pytest.raises(StoreError) as refused:
        await use(path)
    assert str(path) in str(refused.value)


async def test_a_damaged_blob_is_a_store_error(store: Store, path: Path) -> None:
    await store.commit(build.told())
    with sqlite3.connect(path) as other:
        other.execute("UPDATE incidents SET blob = x'c1'")
    other.close()
    with pytest.raises(StoreError, match="damaged row"):
        await store.incidents()


async def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (id INTEGER)")
    other.close()
    with pytest.raises(StoreError, match="another program"):
        await Store.open(str(path))
    with sqlite3.connect(path) as other:
        tables = other.execute("SELECT name FROM sqlite_master").fetchall()
    other.close()
    assert tables == [("recipes",)]


@pytest.mark.parametrize("below", ["file/sentinel.db", "folder"])
async def test_a_place_that_cannot_be_written_is_a_store_error_that_names_it(
    tmp_path: Path, below: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError) as refused:
        await Store.open(str(tmp_path / below))
    assert str(tmp_path / below) in str(refused.value)


@pytest.mark.parametrize("url", ["", ":memory:", "sqlite://", "nonsense://x"])
async def test_a_store_that_is_no_file_is_refused(url: str) -> None:
    with pytest.raises(StoreError):
        await Store.open(url)


async def test_a_password_in_a_refused_url_is_not_repeated() -> None:
    with pytest.raises(StoreError) as refused:
        await Store.open("postgresql://sentinel:open-sesame@localhost/sentinel")
    assert "open-sesame" not in str(refused.value)


async def test_migrations_lead_to_the_tables_that_the_code_uses(path: Path) -> None:
    await (await Store.open(str(path))).close()
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")

    def ours(_: object, name: str | None, kind: str, *__: object) -> bool:
        return not (kind == "table" and str(name).startswith("mentions_fts"))

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def test_the_code_names_the_newest_migration() -> None:
    assert script_directory().get_current_head() == HEAD


async def test_opening_leaves_logging_as_it_was(path: Path) -> None:
    root = logging.getLogger()
    alembic = logging.getLogger("alembic")
    before = (root.handlers[:], root.level, alembic.level, alembic.disabled)
    await (await Store.open(str(path))).close()
    assert (root.handlers, root.level, alembic.level, alembic.disabled) == before
