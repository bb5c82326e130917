"""``sentinel drill``: a scenario as a rehearsal, marked as such in every text, with the review of how it went at the end.

What lives here: two stages for the same play. On the *local* one everything is as in the demo: a local Slack, the scenario's own days, as fast
as it goes. The *live* one tells the configured people through the configured notifiers: weeks of background are replayed at once, and then the
crisis begins now and takes the time it takes. Both keep their own database, which is thrown away: a drill leaves no trace in the real one, in its
budget or in what it has learnt. What does not: the path itself, which is ``App``.
"""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec

from sentinel.app import App
from sentinel.config import Config, build_config
from sentinel.core.oncall import Call
from sentinel.core.shard import Settings
from sentinel.drills.demo import BEFORE_CRISIS_SECONDS, sandbox_settings, verdict
from sentinel.drills.scenario import Scenario, load_scenario
from sentinel.drills.source import ScenarioSource
from sentinel.errors import ConfigError, StoreError
from sentinel.events import CalendarConfig
from sentinel.model import Action, Command, Incident
from sentinel.notify.review import Source, review
from sentinel.notify.slack import SlackConfig
from sentinel.runtime.clock import Clock, ReplayClock, SystemClock
from sentinel.runtime.logging import configure_logging
from sentinel.runtime.single import only_one
from sentinel.slack_sandbox import SlackSandbox

LEAD_SECONDS = 60.0
"""A live crisis begins this long after the start: the weeks before it are replayed meanwhile."""
DRAIN_SECONDS = 20.0
MARK = "drill-"
"""Before the brands' ids, and so before the incidents': nothing of a drill can be taken for the real thing by its id."""

Say = Callable[[str], None]


def rehearsal_of(scenario: Scenario, *, language: str = "", shift_seconds: float = 0.0) -> Scenario:
    """The scenario with its brands' ids marked, in the team's language, moved in time."""
    replace = msgspec.structs.replace
    expect = scenario.expect
    return replace(
        scenario,
        shift_seconds=scenario.shift_seconds + shift_seconds,
        brands=tuple(
            replace(brand, id=MARK + brand.id, language=language or brand.language)
            for brand in scenario.brands
        ),
        background=tuple(replace(one, brand=MARK + one.brand) for one in scenario.background),
        phases=tuple(replace(one, brand=MARK + one.brand) for one in scenario.phases),
        expect=replace(
            expect, brand=MARK + expect.brand, quiet=tuple(MARK + one for one in expect.quiet)
        ),
    )


def live_config(config: Config, scenario: Scenario, folder: Path, port: int) -> tuple[Config, bool]:
    """The team's configuration for a live drill, and whether clicks in Slack come to the drill.

    Notifiers, people, escalation, plans and language stay. Brands, sources, events and database are the drill's. Slack sends clicks to
    whichever process holds the app's connection: while the service runs, the drill takes none, and its page does.

    Raises:
        ConfigError: There is nobody to tell.
    """
    if not config.notifiers:
        raise ConfigError("a live drill needs a notifier", path=config.path, key="notifiers")
    replace = msgspec.structs.replace
    alone = _alone(config)
    notifiers = tuple(
        replace(one, app_token="", signing_secret="")
        if isinstance(one, SlackConfig) and not alone
        else one
        for one in config.notifiers
    )
    return (
        replace(
            config,
            general=replace(config.general, database=str(folder / "drill.db")),
            web=replace(config.web, host="127.0.0.1", port=port, token="", base_url=""),
            brands=scenario.brands,
            sources=(),
            notifiers=notifiers,
            events=(),
            calendar=CalendarConfig(),
        ),
        alone and any(isinstance(one, SlackConfig) and one.app_token for one in notifiers),
    )


def _alone(config: Config) -> bool:
    """Whether no service runs on this configuration's database."""
    try:
        with only_one(config.database_url()):
            return True
    except StoreError:
        return False


async def run_drill(
    name: str,
    *,
    port: int = 8080,
    wait: bool | None = None,
    language: str = "",
    stop: asyncio.Event | None = None,
    say: Say | None = None,
) -> int:
    """Play a drill on the local stage and print its review.

    Args:
        name: Of the scenario, or the path of one of your own.
        port: Of the page that shows Slack; the drill's own pages take the next one. 0 for free ones.
        wait: Keep serving until ``stop`` before the review is written; None for "on a terminal".
        language: ``it`` or ``en``; empty for the scenario's.
        stop: Ends the waiting.
        say: Where talk goes; standard error by default.

    Returns:
        0, or 1 if Sentinel's reaction was not what the scenario expects.
    """
    tell = say or _talk
    scenario = rehearsal_of(load_scenario(name), language=language)
    wait = sys.stdout.isatty() if wait is None else wait
    clock = ReplayClock(scenario.starts_at())
    source = ScenarioSource(scenario, clock, slow_from=scenario.breaks_at() - BEFORE_CRISIS_SECONDS)
    with tempfile.TemporaryDirectory(prefix="sentinel-drill-") as folder:
        async with SlackSandbox(port=port) as sandbox:
            path = Path(folder) / "drill.toml"
            config = build_config(sandbox_settings(scenario, sandbox, port), path, {})
            async with _playing(config, scenario, clock, source) as app:
                sandbox.interactions.url = f"{app.address}/slack/interactivity"
                tell(f"DRILL: {scenario.title.text(language or config.general.language)}.")
                tell(f"Slack, as people would see it: {sandbox.page_url}")
                tell(f"The drill's own pages:         {app.address}")
                await app.ended.wait()
                await app.outbox.drain(DRAIN_SECONDS)
                problems = verdict(scenario, await app.store.incidents(limit=100))
                if wait:
                    tell("Take it, tick steps. Ctrl-C ends the drill and prints its review.")
                    await (stop or asyncio.Event()).wait()
                await _write_reviews(app, tell)
    for problem in problems:
        tell(f"WRONG: {problem}")
    return 1 if problems else 0


