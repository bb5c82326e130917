"""One process a database."""

from pathlib import Path

import pytest

from sentinel.errors import StoreError
from sentinel.runtime.single import only_one


def test_a_second_one_is_refused_by_name(tmp_path: Path) -> None:
    database = str(tmp_path / "s.db")
    with (
        only_one(database),
        pytest.raises(StoreError, match="another Sentinel"),
        only_one(database),
    ):
        pass


def test_it_is_free_again_afterwards(tmp_path: Path) -> None:
    database = str(tmp_path / "s.db")
    with only_one(database):
        pass
    with only_one(database):
        assert (tmp_path / "s.db.lock").exists()


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match="no-such-folder"),
        only_one(str(tmp_path / "no-such-folder" / "s.db")),
    ):
        pass


def test_a_server_keeps_its_own_locks() -> None:
    with only_one("postgresql://db.example/sentinel"), only_one("postgresql://db.example/sentinel"):
        pass
