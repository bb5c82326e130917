"""Drills: marked in every text, told to the configured people, reviewed at the end, without a trace in the real database."""

import asyncio
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from sentinel.cli import app
from sentinel.config import Config, build_config
from sentinel.drills.drill import MARK, live_config, rehearsal_of, run_drill, run_live
from sentinel.drills.scenario import load_scenario
from sentinel.errors import ConfigError
from sentinel.notify.slack import SlackConfig
from sentinel.runtime.clock import ScaledClock
from sentinel.runtime.single import only_one
from sentinel.slack_sandbox import SlackSandbox

NOW = 1_795_300_000.0
DRILL = "[ESERCITAZIONE] "


@pytest.fixture
def short(tmp_path: Path) -> str:
    """The packaged scenario with two days of background and the first two hours of its crisis."""
    packaged = resources.files("playbooks") / "drills" / "executive-remark.yaml"
    raw: dict[str, Any] = yaml.safe_load(packaged.read_text(encoding="utf-8"))
    raw["days"], raw["phases"] = 3, [{**one, "day": 2} for one in raw["phases"][:2]]
    raw["expect"]["by"] = {"day": 2, "at": "20:25"}
    path = tmp_path / "short.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return str(path)


def team(folder: Path, sandbox: SlackSandbox | None = None, **slack: str) -> Config:
    """A team's configuration with a Slack notifier on the sandbox."""
    known = {
        "type": "slack",
        "base_url": sandbox.api_url if sandbox else "http://127.0.0.1:1/",
        "bot_token": sandbox.bot_token if sandbox else "xoxb-none",
        "channel": "crisis",
    }
    raw = {
        "brands": [{"id": "borea", "name": "Borea"}],
        "language": {"second_opinion_share": 0},
        "notifiers": [known | slack],
        "people": [{"id": "anna", "name": "Anna Prova", "slack": "U0ANNA"}],
        "duties": [{"roles": ["duty-officer"], "people": ["anna"]}],
        "escalation": {"after_minutes": [5.0]},
    }
    return build_config(raw, folder / "sentinel.toml", {})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_rehearsal_marks_every_id_and_moves_every_moment() -> None:
    plain = load_scenario("executive-remark")
    drill = rehearsal_of(plain, language="en", shift_seconds=3600.0)
    assert {MARK + one.id for one in plain.brands} == {one.id for one in drill.brands}
    assert {"en"} == {one.language for one in drill.brands}
    named = {one.brand for one in (*drill.background, *drill.phases)}
    assert {drill.expect.brand, *drill.expect.quiet} | named <= {one.id for one in drill.brands}
    for moment in ("starts_at", "breaks_at", "ends_at"):
        assert getattr(drill, moment)() - getattr(plain, moment)() == 3600.0
    by = drill.expect.by
    assert drill.moment(by) - plain.moment(by) == 3600.0


async def test_a_local_drill_is_reviewed_in_the_asked_language(
    short: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    assert 0 == await run_drill(short, port=0, wait=False, language="en", say=said.append)
    review = capsys.readouterr().out
    assert review.startswith("# After-action review: Pastificio Aurora")
    assert "> **DRILL: this is an exercise" in review
    assert any(line.startswith("DRILL: The president's remark") for line in said)


async def test_a_live_drill_tells_the_team_marks_every_text_and_closes_what_it_opened(
    short: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    before = names(tmp_path)
    async with SlackSandbox() as sandbox:
        config = team(tmp_path, sandbox)
        wall = ScaledClock(NOW, rate=3000.0)
        assert 0 == await run_live(short, config, minutes=75, say=said.append, wall=wall)
        (root,) = sandbox.root_messages("crisis")
        messages = list(sandbox.messages)
        first = str(sandbox.calls_of("chat.postMessage")[0].args["text"])
    assert first.startswith(f"<@U0ANNA> {DRILL}")
    assert [] == [one.text for one in messages if DRILL not in one.text]
    assert root.text.startswith(f"{DRILL}✅ Conclusa")
    replies = [one.text for one in messages if one is not root]
    assert [one for one in replies if "ora si chiama Responsabile della crisi" in one]
    assert "Sentinel l'ha chiusa" in replies[-1]
    review = capsys.readouterr().out
    assert review.startswith("# Rapporto di fine crisi: Pastificio Aurora")
    assert f"**Caso**: {MARK}aurora-" in review
    assert any("Buttons in Slack do not reach the drill" in line for line in said)
    assert names(tmp_path) - before <= {"sentinel.db.lock"}


async def test_a_live_drill_can_be_ended_before_its_time(short: str, tmp_path: Path) -> None:
    said: list[str] = []
    stop = asyncio.Event()
    async with SlackSandbox() as sandbox:
        config = team(tmp_path, sandbox)
        play = run_live(short, config, stop=stop, say=lambda line: (said.append(line), stop.set()))
        assert 0 == await play
    assert "No alert was raised." in said


def test_while_the_service_runs_the_drill_leaves_its_connection_to_slack_alone(
    tmp_path: Path,
) -> None:
    config = team(tmp_path, app_token="xapp-1", signing_secret="secret")
    scenario = rehearsal_of(load_scenario("executive-remark"))
    mine, clicks = live_config(config, scenario, tmp_path, 0)
    assert clicks
    assert config.notifiers == mine.notifiers
    with only_one(config.database_url()):
        mine, clicks = live_config(config, scenario, tmp_path, 0)
    assert not clicks
    (slack,) = mine.notifiers
    assert isinstance(slack, SlackConfig)
    assert ("", "", "xoxb-none") == (slack.app_token, slack.signing_secret, slack.bot_token)


def test_a_drill_takes_nothing_of_the_real_thing_but_people_and_notifiers(tmp_path: Path) -> None:
    config = team(tmp_path)
    scenario = rehearsal_of(load_scenario("executive-remark"))
    mine, _ = live_config(config, scenario, tmp_path / "elsewhere", 0)
    assert mine.database_url() == str(tmp_path / "elsewhere" / "drill.db")
    assert {one.id for one in mine.brands} == {f"{MARK}aurora", f"{MARK}northwind"}
    assert (mine.sources, mine.events, mine.web.token) == ((), (), "")
    assert (mine.rota, mine.escalation) == (config.rota, config.escalation)


def test_a_live_drill_needs_somebody_to_tell(tmp_path: Path) -> None:
    config = msgspec.structs.replace(team(tmp_path), notifiers=())
    with pytest.raises(ConfigError, match="a live drill needs a notifier"):
        live_config(config, load_scenario("executive-remark"), tmp_path, 0)


def test_the_command_lists_scenarios_and_names_them_when_it_knows_none() -> None:
    listed = CliRunner().invoke(app, ["drill"])
    assert (0, True) == (listed.exit_code, "executive-remark: The president's" in listed.stdout)
    unknown = CliRunner().invoke(app, ["drill", "nonsense"])
    assert unknown.exit_code == 2
    assert "there is no scenario 'nonsense'; there are: executive-remark" in unknown.stderr
    assert CliRunner().invoke(app, ["drill", "--language", "de"]).exit_code == 2
