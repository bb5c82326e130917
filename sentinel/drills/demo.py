"""``sentinel demo``: a scenario through the whole production path, on embedded defaults: one process, SQLite, the local Slack sandbox.

What lives here: the composition and the verdict. Nothing of the path itself: that is ``App``, as in production, on a replayed clock.
"""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from sentinel.app import App
from sentinel.config import build_config
from sentinel.core.playbooks import Role
from sentinel.core.shard import Settings
from sentinel.drills.scenario import Scenario, load_scenario
from sentinel.drills.source import ScenarioSource
from sentinel.model import EffectKind, Incident
from sentinel.runtime.clock import ReplayClock, SystemClock
from sentinel.runtime.logging import configure_logging
from sentinel.slack_sandbox import SlackSandbox

CHANNEL = "crisis"
BEFORE_CRISIS_SECONDS = 1800.0


class Outcome(msgspec.Struct):
    """What the demo's scenario came to."""

    problems: list[str] = []
    incidents: list[Incident] = []


def verdict(scenario: Scenario, incidents: list[Incident]) -> list[str]:
    """What is wrong with the reaction; empty if it is right."""
    expect = scenario.expect
    problems = [
        f"{one.brand}: was alerted and should be quiet"
        for one in incidents
        if one.brand in expect.quiet
    ]
    mine = [
        one for one in incidents if one.brand == expect.brand and one.direction is expect.direction
    ]
    if len(mine) < expect.incidents:
        problems.append(f"{expect.brand}: the crisis was not alerted")
    if len(mine) > expect.incidents:
        problems.append(f"{expect.brand}: alerted {len(mine)} times, not {expect.incidents}")
    for one in mine[:1]:
        if one.detected_at > scenario.moment(expect.by):
            problems.append(f"{expect.brand}: alerted too late")
        if one.playbook.playbook != expect.playbook:
            problems.append(
                f"{expect.brand}: matched {one.playbook.playbook}, not {expect.playbook}"
            )
    return problems


async def run_demo(
    *,
    port: int = 8080,
    wait: bool | None = None,
    stop: asyncio.Event | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """Play the demo.

    Args:
        port: Of the page that shows Slack; Sentinel's own pages take the next one. 0 for free ones.
        wait: Keep serving until ``stop`` after the scenario; None for "on a terminal".
        stop: Ends the waiting.
        say: Where talk goes; standard error by default.

    Returns:
        0, or 1 if the crisis was not alerted, alerted twice, or a quiet brand was alerted.
    """
    tell = say or (lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201 - the demo talks
    wait = sys.stdout.isatty() if wait is None else wait
    configure_logging("warning")
    scenario = load_scenario("executive-remark")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sentinel-demo-")))
        clock = ReplayClock(scenario.starts_at())
        sandbox = SlackSandbox(port=port)
        await stack.enter_async_context(sandbox)
        settings = sandbox_settings(scenario, sandbox, port)
        settings["notifiers"] += [{"type": "console", "name": "console", "updates": False}]
        config = build_config(settings, folder / "demo.toml", {})
        crisis = scenario.moment(scenario.expect.by) - 2 * BEFORE_CRISIS_SECONDS
        source = ScenarioSource(scenario, clock, slow_from=crisis)
        app = App(
            config,
            clock=clock,
            delivery_clock=SystemClock(),
            rng=Random(scenario.seed),  # noqa: S311 - jitter
            settings=Settings(max_wait_seconds=math.inf),
            extra_sources=(source,),
        )
        await stack.enter_async_context(app.running())
        sandbox.interactions.url = f"{app.address}/slack/interactivity"
        tell(
            f"Replaying {scenario.days} days of {len(scenario.brands)} fictional brands: {scenario.title.en}."
        )
        tell(f"Slack, as people would see it: {sandbox.page_url}")
        tell(f"Sentinel's own pages:          {app.address}")
        await app.ended.wait()
        await app.outbox.drain(20.0)
        incidents = await app.store.incidents(limit=100)
        told = dict.fromkeys(EffectKind, 0)
        for incident in incidents:
            for effect in await app.store.timeline(incident.id):
                told[effect.kind] += 1
        problems = verdict(scenario, incidents)
        tell(
            f"{source.delivered} mentions, {len(incidents)} incident(s), "
            f"{told[EffectKind.ESCALATED]} escalation(s), {told[EffectKind.RETURNED]} return(s)."
        )
        for problem in problems:
            tell(f"WRONG: {problem}")
        if wait:
            tell(f"The scenario is over. Press the buttons at {sandbox.page_url} - Ctrl-C ends it.")
            await (stop or asyncio.Event()).wait()
    return 1 if problems else 0


def sandbox_settings(scenario: Scenario, sandbox: SlackSandbox, port: int) -> dict[str, Any]:
    """An embedded configuration: what a ``sentinel.toml`` for the sandbox would say."""
    return {
        "sentinel": {"database": "demo.db", "language": "it", "timezone": scenario.timezone},
        "language": {"second_opinion_share": 0},  # the same figures however fast the machine is
        "web": {"port": port + 1 if port else 0},
        "brands": [msgspec.to_builtins(brand) for brand in scenario.brands],
        "notifiers": [
            {
                "type": "slack",
                "name": "slack",
                "base_url": sandbox.api_url,
                "bot_token": sandbox.bot_token,
                "signing_secret": sandbox.signing_secret,
                "channel": CHANNEL,
            },
        ],
        "people": [
            {"id": "duty", "name": "Reperibile 1"},
            {"id": "backup", "name": "Reperibile 2"},
        ],
        "duties": [
            {
                "roles": [role.value for role in Role],
                "people": ["duty", "backup"],
                "backup": "backup",
            }
        ],
    }
