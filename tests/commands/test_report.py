"""``sentinel report`` from a database file alone: what was told and done, in Markdown that shows strangers' words and nothing else."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from sentinel.commands.report import report
from sentinel.core.pipeline import Core
from sentinel.errors import ConfigError, StoreError
from sentinel.model import Action, Command, Effect, EffectKind, Quote
from sentinel.playbook_files import load_playbooks
from tests.commands.test_explain import NOWHERE, keep, the_id
from tests.core.build import AURORA, Player

CARLA = "Carla <b>|x"
NASTY = "# Via\n<script>alert(1)</script> [clic](https://evil.example) www.evil.example @tutti | `x` *b* $y$"


@pytest.fixture(scope="module")
def effects() -> list[Effect]:
    """A storm that somebody takes after five minutes, of whose plan one step is done, and that calms down."""
    player = Player(Core([AURORA], load_playbooks().playbooks, {"feed": 0.0}))
    player.quiet(600)
    while not player.effects:
        player.storm(1)
    opened = player.effects[0].incident
    assert opened is not None
    player.storm(5)
    for number, (action, value) in enumerate(
        ((Action.TAKE, ""), (Action.TICK, opened.checklist[0].id))
    ):
        command = Command(str(number), player.now, action, opened.id, "1", CARLA, value=value)
        player.effects += player.core.command(command)
    player.storm(15)
    while "resolved" not in player.kinds():
        player.quiet(10)
    return player.effects


@pytest.fixture
def database(tmp_path: Path, effects: list[Effect]) -> str:
    path = tmp_path / "sentinel.db"
    asyncio.run(keep(path, effects))
    return str(path)


def said_of(
    database: str, effects: list[Effect], capsys: pytest.CaptureFixture[str], language: str = "en"
) -> str:
    assert 0 == report(the_id(effects), NOWHERE, database, language)
    return capsys.readouterr().out


def test_a_review_tells_when_it_was_found_taken_and_begun(
    database: str, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_of(database, effects, capsys)
    opened = effects[0]
    assert opened.incident is not None
    late = round((opened.at - opened.incident.onset_at) / 60)
    (found,) = [line for line in said.splitlines() if line.startswith("| Alert |")]
    assert f"{late} minutes after the beginning |" in found
    (taken,) = [line for line in said.splitlines() if line.startswith("| Taken |")]
    assert taken.endswith(r"Carla &lt;b&gt;\|x | 5 minutes after the alert |")
    assert "| First step done |" in said
    assert "| Every required step done | – |" in said
    assert "| Stand-down | – |" in said


def test_a_review_tells_what_happened_in_order_and_no_mere_figures(
    database: str, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_of(database, effects, capsys)
    history = said.split("## What happened")[1].split("##")[0].strip().splitlines()
    told = [one for one in effects if one.kind is not EffectKind.UPDATED]
    assert len(told) == len(history)
    assert EffectKind.UPDATED in {one.kind for one in effects}
    assert "Alert: " in history[0]
    assert "Over " in history[-1]


def test_a_review_shows_each_step_and_what_became_of_it(
    database: str, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    incident = effects[-1].incident
    assert incident is not None
    said = said_of(database, effects, capsys)
    assert 1 == said.count("- [x] ")
    assert ", in time" in said
    steps = said.split("## Checklist")[1].split("## Why")[0]
    assert len(incident.checklist) - 1 == steps.count("- [ ] ") == steps.count("not done; it was")


def test_a_late_step_says_how_late(
    tmp_path: Path, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    last = effects[-1]
    assert last.incident is not None
    steps = tuple(
        msgspec.structs.replace(one, done_by=CARLA, done_at=one.due_at + 7 * 60)
        for one in last.incident.checklist
    )
    incident = msgspec.structs.replace(last.incident, checklist=steps)
    late = [*effects[:-1], msgspec.structs.replace(last, incident=incident)]
    asyncio.run(keep(tmp_path / "late.db", late))
    said = said_of(str(tmp_path / "late.db"), late, capsys)
    assert len(steps) == said.count(", 7 minutes late")
    (done,) = [line for line in said.splitlines() if line.startswith("| Every required step")]
    assert "after the alert |" in done


def test_a_review_has_the_figures_of_every_alarm_and_the_plans_questions(
    database: str, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_of(database, effects, capsys)
    alarms = [one for one in effects if one.kind in {EffectKind.OPENED, EffectKind.ESCALATED}]
    table = said.split("## Why it was raised")[1].split("\n- ")[0].strip().splitlines()
    assert 2 + len(alarms) == len(table)  # a heading and a rule
    assert f"`sentinel explain {the_id(effects)}`" in said
    assert "## To discuss" in said


def test_a_review_speaks_the_teams_language(
    tmp_path: Path, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(keep(tmp_path / "here.db", effects))
    config = tmp_path / "sentinel.toml"
    config.write_text(
        '[sentinel]\ndatabase = "here.db"\n[web]\ntoken = "env:NOT_SET"\n'
        '[[brands]]\nid = "aurora"\nname = "Pastificio Aurora"\nlanguage = "it"\n'
        '[[people]]\nid = "anna"\nname = "Anna Prova"\n'
        '[[duties]]\nroles = ["incident-lead"]\npeople = ["anna"]\n'
    )
    assert 0 == report(the_id(effects), config)
    assert capsys.readouterr().out.startswith("# Rapporto di fine crisi: Pastificio Aurora")
    config.write_text(config.read_text().replace('language = "it"', 'language = "en"'))
    assert 0 == report(the_id(effects), config)
    assert capsys.readouterr().out.startswith("# After-action review: Pastificio Aurora")


def test_what_strangers_wrote_is_text_and_nothing_else(
    tmp_path: Path, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    last = effects[-1]
    assert last.incident is not None
    post = Quote("feed", "1", NASTY, "social", last.at, author=NASTY)
    incident = msgspec.structs.replace(last.incident, quotes=(post,), first_post=post, drill=True)
    told = [*effects[:-1], msgspec.structs.replace(last, incident=incident)]
    asyncio.run(keep(tmp_path / "nasty.db", told))
    said = said_of(str(tmp_path / "nasty.db"), told, capsys)
    assert "DRILL" in said.splitlines()[2]
    for trap in ("<script", "://evil", "www.evil", "@tutti", "| `x`", " *b*", " $y$"):
        assert trap not in said, trap
    assert r"&lt;script&gt;" in said
    assert r"\[clic\](" in said
    assert r"\*b\*" in said
    assert not [line for line in said.splitlines() if line.startswith("# Via")]


def test_the_database_is_only_read(
    database: str, effects: list[Effect], capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(database).read_bytes()
    said_of(database, effects, capsys)
    assert before == Path(database).read_bytes()


def test_an_unknown_incident_and_language_are_refused(database: str, effects: list[Effect]) -> None:
    with pytest.raises(StoreError, match="no incident 'aurora-x'"):
        report("aurora-x", NOWHERE, database)
    with pytest.raises(ConfigError, match="must be one of: it, en"):
        report(the_id(effects), NOWHERE, database, "de")
    with pytest.raises(ConfigError, match="no such file"):
        report(the_id(effects), NOWHERE)
