"""``sentinel language corrections``, on a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from sentinel.commands.corrections import MEANING, corrections
from sentinel.errors import StoreError
from sentinel.language.corrections import Outcome
from sentinel.language.labels import UNRELATED, Label
from sentinel.store import Store
from tests.language.test_corrections import gloomy


def kept(path: Path, labels: list[Label]) -> str:
    async def keep() -> None:
        store = await Store.open(str(path))
        for label in labels:
            await store.add_label(msgspec.structs.replace(label, id=f"l{label.mention_id}"))
        await store.close()

    asyncio.run(keep())
    return str(path)


def test_it_counts_what_was_said_and_tells_what_was_learnt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    labels = gloomy(120)
    labels[0] = msgspec.structs.replace(labels[0], corrected=UNRELATED)
    assert 0 == corrections(Path("nowhere.toml"), kept(tmp_path / "s.db", labels))
    told = capsys.readouterr().out
    (counted,) = [line for line in told.splitlines() if line.count("120") == 2]
    assert counted.split("│")[-2].strip() == "1"
    assert MEANING[Outcome.IN_SERVICE] in told


def test_it_gives_labels_one_a_line(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    database = kept(tmp_path / "s.db", gloomy(3))
    assert 0 == corrections(Path("nowhere.toml"), database, as_json=True)
    lines = capsysbinary.readouterr().out.splitlines()
    assert ["l0", "l1", "l2"] == [msgspec.json.decode(line, type=Label).id for line in lines]


def test_it_says_so_when_nobody_said_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == corrections(Path("nowhere.toml"), kept(tmp_path / "s.db", []))
    assert "Nobody has judged a post yet." in capsys.readouterr().err


def test_a_database_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such database"):
        corrections(Path("nowhere.toml"), str(tmp_path / "none.db"))


def test_every_outcome_has_its_words() -> None:
    assert set(Outcome) == set(MEANING)