async def run_live(
    name: str,
    config: Config,
    *,
    minutes: float = 90.0,
    port: int = 0,
    stop: asyncio.Event | None = None,
    say: Say | None = None,
    wall: Clock | None = None,
) -> int:
    """Play a drill for the configured people, in real time, and print its review.

    Args:
        name: Of the scenario, or the path of one of your own.
        config: The team's.
        minutes: How long, from the crisis' beginning; the scenario may end before.
        port: Of the drill's own pages; 0 for a free one.
        stop: Ends the drill before its time.
        say: Where talk goes; standard error by default.
        wall: The clock that the crisis keeps step with; the machine's by default.

    Returns:
        0, or 1 if no alert was raised although the scenario expects one by then.

    Raises:
        ConfigError: There is nobody to tell.
    """
    tell, wall = say or _talk, wall or SystemClock()
    plain = load_scenario(name)
    shift = wall.now() + LEAD_SECONDS - plain.breaks_at()
    scenario = rehearsal_of(plain, language=config.general.language, shift_seconds=shift)
    begins = scenario.breaks_at()
    until = begins + minutes * 60
    clock = ReplayClock(scenario.starts_at())
    source = ScenarioSource(scenario, clock, slow_from=begins, pace=wall, until=until)
    stopping = stop or asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="sentinel-drill-") as folder:
        mine, clicks = live_config(config, scenario, Path(folder), port)
        names = ", ".join(one.name for one in mine.notifiers)
        async with _playing(mine, scenario, clock, source) as app:
            tell(f"DRILL, for {names}: {scenario.title.text(config.general.language)}.")
            tell(f"The drill's own pages: {app.address}")
            if not clicks and any(isinstance(one, SlackConfig) for one in mine.notifiers):
                tell(
                    "Buttons in Slack do not reach the drill: take it and tick its steps on its pages."
                )
            await _first_of(app.ended.wait(), stopping.wait())
            reached = clock.now()
            incidents = await _close_all(app)
            await app.outbox.drain(DRAIN_SECONDS)
            await _write_reviews(app, tell)
    problems = (
        verdict(scenario, incidents) if reached >= scenario.moment(scenario.expect.by) else []
    )
    for problem in problems:
        tell(f"WRONG: {problem}")
    return 1 if problems else 0


@asynccontextmanager
async def _playing(
    config: Config, scenario: Scenario, clock: ReplayClock, source: ScenarioSource
) -> AsyncIterator[App]:
    configure_logging("warning")
    app = App(
        config,
        clock=clock,
        delivery_clock=SystemClock(),
        rng=Random(scenario.seed),  # noqa: S311 - jitter
        settings=Settings(
            escalate_after_minutes=config.escalation.after_minutes,
            drill=True,
            max_wait_seconds=math.inf,
        ),
        extra_sources=(source,),
    )
    async with app.running():
        yield app


async def _close_all(app: App) -> list[Incident]:
    """End what is open, so that nobody is left with an alert that no process answers for; what there was before it."""
    incidents = await app.store.incidents(limit=100)
    for number, one in enumerate(incident for incident in incidents if incident.open):
        end = Command(f"end-{number}", app.clock.now(), Action.RESOLVE, one.id, MARK, "Sentinel")
        await app.backend.submit(end)
    return incidents


async def _write_reviews(app: App, tell: Say) -> None:
    """The review of each incident, the oldest first, on standard output."""
    incidents = await app.store.incidents(limit=100)
    if not incidents:
        tell("No alert was raised.")
    for incident in reversed(incidents):
        brand = app.backend.brand(incident.brand)

        def call(level: int, at: float, brand_id: str = incident.brand) -> Call:
            return app.backend.call(brand_id, level, at)

        said = review(
            Source(await app.store.timeline(incident.id), app.backend.playbook, call),
            language=brand.language if brand else app.backend.default_language,
            timezone=brand.timezone if brand else app.backend.default_timezone,
        )
        sys.stdout.write(said)
    sys.stdout.flush()


async def _first_of(*waits: object) -> None:
    tasks = [asyncio.ensure_future(one) for one in waits]  # type: ignore[call-overload]  # coroutines
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _talk(line: str) -> None:
    sys.stderr.write(line + "\n")
