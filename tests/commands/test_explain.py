"""``sentinel explain`` from a database file alone."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from sentinel.commands.explain import explain
from sentinel.core.pipeline import Core
from sentinel.errors import ConfigError, StoreError
from sentinel.model import Effect, PastCase, Severity
from sentinel.playbook_files import load_playbooks
from sentinel.store import Store
from sentinel.store.unit import Unit
from tests.core.build import AURORA, T0, Player, core

NOWHERE = Path("nowhere.toml")


@pytest.fixture(scope="module")
def effects() -> list[Effect]:
    player = Player(core())
    player.quiet(600)
    player.storm(20)
    return player.effects


async def keep(path: Path, effects: list[Effect]) -> None:
    store = await Store.open(str(path))
    incidents = tuple({one.incident.id: one.incident for one in effects if one.incident}.values())
    await store.commit(Unit(effects=tuple(effects), incidents=incidents))
    await store.close()


def the_id(effects: list[Effect]) -> str:
    return next(one.incident.id for one in effects if one.incident)


def test_an_alert_is_explained_in_plain_words_and_recomputed(
    tmp_path: Path, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sentinel.db"
    asyncio.run(keep(path, effects))
    assert 0 == explain(the_id(effects), NOWHERE, str(path))
    said = capsys.readouterr().out
    assert "What pushed it was the share of negatives" in said
    assert "It would not have fired with fewer than" in said
    assert "minute by minute" in said
    assert "recomputed: identical" in said


def test_the_team_is_answered_in_its_language(
    tmp_path: Path, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(keep(tmp_path / "here.db", effects))
    config = tmp_path / "sentinel.toml"
    config.write_text(
        '[sentinel]\ndatabase = "here.db"\nlanguage = "en"\n'
        '[[brands]]\nid = "aurora"\nname = "Pastificio Aurora"\nlanguage = "it"\n'
    )
    assert 0 == explain(the_id(effects), config)
    said = capsys.readouterr().out
    assert "A farla scattare è stata la quota di post negativi" in said
    assert "minuto per minuto" in said
    assert "ricalcolo: identico" in said
    assert 0 == explain(the_id(effects), config, language="en")
    assert "What pushed it was" in capsys.readouterr().out
    assert 0 == explain(the_id(effects), config, as_json=True)
    assert '"identical":true' in capsys.readouterr().out
    with pytest.raises(ConfigError, match="must be one of: it, en"):
        explain(the_id(effects), config, language="de")


def test_the_configuration_says_where_the_database_is_and_no_secret_is_needed(
    tmp_path: Path, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(keep(tmp_path / "here.db", effects))
    config = tmp_path / "sentinel.toml"
    config.write_text(
        '[sentinel]\ndatabase = "here.db"\n'
        '[[notifiers]]\ntype = "pagerduty"\nrouting_key = "env:NOT_SET_ANYWHERE"\n'
    )
    assert 0 == explain(the_id(effects), config, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [True] * len(lines) == [line["identical"] for line in lines]
    assert lines[0]["stored"] == lines[0]["recomputed"]["evidence"]
    assert lines[0]["recomputed"]["counterfactual"]["needed"] > 0


def test_it_reads_while_the_service_has_the_database_open(
    tmp_path: Path, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sentinel.db"

    async def both() -> int:
        await keep(path, effects)
        store = await Store.open(str(path))
        try:
            return await asyncio.to_thread(explain, the_id(effects), NOWHERE, str(path))
        finally:
            await store.close()

    assert 0 == asyncio.run(both())
    assert "recomputed: identical" in capsys.readouterr().out


def test_figures_that_were_changed_in_the_database_are_shown(
    tmp_path: Path, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    first = next(one for one in effects if one.bundle and one.incident)
    assert first.incident is not None
    evidence = msgspec.structs.replace(first.incident.evidence, score=99.5)
    forged = msgspec.structs.replace(
        first, incident=msgspec.structs.replace(first.incident, evidence=evidence)
    )
    asyncio.run(keep(tmp_path / "a.db", [forged]))
    assert 1 == explain(the_id(effects), NOWHERE, str(tmp_path / "a.db"))
    assert "score: told 99.5, recomputed" in capsys.readouterr().out


def test_what_is_not_there_is_said_and_nothing_is_made(
    tmp_path: Path, effects: list[Effect]
) -> None:
    with pytest.raises(StoreError, match="no such database"):
        explain("x", NOWHERE, str(tmp_path / "none.db"))
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(ConfigError):
        explain("x", tmp_path / "none.toml")
    asyncio.run(keep(tmp_path / "a.db", effects))
    with pytest.raises(StoreError, match="no incident 'x'"):
        explain("x", NOWHERE, str(tmp_path / "a.db"))


def test_an_alert_from_before_bundles_is_said_to_have_none(
    tmp_path: Path, effects: list[Effect]
) -> None:
    old = [msgspec.structs.replace(one, bundle=b"") for one in effects]
    asyncio.run(keep(tmp_path / "a.db", old))
    with pytest.raises(StoreError, match="without an evidence bundle"):
        explain(the_id(effects), NOWHERE, str(tmp_path / "a.db"))


def test_the_kind_is_explained_with_words_an_example_the_plans_reasons_and_the_past(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = msgspec.structs.replace(AURORA, seen_before=("boycott",))
    player = Player(Core((told,), load_playbooks().playbooks, {"feed": 0.0}))
    player.quiet(600)
    player.storm(5)
    past = PastCase("aurora-0", "boycott", T0 - 86_400.0, Severity.HIGH)
    effects = [
        msgspec.structs.replace(one, incident=msgspec.structs.replace(one.incident, past=(past,)))
        for one in player.effects
        if one.incident
    ]
    path = tmp_path / "sentinel.db"
    asyncio.run(keep(path, effects))
    assert 0 == explain(the_id(effects), NOWHERE, str(path))
    said = capsys.readouterr().out
    assert "kind boycott: score 0.5" in said
    assert "such as: “post numero" in said
    assert "plan boycott, score" in said
    day = "Sunday 20 September 2026"
    assert f"seen before: aurora-0, boycott, high severity, {day}." in said
    assert "cluster: preventable instead of accidental." in said
    assert 0 == explain(the_id(effects), NOWHERE, str(path), as_json=True)
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert line["kinds"][0]["kind"] == "boycott"
    assert (line["plan_cluster"], line["cluster"]) == ("accidental", "preventable")
